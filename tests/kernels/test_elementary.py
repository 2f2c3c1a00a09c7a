"""exp, log, tanh and relatives: digits, limits, and loops that vectorise."""

import math
import re

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb.kernels.formulas import elementary

STEPPED = numba.config.DISABLE_JIT
POINTS = 301 if STEPPED else 200_001

REFERENCE = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
}
GRIDS = {
    "exp": np.linspace(-103, 88.7, POINTS),
    "expm1": np.linspace(-103, 88.7, POINTS),
    "log": np.exp(np.linspace(-103, 88.7, POINTS)),
    "log1p": np.exp(np.linspace(-103, 88.7, POINTS)),
    "tanh": np.linspace(-20, 20, POINTS),
    "sigmoid": np.linspace(-87, 103, POINTS),
    "softplus": np.linspace(-103, 103, POINTS),
}
ULPS = {
    "exp": 1.5,
    "log": 1.5,
    "sigmoid": 3.0,
    "softplus": 3.0,
    "tanh": 2.5,
}  # others 2.0


def loop(name):
    """Return fill(y, x), the loop that kernels write around such a function."""
    function = getattr(elementary, name)

    @numba.njit(fastmath={"contract"}, error_model="numpy")
    def fill(y, x):
        for i in range(x.size):
            y[i] = function(x[i])

    return fill


LOOPS = {name: loop(name) for name in REFERENCE}


def values(name, x):
    """Return the function of every number of a vector."""
    y = np.empty_like(x)
    LOOPS[name](y, x)
    return y


def ulps(y, exact):
    """Return the largest distance in units of the last place of a float32."""
    unit = np.spacing(np.abs(exact.astype(np.float32)))
    return np.max(np.abs(y - exact) / unit)


@pytest.mark.parametrize("name", REFERENCE)
def test_float32_is_right_to_the_last_digits(name):
    """Over the whole range the error stays within a few units of the last place."""
    near_zero = np.linspace(-2, 2, POINTS // 3)
    grid = np.concatenate([GRIDS[name], np.abs(near_zero) + 1e-3])
    if not name.startswith("log"):
        grid = np.concatenate([grid, near_zero])
    x = grid.astype(np.float32)
    exact = REFERENCE[name](x.astype(np.float64))
    assert ulps(values(name, x), exact) <= ULPS.get(name, 2.0)


@pytest.mark.parametrize("name", REFERENCE)
def test_float64_is_right_to_the_last_digits(name):
    """In float64 the functions are those of the mathematics library."""
    x = GRIDS[name][:: len(GRIDS[name]) // 300]
    np.testing.assert_allclose(values(name, x), REFERENCE[name](x), rtol=4e-15)


LIMITS = {
    "exp": {88.9: math.inf, 1e38: math.inf, math.inf: math.inf, -1e38: 0, 0: 1},
    "expm1": {88.9: math.inf, math.inf: math.inf, -math.inf: -1, -1e38: -1, 0: 0},
    "log": {0: -math.inf, -0.0: -math.inf, -1: math.nan, -math.inf: math.nan},
    "log1p": {0: 0, 1e-30: 1e-30},
    "tanh": {math.inf: 1, -math.inf: -1, 3e38: 1, -3e38: -1, 0: 0},
    "sigmoid": {math.inf: 1, -math.inf: 0, 3e38: 1, -3e38: 0, 0: 0.5},
    "softplus": {math.inf: math.inf, -math.inf: 0, 3e38: 3e38, -3e38: 0},
}
LIMITS["log"][math.inf] = math.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", REFERENCE)
def test_limits_are_exact_and_nan_stays_nan(name, dtype):
    """Overflow is inf, underflow is 0, a pole is -inf, NaN is NaN; nothing warns."""
    limits = {**LIMITS[name], math.nan: math.nan}
    if dtype == "float64":
        limits.pop(88.9, None)
    x = np.array(list(limits), dtype)
    expected = np.array(list(limits.values()), dtype)
    np.testing.assert_array_equal(values(name, x), expected)
    function = getattr(elementary, name)
    stepped = np.array([function(number) for number in x])
    np.testing.assert_array_equal(stepped, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_fades_through_the_denormal_numbers(dtype):
    """Below the normal range exp loses its digits one by one."""
    x = np.array({"float32": [-88, -95, -103], "float64": [-710, -740]}[dtype], dtype)
    y = values("exp", x)
    assert (y > 0).all()
    np.testing.assert_allclose(y, np.exp(x), rtol=0, atol=1.5e-45)


@pytest.mark.skipif(STEPPED, reason="nothing is compiled")
@pytest.mark.parametrize("name", REFERENCE)
def test_a_float32_loop_vectorises(name):
    """The compiler turns the loop into vector registers, and nothing into doubles."""
    x = np.ones(8, np.float32)
    values(name, x)
    float32 = numba.typeof(x)
    code = LOOPS[name].inspect_llvm((float32, float32))
    assert re.search(r"<\d+ x float> @?llvm|fmul contract <\d+ x float>", code)
    assert " double" not in code


@pytest.mark.skipif(not STEPPED, reason="compiled code returns Python floats")
@pytest.mark.parametrize("name", REFERENCE)
def test_a_number_keeps_its_precision(name):
    """Stepping through, a float32 number gives a float32, a Python float a float."""
    function = getattr(elementary, name)
    assert type(function(np.float32(0.5))) is np.float32
    assert isinstance(function(0.5), float)


@given(st.floats(-80, 80, width=32))
def test_log_undoes_exp(x):
    """log(exp(x)) is x."""
    x = np.array([x], np.float32)
    back = values("log", values("exp", x))
    np.testing.assert_allclose(back, x, rtol=3e-7, atol=3e-7)


@given(st.floats(-15, 15, width=32))
def test_functions_keep_their_symmetries(x):
    """tanh is odd, sigmoid(x) + sigmoid(-x) = 1, softplus(x) - softplus(-x) = x."""
    x = np.array([x, -x], np.float32)
    there, back = values("tanh", x)
    assert there == -back
    np.testing.assert_allclose(values("sigmoid", x).sum(), 1, rtol=3e-7)
    there, back = values("softplus", x)
    np.testing.assert_allclose(there - back, x[0], rtol=3e-6, atol=3e-7)
