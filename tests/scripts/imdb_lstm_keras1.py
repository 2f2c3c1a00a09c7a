"""Trains a LSTM on reviews, in the words of Keras 1; the reviews are made up."""

from __future__ import print_function

import numpy as np

np.random.seed(1337)  # for reproducibility

from keras.layers import LSTM, Activation, Dense, Embedding
from keras.models import Sequential
from keras.preprocessing import sequence

max_features = 50
maxlen = 12
batch_size = 32

# good reviews use other words than bad ones
y_train = np.random.randint(0, 2, 400)
X_train = [
    [np.random.randint(2, 25) + 25 * y for _ in range(np.random.randint(4, 20))]
    for y in y_train
]
y_test, X_test = y_train[300:], X_train[300:]
y_train, X_train = y_train[:300], X_train[:300]
print(len(X_train), "train sequences")

X_train = sequence.pad_sequences(X_train, maxlen=maxlen)
X_test = sequence.pad_sequences(X_test, maxlen=maxlen)
print("X_train shape:", X_train.shape)

model = Sequential()
model.add(Embedding(max_features, 16, dropout=0.2, mask_zero=True))
model.add(LSTM(16, dropout_W=0.2, dropout_U=0.2))  # try using a GRU instead, for fun
model.add(Dense(1))
model.add(Activation("sigmoid"))

model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(
    X_train,
    y_train,
    batch_size=batch_size,
    nb_epoch=4,
    verbose=2,
    validation_data=(X_test, y_test),
)
score, acc = model.evaluate(X_test, y_test, batch_size=batch_size, verbose=0)
print("Test score:", score)
print("Test accuracy:", acc)
assert acc > 0.8
