"""The tape: gradients of programs, and what it refuses."""

import gc
import math
import weakref

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, activations
from kerasnb import backend as K
from kerasnb import check_gradient, grad, losses, metrics, regularizers, value_and_grad
from kerasnb.autodiff import Recording, Tape, Taped
from kerasnb.layers import Dense, Lambda
from kerasnb.optimizers import SGD

# ---- reference --------------------------------------------------------------------


def test_a_gradient_by_hand():
    """y = sum of x^2 sin x."""
    x = np.array([0.5, -2.0])
    value, dx = value_and_grad(lambda x: np.sum(x**2 * np.sin(x)))(x)
    assert value == pytest.approx((x**2 * np.sin(x)).sum())
    np.testing.assert_allclose(dx, 2 * x * np.sin(x) + x**2 * np.cos(x))
    assert grad(lambda x: x * x)(3) == 6
    dx, dy = grad(lambda x, y, k: k * x * y, argnums=(0, 1))(2.0, 5.0, k=3)
    assert (dx, dy) == (15, 6)


def test_an_array_that_is_used_twice_adds_up_its_gradients():
    """On different ways, whatever lies between; what is not used gets zeros."""
    dx, dy = grad(lambda x, y: np.sum(x * x + np.exp(x) - x), (0, 1))([1.0], [2.0, 3])
    assert dx == pytest.approx(2 + math.e - 1) and dy.tolist() == [0, 0]


def test_programs_may_branch_and_loop():
    """The tape holds what was computed, not what might have been."""

    def power(x, n):
        y = 1
        for _ in range(n):
            y *= x
        return -y if np.sum(x) < 0 else y

    assert grad(power)(2.0, 3) == 12 and grad(power)(-2.0, 4) == 32
    assert grad(power)(2.0, 0) == 0


# ---- the same as the kernels ------------------------------------------------------

CLIP = 1e-7
LOSSES = {
    "mse": lambda t, p: np.mean((p - t) ** 2, axis=-1),
    "mae": lambda t, p: K.mean(K.abs(p - t), axis=-1),
    "mape": lambda t, p: 100 * np.mean(np.abs(t - p) / np.maximum(abs(t), CLIP), -1),
    "msle": lambda t, p: np.mean(
        np.square(np.log(K.maximum(p, CLIP) + 1) - np.log(np.maximum(t, CLIP) + 1)), -1
    ),
    "hinge": lambda t, p: K.mean(K.maximum(1.0 - t * p, 0.0), axis=-1),
    "squared_hinge": lambda t, p: K.mean(K.square(K.maximum(1.0 - t * p, 0.0)), -1),
    "categorical_hinge": lambda t, p: K.maximum(
        K.max((1 - t) * p, axis=-1) - K.sum(t * p, axis=-1) + 1, 0.0
    ),
    "logcosh": lambda t, p: K.mean(
        (p - t) + K.softplus(-2 * (p - t)) - math.log(2), axis=-1
    ),
    "poisson": lambda t, p: K.mean(p - t * K.log(p + K.epsilon()), axis=-1),
    "kld": lambda t, p: np.sum(
        np.clip(t, CLIP, 1) * np.log(np.clip(t, CLIP, 1) / np.clip(p, CLIP, 1)), axis=-1
    ),
    "cosine": lambda t, p: -K.sum(K.l2_normalize(t, -1) * K.l2_normalize(p, -1), -1),
    "binary_crossentropy": lambda t, p: K.mean(K.binary_crossentropy(t, p), axis=-1),
    "categorical_crossentropy": K.categorical_crossentropy,
    "sparse_categorical_crossentropy": K.sparse_categorical_crossentropy,
}
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "elu": K.elu,
    "selu": lambda x: 1.0507009873554805 * K.elu(x, 1.6732632423543772),
    "softplus": K.softplus,
    "softsign": K.softsign,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "exponential": np.exp,
    "softmax": K.softmax,
}


def test_every_loss_and_activation_is_compared_with_its_kernel():
    """The tables are complete."""
    assert {losses.LOSSES[n] for n in LOSSES} == set(losses.LOSSES.values())
    assert set(ACTIVATIONS) == set(activations.ACTIVATIONS)


