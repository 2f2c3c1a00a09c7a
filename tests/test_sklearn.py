"""Models as estimators: scikit-learn's own checks, grids, pipelines, old wrappers."""

import inspect
import pickle

import numba
import numpy as np
import pytest

import kerasnb
from kerasnb import Sequential
from kerasnb.layers import Dense, Flatten

pytest.importorskip("sklearn")

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from kerasnb.sklearn import (
    KerasClassifier,
    KerasRegressor,
    SequentialClassifier,
    SequentialRegressor,
)

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="many fits, by steps")

(X, Y), (X_TEST, Y_TEST) = kerasnb.datasets.iris.load_data()
NAMES = np.array(["setosa", "versicolor", "virginica"])
T = X[:, :1] * 2 - X[:, 1:2]


def classes(units=8, loss="categorical_crossentropy", metrics=("accuracy",)):
    model = Sequential([Dense(units, activation="relu", input_dim=4)])
    model.add(Dense(3, activation="softmax"))
    model.compile("adam", loss, metrics=list(metrics))
    return model


def two_classes():
    model = Sequential([Dense(1, activation="sigmoid", input_dim=4)])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def numbers(units=8, columns=1, metrics=()):
    model = Sequential([Dense(units, activation="relu", input_dim=4), Dense(columns)])
    model.compile("adam", "mse", metrics=list(metrics))
    return model


# ---- estimators of today ----------------------------------------------------------


