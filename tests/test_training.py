"""The training loop: its laws, what it reports, how it stops, what it refuses."""

import copy
import os
import signal
import subprocess
import sys
import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Sequential, losses
from kerasnb.callbacks import Callback, LambdaCallback
from kerasnb.layers import Activation, Dense, Dropout, Masking


def make_data(samples=23, features=4, classes=3):
    """Return random samples and one-hot targets."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, features)).astype(np.float32)
    return x, np.eye(classes, dtype=np.float32)[rng.integers(classes, size=samples)]


def make_model(optimizer="adam", metrics=("accuracy",), dropout=0.3, seed=5):
    """Return a compiled classifier of `make_data`."""
    kerasnb.set_seed(seed)
    model = Sequential(
        [
            Dense(7, "relu", input_shape=(4,)),
            Dropout(dropout),
            Dense(3, "softmax"),
        ]
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=list(metrics))
    return model


def same_weights(a, b):
    """Assert that two models have the same bits."""
    for left, right in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_array_equal(left, right)


# ---- the laws of fit --------------------------------------------------------------


@given(samples=st.integers(1, 30), batch_size=st.integers(1, 12))
def test_fit_is_a_loop_of_train_on_batch(samples, batch_size):
    """Without shuffling, an epoch is one update per slice of the data."""
    x, y = make_data(samples)
    a, b = make_model(), make_model()
    kerasnb.set_seed(1)
    a.fit(x, y, batch_size, epochs=2, shuffle=False, verbose=0)
    kerasnb.set_seed(1)
    for _ in range(2):
        for at in range(0, samples, batch_size):
            b.train_on_batch(x[at : at + batch_size], y[at : at + batch_size])
    same_weights(a, b)


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_two_epochs_are_one_and_one_more(shuffle):
    """fit(2) == fit(1) and fit(2, initial_epoch=1), dropout and shuffles included."""
    x, y = make_data()
    a, b = make_model(), make_model()
    kerasnb.set_seed(1)
    whole = a.fit(x, y, 5, epochs=2, shuffle=shuffle, verbose=0)
    kerasnb.set_seed(1)
    first = b.fit(x, y, 5, epochs=1, shuffle=shuffle, verbose=0)
    second = b.fit(x, y, 5, epochs=2, initial_epoch=1, shuffle=shuffle, verbose=0)
    same_weights(a, b)
    assert whole.history["loss"] == first.history["loss"] + second.history["loss"]
    assert second.epoch == [1]


def test_the_same_seed_gives_the_same_bits():
    """Another seed gives others; fit's own seed leaves the global stream alone."""
    x, y = make_data()
    runs = []
    for seed in (1, 1, 2):
        model = make_model()
        model.fit(x, y, 5, epochs=2, verbose=0, seed=seed)
        runs.append(model.get_weights()[0])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_one_thread_and_two_give_the_same_bits():
    """Also for sizes that run in parallel."""
    rng = np.random.default_rng(0)
    width, samples = (8, 9) if numba.config.DISABLE_JIT else (300, 700)
    x = rng.normal(size=(samples, width)).astype(np.float32)
    y = rng.integers(10, size=samples)
    models = []
    for threads in (1, 2):
        kerasnb.set_seed(3)
        kerasnb.set_num_threads(threads)
        model = Sequential([Dense(width, "tanh", input_shape=(width,)), Dropout(0.5)])
        model.add(Dense(10, "softmax"))
        model.compile(
            kerasnb.optimizers.Adam(clipnorm=0.1),
            losses.get("sparse_categorical_crossentropy"),
        )
        model.fit(x, y, 256, epochs=2, verbose=0)
        models.append(model)
    same_weights(*models)


def test_every_sample_appears_once_an_epoch():
    """A shuffle is a permutation, anew each epoch."""
    from kerasnb.feeds import epoch_order

    orders = [epoch_order(11, 4, True) for _ in range(2)]
    assert all(sorted(order) == list(range(11)) for order in orders)
    assert (orders[0] != orders[1]).any()


def test_shuffle_batch_keeps_the_rows_of_a_batch_together():
    """Whole batches move; the incomplete one stays last."""
    from kerasnb.feeds import epoch_order

    order = epoch_order(10, 3, "batch")
    rows = order[:9].reshape(3, 3)
    assert (np.diff(rows, axis=1) == 1).all() and order[9] == 9
    assert sorted(order) == list(range(10))
    assert epoch_order(5, 3, "batch").tolist() == [0, 1, 2, 3, 4]


