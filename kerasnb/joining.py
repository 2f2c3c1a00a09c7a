"""
Layers that join several arrays into one: Add, Multiply, Concatenate, Dot and others.

Each says which shapes fit together, joins the arrays, and takes the gradient apart
again; over branches it runs these first. Read next: `merge.py` for Merge, which chooses
among them by name, and `kernels/plain/merging.py` for the arithmetic.
"""

from __future__ import annotations

import math

import numpy as np

from . import device
from .axes import agreed, are_axes, around_axis, find_axis, is_axis
from .device import ops
from .layer import count_numbers, show_shape
from .stack import Parallel


class Merging(Parallel):
    """
    Base class of all layers that join several arrays.

    A layer of one's own defines `merge_shapes(shapes)`, `merge(xs)` and `unmerge(dy)`,
    which returns one gradient per array; `forward` keeps the arrays as `self.xs` and
    the shape of the result as `self.y_shape`.

    Parameters
    ----------
    layers : list of layers and models, optional
        The branches whose outputs are joined, two or more. Where a list of arrays comes
        in, each branch gets its own; a single array goes into all of them. Default: the
        arrays of the list that comes in are joined themselves.

    Attributes
    ----------
    joint_masking : str
        What becomes of masks: the logical and of those given ("pass"), none
        ("consume"), or an error ("refuse").
    """

    joint_masking = "pass"
    hands_on = False
    _shapes: list | None = None

    def __init__(self, layers=None, **kwargs):
        super().__init__(layers, **kwargs)

    def merge_shapes(self, shapes):
        """Return the shape of the result, or refuse the shapes."""
        raise NotImplementedError(f"{type(self).__name__} has no merge_shapes.")

    def merge(self, xs):
        """Return the joined array."""
        raise NotImplementedError(f"{type(self).__name__} has no merge.")

    def unmerge(self, dy):
        """Return the gradient of each array that was joined."""
        raise NotImplementedError(f"{type(self).__name__} has no unmerge.")

    def merge_masks(self, masks):
        """Return the mask of the result; at least one of the masks is not None."""
        given = [mask for mask in masks if mask is not None]
        if len(given) == 1:
            return given[0]
        joint = self.buffer("mask", given[0].shape, np.bool_)
        flat, so_far = joint.reshape(-1), given[0]
        for mask in given[1:]:
            ops.masks_and(flat, so_far.reshape(-1), mask.reshape(-1))
            so_far = joint
        return joint

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        if not self._paths and not isinstance(input_shape, list):
            raise ValueError(
                f"{self.name}: {type(self).__name__} without branches joins several "
                f"arrays, got one of shape {show_shape(input_shape)}. Put it after a "
                f"Fork, or give it branches: {type(self).__name__}([...])."
            )
        shapes = super().compute_output_shape(input_shape)
        if len(shapes) < 2:
            raise ValueError(
                f"{self.name}: expected at least two arrays to join, got one of shape "
                f"{show_shape(shapes)}."
            )
        return self.merge_shapes(shapes)

    def build(self, input_shape):
        """Build the branches; a mask that cannot be merged is refused before."""
        self.trace_mask(None)
        super().build(input_shape)

    def trace_mask(self, maker):
        """Return the first layer that makes a mask of one of the arrays, if any."""
        makers = super().trace_mask(maker)
        if isinstance(makers, list):
            makers = next((one for one in makers if one is not None), None)
        if self.joint_masking == "refuse" and makers is not None:
            raise TypeError(
                f"{self.name}: this way of merging does not support masks, but "
                f"{makers.name} makes one. Remove {makers.name}, or merge in another "
                "way: Maximum() keeps a mask."
            )
        return None if self.joint_masking == "consume" else makers

    def forward(self, x, training):
        """Return the arrays that leave the branches, joined."""
        self.xs = super().forward(x, training)
        shapes = [x.shape for x in self.xs]
        if shapes != self._shapes:
            self.y_shape = self.merge_shapes(shapes)
            self._shapes = shapes
        if self.output_mask is not None:
            drops = self.joint_masking == "consume"
            self.output_mask = None if drops else self.merge_masks(self.output_mask)
        return self.merge(self.xs)

    def backward(self, dy):
        """Return the gradients of the inputs."""
        return super().backward(self.unmerge(dy))

    def simple_operations(self, input_shape):
        """Return the sum over the branches, and the operations of joining."""
        return super().simple_operations(input_shape) + self.joining(input_shape)

    def backward_flops(self, input_shape):
        """Return the sum over the branches, and as much for joining as forward."""
        reached = self.inner_shapes(input_shape)
        branches = sum(one.backward_flops(shape) for one, shape in reached)
        return branches + self.joining(input_shape)

    def joining(self, input_shape):
        """Return one operation for each number and each array after the first."""
        shapes = super().compute_output_shape(input_shape)
        return (len(shapes) - 1) * count_numbers(self.merge_shapes(shapes))

    @property
    def output_names(self):
        """Return the layer's own name: one array comes out."""
        return [self.name]

    def describe(self, shapes):
        """Write who brings which shape, for messages."""
        names = super().output_names or [f"input {k + 1}" for k in range(len(shapes))]
        return ", ".join(f"{name} {show_shape(s)}" for name, s in zip(names, shapes))

    def expect_two(self, shapes):
        """Refuse any other number of arrays than two."""
        if len(shapes) != 2:
            raise ValueError(
                f"{self.name}: exactly two arrays can be joined in this way, got "
                f"{len(shapes)}: {self.describe(shapes)}."
            )

    def gradients(self):
        """Return buffers in the shapes of the arrays that were joined."""
        return [self.buffer(f"dx {k}", x.shape) for k, x in enumerate(self.xs)]


