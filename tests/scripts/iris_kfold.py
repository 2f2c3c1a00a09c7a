"""Iris flowers, cross-validated with scikit-learn."""

import numpy as np
from keras.datasets import iris
from keras.layers import Dense
from keras.models import Sequential
from keras.utils import np_utils
from keras.wrappers.scikit_learn import KerasClassifier
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler

seed = 7
np.random.seed(seed)

(X, numbers), _ = iris.load_data()
names = np.array(["Iris-setosa", "Iris-versicolor", "Iris-virginica"])[numbers]
encoder = LabelEncoder()
encoder.fit(names)
dummy_y = np_utils.to_categorical(encoder.transform(names))


def baseline_model():
    model = Sequential()
    model.add(Dense(8, input_dim=4, activation="relu"))
    model.add(Dense(3, activation="softmax"))
    model.compile(
        loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"]
    )
    return model


network = KerasClassifier(build_fn=baseline_model, epochs=60, batch_size=5, verbose=0)
estimator = Pipeline([("standardize", StandardScaler()), ("mlp", network)])
kfold = KFold(n_splits=3, shuffle=True, random_state=seed)
results = cross_val_score(estimator, X, dummy_y, cv=kfold)
print("Baseline: %.2f%% (%.2f%%)" % (results.mean() * 100, results.std() * 100))
assert results.mean() > 0.8
