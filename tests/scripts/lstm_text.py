"""Short texts, read word by word: Embedding, LSTM, Dense."""

import numpy as np
from keras.layers import LSTM, Dense, Embedding
from keras.models import Sequential
from keras.preprocessing import sequence
from keras.preprocessing.text import Tokenizer

np.random.seed(7)
good = ["a fine and funny film", "great acting and a great story", "what a joy to see"]
bad = ["a dull and boring film", "poor acting and a poor story", "what a waste of time"]
texts = (good + bad) * 10
labels = np.array(([1] * 3 + [0] * 3) * 10)

max_words, max_length = 40, 8
tokenizer = Tokenizer(num_words=max_words)
tokenizer.fit_on_texts(texts)
x = sequence.pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=max_length)

model = Sequential()
model.add(Embedding(max_words, 8, input_length=max_length, mask_zero=True))
model.add(LSTM(16, dropout=0.2, recurrent_dropout=0.2))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.summary()
model.fit(x, labels, validation_split=0.2, epochs=30, batch_size=6, verbose=0)
score, accuracy = model.evaluate(x, labels, verbose=0)
print("loss %.3f, accuracy %.3f" % (score, accuracy))
new = tokenizer.texts_to_sequences(["a great and funny story", "a boring waste"])
new = sequence.pad_sequences(new, maxlen=max_length)
assert model.predict_classes(new).ravel().tolist() == [1, 0]
assert accuracy > 0.9
