"""
Workers: threads and processes that fetch items ahead of a loop, and in its order.

A `Crew` is told the indices of an epoch. Its threads fetch a bounded number of items
ahead of the loop, which takes them in the order of the indices, whoever was faster; a
worker process has a thread of its own, which asks it for items, so both go one way.
Read next: `generators.py`, which decides about the indices.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from typing import Any, NamedTuple

PATIENCE = 60.0  # seconds without an item before a warning names who is at work
HEARTBEAT = 1.0  # seconds after which to look whether a silent process is alive
GRACE = 5.0  # seconds in which a thread may finish what it does when all is over
LAST_CALL = 1.0  # the same for a process, which can be killed then


class Outcome(NamedTuple):
    """What became of an index: its item, or the error that came instead."""

    item: Any = None
    error: BaseException | None = None


class WorkerDied(RuntimeError):
    """A worker process ended while items were still wanted from it."""


def attempt(fetch: Callable[[int], Any], index: int) -> Outcome:
    """Fetch one item; an error is an outcome, too."""
    try:
        return Outcome(fetch(index))
    except BaseException as error:
        return Outcome(error=error)


def add_note(error: BaseException, note: str) -> None:
    """Let the traceback of an error tell more; before Python 3.11, by its cause."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        reason = RuntimeError(note)
        reason.__cause__, error.__cause__ = error.__cause__, reason


# ---------------------------------------------------------------- who fetches


class Worker:
    """What a thread of a crew does: fetch an item by calling a function."""

    kind = "thread"

    def __init__(self, fetch: Callable[[int], Any]) -> None:
        self.fetch = fetch

    def start(self) -> None:
        """Get ready; the main thread calls this."""

    def close(self) -> None:
        """End orderly; the thread that fetched calls this."""

    def kill(self) -> bool:
        """End at once, if that is possible at all; the main thread calls this."""
        return False


class Parcel:
    """A pickled Sequence; a new one replaces it when the Sequence has changed."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class ProcessWorker(Worker):
    """
    What a thread of a crew does: have a process compute the item.

    Parameters
    ----------
    name : str
        What the items are for, to begin messages with.
    number : int
        Which worker of the crew this is.
    parcel : Parcel
        The Sequence; it is sent with the first request, and again when it is replaced.
    """

    kind = "process"
    _connection: Any = None
    _process: Any = None

    def __init__(self, name: str, number: int, parcel: Parcel) -> None:
        super().__init__(self.request)
        self._name, self._parcel = name, parcel
        self._sent: bytes | None = None
        self._answered = False
        self._number = number

    def start(self) -> None:
        """Start the process, and return before it has imported anything."""
        context = multiprocessing.get_context("spawn")
        self._connection, remote = context.Pipe()
        self._process = context.Process(
            target=serve, args=(remote,), name=f"worker {self._number}", daemon=True
        )
        with remote, _interrupts_held_back():
            self._process.start()

    def request(self, index: int) -> Any:
        """Return the item that the process computes, or raise what it raised."""
        content = self._parcel.content
        is_new = content is not self._sent
        try:
            self._connection.send((index, is_new))
            if is_new:
                self._connection.send_bytes(content)
                self._sent = content
            while not self._connection.poll(HEARTBEAT):
                if not self._process.is_alive():
                    raise EOFError
            reply = self._connection.recv_bytes()
        except (EOFError, OSError):
            raise WorkerDied(self._cause_of_death(index)) from None
        self._answered = True
        item, error, trace = pickle.loads(reply)
        if error is not None:
            add_note(error, f"In the worker process:\n{trace}")
            raise error
        return item

    def _cause_of_death(self, index: int) -> str:
        self._process.join(GRACE)
        code = self._process.exitcode
        who = f"{self._name}: {self._process.name} (process {self._process.pid})"
        if code is not None and code < 0:
            return (
                f"{who} was killed by signal {-code} ({signal.strsignal(-code)}) while "
                f"it computed item {index}. If the memory was full, use fewer workers."
            )
        if self._answered:
            return f"{who} ended with exit code {code} while it computed item {index}."
        return (
            f"{who} ended with exit code {code} before its first item. Every process "
            "imports the script anew, so the script must start its work below "
            'if __name__ == "__main__": and must be a file.'
        )

    def close(self) -> None:
        """Let the process end, which it does when nobody can ask it any more."""
        if self._connection is None:
            return
        self._connection.close()
        if self._process.pid is not None:
            self._process.join(GRACE)
            self.kill()
            self._process.join(GRACE)

    def kill(self) -> bool:
        """End the process whatever it does."""
        process = self._process
        alive = process is not None and process.pid is not None and process.is_alive()
        if alive:
            process.kill()
        return alive


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let a process that starts here never hear of Ctrl-C; it reaches us just after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its own start would end the block too early
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def serve(connection: Any) -> None:
    """Compute items in a worker process until nobody can ask for more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sequence: Any = None
    with connection, contextlib.suppress(EOFError, OSError):
        while True:
            index, is_new = connection.recv()
            content = connection.recv_bytes() if is_new else None
            try:
                if content is not None:
                    sequence = _unpacked(content)
                reply = pickle.dumps((sequence[index], None, ""), protocol=5)
            except BaseException as error:
                reply = _error_reply(error)
            connection.send_bytes(reply)


