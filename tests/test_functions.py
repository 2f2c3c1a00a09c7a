"""Derivatives given by hand, trial shapes, and the check of any gradient."""

import math

import numba
import numpy as np
import pytest

import kerasnb
from kerasnb import backend as K
from kerasnb import check_activation, check_gradient, check_loss, with_gradient
from kerasnb.functions import each_number, shape_by_trial, takes

# ---- derivatives given by hand ----------------------------------------------------


def square_error(t, p):
    """Return a value for each row."""
    return ((p - t) ** 2).sum(axis=-1)


def slope_of_it(t, p):
    """Return its derivative by p."""
    return 2 * (p - t)


def test_the_derivative_may_be_given():
    """For rows, for numbers, for a sum; the function itself is unchanged."""
    f = with_gradient(square_error, slope_of_it)
    assert f.__name__ == "square_error" and "square_error with a gr" in repr(f)
    t, p = np.random.default_rng(0).normal(size=(2, 4, 3))
    np.testing.assert_array_equal(f(t, p), square_error(t, p))
    check_gradient(lambda p: f(t, 2 * p) * np.arange(4.0), p)
    cube = with_gradient(lambda x: x**3, lambda x: 3 * x**2)
    check_gradient(cube, p)
    total = with_gradient(lambda x: (x**2).sum(), lambda x: 2 * x)
    check_gradient(lambda x: total(np.exp(x)), p)


def test_a_tuple_has_a_derivative_for_each_argument():
    """Each is in the shape of its argument."""
    f = with_gradient(lambda x, y: x * y**2, lambda x, y: (y**2, 2 * x * y))
    x, y = np.random.default_rng(0).normal(size=(2, 3, 2))
    check_gradient(f, x, y)
    check_gradient(lambda x, y: f(x, y) + f(y, x) * x, x, y)


def test_a_chained_derivative_returns_the_gradient_itself():
    """For functions that mix numbers, as softmax does."""

    def softmax(x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def backward(dy, x):
        y = softmax(x)
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

    f = with_gradient(softmax, backward, chained=True)
    check_gradient(f, np.random.default_rng(0).normal(size=(3, 4)))
    check_activation(f)


def huber(t, p):
    """Return a formula of two numbers."""
    d = abs(p - t)
    return d * d if d < 1 else 2 * d - 1


def slope_of_huber(t, p):
    """Return its derivative by p."""
    return 2 * min(max(p - t, -1.0), 1.0)


def test_formulas_of_numbers_run_over_arrays():
    """With one, two or three operands, stretched; float32 stays."""
    f = with_gradient(huber, slope_of_huber, elementwise=True)
    t, p = np.zeros((2, 3), np.float32), np.array([0.5, -3.0, 1.0], np.float32)
    y = f(t, p)
    np.testing.assert_allclose(y, [[0.25, 5, 1]] * 2)
    assert y.dtype == np.float32
    t, p = np.random.default_rng(0).normal(size=(2, 4, 3))
    check_loss(f)
    one = with_gradient(lambda x: math.sin(x), lambda x: math.cos(x), elementwise=True)
    check_activation(one)
    three = each_number(lambda a, b, c: a * b + c)
    np.testing.assert_allclose(three(p, 2, t), 2 * p + t)
    assert each_number(lambda x: x)([1, 2]).dtype == np.float64
    with pytest.raises(TypeError, match="takes one to three, got 4"):
        three(1, 2, 3, 4)


def test_compiled_pairs_work_as_they_are():
    """Of arrays or of numbers: no tape looks into them."""

    @numba.njit
    def f(t, p):
        s = np.zeros(len(p), p.dtype)
        for r in range(len(p)):
            for c in range(p.shape[1]):
                s[r] += (p[r, c] - t[r, c]) ** 2
        return s

    @numba.njit
    def df(t, p):
        return 2 * (p - t)

    loss = with_gradient(f, df)
    check_loss(loss)
    assert loss.__name__ == "f"
    model = kerasnb.Sequential([kerasnb.layers.Dense(2, input_shape=(3,))])
    model.compile("sgd", loss, metrics=[loss])
    assert model.metrics_names == ["loss", "f"]
    x, y = np.ones((4, 3)), np.zeros((4, 2))
    first, *_, last = [model.train_on_batch(x, y)[0] for _ in range(5)]
    assert last < first


# ---- shapes by trial --------------------------------------------------------------


@pytest.mark.parametrize(
    "function, shapes, expected",
    [
        (lambda x: x, [(None, 3)], (None, 3)),
        (lambda x: x[:, :2], [(None, None, 4)], (None, 2, 4)),
        (lambda x: K.sum(x, axis=-1), [(5, None, 4)], (5, None)),
        (lambda x: x.mean(axis=(1, 2)), [(None, 4, 2)], (None,)),
        (lambda x, y: K.concatenate([x, y]), [(None, 4), (None, 2)], (None, 6)),
        (lambda x: np.log(x - 1), [(None, 3)], (None, 3)),
    ],
)
def test_the_shape_is_found_by_running(function, shapes, expected):
    """Unknown sizes stay unknown; warnings about ones mean nothing."""
    assert shape_by_trial(function, shapes, "float32", "me") == expected


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x: x.nothing, r"me: the function failed on ones of shape \(2, 3\)"),
        (lambda x: K.sum(x), r"must keep the first axis.*of shape \(2, 3\) it made \("),
        (lambda x: x.T, "must keep the first axis"),
        (lambda x: x if len(x) == 2 else x[:, None], "number of axes of the"),
    ],
)
def test_functions_that_make_no_layer_are_refused(function, message):
    """The trial shape is named."""
    with pytest.raises(ValueError, match=message):
        shape_by_trial(function, [(None, 3)], "float32", "me")


