"""The host function of step 6 in GPU form as the runtime's program: what becomes of each op, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_driver import FakeDriver

import stepwell
from stepwell.dialects.registry import context
from stepwell.gpu_program import cuda_executable, program_of
from stepwell.ir.parser import parse_module
from stepwell.runtime.cuda.program import (
    Assign,
    Buffer,
    Call,
    Compute,
    Copy,
    Fill,
    HostCall,
    Launch,
    Load,
    Program,
    Register,
    Store,
)
from stepwell.runtime.executable import ArrayType, Signature

KERNELS = """
gpu.module @k {
  gpu.func @phase0(%x: memref<8xf32>, %y: memref<8xf32>) kernel { gpu.return }
}
kernel.func @h(%x: memref<8xf32>, %y: memref<8xf32>, %w: memref<?x64xi8>) attributes {access = ["read", "write"]} {
  kernel.return
}
"memref.global"() <{sym_name = "c", type = memref<8xf32>, sym_visibility = "private", constant,
  initial_value = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>}> : () -> ()
"""
ABI = (
    '#stepwell.abi<{inputs = ["tensor<8xf32>"], outputs = ["tensor<8xf32>"], donated = array<i64>,'
    " arena_bytes = 256 : i64, worker_bytes = 64 : i64, staging_bytes = 128 : i64}>"
)
X, OUT, ARENA, WORKERS, STAGING = (Buffer(slot) for slot in range(5))


def program(body: str, more: str = "") -> Program:
    """The program of a host function of one input and one output."""
    text = f"""{KERNELS}{more}
