"""
How every kernel is compiled, decided once.

`@inner` compiles a function that only other compiled functions call: a formula of
one number, or a building block such as the register tile. `@kernel` compiles a
function that a layer calls; it keeps two forms of the same body, serial and parallel,
and picks one by the amount of work, so a small model never pays for a parallel
compilation. Compiled code is cached in a private folder whose name is a fingerprint of
all kernel sources: an edit to any kernel file is seen at the next run. Read next:
`plain/dense.py` for a kernel in its shortest form.
"""

import contextlib
import functools
import hashlib
import math
import os
import pathlib
import shutil
import sys
import threading
import warnings

import numba
import numpy as np
from numba.core import config, types
from numba.core.dispatcher import Dispatcher
from numba.extending import overload

OPTIONS = {"error_model": "numpy", "nogil": True}
REASSOCIATE = {"contract", "reassoc", "nsz", "arcp"}  # never nnan or ninf: NaN travels
PARALLEL_WORK = 1 << 16  # elements, or groups of eight multiply-adds
KEPT_FINGERPRINTS = 4
SPIN_COUNT = "GOMP_SPINCOUNT"  # what GNU's OpenMP reads when its threads start

_one_parallel_launch = threading.Lock()  # Numba's workqueue layer allows only one
_one_folder = threading.Lock()  # Numba's cache folder is a setting of the process


def inner(function=None, *, inlined=False):
    """
    Compile a function that is called from inside kernels only.

    `inlined` copies its machine code to where it is called: for a function of many
    arguments, passing them takes longer than a hundred multiply-adds.
    """
    if function is None:
        return functools.partial(inner, inlined=inlined)
    compiled = numba.njit(fastmath={"contract"}, forceinline=inlined, **OPTIONS)(
        function
    )
    if not config.DISABLE_JIT:
        resolve = compiled.get_call_template
        compiled.get_call_template = lambda arguments, named: resolve(
            [types.unliteral(kind) for kind in arguments], named
        )  # f(x, 0) and f(x, n) are one function, compiled once
    return compiled


def kernel(function=None, *, work=None, reassociate=False, parallel=True):
    """
    Compile a kernel: outputs first, then inputs, then numbers; it returns nothing.

    `work(*arguments)` estimates the work in elements (or groups of eight
    multiply-adds), by default the size of the first output; from `PARALLEL_WORK` on the
    parallel form runs. `reassociate` lets
    the compiler reorder sums, which vectorises reductions. `parallel=False` keeps only
    the serial form, for loops in which every turn needs the one before.
    """
    if function is None:
        return functools.partial(
            kernel, work=work, reassociate=reassociate, parallel=parallel
        )

    def compile_form(is_parallel):
        flags = REASSOCIATE if reassociate else {"contract"}
        folder = cache_folder()
        with _one_folder:
            previous = config.CACHE_DIR
            if folder:  # Numba's cache cannot tell the two forms apart: one folder each
                form = "parallel" if is_parallel else "serial"
                config.CACHE_DIR = os.path.join(folder, form)
            try:
                return numba.njit(
                    parallel=is_parallel, cache=bool(folder), fastmath=flags, **OPTIONS
                )(function)
            finally:
                config.CACHE_DIR = previous

    def compile_serial(*arguments):
        """Compile the serial form at its first call, and take its place."""
        nonlocal serial
        serial = launch.serial = compile_form(False)
        serial(*arguments)

    def compile_parallel(*arguments):
        """Compile the parallel form at its first call, and take its place."""
        nonlocal in_parallel
        in_parallel = launch.parallel = compile_form(True)
        with short_waits():
            in_parallel(*arguments)

    def launch_by_size(*arguments):
        if arguments[0].size < most:
            serial(*arguments)
        else:
            with _one_parallel_launch:
                in_parallel(*arguments)

    def launch_by_work(*arguments):
        if work(*arguments) < most:
            serial(*arguments)
        else:
            with _one_parallel_launch:
                in_parallel(*arguments)

    def resolve(*arguments):
        """Return what these arguments lead to, for who launches them many times."""
        measure = work(*arguments) if work else arguments[0].size
        if measure >= most:
            return launch, arguments
        if isinstance(serial, Dispatcher):
            return serial.get_overload(tuple(map(numba.typeof, arguments))), arguments
        return serial, arguments

    most = PARALLEL_WORK if parallel else math.inf
    serial, in_parallel = compile_serial, compile_parallel if parallel else None
    launch = functools.wraps(function)(launch_by_work if work else launch_by_size)
    launch.serial, launch.parallel = serial, in_parallel or serial
    launch.resolve, launch.is_kernel = resolve, True
    return launch


@contextlib.contextmanager
def short_waits():
    """
    Let threads that wait for work soon fall asleep, if it is now that they start.

    OpenMP's default is to wait in a busy loop for milliseconds, which takes the
    processor from whoever has work: with other programs running, a step took twice as
    long. Sleeping at once made steps 10 % slower on an idle machine.
    """
    chosen = "OMP_WAIT_POLICY" in os.environ or SPIN_COUNT in os.environ
    if not chosen:
        os.environ[SPIN_COUNT] = "2000"  # turns of the loop: some microseconds
    try:
        yield
    finally:
        if not chosen:
            del os.environ[SPIN_COUNT]


def launcher(choose):
    """Make a kernel of a Python function that returns another and its arguments."""

    @functools.wraps(choose)
    def launch(*arguments):
        chosen, arguments = choose(*arguments)
        chosen(*arguments)

    def resolve(*arguments):
        """Return what these arguments lead to, for who launches them many times."""
        chosen, arguments = choose(*arguments)
        return chosen.resolve(*arguments)

    launch.resolve, launch.is_kernel = resolve, True
    return launch


def like(x, number):
    """Return the number in the type of `x`, so that float32 maths stays float32."""
    return x.dtype.type(number) if isinstance(x, np.generic) else float(number)


@overload(like, inline="always")
def _like(x, number):
    kind = x if isinstance(x, types.Float) else types.float64
    return lambda x, number: kind(number)


@functools.cache
def fingerprint():
    """Hash every kernel source, the versions and the interpreter."""
    digest = hashlib.sha256(
        f"{numba.__version__} {np.__version__} {sys.version}".encode()
    )
    root = pathlib.Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder():
    """Return the private folder of this fingerprint, or None if there can be none."""
    chosen = os.environ.get("KERASNB_CACHE_DIR")
    try:
        home = chosen or pathlib.Path.home() / ".cache" / "kerasnb"
        root = pathlib.Path(home) / "kernels"
        folder = root / fingerprint()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_shared(root)
        (folder / "used").touch()
    except (OSError, RuntimeError) as reason:
        warnings.warn(
            f"kerasnb: compiled kernels cannot be cached ({reason}), so every start "
            "compiles them anew. Set KERASNB_CACHE_DIR to a folder of your own.",
            stacklevel=2,
        )
        return None
    _prune(root)
    return str(folder)


def _refuse_shared(root):
    """Cached code is executed, so nobody else may be able to write it."""
    if hasattr(os, "getuid"):
        status = root.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise OSError(f"{root} can be written by other users")


def _prune(root):
    """Keep the most recently used fingerprints, forget the others."""
    folders = sorted(
        (path for path in root.iterdir() if (path / "used").exists()),
        key=lambda path: (path / "used").stat().st_mtime,
    )
    for folder in folders[:-KEPT_FINGERPRINTS]:
        shutil.rmtree(folder, ignore_errors=True)
