"""The machine a program is compiled for: instruction-set level, features, caches; as the `#stepwell.target` attribute.

A level names a register width and the features every CPU of that level has; forcing a lower level on a better host compiles and runs
there, which is how one machine tests all of them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llvmlite import binding as llvm

from stepwell.backends import arm_cpus, x86_cpus
from stepwell.backends.arm_cpus import ARM_CPUS
from stepwell.backends.caches import read_caches
from stepwell.backends.x86_cpus import CPUS
from stepwell.ir.cores import usable_cores
from stepwell.ir.errors import InvalidProgramError

if TYPE_CHECKING:
    from stepwell.dialects.stepwell import TargetAttr

LEVELS = ("scalar", "sse4.2", "avx2", "avx512")
"""Of x86-64, from narrow to wide."""
X86, ARM = "x86_64", "aarch64"
PROCESSORS = (*CPUS, *ARM_CPUS)
"""The names of all processors that code can be made for."""
NATIVE = "native"
"""The name of the one at hand."""

_VECTOR_BITS = {"scalar": 64, "sse4.2": 128, "avx2": 256, "avx512": 512}
_SSE42 = ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16")
_AVX2 = (*_SSE42, "avx", "avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe")
_AVX512 = (*_AVX2, "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd")
_CPU = {"scalar": "x86-64", "sse4.2": "x86-64-v2", "avx2": "x86-64-v3", "avx512": "x86-64-v4"}
_NUMBERS = ("vector_bits", "cores", "l1_bytes", "l2_bytes", "l3_bytes", "line_bytes")
_FEATURES = {"scalar": (), "sse4.2": _SSE42, "avx2": _AVX2, "avx512": _AVX512}


@dataclass(frozen=True)
class Target:
    """What code generation and the cost models need to know of a machine."""

    arch: str
    level: str
    cpu: str
    features: str
    vector_bits: int
    cores: int
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    line_bytes: int = 64
    """Bytes that caches and memory exchange at once."""

    @property
    def has_fma(self) -> bool:
        """Whether fused multiply-add is one instruction."""
        return self.arch == ARM or "+fma" in self.features.split(",")

    def attribute(self) -> TargetAttr:
        """The `#stepwell.target` attribute."""
        from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64  # here: a cached program needs no IR

        from stepwell.dialects.stepwell import TargetAttr

        return TargetAttr(
            {
                "arch": StringAttr(self.arch),
                "level": StringAttr(self.level),
                "cpu": StringAttr(self.cpu),
                "features": StringAttr(self.features),
                **{name: IntegerAttr(getattr(self, name), i64) for name in _NUMBERS},
            }
        )

    def describe(self) -> list[tuple[str, str]]:
        """Name and value pairs for `stepwell doctor`."""
        sizes = f"L1 {self.l1_bytes >> 10} KiB, L2 {self.l2_bytes >> 10} KiB, L3 {self.l3_bytes >> 20} MiB"
        return [
            ("simd", f"{self.level} ({self.vector_bits} bits, fma {'yes' if self.has_fma else 'no'})"),
            ("cores", str(self.cores)),
            ("caches", f"{sizes}; lines of {self.line_bytes} bytes"),
        ]


@functools.cache
def _host_features() -> frozenset[str]:
    try:
        return frozenset(name for name, on in llvm.get_host_cpu_features().items() if on)
    except RuntimeError:
        return frozenset()


@functools.cache
def host_level() -> str:
    """The widest level this machine runs, highest first."""
    return level_of(_host_features())


@functools.cache
def host_target(level: str | None = None) -> Target:
    """This machine, at its widest level or a lower one (`STEPWELL_SIMD` sets the default).

    Raises:
        InvalidProgramError: no such level, or the machine does not have it.
    """
    wanted = level or os.environ.get("STEPWELL_SIMD") or host_level()
    if wanted not in LEVELS:
        raise InvalidProgramError(f"unknown instruction-set level '{wanted}'; the levels are {', '.join(LEVELS)}")
    if LEVELS.index(wanted) > LEVELS.index(host_level()):
        raise InvalidProgramError(f"this machine has {host_level()}, not {wanted}")
    return target_for(wanted)


def level_of(features: frozenset[str]) -> str:
    """The widest level that a machine with these features runs."""
    return next(level for level in reversed(LEVELS) if all(name in features for name in _FEATURES[level]))


@functools.cache
def _known_features() -> frozenset[str]:
    """The features LLVM knows; none where it cannot tell."""
    try:
        return frozenset(llvm.get_host_cpu_features())
    except RuntimeError:
        return frozenset()


def cpu_target(cpu: str, changes: str = "") -> Target:
    """A processor by name (of `CPUS`) or level, with features added or taken away: `cpu_target("haswell", "+avxvnni,-fma")`.

    Its caches and cores are those of a fixed machine: the description does not depend on where this runs, but for "native".

    Raises:
        InvalidProgramError: no such processor or feature.
    """
    if cpu == NATIVE:
        host = target_for(host_level())
        masked = [f"-{name}" for name in _masked(host.cpu)]
        return _with_features(host, sorted(_host_features()), ",".join([*masked, changes]))
    if cpu in LEVELS:
        cpu = _CPU[cpu]
    if cpu in ARM_CPUS:
        return _arm_target(cpu, changes)
    if cpu not in CPUS:
        raise InvalidProgramError(f"unknown processor '{cpu}'; there are {', '.join(PROCESSORS)}")
    level, extra = CPUS[cpu]
    return _with_features(replace(target_for(level, generic=True), cpu=cpu), (*_FEATURES[level], *extra), changes)


def _with_features(target: Target, base: Sequence[str], changes: str) -> Target:
    """An x86-64 target with changed features, at the level that it has with them."""
    features = _changed(base, changes, _known_features(), "avx512vnni", x86_cpus.IMPLIED)
    lost = next((name for name in x86_cpus.ALWAYS if not features.get(name, True)), None)
    if lost is not None:
        raise InvalidProgramError(f"there is no code for {target.cpu} without {lost}: every x86-64 has it")
    level = level_of(frozenset(name for name, on in features.items() if on))
    return replace(target, level=level, features=_feature_text(features), vector_bits=_VECTOR_BITS[level])


def _arm_target(cpu: str, changes: str) -> Target:
    """A processor of AArch64. Vectors of 128 bits and fused multiply-adds are what its level is: they cannot be taken away."""
    base, known = (*arm_cpus.ALWAYS, *ARM_CPUS[cpu]), frozenset(arm_cpus.FEATURES)
    features = _changed(base, changes, known, "dotprod", arm_cpus.IMPLIED)
    without = [name for name in arm_cpus.ALWAYS if not features[name]]
    if without:
        raise InvalidProgramError(f"there is no code for {cpu} without {without[0]}")
    return Target(
        ARM,
        arm_cpus.LEVEL,
        cpu,
        _feature_text(features),
        128,
        4,
        64 << 10,
        1 << 20,
        8 << 20,
        arm_cpus.LINES.get(cpu, 64),
    )


def _changed(
    base: Sequence[str], changes: str, known: frozenset[str], such_as: str, implied: Mapping[str, Sequence[str]]
) -> dict[str, bool]:
    """Features, those of `base` with changes such as "+a,-b" one after the other, and whether each is there.

    What is added brings what it needs, and what is taken away takes what needs it.

    Raises:
        InvalidProgramError: a change is none, or of no known feature (where any are known).
    """
    needed_by: dict[str, list[str]] = {}
    for name, needs in implied.items():
        for need in needs:
            needed_by.setdefault(need, []).append(name)
    features = dict.fromkeys(base, True)
    for change in filter(None, changes.split(",")):
        sign, name = change[:1], change[1:]
        if sign not in "+-" or not name:
            raise InvalidProgramError(f"a feature is added as '+name' or taken away as '-name', not '{change}'")
        if known and name not in known:
            raise InvalidProgramError(f"unknown feature '{name}' of a processor; LLVM's names, such as {such_as}")
        on = sign == "+"
        for other in _closure(name, implied if on else needed_by):
            if on or other == name or other in features:
                features[other] = on
    return features


def _closure(name: str, edges: Mapping[str, Sequence[str]]) -> list[str]:
    """A feature and all that follows from it."""
    found = [name]
    for reached in found:
        found += [other for other in edges.get(reached, ()) if other not in found]
    return found


def _feature_text(features: dict[str, bool]) -> str:
    """LLVM's text. It goes by the order: what is added brings back what it needs, so what is not there comes last."""
    on, off = ([name for name, there in features.items() if there is wanted] for wanted in (True, False))
    return ",".join([f"+{name}" for name in on] + [f"-{name}" for name in off])


