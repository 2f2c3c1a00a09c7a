"""The trace of the hooks: who is told what, and when, in every kind of training."""

import _thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_feeds import Slices, endless

from kerasnb import Sequential
from kerasnb.callbacks import Callback, LambdaCallback
from kerasnb.layers import Dense

X = np.ones((5, 1))
NAMES = ["loss", "acc"]
KINDS = ("arrays", "steps", "generator", "sequence")


class Recorder(Callback):
    """Writes down every event with the names in its logs."""

    def __init__(self):
        self.events = []

    def note(self, *event):
        self.events.append(tuple(list(e) if isinstance(e, dict) else e for e in event))

    def on_train_begin(self, logs=None):
        self.note("train begin", logs)

    def on_train_end(self, logs=None):
        self.note("train end", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.note("epoch begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.note("epoch end", epoch, logs)

    def on_batch_begin(self, batch, logs=None):
        self.note("batch begin", batch, logs)

    def on_batch_end(self, batch, logs=None):
        self.note("batch end", batch, logs)


def run(kind, epochs, validates, others=()):
    """Train in batches of two, three an epoch, and return the events and History."""
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse", metrics=["acc"])
    recorder = Recorder()
    settings = {"epochs": epochs, "verbose": 0, "callbacks": [*others, recorder]}
    if validates:
        settings["validation_data"] = X, X
    if kind == "generator":
        history = model.fit_generator(endless(list(Slices(2, X, X))), 3, **settings)
    elif kind == "sequence":
        history = model.fit(Slices(2, X, X), **settings)
    else:
        if kind == "steps":
            settings["steps_per_epoch"] = 3
            if validates:
                settings["validation_steps"] = 1
        history = model.fit(X, X, 2, **settings)
    return recorder.events, history


def trace(epochs, validates, stop=None, validates_stopped=False):
    """Return the events of the specification; `stop` is (epoch, last batch)."""
    events = [("train begin", [])]
    for epoch in range(epochs):
        events.append(("epoch begin", epoch, []))
        here = stop is not None and stop[0] == epoch
        for batch in range(stop[1] + 1 if here else 3):
            events.append(("batch begin", batch, ["batch", "size"]))
            events.append(("batch end", batch, ["batch", "size", *NAMES]))
        checked = validates and (not here or validates_stopped)
        val = ["val_" + name for name in NAMES if checked]
        events.append(("epoch end", epoch, val + NAMES))
        if here:
            break
    return [*events, ("train end", [])]


@pytest.mark.parametrize("kind", KINDS)
@given(epochs=st.integers(0, 3), validates=st.booleans())
def test_every_kind_of_training_announces_the_same(kind, epochs, validates):
    """None, one and several epochs; with and without validation."""
    events, history = run(kind, epochs, validates)
    assert events == trace(epochs, validates)
    assert history.epoch == list(range(epochs))


@pytest.mark.parametrize("kind", KINDS)
@given(epoch=st.integers(0, 2), batch=st.integers(0, 2), validates=st.booleans())
def test_a_stop_in_a_batch(kind, epoch, batch, validates):
    """Arrays skip validation, steps do not, generators only before the last batch."""
    seen = []

    def stop(number, logs):
        seen.append(number)
        if len(seen) == 3 * epoch + batch + 1:
            stopper.model.stop_training = True

    stopper = LambdaCallback(on_batch_end=stop)
    events, history = run(kind, 3, validates, [stopper])
    validates_stopped = {"arrays": False, "steps": True}.get(kind, batch == 2)
    assert events == trace(3, validates, (epoch, batch), validates_stopped)
    assert history.epoch == list(range(epoch + 1))
    assert not history.interrupted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["batch", "epoch"])
def test_an_interrupt_ends_the_training_in_order(kind, where):
    """Ctrl-C at a batch finishes it; at the end of an epoch, nothing follows."""
    if where == "batch":
        killer = LambdaCallback(
            on_batch_begin=lambda batch, logs: batch == 1 and _thread.interrupt_main()
        )
        expected = trace(3, True, (0, 1))
    else:
        killer = LambdaCallback(
            on_epoch_end=lambda epoch, logs: epoch == 1 and _thread.interrupt_main()
        )
        expected = trace(2, True)
    events, history = run(kind, 3, True, [killer])
    assert events == expected
    assert history.interrupted


def test_a_stop_at_the_end_of_an_epoch():
    """No other epoch begins."""
    stopper = LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(
            stopper.model, "stop_training", epoch == 1
        )
    )
    events, _ = run("arrays", 5, True, [stopper])
    assert events == trace(2, True)


def test_logs_are_one_dict_per_event_that_callbacks_share():
    """What one adds, the later ones and the History see."""
    adder = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(lr=0.5 + epoch))
    events, history = run("arrays", 2, False, [adder])
    assert history.history["lr"] == [0.5, 1.5]
    assert events[-2] == ("epoch end", 1, [*NAMES, "lr"])


def test_params_describe_the_training():
    """The keys of the specification."""
    _, history = run("arrays", 1, True)
    assert history.params == {
        "batch_size": 2,
        "epochs": 1,
        "steps": None,
        "samples": 5,
        "verbose": 0,
        "do_validation": True,
        "metrics": [*NAMES, "val_loss", "val_acc"],
    }
    _, history = run("generator", 2, False)
    assert history.params == {
        "epochs": 2,
        "steps": 3,
        "verbose": 0,
        "do_validation": False,
        "metrics": NAMES,
    }