def test_batch_size_does_not_change_evaluate_or_predict():
    """Averages count every sample once."""
    x, y = make_data()
    model = make_model()
    reference = model.evaluate(x, y, batch_size=23, verbose=0)
    for batch_size in (1, 5, 22, 100):
        np.testing.assert_allclose(
            model.evaluate(x, y, batch_size, verbose=0), reference, rtol=1e-6
        )
        np.testing.assert_allclose(
            model.predict(x, batch_size), model.predict(x), rtol=1e-6
        )


def test_permuting_samples_permutes_predictions():
    """A sample's prediction depends on nothing but the sample."""
    x, _ = make_data()
    order = np.random.default_rng(1).permutation(len(x))
    model = make_model()
    np.testing.assert_array_equal(model.predict(x[order]), model.predict(x)[order])


def test_a_weight_of_two_is_a_duplicated_sample(float64):
    """The weighted loss is scaled by the count of samples, the duplicated by n + 1."""
    x, y = make_data(6)
    w = np.array([1, 1, 2, 1, 1, 1.0])
    weighted = make_model("sgd", dropout=0)
    duplicated = make_model(kerasnb.optimizers.SGD(0.01 * 7 / 6), dropout=0)
    a = weighted.train_on_batch(x, y, w)
    order = [0, 1, 2, 2, 3, 4, 5]
    b = duplicated.train_on_batch(x[order], y[order])
    assert a[0] * 6 == pytest.approx(b[0] * 7, rel=1e-12)
    for left, right in zip(weighted.get_weights(), duplicated.get_weights()):
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-14)


def test_a_sample_of_weight_zero_counts_nothing(float64):
    """Zero weights are left out of sum and count alike."""
    x, y = make_data(6)
    a, b = make_model(dropout=0), make_model(dropout=0)
    first = a.train_on_batch(x, y, [1, 1, 1, 1, 0, 0])
    second = b.train_on_batch(x[:4], y[:4])
    assert first[0] == pytest.approx(second[0], rel=1e-12)
    for left, right in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_allclose(left, right, rtol=1e-9)


def test_class_weight_equals_the_sample_weights_it_stands_for():
    """For one-hot targets and for class numbers."""
    x, y = make_data()
    labels = y.argmax(1)
    weights = {0: 0.5, 1: 2.0, 2: 1.0}
    w = np.array([weights[label] for label in labels])
    a, b, c = make_model(), make_model(), make_model()
    c.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ha = a.fit(x, y, 5, verbose=0, class_weight=weights, seed=1)
    hb = b.fit(x, y, 5, verbose=0, sample_weight=w, seed=1)
    hc = c.fit(x, labels, 5, verbose=0, class_weight=weights, seed=1)
    assert ha.history == hb.history
    assert hc.history["loss"] == pytest.approx(ha.history["loss"], rel=1e-5)


