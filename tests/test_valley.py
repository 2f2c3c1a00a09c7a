"""Paths of optimizers: their steps are the rules, the picture shows them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kerasnb import plotting
from kerasnb.optimizers import SGD, Adam
from kerasnb.valley import FUNCTIONS, RULES, STARTS, optimizer_paths


def bowl(a, b):
    """The simplest valley: gradient descent shrinks it by 1 - 2 lr a step."""
    return a**2 + b**2


# ---- paths ------------------------------------------------------------------------


def test_plain_descent_is_the_formula():
    """p <- (1 - 2 lr) p in the bowl."""
    (path,) = optimizer_paths([SGD(lr=0.1)], bowl, (3, -1), steps=6).values()
    expected = np.outer(0.8 ** np.arange(7), [3, -1])
    np.testing.assert_allclose(path, expected, rtol=1e-7)


def test_momentum_is_the_formula():
    """v <- mu v - lr g, p <- p + v."""
    rule = {"heavy ball": SGD(lr=0.1, momentum=0.9)}
    path = optimizer_paths(rule, bowl, (3, -1), steps=5)["heavy ball"]
    p, v = np.array([3.0, -1.0]), np.zeros(2)
    for point in path:
        np.testing.assert_allclose(point, p, rtol=1e-6, atol=1e-9)
        v = 0.9 * v - 0.1 * 2 * p
        p = p + v


def test_a_gradient_of_ones_own_is_used():
    """Exact where central differences are not."""
    exact = optimizer_paths(
        ["sgd"], bowl, (1, 1), 3, gradient=lambda a, b: (2 * a, 2 * b)
    )
    close = optimizer_paths(["sgd"], bowl, (1, 1), 3)
    np.testing.assert_allclose(exact["SGD"], close["SGD"], rtol=1e-8)
    still = optimizer_paths(["sgd"], bowl, (1, 1), 3, gradient=lambda a, b: (0, 0))
    np.testing.assert_array_equal(still["SGD"], np.ones((4, 2)))


def test_every_rule_comes_down_the_valley():
    """With the rates chosen for it, each ends far below where it began."""
    paths = optimizer_paths()
    f, start = FUNCTIONS["valley"], STARTS["valley"]
    assert list(paths) == list(RULES) and len(paths) == 9
    for label, path in paths.items():
        assert path.shape == (51, 2) and tuple(path[0]) == start
        assert f(*path[-1]) < 0.25 * f(*start), label


def test_optimizers_are_copied_and_start_fresh():
    """The caller's own have made no step."""
    mine = Adam(lr=0.5)
    mine.update(np.ones(3), np.ones(3))
    one = optimizer_paths([mine, mine], bowl, (1, 1), 4)
    assert mine.iterations == 1
    assert list(one) == ["Adam", "Adam 2"]
    np.testing.assert_array_equal(one["Adam"], one["Adam 2"])
    fresh = optimizer_paths({"x": Adam(lr=0.5)}, bowl, (1, 1), 4)["x"]
    np.testing.assert_array_equal(fresh, one["Adam"])


def test_a_path_that_explodes_ends_where_numbers_do():
    """All points that are kept are finite."""
    (path,) = optimizer_paths([SGD(lr=1e10)], bowl, (1, 1), 100).values()
    assert 1 < len(path) < 100 and np.isfinite(path).all()


# ---- pictures ---------------------------------------------------------------------


def test_the_picture_shows_every_path():
    """A line, and a mark at its end with the value reached there."""
    rules = {"slow": SGD(lr=0.01), "fast": SGD(lr=0.3)}
    paths = optimizer_paths(rules, bowl, (2, 1), 10)
    (ax,) = plotting.plot_optimizer_paths(rules, bowl, (2, 1), 10).axes
    lines, ends = ax.lines[0:4:2], ax.lines[1:4:2]
    for line, end, (label, path) in zip(lines, ends, paths.items()):
        np.testing.assert_array_equal(np.transpose(line.get_data()), path)
        np.testing.assert_array_equal(np.ravel(end.get_data()), path[-1])
        assert end.get_label() == f"{label}: {bowl(*path[-1]):.3g}"
    assert tuple(np.ravel(ax.lines[-1].get_data())) == (2, 1)
    assert ax.lines[-1].get_label() == "start"
    left, right = ax.get_xlim()
    assert left < 0 < 2 < right
    assert len(ax.collections) == 1  # the contour lines


def test_no_two_rules_look_the_same():
    """There are more rules than colours: then marks and dashes tell them apart."""
    (ax,) = plotting.plot_optimizer_paths().axes
    lines = ax.lines[0:18:2]
    assert len({(one.get_color(), one.get_marker()) for one in lines}) == 9
    assert len({(one.get_color(), one.get_linestyle()) for one in lines}) == 9


@pytest.mark.parametrize("name", FUNCTIONS)
def test_limits_can_be_said(name):
    """The plane is drawn as asked, for each known function."""
    limits = (-3, 4, -2, 5)
    (ax,) = plotting.plot_optimizer_paths("adam", name, limits=limits).axes
    assert (*ax.get_xlim(), *ax.get_ylim()) == limits


def test_the_movie_has_a_frame_for_each_step():
    """From the start on; the pictures change."""
    movie = plotting.animate_optimizer_paths(
        ["sgd"], bowl, (2, 1), steps=3, size=(4, 3), dpi=50
    )
    assert len(movie) == 4
    assert movie.frames[0].shape == (150, 200, 3)
    assert all((movie.frames[k] != movie.frames[k + 1]).any() for k in range(3))
    assert not plt.get_fignums()


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((["sgd"], "hill"), "function of plot_optimizer_paths: 'hill'"),
        ((["sgd"], bowl), r"expected start=\(a, b\) with an own function"),
        ((["sgd"], bowl, (1, 2, 3)), "two numbers, got .1, 2, 3."),
        ((["sgd"], bowl, (1, np.nan)), "two numbers"),
        (([], bowl, (1, 1)), "expected at least one optimizer"),
        ((["sdg"], bowl, (1, 1)), "sdg"),
        ((["sgd"], bowl, (1, 1), 0), "plot_optimizer_paths: steps"),
    ],
)
def test_what_cannot_walk_is_refused(arguments, message):
    """Names, starts, numbers of steps."""
    with pytest.raises(ValueError, match=message):
        plotting.plot_optimizer_paths(*arguments)
