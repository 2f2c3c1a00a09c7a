"""The functions K: NumPy's numbers under Keras's names, and nothing stripped."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Sequential
from kerasnb import backend as K
from kerasnb import losses
from kerasnb.activations import ACTIVATIONS
from kerasnb.layers import Dense
from kerasnb.optimizers import SGD, Adam

X = np.array([[0.5, -1.25, 2.0], [3.0, 0.0, -0.75]])
ROWS = st.lists(st.lists(st.floats(-5, 5), min_size=3, max_size=3), min_size=1)

# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, expected",
    [
        ("square", X**2),
        ("sqrt", np.sqrt(np.maximum(X, 0))),
        ("exp", np.exp(X)),
        ("abs", abs(X)),
        ("sign", np.sign(X)),
        ("round", np.round(X)),
        ("sin", np.sin(X)),
        ("cos", np.cos(X)),
        ("tanh", np.tanh(X)),
        ("transpose", X.T),
        ("flatten", X.ravel()),
        ("batch_flatten", X),
        ("softsign", X / (1 + abs(X))),
        ("argmax", [2, 0]),
        ("argmin", [1, 2]),
        ("cumsum", np.cumsum(X, 0)),
        ("cumprod", np.cumprod(X, 0)),
        ("expand_dims", X[..., None]),
    ],
)
def test_a_function_of_one_array_is_numpys(name, expected):
    """K.name(x), of an array, of nested lists and of a variable."""
    function = getattr(K, name)
    np.testing.assert_allclose(function(X), expected)
    np.testing.assert_allclose(function(X.tolist()), expected, rtol=1e-6)
    np.testing.assert_allclose(function(K.variable(X, "float64")), expected)


@given(ROWS, st.sampled_from([None, 0, 1, -1, [0, 1], (1,)]), st.booleans())
def test_reductions_follow_axis_and_keepdims(rows, axis, keepdims):
    """Sum, product, extremes, mean, variance; a list of axes is a tuple of them."""
    x = np.array(rows)
    axes = tuple(axis) if isinstance(axis, list) else axis
    for name in ("sum", "prod", "max", "min", "mean", "var", "std"):
        expected = getattr(np, name)(x, axis=axes, keepdims=keepdims)
        got = getattr(K, name)(x, axis, keepdims)
        np.testing.assert_allclose(got, expected, atol=1e-12)
    positive = K.greater(x, 0)
    for name in ("any", "all"):
        expected = getattr(np, name)(positive, axis=axes, keepdims=keepdims)
        np.testing.assert_array_equal(
            getattr(K, name)(positive, axis, keepdims), expected
        )
    expected = np.log(np.exp(x).sum(axis=axes, keepdims=keepdims))
    np.testing.assert_allclose(K.logsumexp(x, axis, keepdims), expected, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "elu",
        "sigmoid",
        "hard_sigmoid",
        "tanh",
        "softplus",
        "softsign",
        "softmax",
    ],
)
@given(rows=ROWS)
def test_activations_agree_with_the_kernels(name, rows):
    """The same formula once more, in NumPy; NaN travels through both."""
    x = np.array(rows)
    expected = ACTIVATIONS[name](x)
    np.testing.assert_allclose(getattr(K, name)(x), expected, rtol=1e-6, atol=1e-9)
    assert np.isnan(getattr(K, name)([[math.nan, 1.0]])).any()


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, [0, 0, 0.5, 4]),
        ({"alpha": 0.1}, [-0.2, 0, 0.5, 4]),
        ({"max_value": 2}, [0, 0, 0.5, 2]),
        ({"threshold": 1}, [0, 0, 0, 4]),
        ({"alpha": 0.1, "threshold": 1.0}, [-0.3, -0.1, -0.05, 4]),
    ],
)
def test_relu_has_a_slope_a_cap_and_a_threshold(arguments, expected):
    """relu(x, alpha, max_value, threshold)."""
    x = [-2.0, 0.0, 0.5, 4.0]
    np.testing.assert_allclose(K.relu(x, **arguments), expected, atol=1e-7)


T = np.array([[0, 1, 0], [1, 0, 0]])
P = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]])


def test_crossentropies_have_the_reference_values():
    """semantics.md §5.1; the binary one is left number by number."""
    rows = [0.356674944, 0.693147181]
    np.testing.assert_allclose(K.categorical_crossentropy(T, P), rows, rtol=1e-8)
    sparse = K.sparse_categorical_crossentropy([[1], [0]], P)
    np.testing.assert_allclose(sparse, rows, rtol=1e-6)
    binary = K.binary_crossentropy(T, P)
    assert binary.shape == P.shape
    means = [0.228393004, 0.422837108]
    np.testing.assert_allclose(K.mean(binary, axis=-1), means, rtol=1e-6)


@given(ROWS)
def test_logits_give_the_crossentropy_of_their_probabilities(rows):
    """from_logits=True of z is from_logits=False of softmax(z) or sigmoid(z)."""
    z = np.array(rows)
    labels = np.arange(len(z)) % 3
    t = K.one_hot(labels, 3)
    p = K.softmax(z)
    expected = losses.categorical_crossentropy(t, p)
    got = K.categorical_crossentropy(t, z, from_logits=True)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    got = K.sparse_categorical_crossentropy(labels, z, from_logits=True)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    expected = K.binary_crossentropy(t, K.sigmoid(z))
    got = K.binary_crossentropy(t, z, from_logits=True)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "x, y, axes, shape",
    [
        ((4, 2, 3), (4, 3, 5), None, (4, 2, 5)),
        ((4, 3), (4, 3), None, (4, 1)),
        ((4, 3), (4, 3), 1, (4, 1)),
        ((4, 3), (4, 5, 3), (1, 2), (4, 5)),
        ((4, 3, 2), (4, 3, 5), (1, 1), (4, 2, 5)),
        ((4, 3, 2), (4, 3), [-2, -1], (4, 2)),
    ],
)
def test_batch_dot_is_a_product_for_each_sample(x, y, axes, shape):
    """np.tensordot of every pair, one axis each; a single number becomes a column."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=x), rng.normal(size=y)
    got = K.batch_dot(a, b, axes)
    assert got.shape == shape
    i, j = (1, 1) if axes == 1 else axes or (len(x) - 1, max(1, len(y) - 2))
    for n in range(4):
        one = np.tensordot(a[n], b[n], ((i % len(x)) - 1, (j % len(y)) - 1))
        np.testing.assert_allclose(got[n], one.reshape(shape[1:]))


