import collections
import itertools
import re
import signal
import threading
import time
import traceback
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import random
from kerasnb.generators import (
    Sequence,
    check_item,
    is_generator,
    make_supply,
    prediction_input,
    rows,
)

WORKERS = [0, 1, 4]


class Numbers(Sequence):
    """Item i is 100 * (epochs that have ended) + i."""

    def __init__(self, length):
        self.length = length
        self.ended = 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return 100 * self.ended + index

    def on_epoch_end(self):
        self.ended += 1


class Failing(Numbers):
    """Raises its error at one index."""

    def __init__(self, length, at, error):
        super().__init__(length)
        self.at, self.error = at, error

    def __getitem__(self, index):
        if index == self.at:
            give_up(self.error)
        return index


def give_up(error):
    raise error


def run(data, steps=None, epochs=1, **options):
    """Return the items of every epoch."""
    with make_supply(data, steps, **options) as supply:
        items = []
        for epoch in range(epochs):
            items.append(list(supply.epoch(epoch)))
            supply.end_epoch(last=epoch == epochs - 1)
        return items


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    assert condition()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


# ---------------------------------------------------------------- Sequence


def test_a_sequence_yields_its_items_once():
    assert list(Numbers(4)) == [0, 1, 2, 3]
    Sequence.on_epoch_end(Numbers(1))


def test_a_sequence_needs_a_length_and_items():
    class Half(Sequence):
        def __len__(self):
            return 1

    with pytest.raises(TypeError, match="abstract.*__getitem__"):
        Half()


def test_generators_are_told_from_arrays():
    assert is_generator(Numbers(1))
    assert is_generator(iter([1]))
    assert not is_generator([1])
    assert not is_generator(np.zeros(3))


# ---------------------------------------------------------------- order


@given(st.integers(1, 13), st.integers(1, 3), st.booleans())
def test_the_number_of_workers_changes_nothing(length, epochs, shuffle):
    """Same seed, same items in the same order, for workers 0, 1, 4."""
    results = []
    for count in WORKERS:
        random.set_seed(5)
        results.append(
            run(Numbers(length), epochs=epochs, workers=count, shuffle=shuffle)
        )
    assert results[0] == results[1] == results[2]
    for epoch, items in enumerate(results[0]):
        assert sorted(items) == [100 * epoch + i for i in range(length)]


@pytest.mark.parametrize("count", WORKERS)
def test_each_epoch_has_a_permutation_of_the_common_stream(count):
    """Also the first one; and the last draws nothing for an epoch that won't come."""
    random.set_seed(3)
    orders = [random.generator().permutation(7).tolist() for _ in range(2)]
    after = random.generator().get_state()
    random.set_seed(3)
    first, second = run(Numbers(7), epochs=2, workers=count)
    assert [first, [i - 100 for i in second]] == orders
    assert random.generator().get_state() == after


