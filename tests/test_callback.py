import pytest
from rehearsal import TRACE, Clock, Model, Recorder, train

from kerasnb import callback as callback_module
from kerasnb.callbacks import (
    HOOKS,
    BaseLogger,
    Callback,
    CallbackList,
    History,
    LambdaCallback,
)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(callback_module, "clock", clock)
    return clock


def test_callbacks_are_called_in_list_order():
    calls = []
    train([Recorder(calls, "a"), Recorder(calls, "b")], TRACE[:1])
    hooks = "train_begin epoch_begin batch_begin batch_end epoch_end train_end"
    assert [call[:2] for call in calls] == [
        (name, "on_" + hook) for hook in hooks.split() for name in "ab"
    ]


@pytest.mark.parametrize("hook", HOOKS)
def test_one_dictionary_is_shared_by_all_callbacks(hook):
    """What one callback adds, the later ones see: the same object."""
    seen = []
    first = LambdaCallback(**{hook: lambda *given: given[-1].update(lr=0.1)})
    second = LambdaCallback(**{hook: lambda *given: seen.append(given[-1])})
    third = LambdaCallback(**{hook: lambda *given: seen.append(given[-1])})
    told = CallbackList([first, second, third])
    index = () if "train" in hook else (0,)
    getattr(told, hook)(*index)
    assert seen[0] is seen[1]
    assert seen[0] == {"lr": 0.1}
    logs = {}
    getattr(told, hook)(*index, logs)
    assert seen[2] is logs


def test_model_and_params_are_set_before_training():
    seen = []

    class Looks(Callback):
        def on_train_begin(self, logs=None):
            seen.append((self.model, self.params, self.validation_data))

    model, params = Model(), {"epochs": 3}
    CallbackList([Looks()], model, params).on_train_begin()
    assert seen == [(model, params, None)]
    assert seen[0][0] is model


def test_only_filled_hooks_are_called():
    """Neither the base class nor an unfilled hook takes part in a batch."""

    class OnlyEpochs(Callback):
        def on_epoch_end(self, epoch, logs=None):
            pass

    callbacks = [Callback(), OnlyEpochs(), History(), BaseLogger()]
    told = CallbackList(callbacks)
    assert list(told) == callbacks
    filled = {name: len(hooks) for name, hooks in told._hooks.items()}
    assert filled == {
        "on_train_begin": 1,
        "on_train_end": 0,
        "on_epoch_begin": 1,
        "on_epoch_end": 3,
        "on_batch_begin": 0,
        "on_batch_end": 1,
    }


def test_hooks_inherited_or_set_on_the_object_count_as_filled():
    calls = []

    class Child(Recorder):
        pass

    late = Callback()
    late.on_train_begin = lambda logs: setattr(
        late, "on_batch_end", lambda batch, logs: calls.append(("late",))
    )
    told = CallbackList([Child(calls), late])
    told.on_train_begin()
    told.on_batch_end(0, {})
    assert [call[0] for call in calls] == ["on_train_begin", "on_batch_end", "late"]


class Counter(Callback):
    state_names = ("seen",)

    def __init__(self):
        self.seen = []

    def on_train_begin(self, logs=None):
        if self.starts_anew():
            self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)


def test_a_state_is_kept_by_the_next_training_only():
    first, second = Counter(), Counter()
    train([first], TRACE, epochs=2)
    state = first.get_state()
    second.set_state(state)
    train([second], TRACE, epochs=1)
    assert second.seen == [0, 1, 0]
    train([second], TRACE, epochs=1)
    assert second.seen == [0]
    assert state == {"seen": [0, 1]} == first.get_state()


def test_a_callback_without_a_state_has_an_empty_one():
    callback = Callback()
    assert callback.get_state() == {}
    callback.set_state({})


def test_all_hear_of_the_end_even_if_one_fails():
    """A file of a later callback is closed; the error travels on."""
    calls = []

    def fail(logs):
        raise ZeroDivisionError

    told = CallbackList(
        [
            LambdaCallback(on_train_end=lambda logs: calls.append("first")),
            LambdaCallback(on_train_end=fail),
            LambdaCallback(on_train_end=lambda logs: calls.append("last")),
        ]
    )
    with pytest.raises(ZeroDivisionError):
        told.on_train_end()
    assert calls == ["first", "last"]


# ---- slow hooks -------------------------------------------------------------------


def slow_training(clock, hook_seconds, update_seconds, hook="on_batch_end", **kwargs):
    def wait(batch, logs):
        clock.now += hook_seconds

    def update():
        clock.now += update_seconds

    train([LambdaCallback(**{hook: wait})], TRACE * 4, pace=update, **kwargs)


@pytest.mark.parametrize("hook", ["on_batch_begin", "on_batch_end"])
def test_hooks_slower_than_the_update_are_warned_about_once(clock, hook):
    with pytest.warns(UserWarning, match=rf"{hook} hooks .* slow: 0\.250 s") as caught:
        slow_training(clock, 0.25, 0.05, hook, epochs=3)
    assert len(caught) == 1
    assert "update of a batch takes 0.050 s" in str(caught[0].message)


@pytest.mark.parametrize("hook_seconds, update_seconds", [(0.09, 0.01), (0.2, 0.3)])
def test_quick_hooks_and_slow_updates_are_not(clock, hook_seconds, update_seconds):
    """Both limits count: a tenth of a second, and 95 % of the update."""
    slow_training(clock, hook_seconds, update_seconds)  # a warning is an error here


def test_a_single_slow_batch_is_forgiven(clock):
    """The median of the last ten batches is judged."""
    seconds = iter([0.01] * 3 + [50.0] + [0.01] * 8)

    def wait(batch, logs):
        clock.now += next(seconds)

    train([LambdaCallback(on_batch_end=wait)], TRACE * 4, pace=clock.tick)


def test_the_clock_is_not_read_without_hooks_around_batches(monkeypatch):
    """A training with only our own callbacks pays for no clock."""
    told = CallbackList([BaseLogger(), History()], None, {"metrics": ["loss"]})
    told.on_train_begin()
    told.on_epoch_begin(0)
    monkeypatch.setattr(callback_module, "clock", None)
    told.on_batch_begin(0, {"batch": 0, "size": 1})
    told.on_batch_end(0, {"batch": 0, "size": 1, "loss": 1.0})
    monkeypatch.undo()
    told = CallbackList([LambdaCallback(on_batch_end=max)])
    monkeypatch.setattr(callback_module, "clock", None)
    with pytest.raises(TypeError, match="not callable"):
        told.on_batch_begin(0, {"batch": 0, "size": 1})


def test_a_subclass_of_a_quick_callback_is_watched(monkeypatch):
    """What it adds may be slow."""

    class Slower(BaseLogger):
        pass

    told = CallbackList([Slower()], None, {"metrics": ["loss"]})
    monkeypatch.setattr(callback_module, "clock", None)
    with pytest.raises(TypeError, match="not callable"):
        told.on_batch_end(0, {"batch": 0, "size": 1, "loss": 1.0})


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [History, max, "history", None])
def test_only_callback_objects_are_accepted(wrong):
    with pytest.raises(TypeError, match="expected instances of Callback, got"):
        CallbackList([wrong])


@pytest.mark.parametrize("state", [{}, {"best": 1.0}, {"seen": [], "more": 0}])
def test_the_state_of_another_callback_is_refused(state):
    callback = Counter()
    with pytest.raises(ValueError, match="Counter.set_state: expected the names seen"):
        callback.set_state(state)
    assert callback.seen == []
