"""What the operators and methods of arrays do: functions of `stepwell.numpy` by name."""

from __future__ import annotations

from stepwell.frontends.numpy_api import elementwise, indexing, linear, manipulation, reductions, sorting, updates
from stepwell.frontends.operators import METHODS

_ELEMENTWISE = """abs add astype bitwise_and bitwise_invert bitwise_or bitwise_xor clip conj divide equal floor_divide
    greater greater_equal imag integer_power left_shift less less_equal multiply negative not_equal power real remainder
    right_shift round subtract"""
_NAMES = {
    elementwise: _ELEMENTWISE,
    indexing: "getitem take",
    linear: "dot matmul",
    manipulation: "matrix_transpose repeat reshape squeeze swapaxes transpose",
    reductions: "all any argmax argmin cumprod cumsum max mean min prod std sum var",
    sorting: "argsort",
    updates: "at_update",
}


def install() -> None:
    """Enter the functions into `METHODS`, from where the arrays, which stand below them, call them."""
    for module, names in _NAMES.items():
        METHODS.update({name: getattr(module, name) for name in names.split()})
