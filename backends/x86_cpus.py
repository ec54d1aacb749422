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
