"""Short texts as bags of words; `lstm_text.py` reads them word by word."""

import numpy as np
from keras.layers import Activation, Dense, Dropout
from keras.models import Sequential
from keras.preprocessing.text import Tokenizer

good = ["a fine and funny film", "great acting and a great story", "what a joy to see"]
bad = ["a dull and boring film", "poor acting and a poor story", "what a waste of time"]
texts = (good + bad) * 10
labels = np.array(([1] * 3 + [0] * 3) * 10)

max_words = 40
tokenizer = Tokenizer(num_words=max_words)
tokenizer.fit_on_texts(texts)
x = tokenizer.texts_to_matrix(texts, mode="binary")

model = Sequential()
model.add(Dense(16, input_shape=(max_words,)))
model.add(Activation("relu"))
model.add(Dropout(0.5))
model.add(Dense(1))
model.add(Activation("sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x, labels, batch_size=6, epochs=40, verbose=0)
new = tokenizer.texts_to_matrix(["a great and funny story", "a boring waste"], "binary")
print(model.predict(new).ravel())
assert model.predict_classes(new).ravel().tolist() == [1, 0]
