"""Tests of the tools of a lesson: source, figures, exercises."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import kerasnb
from kerasnb import lessons, plotting
from kerasnb.kernels.formulas.optimizers import sgd
from kerasnb.kernels.plain.dense import dense_forward
from kerasnb.lessons import Exercise, axes, check, figure, quick, show


@pytest.fixture(autouse=True)
def own_settings():
    """The settings that `axes` makes for a lesson end with the test."""
    with matplotlib.rc_context():
        yield


def verdict(answer, expected=None, draw=None, **options):
    return Exercise(1, answer, expected, draw, **options).judge()


def blank(x):
    """Return something."""
    ...


def one_number(random):
    return (random.normal(),)


# ---- source ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing, place, line",
    [
        (kerasnb.layers.Dense.forward, "kerasnb/layers.py", "def forward(self, x, "),
        (kerasnb.layers.Dense, "kerasnb/layers.py", "class Dense(Layer):"),
        (kerasnb.Sequential.fit, "kerasnb/training.py", "def fit("),
        (dense_forward, "kerasnb/kernels/plain/dense.py", "def dense_forward(y, x, W"),
        (sgd, "kerasnb/kernels/formulas/optimizers.py", "def sgd(p, g, lr):"),
    ],
)
def test_show_prints_the_source_and_its_place(thing, place, line, capsys):
    """Methods, classes, decorated functions, kernels and compiled formulas."""
    show(thing)
    said = capsys.readouterr().out
    head, first = said.splitlines()[:2]
    assert head.startswith(f"{place}, line ")
    number = int(head.split()[-1])
    assert first.startswith(f"{number:5} | ")
    assert f"| {line}" in said
    with open(pathlib_of(place)) as file:
        assert first[8:] == file.readlines()[number - 1].strip()


def pathlib_of(place):
    return lessons.PACKAGE.parent / place


@pytest.mark.parametrize("thing", [3, np.sin, len, "forward"])
def test_show_refuses_what_has_no_source_in_python(thing):
    """The message says what it wants."""
    with pytest.raises(TypeError, match="show: expected a function, method or class"):
        show(thing)


# ---- figures ---------------------------------------------------------------------


def test_a_figure_becomes_a_file_where_the_setting_says(tmp_path, monkeypatch, capsys):
    """PNG of a Figure, GIF of a Movie; the figure is closed, the file is named."""
    monkeypatch.setenv("KERASNB_FIGURES", str(tmp_path / "new"))
    drawn, ax = axes()
    ax.plot([1, 2])
    figure(drawn, "line")
    assert not plt.fignum_exists(drawn.number)
    movie = plotting.animate_optimizer_paths("sgd", steps=2, size=(9, 6), dpi=30)
    figure(movie, "walk")
    with Image.open(tmp_path / "new" / "line.png") as image:
        assert image.format == "PNG" and min(image.size) > 300
    with Image.open(tmp_path / "new" / "walk.gif") as image:
        assert image.format == "GIF" and image.n_frames == 3
    assert "line.png" in capsys.readouterr().out


def test_a_figure_of_a_script_goes_beside_it(tmp_path, monkeypatch):
    """Into the folder `output`, wherever the script was started."""
    monkeypatch.delenv("KERASNB_FIGURES", raising=False)
    main = type("Module", (), {"__file__": str(tmp_path / "lesson.py")})
    monkeypatch.setitem(lessons.sys.modules, "__main__", main)
    figure(axes()[0], "empty")
    assert (tmp_path / "output" / "empty.png").exists()


def test_axes_come_alone_or_in_reading_order():
    """One as it is, several as a flat array."""
    drawn, ax = axes()
    assert drawn.axes == [ax]
    plt.close(drawn)
    drawn, grid = axes(2, 2)
    assert drawn.axes == list(grid)
    plt.close(drawn)


def test_quick_is_short_only_where_the_setting_says(monkeypatch):
    """Unset, empty and 0 mean the full number."""
    for setting, found in (("1", 3), ("0", 30), ("", 30)):
        monkeypatch.setenv("KERASNB_QUICK", setting)
        assert quick(30, 3) == found
    monkeypatch.delenv("KERASNB_QUICK")
    assert quick(30, 3) == 30


# ---- exercises -------------------------------------------------------------------


def unfinished(x):
    raise NotImplementedError


@pytest.mark.parametrize("answer", [blank, unfinished])
def test_a_blank_is_not_done_yet(answer, capsys):
    """It is neither right nor wrong, and the lesson goes on."""
    assert check(2, answer, np.cos, one_number) is False
    assert capsys.readouterr().out == (
        f"exercise 2: not done yet ({answer.__name__})\n"
    )


def test_a_right_answer_is_right(capsys):
    """For every drawn input, up to the tolerance."""
    assert check(1, lambda x: np.cos(x) + 1e-9, np.cos, one_number) is True
    assert capsys.readouterr().out == "exercise 1: right.\n"
    assert "should be" in verdict(lambda x: np.cos(x) + 1e-3, np.cos, one_number)
    assert (
        verdict(lambda x: np.cos(x) + 1e-3, np.cos, one_number, tolerance=0.1)
        == lessons.RIGHT
    )


def test_an_answer_that_is_right_for_some_inputs_only_is_wrong():
    """Every draw is another input."""
    seen = []

    def sometimes(x):
        seen.append(x)
        return x if len(seen) < 3 else x + 1

    assert "should be" in verdict(sometimes, lambda x: x, one_number, times=3)
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    "value, wanted, fault",
    [
        (False, True, "should be True, got False."),
        (1.5, 2.5, "the answer() should be 2.5, got 1.5."),
        (np.zeros(3), np.zeros((3, 1)), "should have the shape (3, 1), got (3,)."),
        (np.array([1.0, 5]), np.array([1.0, 2]), "[1] should be 2, got 5; 1 of 2 num"),
        ([1, 2], (1, 2), "should return a tuple of 2, got [1, 2]."),
        ((1, 2, 3), (1, 2), "should return a tuple of 2, got (1, 2, 3)."),
        ((1, 3), (1, 2), "the answer()[1] should be 2, got 3."),
        ({"a": 1}, {"b": 1}, "should have the key 'b', got {'a': 1}."),
        ("yes", "no", "should be 'no', got 'yes'."),
        ("yes", 3, "should be 3, got 'yes'."),
        (float("nan"), 1.0, "should be 1, got nan."),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(value, wanted, fault):
    """Values, shapes, the place of the first difference, kinds, lengths and keys."""

    def answer():
        return value

    answer.__name__ = "the answer"
    assert fault in verdict(answer, wanted)
    assert verdict(lambda: wanted, wanted) == lessons.RIGHT


def test_an_answer_that_raises_is_quoted():
    """With the call that led there."""

    def broken(x):
        return x / 0

    assert verdict(broken, 1.0, lambda random: (2,)) == (
        "broken(2) raised ZeroDivisionError: division by zero"
    )


def test_an_answer_may_change_its_inputs():
    """The expected value is computed from inputs of its own."""

    def spoils(x):
        x[:] = 0
        return x + 1

    given = np.ones(3)
    assert "should be 2" in verdict(spoils, lambda x: x + 1, lambda random: (given,))
    assert given.sum() == 3


def test_a_law_judges_in_the_place_of_a_value():
    """True and None are right; False and sentences are not."""
    for says, fault in (
        (True, lessons.RIGHT),
        (None, lessons.RIGHT),
        (np.bool_(True), lessons.RIGHT),
        ("It is too large.", "It is too large."),
    ):
        assert verdict(lambda: 3, law=lambda value: says) == fault
    for says in (False, np.bool_(False)):
        assert "which is not right" in verdict(lambda: 3, law=lambda value: says)


def test_an_answer_that_fills_an_array_is_run():
    """`run` makes the array, calls, and returns None where nothing was filled."""

    def run(kernel, x):
        y = np.full_like(x, np.nan)
        kernel(y, x)
        return None if np.isnan(y).all() else y

    def double(y, x):
        y[:] = 2 * x

    def draw(random):
        return (random.normal(size=4),)

    assert verdict(double, lambda x: x + x, draw, run=run) == lessons.RIGHT
    assert verdict(lambda y, x: None, lambda x: x, draw, run=run) == lessons.BLANK
