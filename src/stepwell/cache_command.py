"""`stepwell cache`: what is kept on disk, and getting rid of it."""

from __future__ import annotations

import argparse
import json
from typing import Any

DESCRIPTION = """Compiled programs, and the objects they are made of, are kept in STEPWELL_CACHE_DIR (default: the user's cache
folder): at most STEPWELL_CACHE_LIMIT bytes (default: 2G), what was used least recently goes first. STEPWELL_CACHE=0 turns the cache off."""


def add_parser(commands: Any) -> None:
    """Add the command to the commands of `stepwell`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "cache", help="show, check or empty the cache of compiled programs", description=DESCRIPTION
    )
    parser.add_argument(
        "action",
        choices=("info", "clear", "verify"),
        help="info: folder, entries, bytes; clear: remove all entries; verify: read all entries, and remove those that are damaged, "
        "with exit code 1 when there were some",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(handler=cache_command)


def cache_command(arguments: argparse.Namespace) -> int:
    """`stepwell cache`; 1 when entries were damaged."""
    action = {"info": _info, "clear": _clear, "verify": _verify}[arguments.action]
    facts, lines, code = action()
    print(json.dumps(facts, indent=1) if arguments.json else "\n".join(lines))
    return code


def _info() -> tuple[dict[str, Any], list[str], int]:
    from stepwell import cache

    store = cache.any_store()
    reason = cache.why_off(store)
    info = store.info()
    kinds = {kind: {"entries": count, "bytes": size} for kind, (count, size) in info.kinds.items()}
    facts = {
        "folder": info.folder,
        "in_use": reason is None,
        "limit_bytes": info.limit,
        "bytes": info.total_bytes,
        **kinds,
    }
    state = "in use" if reason is None else f"not in use: {reason}"
    lines = [f"folder: {info.folder} ({state})", f"size: {_size(info.total_bytes)} of {_size(info.limit)}"]
    lines += [f"{kind}: {count}, {_size(size)}" for kind, (count, size) in info.kinds.items()]
    return facts, lines, 0


def _clear() -> tuple[dict[str, Any], list[str], int]:
    from stepwell import cache

    store = cache.any_store()
    removed = store.clear()
    left = sum(count for count, _ in store.info().kinds.values())
    lines = [f"removed {_entries(removed)}"] + ([f"{_entries(left)} cannot be removed"] if left else [])
    return {"folder": str(store.folder), "removed": removed, "left": left}, lines, 1 if left else 0


def _verify() -> tuple[dict[str, Any], list[str], int]:
    from stepwell import cache

    store = cache.any_store()
    whole, damaged = store.verify()
    lines = [f"damaged, removed: {path}" for path in damaged] + [f"{_entries(whole)} whole, {len(damaged)} damaged"]
    return {"folder": str(store.folder), "whole": whole, "damaged": damaged}, lines, 1 if damaged else 0


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _size(count: int) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << shift:
            return f"{count / (1 << shift):.1f} {unit}"
    return f"{count} bytes"


__all__ = ["add_parser", "cache_command"]
