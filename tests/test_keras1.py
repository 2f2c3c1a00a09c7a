"""Keras 1's own semantics: every row in which the dialects conflict."""

import pickle

import numpy as np
import pytest

import kerasnb
from kerasnb import Sequence, initializers, keras1, layers, losses, regularizers
from kerasnb.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from kerasnb.keras1 import Dense, Sequential
from kerasnb.keras1_defaults import BatchMetric, MeanCosine
from kerasnb.models import clone_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) > 0).astype("float32")


def compiled(*stack, loss="mse", metrics=(), kind=Sequential, **kwargs):
    """Return a model of these layers, by default one Dense layer."""
    model = kind(list(stack) or [layers.Dense(1, activation="sigmoid", input_dim=3)])
    model.compile("sgd", loss, metrics=list(metrics), **kwargs)
    return model


def batches(*sizes):
    """Yield batches of these sizes for ever, the first rows of the data."""
    while True:
        for n in sizes:
            yield X[:n], Y[:n]


# ---- defaults and signatures ------------------------------------------------------


def test_defaults_of_fit_and_predict(capsys):
    """Ten epochs, batches of 32; predict_classes and predict_proba draw a bar."""
    model = compiled()
    history = model.fit(X, Y, verbose=0)
    assert history.epoch == list(range(10))
    assert history.params["batch_size"] == 32
    assert (history.params["nb_epoch"], history.params["nb_sample"]) == (10, 12)
    assert capsys.readouterr().out == ""
    model.predict(X)
    assert capsys.readouterr().out == ""
    model.predict_classes(X)
    model.predict_proba(X)
    assert capsys.readouterr().out.count("12/12") == 2


def test_a_loss_is_required():
    """Keras 2 does without if a layer has a penalty."""
    model = Sequential([Dense(1, W_regularizer="l2", input_dim=3)])
    with pytest.raises(TypeError, match="loss"):
        model.compile("sgd")
    with pytest.raises(ValueError, match="Keras 1 needs a loss"):
        model.compile("sgd", None)


def test_the_order_of_train_on_batch():
    """class_weight comes before sample_weight."""
    first, second = compiled(), compiled(kind=kerasnb.Sequential)
    second.set_weights(first.get_weights())
    weights = {0: 1.0, 1: 3.0}
    assert first.train_on_batch(X, Y, weights) == pytest.approx(
        second.train_on_batch(X, Y, None, weights)
    )
    w = np.arange(12.0)
    assert first.train_on_batch(X, Y, None, w) == pytest.approx(
        second.train_on_batch(X, Y, w)
    )
    with pytest.raises(TypeError, match="the order is"):
        first.train_on_batch(X, Y, w)
    with pytest.raises(TypeError, match="Is it class_weight"):
        first.train_on_batch(X, Y, None, weights)


@pytest.mark.parametrize(
    "call, arguments, words",
    [
        ("fit", (X, Y, 4, 1, 0), ["show_accuracy"]),
        ("evaluate", (X, Y, 4, 0), ["show_accuracy"]),
        ("train_on_batch", (X, Y), ["accuracy"]),
        ("test_on_batch", (X, Y), ["accuracy"]),
        ("fit_generator", (batches(4), 4, 1, 0), ["show_accuracy", "nb_val_worker"]),
        ("evaluate_generator", (batches(4), 4), ["show_accuracy", "verbose"]),
        ("compile", ("sgd", "mse"), ["class_mode"]),
    ],
)
def test_words_without_effect(call, arguments, words):
    """They warn; any other unknown one is an error."""
    model = compiled()
    for word in words:
        with pytest.warns(UserWarning, match=f"{call}: {word} has no effect"):
            getattr(model, call)(*arguments, **{word: 1})
    with pytest.raises(TypeError, match=f"Unknown argument of {call}: 'colour'"):
        getattr(model, call)(*arguments, colour=1)


def test_the_words_of_keras_2_are_unknown_here():
    """With the word that is meant."""
    with pytest.raises(TypeError, match="Did you mean 'nb_epoch'"):
        compiled().fit(X, Y, epochs=2)


# ---- generators -------------------------------------------------------------------