def test_the_gradient_of_a_step_is_the_derivative_of_the_loss(float64):
    """Through layers, weights, penalties and sample weights at once."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    w = np.array([1, 2, 0, 0.5, 3])
    model = Sequential(
        [
            Dense(4, "tanh", kernel_regularizer="l1_l2", input_shape=(3,)),
            Dense(2, "sigmoid", activity_regularizer="l2", bias_regularizer="l1"),
        ]
    )
    model.compile(kerasnb.optimizers.SGD(1.0), "mse", loss_weights=[0.7])
    start = model.get_weights()
    direction = [rng.normal(size=a.shape) for a in start]

    def loss(step):
        model.set_weights([a + step * d for a, d in zip(start, direction)])
        return model.test_on_batch(x, y, w)

    numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5
    model.set_weights(start)
    model.train_on_batch(x, y, w)
    gradient = [a - b for a, b in zip(start, model.get_weights())]
    analytic = sum((g * d).sum() for g, d in zip(gradient, direction))
    assert analytic == pytest.approx(numeric, rel=1e-6)


# ---- the loss formula of masks and weights ----------------------------------------

S = np.array([[1.0, 2, 3], [4, 5, 6]])
M = np.array([[1.0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    "w, mask, expected",
    [
        ([1, 1], M, 2.333333),
        ([2, 0], None, 4.0),
        ([2, 0.5], None, 3.25),
        ([2, 0.5], M, 2.666667),
        ([[1, 2, 0], [1, 1, 1]], None, 4.0),
    ],
)
def test_masks_and_weights_follow_the_formula(w, mask, expected):
    """The vectors of the specification: rows of loss S, mask M, weights w."""
    from kerasnb.objective import Objective

    objective = Objective(losses.get("mae"), [], (None, 3, 1), "float64")
    p = S[..., None].copy()
    w = np.array(w, np.float32)
    objective.measure(np.zeros_like(p), p, mask, w)
    (value,) = objective.values()
    assert value == pytest.approx(expected, abs=1e-6)


def test_a_batch_without_any_weight_changes_nothing():
    """It counts zero, warns, and never divides by zero."""
    x, y = make_data(4)
    model = make_model()
    before = model.get_weights()
    with pytest.warns(UserWarning, match="all zero was skipped"):
        assert model.train_on_batch(x, y, np.zeros(4))[0] == 0
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_masked_step_counts_neither_in_the_loss_nor_in_the_metrics(float64):
    """The mask reaches the loss through layers that pass it on."""
    x = np.array([[[1.0], [0], [2]], [[3], [0], [0]]])
    y = np.array([[[1.0], [9], [1]], [[1], [9], [9]]])
    model = Sequential(
        [Masking(input_shape=(3, 1)), Dense(1, weights=[[[2.0]], [0.0]])]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    loss, mae = model.test_on_batch(x, y)
    assert loss == pytest.approx((1 + 9 + 25) / 3)
    assert mae == pytest.approx((1 + 3 + 5) / 3)


def test_temporal_weights_count_per_step(float64):
    """A temporal weight of zero is a masked step."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4, 3, 2))
    model = Sequential([Dense(2, input_shape=(3, 2))])
    model.compile("sgd", "mse", sample_weight_mode="temporal")
    w = np.array([[1, 0, 2], [1, 1, 1], [0, 0, 0], [1, 2, 3.0]])
    rows = ((model.predict(x) - y) ** 2).mean(-1)
    expected = (rows * w).sum() / (w != 0).sum()
    assert model.test_on_batch(x, y, w) == pytest.approx(expected, rel=1e-6)