func.func @main(%x: memref<8xf32>, %out: memref<8xf32>, %arena: memref<?xi8>, %workers: memref<?x64xi8>,
                %staging: memref<?xi8>) attributes {{stepwell.abi = {ABI}}} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c64 = arith.constant 64 : index
  %host = memref.view %staging[%c0][] : memref<?xi8> to memref<8xf32>
  %word = memref.view %staging[%c0][] : memref<?xi8> to memref<i32>
  {body}
  func.return
}}"""
    return program_of(parse_module(text, "host.mlir", context()))


def code(body: str, more: str = "") -> tuple[Any, ...]:
    return program(body, more).functions["main"].body


def test_sizes_come_from_the_signature():
    made = program("")
    assert (made.entry, made.arena_bytes, made.worker_bytes, made.staging_bytes) == ("main", 256, 64, 128)
    assert made.functions["main"].arguments == ("device", "device", "device", "host", "host")
    assert code("") == ()


def test_launches_take_addresses_at_offsets():
    (launch,) = code("""
      %t = memref.view %arena[%c64][] : memref<?xi8> to memref<2x4xf32>
      %f = memref.collapse_shape %t [[0, 1]] : memref<2x4xf32> into memref<8xf32>
      %s = arith.constant 1024 : i32
      gpu.launch_func @k::@phase0 blocks in (%c2, %c1, %c1) threads in (%c64, %c1, %c1)
        dynamic_shared_memory_size %s args(%x : memref<8xf32>, %f : memref<8xf32>)""")
    assert launch == Launch(("k", "phase0"), 2, 64, 1024, (X, Buffer(2, 64)))


def test_constants_are_slots_of_the_program_each_once():
    made = program("""
      %g = memref.get_global @c : memref<8xf32>
      %h = memref.get_global @c : memref<8xf32>
      gpu.memcpy %out, %g : memref<8xf32>, memref<8xf32>
      gpu.memcpy %out, %h : memref<8xf32>, memref<8xf32>""")
    assert made.functions["main"].body == (Copy(OUT, Buffer(0, constant=True), 32),) * 2
    np.testing.assert_array_equal(made.constants[0], np.arange(1, 9, dtype=np.float32))
    assert len(made.constants) == 1
    assert made.straight


def test_copies_join_what_follows_each_other_on_both_sides():
    views = """
      %a = memref.view %arena[%c0][] : memref<?xi8> to memref<2x4x4xf32>
      %s = memref.subview %a[0, 1, 0] [2, 2, 4] [1, 1, 1]
           : memref<2x4x4xf32> to memref<2x2x4xf32, strided<[16, 4, 1], offset: 4>>
      %d = memref.view %arena[%c64][] : memref<?xi8> to memref<2x2x4xf32>"""
    (rows,) = code(views + "gpu.memcpy %d, %s : memref<2x2x4xf32>, memref<2x2x4xf32, strided<[16, 4, 1], offset: 4>>")
    assert rows == Copy(Buffer(2, 64), Buffer(2, 16), 32, 2, 32, 64)


def test_a_copy_of_more_dimensions_is_several_copies_of_rows():
    made = code("""
      %a = memref.view %arena[%c0][] : memref<?xi8> to memref<4x4x4xf32>
      %s = memref.subview %a[0, 0, 0] [2, 2, 3] [2, 1, 1]
           : memref<4x4x4xf32> to memref<2x2x3xf32, strided<[32, 4, 1]>>
      %d = memref.view %staging[%c64][] : memref<?xi8> to memref<2x2x3xf32>
      "memref.copy"(%s, %d) : (memref<2x2x3xf32, strided<[32, 4, 1]>>, memref<2x2x3xf32>) -> ()""")
    assert made == (
        Copy(Buffer(4, 64), Buffer(2, 0), 12, 2, 12, 16),
        Copy(Buffer(4, 88), Buffer(2, 128), 12, 2, 12, 16),
    )


def test_copies_between_slices_of_two_buffers_have_two_pitches():
    views = """
      %a = memref.view %arena[%c0][] : memref<?xi8> to memref<8x8xf32>
      %s = memref.subview %a[1, 2] [3, 4] [2, 1] : memref<8x8xf32> to memref<3x4xf32, strided<[16, 1], offset: 10>>
      %b = memref.view %arena[%c256][] : memref<?xi8> to memref<3x6xf32>
      %d = memref.subview %b[0, 1] [3, 4] [1, 1] : memref<3x6xf32> to memref<3x4xf32, strided<[6, 1], offset: 1>>"""
    types = "memref<3x4xf32, strided<[6, 1], offset: 1>>, memref<3x4xf32, strided<[16, 1], offset: 10>>"
    made = program(f"%c256 = arith.constant 256 : index {views} gpu.memcpy %d, %s : {types}")
    assert made.functions["main"].body == (Copy(Buffer(2, 256 + 4), Buffer(2, 40), 16, 3, 24, 64),)
    assert made.straight


def test_fills_are_of_rows_as_long_as_they_can_be():
    made = program("""
      %a = memref.view %arena[%c0][] : memref<?xi8> to memref<4x4x4xf32>
      %s = memref.subview %a[0, 1, 0] [2, 2, 4] [1, 1, 1]
           : memref<4x4x4xf32> to memref<2x2x4xf32, strided<[16, 4, 1], offset: 4>>
      %e = memref.view %arena[%c0][] : memref<?xi8> to memref<0x4xf32>
      %f = arith.constant 1.0 : f32
      %t = arith.constant true
      %b = memref.view %arena[%c64][] : memref<?xi8> to memref<i1>
      gpu.memset %a, %f : memref<4x4x4xf32>, f32
      gpu.memset %s, %f : memref<2x2x4xf32, strided<[16, 4, 1], offset: 4>>, f32
      gpu.memset %e, %f : memref<0x4xf32>, f32
      gpu.memset %b, %t : memref<i1>, i1""")
    assert made.functions["main"].body == (
        Fill(0x3F800000, ARENA, 4, 64),
        Fill(0x3F800000, Buffer(2, 16), 4, 8, 2, 64),
        Fill(1, Buffer(2, 64), 1, 1),
    )
    assert made.straight


def test_a_fill_with_what_the_host_computed_is_no_part_of_a_graph():
    made = program("""
      %n = memref.load %word[] : memref<i32>
      %v = memref.view %arena[%c0][] : memref<?xi8> to memref<8xi32>
      gpu.memset %v, %n : memref<8xi32>, i32""")
    assert made.functions["main"].body == (Load(Register(0), STAGING, 4), Fill(Register(0), ARENA, 4, 8))
    assert not made.straight


def test_copies_of_nothing_are_nothing():
    assert (
        code("""
      %a = memref.view %arena[%c0][] : memref<?xi8> to memref<0x4xf32>
      gpu.memcpy %a, %a : memref<0x4xf32>, memref<0x4xf32>""")
        == ()
    )


def test_the_host_loads_and_stores_its_own_memory():
    made = code("""
      %v = memref.load %host[%c2] : memref<8xf32>
      affine.store %v, %host[1] : memref<8xf32>
      %m = arith.constant -1 : i32
      memref.store %m, %word[] : memref<i32>
      %f = arith.constant 1.0 : f32
      memref.store %f, %host[%c0] : memref<8xf32>""")
    assert made == (
        Load(Register(0), Buffer(4, 8), 4),
        Store(Register(0), Buffer(4, 4), 4),
        Store(0xFFFFFFFF, STAGING, 4),
        Store(0x3F800000, STAGING, 4),
    )


def test_kernels_of_the_host_take_host_memory():
    (call,) = code("""
      %r = memref.view %staging[%c64][] : memref<?xi8> to memref<8xf32>
      kernel.launch @h ins(%host : memref<8xf32>) outs(%r : memref<8xf32>) scratch(%workers : memref<?x64xi8>)""")
    assert call == HostCall("h", (STAGING, Buffer(4, 64), WORKERS))


def test_functions_are_called_with_buffers():
    callee = """
