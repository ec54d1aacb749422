"""`stepwell.numpy`: NumPy's names, compiled. Inside of `jit` calls become part of the program, outside they run at once."""

from __future__ import annotations

import stepwell.dispatch
from stepwell.frontends.numpy_api import *  # noqa: F403
from stepwell.frontends.numpy_api import __all__ as __all__

assert stepwell.dispatch.EAGER.run is not None
