"""Deciding which producers are computed inside their consumers.

One backward walk over a block. Every generic that stays (a root) reads values at index expressions over its own loops; a
producer sees all these accesses before it is visited, and either disappears into every root that reads it or stays and
becomes a root itself, whichever takes less time (`weigh`). Reshapes are looked through: their index arithmetic joins the
expressions.
"""

from __future__ import annotations

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr

from stepwell.ir.affine_compose import (
    Exprs,
    collapse_exprs,
    compose,
    expand_exprs,
    has_division,
    identity_exprs,
    simplify,
)
from stepwell.ir.machine import MachineDescription
from stepwell.ir.structured import iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import captures, filled_with, shape_of, splat_of, volume
from stepwell.passes.fusion.decisions import Decision, described, place_of, what_it_costs
from stepwell.passes.fusion.prices import Comparison
from stepwell.passes.fusion.roots import Facts, Instance, Key, Root, bare_dims, is_plain, leading
from stepwell.passes.fusion.weigh import Reader, Weigher

MAX_OPERANDS = 24
MAX_WEIGHT = 600
"""Bounds on what one generic may take in: streams that are read at once, and a body that stays compilable."""


class Decider:
    """Decides for one block; `roots` lists what stays, last first."""

    def __init__(self, block: Block, machine: MachineDescription):
        self.ops = list(block.ops)
        self.roots: list[Root] = []
        self._block = block
        self._facts: dict[Operation, Facts] = {op: Facts(op) for op in self.ops if isinstance(op, linalg.GenericOp)}
        self._weigher = Weigher(self.ops, self._facts, machine)
        self._packs = machine.subgroup == 1
        """Sums of products convert what they pack."""
        self._accesses: dict[SSAValue, dict[tuple[int, Exprs], Root]] = {}  # by (root number, indices)
        self._opaque: dict[SSAValue, None] = {}

    def run(self) -> list[Root]:
        """Decide everything; the roots in block order."""
        for op in reversed(self.ops):
            found = self._facts.get(op)
            if found is not None and found.static:
                self._visit(found)
            elif not isinstance(op, linalg.FillOp | tensor.EmptyOp):
                self._use_whole(op)
        self.roots.reverse()
        return self.roots

    def _use_whole(self, op: Operation) -> None:
        if isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
            result = op.results[0]
            if result not in self._opaque and not self._accesses.get(result):
                return  # every reader looks through it
        for operand in op._operands:  # pyright: ignore[reportPrivateUsage]
            self._opaque[operand] = None
        if op.regions:
            for operand in captures(op):
                self._opaque[operand] = None

    def _visit(self, found: Facts) -> None:
        op = found.op
        if not any(r.uses for r in op.results):
            return
        result = op.results[0]
        accesses = self._accesses.pop(result, {})
        stays = len(op.results) > 1 or result in self._opaque or not accesses or not found.elementwise
        refused: Decision | None = None
        if accesses and found.elementwise and len(op.results) == 1:
            readers = [(root, exprs) for (_, exprs), root in accesses.items()]
            taken, refused = self._choose(op, readers, whole=stays)
            folded = [reader for reader in taken if self._fold(op, reader)]
            stays = stays or len(folded) < len(accesses)
        if stays:
            self._keep(found, refused)
        for value in captures(op):
            self._opaque[value] = None

    def _keep(self, found: Facts, refused: Decision | None) -> None:
        op = found.op
        bounds = loop_bounds(op)
        dims = identity_exprs(len(bounds))
        outer = [m.results for m in found.outputs]
        if found.elementwise and all(results == outer[0] for results in outer):
            # Renumber the loops so that outputs are written in order.
            order = [e.position for e in outer[0] if isinstance(e, AffineDimExpr)]
            inverse = {old: new for new, old in enumerate(order)}
            dims = tuple(AffineDimExpr(inverse[d]) for d in range(len(bounds)))
            bounds = tuple(bounds[d] for d in order)
        reduced = () if found.elementwise else tuple(d for d, k in enumerate(iterator_kinds(op)) if k != "parallel")
        rows = leading(outer[0], dims, reduced)
        root = Root(op, len(self.roots), bounds, dims, found.product, reduced, found.cost, rows)
        if refused is not None:
            root.decisions.append(refused)
        self.roots.append(root)
        for value, amap in zip(found.inputs, found.maps, strict=False):
            key = (value, compose(amap.results, dims, bounds))
            root.reads.append(key)
            self._read(root, key)
        for value in op.operands[len(found.inputs) :]:
            self._opaque[value] = None

    # What a root reads.

    def _read(self, root: Root, key: Key) -> None:
        """A root reads a value: fold constants, look through reshapes, else tell the producer."""
        value, exprs = key
        if key in root.frontier or key in root.aliases or key in root.scalars or key in root.instances:
            return
        root.frontier[key] = None
        scalar = splat_of(value)
        scalar = scalar if scalar is not None else filled_with(value)
        if scalar is not None and not root.strict and self._may_replace(root, key, []):
            del root.frontier[key]
            root.scalars[key] = scalar
            return
        source = self._behind_reshape(root, key)
        if source is not None and self._may_replace(root, key, [source]):
            del root.frontier[key]
            root.aliases[key] = source
            self._read(root, source)
            return
        if isinstance(value.owner, Operation) and value.owner.parent is self._block:
            self._accesses.setdefault(value, {})[root.number, exprs] = root

    def _behind_reshape(self, root: Root, key: Key) -> Key | None:
        """The same element read from the source of a reshape; None when that takes a division."""
        value, exprs = key
        op = value.owner
        if not isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp) or op.parent is not self._block:
            return None
        assert isinstance(op.src.type, TensorType)
        if not op.src.type.has_static_shape() or 0 in op.src.type.get_shape():
            return None
        groups = [[i.value.data for i in group.data] for group in op.reassociation.data]
        if isinstance(op, tensor.ExpandShapeOp):
            read = expand_exprs(exprs, groups, shape_of(value))
        else:
            read = collapse_exprs(exprs, groups, shape_of(op.src))
        read = tuple(simplify(e, root.bounds) for e in read)
        if any(has_division(e) for e in read):
            return None
        if root.strict and not is_plain((op.src, read), root.bounds):
            return None
        return op.src, read

    def _may_replace(self, root: Root, key: Key, by: list[Key]) -> bool:
        """Whether every reduced dim keeps an operand that tells its extent."""
        if not root.reduced:
            return True
        lost = [d for d in bare_dims(key, root.bounds) if d in root.reduced]
        if not lost:
            return True
        known = (root.aliases, root.scalars, root.instances)
        others = [k for k in (*root.frontier, *by) if k != key and not any(k in gone for gone in known)]
        left = [d for other in others for d in bare_dims(other, root.bounds)]
        return all(d in left for d in lost)

    # Producers.

    def _refusal(self, root: Root, op: linalg.GenericOp, exprs: Exprs) -> str | None:
        """Why a producer cannot be computed inside a root."""
        found = self._facts[op]
        if root.strict and not found.moves and not (found.widens and self._packs and not root.windows):
            return "it computes, and its reader is a sum of products"
        if root.strict or root.reduced:
            _, reads = found.reads_at(exprs, root.bounds)
            if root.strict and not all(is_plain(key, root.bounds) for key in reads):
                return "it is not a plain view for a sum of products"
            if not self._may_replace(root, (op.results[0], exprs), reads):
                return "it tells the extent of a reduced dim"
        if root.weight + found.cost > MAX_WEIGHT:
            return "it would make the body of its reader too large"
        if len(root.frontier) + len(found.inputs) > MAX_OPERANDS:
            return "it would give its reader too many operands"
        return None

    def _choose(
        self, op: linalg.GenericOp, readers: list[Reader], *, whole: bool
    ) -> tuple[list[Reader], Decision | None]:
        """The readers that compute `op`, and why others do not. `whole`: the result is needed anyway."""
        refusals = [self._refusal(root, op, exprs) for root, exprs in readers]
        problem = next((r for r in refusals if r is not None), "")
        if problem:
            readers = [s for s, r in zip(readers, refusals, strict=True) if r is None]
        found = self._weigher.compare(op, readers, whole=whole or bool(problem))
        taken = bool(readers) and found.worth_it
        if taken and (whole or problem) and self._needs_stored(op, readers):
            taken = False
        if taken:
            self._note_taken(op, readers, found)
        if taken and not problem:
            return readers, None
        reason = problem or self._why_not(op, readers, whole=whole)
        about = f"computes {described(op)} once and stores it: {reason}"
        refused = Decision(False, about, max(found.bytes_saved, 0), found.flops_repeated, place_of(op))
        return (readers if taken else []), refused

    def _why_not(self, op: linalg.GenericOp, readers: list[Reader], *, whole: bool) -> str:
        """Why a value is not computed where it is read, as a clause."""
        if whole:
            return "its result is needed whole"
        who = f"{len(readers)} readers" if len(readers) > 1 else "its reader"
        if self._weigher.is_epilogue(op):
            return f"it can be the epilogue of a contraction, and {who} would repeat it"
        times = sum(root.volume for root, _ in readers) // max(volume(op.results[0]), 1)
        return (
            f"{who} would do its {self._weigher.cost[op]} simple ops {times} times and read "
            f"{self._weigher.large_reads(op)} large operands, which takes longer than to store it"
        )

    def _note_taken(self, op: linalg.GenericOp, readers: list[Reader], found: Comparison) -> None:
        """Say at each reader what it takes in; the saving is that of all of them together."""
        roots = {root.number: root for root, _ in readers}
        first = next(iter(roots.values()))
        where = described(first.op) if len(roots) == 1 else f"{len(roots)} readers, such as {described(first.op)}"
        about = f"fuses {described(op)} into {where}: "
        about += what_it_costs(found.bytes_saved, found.flops_repeated)
        decision = Decision(True, about, max(found.bytes_saved, 0), found.flops_repeated, place_of(op))
        for root in roots.values():
            root.decisions.append(decision)

    def _needs_stored(self, op: linalg.GenericOp, readers: list[Reader]) -> bool:
        """Whether a reader would need an operand of `op` that is in memory only if nobody computes it where it is read."""
        for root, exprs in readers:
            _, reads = self._facts[op].reads_at(exprs, root.bounds)
            for key in reads:
                made_here = key[0].owner in self._facts and key[0] not in self._opaque
                if made_here and key not in root.frontier:
                    return True
        return False

    def _fold(self, op: linalg.GenericOp, reader: Reader) -> bool:
        """Compute `op` in a reader; not when folding another one took away what made it legal."""
        root, exprs = reader
        if root.instances and self._refusal(root, op, exprs) is not None:
            return False
        found = self._facts[op]
        dims, reads = found.reads_at(exprs, root.bounds)
        key = (op.results[0], exprs)
        root.instances[key] = Instance(op, dims, reads)
        root.frontier.pop(key, None)
        root.weight += found.cost
        for read in reads:
            self._read(root, read)
        return True


__all__ = ["MAX_OPERANDS", "MAX_WEIGHT", "Decider"]
