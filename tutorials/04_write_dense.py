# %% [markdown]
# # 04 Write Dense, then open ours
#
# Goal: write the layer that most networks consist of, forward and backward, and use it.

# %%
import numpy as np

import kerasnb
from kerasnb import Layer, Sequential, check_layer, datasets, plotting
from kerasnb.layers import Activation, Dense
from kerasnb.lessons import check, figure, show
from kerasnb.optimizers import Adam

# %% [markdown]
# ## Forward
# N samples of I numbers come in, N samples of O numbers go out. Every output looks at
# every input, through a weight of its own:
#
#     z[n, o] = b[o] + sum_i x[n, i] W[i, o]
#
# ## Backward
# We are told dz, how much the loss rises with each z[n, o]. W[i, o] touches column o of
# z, through each x[n, i]; x[n, i] touches all of row n. Add up all ways to the loss:
#
#     dW[i, o] = sum_n x[n, i] dz[n, o]
#     db[o]    = sum_n dz[n, o]
#     dx[n, i] = sum_o dz[n, o] W[i, o]
#
# Question: x is (N, I), W is (I, O), dz is (N, O). From the shapes alone, which matrix
# product could give an array of the shape of W, and which one of the shape of x?


# %%
def slow_backward(dz, x, W):
    """Return dx, dW and db: the three sums, one number at a time."""
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros(W.shape[1])
    for n in range(x.shape[0]):
        for o in range(W.shape[1]):
            db[o] += dz[n, o]
            for i in range(x.shape[1]):
                dW[i, o] += x[n, i] * dz[n, o]
                dx[n, i] += W[i, o] * dz[n, o]
    return dx, dW, db


# %% [markdown]
# Only one product fits each: dW = xT dz and dx = dz WT, where T swaps the axes. A layer
# of kerasnb is a class with a few short methods. `forward` keeps what `backward` will
# read; gradients of weights go into `grad`; that of the input is returned.


# %%
class OwnDense(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.W = self.add_weight("W", (input_shape[-1], self.units))
        self.b = self.add_weight("b", (self.units,), "zeros")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def forward(self, x, training):
        self.x = x
        return x @ self.W.value + self.b.value

    def backward(self, dz):
        self.W.grad[...] = self.x.T @ dz
        self.b.grad[...] = dz.sum(axis=0)
        return dz @ self.W.value.T

    def get_config(self):
        return {**super().get_config(), "units": self.units}


# %% checked twice: by the slow loops, and by measuring slopes as in lesson 02
random = np.random.default_rng(0)
x, W, dz = (random.normal(size=shape) for shape in ((7, 3), (3, 5), (7, 5)))
dx, dW, _ = slow_backward(dz, x, W)
assert np.allclose(dW, x.T @ dz) and np.allclose(dx, dz @ W.T)
print(check_layer(OwnDense(4), input_shape=(3,)))

# %% [markdown]
# Two half moons, a stack of our own layers. Without `relu` between them, two layers are
# one: (x W) V = x (W V) is a single matrix, and its border a straight line.

# %%
(x, y), (x_test, y_test) = datasets.moons.load_data(n=1000, noise=0.15)


def train(layer):
    kerasnb.set_seed(1)
    hidden = [layer(32, input_shape=(2,)), Activation("relu")]
    model = Sequential([*hidden, layer(2), Activation("softmax")])
    model.compile(Adam(lr=0.01), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, y, epochs=40, verbose=0)
    return model


own = train(OwnDense)
accuracy = own.evaluate(x_test, y_test, verbose=0)[1]
assert accuracy > 0.95, accuracy
figure(plotting.plot_decision_boundary(own, x_test, y_test), "04_moons")

# %% [markdown]
# ## The library's way
# The same three products, by kernels as in lesson 03, which fill arrays made once; and
# no gradient where a weight is frozen. Which lines are ours?

# %%
show(Dense.forward)
show(Dense.backward)
assert np.allclose(own.predict(x_test), train(Dense).predict(x_test), atol=1e-3)

# %% [markdown]
# ## Exercises


# %%
def relu_backward(z, dy):
    """1. relu is y = max(z, 0). Return dz for arrays z and dy."""
    ...


z, dy = random.normal(size=(2, 9))
by_tape = kerasnb.grad(lambda z: np.sum(np.maximum(z, 0) * dy))(z)
check(1, relu_backward, by_tape, lambda r: (z, dy))


# %%
def learned_numbers(sizes):
    """2. How many numbers does a stack such as [20, 9, 7] learn, with biases?"""
    ...


check(2, learned_numbers, 259, lambda r: ([20, 9, 7],))


# %%
def sequence_dW(x, dz):
    """3. x (N, T, I) is a sequence, dz (N, T, O), W is the same at each step: dW?"""
    ...


x, dz = random.normal(size=(2, 4, 3)), random.normal(size=(2, 4, 5))
one_by_one = sum(slow_backward(dz[:, t], x[:, t], W)[1] for t in range(4))
check(3, sequence_dW, one_by_one, lambda r: (x, dz))