def test_a_temporal_weight_of_zero_is_a_masked_step():
    """The same loss and the same update."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 4, 2))
    present = rng.random((5, 4)) < 0.6
    x *= present[..., None]
    models = []
    for masked in (True, False):
        kerasnb.set_seed(1)
        layers = [Dense(3, "tanh"), Dense(2)]
        if masked:
            model = Sequential([Masking(input_shape=(4, 2)), *layers])
            model.compile("sgd", "mse")
            w = None
        else:
            model = Sequential([Activation("linear", input_shape=(4, 2)), *layers])
            model.compile("sgd", "mse", sample_weight_mode="temporal")
            w = present
        losses_seen = [model.train_on_batch(x, y, w) for _ in range(3)]
        models.append((losses_seen, [layer.get_weights() for layer in layers]))
    (loss, weights), (other_loss, other_weights) = models
    np.testing.assert_allclose(loss, other_loss, rtol=1e-5)
    for ours, others in zip(weights, other_weights):
        for a, b in zip(ours, others):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


# ---- what is reported -------------------------------------------------------------


def test_hooks_come_in_the_order_of_the_specification():
    """Five samples in batches of two, with validation."""
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse", metrics=["acc"])
    events = []

    def note(name):
        return lambda *arguments: events.append(
            (name, *(list(a) if isinstance(a, dict) else a for a in arguments))
        )

    hooks = [
        f"on_{what}_{when}"
        for what in ("train", "epoch", "batch")
        for when in ("begin", "end")
    ]
    recorder = LambdaCallback(**{hook: note(hook) for hook in hooks})
    x = np.ones((5, 1))
    model.fit(x, x, 2, validation_data=(x, x), callbacks=[recorder], verbose=0)
    batch = ["batch", "size"]
    done = ["batch", "size", "loss", "acc"]
    expected = [("on_train_begin", []), ("on_epoch_begin", 0, [])]
    for i in range(3):
        expected += [("on_batch_begin", i, batch), ("on_batch_end", i, done)]
    ended = ["val_loss", "val_acc", "loss", "acc"]
    expected += [("on_epoch_end", 0, ended), ("on_train_end", [])]
    assert events == expected


def test_history_holds_averages_over_the_samples():
    """sum of v n over sum of n, with an incomplete last batch."""
    x, y = make_data(5)
    seen = []
    collect = LambdaCallback(on_batch_end=lambda _, logs: seen.append(dict(logs)))
    model = make_model()
    history = model.fit(x, y, 2, callbacks=[collect], verbose=0, validation_data=(x, y))
    assert list(history.history) == ["val_loss", "val_acc", "loss", "acc"]
    sizes = [logs["size"] for logs in seen]
    assert sizes == [2, 2, 1]
    for name in ("loss", "acc"):
        average = sum(logs[name] * n for logs, n in zip(seen, sizes)) / 5
        assert history.history[name] == [pytest.approx(average)]
    values = model.evaluate(x, y, batch_size=2, verbose=0)
    assert [history.history["val_loss"][0], history.history["val_acc"][0]] == values
    assert model.history is history and history.epoch == [0]


def test_metrics_names_name_the_returned_values():
    """Full names of functions, duplicates numbered, weighted ones prefixed."""
    model = Sequential([Dense(2, "softmax", input_shape=(3,))])
    model.compile(
        "sgd",
        "categorical_crossentropy",
        metrics=["accuracy", "mse", "mse"],
        weighted_metrics=["acc"],
    )
    assert model.metrics_names == [
        "loss",
        "acc",
        "mean_squared_error",
        "mean_squared_error_1",
        "weighted_acc",
    ]
    x, y = np.ones((4, 3)), np.eye(2)[[0, 1, 1, 1]]
    values = model.test_on_batch(x, y, return_dict=True)
    assert list(values) == model.metrics_names
    assert model.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(values)


def test_weighted_metrics_use_the_weights_and_metrics_do_not():
    """Weights [1, 0] make the second sample disappear from weighted metrics only."""
    model = Sequential([Dense(1, weights=[[[1.0]], [0.0]], input_shape=(1,))])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae"])
    x = np.array([[1.0], [2.0]])
    loss, plain, weighted = model.test_on_batch(x, np.zeros((2, 1)), [1, 0])
    assert (loss, plain, weighted) == (1.0, 1.5, 1.0)


def test_a_loss_alone_is_returned_as_a_number():
    """With metrics there is a list."""
    x = np.ones((3, 2))
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    assert isinstance(model.train_on_batch(x, x[:, :1]), float)
    assert isinstance(model.evaluate(x, x[:, :1], verbose=0), float)
    model.compile("sgd", "mse", metrics=["mae"])
    assert len(model.evaluate(x, x[:, :1], verbose=0)) == 2


def test_a_stateful_metric_reports_its_last_value():
    """Its state is reset at every epoch and every evaluation."""
    x, y = make_data(8)
    precision = kerasnb.metrics.Precision()
    model = make_model(metrics=[precision])
    model.fit(x, y, 3, epochs=2, verbose=0)
    _, value = model.evaluate(x, y, batch_size=3, verbose=0)
    p = model.predict(x) > 0.5
    expected = (p * y).sum() / max(p.sum(), 1e-7)
    assert value == pytest.approx(expected)


def test_predict_classes_and_predict_proba():
    """argmax of several outputs, a threshold for one; a warning outside [0, 1]."""
    x, _ = make_data()
    model = make_model()
    classes = model.predict_classes(x)
    assert classes.dtype == np.int64 and classes.shape == (23,)
    np.testing.assert_array_equal(classes, model.predict(x).argmax(1))
    np.testing.assert_array_equal(model.predict_proba(x), model.predict(x))
    single = Sequential([Dense(1, input_shape=(4,))])
    classes = single.predict_classes(10 * x)
    assert classes.dtype == np.int32 and classes.shape == (23, 1)
    with pytest.warns(UserWarning, match="outside"):
        single.predict_proba(10 * x)


def test_predict_works_without_compile_and_returns_its_own_array():
    """A later call does not change an earlier result."""
    x, _ = make_data()
    model = Sequential([Dense(3, input_shape=(4,))])
    first = model.predict_on_batch(x)
    kept = first.copy()
    model.predict_on_batch(-x)
    np.testing.assert_array_equal(first, kept)


def test_fit_prints_a_line_about_its_validation_set(capsys):
    """Then one line per epoch and its values."""
    x, y = make_data()
    make_model().fit(x, y, validation_split=0.2, epochs=2, verbose=2)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Train on 18 samples, validate on 5 samples"
    assert printed[1] == "Epoch 1/2" and "val_loss" in printed[2]
    make_model().evaluate(x, y, verbose=1)
    assert "23/23 [==============================]" in capsys.readouterr().out


# ---- constraints, validation, stopping --------------------------------------------


def test_constraints_hold_after_every_update():
    """They are applied to the new value, during training."""
    x, y = make_data()
    model = Sequential(
        [
            Dense(3, "softmax", kernel_constraint="unit_norm", input_shape=(4,)),
        ]
    )
    model.compile("sgd", "categorical_crossentropy")
    norms = []

    def note(batch, logs):
        norms.append(np.linalg.norm(model.get_weights()[0], axis=0))

    model.fit(x, y, verbose=0, callbacks=[LambdaCallback(on_batch_end=note)])
    np.testing.assert_allclose(norms, 1, rtol=1e-5)


def test_validation_split_holds_out_the_last_rows():
    """int(n (1 - s)) rows train: 9 of 100 for s = 0.9, by binary rounding."""
    x = np.arange(100.0).reshape(-1, 1)
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    seen = []

    class Look(Callback):
        def on_train_begin(self, logs=None):
            seen.extend([self.params, self.validation_data])

    model.fit(x, 0 * x, verbose=0, validation_split=0.9, callbacks=[Look()])
    params, held_out = seen
    assert params["samples"] == 9 and params["do_validation"]
    assert params["metrics"] == ["loss", "val_loss"]
    np.testing.assert_array_equal(held_out[0], x[9:])


def test_stop_training_in_a_batch_ends_the_epoch_without_validation():
    """on_epoch_end still comes."""
    x, y = make_data()
    model = make_model()

    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    history = model.fit(
        x, y, 5, epochs=3, callbacks=[Stop()], validation_data=(x, y), verbose=0
    )
    assert list(history.history) == ["loss", "acc"] and history.epoch == [0]


def test_no_epochs_still_announce_begin_and_end():
    """initial_epoch at or above epochs runs none."""
    x, y = make_data()
    calls = []
    callback = LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        on_train_end=lambda logs: calls.append("end"),
        on_epoch_begin=lambda epoch, logs: calls.append("epoch"),
    )
    history = make_model().fit(
        x, y, epochs=2, initial_epoch=2, callbacks=[callback], verbose=0
    )
    assert calls == ["begin", "end"] and history.epoch == []


def test_ctrl_c_finishes_the_batch_and_returns_the_history():
    """The bookkeeping is done, on_train_end runs, the History says what happened."""
    x, y = make_data()
    ended = []
    callback = LambdaCallback(
        on_batch_end=lambda batch, logs: batch == 1
        and os.kill(os.getpid(), signal.SIGINT),
        on_train_end=lambda logs: ended.append(True),
    )
    model = make_model()
    former = signal.getsignal(signal.SIGINT)
    history = model.fit(x, y, 5, epochs=9, callbacks=[callback], verbose=0)
    assert history.interrupted and ended == [True]
    assert history.epoch == [0] and len(history.history["loss"]) == 1
    assert signal.getsignal(signal.SIGINT) is former
    assert not model.fit(x, y, 5, verbose=0).interrupted


def test_a_second_ctrl_c_raises_at_once():
    """on_train_end still runs."""
    x, y = make_data()
    ended = []

    def interrupt(batch, logs):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    callback = LambdaCallback(
        on_batch_end=interrupt, on_train_end=lambda logs: ended.append(True)
    )
    with pytest.raises(KeyboardInterrupt):
        make_model().fit(x, y, 5, callbacks=[callback], verbose=0)
    assert ended == [True]


def test_on_train_end_runs_when_a_callback_raises():
    """The exception itself passes through."""
    x, y = make_data()
    ended = []

    def fail(epoch, logs):
        raise ZeroDivisionError

    callback = LambdaCallback(
        on_epoch_end=fail, on_train_end=lambda logs: ended.append(True)
    )
    with pytest.raises(ZeroDivisionError):
        make_model().fit(x, y, callbacks=[callback], verbose=0)
    assert ended == [True]


# ---- memory -----------------------------------------------------------------------


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="stepped kernels make scalars")
def test_a_training_step_allocates_no_array():
    """After the first batch the buffers are used again."""
    x = np.ones((64, 300), np.float32)
    y = np.ones((64, 10), np.float32)
    model = Sequential(
        [Dense(300, "relu", input_shape=(300,)), Dropout(0.2), Dense(10)]
    )
    model.compile(kerasnb.optimizers.Adam(clipnorm=1.0), "mse", metrics=["mae"])
    for _ in range(3):
        model._train_step(x, y, None)
    tracemalloc.start()
    model._train_step(x, y, None)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5):
        model._train_step(x, y, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - before < 2000  # bytes: Python's floats and views, no array


def test_all_trainable_weights_are_views_of_one_vector():
    """Each starts on a cache line, and so do the gradients."""
    model = make_model()
    parameters = model._parameters
    for weight in model.trainable_weights:
        assert np.shares_memory(weight.value, parameters.value)
        assert np.shares_memory(weight.grad, parameters.grad)
        assert weight.value.ctypes.data % 64 == 0


def test_gradients_take_no_room_before_they_are_asked_for():
    """Predictions need none; a copy of a layer takes its own along, and no others."""
    model = make_model()
    x, y = make_data()
    model.evaluate(x, y, verbose=0)
    model.predict(x)
    assert model._parameters._grad is None
    layer = copy.deepcopy(model.layers[0])
    assert layer.W.lender is None and layer.W.grad.shape == layer.W.shape
    assert model.layers[0].W.grad.base is not layer.W.grad.base
    own = model.layers[0].W.grad = np.ones_like(layer.W.value)
    model.train_on_batch(x[:4], y[:4])
    assert model.layers[0].W.grad is not own  # the model has made itself ready anew
    assert np.shares_memory(model.layers[0].W.grad, model._parameters.grad)


# ---- inputs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a.tolist(),
        lambda a: tuple(map(tuple, a.tolist())),
        lambda a: list(a),
        lambda a: a.astype(np.float16),
        lambda a: a.astype(np.float64),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: [a],
        lambda a: {"dense_1_input": a, "dense_2": a},
    ],
)
def test_any_form_of_an_array_trains_the_same(convert):
    """Lists, other types and layouts are converted, never modified."""
    x, y = make_data()
    x, y = np.round(x, 1).astype(np.float16).astype(np.float32), y
    a, b = make_model(), make_model()
    kerasnb.reset_names()
    b = make_model()
    a.fit(x, y, 5, verbose=0, seed=1)
    b.fit(convert(x), convert(y), 5, verbose=0, seed=1)
    same_weights(a, b)


def test_integers_and_read_only_arrays_are_converted_and_never_changed():
    """The caller's data stay as they are."""
    x, y = make_data()
    x = (3 * x).astype(np.int8)
    kept = x.copy()
    x.setflags(write=False)
    y.setflags(write=False)
    make_model().fit(x, y, 5, epochs=2, verbose=0)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.filterwarnings("ignore:invalid value")  # of NumPy, with JIT off
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_in_the_data_is_allowed_and_shows_in_the_loss(bad):
    """Nothing hides it."""
    x, y = make_data()
    x[3, 1] = bad
    history = make_model().fit(x, y, verbose=0)
    assert np.isnan(history.history["loss"][0])