def test_dot_sums_over_the_last_and_the_last_but_one_axis():
    """(2, 3, 4) . (5, 4, 6) -> (2, 3, 5, 6)."""
    assert K.dot(np.ones((2, 3, 4)), np.ones((5, 4, 6))).shape == (2, 3, 5, 6)


def test_shapes_change_as_in_keras():
    """One call each of what moves numbers without changing them."""
    x = np.arange(6.0).reshape(2, 3)
    assert K.reshape(x, [3, -1]).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert K.permute_dimensions(x[None], (2, 0, 1)).shape == (3, 1, 2)
    assert K.squeeze(x[:, None], 1).shape == (2, 3)
    assert K.concatenate([x, x]).shape == (2, 6)
    assert K.concatenate([x, K.variable(x)], axis=0).shape == (4, 3)
    assert K.stack([x, x], axis=1).shape == (2, 2, 3)
    assert K.repeat(x, 4).shape == (2, 4, 3)
    assert K.repeat_elements(x, 2, axis=0).tolist() == [[0, 1, 2]] * 2 + [[3, 4, 5]] * 2
    assert K.tile(x, [1, 2]).tolist() == [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]]
    assert K.tile([1, 2], 2).tolist() == [1, 2, 1, 2]
    assert K.reverse(x, axes=[1]).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert K.gather(x, [1.0, 0.0, 1.0]).tolist() == x[[1, 0, 1]].tolist()
    assert K.arange(3).tolist() == [0, 1, 2] and K.dtype(K.arange(3)) == "int32"
    assert K.arange(1, 7, 3, dtype="float32").tolist() == [1.0, 4.0]
    assert K.batch_flatten(np.ones((2, 3, 4))).shape == (2, 12)


def test_comparisons_and_clipping_work_number_by_number():
    """equal, greater, maximum, clip, pow, switch."""
    assert K.equal([1, 2], [1, 3]).tolist() == [True, False]
    assert K.not_equal([1, 2], 1).tolist() == [False, True]
    assert K.less([1, 2], 2).tolist() == [True, False]
    assert K.less_equal([1, 3], 2).tolist() == [True, False]
    assert K.greater_equal([1, 3], 2).tolist() == [False, True]
    assert K.maximum([1.0, 5.0], 2).tolist() == [2, 5]
    assert K.minimum(2, [1.0, 5.0]).tolist() == [1, 2]
    assert K.clip([-1.0, 0.5, 3.0], 0, None).tolist() == [0, 0.5, 3]
    assert K.clip([-1.0, 0.5], 1, 0).tolist() == [1, 1]
    assert K.pow([2.0, 3.0], 2).tolist() == [4, 9]
    assert K.switch(K.greater([1, 3], 2), [1.0, 1.0], 0).tolist() == [0, 1]
    assert K.switch(True, lambda: 4.0, lambda: 1 / 0) == 4
    rows = K.switch([True, False], np.ones((2, 3)), np.zeros((2, 3)))
    assert rows.tolist() == [[1, 1, 1], [0, 0, 0]]


