"""
One batch passed through a model, with every layer watched and nothing changed.

`pass_batch` runs what a training step runs, forward and backward but no update, and
returns for each layer its output, the gradient of that output and the time it took.
`unchanged` puts back what even looking would move: moving averages, states, the random
stream. Read next: `activity.py` for pictures of it, `explanation.py` for it in words.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import random
from .data import check_inputs, on_device, standardize
from .diagram import branches_of
from .layer import Layer, each
from .stack import Stack
from .state import keeps_state, put_state_back


@dataclasses.dataclass
class Step:
    """
    What one layer did with the batch.

    Attributes
    ----------
    layer : Layer
    depth : int
        How many models it lies in, beside the outermost.
    x, y : array, or list of several
        Copies of what came in and of what went out.
    dy : array, list or None
        The gradient of the loss with respect to y; None if none arrives.
    forward_time, backward_time : float or None
        Seconds, the shortest of some passes; None if not timed or not run.
    """

    layer: Layer
    depth: int
    x: Any = None
    y: Any = None
    dy: Any = None
    forward_time: float | None = None
    backward_time: float | None = None

    def outputs(self) -> np.ndarray:
        """Return all numbers that went out, in one vector."""
        return flat(self.y)

    def slopes(self) -> np.ndarray:
        """Return all numbers of the gradient of the output, in one vector."""
        return flat(self.dy)


@dataclasses.dataclass
class Passage:
    """
    What a model did with one batch.

    Attributes
    ----------
    steps : list of Step
        The layers that ran, in the order of the model.
    gradients : dict
        Name of the weight -> copy of its gradient; empty without targets.
    values : dict
        The loss and the metrics by name; empty without targets.
    training : bool
        Whether layers behaved as in training.
    """

    steps: list[Step]
    gradients: dict[str, np.ndarray]
    values: dict[str, float]
    training: bool


def flat(arrays: Any) -> np.ndarray:
    """Return one or several arrays as one vector; None is an empty one."""
    if arrays is None:
        return np.zeros(0)
    several = arrays if isinstance(arrays, list) else [arrays]
    return np.concatenate([np.ravel(one) for one in several])


def layers_in(layers: Sequence[Layer], depth: int = 0) -> Iterator[tuple[Layer, int]]:
    """Yield layers and how deep they lie; those of an inner model come after it."""
    for layer in layers:
        if type(layer).__name__ == "InputLayer":
            continue
        yield layer, depth
        inner = [layer.sublayers] if isinstance(layer, Stack) else []
        for branch in branches_of(layer) or inner:
            yield from layers_in(branch, depth + 1)


def check_model(what: str, model: Any) -> None:
    """Refuse what is no Sequential model."""
    if not (isinstance(model, Stack) and hasattr(model, "train_on_batch")):
        raise TypeError(
            f"{what}: expected a Sequential model, got {type(model).__name__}."
        )


def pass_batch(
    what: str,
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    training: bool | None = None,
    repeats: int = 0,
) -> Passage:
    """
    Pass a batch forward and, with targets, a gradient back; change nothing.

    A model that has no shapes yet is built for x, as `predict` would do.

    Parameters
    ----------
    what : str
        Who asks, for messages.
    model : Sequential
        Compiled, if there are targets.
    x, y, sample_weight
        As for `train_on_batch`.
    training : bool, optional
        Default: as in training if there are targets.
    repeats : int
        How often the batch is passed again to measure time.

    Raises
    ------
    TypeError
        If it is no model.
    RuntimeError
        If there are targets and the model is not compiled.
    ValueError
        If the data do not fit the model.
    """
    check_model(what, model)
    if y is None:
        model._build_for(x)
        inputs = check_inputs(x, model)
        batch: tuple = (inputs if len(inputs) > 1 else inputs[0],)
    else:
        model._ready(what, x)
        data = standardize(model, x, model._targets_for(y, x), sample_weight)
        batch = data.arguments()
    training = y is not None if training is None else bool(training)
    found = [Step(layer, depth) for layer, depth in layers_in(model.sublayers)]
    values: dict[str, float] = {}
    gradients: dict[str, np.ndarray] = {}
    with unchanged(model) as put_back:
        with _watched(found, copying=True):
            results = _run(model, batch, training)
        if y is not None:
            values = dict(zip(model._objective.names, results))
            named = [(w.name, w.grad) for w in model.trainable_weights]
            gradients = {name: g.copy() for name, g in named if g is not None}
        for _ in range(repeats):
            put_back()
            with _watched(found, copying=False):
                _run(model, batch, training)
    ran = [step for step in found if step.y is not None]
    return Passage(ran, gradients, values, training)


def _run(model, batch, training):
    """Do what a training step does before the update, or only the forward part."""
    batch = on_device(*batch)
    if len(batch) == 1:
        return model.forward(batch[0], training)
    if training:
        model._learn(*batch)
        return list(map(float, model._values()))
    x, t, w = batch
    p, objective = model.forward(x, False), model._objective
    objective.measure(t, p, model.output_mask, w)
    values = list(map(float, objective.values()))
    model.backward(objective.gradient(p))
    return values


@contextlib.contextmanager
def unchanged(model: Any) -> Iterator[Callable[[], None]]:
    """
    Put back, after a `with` block, everything that training needs to go on as before.

    That is weights and gradients, the optimizer, the states of layers and metrics, the
    process-wide random stream, and what the latest batch was. The block gets a function
    that puts it back at once.

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> model = Sequential([layers.Dense(1, input_shape=(2,))])
    >>> before = model.get_weights()
    >>> with unchanged(model):
    ...     model.set_weights([w + 1 for w in before])
    >>> bool((model.get_weights()[0] == before[0]).all())
    True
    """
    weights = [(w, w.value.copy(), _copy(w.grad)) for w in model.weights]
    keepers = [random.generator(), *(la for la in model.walk() if la.state_names)]
    objective = getattr(model, "_objective", None)
    if objective is not None:
        metrics = (metric for _, metric, _ in objective.named_metrics)
        keepers += [metric for metric in metrics if keeps_state(metric)]
    if getattr(model, "optimizer", None) is not None:
        keepers.append(model.optimizer)
    states = [(keeper, keeper.get_state()) for keeper in keepers]
    batch, mask = getattr(model, "_batch", None), model.mask

    def put_back():
        for weight, value, grad in weights:
            weight.value[...] = value
            if grad is not None and weight.grad is not None:
                weight.grad[...] = grad
        for keeper, state in states:
            put_state_back(keeper, state)
        model._batch, model.mask = batch, mask

    try:
        yield put_back
    finally:
        put_back()


def _copy(array):
    return None if array is None else array.copy()


@contextlib.contextmanager
def _watched(steps: list[Step], copying: bool) -> Iterator[None]:
    """Note on each step what its layer does: copies, or else the time it takes."""
    former = {id(s): vars(s.layer).copy() for s in steps}
    for step in steps:
        _watch(step, copying)
    try:
        yield
    finally:
        for step in steps:
            for name in ("forward", "backward"):
                del vars(step.layer)[name]
                if name in former[id(step)]:
                    vars(step.layer)[name] = former[id(step)][name]


def _watch(step: Step, copying: bool) -> None:
    layer = step.layer
    forward, backward = layer.forward, layer.backward

    def forward_and_note(x, training):
        if copying:
            step.x = each(np.array, x)
        start = time.perf_counter()
        y = forward(x, training)
        seconds = time.perf_counter() - start
        if copying:
            step.y = each(np.array, y)
        else:
            step.forward_time = min(seconds, step.forward_time or seconds)
        return y

    def backward_and_note(dy):
        if copying:
            step.dy = each(np.array, dy)
        start = time.perf_counter()
        dx = backward(dy)
        seconds = time.perf_counter() - start
        if not copying:
            step.backward_time = min(seconds, step.backward_time or seconds)
        return dx

    vars(layer).update(forward=forward_and_note, backward=backward_and_note)
