"""
When a GPU has no room: what a model needs there, and which batches would fit.

Buffers of layers grow with the batch; weights, their gradients, the optimizer's slots
and a data set do not. `within_memory` turns a refused array into an error that says
both, and lets go of all buffers, so that the model works on with smaller batches.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import device
from .layer import Layer, shapes_of

SHARE = 0.75  # of the free memory that a proposed batch may count on


@contextlib.contextmanager
def within_memory(model: Any, call: str, batch_size: int) -> Iterator[None]:
    """
    Explain what a model would need when the device runs out of memory.

    Parameters
    ----------
    model : Sequential
    call : str
        What was called, for the message.
    batch_size : int
        Samples in a batch.

    Raises
    ------
    RuntimeError
        Instead of the device's own error.
    """
    try:
        yield
    except device.out_of_memory() as error:
        sample = bytes_per_sample(model)
        let_go(model)
        kept, free = device.memory()
        raise RuntimeError(
            f"{call}: the GPU has no room for batches of {batch_size}. {model.name} "
            f"needs about {show(sample)} a sample, so {show(sample * batch_size)}, beside the "
            f"{show(kept)} in use for weights, optimizer and data; {show(free)} are "
            f"free. {advice(free, sample, batch_size)}"
        ) from None


def advice(free: float, sample: int, batch_size: int) -> str:
    """Return which batch size to try."""
    fits = int(min(SHARE * free // max(sample, 1), batch_size // 2))
    if fits < 1:
        return "Not even one sample fits: make the model smaller, or use the CPU."
    return f"Try batch_size={fits}."


def bytes_per_sample(model: Any) -> int:
    """Return about what a sample takes in all layers: outputs and their gradients."""
    numbers = 0
    for layer in model.walk():
        if not layer.sublayers and layer.output_shape is not None:
            for shape in shapes_of(layer.output_shape):
                numbers += math.prod(size or 1 for size in shape[1:])
    return 2 * numbers * np.dtype(model.dtype).itemsize


def let_go(model: Any) -> None:
    """Drop the buffers of all layers and of the loss; the next batch makes them anew."""
    layers = list(model.walk())
    rooms = {id(room.memory) for layer in layers for room in layer.rooms()}
    for layer in layers:
        _drop(layer, rooms)
    model._objective, model._recordings, model._batch = None, {}, None


def _drop(layer: Layer, rooms: set[int]) -> None:
    for name, value in vars(layer).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        if any(device.is_there(one) and id(one.memory) in rooms for one in values):
            setattr(layer, name, None)
    layer.forget_buffers()


def show(nbytes: float) -> str:
    """Write a number of bytes: '1.5 MB'."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if nbytes < 1000 or unit == "GB":
            break
        nbytes /= 1000
    return f"{nbytes:.3g} {unit}"
