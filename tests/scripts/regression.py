"""A curve through noisy points, with a learning rate that shrinks."""

import numpy as np
from keras import backend as K
from keras import regularizers
from keras.callbacks import LearningRateScheduler
from keras.layers import Dense
from keras.models import Sequential

np.random.seed(0)
x = np.random.uniform(-1, 1, (300, 1))
y = x**2 + 0.05 * np.random.randn(300, 1)


def r_squared(y_true, y_pred):
    residual = K.sum(K.square(y_true - y_pred))
    total = K.sum(K.square(y_true - K.mean(y_true)))
    return 1 - residual / (total + K.epsilon())


model = Sequential(
    [
        Dense(32, activation="tanh", input_shape=(1,)),
        Dense(1, kernel_regularizer=regularizers.l2(1e-5)),
    ]
)
model.compile(optimizer="adam", loss="mse", metrics=["mae", r_squared])
K.set_value(model.optimizer.lr, 0.02)
model.fit(
    x,
    y,
    epochs=40,
    batch_size=30,
    verbose=0,
    callbacks=[LearningRateScheduler(lambda epoch, lr: lr * 0.97)],
)
assert K.get_value(model.optimizer.lr) < 0.02
loss, mae, r2 = model.evaluate(x, y, batch_size=300, verbose=0)
print("mse %.4f  mae %.4f  r2 %.3f" % (loss, mae, r2))
assert r2 > 0.8
