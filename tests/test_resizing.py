"""Cropping, padding, up-sampling: NumPy's results, gradients, formats, errors."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import layers
from kerasnb.checks import check_layer
from kerasnb.device import ops

FORMATS = ["channels_last", "channels_first"]
RANKS = [1, 2, 3]
formats = pytest.mark.parametrize("data_format", FORMATS)
ranks = pytest.mark.parametrize("rank", RANKS)


def drawn(*shape):
    """Return random numbers."""
    return np.random.default_rng(sum(shape)).normal(size=shape)


def given_in(data_format, x):
    """Return channels-last images in a format."""
    return x if data_format == "channels_last" else np.moveaxis(x, -1, 1)


def all_pairs(rank, most):
    """Draw two amounts for each axis; of one axis they stand alone."""
    pair = st.tuples(st.integers(0, most), st.integers(0, most))
    return pair if rank == 1 else st.tuples(*[pair] * rank)


def as_pairs(amounts):
    """Return drawn amounts as a tuple of pairs."""
    return (amounts,) if isinstance(amounts[0], int) else amounts


def between_pixels(x, size):
    """Return bilinear up-sampling by formula, a number at a time."""
    N, R, C, K = x.shape
    y = np.zeros((N, R * size[0], C * size[1], K))
    for r, c in np.ndindex(*y.shape[1:3]):
        u, v = r / size[0], c / size[1]
        for i, j in np.ndindex(R, C):
            share = max(0, 1 - abs(min(u, R - 1) - i)) * max(
                0, 1 - abs(min(v, C - 1) - j)
            )
            y[:, r, c] += share * x[:, i, j]
    return y


@formats
@ranks
@given(data=st.data())
def test_padding_is_numpys_and_cropping_undoes_it(rank, data_format, data):
    """Zeros of any number at every edge; cutting off as much gives back the image."""
    amounts = data.draw(all_pairs(rank, 3))
    sizes = data.draw(st.tuples(*[st.integers(1, 5)] * rank))
    x = drawn(2, *sizes, 3)
    pad = layers.get(f"ZeroPadding{rank}D")(
        amounts, data_format=data_format, dtype="float64"
    )
    crop = layers.get(f"Cropping{rank}D")(
        amounts, data_format=data_format, dtype="float64"
    )
    wide = np.pad(x, [(0, 0), *as_pairs(amounts), (0, 0)])
    x, wide = given_in(data_format, x), given_in(data_format, wide)
    np.testing.assert_array_equal(pad(x), wide)
    np.testing.assert_array_equal(crop(wide), x)
    assert pad.compute_output_shape(x.shape) == wide.shape
    assert crop.compute_output_shape(wide.shape) == x.shape


@formats
@ranks
@given(data=st.data())
def test_up_sampling_is_numpys_repeat(rank, data_format, data):
    """Along every axis, each by its own factor; averaging in windows undoes it."""
    size = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    sizes = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    x = expected = drawn(2, *sizes, 3)
    for axis, factor in enumerate(size):
        expected = expected.repeat(factor, axis=axis + 1)
    x, expected = given_in(data_format, x), given_in(data_format, expected)
    arguments = {"data_format": data_format, "dtype": "float64"}
    y = layers.get(f"UpSampling{rank}D")(size, **arguments)(x)
    np.testing.assert_array_equal(y, expected)
    back = layers.get(f"AveragePooling{rank}D")(size, **arguments)(y)
    np.testing.assert_allclose(back, x, rtol=1e-12)


def test_the_vector_of_the_reference():
    """(0, 10) by 2, bilinear, along either axis."""
    x = np.array([0, 10], np.float32)
    for size, shape in (((1, 2), (1, 1, 2, 1)), ((2, 1), (1, 2, 1, 1))):
        layer = layers.UpSampling2D(size, interpolation="bilinear")
        assert layer(x.reshape(shape)).ravel().tolist() == [0, 5, 10, 10]


@formats
@given(
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_bilinear_up_sampling_is_its_formula(data_format, sizes, size):
    """Shares of the distance on both axes; the last pixel stands for the beyond."""
    x = drawn(2, *sizes, 3)
    layer = layers.UpSampling2D(size, data_format, "bilinear", dtype="float64")
    expected = given_in(data_format, between_pixels(x, size))
    np.testing.assert_allclose(layer(given_in(data_format, x)), expected, atol=1e-12)


@formats
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("Cropping1D", {"cropping": (1, 2)}),
        ("Cropping2D", {"cropping": ((1, 0), (0, 2))}),
        ("Cropping3D", {"cropping": (1, (0, 1), 0)}),
        ("ZeroPadding1D", {"padding": (0, 2)}),
        ("ZeroPadding2D", {"padding": (1, (0, 2))}),
        ("ZeroPadding3D", {"padding": ((1, 0), 1, (0, 2))}),
        ("UpSampling1D", {"size": 3}),
        ("UpSampling2D", {"size": (2, 3)}),
        ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}),
        ("UpSampling3D", {"size": (1, 2, 3)}),
    ],
)
def test_every_layer_passes_the_check(name, arguments, data_format):
    """Gradients by measurement, shapes, untouched inputs, configuration."""
    layer = layers.get(name)(data_format=data_format, **arguments)
    shape = (5, 4, 4, 5)[: int(name[-2]) + 1]
    assert check_layer(layer, shape, trials=2).passed


@pytest.mark.parametrize(
    "name, argument, expected",
    [
        ("Cropping1D", 2, ((2, 2),)),
        ("Cropping1D", [1, 0], ((1, 0),)),
        ("Cropping2D", 2, ((2, 2), (2, 2))),
        ("Cropping2D", (1, 2), ((1, 1), (2, 2))),
        ("Cropping2D", (1, (2, 3)), ((1, 1), (2, 3))),
        ("Cropping3D", ((1, 2), 3, (4, 5)), ((1, 2), (3, 3), (4, 5))),
        ("ZeroPadding1D", 1, ((1, 1),)),
        ("ZeroPadding2D", np.array([1, 2]), ((1, 1), (2, 2))),
        ("ZeroPadding2D", ((1, 2), (3, 4)), ((1, 2), (3, 4))),
        ("ZeroPadding3D", (1, 2, 3), ((1, 1), (2, 2), (3, 3))),
    ],
)
def test_amounts_are_given_in_many_forms(name, argument, expected):
    """One number, one per axis, or a pair per axis; a configuration holds the pairs."""
    layer = layers.get(name)(argument)
    what = "cropping" if "Cropping" in name else "padding"
    assert getattr(layer, what) == expected
    clone = layers.get(name).from_config(layer.get_config())
    assert getattr(clone, what) == expected


def test_the_usual_amounts():
    """One at each edge; images are not cropped unless it is said."""
    for rank in RANKS:
        assert layers.get(f"ZeroPadding{rank}D")().padding == ((1, 1),) * rank
        assert layers.get(f"UpSampling{rank}D")().size == (2,) * rank
    crops = [layers.get(f"Cropping{rank}D")().cropping for rank in RANKS]
    assert crops == [((1, 1),), ((0, 0),) * 2, ((1, 1),) * 3]


@pytest.mark.parametrize(
    "padding",
    [
        (1, 2, 3, 4),
        {"right_pad": 4, "left_pad": 3, "top_pad": 1, "bottom_pad": 2},
    ],
)
def test_keras_1_forms_of_padding_are_translated(padding):
    """Four numbers, or a dict; the warning shows how Keras 2 says it."""
    with pytest.warns(UserWarning, match=r"today's words .*\(\(1, 2\), \(3, 4\)\)"):
        layer = layers.ZeroPadding2D(padding)
    assert layer.padding == ((1, 2), (3, 4))
    assert layer(np.zeros((1, 1, 1, 1))).shape == (1, 4, 8, 1)


def test_edges_that_a_dict_leaves_out_are_not_padded():
    """Their number is 0; an unknown edge is an error."""
    with pytest.warns(UserWarning, match="In today's words"):
        assert layers.ZeroPadding2D({"top_pad": 2}).padding == ((2, 0), (0, 0))
    with pytest.raises(ValueError, match="Unknown side .* mean 'top_pad'"):
        layers.ZeroPadding2D({"toppad": 2})


def test_sequences_have_no_data_format_in_their_configuration():
    """Keras knows none there; ours is saved only where it is used."""
    for name in ("Cropping1D", "ZeroPadding1D", "UpSampling1D"):
        assert "data_format" not in layers.get(name)().get_config()
        layer = layers.get(name)(data_format="channels_first")
        assert layers.get(name).from_config(layer.get_config()).channels_first
    assert layers.UpSampling1D(3).get_config()["size"] == 3


def test_a_pixel_that_counts_nothing_is_not_read():
    """NaN stays where it is and between its neighbours."""
    x = np.array([1, np.nan, 3, 4], np.float32).reshape(1, 1, 4, 1)
    y = layers.UpSampling2D((1, 2), interpolation="bilinear")(x).ravel()
    assert np.isnan(y).tolist() == [False, True, True, True, *[False] * 4]
    assert y[[0, 4, 5, 6, 7]].tolist() == [1, 3, 3.5, 4, 4]


def test_a_model_learns_through_its_resizing():
    """An autoencoder gets better; replayed steps have the same bits as others."""
    x = np.random.default_rng(0).random((12, 2, 3, 2))
    weights = []
    for replay in (True, False):
        kerasnb.set_seed(3)
        model = kerasnb.Sequential(
            [
                layers.ZeroPadding2D(1, input_shape=(2, 3, 2)),
                layers.Dense(6, activation="tanh"),
                layers.UpSampling2D(2, interpolation="bilinear"),
                layers.AveragePooling2D(2),
                layers.Cropping2D(1),
                layers.Dense(2),
            ]
        )
        model.compile("adam", "mse")
        assert model._replays
        model._replays = replay
        history = model.fit(x, x, epochs=6, batch_size=5, verbose=0).history
        assert history["loss"][-1] < history["loss"][0]
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one form only")
def test_both_forms_of_the_longest_kernels_give_the_same_bits():
    """Serial or parallel: every sample belongs to one thread."""
    x, dy = drawn(5, 1, 3, 8).astype("f4"), drawn(5, 6, 12, 2).astype("f4")
    results = []
    for form in ("serial", "parallel"):
        wide, dx = np.zeros((5, 2, 5, 9), "f4"), np.zeros((5, 3, 4, 2), "f4")
        getattr(ops.pad_images, form)(wide, x, (1, 1, 0))
        getattr(ops.upsample_bilinear_backward, form)(dx, dy, (2, 3))
        results.append([wide, dx])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: layers.Cropping1D((1, 2, 3)),
            "cropping: expected an integer, 2 integ",
        ),
        (lambda: layers.Cropping1D(-1), "from 0 on, got -1"),
        (lambda: layers.Cropping2D((1, 2, 3)), "an integer, 2 of them or 2 pairs"),
        (lambda: layers.Cropping3D((1, (2, 3, 4), 5)), "3 of them or 3 pairs"),
        (lambda: layers.ZeroPadding2D("same"), "padding: expected .* got 'same'"),
        (lambda: layers.ZeroPadding2D(1.5), "got 1.5"),
        (
            lambda: layers.ZeroPadding2D(((1, 2), (3, -4))),
            "padding: expected .* from 0",
        ),
        (lambda: layers.ZeroPadding3D(None), "got None"),
        (lambda: layers.UpSampling1D(0), "size: expected an integer from 1 on"),
        (lambda: layers.UpSampling2D((2, 2, 2)), "size: .* or 2 of them"),
        (
            lambda: layers.UpSampling2D(interpolation="bilinar"),
            "interpolation of up_sampling2d_1: 'bilinar'. Did you mean 'bilinear'",
        ),
        (lambda: layers.Cropping2D(2)(np.zeros((1, 4, 9, 1))), "leaves nothing of an"),
        (lambda: layers.UpSampling2D()(np.zeros((1, 4, 4))), "input with 4 axes"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    """By name, before anything is computed."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_crop_that_leaves_nothing_is_refused_when_the_model_is_built():
    """The model stays as it was."""
    model = kerasnb.Sequential([layers.Cropping1D(1, input_shape=(4, 2))])
    with pytest.raises(ValueError, match=r"leaves nothing of an input of \(2,\)"):
        model.add(layers.Cropping1D(1))
    assert model.output_shape == (None, 2, 2) and len(model.layers) == 1


@pytest.mark.parametrize("name", ["Cropping1D", "ZeroPadding1D", "UpSampling1D"])
def test_masks_are_refused(name):
    """The steps are no longer those of the mask."""
    model = kerasnb.Sequential([layers.Masking(input_shape=(4, 2))])
    with pytest.raises(TypeError, match="does not support masks, but masking_1"):
        model.add(layers.get(name)(1))
