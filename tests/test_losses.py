"""Losses: values, gradients, laws, and what is said about wrong arguments."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kerasnb import losses
from kerasnb.device import ops, set_epsilon

EPS = 1e-7
NAMES = sorted({loss.name for loss in losses.LOSSES.values()})
RNG_SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([1, 2, 3, 5, 11])
HINGES = ("hinge", "squared_hinge")

Y = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
P = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]])


def unit(v):
    """Rows of length one, however short."""
    return v / np.sqrt(np.maximum((v**2).sum(-1, keepdims=True), 1e-12))


def sparse_reference(t, p):
    """-log q_c + log sum q."""
    q = np.clip(p, EPS, 1 - EPS)
    return np.log(q.sum(-1)) - np.log(q[np.arange(len(t)), t])


def categorical_reference(t, p):
    """-sum t log q, q the normalised row."""
    return -(t * np.log(np.clip(p / p.sum(-1, keepdims=True), EPS, 1 - EPS))).sum(-1)


def binary_reference(t, p):
    """Cross-entropy through the logit, as semantics.md writes it."""
    q = np.clip(p, EPS, 1 - EPS)
    z = np.log(q / (1 - q))
    return (np.maximum(z, 0) - z * t + np.log1p(np.exp(-abs(z)))).mean(-1)


def divergence_reference(t, p):
    """sum t log(t / p)."""
    t, p = np.clip(t, EPS, 1), np.clip(p, EPS, 1)
    return (t * np.log(t / p)).sum(-1)


def msle_reference(t, p):
    """Mean squared difference of log(x + 1)."""
    return (
        (np.log(np.maximum(p, EPS) + 1) - np.log(np.maximum(t, EPS) + 1)) ** 2
    ).mean(-1)


def categorical_hinge_reference(t, p):
    """max(0, wrong - right + 1)."""
    return np.maximum(0, ((1 - t) * p).max(-1) - (t * p).sum(-1) + 1)


REFERENCE = {
    "mean_squared_error": lambda t, p: ((p - t) ** 2).mean(-1),
    "mean_absolute_error": lambda t, p: abs(p - t).mean(-1),
    "mean_absolute_percentage_error": lambda t, p: (
        100 * (abs(t - p) / np.maximum(abs(t), EPS)).mean(-1)
    ),
    "mean_squared_logarithmic_error": msle_reference,
    "hinge": lambda t, p: np.maximum(1 - t * p, 0).mean(-1),
    "squared_hinge": lambda t, p: (np.maximum(1 - t * p, 0) ** 2).mean(-1),
    "categorical_hinge": categorical_hinge_reference,
    "logcosh": lambda t, p: np.log(np.cosh(p - t)).mean(-1),
    "categorical_crossentropy": categorical_reference,
    "sparse_categorical_crossentropy": sparse_reference,
    "binary_crossentropy": binary_reference,
    "kullback_leibler_divergence": divergence_reference,
    "poisson": lambda t, p: (p - t * np.log(p + EPS)).mean(-1),
    "cosine_proximity": lambda t, p: -(unit(t) * unit(p)).sum(-1),
}


def batch(name, seed, R, C, dtype="float64"):
    """Return targets and predictions that suit the loss, away from clips."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, (R, C))
    t = rng.uniform(0.05, 0.95, (R, C))
    if name == "sparse_categorical_crossentropy":
        return rng.integers(0, C, R), p.astype(dtype)
    if name in HINGES:
        t = rng.choice([-1.0, 1.0], (R, C))
        p = rng.normal(0, 1.5, (R, C))
    if "categorical" in name:
        t = np.eye(C)[rng.integers(0, C, R)]
    return t.astype(dtype), p.astype(dtype)


def margin(name, t, p):
    """Return the distance to the nearest kink."""
    if name in HINGES:
        return abs(1 - t * p).min()
    if "absolute" in name:
        return abs(p - t).min()
    if name == "categorical_hinge":
        wrong = np.sort((1 - t) * p)
        gap = (wrong[:, -1] - wrong[:, -2]).min() if p.shape[1] > 1 else 1.0
        return min(gap, abs(wrong[:, -1] - (t * p).sum(1) + 1).min())
    return 1.0


