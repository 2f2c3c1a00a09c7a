"""A training that is cut off and resumed gives the bits of one that is not."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kerasnb
from kerasnb import Sequence, Sequential, keras1, layers, load_model, random
from kerasnb.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from kerasnb.container import read_container, write_container
from kerasnb.metrics import Precision, StatefulMetric
from kerasnb.optimizers import SGD
from kerasnb.preprocessing import TimeseriesGenerator

RNG = np.random.default_rng(0)
X = RNG.standard_normal((26, 3)).astype(np.float32)
Y = (X.sum(axis=1, keepdims=True) > 0).astype(np.float32)
HELD_OUT = X[:7] + 0.5, Y[:7]


class Cut(Exception):
    pass


class CutOff(Callback):
    """Ends a training by an error, as a crash would."""

    def __init__(self, epoch, batch=None):
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_batch_end(self, batch, logs=None):
        if (self.now, batch) == self.at:
            raise Cut

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.at:
            raise Cut


class Batches(Sequence):
    """Changes its order by itself, and leaves one batch out."""

    state_names = ("order", "epoch")

    def __init__(self):
        self.order, self.epoch = np.arange(6), 0

    def __len__(self):
        return len(self.order)

    def __getitem__(self, index):
        if index == 2:
            return None
        at = 4 * self.order[index]
        return X[at : at + 4] * (1 + self.epoch / 8), Y[at : at + 4]

    def on_epoch_end(self):
        self.epoch += 1
        self.order = random.Generator(self.epoch).permutation(6)


class Counting(Callback):
    """Counts hooks, and makes the learning rate depend on the count."""

    state_names = ("epochs", "batches")

    def on_train_begin(self, logs=None):
        if self.starts_anew():
            self.epochs = self.batches = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs += 1

    def on_batch_end(self, batch, logs=None):
        self.batches += 1
        self.model.optimizer.momentum = 0.5 + 0.01 * (self.batches % 7)

    def on_epoch_end(self, epoch, logs=None):
        logs["count"] = 100 * self.epochs + self.batches


def make_model(seed=1):
    """Return a compiled model: dropout with and without a seed, batch normalization."""
    kerasnb.reset_names()
    kerasnb.set_seed(seed)
    model = Sequential(
        [
            layers.Dense(5, activation="tanh", input_shape=(3,)),
            layers.Dropout(0.3),
            layers.BatchNormalization(),
            layers.Dropout(0.2, seed=3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = SGD(lr=0.5, momentum=0.9, decay=0.01)
    model.compile(optimizer, "binary_crossentropy", metrics=["mae", Precision()])
    return model


def make_callbacks(folder):
    return [
        LearningRateScheduler(lambda epoch, lr: lr * 0.99),
        ReduceLROnPlateau(patience=2, factor=0.5, min_delta=0.05),
        Counting(),
        EarlyStopping(patience=4, restore_best_weights=True),
        ModelCheckpoint(folder / "best.knb", save_best_only=True),
        CSVLogger(folder / "log.csv"),
    ]


def train(folder, data=None, cut=None, save_freq="epoch", epochs=8, **more):
    """Train in a folder; return the model and the History."""
    model = make_model(9 if (folder / "run.knb").exists() else 1)
    backup = BackupAndRestore(folder / "run.knb", save_freq)
    cutting = [] if cut is None else [CutOff(*cut)]
    arguments = {"validation_data": HELD_OUT, "epochs": epochs, "verbose": 0, **more}
    arguments["callbacks"] = [*cutting, backup, *make_callbacks(folder)]
    if data is None:
        return model, model.fit(X, Y, 4, **arguments)
    return model, model.fit_generator(data(), **arguments)


def assert_same(a, b, folder_a, folder_b):
    """The models, Histories and files of two trainings are equal to the bit."""
    (model, history), (other, history_b) = a, b
    for left, right in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_equal(history_b.history, history.history)
    assert history.epoch == history_b.epoch
    state, other_state = (m.optimizer.get_state() for m in (model, other))
    np.testing.assert_equal(other_state, state)
    assert model.optimizer.get_config() == other.optimizer.get_config()
    for name in ("log.csv", "best.knb"):
        assert (folder_a / name).read_bytes() == (folder_b / name).read_bytes()
    assert not (folder_b / "run.knb").exists()


# ---- laws -------------------------------------------------------------------------


@settings(max_examples=6)
@given(
    cut=st.tuples(st.integers(0, 3), st.sampled_from([None, 0, 1, 4, 6])),
    save_freq=st.sampled_from(["epoch", 1, 3]),
    steps=st.sampled_from([None, 5]),
    shuffle=st.sampled_from([True, False, "batch"]),
)
def test_arrays_go_on_to_the_same_bits(
    tmp_path_factory, cut, save_freq, steps, shuffle
):
    """Cut anywhere, in a new process with another seed, whatever is switched on."""
    one, two = (tmp_path_factory.mktemp("run") for _ in "ab")
    how = {"steps_per_epoch": steps, "validation_steps": steps and 2}
    how["shuffle"] = shuffle
    cut = (cut[0], min(cut[1], 4)) if steps and cut[1] else cut
    whole = train(one, **how)
    with pytest.raises(Cut):
        train(two, cut=cut, save_freq=save_freq, **how)
    assert_same(whole, train(two, save_freq=save_freq, **how), one, two)


@settings(max_examples=6)
@given(
    cut=st.tuples(st.integers(0, 3), st.sampled_from([None, 0, 1, 4])),
    save_freq=st.sampled_from(["epoch", 1, 3]),
    workers=st.integers(0, 2),
)
def test_sequences_go_on_to_the_same_bits(tmp_path_factory, cut, save_freq, workers):
    """The order of the batches, the rest of the epoch and the Sequence's own state."""
    one, two = (tmp_path_factory.mktemp("run") for _ in "ab")
    whole = train(one, Batches, workers=workers)
    with pytest.raises(Cut):
        train(two, Batches, cut, save_freq, workers=workers)
    assert_same(whole, train(two, Batches, None, save_freq), one, two)


