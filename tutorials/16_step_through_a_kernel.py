# %% [markdown]
# # 16 Step through a kernel in the debugger
#
# Goal: stop inside a kernel, look at its variables, learn what the compiler changes.

# %%
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kerasnb
from kerasnb.kernels.plain import dense
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, show

# %% [markdown]
# ## The kernel
# A Dense layer of two inputs and one output computes
#
#     y[n, o] = b[o] + sum_i x[n, i] W[i, o]
#
# In the readable definition, y starts as b, and each turn of `i` adds one product:

# %%
show(dense.dense_forward)


# %% [markdown]
# Compiled, it is machine code, which a debugger for Python cannot enter. With
# `NUMBA_DISABLE_JIT=1` the same lines run as plain Python, and breakpoints work.
# Numba reads that when it is imported: it takes a new process. The commands are for
# `pdb`, Python's debugger: `b` sets a breakpoint, `c` goes on, `p` prints, `q` quits.


# %%
def debugged(program, commands):
    """Run a program with the compiler off, under pdb, and return what pdb says."""
    off = {"NUMBA_DISABLE_JIT": "1", "KERASNB_DEVICE": "plain"}
    off["PYTHONPATH"] = str(Path(kerasnb.__file__).parent.parent)
    told = {"input": "\n".join([*commands, "q", ""]), "env": {**os.environ, **off}}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program.py")
        script.write_text(program)
        command = [sys.executable, "-m", "pdb", str(script)]
        return subprocess.run(command, capture_output=True, text=True, **told).stdout


PROGRAM = """
import numpy as np
from kerasnb.kernels.plain.dense import dense_forward

x, W, b = np.array([[1.0, 2.0]]), np.array([[10.0], [20.0]]), np.array([0.5])
y = np.zeros((1, 1))
dense_forward(y, x, W, b)
print("y =", y)
"""
source = Path(dense.__file__).read_text().splitlines()
line = 1 + next(n for n, text in enumerate(source) if "y[n, o] += x[n, i]" in text)

# %% [markdown]
# Question: we stop at that line each time it is about to run, and print i and y. What
# will the two stops show, and what does y hold in the end?

# %%
said = debugged(
    PROGRAM, [f"b {dense.__file__}:{line}", *["c", "p i, y[n, o]"] * 2, "c"]
)
stops = [text for text in said.splitlines() if text.startswith("(Pdb) (")]
print("\n".join(stops))
print([text for text in said.splitlines() if "y =" in text][-1])
assert [stop.split("(Pdb) ")[1][:2] for stop in stops] == ["(0", "(1"]
assert "0.5" in stops[0] and "10.5" in stops[1] and "y = [[50.5]]" in said

# %% [markdown]
# ## What the debugger finds best: where a NaN begins
# A loss that turns into nan has come from somewhere. NaN travels through every kernel,
# so go back layer by layer until an output has one and its input has none.

# %%
kerasnb.set_seed(0)
model = kerasnb.Sequential([Dense(4, input_shape=(3,)), Dense(4), Dense(1)])
W, b = model.layers[1].get_weights()
W[2, 1] = np.nan
model.layers[1].set_weights([W, b])
values, shares = np.ones((5, 3), "float32"), []
for layer in model.layers:
    values = layer(values)
    shares.append(np.isnan(values).mean())
    print(f"{layer.name}: {shares[-1]:.0%} of the outputs are nan")
assert shares[0] == 0 < shares[1] < shares[2] == 1
fig, ax = axes()
ax.bar([layer.name for layer in model.layers], np.multiply(shares, 100))
ax.set(title="One bad weight", ylabel="% of outputs that are nan")
figure(fig, "16_nan")

# %% [markdown]
# ## What is different with the compiler off
# An index beyond the end is an IndexError now; compiled it reads what lies there. And a
# sum that starts from Python's 0.0 has 64 bits, one that starts from a float32 has 32:
# kernels start from their data for that reason.

# %%
tenth = np.float32(0.1)
narrow, wide = np.float32(0), 0.0
for _ in range(1000):
    narrow, wide = narrow + tenth, wide + float(tenth)
print(f"1,000 tenths: {narrow} in float32, {wide:.7f} in float64")
assert abs(narrow - 100) > 1e-4 > abs(wide - 100)

# %% [markdown]
# ## Exercises


# %%
def breakpoint_command(path, number, condition):
    """1. What pdb is told, to stop only if a condition holds: b f.py:9, i > 3"""
    ...


check(1, breakpoint_command, "b k.py:12, n == 3", lambda r: ("k.py", 12, "n == 3"))


# %%
def first_bad_layer(outputs):
    """2. One array per layer: the number of the first that holds a NaN, or None."""
    ...


def outputs(r):
    arrays = r.normal(size=(5, 3))
    arrays[r.integers(1, 4) :, 1] = np.nan
    return (list(arrays),)


check(2, first_bad_layer, lambda a: int(np.argmax(np.isnan(a).any(axis=1))), outputs)


# %%
def hidden(x):
    """3. `x if x > 0 else 0` turns NaN into 0. Write a relu that lets it through."""
    ...


draw = lambda r: (r.choice([np.nan, -1.0, 2.0]),)  # noqa: E731
check(3, hidden, lambda x: np.maximum(x, 0), draw, times=9)
