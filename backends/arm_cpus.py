"""The AArch64 processors that code can be made for by name: what their instruction sets have beyond Armv8's.

Names are LLVM's (and GCC's). What LLVM knows of a processor it takes from the name; what this table says is for the passes and the writer.
All have NEON: 32 registers of 128 bits, with fused multiply-adds. Code is for Linux, whatever the processor.
"""

from __future__ import annotations

LEVEL = "neon"
"""The instruction-set level of all of them."""

FEATURES = ("neon", "fp-armv8", "crc", "aes", "sha2", "lse", "rdm", "dotprod", "fullfp16", "fp16fml", "bf16", "i8mm")
"""What may be added or taken away by name."""
ALWAYS = ("neon", "fp-armv8")
"""Vectors of 128 bits and fused multiply-adds are what the level is."""
IMPLIED = {"fp16fml": ("fullfp16",)}
"""What a feature needs beyond that."""

_V8 = ("crc", "aes", "sha2")
_V81 = (*_V8, "lse", "rdm")
_V82 = (*_V81, "dotprod", "fullfp16")
_V84 = (*_V82, "fp16fml")
_V86 = (*_V84, "bf16", "i8mm")

ARM_CPUS: dict[str, tuple[str, ...]] = {
    "cortex-a53": _V8,
    "cortex-a57": _V8,
    "cortex-a72": _V8,
    "cortex-a55": _V82,
    "cortex-a75": _V82,
    "cortex-a76": _V82,
    "cortex-a77": _V82,
    "cortex-a78": _V82,
    "cortex-x1": _V82,
    "neoverse-n1": _V82,
    "ampere1": _V86,
    "neoverse-v1": _V86,
    "neoverse-n2": _V86,
    "neoverse-v2": _V86,
    "cortex-a710": _V86,
    "cortex-x2": _V86,
    "apple-m1": _V84,
    "apple-m2": _V86,
    "apple-m3": _V86,
    "apple-m4": _V86,
}
"""Features by processor, beyond `neon` and `fp-armv8`."""

LINES = {name: 128 for name in ARM_CPUS if name.startswith("apple-")}
"""Bytes of a cache line, where they are not 64."""
