"""
Models for scikit-learn: grids, pipelines and cross-validation over a Sequential.

`KerasClassifier` and `KerasRegressor` are the wrappers of `keras.wrappers.scikit_learn`
with their `build_fn`, for scripts that use them. New programs have
`SequentialClassifier` and `SequentialRegressor`, which keep the whole contract of an
estimator and pass scikit-learn's own checks. Needs the extra 'sklearn'. Read next:
`training.py` for what fit does.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import losses, random
from .callbacks import History
from .extras import import_extra
from .layers import Dense, Flatten
from .sequential import Sequential
from .utils import to_categorical

import_extra("sklearn", "sklearn", "kerasnb.sklearn")

from sklearn.base import (  # noqa: E402
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
)
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import (  # noqa: E402
    check_is_fitted,
    column_or_1d,
    validate_data,
)

__all__ = [
    "KerasClassifier",
    "KerasRegressor",
    "SequentialClassifier",
    "SequentialRegressor",
]

METHODS = ("fit", "predict", "predict_classes", "evaluate")
EPOCHS = {"nb_epoch": "epochs", "epochs": "nb_epoch"}  # in the other dialect


def names_of(function: Callable) -> list[str]:
    """Return the names of a function's arguments."""
    parameters = inspect.signature(function).parameters.values()
    return [
        p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]


def wants_one_hot(model: Any) -> bool:
    """Return whether a model's loss takes one-hot rows instead of class numbers."""
    return losses.get(model.loss) is losses.categorical_crossentropy


# ---------------------------------------------------------------- as Keras had it


