"""
What may be passed as data, and what the loop gets: standard arrays, or a clear error.

Inputs become C-contiguous arrays of the type that their layer wants, targets what the
loss wants, sample weights one number per sample or per time step. The caller's arrays
are never modified; they are copied only where their type, layout or protection demands
it. Read next: `feeds.py`, which cuts these arrays into batches.
"""

from __future__ import annotations

import copy
import math
import warnings
from numbers import Real

import numpy as np

from . import device
from .hdf5 import is_lazy, read_rows
from .layer import each, shapes_of, show_shape
from .objective import check_targets


class Data:
    """
    Standard arrays of one data set, or of one batch.

    Attributes
    ----------
    inputs, targets, weights : lists
        One array for each input of the model, and one for each output; None stands for
        the targets of an output that is not trained, and for weights of one.
    """

    def __init__(self, inputs, targets, weights):
        self.inputs, self.targets, self.weights = inputs, targets, weights

    def __len__(self):
        return len(self.inputs[0])

    @property
    def columns(self):
        """Return all arrays: inputs, targets, weights."""
        return [*self.inputs, *self.targets, *self.weights]

    def like(self, columns):
        """Return the same arrangement of other arrays."""
        i, t = len(self.inputs), len(self.targets)
        return Data(columns[:i], columns[i : i + t], columns[i + t :])

    def part(self, start, stop):
        """Return the rows from `start` to before `stop`, as views."""
        return self.like([None if a is None else a[start:stop] for a in self.columns])

    def filled(self):
        """Return all arrays, with weights of one where there are none."""
        ones = [
            np.ones(len(self), np.float32) if w is None else w for w in self.weights
        ]
        return [*self.inputs, *(t for t in self.targets if t is not None), *ones]

    def arguments(self):
        """Return x, t and w of a step: a list only where there are several."""
        x = self.inputs if len(self.inputs) > 1 else self.inputs[0]
        if len(self.targets) == 1:
            return x, self.targets[0], self.weights[0]
        return x, self.targets, None if self.unweighted else self.weights

    @property
    def unweighted(self):
        """Return whether every sample of every output counts the same."""
        return all(w is None for w in self.weights)


def on_device(*columns):
    """Return arrays, or lists of them, in the memory of the device in use."""
    if device.place() == "host":
        return columns
    return [each(device.here, column) for column in columns]


class LazyData:
    """
    Data that are read, checked and made standard batch by batch, never as a whole.

    Parameters
    ----------
    model : Sequential
    x, y, sample_weight : as for `fit`
        `y` may also be a function that returns the targets of a batch of inputs. None
        for all but `x`: the data are inputs only.
    class_weight : dict, optional
    of : str
        What the data belong to, for messages.

    Raises
    ------
    ValueError, TypeError
        If the numbers of samples differ, or the first sample does not fit the model.
    """

    def __init__(self, model, x, y=None, sample_weight=None, class_weight=None, of=""):
        self._model, self._class_weight, self._of = model, class_weight, of
        self._targets = y if callable(y) else None
        self._x = _by_name(x, model.input_names, "x" + of)
        self._y = self._w = None
        self._has_targets = y is not None
        if y is not None and not callable(y):
            self._y = _by_name(y, trained_outputs(model), "y" + of)
        if sample_weight is not None:
            self._w = _by_name(sample_weight, model.output_names, "sample_weight")
        first = next(iter(self._x.values()))
        for source in (self._x, self._y or {}, self._w or {}):
            for name, column in source.items():
                same_length("x" + of, first, name, column)
        self._first, self._last = 0, len(first)
        self.read(slice(0, 1))

    def __len__(self):
        return self._last - self._first

    def part(self, start, stop):
        """Return the rows from `start` to before `stop`, still unread."""
        other = copy.copy(self)
        other._first, other._last = self._first + start, self._first + stop
        return other

    def read(self, rows) -> Data:
        """Return the rows of a slice or of a vector of numbers as standard arrays."""
        if isinstance(rows, slice):
            rows = slice(self._first + rows.start, self._first + rows.stop)
        else:
            rows = self._first + rows
        x = _read(self._x, rows)
        if not self._has_targets:
            return Data(check_inputs(x, self._model, "x"), [None], [None])
        if self._targets is None:
            y = _read(self._y, rows)
        else:
            inputs = list(x.values())
            y = self._targets(inputs if len(inputs) > 1 else inputs[0])
        w = _read(self._w, rows)
        return standardize(self._model, x, y, w, self._class_weight, self._of)


