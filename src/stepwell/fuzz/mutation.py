"""Broken texts from valid ones: cut, swapped, doubled, with other numbers, types, names and bytes."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from stepwell.fuzz.generator import generate

_TOKEN = re.compile(r"[A-Za-z_][\w.$]*|[%@#!^]\w+|\d+(?:\.\d+)?|\"[^\"\n]*\"|->|\S")
_SEPARATOR = re.compile(r"^// -----.*\n", re.MULTILINE)
_NUMBERS = (
    "0",
    "-1",
    "1",
    "7",
    "255",
    "65536",
    "2147483648",
    "9223372036854775808",
    "1e999",
    "0x7F",
    "18446744073709551616",
)
_TYPES = (
    "f32",
    "f64",
    "bf16",
    "f16",
    "i1",
    "i8",
    "ui32",
    "i64",
    "i4",
    "complex<f32>",
    "f8E4M3FN",
    "index",
    "none",
    "i65536",
    "!foo.bar",
    "!stablehlo.token",
    "tuple<>",
    "tuple<tensor<f32>, tuple<tensor<2xi32>>>",
    "complex<complex<f32>>",
    "tensor<3xf32>",
    "memref<?x4xf32>",
    "vector<[4]x2xf32>",
    "(f32) -> f32",
    "!quant.uniform<i8:f32, 0.5:3>",
    "!quant.uniform<i8<-128:127>:f32:1, {0.5, 0.0:1, -2.0}>",
    "!quant.uniform<u64:f64, 1.0e-400>",
)
_ATTRIBUTES = (
    "unit",
    "true",
    "-1 : i64",
    "9223372036854775807 : i64",
    "0x7FC00000 : f32",
    '""',
    '"\\00\\0A/../x"',
    "[]",
    "[[1], unit]",
    "{}",
    "array<i64>",
    "array<i64: -1, 3, 9223372036854775807>",
    "array<i1: true>",
    "dense<> : tensor<0xi64>",
    "dense<-1> : tensor<4xi64>",
    "dense<1> : tensor<99999999999xi64>",
    "dense_resource<nothing> : tensor<4xi64>",
    "@nothing::@inner",
    "f32",
    "affine_map<(d0) -> (d0 floordiv 0, d0 * -1)>",
    "#stablehlo.bounds<?, -1>",
    "loc(unknown)",
)
_EXTENTS = ("0", "1", "2", "?", "-3", "99999999999", "4294967296")
_SNIPPETS = (
    "}",
    "{",
    ")",
    "(",
    ">",
    "<",
    "]",
    "[",
    ",",
    ":",
    "=",
    "%",
    "@",
    "#",
    '"',
    "?",
    "x",
    "loc(",
    "dense<",
    "\n",
    "//",
    "\x00",
    "\u00e9",
    "\U0001f600",
)


def mutant(seed: int, corpus: Sequence[Path]) -> bytes:
    """The mutated text of a seed: of a file of the corpus, or of a generated program; one to four changes."""
    rng = random.Random(seed ^ 0x5EED)
    text = _original(rng, corpus)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        text = rng.choice(MUTATIONS)(rng, text)
    data = text.encode("utf-8", "surrogatepass")
    return _bytes(rng, data) if rng.random() < 0.1 else data


def _original(rng: random.Random, corpus: Sequence[Path]) -> str:
    if corpus and rng.random() < 0.8:
        part = rng.choice(_parts(rng.choice(corpus)))
        return part if rng.random() < 0.3 else _with_entry(part)
    return generate(rng.randrange(5000), rng.randint(1, 8)).text()


def _with_entry(text: str) -> str:
    """The text with its first function named `main`: a test's functions are called otherwise, and no code is made without an entry."""
    found = re.search(r"\bfunc\.func (?:public |private )?@(\w+)", text)
    return text if found is None or "@main" in text else re.sub(rf"@{found[1]}\b", "@main", text)


@functools.lru_cache(maxsize=256)
def _parts(path: Path) -> list[str]:
    """The programs of a file: one, or as many as a lit file has between its separators (broken together, few would be reached)."""
    return _SEPARATOR.split(path.read_text(errors="surrogateescape"))


def _span(rng: random.Random, text: str) -> tuple[int, int]:
    start = rng.randrange(len(text) + 1)
    return start, min(len(text), start + int(rng.expovariate(1 / 20)) + 1)


