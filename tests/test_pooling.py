"""Pooling: windows against NumPy's, gradients, formats, masks, errors."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import kerasnb
from kerasnb import layers, pooling
from kerasnb.checks import check_layer
from kerasnb.spatial import padding_before

KINDS = ["MaxPooling", "AveragePooling"]
NAMES = [f"{kind}{rank}D" for kind in KINDS for rank in (1, 2, 3)]
GLOBAL = [f"Global{name}" for name in NAMES]
FORMATS = ["channels_last", "channels_first"]
sequence = np.array([1, 3, 2, 5, 4], np.float32).reshape(1, 5, 1)


def drawn(*shape):
    """Return random numbers."""
    return np.random.default_rng(sum(shape)).normal(size=shape)


def channels_first(x):
    """Return channels-last images with the channels first."""
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize(
    "name, expected", [("MaxPooling1D", [3, 5, 4]), ("AveragePooling1D", [2, 3.5, 4])]
)
def test_the_vectors_of_the_reference(name, expected):
    """1, 3, 2, 5, 4 in windows of 2, 'same'."""
    layer = layers.get(name)(pool_size=2, strides=2, padding="same")
    assert layer(sequence).ravel().tolist() == expected


@given(
    data=st.data(),
    name=st.sampled_from(NAMES),
    padding=st.sampled_from(["valid", "same"]),
    data_format=st.sampled_from(FORMATS),
)
def test_pooling_is_what_numpy_finds_in_each_window(data, name, padding, data_format):
    """NaN around the image stands for 'not there': nanmax and nanmean skip it."""
    rank = int(name[-2])
    axes = st.tuples(*[st.integers(1, 4)] * rank)
    window, strides = data.draw(axes), data.draw(axes)
    sizes = data.draw(st.tuples(*[st.integers(1, 8)] * rank))
    assume(padding == "same" or all(w <= size for w, size in zip(window, sizes)))
    layer = layers.get(name)(window, strides, padding, data_format, dtype="float64")
    x = drawn(2, *sizes, 3)
    before = [padding_before(*a, padding) for a in zip(sizes, window, strides)]
    after = [w * (padding == "same") for w in window]
    wide = np.pad(x, [(0, 0), *zip(before, after), (0, 0)], constant_values=np.nan)
    places = layer.places(sizes, window, strides, padding)
    windows = np.lib.stride_tricks.sliding_window_view(
        wide, window, axis=tuple(range(1, rank + 1))
    )
    steps = tuple(slice(None, None, stride) for stride in strides)
    limits = tuple(slice(place) for place in places)
    windows = windows[(slice(None), *steps)][(slice(None), *limits)]
    measure = np.nanmax if "Max" in name else np.nanmean
    expected = measure(windows, axis=tuple(range(-rank, 0)))
    if data_format == "channels_first":
        x, expected = channels_first(x), channels_first(expected)
    y = layer(x)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert layer.compute_output_shape(x.shape) == y.shape


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", GLOBAL)
def test_global_pooling_is_numpys_max_and_mean(name, data_format):
    """Over all axes but samples and channels."""
    rank = int(name[-2])
    x = drawn(3, *(5, 4, 2)[:rank], 6)
    layer = layers.get(name)(data_format, dtype="float64")
    expected = (np.max if "Max" in name else np.mean)(x, axis=tuple(range(1, rank + 1)))
    y = layer(x if data_format == "channels_last" else channels_first(x))
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert layer.compute_output_shape((None, *[None] * rank, None)) == (None, None)


@given(
    data=st.data(),
    name=st.sampled_from(NAMES),
    padding=st.sampled_from(["valid", "same"]),
    data_format=st.sampled_from(FORMATS),
)
def test_every_pooling_passes_the_check(data, name, padding, data_format):
    """Gradients by measurement, shapes, untouched inputs, for windows that overlap."""
    rank = int(name[-2])
    window, strides = (data.draw(st.integers(1, 3)) for _ in range(2))
    sizes = data.draw(st.tuples(*[st.integers(window, 5)] * rank))
    layer = layers.get(name)(window, strides, padding, data_format)
    shape = (*sizes, 2) if data_format == "channels_last" else (2, *sizes)
    assert check_layer(layer, shape, trials=1).passed


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", GLOBAL)
def test_every_global_pooling_passes_the_check(name, data_format):
    """Gradients by measurement, shapes, untouched inputs."""
    shape = (2, 3, 4, 5)[: int(name[-2]) + 1]
    assert check_layer(layers.get(name)(data_format), shape, trials=1).passed


@pytest.mark.parametrize("data_format", FORMATS)
def test_a_masked_mean_passes_the_check(data_format):
    """With a mask the gradient is that of the steps that count."""
    layer = layers.GlobalAveragePooling1D(data_format, dtype="float64")
    layer.mask = np.array([[1, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
    x, dy = drawn(3, 4, 2), drawn(3, 2)
    ordered = x if data_format == "channels_last" else channels_first(x).copy()
    y = layer.forward(ordered, True)
    expected = [x[0, [0, 1, 3]].mean(axis=0), x[1, 3], [0, 0]]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    dx = layer.backward(dy)
    assert np.isclose((dy * y).sum(), (dx * ordered).sum())  # as of a linear map
    assert layer.compute_mask(x, layer.mask) is None


@given(
    T=st.integers(3, 9),
    strides=st.integers(1, 4),
    padding=st.sampled_from(["valid", "same"]),
)
def test_the_gradient_of_a_maximum_conserves_mass(T, strides, padding):
    """Each number of dy goes to one place: the sums of dx and dy agree."""
    layer = layers.MaxPooling1D(3, strides, padding, dtype="float64")
    dy = drawn(*layer(drawn(4, T, 2)).shape)
    dx = layer.backward(dy)
    np.testing.assert_allclose(dx.sum(axis=1), dy.sum(axis=1), atol=1e-12)


@given(
    sizes=st.tuples(st.integers(3, 7), st.integers(2, 6)),
    strides=st.integers(1, 4),
    padding=st.sampled_from(["valid", "same"]),
)
def test_the_gradient_of_an_average_conserves_mass(sizes, strides, padding):
    """Each number of dy is shared out completely, also at the edges."""
    layer = layers.AveragePooling2D((3, 2), strides, padding, dtype="float64")
    dy = drawn(*layer(drawn(2, *sizes, 3)).shape)
    dx = layer.backward(dy)
    np.testing.assert_allclose(dx.sum(axis=(1, 2)), dy.sum(axis=(1, 2)), atol=1e-12)


def test_the_gradient_of_a_tie_goes_to_the_first():
    """And only there."""
    layer = layers.MaxPooling2D(2)
    layer(np.ones((1, 2, 2, 1)))
    dx = layer.backward(np.ones((1, 1, 1, 1), np.float32))
    assert dx.ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("name", [*NAMES, *GLOBAL])
def test_nan_stays_visible(name):
    """In every window that holds one, also beside larger numbers."""
    rank = int(name[-2])
    x = np.full((1, *(2,) * rank, 2), np.inf, np.float32)
    x[(0, *(1,) * rank, 0)] = np.nan
    y = layers.get(name)()(x)
    assert np.isnan(y.ravel()[0]) and y.ravel()[1] == np.inf


def test_pooling_of_one_place_changes_nothing():
    """A window of one with strides of one."""
    x = drawn(2, 3, 4, 5).astype(np.float32)
    for name in ("MaxPooling2D", "AveragePooling2D"):
        np.testing.assert_array_equal(layers.get(name)(1)(x), x)


def test_strides_are_the_window_unless_said():
    """So windows do not overlap; the configuration holds what was used."""
    config = layers.MaxPooling2D((3, 2)).get_config()
    assert (config["pool_size"], config["strides"]) == ([3, 2], [3, 2])
    assert layers.MaxPooling3D(2, strides=(1, 2, 3)).strides == (1, 2, 3)


def test_short_names_mean_the_same_layers():
    """And are found by name."""
    short = {"MaxPool": "MaxPooling", "AvgPool": "AveragePooling"}
    for prefix in ("", "Global"):
        for name, full in short.items():
            for rank in (1, 2, 3):
                found = layers.get(f"{prefix}{name}{rank}D")
                assert found is getattr(pooling, f"{prefix}{full}{rank}D")


def test_the_format_of_images_is_a_setting_that_of_sequences_is_not():
    """Layers of one axis have their channels last unless told otherwise."""
    kerasnb.set_image_data_format("channels_first")
    try:
        image, series = layers.MaxPooling2D(), layers.MaxPooling1D()
    finally:
        kerasnb.set_image_data_format("channels_last")
    assert (image.data_format, series.data_format) == tuple(FORMATS[::-1])


def test_images_of_unknown_size_are_pooled():
    """Their sizes stay unknown until they come, and may differ from call to call."""
    layer = layers.MaxPooling2D(2)
    assert layer.compute_output_shape((None, None, 6, 3)) == (None, None, 3, 3)
    assert layer(np.zeros((2, 5, 6, 3))).shape == (2, 2, 3, 3)
    assert layer(np.zeros((1, 8, 4, 3))).shape == (1, 4, 2, 3)


def test_a_model_learns_through_its_pooling():
    """Bright halves are told apart; replayed steps have the same bits as others."""
    x = np.random.default_rng(0).random((24, 8, 4, 1))
    bright = np.arange(24) % 2
    x[bright == 1, :4] += 2
    weights = []
    for replay in (True, False):
        kerasnb.set_seed(3)
        model = kerasnb.Sequential(
            [
                layers.MaxPooling2D(2, input_shape=(8, 4, 1)),
                layers.Dense(4, activation="tanh"),
                layers.AveragePooling2D(2),
                layers.GlobalMaxPooling2D(),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse")
        assert model._replays
        model._replays = replay
        history = model.fit(x, bright, epochs=20, batch_size=10, verbose=0).history
        assert history["loss"][-1] < 0.8 * history["loss"][0]
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)


def test_a_masked_sequence_is_averaged_over_its_steps():
    """The mask of Masking reaches the layer and ends there."""
    model = kerasnb.Sequential(
        [
            layers.Masking(input_shape=(3, 1)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    x = [[[1.0], [0.0], [5.0]], [[0.0], [0.0], [0.0]]]
    assert model.predict(np.array(x)).ravel().tolist() == [3.0, 0.0]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.MaxPooling2D((2, 2, 2)), "pool_size: expected an integer from"),
        (lambda: layers.MaxPooling2D(0), "from 1 on, or 2 of them, got 0"),
        (lambda: layers.AveragePooling1D("2"), "pool_size: .* got '2'"),
        (lambda: layers.AveragePooling3D(2, 1.5), "strides: .* 3 of them, got 1.5"),
        (lambda: layers.MaxPooling1D(padding="sam"), "mean 'same'"),
        (lambda: layers.MaxPooling1D(padding="causal"), "Unknown padding .*'causal'"),
        (lambda: layers.GlobalMaxPooling2D("channel_last"), "mean 'channels_last'"),
        (lambda: layers.MaxPooling2D(5)(np.zeros((1, 4, 9, 1))), "does not fit into"),
        (lambda: layers.MaxPooling2D()(np.zeros((1, 4, 4))), "input with 4 axes"),
        (lambda: layers.GlobalMaxPooling1D()(np.zeros((1, 0, 4))), "nothing comes out"),
    ],
)
def test_what_cannot_be_pooled_is_refused(make, message):
    """By name, before anything is computed."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_window_that_fits_nowhere_is_refused_where_sizes_were_unknown():
    """Also by `forward`, when the images come."""
    layer = layers.MaxPooling1D(4)
    layer(np.zeros((2, 6, 1)))
    with pytest.raises(ValueError, match="does not fit"):
        layer.forward(np.zeros((2, 3, 1), np.float32), False)
    assert layer(np.zeros((2, 4, 1))).shape == (2, 1, 1)


@pytest.mark.parametrize("name", ["MaxPooling1D", "GlobalMaxPooling1D"])
def test_masks_are_refused_where_they_would_be_ignored(name):
    """With the name of the layer that makes the mask."""
    model = kerasnb.Sequential([layers.Masking(input_shape=(4, 2))])
    with pytest.raises(TypeError, match="does not support masks, but masking_1"):
        model.add(layers.get(name)())
