"""Copies of models: the same numbers, the same future, nothing shared."""

import copy
import pickle

import numpy as np
import pytest

import kerasnb
from kerasnb import Merge, Sequential, random
from kerasnb.activations import ActivationFunction
from kerasnb.constraints import Constraint
from kerasnb.layers import Activation, Dense, Dropout, Layer
from kerasnb.losses import Loss
from kerasnb.models import clone_model
from kerasnb.optimizer import Optimizer
from kerasnb.regularizers import Regularizer

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X.sum(axis=1)

DUPLICATES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


@pytest.fixture(params=DUPLICATES)
def duplicate(request):
    """A way to copy a model."""
    return DUPLICATES[request.param]


# Things of one's own, which a copy must find again.


def thirds(shape, dtype=None):
    return np.full(shape, 1 / 3, dtype)


def halved(w):
    return w / 2


def worst(y_true, y_pred):
    return abs(y_true - y_pred).max(axis=-1)


class Twice(Layer):
    def forward(self, x, training):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class Cube(ActivationFunction):
    name = "cube"

    def forward(self, y, z):
        y[...] = z**3

    def backward(self, dz, dy, z, y):
        dz[...] = 3 * z**2 * dy


class Lift(Regularizer):
    def __call__(self, w):
        return float(w.sum())

    def add_gradient(self, dw, w):
        dw += 1


class Still(Constraint):
    def __call__(self, w):
        return w


class Off(Loss):
    def forward(self, s, t, p):
        s[:] = ((p - t) ** 2).sum(axis=1)

    def backward(self, dp, t, p, ds):
        dp[:] = ds[:, None] * 2 * (p - t)


class Slow(Optimizer):
    slots = ("total",)

    def step(self, p, g):
        self.total += g
        p -= 1e-5 * self.total


def plain_model():
    model = Sequential([Dense(4, "relu", input_shape=(3,), name="hidden")], name="net")
    model.add(Dropout(0.5, seed=2))
    model.add(Sequential([Dense(2, input_shape=(4,), trainable=False), Dense(1)]))
    model.compile("adam", "mse", metrics=["mae"])
    return model


def own_model():
    model = Sequential([Dense(4, kernel_initializer=thirds, input_shape=(3,))])
    model.add(Twice())
    model.add(Activation(Cube()))
    model.add(
        Dense(
            1,
            kernel_regularizer=Lift(),
            kernel_constraint=Still(),
            bias_constraint=halved,
        )
    )
    model.compile(Slow(), Off(), metrics=[worst])
    return model


@pytest.mark.parametrize("make", [plain_model, own_model])
def test_a_copy_has_the_same_future_and_shares_nothing(make, duplicate):
    """Original and copy train on to the same bits, each for itself."""
    model = make()
    model.fit(X, Y, epochs=2, verbose=0)
    before = model.get_weights()
    twin = duplicate(model)
    assert twin is not model and type(twin) is Sequential
    assert twin.get_config() == model.get_config()
    assert twin.metrics_names == model.metrics_names
    assert twin.optimizer.iterations == model.optimizer.iterations == 2
    history = twin.fit(X, Y, epochs=2, verbose=0, seed=5).history
    for old, now in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, now)
    assert model.fit(X, Y, epochs=2, verbose=0, seed=5).history == history
    for one, other in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_copy_draws_no_random_numbers(duplicate):
    """The process-wide stream stands where it stood."""
    model = plain_model()
    before = random.generator().get_state()
    duplicate(model)
    assert random.generator().get_state() == before


def test_what_is_not_built_or_compiled_stays_so(duplicate):
    """A model without a shape, and one without a loss."""
    deferred = Sequential([Dense(2)])
    deferred.compile("sgd", "mse")
    twin = duplicate(deferred)
    assert not twin.built and twin.optimizer is not None
    twin.fit(X, X[:, :2], verbose=0)
    assert not deferred.built
    bare = duplicate(Sequential([Dense(2, input_shape=(3,))]))
    assert bare.optimizer is None and bare.built
    assert duplicate(Sequential()).layers == []


def test_settings_beside_compile_are_kept(duplicate):
    """Targets given once, and how weights combine."""
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", target_tensors=Y)
    model.combines_weights = True
    twin = duplicate(model)
    np.testing.assert_array_equal(twin.target_tensors, Y)
    assert twin.combines_weights


class Difference:
    """A way to merge of one's own."""

    def forward(self, inputs):
        return inputs[0] - inputs[1]

    def backward(self, dy, inputs):
        return [dy, -dy]


def test_branches_and_an_object_that_joins_them_go_along(duplicate):
    """What no file could hold, a copy can."""
    branches = [Dense(2, input_shape=(3,)), Dense(2, input_shape=(3,))]
    model = Sequential([Merge(branches, mode=Difference(), output_shape=(2,))])
    twin = duplicate(model)
    np.testing.assert_array_equal(twin.predict([X, X]), model.predict([X, X]))


def test_a_subclass_stays_itself(duplicate):
    """The copy is of the class of the original."""

    assert type(duplicate(Net([Dense(1, input_shape=(3,))]))) is Net
    assert type(clone_model(Net([Dense(1, input_shape=(3,))]))) is Net


class Net(Sequential):
    """A model class of one's own."""


def test_a_clone_is_fresh():
    """Same configuration, own objects included; new weights, not compiled."""
    model = own_model()
    twin = clone_model(model)
    assert twin.get_config() == model.get_config() and twin.optimizer is None
    plain = plain_model()
    assert (clone_model(plain).get_weights()[0] != plain.get_weights()[0]).any()


def test_a_copy_reserves_its_names():
    """A layer made after reading a pickle gets a name of its own."""
    data = pickle.dumps(Sequential([Dense(1, input_shape=(1,))]))
    kerasnb.reset_names()
    pickle.loads(data)
    assert Dense(1).name == "dense_2"


def test_only_a_model_can_be_cloned():
    """A sentence for everything else."""
    with pytest.raises(TypeError, match="clone_model: expected a Sequential, got 3"):
        clone_model(3)


def test_a_lambda_cannot_be_pickled_but_copied():
    """Pickle says so itself; deepcopy has the function at hand."""
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", metrics=[lambda t, p: t[:, 0] * 0])
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(model)
    assert copy.deepcopy(model).metrics_names == model.metrics_names


def test_gradients_that_were_asked_for_by_hand_go_along(duplicate):
    """A model that is used as a layer, without compile, keeps them by itself."""
    model = Sequential([Dense(2, input_shape=(3,))])
    weights = model.trainable_weights
    weights[0].grad = np.ones((3, 2), np.float32)
    twin = duplicate(model).trainable_weights
    assert twin[0].grad.tolist() == weights[0].grad.tolist() and twin[1].grad is None
    assert twin[0].grad is not weights[0].grad
