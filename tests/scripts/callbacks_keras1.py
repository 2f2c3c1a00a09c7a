"""Model checkpoints and early stopping in the words of Keras 1."""

import glob

import numpy as np
from keras import backend as K
from keras.callbacks import EarlyStopping, ModelCheckpoint
from keras.layers.core import Dense
from keras.models import Sequential, model_from_json
from keras.regularizers import l2

if K.image_dim_ordering() == "th":
    raise RuntimeError("expected channels last")

np.random.seed(5)
X = np.random.rand(120, 3)
y = X.dot(np.array([[1.0], [2.0], [-1.0]]))
model = Sequential()
model.add(
    Dense(6, input_dim=3, init="normal", activation="tanh", W_regularizer=l2(1e-4))
)
model.add(Dense(1, init="normal"))
model.compile(loss="mse", optimizer="adam")
checkpoint = ModelCheckpoint("weights.{epoch:02d}.knb", save_weights_only=True)
stop = EarlyStopping(monitor="val_loss", patience=2)
history = model.fit(
    X,
    y,
    nb_epoch=4,
    batch_size=12,
    validation_split=0.2,
    verbose=0,
    callbacks=[checkpoint, stop],
)
files = sorted(glob.glob("weights.*.knb"))
assert files[0] == "weights.00.knb", files
again = model_from_json(model.to_json())
again.load_weights(files[-1])
np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=1e-5)
print("kept", files)
