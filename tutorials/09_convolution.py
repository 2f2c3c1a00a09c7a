# %% [markdown]
# # 09 Convolution: a small window that slides
#
# Goal: find strokes in an image with nine weights, and let a network find its own.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, plotting
from kerasnb.kernels.plain.convolution import convolution_forward
from kerasnb.layers import Conv2D, Dense, Flatten, GlobalMaxPooling2D, MaxPooling2D
from kerasnb.lessons import check, figure, quick, show
from kerasnb.optimizers import Adam

(x, y), (x_test, y_test) = datasets.digits.load_data()
x, x_test = x[..., None] / 16, x_test[..., None] / 16  # rows, columns, one channel

# %% [markdown]
# ## Slide by hand
# A filter is a window of 3 x 3 weights. At each place of the image, multiply what lies
# below the window with the weights, and add up:
#
#     z[r, c] = b + sum over q, s of x[r + q, c + s] W[q, s]        q, s = 0, 1, 2
#
# Where the image looks like the filter, z is large.


# %%
def slide(image, W):
    """Return z for one image; it loses a row and a column on each side."""
    R, C = image.shape[0] - 2, image.shape[1] - 2
    z = np.zeros((R, C))
    for r in range(R):
        for c in range(C):
            for q in range(3):
                for s in range(3):
                    z[r, c] += image[r + q, c + s] * W[q, s]
    return z


ink_on_the_right = np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
ink_below = ink_on_the_right.T
zero = np.pad(x[y == 0][0, :, :, 0], 1)  # a ring of paper keeps the size at 8 x 8
maps = [slide(zero, W) for W in (ink_on_the_right, ink_below)]

# %% [markdown]
# Question: the digit is a zero. On which side of the ring does `ink_on_the_right` find
# something: outside on the left, inside on the left, both? Draw it first.

# %%
shown = [zero[1:-1, 1:-1] * 3, *(np.maximum(z, 0) for z in maps)]
titles = ["digit", "ink on the right", "ink below"]
figure(plotting.plot_images(np.array(shown), titles=titles, columns=3), "09_by_hand")

# %% [markdown]
# At the left border of each stroke: outside of the left side, and inside of the right.
#
# ## The library's way
# `Conv2D` has many filters, over images of many channels. In the definition of its
# kernel, j and l are row and column under the window, k the channel, f the filter.

# %%
show(convolution_forward)
W = np.stack([ink_on_the_right, ink_below], axis=-1)[:, :, None]  # (3, 3, 1, 2)
layer = Conv2D(2, 3, padding="same", use_bias=False, weights=[W])
z = layer(x[y == 0][:1])  # (1, 8, 8, 2): the filters are the last axis
assert np.allclose(np.moveaxis(z[0], -1, 0), maps, atol=1e-5)

# %% [markdown]
# ## Filters that nobody designed
# The weights of a filter are learned like all others. Max pooling keeps the largest of
# each 2 x 2 numbers, the global one the largest of a whole map: what was found counts,
# and hardly where. For comparison, a Dense network with about as many weights.


# %%
def train(*layers):
    kerasnb.set_seed(0)
    model = Sequential([*layers, Dense(10, "softmax")])
    model.compile(Adam(lr=0.01), "sparse_categorical_crossentropy", metrics=["acc"])
    model.fit(x, y, epochs=quick(12, 6), verbose=0)
    return model


same = {"padding": "same", "activation": "relu"}
windows = train(
    Conv2D(8, 3, input_shape=(8, 8, 1), **same),
    Conv2D(16, 3, **same),
    MaxPooling2D(2),
    Conv2D(16, 3, **same),
    GlobalMaxPooling2D(),
)
dense = train(Flatten(input_shape=(8, 8, 1)), Dense(50, "relu"))
figure(plotting.plot_filters(windows), "09_filters")
figure(plotting.plot_feature_maps(windows, x_test[y_test == 3][0], 0), "09_maps")

# %% [markdown]
# Vermillion wants ink, blue wants paper. Now move every test digit right by one pixel:

# %%
moved = np.roll(x_test, 1, axis=2)
moved[:, :, 0] = 0
for name, model in (("windows", windows), ("dense", dense)):
    rates = [model.evaluate(images, y_test, verbose=0)[1] for images in (x_test, moved)]
    print(
        f"{name:8} {model.count_params()} weights: {rates[0]:.1%}, moved {rates[1]:.1%}"
    )
    if model is windows:
        best = rates[1]
assert best > rates[1] + 0.2, "a stroke is a stroke wherever it is"

# %% [markdown]
# ## Exercises


# %%
def output_size(size, window, stride):
    """1. How many places has a window on a row of this size, without padding?"""
    ...


def by_layer(size, window, stride):
    return Conv2D(1, window, strides=stride).compute_output_shape((1, size, size, 1))[1]


check(1, output_size, by_layer, lambda r: (20, *r.integers(1, 6, 2).tolist()), times=9)


# %%
def max_pool(z):
    """2. Return the largest of each 2 x 2 numbers of z (R, C), R and C even."""
    ...


def pooled(z):
    return MaxPooling2D(2)(z[None, :, :, None])[0, :, :, 0]


check(2, max_pool, pooled, lambda r: (r.normal(size=(6, 4)).astype("float32"),))


# %%
def weights_of(window, channels, filters):
    """3. How many numbers does a Conv2D learn, biases included?"""
    ...


learned = windows.layers[1].count_params()
check(3, weights_of, learned, lambda r: (3, 8, 16))
