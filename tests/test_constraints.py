"""Constraints: values, laws, names and errors (semantics 8.3)."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import constraints

arrays = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99)).map(
    lambda drawn: np.random.default_rng(drawn[2]).normal(0, 3, drawn[:2])
)


def norms(w, axis=0):
    """Return the norms along an axis."""
    return np.linalg.norm(w, axis=axis)


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_max_norm_bounds_each_unit(dtype):
    """The column (3, 4) becomes (1.2, 1.6), the short one stays."""
    w = np.array([[3, 0.1], [4, 0]], dtype)
    result = constraints.MaxNorm(2)(w)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, [[1.2, 0.1], [1.6, 0]], rtol=2e-6)


def test_non_neg_zeroes_negative_numbers():
    """w [w >= 0]; NaN stays."""
    result = constraints.NonNeg()(np.array([-1.0, 0.0, 2.0, np.nan]))
    np.testing.assert_array_equal(result, [0, 0, 2, np.nan])


def test_unit_norm_divides_by_the_norm_and_epsilon():
    """w / (1e-7 + norm)."""
    w = np.array([[3.0], [4.0]])
    np.testing.assert_allclose(constraints.UnitNorm()(w), w / (5 + 1e-7), rtol=1e-14)


def test_min_max_norm_moves_a_part_of_the_way():
    """Norm 5 with maximum 1 and rate 1/4 becomes 1/4 + 5 * 3/4 = 4."""
    w = np.array([[3.0], [4.0]])
    result = constraints.MinMaxNorm(0.0, 1.0, rate=0.25)(w)
    assert norms(result) == pytest.approx(4, rel=1e-6)
    short = constraints.MinMaxNorm(10.0, 20.0)(w)
    assert norms(short) == pytest.approx(10, rel=1e-6)


@pytest.mark.parametrize("axis", [0, 1, -1, [0, 1], [0, 1, 2], (1, 2)])
def test_axis_says_which_numbers_share_a_norm(axis):
    """An int or a list; afterwards every such norm is one."""
    w = np.random.default_rng(1).normal(size=(2, 3, 4))
    result = constraints.UnitNorm(axis)(w)
    over = tuple(axis) if not isinstance(axis, int) else axis
    sums = (result**2).sum(over)
    np.testing.assert_allclose(sums, np.ones_like(sums), rtol=1e-5)


@pytest.mark.parametrize(
    "name, config",
    [
        ("max_norm", {"max_value": 2, "axis": 0}),
        ("non_neg", {}),
        ("unit_norm", {"axis": 0}),
        ("min_max_norm", {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}),
    ],
)
def test_defaults_are_keras_defaults(name, config):
    """As listed in the reference."""
    assert constraints.get(name).get_config() == config


@pytest.mark.parametrize("axis", [(0, 2), (1, 3), (0, 2, 4), [-1, 1]])
def test_axes_apart_share_a_norm_too(axis):
    """With others in between that have norms of their own."""
    w = np.random.default_rng(1).normal(size=(2, 3, 2, 2, 3))
    expected = w / np.sqrt((w * w).sum(tuple(axis), keepdims=True))
    np.testing.assert_allclose(constraints.UnitNorm(axis)(w), expected, rtol=1e-6)


# ---- laws -------------------------------------------------------------------------


@given(w=arrays, limit=st.floats(0.1, 5))
def test_max_norm_never_exceeds_and_never_turns(w, limit):
    """Norms are at most the limit and directions stay."""
    result = constraints.MaxNorm(limit)(w)
    assert (norms(result) <= limit).all()
    factor = result / w
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:1], w.shape), rtol=1e-9)


@pytest.mark.parametrize("name", ["max_norm", "non_neg", "unit_norm", "min_max_norm"])
@given(w=arrays)
def test_satisfied_constraints_change_nothing(name, w):
    """Applying one twice is applying it once, to epsilon."""
    constraint = constraints.get(name)
    once = constraint(w)
    np.testing.assert_allclose(constraint(once), once, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", constraints.CONSTRAINTS)
@given(w=arrays)
def test_project_writes_what_the_call_returns(name, w):
    """In place, while the call leaves its argument alone."""
    constraint = constraints.get(name)
    before = w.copy()
    result = constraint(w)
    assert (w == before).all() and result is not w
    inside = w.copy()
    assert constraint.project(inside) is None
    np.testing.assert_array_equal(inside, result)


def test_a_subclass_may_say_it_in_its_own_way():
    """Training asks it, not the kernel of its base."""

    class Halves(constraints.MaxNorm):
        def __call__(self, w):
            return w / 2

    w = np.full((2, 2), 8.0)
    Halves().project(w)
    assert (w == 4).all()


@given(w=arrays)
def test_a_unit_of_zeros_stays_zero(w):
    """Epsilon keeps the division finite."""
    for name in ["max_norm", "unit_norm", "min_max_norm"]:
        assert (constraints.get(name)(np.zeros_like(w)) == 0).all()


# ---- names and configurations -----------------------------------------------------


@pytest.mark.parametrize("name", constraints.CONSTRAINTS)
def test_every_name_is_an_attribute_and_survives_json(name):
    """name -> object -> configuration -> JSON -> object with equal settings."""
    made = constraints.get(name)
    assert type(made) is getattr(constraints, name)
    config = json.loads(json.dumps(constraints.serialize(made)))
    again = constraints.get(config)
    assert type(again) is type(made) and again.get_config() == made.get_config()
    assert type(made).from_config(config["config"]).get_config() == config["config"]


def test_lists_of_axes_survive_json():
    """A tuple comes back as a list and means the same."""
    config = constraints.serialize(constraints.MaxNorm(3, axis=(0, 1)))
    assert config["config"] == {"max_value": 3, "axis": [0, 1]}
    assert constraints.get(config).axis == [0, 1]


def test_none_objects_classes_and_functions_are_accepted():
    """A function becomes an object with project."""
    assert constraints.get(None) is None and constraints.serialize(None) is None
    made = constraints.NonNeg()
    assert constraints.get(made) is made
    assert isinstance(constraints.get(constraints.UnitNorm), constraints.UnitNorm)

    def halved(w):
        return w / 2

    w = np.array([2.0, 4.0])
    constraints.get(halved).project(w)
    assert w.tolist() == [1.0, 2.0]
    assert constraints.serialize(constraints.get(halved)) == "halved"


# ---- errors -----------------------------------------------------------------------


def test_unknown_names_suggest_the_nearest():
    """As a string and in a configuration."""
    with pytest.raises(ValueError, match="constraint 'maxnrm'. Did you mean 'maxnorm'"):
        constraints.get("maxnrm")
    with pytest.raises(ValueError, match="Unknown constraint 'Norm'"):
        constraints.get({"class_name": "Norm", "config": {}})


def test_what_is_no_constraint_is_refused():
    """With a TypeError that says what would be one."""
    with pytest.raises(TypeError, match="constraint: expected a name, a configuration"):
        constraints.get(3)


@pytest.mark.parametrize(
    "axis, shape, told",
    [(2, (3, 4), "no axis 2"), ((1, 3, 5), (2,) * 7, "more than six times")],
)
def test_axes_must_exist(axis, shape, told):
    """And take turns with the others at most six times."""
    with pytest.raises(ValueError, match=f"constraint: .*{told}"):
        constraints.UnitNorm(axis)(np.ones(shape))


def test_functions_must_keep_the_shape():
    """Otherwise nothing is written."""
    w = np.ones((2, 3))
    with pytest.raises(
        ValueError, match=r"constraint total: .* \(2, 3\) back, got \(\)"
    ):

        def total(w):
            return w.sum()

        constraints.get(total).project(w)
    assert (w == 1).all()


def test_base_classes_say_what_is_missing():
    """Constraint has no call, NormConstraint no rule."""
    with pytest.raises(NotImplementedError, match="Constraint has no __call__"):
        constraints.Constraint()(np.ones(1))
    with pytest.raises(NotImplementedError, match="NormConstraint has no limits"):
        constraints.NormConstraint()(np.ones(1))
