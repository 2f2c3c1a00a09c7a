import math
import types
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, layers
from kerasnb.callbacks import (
    CallbackList,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from kerasnb.monitors import logged_name

CURVE = [1.0, 0.9, 0.95, 0.92, 0.91, 0.89, 0.93, 0.94, 0.95]


class Keras1Stopping(EarlyStopping):
    grace = 1


class Keras1Plateau(ReduceLROnPlateau):
    grace = 1
    slack = 1e-4


class Model:
    """One weight, which counts the epochs; remembers what was saved."""

    def __init__(self, lr=1.0):
        self.stop_training = False
        self.optimizer = types.SimpleNamespace(lr=lr)
        self.weights = [0]
        self.saved = []

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)

    def save(self, path, overwrite):
        assert overwrite is True
        self.saved.append(path)

    def save_weights(self, path, overwrite):
        assert overwrite is True
        self.saved.append("weights " + path)


def train(callbacks, values, name="val_loss", model=None, first=0, metrics=None):
    """Announce one epoch a value; None is an epoch that did not log it."""
    model = Model() if model is None else model
    names = ["loss", "acc", "val_loss", "val_acc"] if metrics is None else metrics
    params = {"metrics": names, "do_validation": any("val_" in n for n in names)}
    told = CallbackList(callbacks, model, params)
    told.on_train_begin()
    model.stop_training = False
    logged = []
    for epoch, value in enumerate(values, first):
        told.on_epoch_begin(epoch)
        model.weights = [epoch + 1]
        logs = {} if value is None else {name: value}
        told.on_epoch_end(epoch, logs)
        logged.append(logs)
        if model.stop_training:
            break
    told.on_train_end()
    model.logged = logged
    return model


# ---- reference: when to stop ------------------------------------------------------


@pytest.mark.parametrize(
    "kind, options, last",
    [
        (EarlyStopping, {"patience": 0}, 2),
        (EarlyStopping, {"patience": 1}, 2),
        (EarlyStopping, {"patience": 2}, 3),
        (EarlyStopping, {"patience": 3}, 4),
        (EarlyStopping, {"patience": 2, "min_delta": 0.05}, 3),
        (Keras1Stopping, {"patience": 0}, 2),
        (Keras1Stopping, {"patience": 1}, 3),
        (Keras1Stopping, {"patience": 2}, 4),
        (Keras1Stopping, {"patience": 3}, None),
        (Keras1Stopping, {"patience": 2, "min_delta": 0.05}, 4),
    ],
)
def test_early_stopping_stops_in_the_epoch_of_the_specification(kind, options, last):
    stopping = kind(**options)
    for _ in range(2):  # the second training starts anew
        model = train([stopping], CURVE)
        assert stopping.stopped == (last is not None) == model.stop_training
        assert len(model.logged) == (len(CURVE) if last is None else last + 1)
        assert stopping.stopped_epoch == (last or 0)


def test_higher_is_better_for_an_accuracy():
    stopping = EarlyStopping("val_acc", patience=1)
    train([stopping], [0.1, 0.2, 0.2], "val_acc")
    assert (stopping.best, stopping.stopped_epoch) == (0.2, 2)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_mode_decides_what_is_better(mode):
    stopping = EarlyStopping("val_loss", mode=mode)
    train([stopping], [1.0, 2.0, 1.0])
    assert stopping.stopped_epoch == (1 if mode == "min" else 2)


def test_a_baseline_must_be_beaten():
    stopping = EarlyStopping(baseline=0.5, patience=2)
    train([stopping], [1.0, 0.9, 0.8])
    assert stopping.stopped_epoch == 1
    train([stopping], [1.0, 0.4, 0.6, 0.7, 0.3])
    assert (stopping.best, stopping.stopped_epoch) == (0.4, 3)


def test_nan_is_never_an_improvement():
    stopping = EarlyStopping(patience=2)
    train([stopping], [1.0, math.nan, math.nan, 0.5])
    assert (stopping.best, stopping.stopped_epoch) == (1.0, 2)


def test_early_stopping_puts_the_best_weights_back():
    """The model's weight is the number of the epoch, from 1."""
    stopping = EarlyStopping(patience=2, restore_best_weights=True)
    assert train([stopping], CURVE).weights == [2]


def test_the_best_weights_come_back_when_training_just_ends():
    stopping = EarlyStopping(patience=9, restore_best_weights=True)
    assert train([stopping], CURVE).weights == [6]
    assert not stopping.stopped
    assert train([EarlyStopping(patience=9)], CURVE).weights == [9]


