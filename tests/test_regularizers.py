"""Regularizers: values, gradients, names and errors (semantics 8.2)."""

import json

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import regularizers
from kerasnb.device import ops

sizes = st.integers(1, 140)
strengths = st.sampled_from([0.0, 0.01, 0.7])

# ---- reference --------------------------------------------------------------------


@given(size=sizes, l1=strengths, l2=strengths, seed=st.integers(0, 99))
def test_the_penalty_is_l1_sum_of_sizes_plus_l2_sum_of_squares(size, l1, l2, seed):
    """For any length, in float64 and, to rounding of the weights, in float32."""
    w = np.random.default_rng(seed).normal(size=size)
    expected = l1 * abs(w).sum() + l2 * (w**2).sum()
    penalty = regularizers.L1L2(l1, l2)
    assert penalty(w) == pytest.approx(expected, rel=1e-12)
    assert penalty(w.astype("float32")) == pytest.approx(expected, rel=1e-5)


def test_shapes_do_not_matter():
    """All elements count, whatever their axes."""
    w = np.arange(6.0)
    assert regularizers.l2(0.5)(w.reshape(1, 2, 3)) == 0.5 * 55


def test_defaults_are_one_hundredth():
    """For the factories and the strings; L1L2 itself has zeros."""
    for name, expected in [
        ("l1", (0.01, 0)),
        ("l2", (0, 0.01)),
        ("l1_l2", (0.01, 0.01)),
    ]:
        made = regularizers.get(name)
        assert (made.l1, made.l2) == expected
        made = getattr(regularizers, name)()
        assert (made.l1, made.l2) == expected
    assert regularizers.L1L2().get_config() == {"l1": 0.0, "l2": 0.0}
    assert regularizers.l1(0.3).get_config() == {"l1": 0.3, "l2": 0.0}
    assert regularizers.l2(l=0.3).get_config() == {"l1": 0.0, "l2": 0.3}


# ---- gradient ---------------------------------------------------------------------


@given(size=sizes, l1=strengths, l2=strengths, seed=st.integers(0, 99))
def test_the_gradient_is_the_slope_of_the_penalty(size, l1, l2, seed):
    """Central difference along a random direction, away from the kink at 0."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.1, 1, size) * rng.choice([-1, 1], size)
    direction, step = rng.normal(size=size), 1e-5
    penalty = regularizers.L1L2(l1, l2)
    dw = np.zeros(size)
    penalty.add_gradient(dw, w)
    slope = penalty(w + step * direction) - penalty(w - step * direction)
    assert slope / (2 * step) == pytest.approx(dw @ direction, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_is_added(dtype):
    """What is in dw stays; w is not changed; the shape is any."""
    w = np.array([[1.0, -2.0], [0.0, 4.0]], dtype)
    dw = np.full((2, 2), 10, dtype)
    regularizers.l1_l2(1.0, 0.5).add_gradient(dw, w)
    assert dw.tolist() == [[12.0, 7.0], [10.0, 15.0]]
    assert w.tolist() == [[1.0, -2.0], [0.0, 4.0]]


# ---- laws -------------------------------------------------------------------------


def test_nan_travels_and_zero_strengths_are_skipped():
    """NaN weights show; an infinite weight does not meet a strength of zero."""
    for penalty in [regularizers.l1(), regularizers.l2()]:
        w, dw = np.array([1.0, np.nan]), np.zeros(2)
        assert np.isnan(penalty(w))
        penalty.add_gradient(dw, w)
        assert np.isnan(dw[1]) and not np.isnan(dw[0])
    assert regularizers.l1(1.0)(np.array([np.inf])) == np.inf
    assert regularizers.l2(1.0)(np.array([-np.inf])) == np.inf


def test_bits_do_not_depend_on_threads():
    """The serial form and the parallel one, on one and two threads, agree."""
    size = 30 if numba.config.DISABLE_JIT else 10_007
    w = np.random.default_rng(0).normal(size=size).astype("float32")
    results = []
    threads = numba.get_num_threads()
    try:
        for form, count in [
            ("serial", 1),
            ("parallel", 1),
            ("parallel", min(2, threads)),
        ]:
            numba.set_num_threads(count)
            out, dw = np.zeros(1), np.ones_like(w)
            getattr(ops.l1l2_penalty, form)(out, w, 0.1, 0.2)
            getattr(ops.l1l2_gradient, form)(dw, w, 0.1, 0.2)
            results.append(out.tobytes() + dw.tobytes())
    finally:
        numba.set_num_threads(threads)
    assert len(set(results)) == 1


@given(rows=st.integers(1, 5), columns=st.integers(1, 5))
def test_the_eigenvalue_penalty_and_its_gradient(rows, columns):
    """About the largest singular value; the gradient is that of the nine steps."""
    rng = np.random.default_rng(rows)
    penalty = regularizers.EigenvalueRegularizer(0.7)
    w, direction = rng.normal(size=(2, rows, columns))
    dw = np.ones_like(w)
    penalty.add_gradient(dw, w)
    h = 1e-6
    slope = (penalty(w + h * direction) - penalty(w - h * direction)) / (2 * h)
    assert ((dw - 1) * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7)
    assert penalty(np.diag([5.0, 1.0])) == pytest.approx(3.5)
    assert penalty(0 * w) == 0
    penalty.add_gradient(dw, 0 * w)
    with pytest.raises(ValueError, match="expected weights of two axes, got shape"):
        penalty(np.ones(3))


# ---- names and configurations -----------------------------------------------------


@pytest.mark.parametrize("name", regularizers.REGULARIZERS)
def test_every_name_works_and_survives_json(name):
    """name -> object -> configuration -> JSON -> object with equal settings."""
    made = regularizers.get(name)
    config = json.loads(json.dumps(regularizers.serialize(made)))
    assert config["class_name"] == type(made).__name__
    assert regularizers.get(config).get_config() == made.get_config()
    rebuilt = type(made).from_config(config["config"])
    assert rebuilt.get_config() == made.get_config()


def test_none_objects_classes_and_factories_are_accepted():
    """None stays None."""
    assert regularizers.get(None) is None and regularizers.serialize(None) is None
    made = regularizers.l1()
    assert regularizers.get(made) is made
    assert regularizers.get(regularizers.l2).l2 == 0.01

    class Mine(regularizers.Regularizer):
        pass

    assert isinstance(regularizers.get(Mine), Mine)
    assert regularizers.serialize(Mine()) == {"class_name": "Mine", "config": {}}


# ---- errors -----------------------------------------------------------------------


def test_unknown_names_suggest_the_nearest():
    """As a string and in a configuration."""
    with pytest.raises(ValueError, match="regularizer 'l1_l'. Did you mean 'l1_l2'"):
        regularizers.get("l1_l")
    with pytest.raises(ValueError, match="Unknown regularizer 'L3'"):
        regularizers.get({"class_name": "L3", "config": {}})


@pytest.mark.parametrize("identifier", [0.01, dict])
def test_what_is_no_regularizer_is_refused(identifier):
    """Numbers, and classes that are none."""
    with pytest.raises(TypeError, match="or a function w -> penalty, got"):
        regularizers.get(identifier)


def test_a_base_class_says_what_is_missing():
    """Both methods must be written."""
    with pytest.raises(NotImplementedError, match="Regularizer has no __call__"):
        regularizers.Regularizer()(np.ones(1))
    with pytest.raises(NotImplementedError, match="Regularizer has no add_gradient"):
        regularizers.Regularizer().add_gradient(np.ones(1), np.ones(1))