@pytest.mark.parametrize("name", LOSSES)
@given(R=st.integers(1, 5), C=st.integers(2, 5), seed=st.integers(0, 999))
def test_losses_have_the_gradients_of_their_kernels(name, R, C, seed):
    """Written with numpy or K, values and gradients agree to 1e-6 in float64."""
    rng = np.random.default_rng(seed)
    kernel = losses.get(name)
    p = rng.uniform(0.2, 1, (R, C))
    p /= p.sum(axis=-1, keepdims=True)
    t = rng.uniform(0.1, 1, (R, C))
    t = rng.integers(C, size=R) if kernel.sparse else t / t.sum(axis=-1, keepdims=True)
    ds = rng.normal(size=R)
    value, expected = kernel(t, p), np.empty_like(p)
    kernel.backward(expected, t, p, ds)
    np.testing.assert_allclose(LOSSES[name](t, p), value, rtol=1e-6, atol=1e-9)
    for function in (LOSSES[name], kernel, getattr(metrics, name)):
        recording = Recording(function, [p], [t])
        np.testing.assert_allclose(recording.value, value, rtol=1e-6, atol=1e-9)
        dp = recording.gradients(ds)[0]
        np.testing.assert_allclose(dp, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(R=st.integers(1, 5), C=st.integers(1, 5), seed=st.integers(0, 999))
def test_activations_have_the_gradients_of_their_kernels(name, R, C, seed):
    """So does the kernel itself, called with a taped array."""
    z, dy = 2 * np.random.default_rng(seed).normal(size=(2, R, C))
    kernel = activations.get(name)
    y, expected = np.empty_like(z), np.empty_like(z)
    kernel.forward(y, z)
    kernel.backward(expected, dy, z, y)
    for function in (ACTIVATIONS[name], kernel):
        recording = Recording(function, [z])
        np.testing.assert_allclose(recording.value, y, rtol=1e-6, atol=1e-12)
        dz = recording.gradients(dy)[0]
        np.testing.assert_allclose(dz, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "kernel, function",
    [
        (regularizers.l1(0.3), lambda w: 0.3 * K.sum(K.abs(w))),
        (regularizers.l2(0.2), lambda w: 0.2 * np.sum(w**2)),
        (regularizers.l1_l2(1, 2), lambda w: np.abs(w).sum() + 2 * np.sum(w * w)),
        (regularizers.EigenvalueRegularizer(0.5), lambda w: eigenvalue(w, 0.5)),
    ],
)
def test_regularizers_have_the_gradients_of_their_kernels(kernel, function):
    """Written out, and the kernel itself on a taped array."""
    w = np.random.default_rng(0).normal(size=(5, 3))
    expected = np.zeros_like(w)
    kernel.add_gradient(expected, w)
    for f in (function, kernel):
        value, dw = value_and_grad(f)(w)
        assert value == pytest.approx(kernel(w), rel=1e-6)
        np.testing.assert_allclose(dw, expected, rtol=1e-6, atol=1e-12)


def eigenvalue(w, k):
    """Return the penalty with its nine steps written out."""
    M, v = w.T @ w, np.ones(w.shape[1])
    for _ in range(9):
        v = M @ v
        v = v / np.sqrt(np.sum(v * v))
    return k * np.sqrt(v @ M @ v)


def test_a_network_of_the_tape_trains_as_sequential_does(float64):
    """Two layers, written with numpy only, step by step the same numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4))
    t = np.eye(3)[rng.integers(3, size=30)]
    model = Sequential([Dense(6, "tanh", input_shape=(4,)), Dense(3, "softmax")])
    model.compile(SGD(0.3), "categorical_crossentropy")
    weights = model.get_weights()

    def loss(W, b, V, c, x, t):
        h = np.tanh(x @ W + b)
        z = h @ V + c
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return -np.mean(np.sum(t * np.log(e / np.sum(e, axis=1, keepdims=True)), 1))

    learn = value_and_grad(loss, argnums=(0, 1, 2, 3))
    for _ in range(20):
        for k in range(0, 30, 8):
            value, gradients = learn(*weights, x[k : k + 8], t[k : k + 8])
            weights = [w - 0.3 * dw for w, dw in zip(weights, gradients)]
            expected = model.train_on_batch(x[k : k + 8], t[k : k + 8])
            assert value == pytest.approx(expected, rel=1e-6)
    for w, expected in zip(weights, model.get_weights()):
        np.testing.assert_allclose(w, expected, rtol=1e-6, atol=1e-9)


# ---- laws -------------------------------------------------------------------------


@given(st.sampled_from(["float32", "float64"]))
def test_the_type_stays(dtype):
    """Values and gradients of float32 are float32, with Python's numbers in between."""
    x = np.linspace(0.1, 0.9, 6).astype(dtype).reshape(2, 3)
    seen = []

    def f(x):
        for y in (2 * x + 1, x**2, K.softmax(x), K.std(x), x / 3, 1 / x, K.sqrt(x)):
            seen.append(y.dtype)
        y = K.mean(K.relu(x - 0.5), axis=-1) * K.log(x)[:, 0] + np.max(x) ** 1.5
        seen.append(y.dtype)
        return K.sum(y)

    value, dx = value_and_grad(f)(x)
    assert {*seen, value.dtype, dx.dtype} == {np.dtype(dtype)}


def test_arrays_of_the_caller_stay_and_results_are_new():
    """The gradient of x + 0 is no view of anything."""
    x = np.ones(3)
    dx = grad(lambda x: np.sum(x + 0))(x)
    dx[0] = 7
    assert x.tolist() == [1, 1, 1] and dx.tolist() == [7, 1, 1]


def test_variables_and_plain_operands_on_either_side():
    """Variables of K, arrays, NumPy's numbers and lists are constants."""
    v = K.variable([1.0, 2.0], "float64")
    x = np.array([0.5, 3.0])
    for f in (
        lambda x: x * v,
        lambda x: v * x,
        lambda x: np.float64(2) * x,
        lambda x: x @ np.array([[1.0, 2.0], [3.0, 4.0]]),
        lambda x: np.array([1.0, 2.0]) / (1 + x),
        lambda x: np.concatenate([v, x]),
        lambda x: np.add([1.0, 2.0], x),
    ):
        check_gradient(f, x)


def test_adding_on_makes_a_new_array():
    """`y += 1` means y = y + 1, as in Keras: another name for y keeps its value."""

    def f(x):
        y = kept = x * 2
        y += 1
        y *= x
        y -= 1
        y /= 2
        return y + kept

    assert value_and_grad(f)(3.0) == (16.0, 8.5)


def test_every_operator_asks_numpy():
    """Whatever Python has a sign for is computed, or named as unknown; no hash."""
    x = Tape().watch(np.array([1.0, -2.0]))
    assert (-x).value.tolist() == [-1, 2] and abs(x).value.tolist() == [1, 2]
    assert (x // 2).tolist() == [0, -1] and (3 // x).tolist() == [3, -2]
    assert (x % 2).value.tolist() == [1, 0] and (3.0 % x).value.tolist() == [0, -1]
    assert (2**x).value.tolist() == [2, 0.25] and (+x).value.tolist() == [1, -2]
    for f, name in (
        (lambda: x & x, "bitwise_and"),
        (lambda: 1 | x, "bitwise_or"),
        (lambda: x ^ 1, "bitwise_xor"),
        (lambda: x << 1, "left_shift"),
        (lambda: 1 >> x, "right_shift"),
        (lambda: divmod(x, 2), "divmod"),
        (lambda: ~x, "invert"),
    ):
        with pytest.raises(TypeError, match=f"numpy.{name}: the tape does not know"):
            f()
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_a_tape_goes_when_its_arrays_go():
    """Nothing on it leads back to it: memory is free without the garbage collector."""
    gc.disable()
    try:
        x = Tape().watch(np.ones(3))
        y = np.concatenate([np.exp(x) * x, x])[1:].sum()
        tape = weakref.ref(y.tape)
        assert len(tape().steps) == 5
        del x, y
        assert tape() is None
    finally:
        gc.enable()


def test_value_is_a_constant():
    """A way out of the tape that says so."""
    assert grad(lambda x: x * x.value)(3.0) == 3
    assert grad(lambda x: x * K.stop_gradient(x))(3.0) == 3
    assert grad(lambda x: x * K.sum(K.stop_gradient([x, 2.0])))(3.0) == 5
    assert repr(Tape().watch(1.0)) == "<Taped array(1.)>"


def test_iterating_and_unpacking():
    """Rows come as taped arrays."""

    def f(x):
        a, b = x
        assert len(x) == 2 and isinstance(a, Taped)
        return np.sum(a * b)

    assert grad(f)([[1.0, 2.0], [3.0, 4.0]]).tolist() == [[3, 4], [1, 2]]


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: np.fft.fft(x), "numpy.fft.fft: the tape does not know the deriv"),
        (lambda x: np.add.reduce(x), "numpy.add.reduce: the tape does not know"),
        (lambda x: np.sum(x, where=[True]), "sum with where=.True.: the tape does"),
        (lambda x: np.sum(x, initial=2.0), "sum with initial=2.0: the tape"),
        (lambda x: np.exp(x, where=True), "numpy.exp with where=True: the tape"),
        (lambda x: np.clip(x, a_min=0, a_max=K.sum(x)), "clip with a_min=0, a_max="),
        (lambda x: np.reshape(x, (-1,), order="F"), "reshape with order='F': the tape"),
        (lambda x: np.linalg.norm(x, 3), "numpy.linalg.norm: the tape knows .*ord=3"),
        (lambda x: np.einsum("ii->i", x), "numpy.einsum: the tape knows no diagonals"),
        (lambda x: np.einsum("...i->i", x), "numpy.einsum: .*got '...i->i'"),
        (lambda x: np.pad(x, 1, mode="edge"), "numpy.pad: .* got mode='edge'"),
        (lambda x: np.add(x, 1, out=x), "numpy.add, which writes into an array, cann"),
        (lambda x: np.add.at(x, 0, 1.0), "numpy.add.at cannot be done to a taped"),
        (lambda x: np.copyto(x, 1), "numpy.copyto, which writes into"),
        (lambda x: x.__setitem__(0, 1.0), "x.* = y cannot be done to a taped array"),
        (lambda x: 1 if x else 2, "bool.. of a taped array: say what should be true"),
        (lambda x: float(x[0, 0]), "This wants a plain .*Leave float"),
        (lambda x: math.exp(x[0, 0]), "This wants a plain array or a plain number"),
        (lambda x: np.array([x[0], x[1]]), "np.stack makes one array of several"),
        (lambda x: np.asarray(x), "take x.value, which counts as constant"),
        (lambda x: x.item(), "This wants a plain array"),
        (lambda x: grad(np.sum)(x), "This wants a plain array"),
        (lambda x: np.sum(x) + grad(lambda z: z * np.sum(x))(1.0), "no second deriv"),
        (lambda x: losses.mse(x, np.ones((2, 2))), "known by y_pred only, but y_true"),
    ],
)
def test_what_cannot_be_differentiated_is_named(f, message):
    """And the message says what to do instead."""
    with pytest.raises(TypeError, match=message):
        grad(f)(np.ones((2, 2)))


def test_unknown_methods_and_results_that_are_no_number():
    """The other two kinds of mistakes."""
    with pytest.raises(AttributeError, match="no attribute 'softmax'. Call the functi"):
        grad(lambda x: x.softmax())(1.0)
    with pytest.raises(ValueError, match=r"a single number, got an array of shape \(2"):
        grad(lambda x: x)([1.0, 2.0])


def test_compiled_functions_cannot_be_taped():
    """Numba would not know the array; the message says what to do."""

    def compiled(x):
        return x

    compiled.py_func = compiled
    for use in (grad, losses.get, activations.get, regularizers.get, Lambda):
        with pytest.raises(TypeError, match="compiled: a compiled function cannot be"):
            use(compiled)
    if not numba.config.DISABLE_JIT:
        inner = numba.njit(lambda x: x + 1)
        with pytest.raises(TypeError, match="This wants a plain array or a plain numb"):
            grad(lambda x: inner(x))(1.0)
