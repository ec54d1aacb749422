"""canonicalize: fold constants, apply the dialects' identities, remove what is dead, until nothing changes.

Before:                                         After:
    %c = stablehlo.constant dense<1.0> : ...        func.return %x : tensor<4xf32>
    %0 = stablehlo.multiply %x, %b : ...
    func.return %0 : tensor<4xf32>

Equal constants of one scope become one, at the start of the scope: the function, or the body of an op that
is not plain control flow (a `linalg.generic`, a parallel loop), so no body starts to capture a constant it
held itself.

Needs: any step. Keeps: every effect, the value of every result bit for bit. Fails: `NonTerminationError`
when two patterns undo each other (a bug).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.traits import IsolatedFromAbove

from stepwell.dialects.canonicalize import all_folders, all_patterns
from stepwell.dialects.canonicalize.constants import CONSTANT_OPS, constant_of, materialize
from stepwell.ir.passes import ANY_ANCHOR, Pass
from stepwell.ir.rewriting import Folder, Rewriter, rewrite_greedily

_PLAIN_CONTROL_FLOW = frozenset(
    {
        "affine.for",
        "affine.if",
        "scf.for",
        "scf.if",
        "scf.index_switch",
        "scf.while",
        "stablehlo.case",
        "stablehlo.if",
        "stablehlo.while",
    }
)
"""Constants move out of the regions of these ops."""

ConstantKey = tuple[str, Attribute, Attribute]


class _Constants:
    """The constants of each scope, by value; new ones go behind the last at the start of the scope."""

    def __init__(self) -> None:
        self._known: dict[Block, dict[ConstantKey, Operation]] = {}
        self._last: dict[Block, Operation] = {}
        self._scopes: dict[Block, Block] = {}

    def scope(self, block: Block) -> Block:
        """The block at whose start the constants used in `block` live."""
        found = self._scopes.get(block)
        if found is None:
            found = self._scopes[block] = self._find_scope(block)
        return found

    def _find_scope(self, block: Block) -> Block:
        region, parent = block.parent, block.parent_op()
        assert region is not None, "a block of ops is in a region"
        first = region.blocks.first
        assert first is not None, "a region of ops has a block"
        if parent is None or parent.parent is None or parent.has_trait(IsolatedFromAbove):
            return first
        return self.scope(parent.parent) if parent.name in _PLAIN_CONTROL_FLOW else first

    def _key(self, op: Operation) -> ConstantKey:
        return (op.name, op.properties["value"], op.results[0].type)

    def find(self, scope: Block, op: Operation) -> Operation | None:
        """The constant of `scope` equal to `op`, if it is still there."""
        known = self._known.get(scope, {}).get(self._key(op))
        return known if known is not None and known.parent is scope else None

    def place(self, scope: Block, op: Operation, rewriter: Rewriter) -> None:
        """Make `op` (not in a block) the constant of its value in `scope`."""
        last = self._last.get(scope)
        if last is not None and last.parent is scope:
            if last.next_op is None:
                scope.add_op(op)
            else:
                scope.insert_op_before(op, last.next_op)
        elif scope.first_op is None:
            scope.add_op(op)
        else:
            scope.insert_op_before(op, scope.first_op)
        self._last[scope] = op
        self._known.setdefault(scope, {})[self._key(op)] = op
        rewriter.modified(op)

    def visit(self, op: Operation, rewriter: Rewriter) -> bool:
        """Merge the constant `op` into its scope; True when it is gone."""
        if op.parent is None or op.attributes:
            return False
        scope = self.scope(op.parent)
        known = self.find(scope, op)
        if known is op:
            return False
        if known is not None:
            rewriter.replace(op, known.results)
            return True
        op.detach()
        self.place(scope, op, rewriter)
        return False


class _Folding:
    """The visitor of the driver: constants to their scope, then the folder of the op."""

    def __init__(self, folders: dict[str, Folder]):
        self._folders = folders
        self._constants = _Constants()

    def __call__(self, op: Operation, rewriter: Rewriter) -> bool:
        if op.name in CONSTANT_OPS:
            return self._constants.visit(op, rewriter)
        folder = self._folders.get(op.name)
        if folder is None:
            return False
        operands = op._operands  # pyright: ignore[reportPrivateUsage]
        folded = folder(op, [constant_of(operand) for operand in operands])
        if folded is None:
            return False
        values = [self._value(op, i, value, rewriter) for i, value in enumerate(folded)]
        kept = [value for value in values if value is not None]
        if len(kept) != len(values):
            return False
        rewriter.replace(op, kept)
        return True

    def _value(self, op: Operation, index: int, value: SSAValue | Attribute, rewriter: Rewriter) -> SSAValue | None:
        if isinstance(value, SSAValue):
            return value if value.type == op.results[index].type else None
        constant = materialize(op.name.partition(".")[0], value, op.results[index].type)
        if constant is None or op.parent is None:
            return None
        scope = self._constants.scope(op.parent)
        known = self._constants.find(scope, constant)
        if known is None:
            constant.location = op.location
            self._constants.place(scope, constant, rewriter)
            known = constant
        return known.results[0]


def canonicalize(op: Operation) -> int:
    """Canonicalize everything inside `op`; returns how many rewrites happened."""
    return rewrite_greedily(op, all_patterns(), visit=_Folding(all_folders()))


@dataclass(frozen=True)
class CanonicalizePass(Pass):
    """Fold constants, apply identities and remove dead ops until nothing changes."""

    name = "canonicalize"
    anchor = ANY_ANCHOR

    def apply(self, ctx: Context, op: Operation) -> None:
        """Canonicalize everything inside `op`."""
        canonicalize(op)