def any_lazy(*sources) -> bool:
    """Return whether some of the data are read from a file."""
    for source in sources:
        if isinstance(source, dict):
            source = list(source.values())
        if isinstance(source, (list, tuple)):
            if any(is_lazy(one) for one in source):
                return True
        elif is_lazy(source):
            return True
    return False


def _by_name(data, names, what):
    """Return the columns as a dict by name; what is no array becomes one."""
    columns = dict(zip(names, one_each(data, names, what)))
    return {
        name: column if column is None or is_lazy(column) else as_array(column, what)
        for name, column in columns.items()
    }


def _read(columns, rows):
    if columns is None:
        return None
    return {
        name: None if column is None else read_rows(column, rows)
        for name, column in columns.items()
    }


def trained_outputs(model) -> list[str]:
    """Return the names of the outputs that need targets."""
    names = model.output_names
    needed = [n for n, part in zip(names, model._parts) if part.loss is not None]
    return needed if len(names) > 1 and needed else names


def standardize(model, x, y, sample_weight=None, class_weight=None, of=""):
    """
    Return data for a compiled model as a `Data`, or raise an error that explains.

    Parameters
    ----------
    model : Sequential
    x, y : arrays, lists of arrays, or dicts of arrays by name
    sample_weight, class_weight : optional
        See `fit`.
    of : str
        What the data belong to, for messages: " of validation_data".
    """
    inputs = check_inputs(x, model, "x" + of)
    targets = check_outputs(y, model, len(inputs[0]), of)
    weights = _check_weights(sample_weight, targets, model)
    if class_weight is not None:
        weights = _weigh_classes(class_weight, targets, weights, model)
    return Data(inputs, targets, weights)


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


def one_each(data, names, what: str) -> list:
    """Return one entry for each name, from an array, a list or a dict by name."""
    if isinstance(data, dict):
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError(
                f"{what}: expected an entry named {missing[0]!r}, got a dict with "
                f"{sorted(data)}. The model needs {', '.join(names)}."
            )
        return [data[name] for name in names]
    if len(names) == 1:
        return [_the_only(data, what)]
    if not isinstance(data, (list, tuple)) or len(data) != len(names):
        is_list = isinstance(data, (list, tuple))
        found = f"a list of {len(data)}" if is_list else type(data).__name__
        raise ValueError(
            f"{what}: the model has {len(names)} {_kind(what)}s, {', '.join(names)}; "
            f"expected a list of {len(names)} arrays, or a dict by name, got {found}."
        )
    return list(data)


def _the_only(data, what):
    """Take a single array out of `[array]`; refuse a list of several."""
    is_list = isinstance(data, (list, tuple))
    if is_list and len(data) == 1 and hasattr(data[0], "shape"):
        return data[0]
    if is_list and len(data) > 1 and all(isinstance(a, np.ndarray) for a in data):
        if data[0].ndim > 1 or len(data[0]) > 1 and len({len(a) for a in data}) > 1:
            raise ValueError(
                f"{what}: the model has one {_kind(what)}, got a list of {len(data)} "
                "arrays. Pass one array; np.stack joins equal ones."
            )
    return data


def _kind(what: str) -> str:
    return "input" if what.startswith("x") else "output"


def check_inputs(x, model, what: str = "x") -> list[np.ndarray]:
    """Return the inputs as arrays that fit the model, or raise an error."""
    if x is None:
        raise ValueError(
            f"{what}: the inputs are missing. Pass an array with one row per sample."
        )
    names = model.input_names
    arrays = one_each(x, names, what)
    checked = [
        receiver.as_input(_check_input(array, name, shape, what), what)
        for array, name, shape, receiver in zip(
            arrays, names, shapes_of(model.input_shape), model.receivers
        )
    ]
    for name, array in zip(names[1:], checked[1:]):
        same_length(f"{what}, {names[0]}", checked[0], name, array)
    return checked


def _check_input(data, name, expected, what):
    array = as_array(data, what)
    given = array.shape
    if array.ndim == 1 and len(expected) != 1:
        array = array.reshape(-1, 1)
    if array.ndim != len(expected) or any(
        size is not None and size != found
        for size, found in zip(expected[1:], array.shape[1:])
    ):
        raise ValueError(
            f"Error when checking input {name}: expected {what} "
            f"of shape {show_shape((None, *expected[1:]))}, got {given}."
            + _input_hint(expected, given)
        )
    if len(array) == 0:
        raise ValueError(f"{what}: the data are empty: no samples in {array.shape}.")
    return array


