"""
Plain kernels in the place of the CUDA kernels, on arrays of the device.

The simulator takes a millisecond for each thread. What is to be tested here is where
arrays live, what is launched and what is captured, for models of every kind: for that
it does not matter which kernel does the work.
"""

import numpy as np

from kerasnb import device
from kerasnb.kernels.cuda import array, target


class StandIn(target.Entry):
    """An entry that lets a plain kernel work on copies and puts back what changed."""

    def _launch(self, blocks, threads, shared, *arguments):
        if target.Entry.notes is not None:
            target.Entry.notes.append((self, blocks, threads, shared, arguments))
            return
        counted, array.trips = array.trips, dict(array.trips)
        before = [np.array(a) if isinstance(a, array.Array) else a for a in arguments]
        after = [np.copy(a) if isinstance(a, np.ndarray) else a for a in before]
        self.function(*after)
        for a, old, new in zip(arguments, before, after):
            if isinstance(a, array.Array) and not np.array_equal(old, new):
                a._put(new)
        array.trips = counted


def kernels_of(name, kernels=device.kernels_of):
    """Return the kernels of a device; those of "cuda" are plain ones in disguise."""
    if name != "cuda":
        return kernels(name)
    return {name: _in_disguise(kernel) for name, kernel in kernels("plain").items()}


def fill(y, value):
    """What the array's own kernel does."""
    y[...] = value


def copy(y, x):
    """What the array's own kernel does."""
    y[...] = x


def _in_disguise(kernel):
    entry = StandIn(kernel)

    def launch(*arguments):
        entry[1, 1](*arguments)

    return target.launcher(launch)
