"""
What the CUDA compiler makes of every kernel, without a GPU: `make ptx`.

Each kernel is called with the arguments of `cases.py`, but instead of a launch its
entries are compiled to PTX for some compute capabilities, and what matters is read off
the text: no float64 arithmetic in float32 kernels, and, by `ptxas` where it is
installed, no spilled registers. The table lists the registers of each entry.
"""

import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES  # noqa: E402

from kerasnb import device  # noqa: E402
from kerasnb.kernels.cuda import target  # noqa: E402

CAPABILITIES = [(7, 5), (8, 0), (9, 0)]
DOUBLE = re.compile(
    r"\b(?:add|sub|mul|div|fma|mad|min|max|sqrt|ex2|lg2|neg|abs)\S*\.f64"
)


class Shape:
    """An array that is nothing but its shape and type."""

    def __init__(self, shape, dtype):
        self.layout = np.empty(shape, dtype)
        self.shape, self.dtype = self.layout.shape, self.layout.dtype
        self.size, self.ndim = self.layout.size, self.layout.ndim

    def reshape(self, *shape):
        return Shape(self.layout.reshape(*shape).shape, self.dtype)

    def __getitem__(self, index):
        return Shape(self.layout[index].shape, self.dtype)

    def __setitem__(self, index, value):
        """There is nothing to fill."""

    def __len__(self):
        return len(self.layout)


def type_of(argument):
    """Return what the compiler calls the type of an argument of an entry."""
    if isinstance(argument, Shape):
        of = target.numba.from_dtype(argument.dtype)
        return target.numba.types.Array(of, argument.ndim, "C")
    return target.numba.typeof(argument)


def signatures(name, dtype):
    """Return the entries that a kernel launches, with the types of their arguments."""
    found = {}

    def note(entry, threads, arguments):
        kinds = tuple(map(type_of, arguments))
        found[entry.function.__qualname__, kinds] = entry, kinds

    target.Entry.inspect = note
    try:
        for arguments in CASES[name](np.random.default_rng(0), dtype):
            shapes = [
                Shape(a.shape, a.dtype) if isinstance(a, np.ndarray) else a
                for a in arguments
            ]
            device.kernels_of("cuda")[name](*shapes)
    finally:
        target.Entry.inspect = None
    return list(found.values())


def ptx_of(entry, kinds, capability):
    """Compile an entry for a compute capability; no driver is needed."""
    import numba.cuda.dispatcher as dispatcher

    # Numba asks the driver for the device even while it only compiles a function
    # that an entry calls.
    dispatcher.get_current_device = lambda: types.SimpleNamespace(
        compute_capability=capability
    )
    target.keep_formulas_exact()
    return target.cuda.compile_ptx(entry.function, kinds, cc=capability)[0]


def assembled(ptx, capability):
    """Return registers and spilled bytes by `ptxas`, or None where it is missing."""
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        return None
    arch = "sm_{}{}".format(*capability)
    report = subprocess.run(
        [ptxas, "-v", f"-arch={arch}", "-o", "/dev/null", "-"],
        input=ptx, text=True, capture_output=True, check=True,
    ).stderr  # fmt: skip
    registers = int(re.search(r"Used (\d+) registers", report)[1])
    spills = sum(map(int, re.findall(r"(\d+) bytes spill", report)))
    return registers, spills


if __name__ == "__main__":
    for name in sorted(set(CASES) & set(device.kernels_of("cuda"))):
        for entry, kinds in signatures(name, "float32"):
            for capability in CAPABILITIES:
                ptx = ptx_of(entry, kinds, capability)
                print(
                    name,
                    entry.__qualname__,
                    capability,
                    assembled(ptx, capability),
                    DOUBLE.findall(ptx),
                )
