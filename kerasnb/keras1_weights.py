"""
What changed in the weights and configurations of files between Keras 1 and Keras 2.

Kernels of convolutions changed their axes, and the recurrent layers of Keras 1 keep an
array for every gate. Conversions happen when a file is loaded into a model of today; a
layer says by its class and shapes what is to be done. Read next: `keras2_files.py`,
which reads the files.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .gate_order import from_cudnn, from_keras1, to_cudnn
from .layer import Layer

GATES = {"GRU": 3, "LSTM": 4, "ConvLSTM2D": 4}
"""How many gates the recurrent layers have."""

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D")
HIGHWAY = {"W": 0, "b": 1, "V": 2, "c": 3}  # the order in Keras 1


def modernized(layer: Layer, named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """
    Return the arrays of a Keras 1 file in the order and with the axes of today.

    Parameters
    ----------
    layer : Layer
        What they are for, built.
    named : list of (name, array)
        As they stand in the file. If they do not fit, they come back as they are.
    """
    queue = list(named)
    try:
        made = _taken(layer, queue)
    except (IndexError, ValueError):
        return named
    return named if queue else made


def _taken(layer: Layer, queue: list) -> list:
    """Take the arrays of a layer from the front of the queue and convert them."""
    kind = _kind(layer)
    if kind in GATES and _is_split(layer, queue):
        return _fused(layer, kind, queue)
    if layer.sublayers and not layer._weights:
        return [pair for inner in layer.sublayers for pair in _taken(inner, queue)]
    taken = [queue.pop(0) for _ in layer.weights]
    if kind == "Highway":
        order: Any = getattr(layer, "order", "Wb")
        present = [letter for letter in HIGHWAY if letter in order[: len(taken)]]
        if len(taken) < len(order):  # without biases
            present = ["W", "V"]
        return [taken[present.index(letter)] for letter in order[: len(taken)]]
    if kind in CONVOLUTIONS and taken:
        name, kernel = taken[0]
        taken[0] = name, _kernel(layer, kind, kernel)
    return taken


def _kind(layer: Layer) -> str:
    """Return the name of the library's class that a layer is, or stands on."""
    names = (cls.__name__ for cls in type(layer).__mro__)
    known = (*GATES, *CONVOLUTIONS, "Highway")
    return next((name for name in names if name in known), "")


def _kernel(layer: Any, kind: str, stored: Any) -> Any:
    """Return a kernel with the axes of today."""
    wanted, shape = layer.weights[0].shape, tuple(stored.shape)
    if kind == "Conv1D" and len(shape) == 4:
        if (shape[0], *shape[2:]) == wanted and shape[1] == 1:
            return stored.reshape(wanted)
        return stored.reshape(shape).transpose(2, 1, 0, 3)[..., 0]
    first = getattr(layer, "data_format", None) == "channels_first"
    if kind == "Conv2DTranspose":
        axes = (2, 3, 0, 1) if first else (0, 1, 3, 2)
    elif first and kind in ("Conv2D", "Conv3D"):
        axes = (*range(2, len(shape)), 1, 0)
    else:
        return stored
    return stored.reshape(shape).transpose(axes)


def _is_split(layer: Layer, queue: list) -> bool:
    """Return whether the next arrays are single gates: a third or fourth as wide."""
    gates = GATES[_kind(layer)]
    columns = layer.weights[0].shape[-1]
    shape = tuple(queue[0][1].shape)
    if len(shape) == 4 and getattr(layer, "data_format", "") == "channels_first":
        return shape[0] * gates == columns
    return shape[-1] * gates == columns


def _fused(layer: Any, kind: str, queue: list) -> list:
    """Join the arrays W, U, b of every gate to one W, one U and one b."""
    names, arrays = [], []
    for name, stored in [queue.pop(0) for _ in range(3 * GATES[kind])]:
        array = stored.reshape(stored.shape)
        if array.ndim == 4 and layer.data_format == "channels_first":
            array = array.transpose(2, 3, 1, 0)
        names.append(name)
        arrays.append(array)
    return list(zip(names, from_keras1(arrays)))[: len(layer.weights)]


# ---------------------------------------------------------------- NVIDIA's cards


