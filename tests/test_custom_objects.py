"""Classes and functions of one's own in files: by name, never as code"""

import functools

import numpy as np
import pytest
from zoo import compiled, network, same_weights, train

from kerasnb import backend as K
from kerasnb import layers, load_model, losses, metrics, optimizers
from kerasnb.activations import ActivationFunction
from kerasnb.constraints import Constraint
from kerasnb.models import (
    model_from_json,
)
from kerasnb.optimizers import Optimizer
from kerasnb.regularizers import Regularizer
from kerasnb.utils import CustomObjectScope, custom_object_scope, get_custom_objects


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.knb"


class Shift(layers.Layer):
    masking = "pass"

    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def forward(self, x, training):
        return x + np.float32(self.by)

    def backward(self, dy):
        return dy

    def get_config(self):
        return {**super().get_config(), "by": self.by}


class Square(ActivationFunction):
    def __init__(self):
        super().__init__()
        self.name = "square"

    def forward(self, y, z):
        y[...] = z * z

    def backward(self, dz, dy, z, y):
        dz[...] = 2 * z * dy


def halves(shape, dtype=None):
    return np.full(shape, 0.5, dtype)


class SumToOne(Regularizer):
    def __call__(self, w):
        return float((w.sum() - 1) ** 2)

    def add_gradient(self, dw, w):
        dw += 2 * (w.sum() - 1)


class AtMostOne(Constraint):
    def __call__(self, w):
        return np.minimum(w, 1)


def at_least_zero(w):
    return np.maximum(w, 0)


class Scaled(losses.Loss):
    def __init__(self, scale):
        self.scale = scale

    def forward(self, s, t, p):
        s[:] = self.scale * ((p - t) ** 2).sum(axis=1)

    def backward(self, dp, t, p, ds):
        dp[:] = 2 * self.scale * ds[:, None] * (p - t)

    def get_config(self):
        return {"scale": self.scale}


class SignSGD(Optimizer):
    slots = ("seen",)

    def __init__(self, lr=0.01, **kwargs):
        super().__init__(lr, **kwargs)

    def step(self, p, g):
        self.seen += abs(g)
        p -= self.decayed_lr() * np.sign(g) / (1 + self.seen)


class Largest(metrics.Metric):
    def forward(self, s, t, p):
        s[:] = abs(p - t).max(axis=1)


def accuracy(t, p):
    return abs(t - p).mean(axis=-1)


CUSTOM = {
    "Shift": Shift,
    "square": Square(),
    "halves": halves,
    "SumToOne": SumToOne,
    "AtMostOne": AtMostOne,
    "at_least_zero": at_least_zero,
    "Scaled": Scaled,
    "SignSGD": SignSGD,
    "Largest": Largest,
    "accuracy": accuracy,
}


def custom_model():
    special = layers.Dense(
        4,
        activation=CUSTOM["square"],
        kernel_initializer=halves,
        kernel_regularizer=SumToOne(),
        kernel_constraint=AtMostOne(),
        bias_constraint=at_least_zero,
    )
    model = network(Shift(by=0.5), special)
    model.compile(SignSGD(lr=0.1), Scaled(2.0), metrics=[accuracy, Largest(), "mae"])
    return model


def test_objects_of_ones_own_come_back(path):
    """Named in custom_objects they are found, and training goes on bit by bit."""
    model = custom_model()
    train(model)
    model.save(path)
    loaded = load_model(path, CUSTOM)
    assert loaded.metrics_names == [
        "loss",
        "accuracy",
        "Largest",
        "mean_absolute_error",
    ]
    assert train(loaded) == train(model)
    assert same_weights(loaded, model)
    assert loaded.loss.scale == 2.0 and loaded.layers[1].by == 0.5
    loaded.save(path)
    assert same_weights(load_model(path, CUSTOM), loaded)
    assert get_custom_objects() == {}


@pytest.mark.parametrize("missing", CUSTOM)
def test_a_missing_object_is_named(path, missing):
    """The message names what is missing and the argument that supplies it."""
    custom_model().save(path)
    known = {name: made for name, made in CUSTOM.items() if name != missing}
    with pytest.raises(ValueError, match=f"(?si){missing}.*custom_objects="):
        load_model(path, known)


def test_a_function_is_not_taken_for_the_librarys_own(path):
    """A metric function of one's own called accuracy is not the built-in one."""
    compiled(metrics=[accuracy]).save(path)
    message = "It uses the function 'accuracy', which the file cannot hold. .*compile=F"
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_names_in_custom_objects_come_first(path):
    """As in Keras, a built-in name can be given another meaning."""
    compiled(metrics=["mae"]).save(path)
    assert load_model(path, {"mae": accuracy}).metrics == [accuracy]


def test_a_scope_serves_json_and_compile():
    """Inside the scope every name works, outside it is forgotten."""
    model = custom_model()
    with custom_object_scope(CUSTOM):
        twin = model_from_json(model.to_json())
        twin.compile("SignSGD", {"class_name": "Scaled", "config": {"scale": 3}})
    assert twin.loss["config"]["scale"] == 3 and type(twin.layers[1]) is Shift
    assert train(twin)["loss"]
    with pytest.raises(ValueError, match="Unknown optimizer 'signsgd'"):
        optimizers.get("SignSGD")


