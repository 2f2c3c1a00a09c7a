"""Two branches that meet in a Merge layer, trained on a list of arrays."""

import numpy as np
from keras.layers import Dense, Merge
from keras.models import Sequential

np.random.seed(1)
left = Sequential([Dense(8, activation="relu", input_shape=(6,))])
right = Sequential([Dense(8, activation="relu", input_shape=(4,))])
model = Sequential([Merge([left, right], mode="sum"), Dense(1, activation="sigmoid")])
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
a, b = np.random.random((300, 6)), np.random.random((300, 4))
y = (a[:, 0] > b[:, 0]).astype(int)
model.fit([a, b], y, epochs=30, batch_size=10, verbose=0, validation_split=0.1)
loss, accuracy = model.evaluate([a, b], y, verbose=0)
print("accuracy", accuracy)
assert accuracy > 0.8
