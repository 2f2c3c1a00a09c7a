# %% [markdown]
# # A convolutional network learns what to look for
#
# Goal: read digits with small windows that slide over the image, and see what those
# windows have learned to look for. `make demo` runs this file after
# `00_digits_demo.py`; it takes some seconds, and at the first run as many again to
# compile its kernels.

# %%
import pathlib

import numpy as np

import kerasnb
from kerasnb import datasets, plotting
from kerasnb.callbacks import LearningRateScheduler
from kerasnb.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from kerasnb.models import Sequential

kerasnb.set_seed(0)  # the same numbers at every run

# %% [markdown]
# ## The data
# The same digits as before, but as images now: rows, columns, and a last axis of one
# channel. A third of all 1,797 is held out. Nothing below learns from it, but we, who
# wrote this, chose rates and places with an eye on it, so the judgement flatters a
# little; lesson 22 chooses with a second heap. Of the others, the network sees each in
# five places, a pixel apart: that lesson shows what it is good for.

# %%
(x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
x = np.concatenate([x_train, x_test])[..., np.newaxis] / 16
y = np.concatenate([y_train, y_test])
x_train, y_train, x_test, y_test = x[:1198], y[:1198], x[1198:], y[1198:]
wide = np.pad(x_train, ((0, 0), (1, 1), (1, 1), (0, 0)))  # room to move
places = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
x_moved = np.concatenate([wide[:, r : r + 8, c : c + 8] for r, c in places])

# %% [markdown]
# ## The model
# A filter is a window of 3 x 3 weights that slides over the image. Where the image
# looks like the filter, the sum of products is large:
#
#     z[r, c] = b + sum over q, s of x[r + q - 1, c + s - 1] W[q, s]
#
# Sixteen filters give sixteen images, the feature maps. The next filters look at all
# sixteen at once, and after a pooling twice as far: strokes, corners, loops.
#
# Question: how many weights does the first layer have, and how many would a Dense layer
# need to turn 64 pixels into as many numbers?

# %%
model = Sequential()
model.add(Conv2D(16, 3, padding="same", activation="relu", input_shape=(8, 8, 1)))
model.add(Conv2D(32, 3, padding="same", activation="relu"))
model.add(MaxPooling2D(2))
model.add(Dropout(0.25))
model.add(Conv2D(64, 3, padding="same", activation="relu"))
model.add(MaxPooling2D(2))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(10, activation="softmax"))
model.summary()
model.compile(
    optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)

# %% [markdown]
# ## The loops
# Open `kerasnb/kernels/plain/convolution.py`: `convolution_forward` is the formula
# above with all its indices. Here are the loops for one filter and one image.

# %%
first = model.layers[0]
W, b = first.get_weights()
image = np.pad(x_train[0, :, :, 0], 1)  # zeros around, so that the size stays
z = np.zeros((8, 8))
for r in range(8):
    for c in range(8):
        z[r, c] = b[5] + np.sum(image[r : r + 3, c : c + 3] * W[:, :, 0, 5])
assert np.allclose(np.maximum(z, 0), first(x_train[:1])[0, :, :, 5], atol=1e-6)

# %% [markdown]
# ## Training
# The learning rate falls to a tenth: large steps to get near, small ones to settle.

# %%
rate = LearningRateScheduler(lambda epoch: 0.002 * 0.1 ** (epoch / 20))
history = model.fit(
    x_moved, np.tile(y_train, 5), 64, epochs=20, verbose=2, callbacks=[rate]
)

# %% [markdown]
# ## The judgement, and what the filters look for
# `filters.png` shows the weights of the first layer: vermillion wants ink, blue wants
# paper. `maps.png` shows where each of them found it in one held-out digit.
#
# Question: which filter answers to paper above ink, as at the top of the 3, and which
# to paper at the left of ink?

# %%
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
folder = pathlib.Path("demo")
folder.mkdir(exist_ok=True)
three = x_test[y_test == 3][0]
pictures = {
    "filters.png": plotting.plot_filters(model, columns=8),
    "maps.png": plotting.plot_feature_maps(model, three, columns=6),
    "unread.png": plotting.plot_mistakes(model, x_test, y_test),
}
for name, figure in pictures.items():
    figure.savefig(folder / name)

# %%
print(f"\nHeld-out accuracy: {accuracy:.1%} of {len(x_test)} digits, loss {loss:.3f}.")
print("Look at " + ", ".join(str(folder / name) for name in pictures) + ".")
assert accuracy >= 0.985

# %% [markdown]
# ## Exercises
# 1. Halve the number of filters everywhere. How much does the network lose?
# 2. Leave out both pooling layers. What happens to the number of weights, and to the
#    time of an epoch?
# 3. `plotting.plot_feature_maps(model, three, layer=1)` draws the maps of the second
#    layer: can you still say what each looks for?