def _truncate(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _delete(rng: random.Random, text: str) -> str:
    start, end = _span(rng, text)
    return text[:start] + text[end:]


def _duplicate(rng: random.Random, text: str) -> str:
    start, end = _span(rng, text)
    return text[:end] + text[start:end] * rng.choice((1, 1, 2, 500)) + text[end:]


def _insert(rng: random.Random, text: str) -> str:
    start, _ = _span(rng, text)
    return text[:start] + rng.choice(_SNIPPETS) * rng.choice((1, 1, 1, 3, 2000)) + text[start:]


def _tokens(text: str) -> list[re.Match[str]]:
    return list(_TOKEN.finditer(text))


def _swap(rng: random.Random, text: str) -> str:
    found = _tokens(text)
    if len(found) < 2:
        return text
    a, b = sorted(rng.sample(range(len(found)), 2))
    first, second = found[a], found[b]
    middle = text[first.end() : second.start()]
    return text[: first.start()] + second[0] + middle + first[0] + text[second.end() :]


def _replace(rng: random.Random, text: str, pattern: str, choices: Sequence[str]) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(choices) + text[match.end() :]


def _number(rng: random.Random, text: str) -> str:
    return _replace(rng, text, r"(?<![\w%#@])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", _NUMBERS)


def _extent(rng: random.Random, text: str) -> str:
    return _replace(rng, text, r"(?<=[<x])\d+(?=x)", _EXTENTS)


def _every_extent(rng: random.Random, text: str) -> str:
    """One extent changed wherever it stands: what is still well-typed gets further than the parser."""
    found = re.findall(r"(?<=[<x])\d+(?=x)", text)
    if not found:
        return text
    return re.sub(rf"(?<=[<x]){rng.choice(found)}(?=x)", rng.choice(_EXTENTS), text)


def _every_type(rng: random.Random, text: str) -> str:
    """One element type changed wherever it stands."""
    found = re.findall(r"\b(?:b?f\d+|u?i\d+)\b", text)
    return re.sub(rf"\b{rng.choice(found)}\b", rng.choice(_TYPES), text) if found else text


def _attribute(rng: random.Random, text: str) -> str:
    """The value of an attribute replaced by one of another kind, or the attribute left out."""
    pattern = r"(\b\w[\w.]* = )(?:#?[\w.]+<[^<>]*>|\"[^\"\n]*\"|\[[^\[\]]*\]|[^\s,{}()<>\[\]]+)(?: : \w+)?,?"
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = rng.choice(found)
    kept = match[1] + rng.choice(_ATTRIBUTES) + ("," if match[0].endswith(",") else "")
    return text[: match.start()] + ("" if rng.random() < 0.3 else kept) + text[match.end() :]


def _type(rng: random.Random, text: str) -> str:
    return _replace(rng, text, r"\b(?:b?f\d+|u?i\d+)\b", _TYPES)


def _line(rng: random.Random, text: str) -> str:
    """A line left out, doubled, or exchanged with another."""
    lines = text.split("\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(3)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(other, lines[at])
    else:
        lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def _value(rng: random.Random, text: str) -> str:
    """An SSA name or symbol replaced by another one."""
    names = sorted(dict.fromkeys(re.findall(r"[%@][\w#]+", text)))
    return _replace(rng, text, r"[%@][\w#]+", [*names, "%nothing", '@"../../etc/passwd; true"'])


def _nest(rng: random.Random, text: str) -> str:
    start, _ = _span(rng, text)
    depth = rng.choice((10, 300, 5000))
    return text[:start] + rng.choice(("(", "[", "{", "tuple<", "complex<", "tensor<")) * depth + text[start:]


def _bytes(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(changed), rng.choice((1, 3)))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (
    _truncate,
    _delete,
    _delete,
    _duplicate,
    _insert,
    _swap,
    _swap,
    _number,
    _number,
    _number,
    _extent,
    _every_extent,
    _every_extent,
    _type,
    _every_type,
    _attribute,
    _attribute,
    _attribute,
    _line,
    _line,
    _value,
    _value,
    _nest,
)
"""The changes, the more telling ones several times."""

__all__ = ["MUTATIONS", "mutant"]