@given(st.integers(1, 7), st.integers(1, 17), st.integers(1, 4), st.booleans())
def test_a_pass_goes_on_in_the_next_epoch(length, steps, epochs, shuffle):
    """Epochs of any size cut one endless row of whole passes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        items = run(Numbers(length), steps, epochs, shuffle=shuffle, workers=2)
    assert [len(epoch) for epoch in items] == [steps] * epochs
    row = [item % 100 for item in itertools.chain(*items)]
    for start in range(0, len(row) - length + 1, length):
        assert sorted(row[start : start + length]) == list(range(length))
    if not shuffle:
        assert row == [i % length for i in range(steps * epochs)]


@pytest.mark.parametrize("count", WORKERS)
def test_validation_starts_at_the_first_batch_in_every_epoch(count):
    with pytest.warns(UserWarning, match="each time it starts with the first of its 5"):
        items = run(Numbers(5), 2, epochs=3, workers=count, shuffle=False, restart=True)
    assert items == [[0, 1], [100, 101], [200, 201]]


def test_another_number_of_steps_than_batches_is_pointed_out():
    with pytest.warns(
        UserWarning,
        match="data: with validation_steps=3 an epoch is not one pass over the "
        "Sequence: it has 5 batches, and an epoch starts where the one before ended. "
        "Leave validation_steps out",
    ):
        make_supply(Numbers(5), 3, "data", steps_name="validation_steps")


# ---------------------------------------------------------------- the end of an epoch


@pytest.mark.parametrize("count", WORKERS)
def test_on_epoch_end_is_called_once_an_epoch_by_the_main_thread(count):
    """After the last batch of the epoch, before the first item of the next."""
    log = []

    class Logged(Numbers):
        def __getitem__(self, index):
            log.append("item")
            return index

        def on_epoch_end(self):
            log.append(threading.current_thread())

    run(Logged(3), epochs=3, workers=count)
    assert log == (["item"] * 3 + [threading.current_thread()]) * 3


@pytest.mark.parametrize("count", WORKERS)
def test_the_length_is_read_again_before_every_epoch(count):
    class Growing(Numbers):
        def on_epoch_end(self):
            self.length += 2

    assert run(Growing(1), epochs=3, workers=count, shuffle=False) == [
        [0],
        [0, 1, 2],
        [0, 1, 2, 3, 4],
    ]


def test_a_new_length_starts_a_new_pass():
    class Shrinking(Numbers):
        def on_epoch_end(self):
            self.length = 2

    with pytest.warns(UserWarning, match="not one pass"):
        assert run(Shrinking(5), 3, epochs=2, shuffle=False) == [[0, 1, 2], [0, 1, 0]]


def test_steps_tell_the_length_of_the_coming_epoch():
    class Growing(Numbers):
        def on_epoch_end(self):
            self.length += 1

    with make_supply(Growing(2), None) as supply:
        assert supply.steps == 2
        list(supply.epoch())
        supply.end_epoch()
        assert supply.steps == 3


@pytest.mark.parametrize("count", [1, 4])
def test_the_next_epoch_is_fetched_ahead(count):
    """From the start, and from the end of an epoch on: nobody has to ask for items."""
    fetched = []

    class Noted(Numbers):
        def __getitem__(self, index):
            fetched.append(index)
            return index

    with make_supply(Noted(3), None, workers=count) as supply:
        wait_for(lambda: len(fetched) == 3)
        list(supply.epoch())
        supply.end_epoch()
        wait_for(lambda: len(fetched) == 6)
        list(supply.epoch())
        supply.end_epoch(last=True)
    assert len(fetched) == 6


@pytest.mark.parametrize("count", WORKERS)
def test_an_epoch_that_is_left_early_is_over(count):
    """No worker is inside the Sequence when it is told that the epoch has ended."""

    class Slow(Numbers):
        inside = 0
        seen = None

        def __getitem__(self, index):
            self.inside += 1
            time.sleep(0.02)
            self.inside -= 1
            return super().__getitem__(index)

        def on_epoch_end(self):
            self.seen = self.inside
            super().on_epoch_end()

    data = Slow(9)
    with make_supply(data, None, workers=count, shuffle=False) as supply:
        assert next(supply.epoch()) == 0
        supply.end_epoch()
        assert data.seen == 0
        assert list(itertools.islice(supply.epoch(), 2)) == [100, 101]


# ---------------------------------------------------------------- plain generators


@pytest.mark.parametrize("count", [0, 1])
def test_a_generator_goes_on_and_no_item_is_lost(count):
    """Nothing is read ahead of the last epoch, so the next call finds the next item."""
    numbers = itertools.count()
    assert run(numbers, 3, epochs=2, workers=count) == [[0, 1, 2], [3, 4, 5]]
    assert next(numbers) == 6


def test_anything_that_can_be_iterated_is_a_generator():
    class Loader:
        def __iter__(self):
            return iter("abc")

    assert run(Loader(), 3) == [["a", "b", "c"]]
    assert run(zip([1, 2], [3, 4]), 2) == [[(1, 3), (2, 4)]]


@pytest.mark.parametrize("count", [0, 1])
def test_a_generator_that_ends_early_ends_the_epoch(count):
    with make_supply((i for i in range(7)), 5, workers=count) as supply:
        assert list(supply.epoch(0)) == [0, 1, 2, 3, 4]
        supply.end_epoch()
        assert not supply.exhausted
        with pytest.warns(
            UserWarning,
            match="generator: the generator ended after 2 of 5 batches of epoch 2",
        ) as caught:
            assert list(supply.epoch(1)) == [5, 6]
        assert caught[0].filename == __file__
        assert supply.exhausted
        supply.end_epoch()
        assert list(supply.epoch(2)) == []


def test_one_reader_reads_a_generator():
    def numbers():
        for number in range(50):
            time.sleep(0.0001)
            yield number, threading.current_thread()

    with pytest.warns(UserWarning, match="cannot be read by 4 workers at once"):
        (items,) = run(numbers(), 50, workers=4)
    assert [number for number, _ in items] == list(range(50))
    assert len({reader for _, reader in items}) == 1


def test_two_supplies_may_share_a_generator():
    """As training and validation data, say: `next` is never called twice at once."""

    def numbers():
        for number in itertools.count():
            time.sleep(0.001)
            yield number

    shared = numbers()
    with make_supply(shared, 20) as one, make_supply(shared, 20) as two:
        items = [*one.epoch(), *two.epoch()]
    assert sorted(items) == list(range(40))


@pytest.mark.parametrize("count", WORKERS)
def test_none_is_skipped(count):
    """A generator's next item takes its place; a Sequence has one batch less."""
    data = (None if i % 3 == 1 else i for i in itertools.count())
    assert run(data, 4, workers=min(count, 1)) == [[0, 2, 3, 5]]

    class Gaps(Numbers):
        def __getitem__(self, index):
            return None if index == 1 else index

    assert run(Gaps(3), workers=count, shuffle=False) == [[0, 2]]


