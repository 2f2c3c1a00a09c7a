# %% [markdown]
# # 14 Data in portions: generators, Sequences, augmentation
#
# Goal: feed a network batch by batch, and let each epoch see new variations of images.

# %%
import numpy as np

from kerasnb import Sequence, Sequential, datasets, set_seed
from kerasnb.image_iterators import ImageIterator
from kerasnb.layers import Conv2D, Dense, GlobalMaxPooling2D
from kerasnb.lessons import axes, check, figure, quick, show
from kerasnb.preprocessing import ImageDataGenerator

(x, t), (x_test, t_test) = datasets.digits.load_data()
x, t = x[:200, ..., None] / 16, t[:200]  # only 20 images a digit
x_test = x_test[..., None] / 16

# %% [markdown]
# ## Three ways to hand over the same data
# Arrays are simplest, while they fit into memory. A generator is a function with
# `yield`: it hands over one batch, and waits until the next one is wanted. It does not
# know how long an epoch is, so we say it. A Sequence knows its batches by number, and
# how many there are:
#
#     batches = ceil(samples / batch size)        batch k = rows k B up to (k + 1) B


# %%
def generator(x, t, B=32):
    while True:
        for start in range(0, len(x), B):
            yield x[start : start + B], t[start : start + B]


class Batches(Sequence):
    def __init__(self, x, t, B=32):
        self.x, self.t, self.B = x, t, B

    def __len__(self):
        return int(np.ceil(len(self.x) / self.B))

    def __getitem__(self, k):
        rows = slice(k * self.B, (k + 1) * self.B)
        return self.x[rows], self.t[rows]


def new_model():
    set_seed(0)
    layers = [Conv2D(16, 3, activation="relu", input_shape=(8, 8, 1))]
    layers += [Conv2D(32, 3, activation="relu"), GlobalMaxPooling2D()]
    model = Sequential([*layers, Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["acc"])
    return model


by_arrays, by_generator, by_sequence = (new_model() for _ in range(3))
by_arrays.fit(x, t, batch_size=32, epochs=2, shuffle=False, verbose=0)
by_generator.fit_generator(generator(x, t), steps_per_epoch=7, epochs=2, verbose=0)
by_sequence.fit_generator(Batches(x, t), epochs=2, shuffle=False, verbose=0)
for model in (by_generator, by_sequence):
    for W, V in zip(model.get_weights(), by_arrays.get_weights()):
        assert np.array_equal(
            W, V
        ), "the same batches, the same weights to the last bit"

# %% [markdown]
# Question: a generator and a Sequence give the same numbers. A helper in a second
# thread shall prepare batches while the network trains; then two helpers at once. With
# which of the two can that work, and why?
#
# With the Sequence: "you make batch 3, you make batch 4" needs numbers. Of a generator
# one can only ask "next, please". `shuffle` needs numbers as well.
#
# ## Variations
# A digit that is turned or moved a little is still the same digit. A pixel of the
# result asks where in the original it comes from; for an angle a about the middle:
#
#     row = r cos a - c sin a        column = r sin a + c cos a


# %%
def turned(image, degrees):
    """Return an image (8, 8), turned clockwise; each pixel takes the nearest one."""
    a, middle = np.radians(degrees), 3.5
    y = np.zeros_like(image)
    for r in range(8):
        for c in range(8):
            u = (r - middle) * np.cos(a) - (c - middle) * np.sin(a) + middle
            v = (r - middle) * np.sin(a) + (c - middle) * np.cos(a) + middle
            u, v = (min(max(int(np.rint(z)), 0), 7) for z in (u, v))
            y[r, c] = image[u, v]
    return y


images = ImageDataGenerator(rotation_range=8, width_shift_range=0.06)
fig, ax = axes(columns=5, size=(2.2, 2.4))
for place, angle in enumerate((-30, -15, 0, 15, 30)):
    ax[place].imshow(turned(x[3, ..., 0], angle), cmap="gray_r")
    ax[place].set(title=f"{angle} degrees")
    ax[place].axis("off")
figure(fig, "14_turned")
show(ImageIterator)

# %% [markdown]
# `flow` is a Sequence of batches, made anew each time. It hardly matters here (94.7 %,
# 95.3 %): variations help if they are what will come.

# %%
plain, varied = new_model(), new_model()
plain.fit(x, t, 32, quick(150, 8), verbose=0)
flow = images.flow(x, t, batch_size=32, seed=0)
varied.fit_generator(flow, epochs=quick(150, 8), verbose=0)
for model in (plain, varied):
    print(f"{model.evaluate(x_test, t_test, verbose=0)[1]:.1%} of the test")

# %% [markdown]
# ## Exercises


# %%
def batches_in(samples, size):
    """1. How many batches does a pass make, the last one shorter if need be?"""
    ...


check(1, batches_in, lambda n, b: len(range(0, n, b)), lambda r: r.integers(1, 9, 2))


# %%
def rows_of(k, size, samples):
    """2. The numbers of the first row of batch k, and of the row after its last."""
    ...


def by_slice(k, size, samples):
    rows = list(range(samples))[k * size : (k + 1) * size]
    return rows[0], rows[-1] + 1


check(2, rows_of, by_slice, lambda r: (int(r.integers(3)), 4, 10), times=9)


# %%
def mirrored(image):
    """3. The image (R, C) seen in a mirror: left and right change places."""
    ...


check(3, mirrored, np.fliplr, lambda r: (r.normal(size=(3, 4)),))
