"""Training on a generator in the words of Keras 1: samples, not steps."""

import numpy as np
from keras.layers.core import Dense
from keras.models import Sequential

np.random.seed(3)


def batches(batch_size):
    while 1:
        x = np.random.uniform(-1, 1, (batch_size, 2))
        yield x, (x[:, 0] > x[:, 1]).astype("float32")


model = Sequential()
model.add(Dense(8, input_dim=2, init="uniform", activation="relu"))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
history = model.fit_generator(
    batches(20),
    samples_per_epoch=600,
    nb_epoch=5,
    verbose=2,
    validation_data=batches(20),
    nb_val_samples=100,
    max_q_size=4,
)
assert history.epoch == [0, 1, 2, 3, 4]
score = model.evaluate_generator(batches(20), val_samples=200)
p = model.predict_generator(batches(20), val_samples=60)
print("accuracy", score[1])
assert p.shape == (60, 1)
assert score[1] > 0.8
