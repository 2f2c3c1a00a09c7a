"""Initializers: limits, statistics, algebra, names and errors (semantics 8.1)."""

import json

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import initializers

SHAPE = (20, 30) if numba.config.DISABLE_JIT else (200, 300)
COUNT = SHAPE[0] * SHAPE[1]
SCALED = ["glorot_uniform", "glorot_normal", "lecun_uniform"]
SCALED += ["lecun_normal", "he_uniform", "he_normal"]

# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, expected",
    [
        ((10, 20), (10, 20)),
        ((3, 4, 5), (12, 15)),
        ((3, 3, 3, 16), (27, 144)),
        ((2, 3, 4, 5, 6), (120, 144)),
        ((7,), (7**0.5, 7**0.5)),
        ((), (1, 1)),
        ((2, 2, 2, 2, 2, 2), (8, 8)),
    ],
)
def test_fans_count_inputs_and_outputs_of_a_unit(shape, expected):
    """Windows multiply both; other ranks take the root of the size."""
    assert initializers.fans(shape) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name, shape, limit",
    [
        ("glorot_uniform", (10, 20), 0.447213595),
        ("glorot_uniform", (3, 16), 0.561951487),
        ("glorot_uniform", (3, 3, 3, 16), 0.187317162),
        ("lecun_uniform", (10, 20), (3 / 10) ** 0.5),
        ("he_uniform", (10, 20), (6 / 10) ** 0.5),
        ("he_normal", (10, 20), 2 * 0.508413539),
        ("lecun_normal", (10, 20), 2 * 0.1**0.5 / 0.87962566103423978),
        ("glorot_normal", (10, 20), 2 * (1 / 15) ** 0.5 / 0.87962566103423978),
    ],
)
def test_scaled_initializers_reach_and_keep_their_limits(name, shape, limit):
    """No value beyond the limit, and some of many near it."""
    made = getattr(initializers, name)
    values = [abs(made(seed)(shape, "float64")).max() for seed in range(4)]
    assert 0.9 * limit < max(values) <= limit * (1 + 1e-9)


@pytest.mark.parametrize("name", SCALED)
def test_scaled_initializers_have_their_variance(name):
    """scale / fan, within five standard errors."""
    scale = 2.0 if name.startswith("he") else 1.0
    fan = sum(SHAPE) / 2 if name.startswith("glorot") else SHAPE[0]
    w = getattr(initializers, name)(seed=11)(SHAPE, "float64")
    unit = w * (fan / scale) ** 0.5
    assert abs(unit.mean()) < 5 / COUNT**0.5
    assert abs((unit**2).mean() - 1) < 5 / COUNT**0.5


def test_plain_random_initializers_have_their_moments():
    """Mean and standard deviation as asked for."""
    normal = initializers.RandomNormal(2.0, 0.5, seed=1)(SHAPE, "float64")
    assert abs(normal.mean() - 2) < 2.5 / COUNT**0.5
    assert abs(normal.std() - 0.5) < 2.5 / COUNT**0.5
    cut = initializers.TruncatedNormal(2.0, 0.5, seed=1)(SHAPE, "float64")
    assert 0.9 < abs(cut - 2).max() <= 1
    assert abs(cut.std() - 0.5 * 0.8796) < 2.5 / COUNT**0.5
    flat = initializers.RandomUniform(1.0, 3.0, seed=1)(SHAPE, "float64")
    assert 1 <= flat.min() < 1.1 and 2.9 < flat.max() < 3
    assert abs(flat.mean() - 2) < 5 / COUNT**0.5


@pytest.mark.parametrize(
    "name, config",
    [
        ("random_normal", {"mean": 0.0, "stddev": 0.05, "seed": None}),
        ("truncated_normal", {"mean": 0.0, "stddev": 0.05, "seed": None}),
        ("random_uniform", {"minval": -0.05, "maxval": 0.05, "seed": None}),
        ("orthogonal", {"gain": 1.0, "seed": None}),
        ("identity", {"gain": 1.0}),
        ("constant", {"value": 0}),
        ("zeros", {}),
    ],
)
def test_defaults_are_keras_defaults(name, config):
    """As listed in the reference."""
    assert initializers.get(name).get_config() == config


