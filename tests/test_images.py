"""Image files and arrays: there and back, sizes, colours, and what is refused."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import backend
from kerasnb.images import array_to_img, img_to_array, load_img

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def file(tmp_path):
    """A picture of 2 rows and 3 columns, and its pixels."""
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path, pixels


def test_a_file_becomes_an_array(file):
    """Floats from 0 to 255, channels last or first."""
    path, pixels = file
    picture = load_img(str(path))
    assert picture.size == (3, 2)
    x = img_to_array(picture)
    assert x.dtype == kerasnb.floatx()
    np.testing.assert_array_equal(x, pixels)
    first = img_to_array(picture, data_format="channels_first", dtype="uint8")
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, pixels.transpose(2, 0, 1))


def test_the_common_format_counts(file):
    """As for layers, in the words of both dialects."""
    picture = load_img(file[0])
    backend.set_image_data_format("channels_first")
    try:
        assert img_to_array(picture).shape == (3, 2, 3)
    finally:
        backend.set_image_data_format("channels_last")
    with pytest.warns(UserWarning, match="data_format='channels_first'"):
        assert img_to_array(picture, dim_ordering="th").shape == (3, 2, 3)


def test_sizes_and_colours_of_a_file(file):
    """target_size is (rows, columns); a bilinear filter blends."""
    path, pixels = file
    assert load_img(path, target_size=(4, 5)).size == (5, 4)
    doubled = img_to_array(load_img(path, target_size=(4, 6)))
    np.testing.assert_array_equal(doubled, pixels.repeat(2, 0).repeat(2, 1))
    blended = img_to_array(load_img(path, target_size=(4, 6), interpolation="bilinear"))
    assert np.isin(doubled, pixels).all() and not np.isin(blended, pixels).all()
    grey = img_to_array(load_img(path, grayscale=True))
    assert grey.shape == (2, 3, 1)
    np.testing.assert_array_equal(
        grey, img_to_array(load_img(path, color_mode="grayscale"))
    )
    assert img_to_array(load_img(path, color_mode="rgba")).shape == (2, 3, 4)


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    channels=st.sampled_from([1, 3, 4]),
    form=st.sampled_from(["channels_last", "channels_first"]),
    seed=st.integers(0, 99),
)
def test_array_to_img_is_undone_by_img_to_array(rows, columns, channels, form, seed):
    """Levels from 0 to 255 come back, if nothing is scaled."""
    shape = (rows, columns, channels)
    if form == "channels_first":
        shape = (channels, rows, columns)
    x = np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)
    picture = array_to_img(x, form, scale=False)
    assert picture.size == (columns, rows)
    np.testing.assert_array_equal(img_to_array(picture, form), x)


def test_scaled_images_go_from_black_to_white():
    """Whatever the numbers are; without scaling they are cut off."""
    x = np.array([-1.0, 0.0, 3.0]).reshape(1, 3, 1)
    assert img_to_array(array_to_img(x)).ravel().tolist() == [0, 64, 255]
    x = np.array([-1.0, 99.6, 300.0]).reshape(1, 3, 1)
    assert img_to_array(array_to_img(x, scale=False)).ravel().tolist() == [0, 100, 255]
    constant = np.full((2, 2, 3), 7)
    assert not img_to_array(array_to_img(constant)).any()
    assert constant[0, 0, 0] == 7


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: img_to_array(np.ones(3)), "rows, columns and perhaps channels, got"),
        (lambda: img_to_array(np.ones((2, 2)), "last"), "data_format of img_to_array"),
        (lambda: array_to_img(np.ones((2, 2))), r"\(rows, columns, channels\), got"),
        (lambda: array_to_img(np.ones((2, 2, 2))), "1, 3 or 4 channels, got 2"),
        (lambda: array_to_img(np.full((1, 1, 1), np.nan)), "NaN or infinity"),
        (
            lambda: load_img("a.png", color_mode="grey"),
            "Unknown color_mode of load_img",
        ),
        (lambda: load_img("a.png", interpolation="best"), "Unknown interpolation of"),
        (
            lambda: load_img("a.png", target_size=3),
            r"expected \(rows, columns\), got 3",
        ),
        (lambda: load_img("a.png", target_size=(0, 3)), "rows must be a positive"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    """Before a file is opened."""
    with pytest.raises(ValueError, match=message):
        call()


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    """As `open` says it."""
    with pytest.raises(FileNotFoundError):
        load_img(tmp_path / "nothing.png")


def test_without_pillow_the_error_names_the_extra(monkeypatch):
    """img_to_array works without."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"pip install 'kerasnb\[images\]'"):
        load_img("a.png")
    with pytest.raises(ImportError, match="array_to_img needs the package PIL"):
        array_to_img(np.ones((1, 1, 1)))
    assert img_to_array(np.ones((2, 2))).shape == (2, 2, 1)
