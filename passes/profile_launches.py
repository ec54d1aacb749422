"""profile-launches: read the clock around every launch, into a buffer that the entry takes.

Before: func.func @main(%x, %out, %arena, %workers) { kernel.launch @k0 ins(%x) outs(%out) ... }
After:  func.func @main(%x, %out, %arena, %workers, %profile: memref<?xi64>) {
          func.call @stepwell.profile.begin(%profile) : (memref<?xi64>) -> ()
          kernel.launch @k0 ins(%x) outs(%out)
          func.call @stepwell.profile.end(%profile, %site) : (memref<?xi64>, index) -> ()

Launches are numbered in the order of the text: their kernels are `stepwell.profile = ["k0", ...]` of the module. What is in the
buffer is said at `HEADER` below. Nothing else of the code changes, and a program that is not profiled has nothing of this.

Needs: step 6 in its CPU form, with an entry (`stepwell.abi`).  Keeps: kernels.
Fails: UnsupportedError for a machine with a host of its own, whose kernels are not called.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    FunctionType,
    IndexType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    StringAttr,
    i64,
)
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import kernel
from stepwell.dialects.stepwell import ABI
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.machine import machine_of
from stepwell.ir.parser import parse_module
from stepwell.ir.passes import Pass

SITES = "stepwell.profile"
"""Name of the module's attribute: the kernel of each launch."""
HEADER = 8
"""Words before the sites. Word 0: how many events fit; 1: events so far (also those that did not fit); 2: how many sites;
3 to 6: the clock before and after the last launch, seconds and nanoseconds each. Then four words a site: how often, nanoseconds in all,
least, most; then three an event: site, start, end, in nanoseconds of the monotonic clock."""
SITE_WORDS, EVENT_WORDS = 4, 3
_BEGIN, _END = "stepwell.profile.begin", "stepwell.profile.end"
_BUFFER = MemRefType(i64, [DYNAMIC_INDEX])

_HELPERS = f"""
func.func private @{_BEGIN}(%buffer: memref<?xi64>) {{
  %monotonic = arith.constant 1 : i32
  %at = memref.subview %buffer[3] [2] [1] : memref<?xi64> to memref<2xi64, strided<[1], offset: 3>>
  %status = rt.call_external @clock_gettime(%monotonic, %at) : (i32, memref<2xi64, strided<[1], offset: 3>>) -> i32
  func.return
}}
func.func private @{_END}(%buffer: memref<?xi64>, %site: index) {{
  %monotonic = arith.constant 1 : i32
  %at = memref.subview %buffer[5] [2] [1] : memref<?xi64> to memref<2xi64, strided<[1], offset: 5>>
  %status = rt.call_external @clock_gettime(%monotonic, %at) : (i32, memref<2xi64, strided<[1], offset: 5>>) -> i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %c5 = arith.constant 5 : index
  %c6 = arith.constant 6 : index
  %header = arith.constant {HEADER} : index
  %one = arith.constant 1 : i64
  %billion = arith.constant 1000000000 : i64
  %s0 = memref.load %buffer[%c3] : memref<?xi64>
  %n0 = memref.load %buffer[%c4] : memref<?xi64>
  %s1 = memref.load %buffer[%c5] : memref<?xi64>
  %n1 = memref.load %buffer[%c6] : memref<?xi64>
  %m0 = arith.muli %s0, %billion : i64
  %m1 = arith.muli %s1, %billion : i64
  %start = arith.addi %m0, %n0 : i64
  %end = arith.addi %m1, %n1 : i64
  %time = arith.subi %end, %start : i64
  %offset = arith.muli %site, %c4 : index
  %count_at = arith.addi %header, %offset : index
  %total_at = arith.addi %count_at, %c1 : index
  %least_at = arith.addi %count_at, %c2 : index
  %most_at = arith.addi %count_at, %c3 : index
  %count = memref.load %buffer[%count_at] : memref<?xi64>
  %more = arith.addi %count, %one : i64
  memref.store %more, %buffer[%count_at] : memref<?xi64>
  %total = memref.load %buffer[%total_at] : memref<?xi64>
  %sum = arith.addi %total, %time : i64
  memref.store %sum, %buffer[%total_at] : memref<?xi64>
  %least = memref.load %buffer[%least_at] : memref<?xi64>
  %less = arith.minsi %least, %time : i64
  memref.store %less, %buffer[%least_at] : memref<?xi64>
  %most = memref.load %buffer[%most_at] : memref<?xi64>
  %larger = arith.maxsi %most, %time : i64
  memref.store %larger, %buffer[%most_at] : memref<?xi64>
  %events = memref.load %buffer[%c1] : memref<?xi64>
  %next = arith.addi %events, %one : i64
  memref.store %next, %buffer[%c1] : memref<?xi64>
  %capacity = memref.load %buffer[%c0] : memref<?xi64>
  %fits = arith.cmpi slt, %events, %capacity : i64
  scf.if %fits {{
    %sites = memref.load %buffer[%c2] : memref<?xi64>
    %all = arith.index_cast %sites : i64 to index
    %words = arith.muli %all, %c4 : index
    %first = arith.addi %header, %words : index
    %number = arith.index_cast %events : i64 to index
    %skipped = arith.muli %number, %c3 : index
    %event_at = arith.addi %first, %skipped : index
    %start_at = arith.addi %event_at, %c1 : index
    %end_at = arith.addi %event_at, %c2 : index
    %which = arith.index_cast %site : index to i64
    memref.store %which, %buffer[%event_at] : memref<?xi64>
    memref.store %start, %buffer[%start_at] : memref<?xi64>
    memref.store %end, %buffer[%end_at] : memref<?xi64>
  }}
  func.return
}}
"""


