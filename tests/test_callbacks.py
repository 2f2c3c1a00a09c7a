import csv
import io
import json
import math
import pickle
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import TRACE, Clock, Model, Recorder, StopAt, train

from kerasnb import callbacks as callbacks_module
from kerasnb import progress
from kerasnb.callbacks import (
    HOOKS,
    BaseLogger,
    CallbackList,
    History,
    LambdaCallback,
    ProgbarLogger,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "clock", clock)
    return clock


# ---- reference: the order of hooks and what they receive --------------------------


def test_the_trace_of_the_specification():
    """Five samples in batches of two, one epoch, validation, metric acc."""
    calls = []
    train([BaseLogger(), Recorder(calls), History()], TRACE, validation=(0.75, 0.25))
    assert calls == [
        ("on_train_begin", {}),
        ("on_epoch_begin", 0, {}),
        ("on_batch_begin", 0, {"batch": 0, "size": 2}),
        ("on_batch_end", 0, {"batch": 0, "size": 2, "loss": 2.0, "acc": 0.5}),
        ("on_batch_begin", 1, {"batch": 1, "size": 2}),
        ("on_batch_end", 1, {"batch": 1, "size": 2, "loss": 2.0, "acc": 0.5}),
        ("on_batch_begin", 2, {"batch": 2, "size": 1}),
        ("on_batch_end", 2, {"batch": 2, "size": 1, "loss": 1.0, "acc": 0.5}),
        (
            "on_epoch_end",
            0,
            {"val_loss": 0.75, "val_acc": 0.25, "loss": 1.8, "acc": 0.5},
        ),
        ("on_train_end", {}),
    ]
    assert list(calls[-2][2]) == ["val_loss", "val_acc", "loss", "acc"]


def test_an_added_key_reaches_history():
    lr = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(lr=0.5**epoch))
    history = History()
    train([BaseLogger(), lr, history], TRACE, epochs=3)
    assert history.history["lr"] == [1.0, 0.5, 0.25]
    assert list(history.history) == ["loss", "acc", "lr"]


def test_a_callback_can_stop_the_training():
    history = History()
    model = train(
        [BaseLogger(), StopAt(1), history], TRACE, epochs=4, validation=(1, 1)
    )
    assert model.stop_training
    assert history.epoch == [0]
    assert history.history == {"loss": [2.0], "acc": [0.5]}


# ---- reference: the progress of an epoch, every character -------------------------


def test_a_file_gets_the_epoch_and_one_line(clock, capsys):
    train(
        [BaseLogger(), ProgbarLogger(), History()],
        TRACE,
        epochs=2,
        validation=(0.61, 0.24),
        pace=clock.tick,
    )
    line = (
        "5/5 [==============================] - 3s 600ms/step"
        " - loss: 1.8000 - acc: 0.5000 - val_loss: 0.6100 - val_acc: 0.2400\n"
    )
    assert capsys.readouterr().out == "Epoch 1/2\n" + line + "Epoch 2/2\n" + line


def test_a_terminal_draws_all_but_the_last_batch_at_once(clock, monkeypatch):
    """The last batch waits for validation, and stands in its line."""

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    train(
        [BaseLogger(), ProgbarLogger()], TRACE, validation=(0.61, 0.24), pace=clock.tick
    )
    first = (
        "2/5 [===========>..................] - ETA: 1s - loss: 2.0000 - acc: 0.5000"
    )
    second = (
        "4/5 [=======================>......] - ETA: 0s - loss: 2.0000 - acc: 0.5000"
    )
    last = (
        "5/5 [==============================] - 3s 600ms/step"
        " - loss: 1.8000 - acc: 0.5000 - val_loss: 0.6100 - val_acc: 0.2400\n"
    )
    back = "\b" * len(first) + "\r"
    assert screen.getvalue() == "Epoch 1/1\n" + first + back + second + back + last


