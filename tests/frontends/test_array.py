"""`stepwell.Array`: eager operators, NumPy's protocols, DLPack without copies."""

from __future__ import annotations

import operator
import pickle
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.dispatch import _EAGER_PROGRAMS
from stepwell.runtime.memory import POOL

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_attributes_and_repr():
    a = snp.asarray(X)
    assert (a.shape, a.ndim, a.size, a.dtype, a.device, len(a), a.nbytes) == ((2, 3), 2, 6, np.float32, "cpu", 2, 24)
    assert repr(snp.asarray([1.0, 2.5])) == "Array([1. , 2.5], dtype=float32, shape=(2,))"
    assert a.to_device("cpu") is a
    with pytest.raises(stepwell.TracingError, match="there is no device 'tpu'; devices are 'cpu', 'cuda', 'cuda:1'"):
        a.to_device("tpu")


def test_operators_run_eagerly_and_are_cached():
    a = snp.asarray(X)
    np.testing.assert_array_equal((a + a * 2 - 1).numpy(), X + X * 2 - 1)
    known = len(_EAGER_PROGRAMS)
    np.testing.assert_array_equal((a + a * 7 - 4).numpy(), X + X * 7 - 4)
    assert len(_EAGER_PROGRAMS) == known
    np.testing.assert_array_equal((a @ a.T).numpy(), X @ X.T)
    np.testing.assert_array_equal(a[1, ::-1].numpy(), X[1, ::-1])
    np.testing.assert_array_equal(a[snp.asarray([1, 0])].numpy(), X[[1, 0]])
    assert [row.shape for row in a] == [(3,), (3,)]
    assert a.sum().item() == 15.0
    assert a.at[0, 1].set(9.0)[0, 1].item() == 9.0


def test_numpy_arrays_on_the_left_defer():
    a = snp.asarray(X)
    for op in (operator.add, operator.mul, operator.lt, operator.truediv):
        result = op(X, a)
        assert isinstance(result, stepwell.Array)
        np.testing.assert_array_equal(result.numpy(), op(X, X) if op is not operator.truediv else X / X)


test_numpy_arrays_on_the_left_defer = pytest.mark.filterwarnings("ignore:invalid value")(
    test_numpy_arrays_on_the_left_defer
)


def test_numpy_functions_take_arrays_and_views_are_read_only():
    a = snp.asarray(X) + 0
    assert isinstance(np.sin(a), np.ndarray)
    assert np.asarray(a).ctypes.data == a.raw().ctypes.data
    with pytest.raises(ValueError, match="read-only"):
        a.numpy()[0, 0] = 1
    copied = np.array(a, copy=True)
    assert copied.ctypes.data != a.raw().ctypes.data
    np.testing.assert_array_equal(np.asarray(a, np.float64), X)


def test_dlpack_shares_memory_both_ways():
    ours = snp.asarray(X) * 1
    theirs = np.from_dlpack(ours)
    assert theirs.ctypes.data == ours.raw().ctypes.data
    source = np.arange(4, dtype=np.int32)
    taken = snp.from_dlpack(source)
    assert taken.raw().ctypes.data == source.ctypes.data
    np.testing.assert_array_equal((taken + 1).numpy(), source + 1)
    with pytest.raises(stepwell.TracingError, match="cannot take list by DLPack"):
        snp.from_dlpack([1])


def test_numbers_from_arrays():
    one = snp.asarray(2.5)
    assert (float(one), int(one), bool(one), complex(one)) == (2.5, 2, True, 2.5 + 0j)
    assert f"{one:.1f}" == "2.5"
    assert list(range(snp.asarray(3))) == [0, 1, 2]
    with pytest.raises(stepwell.TracingError, match="ambiguous"):
        bool(snp.asarray(X))
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(snp.asarray(X))).numpy(), X)


def test_asarray_shares_numpys_memory_and_gives_numbers_default_types():
    assert snp.asarray(X).raw() is X
    assert snp.asarray([1, 2]).dtype == np.int32
    assert snp.asarray([1, 2.0]).dtype == np.float32
    assert snp.asarray(True).dtype == np.bool_
    assert snp.asarray([np.float64(1)]).dtype == np.float64
    assert snp.asarray([1, 2], dtype="bfloat16").dtype == ml_dtypes.bfloat16
    for wrong in ("text", [object()], [[1], [1, 2]], [2**40], np.ma.masked_array([1.0], [True])):
        with pytest.raises(stepwell.TracingError):
            snp.asarray(wrong)


def test_the_class_itself_makes_arrays():
    for value in ([1, 2.0], (1.0, 2.0), np.array([1, 2], np.float32), snp.asarray([1.0, 2.0])):
        made = stepwell.Array(value)
        assert (made.dtype, made.tolist()) == (np.float32, [1.0, 2.0])
    assert stepwell.Array(True).item() is True
    assert stepwell.Array(np.float64(2)).dtype == np.float64
    assert stepwell.Array(X).raw() is X
    with pytest.raises(stepwell.TracingError, match="arrays cannot have the dtype str"):
        stepwell.Array("text")


def test_only_one_element_is_an_item():
    with pytest.raises(ValueError, match=r"item\(\) needs one element, float32\[2,3\] has 6"):
        snp.asarray(X).item()
    assert snp.asarray([[5]]).item() == 5