def test_a_killed_process_goes_on(tmp_path):
    """kill -9 in the middle of an epoch, then a new process: the same bits."""
    program = (
        "import sys, os, signal; sys.path.insert(0, sys.argv[1])\n"
        "import pathlib, test_resume as t\n"
        "class Kill(t.Callback):\n"
        "    def on_batch_end(self, batch, logs=None):\n"
        "        if batch == 3 and self.model.optimizer.iterations > 20:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "t.CutOff = lambda: Kill()\n"
        "t.train(pathlib.Path(sys.argv[2]), cut=(), save_freq=2)\n"
    )
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    command = [sys.executable, "-c", program, os.path.dirname(__file__), str(two)]
    path = f"{pathlib.Path(__file__).parents[1]}{os.pathsep}"
    env = {**os.environ, "PYTHONPATH": path + os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(command, env=env, capture_output=True, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (two / "run.knb").exists()
    assert_same(train(one), train(two, save_freq=2), one, two)


def test_five_epochs_and_five_more_are_ten(tmp_path):
    """The file of a training that ended can be kept for a longer one."""
    path = tmp_path / "two.knb"

    def run(path, epochs):
        model = make_model(9 if path.exists() else 1)
        backup = BackupAndRestore(path, delete_checkpoint=False)
        callbacks = [backup, ReduceLROnPlateau("loss", patience=1)]
        arguments = {"epochs": epochs, "verbose": 0, "callbacks": callbacks}
        return model, model.fit(X, Y, 4, **arguments)

    a, first = run(tmp_path / "one.knb", 10)
    run(path, 5)
    b, second = run(path, 10)
    np.testing.assert_equal(second.history, first.history)
    np.testing.assert_equal(b.get_weights(), a.get_weights())
    loaded = load_model(path)
    np.testing.assert_equal(loaded.get_weights(), b.get_weights())
    np.testing.assert_equal(loaded.predict(X), b.predict(X))


def test_what_early_stopping_ended_is_not_taken_up_again(tmp_path):
    """Killed after the last epoch: the second run only ends the training properly."""
    path = tmp_path / "run.knb"

    def run(seed, *more):
        model = make_model(seed)
        stopping = EarlyStopping("loss", patience=1, restore_best_weights=True)
        stopping.min_delta = 9.0  # nothing is good enough
        callbacks = [stopping, BackupAndRestore(path), *more]
        model.fit(X, Y, 4, epochs=9, verbose=0, callbacks=callbacks)
        return model, stopping

    class FailAtTheEnd(Callback):
        def on_train_end(self, logs=None):
            raise Cut

    whole, stopping = run(1)
    with pytest.raises(Cut):
        run(1, FailAtTheEnd())
    again, stopped = run(2)
    np.testing.assert_equal(again.get_weights(), whole.get_weights())
    assert again.history.epoch == whole.history.epoch == [0, 1]
    assert stopped.get_state()["stopped_epoch"] == stopping.stopped_epoch == 1
    assert not path.exists()


def test_ctrl_c_leaves_the_file(tmp_path):
    """The epoch that was cut short runs again as a whole."""
    path = tmp_path / "run.knb"

    class Press(Callback):
        def on_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 10:
                signal.raise_signal(signal.SIGINT)

    def run(*more):
        model = make_model(9 if path.exists() else 1)
        callbacks = [*more, BackupAndRestore(path)]
        return model, model.fit(X, Y, 4, epochs=3, verbose=0, callbacks=callbacks)

    whole, _ = run()
    _, history = run(Press())
    assert history.interrupted and path.exists()
    again, history = run()
    assert history.epoch == [0, 1, 2] and not path.exists()
    np.testing.assert_equal(again.get_weights(), whole.get_weights())


def test_the_bar_goes_on_in_the_middle(tmp_path, capsys):
    """It says where, and counts what was done before."""
    path = tmp_path / "run.knb"
    for cutting in ([CutOff(1, 4)], []):
        callbacks = [*cutting, BackupAndRestore(path, 2)]
        try:
            make_model().fit(X, Y, 4, epochs=2, verbose=1, callbacks=callbacks)
        except Cut:
            capsys.readouterr()
    shown = capsys.readouterr().out
    assert f"Going on from {path}: epoch 2, batch 4\nEpoch 2/2" in shown
    assert "26/26 [==============================]" in shown


def test_a_model_of_keras_1_goes_on(tmp_path):
    """Like any other."""

    def run(cut=()):
        path = tmp_path / "arrays.knb"
        kerasnb.set_seed(9 if path.exists() else 1)
        model = keras1.Sequential([keras1.Dense(1, input_dim=3)])
        model.add(keras1.Dropout(0.5))
        model.compile("adam", "mse")
        callbacks = [*cut, BackupAndRestore(path, 2)]
        model.fit(X, Y, 4, nb_epoch=4, verbose=0, callbacks=callbacks)
        return model

    whole = run()
    with pytest.raises(Cut):
        run([CutOff(2, 3)])
    np.testing.assert_equal(run().get_weights(), whole.get_weights())


def test_a_windows_sequence_keeps_its_order():
    """Its state is the order of its windows."""
    rows = np.arange(40.0)[:, None]
    first = TimeseriesGenerator(rows, rows, 3, shuffle=True)
    second = TimeseriesGenerator(rows, rows, 3, shuffle=True)
    second.set_state(first.get_state())
    np.testing.assert_equal(second[0], first[0])


def test_a_saved_model_keeps_the_streams_of_its_layers(tmp_path):
    """A dropout with a seed goes on where it was, not from its beginning."""
    model = Sequential([layers.Dropout(0.5, seed=1, input_shape=(50,))])
    model.forward(np.ones((2, 50), np.float32), True)
    model.save(tmp_path / "model.knb", include_optimizer=False)
    loaded = load_model(tmp_path / "model.knb", compile=False)
    x = np.ones((2, 50), np.float32)
    np.testing.assert_equal(loaded.forward(x, True), model.forward(x, True))


def test_a_model_of_keras_1_comes_back_as_one(tmp_path):
    """With its metrics, and a test loss without penalties."""
    model = keras1.Sequential()
    model.add(
        keras1.Dense(
            1, init="uniform", activation="sigmoid", W_regularizer="l2", input_dim=3
        )
    )
    model.compile("adam", "binary_crossentropy", metrics=["precision", "accuracy"])
    model.save(tmp_path / "model.knb")
    loaded = load_model(tmp_path / "model.knb")
    assert type(loaded) is keras1.Sequential
    scores = (one.evaluate(X, Y, verbose=0) for one in (model, loaded))
    np.testing.assert_equal(*scores)
    again = kerasnb.models.model_from_json(model.to_json())
    assert type(again) is keras1.Sequential


# ---- what cannot be resumed -------------------------------------------------------


def generator():
    while True:
        yield X[:4], Y[:4]


def test_a_generator_goes_on_from_an_epoch_with_a_warning(tmp_path):
    """Nobody knows where it is; within an epoch it is refused."""
    path = tmp_path / "run.knb"
    arguments = {"steps_per_epoch": 3, "epochs": 3, "verbose": 0}
    with pytest.raises(ValueError, match="a plain generator cannot be put back there"):
        make_model().fit_generator(
            generator(), callbacks=[BackupAndRestore(path, 2)], **arguments
        )
    callbacks = [CutOff(1, 1), BackupAndRestore(path)]
    with pytest.raises(Cut):
        make_model().fit_generator(generator(), callbacks=callbacks, **arguments)
    with pytest.warns(UserWarning, match="epoch 1 begins with what the generator yiel"):
        history = make_model().fit_generator(
            generator(), callbacks=callbacks[1:], **arguments
        )
    assert history.epoch == [0, 1, 2]


def test_a_sequence_that_forgets_is_warned_about(tmp_path):
    """Its on_epoch_end changes something, and nobody knows what."""

    class Forgetful(Batches):
        state_names = ()

    with pytest.warns(UserWarning, match="names no state_names: after a resume"):
        make_model().fit(
            Forgetful(), verbose=0, callbacks=[BackupAndRestore(tmp_path / "run.knb")]
        )


def test_a_metric_that_cannot_be_kept_is_refused_within_epochs(tmp_path):
    """Its count would begin anew in the middle of an epoch."""

    class Own(StatefulMetric):
        name = "own"

    model = Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", metrics=[Own()])
    with pytest.raises(ValueError, match="the metric own counts over the batches"):
        model.fit(X, Y, verbose=0, callbacks=[BackupAndRestore(tmp_path / "a", 2)])


def cut_off(path, **arguments):
    """Leave a checkpoint of epoch 1, batch 2."""
    callbacks = [CutOff(1, 3), BackupAndRestore(path, 2), EarlyStopping("loss")]
    with pytest.raises(Cut):
        make_model().fit(X, Y, 4, epochs=3, verbose=0, callbacks=callbacks, **arguments)


def other_optimizer():
    model = make_model()
    model.compile("adam", "mse")
    return model


def other_layers():
    model = Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(1)])
    model.compile(SGD(momentum=0.9), "mse")
    return model


