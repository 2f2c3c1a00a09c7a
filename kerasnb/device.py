"""
The machine underneath: which kernels are in use, and in which precision.

`ops` is a namespace of kernels. A layer says `ops.dense_forward(y, x, W, b)` and never
which machine does it. `set_device("plain")` swaps in the short loops that a student
reads first; `"cpu"`, the default, replaces the hot ones by faster twins.
`show_config()` prints all that matters in a report of a problem.
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

ops = types.SimpleNamespace()
"""The kernels of the device in use, by name."""

_state = types.SimpleNamespace(
    device=None, floatx="float32", epsilon=1e-7, image_data_format="channels_last"
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
    Choose the kernels: "cpu" (default), or "plain" for the readable definitions.

    Raises
    ------
    ValueError
        If the name is unknown.
    RuntimeError
        If the device is "cuda": its kernels are not part of this version.
    """
    if name == "cuda":
        raise RuntimeError(
            "set_device: this version of kerasnb has no CUDA kernels. "
            "Use set_device('cpu')."
        )
    if name not in ("cpu", "plain"):
        raise ValueError(f"set_device: expected 'cpu' or 'plain', got {name!r}.")
    vars(ops).clear()
    vars(ops).update(kernels_of(name))
    _state.device = name


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


def aligned_zeros(size, dtype):
    """Return a vector of zeros that starts on a cache line (64 bytes)."""
    dtype = np.dtype(dtype)
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
    for name, value in lines.items():
        print_fn(f"{name:16} {value}")


def _threading_layer():
    try:
        return numba.threading_layer()
    except ValueError:
        chosen = numba.config.THREADING_LAYER
        return f"{chosen} (chosen at the first parallel kernel)"


set_device(os.environ.get("KERASNB_DEVICE", "cpu"))
