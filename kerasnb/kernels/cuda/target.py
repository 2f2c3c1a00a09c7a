"""
Numba's CUDA target, and how this folder launches what it compiles.

This is the one file that knows which package brings the CUDA compiler. `@entry` marks
the function that every thread of a launch runs; `@launcher` marks the kernel that a
layer calls, the twin of the kernel of that name in `plain/`: it chooses the threads and
launches entries. Formulas of one number are the functions that the CPU compiles too.
Everything happens in order on one stream, and nobody waits for it until somebody reads.
Read next: `array.py` for arrays on the device, `dense.py` for the first kernels.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import sys

import numba
import numpy as np
from numba import cuda
from numba.core.registry import CPUDispatcher
from numba.extending import overload

from ..jit import like  # noqa: F401  a kernel's number in the type of its arrays

ONE_GRAPH = (
    "one CUDA graph; kernel by kernel where activities are penalized, or where a part "
    "is written with NumPy and runs on the host"
)
PACKAGES = "pip install 'kerasnb[cuda13]', or [cuda12] if nvidia-smi shows CUDA 12"
REASONS = (
    (
        ("driver library cannot be found", "libcuda"),
        "there is no NVIDIA driver on this machine.",
    ),
    (
        ("NO_DEVICE", "no CUDA-capable"),
        "the NVIDIA driver finds no GPU (is CUDA_VISIBLE_DEVICES empty?).",
    ),
    (
        ("UNSUPPORTED_PTX_VERSION", "INSUFFICIENT_DRIVER", "unsupported toolchain"),
        "the NVIDIA driver is older than the CUDA compiler. Update it, or install "
        f"another compiler: {PACKAGES}.",
    ),
    (
        ("NVVM", "nvvm", "libdevice", "NVRTC", "nvrtc", "cudart"),
        f"the CUDA compiler is missing: {PACKAGES}.",
    ),
)
"""What errors of the driver and of Numba say, and what that means."""

THREADS = 128  # in a block, where each thread owns a number and shares nothing
numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # small models launch small grids
if not hasattr(np, "row_stack"):
    np.row_stack = np.vstack  # numba-cuda 0.30 looks for what NumPy 2.5 took away
KEPT_BY_NUMBA = "_CUDATypingContext__dispatcher"  # where it keeps a device's version


def is_simulated():
    """Return whether kernels run in Numba's simulator, thread by thread in Python."""
    return bool(numba.config.ENABLE_CUDASIM)


def reason_of(error):
    """Return why no kernel can run on a GPU here, after the error of the first."""
    told = " ".join(str(error).split()) or type(error).__name__
    known = (reason for signs, reason in REASONS if any(sign in told for sign in signs))
    advice = "Use set_device('cpu'), or NUMBA_ENABLE_CUDASIM=1 to step through kernels."
    return f"{next(known, told[:200])} {advice}"


def description():
    """Return what is worth knowing about the GPU in use, by name."""
    if is_simulated():
        return {"gpu": "none: Numba's simulator (NUMBA_ENABLE_CUDASIM)"}
    from . import graphs

    gpu = cuda.get_current_device()
    name = gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name
    capability = ".".join(map(str, gpu.compute_capability))
    free, total = cuda.current_context().get_memory_info()
    runtime = ".".join(map(str, cuda.runtime.get_version()))
    one_by_one = "launched kernel by kernel: the driver makes no graphs"
    return {
        "gpu": f"{name}, compute capability {capability}",
        "gpu memory": f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free",
        "cuda": f"{runtime}, compiled by {cuda.__name__} {cuda_version()}",
        "training step": one_by_one if graphs.driver() is None else ONE_GRAPH,
    }


