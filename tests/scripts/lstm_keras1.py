"""The next value of a wave, in the words of Keras 1; then one that remembers."""

import numpy as np
from keras.layers.core import Activation, Dense, Dropout, TimeDistributedDense
from keras.layers.recurrent import GRU, LSTM, SimpleRNN
from keras.models import Sequential

np.random.seed(3)
wave = np.sin(np.arange(330) / 5.0)
X = np.array([wave[i : i + 10] for i in range(300)])[:, :, np.newaxis]
y = wave[10:310]

model = Sequential()
model.add(
    LSTM(
        output_dim=12,
        init="glorot_uniform",
        inner_init="orthogonal",
        forget_bias_init="one",
        inner_activation="hard_sigmoid",
        return_sequences=True,
        input_length=10,
        input_dim=1,
    )
)
model.add(Dropout(0.1))
model.add(GRU(8, dropout_W=0.1, dropout_U=0.1, consume_less="cpu"))
model.add(Dense(1))
model.add(Activation("linear"))
model.compile(loss="mse", optimizer="rmsprop")
model.fit(X, y, nb_epoch=10, batch_size=30, validation_split=0.1, verbose=0)
error = model.evaluate(X, y, verbose=0)
print("mean squared error %.4f" % error)
assert error < 0.1

model = Sequential()
model.add(
    SimpleRNN(6, batch_input_shape=(10, 1, 1), stateful=True, return_sequences=True)
)
model.add(TimeDistributedDense(1))
model.compile(loss="mse", optimizer="adam")
start = np.arange(10) * 20
for epoch in range(3):
    for step in range(20):
        model.train_on_batch(
            wave[start + step][:, None, None], wave[start + step + 1][:, None, None]
        )
    model.reset_states()
assert model.predict(X[:10, :1], batch_size=10).shape == (10, 1, 1)
