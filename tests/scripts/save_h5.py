"""The .h5 files of 2017: the structure as YAML, weights, a whole model, checkpoints."""

import os

import numpy as np
from keras.callbacks import ModelCheckpoint
from keras.layers import Dense, Dropout
from keras.models import Sequential, load_model, model_from_yaml

X = np.random.RandomState(7).rand(200, 8)
Y = (X.sum(axis=1) > 4).astype(int)
model = Sequential()
model.add(Dense(12, input_dim=8, kernel_initializer="uniform", activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(1, kernel_initializer="uniform", activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
filepath = "weights.best.hdf5"
checkpoint = ModelCheckpoint(
    filepath, monitor="val_loss", save_best_only=True, save_weights_only=True
)
model.fit(
    X,
    Y,
    epochs=3,
    batch_size=10,
    validation_split=0.1,
    callbacks=[checkpoint],
    verbose=0,
)
scores = model.evaluate(X, Y, verbose=0)

with open("model.yaml", "w") as yaml_file:
    yaml_file.write(model.to_yaml())
model.save_weights("model.h5")
model.save("my_model.h5")
del model

with open("model.yaml") as yaml_file:
    loaded_model = model_from_yaml(yaml_file.read())
loaded_model.load_weights("model.h5")
loaded_model.compile(
    loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"]
)
score = loaded_model.evaluate(X, Y, verbose=0)
print("%s: %.2f%%" % (loaded_model.metrics_names[1], score[1] * 100))
np.testing.assert_allclose(score, scores, rtol=1e-5)

whole = load_model("my_model.h5")
np.testing.assert_allclose(whole.evaluate(X, Y, verbose=0), scores, rtol=1e-5)
whole.fit(X, Y, epochs=1, batch_size=10, verbose=0)
whole.load_weights("weights.best.hdf5")
assert whole.optimizer.iterations == 3 * 18 + 20
os.remove("my_model.h5")
