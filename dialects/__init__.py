"""Our dialects, and what upstream's lack.

Importing the package widens upstream's `arith` and `linalg` (see `arith.py`, `linalg.py`), so that every module that builds or
verifies such ops sees the same definitions.
"""

from stepwell.dialects import arith, linalg

__all__ = ["arith", "linalg"]