@compiled
@parametrize_with_checks([SequentialClassifier(), SequentialRegressor()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_checks_of_scikit_learn_pass(estimator, check):
    """Some fifty promises of an estimator, checked by those who made them."""
    check(estimator)


def build(input_shape, outputs, units=4):
    model = Sequential([Dense(units, activation="relu", input_shape=input_shape)])
    model.add(Dense(outputs, activation="softmax"))
    model.compile("adam", "categorical_crossentropy")
    return model


@compiled
def test_a_grid_over_a_pipeline_finds_the_wider_network():
    """Scaled data; arguments of build_fn and of fit in one grid."""
    network = SequentialClassifier(build, epochs=20, random_state=1)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    grid = {
        "network__build_args": [{"units": 1}, {"units": 32}],
        "network__batch_size": [8],
    }
    search = GridSearchCV(pipeline, grid, cv=3)
    search.fit(X, NAMES[Y])
    assert search.best_params_["network__build_args"] == {"units": 32}
    assert (search.predict(X_TEST) == NAMES[Y_TEST]).mean() > 0.85


def test_one_sigmoid_output_serves_two_classes():
    """predict_proba still has a column for each class."""
    estimator = SequentialClassifier(two_classes, epochs=1)
    estimator.fit(X[Y < 2], NAMES[Y[Y < 2]])
    p = estimator.predict_proba(X[:5])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    expected = NAMES[(p[:, 1] > 0.5).astype(int)]
    assert estimator.predict(X[:5]).tolist() == expected.tolist()


def test_the_same_random_state_gives_the_same_network():
    """An int or a RandomState; without one, the library's stream goes on."""
    first, second = (
        SequentialClassifier(epochs=1, random_state=seed).fit(X, Y).predict_proba(X[:2])
        for seed in (3, 3)
    )
    np.testing.assert_array_equal(first, second)
    state = np.random.RandomState(5)
    SequentialClassifier(epochs=1, random_state=state).fit(X, Y)
    third, fourth = (
        SequentialClassifier(epochs=1).fit(X, Y).predict_proba(X[:2]) for _ in range(2)
    )
    assert (third != fourth).any()


def test_arguments_of_fit_go_along():
    """fit_args reach the model's fit; callbacks are copied, so none is used twice."""
    stop = kerasnb.callbacks.EarlyStopping(patience=1)
    arguments = {"validation_split": 0.25, "callbacks": [stop]}
    estimator = SequentialRegressor(fit_args=arguments, epochs=2, random_state=0)
    estimator.fit(X, T)
    assert "val_loss" in estimator.history_
    assert getattr(stop, "model", None) is None
    assert estimator.predict(X).shape == (len(X), 1)


def test_samples_may_have_several_axes():
    """Images as they are; the network of its own flattens them."""
    images = np.random.default_rng(0).random((12, 3, 2))
    estimator = SequentialClassifier(epochs=1).fit(images, [0, 1] * 6)
    assert isinstance(estimator.model_.layers[0], Flatten)
    assert estimator.predict(images).shape == (12,)


def test_a_fitted_estimator_can_be_pickled_and_bagged():
    """With its model inside."""
    estimator = SequentialClassifier(epochs=1, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
    bagged = BaggingClassifier(SequentialClassifier(epochs=1), n_estimators=2)
    assert bagged.fit(X, Y).predict(X[:3]).shape == (3,)


# ---- as Keras had it --------------------------------------------------------------


def test_each_function_gets_the_arguments_it_knows():
    """build_fn the units, fit the epochs, predict the batch size; fit's own win."""
    estimator = KerasClassifier(classes, units=5, epochs=2, batch_size=16, verbose=0)
    history = estimator.fit(X, NAMES[Y], epochs=3)
    assert isinstance(history, kerasnb.callbacks.History)
    assert history.epoch == [0, 1, 2]
    assert estimator.model.layers[0].units == 5
    assert estimator.filter_sk_params(classes) == {"units": 5}
    assert estimator.filter_sk_params(Sequential.predict, {"steps": 1}) == {
        "batch_size": 16,
        "verbose": 0,
        "steps": 1,
    }


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"]
)
def test_labels_come_back_as_they_were(loss):
    """Strings in, strings out; the score is the share of right ones."""
    estimator = KerasClassifier(classes, loss=loss, epochs=1, verbose=0)
    estimator.fit(X, NAMES[Y])
    assert estimator.classes_.tolist() == NAMES.tolist() and estimator.n_classes_ == 3
    predicted = estimator.predict(X_TEST)
    assert set(predicted) <= set(NAMES)
    right = (predicted == NAMES[Y_TEST]).mean()
    np.testing.assert_allclose(estimator.score(X_TEST, NAMES[Y_TEST]), right, rtol=1e-6)
    assert estimator.predict_proba(X_TEST).shape == (30, 3)


def test_one_hot_rows_are_numbered():
    """Their classes are 0, 1, 2; the score takes such rows too."""
    estimator = KerasClassifier(classes, epochs=1, verbose=0)
    estimator.fit(X, np.eye(3)[Y])
    assert estimator.classes_.tolist() == [0, 1, 2]
    right = (estimator.predict(X_TEST) == Y_TEST).mean()
    np.testing.assert_allclose(
        estimator.score(X_TEST, np.eye(3)[Y_TEST]), right, rtol=1e-6
    )


def test_one_unit_has_two_probabilities_and_a_column_of_labels():
    """As in Keras: predict keeps the axis of the unit."""
    estimator = KerasClassifier(two_classes, epochs=1, verbose=0)
    estimator.fit(X[Y < 2], NAMES[Y[Y < 2]][:, None])
    assert estimator.predict(X[:4]).shape == (4, 1)
    p = estimator.predict_proba(X[:4])
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_a_regressor_scores_minus_the_loss():
    """The first value of evaluate, metrics or none; one column is dropped."""
    for metrics in ([], ["mae"]):
        estimator = KerasRegressor(numbers, metrics=metrics, epochs=1, verbose=0)
        estimator.fit(X, T)
        assert estimator.predict(X).shape == (len(X),)
        expected = ((estimator.predict(X) - T[:, 0]) ** 2).mean()
        np.testing.assert_allclose(-estimator.score(X, T), expected, rtol=1e-5)
    several = KerasRegressor(numbers, columns=2, epochs=1, verbose=0)
    several.fit(X, X[:, :2])
    assert several.predict(X).shape == (len(X), 2)


@compiled
def test_old_wrappers_work_in_grids_and_cross_validation():
    """The grid sets arguments of build_fn and of fit; folds are stratified."""
    estimator = KerasClassifier(classes, epochs=15, batch_size=8, verbose=0)
    search = GridSearchCV(estimator, {"units": [1, 32], "epochs": [15]}, cv=2)
    search.fit(X, Y)
    assert search.best_params_["units"] == 32 and search.best_score_ > 0.7
    scores = cross_val_score(KerasRegressor(numbers, epochs=1, verbose=0), X, T, cv=2)
    assert (scores < 0).all()


def test_old_wrappers_are_estimators():
    """clone, repr, kind, get_params and set_params."""
    estimator = KerasClassifier(classes, units=3, callbacks=[])
    twin = clone(estimator)
    assert twin.get_params() == {"units": 3, "callbacks": [], "build_fn": classes}
    assert twin.set_params(units=4, build_fn=classes) is twin
    assert estimator.get_params()["units"] == 3 and twin.sk_params["units"] == 4
    assert "units=3" in repr(estimator)
    assert is_classifier(estimator) and is_regressor(KerasRegressor(numbers))


class Built(KerasRegressor):
    """A wrapper that builds its model itself."""

    def __call__(self, units=2):
        return numbers(units)


def test_a_subclass_may_build_the_model():
    """Its __call__ takes the place of build_fn."""
    estimator = Built(units=3, epochs=1, verbose=0)
    estimator.fit(X, T)
    assert estimator.model.layers[0].units == 3


def test_epochs_in_the_words_of_keras_1_are_understood():
    """nb_epoch is not lost on a model of today, and a warning names the word."""
    estimator = KerasRegressor(numbers, nb_epoch=2, verbose=0)
    if "nb_epoch" in inspect.signature(Sequential.fit).parameters:
        pytest.skip("fit itself knows the word")
    with pytest.warns(UserWarning, match="nb_epoch is called epochs"):
        assert estimator.fit(X, T).epoch == [0, 1]


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: KerasClassifier(classes, unit=3), "'unit' is no argument of build_fn"),
        (lambda: KerasClassifier(), "expected build_fn, a function that returns"),
        (
            lambda: KerasClassifier(classes).fit(X, np.zeros((120, 2, 2))),
            r"labels of shape .* got \(120, 2, 2\)",
        ),
        (
            lambda: SequentialClassifier(lambda: Sequential([Dense(1)])).fit(X, Y),
            "expected build_fn to return a compiled model",
        ),
        (lambda: SequentialClassifier().fit(X, [1] * 120), "one class only: "),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    """Before any training."""
    with pytest.raises(ValueError, match=message):
        call()


def test_refused_parameters_change_nothing():
    """set_params checks before it sets."""
    estimator = KerasClassifier(classes, units=3)
    with pytest.raises(ValueError, match="'lr' is no argument"):
        estimator.set_params(build_fn=two_classes, lr=3)
    assert estimator.get_params() == {"units": 3, "build_fn": classes}


def test_a_score_needs_an_accuracy():
    """And says how to get it."""
    estimator = KerasClassifier(classes, metrics=[], epochs=1, verbose=0)
    estimator.fit(X, Y)
    with pytest.raises(ValueError, match=r"compile it with metrics=\['accuracy'\]"):
        estimator.score(X, Y)
