"""Locally connected layers: values, gradients, laws, shapes."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Sequential, check_layer
from kerasnb.layers import Dense, Flatten, LocallyConnected1D, LocallyConnected2D

FORMATS = st.sampled_from(["channels_last", "channels_first"])
TWO = st.tuples(st.integers(1, 3), st.integers(1, 3))
MORE = st.tuples(st.integers(0, 3), st.integers(0, 3))
SMALL = {"kernel_size": 2, "filters": 3}
ORDERS = {  # of the numbers in a window, as an einsum over x (N, R, C, K)
    "channels_last": "nuvk->nuvk",
    "channels_first": "nuvk->nkuv",
}


def channels_last(a, data_format):
    """Return an array with its channels last."""
    return np.moveaxis(a, 1, -1) if data_format == "channels_first" else a


def built(layer, shape, seed=0):
    """Build a float64 layer for samples of a shape; return it, W and b."""
    layer.connect((None, *shape))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer, *layer.get_weights()


def reference(x, W, b, window, strides, data_format):
    """Return what the definition says, for images with the channels last."""
    (U, V), (down, right) = window, strides
    y = np.empty((len(x), *b.shape))
    for p, q in np.ndindex(*b.shape[:2]):
        patch = x[:, p * down : p * down + U, q * right : q * right + V]
        rows = np.einsum(ORDERS[data_format], patch).reshape(len(x), -1)
        y[:, p, q] = rows @ W[p * b.shape[1] + q] + b[p, q]
    return y


# ---- reference --------------------------------------------------------------------


@given(window=TWO, strides=TWO, more=MORE, K=st.integers(1, 3), data_format=FORMATS)
def test_every_place_of_an_image_has_weights_of_its_own(
    window, strides, more, K, data_format
):
    """Windows are counted row by row; the channels of a number come first or last."""
    sizes = tuple(w + m for w, m in zip(window, more))
    shape = (K, *sizes) if data_format == "channels_first" else (*sizes, K)
    layer, W, b = built(
        LocallyConnected2D(
            2, window, strides, data_format=data_format, dtype="float64"
        ),
        shape,
    )
    x = np.random.default_rng(1).normal(size=(3, *shape))
    places = tuple((n - w) // s + 1 for n, w, s in zip(sizes, window, strides))
    assert W.shape == (places[0] * places[1], window[0] * window[1] * K, 2)
    assert b.shape == (*places, 2)
    y = layer(x)
    assert y.shape == layer.compute_output_shape(x.shape)
    expected = reference(
        channels_last(x, data_format), W, b, window, strides, data_format
    )
    np.testing.assert_allclose(channels_last(y, data_format), expected, rtol=1e-10)


@given(
    k=st.integers(1, 3),
    s=st.integers(1, 3),
    more=st.integers(0, 4),
    K=st.integers(1, 3),
    data_format=FORMATS,
)
def test_every_step_of_a_sequence_has_weights_of_its_own(k, s, more, K, data_format):
    """It is an image of one column, but its windows are always (steps, channels)."""
    shape = (K, k + more) if data_format == "channels_first" else (k + more, K)
    layer, W, b = built(
        LocallyConnected1D(2, k, s, data_format=data_format, dtype="float64"), shape
    )
    x = np.random.default_rng(1).normal(size=(3, *shape))
    assert W.shape == (more // s + 1, k * K, 2) and b.shape == (more // s + 1, 2)
    image = channels_last(x, data_format)[:, :, None]
    y = reference(image, W, b[:, None], (k, 1), (s, 1), "channels_last")[:, :, 0]
    np.testing.assert_allclose(channels_last(layer(x), data_format), y, rtol=1e-10)


# ---- gradients --------------------------------------------------------------------


@given(window=TWO, strides=TWO, more=MORE, K=st.integers(1, 2), data_format=FORMATS)
def test_gradients_over_images_are_the_measured_ones(
    window, strides, more, K, data_format
):
    """Of x, W and b, for any window, stride and data format."""
    sizes = tuple(w + m for w, m in zip(window, more))
    shape = (K, *sizes) if data_format == "channels_first" else (*sizes, K)
    layer = LocallyConnected2D(
        2, window, strides, data_format=data_format, activation="tanh"
    )
    check_layer(layer, shape, trials=1)


@given(k=st.integers(1, 3), s=st.integers(1, 3), more=st.integers(0, 4), to=FORMATS)
def test_gradients_over_sequences_are_the_measured_ones(k, s, more, to):
    """With and without a bias."""
    shape = (2, k + more) if to == "channels_first" else (k + more, 2)
    for use_bias in (True, False):
        layer = LocallyConnected1D(3, k, s, data_format=to, use_bias=use_bias)
        check_layer(layer, shape, trials=1)


# ---- laws -------------------------------------------------------------------------


@given(window=TWO, strides=TWO, more=MORE)
def test_equal_weights_everywhere_make_a_convolution(window, strides, more):
    """The sum over shifted images, one for each number of the window."""
    U, V = window
    sizes = tuple(w + m for w, m in zip(window, more))
    layer, W, b = built(
        LocallyConnected2D(2, window, strides, dtype="float64"), (*sizes, 3)
    )
    layer.set_weights(
        [np.broadcast_to(W[0], W.shape), np.broadcast_to(b[0, 0], b.shape)]
    )
    x = np.random.default_rng(1).normal(size=(4, *sizes, 3))
    shared = W[0].reshape(U, V, 3, 2)
    stop = sizes[0] - U + 1, sizes[1] - V + 1
    y = b[0, 0] + sum(
        x[:, u : u + stop[0] : strides[0], v : v + stop[1] : strides[1]] @ shared[u, v]
        for u in range(U)
        for v in range(V)
    )
    np.testing.assert_allclose(layer(x), y, rtol=1e-10, atol=1e-12)


def test_a_window_as_large_as_the_image_is_a_dense_layer():
    """One place that sees everything."""
    layer, W, b = built(LocallyConnected2D(3, (4, 5), dtype="float64"), (4, 5, 2))
    dense = Dense(3, dtype="float64", weights=[W[0], b[0, 0]])
    x = np.random.default_rng(1).normal(size=(6, 4, 5, 2))
    y = dense(x.reshape(6, -1))
    np.testing.assert_allclose(layer(x).reshape(6, 3), y, rtol=1e-10)


def test_what_a_place_sees_changes_that_place_only():
    """The gradient of one output reaches its window and nothing else."""
    layer, _, _ = built(LocallyConnected1D(1, 2, 2, dtype="float64"), (7, 1))
    layer.forward(np.ones((1, 7, 1)), True)
    dy = np.zeros((1, 3, 1))
    dy[0, 1] = 1.0
    assert np.flatnonzero(layer.backward(dy)).tolist() == [2, 3]


def test_both_forms_of_the_kernels_agree():
    """Serial and parallel loops give the same bits."""
    if numba.config.DISABLE_JIT:
        pytest.skip("there is one form only")
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(5, 9, 8, 3)), rng.normal(size=(4, 3, 18, 7))
    dz, b = rng.normal(size=(5, 4, 3, 7)), rng.normal(size=(4, 3, 7))
    geometry = 3, 2, 2, 3, False
    kernels = kerasnb.device.ops
    for kernel, shapes, inputs in (
        (kernels.local_forward, [dz.shape], (x, W, b)),
        (kernels.local_backward_weights, [W.shape, b.shape], (dz, x)),
        (kernels.local_backward_input, [x.shape], (dz, W)),
    ):
        serial, parallel = ([np.empty(s) for s in shapes] for _ in range(2))
        kernel.serial(*serial, *inputs, *geometry)
        kernel.parallel(*parallel, *inputs, *geometry)
        for one, other in zip(serial, parallel):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_model_learns_and_its_replayed_steps_are_the_same(data_format):
    """A step that Python makes each time gives the same bits as a recorded one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 4, 4, 4)), rng.normal(size=(24, 1))
    trained = []
    for replays in (True, False):
        kerasnb.set_seed(1)
        model = Sequential(
            [
                LocallyConnected2D(
                    3, 2, strides=2, activation="relu", data_format=data_format,
                    kernel_initializer="he_normal", input_shape=(4, 4, 4),
                ),
                Flatten(),
                Dense(1),
            ]
        )  # fmt: skip
        model.compile("adam", "mse")
        assert model._replays
        model._replays = replays
        losses = model.fit(x, y, 8, 4, 0).history["loss"]
        assert losses[-1] < losses[0]
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (LocallyConnected1D(2, 3, 2, activation="relu", use_bias=False), (7, 2)),
        (
            LocallyConnected2D(
                2, (3, 1), kernel_regularizer="l2", bias_constraint="non_neg",
                data_format="channels_first", activity_regularizer="l1",
            ),
            (2, 5, 4),
        ),
    ],
)  # fmt: skip
def test_a_configuration_makes_the_same_layer(layer, shape):
    """Every argument is kept, and so are penalties and constraints."""
    config = layer.get_config()
    twin = type(layer).from_config(config)
    assert twin.get_config() == config
    for one in (layer, twin):
        one.connect((None, *shape))
    twin.set_weights(layer.get_weights())
    x = np.ones((2, *shape))
    np.testing.assert_array_equal(twin(x), layer(x))
    for mine, its in zip(layer.weights, twin.weights):
        assert type(mine.regularizer) is type(its.regularizer)
        assert type(mine.constraint) is type(its.constraint)


