# %% [markdown]
# # A network writes, one character after the other
#
# Goal: read two chapters of *Alice's Adventures in Wonderland* so often that the next
# character can be guessed, then let the network write on its own guesses.
# `make demo-text` runs this file; it takes some minutes.

# %%
import re

import numpy as np

import kerasnb
from kerasnb import datasets
from kerasnb.layers import LSTM, Dense, TimeDistributed
from kerasnb.models import Sequential
from kerasnb.optimizers import Adam
from kerasnb.random import Generator

kerasnb.set_seed(0)  # the same numbers at every run

# %% [markdown]
# ## The data
# 22,000 characters are little. The text is cut into windows of 40 that overlap; the
# targets of each window are its characters moved by one: guess the next, forty times.

# %%
text = datasets.alice.load_text().lower().replace("\n", " ")
symbols = sorted(set(text))
numbers = np.array([symbols.index(symbol) for symbol in text])
one_hot = np.eye(len(symbols), dtype="float32")
WINDOW = 40
starts = np.arange(0, len(text) - WINDOW, 5)
windows = starts[:, np.newaxis] + np.arange(WINDOW)
x, y = one_hot[numbers[windows]], numbers[windows + 1]
print(f"{len(text)} characters, {len(symbols)} different ones, {len(x)} windows")

# %% [markdown]
# ## The model
# An LSTM that returns its output at every step, and a softmax over the next character.
#
# Question: what loss has a model that thinks all characters equally likely?


# %%
def reader(**words):
    """Return the model; the weights are the same whatever is said about the input."""
    model = Sequential()
    model.add(LSTM(128, return_sequences=True, **words))
    model.add(TimeDistributed(Dense(len(symbols), activation="softmax")))
    return model


model = reader(input_shape=(WINDOW, len(symbols)))
model.summary()
model.compile(Adam(0.005), "sparse_categorical_crossentropy")
model.fit(x, y[..., np.newaxis], batch_size=64, epochs=40, verbose=2)

# %% [markdown]
# ## Writing
# A copy of the model is stateful: it reads one character at a time and remembers all
# before. What it writes is what it reads next. Among the characters it thinks possible
# one is drawn; a temperature below 1 makes the likely ones likelier.

# %%
writer = reader(stateful=True, batch_input_shape=(1, 1, len(symbols)))
writer.set_weights(model.get_weights())
generator = Generator(0)


def write(beginning, length, temperature):
    """Return so many characters that go on from the beginning."""
    writer.reset_states()
    written = beginning
    for k in range(len(beginning) + length - 1):
        now = one_hot[symbols.index(written[k])][np.newaxis, np.newaxis]
        p = writer.predict(now)[0, 0].astype("float64")
        if k >= len(beginning) - 1:
            total = np.cumsum(p ** (1 / temperature))
            drawn = generator.uniform((1,), 0, 1, "float64")[0] * total[-1]
            written += symbols[min(np.searchsorted(total, drawn), len(total) - 1)]
    return written[len(beginning) :]


samples = {t: write("alice was ", 600, t) for t in (0.3, 0.6, 1.0)}


# %% [markdown]
# ## The judgement
# A word counts if the text has it too. The first and the last of a sample are left out,
# for they may be cut.


# %%
def words(text):
    """Return the words of a text."""
    return re.findall("[a-z]+", text)


known = set(words(text))
shares = {}
for temperature, sample in samples.items():
    found = words(sample)[1:-1]
    shares[temperature] = np.mean([word in known for word in found])
    print(
        f"\nTemperature {temperature}: {shares[temperature]:.0%} of {len(found)} words"
    )
    print("    alice was " + sample)
assert shares[0.3] >= 0.9 and shares[0.6] >= 0.8

# %% [markdown]
# ## Exercises
# 1. Train for 5 epochs, and for 50. When does the network begin to recite?
# 2. Hold the last tenth of the text out, and watch its loss: `validation_data`.
# 3. Give `text` another book. How much of it does it take until names come out right?
