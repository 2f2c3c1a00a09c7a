"""Squeeze digits through eight numbers, with noise to clean as an exercise."""

import numpy as np
from keras.callbacks import EarlyStopping
from keras.datasets import digits
from keras.layers import Dense
from keras.models import Sequential

np.random.seed(4)
(x_train, _), (x_test, _) = digits.load_data()
x_train = x_train.reshape((len(x_train), np.prod(x_train.shape[1:]))) / 16.0
x_test = x_test.reshape((len(x_test), np.prod(x_test.shape[1:]))) / 16.0
noisy = np.clip(x_train + 0.1 * np.random.normal(size=x_train.shape), 0.0, 1.0)

encoding_dim = 8
autoencoder = Sequential()
autoencoder.add(Dense(encoding_dim, activation="relu", input_shape=(64,), name="code"))
autoencoder.add(Dense(64, activation="sigmoid"))
autoencoder.compile(optimizer="adadelta", loss="binary_crossentropy")
blank = autoencoder.evaluate(x_test, x_test, verbose=0)
autoencoder.fit(
    noisy,
    x_train,
    epochs=4,
    batch_size=64,
    shuffle=True,
    verbose=0,
    validation_data=(x_test, x_test),
    callbacks=[EarlyStopping(patience=2)],
)
trained = autoencoder.evaluate(x_test, x_test, verbose=0)

encoder = Sequential()
encoder.add(Dense(encoding_dim, activation="relu", input_shape=(64,)))
encoder.layers[0].set_weights(autoencoder.get_layer("code").get_weights())
codes = encoder.predict(x_test)
print("loss %.3f -> %.3f, codes %s" % (blank, trained, codes.shape))
assert codes.shape == (len(x_test), encoding_dim) and codes.min() >= 0
assert trained < 0.8 * blank