def test_an_epoch_ends_with_enough_samples():
    """Whatever the batches: the next epoch goes on where it ended."""
    sizes = []
    note = LambdaCallback(on_batch_end=lambda batch, logs: sizes.append(logs["size"]))
    model = compiled()
    history = model.fit_generator(batches(5, 4, 1), 10, 3, verbose=0, callbacks=[note])
    assert sizes == [5, 4, 1] * 3
    assert history.params["nb_sample"] == 10
    with pytest.warns(UserWarning, match="an epoch of 8 samples .* 9 were used"):
        model.fit_generator(batches(5, 4), 8, 2, verbose=0)


def test_counting_samples_equals_training_on_batches():
    """The same numbers as a loop of train_on_batch."""
    first, second = compiled(), compiled()
    second.set_weights(first.get_weights())
    history = first.fit_generator(batches(5, 7), 12, 2, verbose=0)
    for epoch in range(2):
        loss = [second.train_on_batch(X[:n], Y[:n]) * n / 12 for n in (5, 7)]
        assert history.history["loss"][epoch] == pytest.approx(sum(loss), rel=1e-5)
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_validation_counts_samples():
    """With a generator nb_val_samples is required, with arrays not."""
    model = compiled()
    history = model.fit_generator(
        batches(4), 8, 2, verbose=0, validation_data=batches(6), nb_val_samples=12
    )
    assert len(history.history["val_loss"]) == 2
    model.fit_generator(batches(4), 8, 1, verbose=0, validation_data=(X, Y))
    with pytest.raises(ValueError, match="nb_val_samples must be a positive integer"):
        model.fit_generator(batches(4), 8, 1, validation_data=batches(6))
    with pytest.raises(ValueError, match="samples_per_epoch must be a positive"):
        model.fit_generator(batches(4), 0, 1)


def test_evaluate_and_predict_count_samples():
    """predict_generator returns exactly so many rows."""
    model = compiled(metrics=["accuracy"])
    values = model.evaluate_generator(batches(5, 7), 12)
    np.testing.assert_allclose(
        values[0], model.evaluate(X, Y, batch_size=12, verbose=0)[0], rtol=0.5
    )
    one = (x for x, _ in batches(6))
    np.testing.assert_array_equal(
        model.predict_generator(one, 12), model.predict(np.r_[X[:6], X[:6]])
    )
    with pytest.warns(UserWarning, match="an epoch of 7 samples"):
        assert model.predict_generator(batches(4), 7).shape == (7, 1)


def test_a_sequence_is_read_in_order_for_ever():
    """Keras 1 knew no Sequences, but iterators over images."""

    class Items(Sequence):
        passes = 0

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[index : index + 3], Y[index : index + 3]

        def on_epoch_end(self):
            self.passes += 1

    items = Items()
    assert compiled().predict_generator(items, 9).shape == (9, 1)
    assert items.passes >= 1


def test_one_thread_reads_a_generator():
    """More workers would disorder the batches."""
    with pytest.warns(UserWarning, match="read by one thread; nb_worker=4"):
        compiled().fit_generator(batches(4), 4, 1, verbose=0, nb_worker=4)
    with pytest.warns(UserWarning, match="pickle_safe=True"):
        compiled().evaluate_generator(batches(4), 4, pickle_safe=True)


def test_a_generator_that_ends():
    """The epoch is closed, and the History returned."""
    short = iter([(X[:4], Y[:4])] * 3)
    with pytest.warns(UserWarning, match="the generator ended after 3 batches, and"):
        history = compiled().fit_generator(short, 8, 5, verbose=0)
    assert history.epoch == [0, 1]


def test_the_error_of_a_generator_comes_through():
    """With its place."""

    def broken():
        yield X[:4], Y[:4]
        raise KeyError("row 5")

    with pytest.raises(KeyError, match="row 5") as caught:
        compiled().fit_generator(broken(), 8, 1, verbose=0)
    if hasattr(caught.value, "__notes__"):  # Python 3.11 and later
        assert "batch 2 of the generator failed, batch 2." in caught.value.__notes__[0]


# ---- losses and metrics -----------------------------------------------------------


