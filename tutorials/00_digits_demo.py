# %% [markdown]
# # A network learns to read digits
#
# Goal: train a network on 1,497 handwritten digits of 8 x 8 pixels, and see how well it
# reads 300 that it never saw. `make demo` runs this file; it takes a few seconds.

# %%
import pathlib

import kerasnb
from kerasnb import datasets, plotting
from kerasnb.layers import Dense, Dropout
from kerasnb.models import Sequential

kerasnb.set_seed(0)  # the same numbers at every run

# %% [markdown]
# ## The data
# An image is a square of grey levels from 0 (paper) to 16 (ink). A Dense layer takes a
# row of numbers, so each square becomes a row of 64, scaled to lie between 0 and 1.

# %%
(x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
x_train = x_train.reshape(-1, 64) / 16
x_test = x_test.reshape(-1, 64) / 16

# %% [markdown]
# ## The model
# 64 pixels -> 64 hidden units -> 10 probabilities, one for each digit. Dropout silences
# a fifth of the hidden units at every step of training: none can rely on another.

# %%
model = Sequential()
model.add(Dense(64, activation="relu", input_shape=(64,)))
model.add(Dropout(0.2))
model.add(Dense(10, activation="softmax"))
model.summary()
model.compile(
    optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)

# %% [markdown]
# ## Training
# Question, before you look at the curves: a tenth of the training digits is kept back
# for validation. Which loss will be lower in the first epoch, and which in the last?

# %%
history = model.fit(x_train, y_train, batch_size=16, epochs=30, validation_split=0.1)

# %% [markdown]
# ## The judgement
# Validation is measured at the end of an epoch with all hidden units awake, training
# all through it under dropout: that is why validation looks better.
#
# The test digits were in neither part. Where does the network go wrong, and would you
# have read those better?

# %%
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
predicted = model.predict_classes(x_test)

folder = pathlib.Path("demo")
folder.mkdir(exist_ok=True)
pictures = {
    "training.png": plotting.plot_history(history),
    "confusion.png": plotting.plot_confusion_matrix(y_test, predicted),
    "mistakes.png": plotting.plot_mistakes(model, x_test, y_test),
}
for name, figure in pictures.items():
    figure.savefig(folder / name)

# %%
print(f"\nTest accuracy: {accuracy:.1%} of {len(x_test)} digits, loss {loss:.3f}.")
print("Look at " + ", ".join(str(folder / name) for name in pictures) + ".")
assert accuracy > 0.95
