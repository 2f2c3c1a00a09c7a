# %% [markdown]
# # 22 Capstone: digits, 98.5 %
#
# Goal: plan, train, judge and keep a network that reads at least 98.5 % of handwritten
# digits it has never seen, with everything the lessons before have taught.

# %%
import tempfile
from pathlib import Path

import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, load_model, plotting
from kerasnb.callbacks import EarlyStopping, ReduceLROnPlateau
from kerasnb.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
)
from kerasnb.lessons import check, figure, quick, show
from kerasnb.plotting import confusion_matrix

# %% [markdown]
# ## 1. Data, and three heaps
# 1,797 digits of 8 x 8 pixels. A third is held out and looked at once, at the end; of
# the rest, a tenth decides when to stop. Who tunes on the last heap fools himself.

# %%
(x_a, y_a), (x_b, y_b) = datasets.digits.load_data()
x = np.concatenate([x_a, x_b])[..., None].astype("float32") / 16
y = np.concatenate([y_a, y_b])
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order], y[order]
x_train, y_train, x_test, y_test = x[:1198], y[:1198], x[1198:], y[1198:]
figure(plotting.plot_images(x_train[:12, ..., 0], y_train[:12]), "22_digits")

# %% [markdown]
# ## 2. A baseline, without learning
# What does the simplest idea reach? An image gets the label of the image nearest to it:
#
#     label(x) = y[n],  n = the one with the smallest sum over pixels of (x - x[n])^2


# %%
def nearest(image):
    distances = [np.sum((image - other) ** 2) for other in x_train]
    return y_train[np.argmin(distances)]


some = quick(len(x_test), 60)
found = np.mean([nearest(image) == t for image, t in zip(x_test[:some], y_test)])
print(f"nearest neighbour: {found:.1%} of {some} images")

# %% [markdown]
# Question: what can windows know of an image that a distance cannot? (See lesson 09.)
#
# ## 3. The network
# Windows find strokes, pooling forgives shifts, batch normalisation keeps numbers near
# 1, dropout keeps the network from learning images by heart.

# %%
kerasnb.set_seed(5)
same = {"padding": "same", "activation": "relu"}
model = Sequential([Conv2D(32, 3, input_shape=(8, 8, 1), **same), BatchNormalization()])
for filters in (32, 64):
    for layer in (Conv2D(filters, 3, **same), MaxPool2D(2), Dropout(0.25)):
        model.add(layer)
for layer in (Flatten(), Dense(64, "relu"), Dropout(0.5), Dense(10, "softmax")):
    model.add(layer)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary(flops=True)

# %% [markdown]
# ## 4. Training
# When the held-out loss no longer falls, take smaller steps; later, stop at its best.

# %%
wait = [
    ReduceLROnPlateau("val_loss", factor=0.5, patience=6, verbose=0),
    EarlyStopping("val_loss", patience=16, restore_best_weights=True),
]
options = {"validation_split": 0.1, "callbacks": wait, "verbose": 0}
history = model.fit(x_train, y_train, 32, epochs=quick(80, 4), **options)
figure(plotting.plot_history(history), "22_history")
show(EarlyStopping.on_epoch_end)

# %% [markdown]
# ## 5. Judgement
# The held-out third, once. A number says how good, the matrix at what, and the worst
# mistakes say why: would you have known?

# %%
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
print(f"{accuracy:.2%} of {len(x_test)} images it has never seen")
assert accuracy >= quick(0.985, 0.8)
said = model.predict_classes(x_test)
matrix = confusion_matrix(y_test, said)
figure(plotting.plot_confusion_matrix(y_test, said), "22_confusion")
figure(plotting.plot_mistakes(model, x_test, y_test, count=8), "22_mistakes")
print(model.explain(x_test[:64], y_test[:64]))

# %% 6. keep it: one file, and what comes back predicts the same to the last bit
with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "digits.knb")
    again = load_model(Path(folder) / "digits.knb")
assert np.array_equal(again.predict(x_test), model.predict(x_test))

# %% [markdown]
# ## Exercises


# %%
def recall(matrix):
    """1. Which share of the images of each digit was found? Rows are the truth."""
    ...


shares = np.array([np.mean(said[y_test == k] == k) for k in range(10)])
check(1, recall, shares, lambda r: [matrix])


# %%
def surest_mistake(p, t):
    """2. p (N, 10) are probabilities, t the truth. Which wrong row is p surest of?"""
    ...


def by_search(p, t):
    wrong = [n for n in range(len(t)) if p[n].argmax() != t[n]]
    return max(wrong, key=lambda n: p[n].max())


check(2, surest_mistake, by_search, lambda r: (model.predict(x_test), y_test))


# %%
def margin(share, n):
    """3. Twice the standard error of a share s of n answers: 2 sqrt(s (1 - s) / n)."""
    ...


def measured(share, n):
    return 2 * np.std(np.arange(n) < share * n) / n**0.5


check(3, margin, measured, lambda r: (0.98, 600))
