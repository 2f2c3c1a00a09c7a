"""
A training step that is recorded once and then replayed.

In a small model most of a step goes into finding out which kernel to launch on which
arrays. But layers use the same buffers for every batch of one size, so the answer is
the same each time: `recording` notes the launches of one step, to be repeated. What
does more than launch kernels is never recorded: a layer of your own may do anything,
and so may a callback between two batches or epochs. Read next: `_replay_step` in
`steps.py`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from . import device
from .device import ops
from .metrics import LossMetric

Launches = list[tuple]  # of a kernel and its arguments


@contextlib.contextmanager
def recording(work: Callable | None = None) -> Iterator[Launches]:
    """
    Yield the list of what this thread launches: kernels and their arguments.

    On a GPU the launches of `work`, which has been done meanwhile, become one graph; if
    something came from the host or went there, the list stays empty.
    """
    launches: Launches = []
    if device.place() != "host":
        before = device.trips()
        yield launches
        if device.trips() == before:
            launches.append((device.captured(work), ()))
        return
    owner = threading.get_ident()
    kernels = dict(vars(ops))

    def recorder(kernel):
        def launch(*arguments):
            kernel(*arguments)
            if threading.get_ident() == owner:
                launches.append(kernel.resolve(*arguments))

        return launch

    vars(ops).update({name: recorder(kernel) for name, kernel in kernels.items()})
    try:
        yield launches
    finally:
        vars(ops).update(kernels)


def only_launches(part) -> bool:
    """
    Return whether all that a layer, activation, loss or metric does is launch kernels.

    Its very class must say so: a subclass may do more.
    """
    return "only_launches" in vars(type(part)) and part.only_launches


def can_replay(model, objectives) -> bool:
    """Return whether the steps of a model may be replayed."""
    if model._penalized_layers:  # which keep the activities of each batch
        return False
    parts = [*(objective.loss for objective in objectives), *model.walk()]
    parts += [weight.regularizer for weight in model._penalized_weights]
    on_host = device.place() == "host"
    for layer in model.walk():
        if layer.takes_codes and layer not in model.receivers:  # looks at each batch
            return False
        if layer.masking == "make" and on_host:  # which looks whether a row counts
            return False
        activation = getattr(layer, "activation", None)
        if activation is not None:
            parts.append(activation)
    measured = [entry for one in objectives for entry in one.named_metrics]
    for _, metric, _ in measured:
        parts += [metric, metric.loss] if type(metric) is LossMetric else [metric]
    return all(only_launches(part) for part in parts)
