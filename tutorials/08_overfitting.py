# %% [markdown]
# # 08 Overfitting: learning by heart, and how to notice
#
# Goal: see a network learn its examples by heart, and try three remedies.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, plotting, regularizers
from kerasnb.callbacks import EarlyStopping
from kerasnb.layers import Dense, Dropout
from kerasnb.lessons import axes, check, figure, show
from kerasnb.optimizers import Adam

# %% [markdown]
# ## Three parts
# Few and noisy examples: two moons that overlap. The training part (100 points) sets
# the weights. The validation part, which no weight has seen, tells when to stop and
# which remedy is best. The test part is looked at once, at the end: whatever is chosen
# by looking at a part fits that part a little too well.

# %%
(x, y), test = datasets.moons.load_data(n=2200, noise=0.35, test_split=2000 / 2200)
x, y, held_out = x[:100], y[:100], (x[100:], y[100:])

# %% [markdown]
# ## Three remedies
# L2 adds the size of the weights to the loss, so that a weight has to be worth it:
#
#     L = loss of the data + factor sum W^2        dW = dW of the data + 2 factor W
#
# Dropout silences each hidden unit with probability d at every training step, and
# divides the others by what is left, so that the mean stays; none can rely on another:
#
#     y = x keep / (1 - d)        keep is 0 with probability d, else 1
#
# Early stopping ends the training when the validation loss has not improved for a while
# (its patience), and goes back to the weights of the best epoch.


# %%
def train(l2=0.0, dropout=0.0, callbacks=()):
    """Return a model and its history: 4,482 weights for 100 points."""
    kerasnb.set_seed(0)
    penalty = {"kernel_regularizer": regularizers.l2(l2)}
    model = Sequential([Dense(64, "relu", input_shape=(2,), **penalty)])
    model.add(Dropout(dropout))
    model.add(Dense(64, "relu", **penalty))
    model.add(Dropout(dropout))
    model.add(Dense(2, "softmax"))
    model.compile(Adam(lr=0.003), "sparse_categorical_crossentropy", metrics=["acc"])
    history = model.fit(x, y, 20, 400, 0, list(callbacks), validation_data=held_out)
    return model, history.history


stop = EarlyStopping(patience=20, restore_best_weights=True)
models = {
    "no remedy": train(),
    "L2": train(l2=0.01),
    "dropout": train(dropout=0.5),
    "early stopping": train(callbacks=[stop]),
}

# %% [markdown]
# Question: without a remedy, how do the two curves (loss of the training part, loss of
# the validation part) look over 400 epochs? Which one would you show to a customer?

# %%
drawn, panels = axes(2, 2, size=(6.4, 3.6))
for panel, (name, (model, history)) in zip(panels, models.items()):
    epochs = range(1, len(history["loss"]) + 1)
    panel.plot(epochs, history["loss"], label="training")
    panel.plot(epochs, history["val_loss"], label="validation")
    panel.set(title=name, xlabel="epoch", xlim=(0, 400), ylim=(0, 1.4))
panels[0].legend()
figure(drawn, "08_curves")

drawn, panels = axes(2, size=(6.4, 5.4))
for panel, name in zip(panels, ("no remedy", "L2")):
    plotting.plot_decision_boundary(models[name][0], x, y, ax=panel)
    panel.set(title=name)
    panel.grid(False)
figure(drawn, "08_borders")

# %% [markdown]
# The training loss goes on falling while the validation loss climbs: the border bends
# around single points, and the network is sure of itself where it is wrong. Dropout
# delays that, L2 of this strength prevents it. Now the test part:

# %%
judged = {name: model.evaluate(*test, verbose=0) for name, (model, _) in models.items()}
for name, (loss, accuracy) in judged.items():
    print(f"{name:15} test loss {loss:.3f}, {accuracy:.1%} right")
for name in ("L2", "dropout", "early stopping"):
    assert judged[name][0] < judged["no remedy"][0], name
    assert judged[name][1] > judged["no remedy"][1], name

# %% [markdown]
# ## The library's way
# Early stopping is a callback: an object that hears of the end of every epoch.

# %%
show(EarlyStopping.on_epoch_end)

# %% [markdown]
# ## Exercises


# %%
def split(rows, fraction):
    """1. Return (training, validation): the validation part is the end of the rows."""
    ...


parts = (np.arange(8), np.arange(8, 10))
check(1, split, parts, lambda r: (np.arange(10), 0.2))


# %%
def dropped(x, u, d):
    """2. u are random numbers from 0 to 1. Drop where u < d: return y, as above."""
    ...


x1, u1 = np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.9, 0.1, 0.3, 0.2])
check(2, dropped, np.array([5.0, 0.0, 2.5, 1.25]), lambda r: (x1, u1, 0.2))


# %%
def epochs_run(losses, patience):
    """3. Early stopping: how many of these validation losses would it see?"""
    ...


def epochs_of_callback(losses, patience):
    callback = EarlyStopping(patience=patience)
    callback.set_model(model)
    callback.on_train_begin()
    model.stop_training = False
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            return epoch + 1
    return len(losses)


check(3, epochs_run, epochs_of_callback, lambda r: (r.uniform(size=30), 4), times=9)
