"""Handwritten digits, as a course of 2016 wrote it."""

from __future__ import print_function

import numpy as np

np.random.seed(1337)

from keras.datasets import digits
from keras.layers.core import Activation, Dense, Dropout
from keras.models import Sequential
from keras.optimizers import SGD
from keras.utils import np_utils

nb_classes = 10
nb_epoch = 6

(X_train, y_train), (X_test, y_test) = digits.load_data()
X_train = X_train.reshape(-1, 64).astype("float32") / 16
X_test = X_test.reshape(-1, 64).astype("float32") / 16
Y_train = np_utils.to_categorical(y_train, nb_classes)
Y_test = np_utils.to_categorical(y_test, nb_classes)

model = Sequential()
model.add(Dense(output_dim=64, input_dim=64, init="glorot_uniform"))
model.add(Activation("relu"))
model.add(Dropout(p=0.2))
model.add(Dense(nb_classes, init="glorot_uniform"))
model.add(Activation("softmax"))

sgd = SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
history = model.fit(
    X_train,
    Y_train,
    batch_size=32,
    nb_epoch=nb_epoch,
    verbose=2,
    validation_data=(X_test, Y_test),
)
loss, accuracy = model.evaluate(X_test, Y_test, verbose=0)
classes = model.predict_classes(X_test, verbose=0)
probabilities = model.predict_proba(X_test, verbose=0)
print("Test accuracy:", accuracy)
assert len(history.history["loss"]) == nb_epoch
assert abs(np.mean(classes == y_test) - accuracy) < 1e-6
assert probabilities.shape == (len(X_test), nb_classes)
assert accuracy > 0.85