def test_constant_ones_and_zeros_are_full_of_their_value():
    """In floatx, or in the dtype that is asked for."""
    for initializer, value in [("zeros", 0), ("ones", 1), ("constant", 0)]:
        w = initializers.get(initializer)((2, 3))
        assert w.dtype == np.float32 and (w == value).all()
    assert initializers.Constant(2.5)((3,), "float64").tolist() == [2.5] * 3


def test_floatx_decides_the_dtype(float64):
    """Every initializer without a dtype follows set_floatx."""
    for name in ["zeros", "ones", "constant", "normal", "uniform", "orthogonal"]:
        assert initializers.get(name)((2, 2)).dtype == np.float64
    assert initializers.get("identity")((2, 2)).dtype == np.float64


# ---- laws -------------------------------------------------------------------------


@given(
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=4),
    gain=st.sampled_from([1.0, 0.5, 2.0]),
)
def test_orthogonal_rows_or_columns_are_orthonormal(shape, gain):
    """The shorter side of the flattened matrix is orthogonal, of length gain."""
    q = initializers.Orthogonal(gain, seed=1)(tuple(shape), "float64")
    assert q.shape == tuple(shape)
    q = q.reshape(-1, shape[-1])
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, gain**2 * np.eye(min(q.shape)), atol=1e-10)


@given(side=st.integers(1, 5), times=st.integers(1, 4), tall=st.booleans())
def test_identity_stacks_identities_along_the_longer_side(side, times, tall):
    """Each block is gain I."""
    shape = (side * times, side) if tall else (side, side * times)
    w = initializers.Identity(2.0)(shape)
    blocks = np.split(w, times, axis=0 if tall else 1)
    assert all((block == 2 * np.eye(side)).all() for block in blocks)


@pytest.mark.parametrize("name", [*SCALED, "normal", "uniform", "orthogonal"])
def test_a_seed_repeats_and_no_seed_goes_on(name):
    """With a seed each call gives the same values, without one never twice."""
    made = initializers.INITIALIZERS[name]
    fixed, free = made(seed=3), made()
    assert (fixed((4, 5)) == fixed((4, 5))).all()
    assert (made(seed=4)((4, 5)) != fixed((4, 5))).any()
    assert (free((4, 5)) != free((4, 5))).any()


def test_the_process_wide_seed_decides_unseeded_values():
    """Equal set_seed, equal weights; NumPy's own generator is not touched."""
    state = np.random.get_state()[1].copy()
    first = initializers.get("glorot_uniform")((3, 4))
    kerasnb.set_seed(0)
    assert (initializers.get("glorot_uniform")((3, 4)) == first).all()
    initializers.Orthogonal(seed=1)((3, 3))
    assert (np.random.get_state()[1] == state).all()


def test_float32_values_are_the_float64_values_rounded():
    """One seed means one set of numbers, in either precision."""
    for name in ["he_normal", "glorot_uniform", "orthogonal"]:
        made = initializers.INITIALIZERS[name](seed=5)
        np.testing.assert_allclose(
            made((6, 7), "float32"), made((6, 7), "float64"), rtol=1e-6, atol=1e-7
        )


# ---- names and configurations -----------------------------------------------------


@pytest.mark.parametrize("name", initializers.INITIALIZERS)
def test_every_name_works_and_survives_json(name):
    """name -> object -> configuration -> JSON -> object with equal settings."""
    initializer = initializers.get(name)
    w = initializer((4, 4))
    assert w.shape == (4, 4) and w.dtype == np.float32
    config = json.loads(json.dumps(initializers.serialize(initializer)))
    again = initializers.get(config)
    assert type(again) is type(initializer)
    assert again.get_config() == initializer.get_config()
    rebuilt = type(again).from_config(config["config"])
    assert rebuilt.get_config() == config["config"]


