"""`stepwell.random`: the numbers are JAX's (made by JAX 0.10 on a CPU), and have their distribution."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell import random
from stepwell.frontends.errors import TracingError

KEY = random.key(42)
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
LOGITS = np.array([[0, 1, 2], [2, 1, -1]], np.float32)
P = np.array([0.1, 0.2, 0.3, 0.4], np.float32)

EXACT = {
    "split": (lambda: random.split(KEY), [[1832780943, 270669613], [64467757, 2916123636]]),
    "split of 3": (
        lambda: random.split(KEY, 3),
        [[1832780943, 270669613], [64467757, 2916123636], [2465931498, 255383827]],
    ),
    "fold_in": (lambda: random.fold_in(KEY, 7), [2547012911, 1371500959]),
    "bits": (
        lambda: random.bits(KEY, (2, 3)),
        [[2098992034, 2919706841, 2646866425], [2409546199, 1935504149, 2516274904]],
    ),
    "bits of 8": (lambda: random.bits(KEY, 7, "uint8"), [162, 217, 249, 215, 21, 216, 153]),
    "bits of 16": (lambda: random.bits(KEY, (3,), "uint16"), [5026, 12505, 63993]),
    "uniform": (
        lambda: random.uniform(KEY, (4,), minval=-3, maxval=5),
        [0.9096765518188477, 2.4383773803710938, 1.9301719665527344, 1.488128662109375],
    ),
    "uniform bfloat16": (
        lambda: random.uniform(KEY, (6,), "bfloat16"),
        [0.6328125, 0.84375, 0.96875, 0.8359375, 0.078125, 0.84375],
    ),
    "uniform float16": (
        lambda: random.uniform(KEY, (6,), "float16"),
        [0.076171875, 0.1904296875, 0.9755859375, 0.7568359375, 0.44921875, 0.3076171875],
    ),
    "randint": (lambda: random.randint(KEY, (10,), -5, 100), [94, 49, 76, -1, 84, 19, 12, 67, 74, 76]),
    "randint of all": (
        lambda: random.randint(KEY, (10,), 0, 256, "uint8"),
        [196, 18, 183, 193, 141, 107, 129, 39, 6, 2],
    ),
    "randint int16": (lambda: random.randint(KEY, (5,), -100, 30000, "int16"), [19844, 4714, 2571, 29969, 19309]),
    "permutation": (
        lambda: random.permutation(KEY, 20),
        [7, 4, 16, 19, 2, 5, 3, 6, 18, 10, 11, 15, 8, 9, 13, 14, 17, 0, 1, 12],
    ),
    "permutation of rows": (lambda: random.permutation(KEY, ROWS), ROWS[[2, 3, 0, 1]]),
    "independent": (
        lambda: random.permutation(KEY, ROWS, axis=1, independent=True),
        [[2, 0, 1], [4, 5, 3], [7, 6, 8], [10, 11, 9]],
    ),
    "bernoulli": (lambda: random.bernoulli(KEY, 0.3, (9,)), [0, 0, 0, 0, 0, 0, 1, 0, 0]),
    "categorical": (
        lambda: random.categorical(KEY, LOGITS, shape=(5, 2)),
        [[2, 0], [2, 0], [1, 0], [1, 0], [1, 0]],
    ),
    "choice": (lambda: random.choice(KEY, 10, (6,)), [4, 4, 1, 9, 9, 9]),
    "choice without replacement": (lambda: random.choice(KEY, 10, (6,), replace=False), [7, 4, 2, 5, 3, 6]),
    "choice of p": (lambda: random.choice(KEY, 4, (9,), p=P), [2, 2, 2, 2, 2, 2, 3, 1, 2]),
    "choice of p without replacement": (lambda: random.choice(KEY, 4, (3,), replace=False, p=P), [3, 2, 1]),
    "rademacher": (lambda: random.rademacher(KEY, (9,)), [1, -1, -1, -1, 1, -1, 1, -1, -1]),
}


@pytest.fixture(scope="module")
def interpreted():
    """All of them in one interpreted program."""
    return stepwell.jit(lambda: {name: ours() for name, (ours, _) in EXACT.items()}, target="interpreter")()


@pytest.mark.parametrize("name", EXACT)
def test_numbers_are_those_of_jax(name, interpreted):
    _, jax = EXACT[name]
    got = interpreted[name].numpy()
    np.testing.assert_array_equal(got.astype(np.float64), np.asarray(jax, np.float64))


@pytest.mark.parametrize("name", ["bits of 8", "randint"])
def test_native_numbers_are_those_of_jax(name):
    ours, jax = EXACT[name]
    np.testing.assert_array_equal(np.asarray(ours()), jax)


CLOSE = {
    "normal": ((), [-0.02830461598932743, 0.4671318531036377, 0.2957029640674591, 0.15354591608047485]),
    "gumbel": ((), [0.3340933918952942, 0.952019453048706, 0.7255305647850037, 0.5481715202331543]),
    "truncated_normal": (
        (-1.0, 2.0),
        [0.14770005643367767, 0.5684449076652527, 0.42102551460266113, 0.29997000098228455],
    ),
    "exponential": ((), [0.670817494392395, 1.1388006210327148, 0.9578199982643127, 0.8232924938201904]),
    "laplace": ((), [0.022839652374386787, -0.4456535577774048, -0.2646729052066803, -0.1301453858613968]),
    "logistic": ((), [-0.0451694130897522, 0.7528398036956787, 0.47375231981277466, 0.245286762714386]),
    "cauchy": ((), [-0.03548463061451912, 0.6337261199951172, 0.38244056701660156, 0.1940706968307495]),
}
COUNTS = {
    "normal": 1000,
    "gumbel": 9,
    "truncated_normal": 9,
    "exponential": 9,
    "laplace": 9,
    "logistic": 9,
    "cauchy": 9,
}


def test_functions_of_the_same_bits_differ_from_jax_in_last_places_only():
    program = stepwell.jit(
        lambda key: {name: getattr(random, name)(key, *args, (COUNTS[name],)) for name, (args, _) in CLOSE.items()},
        target="interpreter",
    )
    got = program(KEY)
    for name, (_, jax) in CLOSE.items():
        np.testing.assert_allclose(got[name].numpy()[:4], jax, rtol=2e-6, atol=2e-7, err_msg=name)
    values = got["normal"].numpy()
    assert abs(values.mean()) < 0.15
    assert abs(values.std() - 1) < 0.1


def test_keys_are_arrays_inside_of_jit():
    def two(key, step):
        first, second = random.split(random.fold_in(key, step))
        return random.uniform(first, (3,)), random.uniform(second, (3,))

    a, b = stepwell.jit(two, target="interpreter")(KEY, 3)
    first, second = random.split(random.fold_in(KEY, 3))
    np.testing.assert_array_equal(a.numpy(), np.asarray(random.uniform(first, (3,))))
    np.testing.assert_array_equal(b.numpy(), np.asarray(random.uniform(second, (3,))))
    assert (a.numpy() != b.numpy()).any()


def test_a_seed_of_64_bits_is_kept():
    np.testing.assert_array_equal(np.asarray(random.PRNGKey(2**33 + 5)), [2, 5])
    np.testing.assert_array_equal(np.asarray(random.key(-1)), [0xFFFFFFFF, 0xFFFFFFFF])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random.key(1.5), "a seed is an integer"),
        (lambda: random.uniform(np.zeros(3, np.uint32)), "a key is uint32"),
        (lambda: random.bits(KEY, (2,), "int32"), "random bits are unsigned"),
        (lambda: random.uniform(KEY, (2,), "int32"), "uniform numbers are floats"),
        (lambda: stepwell.jit(lambda k: random.randint(k, (2,), 0, 300, "uint8"))(KEY), "the bound 300 is no uint8"),
        (lambda: random.randint(KEY, (2,), 0.5, 3), "integer bounds"),
        (lambda: random.choice(KEY, 3, (4,), replace=False), "without replacement"),
        (lambda: random.choice(KEY, 3, (4,), p=P), "p has shape"),
        (lambda: random.categorical(KEY, LOGITS, shape=(3,)), "does not end in"),
        (lambda: random.permutation(KEY, -1), "no -1 integers"),
        (lambda: random.bernoulli(KEY, P, (3,)), "do not"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(TracingError, match=message):
        call()
