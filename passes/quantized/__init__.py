"""Quantized arithmetic said by floats and integers, for `legalize-quantization`."""
