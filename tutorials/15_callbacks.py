# %% [markdown]
# # 15 Callbacks: write your own, and resume after a crash
#
# Goal: watch and steer a training with your own code, and resume it after a crash.

# %%
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, plotting
from kerasnb.callbacks import Callback, LearningRateScheduler
from kerasnb.layers import Dense
from kerasnb.lessons import check, figure, quick, show

# %% [markdown]
# ## Hooks
# `fit` is two loops around a step, and calls whoever wants to be called:


# %%
def slow_fit(step, epochs, batches, callback):
    callback.on_train_begin()
    for epoch in range(epochs):
        for batch in range(batches):
            callback.on_batch_end(batch, {"loss": step()})
        callback.on_epoch_end(epoch)


class Diary(Callback):
    def on_train_begin(self, logs=None):
        self.heard = []

    def on_batch_end(self, batch, logs=None):
        self.heard.append(batch)

    def on_epoch_end(self, epoch, logs=None):
        self.heard.append(f"epoch {epoch}")


by_hand, real = Diary(), Diary()
slow_fit(lambda: 0.5, 2, 3, by_hand)
model = Sequential([Dense(1, input_shape=(1,))])
model.compile("sgd", "mse")
model.fit(np.ones((6, 1)), np.ones(6), 2, epochs=2, verbose=0, callbacks=[real])
assert by_hand.heard == real.heard
show(type(model)._run_epoch)

# %% [markdown]
# ## Steering
# A callback sees the model as `self.model`: it may stop the training, or change the
# learning rate. A cosine lets it fall slowly, then fast, then slowly again:
#
#     lr(e) = lr_0 (1 + cos(pi e / E)) / 2
#
# Question: after how many of E epochs is half of lr_0 left?

# %%
(x, y), _ = datasets.moons.load_data(n=400, noise=0.2)
EPOCHS = quick(40, 8)


def cosine(epoch):
    return 0.05 * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2


assert np.isclose(cosine(EPOCHS / 2), 0.025)  # the answer: after half of them
kerasnb.set_seed(0)
model = Sequential([Dense(32, "relu", input_shape=(2,)), Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, 32, EPOCHS, 0, [LearningRateScheduler(cosine)])
figure(plotting.plot_history(history, ["lr", "loss"]), "15_history")

# %% [markdown]
# ## A crash
# This program kills itself in the sixth of ten epochs, as a power cut would.
# `BackupAndRestore` keeps a file of all that training needs: weights, the optimizer's
# memory, the random stream. Started again, `fit` goes on.

# %%
PROGRAM = """
import os, signal, sys
import numpy as np
import kerasnb
from kerasnb.callbacks import BackupAndRestore, LambdaCallback
from kerasnb.layers import Dense, Dropout
kerasnb.set_seed(3)
model = kerasnb.Sequential([Dense(8, "relu", input_shape=(2,)), Dropout(0.5), Dense(1)])
model.compile("adam", "mse")
x = np.random.default_rng(0).normal(size=(64, 2))
epochs = []
def crash(batch, logs):
    if sys.argv[2] == "crash" and len(epochs) == 6 and batch == 3:
        os.kill(os.getpid(), signal.SIGKILL)
watch = LambdaCallback(lambda e, logs: epochs.append(e), on_batch_end=crash)
seen = [watch, BackupAndRestore(sys.argv[1], save_freq=2)]
history = model.fit(x, x.sum(axis=1), 8, epochs=10, verbose=0, callbacks=seen)
print(len(epochs), history.history["loss"][-1], model.get_weights()[0].sum())
"""


def run(path, how):
    env = {**os.environ, "PYTHONPATH": str(Path(kerasnb.__file__).parent.parent)}
    command = [sys.executable, "-c", PROGRAM, str(path), how]
    return subprocess.run(command, env=env, capture_output=True, text=True)


with tempfile.TemporaryDirectory() as folder:
    whole = run(Path(folder, "a.knb"), "through").stdout.split()
    crashed = run(Path(folder, "b.knb"), "crash")
    assert crashed.returncode and not crashed.stdout
    resumed = run(Path(folder, "b.knb"), "through").stdout.split()
assert resumed[1:] == whole[1:] and len(whole) == 3, "the same bits"

# %% [markdown]
# ## Exercises


# %%
def warm_up(epoch, lr, epochs):
    """1. Rise in a line: lr / epochs in epoch 0, lr in epoch epochs - 1, then stay."""
    ...


line = lambda e, lr, n: lr * np.interp(e + 1, [0, n], [0, 1])  # noqa: E731
check(1, warm_up, line, lambda r: (r.integers(9), 0.1, 5), times=9)


# %%
def should_stop(losses, patience):
    """2. Has the smallest loss been followed by `patience` that are no better?"""
    ...


late = lambda s, p: len(s) - 1 - int(np.argmin(s)) >= p  # noqa: E731
check(2, should_stop, late, lambda r: (r.permutation(6).tolist(), 3), times=9)


# %%
def best_three(losses):
    """3. The three smallest losses, the smallest first."""
    ...


check(3, best_three, [1, 2, 4], lambda r: ([9, 4, 1, 7, 2],))
