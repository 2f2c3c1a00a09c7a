"""
The summary of a model: its layers in a table, and on request what they cost.

`Costs` counts the floating-point operations of a batch and the bytes that training
holds. Read next: `flops` in `layer.py`, and `explanation.py` for what a batch does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .layer import Layer, Shapes, count_numbers, each, shapes_of

EXTRA = 16  # characters of each column more


class Costs:
    """
    What a batch costs in a model that is built.

    Parameters
    ----------
    model : Sequential
    batch_size : int

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> model = Sequential([layers.Dense(10, input_shape=(784,))])
    >>> costs = Costs(model, 32)
    >>> costs.total_flops(), costs.memory()["activations"]
    ((501760, 1003520), 1280)
    """

    def __init__(self, model: Any, batch_size: int) -> None:
        self.model = model
        self.input_shape = each(lambda one: (batch_size, *one[1:]), model.input_shape)
        reached = model.inner_shapes(self.input_shape)
        self.flops = [layer.flops(shape) for layer, shape in reached]
        self.bytes = [output_bytes(layer, shape) for layer, shape in reached]
        hidden = len(reached) - len(model.layers)  # an InputLayer costs nothing
        self.flops, self.bytes = self.flops[hidden:], self.bytes[hidden:]

    def total_flops(self) -> tuple[int, int]:
        """Return the operations of a prediction, and those of a training step."""
        former, self.model.needs_dx = self.model.needs_dx, False
        try:
            forward = self.model.flops(self.input_shape)
            return forward, forward + self.model.backward_flops(self.input_shape)
        finally:
            self.model.needs_dx = former

    def memory(self) -> dict[str, int]:
        """
        Return bytes by what they are for.

        Parameters, the outputs of all layers, the gradients of both, and what the
        optimizer remembers. The scratch room of single layers is not counted.
        """
        model, optimizer = self.model, self.model.optimizer
        if optimizer is not None:
            model._ready("summary")
        learned = model.trainable_weights
        slots = [
            getattr(optimizer, name, None) for name in getattr(optimizer, "slots", ())
        ]
        kept = sum(slot is not None for slot in slots)
        gradients = sum(weight.value.nbytes for weight in learned)
        activations = sum(self.bytes)
        return {
            "parameters": sum(weight.value.nbytes for weight in model.weights),
            "gradients of parameters": gradients,
            "optimizer": kept * gradients,
            "activations": activations,
            "gradients of activations": activations,
        }


def output_bytes(layer: Layer, input_shape: Shapes) -> int:
    """Return the bytes of what a layer, and those inside, put out for an input."""
    inner = sum(
        output_bytes(one, shape) for one, shape in layer.inner_shapes(input_shape)
    )
    if layer.hands_on:
        return inner
    numbers = count_numbers(layer.compute_output_shape(input_shape))
    return inner + numbers * np.dtype(layer.dtype).itemsize


# ---------------------------------------------------------------- the table


def table_row(ends: Sequence[int], *fields: Any) -> str:
    """Return a line with the fields cut where their columns end."""
    line = ""
    for field, end in zip(fields, ends):
        line = (line[:-1] + " " if line else "") + str(field)
        line = line[:end].ljust(end)
    return line


def summary_lines(
    model: Any,
    width: int | None,
    positions: Sequence[float] | None,
    costs: Costs,
    flops: bool,
    memory: bool,
) -> Iterator[str]:
    """Yield the lines that `Sequential.summary` prints."""
    titles = ["Layer (type)", "Output Shape", "Param #"]
    titles += ["FLOPs"] * flops + ["Output Bytes"] * memory
    width = width or 65 + EXTRA * (flops + memory)
    ends = _ends(width, positions, len(titles))
    yield "_" * width
    yield table_row(ends, *titles)
    yield "=" * width
    layers = model.layers
    for layer, operations, size in zip(layers, costs.flops, costs.bytes):
        name = f"{layer.name} ({type(layer).__name__})"
        extra = [f"{operations:,}"] * flops + [f"{size:,}"] * memory
        count = layer.count_params()
        yield table_row(ends, name, layer.output_shape, count, *extra)
        yield ("=" if layer is layers[-1] else "_") * width
    total = model.count_params()
    learned = model.trainable_weights
    if model._parameters is not None:
        learned = model._parameters.weights
    trainable = sum(weight.value.size for weight in learned)
    yield f"Total params: {total:,}"
    yield f"Trainable params: {trainable:,}"
    yield f"Non-trainable params: {total - trainable:,}"
    yield from cost_lines(costs, flops, memory)
    yield "_" * width


def _ends(width: int, positions: Sequence[float] | None, count: int) -> Sequence[int]:
    """Return where the columns end."""
    if positions is None:
        extra = count - 3
        base = max(width - EXTRA * extra, 30)
        ends = [int(base * end) for end in (0.45, 0.85, 1.0)]
        return ends + [base + EXTRA * (k + 1) for k in range(extra)]
    if len(positions) != count:
        raise ValueError(
            f"summary: expected {count} positions, one a column, got {len(positions)}."
        )
    if positions[-1] <= 1:
        return [int(width * end) for end in positions]
    return [int(end) for end in positions]


def cost_lines(costs: Costs, flops: bool, memory: bool) -> Iterator[str]:
    """Yield what a batch costs in all."""
    N = shapes_of(costs.input_shape)[0][0]
    batch = "one sample" if N == 1 else f"a batch of {N}"
    if flops:
        forward, step = costs.total_flops()
        yield f"FLOPs of {batch}: {forward:,} forward, {step:,} with backward"
    if memory:
        found = costs.memory()
        yield f"Memory of {batch} in training: {show_bytes(sum(found.values()))}"
        for what, size in found.items():
            yield f"    {what}: {show_bytes(size)}"


def show_bytes(size: float) -> str:
    """
    Write a number of bytes, in units of 1024.

    Examples
    --------
    >>> show_bytes(512), show_bytes(4 * 2**20)
    ('512 B', '4.00 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.2f} {unit}"
