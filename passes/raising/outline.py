"""What was recognized becomes a composite that keeps its ops as the decomposition.

Results of its ops that something else reads, such as a gradient, become results of the composite. Ops that only move or repeat
what comes from outside are copied where they are also used elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, DictionaryAttr, ModuleOp, StringAttr, SymbolRefAttr, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.passes.raising.patterns import Match, Pattern, is_static, match

REMARKS = "kernel.remarks"
MOVES = (stablehlo.BroadcastInDimOp, stablehlo.ReshapeOp, stablehlo.TransposeOp, stablehlo.ConvertOp)
OPAQUE = (stablehlo.ConvolutionOp, stablehlo.DotGeneralOp, stablehlo.CompositeOp, func.ReturnOp)
"""What no form goes through."""
MOST_MARKED = 64
"""Ops looked at after one anchor, about: keeps raising linear."""
DIMS = "dims"
"""The composite attribute that says which dims it reduces, for those who read: the decomposition decides."""


@dataclass(frozen=True)
class Form:
    """A way in which something is written: the pattern that ends in an op, and how a match of it is called (None: it is none)."""

    pattern: Pattern
    called: str | Callable[[Match], str | None]

    def name(self, found: Match) -> str | None:
        """How a match is called."""
        return self.called if isinstance(self.called, str) else self.called(found)


class Raiser:
    """Replaces what forms describe in one module.

    A form has an op that is rare and tells that there may be one: an `anchor`. One walk finds those, and the ops not more than
    `reach` after them are looked at as the end of the forms in the table.
    """

    def __init__(
        self,
        module: ModuleOp,
        forms: Mapping[type[Operation], Sequence[Form]],
        anchors: tuple[type[Operation], ...],
        reach: int,
    ):
        self._module = module
        self._forms = forms
        self._anchors = anchors
        self._reach = reach
        self._names = {op.sym_name.data: None for op in module.body.block.ops if isinstance(op, func.FuncOp)}
        self._made: dict[tuple[str, tuple[Attribute, ...], int], list[func.FuncOp]] = {}

    def run(self) -> None:
        """Raise everything, the last op of a block first: the larger form is met before its parts."""
        blocks: dict[Block, dict[Operation, None]] = {}
        for anchor in self._found_anchors():
            block = anchor.parent
            assert block is not None
            self._mark(anchor, block, blocks.setdefault(block, {}))
        for block, ends in blocks.items():
            if ends:
                index = {op: i for i, op in enumerate(block.ops)}
                for op in sorted(ends, key=lambda op: -index[op]):
                    if op.parent is block and is_static(op):
                        self._raise(op, index)

    def _found_anchors(self) -> list[Operation]:
        """The anchors in the program, those in what is a composite already left out."""
        parts: dict[str, None] = {}
        anchors: list[tuple[str, Operation]] = []
        for function in self._module.body.block.ops:
            if not isinstance(function, func.FuncOp):
                continue
            for op in function.walk():
                if isinstance(op, stablehlo.CompositeOp):
                    parts[op.decomposition.string_value()] = None
                elif isinstance(op, self._anchors) and op.parent is not None and _is_program(op.parent):
                    anchors.append((function.sym_name.data, op))
        return [op for name, op in anchors if name not in parts]

    def _mark(self, anchor: Operation, block: Block, ends: dict[Operation, None]) -> None:
        """Note the ops after an anchor that may be the end of a form."""
        seen: dict[Operation, None] = {anchor: None}
        front = [anchor]
        for _ in range(self._reach + 1):
            after: list[Operation] = []
            for op in front:
                if type(op) in self._forms:
                    ends[op] = None
                after += _next(op, block, seen)
            front = after
            if len(seen) > MOST_MARKED:
                break

    def _raise(self, root: Operation, index: dict[Operation, int]) -> None:
        for form in self._forms[type(root)]:
            found = match(root, form.pattern)
            name = None if found is None else form.name(found)
            if found is None or name is None:
                continue
            outline = _outline(root, found, index)
            if isinstance(outline, str):
                root.attributes[REMARKS] = ArrayAttr([StringAttr(f"no {name.replace('_', ' ')}: {outline}")])
            else:
                index[self._replace(root, name, found, outline)] = index[root]
                _erase(outline.ops)
            return

    def _replace(self, root: Operation, name: str, found: Match, outline: _Outline) -> Operation:
        function = self._function(name, outline, root)
        properties: dict[str, Attribute] = {
            "name": StringAttr(f"stepwell.{name}"),
            "decomposition": SymbolRefAttr(function.sym_name),
        }
        if found.axes:
            properties["composite_attributes"] = DictionaryAttr({DIMS: DenseArrayBase.from_list(i64, found.axes)})
        composite = stablehlo.CompositeOp.create(
            operands=outline.operands, result_types=[r.type for r in outline.results], properties=properties
        )
        composite.location = root.location
        block = root.parent
        assert block is not None
        block.insert_op_before(composite, root)
        for old, new in zip(outline.results, composite.results, strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        return composite

    def _function(self, name: str, outline: _Outline, root: Operation) -> func.FuncOp:
        """The decomposition; one that is there already where it is the same."""
        block = Block(arg_types=[v.type for v in outline.operands])
        values: dict[SSAValue, SSAValue] = dict(zip(outline.operands, block.args, strict=True))
        for argument in block.args:
            argument.location = root.location
        for op in outline.ops:
            block.add_op(op.clone(values))
        end = func.ReturnOp(*(values[r] for r in outline.results))
        end.location = root.location
        block.add_op(end)
        alike = self._made.setdefault((name, tuple(block.arg_types), len(outline.ops)), [])
        for known in alike:
            if known.body.block.is_structurally_equivalent(block):
                return known
        types = (list(block.arg_types), [r.type for r in outline.results])
        function = func.FuncOp(self._free(name), types, Region(block), StringAttr("private"))
        function.location = root.location
        self._module.body.block.add_op(function)
        alike.append(function)
        return function

    def _free(self, name: str) -> str:
        number, free = 0, name
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names[free] = None
        return free


def _next(op: Operation, block: Block, seen: dict[Operation, None]) -> list[Operation]:
    """The ops of a block that read what an op makes, behind moves, that were not seen before."""
    found: list[Operation] = []
    pending = [op]
    while pending:
        for result in pending.pop().results:
            for use in result.uses:
                reader = use.operation
                if reader.parent is not block or reader in seen or isinstance(reader, OPAQUE):
                    continue
                seen[reader] = None
                (pending if isinstance(reader, MOVES) else found).append(reader)
    return found


def _is_program(block: Block) -> bool:
    """Whether a block is one of a function or of its control flow, and no body of a reduction or a sort."""
    return isinstance(block.parent_op(), func.FuncOp | stablehlo.IfOp | stablehlo.CaseOp | stablehlo.WhileOp)


@dataclass(frozen=True)
class _Outline:
    """What becomes the decomposition: ops in order, the values they take, and those they give."""

    ops: tuple[Operation, ...]
    operands: tuple[SSAValue, ...]
    results: tuple[SSAValue, ...]


def _outline(root: Operation, found: Match, index: Mapping[Operation, int]) -> _Outline | str:
    """The ops of a match, or why they cannot leave their block."""
    inside, block = found.ops, root.parent
    if any(op.parent is not block and not isinstance(op, (stablehlo.ConstantOp, *MOVES)) for op in inside):
        return "a part of it is in another block"
    ops = sorted(inside, key=lambda op: index.get(op, -1))
    made: dict[SSAValue, None] = {}
    results: list[SSAValue] = list(root.results)
    for op in ops:
        own = not _comes_from_outside(op, made)
        if own:
            made.update(dict.fromkeys(op.results))
        if op is root or not own:
            continue
        for result in op.results:
            readers = [use.operation for use in result.uses if use.operation not in inside]
            if any(index.get(_in_block(reader, block), -1) < index[root] for reader in readers):
                return f"{op.name} is read before its end"
            if readers:
                results.append(result)
    produced = {r: None for op in ops for r in op.results}
    operands = dict.fromkeys(v for op in ops for v in op.operands if v not in produced)
    return _Outline(tuple(ops), tuple(operands), tuple(results))


def _comes_from_outside(op: Operation, made: Mapping[SSAValue, None]) -> bool:
    """Whether an op is a constant, or a move of something that no op inside computes."""
    return isinstance(op, stablehlo.ConstantOp) or (isinstance(op, MOVES) and op.operands[0] not in made)


def _in_block(op: Operation, block: Block | None) -> Operation:
    """The op of a block that holds an op."""
    while op.parent is not block:
        outer = op.parent_op()
        if outer is None:
            return op
        op = outer
    return op


def _erase(ops: Iterable[Operation]) -> None:
    for op in reversed(tuple(ops)):
        if all(r.first_use is None for r in op.results):
            Rewriter.erase_op(op)


__all__ = ["DIMS", "REMARKS", "Form", "Raiser"]
