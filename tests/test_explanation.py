"""explain: one batch told layer by layer, in numbers, in words, in a picture."""

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasnb import Sequential, layers
from kerasnb.explanation import dead_units, spread
from kerasnb.layers import Conv2D, Dense, Dropout, Flatten


@pytest.fixture
def model():
    """Two units are dead: their bias is far below zero."""
    first = Dense(4, activation="relu", input_shape=(2,), name="first")
    model = Sequential([first, Dropout(0.5, name="drop"), Dense(1, name="last")])
    W, b = first.get_weights()
    b[1:3] = -100
    first.set_weights([np.abs(W), b])
    model.compile("sgd", "mse")
    return model


X = np.array([[1.0, 2.0], [3.0, 0.5], [0.1, 0.2]])
T = np.ones((3, 1))

# ---- reference --------------------------------------------------------------------


def test_a_row_tells_what_a_layer_did(model):
    """Shapes, parameters, formula, operations; the range of what predict returns."""
    told = model.explain(X)
    row = told["last"]
    p = model.predict(X)
    assert (row["input_shape"], row["output_shape"]) == ((3, 4), (3, 1))
    assert (row["params"], row["formula"], row["kind"]) == (5, "y = x W + b", "Dense")
    assert (row["flops"], row["backward_flops"]) == (3 * 2 * 4, None)
    assert row["activation"]["low"] == pytest.approx(p.min())
    assert row["activation"]["high"] == pytest.approx(p.max())
    assert row["activation"]["rms"] == pytest.approx(np.sqrt(np.mean(p**2)))
    assert row["gradient"] is None and row["backward_ms"] is None
    assert row["forward_ms"] > 0
    assert told[2] is row and [one["name"] for one in told] == ["first", "drop", "last"]
    assert len(told) == 3 and told.samples == 3 and told.values == {}


def test_gradients_are_those_of_the_loss(model):
    """dp = 2 (p - t) / N for mse, and dW of the top layer from it."""
    told = model.explain(X, T, training=False)
    p = model.predict(X)
    dp = 2 * (p - T) / 3
    assert told["last"]["gradient"]["rms"] == pytest.approx(np.sqrt(np.mean(dp**2)))
    assert told["last"]["gradient"]["high"] == pytest.approx(dp.max())
    assert told.values["loss"] == pytest.approx(np.mean((p - T) ** 2))
    assert told["last"]["backward_flops"] == 3 * 4 * 4
    assert told["first"]["backward_flops"] == 3 * (2 * 8 + 4)  # nobody reads its dx
    assert told["last"]["backward_ms"] > 0


def test_dead_units_are_counted(model):
    """Zero for the whole batch, in a layer with relu; no other layer has any."""
    told = model.explain(X)
    assert (told["first"]["dead"], told["first"]["units"]) == (2, 4)
    assert told["last"]["dead"] is None and told["last"]["units"] is None


def test_dead_channels_of_images():
    """A unit of a convolution is a channel, wherever the channels are."""
    y = np.ones((2, 3, 3, 4))
    y[..., 1] = 0
    last = Conv2D(4, 3, activation="relu")
    assert dead_units(last, y) == (4, 1)
    first = Conv2D(4, 3, activation="relu", data_format="channels_first")
    assert dead_units(first, np.moveaxis(y, -1, 1)) == (4, 1)
    assert dead_units(layers.ReLU(), np.zeros((2, 3))) == (3, 3)
    assert dead_units(layers.LeakyReLU(), np.zeros((2, 3))) == (None, None)


def test_spread_of_numbers():
    """Lowest, highest, mean, deviation, root mean square, share of zeros."""
    found = spread(np.array([[0.0, 3.0], [-1.0, 0.0]]))
    assert found == {
        "low": -1.0,
        "high": 3.0,
        "mean": 0.5,
        "std": 1.5,
        "rms": pytest.approx(np.sqrt(2.5)),
        "zeros": 0.5,
    }


def test_training_behaviour_is_that_of_a_step_by_default_with_targets(model):
    """Dropout drops; the loss is that of the next step."""
    told = model.explain(X, T)
    assert told.training and not model.explain(X).training
    assert told.values["loss"] == model.train_on_batch(X, T)


# ---- in words ---------------------------------------------------------------------


def test_the_table_tells_it_all(model):
    """A line and a formula for each layer, a total at the end."""
    lines = str(model.explain(X, T, training=False)).split("\n")
    loss = model.explain(X, T, training=False).values["loss"]
    name = model.name
    assert lines[0] == f"{name}: a batch of 3, as in prediction: loss {loss:.4g}"
    assert lines[1].startswith("layer (type)") and lines[1].endswith(" FLOP")
    assert lines[4].startswith("first (Dense)") and "2/4" in lines[4]
    assert lines[5] == "  z = x W + b, y = relu(z)"
    assert lines[9] == "  y = x W + b"
    assert lines[-1].startswith("total") and " 17 " in lines[-1]
    assert len(lines) == 12
    assert max(map(len, lines)) <= 110
    assert (
        repr(model.explain(X)).split("\n")[0]
        == f"{name}: a batch of 3, as in prediction"
    )


