import multiprocessing
import os
import pathlib
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import types
import warnings

import pytest

from kerasnb import random, workers
from kerasnb.generators import Sequence, make_supply


class Odd(Exception):
    """An error that can be pickled, but not unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Chores(Sequence):
    """Item i does and returns what the chore of that number says."""

    def __init__(self, *chores):
        self.chores = chores
        self.ended = 0

    def __len__(self):
        return len(self.chores)

    def __getitem__(self, index):
        return self.ended, getattr(self, self.chores[index])(index)

    def on_epoch_end(self):
        self.ended += 1

    def number(self, index):
        return index

    def process(self, index):
        return os.getpid()

    def raise_value_error(self, index):
        raise ValueError("what a value")

    def raise_odd(self, index):
        raise Odd("this", "that")

    def return_lambda(self, index):
        return lambda: None

    def kill(self, index):
        os.kill(os.getpid(), signal.SIGKILL)

    def leave(self, index):
        os._exit(3)

    def sleep(self, index):
        time.sleep(100)

    def nap(self, index):
        time.sleep(0.3)
        return "rested"


class NotHere(Sequence):
    """Cannot be unpickled."""

    __len__ = __getitem__ = None

    def __reduce__(self):
        return int, ("no number",)


@pytest.fixture(autouse=True)
def nobody_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
    assert multiprocessing.active_children() == []


def in_order(data, **options):
    return make_supply(data, None, shuffle=False, **options)


# ---------------------------------------------------------------- processes


def test_processes_return_what_threads_return():
    """Over several epochs: what changes at their end travels to the processes."""
    results = []
    for processes in (False, True):
        random.set_seed(4)
        with make_supply(
            Chores(*["number"] * 7), None, workers=2, use_multiprocessing=processes
        ) as supply:
            first = list(supply.epoch())
            supply.end_epoch()
            results.append((first, list(supply.epoch())))
            supply.end_epoch(last=True)
    assert results[0] == results[1]
    assert sorted(results[1][1]) == [(1, i) for i in range(7)]


def test_an_error_travels_with_its_type_and_traceback():
    chores = "number", "process", "raise_value_error", "number"
    got = []
    with pytest.raises(ValueError, match="what a value") as caught:
        with in_order(Chores(*chores), use_multiprocessing=True) as supply:
            got.extend(supply.epoch(0))
    assert len(got) == 2
    assert got[1][1] != os.getpid()
    text = "".join(traceback.format_exception(caught.value))
    assert "in raise_value_error" in text
    assert "item 2 of the Sequence failed, batch 3 of 4 of epoch 1" in text


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_process_is_an_error_within_five_seconds():
    """Even while another process is busy with an earlier batch; that one is ended."""
    with pytest.raises(RuntimeError) as caught:
        with in_order(
            Chores("number", "process", "sleep", "kill"),
            workers=2,
            use_multiprocessing=True,
        ) as supply:
            batches = supply.epoch()
            next(batches), next(batches)
            start = time.monotonic()
            next(batches)
    assert time.monotonic() - start < 5
    assert re.match(
        r"generator: worker \d \(process \d+\) was killed by signal 9 \(Killed\) "
        "while it computed item 3. If the memory was full, use fewer workers.",
        str(caught.value),
    )


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="needs POSIX signals")
def test_processes_do_not_hear_of_ctrl_c():
    """Only the main process does; and a process that ends by itself says how."""
    with pytest.raises(
        RuntimeError,
        match=r"worker 1 \(.*ended with exit code 3 while it computed item 3",
    ):
        with in_order(
            Chores("process", "nap", "number", "leave"), use_multiprocessing=True
        ) as supply:
            batches = supply.epoch()
            os.kill(next(batches)[1], signal.SIGINT)
            assert next(batches) == (0, "rested")
            assert next(batches) == (0, 2)
            next(batches)


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
            from kerasnb.generators import Sequence, make_supply

            class Data(Sequence):
                def __len__(self):
                    return 3
                def __getitem__(self, index):
                    return index

            with make_supply(Data(), None, use_multiprocessing=True) as supply:
                list(supply.epoch())
            """))
    root = pathlib.Path(workers.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-2]
    assert "worker 1" in last and "ended with exit code 1 before its first item" in last
    assert 'must start its work below if __name__ == "__main__":' in last


class Line:
    """The end of a connection that a worker process holds."""

    def __init__(self, sequence, *indices):
        self.content = pickle.dumps(sequence)
        self.requests = [(index, index == indices[0]) for index in indices]
        self.replies = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def recv(self):
        if not self.requests:
            raise EOFError
        return self.requests.pop(0)

    def recv_bytes(self):
        return self.content

    def send_bytes(self, reply):
        self.replies.append(pickle.loads(reply))