def test_signatures_are_looked_at_where_there_are_some():
    """What is written in C may not tell, and may be tried."""
    assert takes(lambda a, b=1: a, "a") and not takes(lambda a: a, "a", "b")
    assert takes(np.exp, "x") and takes(min, 1, 2)


# ---- the check --------------------------------------------------------------------


def test_the_check_shows_both_slopes():
    """Of each argument with floats, by its name."""
    report = check_gradient(lambda x, k: x[k], np.ones(3, np.float32), [0, 2])
    assert report.passed and len(report.findings) == 1
    found = report.findings[0]
    assert found.what == "gradient of x"
    assert found.analytic == pytest.approx(found.numeric)
    assert "gradient of argument 1" in str(check_gradient(lambda *x: x[1], [1], 0.5))


def test_a_wrong_derivative_is_shown():
    """With the likely cause; the report may be looked at instead of raised."""
    wrong = with_gradient(lambda x: x**2, lambda x: -2 * x)
    with pytest.raises(AssertionError, match="(?s)gradient of x.*The sign is wrong"):
        check_gradient(wrong, np.ones(2))
    assert not check_gradient(wrong, np.ones(2), raise_on_failure=False).passed


# ---- errors -----------------------------------------------------------------------


def test_what_is_no_derivative_is_refused():
    """Its role, its shape, the argument it is missing for."""
    p = np.ones((2, 3))
    with pytest.raises(TypeError, match="expected a function as df, got 3"):
        with_gradient(np.sin, 3)
    with pytest.raises(ValueError, match=r"of the shape of argument 0, \(2, 3\), got "):
        check_gradient(with_gradient(square_error, lambda t, p: (p[0], p)), p, p)
    with pytest.raises(TypeError, match="no derivative by argument 0. Let df return"):
        check_gradient(with_gradient(square_error, slope_of_it), p, p)
    mixed = with_gradient(lambda x: x.T, lambda x: x)
    with pytest.raises(ValueError, match=r"values of shape \(3, 2\) do not fit \(2, 3"):
        check_gradient(mixed, p)
    with pytest.raises(ValueError, match="to try <lambda> on, at least one of them wi"):
        check_gradient(lambda k: k, [1, 2])
