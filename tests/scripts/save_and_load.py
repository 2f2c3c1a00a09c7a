"""The structure as JSON, the weights as a file, and a model as one."""

import os

import numpy as np
from keras.layers import Dense
from keras.models import Sequential, load_model, model_from_json

X = np.random.RandomState(7).rand(200, 8)
Y = (X.sum(axis=1) > 4).astype(int)
model = Sequential()
model.add(Dense(12, input_dim=8, kernel_initializer="uniform", activation="relu"))
model.add(Dense(1, kernel_initializer="uniform", activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(X, Y, epochs=3, batch_size=10, verbose=0)
scores = model.evaluate(X, Y, verbose=0)

model_json = model.to_json()
with open("model.json", "w") as json_file:
    json_file.write(model_json)
model.save_weights("model.weights")
model.save("model.knb")
del model

json_file = open("model.json", "r")
loaded_model_json = json_file.read()
json_file.close()
loaded_model = model_from_json(loaded_model_json)
loaded_model.load_weights("model.weights")
loaded_model.compile(
    loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"]
)
score = loaded_model.evaluate(X, Y, verbose=0)
print("%s: %.2f%%" % (loaded_model.metrics_names[1], score[1] * 100))
np.testing.assert_allclose(score, scores, rtol=1e-5)
whole = load_model("model.knb")
np.testing.assert_allclose(whole.evaluate(X, Y, verbose=0), scores, rtol=1e-5)
os.remove("model.knb")
