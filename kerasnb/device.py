"""
The machine underneath: which kernels are in use, and in which precision.

`ops` is a namespace of kernels. A layer says `ops.dense_forward(y, x, W, b)` and never
which machine does it. `set_device("plain")` swaps in the short loops that a student
reads first; `"cpu"`, the default, replaces the hot ones by faster twins; `"cuda"` runs
all of them on an NVIDIA GPU, where arrays then live: `here(a)` is an array in the
memory of the device in use. `show_config()` prints all that matters in a report of a
problem.
"""

import importlib
import os
import pkgutil
import platform
import types

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from .kernels import jit
from .kernels.cpu import simd
from .version import __version__

DATA_SHARE = 0.5  # of the free memory of a GPU that a data set may take

ops = types.SimpleNamespace()
"""The kernels of the device in use, by name."""

_state = types.SimpleNamespace(
    device=None,
    floatx="float32",
    epsilon=1e-7,
    image_data_format="channels_last",
    arrays=None,  # the module of arrays on the GPU, once one is in use
)


def kernels_of(device):
    """Return the kernels that a device brings, name -> kernel."""
    found = {}
    for package in ("plain", "cpu") if device == "cpu" else (device,):
        package = importlib.import_module(f".kernels.{package}", __package__)
        for module in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{module.name}")
            found.update(
                (name, value)
                for name, value in vars(module).items()
                if getattr(value, "is_kernel", False)
            )
    return found


def set_device(name):
    """
    Choose the kernels, and with them the machine.

    Models that exist move with their next call; their numbers stay the same.

    Parameters
    ----------
    name : str
        "cpu" (default), "plain" for the readable definitions, "cuda" for an NVIDIA GPU
        (extra `cuda12` or `cuda13`).

    Raises
    ------
    ValueError
        If the name is unknown.
    RuntimeError
        If the device is "cuda" and cannot be used; the message says why.
    """
    if name not in ("cpu", "plain", "cuda"):
        raise ValueError(
            f"set_device: expected 'cpu', 'plain' or 'cuda', got {name!r}."
        )
    if name == "cuda":
        kernels = _kernels_by_place()
    else:
        kernels = kernels_of(name)
    vars(ops).clear()
    vars(ops).update(kernels)
    _state.device = name


def _kernels_by_place():
    """Return kernels that run where their first output lies: on the GPU or the host."""
    from .kernels.cuda import array, target

    try:
        array.zeros(1, _state.floatx).tolist()  # a kernel runs, and a number comes back
    except Exception as error:
        reason = target.reason_of(error)
        raise RuntimeError(
            f"set_device: no GPU can be used, because {reason}"
        ) from error
    _state.arrays = array
    on_host = kernels_of("cpu")
    return {
        name: array.by_place(kernel, on_host[name])
        for name, kernel in kernels_of("cuda").items()
    }


def place():
    """Return where arrays live: "host", or "cuda"."""
    return "cuda" if _state.device == "cuda" else "host"


def here(a):
    """
    Return an array in the memory of the device in use: itself, if it lies there.

    Parameters
    ----------
    a : array or None
    """
    if _state.device != "cuda":
        return a if a is None or isinstance(a, np.ndarray) else np.asarray(a)
    return a if a is None or is_there(a) else _state.arrays.to_device(a)


def is_array(value):
    """Return whether a value is an array of the host or of the GPU."""
    kinds = (np.ndarray, _state.arrays.Array) if _state.arrays else np.ndarray
    return isinstance(value, kinds)


def is_there(value):
    """Return whether a value is an array in the memory of a GPU."""
    return _state.arrays is not None and isinstance(value, _state.arrays.Array)


def zeros(shape, dtype):
    """Return an array of zeros in the memory of the device in use."""
    if _state.device == "cuda":
        return _state.arrays.zeros(shape, dtype)
    return np.zeros(shape, dtype)


def get_device():
    """Return the name of the device in use."""
    return _state.device


def floatx():
    """Return the type of newly made layers: 'float32' or 'float64'."""
    return _state.floatx