def test_penalties_count_in_training_only():
    """Test and validation losses leave them out; Keras 2 adds them everywhere."""
    dense = layers.Dense(1, kernel_regularizer=regularizers.l2(1.0), input_dim=3)
    model = compiled(dense)
    model.optimizer.lr = 0.0
    history = model.fit(X, Y, nb_epoch=1, verbose=0, validation_data=(X, Y)).history
    plain = float(np.mean((model.predict(X) - Y) ** 2))
    penalty = float((dense.get_weights()[0] ** 2).sum())
    assert history["loss"][0] == pytest.approx(plain + penalty, rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(plain, rel=1e-5)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(plain, rel=1e-5)
    assert model.test_on_batch(X, Y) == pytest.approx(plain, rel=1e-5)
    modern = compiled(dense, kind=kerasnb.Sequential)
    assert modern.evaluate(X, Y, verbose=0) == pytest.approx(plain + penalty, rel=1e-5)


def test_metrics_see_no_mask_and_no_weights():
    """One number of the plain batch, averaged over samples."""
    x = RNG.normal(size=(4, 5, 3)).astype("float32")
    x[:, 3:] = 0
    y = RNG.normal(size=(4, 5, 2)).astype("float32")
    model = Sequential([layers.Masking(input_shape=(5, 3)), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"], sample_weight_mode="temporal")
    w = RNG.uniform(size=(4, 5))
    found = model.evaluate(x, y, batch_size=4, verbose=0, sample_weight=w)[1]
    assert found == pytest.approx(np.abs(model.predict(x) - y).mean(), rel=1e-5)


def test_precision_recall_and_their_kin():
    """Counted on each batch, then averaged."""
    t, p = np.array([1, 1, 0, 0, 1.0]), np.array([0.9, 0.2, 0.8, 0.1, 0.6])
    tp, fp, fn, tn = 2, 1, 1, 1
    assert keras1.precision(t, p) == pytest.approx(tp / (tp + fp))
    assert keras1.recall(t, p) == pytest.approx(tp / (tp + fn))
    assert keras1.fmeasure(t, p) == pytest.approx(2 / 3)
    assert keras1.fbeta_score(t, p, beta=2) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="beta of 0 or more"):
        keras1.fbeta_score(t, p, beta=-1)
    expected = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * 2 * 2)
    assert keras1.matthews_correlation(t, p) == pytest.approx(expected)
    assert keras1.matthews_correlation(t, 0 * p) == 0
    names = ["precision", "recall", "fbeta_score", "matthews_correlation"]
    model = compiled(metrics=[*names, "fmeasure"])
    values = model.test_on_batch(X, Y)
    predicted = model.predict(X)
    for name, value in zip(names, values[1:]):
        expected = getattr(keras1, name)(Y, predicted)
        assert value == pytest.approx(expected, rel=1e-5)
    assert compiled(metrics=["f1score"]).metrics_names == ["loss", "fmeasure"]


def test_duplicate_metrics_are_all_numbered_in_the_history():
    """In metrics_names they stay as they are."""
    model = compiled(metrics=["mse", "acc", "mse"])
    assert model.metrics_names == ["loss", *["mean_squared_error", "acc"] * 2][:4]
    history = model.fit(X, Y, nb_epoch=1, verbose=0).history
    assert list(history) == [
        "loss",
        "mean_squared_error_1",
        "acc",
        "mean_squared_error_2",
    ]


def test_cosine_proximity_is_a_mean():
    """The vectors of the specification; Keras 2 has the sum."""
    y = np.array([[0, 1, 0], [1, 0, 0.0]])
    p = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]])
    expected = [-0.317526448, -0.272165527]
    np.testing.assert_allclose(keras1.cosine_proximity(y, p), expected, rtol=1e-8)
    modern = [-0.952579344, -0.816496581]
    np.testing.assert_allclose(losses.cosine_proximity(y, p), modern, rtol=1e-8)
    assert kerasnb.check_loss(MeanCosine()).passed
    model = compiled(layers.Dense(3, input_dim=3), loss="cosine_proximity")
    p = model.predict(X)
    expected = keras1.cosine_proximity(X, p).mean()
    assert model.test_on_batch(X, X) == pytest.approx(expected, rel=1e-5)


def test_a_batch_metric_takes_what_the_metric_takes():
    """Class numbers too."""
    model = Sequential([layers.Dense(3, activation="softmax", input_dim=3)])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    labels = np.arange(12) % 3
    expected = (model.predict(X).argmax(axis=1) == labels).mean()
    assert model.test_on_batch(X, labels)[1] == pytest.approx(expected, rel=1e-5)
    assert BatchMetric(kerasnb.metrics.mae)([[1.0]], [[3.0]]) == [2.0]


# ---- callbacks --------------------------------------------------------------------

VALUES = [1.0, 0.9, 0.95, 0.92, 0.91, 0.89, 0.93, 0.94, 0.95]


