"""Batches from a Sequence and from a generator, counted in steps."""

import numpy as np
from keras.layers import Dense
from keras.models import Sequential
from keras.utils import Sequence


class Parity(Sequence):
    def __init__(self, batches, batch_size):
        self.batches, self.batch_size = batches, batch_size

    def __len__(self):
        return self.batches

    def __getitem__(self, idx):
        state = np.random.RandomState(idx)
        x = state.randint(0, 2, (self.batch_size, 4))
        return x.astype("float32"), (x[:, :2].sum(axis=1) % 2)


np.random.seed(2)


def noise(batch_size):
    while True:
        x = np.random.randint(0, 2, (batch_size, 4))
        yield x.astype("float32"), x[:, :2].sum(axis=1) % 2


model = Sequential()
model.add(Dense(16, activation="relu", input_dim=4))
model.add(Dense(1, activation="sigmoid"))
model.compile("adam", "binary_crossentropy", metrics=["acc"])
history = model.fit_generator(
    noise(32),
    steps_per_epoch=50,
    epochs=8,
    verbose=0,
    validation_data=Parity(4, 32),
    workers=1,
    max_queue_size=4,
)
assert len(history.epoch) == 8 and "val_acc" in history.history
loss, acc = model.evaluate_generator(Parity(5, 32), steps=5)
p = model.predict_generator(Parity(5, 32), steps=5, verbose=1)
print("accuracy", acc)
assert p.shape == (160, 1) and acc > 0.9