# ---------------------------------------------------------------- memory


class Item:
    """Something whose life can be watched."""


@pytest.mark.parametrize("count, queue", [(1, 1), (1, 10), (4, 1), (3, 5)])
def test_the_queue_bounds_the_memory(count, queue):
    """Of items there are as many as may wait, one per worker, and that of the loop."""
    alive = weakref.WeakSet()
    made = []

    class Watched(Numbers):
        def __getitem__(self, index):
            item = Item()
            alive.add(item)
            made.append(len(alive))
            return item

    with make_supply(
        Watched(30), None, workers=count, max_queue_size=queue, shuffle=False
    ) as supply:
        for taken, item in enumerate(supply.epoch(), start=1):
            ahead = min(30, taken + queue + count)
            wait_for(lambda: len(made) >= ahead)
            assert len(made) == ahead
            del item
    assert max(made) <= queue + count + 1
    assert not alive


# ---------------------------------------------------------------- errors from workers


@pytest.mark.parametrize("count", WORKERS)
def test_an_error_comes_in_its_turn_with_its_own_traceback(count):
    """After the good items before it; it says which batch and which line failed."""
    error = KeyError("lost")
    got = []
    with pytest.raises(KeyError) as caught:
        with make_supply(
            Failing(9, 5, error), None, workers=count, shuffle=False
        ) as supply:
            for item in supply.epoch(1):
                got.append(item)
    assert got == [0, 1, 2, 3, 4]
    assert caught.value is error
    text = "".join(traceback.format_exception(error))
    assert "in give_up" in text
    assert "generator: item 5 of the Sequence failed, batch 6 of 9 of epoch 2." in text


@pytest.mark.parametrize("count", [0, 1])
def test_an_error_in_a_generator_names_the_batch(count):
    def data():
        yield 1
        give_up(OSError("no such disk"))

    with pytest.raises(OSError, match="no such disk") as caught:
        run(data(), 3, name="validation_data", workers=count)
    text = "".join(traceback.format_exception(caught.value))
    assert "in give_up" in text
    assert "validation_data: batch 2 of the generator failed, batch 2 of 3" in text


