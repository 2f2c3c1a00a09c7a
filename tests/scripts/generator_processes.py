"""A Sequence of the script's own, read by a second process."""

import numpy as np
from keras.layers import Dense
from keras.models import Sequential
from keras.utils import Sequence


class Squares(Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, idx):
        x = np.linspace(-1, 1, 16).reshape(-1, 1) + idx
        return x, x**2


if __name__ == "__main__":
    model = Sequential([Dense(4, activation="relu", input_dim=1), Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit_generator(
        Squares(), epochs=2, verbose=0, workers=1, use_multiprocessing=True
    )
    print("losses", history.history["loss"])
    assert len(history.history["loss"]) == 2