def check_outputs(y, model, samples: int, of: str = "") -> list:
    """Return the targets of every output in the form that its loss wants."""
    names, parts = model.output_names, model._parts
    if y is None:
        if all(part.loss is None and not part.named_metrics for part in parts):
            return [None] * len(parts)
        raise ValueError(
            f"y{of}: the targets are missing. Pass an array with one row per sample."
        )
    needed = trained_outputs(model)
    found = dict(zip(needed, one_each(y, needed, "y" + of)))
    targets: list[np.ndarray | None] = []
    for name, part in zip(names, parts):
        if name not in found:
            targets.append(None)
            continue
        array = as_array(found[name], "y" + of)
        same_length("x" + of, range(samples), "y" + of, array)
        targets.append(check_targets(part, array, name))
    return targets


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


def _check_weights(sample_weight, targets, model):
    """Return the sample weights of every output, or None."""
    if sample_weight is None:
        return [None] * len(targets)
    names = model.output_names
    if isinstance(sample_weight, dict):
        for name in sample_weight:
            if not isinstance(name, str):
                raise TypeError(
                    "sample_weight: expected one weight per sample, got a dict by "
                    "class number. Is it class_weight? train_on_batch takes (x, y, "
                    "sample_weight, class_weight), in Keras 1 the other way round."
                )
            if name not in names:
                raise ValueError(
                    f"sample_weight: names an output {name!r}, but the model's outputs "
                    f"are {', '.join(names)}."
                )
        given = [sample_weight.get(name) for name in names]
    else:
        given = one_each(sample_weight, names, "sample_weight")
    return [
        None if w is None or t is None else _check_weight(w, t, temporal)
        for w, t, temporal in zip(given, targets, model._temporal)
    ]


def _check_weight(w, t, temporal: bool) -> np.ndarray:
    """Return sample weights as floats of shape (N,), or (N, T) in temporal mode."""
    w = as_array(w, "sample_weight")
    if w.ndim != (2 if temporal else 1):
        wanted = (
            "time step, shape (samples, steps)" if temporal else "sample, shape (n,)"
        )
        raise ValueError(
            f"sample_weight: expected one weight per {wanted}, got shape {w.shape}."
            + (
                " For a weight per step, compile with sample_weight_mode='temporal'."
                if w.ndim == 2
                else ""
            )
        )
    if w.shape != t.shape[: w.ndim]:
        raise ValueError(
            f"sample_weight: shape {w.shape} does not match the targets' {t.shape}."
        )
    return np.require(w, np.float32, ["C", "W"])


def _weigh_classes(class_weight, targets, weights, model):
    """Return the sample weights that class weights stand for, output by output."""
    names = model.output_names
    nested = isinstance(class_weight, dict) and any(
        isinstance(value, dict) for value in class_weight.values()
    )
    if nested:
        for name in class_weight:
            if name not in names:
                raise ValueError(
                    f"class_weight: names an output {name!r}, but the model's outputs "
                    f"are {', '.join(names)}."
                )
    joined = []
    for name, t, w, part in zip(names, targets, weights, model._parts):
        one = class_weight.get(name) if nested else class_weight
        if one is None or t is None:
            joined.append(w)
            continue
        from_classes = class_weights_to_samples(one, t, part.sparse, name)
        if w is None:
            w = from_classes
        elif model.combines_weights:
            w = w * from_classes
        else:
            warnings.warn(
                "fit: class_weight is ignored because sample_weight is given. Set "
                "model.combines_weights = True to multiply the two.",
                stacklevel=4,
            )
        joined.append(w)
    return joined


def class_weights_to_samples(class_weight, y, sparse: bool, name: str) -> np.ndarray:
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
            f"{type(class_weight).__name__}. Weights of samples are sample_weight=..."
        )
    if y.ndim > (1 if sparse else 2):
        raise ValueError(
            "class_weight: works for one label per sample, not for targets of shape "
            f"{y.shape}. Use temporal sample weights."
        )
    one_hot = y.ndim == 2 and y.shape[1] > 1
    labels = np.argmax(y, axis=1) if one_hot else y.reshape(-1)
    present, where = np.unique(labels, return_inverse=True)
    missing = [f"{label:g}" for label in present if label not in class_weight]
    if missing:
        more = ", ..." if len(missing) > 5 else ""
        raise ValueError(
            f"class_weight: no weight for class {', '.join(missing[:5])}{more}, which "
            f"occurs in the targets of {name}."
        )
    chosen = [class_weight[label] for label in present.tolist()]
    for weight in chosen:
        if not isinstance(weight, Real) or not math.isfinite(weight):
            raise ValueError(
                f"class_weight: the weights must be finite numbers, got {weight!r}."
            )
    table = np.array(chosen, np.float32)
    return table[where.reshape(-1)]