@pytest.mark.parametrize("count", WORKERS)
def test_stop_iteration_in_a_sequence_does_not_end_the_epoch_unheard(count):
    with pytest.raises(RuntimeError, match="item 1 of the Sequence.*StopIteration"):
        run(Failing(3, 1, StopIteration()), workers=count, shuffle=False)


def test_500_combinations_end_in_time_with_no_thread_left():
    """Workers, queue size, length, and the place of an error are drawn."""
    before = set(threading.enumerate())
    draw = random.Generator(1).uniform((500, 5))
    for a, b, c, d, e in draw:
        count, queue, length = int(5 * a), 1 + int(4 * b), 1 + int(20 * c)
        at = int((length + 5) * d)  # beyond the length: no error
        options = {"workers": count, "max_queue_size": queue, "shuffle": False}
        if e < 0.3:
            data = map(
                Failing(length, at, ValueError("now")).__getitem__, range(length)
            )
            options["workers"] = min(count, 1)
        else:
            data = Failing(length, at, ValueError("now"))
        got = []
        try:
            with make_supply(data, length, **options) as supply:
                got.extend(supply.epoch())
                supply.end_epoch(last=e > 0.5)
            assert at >= length
        except ValueError:
            assert at < length
        assert got == list(range(min(at, length)))
        assert set(threading.enumerate()) == before


@pytest.mark.parametrize("count", WORKERS)
def test_an_interrupted_loop_leaves_no_thread(count):
    with pytest.raises(KeyboardInterrupt):
        with make_supply(Numbers(20), None, workers=count) as supply:
            for _ in supply.epoch():
                raise KeyboardInterrupt


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_ctrl_c_ends_the_wait_for_a_batch():
    held = threading.Event()

    class Stuck(Numbers):
        def __getitem__(self, index):
            main = threading.main_thread().ident
            time.sleep(0.05)
            signal.pthread_kill(main, signal.SIGINT)
            held.wait(0.2)
            return index

    with pytest.raises(KeyboardInterrupt):
        run(Stuck(1))


# ---------------------------------------------------------------- what a batch is


def test_a_batch_to_train_on_has_two_or_three_parts():
    assert check_item((1, 2), "generator") == (1, 2, None)
    assert check_item([1, 2, 3], "generator") == (1, 2, 3)


@pytest.mark.parametrize(
    "item, found",
    [
        (np.zeros((2, 5)), "ndarray of shape (2, 5)"),
        ((1, None), None),
        ((np.zeros(3),), "a tuple of 1 (ndarray of shape (3,))"),
        ([[1, 2], None, 3, {"a": 1}], "(list of length 2, None, int, dict with 'a')"),
        ((1, 2, 3, 4, 5), "a tuple of 5 (int, int, int, int, ...)"),
        ({}, "dict with nothing"),
        (7, "int"),
    ],
)
def test_anything_else_is_shown(item, found):
    if found is None:
        assert check_item(item, "generator") == (*item, None)
        return
    with pytest.raises(
        ValueError,
        match=re.escape("generator: expected (x, y) or (x, y, sample_weight) for")
        + ".*"
        + re.escape(found),
    ):
        check_item(item, "generator")


def test_a_batch_to_predict_is_x_or_starts_with_x():
    """A list is several inputs; only a tuple is taken apart."""
    x = np.zeros((2, 3))
    assert prediction_input(x) is x
    assert prediction_input((x, 1)) is x
    assert prediction_input((x, 1, 2)) is x
    assert prediction_input([1, 2]) == [1, 2]
    with pytest.raises(
        ValueError, match=r"predict: expected x.*a tuple of 1 \(ndarray"
    ):
        prediction_input((x,))


@pytest.mark.parametrize(
    "x, count",
    [
        (np.zeros((4, 2)), 4),
        ([np.zeros((3, 2)), np.zeros((3, 1))], 3),
        ({"a": np.zeros((5, 2)), "b": np.zeros((5, 1))}, 5),
        ({"a": [1, 2]}, 1),
        ([[1, 2], [3, 4], [5, 6]], 3),
        ([1.0, 2.0], 2),
        (None, 1),
        ([], 1),
        ({}, 1),
        (np.zeros((0, 2)), 1),
        (np.float32(3), 1),
    ],
)
def test_the_rows_of_a_batch_are_those_of_its_first_array(x, count):
    assert rows(x) == count


