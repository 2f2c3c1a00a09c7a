"""Losses, metrics and layers written with K, as segmentation scripts had them."""

import numpy as np
from keras import backend as K
from keras.layers import Activation, Dense, Dropout, Lambda
from keras.losses import binary_crossentropy
from keras.models import Sequential, load_model
from keras.optimizers import Adam

np.random.seed(7)
x = np.random.randn(400, 6)
centre = x[:, :2].sum(axis=1, keepdims=True)
y = (np.abs(np.arange(8) - 4 - centre) < 1.5).astype("float32")

smooth = 1.0


def dice_coef(y_true, y_pred):
    intersection = K.sum(y_true * y_pred, axis=-1)
    total = K.sum(y_true, axis=-1) + K.sum(y_pred, axis=-1)
    return (2.0 * intersection + smooth) / (total + smooth)


def bce_dice_loss(y_true, y_pred):
    loss = 0.5 * binary_crossentropy(y_true, y_pred)
    loss += 1.0 - dice_coef(y_true, y_pred)
    return loss


def focal_loss(gamma=2.0, alpha=0.25):
    def focal_loss_fixed(y_true, y_pred):
        pt = K.switch(K.equal(y_true, 1), y_pred, 1 - y_pred)
        pt = K.clip(pt, K.epsilon(), 1.0 - K.epsilon())
        return -K.mean(alpha * K.pow(1.0 - pt, gamma) * K.log(pt), axis=-1)

    return focal_loss_fixed


def swish(x):
    return x * K.sigmoid(x)


def sparse_weights(weight_matrix):
    return 1e-5 * K.sum(K.abs(weight_matrix))


def build(loss):
    model = Sequential()
    model.add(Lambda(lambda x: (x - 0.1) / 1.1, input_shape=(6,)))
    model.add(Dense(32, kernel_regularizer=sparse_weights))
    model.add(Activation(swish))
    model.add(Dropout(0.1))
    model.add(Dense(8, activation="sigmoid"))
    model.compile(optimizer=Adam(lr=0.01), loss=loss, metrics=[dice_coef])
    return model


for loss in (bce_dice_loss, focal_loss(gamma=1.5)):
    model = build(loss)
    history = model.fit(x, y, batch_size=32, epochs=25, validation_split=0.2, verbose=0)
    assert set(history.history) == {"loss", "dice_coef", "val_loss", "val_dice_coef"}
    print("%s: dice %.3f" % (loss.__name__, history.history["val_dice_coef"][-1]))
    assert history.history["val_dice_coef"][-1] > 0.7


def scale(x):
    return (x - 0.1) / 1.1


model = Sequential([Lambda(scale, input_shape=(6,)), Dense(8, activation="sigmoid")])
model.compile(optimizer="adam", loss=bce_dice_loss, metrics=["accuracy", dice_coef])
model.fit(x, y, epochs=1, verbose=0)
model.save("dice.model")
names = {"bce_dice_loss": bce_dice_loss, "dice_coef": dice_coef, "scale": scale}
again = load_model("dice.model", custom_objects=names)
assert np.allclose(again.predict(x), model.predict(x))
assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
