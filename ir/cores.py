"""How many cores this process may use: those of its affinity mask, and no more than the quotas of its control groups pay for.

A container with two processors' worth of time on a machine of 64 may run on each of these: 64 threads that wait by spinning would
use up its time a thirtieth into each period, and stand still for the rest of it.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator


def allowed_cores() -> int:
    """The cores that threads of this process may run on at once, for however long: its affinity mask."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores() -> int:
    """The cores that this process may keep busy, one at least."""
    quota = cpu_quota()
    return allowed_cores() if quota is None else min(allowed_cores(), quota)


@functools.cache
def cpu_quota(root: str = "/") -> int | None:
    """How many cores' time the control groups of this process grant it, rounded up; None where they set no limit.

    A group has no more than the groups around it; where a machine has both versions of groups, both count. What it was at
    the first call is what it is.

    Args:
        root: where the files of a machine are.
    """
    limits = [limit for folder in _folders(root) if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def _folders(root: str) -> Iterator[str]:
    """The folders of the groups that limit this process, from the inside out."""
    groups = _groups(root)
    for line in _read(root, "proc/self/mountinfo").splitlines():
        # 36 35 98:0 /group /where options [tags...] - type source options
        before, found, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if not found or len(fields) < 5 or len(kind) < 3:
            continue
        shown, where = (_unescaped(text) for text in fields[3:5])
        if kind[0] == "cgroup2":
            group = groups.get("")
        elif kind[0] == "cgroup" and "cpu" in kind[2].split(","):
            group = groups.get("cpu")
        else:
            continue
        mounted = os.path.join(root, where.lstrip("/"))
        inside = _below(group or "/", shown)
        while inside:
            yield os.path.join(mounted, inside)
            inside = os.path.dirname(inside)
        yield mounted


def _groups(root: str) -> dict[str, str]:
    """The process's group by what is controlled; that of the second version, which is for everything, under ""."""
    groups: dict[str, str] = {}
    for line in _read(root, "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, found, path = rest.partition(":")
        if found and (controllers or number == "0"):
            groups |= dict.fromkeys(controllers.split(","), path)
    return groups


def _below(group: str, shown: str) -> str:
    """The path of a group within a mount that shows the group `shown`; that one where it is none of those in it."""
    inside = os.path.relpath(group, shown)
    return "" if inside == "." or inside.split("/")[0] == ".." or ".." in group.split("/") else inside


def _limit(folder: str) -> int | None:
    """What a group's own files allow, in whole cores."""
    words = _read(folder, "cpu.max").split()
    if not words:
        words = [_read(folder, f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return None  # "max", or -1
    quota, period = map(int, words)
    return -(-quota // period) if quota and period else None


def _unescaped(text: str) -> str:
    """A path as the kernel writes it in a list: blanks and the like as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _read(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


__all__ = ["allowed_cores", "cpu_quota", "usable_cores"]