# ---- number by number -------------------------------------------------------------


class Elementwise(Merging):
    """Base class of layers that join arrays of equal shapes number by number."""

    def merge_shapes(self, shapes):
        """Return the shape that all have."""
        shape = agreed(shapes)
        if shape is None:
            raise ValueError(
                f"{self.name}: the arrays to join must have equal shapes, got "
                f"{self.describe(shapes)}."
            )
        return shape


class Add(Elementwise):
    """
    Add up several arrays.

    forward     y = x1 + x2 + ...
    backward    dxk = dy

    Parameters
    ----------
    layers : list, optional
        The branches; default: what comes in as a list is added.

    Examples
    --------
    >>> Add()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[11., 22.]], dtype=float32)
    """

    only_launches = True

    def merge(self, xs):
        """Return the sum."""
        y = self.buffer("y", self.y_shape)
        flat, so_far = y.reshape(-1), xs[0]
        for x in xs[1:]:
            ops.add_scaled(flat, so_far.reshape(-1), x.reshape(-1), 1.0)
            so_far = y
        return y

    def unmerge(self, dy):
        """Return the gradient for each."""
        return [dy] * len(self.xs)


class Average(Add):
    """
    Take the mean of several arrays.

    forward     y = (x1 + ... + xn) / n
    backward    dxk = dy / n

    Parameters
    ----------
    layers : list, optional
        The branches; default: the arrays of the list that comes in.

    Examples
    --------
    >>> Average()([[[1.0, 2.0]], [[3.0, 6.0]]])
    array([[2., 4.]], dtype=float32)
    """

    only_launches = True

    def joining(self, input_shape):
        """Return one operation more a number than for the sum: the division."""
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return super().joining(input_shape) + numbers

    def merge(self, xs):
        """Return the mean."""
        y = super().merge(xs)
        flat = y.reshape(-1)
        ops.scale_array(flat, flat, 1 / len(xs))
        return y

    def unmerge(self, dy):
        """Return the n-th part of the gradient for each."""
        dx = self.buffer("dx of all", dy.shape)
        ops.scale_array(dx.reshape(-1), dy.reshape(-1), 1 / len(self.xs))
        return [dx] * len(self.xs)


class Subtract(Elementwise):
    """
    Subtract the second of two arrays from the first.

    forward     y = x1 - x2
    backward    dx1 = dy,  dx2 = -dy

    Parameters
    ----------
    layers : list of two, optional
        The branches; default: the arrays of the list that comes in.

    Examples
    --------
    >>> Subtract()([[[1.0, 2.0]], [[3.0, 6.0]]])
    array([[-2., -4.]], dtype=float32)
    """

    only_launches = True

    def merge_shapes(self, shapes):
        """Return the shape of both."""
        self.expect_two(shapes)
        return super().merge_shapes(shapes)

    def merge(self, xs):
        """Return the difference."""
        y = self.buffer("y", self.y_shape)
        ops.add_scaled(y.reshape(-1), xs[0].reshape(-1), xs[1].reshape(-1), -1.0)
        return y

    def unmerge(self, dy):
        """Return the gradient and its negative."""
        dx = self.buffer("dx 1", dy.shape)
        ops.scale_array(dx.reshape(-1), dy.reshape(-1), -1.0)
        return [dy, dx]


class Multiply(Elementwise):
    """
    Multiply several arrays.

    forward     y = x1 x2 ...
    backward    dxk = dy times the product of the others

    Parameters
    ----------
    layers : list, optional
        The branches; default: the arrays of the list that comes in.

    Examples
    --------
    >>> Multiply()([[[1.0, 2.0]], [[3.0, 6.0]]])
    array([[ 3., 12.]], dtype=float32)
    """

    only_launches = True

    def merge(self, xs):
        """Return the product."""
        y = self.buffer("y", self.y_shape)
        _multiply_all(y, xs)
        return y

    def unmerge(self, dy):
        """Return the gradient times the product of the others, for each."""
        dxs = self.gradients()
        for k, dx in enumerate(dxs):
            _multiply_all(dx, [dy, *self.xs[:k], *self.xs[k + 1 :]])
        return dxs