@pytest.mark.parametrize(
    "units, words, numbers",
    [(4, "FLOP", "48 /"), (100, "kFLOP", "1.2 /"), (100_000, "MFLOP", "1.2 /")],
)
def test_operations_are_told_in_a_unit_that_fits(units, words, numbers):
    """The largest number of the table is at least one."""
    model = Sequential([Dense(units, input_shape=(2,))])
    lines = str(model.explain(X)).split("\n")
    assert lines[1].endswith(f" {words}")
    assert numbers in lines[4]


def test_times_are_told_in_a_unit_that_fits(model):
    """Milliseconds, or microseconds for small layers."""
    told = model.explain(X)
    for row, time in zip(told, (0.5, 0.25, 0.125)):
        row["forward_ms"] = time
    lines = str(told).split("\n")
    assert "time in us" in lines[1] and " 500 / - " in lines[4]
    told[0]["forward_ms"] = 2.0
    lines = str(told).split("\n")
    assert "time in ms" in lines[1] and " 2.0 / - " in lines[4]


def test_inner_models_are_indented_and_counted_once():
    """The rows of an inner model lie below it; totals are over the outermost."""
    inner = Sequential([Dense(3, input_shape=(2,), name="a")], name="inner")
    model = Sequential([inner, Dense(1, name="b")])
    told = model.explain(X)
    assert [row["depth"] for row in told] == [0, 1, 0]
    assert told.total("params") == model.count_params() == 13
    assert told.total("flops") == 3 * 2 * (6 + 3)
    assert "\n  a (Dense)" in str(told)


@pytest.mark.parametrize("name", sorted({*zoo.SHARED, *zoo.OURS}))
@settings(max_examples=2)
@given(data=st.data())
def test_every_layer_can_be_explained(name, data):
    """A batch of two through each kind of layer, told and printed."""
    layer = data.draw(zoo.exchanged(name))
    told = Sequential([layer]).explain(np.ones((2, *layer.batch_input_shape[1:])))
    (row,) = told.rows
    assert row["output_shape"] == (2, *layer.output_shape[1:])
    assert str(told).split("\n")[4].startswith(layer.name[:20])


@pytest.mark.parametrize("name", sorted(zoo.others()))
def test_layers_around_layers_can_be_explained(name):
    """Wrappers and inner models."""
    model = zoo.others()[name]
    shape = tuple(2 if n is None else n for n in model.input_shape)
    told = model.explain(np.ones(shape))
    assert told.total("params") == model.count_params()


def test_a_model_without_shapes_is_built():
    """As predict would do."""
    model = Sequential([Flatten(), Dense(2)])
    assert model.explain(np.ones((3, 2, 2))).total("params") == 10


# ---- in a picture -----------------------------------------------------------------


def test_the_picture_shows_the_rows(model):
    """Four panels with a row a layer: ranges, gradients, times, operations."""
    told = model.explain(X, T)
    figure = told.plot()
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["activations", "gradients", "time", "operations"]
    ranges, gradients, time, work = figure.axes
    for ax in figure.axes:
        names = [text.get_text() for text in ax.get_yticklabels()]
        assert names == ["first", "drop", "last"]
    low, high = ranges.lines[0].get_xdata()
    assert low == told[0]["activation"]["low"]
    assert high == told[0]["activation"]["high"]
    rms = [row["gradient"]["rms"] for row in told]
    assert list(gradients.lines[0].get_xdata()) == pytest.approx(rms)
    bars = [bar.get_width() for bar in work.patches]
    assert bars[:3] == [row["flops"] for row in told]
    assert bars[3:] == [row["backward_flops"] for row in told]
    assert work.get_xlabel() == "FLOP"
    widths = [bar.get_width() for bar in time.patches]
    assert widths[0] / widths[2] == pytest.approx(
        told[0]["forward_ms"] / told[2]["forward_ms"]
    )


def test_the_picture_without_targets_says_so(model):
    """No gradients, no bars for the way back."""
    figure = model.explain(X).plot()
    assert "no targets" in figure.axes[1].texts[0].get_text().replace("were", "")
    assert len(figure.axes[3].patches) == 3


# ---- errors -----------------------------------------------------------------------


def test_what_cannot_be_explained_is_refused(model):
    """An unknown layer, a model that is not compiled, a batch that does not fit."""
    with pytest.raises(KeyError, match="no layer 'x'. There are: first, drop, last"):
        model.explain(X)["x"]
    bare = Sequential([Dense(1, input_shape=(2,))])
    with pytest.raises(RuntimeError, match="explain: the model must be compiled"):
        bare.explain(X, T)
    with pytest.raises(ValueError, match="expected"):
        model.explain(np.ones((3, 5)))
