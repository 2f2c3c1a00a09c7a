# %% [markdown]
# # 11 Sequences: an LSTM that adds
#
# Goal: let a network read numbers one after the other and keep a sum in its memory.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential
from kerasnb.gated_cells import LSTMCell
from kerasnb.layers import LSTM, Dense, Masking, SimpleRNN
from kerasnb.lessons import axes, check, figure, quick, show
from kerasnb.optimizers import Adam

random = np.random.default_rng(0)

# %% [markdown]
# ## The task
# A step of a sequence is a number from 0 to 1 and a mark, 0 or 1. The target at each
# step is the sum of the marked numbers so far. Sequences have 4 to 12 steps; in one
# array (N, T, 2) the short ones are filled up with zeros.


# %%
def draw(n, shortest=4, longest=12):
    """Return x (n, longest, 2), targets (n, longest, 1) and lengths (n,)."""
    marks = random.uniform(size=(n, longest)) < 0.3
    x = np.stack([random.uniform(size=(n, longest)), marks], axis=-1)
    lengths = random.integers(shortest, longest + 1, n)
    x[np.arange(longest) >= lengths[:, None]] = 0
    return x, np.cumsum(x[:, :, :1] * x[:, :, 1:], axis=1), lengths


# %% [markdown]
# ## The memory
# An LSTM carries two arrays from step to step: its output h and its memory c. Three
# gates, numbers from 0 to 1, are computed from the input x and the last h: i says how
# much of the news g to write, f how much of the memory to keep, o how much to show.
#
#     i, f, o = sigmoid(x W + h U + b)    g = tanh(x W + h U + b)    each its W, U, b
#     c = f c + i g                       h = o tanh(c)


# %%
def lstm(x, W, U, b):
    """Return h at every step; W, U and b hold the columns of i, f, g and o."""
    h = c = np.zeros((len(x), len(U)))
    shown = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        shown.append(h)
    return np.stack(shown, axis=1)


# %% [markdown]
# The same step in the library's own file; what runs is a kernel for all steps at once.

# %%
show(LSTMCell.step)
x, y, lengths = draw(2000)
layer = LSTM(8, recurrent_activation="sigmoid", return_sequences=True)
assert np.allclose(layer(x[:9]), lstm(x[:9], *layer.get_weights()), atol=1e-5)

# %% [markdown]
# ## Masks, and weights of steps
# The zeros at the end are no data. `Masking` marks steps that hold nothing but zeros;
# the LSTM leaves its memory alone there, and the loss does not count them. With
# `sample_weight_mode="temporal"` each step has a weight in the loss. We train twice:
# all steps count, or only the last step of each sequence.
#
# Question: the second network is never told a sum on the way. What will it say in the
# middle of a sequence? And what will both say after 30 steps, if they learned from 12?

# %%
last = np.arange(12) == lengths[:, None] - 1  # True at the last step of each sequence
models = {}
for name, weights in (("all steps", np.ones(last.shape)), ("last step", last * 1.0)):
    kerasnb.set_seed(0)
    model = Sequential([Masking(input_shape=(None, 2))])
    model.add(LSTM(32, recurrent_activation="sigmoid", return_sequences=True))
    model.add(Dense(1))
    model.compile(Adam(lr=0.01), "mse", sample_weight_mode="temporal")
    model.fit(x, y, epochs=quick(20, 6), sample_weight=weights, verbose=0)
    models[name] = model

x_long, y_long, _ = draw(300, shortest=30, longest=30)
drawn, (left, right) = axes(2)
left.step(range(1, 31), y_long[0, :, 0], "k-", where="mid", label="true sum")
for (name, model), line in zip(models.items(), ("o", "s")):
    p = model.predict(x_long)
    error = np.sqrt(np.mean((p - y_long) ** 2, axis=(0, 2)))
    left.plot(range(1, 31), p[0, :, 0], line, ms=5, label=name)
    right.plot(range(1, 31), error, line + "-", ms=5, label=name)
    print(
        f"{name}: error {error[:12].mean():.3f} in steps 1 to 12, {error[29]:.3f} at 30"
    )
    assert error[:12].mean() < 0.2 < error[29]
left.set(xlabel="step", title="one long sequence")
right.set(xlabel="step", title="error (root of mean square)")
right.axvline(12, color="0.6", linestyle=":")  # the longest sequence of training
left.legend(), right.legend()
figure(drawn, "11_sums")

# %% [markdown]
# It adds on the way although nobody asked: that is the only way to know the last sum.
# Beyond 12 steps the sums become larger than any in training, and tanh has an end.

# %%
short = x[lengths == 5][:3]  # five steps, and seven of filling
padded, cut = model.predict(short), model.predict(short[:, :5])
assert np.allclose(padded[:, 4], cut[:, 4], atol=1e-5), "the mask hides the filling"

# %% [markdown]
# ## Exercises


# %%
def simple_rnn(x, W, U, b):
    """1. h = tanh(x W + h U + b) at each step, from h = 0. Return all h (N, T, u)."""
    ...


layer = SimpleRNN(3, return_sequences=True)
h = layer(x[:4])
check(1, simple_rnn, h, lambda r: (x[:4], *layer.get_weights()), tolerance=1e-4)


# %%
def mask_of(x):
    """2. Return True where a step holds data, (N, T), for x (N, T, D)."""
    ...


masking = Masking()
masking(x[:5])
check(2, mask_of, masking.made, lambda r: (x[:5],))


# %%
def second_half(lengths, T):
    """3. Return weights (N, T): 1 in the later half of each sequence (length even)."""
    ...


halves = [[0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
check(3, second_half, np.array(halves), lambda r: (np.array([2, 6]), 6))
