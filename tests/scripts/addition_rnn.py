"""Sums of small numbers, read and written digit by digit."""

import numpy as np
from keras import layers
from keras.models import Sequential

chars = "0123456789+ "
codes = {char: number for number, char in enumerate(chars)}


def encode(text, length):
    """Return a row for each character, with a one at its number."""
    x = np.zeros((length, len(chars)))
    for place, char in enumerate(text):
        x[place, codes[char]] = 1
    return x


def decode(x):
    """Return the most likely characters."""
    return "".join(chars[number] for number in x.argmax(axis=-1))


questions, answers = [], []
for a in range(6):
    for b in range(6):
        questions.append(("%d+%d" % (a, b))[::-1])
        answers.append("%-2d" % (a + b))
x = np.array([encode(question, 3) for question in questions])
y = np.array([encode(answer, 2) for answer in answers])

RNN = layers.LSTM
model = Sequential()
model.add(RNN(32, input_shape=(3, len(chars))))
model.add(layers.RepeatVector(2))
model.add(RNN(32, return_sequences=True))
model.add(layers.TimeDistributed(layers.Dense(len(chars), activation="softmax")))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x, y, batch_size=6, epochs=150, verbose=0)
right = 0
for question, answer, guess in zip(questions, answers, model.predict(x)):
    right += decode(guess) == answer
print("%d of %d sums are right, such as %s = %s" % (right, len(x), question, answer))
assert right > 30