def cuda_version():
    """Return the version of the package that brings the compiler."""
    for package in ("numba-cuda", "numba"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"({package} {importlib.metadata.version(package)})"
    return ""


class SimulatedCuda:
    """
    What the name `cuda` means in the simulator: in a kernel, what its threads may use.

    The simulator would put that in place of the name at the start of a function and
    take it away at its end, while other threads are still inside.
    """

    def __getattr__(self, name):
        running = importlib.import_module("numba.cuda.simulator.kernel")
        return getattr(running._get_kernel_context() or numba.cuda, name)


if is_simulated():
    cuda = SimulatedCuda()  # noqa: F811
part = cuda.jit(device=True)  # marks what a block's threads call in an entry together


if not is_simulated():
    # Numba's own take any number of arguments, which its CUDA compiler stumbles over.

    @overload(max, target="cuda")
    def _larger(a, b):
        return lambda a, b: b if b > a else a

    @overload(min, target="cuda")
    def _smaller(a, b):
        return lambda a, b: b if b < a else a


class Entry:
    """
    A function that threads run; `entry[blocks, threads](*arguments)` launches it.

    It is compiled at its first launch for each combination of types. Arguments are
    arrays of the device, numbers, and tuples of whole numbers. A third number in the
    brackets is how many bytes the threads of a block share, where the entry asks for
    `cuda.shared.array(0, ...)`.
    """

    inspect = None  # called instead of a launch, by who only wants to see the code
    notes = None  # a list of the launches, for who wants to repeat them

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function

    @functools.cached_property
    def compiled(self):
        """Return what Numba makes of the function."""
        keep_formulas_exact()
        return cuda.jit(self.function)

    def __getitem__(self, shape):
        return functools.partial(self._launch, *shape, *[0] * (3 - len(shape)))

    def _launch(self, blocks, threads, shared, *arguments):
        if Entry.inspect is not None:
            Entry.inspect(self, threads, arguments)
            return
        if Entry.notes is not None:
            Entry.notes.append((self, blocks, threads, shared, arguments))
            if is_simulated():
                return
        if blocks:
            arguments = [getattr(a, "raw", a) for a in arguments]
            self.compiled[blocks, threads, stream(), shared](*arguments)


entry = Entry


def grid(size):
    """Return the blocks and threads for a launch in which each of `size` has one."""
    return -(-size // THREADS), THREADS


def rows(R, C):
    """Return the blocks and threads for a launch of a block for each row of C."""
    return R, min(THREADS, max(32, 1 << (C - 1).bit_length()))


def compiled_for_device(formula):
    """Return a function of numbers, compiled or not, as entries may call it."""
    plain = getattr(formula, "py_func", formula)
    return cuda.jit(device=True)(plain)


def keep_formulas_exact():
    """
    Let functions that the CPU compiles be compiled for the device without shortcuts.

    The compiler would take any fast-math flag of theirs for all of them: divisions of
    fewer digits, and tiny numbers that become 0.
    """
    if is_simulated():
        return
    from numba.cuda.dispatcher import CUDADispatcher

    options = {"device": True, "opt": True, "debug": False}
    for name, module in list(sys.modules.items()):
        if name.startswith(__package__.rpartition(".")[0]):
            for value in vars(module).values():
                of_cpu = type(value) is CPUDispatcher
                if of_cpu and not hasattr(value, KEPT_BY_NUMBA):
                    compiled = CUDADispatcher(value.py_func, options)
                    setattr(value, KEPT_BY_NUMBA, compiled)


def capture(work):
    """
    Return a function that launches all that `work()` launches, without running work.

    On a GPU the launches become one graph. `work` is called here and now, but nothing
    is computed before the function that is returned is called; every entry must have
    been compiled, and nothing may be read from the device.
    """
    from . import graphs

    with noted() as launches:
        if is_simulated():
            work()
            graph = None
        elif graphs.driver() is None:
            return work
        else:
            graph = graphs.Graph(work, stream())

    def launch():
        if graph is not None:
            graph.launch()
        for entry, *shape, arguments in launches if graph is None else ():
            entry._launch(*shape, *arguments)

    return launch


@contextlib.contextmanager
def noted():
    """Yield a list of the launches; it keeps the arrays they need, too."""
    Entry.notes = launches = []
    try:
        yield launches
    finally:
        Entry.notes = None


@functools.cache
def stream():
    """Return the stream on which everything happens in order."""
    return cuda.stream()


def launcher(function):
    """Mark a function that launches entries as the kernel of that name."""

    def resolve(*arguments):
        """Return what these arguments lead to, for who launches them many times."""
        return function, arguments

    function.resolve, function.is_kernel = resolve, True
    return function