def rows_of(loss, t, p):
    """Run `forward` on its own."""
    s = np.full(len(p), np.nan, p.dtype)
    loss.forward(s, t, p)
    return s


def gradient_of(loss, t, p, ds=None):
    """Run `backward` on its own, into a buffer that holds rubbish."""
    dp = np.full(p.shape, 1e9, p.dtype)
    loss.backward(dp, t, p, np.ones(len(p), p.dtype) if ds is None else ds)
    return dp


# ---- reference ----


@pytest.mark.parametrize(
    "name, first, second",
    [
        ("mse", 0.046666667, 0.125),
        ("mae", 0.2, 0.333333333),
        ("msle", 0.022912509, 0.060782325),
        ("hinge", 0.766666667, 0.833333333),
        ("squared_hinge", 0.696666667, 0.75),
        ("categorical_hinge", 0.5, 0.75),
        ("logcosh", 0.023066844, 0.060658038),
        ("categorical_crossentropy", 0.356674944, 0.693147181),
        ("binary_crossentropy", 0.228393004, 0.422837108),
        ("kld", 0.356672112, 0.693144234),
        ("poisson", 0.452224934, 0.564382327),
        ("cosine", -0.952579344, -0.816496581),
    ],
)
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-6), ("float32", 1e-4)])
def test_vectors_of_the_specification(name, first, second, dtype, tolerance):
    """The two rows of the specification give its values."""
    value = losses.get(name)(Y.astype(dtype), P.astype(dtype))
    assert value.dtype == dtype
    np.testing.assert_allclose(value, [first, second], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
@given(seed=RNG_SEEDS, R=SIZES, C=SIZES)
def test_every_loss_equals_its_formula(name, seed, R, C):
    """Forward equals the formula in NumPy, row by row."""
    t, p = batch(name, seed, R, C)
    value = rows_of(losses.get(name), t, p)
    np.testing.assert_allclose(value, REFERENCE[name](t, p), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(seed=RNG_SEEDS, C=SIZES)
def test_float32_agrees_with_float64(name, seed, C):
    """Single precision gives the same values and gradients, to its precision."""
    t, p = batch(name, seed, 3, C, "float32")
    assume(margin(name, t, p) > 1e-3)
    wide = t if t.dtype.kind == "i" else t.astype("float64")
    loss = losses.get(name)
    s, dp = rows_of(loss, t, p), gradient_of(loss, t, p)
    assert s.dtype == dp.dtype == "float32"
    np.testing.assert_allclose(
        s, rows_of(loss, wide, p.astype("float64")), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        dp, gradient_of(loss, wide, p.astype("float64")), rtol=1e-3, atol=1e-4
    )


KERAS_NAMES = {
    "kullback_leibler_divergence": "kl_divergence",
    "cosine_proximity": "cosine_similarity",
    "logcosh": "log_cosh",
}


@pytest.mark.parametrize("name", NAMES)
def test_keras_agrees(keras, name):
    """An independent library gives the same values, to single precision."""
    t, p = batch(name, 5, 7, 4, "float32")
    if "crossentropy" in name:
        p /= p.sum(1, keepdims=True)
    theirs = getattr(keras.losses, KERAS_NAMES.get(name, name))(t, p)
    theirs = keras.ops.convert_to_numpy(theirs)
    np.testing.assert_allclose(losses.get(name)(t, p), theirs, rtol=1e-4, atol=1e-5)


# ---- gradient ----


@pytest.mark.parametrize("name", NAMES)
@given(seed=RNG_SEEDS, R=SIZES, C=SIZES)
def test_gradient_is_the_slope_of_the_loss(name, seed, R, C):
    """Along a random direction, central differences and backward agree."""
    t, p = batch(name, seed, R, C)
    assume(margin(name, t, p) > 1e-4)
    rng = np.random.default_rng(seed + 1)
    ds, v, h = rng.normal(size=R), rng.normal(size=(R, C)), 1e-6
    loss = losses.get(name)
    dp = gradient_of(loss, t, p, ds)
    rise = rows_of(loss, t, p + h * v) - rows_of(loss, t, p - h * v)
    scale = abs(dp * v).sum() + abs(ds).sum() * 1e-3
    assert abs((dp * v).sum() - ds @ rise / (2 * h)) <= 1e-6 * scale


@pytest.mark.parametrize(
    "name, t, p, expected",
    [
        ("binary_crossentropy", [0, 0, 1, 1], [-0.5, 0, 1, 1.5], [0, 0, 0, 0]),
        ("kld", [0.2, 0.2, 0.2, 0.2], [-1, 0, 1.5, 1], [0, 0, 0, -0.2]),
        ("msle", [1, 1, 1, 1], [-1, -0.5, 0, -1e-9], [0, 0, 0, 0]),
        ("categorical_crossentropy", [1, 1, 1, 0], [0, 0, 0, 2], [0, 0, 0, 0]),
    ],
)
def test_gradient_is_zero_outside_a_clip(name, t, p, expected):
    """Where the clip holds a value, a small change of the prediction does nothing."""
    dp = gradient_of(losses.get(name), np.array([t], "d"), np.array([p], "d"))
    np.testing.assert_allclose(dp, [expected], atol=1e-12)


def test_sparse_gradient_is_zero_outside_the_clip():
    """A column that is clipped gets no gradient, not even the right one."""
    p = np.array([[0.0, 0.4, 1.0]])
    for label, mine in ((0, 1 / 1.4), (1, 1 / 1.4 - 1 / 0.4)):
        dp = gradient_of(losses.sparse_categorical_crossentropy, np.array([label]), p)
        np.testing.assert_allclose(dp, [[0, mine, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    "name, t, p",
    [
        ("mae", [0.25, -3.0], [0.25, -3.0]),
        ("mape", [0.25, -3.0], [0.25, -3.0]),
        ("hinge", [1.0, -1.0], [1.0, -1.0]),
        ("squared_hinge", [1.0, -1.0], [1.0, -1.0]),
        ("categorical_hinge", [1.0, 0.0], [1.5, 0.5]),
    ],
)
def test_gradient_is_zero_at_an_exact_kink(name, t, p):
    """At the corner itself neither side is chosen."""
    dp = gradient_of(losses.get(name), np.array([t]), np.array([p]))
    np.testing.assert_array_equal(dp, [[0.0, 0.0]])


def test_equal_wrong_classes_share_the_gradient():
    """In categorical_hinge, classes that tie for the largest are pushed down alike."""
    t, p = np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[0.3, 0.4, 0.4, 0.1]])
    dp = gradient_of(losses.categorical_hinge, t, p)
    np.testing.assert_allclose(dp, [[-1, 0.5, 0.5, 0]])


# ---- laws ----


@pytest.mark.parametrize("name", NAMES)
@given(seed=RNG_SEEDS, R=SIZES, C=SIZES)
def test_permuting_rows_permutes_values_and_gradients(name, seed, R, C):
    """A row's value and gradient depend on nothing but the row."""
    t, p = batch(name, seed, R, C)
    order = np.random.default_rng(seed).permutation(R)
    loss = losses.get(name)
    np.testing.assert_array_equal(
        rows_of(loss, t[order], p[order]), rows_of(loss, t, p)[order]
    )
    np.testing.assert_array_equal(
        gradient_of(loss, t[order], p[order]), gradient_of(loss, t, p)[order]
    )


@pytest.mark.parametrize("name", NAMES)
def test_nan_travels(name):
    """A NaN among the predictions shows in its row and its gradient, nowhere else."""
    t, p = batch(name, 3, 3, 5)
    p[1, 2] = np.nan
    s, dp = rows_of(losses.get(name), t, p), gradient_of(losses.get(name), t, p)
    assert np.isnan(s).tolist() == [False, True, False]
    assert np.isnan(dp[1, 2])
    assert np.isfinite(dp[[0, 2]]).all()


@pytest.mark.parametrize("name", ["mse", "mae", "msle", "mape", "logcosh", "kld"])
@given(seed=RNG_SEEDS, C=SIZES)
def test_a_perfect_prediction_costs_nothing(name, seed, C):
    """Every distance of a row to itself is zero."""
    t, _ = batch(name, seed, 2, C)
    np.testing.assert_allclose(rows_of(losses.get(name), t, t), 0, atol=1e-15)


@given(seed=RNG_SEEDS, C=SIZES)
def test_sparse_and_one_hot_agree_on_rows_that_sum_to_one(seed, C):
    """For probabilities, class numbers and one-hot rows mean the same."""
    labels, p = batch("sparse_categorical_crossentropy", seed, 4, C)
    p /= p.sum(1, keepdims=True)
    sparse = losses.sparse_categorical_crossentropy(labels, p)
    one_hot = losses.categorical_crossentropy(np.eye(C)[labels], p)
    np.testing.assert_allclose(sparse, one_hot, rtol=1e-6, atol=1e-6)


@given(seed=RNG_SEEDS, C=st.sampled_from([2, 3, 5, 11]))
def test_cross_entropy_after_softmax_has_the_gradient_p_minus_t(seed, C):
    """Through the derivative of softmax, dz = p - t, which sums to zero per row."""
    t, z = batch("categorical_crossentropy", seed, 3, C)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    dp = gradient_of(losses.categorical_crossentropy, t, p)
    dz = p * (dp - (dp * p).sum(1, keepdims=True))
    np.testing.assert_allclose(dz, p - t, atol=1e-12)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "cosine"])