def test_the_k_best_are_counted_with_ties():
    """A class is among the k best if fewer than k are strictly better."""
    p = [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [math.nan, 0.5, 0.5]]
    assert K.in_top_k(p, [0, 1, 0], 1).tolist() == [False, True, False]
    assert K.in_top_k(p, [2, 2, 1], 2).tolist() == [True, False, True]


def test_a_vector_of_norm_one_comes_out_of_l2_normalize():
    """And zeros stay zeros."""
    y = K.l2_normalize([[3.0, 4.0], [0.0, 0.0]], axis=1)
    np.testing.assert_allclose(y, [[0.6, 0.8], [0, 0]], rtol=1e-6)


# ---- laws -------------------------------------------------------------------------


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that passes for none: what NumPy calls do with it is written down."""

    def __init__(self, value, calls):
        self.value, self.calls = value, calls

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    dtype = property(lambda self: self.value.dtype)

    def __array__(self, *args, **kwargs):
        raise AssertionError("the wrapper was stripped")

    def astype(self, dtype):
        return Traced(self.value.astype(dtype), self.calls)

    def _open(self, value):
        if isinstance(value, (list, tuple)):
            return type(value)(self._open(v) for v in value)
        return value.value if isinstance(value, Traced) else value

    def __array_ufunc__(self, ufunc, method, *inputs, **named):
        self.calls.append(ufunc.__name__)
        result = getattr(ufunc, method)(*self._open(inputs), **named)
        return Traced(result, self.calls)

    def __array_function__(self, function, types, args, named):
        self.calls.append(function.__name__)
        result = function(
            *self._open(args), **{k: self._open(v) for k, v in named.items()}
        )
        return Traced(result, self.calls)

    def __and__(self, other):
        return Traced(self.value & self._open(other), self.calls)


DIFFERENTIABLE = {
    **{
        name: lambda x, name=name: getattr(K, name)(x)
        for name in (
            "square sqrt exp log abs sign round sin cos sum prod mean var std max min "
            "logsumexp l2_normalize flatten batch_flatten transpose expand_dims relu "
            "elu sigmoid hard_sigmoid tanh softplus softsign softmax argmax any all "
            "cumsum"
        ).split()
    },
    "pow": lambda x: K.pow(x, 3),
    "clip": lambda x: K.clip(x, 0.2, 0.8),
    "maximum": lambda x: K.maximum(0.5, x),
    "switch": lambda x: K.switch(np.array([True, False]), x, 0.0),
    "dot": lambda x: K.dot(x, np.ones((3, 2))),
    "batch_dot": lambda x: K.batch_dot(np.ones((2, 3)), x, axes=1),
    "concatenate": lambda x: K.concatenate([x, np.ones((2, 1))]),
    "stack": lambda x: K.stack([x, x]),
    "list": lambda x: K.sum([x, x]),
    "repeat": lambda x: K.repeat(x, 2),
    "gather": lambda x: K.gather(x, [0, 0]),
    "categorical_crossentropy": lambda x: K.categorical_crossentropy(T, x),
    "sparse": lambda x: K.sparse_categorical_crossentropy([1, 0], x),
    "binary_crossentropy": lambda x: K.binary_crossentropy(T, x),
    "logits": lambda x: K.categorical_crossentropy(T, x, from_logits=True),
    "cast": lambda x: K.cast_to_floatx(x),
    "zeros_like": lambda x: K.zeros_like(x),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_what_stands_in_for_an_array_passes_through(name):
    """A wrapper that intercepts NumPy's calls sees all of them, and comes out again."""
    calls: list = []
    function = DIFFERENTIABLE[name]
    x = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])
    result = function(Traced(x, calls))
    assert isinstance(result, Traced) and (calls or name == "cast")
    np.testing.assert_allclose(result.value, function(x))