# ---------------------------------------------------------------- errors


def count_up():
    yield from itertools.count()


@pytest.mark.parametrize(
    "data, message",
    [
        ([1, 2], "got list of length 2. Pass arrays to fit"),
        (np.zeros((4, 3)), r"got ndarray of shape \(4, 3\). Pass arrays to fit"),
        ({"a": 1}, "got dict with 'a'"),
        (count_up, r"got the function count_up. Call it: count_up\(\)"),
        (Numbers, r"got the class Numbers. Make an object of it: Numbers\(...\)"),
        (collections.deque([1]), "got deque, which has numbered items but is no Seq"),
        (3, "generator: expected a generator, an iterator or a Sequence, got int. A f"),
    ],
)
def test_what_is_no_generator_is_refused_with_a_hint(data, message):
    with pytest.raises(TypeError, match=message):
        make_supply(data, 2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"workers": -1}, "workers must be an integer from 0, got -1"),
        ({"workers": "2"}, "workers must be an integer from 0, got '2'"),
        ({"max_queue_size": 0}, "max_queue_size must be a positive integer, got 0"),
        ({"max_queue_size": True}, "max_queue_size must be a positive integer, got T"),
        ({"steps": 0}, "steps_per_epoch must be a positive integer, got 0"),
        (
            {"steps": float("nan")},
            "steps_per_epoch must be a positive integer, got nan",
        ),
        ({"steps": -2, "steps_name": "steps"}, "^steps must be a positive integer"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make_supply(Numbers(3), **{"steps": None, **options})


def test_a_part_of_a_batch_counts_as_one():
    """Keras's examples write steps_per_epoch=len(x) / batch_size."""
    assert make_supply(Numbers(3), 2.5).steps == 3
    assert make_supply(Numbers(3), np.int64(3)).steps == 3


def test_a_generator_needs_a_number_of_steps():
    with pytest.raises(
        ValueError, match="^steps: a generator does not know its length"
    ):
        make_supply(count_up(), None, steps_name="steps")


def test_a_generator_cannot_be_copied_to_processes():
    with pytest.raises(ValueError, match="use_multiprocessing=True needs a Sequence"):
        make_supply(count_up(), 2, use_multiprocessing=True)
    assert run(count_up(), 2, workers=0, use_multiprocessing=True) == [[0, 1]]


def test_an_empty_sequence_is_refused():
    with pytest.raises(ValueError, match="validation_data: Numbers is empty"):
        make_supply(Numbers(0), None, "validation_data")


def test_a_sequence_that_becomes_empty_is_refused():
    class Emptied(Numbers):
        def on_epoch_end(self):
            self.length = 0

    with pytest.raises(ValueError, match="Emptied is empty"):
        run(Emptied(2), epochs=2)


def test_a_length_is_a_whole_number():
    with pytest.raises(
        TypeError, match=r"length of Numbers must be a whole number \(.*math.ceil"
    ):
        make_supply(Numbers(np.ceil(7 / 2)), None)


def test_batches_flow_inside_the_block_only():
    supply = make_supply(Numbers(2), None)
    with pytest.raises(RuntimeError, match="inside the with block only"):
        next(supply.epoch())
    with supply:
        batches = supply.epoch()
        next(batches)
    with pytest.raises(RuntimeError, match="it was stopped"):
        next(batches)


def test_a_block_that_cannot_begin_leaves_no_thread(monkeypatch):
    def fail():
        raise MemoryError

    monkeypatch.setattr(random, "generator", fail)
    with pytest.raises(MemoryError):
        with make_supply(Numbers(2), None):
            pass


def test_processes_need_a_sequence_that_can_be_pickled():
    data = Numbers(2)
    data.secret = lambda: None
    with pytest.raises(TypeError, match="sends the Sequence to other processes, but"):
        make_supply(data, None, use_multiprocessing=True)
