"""
What may be passed as data, and what the loop gets: standard arrays, or a clear error.

Inputs become C-contiguous arrays of the model's dtype, targets what the loss wants,
sample weights one number per sample or per time step. The caller's arrays are never
modified; they are copied only where their type, layout or protection demands it. Read
next: `training.py`, which slices these arrays into batches.
"""

from __future__ import annotations

import numpy as np

from . import random
from .device import ops
from .layer import show_shape


def as_array(data, what: str) -> np.ndarray:
    """Return any array-like as an array of numbers with a batch axis."""
    if hasattr(data, "to_numpy"):  # pandas
        data = data.to_numpy()
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"{what}: the rows differ in length, so they do not make an array. Pad the "
            "samples to one length first."
        ) from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{what}: expected numbers, got an array of type {array.dtype}. "
            "Convert the data to float or integer first."
        )
    if array.ndim == 0:
        raise ValueError(f"{what}: expected an array with a batch axis, got {data!r}.")
    return array


def unwrap(data, name: str, what: str):
    """Take a single array out of `[array]` or `{name: array}`."""
    if isinstance(data, dict):
        if name not in data:
            raise ValueError(
                f"{what}: expected an entry named {name!r}, got a dict with "
                f"{sorted(data)}."
            )
        return data[name]
    is_list = isinstance(data, (list, tuple))
    if is_list and len(data) == 1 and isinstance(data[0], np.ndarray):
        return data[0]
    if is_list and len(data) > 1 and all(isinstance(a, np.ndarray) for a in data):
        if data[0].ndim > 1 or len(data[0]) > 1 and len({len(a) for a in data}) > 1:
            raise ValueError(
                f"{what}: the model has one {what_is(what)}, got a list of {len(data)} "
                "arrays. Pass one array; np.stack joins equal ones."
            )
    return data


def what_is(what: str) -> str:
    """Return 'output' for y, 'input' for x."""
    return "output" if what == "y" else "input"


def check_inputs(x, model, what: str = "x") -> np.ndarray:
    """Return the input as an array that fits the model, or raise an error."""
    array = as_array(unwrap(x, model.input_names[0], what), what)
    expected = model.input_shape
    if array.ndim == 1 and len(expected) != 1:
        array = array.reshape(-1, 1)
    if array.ndim != len(expected) or any(
        size is not None and size != found
        for size, found in zip(expected[1:], array.shape[1:])
    ):
        raise ValueError(
            f"Error when checking input {model.input_names[0]}: expected {what} "
            f"of shape {show_shape((None, *expected[1:]))}, got {array.shape}."
            + _input_hint(expected, array.shape)
        )
    if len(array) == 0:
        raise ValueError(f"{what}: the data are empty: no samples in {array.shape}.")
    return np.require(array, model.dtype, ["C", "W"])


def _input_hint(expected, found):
    wanted = expected[1:]
    if found == wanted:
        return " A single sample needs a batch axis: x[None]."
    if None not in wanted:
        if int(np.prod(found[1:])) == int(np.prod(wanted)):
            sizes = ", ".join(str(size) for size in wanted)
            return f" The sizes agree: x.reshape(-1, {sizes})."
    return " Check input_shape of the first layer against x.shape[1:]."


def same_length(what_a: str, a, what_b: str, b) -> None:
    """Refuse two arrays that differ in their number of samples."""
    if b is not None and len(a) != len(b):
        raise ValueError(
            f"{what_a} and {what_b} must have the same number of samples, got {len(a)} "
            f"and {len(b)}."
        )


def check_sample_weight(w, y, temporal: bool, name: str) -> np.ndarray | None:
    """Return sample weights as floats of shape (N,), or (N, T) in temporal mode."""
    if w is None:
        return None
    w = as_array(unwrap(w, name, "sample_weight"), "sample_weight")
    if w.ndim != (2 if temporal else 1):
        raise ValueError(
            "sample_weight: expected one weight per "
            + (
                "time step, shape (samples, steps)"
                if temporal
                else "sample, shape (n,)"
            )
            + f", got shape {w.shape}."
            + (
                " For a weight per step, compile with sample_weight_mode='temporal'."
                if w.ndim == 2
                else ""
            )
        )
    if w.shape != y.shape[: w.ndim]:
        raise ValueError(
            f"sample_weight: shape {w.shape} does not match the targets' {y.shape}."
        )
    return np.require(w, np.float32, ["C", "W"])