def _unpacked(content: bytes) -> Any:
    try:
        return pickle.loads(content)
    except Exception as error:
        raise RuntimeError(
            f"The Sequence cannot be loaded in a worker process ({error}). Define its "
            "class at the top of a file, not in a notebook, or use threads."
        ) from error


def _error_reply(error: BaseException) -> bytes:
    """Pack an error and its traceback; what cannot travel goes as a RuntimeError."""
    trace = traceback.format_exc()
    try:
        reply = pickle.dumps((None, error, trace), protocol=5)
        pickle.loads(reply)
    except Exception:
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        reply = pickle.dumps((None, stand_in, trace), protocol=5)
    return reply


# ---------------------------------------------------------------- crews


class NoCrew:
    """
    Nobody works ahead: an item is fetched when it is taken, by who takes it.

    Parameters
    ----------
    fetch : callable
        index -> item.
    """

    def __init__(self, fetch: Callable[[int], Any]) -> None:
        self._fetch = fetch

    def start(self) -> None:
        """Do nothing."""

    def begin(self, order: Sequence[int]) -> None:
        """Take note of the indices of an epoch."""
        self._order = iter(order)

    def take(self) -> Outcome:
        """Return what becomes of the next index."""
        return attempt(self._fetch, next(self._order))

    def finish(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


class Crew:
    """
    Threads that fetch items ahead of the loop that takes them.

    At most `max_queue_size` items wait, and every worker has one more in its hands.

    Parameters
    ----------
    name : str
        What the items are for, to begin messages with.
    workers : list of Worker
        One for each thread.
    max_queue_size : int
    describe : callable
        index -> how a message calls this item.
    """

    def __init__(
        self,
        name: str,
        workers: list[Worker],
        max_queue_size: int,
        describe: Callable[[int], str],
    ) -> None:
        self._name, self._describe = name, describe
        self._workers = workers
        self._ahead = max_queue_size + len(workers)
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)  # workers wait for it
        self._news = threading.Condition(self._lock)  # the loop waits for it
        self._order: Sequence[int] = ()
        self._started = self._taken = 0  # how many items of this epoch
        self._outcomes: dict[int, Outcome] = {}  # by place in the order
        self._at_work: dict[str, tuple[int, int]] = {}  # worker -> (place, index)
        self._death: Outcome | None = None
        self._stopped = False
        self._threads = [
            threading.Thread(
                target=self._work,
                args=(f"worker {worker.kind} {number}", worker),
                name=f"kerasnb {name} worker {number}",
                daemon=True,
            )
            for number, worker in enumerate(workers, start=1)
        ]

    def start(self) -> None:
        """Start all workers, or none."""
        try:
            for worker in self._workers:
                worker.start()
            for thread in self._threads:
                thread.start()
        except BaseException:
            self.stop()
            raise

    def begin(self, order: Sequence[int]) -> None:
        """Let the workers fetch the items of an epoch."""
        with self._lock:
            self._order, self._started, self._taken = order, 0, 0
            self._room.notify_all()

    def take(self) -> Outcome:
        """Wait for the next item of the epoch and return what became of it."""
        with self._lock:
            self._wait(lambda: self._death or self._taken in self._outcomes)
            if self._death is not None:
                return self._death
            outcome = self._outcomes.pop(self._taken)
            self._taken += 1
            self._room.notify()
            return outcome

    def finish(self) -> None:
        """Drop what is left of the epoch; no worker is at work after this."""
        with self._lock:
            self._order = ()
            self._wait(lambda: self._death or not self._at_work)
            self._outcomes.clear()

    def stop(self) -> None:
        """End all threads and processes; return when they have ended."""
        with self._lock:
            self._stopped = True
            self._order = ()
            self._outcomes.clear()
            self._death = Outcome(error=RuntimeError(f"{self._name}: it was stopped."))
            self._room.notify_all()
            self._news.notify_all()
        try:
            self._join()
        except BaseException:  # a second Ctrl-C
            for worker in self._workers:
                worker.kill()
            raise

    def _join(self) -> None:
        start = time.monotonic()
        stuck = []
        for thread, worker in zip(self._threads, self._workers):
            if thread.ident is None:  # the start of the crew failed before it
                worker.close()
                continue
            grace = LAST_CALL if worker.kind == "process" else GRACE
            thread.join(max(0.0, start + grace - time.monotonic()))
            if thread.is_alive() and worker.kill():
                thread.join(GRACE)
            if thread.is_alive():
                stuck.append(thread.name)
        if stuck:
            warnings.warn(
                f"{self._name}: {', '.join(stuck)} did not end within {GRACE:g} "
                "seconds. Python cannot stop a thread inside your code; it ends when "
                "that code returns.",
                stacklevel=4,
            )

    def _wait(self, done: Callable[[], Any]) -> None:
        """Wait until something is done; warn when that takes long."""
        if done():
            return
        start = time.monotonic()
        patience = PATIENCE
        while not done():
            left = start + patience - time.monotonic()
            if left > 0:
                self._news.wait(left)
            else:
                self._warn(patience)
                patience *= 2

    def _warn(self, seconds: float) -> None:
        if self._at_work:
            who = min(self._at_work, key=self._at_work.__getitem__)
            reason = f"{who} is busy with {self._describe(self._at_work[who][1])}"
        else:
            reason = "no worker is at work"
        warnings.warn(
            f"{self._name}: no batch for {seconds:g} seconds: {reason}.",
            stacklevel=5,
        )

    def _work(self, who: str, worker: Worker) -> None:
        """Fetch one item after the other until the crew is stopped."""
        try:
            while (job := self._next_job(who)) is not None:
                place, index = job
                self._hand_in(who, place, attempt(worker.fetch, index))
        finally:
            worker.close()

    def _next_job(self, who: str) -> tuple[int, int] | None:
        """Wait for an index to fetch and for room to keep its item; None is the end."""
        with self._lock:
            while not self._stopped:
                place = self._started
                if place < min(len(self._order), self._taken + self._ahead):
                    self._started += 1
                    job = self._at_work[who] = place, self._order[place]
                    return job
                self._room.wait()
            return None

    def _hand_in(self, who: str, place: int, outcome: Outcome) -> None:
        """Keep an outcome until it is taken; after an error nothing more is fetched."""
        with self._lock:
            del self._at_work[who]
            if self._stopped:
                return
            self._outcomes[place] = outcome
            if outcome.error is not None:
                self._order = ()
                if isinstance(outcome.error, WorkerDied):
                    self._death = outcome
            self._news.notify()