class Says(Callback):
    """Puts chosen values of 'val_loss' into the logs."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.values[epoch]


@pytest.mark.parametrize(
    "patience, min_delta, stop", [(0, 0, 2), (1, 0, 3), (2, 0, 4), (2, 0.05, 4)]
)
def test_patience_of_early_stopping(patience, min_delta, stop):
    """It fires after patience + 1 bad epochs, in an unmodified script."""
    stopping = EarlyStopping(patience=patience, min_delta=min_delta)
    history = compiled().fit(
        X, Y, nb_epoch=9, verbose=0, callbacks=[Says(VALUES), stopping]
    )
    assert history.epoch[-1] == stop
    assert stopping.grace == 0  # in a model of today it counts as today


def test_patience_of_three_never_stops():
    """The vector of the specification."""
    stopping = EarlyStopping(patience=3)
    history = compiled().fit(
        X, Y, nb_epoch=9, verbose=0, callbacks=[Says(VALUES), stopping]
    )
    assert history.epoch[-1] == 8


@pytest.mark.parametrize(
    "cooldown, expected",
    [
        (0, [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
        (2, [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]),
    ],
)
def test_patience_of_the_learning_rate(cooldown, expected):
    """The first reduction comes one epoch later than in Keras 2."""
    rates = []
    model = compiled()
    model.optimizer.lr = 1.0
    reducer = ReduceLROnPlateau(factor=0.5, patience=2, cooldown=cooldown)
    note = LambdaCallback(on_epoch_end=lambda *_: rates.append(model.optimizer.lr))
    model.fit(X, Y, nb_epoch=9, verbose=0, callbacks=[Says([1.0] * 9), reducer, note])
    assert rates == expected


def test_checkpoints_count_from_zero(tmp_path, capsys):
    """In file names and in texts."""
    save = ModelCheckpoint(tmp_path / "{epoch:02d}.knb", verbose=1)
    compiled().fit(X, Y, nb_epoch=2, verbose=0, callbacks=[save])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00.knb", "01.knb"]
    assert "Epoch 00000: saved" in capsys.readouterr().out


def test_the_progress_bar_comes_last(capsys):
    """So a callback's text stands before the line of the epoch."""
    shout = LambdaCallback(on_epoch_end=lambda *_: print("mine"))
    compiled().fit(X, Y, nb_epoch=1, verbose=2, callbacks=[shout])
    out = capsys.readouterr().out
    assert out.index("mine") < out.index("loss:")


def test_a_stop_is_honoured_at_the_end_of_the_epoch():
    """The other batches and the validation run; in Keras 2 they do not."""

    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(batch)
            self.model.stop_training = True

    for kind, expected in ((Sequential, [0, 1, 2]), (kerasnb.Sequential, [0])):
        seen = []
        model = compiled(kind=kind)
        history = model.fit(
            X, Y, 4, 5, verbose=0, callbacks=[Stop()], validation_data=(X, Y)
        )
        assert (seen, history.epoch) == (expected, [0])
        assert ("val_loss" in history.history) == (kind is Sequential)


def test_the_model_holds_the_validation_data():
    """As inputs, targets and weights."""
    model = compiled()
    model.fit(X, Y, nb_epoch=1, verbose=0, validation_data=(X[:4], Y[:4]))
    assert [a.shape for a in model.validation_data] == [(4, 3), (4, 1), (4,)]


# ---- the stack --------------------------------------------------------------------


def test_the_summary_of_keras_1():
    """A width of 100, a column more, one line of totals."""
    model = Sequential(
        [layers.Dense(8, input_dim=3, name="a"), layers.Dense(1, name="b")]
    )
    lines = []
    model.summary(print_fn=lines.append)
    assert {len(line) for line in lines[:-2]} == {100}
    assert lines[1][67:].rstrip() == "Connected to"
    columns = [(0, 33), (33, 55), (55, 67), (67, 100)]
    fields = [lines[3][start:stop].strip() for start, stop in columns]
    assert fields == ["a (Dense)", "(None, 8)", "32", "a_input[0][0]"]
    assert lines[5][67:].startswith("a[0][0]")
    assert lines[-2] == "Total params: 41"


def test_positions_count_the_input():
    """0 is the implicit input layer."""
    model = compiled()
    assert type(model.get_layer(index=0)) is layers.InputLayer
    assert model.get_layer(index=1) is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[-1]
    assert model.get_layer(model.layers[0].name) is model.layers[0]
    with pytest.raises(ValueError, match="index 2 is out of range"):
        model.get_layer(index=2)