def class_weights_to_samples(class_weight, y, sparse: bool) -> np.ndarray:
    """
    Return one weight per sample from weights per class.

    Raises
    ------
    TypeError
        If `class_weight` is not a dict.
    ValueError
        If the targets have time steps, or a class has no weight.
    """
    if not isinstance(class_weight, dict):
        raise TypeError(
            "class_weight: expected a dict {class number: weight}, got "
            f"{type(class_weight).__name__}."
        )
    if y.ndim > (1 if sparse else 2):
        raise ValueError(
            "class_weight: works for one label per sample, not for targets of shape "
            f"{y.shape}. Use temporal sample weights."
        )
    one_hot = y.ndim == 2 and y.shape[1] > 1
    labels = np.argmax(y, axis=1) if one_hot else y.reshape(-1)
    present, where = np.unique(labels, return_inverse=True)
    missing = [int(label) for label in present if label not in class_weight]
    if missing:
        raise ValueError(
            f"class_weight: no weight for class {', '.join(map(str, missing))}, which "
            "occurs in the targets."
        )
    table = np.array([class_weight[label] for label in present.tolist()], np.float32)
    return table[where.reshape(-1)]


def split_validation(arrays, fraction: float):
    """
    Cut the last part off each array: (training arrays, validation arrays).

    The cut lies at int(n * (1 - fraction)), before any shuffling, as in Keras.
    """
    n = len(arrays[0])
    at = int(n * (1.0 - fraction))
    if at == 0 or at == n:
        raise ValueError(
            f"validation_split={fraction} of {n} samples leaves {at} for training and "
            f"{n - at} for validation; both need at least one."
        )
    train = [None if array is None else array[:at] for array in arrays]
    held_out = [None if array is None else array[at:] for array in arrays]
    return train, held_out


def epoch_order(samples: int, batch_size: int, shuffle) -> np.ndarray | None:
    """
    Return the order of the samples in one epoch, or None for the order as given.

    'batch' shuffles whole batches; a last batch that is not full stays at the end.
    """
    if not shuffle:
        return None
    generator = random.generator()
    if shuffle != "batch":
        return generator.permutation(samples)
    order = np.arange(samples)
    full = samples // batch_size
    if full > 1:
        rows = order[: full * batch_size].reshape(full, batch_size)
        rows[...] = rows[generator.permutation(full)]
    return order


class Batches:
    """
    Cut standard arrays into batches, gathering shuffled rows into reused buffers.

    Parameters
    ----------
    arrays : sequence of arrays or None
        Inputs, targets and sample weights, all with the same number of samples; None
        stays None in every batch.
    batch_size : int
    """

    def __init__(self, arrays, batch_size: int):
        self.samples = len(arrays[0])
        self.batch_size = batch_size
        self.weighted = arrays[-1] is not None
        starts = range(0, self.samples, batch_size)
        self.bounds = [(at, min(at + batch_size, self.samples)) for at in starts]
        self._arrays = tuple(arrays)
        self._rows = [a if a is None else a.reshape(len(a), -1) for a in arrays]
        self._buffers: dict[int, tuple] = {}

    def take(self, start: int, stop: int, order: np.ndarray | None):
        """Return one batch of every array: a view, or the gathered rows of an order."""
        if order is None:
            return [None if a is None else a[start:stop] for a in self._arrays]
        self.choose(start, stop, order)
        return self.gather(stop - start)

    def choose(self, start: int, stop: int, order: np.ndarray) -> None:
        """Note which rows `gather` will copy."""
        n = stop - start
        if n not in self._buffers:
            self._buffers[n] = np.empty(n, order.dtype), self._make_buffers(n)
        self._buffers[n][0][:] = order[start:stop]

    def gather(self, n: int):
        """Return the chosen n rows of every array, always in the same buffers."""
        index, buffers = self._buffers[n]
        batch = []
        for rows, (flat, shaped) in zip(self._rows, buffers):
            if rows is not None:
                ops.gather_rows(flat, rows, index)
            batch.append(shaped)
        return batch

    def _make_buffers(self, n):
        buffers = []
        for array, rows in zip(self._arrays, self._rows):
            if array is None:
                buffers.append((None, None))
            else:
                flat = np.empty((n, rows.shape[1]), rows.dtype)
                buffers.append((flat, flat.reshape((n, *array.shape[1:]))))
        return buffers