func.func private @f(%a: memref<8xf32>, %arena: memref<?xi8>, %workers: memref<?x64xi8>, %staging: memref<?xi8>)
    attributes {stepwell.signature = array<i64: 0, 1>} {
  gpu.memcpy %a, %a : memref<8xf32>, memref<8xf32>
  func.return
}"""
    made = program(
        """
      %piece = memref.view %arena[%c64][%c64] : memref<?xi8> to memref<?xi8>
      func.call @f(%out, %piece, %workers, %staging)
        : (memref<8xf32>, memref<?xi8>, memref<?x64xi8>, memref<?xi8>) -> ()""",
        callee,
    )
    assert made.functions["main"].body == (Call("f", (OUT, Buffer(2, 64), WORKERS, STAGING)),)
    assert made.functions["f"].arguments == ("device", "device", "host", "host")


def test_scalars_keep_their_width():
    made = code("""
      %a = memref.load %word[] : memref<i32>
      %b = arith.constant 7 : i32
      %s = arith.addi %a, %b : i32
      %l = arith.cmpi slt, %s, %b : i32
      %w = arith.index_cast %s : i32 to index
      %n = arith.trunci %s : i32 to i8
      %z = arith.extui %n : i8 to i32
      %c = arith.select %l, %z, %s : i32""")
    r = [Register(i) for i in range(7)]
    assert made[1:] == (
        Compute(r[1], "addi", (r[0], 7), 32),
        Compute(r[2], "slt", (r[1], 7), 32),
        Compute(r[3], "sign_extend_32", (r[1],), 64),
        Compute(r[4], "truncate", (r[1],), 8),
        Compute(r[5], "truncate", (r[4],), 32),
        Compute(r[6], "select", (r[2], r[5], r[1]), 32),
    )


def run(fake: FakeDriver, body: str, x: Any) -> np.ndarray[Any, Any]:
    """What a program of host code does, executed: the input is in staging memory before, `%word` is the result after."""
    made = program(f"""
      gpu.memcpy %host, %x : memref<8xf32>, memref<8xf32>
      {body}
      gpu.memcpy %out, %host : memref<8xf32>, memref<8xf32>""")
    floats = ArrayType((8,), np.dtype(np.float32))
    exe = cuda_executable(Signature((floats,), (floats,)), made, {})
    return exe(np.asarray(x, np.int32).view(np.float32))[0].numpy().view(np.int32)


def test_loops_carry_scalars(fake: FakeDriver):
    body = """
      %n = memref.load %word[] : memref<i32>
      %end = arith.index_cast %n : i32 to index
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %a, %b = scf.for %i = %c0 to %end step %c1 iter_args(%p = %zero, %q = %one) -> (i32, i32) {
        %s = arith.addi %p, %q : i32
        scf.yield %q, %s : i32, i32
      }
      memref.store %a, %word[] : memref<i32>"""
    for n, fibonacci in ((0, 0), (1, 1), (10, 55)):
        assert run(fake, body, [n] * 8)[0] == fibonacci


def test_while_loops_hand_on_what_their_condition_names(fake: FakeDriver):
    body = """
      %n = memref.load %word[] : memref<i32>
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %two = arith.constant 2 : i32
      %r, %steps = scf.while (%v = %n, %k = %zero) : (i32, i32) -> (i32, i32) {
        %more = arith.cmpi ugt, %v, %one : i32
        scf.condition(%more) %v, %k : i32, i32
      } do {
      ^bb0(%v: i32, %k: i32):
        %half = arith.divui %v, %two : i32
        %next = arith.addi %k, %one : i32
        scf.yield %half, %next : i32, i32
      }
      memref.store %steps, %word[] : memref<i32>"""
    for n, steps in ((1, 0), (2, 1), (1000, 9), (-1, 31)):
        assert run(fake, body, [n] * 8)[0] == steps


def test_branches_give_scalars(fake: FakeDriver):
    body = """
      %n = memref.load %word[] : memref<i32>
      %zero = arith.constant 0 : i32
      %negative = arith.cmpi slt, %n, %zero : i32
      %size = scf.if %negative -> (i32) {
        %m = arith.subi %zero, %n : i32
        scf.yield %m : i32
      } else {
        scf.yield %n : i32
      }
      %which = arith.index_cast %size : i32 to index
      %r = scf.index_switch %which -> i32
      case 3 { %t = arith.constant 30 : i32
        scf.yield %t : i32 }
      case 5 { %t = arith.constant 50 : i32
        scf.yield %t : i32 }
      default { scf.yield %size : i32 }
      memref.store %r, %word[] : memref<i32>"""
    assert [run(fake, body, [n] * 8)[0] for n in (-3, 3, 5, -7)] == [30, 30, 50, 7]


OTHER_SPACE = "uses memory of the host where memory of the device is needed"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            "%v = memref.load %x[%c0] : memref<8xf32>",
            stepwell.InvalidProgramError,
            "the host reads or writes memory of",
        ),
        (
            "%f = arith.constant 1.0 : f32\nmemref.store %f, %out[%c0] : memref<8xf32>",
            stepwell.InvalidProgramError,
            "copy it",
        ),
        (
            "gpu.launch_func @k::@phase0 blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1)"
            " args(%x : memref<8xf32>, %host : memref<8xf32>)",
            stepwell.InvalidProgramError,
            OTHER_SPACE,
        ),
        (
            "kernel.launch @h ins(%x : memref<8xf32>) outs(%host : memref<8xf32>) scratch(%workers : memref<?x64xi8>)",
            stepwell.InvalidProgramError,
            "uses memory of the device where memory of the host is needed",
        ),
        (
            "%n = memref.load %word[] : memref<i32>\n%i = arith.index_cast %n : i32 to index\n"
            "gpu.launch_func @k::@phase0 blocks in (%i, %c1, %c1) threads in (%c64, %c1, %c1)"
            " args(%x : memref<8xf32>, %out : memref<8xf32>)",
            stepwell.UnsupportedError,
            "its size grid_x is not a constant",
        ),
        (
            "gpu.launch_func @k::@phase0 blocks in (%c1, %c2, %c1) threads in (%c64, %c1, %c1)"
            " args(%x : memref<8xf32>, %out : memref<8xf32>)",
            stepwell.UnsupportedError,
            "grid_y is 2: grids and blocks have one dimension",
        ),
        (
            "%t = gpu.memcpy async %out, %x : memref<8xf32>, memref<8xf32>",
            stepwell.UnsupportedError,
            "it has no tokens",
        ),
        (
            "%f = arith.constant 1.0 : f32\n%t = gpu.memset async %out, %f : memref<8xf32>, f32",
            stepwell.UnsupportedError,
            "it has no tokens",
        ),
        (
            "%f = arith.constant 1.0 : f32\ngpu.memset %host, %f : memref<8xf32>, f32",
            stepwell.InvalidProgramError,
            "fills memory of the host",
        ),
        (
            "%n = memref.load %word[] : memref<i32>\n%i = arith.index_cast %n : i32 to index\n"
            "%v = memref.view %arena[%i][] : memref<?xi8> to memref<8xf32>",
            stepwell.UnsupportedError,
            "the offset is not a constant",
        ),
        (
            "%n = memref.load %word[] : memref<i32>\n%i = arith.index_cast %n : i32 to index\n"
            "%v = memref.load %host[%i] : memref<8xf32>",
            stepwell.UnsupportedError,
            "an index is not a constant",
        ),
        (
            "%c9 = arith.constant 9 : index\n%v = memref.load %host[%c9] : memref<8xf32>",
            stepwell.InvalidProgramError,
            "out of bounds",
        ),
        (
            "%f = memref.load %host[%c0] : memref<8xf32>\n%g = arith.addf %f, %f : f32",
            stepwell.UnsupportedError,
            "no form of it",
        ),
        ("%g = memref.get_global @none : memref<8xf32>", stepwell.InvalidProgramError, "no memref.global @none"),
        ("%a = memref.alloc() : memref<8xf32>", stepwell.UnsupportedError, "no form of it"),
        ("%a = arith.constant dense<0.0> : tensor<8xf32>", stepwell.UnsupportedError, "no tensors or vectors"),
    ],
)
def test_what_the_host_cannot_do_is_refused_where_it_stands(body: str, kind: type[Exception], message: str):
    with pytest.raises(kind, match=message) as error:
        program(body)
    assert str(error.value).startswith("host.mlir:")


def test_a_copy_in_very_many_pieces_is_refused():
    with pytest.raises(stepwell.UnsupportedError, match="that it is 10000 copies of rows"):
        program("""
          %a = memref.view %arena[%c0][] : memref<?xi8> to memref<200x200x2x4xf32>
          %s = memref.subview %a[0, 0, 0, 0] [100, 100, 2, 2] [2, 2, 1, 1]
               : memref<200x200x2x4xf32> to memref<100x100x2x2xf32, strided<[3200, 16, 4, 1]>>
          %d = memref.view %arena[%c64][] : memref<?xi8> to memref<100x100x2x2xf32>
          gpu.memcpy %d, %s : memref<100x100x2x2xf32>, memref<100x100x2x2xf32, strided<[3200, 16, 4, 1]>>""")


def test_a_module_without_an_entry_is_refused():
    with pytest.raises(stepwell.InvalidProgramError, match=r"no function of the module has a stepwell\.abi"):
        program_of(parse_module("func.func @main() { func.return }", "host.mlir", context()))


def test_an_entry_of_step_five_is_refused():
    text = (
        f"func.func @main(%x: memref<8xf32>, %out: memref<8xf32>) attributes {{stepwell.abi = {ABI}}} {{ func.return }}"
    )
    with pytest.raises(
        stepwell.InvalidProgramError, match="takes 2 buffers, not the 5 of inputs, outputs, arena, work"
    ):
        program_of(parse_module(text, "host.mlir", context()))


def test_code_that_is_missing_is_named_when_the_executable_is_made():
    made = program("""
      gpu.launch_func @k::@phase0 blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1)
        args(%x : memref<8xf32>, %out : memref<8xf32>)
      kernel.launch @h ins(%host : memref<8xf32>) outs(%host : memref<8xf32>) scratch(%workers : memref<?x64xi8>)""")
    with pytest.raises(stepwell.InvalidProgramError, match="there is no code for kernel 'k'"):
        cuda_executable(Signature((), ()), made, {})
    with pytest.raises(stepwell.InvalidProgramError, match="there is no code for kernel 'h'"):
        cuda_executable(Signature((), ()), made, {"k": ".entry phase0 2"})


def test_assignments_of_a_loop_are_all_at_once():
    made = code("""
      %a, %b = scf.for %i = %c0 to %c2 step %c1 iter_args(%p = %c1, %q = %c2) -> (index, index) {
        scf.yield %q, %p : index, index
      }""")
    assert made[0] == Assign((Register(1), Register(2)), (1, 2))
    assert made[1].body == (Assign((Register(1), Register(2)), (Register(2), Register(1))),)