def _multiply_all(y, factors):
    flat, so_far = y.reshape(-1), factors[0]
    for factor in factors[1:]:
        ops.multiply_arrays(flat, so_far.reshape(-1), factor.reshape(-1))
        so_far = y


class Maximum(Elementwise):
    """
    Take the largest of the numbers at each place.

    forward     y = max(x1, x2, ...)
    backward    dxk = dy where xk was the largest, the first of equal ones; else 0

    Parameters
    ----------
    layers : list, optional
        The branches; default: the arrays of the list that comes in.

    Examples
    --------
    >>> Maximum()([[[1.0, 6.0]], [[3.0, 2.0]]])
    array([[3., 6.]], dtype=float32)
    """

    only_launches = True

    def merge(self, xs):
        """Return the maximum, and keep who won."""
        y = self.buffer("y", self.y_shape)
        self.winner = self.buffer("winner", (y.size,), np.int32)
        flat, so_far = y.reshape(-1), xs[0]
        for k, x in enumerate(xs[1:], 1):
            ops.maximum_forward(flat, self.winner, so_far.reshape(-1), x.reshape(-1), k)
            so_far = y
        return y

    def unmerge(self, dy):
        """Return the gradient where each won."""
        dxs = self.gradients()
        for k, dx in enumerate(dxs):
            ops.maximum_backward(dx.reshape(-1), dy.reshape(-1), self.winner, k)
        return dxs


# ---- axis by axis -----------------------------------------------------------------


class Concatenate(Merging):
    """
    Put arrays one behind the other along an axis.

    forward     y[:, ..., start_k + j, ...] = xk[:, ..., j, ...]
    backward    dxk is cut out of dy

    Masks are put one behind the other too if the axis is that of time; along a later
    axis a step counts if it counts in all of them.

    Parameters
    ----------
    layers : list, optional
        The branches; default: the arrays of the list that comes in.
    axis : int
        Counted with the batch, which is axis 0 and cannot be meant; -1 is the last.

    Examples
    --------
    >>> Concatenate()([[[1.0, 2.0]], [[3.0]]])
    array([[1., 2., 3.]], dtype=float32)
    """

    only_launches = True

    def __init__(self, layers=None, axis=-1, **kwargs):
        if are_axes(layers):  # Concatenate(1), as in Keras
            layers, axis = None, layers
        super().__init__(layers, **kwargs)
        if not is_axis(axis):
            raise ValueError(f"{self.name}: axis must be an integer, got {axis!r}.")
        self.axis = int(axis)

    def merge_shapes(self, shapes):
        """Add up the sizes along the axis; the other axes must agree."""
        axis = find_axis(self, self.axis, shapes[0])
        before, after = slice(0, axis), slice(axis + 1, None)
        rest = agreed([(*s[before], None, *s[after]) for s in shapes])
        if rest is None:
            raise ValueError(
                f"{self.name}: to concatenate along axis {axis}, all other axes must "
                f"have equal sizes, got {self.describe(shapes)}."
            )
        sizes = [shape[axis] for shape in shapes]
        total = None if None in sizes else sum(sizes)
        return (*rest[before], total, *rest[after])

    def joining(self, input_shape):
        """Return none: numbers are copied."""
        return 0

    def merge(self, xs):
        """Return the arrays one behind the other."""
        y = self.buffer("y", self.y_shape)
        self._place(y, xs, self.axis % y.ndim)
        return y

    def unmerge(self, dy):
        """Return the part of the gradient that belongs to each."""
        dxs, start = self.gradients(), 0
        rows = math.prod(dy.shape[: self.axis % dy.ndim])
        for dx in dxs:
            columns = dx.reshape(rows, -1)
            ops.cut_columns(columns, dy.reshape(rows, -1), start)
            start += columns.shape[1]
        return dxs

    def merge_masks(self, masks):
        """Return the masks one behind the other, or their logical and."""
        if self.axis % len(self.y_shape) != 1:
            return super().merge_masks(masks)
        everybody = [
            self._all_true(k, x) if mask is None else mask
            for k, (x, mask) in enumerate(zip(self.xs, masks))
        ]
        joint = self.buffer("masks", self.y_shape[:2], np.bool_)
        self._place(joint, everybody, 1)
        return joint

    def _all_true(self, k, x):
        mask = self.buffer(f"mask {k}", x.shape[:2], np.bool_)
        mask[...] = True
        return mask

    def _place(self, y, xs, axis):
        """Fill y with arrays along an axis: all before it counts as rows."""
        rows, start = math.prod(y.shape[:axis]), 0
        for x in xs:
            columns = x.reshape(rows, -1)
            ops.place_columns(y.reshape(rows, -1), columns, start)
            start += columns.shape[1]

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "axis": self.axis}