def test_targets_of_one_axis_serve_a_single_output():
    """(n,) becomes (n, 1)."""
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    x, y = make_data()
    assert model.evaluate(x, y[:, 0], verbose=0) == model.evaluate(
        x, y[:, :1], verbose=0
    )


def fit(x=None, y=None, model=None, **arguments):
    """Fit a fresh model and check that a refusal changes nothing."""
    data = make_data()
    x, y = data[0] if x is None else x, data[1] if y is None else y
    model = model or make_model()
    before = model.get_weights()
    try:
        model.fit(x, y, verbose=0, **arguments)
    finally:
        for a, b in zip(before, model.get_weights()):
            np.testing.assert_array_equal(a, b)


def sparse_model():
    """Return a model that wants class numbers."""
    model = make_model()
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def single():
    """Return a classifier with a single output, which is a mistake."""
    model = Sequential([Dense(1, "sigmoid", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy")
    return model


def uncompiled():
    """Return a model that was not compiled."""
    return Sequential([Dense(3, input_shape=(4,))])


@pytest.mark.parametrize(
    "do, error, message",
    [
        (lambda: fit(model=uncompiled()), RuntimeError, "must be compiled first"),
        (lambda: uncompiled().metrics_names, RuntimeError, "compiled first"),
        (
            lambda: fit(x=np.ones((23, 5))),
            ValueError,
            r"expected x of shape \(batch, 4\), got \(23, 5\)",
        ),
        (lambda: fit(x=np.ones((23, 2, 2))), ValueError, r"x.reshape\(-1, 4\)"),
        (
            lambda: fit(x=np.ones((4,))),
            ValueError,
            r"batch axis: x\[None\]|got \(4, 1\)",
        ),
        (
            lambda: fit(x=np.ones((7, 4))),
            ValueError,
            "same number of samples, got 7 and 23",
        ),
        (
            lambda: fit(x=np.ones((0, 4)), y=np.ones((0, 3))),
            ValueError,
            "data are empty",
        ),
        (
            lambda: fit(y=np.ones((23, 2))),
            ValueError,
            r"shape \(3,\), got \(2,\).*2 units",
        ),
        (lambda: fit(y=np.ones(23)), ValueError, r"to_categorical\(y\)"),
        (
            lambda: fit(y=np.ones(23), model=single()),
            ValueError,
            "one column per class",
        ),
        (
            lambda: fit(y=np.full(23, 3), model=sparse_model()),
            ValueError,
            "from 0 to 2, got 3 at sample 0",
        ),
        (
            lambda: fit(y=np.full(23, -1), model=sparse_model()),
            ValueError,
            "from 0 to 2, got -1",
        ),
        (
            lambda: fit(y=np.full(23, 0.5), model=sparse_model()),
            ValueError,
            "whole class numbers",
        ),
        (
            lambda: fit(y=np.full(23, np.nan), model=sparse_model()),
            ValueError,
            "whole class numbers",
        ),
        (
            lambda: fit(model=sparse_model()),
            ValueError,
            "look one-hot: compile with loss='categorical_crossentropy'",
        ),
        (lambda: fit(batch_size=-1), ValueError, "batch_size must be a positive"),
        (lambda: fit(batch_size=2.5), ValueError, "batch_size must be a positive"),
        (lambda: fit(validation_split=0.999), ValueError, "leaves 0 for training"),
        (
            lambda: fit(validation_split=0.00001, x=np.ones((1, 4)), y=np.ones((1, 3))),
            ValueError,
            "leaves 0 for training and 1",
        ),
        (lambda: fit(validation_data=(1,)), ValueError, "got 1 items"),
        (
            lambda: fit(validation_data=(np.ones((2, 3)), np.ones((2, 3)))),
            ValueError,
            "expected x of validation_data of shape",
        ),
        (lambda: fit(sample_weight=np.ones(3)), ValueError, "does not match"),
        (lambda: fit(sample_weight=np.ones((23, 2))), ValueError, "'temporal'"),
        (lambda: fit(class_weight=[1, 2, 3]), TypeError, "expected a dict"),
        (lambda: fit(class_weight={0: 1}), ValueError, "no weight for class 1, 2"),
        (lambda: fit(x="text"), TypeError, "expected numbers"),
        (lambda: fit(x=[[1, 2], [3]]), ValueError, "differ in length"),
        (lambda: fit(x=np.float32(3)), ValueError, "batch axis"),
        (lambda: fit(x={"input": 3}), ValueError, "named 'dense_1_input'"),
        (
            lambda: fit(x=[np.ones((23, 4)), np.ones((23, 4))]),
            ValueError,
            "one input, got a list of 2 arrays",
        ),
        (lambda: fit(callbacks=[3]), TypeError, "instances of Callback"),
        (lambda: fit(callbacks=3), TypeError, "expected a list, got 3. Put brackets"),
        (lambda: fit(epochs="3"), ValueError, "epochs must be an integer from 0"),
        (lambda: fit(epochs=2.5), ValueError, "epochs must be an integer from 0"),
        (lambda: fit(initial_epoch=-1), ValueError, "initial_epoch must be an int"),
        (lambda: fit(validation_split=20), ValueError, "from 0 to below 1, got 20"),
        (lambda: fit(validation_split="a"), ValueError, "from 0 to below 1, got 'a'"),
        (
            lambda: make_model().evaluate(*make_data(2), verbose=5),
            ValueError,
            "verbose",
        ),
        (lambda: make_model().predict(np.ones((2, 4)), verbose=-1), ValueError, "verb"),
        (
            lambda: make_model().predict(np.ones(4)),
            ValueError,
            r"got \(4,\)\. A single",
        ),
        (
            lambda: make_model().train_on_batch(*make_data(3), {0: 1, 1: 2, 2: 3}),
            TypeError,
            "Is it class_weight",
        ),
        (
            lambda: make_model().train_on_batch(*make_data(3), None, np.ones(3)),
            TypeError,
            "Weights of samples are sample_weight=",
        ),
        (
            lambda: fit(class_weight={0: 1, 1: None, 2: 1}),
            ValueError,
            "finite numbers, got None",
        ),
        (lambda: Sequential([Dense(2)]).predict(None), ValueError, "no input shape"),
        (lambda: make_model().fit(np.ones((2, 4))), ValueError, "targets are missing"),
        (
            lambda: make_model().fit(np.ones((2, 4)), np.ones((2, 3)), verbose=3),
            ValueError,
            "verbose",
        ),
        (
            lambda: make_model("smd"),
            ValueError,
            "Unknown optimizer 'smd'. Did you mean 'sgd'",
        ),
        (
            lambda: make_model(metrics=["acuracy"]),
            ValueError,
            "Unknown metric 'acuracy'",
        ),
        (
            lambda: uncompiled().compile("sgd", "mean_sqared_error"),
            ValueError,
            "Unknown loss 'mean_sqared_error'. Did you mean 'mean_squared_error'",
        ),
        (lambda: uncompiled().compile("sgd"), ValueError, "nothing to minimise"),
        (
            lambda: uncompiled().compile("sgd", "mse", metrics="accuracy"),
            TypeError,
            "must be a list",
        ),
        (
            lambda: uncompiled().compile("sgd", "mse", loss_weights=[1, 2]),
            ValueError,
            "2 entries",
        ),
        (
            lambda: uncompiled().compile("sgd", "mse", loss_weights=2),
            TypeError,
            "a list or a dict",
        ),
        (
            lambda: uncompiled().compile("sgd", lambda p: 0),
            TypeError,
            "expected a function of .y_true, y_pred., but it takes",
        ),
        (lambda: Sequential([Dense(2)]).predict([[1], [2, 3]]), ValueError, "differ"),
        (lambda: kerasnb.set_floatx("float16"), ValueError, "'float32' or 'float64'"),
        (lambda: kerasnb.set_device("gpu"), ValueError, "'cpu', 'plain' or 'cuda'"),
        (lambda: kerasnb.set_epsilon(0), ValueError, "positive"),
    ],
)
def test_bad_input_is_explained_and_changes_nothing(do, error, message):
    """The argument is named, what was expected, what came, the likely fix."""
    with pytest.raises(error, match=message):
        do()


# ---- devices ----------------------------------------------------------------------


def test_plain_and_cpu_train_to_the_same_numbers():
    """The readable kernels are the definition of the fast ones."""
    x, y = make_data()
    trained = []
    for name in ("plain", "cpu"):
        kerasnb.set_device(name)
        assert kerasnb.get_device() == name
        model = make_model()
        model.fit(x, y, 5, epochs=3, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_show_config_names_what_matters():
    """One line each."""
    lines = []
    kerasnb.show_config(print_fn=lines.append)
    names = [line.split("  ")[0] for line in lines]
    for name in ("kerasnb", "numba", "device", "threads", "floatx", "kernel cache"):
        assert name in names


def test_the_device_can_be_chosen_from_outside():
    """KERASNB_DEVICE names it."""
    code = "import kerasnb; print(kerasnb.get_device())"
    environment = {**os.environ, "KERASNB_DEVICE": "plain"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "plain"
