# %% [markdown]
# # A recurrent network learns to add
#
# Goal: teach a network to read `745+96`, letter by letter, and to write `841`. Nobody
# tells it what a digit is, or a carry. `make demo-sums` runs this file; it takes some
# minutes.

# %%
import numpy as np

import kerasnb
from kerasnb.callbacks import LearningRateScheduler
from kerasnb.layers import LSTM, Dense, RepeatVector, TimeDistributed
from kerasnb.models import Sequential
from kerasnb.random import Generator

kerasnb.set_seed(0)  # the same numbers at every run

# %% [markdown]
# ## The data
# 50,000 pairs of numbers below 1,000, no two alike. A tenth is held out before anything
# else happens. A sum may be written in two orders, so a pair counts as one question
# whichever number comes first: what is held out is asked in neither order in training.

# %%
PAIRS, BELOW = 50_000, 1_000
drawn = Generator(0).uniform((2 * PAIRS, 2), 0, BELOW, "float64").astype(int)
pairs = np.unique(np.sort(drawn, axis=1), axis=0)  # each once, the smaller number first
pairs = pairs[Generator(1).permutation(len(pairs))[:PAIRS]]
held_out, known = pairs[: PAIRS // 10], pairs[PAIRS // 10 :]
known = np.concatenate([known, known[:, ::-1]])  # asked in both orders
assert not {*map(tuple, held_out)} & {*map(tuple, known)}

# %% [markdown]
# ## From text to numbers
# There are twelve symbols. Each is a row of twelve numbers, a one at its place and
# zeros elsewhere ("one-hot"). Questions are read from their end, so that the last
# digits, with which people begin too, come first.
#
# Question: how many of all sums of two numbers below 1,000 are in the training set?

# %%
SYMBOLS = "0123456789+ "
NUMBER = {symbol: number for number, symbol in enumerate(SYMBOLS)}
ONE_HOT = np.eye(len(SYMBOLS), dtype="float32")


def encode(texts):
    """Return one-hot symbols, (texts, letters, 12)."""
    return ONE_HOT[[[NUMBER[symbol] for symbol in text] for text in texts]]


def decode(answers):
    """Return the texts of arrays (texts, letters, 12): the likeliest symbols."""
    return ["".join(SYMBOLS[k] for k in row) for row in answers.argmax(axis=-1)]


def questions(pairs):
    """Return the one-hot questions and answers."""
    asked = [f"{a}+{b}".ljust(7)[::-1] for a, b in pairs.tolist()]
    answers = [str(a + b).ljust(4) for a, b in pairs.tolist()]
    return encode(asked), encode(answers)


x_train, y_train = questions(known)
x_test, y_test = questions(held_out)

# %% [markdown]
# ## The model
# The first LSTM reads seven symbols and keeps one state of 128 numbers: all it knows of
# the question. The second gets that state four times and writes four symbols. The Dense
# layer has the same weights at every letter.
#
# Open `kerasnb/gated_cells.py`: `LSTMCell.step` is what happens at each letter.

# %%
model = Sequential()
model.add(LSTM(128, input_shape=(7, len(SYMBOLS))))
model.add(RepeatVector(4))
model.add(LSTM(128, return_sequences=True))
model.add(TimeDistributed(Dense(len(SYMBOLS), activation="softmax")))
model.summary()
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])

# %% [markdown]
# ## Training
# Large steps first, small ones at the end. Watch the accuracy of single letters: the
# first digit of an answer comes early, the carry late.


# %%
def rate(epoch):
    """Return the learning rate of an epoch."""
    return 0.003 if epoch < 14 else 0.0005 if epoch < 20 else 0.0001


model.fit(
    x_train,
    y_train,
    batch_size=128,
    epochs=22,
    verbose=2,
    callbacks=[LearningRateScheduler(rate)],
)

# %% [markdown]
# ## The judgement
# A sum is right only if all its letters are.

# %%
answers, right = decode(model.predict(x_test)), decode(y_test)
wrong = [k for k in range(len(right)) if answers[k] != right[k]]
for k in [*range(5), *wrong[:5]]:
    a, b = held_out[k].tolist()
    verdict = "wrong" if k in wrong else "right"
    print(f"{a:>4} + {b:<3} = {answers[k]}  {verdict}")
share = 1 - len(wrong) / len(right)
print(f"\n{share:.2%} of {len(right)} held-out sums are right.")
assert share >= 0.99

# %% [markdown]
# ## Exercises
# 1. Read the questions from their beginning: leave out `[::-1]`. How far do you get in
#    as many epochs?
# 2. Train with a tenth of the pairs. Letters learnt by heart, or addition?
# 3. Let the answers begin with the last digit, too. Which epoch reaches 99 % then?