def test_the_first_layer_says_its_input():
    """At add, not later."""
    with pytest.raises(ValueError, match="needs input_shape"):
        Sequential([layers.Dense(3)])


def test_the_model_can_be_cloned():
    """The copy is one of Keras 1 too."""
    assert type(clone_model(compiled())) is Sequential


# ---- layers, optimizers, initializers ---------------------------------------------


def test_layers_in_the_words_and_the_order_of_keras_1():
    """Without a warning, since they are meant."""
    dense = Dense(4, "uniform", "relu", None, "l2", bias=False, input_dim=3)
    assert (dense.units, dense.activation.name, dense.use_bias) == (4, "relu", False)
    assert dense.kernel_regularizer.l2 == 0.01
    assert dense.batch_input_shape == (None, 3)
    assert isinstance(dense, layers.Dense)
    assert type(dense).from_config(dense.get_config()).units == 4
    assert keras1.Dropout(p=0.25).rate == 0.25
    assert pickle.loads(pickle.dumps(keras1.Dense)) is Dense
    with pytest.raises(TypeError, match="by position and by name"):
        Dense(4, output_dim=3)
    with pytest.raises(TypeError, match="at most 1 positional"):
        keras1.Dropout(0.5, None)
    with pytest.raises(AttributeError, match="no attribute 'Dens'"):
        keras1.Dens


def test_each_gate_of_a_recurrent_layer_is_drawn_by_itself():
    """Its limits are those of one block, unless consume_less is 'gpu'."""
    for kind, gates in ((keras1.GRU, 3), (keras1.LSTM, 4)):
        layer = kind(6, "glorot_uniform", consume_less="cpu", dtype="float64")
        layer.connect((None, None, 6))
        for block in np.split(layer.get_weights()[1], gates, axis=1):
            np.testing.assert_allclose(block @ block.T, 1.21 * np.eye(6), atol=1e-12)
        limit = np.sqrt(6 / 12)
        assert 0.9 * limit < abs(layer.get_weights()[0]).max() <= limit
        layer = kind(6, "glorot_uniform", consume_less="gpu", dtype="float64")
        layer.connect((None, None, 6))
        assert abs(layer.get_weights()[0]).max() <= np.sqrt(6 / (6 + 6 * gates))
        W, U, b = layer.get_weights()
        np.testing.assert_allclose(U @ U.T, 1.21 * np.eye(6), atol=1e-12)


def test_a_dense_layer_takes_rows_only():
    """Keras 2 applies it to the last axis of any input."""
    with pytest.raises(ValueError, match="expects an input with 2 axes"):
        Dense(3)(np.ones((2, 3, 4)))
    assert layers.Dense(3)(np.ones((2, 3, 4))).shape == (2, 3, 3)


@pytest.mark.parametrize("name, fan", [("glorot_normal", 30 / 2), ("he_normal", 5)])
def test_normal_initializers_are_not_truncated(name, fan):
    """Variance 1 / mean fan or 2 / fan_in, with far values."""
    start = Dense(20, name).kernel_initializer
    draws = np.concatenate([start((10, 20)).ravel() for _ in range(50)]) * np.sqrt(fan)
    assert draws.std() == pytest.approx(1, abs=0.03)
    assert abs(draws).max() > 2.5
    cut = initializers.get(name)((10, 20)) * np.sqrt(fan)
    assert abs(cut).max() < 2.28


def test_orthogonal_weights_have_a_gain():
    """1.1, where Keras 2 has 1."""
    W = Dense(4, init="orthogonal").kernel_initializer((4, 4), "float64")
    np.testing.assert_allclose(W @ W.T, 1.21 * np.eye(4), atol=1e-12)


@pytest.mark.parametrize("name", sorted(kerasnb.optimizers.OPTIMIZERS))
def test_the_epsilon_of_optimizers(name):
    """1e-8 by name and by class; one's own stays."""
    model = compiled()
    model.compile(name, "mse")
    kind = type(model.optimizer).__name__
    made = getattr(keras1, kind)()
    assert type(made).__name__ == kind
    if name != "sgd":
        assert model.optimizer.epsilon == made.epsilon == 1e-8
        assert getattr(keras1, kind)(epsilon=0.1).epsilon == 0.1
        assert kerasnb.optimizers.get(name).epsilon == 1e-7