@given(seed=RNG_SEEDS, C=SIZES, factor=st.sampled_from([0.25, 3.0, 1e3]))
def test_the_scale_of_a_row_does_not_matter(name, seed, C, factor):
    """The loss normalises the row, so its gradient is orthogonal to the row."""
    t, p = batch(name, seed, 3, C)
    loss = losses.get(name)
    np.testing.assert_allclose(
        rows_of(loss, t, factor * p), rows_of(loss, t, p), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose((gradient_of(loss, t, p) * p).sum(1), 0, atol=1e-12)


def test_cosine_of_a_zero_vector_is_zero():
    """A vector without a direction is at a right angle to all, and the slope finite."""
    t, p = np.array([[3.0, 4.0]]), np.zeros((1, 2))
    assert rows_of(losses.cosine, t, p).tolist() == [0.0]
    np.testing.assert_allclose(gradient_of(losses.cosine, t, p), [[-0.6e6, -0.8e6]])
    np.testing.assert_array_equal(gradient_of(losses.cosine, p, p), [[0.0, 0.0]])


def test_a_class_without_a_column_gives_nan():
    """The kernel reads nothing outside the row: the loss is NaN instead."""
    p = np.full((2, 3), 0.3)
    s = rows_of(losses.sparse_categorical_crossentropy, np.array([3, -1]), p)
    assert np.isnan(s).all()


def test_logarithm_of_a_negative_rate_is_nan_without_an_exception():
    """Poisson with p < -eps is NaN, and p = -eps infinite."""
    t, p = np.array([[1.0], [1.0]]), np.array([[-0.5], [-EPS]])
    s = rows_of(losses.poisson, t, p)
    assert np.isnan(s[0]) and np.isposinf(s[1])


@pytest.mark.parametrize("shape", [(37, 11), (5, 301)])
def test_serial_and_parallel_gradients_have_the_same_bits(shape):
    """Each row has one owner, so the number of threads cannot matter."""
    t, p = batch("binary_crossentropy", 8, *shape)
    ds, one, two = np.ones(shape[0]), np.empty(shape), np.empty(shape)
    ops.binary_crossentropy_backward.serial(one, t, p, ds, EPS)
    ops.binary_crossentropy_backward.parallel(two, t, p, ds, EPS)
    np.testing.assert_array_equal(one, two)


def test_sums_over_rows_are_taken_in_double_precision():
    """weighted_sum keeps what a float32 sum would lose."""
    out, s = np.empty(1), np.array([1e8, 1, -1e8, 2], "float32")
    ops.weighted_sum(out, np.array([1, 3, 1, 0.5], "float32"), s)
    assert out[0] == 4


def test_no_rows_give_no_values():
    """An empty batch has an empty result."""
    assert losses.mse(np.empty((0, 3)), np.empty((0, 3))).shape == (0,)


def test_rows_are_the_last_axis():
    """The result has the shape of the predictions without the last axis."""
    p = np.random.default_rng(0).uniform(size=(2, 3, 4))
    t = np.zeros_like(p)
    np.testing.assert_allclose(losses.mse(t, p), (p**2).mean(-1))
    assert losses.mse(t[0, 0], p[0, 0]).shape == ()
    labels = np.array([[0, 1, 2], [3, 2, 1]])
    for y in (labels, labels[..., None], labels.ravel()):
        value = losses.sparse_categorical_crossentropy(y, p)
        assert value.shape == (2, 3)
        np.testing.assert_allclose(
            value.ravel(), sparse_reference(labels.ravel(), p.reshape(6, 4))
        )


def test_any_kind_of_array_is_accepted_and_left_alone():
    """Lists, integers, half precision, strides and read-only arrays are converted."""
    expected = losses.mse(Y, P)
    frozen = Y.copy()
    frozen.flags.writeable = False
    wide = np.repeat(P, 2, axis=1)
    np.testing.assert_array_equal(losses.mse(Y.tolist(), P.tolist()), expected)
    np.testing.assert_array_equal(
        losses.mse(frozen.astype(int), wide[:, ::2]), expected
    )
    np.testing.assert_array_equal(losses.mse(frozen, P), expected)
    half = losses.mse(Y, P.astype("float16"))
    assert half.dtype == "float32"
    np.testing.assert_allclose(half, expected, rtol=1e-2)
    np.testing.assert_array_equal(frozen, Y)


def test_the_fuzz_factor_is_read_at_each_call():
    """set_epsilon acts on losses that exist already."""
    try:
        set_epsilon(1e-2)
        value = losses.binary_crossentropy([[1.0]], [[0.0]])
    finally:
        set_epsilon(EPS)
    np.testing.assert_allclose(value, -np.log(1e-2))
    np.testing.assert_allclose(
        losses.binary_crossentropy([[1.0]], [[0.0]]), -np.log(EPS)
    )


def test_the_kernel_is_looked_up_at_each_call(monkeypatch):
    """A change of device acts on losses that exist already."""

    def all_ones(s, t, p, eps):
        s[:] = 1

    monkeypatch.setattr(ops, "hinge_forward", all_ones)
    assert losses.hinge(Y, P).tolist() == [1, 1]


@pytest.mark.parametrize(
    "alias, name",
    [
        ("mse", "mean_squared_error"),
        ("MSE", "mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("MAE", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("MAPE", "mean_absolute_percentage_error"),
        ("msle", "mean_squared_logarithmic_error"),
        ("MSLE", "mean_squared_logarithmic_error"),
        ("kld", "kullback_leibler_divergence"),
        ("KLD", "kullback_leibler_divergence"),
        ("cosine", "cosine_proximity"),
    ],
)
def test_aliases_mean_the_same_loss(alias, name):
    """An alias is another name of the same object."""
    assert losses.get(alias) is losses.get(name) is getattr(losses, alias)


class HalfSquare(losses.Loss):
    """A user's own loss."""

    def __init__(self, factor=0.5):
        self.factor = factor

    def forward(self, s, t, p):
        """s = factor sum (p - t)^2."""
        s[:] = self.factor * ((p - t) ** 2).sum(1)

    def backward(self, dp, t, p, ds):
        """dp = ds 2 factor (p - t)."""
        dp[:] = 2 * self.factor * ds[:, None] * (p - t)

    def get_config(self):
        """Return the factor."""
        return {"factor": self.factor}


def test_get_accepts_every_form():
    """Name, instance, class and config dict."""
    own = HalfSquare(2.0)
    assert losses.get(own) is own
    assert isinstance(losses.get(HalfSquare), HalfSquare)
    assert losses.get({"class_name": "mse", "config": {}}) is losses.mse
    np.testing.assert_allclose(own([[0.0, 0.0]], [[1.0, 2.0]]), [10.0])
    assert own.name == "HalfSquare"
    assert repr(own) == "<loss HalfSquare>"


@pytest.mark.parametrize("name", NAMES)
def test_names_survive_serialize_and_get(name):
    """A built-in loss is written as its name."""
    loss = losses.get(name)
    assert losses.serialize(loss) == name
    assert losses.get(losses.serialize(loss)) is loss
    assert loss.get_config() == {}


def test_an_own_loss_is_written_with_its_config():
    """A loss of one's own is written as class name and config."""
    assert losses.serialize(HalfSquare(3.0)) == {
        "class_name": "HalfSquare",
        "config": {"factor": 3.0},
    }


# ---- errors ----


def test_unknown_names_are_refused_with_the_nearest_one():
    """A misspelt name is answered with the right one."""
    with pytest.raises(ValueError, match="Unknown loss 'mean_sqared_error'. Did you "):
        losses.get("mean_sqared_error")


def test_what_is_no_loss_is_refused():
    """Numbers, classes that are no losses, functions of something else."""
    for wrong in (3, dict):
        with pytest.raises(TypeError, match="expected a name such as 'mse', a Loss or"):
            losses.get(wrong)
    with pytest.raises(TypeError, match="loss '<lambda>': expected a function of .y_t"):
        losses.get(lambda p: p)


def test_a_loss_without_its_methods_says_so():
    """Forward and backward are the two things that a loss must have."""

    class Empty(losses.Loss):
        """Nothing."""

    with pytest.raises(NotImplementedError, match="Empty: the loss has no method forw"):
        Empty()(Y, P)
    with pytest.raises(
        NotImplementedError, match="Empty: the loss has no method backw"
    ):
        gradient_of(Empty(), Y, P)


@pytest.mark.parametrize(
    "name, y, p, message",
    [
        ("mean_squared_error", [[1.0, 2.0]], 1.0, r"at least one column, got \(\)"),
        ("mean_squared_error", [[]], [[]], r"at least one column, got \(1, 0\)"),
        (
            "mean_squared_error",
            [[1.0], [2.0]],
            [1.0, 2.0],
            r"shape \(2,\), got \(2, 1\). Reshape",
        ),
        ("categorical_crossentropy", [[1], [0]], P, r"\(2, 1\). Class numbers become"),
        (
            "sparse_categorical_crossentropy",
            Y,
            P,
            "one class number for each of 2 rows, ",
        ),
        ("sparse_categorical_crossentropy", Y, P, r"y.argmax\(axis=-1\)"),
        ("sparse_categorical_crossentropy", [0, 3], P, "from 0 to 2, got 3"),
        ("sparse_categorical_crossentropy", [0, -1], P, "from 0 to 2, got -1"),
        ("sparse_categorical_crossentropy", [0, 0.5], P, "from 0 to 2, got 0.5"),
        ("sparse_categorical_crossentropy", [0, np.nan], P, "from 0 to 2, got nan"),
    ],
)
def test_wrong_targets_are_refused(name, y, p, message):
    """The message names the loss, what was expected and what came."""
    with pytest.raises(ValueError, match=f"{name}: expected .*{message}"):
        losses.get(name)(y, p)
