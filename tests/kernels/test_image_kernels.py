"""The affine transform: against SciPy where there is one, and laws of geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb.augmentation import affine_matrix
from kerasnb.device import ops
from kerasnb.kernels.plain.images import FILL_MODES

IDENTITY = np.eye(3)[:2]
images = st.builds(
    lambda seed, *shape: np.random.default_rng(seed).normal(size=shape),
    st.integers(0, 1000),
    st.integers(1, 7),
    st.integers(1, 7),
    st.sampled_from([1, 3]),
)
modes = st.sampled_from(sorted(FILL_MODES))
squares = images.map(lambda x: np.resize(x, (len(x), len(x), x.shape[2])))


def moved(x, matrix, fill_mode="nearest", cval=0.0):
    """Return a transformed image."""
    y = np.full_like(x, np.nan)
    ops.affine_transform(y, x, matrix, FILL_MODES[fill_mode], cval)
    return y


# ---- reference --------------------------------------------------------------------


@given(images, modes, st.integers(0, 1000), st.booleans())
def test_every_fill_mode_means_what_it_means_in_scipy(x, mode, seed, whole):
    """SciPy's spline of order 1, on far and near places, whole and between pixels."""
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(2, 3)) * [2, 2, 9]
    if whole:
        matrix = rng.integers(-2, 3, (2, 3)) * [1.0, 1.0, 3.0]
    expected = [
        ndimage.affine_transform(
            plane, matrix[:, :2], matrix[:, 2], order=1, mode=mode, cval=7
        )
        for plane in np.moveaxis(x, -1, 0)
    ]
    found = np.moveaxis(moved(x, matrix, mode, 7), -1, 0)
    np.testing.assert_allclose(found, expected, 1e-9, 1e-9)


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("nearest", "aaaaaaa abcd ddddddd"),
        ("constant", "vvvvvvv abcd vvvvvvv"),
        ("reflect", "bcddcba abcd dcbaabc"),
        ("wrap", "cdbcdbc abcd bcabcab"),
    ],
)
def test_the_surroundings_of_a_row(mode, expected):
    """
    Known answers: seven places left and right of four pixels.

    Wrapped, the first and the last pixel are one place: d is seen there from the left,
    a from the right.
    """
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
    y = np.full((1, 18, 1), np.nan)
    matrix = np.array([[1.0, 0, 0], [0, 1, -7]])
    ops.affine_transform(y, x, matrix, FILL_MODES[mode], 22.0)
    assert expected.replace(" ", "") == "".join(chr(96 + int(v)) for v in y.ravel())


def test_halfway_between_pixels_lies_their_mean():
    """Bilinear: the middle of four pixels is their mean."""
    x = np.array([[1.0, 2.0], [3.0, 6.0]])[..., None]
    y = np.zeros((1, 1, 1))
    ops.affine_transform(y, x, IDENTITY + [[0, 0, 0.5], [0, 0, 0.5]], 0, 0.0)
    assert y.item() == 3.0


# ---- laws -------------------------------------------------------------------------


@given(images, modes, st.sampled_from(["float32", "float64"]))
def test_the_identity_changes_nothing(x, mode, dtype):
    """Every bit stays as it is, in both types."""
    x = x.astype(dtype)
    assert np.array_equal(moved(x, IDENTITY, mode, 9.0), x)


@given(squares, modes, st.integers(-5, 5))
def test_quarter_turns_are_exact_and_clockwise(x, mode, quarters):
    """A positive theta turns clockwise; on odd and even sizes no pixel is lost."""
    y = moved(x, affine_matrix(*x.shape[:2], theta=90 * quarters), mode, 9.0)
    assert np.array_equal(y, np.rot90(x, -quarters))


@given(images, modes, st.integers(-3, 3), st.integers(-3, 3))
def test_a_shift_by_whole_pixels_moves_the_rows_and_fills_the_gap(x, mode, tx, ty):
    """Row r shows row r + tx, column c shows column c + ty."""
    R, C = x.shape[:2]
    tx, ty = max(-R, min(tx, R)), max(-C, min(ty, C))
    y = moved(x, affine_matrix(R, C, tx=tx, ty=ty), mode, 9.0)
    rolled = np.roll(x, (-tx, -ty), (0, 1))
    kept = np.zeros((R, C), bool)
    kept[max(0, -tx) : R - max(0, tx), max(0, -ty) : C - max(0, ty)] = True
    assert np.array_equal(y[kept], rolled[kept])
    if mode == "constant":
        assert (y[~kept] == 9).all()
    if mode == "nearest":
        rows = np.clip(np.arange(R) + tx, 0, R - 1)
        columns = np.clip(np.arange(C) + ty, 0, C - 1)
        assert np.array_equal(y, x[rows][:, columns])


def test_zoom_below_one_enlarges_the_middle():
    """A ramp stays a ramp about the same centre, with half the slope."""
    ramp = np.arange(7.0)
    x = ramp[:, None, None] + 10 * ramp[None, :, None]
    y = moved(x, affine_matrix(7, 7, zx=0.5, zy=0.5))
    np.testing.assert_allclose(y, 33 + (x - 33) / 2)


@given(images, st.floats(0.3, 3), st.floats(-180, 180), st.floats(-40, 40))
def test_the_centre_stays_where_it_is(x, zoom, theta, shear):
    """Without a shift the centre is its own source, and the numbers stay in range."""
    R, C = x.shape[:2]
    matrix = affine_matrix(R, C, theta=theta, shear=shear, zx=zoom, zy=1 / zoom)
    centre = np.array([(R - 1) / 2, (C - 1) / 2, 1])
    np.testing.assert_allclose(matrix @ centre, centre[:2], atol=1e-12)
    y = moved(x, matrix, "reflect")
    assert y.min() >= x.min() - 1e-12 and y.max() <= x.max() + 1e-12


@given(st.floats(-90, 90), st.floats(-3, 3), st.floats(-40, 40), st.floats(0.5, 2))
def test_a_matrix_is_rotation_then_shift_then_shear_then_zoom(theta, tx, shear, zoom):
    """The product of the four matrices, each about the centre."""

    def about_centre(**named):
        return np.vstack([affine_matrix(5, 4, **named), [0, 0, 1]])

    expected = (
        about_centre(theta=theta)
        @ about_centre(tx=tx, ty=-tx)
        @ about_centre(shear=shear)
        @ about_centre(zx=zoom, zy=2 * zoom)
    )
    found = about_centre(theta=theta, tx=tx, ty=-tx, shear=shear, zx=zoom, zy=2 * zoom)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_nan_stays_where_it_is():
    """A pixel that is not a number spoils what is made of it, and nothing else."""
    x = np.zeros((3, 3, 1))
    x[1, 1] = np.nan
    assert np.isnan(moved(x, IDENTITY)).sum() == 1
    assert np.isnan(moved(x, affine_matrix(3, 3, tx=0.5))).sum() == 2
