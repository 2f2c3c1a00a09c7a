# %% [markdown]
# # 10 Initialisation and batch normalisation
#
# Goal: follow numbers and gradients through ten layers, and keep both alive.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, initializers
from kerasnb.kernels.plain.normalization import batch_norm_forward
from kerasnb.layers import Activation, BatchNormalization, Dense
from kerasnb.lessons import axes, check, figure, quick, show

(x, y), (x_test, y_test) = datasets.digits.load_data()
x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16

# %% [markdown]
# ## What one layer does to the size of numbers
# z[o] is a sum of I products. If weights are drawn around 0, independent of each other,
# the variances (mean squares) of the products add up:
#
#     z[o] = sum_i x[i] W[i, o]        mean of z^2 = I var(W) mean of x^2
#
# With I var(W) = 1 the size would stay, if relu did not throw away half of the squares,
# the negative ones. So 2 should be right:

# %%
random = np.random.default_rng(0)
for share in (1.0, 2.0, 4.0):
    a, sizes = x[:256], []
    for _ in range(10):
        a = np.maximum(a @ random.normal(0, np.sqrt(share / 64), (64, 64)), 0)
        sizes.append(np.sqrt(np.mean(a**2)))
    print(f"I var(W) = {share}: layer 1 {sizes[0]:.2f}, layer 10 {sizes[9]:.4f}")

# %% [markdown]
# The way back has the same sums, over the outputs: gradients shrink or grow alike.
#
# ## Batch normalisation
# Or give every unit a mean of 0 and a variance of 1 over the batch, whatever the
# weights, and let it learn a scale gamma and a shift beta of its own:
#
#     y = gamma (x - mean) / sqrt(variance + epsilon) + beta


# %%
def normalise(x, gamma, beta, epsilon=1e-3):
    """Return y for a batch x (N, K)."""
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon) + beta


def network(stddev, normalised=False):
    """Return ten hidden layers of 64 relu units, and ten outputs."""
    kerasnb.set_seed(0)
    first = "he_normal" if stddev is None else initializers.RandomNormal(stddev=stddev)
    model = Sequential()
    for _ in range(10):
        model.add(Dense(64, kernel_initializer=first))
        if normalised:
            model.add(BatchNormalization(momentum=0.9))
        model.add(Activation("relu"))
    model.add(Dense(10, "softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


models = {
    "std 0.01": network(0.01),
    "std 0.5": network(0.5),
    "he_normal": network(None),
    "std 0.01, normalised": network(0.01, normalised=True),
}

# %% [markdown]
# Question: `he_normal` draws with I var(W) = 2, here a deviation of 0.18. What will
# numbers and gradients look like, layer by layer, with 0.01 and with 0.5?

# %%
drawn, (left, right) = axes(2)
for name, model in models.items():
    told = model.explain(x[:256], y[:256], training=True)
    rows = [row for row in told.rows if row["kind"] == "Activation"]
    layers = range(1, len(rows) + 1)
    left.semilogy(layers, [row["activation"]["rms"] for row in rows], label=name)
    right.semilogy(layers, [row["gradient"]["rms"] for row in rows], label=name)
left.set(xlabel="hidden layer", title="size of activations")
right.set(xlabel="hidden layer", title="size of gradients")
right.legend(loc="lower right")
figure(drawn, "10_sizes")

# %% [markdown]
# With 0.01 the image fades on the way up, the gradient on the way down. With 0.5 the
# output explodes, softmax is sure, and all slopes are 0: no line. Which ones can learn?

# %%
rates = {}
for name, model in models.items():
    model.fit(x, y, epochs=quick(10, 5), verbose=0)
    rates[name] = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{name:22} {rates[name]:.1%} of the test digits")
assert max(rates["std 0.01"], rates["std 0.5"]) < 0.3
assert min(rates["he_normal"], rates["std 0.01, normalised"]) > 0.6

# %% [markdown]
# ## The library's way

# %%
show(batch_norm_forward)
layer = BatchNormalization()
batch = random.normal(3, 2, size=(50, 4)).astype("float32")
assert np.allclose(layer(batch, training=True), normalise(batch, 1, 0), atol=1e-4)

# %% [markdown]
# ## Exercises


# %%
def he_limit(I):
    """1. Numbers drawn evenly from -u to u have variance u^2/3. Which u for 2/I?"""
    ...


largest = initializers.he_uniform()((64, 5000)).max()
check(1, he_limit, largest, lambda r: (64,), tolerance=1e-4)


# %%
def fold(W, b, mean, deviation):
    """2. At test time (x W + b - mean) / deviation is x V + c. Return (V, c)."""
    ...


def same_output(folded, W, b, mean, deviation):
    z = x[:9] @ folded[0] + folded[1]
    return np.allclose(z, (x[:9] @ W + b - mean) / deviation) or "The outputs differ."


W, (b, mean), deviation = np.eye(64)[:, :3], random.normal(size=(2, 3)), np.arange(1, 4)
check(2, fold, law=same_output, draw=lambda r: (W, b, mean, deviation))


# %%
def dead_units(a):
    """3. a (N, K) are outputs of relu. How many units are 0 for every sample?"""
    ...


outputs = np.array([[0.0, 2, 0, 0], [0, 0, 0, 1], [0, 3, 0, 0]])
check(3, dead_units, 2, lambda r: (outputs,))
