import io
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import progress
from kerasnb.progress import (
    Progbar,
    RunningMeans,
    can_redraw,
    format_eta,
    format_step,
    format_value,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "clock", clock)
    return clock


def erased(width):
    return "\b" * width + "\r"


# ---- reference: every character ---------------------------------------------------


def test_the_running_bar_of_the_specification(clock):
    """320 of 1000 fill nine cells; the time left is extrapolated."""
    screen = Terminal()
    bar = Progbar(1000, stream=screen)
    clock.now += 2.0
    bar.update(320, [("loss", 0.5), ("acc", 0.25)])
    assert screen.getvalue() == (
        " 320/1000 [========>.....................] - ETA: 4s"
        " - loss: 0.5000 - acc: 0.2500"
    )


def test_the_complete_bar_of_the_specification(clock):
    """The final line has elapsed seconds, time per unit and validation values."""
    out = io.StringIO()
    bar = Progbar(1000, stream=out)
    bar.record(1000, ["loss", "acc"], {"loss": 0.5, "acc": 0.25})
    clock.now += 8.0
    bar.finish([("val_loss", 0.61), ("val_acc", 0.24)])
    assert out.getvalue() == (
        "1000/1000 [==============================] - 8s 8ms/step"
        " - loss: 0.5000 - acc: 0.2500 - val_loss: 0.6100 - val_acc: 0.2400\n"
    )


def test_a_redrawn_line_goes_back_and_covers_the_longer_old_one(clock):
    """Backspaces and a return, then the line with blanks up to the old width."""
    screen = Terminal()
    bar = Progbar(1000, stream=screen)
    clock.now += 70.0
    bar.update(100, [("loss", 1e-5)])
    long = "100/1000 [==>...........................] - ETA: 10:30 - loss: 1.0000e-05"
    assert screen.getvalue() == " " + long
    clock.now += 1.0
    bar.update(1000, [("loss", 2.0)])
    short = "1000/1000 [==============================] - 71s 71ms/step - loss: 1.8000"
    assert len(short) < len(long) + 1
    assert screen.getvalue() == (
        " " + long + erased(len(long) + 1) + short.ljust(len(long) + 1) + "\n"
    )


def test_the_second_drawing_continues_the_same_line(clock):
    screen = Terminal()
    bar = Progbar(4, width=4, stream=screen)
    clock.now += 1
    bar.update(1)
    clock.now += 1
    bar.update(2)
    clock.now += 1
    bar.update(4)
    first, second = "1/4 [>...] - ETA: 3s", "2/4 [=>..] - ETA: 2s"
    assert screen.getvalue() == (
        first + erased(20) + second + erased(20) + "4/4 [====] - 3s 750ms/step\n"
    )


def test_an_unknown_target_shows_the_count_and_the_time_spent(clock):
    """The count is padded to seven; only finish() can tell the end."""
    screen = Terminal()
    bar = Progbar(None, stream=screen)
    clock.now += 3
    bar.update(12, [("loss", 1.0)])
    assert screen.getvalue() == "     12/Unknown - 3s 250ms/step - loss: 1.0000"
    bar.finish()
    assert screen.getvalue().endswith(
        "\r     12/Unknown - 3s 250ms/step - loss: 1.0000\n"
    )


def test_verbose_2_is_one_line_without_a_bar(clock):
    """Nothing is drawn before the end, and negative values keep four decimals."""
    screen = Terminal()
    bar = Progbar(10, verbose=2, stream=screen)
    clock.now += 5
    bar.update(5, [("loss", -2.0)])
    assert screen.getvalue() == ""
    clock.now += 3
    bar.update(10, [("loss", -1.0)])
    assert screen.getvalue() == " - 8s - loss: -1.5000\n"


def test_verbose_0_is_silent(clock):
    screen = Terminal()
    bar = Progbar(10, verbose=0, stream=screen)
    clock.now += 5
    bar.update(5, [("loss", 1.0)])
    bar.update(10, [("loss", 1.0)])
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    "value, text",
    [
        (0.5, "0.5000"),
        (-0.25, "-0.2500"),
        (0.00101, "0.0010"),
        (0.001, "1.0000e-03"),
        (-0.0005, "-5.0000e-04"),
        (0.0, "0.0000e+00"),
        (12345.678, "12345.6780"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_values_have_four_decimals_or_an_exponent(value, text):
    assert format_value(value) == text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "60s"),
        (61, "1:01"),
        (3600, "60:00"),
        (3601, "1:00:01"),
        (90000, "25:00:00"),
    ],
)
def test_the_time_left_grows_minutes_and_hours(seconds, text):
    assert format_eta(seconds) == text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0us/step"),
        (2e-6, "2us/step"),
        (1e-3, "1ms/step"),
        (0.25, "250ms/step"),
        (1, "1s/step"),
        (75.4, "75s/step"),
    ],
)
def test_the_time_per_unit_chooses_its_unit(seconds, text):
    assert format_step(seconds) == text


# ---- laws -------------------------------------------------------------------------


