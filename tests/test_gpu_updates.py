"""Updates at a place known at run time: on the device, in place, clamped, whatever the shapes."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.lax as lax
from stepwell.compiler import lower
from stepwell.device_targets import machine_for, parse_target

KINDS = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "i1": np.bool_}


def tensor(shape: tuple[int, ...], kind: str) -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{kind}>"


def update(shape: tuple[int, ...], size: tuple[int, ...], kind: str = "f32", index: str = "i32") -> str:
    x, u, i = tensor(shape, kind), tensor(size, kind), tensor((), index)
    names = [f"%i{d}" for d in range(len(shape))]
    arguments = ", ".join([f"%x: {x}", f"%u: {u}", *(f"{n}: {i}" for n in names)])
    return f"""func.func public @main({arguments}) -> {x} {{
      %r = stablehlo.dynamic_update_slice {", ".join(["%x", "%u", *names])} : ({", ".join([x, u, *([i] * len(shape))])}) -> {x}
      return %r : {x}
    }}"""


def expected(x: np.ndarray, u: np.ndarray, indices: tuple[int, ...]) -> np.ndarray:
    starts = [min(max(i, 0), n - m) for i, n, m in zip(indices, x.shape, u.shape, strict=True)]
    result = np.array(x)
    result[tuple(slice(s, s + m) for s, m in zip(starts, u.shape, strict=True))] = u
    return result


def check(shape, size, indices, kind="f32", index="i32", **options) -> None:
    rng = np.random.default_rng(sum(shape))
    dtype = KINDS[kind]
    x, u = (np.asarray(rng.random(s) * 100 if kind != "i1" else rng.random(s) > 0.5, dtype) for s in (shape, size))
    program = stepwell.compile(update(shape, size, kind, index), target="gpu-sim", verify_each=True, **options)
    assert 'kernel.place = "host"' not in program.ir("kernels")
    places = [np.array(i, index.replace("i", "int")) for i in indices]
    (got,) = program(x, u, *places)
    np.testing.assert_array_equal(got, expected(x, u, indices))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((), ()),
        ((1,), (1,)),
        ((8,), (8,)),
        ((1000,), (300,)),
        ((1000,), (1,)),
        ((7, 5), (2, 3)),
        ((11, 3, 8), (1, 3, 8)),
        ((2, 64, 4, 16), (2, 1, 4, 16)),
        ((40, 200), (40, 1)),
        ((33, 70), (1, 33)),
        ((3, 4, 5, 6), (3, 4, 5, 6)),
        ((3, 0), (2, 0)),
        ((4, 6), (0, 3)),
        ((5, 2000), (2, 1500)),
    ],
)
@pytest.mark.parametrize("start", [0, 2, -3, 10_000])
@pytest.mark.every(4)
def test_updates_of_any_shape_are_clamped(shape, size, start):
    check(shape, size, (start,) * len(shape))


@pytest.mark.parametrize("kind", ["f64", "f16", "i8", "i1"])
def test_updates_of_elements_of_any_width(kind):
    check((9, 40), (2, 33), (3, 5), kind)


@pytest.mark.parametrize("index", ["i8", "i16", "i64"])
@pytest.mark.parametrize("start", [-100, 6, 120])
def test_indices_of_any_width_are_signed(index, start):
    check((50, 3), (4, 2), (start, 1), index=index)


@pytest.mark.parametrize("step", ["kernels", "scheduled", "buffers"])
def test_updates_mean_the_same_on_every_step(step):
    check((9, 5, 40), (2, 5, 40), (4, 0, 0), step=step)
    check((9, 5, 40), (2, 3, 7), (100, 1, -2), step=step)


def test_updates_without_optimization_are_done_by_a_thread_a_point():
    check((9, 40), (2, 33), (100, -5), opt_level=0)


def test_what_is_updated_is_copied_to_the_result_once_and_updated_there():
    program = stepwell.compile(update((64, 32), (1, 32)), target="gpu-sim")
    x, u = np.zeros((64, 32), np.float32), np.ones((1, 32), np.float32)
    np.testing.assert_array_equal(program(x, u, np.int32(5), np.int32(0))[0], expected(x, u, (5, 0)))
    assert not x.any()
    kernels, host = program.ir("device").split("func.func")
    assert (host.count("gpu.launch_func"), host.count("gpu.memcpy")) == (1, 1)
    assert kernels.count("gpu.func") == 1
    assert "memref.alloca" not in kernels


def test_a_cache_in_a_loop_is_updated_in_place():
    """Keys of a decoder: a row a trip, of a carry that nothing copies."""

    def decode(keys, x):
        def trip(i, carry):
            keys, x = carry
            x = x * 1.5 + 1
            return lax.dynamic_update_slice(keys, x[None], (i + 3, 0, 0)), x

        return lax.fori_loop(0, 4, trip, (keys, x))

    keys, x = np.zeros((16, 4, 8), np.float32), np.arange(32, dtype=np.float32).reshape(4, 8)
    lowered = stepwell.jit(decode, target="gpu-sim").lower(keys, x)
    loop = lowered.ir("device").split("scf.while", 1)[1]
    moved = [line for line in loop.splitlines() if "gpu.memcpy" in line or "kernel.launch" in line]
    assert moved
    assert not any("16x4x8" in line or "kernel.launch" in line for line in moved)
    got_keys, got_x = stepwell.jit(decode, target="gpu-sim")(keys, x)
    for i in range(4):
        x = x * np.float32(1.5) + 1
        keys[i + 3] = x
    np.testing.assert_array_equal(got_keys.numpy(), keys)
    np.testing.assert_array_equal(got_x.numpy(), x)


def test_other_structured_ops_are_still_refused_where_they_have_no_form():
    text = """builtin.module {
      kernel.func @k(%x: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["readwrite"], kernel.place = "device"} {
        %s = structured.sort outs(%x : tensor<8xf32>) {dimension = 0 : i64, stable} {
        ^bb0(%a: f32, %b: f32):
          %lt = arith.cmpf olt, %a, %b : f32
          structured.yield %lt : i1
        } -> tensor<8xf32>
        kernel.return %s : tensor<8xf32>
      }
      func.func public @main(%x: tensor<8xf32>) -> tensor<8xf32> {
        %e = tensor.empty() : tensor<8xf32>
        %r = kernel.launch @k outs(%x : tensor<8xf32>) -> tensor<8xf32>
        func.return %r : tensor<8xf32>
      }
    }"""
    with pytest.raises(stepwell.UnsupportedError, match="it has no form for subgroups"):
        lower(stepwell.parse(text), "device", target=machine_for(parse_target("gpu-sim")))
