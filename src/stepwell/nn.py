"""`stepwell.nn`: activations, softmax and their kin, standardization and attention; `jax.nn`'s names."""

from __future__ import annotations

import stepwell.dispatch
from stepwell.frontends.nn_api import *  # noqa: F403
from stepwell.frontends.nn_api import __all__ as __all__

assert stepwell.dispatch.EAGER.run is not None
