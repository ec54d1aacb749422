"""The interpreter rule of StableHLO's Fourier transforms: NumPy's in double precision, rounded once."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.stablehlo_data import Args, shape_of
from stepwell.dialects.interp.stablehlo_elementwise import result_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _fft(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.FftOp)
    lengths, shape, dtype = op.fft_length.get_values(), shape_of(op.result), result_dtype(op)
    if 0 in shape:
        return (np.zeros(shape, dtype),)
    axes = tuple(range(len(shape) - len(lengths), len(shape)))
    x = num.widen(args[0])
    with np.errstate(all="ignore"):
        match op.fft_type.data:
            case hlo.FftType.FFT:
                result = np.fft.fftn(x, axes=axes)
            case hlo.FftType.IFFT:
                result = np.fft.ifftn(x, axes=axes)
            case hlo.FftType.RFFT:
                result = np.fft.rfftn(x, axes=axes)
            case hlo.FftType.IRFFT:
                result = np.fft.irfftn(x, lengths, axes=axes)
        return (np.asarray(num.round_to(result, dtype)).reshape(shape),)


RULES: dict[str, Rule] = {"stablehlo.fft": _fft}