@pytest.mark.parametrize(
    "make, more, arguments, reason",
    [
        (make_model, [], {}, "it has states of .*EarlyStopping, .* and now there are"),
        (make_model, [0], {"batch_size": 5}, "were 26, 4, True, 7; now they are 26, 5"),
        (make_model, [0], {"shuffle": False}, "now they are 26, 4, False, 7"),
        (make_model, [0], {"validation_data": (X, Y)}, "its validation data came in"),
        (other_optimizer, [0], {}, "its optimizer is SGD, this one Adam"),
        (other_layers, [0], {}, "The file has weights for 3 layers"),
    ],
)
def test_another_training_is_refused(tmp_path, make, more, arguments, reason):
    """Model, data and callbacks must be as they were; nothing has changed."""
    path = tmp_path / "run.knb"
    cut_off(path)
    model = make()
    model.train_on_batch(X, Y)
    before = model.get_weights(), model.optimizer.get_state()
    before += (random.generator().get_state(),)
    callbacks = [BackupAndRestore(path, 2), *(EarlyStopping("loss") for _ in more)]
    arguments = {"batch_size": 4, "epochs": 3, "verbose": 0, **arguments}
    message = rf"run.knb is the checkpoint of another training: .*{reason}"
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, callbacks=callbacks, **arguments)
    after = model.get_weights(), model.optimizer.get_state()
    np.testing.assert_equal((*after, random.generator().get_state()), before)
    assert path.exists()