def test_the_best_weights_come_back_although_no_baseline_was_beaten():
    stopping = EarlyStopping(patience=4, baseline=0.1, restore_best_weights=True)
    assert train([stopping], CURVE).weights == [2]
    assert stopping.best == 0.1


def test_weights_of_an_earlier_training_are_forgotten():
    stopping = EarlyStopping(restore_best_weights=True)
    train([stopping], [0.1, 0.2])
    with pytest.warns(RuntimeWarning, match="no 'val_loss'"):
        assert train([stopping], [None]).weights == [1]


def test_a_training_without_epochs_restores_nothing():
    stopping = EarlyStopping(restore_best_weights=True)
    assert train([stopping], []).weights == [0]


def test_early_stopping_says_what_it_does(capsys):
    train([EarlyStopping(verbose=1, restore_best_weights=True)], [1.0, 2.0])
    assert capsys.readouterr().out == (
        "Epoch 00002: the weights of epoch 1 are back.\n"
        "Epoch 00002: val_loss stopped the training early.\n"
    )


def test_early_stopping_says_that_it_stopped_in_the_first_epoch(capsys):
    stopping = EarlyStopping(baseline=0.5, verbose=1)
    train([stopping], [1.0, 0.1])
    text = "Epoch 00001: val_loss stopped the training early.\n"
    assert capsys.readouterr().out == text
    assert stopping.stopped and stopping.stopped_epoch == 0


def test_silent_callbacks_write_nothing(capsys, tmp_path):
    schedule = LearningRateScheduler(lambda epoch: 0.1)
    saving = ModelCheckpoint(str(tmp_path / "m"))
    stopping = EarlyStopping(restore_best_weights=True)
    train([schedule, ReduceLROnPlateau(patience=1), saving, stopping], [1.0, 2.0])
    assert capsys.readouterr().out == ""


# ---- reference: when to lower the learning rate -----------------------------------


@pytest.mark.parametrize(
    "kind, cooldown, rates",
    [
        (ReduceLROnPlateau, 0, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]),
        (ReduceLROnPlateau, 2, [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]),
        (Keras1Plateau, 0, [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
        (Keras1Plateau, 2, [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]),
    ],
)
def test_the_learning_rate_falls_as_in_the_specification(kind, cooldown, rates):
    """Nine equal values; the logs hold the rate from before each change."""
    plateau = kind(factor=0.5, patience=2, cooldown=cooldown)
    for _ in range(2):
        model, seen = Model(), []
        follower = LearningRateScheduler(lambda epoch, lr: seen.append(lr) or lr)
        train([follower, plateau], [0.7] * 9, model=model)
        assert [*seen[1:], model.optimizer.lr] == rates
        assert [logs["lr"] for logs in model.logged] == [1, *rates[:-1]]


def test_the_learning_rate_stays_above_its_floor():
    plateau = ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.03)
    model = train([plateau], [1.0] * 9)
    assert model.optimizer.lr == 0.03
    assert [logs["lr"] for logs in model.logged[:4]] == [1, 1, 0.1, 0.03]


def test_an_improvement_below_min_delta_does_not_count():
    model = train([ReduceLROnPlateau(patience=1, min_delta=0.1)], [1.0, 0.95, 0.8])
    assert model.optimizer.lr == 0.1
    accuracy = ReduceLROnPlateau("acc", patience=1, min_delta=0.1)
    model = train([accuracy], [0.5, 0.55, 0.7], "acc")
    assert model.optimizer.lr == 0.1


def test_the_lower_rate_is_announced(capsys):
    train([ReduceLROnPlateau(patience=1, verbose=1)], [1.0, 1.0])
    text = "\nEpoch 00002: the learning rate goes down to 0.1.\n"
    assert capsys.readouterr().out == text


def test_the_name_of_keras_1_is_understood():
    with pytest.warns(UserWarning, match="epsilon is called min_delta"):
        assert ReduceLROnPlateau(epsilon=0.5).min_delta == 0.5


# ---- reference: what to save ------------------------------------------------------


def test_a_checkpoint_names_files_by_epoch_and_value(tmp_path):
    path = str(tmp_path / "m-{epoch:02d}-{val_loss:.2f}.h5")
    model = train([ModelCheckpoint(path)], [0.5, 0.75])
    assert model.saved == [
        str(tmp_path / "m-01-0.50.h5"),
        str(tmp_path / "m-02-0.75.h5"),
    ]


def test_a_checkpoint_saves_only_the_best_of_all_trainings(tmp_path):
    saving = ModelCheckpoint(
        tmp_path / "{epoch}", save_best_only=True, save_weights_only=True
    )
    assert len(train([saving], [0.5, 0.6, 0.4, math.nan, 0.4]).saved) == 2
    model = train([saving], [0.45, 0.3])
    assert model.saved == [f"weights {tmp_path / '2'}"]


