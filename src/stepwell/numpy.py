"""`stepwell.numpy`: NumPy's names, compiled. Inside of `jit` calls become part of the program, outside they run at once."""

from __future__ import annotations

import stepwell.dispatch
from stepwell.frontends import numpy_api
from stepwell.frontends.mapping import vectorize as vectorize
from stepwell.frontends.numpy_api import *  # noqa: F403

__all__ = ["vectorize"]
__all__ += numpy_api.__all__

assert stepwell.dispatch.EAGER.run is not None
