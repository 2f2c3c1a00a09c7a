"""Trains a small convnet on the digits, in the words of Keras 1."""

from __future__ import print_function

import numpy as np

np.random.seed(1337)  # for reproducibility

from keras import backend as K
from keras.layers import (
    Activation,
    Convolution2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
)
from keras.layers.normalization import BatchNormalization
from keras.models import Sequential
from keras.utils import np_utils

from kerasnb.datasets import digits

batch_size = 32
nb_classes = 10
nb_epoch = 8

img_rows, img_cols = 8, 8
nb_filters = 16
pool_size = (2, 2)
kernel_size = (3, 3)

(X_train, y_train), (X_test, y_test) = digits.load_data()
X_train, X_test = X_train[:1000], X_test[:200]
y_train, y_test = y_train[:1000], y_test[:200]

if K.image_dim_ordering() == "th":
    X_train = X_train.reshape(X_train.shape[0], 1, img_rows, img_cols)
    X_test = X_test.reshape(X_test.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    X_train = X_train.reshape(X_train.shape[0], img_rows, img_cols, 1)
    X_test = X_test.reshape(X_test.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)

X_train = X_train.astype("float32") / X_train.max()
X_test = X_test.astype("float32") / X_test.max()
Y_train = np_utils.to_categorical(y_train, nb_classes)
Y_test = np_utils.to_categorical(y_test, nb_classes)

model = Sequential()
model.add(
    Convolution2D(
        nb_filters,
        kernel_size[0],
        kernel_size[1],
        border_mode="valid",
        input_shape=input_shape,
    )
)
model.add(Activation("relu"))
model.add(Convolution2D(nb_filters, kernel_size[0], kernel_size[1], activation="relu"))
model.add(BatchNormalization(mode=2))
model.add(MaxPooling2D(pool_size=pool_size))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(32))
model.add(Activation("relu"))
model.add(Dropout(0.25))
model.add(Dense(nb_classes))
model.add(Activation("softmax"))

model.compile(
    loss="categorical_crossentropy", optimizer="adadelta", metrics=["accuracy"]
)
model.fit(
    X_train,
    Y_train,
    batch_size=batch_size,
    nb_epoch=nb_epoch,
    verbose=2,
    validation_data=(X_test, Y_test),
)
score = model.evaluate(X_test, Y_test, verbose=0)
print("Test score:", score[0])
print("Test accuracy:", score[1])
assert score[1] > 0.5
assert [layer.name for layer in model.layers][:3] == [
    "convolution2d_1",
    "activation_1",
    "convolution2d_2",
]

# the same with channels first, as under Theano
K.set_image_dim_ordering("th")
model = Sequential()
model.add(
    Convolution2D(
        4,
        3,
        3,
        border_mode="same",
        subsample=(2, 2),
        init="he_normal",
        activation="relu",
        input_shape=(1, 8, 8),
    )
)
model.add(MaxPooling2D((2, 2), dim_ordering="th"))
model.add(Flatten())
model.add(Dense(nb_classes, activation="softmax"))
model.compile("adam", "categorical_crossentropy")
model.fit(X_train.reshape(-1, 1, 8, 8), Y_train, 32, 1, verbose=2)
assert model.layers[0].output_shape == (None, 4, 4, 4)
assert model.predict_classes(X_test.reshape(-1, 1, 8, 8), verbose=0).shape == (200,)
K.set_image_dim_ordering("tf")