@dataclass(frozen=True)
class ProfileLaunchesPass(Pass):
    """Read the clock around every launch."""

    name = "profile-launches"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Give the functions of the host a buffer, and every launch its two calls."""
        assert isinstance(op, ModuleOp)
        if machine_of(op).subgroup > 1:
            raise unsupported(op, "its kernels are not launched by calls of its host, which profiles measure")
        functions = [f for f in op.body.block.ops if isinstance(f, func.FuncOp) and f.body.blocks]
        if not any(ABI in f.attributes for f in functions):
            raise invalid(op, f"'{self.name}' needs an entry, a function with {ABI}", "run prepare-entry first")
        names = {f.sym_name.data: None for f in functions}
        sites: list[str] = []
        for function in functions:
            _instrument(function, names, sites)
        helpers = parse_module(_HELPERS, "<profile-launches>", ctx)
        for helper in list(helpers.body.block.ops):
            helper.detach()
            op.body.block.add_op(helper)
        op.attributes[SITES] = ArrayAttr([StringAttr(name) for name in sites])


def _instrument(function: func.FuncOp, names: dict[str, None], sites: list[str]) -> None:
    """Hand the buffer through a function and write into it around its launches."""
    block = function.body.block
    buffer = block.insert_arg(_BUFFER, len(block.args))
    buffer.name_hint = "profile"
    types = function.function_type
    function.properties["function_type"] = FunctionType.from_lists([*types.inputs.data, _BUFFER], types.outputs.data)
    if function.arg_attrs is not None:
        function.properties["arg_attrs"] = ArrayAttr([*function.arg_attrs.data, type(function.arg_attrs.data[0])({})])
    for op in list(function.walk()):
        if isinstance(op, func.CallOp) and op.callee.root_reference.data in names:
            op.operands = [*op.operands, buffer]
        elif isinstance(op, kernel.LaunchOp):
            _bracket(op, buffer, len(sites))
            sites.append(op.callee.root_reference.data)


def _bracket(launch: kernel.LaunchOp, buffer: SSAValue, site: int) -> None:
    before = LocatedBuilder(InsertPoint.before(launch), launch.location)
    before.insert(func.CallOp(_BEGIN, [buffer], []))
    after = LocatedBuilder(InsertPoint.after(launch), launch.location)
    number = after.insert(arith.ConstantOp(IntegerAttr(site, IndexType()))).results[0]
    after.insert(func.CallOp(_END, [buffer, number], []))


__all__ = ["EVENT_WORDS", "HEADER", "SITES", "SITE_WORDS", "ProfileLaunchesPass"]