class Picky(Callback):
    """Refuses the state of another one of its kind."""

    state_names = ("mood",)
    mood = 0

    def set_state(self, state):
        if state["mood"] != self.mood:
            raise ValueError("not in the mood.")


class Remembering(Callback):
    """Has a state that is None at first, and says so nowhere."""

    state_names = ("first_loss",)
    first_loss = None

    def on_batch_end(self, batch, logs=None):
        self.first_loss = self.first_loss or logs["loss"]


def stateful_training(path, *callbacks):
    """Return a layer with states, and the function that trains it."""
    kerasnb.reset_names()
    layer = layers.LSTM(2, stateful=True, batch_input_shape=(2, 3, 1))
    model = Sequential([layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = X[:24].reshape(8, 3, 3)[:, :, :1], Y[:8]
    callbacks = [BackupAndRestore(path, 2, delete_checkpoint=False), *callbacks]
    arguments = {"shuffle": False, "verbose": 0, "callbacks": callbacks}
    return layer, lambda: model.fit(x, y, 2, epochs=3, **arguments)


def stopping():
    return EarlyStopping("loss", patience=9, restore_best_weights=True)


def test_a_refusal_undoes_what_was_none(tmp_path):
    """The last callback refuses; states of layers and callbacks are None again."""
    path, moody = tmp_path / "run.knb", Picky()
    moody.mood = 1
    _, fit = stateful_training(path, stopping(), Remembering(), CutOff(1, 3), moody)
    with pytest.raises(Cut):
        fit()
    things = [stopping(), Remembering()]
    layer, fit = stateful_training(path, *things, Picky())
    things.append(layer)
    before = [thing.get_state() for thing in things]
    assert before[1:] == [{"first_loss": None}, {"states": None}]
    with pytest.raises(ValueError, match="another training: not in the mood"):
        fit()
    assert [thing.get_state() for thing in things] == before


def test_callbacks_of_an_earlier_training_go_on_from_none(tmp_path):
    """The first training knows a best epoch; the one that goes on does not yet."""
    path, used = tmp_path / "run.knb", stopping()
    _, fit = stateful_training(path, stopping(), CutOff(0, 1))
    with pytest.raises(Cut):
        fit()
    stateful_training(tmp_path / "other.knb", used)[1]()
    assert used.best_weights is not None
    assert stateful_training(path, used)[1]().epoch == [0, 1, 2]


def test_none_for_a_number_is_refused():
    """Only what is named in may_be_none can be None again."""
    one = stopping()
    message = "expected wait to be a number, got None. Name it in may_be_none if"
    with pytest.raises(ValueError, match=message):
        one.set_state({**one.get_state(), "wait": None})


def test_an_earlier_checkpoint_and_a_later_beginning_contradict(tmp_path):
    """The message says how to decide."""
    cut_off(tmp_path / "run.knb")
    callbacks = [BackupAndRestore(tmp_path / "run.knb")]
    with pytest.raises(ValueError, match="is about epoch 1, before initial_epoch=2"):
        make_model().fit(X, Y, callbacks=callbacks, initial_epoch=2, epochs=3)


def test_a_model_file_is_no_checkpoint(tmp_path):
    """Nor is one whose numbers make no sense."""
    path = tmp_path / "run.knb"
    callbacks = [BackupAndRestore(path)]
    model = make_model()
    model.save(path)
    with pytest.raises(ValueError, match="but not where its training is. Pass a file"):
        model.fit(X, Y, callbacks=callbacks)
    cut_off(path.with_name("b.knb"))
    arrays, metadata = read_container(path.with_name("b.knb"))
    run = {**json.loads(metadata["run"]), "epoch": -1}
    write_container(path, arrays, {**metadata, "run": json.dumps(run)})
    with pytest.raises(ValueError, match="is no checkpoint: epoch must be an integer"):
        model.fit(X, Y, callbacks=callbacks)


def test_impossible_arguments_are_refused(tmp_path):
    """Endings of other formats, frequencies, folders, two at once, no fit."""
    with pytest.raises(ValueError, match="has the ending of a format of Keras"):
        BackupAndRestore("run.h5")
    with pytest.raises(ValueError, match="save_freq, if not 'epoch', must be a pos"):
        BackupAndRestore("run.knb", save_freq=0)
    missing = BackupAndRestore(tmp_path / "no" / "run.knb")
    with pytest.raises(ValueError, match="BackupAndRestore: the folder .* not exist"):
        make_model().fit(X, Y, verbose=0, callbacks=[missing])
    twice = [BackupAndRestore(tmp_path / name) for name in "ab"]
    with pytest.raises(ValueError, match="one BackupAndRestore is enough"):
        make_model().fit(X, Y, verbose=0, callbacks=twice)
    with pytest.raises(RuntimeError, match="works inside of fit only"):
        BackupAndRestore("run.knb").on_train_begin()


def test_a_state_that_is_not_plain_is_named(tmp_path):
    """At the first save, not at the first resume."""

    class Odd(Callback):
        state_names = ("thing",)
        thing = None

        def on_epoch_end(self, epoch, logs=None):
            self.thing = lambda: None

    callbacks = [Odd(), BackupAndRestore(tmp_path / "run.knb")]
    message = "state of run/callbacks/Odd/thing cannot be saved: expected numbers"
    with pytest.raises(TypeError, match=message):
        make_model().fit(X, Y, verbose=0, callbacks=callbacks)