def test_the_data_format_of_the_session_counts(request):
    """As long as the layer does not say its own."""
    request.addfinalizer(lambda: kerasnb.set_image_data_format("channels_last"))
    kerasnb.set_image_data_format("channels_first")
    layer = LocallyConnected2D(4, 3, input_shape=(1, 5, 6))
    assert Sequential([layer]).output_shape == (None, 4, 3, 4)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: LocallyConnected2D(3, 2, padding="same"),
            "padding='valid' only, got 'same'. A ZeroPadding2D layer",
        ),
        (lambda: LocallyConnected2D(0, 2), "filters must be a positive integer"),
        (lambda: LocallyConnected2D(2, (2, 2, 2)), "kernel_size: .* 2 of them, got"),
        (lambda: LocallyConnected1D(2, 2, 0), "strides: expected an integer from 1"),
        (lambda: LocallyConnected1D(2, 2, data_format="last"), "data_format"),
        (
            lambda: LocallyConnected1D(**SMALL).connect((None, None, 2)),
            "every axis but the batch must be known, .* got .batch, None, 2.",
        ),
        (
            lambda: LocallyConnected1D(**SMALL).connect((None, 5, None)),
            "number of channels must be known",
        ),
        (
            lambda: LocallyConnected1D(**SMALL).connect((None, 5)),
            "expects an input with 3 axes",
        ),
        (
            lambda: LocallyConnected2D(**SMALL).connect((None, 1, 5, 2)),
            r"a window of \(2, 2\) does not fit into an input of \(1, 5\)",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    """Who, what was expected, what came."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_built_layer_takes_one_size_only():
    """Other places would have no weights."""
    layer = LocallyConnected1D(2, 3)
    layer(np.ones((2, 7, 4)))
    with pytest.raises(ValueError, match=r"shape \(batch, 7, 4\), got \(batch, 8, 4\)"):
        layer(np.ones((2, 8, 4)))


def test_a_mask_is_refused():
    """Windows do not know about single steps."""
    model = Sequential([kerasnb.layers.Masking(input_shape=(5, 2))])
    with pytest.raises(TypeError, match="does not support masks, but masking_1 makes"):
        model.add(LocallyConnected1D(2, 3))