@pytest.fixture
def served():
    """Do here what a worker process does, and return its replies."""
    former = signal.getsignal(signal.SIGINT)

    def served(sequence, *indices):
        line = Line(sequence, *indices)
        workers.serve(line)
        assert line.closed
        return line.replies

    yield served
    signal.signal(signal.SIGINT, former)


def test_a_process_replies_until_nobody_asks(served):
    replies = served(Chores("number", "number", "raise_value_error"), 1, 2, 0)
    assert replies[0] == ((0, 1), None, "")
    assert replies[2] == ((0, 0), None, "")
    item, error, trace = replies[1]
    assert item is None
    assert repr(error) == "ValueError('what a value')"
    assert "in raise_value_error" in trace


def test_what_cannot_travel_is_described(served):
    """An error that cannot be pickled arrives as a RuntimeError with its words."""
    odd, unpicklable = served(Chores("raise_odd", "return_lambda"), 0, 1)
    assert repr(odd[1]) == "RuntimeError('Odd: this and that')"
    assert "in raise_odd" in odd[2]
    assert "pickle" in str(unpicklable[1])


def test_a_sequence_that_a_process_cannot_load_is_explained(served):
    ((_, error, _),) = served(NotHere(), 0)
    assert isinstance(error, RuntimeError)
    assert "cannot be loaded in a worker process (invalid literal" in str(error)
    assert "Define its class at the top of a file, not in a notebook" in str(error)


# ---------------------------------------------------------------- threads


@pytest.fixture
def held():
    """An event that items wait for; in the end it happens, and all threads end."""
    before = set(threading.enumerate())
    held = threading.Event()
    yield held
    held.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


class Held(Sequence):
    """The item of one index is not ready before the event."""

    def __init__(self, held, at):
        self.held, self.at = held, at

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == self.at:
            self.held.wait()
        return index


def test_a_long_wait_names_the_worker_and_its_item(held, monkeypatch):
    """Again after twice the time; the wait goes on, and the order is kept."""
    monkeypatch.setattr(workers, "PATIENCE", 0.05)
    timer = threading.Timer(0.3, held.set)
    with in_order(Held(held, 2), workers=2) as supply:
        with pytest.warns(UserWarning) as caught:
            timer.start()
            assert list(supply.epoch()) == [0, 1, 2, 3, 4, 5]
    timer.join()
    said = [str(warning.message) for warning in caught]
    pattern = (
        r"generator: no batch for ([\d.]+) seconds: worker thread \d is busy "
        "with item 2 of the Sequence."
    )
    waited = [float(re.fullmatch(pattern, line)[1]) for line in said]
    assert len(waited) > 1
    assert waited == [0.05 * 2**k for k in range(len(waited))]
    assert {warning.filename for warning in caught} == {__file__}


def test_the_end_of_an_epoch_waits_under_watch_too(held, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.05)
    timer = threading.Timer(0.08, held.set)
    with in_order(Held(held, 2)) as supply:
        next(supply.epoch())
        timer.start()
        with pytest.warns(UserWarning, match="busy with item 2") as caught:
            supply.end_epoch(last=True)
    timer.join()
    assert caught[0].filename == __file__


def test_a_warning_that_is_an_error_ends_the_wait(held, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.05)
    monkeypatch.setattr(workers, "GRACE", 0.05)
    with pytest.warns(UserWarning, match="did not end"):
        with pytest.raises(UserWarning, match="no batch for 0.05 seconds"):
            with in_order(Held(held, 0)) as supply:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    next(supply.epoch())


def test_a_thread_that_cannot_be_stopped_is_named(held, monkeypatch):
    """Leaving takes no longer than the grace; the thread ends when your code does."""
    monkeypatch.setattr(workers, "GRACE", 0.3)
    start = time.monotonic()
    with pytest.warns(
        UserWarning, match=r"generator: .*worker \d did not end within 0.3 seconds"
    ) as caught:
        with in_order(Held(held, 1), workers=2) as supply:
            assert next(supply.epoch()) == 0
    assert time.monotonic() - start < 10
    assert caught[0].filename == __file__


def test_all_workers_start_or_none(monkeypatch):
    start = threading.Thread.start
    started = []

    def second_fails(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", second_fails)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        with in_order(Held(None, -1), workers=3):
            pass
    assert not started[0].is_alive()


def test_before_python_3_11_a_note_is_the_cause():
    old = types.SimpleNamespace(__cause__=None)
    workers.add_note(old, "where")
    workers.add_note(old, "when")
    assert repr(old.__cause__) == "RuntimeError('when')"
    assert repr(old.__cause__.__cause__) == "RuntimeError('where')"