def _masked(cpu: str) -> list[str]:
    """The features that processors of this name have and this machine has not: a hypervisor may keep AVX-512 to itself.

    LLVM takes them from the name, unless it is told otherwise.
    """
    level, extra = CPUS.get(cpu, ("scalar", ()))
    named = (*_FEATURES[level], *extra) if cpu in CPUS else sorted(_known_features().difference(x86_cpus.ALWAYS))
    return [name for name in named if name not in _host_features()]


def missing_here(target: Target) -> list[str]:
    """The features of a target that this machine lacks, or its architecture."""
    if target.arch != X86:
        return [target.arch]
    wanted = [name[1:] for name in target.features.split(",") if name.startswith("+")]
    return [name for name in wanted if name not in _host_features()]


def target_for(level: str, *, generic: bool = False) -> Target:
    """A target of the given level with this machine's caches and cores, and its CPU name at its own level.

    `generic` describes a fixed machine instead, the same wherever this runs.
    """
    if generic:
        features = ",".join(f"+{name}" for name in _FEATURES[level])
        return Target(X86, level, _CPU[level], features, _VECTOR_BITS[level], 2, 32 << 10, 1 << 20, 32 << 20)
    own = level == host_level()
    cpu = llvm.get_host_cpu_name() if own else _CPU[level]
    features = dict.fromkeys(sorted(_host_features()) if own else _FEATURES[level], True)
    if own:
        features |= dict.fromkeys(_masked(cpu), False)
    caches = read_caches()
    return Target(
        arch=X86,
        level=level,
        cpu=cpu,
        features=_feature_text(features),
        vector_bits=_VECTOR_BITS[level],
        cores=usable_cores(),
        l1_bytes=caches.l1_bytes,
        l2_bytes=caches.l2_bytes,
        l3_bytes=caches.l3_bytes,
        line_bytes=caches.line_bytes,
    )
