"""Which batch size, how many units? A grid search answers."""

from keras.datasets import iris
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adam
from keras.wrappers.scikit_learn import KerasClassifier
from sklearn.model_selection import GridSearchCV


def create_model(neurons=1, dropout_rate=0.0, learn_rate=0.02):
    model = Sequential()
    model.add(Dense(neurons, input_dim=4, activation="relu"))
    model.add(Dropout(dropout_rate))
    model.add(Dense(3, activation="softmax"))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=Adam(lr=learn_rate),
        metrics=["accuracy"],
    )
    return model


(X, Y), (X_test, Y_test) = iris.load_data()
model = KerasClassifier(build_fn=create_model, epochs=15, verbose=0)
param_grid = dict(batch_size=[8, 16], neurons=[2, 16], dropout_rate=[0.0])
grid = GridSearchCV(estimator=model, param_grid=param_grid, cv=2)
grid_result = grid.fit(X, Y)

print("Best: %f using %s" % (grid_result.best_score_, grid_result.best_params_))
means = grid_result.cv_results_["mean_test_score"]
for mean, param in zip(means, grid_result.cv_results_["params"]):
    print("%f with: %r" % (mean, param))
assert len(means) == 4
assert grid_result.best_params_["neurons"] == 16
assert (grid.predict(X_test) == Y_test).mean() > 0.8
