"""What the lanes of a subgroup ask each other in one step: votes, ballots, equal values."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerType, i1, i32, i64
from xdsl.ir import SSAValue
from xdsl.irdl import (
    EqAttrConstraint,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_result_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.gpu.attrs import VoteMode, VoteModeAttr

_MASK = EqAttrConstraint(i32) | EqAttrConstraint(i64)
"""Of the lanes of a subgroup."""


@irdl_op_definition
class BallotOp(IRDLOperation):
    """Which lanes of the subgroup hold true: bit `l` of the mask is the value of lane `l`; every lane gets the mask.

    Semantics: all lanes of the subgroup are here. The mask has a bit for each of them, so it is i64 where there are 64.

    Example:
        %mask = gpu.ballot %p : i32
    """

    name = "gpu.ballot"

    predicate = operand_def(i1)
    result = result_def(_MASK)

    traits = traits_def(Pure())

    assembly_format = "$predicate attr-dict `:` type($result)"

    def __init__(self, predicate: SSAValue, mask: IntegerType = i32):
        super().__init__(operands=[predicate], result_types=[mask])


@irdl_op_definition
class VoteOp(IRDLOperation):
    """Whether some lane (`any`) or every lane (`all`) of the subgroup holds true; every lane gets the answer (ours).

    Semantics: all lanes of the subgroup are here.

    Example:
        %some = gpu.vote any %p : i1
    """

    name = "gpu.vote"

    mode = prop_def(VoteModeAttr)
    predicate = operand_def(i1)
    result = result_def(i1)

    traits = traits_def(Pure())

    assembly_format = "$mode $predicate attr-dict `:` type($result)"

    def __init__(self, predicate: SSAValue, mode: str):
        super().__init__(operands=[predicate], result_types=[i1], properties={"mode": VoteModeAttr(VoteMode(mode))})


@irdl_op_definition
class MatchOp(IRDLOperation):
    """Which lanes of the subgroup hold the same value (ours).

    Semantics: all lanes of the subgroup are here. `any` gives each lane the mask of the lanes that hold its own value.
    `all` gives every lane the mask of all lanes and true when they hold one value, 0 and false otherwise. The mask has a bit
    for each lane, so it is i64 where there are 64.

    Constraints:
        C1: `all` has a second result, `any` has none.

    Example:
        %peers = gpu.match any %v : (i32) -> i32
        %mask, %same = gpu.match all %v : (i64) -> (i32, i1)
    """

    name = "gpu.match"

    mode = prop_def(VoteModeAttr)
    value = operand_def(EqAttrConstraint(i32) | EqAttrConstraint(i64))
    result = result_def(_MASK)
    same = opt_result_def(i1)

    traits = traits_def(Pure())

    assembly_format = "$mode $value attr-dict `:` functional-type(operands, results)"

    def __init__(self, value: SSAValue, mode: str, mask: IntegerType = i32):
        everyone = VoteMode(mode) is VoteMode.ALL
        super().__init__(
            operands=[value],
            result_types=[mask, i1 if everyone else None],
            properties={"mode": VoteModeAttr(VoteMode(mode))},
        )

    def verify_(self) -> None:
        """Check C1."""
        if (self.same is not None) != (self.mode.data is VoteMode.ALL):
            raise VerifyException(f"gpu.match: C1: {self.mode.data} gives {len(self.results)} results")


__all__ = ["BallotOp", "MatchOp", "VoteOp"]