@pytest.mark.parametrize("period, epochs", [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3])])
def test_a_checkpoint_waits_for_its_period(tmp_path, period, epochs):
    saving = ModelCheckpoint(str(tmp_path / "{epoch}"), period=period)
    model = train([saving], [1.0] * 4)
    assert model.saved == [str(tmp_path / str(epoch)) for epoch in epochs]


def test_a_checkpoint_says_what_it_does(tmp_path, capsys):
    path = str(tmp_path / "m")
    train([ModelCheckpoint(path, verbose=1)], [0.5])
    assert capsys.readouterr().out == f"\nEpoch 00001: saved to {path}.\n"
    train([ModelCheckpoint(path, verbose=1, save_best_only=True)], [0.5, 0.6, 0.25])
    assert capsys.readouterr().out == (
        f"\nEpoch 00001: val_loss improved from inf to 0.50000, saved to {path}.\n"
        "\nEpoch 00002: val_loss has not improved from 0.50000.\n"
        f"\nEpoch 00003: val_loss improved from 0.50000 to 0.25000, saved to {path}.\n"
    )


def test_a_variable_folder_is_made_when_it_is_needed(tmp_path):
    saving = ModelCheckpoint(str(tmp_path / "epoch {epoch}" / "m"))
    train([saving], [0.5, 0.5])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch 1", "epoch 2"]


def test_keras_1_counts_checkpoints_from_zero(tmp_path):
    class Keras1Checkpoint(ModelCheckpoint):
        first_epoch = 0

    model = train([Keras1Checkpoint(str(tmp_path / "{epoch}"))], [0.5])
    assert model.saved == [str(tmp_path / "0")]


def test_an_epoch_that_was_stopped_midway_is_saved_where_it_can_be(tmp_path):
    """It has no validation: a path with val_loss in it cannot be filled in."""
    plain = ModelCheckpoint(str(tmp_path / "m"))
    with_value = ModelCheckpoint(str(tmp_path / "{val_loss}"))
    stop = EarlyStopping("loss", baseline=0.0)
    model = train([stop, plain, with_value], [0.5], "loss")
    assert model.saved == [str(tmp_path / "m")]


# ---- reference: schedules ---------------------------------------------------------


def halve(epoch, lr):
    return lr / 2


class Schedule:
    def __call__(self, epoch):
        return 2.0**-epoch


@pytest.mark.parametrize(
    "schedule, rates",
    [
        (lambda epoch: 1 / (epoch + 1), [1, 1 / 2, 1 / 3]),
        (halve, [1 / 2, 1 / 4, 1 / 8]),
        (lambda *given: given[1] / 2, [1 / 2, 1 / 4, 1 / 8]),
        (lambda epoch, lr=None: lr / 2, [1 / 2, 1 / 4, 1 / 8]),
        (Schedule(), [1, 1 / 2, 1 / 4]),
        ([0.5, 0.25, 0.125].__getitem__, [1 / 2, 1 / 4, 1 / 8]),
        (lambda epoch: 2, [2, 2, 2]),
        (lambda epoch: np.float32(0.5), [0.5] * 3),
        (lambda epoch: np.int64(3), [3] * 3),
        (lambda epoch: Fraction(1, 4), [0.25] * 3),
        (int, [0, 1, 2]),
    ],
)
def test_a_schedule_sets_and_logs_the_learning_rate(schedule, rates):
    model = train([LearningRateScheduler(schedule)], [1.0] * 3)
    assert [logs["lr"] for logs in model.logged] == rates
    assert all(type(logs["lr"]) is float for logs in model.logged)
    assert model.optimizer.lr == rates[-1]


def test_a_schedule_is_announced(capsys):
    train([LearningRateScheduler(lambda epoch: 0.25, verbose=1)], [1.0])
    assert capsys.readouterr().out == "\nEpoch 00001: the learning rate is 0.25.\n"


def test_a_type_error_inside_the_schedule_travels():
    def broken(epoch, lr):
        return lr + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        train([LearningRateScheduler(broken)], [1.0])


