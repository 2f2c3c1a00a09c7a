"""One sick patient in twenty: without weights the network finds nobody."""

import numpy as np
from keras import regularizers
from keras.constraints import maxnorm
from keras.layers import Dense, Dropout
from keras.models import Sequential

np.random.seed(0)
x = np.random.randn(600, 5)
y = (x[:, 0] + 0.3 * np.random.randn(600) > 1.7).astype("int32")
assert 10 < y.sum() < 60
counts = np.bincount(y)
class_weight = {0: 1.0, 1: float(counts[0]) / counts[1]}

model = Sequential()
model.add(Dropout(0.1, input_shape=(5,)))
model.add(Dense(16, activation="relu", kernel_constraint=maxnorm(3)))
model.add(Dense(1, activation="sigmoid", kernel_regularizer=regularizers.l2(1e-4)))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x, y, epochs=20, batch_size=32, class_weight=class_weight, verbose=0)
found = model.predict_classes(x)[:, 0]
recall = found[y == 1].mean()
print("found %.0f%% of the sick" % (100 * recall))
assert recall > 0.8

loss = model.train_on_batch(x[:50], y[:50], class_weight=class_weight)
assert len(loss) == len(model.metrics_names) == 2