def set_floatx(name):
    """Choose 'float32' (default) or 'float64' for layers that are made from now on."""
    if name not in ("float32", "float64"):
        raise ValueError(f"set_floatx: expected 'float32' or 'float64', got {name!r}.")
    _state.floatx = name


def epsilon():
    """Return the fuzz factor that keeps divisions and logarithms finite (1e-7)."""
    return _state.epsilon


def image_data_format():
    """Return where layers expect the channels of images: 'channels_last' or first."""
    return _state.image_data_format


def set_image_data_format(name):
    """Choose 'channels_last' (default) or 'channels_first' for layers made later."""
    if name not in ("channels_last", "channels_first"):
        raise ValueError(
            "set_image_data_format: expected 'channels_last' or 'channels_first', got "
            f"{name!r}."
        )
    _state.image_data_format = name


def trips():
    """Return how many copies between the host and the GPU there were so far."""
    return sum(_state.arrays.trips.values()) if _state.arrays else 0


def own_formulas():
    """Return the module that runs a user's formulas of numbers on the GPU."""
    return importlib.import_module(".kernels.cuda.own", __package__)


def has_room(nbytes):
    """Return whether a data set may live in the memory of the device in use."""
    if _state.device != "cuda":
        return True
    return nbytes <= DATA_SHARE * _state.arrays.account.free()


def out_of_memory():
    """Return the errors that say that the GPU has no room: none, where none is used."""
    return _state.arrays.OutOfMemory if _state.arrays else ()


def memory():
    """Return how many bytes arrays take on the GPU, and how many are free."""
    return _state.arrays.account.taken, _state.arrays.account.free()


def uploads(shape, dtype):
    """Return a way to the GPU for rows that change at every step."""
    return _state.arrays.Uploads(shape, dtype)


def captured(work):
    """Return a function that launches on the GPU all that `work()` launches."""
    from .kernels.cuda import target

    return target.capture(work)


def aligned_zeros(size, dtype):
    """Return a vector of zeros that starts on a cache line (64 bytes)."""
    dtype = np.dtype(dtype)
    if _state.device == "cuda":
        return _state.arrays.zeros(size, dtype)
    room = np.zeros(size * dtype.itemsize + 63, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size * dtype.itemsize].view(dtype)


def set_epsilon(value):
    """Choose the fuzz factor, a positive number."""
    if not value > 0:
        raise ValueError(f"set_epsilon: expected a positive number, got {value!r}.")
    _state.epsilon = float(value)


def set_num_threads(count):
    """Let kernels use this many threads; the numbers they compute stay the same."""
    with jit.short_waits():
        numba.set_num_threads(count)


def show_config(print_fn=print):
    """
    Print versions, device, SIMD width, threads, precision and cache folder.

    Parameters
    ----------
    print_fn : callable
        Gets each line; default `print`.

    Examples
    --------
    >>> show_config()  # doctest: +ELLIPSIS
    kerasnb ...
    """
    bits = 8 * simd.REGISTER_BYTES
    with jit.short_waits():
        threads = numba.get_num_threads()
    lines = {
        "kerasnb": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "numba": f"{numba.__version__}, llvmlite {llvmlite.__version__}",
        "numpy": np.__version__,
        "device": _state.device,
        "processor": f"{llvm.get_host_cpu_name()}, {bits}-bit registers "
        f"({bits // 32} float32)",
        "threads": f"{threads} of {numba.config.NUMBA_NUM_THREADS}",
        "threading layer": _threading_layer(),
        "floatx": _state.floatx,
        "compiler": "off (NUMBA_DISABLE_JIT)" if numba.config.DISABLE_JIT else "on",
        "kernel cache": jit.cache_folder() or "none: every start compiles anew",
    }
    if _state.device == "cuda":
        from .kernels.cuda import target

        lines.update(target.description())
    for name, value in lines.items():
        print_fn(f"{name:16} {value}")


def _threading_layer():
    try:
        return numba.threading_layer()
    except ValueError:
        chosen = numba.config.THREADING_LAYER
        return f"{chosen} (chosen at the first parallel kernel)"


set_device(os.environ.get("KERASNB_DEVICE", "cpu"))
