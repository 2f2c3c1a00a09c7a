"""Two branches that meet in a Merge layer."""

import numpy as np
from keras.layers import Activation, Dense, Merge
from keras.models import Sequential

np.random.seed(1)

left_branch = Sequential()
left_branch.add(Dense(8, input_dim=6))
right_branch = Sequential()
right_branch.add(Dense(8, input_dim=4))
merged = Merge([left_branch, right_branch], mode="concat")

final_model = Sequential()
final_model.add(merged)
final_model.add(Dense(3))
final_model.add(Activation("softmax"))
final_model.compile(optimizer="rmsprop", loss="categorical_crossentropy")

a, b = np.random.random((200, 6)), np.random.random((200, 4))
labels = np.eye(3)[np.argmax(np.c_[a[:, :2].sum(1), b[:, :2].sum(1), np.ones(200)], 1)]
first = final_model.evaluate([a, b], labels, verbose=0)
final_model.fit([a, b], labels, nb_epoch=10, batch_size=20, verbose=0)
last = final_model.evaluate([a, b], labels, verbose=0)
print("loss %.3f -> %.3f" % (first, last))
assert final_model.predict([a, b]).shape == (200, 3)
assert last < first