def test_a_fast_epoch_draws_only_its_last_line(clock, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    train([BaseLogger(), ProgbarLogger()], TRACE)
    assert screen.getvalue() == (
        "Epoch 1/1\n5/5 [==============================] - 0s 0us/step"
        " - loss: 1.8000 - acc: 0.5000\n"
    )


def test_verbose_2_writes_a_plain_line(clock, capsys):
    train([BaseLogger(), ProgbarLogger()], TRACE, validation=(0.5, 0.25), verbose=2)
    assert capsys.readouterr().out == (
        "Epoch 1/1\n - 0s - loss: 1.8000 - acc: 0.5000"
        " - val_loss: 0.5000 - val_acc: 0.2500\n"
    )


def test_verbose_0_writes_nothing(capsys):
    train([BaseLogger(), ProgbarLogger()], TRACE, verbose=0)
    assert capsys.readouterr().out == ""


def test_steps_can_be_counted_instead_of_samples(clock, capsys):
    train([BaseLogger(), ProgbarLogger("steps")], TRACE)
    assert "\n3/3 [" in capsys.readouterr().out


def test_an_unknown_number_of_steps_is_said_so(clock, capsys):
    train([BaseLogger(), ProgbarLogger("steps")], TRACE, steps=None)
    assert capsys.readouterr().out == (
        "Epoch 1/1\n      3/Unknown - 0s 0us/step - loss: 1.8000 - acc: 0.5000\n"
    )


def test_the_bar_averages_by_itself_without_a_base_logger(clock, capsys):
    """Weighted by samples, and the last value for stateful metrics."""
    train([ProgbarLogger(stateful_metrics=["acc"])], [(3, 1.0, 0.1), (1, 5.0, 0.9)])
    assert capsys.readouterr().out.endswith(" - loss: 2.0000 - acc: 0.9000\n")


def test_an_epoch_that_stops_midway_ends_its_line(clock, capsys):
    train([BaseLogger(), ProgbarLogger(), StopAt(0)], TRACE)
    assert capsys.readouterr().out == (
        "Epoch 1/1\n2/5 [===========>..................] - 0s 0us/step"
        " - loss: 2.0000 - acc: 0.5000\n"
    )


def test_an_epoch_that_breaks_off_ends_its_line_at_train_end(clock, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    params = {"verbose": 1, "epochs": 1, "samples": 9, "metrics": []}
    told = CallbackList([ProgbarLogger()], None, params)
    told.on_train_begin()
    told.on_epoch_begin(0)
    clock.now += 1
    told.on_batch_end(0, {"batch": 0, "size": 3})
    told.on_train_end()
    told.on_train_end()
    assert screen.getvalue() == (
        "Epoch 1/1\n3/9 [=========>....................] - ETA: 2s\n"
    )


# ---- laws -------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(1, 100), st.floats(-1e3, 1e3), st.floats(0, 1)),
        min_size=1,
        max_size=20,
    )
)
def test_the_average_of_an_epoch_weighs_batches_by_their_size(batches):
    history = History()
    train([BaseLogger(), history], batches)
    sizes, loss, acc = np.array(batches).T
    expected = np.average(loss, weights=sizes), np.average(acc, weights=sizes)
    got = history.history["loss"][0], history.history["acc"][0]
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_averages_start_anew_in_each_epoch():
    history = History()
    train([BaseLogger(), history], TRACE, epochs=3)
    assert history.history["loss"] == [1.8, 1.8, 1.8]


def test_a_stateful_metric_keeps_its_last_value():
    history = History()
    train([BaseLogger(["acc"]), history], [(2, 1.0, 0.25), (1, 4.0, 0.75)])
    assert history.history == {"loss": [2.0], "acc": [0.75]}


def test_a_single_nan_shows_in_the_average():
    history = History()
    train([BaseLogger(), history], [(2, math.nan, 1.0), (2, 1.0, 1.0)])
    assert math.isnan(history.history["loss"][0])
    assert history.history["acc"] == [1.0]


def test_names_outside_the_metrics_are_not_averaged():
    told = CallbackList([BaseLogger()], None, {"metrics": ["loss"]})
    told.on_epoch_begin(0)
    told.on_batch_end(0, {"batch": 0, "size": 1, "loss": 1.0, "extra": 5.0})
    logs = {}
    told.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0}


def test_history_holds_python_floats_and_lists():
    """Whatever a callback logs, JSON can hold it."""
    history = History()
    logs = {"a": np.float32(0.5), "b": np.array([1, 2]), "c": 1, "d": np.int64(3)}
    history.on_epoch_end(4, {**logs, "e": "text", "f": np.array(2.5)})
    assert history.epoch == [4]
    expected = {"a": [0.5], "b": [[1, 2]], "c": [1.0], "d": [3.0], "e": ["text"]}
    assert history.history == {**expected, "f": [2.5]}
    for name in "acdf":
        assert type(history.history[name][0]) is float


def test_history_has_one_value_an_epoch_under_every_name():
    """An epoch without a value holds NaN in its place."""
    history = History()
    history.on_epoch_end(0, {"loss": 3.0})
    history.on_epoch_end(1, {"val_loss": 2.5, "loss": 2.0})
    history.on_epoch_end(2, {"loss": 1.0})
    assert history.history["loss"] == [3.0, 2.0, 1.0]
    np.testing.assert_equal(history.history["val_loss"], [math.nan, 2.5, math.nan])


def test_history_is_emptied_when_training_begins():
    history = History()
    train([BaseLogger(), history], TRACE, epochs=2)
    history.interrupted = True
    earlier = history.history
    train([BaseLogger(), history], TRACE, validation=(1.0, 0.5))
    assert history.epoch == [0]
    assert history.interrupted is False
    assert list(history.history) == ["val_loss", "val_acc", "loss", "acc"]
    assert earlier["loss"] == [1.8, 1.8]


