"""
What the CUDA compiler makes of every kernel, without a GPU: `make ptx`.

Each kernel is called with arguments of `cases.py` and of `large.py`, but instead of a
launch its entries are compiled to PTX for some compute capabilities, and what matters
is read off: float64 arithmetic, of which there is none in float32 kernels but for the
reasons in `DOUBLES`, and, by `ptxas` where it is installed, spilled registers, of which
there are none at all. The table shows registers, shared bytes and multiply-adds.

Run: python tests/cuda/inspection.py [part of a kernel's name]...
"""

import inspect
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES  # noqa: E402
from large import LARGE, Shape  # noqa: E402

from kerasnb import device  # noqa: E402
from kerasnb.kernels.cuda import target  # noqa: E402

CAPABILITIES = [(7, 5), (8, 0), (9, 0)]
DOUBLE = re.compile(
    r"\b(?:add|sub|mul|div|fma|mad|min|max|sqrt|ex2|lg2|neg|abs)\S*\.f64"
)
LONG_SUMS = "long sums, in float64 as in plain"
SCALARS = "one number for all, such as 1 - rho, as in plain"
DOUBLES = {
    **dict.fromkeys(
        "_squares_by_block _clip_by_norm _l1l2_penalty _weighted_sum _sum_columns "
        "_sample_coefficients _moments_of_pieces _join_pieces _gradients_of_pieces "
        "_inverse_deviation _sample_norm_forward _sample_norm_backward "
        "_add_counts".split(),
        LONG_SUMS,
    ),
    **dict.fromkeys(
        "_adadelta_update _adam_update _adamax_update _amsgrad_update _nadam_update "
        "_rmsprop_update _l1l2_gradient _limit_norms".split(),
        SCALARS,
    ),
    "_affine_transform": "places of pixels, in float64 as in plain",
    "_random_uniform": "low and high, in float64 as in plain",
    "_random_normal": "the same bits as plain",
    "_normal_noise": "the same bits as plain",
    "_random_truncated_normal": "the same bits as plain",
}
"""Entries of float32 kernels that may compute in float64, and why."""


WORK = []
"""Kernel, entry and types of each compilation."""


class Code(NamedTuple):
    """What is known of an entry for one compute capability."""

    multiply_adds: int
    doubles: int
    registers: int
    shared: int
    spilled: int


def why_not():
    """Return why nothing can be compiled here, or None."""
    try:
        from numba.cuda.cudadrv.nvvm import NVVM

        NVVM()
    except Exception as error:  # of many kinds, by the package that brings the compiler
        first = str(error).strip().splitlines()[0]
        return f"no CUDA toolkit, so no kernel is compiled: {first}"
    return None


# ---- entries ----------------------------------------------------------------------


def type_of(argument):
    """Return what the compiler calls the type of an argument of an entry."""
    if isinstance(argument, Shape):
        of = target.numba.from_dtype(argument.dtype)
        return target.numba.types.Array(of, argument.ndim, "C")
    return target.numba.typeof(argument)


def arguments_of(name, dtype):
    """Yield lists of arguments for a kernel, arrays without numbers."""
    for arguments in CASES[name](np.random.default_rng(0), dtype):
        yield [
            Shape(a.shape, a.dtype) if isinstance(a, np.ndarray) else a
            for a in arguments
        ]
    yield from LARGE.get(name, ())


def signatures(name, dtype="float32"):
    """Return the entries that a kernel launches, with the types of their arguments."""
    found = {}

    def note(entry, threads, arguments):
        kinds = tuple(map(type_of, arguments))
        found[entry, kinds] = entry, kinds

    target.Entry.inspect = note
    try:
        for arguments in arguments_of(name, dtype):
            device.kernels_of("cuda")[name](*arguments)
    finally:
        target.Entry.inspect = None
    return list(found.values())


def name_of(entry):
    """Return the name of an entry, with what it was made of."""
    name = entry.__qualname__.rpartition("<locals>.")[2]
    made_of = inspect.getclosurevars(entry.function).nonlocals
    if "height" in made_of:
        return f"{name} {made_of['height']}x{made_of['breadth']}"
    functions = [v.__name__ for v in made_of.values() if hasattr(v, "__name__")]
    return " ".join([name, *functions])


# ---- code -------------------------------------------------------------------------


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
    """Return registers, shared and spilled bytes by `ptxas`; -1 where it is missing."""
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        return -1, -1, -1
    arch = "sm_{}{}".format(*capability)
    report = subprocess.run(
        [ptxas, "-v", f"-arch={arch}", "-o", os.devnull, "-"],
        input=ptx, text=True, capture_output=True, check=True,
    ).stderr  # fmt: skip
    registers = int(re.search(r"Used (\d+) registers", report)[1])
    shared = re.search(r"(\d+) bytes smem", report)
    spilled = sum(map(int, re.findall(r"(\d+) bytes spill", report)))
    return registers, int(shared[1]) if shared else 0, spilled


def code_of(entry, kinds, capability):
    """Compile an entry and count what is in it."""
    ptx = ptx_of(entry, kinds, capability)
    multiply_adds = len(re.findall(r"\bfma\.rn\.f32\b", ptx))
    doubles = len(DOUBLE.findall(ptx))
    return Code(multiply_adds, doubles, *assembled(ptx, capability))


def faults(name, codes):
    """Return what is wrong with the code of an entry, in words."""
    if any(code.spilled > 0 for code in codes):
        yield "spills registers"
    if any(code.doubles for code in codes) and name not in DOUBLES:
        yield "computes in float64"


def work_list(parts):
    """Return each entry once, with its types and the first kernel that launches it."""
    work = {}
    for kernel in sorted(set(CASES) & set(device.kernels_of("cuda"))):
        if not parts or any(part in kernel for part in parts):
            for entry, kinds in signatures(kernel):
                work.setdefault((entry, kinds), kernel)
    return [(kernel, *pair) for pair, kernel in work.items()]


def compile_one(i):
    """Return the code of an entry for every capability, or what went wrong."""
    _, entry, kinds = WORK[i]
    try:
        return [code_of(entry, kinds, capability) for capability in CAPABILITIES]
    except Exception as error:  # whatever the compiler says belongs into the table
        return f"{type(error).__name__}: {error}"


def line_of(kernel, name, codes):
    """Return a line of the table, and whether the entry has a fault."""
    found = codes.split("\n")[0] if isinstance(codes, str) else ""
    words = ""
    if not found:
        found = ", ".join(faults(name, codes))
        registers = "/".join(str(code.registers) for code in codes)
        last = codes[-1]
        words = f"{registers:>11} {last.shared:6} {last.multiply_adds:6}"
        words += f" {last.doubles:7}  {DOUBLES.get(name, '')}"
    return f"{kernel:30} {name:36} {words} {found}".rstrip(), bool(found)


def inspect_all(parts):
    """Print the table; return how many entries have a fault."""
    WORK[:] = work_list(parts)
    capabilities = "/".join("{}.{}".format(*c) for c in CAPABILITIES)
    print("registers for", capabilities, "| shared bytes | multiply-adds | float64")
    bad = 0
    processes = multiprocessing.get_context("fork")  # which inherit the work
    with processes.Pool() as pool:
        codes_of = pool.imap(compile_one, range(len(WORK)), chunksize=4)
        for (kernel, entry, _), codes in zip(WORK, codes_of):
            line, is_bad = line_of(kernel, name_of(entry), codes)
            print(line, flush=True)
            bad += is_bad
    print(f"{len(WORK)} entries, {bad} with a fault")
    return bad


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(reason)
    else:
        sys.exit(inspect_all(sys.argv[1:]) > 0)
