"""Checkpoints, a CSV log and early stopping; the best weights win."""

import csv
import glob
import os

import numpy as np
from keras.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keras.datasets import iris
from keras.layers import Dense
from keras.models import Sequential, load_model
from keras.utils import to_categorical

(x, y), (x_test, y_test) = iris.load_data()
y, y_test = to_categorical(y), to_categorical(y_test)
model = Sequential()
model.add(Dense(12, activation="relu", input_dim=4))
model.add(Dense(3, activation="softmax"))
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])

filepath = "weights-{epoch:02d}-{val_loss:.2f}.knb"
history = model.fit(
    x,
    y,
    validation_split=0.25,
    epochs=25,
    batch_size=10,
    verbose=0,
    callbacks=[
        ModelCheckpoint(filepath, save_best_only=True, save_weights_only=True),
        ModelCheckpoint("best.knb", monitor="val_loss", save_best_only=True),
        CSVLogger("log.csv", append=False),
        EarlyStopping(monitor="val_loss", patience=5),
        ReduceLROnPlateau(factor=0.5, patience=3),
    ],
)
with open("log.csv") as log:
    rows = list(csv.DictReader(log))
assert [int(row["epoch"]) for row in rows] == history.epoch
files = sorted(glob.glob("weights-*.knb"), key=os.path.getmtime)
assert files and files[0].startswith("weights-01-")

best = load_model("best.knb")
model.load_weights(files[-1])
np.testing.assert_allclose(best.predict(x_test), model.predict(x_test), rtol=1e-5)
print("kept", files[-1])