def test_history_survives_json():
    history = History()
    train([BaseLogger(), history], TRACE, epochs=2, validation=(math.inf, math.nan))
    read = json.loads(history.to_json())
    assert list(read) == ["epoch", "history", "interrupted"]
    assert read["epoch"] == [0, 1]
    assert read["interrupted"] is False
    np.testing.assert_equal(read["history"], history.history)


def test_history_survives_csv():
    history = History()
    history.on_epoch_end(0, {"loss": 0.1, "odd,name": 1e-17})
    history.on_epoch_end(1, {"loss": 1 / 3})
    text = history.to_csv()
    assert text == f'epoch,loss,"odd,name"\n0,0.1,1e-17\n1,{1 / 3!r},nan\n'
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["loss"]) for row in rows] == history.history["loss"]


def test_an_untrained_history_is_empty():
    history = History()
    assert (history.epoch, history.history, history.interrupted) == ([], {}, False)
    assert history.to_csv() == "epoch\n"


@pytest.mark.parametrize("form", ["to_csv", "to_json"])
def test_history_is_written_to_a_path_whole(tmp_path, form):
    history = History()
    train([BaseLogger(), history], TRACE)
    path = tmp_path / "history"
    path.write_text("something older and longer " * 20)
    text = getattr(history, form)(path)
    assert path.read_text() == text == getattr(history, form)(str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["history"]


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    history = History()
    folder = tmp_path / "taken"
    folder.mkdir()
    with pytest.raises(OSError):
        history.to_csv(folder)
    with pytest.raises(OSError):
        history.to_csv(tmp_path / "missing" / "history.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_history_goes_on_from_its_state():
    """Two halves of a training make the history of the whole."""
    whole, first, second = History(), History(), History()
    values = [{"loss": 3.0}, {"loss": 2.0, "val_loss": 1.0}, {"loss": 1.0}]
    for epoch, logs in enumerate(values):
        whole.on_epoch_end(epoch, logs)
        half = first if epoch < 2 else second
        if epoch == 2:
            second.set_state(first.get_state())
            second.on_train_begin()
        half.on_epoch_end(epoch, logs)
    assert second.epoch == whole.epoch
    np.testing.assert_equal(second.history, whole.history)
    assert first.epoch == [0, 1]
    second.on_train_begin()
    assert second.epoch == []


def test_history_is_pickled_without_the_model():
    """The model in this test cannot be pickled at all."""
    history = History()
    train([BaseLogger(), history], TRACE)
    history.validation_data = [lambda: None]
    history.interrupted = True
    again = pickle.loads(pickle.dumps(history))
    assert again.epoch == history.epoch
    assert again.history == history.history
    assert again.params == history.params
    assert again.interrupted is True
    assert again.model is None and again.validation_data is None
    assert isinstance(history.model, Model)


def test_history_plots_itself(monkeypatch):
    """The plotting module is asked only when a plot is."""
    plotting = types.ModuleType("kerasnb.plotting")
    plotting.plot_history = lambda history, **kwargs: (history, kwargs)
    monkeypatch.setitem(sys.modules, "kerasnb.plotting", plotting)
    monkeypatch.setattr(sys.modules["kerasnb"], "plotting", plotting, raising=False)
    history = History()
    assert history.plot(ax=3) == (history, {"ax": 3})


def test_lambda_callback_calls_its_functions():
    calls = []
    note = {hook: lambda *given: calls.append(given) for hook in HOOKS}
    train([LambdaCallback(**note)], TRACE[:1])
    assert [len(call) for call in calls] == [1, 2, 2, 2, 2, 1]
    assert [call[0] for call in calls[1:-1]] == [0, 0, 0, 0]


def test_lambda_callback_keeps_extra_keywords_as_attributes():
    calls = []
    callback = LambdaCallback(on_train_end=calls.append, colour="red", count=3)
    assert (callback.colour, callback.count) == ("red", 3)
    told = CallbackList([callback])
    assert [name for name in HOOKS if told._hooks[name]] == ["on_train_end"]


def test_every_callback_can_be_imported_from_here():
    """Whatever module holds it, Keras has it in `callbacks`."""
    for name in callbacks_module.__all__:
        made = getattr(callbacks_module, name)
        if name not in ("HOOKS", "CallbackList"):
            assert issubclass(made, callbacks_module.Callback)


# ---- errors -----------------------------------------------------------------------


def test_an_unknown_count_mode_is_refused():
    with pytest.raises(ValueError, match="'samples' or 'steps', got 'epochs'"):
        ProgbarLogger("epochs")


def test_a_hook_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="expected a function for on_epoch_end, got 3"):
        LambdaCallback(on_epoch_end=3)
