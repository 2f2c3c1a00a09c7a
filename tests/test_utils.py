"""Small tools: one-hot rows and norms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import hdf5, utils
from kerasnb.utils import normalize, to_categorical


@given(st.lists(st.integers(0, 6), min_size=1), st.integers(0, 3))
def test_one_hot_rows_hold_a_one_where_the_class_is(labels, more):
    """Row n is zero but for column y[n]; the default is the largest class plus one."""
    rows = to_categorical(labels, max(labels) + 1 + more)
    assert rows.dtype == np.float32 and rows.shape == (
        len(labels),
        max(labels) + 1 + more,
    )
    assert rows.argmax(axis=1).tolist() == labels
    assert rows.sum() == len(labels)
    assert to_categorical(labels).shape[1] == max(labels) + 1


@pytest.mark.parametrize(
    "shape, expected",
    [((), (3,)), ((4,), (4, 3)), ((1,), (1, 3)), ((4, 1), (4, 3)), ((2, 5), (2, 5, 3))],
)
def test_one_hot_rows_get_a_new_last_axis(shape, expected):
    """A last axis of length 1 is dropped first, when there are others."""
    rows = to_categorical(np.full(shape, 2), 3)
    np.testing.assert_array_equal(rows, np.broadcast_to([0.0, 0.0, 1.0], expected))


def test_one_hot_rows_of_nothing_are_empty():
    """No labels make no rows, of as many columns as asked for."""
    assert to_categorical([]).shape == (0, 0)
    assert to_categorical([], 3).shape == (0, 3)


def test_whole_floats_and_booleans_are_class_numbers():
    """1.0 and True are class 1."""
    expected = [[1, 0], [0, 1]]
    np.testing.assert_array_equal(to_categorical([0.0, 1.0]), expected)
    np.testing.assert_array_equal(to_categorical([False, True]), expected)


@pytest.mark.parametrize(
    "labels, classes, message",
    [
        ([0, -1], None, "expected whole class numbers from 0, got -1."),
        ([0, 0.5], None, "expected whole class numbers from 0, got 0.5."),
        ([0, np.nan], None, "expected whole class numbers from 0, got nan."),
        ([0, 3], 3, "class 3 does not fit in num_classes=3."),
        (["cat"], None, "expected class numbers, got type <U3. np.unique"),
        ([0], 1.5, "num_classes must be a positive integer, got 1.5."),
    ],
)
def test_what_is_no_class_number_is_refused(labels, classes, message):
    """Nothing is counted from the end, cut off or parsed."""
    with pytest.raises(ValueError) as caught:
        to_categorical(labels, classes)
    assert message in str(caught.value)


@pytest.mark.parametrize("order", [1, 2, np.inf])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_normalized_numbers_have_norm_one(axis, order):
    """Each vector along the axis is divided by its norm; zeros stay zeros."""
    x = np.arange(-5.0, 7.0).reshape(3, 2, 2)
    x[0] = 0
    y = normalize(x, axis, order)
    norms = np.linalg.norm(y, order, axis)
    expected = np.linalg.norm(x, order, axis) > 0
    np.testing.assert_allclose(norms, expected, rtol=1e-15)
    assert (y[0] == 0).all()


def test_normalize_by_hand():
    """3 and 4 have the norm 5; floats keep their type."""
    np.testing.assert_array_equal(normalize([[3, 4], [0, 0]]), [[0.6, 0.8], [0, 0]])
    assert normalize(np.ones((2, 2), np.float32)).dtype == np.float32
    assert normalize([[1, 2]]).dtype == np.float64


def test_utils_offers_the_matrix_on_disk():
    """`kerasnb.utils.HDF5Matrix` is where Keras has it."""
    assert utils.HDF5Matrix is hdf5.HDF5Matrix
