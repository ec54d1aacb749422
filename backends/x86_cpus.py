"""The x86-64 processors that code can be made for by name: what their instruction sets have beyond that of a level.

Names are LLVM's (and GCC's). What LLVM knows of a processor it takes from the name; what this table says is for the passes, which choose
vectors and instructions by level and features.
"""

from __future__ import annotations

_VNNI = ("avx512vnni",)
_ICE_LAKE = (
    "avx512vnni",
    "avx512vbmi",
    "avx512vbmi2",
    "avx512bitalg",
    "avx512vpopcntdq",
    "avx512ifma",
    "gfni",
    "vaes",
    "vpclmulqdq",
)
_ZEN4 = (*_ICE_LAKE, "avx512bf16")
_SAPPHIRE_RAPIDS = (*_ZEN4, "avx512fp16", "avxvnni", "amx-tile", "amx-int8", "amx-bf16")
_ALDER_LAKE = ("avxvnni", "gfni", "vaes", "vpclmulqdq")
_ARROW_LAKE = (*_ALDER_LAKE, "avxifma", "avxneconvert", "avxvnniint8")
_CRYPTO = ("aes", "pclmul")

CPUS: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (level, features beyond it)
    "x86-64": ("scalar", ()),
    "x86-64-v2": ("sse4.2", ()),
    "x86-64-v3": ("avx2", ()),
    "x86-64-v4": ("avx512", ()),
    "nehalem": ("sse4.2", ()),
    "westmere": ("sse4.2", ("pclmul",)),
    "silvermont": ("sse4.2", ("pclmul",)),
    "goldmont": ("sse4.2", _CRYPTO),
    "tremont": ("sse4.2", (*_CRYPTO, "gfni")),
    "sandybridge": ("sse4.2", ("avx", "pclmul")),
    "ivybridge": ("sse4.2", ("avx", "f16c", "pclmul")),
    "haswell": ("avx2", ("pclmul",)),
    "broadwell": ("avx2", ("pclmul", "adx")),
    "skylake": ("avx2", (*_CRYPTO, "adx")),
    "alderlake": ("avx2", (*_CRYPTO, "adx", *_ALDER_LAKE)),
    "raptorlake": ("avx2", (*_CRYPTO, "adx", *_ALDER_LAKE)),
    "meteorlake": ("avx2", (*_CRYPTO, "adx", *_ALDER_LAKE)),
    "gracemont": ("avx2", (*_CRYPTO, "adx", *_ALDER_LAKE)),
    "arrowlake": ("avx2", (*_CRYPTO, "adx", *_ARROW_LAKE)),
    "sierraforest": ("avx2", (*_CRYPTO, "adx", *_ARROW_LAKE)),
    "skylake-avx512": ("avx512", (*_CRYPTO, "adx")),
    "cascadelake": ("avx512", (*_CRYPTO, "adx", *_VNNI)),
    "cooperlake": ("avx512", (*_CRYPTO, "adx", *_VNNI, "avx512bf16")),
    "icelake-client": ("avx512", (*_CRYPTO, "adx", *_ICE_LAKE)),
    "icelake-server": ("avx512", (*_CRYPTO, "adx", *_ICE_LAKE)),
    "rocketlake": ("avx512", (*_CRYPTO, "adx", *_ICE_LAKE)),
    "tigerlake": ("avx512", (*_CRYPTO, "adx", *_ICE_LAKE)),
    "sapphirerapids": ("avx512", (*_CRYPTO, "adx", *_SAPPHIRE_RAPIDS)),
    "emeraldrapids": ("avx512", (*_CRYPTO, "adx", *_SAPPHIRE_RAPIDS)),
    "graniterapids": ("avx512", (*_CRYPTO, "adx", *_SAPPHIRE_RAPIDS, "amx-fp16")),
    "znver1": ("avx2", (*_CRYPTO, "adx")),
    "znver2": ("avx2", (*_CRYPTO, "adx")),
    "znver3": ("avx2", (*_CRYPTO, "adx", "vaes", "vpclmulqdq")),
    "znver4": ("avx512", (*_CRYPTO, "adx", *_ZEN4)),
    "znver5": ("avx512", (*_CRYPTO, "adx", *_ZEN4, "avxvnni")),
}
"""Processors by name."""

ALWAYS = ("64bit", "sse", "sse2", "mmx", "fxsr", "cx8", "cmov")
"""What every x86-64 has: there is no code without it."""

_ON_AVX2 = ("avxvnni", "avxvnniint8", "avxvnniint16", "avxifma", "avxneconvert", "sha512", "sm4")
_ON_AVX512F = (
    "avx512cd",
    "avx512dq",
    "avx512bw",
    "avx512vl",
    "avx512vnni",
    "avx512ifma",
    "avx512vpopcntdq",
    "avx512vp2intersect",
)
_ON_AVX512BW = ("avx512vbmi", "avx512vbmi2", "avx512bitalg", "avx512bf16", "avx512fp16")
_ON_TILES = ("amx-int8", "amx-bf16", "amx-fp16", "amx-complex", "amx-fp8", "amx-movrs", "amx-tf32", "amx-avx512")
IMPLIED: dict[str, tuple[str, ...]] = {
    "ssse3": ("sse3",),
    "sse4.1": ("ssse3",),
    "sse4.2": ("sse4.1",),
    "sse4a": ("sse3",),
    "avx": ("sse4.2",),
    "fma4": ("avx", "sse4a"),
    "xop": ("fma4",),
    "avx2": ("avx",),
    "fma": ("avx",),
    "f16c": ("avx",),
    "sm3": ("avx",),
    "vaes": ("avx2", "aes"),
    "vpclmulqdq": ("avx", "pclmul"),
    "avx512f": ("avx2", "fma", "f16c"),
    **dict.fromkeys(_ON_AVX2, ("avx2",)),
    **dict.fromkeys(_ON_AVX512F, ("avx512f",)),
    **dict.fromkeys(_ON_AVX512BW, ("avx512bw",)),
    "avx10.1": ("avx512cd", "avx512dq", "avx512vl", "avx512vnni", "avx512ifma", "avx512vpopcntdq", *_ON_AVX512BW),
    "avx10.2": ("avx10.1",),
    **dict.fromkeys(_ON_TILES, ("amx-tile",)),
    "widekl": ("kl",),
    **dict.fromkeys(("xsavec", "xsaveopt", "xsaves"), ("xsave",)),
}
"""What a feature needs, as LLVM has it: who has it has these, and who lacks one of these lacks it."""