def test_a_function_of_c_that_hides_its_parameters_gets_the_epoch(monkeypatch):
    def hidden(function):
        raise ValueError("no signature found")

    monkeypatch.setattr("inspect.signature", hidden)
    assert train([LearningRateScheduler(abs)], [1.0]).optimizer.lr == 0


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda path: EarlyStopping(patience=3, restore_best_weights=True),
        lambda path: ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1),
        lambda path: ModelCheckpoint(path, save_best_only=True, period=2),
    ],
)
@given(data=st.data())
def test_two_halves_of_a_training_equal_the_whole(make, data):
    """The second half is another callback, with the state of the first."""
    values = data.draw(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1))
    cut = data.draw(st.integers(0, len(values)))
    whole, first, second = (make("{epoch}") for _ in range(3))
    expected = train([whole], values)
    model = Model()
    told = CallbackList([first], model)
    told.on_train_begin()
    for epoch, value in enumerate(values[:cut]):
        model.weights = [epoch + 1]
        told.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            return
    second.set_state(first.get_state())
    train([second], values[cut:], model=model, first=cut)
    if cut < len(values):
        assert second.get_state() == whole.get_state()
        assert model.weights == expected.weights
    assert model.saved == expected.saved
    assert model.optimizer.lr == expected.optimizer.lr


@given(st.lists(st.floats(-10, 10), min_size=1), st.booleans())
def test_the_best_value_is_the_extreme_one(values, higher):
    stopping = EarlyStopping(patience=99, mode="max" if higher else "min")
    train([stopping], values)
    assert stopping.best == (max if higher else min)(values)
    assert stopping.best_epoch == values.index(stopping.best)


@pytest.mark.parametrize(
    "wanted, logged, found",
    [
        ("acc", "acc", "acc"),
        ("accuracy", "acc", "acc"),
        ("acc", "accuracy", "accuracy"),
        ("val_accuracy", "val_acc", "val_acc"),
        ("val_acc", "val_accuracy", "val_accuracy"),
        ("val_digit_accuracy", "val_digit_acc", "val_digit_acc"),
        ("accuracy", "val_acc", None),
        ("inaccuracy", "inacc", None),
    ],
)
def test_acc_and_accuracy_mean_the_same(wanted, logged, found):
    assert logged_name(wanted, ["loss", logged]) == found


@pytest.mark.parametrize("monitor", ["val_acc", "val_accuracy"])
@pytest.mark.parametrize("name", ["val_acc", "val_accuracy"])
def test_every_monitor_knows_the_other_name_of_accuracy(monitor, name, tmp_path):
    saving = ModelCheckpoint(
        str(tmp_path / f"{{{monitor}}}"), monitor, save_best_only=True
    )
    stopping = EarlyStopping(monitor)
    plateau = ReduceLROnPlateau(monitor)
    model = train([saving, plateau, stopping], [0.1, 0.5, 0.25], name)
    assert model.saved == [str(tmp_path / "0.1"), str(tmp_path / "0.5")]
    assert stopping.best == plateau.best == 0.5


def test_a_missing_value_is_warned_about_once_it_was_there():
    """Or is to be expected: an interrupted epoch has no validation."""
    with pytest.warns(RuntimeWarning, match="has no 'val_loss'.* There are: loss."):
        train([EarlyStopping()], [1.0], "loss")
    with pytest.warns(RuntimeWarning, match="EarlyStopping: this epoch has no 'extra'"):
        train([EarlyStopping("extra")], [1.0, None, 0.5], "extra")


def test_an_epoch_that_was_stopped_midway_is_no_surprise():
    """Its validation is missing; all who watch it keep still."""
    stopping = EarlyStopping("val_loss", baseline=0.0, patience=5)
    model = Model()
    told = CallbackList([stopping, ReduceLROnPlateau()], model)
    told.callbacks[0].params = told.callbacks[1].params = {
        "metrics": ["loss", "val_loss"],
        "do_validation": True,
    }
    told.on_train_begin()
    model.stop_training = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told.on_epoch_end(0, {"loss": 1.0})
    assert stopping.wait == 0


def test_monitors_work_on_a_real_model(tmp_path):
    x = np.linspace(0, 1, 8).reshape(4, 2)
    model = Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", metrics=["mae"])
    told = [
        LearningRateScheduler(lambda epoch: 0.5 if epoch < 2 else 0.0),
        EarlyStopping("loss", restore_best_weights=True),
    ]
    history = model.fit(x, x[:, :1], epochs=9, verbose=0, callbacks=told, seed=1)
    assert history.history["lr"][2] == 0.0
    assert told[1].stopped and len(history.epoch) < 9
    best = told[1].best_weights
    np.testing.assert_array_equal(model.get_weights()[0], best[0])


# ---- warnings and errors ----------------------------------------------------------


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
@pytest.mark.parametrize(
    "name", ["val_auc", "f1", "val_precision", "recall", "fmeasure"]
)
def test_mode_auto_is_warned_about_where_higher_looks_better(kind, name):
    with pytest.warns(UserWarning, match=f"lowest '{name}'.* mode='max'"):
        assert kind(name).higher is False
    assert kind(name, mode="max").higher is True  # without a warning


