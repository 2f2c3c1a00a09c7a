import io
import os
import sys
import threading
import warnings

import matplotlib.image
import numpy as np
import pytest

from kerasnb import Sequential, layers
from kerasnb.callbacks import Callback, CallbackList, TensorBoard
from kerasnb.tensorboard import Histogram, graph, picture

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

X = np.linspace(0, 1, 30, dtype=np.float32).reshape(10, 3)


def stack():
    inner = Sequential([layers.Dense(2, input_shape=(4,), name="inner")], name="a b")
    low = layers.Dense(4, input_shape=(3,), name="low")
    model = Sequential([low, inner, layers.Dense(1, name="top")])
    model.compile("sgd", "mse")
    return model


def fit(callback, epochs=2, model=None, **options):
    model = model or stack()
    options = {"validation_data": (X, X[:, :1]), "batch_size": 4, **options}
    model.fit(X, X[:, :1], epochs=epochs, verbose=0, callbacks=[callback], **options)
    return model


def read(folder):
    return EventAccumulator(str(folder), {"images": 0, "histograms": 0}).Reload()


def scalars(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


# ---- reference: scalars -----------------------------------------------------------


def test_every_epoch_writes_what_was_logged(tmp_path):
    model = fit(TensorBoard(tmp_path / "new" / "logs"), 3)
    for tag, values in model.history.history.items():
        expected = list(enumerate(np.float32(values)))
        assert scalars(tmp_path / "new" / "logs", tag) == expected
    assert read(tmp_path / "new" / "logs").Tags()["histograms"] == []


@pytest.mark.parametrize(
    "update_freq, steps",
    [("batch", [4, 8, 10, 14, 18, 20]), (1, [4, 8, 10, 14, 18, 20]), (9, [10, 20])],
)
def test_batches_are_written_by_the_samples_seen(tmp_path, update_freq, steps):
    """Three batches an epoch, of 4, 4 and 2 samples; validation once an epoch."""
    board = TensorBoard(tmp_path, update_freq=update_freq)
    fit(board)
    assert [step for step, _ in scalars(tmp_path, "loss")] == steps
    assert [step for step, _ in scalars(tmp_path, "val_loss")] == [10, 20]
    assert set(read(tmp_path).Tags()["scalars"]) == {"loss", "val_loss"}


def test_only_numbers_are_written(tmp_path):
    told = CallbackList([TensorBoard(tmp_path, write_graph=False)])
    told.on_train_begin()
    told.on_epoch_end(0, {"batch": 1, "size": 2, "note": "x", "lr": np.float64(0.5)})
    told.on_train_end()
    assert read(tmp_path).Tags()["scalars"] == ["lr"]


def test_samples_are_counted_on_from_the_state(tmp_path):
    first, second = (TensorBoard(tmp_path / n, update_freq="batch") for n in "ab")
    fit(first, 1)
    second.set_state(first.get_state())
    fit(second, 1)
    assert [step for step, _ in scalars(tmp_path / "b", "loss")] == [14, 18, 20]


def test_the_writer_is_closed_whatever_ends_the_training(tmp_path):
    class Broken(TensorBoard):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        fit(Broken(tmp_path))
    assert threading.active_count() == before
    assert len(scalars(tmp_path, "loss")) == 1
    fit(TensorBoard(tmp_path))
    assert len(os.listdir(tmp_path)) == 2


# ---- reference: histograms, images, graph, embeddings -----------------------------


def test_histograms_of_weights_gradients_and_outputs(tmp_path):
    board = TensorBoard(tmp_path, histogram_freq=2, batch_size=3, write_grads=True)
    model = fit(board, 3)
    events = read(tmp_path)
    names = [weight.name.replace(":", "_") for weight in model.weights]
    outputs = ["low_out", "inner_out", "a b_out", "top_out"]
    expected = {*names, *(name + "_grad" for name in names), *outputs}
    assert set(events.Tags()["histograms"]) == expected
    assert [event.step for event in events.Histograms("low/kernel_0")] == [0, 2]
    last = events.Histograms("top/kernel_0")[-1].histogram_value
    W = model.layers[-1].get_weights()[0]
    assert (last.num, last.min, last.max) == (2, W.min(), W.max())
    assert sum(last.bucket) == 2
    out = events.Histograms("top_out")[-1].histogram_value
    assert out.num == 10
    assert out.sum == pytest.approx(model.predict(X).sum(), rel=1e-5)
    grad = events.Histograms("top/bias_0_grad")[-1].histogram_value
    assert grad.sum == pytest.approx(model.weights[-1].grad[0], rel=1e-6)


def test_a_histogram_counts_every_finite_number_once():
    x = np.array([0.0, -1e30, 1e-20, 2.0, 2.0, 1e300, np.nan, -np.inf])
    histogram = Histogram(x[:3])
    histogram.add(x[3:].reshape(1, -1))
    (value,) = histogram.values("tag")
    found = value.histo
    assert (found.num, found.min, found.max) == (6, -1e30, 1e300)
    assert sum(found.bucket) == 6 and max(found.bucket) == 2
    k = list(found.bucket_limit).index(min(b for b in found.bucket_limit if b > 2))
    assert found.bucket[k] == 2 and found.bucket_limit[k - 1] <= 2
    assert list(Histogram(x[6:]).values("tag")) == []


@pytest.mark.parametrize(
    "shape, size",
    [((), (1, 1)), ((5,), (1, 5)), ((2, 3), (2, 3)), ((2, 3, 4), (6, 4))]
    + [((3, 2, 4, 5), (12, 10))],
)
def test_weights_of_any_shape_make_a_picture(shape, size):
    value = picture("tag", np.arange(float(np.prod(shape))).reshape(shape))
    assert (value.image.height, value.image.width) == size
    assert value.image.encoded_image_string.startswith(b"\x89PNG")


def test_a_convolution_shows_one_tile_for_each_channel_and_filter():
    a = np.zeros((2, 2, 3, 4))
    a[0, 1, 2, 3] = 1.0
    png = picture("tag", a).image.encoded_image_string
    pixels = matplotlib.image.imread(io.BytesIO(png))[..., 0]
    assert np.argwhere(pixels == 1.0).tolist() == [[2 * 2 + 0, 3 * 2 + 1]]


def test_pictures_of_weights_are_written(tmp_path):
    fit(TensorBoard(tmp_path, histogram_freq=1, write_images=True), 2)
    events = read(tmp_path)
    assert "low/kernel_0_image" in events.Tags()["images"]
    images = events.Images("low/kernel_0_image")
    assert [(event.step, event.height, event.width) for event in images] == [
        (0, 3, 4),
        (1, 3, 4),
    ]


def test_the_graph_has_a_box_for_every_layer(tmp_path):
    fit(TensorBoard(tmp_path), 1)
    boxes = {box.name: box for box in read(tmp_path).Graph().node}
    found = {name: (box.op, list(box.input)) for name, box in boxes.items()}
    assert found == {
        "low_input": ("Placeholder", []),
        "low": ("Dense", ["low_input"]),
        "a_b/inner": ("Dense", ["low"]),
        "top": ("Dense", ["a_b/inner"]),
    }
    sizes = boxes["low"].attr["_output_shapes"].list.shape[0].dim
    assert [size.size for size in sizes] == [-1, 4]
    fit(TensorBoard(tmp_path / "none", write_graph=False), 1)
    assert not read(tmp_path / "none").Tags()["graph"]


def test_layers_around_layers_stand_above_them():
    """Branches meet in the layer that holds them; an InputLayer is the input."""

    class Holder(layers.Layer):
        @property
        def sublayers(self):
            return [layers.Flatten(name="left"), layers.Flatten(name="right")]

        def forward(self, x, training):
            return x

    start = layers.InputLayer((3,), name="start")
    model = Sequential([start, Holder(name="both")])
    found = {box.name: list(box.input) for box in graph(model).node}
    assert found == {
        "start": [],
        "both/left": ["start"],
        "both/right": ["start"],
        "both/both": ["both/left", "both/right"],
    }


def test_embeddings_are_written_with_their_labels(tmp_path):
    board = TensorBoard(
        tmp_path,
        embeddings_freq=2,
        embeddings_layer_names=["low", "inner"],
        embeddings_metadata={"low": "labels.tsv"},
        embeddings_data=X,
        batch_size=4,
    )
    model = fit(board, 3)
    table = np.loadtxt(tmp_path / "low.tsv", delimiter="\t")
    np.testing.assert_allclose(table, model.layers[0](X), rtol=1e-5, atol=1e-6)
    assert np.loadtxt(tmp_path / "inner.tsv").shape == (10, 2)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 2
    assert 'tensor_path: "low.tsv"' in config
    assert config.count('metadata_path: "labels.tsv"') == 1


def test_embedding_layers_are_found_by_their_class(tmp_path):
    class Embedding(layers.Dense):
        pass

    low = Embedding(2, input_shape=(3,), name="words")
    model = Sequential([low, layers.Dense(1)])
    model.compile("sgd", "mse")
    options = {"embeddings_metadata": "all.tsv", "embeddings_data": X}
    fit(TensorBoard(tmp_path, embeddings_freq=1, **options), 1, model)
    assert np.loadtxt(tmp_path / "words.tsv").shape == (10, 2)
    assert '"all.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()


# ---- laws -------------------------------------------------------------------------


def test_looking_on_does_not_change_the_training(tmp_path):
    """Same seed, same weights, with and without everything that can be written."""
    model, other = stack(), stack()
    other.set_weights(model.get_weights())
    everything = TensorBoard(tmp_path, 1, 7, True, True, True, 1, ["low"], None, X, 3)
    fit(everything, 3, model, seed=5)
    fit(Callback(), 3, other, seed=5)
    assert model.history.history == other.history.history
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"write_grads": True}, "write_grads has no effect without histogram_freq"),
        ({"write_images": True}, "write_images has no effect without histogram_freq"),
        ({"embeddings_layer_names": ["a"]}, "names has no effect without embeddings_f"),
        ({"embeddings_metadata": "a"}, "metadata has no effect without embeddings_f"),
        ({"embeddings_data": X}, "data has no effect without embeddings_freq. Pass"),
        ({"embeddings_freq": 1}, "embeddings_freq needs embeddings_data"),
        ({"histogram_freq": -1}, "histogram_freq must be a positive integer, got -1"),
        ({"batch_size": 0}, "TensorBoard: batch_size must be a positive integer"),
        ({"update_freq": 0}, "TensorBoard: update_freq must be a positive integer"),
        ({"update_freq": "epochs"}, "Unknown update_freq .* Did you mean 'epoch'"),
    ],
)
def test_arguments_without_effect_are_refused_at_once(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        TensorBoard(tmp_path, **options)
    assert os.listdir(tmp_path) == []


def test_histograms_need_validation_data(tmp_path):
    with pytest.raises(ValueError, match="histogram_freq needs validation data in arr"):
        fit(TensorBoard(tmp_path, histogram_freq=1), validation_data=None)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "no Embedding layer. Choose others .* from: .*low, a b, inner, top"),
        ({"embeddings_layer_names": ["lo"]}, "Unknown layer .* Did you mean 'low'"),
        (
            {"embeddings_layer_names": ["low"], "embeddings_metadata": {"to": "a"}},
            "Unknown layer of embeddings_metadata 'to'",
        ),
    ],
)
def test_unknown_layers_of_embeddings_are_named(tmp_path, options, message):
    board = TensorBoard(tmp_path, embeddings_freq=1, embeddings_data=X, **options)
    with pytest.raises(ValueError, match=message):
        fit(board)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    name = "tensorboard.summary.writer.event_file_writer"
    monkeypatch.setitem(sys.modules, name, None)
    match = r"TensorBoard needs the package tensorboard .*kerasnb\[tensorboard\]"
    with pytest.raises(ImportError, match=match):
        TensorBoard()