class BaseWrapper(BaseEstimator):
    """
    What both wrappers share: one dict of arguments for several functions.

    Parameters
    ----------
    build_fn : callable, optional
        Returns a compiled model. Default: the method `__call__` of a subclass.
    **sk_params
        Arguments of `build_fn`, and of the model's fit, predict, predict_classes and
        evaluate: each function gets those that it knows.
    """

    model: Any

    def __init__(self, build_fn: Callable | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def check_params(self, params: dict[str, Any]) -> None:
        """Raise a ValueError if no function takes an argument of this name."""
        legal = {"build_fn", "nb_epoch", *names_of(self._builder())}
        for method in METHODS:
            legal.update(names_of(getattr(Sequential, method)))
        legal -= {"self", "x", "y"}
        for name in params:
            if name not in legal:
                raise ValueError(
                    f"{type(self).__name__}: {name!r} is no argument of build_fn, "
                    f"{', '.join(METHODS)}. Known: {', '.join(sorted(legal))}."
                )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all arguments of the constructor."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Change arguments of the constructor; return the estimator."""
        former = self.build_fn
        self.build_fn = params.pop("build_fn", former)
        try:
            self.check_params(params)
        except ValueError:
            self.build_fn = former
            raise
        self.sk_params.update(params)
        return self

    def filter_sk_params(
        self, fn: Callable, override: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return those arguments that a function knows, and `override` in any case."""
        known = names_of(fn)
        mine = {k: v for k, v in self.sk_params.items() if k in known}
        return {**mine, **(override or {})}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> History:
        """
        Build a new model and train it.

        Parameters
        ----------
        x, y : array-like
        **kwargs
            For the model's fit; they win over those of the constructor.

        Returns
        -------
        History
            And not the estimator: so it was in Keras.
        """
        builder = self._builder()
        self.model = builder(**self.filter_sk_params(builder))
        if wants_one_hot(self.model) and np.ndim(y) != 2:
            y = to_categorical(y, getattr(self, "n_classes_", None))
        arguments = copy.deepcopy(self.filter_sk_params(self.model.fit))
        return self.model.fit(x, y, **{**arguments, **self._epochs(), **kwargs})

    def _epochs(self) -> dict[str, Any]:
        """Return the number of epochs, if it was given in the other dialect."""
        known = names_of(self.model.fit)
        for word, other in EPOCHS.items():
            if word in self.sk_params and word not in known and other in known:
                if word == "nb_epoch":
                    warnings.warn(
                        f"{type(self).__name__}: nb_epoch is called epochs today.",
                        stacklevel=3,
                    )
                return {other: self.sk_params[word]}
        return {}

    def _builder(self) -> Callable:
        if self.build_fn is not None:
            return self.build_fn
        if "__call__" in dir(type(self)):
            return self.__call__  # type: ignore[operator]
        raise ValueError(
            f"{type(self).__name__}: expected build_fn, a function that returns a "
            "compiled model. A subclass may have a method __call__ instead."
        )


class KerasClassifier(ClassifierMixin, BaseWrapper):
    """
    A classifier with the interface of `keras.wrappers.scikit_learn`.

    Parameters
    ----------
    build_fn : callable, optional
        Returns a compiled model.
    **sk_params
        Arguments of `build_fn`, fit, predict, predict_classes and evaluate.

    Attributes
    ----------
    model : Sequential
        The trained model.
    classes_ : array
        The labels, sorted.

    Examples
    --------
    >>> def build(units=2):
    ...     model = Sequential([Dense(units, "softmax", input_shape=(1,))])
    ...     model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    ...     return model
    >>> classifier = KerasClassifier(build, epochs=2, verbose=0)
    >>> history = classifier.fit([[0.0], [1.0]], ["no", "yes"])
    >>> classifier.predict_proba([[0.0]]).shape
    (1, 2)
    """

    def fit(self, x: Any, y: Any, **kwargs: Any) -> History:
        """
        Build a new model and train it on labels, or on one-hot rows.

        Parameters
        ----------
        x : array-like
        y : labels (N,) or (N, 1), or one-hot rows (N, classes)
        **kwargs
            For the model's fit.

        Returns
        -------
        History
        """
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim == 1 or y.ndim == 2 and y.shape[1] == 1:
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError(
                "KerasClassifier: expected labels of shape (N,) or (N, 1), or one-hot "
                f"rows (N, classes), got {y.shape}."
            )
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return a label for each sample; of one output unit a column of labels."""
        method = self.model.predict_classes
        return self.classes_[method(x, **self.filter_sk_params(method, kwargs))]

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return a probability for each class, (N, classes); of one unit (N, 2)."""
        method = self.model.predict_proba
        p = method(x, **self.filter_sk_params(method, kwargs))
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """
        Return the accuracy that the model's evaluate computes.

        Raises
        ------
        ValueError
            If the model was compiled without metrics=['accuracy'].
        """
        y = np.array(y)
        if y.ndim < 2 or y.shape[1] == 1:
            y = np.searchsorted(self.classes_, y)
            if wants_one_hot(self.model):
                y = to_categorical(y, self.n_classes_)
        method = self.model.evaluate
        values = method(x, y, **self.filter_sk_params(method, kwargs))
        for name in ("acc", "accuracy"):
            if name in self.model.metrics_names:
                return values[self.model.metrics_names.index(name)]
        raise ValueError(
            "KerasClassifier.score: the model computes no accuracy. Let build_fn "
            "compile it with metrics=['accuracy']."
        )


class KerasRegressor(RegressorMixin, BaseWrapper):
    """
    A regressor with the interface of `keras.wrappers.scikit_learn`.

    Parameters
    ----------
    build_fn : callable, optional
        Returns a compiled model.
    **sk_params
        Arguments of `build_fn`, fit, predict and evaluate.

    Attributes
    ----------
    model : Sequential
        The trained model.
    """

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return a number for each sample, or a row of them."""
        method = self.model.predict
        y = method(x, **self.filter_sk_params(method, kwargs))
        return np.squeeze(y, -1) if y.shape[-1] == 1 else y

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Return minus the loss, so that more is better."""
        method = self.model.evaluate
        loss = method(x, y, **self.filter_sk_params(method, kwargs))
        return -(loss[0] if isinstance(loss, list) else loss)


# ---------------------------------------------------------------- by today's contract


class SequentialEstimator(BaseEstimator):
    """
    What both estimators share.

    Parameters
    ----------
    build_fn : callable, optional
        Returns a compiled model. It gets those of these arguments that it names:
        `input_shape`, the shape of one sample, and `outputs`, the number of classes or
        of columns of y; and all of `build_args`. Default: one hidden layer.
    build_args : dict, optional
        More arguments of `build_fn`, for a grid: {"build_args": [{"units": 8}, ...]}.
    fit_args : dict, optional
        More arguments of the model's fit: callbacks (each fit uses copies of them),
        validation_split, class_weight by class number, ...
    epochs, batch_size, verbose
        As for `Sequential.fit`.
    random_state : int, RandomState or None
        Seed of first weights, shuffles and dropout. None: the stream of
        `kerasnb.set_seed` goes on.

    Attributes
    ----------
    model_ : Sequential
        The trained model.
    history_ : dict
        Name -> one value per epoch.
    """

    def __init__(
        self,
        build_fn: Callable | None = None,
        build_args: dict[str, Any] | None = None,
        fit_args: dict[str, Any] | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.build_fn = build_fn
        self.build_args = build_args
        self.fit_args = fit_args
        self.epochs = epochs
        self.batch_size = batch_size
        self.verbose = verbose
        self.random_state = random_state

    def _train(self, X: np.ndarray, y: np.ndarray, outputs: int) -> None:
        with random.seeded(_seed(self.random_state)):
            model = self._new_model(X.shape[1:], outputs)
            if wants_one_hot(model) and y.ndim == 1:
                y = to_categorical(y, outputs)
            history = model.fit(
                X,
                y,
                batch_size=self.batch_size,
                epochs=self.epochs,
                verbose=self.verbose,
                **copy.deepcopy(self.fit_args or {}),
            )
        self.model_, self.history_ = model, history.history

    def _new_model(self, input_shape: tuple, outputs: int) -> Any:
        build = self.build_fn or self._default_model
        offered = {"input_shape": input_shape, "outputs": outputs}
        known = names_of(build)
        arguments = {name: v for name, v in offered.items() if name in known}
        model = build(**{**arguments, **(self.build_args or {})})
        if getattr(model, "optimizer", None) is None:
            raise ValueError(
                f"{type(self).__name__}: expected build_fn to return a compiled model, "
                f"got {model!r:.80}. Call model.compile(...) before return."
            )
        return model

    def _default_model(self, input_shape: tuple, outputs: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no model of its own.")

    def _output(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **NUMBERS)
        return self.model_.predict(X, batch_size=self.batch_size).astype(np.float64)


NUMBERS: dict[str, Any] = {"dtype": [np.float32, np.float64], "allow_nd": True}


class SequentialClassifier(ClassifierMixin, SequentialEstimator):
    """
    A Sequential as a classifier of scikit-learn.

    Its parameters are those of `SequentialEstimator`. The model has one output per
    class and a cross-entropy as loss, or for two classes one sigmoid output.

    Attributes
    ----------
    classes_ : array
        The labels, sorted.

    Examples
    --------
    >>> classifier = SequentialClassifier(epochs=30, random_state=0)
    >>> classifier.fit([[0.0], [0.1], [0.9], [1.0]], ["no", "no", "yes", "yes"])
    SequentialClassifier(epochs=30, random_state=0)
    >>> classifier.predict([[2.0]])
    array(['yes'], dtype='<U3')
    """

    def fit(self, X: Any, y: Any) -> SequentialClassifier:
        """Build a new model and train it on samples and their labels."""
        X, y = validate_data(self, X, y, **NUMBERS)
        check_classification_targets(y)
        self.classes_, codes = np.unique(column_or_1d(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "SequentialClassifier: expected labels of at least two classes, got "
                f"one class only: {self.classes_[0]!r}."
            )
        self._train(X, codes, len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return a probability for each class, in the order of `classes_`."""
        p = self._output(X)
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely label of each sample."""
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def _default_model(self, input_shape: tuple, outputs: int) -> Any:
        model = _hidden_layer(input_shape)
        model.add(Dense(outputs, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class SequentialRegressor(RegressorMixin, SequentialEstimator):
    """
    A Sequential as a regressor of scikit-learn, of one number or of several.

    Its parameters are those of `SequentialEstimator`.

    Examples
    --------
    >>> regressor = SequentialRegressor(epochs=2, random_state=0)
    >>> regressor.fit([[0.0], [1.0]], [0.0, 2.0]).predict([[0.0], [0.5]]).shape
    (2,)
    """

    def fit(self, X: Any, y: Any) -> SequentialRegressor:
        """Build a new model and train it on samples and numbers."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **NUMBERS)
        self._columns = None if y.ndim == 1 else y.shape[1]
        self._train(X, y, self._columns or 1)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return a number for each sample, or a row if y had rows."""
        y = self._output(X)
        return y[:, 0] if self._columns is None else y

    def _default_model(self, input_shape: tuple, outputs: int) -> Any:
        model = _hidden_layer(input_shape)
        model.add(Dense(outputs))
        model.compile("adam", "mean_squared_error")
        return model

    def __sklearn_tags__(self) -> Any:
        """Say that y may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _hidden_layer(input_shape: tuple) -> Sequential:
    if len(input_shape) == 1:
        return Sequential([Dense(64, activation="relu", input_shape=input_shape)])
    return Sequential([Flatten(input_shape=input_shape), Dense(64, activation="relu")])


def _seed(random_state: Any) -> int | None:
    """Return a seed for our own stream; a RandomState is asked for one."""
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31 - 1))
    return random_state
