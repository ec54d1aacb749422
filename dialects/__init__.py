"""Our dialects, and what upstream's lack.

Importing the package widens upstream's `arith` to vectors and tensors (see `arith.py`), so that every module that builds such ops
sees the same definitions.
"""

from stepwell.dialects import arith as _arith  # noqa: F401