@given(st.integers(1, 5000), st.integers(1, 40), st.data())
def test_the_bar_keeps_its_width_and_is_full_only_at_the_end(target, width, data):
    """Cells = floor(width current / target), whatever the rounding of floats."""
    current = data.draw(st.integers(0, target))
    out = io.StringIO()
    bar = Progbar(target, width=width, stream=out)
    bar.record(current, [], {})
    bar.finish()
    count, cells = out.getvalue().split("]")[0].split(" [")
    assert count == str(current).rjust(len(str(target))) + f"/{target}"
    filled = width * current // target
    assert len(cells) == width
    assert cells.count(".") == width - filled
    assert cells.endswith("=") == (current == target)


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 1000)), min_size=1),
)
def test_the_average_weighs_each_value_by_its_units(batches):
    """sum v n / sum n, as numpy does it in float64."""
    means = RunningMeans()
    for value, n in batches:
        means.add(["loss"], {"loss": np.float32(value)}, n)
    values, n = np.array(batches).T
    expected = np.average(values.astype(np.float32).astype(float), weights=n)
    ((name, mean),) = means.items()
    assert name == "loss"
    assert type(mean) is float
    assert mean == pytest.approx(expected, rel=1e-12, abs=1e-6)


def test_a_million_float32_values_average_without_drift():
    """A float32 sum of 0.1 would be off in the third digit."""
    means = RunningMeans()
    value = {"loss": np.float32(0.1)}
    for _ in range(100_000):
        means.add(["loss"], value, 10)
    assert means.items()[0][1] == pytest.approx(float(np.float32(0.1)), rel=1e-10)


def test_a_stateful_value_is_the_last_one():
    means = RunningMeans(["auc"])
    means.add(["loss", "auc"], {"loss": 1.0, "auc": 0.5}, 3)
    means.add(["loss", "auc"], {"loss": 3.0, "auc": 0.7}, 1)
    assert means.items() == [("loss", 1.5), ("auc", 0.7)]


def test_nan_and_infinity_travel_into_the_average():
    means = RunningMeans()
    for loss in (1.0, math.nan, 1.0):
        means.add(["loss", "acc"], {"loss": loss, "acc": math.inf}, 1)
    assert math.isnan(means.items()[0][1])
    assert means.items()[1] == ("acc", math.inf)


def test_the_average_of_no_units_is_nan():
    means = RunningMeans()
    means.add(["loss"], {"loss": 1.0}, 0)
    assert math.isnan(means.items()[0][1])


@pytest.mark.parametrize("target", [1000, None])
def test_a_terminal_is_redrawn_at_most_five_times_a_second(clock, target):
    """A thousand updates in one second draw five times."""
    screen = Terminal()
    bar = Progbar(target, stream=screen)
    for step in range(1, 1000):
        clock.now += 0.001
        bar.update(step)
    assert screen.getvalue().count("\r") + 1 in (4, 5)


def test_a_file_gets_one_line_however_long_the_epoch(clock):
    out = io.StringIO()
    bar = Progbar(1000, stream=out)
    for _ in range(1000):
        clock.now += 60
        bar.add(1, [("loss", 1.0)])
    assert out.getvalue() == (
        "1000/1000 [==============================] - 60000s 60s/step - loss: 1.0000\n"
    )


def test_the_interval_can_be_chosen(clock):
    screen = Terminal()
    bar = Progbar(10, interval=5, stream=screen)
    clock.now += 4.9
    bar.update(1)
    assert screen.getvalue() == ""
    clock.now += 0.2
    bar.update(2)
    assert screen.getvalue() != ""


def test_add_counts_on(clock):
    out = io.StringIO()
    bar = Progbar(4, stream=out, stateful_metrics=["auc"])
    bar.add(3, [("loss", 2.0), ("auc", 0.1)])
    bar.add(1, [("loss", 4.0), ("auc", 0.9)])
    assert out.getvalue().endswith(" - loss: 2.5000 - auc: 0.9000\n")


def test_an_overshoot_still_has_a_full_bar():
    out = io.StringIO()
    Progbar(3, width=5, stream=out).update(4)
    assert out.getvalue().startswith("4/3 [=====] - 0s ")


def test_an_empty_target_is_complete():
    out = io.StringIO()
    Progbar(0, width=5, stream=out).update(0)
    assert out.getvalue() == "0/0 [=====] - 0s 0us/step\n"


def test_an_epoch_that_stops_midway_ends_its_line(clock):
    out = io.StringIO()
    bar = Progbar(10, width=10, stream=out)
    clock.now += 2
    bar.update(4)
    bar.finish()
    assert out.getvalue() == " 4/10 [===>......] - 2s 500ms/step\n"


def test_close_ends_an_open_line_once(clock):
    screen = Terminal()
    bar = Progbar(10, stream=screen)
    bar.close()
    assert screen.getvalue() == ""
    clock.now += 1
    bar.update(5)
    bar.close()
    bar.close()
    assert screen.getvalue().count("\n") == 1


def test_the_output_follows_sys_stdout(clock, monkeypatch, capsys):
    """The stream is looked up when something is drawn, not when the bar is made."""
    bar = Progbar(2)
    bar.update(1)
    out = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        bar.update(2)
    assert out.getvalue().startswith("2/2 [")
    assert capsys.readouterr().out == ""
    Progbar(1).update(1)
    assert capsys.readouterr().out.startswith("1/1 [")


def test_a_program_without_a_console_is_not_disturbed(clock, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    bar = Progbar(2)
    clock.now += 1
    bar.update(1)
    bar.update(2)
    assert bar.seen == 2
    assert not can_redraw()


def test_notebooks_and_terminals_can_be_redrawn():
    notebook = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    assert can_redraw(notebook())
    assert can_redraw(Terminal())
    assert not can_redraw(io.StringIO())
    assert not can_redraw(object())


# ---- errors -----------------------------------------------------------------------


def test_a_negative_target_is_refused():
    with pytest.raises(ValueError, match="expected a target of 0 or more, got -1"):
        Progbar(-1)
