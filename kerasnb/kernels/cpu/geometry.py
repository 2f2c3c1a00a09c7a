"""
Where the windows of a convolution lie, as tables for the register tile.

The tile walks a padded piece of a sample, the *band*. Output number i of an axis looks
at i step + lag there, with a lag for each place of the window. Of a convolution the
steps are its strides; on the way back, outputs whose positions leave the same rest by
the stride see the same places of the window: they form a *class*, and neighbours in it
are one step apart. Everything is worked out once for each geometry. Read next:
`convolution.py`.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from .tile import ROWS

BAND = 1 << 15  # numbers of a padded piece, which should stay in the second cache


class Plan(NamedTuple):
    """Sizes of a sliding window; of three axes: slices, rows, columns."""

    slices_in: int  # of an image of the source, with its channels
    rows_in: int
    columns_in: int
    channels: int
    slices_out: int  # of an image of the target, with its filters
    rows_out: int
    columns_out: int
    filters: int
    slice_step: int  # in the band, from one place to the next
    row_step: int
    column_step: int
    slice_stride: int  # in the target, from one place to the next
    row_stride: int
    column_stride: int
    slice_zeros: int  # in the band, before the image
    row_zeros: int
    column_zeros: int
    slice_places: int
    row_places: int
    column_places: int
    slices: int  # of the band
    band_rows: int
    columns: int
    pixel: int  # numbers from one column of the band to the next
    row_reach: int  # rows of the band that a window spans
    height: int  # rows of places in a band
    padded: int  # whether the band is a copy with zeros around, in scratch


class Axis(NamedTuple):
    """A window on one axis: `lags` of the places of each class, largest first."""

    size_in: int
    size_out: int
    step: int
    stride: int
    zeros: int
    places: int
    first: list  # of each class, the target's position at place 0
    taps: list  # of each class, the window's positions
    lags: list  # of each class, for each tap, in the band


def forward_axis(size_in, size_out, window, stride, dilation, padding):
    """Return the axis of a convolution: one class, every tap lags by its dilation."""
    taps = list(range(window))
    lags = [tap * dilation for tap in taps]
    zeros = (padding, size_out)
    return Axis(size_in, size_out, stride, 1, *zeros, [0], [taps], [lags])


def backward_axis(size_in, size_out, window, stride, dilation, padding):
    """Return the axis of a gradient: a class for each rest by the stride."""
    begin, reach = padding // stride, (window - 1) * dilation // stride
    places = (size_out - 1 + padding) // stride + 1 - begin
    first, taps, lags = [], [], []
    for rest in range(stride):
        mine = [t for t in range(window) if (t * dilation - rest) % stride == 0][::-1]
        first.append(begin * stride + rest - padding)
        taps.append(mine)
        lags.append([reach - (t * dilation - rest) // stride for t in mine])
    zeros = (reach - begin, places)
    return Axis(size_in, size_out, 1, stride, *zeros, first, taps, lags)


@functools.lru_cache(maxsize=256)
def tables(
    backward, shape_in, shape_out, window, stride, dilation, padding, most, pixel=0
):
    """
    Return the plan and the tables of one geometry.

    `classes` has a row for each class: the target's slice, row and column at place 0,
    the number of runs, their length, the first run and the first row of a panel.
    `jumps` leads from a place in the band to each run, `order` gives the taps in the
    order of the panel's rows.
    """
    make = backward_axis if backward else forward_axis
    axes = [
        make(*numbers)
        for numbers in zip(
            shape_in[:3], shape_out[:3], window, stride, dilation, padding
        )
    ]
    reach = [
        max((lag for lags in axis.lags for lag in lags), default=0) for axis in axes
    ]
    needed = [(axis.places - 1) * axis.step + far + 1 for axis, far in zip(axes, reach)]
    K = shape_in[3]
    pixel = pixel or K
    padded = pixel != K or any(
        axis.zeros or need > axis.size_in for axis, need in zip(axes, needed)
    )
    columns = needed[2] if padded else axes[2].size_in
    slices = reach[0] + 1
    height = band_height(axes[1], reach[1], slices * columns * pixel, most)
    rows = (height - 1) * axes[1].step + reach[1] + 1 if padded else axes[1].size_in
    strides = rows * columns * pixel, columns * pixel, pixel
    plan = Plan(
        *shape_in, *shape_out,
        *(axis.step for axis in axes), *(axis.stride for axis in axes),
        *(axis.zeros for axis in axes), *(axis.places for axis in axes),
        slices, rows, columns, pixel, reach[1] + 1, height, int(padded),
    )  # fmt: skip
    return plan, *classes_of(axes, window, strides, K)


def band_height(axis, reach, row_size, most):
    """Return the rows of places in a band: few enough for the cache and the threads."""
    height = max(1, min((BAND // row_size - reach) // axis.step, most, axis.places))
    return -(-axis.places // -(-axis.places // height))


def classes_of(axes, window, strides, K):
    """Return `classes`, `jumps` and `order` of `tables`."""
    classes, jumps, order = [], [], []
    for which in itertools.product(*(range(len(axis.first)) for axis in axes)):
        mine = [
            (sum(lag * s for lag, s in zip(lags, strides)), taps)
            for lags, taps in zip(
                itertools.product(*(axis.lags[i] for i, axis in zip(which, axes))),
                itertools.product(*(axis.taps[i] for i, axis in zip(which, axes))),
            )
        ]
        starts = [jump for jump, _ in mine]
        merged = side_by_side(starts, K)
        classes.append(
            (
                *(axis.first[i] for i, axis in zip(which, axes)),
                len(starts) // merged, merged * K, len(jumps), len(order) * K,
            )  # fmt: skip
        )
        jumps += starts[::merged]
        order += [(p * window[1] + q) * window[2] + s for _, (p, q, s) in mine]
    return (
        np.array(classes, np.int64),
        np.array(jumps or [0], np.int64),
        np.array(order, np.int64),
    )


def side_by_side(starts, K):
    """Return how many of the runs of K numbers always lie next to each other."""
    for merged in range(len(starts), 1, -1):
        if len(starts) % merged == 0 and all(
            starts[i + 1] == starts[i] + K
            for i in range(len(starts) - 1)
            if (i + 1) % merged
        ):
            return merged
    return 1


@functools.lru_cache(maxsize=256)
def gradient_tables(p, window, dilation, together):
    """
    Return where rows of dW begin in the band, and rows of places of several samples.

    A column of the band may be longer than its channels, so that the columns that a
    tile walks along do not all fall into the same few sets of the first cache.
    """
    row = p.columns * p.pixel
    strides = p.band_rows * row, row, p.pixel, 1
    steps = [rate * stride for rate, stride in zip((*dilation, 1), strides)]
    starts = np.zeros((), np.int64)
    for size, step in zip((*window, p.channels), steps):
        starts = np.add.outer(starts, np.arange(size) * step)
    starts = starts.reshape(-1)
    starts = np.append(starts, np.full(-len(starts) % ROWS, starts[-1]))
    places = np.zeros((), np.int64)
    sizes = together, p.height, p.column_places
    steps = p.slices * p.band_rows * row, p.row_step * row, p.column_step * p.pixel
    for size, step in zip(sizes, steps):
        places = np.add.outer(places, np.arange(size) * step)
    return starts, places.reshape(-1)


@functools.lru_cache(maxsize=256)
def recorded(p):
    """Return a plan as an array of one record, which compiles faster than a tuple."""
    return np.rec.array([tuple(p)], dtype=[(name, np.int64) for name in p._fields])
