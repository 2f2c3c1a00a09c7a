"""Layers that join arrays: values, gradients, masks, shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, check_layer, layers
from kerasnb.joining import Merging
from kerasnb.layers import (
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Dot,
    Fork,
    Masking,
    Maximum,
    Multiply,
    Subtract,
)

SIZES = st.integers(1, 5)
LIKE_NUMPY = {
    Add: lambda xs: np.sum(xs, axis=0),
    Multiply: lambda xs: np.prod(xs, axis=0),
    Average: lambda xs: np.mean(xs, axis=0),
    Maximum: lambda xs: np.max(xs, axis=0),
}


def arrays(count, *shape):
    """Return arrays of random numbers."""
    return list(np.random.default_rng(count).normal(size=(count, *shape)))


@pytest.mark.parametrize("kind", LIKE_NUMPY)
@given(count=st.integers(2, 4), N=SIZES, D=SIZES)
def test_numbers_are_joined_as_numpy_does(kind, count, N, D):
    """Any number of arrays, of any rank."""
    for shape in ((N, D), (N, D, 2)):
        xs = arrays(count, *shape)
        y = kind(dtype="float64")(xs)
        np.testing.assert_allclose(y, LIKE_NUMPY[kind](xs), rtol=1e-12)


def test_subtract_takes_the_second_from_the_first():
    """It joins two arrays."""
    a, b = arrays(2, 3, 4)
    np.testing.assert_array_equal(Subtract(dtype="float64")([a, b]), a - b)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_concatenate_is_numpys(axis):
    """Along every axis but the batch."""
    sizes = [[2, 3, 4] for _ in range(3)]
    for k, size in enumerate(sizes):
        size[axis - 1 if axis > 0 else axis] = k + 1
    xs = [np.random.default_rng(0).normal(size=(5, *size)) for size in sizes]
    y = Concatenate(axis=axis, dtype="float64")(xs)
    np.testing.assert_array_equal(y, np.concatenate(xs, axis=axis))


@pytest.mark.parametrize(
    "shapes, axes, formula",
    [
        ([(4,), (4,)], -1, "nk,nk->n"),
        ([(4,), (4,)], 1, "nk,nk->n"),
        ([(3, 4), (5, 4)], -1, "nak,nbk->nab"),
        ([(3, 4), (4, 5)], (2, 1), "nak,nkb->nab"),
        ([(3, 4), (3, 5)], 1, "nka,nkb->nab"),
        ([(3, 4, 2), (4,)], (2, 1), "nakc,nk->nac"),
        ([(3, 4, 2), (5, 2, 4)], [-2, -1], "nakc,nbdk->nacbd"),
    ],
)
def test_dot_is_a_batch_of_sums_of_products(shapes, axes, formula):
    """The axes that are left keep their order; two rows give one number."""
    u, v = (np.random.default_rng(k).normal(size=(6, *s)) for k, s in enumerate(shapes))
    expected = np.einsum(formula, u, v)
    expected = expected.reshape(6, 1) if expected.ndim == 1 else expected
    layer = Dot(axes=axes, dtype="float64")
    np.testing.assert_allclose(layer([u, v]), expected, rtol=1e-10, atol=1e-12)
    assert layer.output_shape == (None, *expected.shape[1:])


def test_normalized_dot_is_the_cosine():
    """Vectors along each other give 1, however long; a zero vector gives 0."""
    u = np.array([[3.0, 4.0], [1e-4, 0.0], [0.0, 0.0], [1.0, 0.0]])
    v = np.array([[6.0, 8.0], [1e-4, 0.0], [1.0, 1.0], [0.0, 2.0]])
    y = Dot(axes=1, normalize=True, dtype="float64")([u, v])
    np.testing.assert_allclose(y, [[1], [1], [0], [0]], rtol=1e-12)


def test_the_axis_may_come_first_as_in_keras():
    """Concatenate(1), Dot(1) and Dot((1, 2), True) have no branches."""
    assert Concatenate(1).axis == 1 and Concatenate(1).branches == []
    assert Dot(1).axes == 1 and not Dot(1).normalize
    assert Dot((1, 2), True).axes == (1, 2) and Dot([1, 2], True).normalize


# ---- gradients --------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer, shapes",
    [
        (Add, [(3,), (3,), (3,)]),
        (Average, [(3, 2)] * 3),
        (Multiply, [(3,)] * 4),
        (Maximum, [(2, 3)] * 3),
        (Subtract, [(3,), (3,)]),
        (Concatenate, [(3,), (1,), (2,)]),
        (lambda **k: Concatenate(axis=1, **k), [(3, 2, 2), (1, 2, 2)]),
        (Dot, [(4,), (4,)]),
        (lambda **k: Dot(axes=(1, 2), **k), [(4, 2, 3), (5, 4)]),
        (lambda **k: Dot(normalize=True, **k), [(4,), (4,)]),
        (lambda **k: Dot(axes=1, normalize=True, **k), [(4, 3), (4, 2)]),
    ],
)
def test_every_way_of_joining_keeps_the_contract(layer, shapes):
    """Gradients, shapes, untouched arrays, configuration."""
    assert check_layer(layer(dtype="float64"), shapes).passed


@pytest.mark.parametrize(
    "kind", [Add, Average, Multiply, Maximum, Concatenate, Subtract, Dot]
)
def test_the_weights_of_branches_get_their_gradients(kind):
    """A model of two inputs is the derivative of its forward."""
    branches = [
        Sequential([Dense(4, "tanh", input_shape=(3,)), Dense(3)]),
        Dense(3, "sigmoid", input_shape=(2,)),
    ]
    model = Sequential([kind(branches), Dense(2)])
    assert check_layer(model, [(3,), (2,)]).passed


def test_a_zero_among_the_factors_does_no_harm(float64):
    """The gradient of a product is made without division."""
    layer = Multiply()
    xs = [np.array([[0.0, 0.0]]), np.array([[2.0, 0.0]]), np.array([[5.0, 7.0]])]
    layer(xs)
    dxs = layer.backward(np.ones((1, 2)))
    np.testing.assert_array_equal(np.vstack(dxs), [[10, 0], [0, 0], [0, 0]])


# ---- laws -------------------------------------------------------------------------


@given(widths=st.lists(SIZES, min_size=2, max_size=4), N=SIZES)
def test_what_is_concatenated_comes_apart_again(widths, N):
    """backward(forward(xs)) gives the arrays back."""
    xs = [np.random.default_rng(w).normal(size=(N, w)) for w in widths]
    layer = Concatenate(dtype="float64")
    for x, dx in zip(xs, layer.backward(layer(xs))):
        np.testing.assert_array_equal(x, dx)


@pytest.mark.parametrize("kind", LIKE_NUMPY)
def test_the_order_does_not_matter(kind):
    """Sum, product, mean and maximum of two commute."""
    a, b = arrays(2, 5, 3)
    layer = kind(dtype="float64")
    np.testing.assert_array_equal(layer([a, b]), layer([b, a]))


def test_two_ways_around_and_a_sum_double(float64):
    """Fork of identities and Add is 2 x, forward and backward."""
    heads = [Activation("linear"), Activation("linear")]
    model = Sequential([Fork(heads, input_shape=(3,)), Add()])
    x = arrays(1, 4, 3)[0]
    np.testing.assert_array_equal(model(x), 2 * x)
    np.testing.assert_array_equal(model.backward(x), 2 * x)


def test_a_later_batch_may_have_other_sizes(float64):
    """Unknown sizes are checked when the arrays arrive."""
    model = Sequential([Concatenate(axis=1)])
    model.build([(None, None, 2), (None, None, 2)])
    assert model.output_shape == (None, None, 2)
    for T in (1, 3, 2):
        xs = [np.ones((4, T, 2)), np.zeros((4, 2, 2))]
        np.testing.assert_array_equal(model(xs), np.concatenate(xs, axis=1))


def test_a_layer_of_ones_own_may_have_weights(float64):
    """A weighted sum: merge_shapes, merge and unmerge are all it needs."""

    class WeightedSum(Merging):
        def build(self, input_shape):
            super().build(input_shape)
            self.gains = self.add_weight("gains", (2,), "ones")

        def merge_shapes(self, shapes):
            return shapes[0]

        def merge(self, xs):
            return self.gains.value[0] * xs[0] + self.gains.value[1] * xs[1]

        def unmerge(self, dy):
            if self.gains.grad is not None:
                self.gains.grad[...] = [(dy * x).sum() for x in self.xs]
            return [gain * dy for gain in self.gains.value]

    assert check_layer(WeightedSum(), [(3,), (3,)]).passed
    layer = WeightedSum([Dense(2, input_shape=(2,)), Dense(2, input_shape=(2,))])
    Sequential([layer])
    names = [weight.name.split("/")[-1] for weight in layer.weights]
    assert names == ["gains:0", "kernel:0", "bias:0", "kernel:0", "bias:0"]
    with pytest.raises(NotImplementedError, match="has no merge_shapes"):
        Merging()([np.ones((1, 2)), np.ones((1, 2))])
    with pytest.raises(NotImplementedError, match="has no merge"):
        Merging().merge([])
    with pytest.raises(NotImplementedError, match="has no unmerge"):
        Merging().unmerge([])


# ---- masks ------------------------------------------------------------------------


X = np.ones((2, 3, 2), np.float32)
X[0, 0], X[1, 2] = 0, 0
Z = np.ones((2, 3, 2), np.float32)
Z[0, 1] = 0
MASK_X = np.array([[False, True, True], [True, True, False]])
MASK_Z = np.array([[True, False, True], [True, True, True]])


def masked(value=0.0):
    """Return a branch that makes a mask of sequences of three steps."""
    return Sequential([Masking(value, input_shape=(3, 2))])


def plain():
    """Return a branch without a mask."""
    return Dense(2, input_shape=(3, 2))


def mask_after(layer, first=X, second=Z):
    """Return the mask of a model that is this one layer."""
    model = Sequential([layer])
    model([first, second])
    return model.output_mask


@pytest.mark.parametrize("kind", [Add, Multiply, Average, Maximum, Subtract])
def test_a_step_counts_if_it_counts_in_all_arrays(kind):
    """Masks are joined by a logical and; arrays without one do not matter."""
    joint = mask_after(kind([masked(), masked()]))
    np.testing.assert_array_equal(joint, MASK_X & MASK_Z)
    np.testing.assert_array_equal(mask_after(kind([masked(), plain()])), MASK_X)
    np.testing.assert_array_equal(mask_after(kind([plain(), masked()])), MASK_Z)
    assert mask_after(kind([plain(), plain()])) is None


def test_masks_of_three_arrays_are_joined_too():
    """The logical and goes on."""
    model = Sequential([Add([masked(), masked(), masked()])])
    third = np.ones((2, 3, 2), np.float32)
    third[1, 0] = 0
    model([X, Z, third])
    expected = MASK_X & MASK_Z & np.array([[True] * 3, [False, True, True]])
    np.testing.assert_array_equal(model.output_mask, expected)


def test_masks_are_concatenated_with_time():
    """Without a mask all steps count; along the features masks are joined by and."""
    joint = mask_after(Concatenate([masked(), masked()], axis=1))
    np.testing.assert_array_equal(joint, np.hstack([MASK_X, MASK_Z]))
    joint = mask_after(Concatenate([plain(), masked()], axis=-2))
    np.testing.assert_array_equal(joint, np.hstack([np.ones((2, 3)), MASK_Z]))
    joint = mask_after(Concatenate([masked(), masked()]))
    np.testing.assert_array_equal(joint, MASK_X & MASK_Z)


def test_a_dot_product_drops_masks():
    """The axis of time may be gone, so layers that refuse masks may follow."""
    assert mask_after(Dot([masked(), masked()])) is None
    model = Sequential([Dot([masked(), masked()], axes=1), layers.Flatten()])
    assert model.output_shape == (None, 4)


def test_each_branch_gets_the_mask_that_came_in():
    """A mask made before a Fork reaches every head, and the layer that joins them."""
    heads = [Activation("tanh"), Dense(2)]
    model = Sequential([Masking(input_shape=(3, 2)), Fork(heads), Add()])
    model(X)
    np.testing.assert_array_equal(model.output_mask, MASK_X)
    np.testing.assert_array_equal(heads[1].mask, MASK_X)
    model.pop()
    model(X)
    for mask in model.output_mask:
        np.testing.assert_array_equal(mask, MASK_X)


def test_masks_may_come_from_some_heads_only():
    """output_mask is then a list with None for the others."""
    heads = [Masking(), Dense(2), Sequential([Fork([Dense(1), Masking()])])]
    model = Sequential([Fork(heads, input_shape=(3, 2))])
    model(X)
    found = [mask is not None for mask in model.output_mask]
    assert found == [True, False, False, True]
    model = Sequential([Fork([Dense(2), Dense(3)], input_shape=(3, 2))])
    model(X)
    assert model.output_mask is None


# ---- shapes, configuration, errors ------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Add([Dense(2, input_shape=(3,)), Dense(2, input_shape=(4,))]),
        lambda: Concatenate([Dense(2), Sequential([Dense(3)])], axis=1),
        lambda: Dot([Dense(2), Dense(2)], axes=(1, -1), normalize=True),
        lambda: Dot(axes=2),
        lambda: Maximum([Dense(2), Dense(2)], input_shape=(3,), trainable=False),
    ],
)
def test_a_configuration_holds_the_branches(make):
    """from_config(get_config()) has the same configuration."""
    layer = make()
    clone = type(layer).from_config(layer.get_config())
    assert clone.get_config() == layer.get_config()
    assert [type(b) for b in clone.branches] == [type(b) for b in layer.branches]


def rows(*widths):
    """Return layers with one output of each width."""
    return [Dense(width, input_shape=(2,)) for width in widths]


@pytest.mark.parametrize(
    "do, message",
    [
        (lambda: Add(rows(2, 3)), r"equal shapes, got dense_1 \(batch, 2\), dense_2"),
        (lambda: Multiply([*rows(2), plain()]), "equal shapes"),
        (lambda: Subtract(rows(2, 2, 2)), "exactly two arrays.*got 3: dense_1"),
        (lambda: Dot(rows(2, 2, 2)), "exactly two arrays"),
        (lambda: Dot(rows(2, 3)), "axes 1 and 1 to sum over must be of one size"),
        (lambda: Dot(rows(2, 2), axes=0), "between 1 and 1.*Axis 0 is the batch"),
        (lambda: Dot(rows(2, 2), axes=(1, 2)), "between 1 and 1.*got 2"),
        (lambda: Dot(rows(2, 2), axes="k"), "one or two whole numbers, got 'k'"),
        (lambda: Dot(rows(2, 2), axes=(1, 1, 1)), "one or two whole numbers"),
        (lambda: Concatenate(rows(2, 3), axis=0), "Axis 0 is the batch"),
        (lambda: Concatenate(rows(2, 3), axis=-2), "Axis 0 is the batch"),
        (lambda: Concatenate(rows(2, 3), axis=1.5), "axis must be an integer, got 1.5"),
        (
            lambda: Concatenate([plain(), Dense(2, input_shape=(4, 2))]),
            "all other axes must have equal sizes",
        ),
        (lambda: Concatenate([plain(), *rows(2)]), "all other axes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(do, message):
    """At once, with the names of the branches and their shapes."""
    with pytest.raises(ValueError, match=message):
        Sequential([do()])


def test_one_array_alone_cannot_be_joined():
    """The message says what to do."""
    with pytest.raises(ValueError, match="got one of shape.*Put it after a Fork"):
        Sequential([Dense(2, input_shape=(3,)), Add()])
    with pytest.raises(ValueError, match="at least two arrays to join, got one"):
        Sequential([Add()]).build([(None, 3)])


def test_arrays_of_the_wrong_sizes_are_refused_when_they_arrive(float64):
    """Before any kernel runs, and a right batch works afterwards."""
    layer = Add([Dense(2, input_shape=(3,)), Dense(2, input_shape=(4,))])
    right = [np.ones((5, 3)), np.ones((5, 4))]
    y = layer(right)
    with pytest.raises(ValueError, match=r"dense_1 \(5, 2\), dense_2 \(6, 2\)"):
        layer([np.ones((5, 3)), np.ones((6, 4))])
    with pytest.raises(ValueError, match="expected input of shape"):
        layer([np.ones((5, 3)), np.ones((5, 3))])
    with pytest.raises(ValueError, match="take 2 inputs in all, got 3"):
        layer([*right, right[0]])
    with pytest.raises(ValueError, match="was built for inputs of shape"):
        layer(right[0])
    np.testing.assert_array_equal(layer(right), y)
