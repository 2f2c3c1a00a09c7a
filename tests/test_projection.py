"""Principal components, by their laws, and the picture of an embedding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, plotting
from kerasnb.layers import Dense, Embedding, Flatten
from kerasnb.projection import principal_components

# ---- laws -------------------------------------------------------------------------


@given(st.integers(2, 12), st.integers(1, 7), st.integers(0, 99))
def test_coordinates_are_projections_on_orthogonal_directions(N, D, seed):
    """Z = (x - mean) VT; the directions are orthonormal, the coordinates too."""
    x = np.random.default_rng(seed).normal(size=(N, D))
    count = min(N - 1, D)
    Z, V, shares = principal_components(x, count)
    np.testing.assert_allclose(Z, (x - x.mean(0)) @ V.T, atol=1e-9)
    np.testing.assert_allclose(V @ V.T, np.eye(count), atol=1e-9)
    products = Z.T @ Z
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-9)
    assert shares.sum() == pytest.approx(1)
    assert (np.diff(shares) <= 1e-12).all()


@given(st.integers(0, 99))
def test_no_other_direction_shows_more_variance(seed):
    """Random directions show at most what the first component does."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(30, 4)) * [3, 2, 1, 0.5]
    Z, _, shares = principal_components(x)
    others = random.normal(size=(4, 50))
    others /= np.linalg.norm(others, axis=0)
    variances = ((x - x.mean(0)) @ others).var(0)
    assert variances.max() <= Z[:, 0].var() + 1e-9
    assert shares[0] == pytest.approx(Z[:, 0].var() / x.var(0).sum())


def test_points_of_a_plane_lie_in_it():
    """Two components show points on a turned plane as they were, up to a rotation."""
    random = np.random.default_rng(0)
    flat = random.normal(size=(20, 2))
    turn, _ = np.linalg.qr(random.normal(size=(5, 2)))
    Z, _, shares = principal_components(flat @ turn.T)
    assert shares.sum() == pytest.approx(1)

    def distances(points):
        return np.linalg.norm(points[:, None] - points[None], axis=-1)

    np.testing.assert_allclose(distances(Z), distances(flat), atol=1e-9)


def test_few_numbers_are_filled_up():
    """Vectors of one number lie on a line, equal ones in a point."""
    Z, V, shares = principal_components([[1.0], [3.0]])
    np.testing.assert_allclose(Z, [[-1, 0], [1, 0]])
    assert list(shares) == [1, 0] and V.shape == (2, 1)
    Z, _, shares = principal_components(np.ones((4, 3)))
    assert not Z.any() and not shares.any()


# ---- the picture ------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(12, 5))


def test_points_are_the_components():
    """And the axes tell how much of the variance they show."""
    (ax,) = plotting.plot_embedding(X).axes
    Z, _, shares = principal_components(X)
    np.testing.assert_allclose(np.transpose(ax.lines[0].get_data()), Z)
    assert ax.get_xlabel() == f"first direction, {shares[0]:.0%} of the variance"
    assert ax.get_ylabel() == f"second direction, {shares[1]:.0%} of the variance"


@pytest.mark.parametrize(
    "labels", [np.arange(12) % 3, np.eye(3)[np.arange(12) % 3], list("012" * 4)]
)
def test_classes_are_told_by_colour_and_marker(labels):
    """Numbers, one-hot rows or words; no two classes look the same."""
    (ax,) = plotting.plot_embedding(X, labels).axes
    Z, *_ = principal_components(X)
    assert [line.get_label() for line in ax.lines] == ["0", "1", "2"]
    for k, line in enumerate(ax.lines):
        np.testing.assert_allclose(np.transpose(line.get_data()), Z[k::3])
    assert len({line.get_color() for line in ax.lines}) == 3
    assert len({line.get_marker() for line in ax.lines}) == 3


def test_ten_classes_differ_at_least_in_colour_or_marker():
    """Digits have more classes than there are colours."""
    x = np.random.default_rng(0).normal(size=(20, 5))
    (ax,) = plotting.plot_embedding(x, np.arange(20)).axes
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 20


def test_names_are_written_beside_the_points():
    """Of a layer's rows, or of the first Embedding of a model."""
    layer = Embedding(6, 4, input_length=3)
    model = Sequential([layer, Flatten(), Dense(1)])
    for source in (layer, model):
        (ax,) = plotting.plot_embedding(source, names="abcdef").axes
        Z, *_ = principal_components(layer.get_weights()[0])
        assert [text.get_text() for text in ax.texts] == list("abcdef")
        np.testing.assert_allclose([text.xy for text in ax.texts], Z)
    (ax,) = plotting.plot_embedding(X, [0, 1] * 6, class_names=["no", "yes"]).axes
    assert [line.get_label() for line in ax.lines] == ["no", "yes"]


def test_longer_shapes_are_flattened():
    """Images are vectors too."""
    (one,) = plotting.plot_embedding(X.reshape(3, 4, 5)).axes
    (other,) = plotting.plot_embedding(X.reshape(3, 20)).axes
    np.testing.assert_allclose(one.lines[0].get_data(), other.lines[0].get_data())


# ---- errors -----------------------------------------------------------------------


def test_what_is_no_embedding_is_refused():
    """No vectors, too few labels, too many classes, NaN."""
    draw = plotting.plot_embedding
    with pytest.raises(ValueError, match="at least two vectors, an array .N, D."):
        draw(np.ones(3))
    with pytest.raises(ValueError, match="dense_1 has no Embedding layer with weights"):
        draw(Dense(3))
    with pytest.raises(ValueError, match="expected 12 labels, one a vector, got 3"):
        draw(X, [0, 1, 2])
    with pytest.raises(ValueError, match="expected 12 names, one a vector, got 1"):
        draw(X, names="a")
    with pytest.raises(ValueError, match="at most 20 classes in labels, got 24"):
        draw(np.concatenate([X, X]), np.arange(24))
    with pytest.raises(ValueError, match="expected class_names for 2 classes, got 1"):
        draw(X, [0, 1] * 6, class_names=["a"])
    with pytest.raises(ValueError, match="the vectors hold NaN or infinity"):
        draw(X * np.nan)
    with pytest.raises(ValueError, match="at least two vectors"):
        principal_components([[1, 2]])