def test_scopes_nest_and_end_whatever_happens():
    """The former names come back, after an exception too."""
    with CustomObjectScope({"a": 1}):
        with pytest.raises(RuntimeError):
            with custom_object_scope({"b": 2}, {"a": 3}):
                assert get_custom_objects() == {"a": 3, "b": 2}
                raise RuntimeError
        assert get_custom_objects() == {"a": 1}
    assert get_custom_objects() == {}


@pytest.mark.parametrize("wrong", [[Shift], Shift, "Shift"])
def test_custom_objects_are_a_dict(path, wrong):
    """A list of classes is a common slip."""
    network().save(path)
    with pytest.raises(TypeError, match="expected a dict {'Name': class or function}"):
        load_model(path, wrong)


def rough(y_true, y_pred):
    """Return a loss: K's mean of absolute values."""
    return K.mean(K.abs(y_pred - y_true), axis=-1)


def swish(x):
    """Return an activation."""
    return x * K.sigmoid(x)


def sparse_weights(w):
    """Return a penalty."""
    return 0.01 * K.sum(K.abs(w))


def first_two(x, by=1.0):
    """Return the body of a Lambda layer."""
    return by * x[:, :2]


OWN = {f.__name__: f for f in (rough, swish, sparse_weights, first_two, halves)}


def model_of_functions():
    """Return a model that is made of functions wherever one can stand."""
    dense = layers.Dense(
        4,
        activation=swish,
        kernel_regularizer=sparse_weights,
        activity_regularizer=sparse_weights,
        kernel_initializer=halves,
    )
    model = network(dense, layers.Lambda(first_two, arguments={"by": 2.0}))
    model.compile("adam", rough, metrics=[rough, "mae"])
    return model


def test_functions_of_ones_own_come_back(path):
    """By name, from custom_objects, and training goes on bit by bit."""
    model = model_of_functions()
    train(model)
    model.save(path)
    loaded = load_model(path, OWN)
    assert loaded.loss is rough and loaded.metrics_names == model.metrics_names
    assert train(loaded) == train(model)
    assert same_weights(loaded, model)
    for name in OWN:
        known = {other: f for other, f in OWN.items() if other != name}
        with pytest.raises(ValueError, match=f"(?si)'{name}'.*custom_objects="):
            load_model(path, known)


def test_a_function_called_like_a_built_in_is_not_taken_for_it(path):
    """Whose activation relu is, the file says."""

    def relu(x):
        return K.relu(x, max_value=1.0)

    model = network(layers.Dense(2, activation=relu))
    model.save(path)
    with pytest.raises(
        ValueError, match="uses the function 'relu', which the file can"
    ):
        load_model(path, compile=False)
    loaded = load_model(path, {"relu": relu}, compile=False)
    assert loaded.layers[1].activation.function is relu


@pytest.mark.parametrize(
    "make, problem",
    [
        (lambda: network(layers.Lambda(lambda x: x)), "a lambda, which has no name"),
        (lambda: compiled(metrics=[lambda t, p: 0.0]), "a lambda, which has no name"),
        (
            lambda: network(
                layers.Dense(2, activation=swish),
                layers.Dense(2, activation=functools.partial(swish)),
            ),
            "two functions called 'swish'",
        ),
    ],
)
def test_functions_that_no_name_tells_apart_are_not_saved(make, problem, path):
    """A sentence says what to do, and nothing is written."""
    model = make()
    with pytest.raises(ValueError, match=f"save: .* uses {problem}.*def name"):
        model.save(path)
    assert not path.exists()


def test_json_names_functions_too():
    """A lambda is refused there as well."""
    model = model_of_functions()
    with custom_object_scope(OWN):
        twin = model_from_json(model.to_json())
    assert twin.to_json() == model.to_json()
    with pytest.raises(ValueError, match="to_json: .* uses a lambda"):
        network(layers.Lambda(lambda x: x)).to_json()


def test_compile_false_leaves_the_model_uncompiled(path):
    """Then nothing of the training is looked at."""
    compiled(metrics=[accuracy]).save(path)
    assert load_model(path, compile=False).optimizer is None


def test_a_state_that_does_not_fit_is_left_out_with_a_warning(path):
    """Then the optimizer starts anew, and the model is compiled all the same."""
    custom_model().save(path)

    class Other(SignSGD):
        slots = ("seen", "heard")

    with pytest.warns(
        UserWarning, match="so it starts anew: Other.set_state"
    ) as caught:
        loaded = load_model(path, {**CUSTOM, "SignSGD": Other})
    assert caught[0].filename == __file__
    assert loaded.optimizer.iterations == 0 and not loaded.optimizer.heard.any()


def test_a_configuration_that_is_not_plain_is_not_saved(path):
    """get_config of a layer of one's own returns something that JSON has no word for"""

    class Odd(Shift):
        def get_config(self):
            return {**super().get_config(), "by": object}

    with pytest.raises(
        TypeError, match=r"<class 'object'> cannot be saved. .*get_conf"
    ):
        network(Odd()).save(path)
    assert not path.exists()
