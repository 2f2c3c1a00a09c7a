"""Keeps the best weights of a training, stops it early, and goes on from there."""

import os

import numpy as np
from keras.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from keras.layers import Dense, Dropout
from keras.models import Sequential

np.random.seed(7)
X = np.random.rand(300, 8)
Y = (X.sum(axis=1) > 4).astype(int)


def create_model():
    model = Sequential()
    model.add(Dense(12, input_dim=8, kernel_initializer="uniform", activation="relu"))
    model.add(Dropout(0.1))
    model.add(Dense(8, kernel_initializer="uniform", activation="relu"))
    model.add(Dense(1, kernel_initializer="uniform", activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


model = create_model()
filepath = "weights.best.knb"
checkpoint = ModelCheckpoint(
    filepath,
    monitor="val_acc",
    verbose=1,
    save_best_only=True,
    save_weights_only=True,
    mode="max",
)
every = ModelCheckpoint(
    "weights-{epoch:02d}-{val_loss:.2f}.knb", save_weights_only=True, period=5
)
epochs_seen = []
callbacks_list = [
    checkpoint,
    every,
    EarlyStopping(monitor="val_loss", patience=8),
    ReduceLROnPlateau(factor=0.5, patience=3, min_lr=1e-4),
    LearningRateScheduler(lambda epoch: 0.01),
    CSVLogger("training.log"),
    TerminateOnNaN(),
    LambdaCallback(on_epoch_end=lambda epoch, logs: epochs_seen.append(epoch)),
]
history = model.fit(
    X,
    Y,
    validation_split=0.33,
    epochs=15,
    batch_size=10,
    callbacks=callbacks_list,
    verbose=0,
)
print(history.history.keys())

model = create_model()
model.load_weights(filepath)
print("Created model and loaded weights from file")
scores = model.evaluate(X[200:], Y[200:], verbose=0)
print("%s: %.2f%%" % (model.metrics_names[1], scores[1] * 100))
assert abs(scores[1] - max(history.history["val_acc"])) < 1e-6
assert epochs_seen == history.epoch
with open("training.log") as log:
    assert len(log.readlines()) == len(epochs_seen) + 1
assert [name for name in os.listdir(".") if name.startswith("weights-05-")]
