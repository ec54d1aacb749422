"""An explanation as text for a terminal: the program in a line each, the host's order as a table, then every kernel."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from stepwell.explanation.model import Branch, Call, Explanation, Kernel, Launch, Loop, Node, Value
from stepwell.ir.diagnostics import clipped, printable

WIDTH = 118
_SCALE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def quantity(value: float | None, unit: str) -> str:
    """`1.25 GB`, three digits."""
    if value is None:
        return "?"
    for scale, letter in _SCALE:
        if value >= scale * 0.9995:
            return (
                f"{value / scale:.3g} {letter}{unit}"
                if value < 999.5 * scale
                else f"{value / scale:.0f} {letter}{unit}"
            )
    return f"{value:.3g} {unit}"


def duration(seconds: float | None) -> str:
    """`1.25 ms`."""
    if seconds is None:
        return "?"
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale * 0.9995:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def ratio(kernel: Kernel) -> str:
    """Flops a byte."""
    return "?" if kernel.intensity is None else f"{kernel.intensity:.3g}"


def render(explanation: Explanation) -> str:
    """The whole explanation."""
    sections = [_head(explanation), _order(explanation)]
    for name, nodes in explanation.functions.items():
        sections.append("\n".join([f"@{name}", *_table(_rows(nodes, explanation, 1))]))
    sections.extend(_kernel(kernel, explanation) for kernel in explanation.kernels)
    return "\n\n".join(sections) + "\n"


def _values(values: Sequence[Value]) -> str:
    shown = ", ".join(f"{v.name}: {v.type}" for v in values[:12])
    return shown + (f", ... ({len(values)})" if len(values) > 12 else "")


def _head(e: Explanation) -> str:
    lines = [
        f"{e.program} @{e.entry} for {e.target}, -O{e.opt_level}",
        *_wrapped("takes   ", _values(e.inputs)),
        *_wrapped("gives   ", _values(e.outputs)),
    ]
    flops, moved, seconds = e.total("flops"), e.total("bytes"), e.total("seconds", certain=True)
    if flops is not None and moved is not None:
        known = f"; at least {duration(seconds)} by the {e.limits} limits" if seconds is not None else ""
        work = f"{quantity(flops, 'flop')}, {quantity(moved, 'B')} in and out of kernels"
        lines.extend(_wrapped("work    ", f"{work}{_assuming(e)}{known}"))
    if e.arena_bytes is not None:
        bound = f" (no plan needs less than {quantity(e.lower_bound_bytes, 'B')})" if e.lower_bound_bytes else ""
        lines.append(
            f"memory  {quantity(e.arena_bytes, 'B')} for temporaries{bound}, {quantity(e.worker_bytes or 0, 'B')} a worker"
        )
    for remark in e.remarks:
        lines.extend(_wrapped("remark  ", remark))
    return "\n".join(lines)


def _assuming(e: Explanation) -> str:
    """What sums over launches take for granted."""
    loops = any(kernel.repeated for kernel in e.kernels)
    branches = any(kernel.certain < kernel.launches and not kernel.repeated for kernel in e.kernels)
    taken = [*["all branches are taken"] * branches, *["loops of unknown length go round once"] * loops]
    return f" if {' and '.join(taken)}" if taken else ""


def _order(e: Explanation) -> str:
    rows = [("", "", "flop", "bytes", "flop/B", "at least", "bound by"), *_rows(e.graph, e, 0)]
    return "\n".join(_table(rows))


_Row = tuple[str, str, str, str, str, str, str]


def _rows(nodes: Sequence[Node], e: Explanation, depth: int) -> list[_Row]:
    rows: list[_Row] = []
    indent = "  " * depth
    kernels = {kernel.name: kernel for kernel in e.kernels}
    for node in nodes:
        match node:
            case Launch():
                rows.append(_launch_row(node, kernels.get(node.kernel), indent))
            case Loop():
                times = "until its condition fails" if node.trips is None else f"{node.trips} times"
                rows.append(_plain(f"{indent}{_made(node.makes)}loop {times}"))
                rows.extend(_rows(node.body, e, depth + 1))
            case Branch():
                rows.append(_plain(f"{indent}{_made(node.makes)}one of {len(node.arms)} branches"))
                for i, arm in enumerate(node.arms):
                    rows.append(_plain(f"{indent}  branch {i}"))
                    rows.extend(_rows(arm, e, depth + 2))
            case Call():
                reads = ", ".join(v.name for v in node.reads)
                rows.append(_plain(f"{indent}{_made(node.makes)}call @{node.function}({reads})"))
    return rows


def _made(values: Sequence[Value]) -> str:
    return ", ".join(v.name for v in values) + " = " if values else ""


def _plain(text: str) -> _Row:
    return (text, "", "", "", "", "", "")


def _launch_row(node: Launch, kernel: Kernel | None, indent: str) -> _Row:
    reads = ", ".join(dict.fromkeys(v.name for v in node.reads))
    what = clipped(f"{indent}{_made(node.makes)}{node.kernel}({reads})", 60)
    types = clipped(", ".join(v.type for v in node.makes), 32)
    if kernel is None:
        return (what, types, "?", "?", "?", "?", "")
    return (
        what,
        types,
        quantity(kernel.flops, "").rstrip(),
        quantity(kernel.bytes, "B"),
        ratio(kernel),
        duration(kernel.seconds),
        kernel.bound,
    )


def _table(rows: Sequence[_Row]) -> list[str]:
    """Rows in columns: text to the left, numbers to the right."""
    wide = [row for row in rows if any(row[1:])]
    widths = [max((len(row[i]) for row in wide), default=0) for i in range(7)]
    lines: list[str] = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(row[2:6], widths[2:6], strict=True)]
        lines.append("  ".join([*cells, row[6]]).rstrip())
    return lines


def _times(kernel: Kernel) -> str:
    count = kernel.certain if kernel.repeated else kernel.launches
    some = "once" if count == 1 else f"{count} times"
    if kernel.repeated:
        return f"launched {some} or more"
    return f"launched {some}" + (" at most" if kernel.certain < count else "") if count else "never launched"


def _kernel(kernel: Kernel, e: Explanation) -> str:
    where = f", on the {kernel.place}" if kernel.place else ""
    made = f", from {kernel.location}" if kernel.location else ""
    lines = [f"{kernel.name}: {kernel.kind or 'kernel'}, {_times(kernel)}{where}{made}"]
    if kernel.reason:
        lines.extend(_wrapped("    fused     ", kernel.reason))
    remarks = dict.fromkeys(r for launch in e.launches() if launch.kernel == kernel.name for r in launch.remarks)
    for remark in remarks:
        lines.extend(_wrapped("    remark    ", remark))
    lines.extend(_decisions([launch for launch in e.launches() if launch.kernel == kernel.name]))
    if kernel.schedule:
        lines.extend(_wrapped("    schedule  ", _short(kernel)))
        lines.extend(_wrapped("    because   ", kernel.because or "it says so itself"))
    if kernel.flops is not None:
        kind = f" of {kernel.element}" if kernel.element else ""
        lines.append(
            f"    work      {quantity(kernel.flops, 'flop')}{kind}, reads {quantity(kernel.bytes_read, 'B')}, "
            f"writes {quantity(kernel.bytes_written, 'B')}"
        )
    lines.append(f"    hash      {kernel.hash[:16]}")
    return "\n".join(lines)


def _decisions(launches: Sequence[Launch]) -> list[str]:
    """What fusion decided, of the first launch: equal kernels come from equal decisions, in other places."""
    lines: list[str] = []
    for decision in dict.fromkeys(launches[0].decisions if launches else ()):
        place = f" (at {decision.location})" if decision.location else ""
        lines.extend(_wrapped("    fusion    " if decision.taken else "    apart     ", decision.reason + place))
    if lines and len(launches) > 1:
        lines.append(f"              (so at the first of {len(launches)} launches; --json has them all)")
    return lines


def _short(kernel: Kernel) -> str:
    """A schedule without its reason and the types of its numbers."""
    text = kernel.schedule.removeprefix("#kernel.schedule<").removesuffix(">")
    strategy, _, rest = text.partition(", {")
    entries = rest.rpartition("}")[0].partition("reason = ")[0].rstrip(", ")
    return f"{strategy.strip(chr(34))}  {entries.replace(' : i64', '')}"


def _wrapped(label: str, text: str) -> list[str]:
    """A labelled paragraph."""
    lines = textwrap.wrap(printable(text), WIDTH - len(label)) or [""]
    return [label + lines[0], *(" " * len(label) + line for line in lines[1:])]