def test_results_give_their_memory_back():
    f = stepwell.jit(lambda x: (x + 1, {"twice": x * 2}))
    x = np.ones((256, 256), np.float32)
    f(x)
    idle = POOL.idle_bytes
    for _ in range(20):
        f(x)
        assert POOL.idle_bytes == idle
    kept = f(x)
    view = np.from_dlpack(kept[1]["twice"])
    assert idle - POOL.idle_bytes >= 2 * x.nbytes
    del kept
    assert idle - POOL.idle_bytes >= x.nbytes
    assert view[0, 0] == 2
    del view
    assert POOL.idle_bytes == idle


def test_values_of_other_types_are_refused():
    a = snp.asarray(X)
    with pytest.raises(TypeError):
        _ = a + "text"
    with pytest.raises(stepwell.TracingError, match="do not broadcast"):
        _ = a + np.ones(5, np.float32)
    with pytest.raises(stepwell.TracingError, match=r"3.0 is not an index|must be an integer"):
        snp.reshape(a, (3.0, 2))


def test_the_public_modules_are_lazy():
    code = (
        "import sys, stepwell\nassert 'xdsl' not in sys.modules\n"
        "import stepwell.numpy as snp\nassert stepwell.numpy is snp and 'llvmlite' in sys.modules\n"
        "assert stepwell.lax.erf and stepwell.build.Function"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


@pytest.mark.parametrize(
    "code",
    [
        "assert float(stepwell.jit(lambda x: -x + 1)(2.0)) == -1.0",
        "assert float(stepwell.Array(numpy.ones(())) + 1) == 2.0",
        "assert float(stepwell.lax.rsqrt(4.0)) == 0.5",
    ],
)
def test_operators_work_whatever_is_imported_first(code: str):
    subprocess.run([sys.executable, "-c", f"import numpy, stepwell\n{code}"], check=True, cwd="/")


def test_every_public_name_exists_and_has_a_docstring():
    import stepwell.lax

    for module in (snp, stepwell.lax):
        for name in module.__all__:
            value: Any = getattr(module, name)
            if callable(value) and not isinstance(value, type):
                assert value.__doc__, name


@pytest.mark.parametrize("alignment", [1, 2, 16, 64, 4096, 1 << 21])
@pytest.mark.parametrize("make", ["empty", "zeros", "ones", "full"])
def test_new_arrays_start_where_they_are_asked_to(make: str, alignment: int):
    for shape in ((), 0, 1, 3, (5, 7), (257, 129)):
        values = (shape, 3) if make == "full" else (shape,)
        x = getattr(snp, make)(*values, dtype="float32", alignment=alignment)
        assert x.is_aligned(alignment)
        assert x.size == 0 or x.numpy().ctypes.data % alignment == 0
        expected = {"empty": 0, "zeros": 0, "ones": 1, "full": 3}[make]
        np.testing.assert_array_equal(x.numpy(), np.full(shape, expected, np.float32))


def test_new_arrays_start_at_cache_lines_by_default():
    for _ in range(8):
        assert all(x.is_aligned() for x in (snp.zeros(3), snp.ones((2, 5), "int8"), snp.full(7, 1.5), snp.empty(1)))


def test_an_array_is_copied_only_where_it_is_not_aligned():
    memory = np.zeros(4096 + 4, np.uint8)
    start = -memory.ctypes.data % 4096
    there, beside = memory[start : start + 40].view("f4"), memory[start + 4 : start + 44].view("f4")
    for data, aligned in ((there, True), (beside, False)):
        x = stepwell.Array(data)
        assert x.is_aligned(64) == aligned
        assert x.is_aligned(4)
        assert (x.aligned(64) is x) == aligned
        assert np.shares_memory(x.aligned(64).numpy(), memory) == aligned
        np.testing.assert_array_equal(x.aligned(64).numpy(), data)
    turned = stepwell.Array(np.arange(6, dtype="f4").reshape(2, 3).T)
    np.testing.assert_array_equal(turned.aligned(4096).numpy(), turned.numpy())


@pytest.mark.parametrize("alignment", [0, -64, 3, 48, 1 << 31, 64.0, "64", None])
def test_what_is_no_alignment_is_refused(alignment: Any):
    with pytest.raises(stepwell.TracingError, match="a power of two of bytes, 1073741824 at most"):
        snp.zeros(3).aligned(alignment)
    if alignment is not None:
        with pytest.raises(stepwell.TracingError, match="a power of two of bytes, 1073741824 at most"):
            snp.zeros(3, alignment=alignment)
        with pytest.raises(stepwell.TracingError, match="a power of two of bytes, 1073741824 at most"):
            stepwell.jit(lambda: snp.zeros(3, alignment=alignment))()


def test_values_inside_of_a_program_have_no_alignment():
    assert stepwell.jit(lambda x: x + snp.zeros(3))(snp.ones(3)).tolist() == [1, 1, 1]
    with pytest.raises(stepwell.TracingError, match=r"no memory of their own(?s:.*)outside of jit"):
        stepwell.jit(lambda x: x + snp.zeros(3, alignment=64))(snp.ones(3))