@pytest.mark.parametrize(
    "aliases",
    [
        ("Zeros", "zeros", "zero"),
        ("Ones", "ones", "one"),
        ("Constant", "constant"),
        ("RandomNormal", "random_normal", "normal"),
        ("RandomUniform", "random_uniform", "uniform"),
        ("TruncatedNormal", "truncated_normal"),
        ("Orthogonal", "orthogonal"),
        ("Identity", "identity"),
    ],
)
def test_aliases_mean_one_class_and_are_attributes(aliases):
    """As strings and as names of the module."""
    classes = {type(initializers.get(alias)) for alias in aliases}
    assert classes == {getattr(initializers, alias) for alias in aliases}
    assert len(classes) == 1


def test_objects_classes_factories_and_functions_are_accepted():
    """Whatever can be called with a shape."""
    one = initializers.Ones()
    assert initializers.get(one) is one
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)
    assert initializers.get(initializers.he_normal).scale == 2.0

    def twos(shape, dtype=None):
        return np.full(shape, 2, dtype)

    assert initializers.get(twos) is twos
    assert initializers.serialize(twos) == "twos"

    class Threes(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 3, dtype)

    assert initializers.get(Threes)((1,)).tolist() == [3]
    assert initializers.serialize(Threes()) == {"class_name": "Threes", "config": {}}


# ---- errors -----------------------------------------------------------------------


def test_unknown_names_suggest_the_nearest():
    """As a string and in a configuration."""
    with pytest.raises(ValueError, match="initializer 'he_norml'. Did you mean 'he_no"):
        initializers.get("he_norml")
    with pytest.raises(ValueError, match="Unknown initializer 'Zeross'"):
        initializers.get({"class_name": "Zeross", "config": {}})


@pytest.mark.parametrize("identifier", [None, 3, {"config": {}}])
def test_what_is_no_initializer_is_refused(identifier):
    """With a TypeError that says what would be one."""
    with pytest.raises(TypeError, match="initializer: expected a name, a config"):
        initializers.get(identifier)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan")])
def test_variance_scaling_needs_a_positive_scale(scale):
    """Zero, negative and NaN are refused."""
    with pytest.raises(ValueError, match="VarianceScaling: expected a positive scale"):
        initializers.VarianceScaling(scale)


def test_variance_scaling_knows_three_modes_and_two_distributions():
    """Others are refused with the nearest name; case does not count."""
    with pytest.raises(ValueError, match="mode of VarianceScaling 'fan'"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ValueError, match="distribution of VarianceScaling 'unifrom'"):
        initializers.VarianceScaling(distribution="unifrom")
    assert initializers.VarianceScaling(mode="Fan_OUT").mode == "fan_out"


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 2, 2), (0, 3)])
def test_identity_needs_a_matrix_of_whole_squares(shape):
    """Other shapes are refused."""
    with pytest.raises(ValueError, match="Identity: expected two axes, one a multiple"):
        initializers.Identity()(shape)


def test_orthogonal_needs_two_axes():
    """A bias has no rows and columns."""
    with pytest.raises(ValueError, match="Orthogonal: expected a shape of two or more"):
        initializers.Orthogonal()((3,))


def test_bad_seeds_name_the_initializer():
    """Negative and fractional seeds are refused at once."""
    with pytest.raises(ValueError, match="RandomNormal: seed: expected a whole number"):
        initializers.RandomNormal(seed=-1)
    with pytest.raises(TypeError, match="VarianceScaling: seed: expected a whole"):
        initializers.he_normal(seed=0.5)


def test_a_base_class_says_what_is_missing():
    """Initializer itself cannot be called."""
    with pytest.raises(NotImplementedError, match="Initializer has no __call__"):
        initializers.Initializer()((1,))
