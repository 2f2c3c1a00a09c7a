# %% [markdown]
# # 20 Your own layer, from equation to property test
#
# Goal: turn an equation into a layer that trains, saves and loads like any other, and
# prove it with laws instead of examples.

# %%
import numpy as np

import kerasnb
from kerasnb import Layer, Sequential, check_layer, datasets, plotting
from kerasnb.layers import Dense, Flatten
from kerasnb.lessons import check, figure, quick, show

# %% [markdown]
# ## 1. The equation
# Root-mean-square normalisation (Zhang and Sennrich, 2019) scales each row x to size 1,
# times factors g that are learned:
#
#     s = sqrt(mean of x[c]^2 + epsilon),    n = x / s,    y = g n
#
# Each x[c] acts twice, by itself and by way of s. With u = g dy that gives
#
#     dx[c] = (u[c] - n[c] mean(u n)) / s,    dg[c] = sum over samples of dy[c] n[c]
#
# Question: what must happen to y when x becomes 10 x?


# %%
def slow(x, g, epsilon):
    y = np.zeros_like(x)
    for n in range(len(x)):
        s = (sum(value * value for value in x[n]) / len(g) + epsilon) ** 0.5
        y[n] = [g[c] * x[n, c] / s for c in range(len(g))]
    return y


# %% [markdown]
# ## 2. The layer: five short methods, as in the library's own

# %%
show(kerasnb.layers.Masking)


class RMSNorm(Layer):
    """forward y = g n, n = x / s, s = root of the mean of x squared"""

    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.g = self.add_weight("g", (input_shape[-1],), "ones")

    def forward(self, x, training):
        self.s = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.epsilon)
        self.n = x / self.s
        return self.g.value * self.n

    def backward(self, dy):
        if self.g.grad is not None:  # None: the layer is frozen
            self.g.grad[...] = (dy * self.n).sum(axis=0)
        u = self.g.value * dy
        return (u - self.n * np.mean(u * self.n, axis=-1, keepdims=True)) / self.s

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


random = np.random.default_rng(0)
x = random.normal(size=(4, 5)).astype("float32")
assert np.allclose(RMSNorm()(x), slow(x, np.ones(5), 1e-6), atol=1e-5)

# %% [markdown]
# ## 3. The proof
# `check_layer` measures the slopes of `forward`, as in lesson 02, and much else.

# %%
print(check_layer(RMSNorm(), input_shape=(5,)))


class Forgetful(RMSNorm):
    def backward(self, dy):  # everybody's first mistake: s is taken for a constant
        return self.g.value * dy / self.s


assert not check_layer(Forgetful(), input_shape=(5,), raise_on_failure=False).passed

# %% [markdown]
# ## 4. Laws
# An example says that one output is right; a law speaks of all inputs. We try many.

# %%
layer = RMSNorm(input_shape=(5,))
for _ in range(100):
    x = random.normal(size=(random.integers(1, 6), 5)).astype("float32")
    assert np.allclose(layer(10 * x), layer(x), atol=1e-3), "the size of x is gone"
    assert np.allclose(layer(-x), -layer(x)), "the sign is kept"
    assert np.allclose(layer(x[::-1]), layer(x)[::-1]), "samples are independent"

# %% [markdown]
# ## 5. Use it
# In a stack, trained, saved by name and loaded with `custom_objects`. The picture shows
# what each layer hands on: zeros of the norm are paper, zeros after it relu cut off.

# %%
(x, y), (x_test, y_test) = datasets.digits.load_data()
kerasnb.set_seed(0)
model = Sequential([Flatten(), RMSNorm(), Dense(64, "relu"), Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=quick(30, 10), verbose=0)
figure(plotting.plot_activations(model, x_test), "20_activations")
assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.9
again = kerasnb.models.model_from_json(model.to_json(), {"RMSNorm": RMSNorm})
assert again.to_json() == model.to_json()

# %% [markdown]
# ## Exercises


# %%
def rms(x):
    """1. The size of a vector: the root of the mean of its squares."""
    ...


check(1, rms, lambda x: np.linalg.norm(x) / 6**0.5, lambda r: (r.normal(size=6),))


# %%
def mean_norm_backward(dy):
    """2. Another layer: y = x - mean(x) of each row. Return dx for dy (N, C)."""
    ...


dy = random.normal(size=(3, 4))
slope = kerasnb.grad(lambda x: np.sum((x - np.mean(x, axis=1, keepdims=True)) * dy))
check(2, mean_norm_backward, slope(np.ones((3, 4))), lambda r: (dy,))


# %%
def breaks_the_law(f, x):
    """3. Return a row of x (N, C) with f(-row) != -f(row), or None if there is none."""
    ...


rows = np.array([[1.0, -1.0], [0.5, 3.0], [0.0, 1.0]])
check(3, breaks_the_law, rows[1], lambda r: (lambda row: np.minimum(row, 2), rows))
