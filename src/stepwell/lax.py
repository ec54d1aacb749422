"""`stepwell.lax`: control flow in compiled functions, and a few functions NumPy has no name for."""

from __future__ import annotations

import stepwell.dispatch
from stepwell.frontends.lax_api import *  # noqa: F403
from stepwell.frontends.lax_api import __all__ as __all__

assert stepwell.dispatch.EAGER.run is not None