@pytest.mark.parametrize("name", ["mean", "exp", "softmax", "sigmoid", "relu", "std"])
def test_the_type_of_the_numbers_stays(name):
    """float32 in, float32 out; truth values and whole numbers become floatx."""
    function = getattr(K, name)
    assert K.dtype(function(np.ones((2, 2), np.float32))) == "float32"
    assert K.dtype(function(np.ones((2, 2)))) == "float64"
    assert K.dtype(function(np.array([[True, False]]))) == "float32"


def test_a_variable_calculates_as_its_array():
    """Operators, indexing, comparisons, NumPy's functions, and in-place addition."""
    v = K.variable([[1, 2], [3, 4]], name="v")
    a = v.value.copy()
    assert isinstance(v + 1, np.ndarray) and K.dtype(v) == "float32"
    np.testing.assert_array_equal(2 - v, 2 - a)
    np.testing.assert_array_equal(v @ v, a @ a)
    np.testing.assert_array_equal(np.concatenate([v, v]), np.concatenate([a, a]))
    np.testing.assert_array_equal(np.asarray(v, "float64"), a)
    np.testing.assert_array_equal(np.array(v), a)
    assert np.array(v) is not v.value
    assert v[1, 0] == 3 and len(v) == 2 and [row.sum() for row in v] == [3, 7]
    assert (v > 2).sum() == 2
    assert float(K.variable(2.5)) == 2.5 and int(K.variable(3)) == 3
    assert bool(K.variable(1)) and v.ndim == 2
    same = v
    v += 1
    assert v is same and v.value[0, 0] == 2
    assert repr(v) == "<Variable v (2, 2) float32>"


def test_values_are_read_and_exchanged():
    """Variables, weights of layers, arrays; what is read is a copy."""
    v = K.zeros((2,))
    K.set_value(v, [1, 2])
    read = K.get_value(v)
    read[0] = 9
    assert K.get_value(v).tolist() == [1, 2]
    assert K.update_add(v, 1) is v and K.eval(v).tolist() == [2, 3]
    K.update_sub(v, [1, 1])
    K.moving_average_update(v, [3, 2], 0.5)
    assert K.batch_get_value([v, K.ones(1)])[0].tolist() == [2, 2]
    K.batch_set_value([(v, [0, 5])])
    assert v.value.tolist() == [0, 5]
    layer = Dense(2, input_shape=(3,))
    model = Sequential([layer])
    K.set_value(layer.W, np.full((3, 2), 2.0))
    assert K.sum(layer.W) == 12 and K.count_params(layer.W) == 6
    assert model.predict([[1, 1, 1]]).tolist() == [[6, 6]]
    array = np.zeros(2)
    K.set_value(array, [3, 4])
    assert array.tolist() == [3, 4]


@pytest.mark.parametrize("optimizer", [SGD(lr=0.5), Adam(lr=0.5)])
def test_the_learning_rate_of_a_model_is_a_value(optimizer):
    """K.set_value(model.optimizer.lr, ...) does what the assignment does."""
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile(optimizer, "mse")
    assert K.get_value(model.optimizer.lr) == 0.5
    K.set_value(model.optimizer.lr, K.get_value(model.optimizer.lr) / 2)
    assert model.optimizer.lr == 0.25 and model.optimizer.get_config()["lr"] == 0.25
    assert type(model.optimizer.get_config()["lr"]) is float
    K.set_value(model.optimizer.decay, 0.1)
    assert model.optimizer.decay == 0.1


def test_arrays_are_made_with_the_shape_and_type_asked_for():
    """zeros, ones, eye, constant and those like another array."""
    assert K.eye(2).value.tolist() == [[1, 0], [0, 1]]
    assert K.constant(3, shape=(2, 2)).tolist() == [[3, 3], [3, 3]]
    assert K.constant([1, 2, 3, 4], shape=(2, 2)).tolist() == [[1, 2], [3, 4]]
    assert K.dtype(K.constant(1)) == "float32"
    assert K.dtype(K.ones((2,), "int32")) == "int32"
    assert K.ones_like(X).tolist() == np.ones_like(X).tolist()
    assert K.dtype(K.zeros_like(X, dtype="float32")) == "float32"
    assert K.int_shape(X) == K.shape(X) == (2, 3) and K.ndim(X) == 2
    assert K.one_hot([[1]], 2).tolist() == [[[0, 1]]]
    assert K.dtype(K.cast([1.5, 2.5], "int32")) == "int32"


