"""Filters and feature maps: what is drawn is what the layer holds and puts out."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from kerasnb import Sequential, plotting
from kerasnb.layers import Conv1D, Conv2D, Dense, DepthwiseConv2D, Flatten, MaxPooling2D


@pytest.fixture
def model():
    """Two convolutions, a pooling and a Dense layer."""
    return Sequential(
        [
            Conv2D(5, 3, activation="relu", input_shape=(8, 7, 1), name="low"),
            MaxPooling2D(2, name="pool"),
            Conv2D(10, 2, name="high"),
            Flatten(name="flat"),
            Dense(2, name="top"),
        ]
    )


def drawn(ax):
    """The numbers of the only image."""
    (image,) = ax.images
    return np.asarray(image.get_array())


# ---- filters ----------------------------------------------------------------------


def test_filters_of_one_channel_are_drawn_as_they_are(model):
    """One image a filter, the same colours for the same weight everywhere."""
    figure = plotting.plot_filters(model)
    W = model.get_layer("low").get_weights()[0]
    assert len(figure.axes) == 5
    for k, ax in enumerate(figure.axes):
        np.testing.assert_array_equal(drawn(ax), W[:, :, 0, k])
        assert ax.get_title() == str(k)
    limits = {ax.images[0].get_clim() for ax in figure.axes}
    assert limits == {(-abs(W).max(), abs(W).max())}
    assert figure.get_suptitle() == "low: 5 filters"


def test_filters_of_many_channels_have_a_row_each(model):
    """The first eight of the filters, on the first eight of the channels."""
    figure = plotting.plot_filters(model, "high")
    W = model.get_layer("high").get_weights()[0]
    assert len(figure.axes) == 8 * 5
    np.testing.assert_array_equal(drawn(figure.axes[5 * 2 + 3]), W[:, :, 3, 2])
    assert figure.get_suptitle() == "high: the first 8 of 10 filters, on 5 channels"
    assert [ax.get_title() for ax in figure.axes[:5]] == [f"ch. {k}" for k in range(5)]


def test_one_channel_can_be_chosen(model):
    """All filters then, on that channel; the layer by its number."""
    figure = plotting.plot_filters(model, 2, channel=4)
    W = model.get_layer("high").get_weights()[0]
    assert len(figure.axes) == 10
    np.testing.assert_array_equal(drawn(figure.axes[9]), W[:, :, 4, 9])


def test_filters_of_three_channels_are_coloured():
    """Grey is zero, the largest weight is full colour."""
    W = np.random.default_rng(0).normal(size=(3, 4, 3, 6))
    figure = plotting.plot_filters(W)
    assert len(figure.axes) == 6
    expected = 0.5 + W[..., 2] / (2 * abs(W).max())
    np.testing.assert_allclose(drawn(figure.axes[2]), expected)


def test_other_windows():
    """A layer by itself; windows of a depthwise one; taps of a sequence in a row."""
    layer = DepthwiseConv2D(3, depth_multiplier=2)
    layer(np.ones((1, 5, 5, 4)))
    figure = plotting.plot_filters(layer)
    W = layer.get_weights()[0]
    assert len(figure.axes) == 8
    np.testing.assert_array_equal(drawn(figure.axes[3]), W[:, :, 1, 1])
    taps = Conv1D(6, 4)
    taps(np.ones((1, 9, 5)))
    figure = plotting.plot_filters(taps)
    assert len(figure.axes) == 6
    np.testing.assert_array_equal(
        drawn(figure.axes[5]), taps.get_weights()[0][:, :, 5].T
    )


def test_many_filters_are_cut(model):
    """At most 64 are shown, and the title says so."""
    figure = plotting.plot_filters(np.ones((2, 2, 1, 70)))
    assert len(figure.axes) == 64
    assert figure.get_suptitle() == "W: the first 64 of 70 filters"


# ---- feature maps -----------------------------------------------------------------


def test_maps_are_what_the_layer_puts_out(model):
    """The image first, then each map, on one scale of greys."""
    x = np.random.default_rng(0).uniform(size=(3, 8, 7, 1)).astype("float32")
    figure = plotting.plot_feature_maps(model, x)
    y = model.layers[0](x[:1])
    assert [ax.get_title() for ax in figure.axes] == ["input", *"01234"]
    np.testing.assert_allclose(drawn(figure.axes[0]), x[0, ..., 0])
    for k, ax in enumerate(figure.axes[1:]):
        np.testing.assert_allclose(drawn(ax), y[0, ..., k], atol=1e-6)
        assert ax.images[0].get_clim() == pytest.approx((0, y.max()))


def test_one_image_and_another_layer(model):
    """By name or by number; without the batch axis."""
    x = np.random.default_rng(0).uniform(size=(8, 7, 1)).astype("float32")
    by_name = plotting.plot_feature_maps(model, x, layer="high")
    by_number = plotting.plot_feature_maps(model, x, layer=2)
    assert by_name.get_suptitle() == "high: 10 maps"
    assert len(by_name.axes) == 11
    for one, other in zip(by_name.axes, by_number.axes):
        np.testing.assert_array_equal(drawn(one), drawn(other))
    low, _ = by_name.axes[1].images[0].get_clim()
    assert low < 0


def test_channels_may_come_first():
    """The maps are drawn in their true shape."""
    model = Sequential(
        [Conv2D(2, 3, data_format="channels_first", input_shape=(1, 6, 5))]
    )
    x = np.random.default_rng(0).uniform(size=(1, 1, 6, 5))
    figure = plotting.plot_feature_maps(model, x)
    np.testing.assert_allclose(drawn(figure.axes[0]), x[0, 0], rtol=1e-6)
    np.testing.assert_array_equal(drawn(figure.axes[2]), model.predict(x)[0, 1])


def test_pictures_go_into_the_axes_given(model):
    """One to hold all, without a title of the figure."""
    mine = Figure()
    assert plotting.plot_filters(model, ax=mine.subplots()) is mine
    assert mine.get_suptitle() == ""
    other = Figure()
    x = np.ones((8, 7, 1))
    assert plotting.plot_feature_maps(model, x, ax=other.subplots()) is other
    assert not plt.get_fignums()


# ---- errors -----------------------------------------------------------------------


def test_what_has_no_filters_is_refused(model):
    """No window, no such layer or channel, no weights yet."""
    draw = plotting.plot_filters
    with pytest.raises(ValueError, match="expected a convolution, or weights of shape"):
        draw(model, "top")
    with pytest.raises(ValueError, match="no layer 'x'. There are: low, pool, high"):
        draw(model, "x")
    with pytest.raises(ValueError, match="no layer 9"):
        draw(model, 9)
    with pytest.raises(ValueError, match="a channel from 0 to 0, got 3"):
        draw(model, channel=3)
    with pytest.raises(ValueError, match="conv2d_1 has no weights; a layer has none"):
        draw(Conv2D(2, 3))
    with pytest.raises(ValueError, match="has no convolution. It has: dense_1"):
        draw(Sequential([Dense(2, input_shape=(2,))]))
    with pytest.raises(ValueError, match="pool has no weights"):
        draw(model, "pool")


def test_what_makes_no_maps_is_refused(model):
    """A layer that puts out rows, an image that does not fit."""
    draw = plotting.plot_feature_maps
    with pytest.raises(ValueError, match="puts out images .*, top puts out shape"):
        draw(model, np.ones((8, 7, 1)), layer="top")
    with pytest.raises(ValueError, match="expected"):
        draw(model, np.ones((5, 7, 1)))
    with pytest.raises(TypeError, match="plot_feature_maps: expected a Sequential"):
        draw(Conv2D(2, 3), np.ones((5, 7, 1)))
