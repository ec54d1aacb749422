"""`stepwell.random`: random numbers from explicit keys, compiled; JAX's names."""

from __future__ import annotations

import stepwell.dispatch
from stepwell.frontends.random_api import *  # noqa: F403
from stepwell.frontends.random_api import __all__ as __all__

assert stepwell.dispatch.EAGER.run is not None
