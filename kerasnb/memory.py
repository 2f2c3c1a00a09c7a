"""
When a GPU has no room: what a model needs there, and which batches would fit.

Buffers of layers grow with the batch; weights, their gradients, the optimizer's slots
and a data set do not. `within_memory` turns a refused array into an error that says
both, and lets go of all buffers, so that the model works on with smaller batches.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import device
from .layer import Layer
from .summary import Costs, show_bytes

SHARE = 0.5  # of the free memory for a proposed batch, which needs scratch too


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
    except device.out_of_memory():
        sample = bytes_per_sample(model)
        let_go(model)
        kept, free = device.memory()
        need = show_bytes(sample * batch_size)
        raise RuntimeError(
            f"{call}: the GPU has no room for batches of {batch_size}. {model.name} "
            f"needs about {show_bytes(sample)} a sample, so {need}, beside the "
            f"{show_bytes(kept)} in use for weights, optimizer and data; "
            f"{show_bytes(free)} are free. {advice(free, sample, batch_size)}"
        ) from None


def advice(free: float, sample: int, batch_size: int) -> str:
    """Return which batch size to try."""
    fits = int(min(SHARE * free // max(sample, 1), batch_size // 2))
    if fits < 1:
        return "Not even one sample fits: make the model smaller, or use the CPU."
    return f"Try batch_size={fits}."


def bytes_per_sample(model: Any) -> int:
    """Return about what a sample takes in all layers: outputs and their gradients."""
    return 2 * sum(Costs(model, 1).bytes)


def let_go(model: Any) -> None:
    """Drop all buffers of layers and of the loss; the next batch makes them anew."""
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
