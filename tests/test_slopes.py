"""Slopes: measured where there are any, refused at kinks, explained when wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import slopes


@given(st.floats(-3, 3), st.floats(-2, 2))
def test_directional_slope_is_the_derivative(at, typical):
    """Of a smooth function, within the rounding that it states."""
    slope, noise = slopes.directional_slope(lambda h: np.sin(at + h), abs(typical))
    assert abs(slope - np.cos(at)) <= noise + 1e-9


@pytest.mark.parametrize("offset", [0, 1e-6, -2e-6, 4e-6, 8e-6])
def test_directional_slope_refuses_kinks(offset):
    """A bend or a jump within the step gives no slope, wherever it lies."""
    assert slopes.directional_slope(lambda h: abs(h - offset)) == (None, 0.0)
    assert slopes.directional_slope(lambda h: float(h > offset)) == (None, 0.0)


@pytest.mark.parametrize(
    "analytic, numeric, cause",
    [
        (-2.0, 2.0, "The sign is wrong"),
        (6.0, 2.0, "too large by a factor of 3"),
        (0.5, 2.0, "too small by a factor of 4"),
        (-4.0, 2.0, "too large by a factor of -2"),
        (0.0, 2.0, "According to backward nothing depends on it"),
        (2.0, 0.0, "According to forward nothing depends on it"),
        (np.nan, 2.0, "must overwrite the whole array"),
        (2.7, 2.0, "Derive backward again"),
    ],
)
def test_the_cause_is_guessed_from_the_two_numbers(analytic, numeric, cause):
    """A wrong sign, a factor, a missing or an unfilled gradient are recognised."""
    assert cause in slopes.guess_cause(analytic, numeric)


@pytest.mark.parametrize("at", [2.0, -1.0])
def test_compare_slopes_reports_both_numbers(at):
    """Gradient and measurement of x^3 stand side by side, with their relative error."""
    point = np.array([at])
    rng = np.random.default_rng(0)

    def draw(attempt):
        return point, 3 * point**2, lambda x: float((x**3).sum())

    found = slopes.compare_slopes("cube", draw, rng, 4, 1e-6)
    assert found.passed and found.error < 1e-8
    np.testing.assert_allclose(found.analytic, found.numeric, rtol=1e-8)


def test_compare_slopes_gives_up_when_there_is_no_slope():
    """Where every attempt falls on a kink, the finding says so."""

    def draw(attempt):
        return np.zeros(1), np.zeros(1), lambda x: float(abs(x).sum())

    rng = np.random.default_rng(0)
    found = slopes.compare_slopes("size", draw, rng, 2, 1e-6)
    assert not found.passed and "jumps near every point" in found.cause
