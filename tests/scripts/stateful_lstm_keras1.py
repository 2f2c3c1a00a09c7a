"""Example script showing how to use a stateful RNN to model long sequences."""

from __future__ import print_function

import numpy as np
from keras.layers import LSTM, Dense
from keras.models import Sequential

# since we are using stateful rnn tsteps can be set to 1
tsteps = 1
batch_size = 25
epochs = 3
lahead = 1


def gen_cosine_amp(amp=100, period=25, x0=0, xn=1000, step=1, k=0.0001):
    cos = np.zeros(((xn - x0) * step, 1, 1))
    for i in range(len(cos)):
        idx = x0 + i * step
        cos[i, 0, 0] = amp * np.cos(2 * np.pi * idx / period)
        cos[i, 0, 0] = cos[i, 0, 0] * np.exp(-k * idx)
    return cos


cos = gen_cosine_amp(amp=1)
print("Input shape:", cos.shape)
expected_output = np.zeros((len(cos), 1))
for i in range(len(cos) - lahead):
    expected_output[i, 0] = np.mean(cos[i + 1 : i + lahead + 1])

model = Sequential()
model.add(
    LSTM(
        8,
        batch_input_shape=(batch_size, tsteps, 1),
        return_sequences=True,
        stateful=True,
    )
)
model.add(LSTM(8, return_sequences=False, stateful=True))
model.add(Dense(1))
model.compile(loss="mse", optimizer="rmsprop")

for i in range(epochs):
    print("Epoch", i, "/", epochs)
    history = model.fit(
        cos,
        expected_output,
        batch_size=batch_size,
        verbose=2,
        nb_epoch=1,
        shuffle=False,
    )
    model.reset_states()

first = model.predict(cos, batch_size=batch_size)
model.reset_states()
second = model.predict(cos, batch_size=batch_size)
assert np.array_equal(first, second)
third = model.predict(cos, batch_size=batch_size)
assert not np.array_equal(first, third)
assert history.history["loss"][-1] < np.var(expected_output)