def test_random_numbers_come_from_the_one_stream():
    """The same seed, the same numbers; NumPy's state is not touched."""
    state = np.random.get_state()[1].tolist()
    for draw in (
        lambda seed=None: K.random_uniform((50,), 2, 3, seed=seed),
        lambda seed=None: K.random_normal((50,), 5, 0.1, seed=seed),
        lambda seed=None: K.truncated_normal((50,), seed=seed),
        lambda seed=None: K.random_binomial((50,), 0.5, seed=seed),
        lambda seed=None: K.random_uniform_variable((50,), 0, 1, seed=seed).value,
        lambda seed=None: K.random_normal_variable((50,), 0, 1, seed=seed).value,
    ):
        assert draw(3).tolist() == draw(3).tolist()
        kerasnb.set_seed(8)
        first = draw()
        kerasnb.set_seed(8)
        assert first.tolist() == draw().tolist() != draw().tolist()
    assert 2 <= K.random_uniform((9,), 2, 3).min() <= 3
    assert set(K.random_binomial((50,), 0.5)) == {0, 1}
    assert np.random.get_state()[1].tolist() == state


def test_settings_are_those_of_the_library():
    """epsilon, floatx, and the image format in the words of both dialects."""
    try:
        K.set_epsilon(1e-5)
        K.set_floatx("float64")
        K.set_image_dim_ordering("th")
        assert kerasnb.epsilon() == K.epsilon() == 1e-5
        assert kerasnb.floatx() == K.floatx() == "float64"
        assert kerasnb.image_data_format() == "channels_first"
        assert K.image_dim_ordering() == "th"
        assert K.dtype(K.variable(1)) == "float64"
    finally:
        K.set_epsilon(1e-7)
        K.set_image_data_format("channels_last")
    assert K.image_dim_ordering() == "tf" and K.backend() == "kerasnb"


def test_the_learning_phase_is_what_was_said_last():
    """0 at first; in_train_phase obeys, or does what its argument says."""
    assert K.learning_phase() == 0
    assert K.in_train_phase(1, 2) == 2 and K.in_test_phase(1, 2) == 1
    assert K.in_train_phase(lambda: 1, lambda: 2, training=True) == 1
    try:
        with pytest.warns(UserWarning, match="train in fit and predict in predict"):
            K.set_learning_phase(1)
        assert K.learning_phase() == 1 and K.in_train_phase(1, 2) == 1
    finally:
        with pytest.warns(UserWarning):
            K.set_learning_phase(0)


@pytest.mark.parametrize("reset", [K.clear_session, K.reset_uids])
def test_a_cleared_session_names_layers_from_one(reset):
    """get_uid takes the next number of a name, clear_session starts again."""
    assert K.get_uid("dense") == 1
    assert Dense(1).name == "dense_2"
    reset()
    assert Dense(1).name == "dense_1"


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: K.placeholder((None, 3)), RuntimeError, "has no symbols"),
        (lambda: K.function([], []), RuntimeError, "no graph to compile"),
        (lambda: K.gradients(1, 2), RuntimeError, "weight.grad"),
        (lambda: K.set_value(0.1, 2), TypeError, "thing.name = value"),
        (lambda: K.set_value(K.ones(2), [1, 2, 3]), ValueError, r"shape \(2,\), got"),
        (lambda: K.set_value(np.ones(2), 1), ValueError, r"set_value: .*got \(\)"),
        (lambda: K.set_image_dim_ordering("xy"), ValueError, "'tf' or 'th', got 'xy'"),
        (lambda: K.set_learning_phase(2), ValueError, "expected 0 or 1, got 2"),
        (
            lambda: K.repeat(np.ones((2, 2, 2)), 2),
            ValueError,
            "repeat: expected .* 2 ax",
        ),
        (lambda: K.batch_dot([1.0], [1.0]), ValueError, "at least 2 axes"),
        (lambda: K.batch_dot(X, X, axes=0), ValueError, "none is the batch axis"),
        (lambda: K.batch_dot(X, X[:, :2]), ValueError, "must have one size"),
        (
            lambda: K.sparse_categorical_crossentropy([0, 3], P),
            ValueError,
            "whole class numbers from 0 to 2",
        ),
        (lambda: setattr(SGD(), "lr", "big"), ValueError, "big"),
        (lambda: setattr(SGD(), "lr", None), TypeError, "expected lr to be a number"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(call, error, message):
    """One sentence, and nothing is half done."""
    with pytest.raises(error, match=message):
        call()