class Dot(Merging):
    """
    Sum the products of two arrays along an axis, for each sample.

    forward     y[n, a, b] = sum over k of x1[n, a, k] x2[n, b, k]
    backward    dx1[n, a, k] = sum over b of dy[n, a, b] x2[n, b, k],  dx2 likewise

    The axes that are left keep their order, those of the first array come first. With
    none left, as for (N, K) and (N, K), the result is (N, 1).

    Parameters
    ----------
    layers : list of two, optional
        The branches; default: the arrays of the list that comes in.
    axes : int or pair of int
        The axis k of each array, counted with the batch; -1 is the last.
    normalize : bool
        Divide by the lengths of the two vectors: the cosine of the angle between them.
        A product of lengths under 1e-12 counts as 1e-12.

    Examples
    --------
    >>> Dot()([[[1.0, 2.0]], [[3.0, 4.0]]])
    array([[11.]], dtype=float32)
    """

    only_launches = True
    joint_masking = "consume"
    least = 1e-12

    def __init__(self, layers=None, axes=-1, normalize=False, **kwargs):
        if are_axes(layers):  # Dot(1), Dot((1, 2), True), as in Keras
            layers, axes, normalize = None, layers, normalize or axes is True
        super().__init__(layers, **kwargs)
        pair = (axes, axes) if is_axis(axes) else axes
        wrong = not isinstance(pair, (list, tuple)) or len(pair) != 2
        if wrong or not all(map(is_axis, pair)):
            raise ValueError(
                f"{self.name}: axes must be one or two whole numbers, got {axes!r}."
            )
        self.axes = axes if is_axis(axes) else tuple(axes)
        self.normalize = normalize
        self._pair = pair

    def merge_shapes(self, shapes):
        """Return the axes that are left."""
        self.expect_two(shapes)
        one, two = shapes
        i = find_axis(self, self._pair[0], one)
        j = find_axis(self, self._pair[1], two)
        if agreed([(one[0], one[i]), (two[0], two[j])]) is None:
            raise ValueError(
                f"{self.name}: the axes {i} and {j} to sum over must be of one size, "
                f"got {self.describe(shapes)}."
            )
        left = (*one[:i], *one[i + 1 :], *two[1:j], *two[j + 1 :])
        return left if len(left) > 1 else (*left, 1)

    def joining(self, input_shape):
        """Return two operations a number and place of the axis."""
        shapes = Parallel.compute_output_shape(self, input_shape)
        size = shapes[0][find_axis(self, self._pair[0], shapes[0])]
        return 2 * (size or 1) * count_numbers(self.merge_shapes(shapes))

    def backward_flops(self, input_shape):
        """Return the same for both gradients."""
        return super().backward_flops(input_shape) + self.joining(input_shape)

    def merge(self, xs):
        """Return the sums of products."""
        y = self.buffer("y", self.y_shape)
        self.u, self.v = map(around_axis, xs, self._pair)
        (N, A, _, C), (_, B, _, D) = self.u.shape, self.v.shape
        self.y = y.reshape(N, A, C, B, D)
        ops.dot_forward(self.y, self.u, self.v)
        if self.normalize:
            self.su = self.buffer("su", (N, A, C))
            self.sv = self.buffer("sv", (N, B, D))
            ops.lengths(self.su, self.u)
            ops.lengths(self.sv, self.v)
            ops.cosine_forward(self.y, self.su, self.sv, self.least)
        return y

    def unmerge(self, dy):
        """Return the gradients of both arrays."""
        dxs = self.gradients()
        du, dv = dxs[0].reshape(self.u.shape), dxs[1].reshape(self.v.shape)
        dy = dy.reshape(self.y.shape)
        if self.normalize:
            sizes = self.su, self.sv, self.least
            ops.cosine_backward(du, dv, dy, self.y, self.u, self.v, *sizes)
        else:
            ops.dot_backward(du, dv, dy, self.u, self.v)
        return dxs

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        axes = self.axes if is_axis(self.axes) else list(self.axes)
        return {**super().get_config(), "axes": axes, "normalize": self.normalize}


class Cosine(Dot):
    """The mode 'cos' of Merge: its result has one more axis, of size 1, in front."""

    only_launches = True

    @property
    def least(self):
        """Return the smallest divisor."""
        return device.epsilon()

    def merge_shapes(self, shapes):
        """Return the shape of the dot product with the additional axis."""
        shape = super().merge_shapes(shapes)
        return (shape[0], 1, *shape[1:])