def from_cards(layer: Layer, named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the arrays of a layer, those that CuDNN arranged in the plain order."""
    if len(named) != len(layer.weights):
        return named
    if _kind(layer) not in ("GRU", "LSTM"):
        made: list = []
        for inner in [] if layer._weights else layer.sublayers:
            made += from_cards(inner, named[len(made) :][: len(inner.weights)])
        return made or named
    if len(named) != 3 or named[2][1].shape != (2 * named[1][1].shape[-1],):
        return named
    plain = from_cudnn([a.reshape(a.shape) for _, a in named])
    return [(name, array) for (name, _), array in zip(named, plain)]


def stored(layer: Layer) -> list[np.ndarray]:
    """Return the weights of a layer as a file holds them: CuDNN's in its own order."""
    on_cards = [inner for inner in layer.walk() if type(inner).__name__[:5] == "CuDNN"]
    if layer in on_cards:
        return to_cudnn([weight.value for weight in layer.weights])
    if on_cards and not layer._weights:
        return [array for inner in layer.sublayers for array in stored(inner)]
    return [weight.value for weight in layer.weights]


# ---------------------------------------------------------------- orientation


def flipped(layer: Layer, named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the arrays of a file with the kernels of convolutions turned round."""
    if layer.sublayers and not layer._weights:
        made: list = []
        for inner in layer.sublayers:
            made += flipped(inner, named[len(made) :][: len(inner.weights)])
        return made + named[len(made) :]
    count = _kernels(layer)
    turned = [(n, convert_kernel(a.reshape(a.shape))) for n, a in named[:count]]
    return turned + named[count:]


def _kernels(layer: Layer) -> int:
    """Return how many of the first weights are kernels that Theano turns round."""
    kind = _kind(layer)
    return 2 if kind == "ConvLSTM2D" else int(kind in CONVOLUTIONS)


def convert_kernel(kernel: Any) -> np.ndarray:
    """
    Turn the kernel of a convolution round, as it is in files written with Theano.

    Parameters
    ----------
    kernel : array
        Of 3 to 5 axes; the last two are channels and filters.

    Raises
    ------
    ValueError
        If it has another number of axes.

    Examples
    --------
    >>> convert_kernel(np.arange(3.0).reshape(3, 1, 1)).ravel()
    array([2., 1., 0.])
    """
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError(
            f"convert_kernel: expected 3 to 5 axes, got {kernel.ndim}. Only kernels of "
            "convolutions are turned round."
        )
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).copy()


def convert_all_kernels_in_model(model: Any) -> None:
    """
    Turn the kernels of all convolutions in a model round.

    Files of Keras 1 do not say which backend wrote them. After loading weights that
    were trained with Theano, call this once.

    Parameters
    ----------
    model : Sequential
    """
    for layer in model.walk():
        for weight in layer.weights[: _kernels(layer)]:
            weight.assign(convert_kernel(weight.value))


# ---------------------------------------------------------------- configurations


def modern_config(config: Any) -> Any:
    """
    Return the configuration of a model of Keras 1 in the form of today.

    The words of Keras 1 stay, because layers understand them; penalties and limits,
    which named their class beside their arguments, get the form of today.

    Examples
    --------
    >>> modern_config({"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1})
    {'class_name': 'L1L2', 'config': {'l1': 0.0, 'l2': 0.1}}
    """
    if isinstance(config, list):
        return [modern_config(part) for part in config]
    if not isinstance(config, dict):
        return config
    made = {name: modern_config(value) for name, value in config.items()}
    name: Any = made.get("name")
    if name in PENALTIES or name in LIMITS:
        del made["name"]
        if "m" in made:
            made["max_value"] = made.pop("m")
        known = ("l1", "l2") if name in PENALTIES else LIMITS[name]
        numbers = {key: made[key] for key in known if made.get(key) is not None}
        return {"class_name": PENALTIES.get(name, name), "config": numbers}
    return made


PENALTIES = dict.fromkeys(
    ("WeightRegularizer", "ActivityRegularizer", "L1L2Regularizer"), "L1L2"
)
LIMITS: dict[Any, tuple[str, ...]] = {
    "MaxNorm": ("max_value", "axis"),
    "NonNeg": (),
    "UnitNorm": ("axis",),
}
