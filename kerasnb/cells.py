"""
Cells: one step of a recurrent network, and how a cell runs over a whole sequence.

`step` turns the input of a step and the states before it into an output and the states
after it, `step_back` does the same for gradients: no more is asked of a cell of one's
own. `Cell.run` is the loop over the steps; the cells of Keras leave it to kernels where
they can. Read next: `gated_cells.py` for those, `recurrent.py` for the layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .layer import Layer, Shape
from .stack import Composite, entries_of, refuse_shared


class Cell(Layer):
    """
    Base class of cells: what a recurrent layer does at one step.

    A cell of one's own has a `state_size`, makes its weights in `build((None, D))`, and
    defines `step` and `step_back`; `RNN(cell)` is a layer then.

    Attributes
    ----------
    state_size : int or tuple of int
        Size of each state. The first is also the size of the output, unless
        `output_size` says another.
    axes : int
        Number of axes of a step's input, the batch included: 2, or 4 for images. States
        of more than one axis are told by `state_shapes`.

    Examples
    --------
    h = tanh(x W + h U), with `h` the only state and the output too:

    >>> class Plain(Cell):
    ...     def __init__(self, units, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.units = self.state_size = units
    ...
    ...     def build(self, input_shape):
    ...         self.W = self.add_weight("W", (input_shape[-1], self.units))
    ...         self.U = self.add_weight("U", (self.units, self.units))
    ...
    ...     def step(self, x, states, training):
    ...         h = np.tanh(x @ self.W.value + states[0] @ self.U.value)
    ...         return h, [h], (x, states[0], h)
    ...
    ...     def step_back(self, dy, dstates, kept):
    ...         x, before, h = kept
    ...         dz = (dy + dstates[0]) * (1 - h**2)
    ...         self.W.grad += x.T @ dz
    ...         self.U.grad += before.T @ dz
    ...         return dz @ self.W.value.T, [dz @ self.U.value.T]
    ...
    ...     def get_config(self):
    ...         return {**super().get_config(), "units": self.units}
    >>> from kerasnb import check_layer
    >>> from kerasnb.layers import RNN
    >>> RNN(Plain(4))(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    state_size: Any = None
    axes = 2

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Return the size of each state."""
        size = self.state_size
        return tuple(size) if isinstance(size, (tuple, list)) else (size,)

    @property
    def output_size(self) -> int:
        """Return the size of the output."""
        return self.state_sizes[0]

    def state_shapes(self, input_shape: Shape) -> list[Shape]:
        """Return the shape of each state for the input of a step, without the batch."""
        return [(size,) for size in self.state_sizes]

    def compute_output_shape(self, input_shape):
        """Return the shape of the output of one step."""
        return (input_shape[0], self.output_size)

    def multiply_adds(self, input_shape):
        """Return the sizes of the matrices of weights, for each sample."""
        sizes = (w.value.size for w in self.weights if w.value.ndim > 1)
        return (input_shape[0] or 1) * sum(sizes)

    def recurrent_multiply_adds(self, input_shape: Shape) -> int:
        """Return how many of them are with the states: all, as far as it is known."""
        return self.multiply_adds(input_shape)

    # ---- one step -----------------------------------------------------------------

    def start(self, batch: int, training: bool) -> None:
        """Draw what stays the same over the steps of a batch, such as dropout masks."""

    def step(self, x, states, training):
        """
        Return the output, the list of new states, and what `step_back` will read.

        x (N, D), each state (N, size); arrays that come in must stay as they are.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step.")

    def step_back(self, dy, dstates, kept):
        """
        Return the gradients of x and of the states before, given those of the results.

        dy (N, O) and dstates belong to what `step` returned, with `kept` from there.
        What the step says about a weight is added to the weight's `grad`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step_back.")

    def call(self, inputs, states, training=None):
        """Make one step on arrays; return the output and the list of new states."""
        x = np.require(inputs, self.dtype, ["C"])
        states = [np.require(state, self.dtype, ["C"]) for state in states]
        if not self.built:
            self.connect((None, *x.shape[1:]))
        shapes = [(len(x), *shape) for shape in self.state_shapes(x.shape)]
        if [state.shape for state in states] != shapes:
            raise ValueError(
                f"{self.name}: expected states of shapes {shapes}, got "
                f"{[state.shape for state in states]}."
            )
        self.start(len(x), bool(training))
        y, states, _ = self.step(x, states, bool(training))
        return y, states

    def forward(self, x, training):
        """Refuse to be used like a layer."""
        raise TypeError(
            f"{self.name}: {type(self).__name__} is one step of a recurrent layer, not "
            f"a layer. Put it into one: RNN({type(self).__name__}(...))."
        )

    # ---- the whole sequence -------------------------------------------------------

    def run(self, x, states, mask, training):
        """
        Return the outputs of all steps (T, N, O) and the states after the last one.

        x (T, N, D), or (T, N, ...), has the steps in the order in which they are made;
        so has the mask (T, N), or None. At a masked step the states stay, and the
        output is that of the step before; before the first step, the first state.
        """
        self.start(x.shape[1], training)
        self.ran, self.tape = (x, mask), []
        output_shape = self.compute_output_shape(x.shape[1:])
        ys = self.buffer("ys", (len(x), *output_shape))
        y = states[0]
        if y.shape != ys.shape[1:]:
            y = np.zeros(ys.shape[1:], ys.dtype)
        for s in range(len(x)):
            new_y, new_states, kept = self.step(x[s], states, training)
            self.tape.append(kept)
            if mask is not None:
                new_y = _where(mask[s], new_y, y)
                new_states = [
                    _where(mask[s], new, old) for new, old in zip(new_states, states)
                ]
            ys[s] = y = new_y
            states = new_states
        return ys, states

    def run_back(self, dys, needs_dx):
        """
        Fill the gradients of the weights, return dx (T, N, D) or None.

        dys (T, N, O) are the gradients of all outputs, or (1, N, O) that of the last.
        """
        spare = [weight for weight in self.weights if weight.grad is None]
        for number, weight in enumerate(spare):
            weight.grad = self.buffer(f"grad {number}", weight.shape)
        for weight in self.weights:
            weight.grad[...] = 0
        dx = self._steps_back(dys)
        for weight in spare:
            weight.grad = None
        return dx if needs_dx else None

    def _steps_back(self, dys):
        """Go through the steps from the last to the first."""
        x, mask = self.ran
        T, N = x.shape[:2]
        dx = self.buffer("dx", x.shape)
        shapes = self.state_shapes(x.shape[1:])
        dstates = [np.zeros((N, *shape), x.dtype) for shape in shapes]
        dy = np.zeros(dys.shape[1:], x.dtype)  # of an output that masked steps repeat
        for s in reversed(range(T)):
            if len(dys) == T:
                dy = dy + dys[s]
            elif s == T - 1:
                dy = dys[0]
            kept = np.True_ if mask is None else mask[s]
            given = [_where(kept, d, 0) for d in dstates]
            dx[s], given = self.step_back(_where(kept, dy, 0), given, self.tape[s])
            dstates = [_where(kept, new, old) for new, old in zip(given, dstates)]
            dy = _where(kept, 0, dy)
        return dx


class StackedRNNCells(Composite, Cell):
    """
    Cells on top of each other, as one cell.

    The output of a cell is the input of the next; the states are those of all cells,
    in their order.

    Parameters
    ----------
    cells : list of Cell

    Examples
    --------
    >>> from kerasnb.layers import LSTMCell, SimpleRNNCell
    >>> StackedRNNCells([LSTMCell(4), SimpleRNNCell(3)]).state_size
    (4, 4, 3)
    """

    parts = "cells"
    stateful = False

    @property
    def only_launches(self):
        """Return true: the cells are asked one by one."""
        return True

    def __init__(self, cells, dtype=None, **kwargs):
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError(
                f"StackedRNNCells: expected a list of cells, got {cells!r}."
            )
        self.cells = [checked_cell(cell, "StackedRNNCells") for cell in cells]
        super().__init__(dtype=dtype or self.cells[0].dtype, **kwargs)
        refuse_shared(self.cells, self.name)
        check_dtypes(self, self.cells)

    @property
    def sublayers(self):
        """Return the cells."""
        return self.cells

    @property
    def axes(self):
        """Return the number of axes of the first cell's input."""
        return self.cells[0].axes

    @property
    def state_size(self):
        """Return the sizes of the states of all cells."""
        return tuple(size for cell in self.cells for size in cell.state_sizes)

    @property
    def output_size(self):
        """Return the size of the last cell's output."""
        return self.cells[-1].output_size

    def state_shapes(self, input_shape):
        """Return the shape of each state of all cells."""
        found = []
        for cell in self.cells:
            found += cell.state_shapes(input_shape)
            input_shape = cell.compute_output_shape(input_shape)
        return found

    def build(self, input_shape):
        """Build each cell for the output of the one before."""
        for cell in self.cells:
            input_shape = cell.connect(input_shape)

    def compute_output_shape(self, input_shape):
        """Return the shape of the last cell's output."""
        for cell in self.cells:
            input_shape = cell.compute_output_shape(input_shape)
        return input_shape

    def inner_shapes(self, input_shape):
        """Return the cells, and the shape that reaches each."""
        found = []
        for cell in self.cells:
            found.append((cell, input_shape))
            input_shape = cell.compute_output_shape(input_shape)
        return found

    def multiply_adds(self, input_shape):
        """Return the sum over the cells."""
        return Layer.multiply_adds(self, input_shape)

    def recurrent_multiply_adds(self, input_shape):
        """Return all but those of the first cell with x: the rest comes of states."""
        first = self.cells[0]
        with_x = first.multiply_adds(input_shape)
        with_x -= first.recurrent_multiply_adds(input_shape)
        return self.multiply_adds(input_shape) - with_x

    def start(self, batch, training):
        """Let all cells draw what stays the same over the steps."""
        for cell in self.cells:
            cell.start(batch, training)

    def step(self, x, states, training):
        """Let one cell after the other make a step."""
        new_states, tape = [], []
        for cell, own in zip(self.cells, self._dealt(states)):
            x, own, kept = cell.step(x, own, training)
            new_states += own
            tape.append(kept)
        return x, new_states, tape

    def step_back(self, dy, dstates, kept):
        """Let one cell after the other go back, from the last to the first."""
        found: list = []
        for cell, own, kept in reversed(
            list(zip(self.cells, self._dealt(dstates), kept))
        ):
            dy, own = cell.step_back(dy, own, kept)
            found = own + found
        return dy, found

    def run(self, x, states, mask, training):
        """Let one cell after the other run over the whole sequence."""
        new_states: list = []
        for cell, own in zip(self.cells, self._dealt(states)):
            x, own = cell.run(x, own, mask, training)
            new_states += own
        return x, new_states

    def run_back(self, dys, needs_dx):
        """Let one cell after the other go back over the whole sequence."""
        for cell in reversed(self.cells):
            dys = cell.run_back(dys, needs_dx or cell is not self.cells[0])
        return dys

    def _dealt(self, states):
        """Return the states of each cell."""
        found, at = [], 0
        for cell in self.cells:
            count = len(cell.state_sizes)
            found.append(list(states[at : at + count]))
            at += count
        return found

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "cells": entries_of(self.cells)}


def _where(kept, new, old):
    """Return new for the samples that are kept, (N,) or one for all; old elsewhere."""
    axes = max(np.ndim(new), np.ndim(old))
    return np.where(kept.reshape(-1, *(1,) * (axes - 1)), new, old)


def checked_cell(cell: Any, owner: str) -> Cell:
    """Return a cell, or refuse what cannot be one."""
    if isinstance(cell, type):
        raise ValueError(
            f"{owner}: expected a cell, got the class {cell.__name__}. Did you forget "
            "the parentheses?"
        )
    if not isinstance(cell, Cell):
        raise ValueError(
            f"{owner}: expected a cell, got {cell!r}. A cell of one's own is a "
            "subclass of kerasnb.layers.Cell with state_size, step and step_back."
        )
    missing = [
        name
        for name in ("step", "step_back")
        if getattr(type(cell), name) is getattr(Cell, name)
    ]
    if cell.state_size is None:
        missing.append("state_size")
    if missing:
        raise ValueError(
            f"{owner}: the cell {cell.name} has no {' and no '.join(missing)}. The "
            "documentation of kerasnb.layers.Cell shows a cell of one's own."
        )
    return cell


def check_dtypes(owner: Layer, cells: list) -> None:
    """Refuse cells that compute in another precision than the layer around them."""
    for cell in cells:
        if cell.dtype != owner.dtype:
            raise TypeError(
                f"{owner.name}: cannot compute in {owner.dtype}, because {cell.name} "
                f"computes in {cell.dtype}. Give both the same dtype."
            )