def test_a_checkpoint_maximises_the_f_measure():
    assert ModelCheckpoint("m", "fmeasure").higher
    with pytest.warns(UserWarning, match="val_fmeasure"):
        assert not ModelCheckpoint("m", "val_fmeasure").higher


def test_an_unknown_mode_is_warned_about():
    with pytest.warns(RuntimeWarning, match="expected mode 'auto', .* got 'best'"):
        assert EarlyStopping("acc", mode="best").higher


@pytest.mark.parametrize(
    "watcher",
    [
        EarlyStopping("val_los"),
        ReduceLROnPlateau("val_los"),
        ModelCheckpoint("m", "val_los", save_best_only=True, period=3),
        ModelCheckpoint("{val_los}", period=3),
    ],
)
def test_an_unknown_name_is_an_error_after_the_first_epoch(watcher):
    match = r"Unknown quantity for .*: 'val_los'\. Did you mean 'val_loss'\? Known: v"
    with pytest.raises(ValueError, match=match):
        train([watcher], [1.0, 0.5])


def test_a_validation_value_without_validation_is_an_error():
    with pytest.raises(ValueError, match="'val_loss' without validation. Pass valid"):
        train([EarlyStopping()], [1.0], "loss", metrics=["loss"])
    with pytest.raises(ValueError, match="or choose from: loss"):
        train([ReduceLROnPlateau()], [1.0], "loss", metrics=["loss", "acc"])


def test_a_stop_in_the_first_epoch_turns_the_error_into_a_warning():
    stop = EarlyStopping("loss", baseline=0.0)
    with pytest.warns(RuntimeWarning, match="no 'val_los'"):
        train([stop, EarlyStopping("val_los")], [1.0], "loss")


@pytest.mark.parametrize(
    "path, reason",
    [
        ("{epoch", "expected '}'"),
        ("{}", "a field without a name"),
        ("{0}", "a field without a name"),
        ("{epoch:.2q}", "."),
        ("{val_loss:d}", "Unknown format code 'd'"),
        ("{val_accuracy:d}", "Unknown format code 'd'"),
        ("{loss.size}", "no attribute"),
    ],
)
def test_a_path_that_cannot_be_filled_in_is_refused_at_once(path, reason):
    with pytest.raises(ValueError, match=f"the filepath .*{reason}.*epoch:02d"):
        train([ModelCheckpoint(path)], [])


def test_a_missing_folder_is_refused_before_the_first_epoch(tmp_path):
    for path in ("no/model.h5", "no/{epoch}.h5", "no/{epoch}/m.h5"):
        with pytest.raises(
            ValueError, match="ModelCheckpoint: the folder .* not exist"
        ):
            train([ModelCheckpoint(str(tmp_path / path))], [])
    with pytest.raises(ValueError, match="expected the path of a file"):
        train([ModelCheckpoint(str(tmp_path))], [])


@pytest.mark.parametrize("factor", [1.0, 2, -0.5, math.nan])
def test_a_factor_that_lowers_nothing_is_refused(factor):
    with pytest.raises(ValueError, match="expected a factor from 0 to below 1"):
        ReduceLROnPlateau(factor=factor)


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError, match="ReduceLROnPlateau: unknown keyword 'delta'"):
        ReduceLROnPlateau(delta=1)
    with pytest.raises(ValueError, match="period must be a positive integer"):
        ModelCheckpoint("m", period=0)


@pytest.mark.parametrize("schedule", [0.1, lambda: 0.1, lambda a, b, c: 0.1, None])
def test_what_is_no_schedule_is_refused(schedule):
    with pytest.raises(TypeError, match=r"expected a function of \(epoch\) or of"):
        LearningRateScheduler(schedule)


@pytest.mark.parametrize("value", [None, "0.1", True, -0.1, math.nan, math.inf, [0.1]])
def test_a_schedule_must_return_a_number(value):
    with pytest.raises(ValueError, match="to return a number of 0 or more, got .*h 0"):
        train([LearningRateScheduler(lambda epoch: value)], [1.0])


@pytest.mark.parametrize(
    "callback", [ReduceLROnPlateau(), LearningRateScheduler(lambda epoch: 0.1)]
)
def test_an_optimizer_without_learning_rate_is_named(callback):
    model = Model()
    model.optimizer = object()
    with pytest.raises(ValueError, match="the optimizer object has no attribute lr"):
        train([callback], [1.0], model=model)
