import functools
import json
import os
import pathlib
import warnings

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from zoo import X, Y, compiled, network, same_weights, train

import kerasnb
from kerasnb import (
    Sequential,
)
from kerasnb import backend as K
from kerasnb import (
    initializers,
    layers,
    load_model,
    losses,
    metrics,
    optimizers,
    random,
    save_model,
)
from kerasnb.activations import ActivationFunction
from kerasnb.constraints import Constraint
from kerasnb.container import DamagedFile, read_container, write_container
from kerasnb.models import (
    clone_model,
    model_from_config,
    model_from_json,
    model_from_yaml,
)
from kerasnb.optimizers import Optimizer
from kerasnb.regularizers import Regularizer
from kerasnb.utils import CustomObjectScope, custom_object_scope, get_custom_objects


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.knb"


def rewritten(path, **strings):
    """Change strings of a file, with the right checksum."""
    arrays, metadata = read_container(path)
    write_container(path, arrays, {**metadata, **strings})


# ---- laws: whole models -----------------------------------------------------------


def middle_layers():
    return st.lists(
        st.sampled_from(
            [
                lambda: layers.Dense(3, use_bias=False, kernel_regularizer="l2"),
                lambda: layers.Dense(5, activation="relu", bias_constraint="NonNeg"),
                lambda: layers.Dropout(0.5, seed=3),
                lambda: layers.Activation("sigmoid"),
                lambda: layers.Reshape((-1,)),
                lambda: layers.ActivityRegularization(l1=0.1),
                lambda: Sequential([layers.Dense(2), layers.Dense(4)]),
            ]
        ),
        max_size=3,
    )


@given(middle_layers(), st.sampled_from(["float32", "float64"]), st.booleans())
def test_a_model_comes_back(tmp_path_factory, middle, dtype, trainable):
    """Configuration, weights and predictions are the same, for any stack."""
    path = tmp_path_factory.getbasetemp() / "round.knb"
    kerasnb.set_floatx(dtype)
    model = Sequential([layers.Dense(4, input_shape=(3,), trainable=trainable)])
    for make in middle:
        model.add(make())
    model.save(path)
    kerasnb.set_floatx("float32")
    loaded = load_model(path, compile=False)
    assert loaded.get_config() == model.get_config()
    assert same_weights(model, loaded)
    assert [w.name for w in loaded.weights] == [w.name for w in model.weights]
    assert np.array_equal(loaded.predict(X), model.predict(X))


def test_layers_without_weights_come_back(path):
    """Their arguments are kept: the predictions are the same."""
    turned = [layers.Permute((2, 1)), layers.Reshape((2, -1)), layers.Flatten()]
    for rest in (turned, [layers.Masking(0.5)]):
        model = network(layers.RepeatVector(6), *rest)
        model.save(path)
        loaded = load_model(path, compile=False)
        assert np.array_equal(loaded.predict(X), model.predict(X))


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(lr=0.1, decay=0.1),
    "momentum": lambda: optimizers.SGD(lr=0.1, momentum=0.9, clipvalue=0.2),
    "nesterov": lambda: optimizers.SGD(lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(decay=0.1, rho=0.8),
    "adagrad": lambda: optimizers.Adagrad(decay=0.1, epsilon=1e-3),
    "adadelta": lambda: optimizers.Adadelta(decay=0.1),
    "adam": lambda: optimizers.Adam(lr=0.01, clipnorm=0.5),
    "amsgrad": lambda: optimizers.Adam(amsgrad=True, decay=0.1),
    "adamax": lambda: optimizers.Adamax(beta_1=0.8),
    "nadam": lambda: optimizers.Nadam(schedule_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_as_if_never_interrupted(path, name):
    """2 epochs, save, load, 2 more give the bits of 4 epochs, for every optimizer."""
    model = compiled(OPTIMIZERS[name](), metrics=["mae"])
    train(model)
    model.save(path)
    loaded = load_model(path)
    assert same_weights(model, loaded)
    assert train(loaded) == train(model)
    assert same_weights(model, loaded)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.iterations == model.optimizer.iterations == 12


def test_every_optimizer_has_its_turn():
    """A new optimizer must join the test of resuming."""
    tested = {type(make()) for make in OPTIMIZERS.values()}
    assert tested == set(optimizers.OPTIMIZERS.values())


def test_a_learning_rate_changed_on_the_way_is_kept(path):
    """What a schedule has set is where training goes on."""
    model = compiled("sgd")
    model.optimizer.lr = np.float32(0.03)
    model.save(path)
    assert load_model(path).optimizer.lr == float(np.float32(0.03))


def test_a_frozen_layer_stays_frozen_and_training_goes_on(path):
    """The slots belong to the weights that are trained."""
    model = network()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    train(model)
    model.save(path)
    loaded = load_model(path)
    train(model), train(loaded)
    assert same_weights(model, loaded)
    assert not loaded.layers[0].trainable


def test_freezing_after_compile_starts_fresh_slots_in_both(path):
    """The file holds what the next training call would find."""
    model = compiled()
    train(model)
    model.layers[0].trainable = False
    model.save(path)
    loaded = load_model(path)
    assert loaded.optimizer.iterations == 6
    with pytest.warns(UserWarning, match="set of trainable weights has changed"):
        train(model)
    train(loaded)
    assert same_weights(model, loaded)


def test_how_the_model_was_compiled_comes_back(path):
    """Loss, metrics, weighted metrics, loss weights and the mode of weights."""
    arguments = {
        "loss": "mae",
        "metrics": ["mse", "accuracy"],
        "weighted_metrics": ["mae"],
        "loss_weights": [np.float32(0.5)],
        "sample_weight_mode": None,
    }
    model = compiled(**arguments)
    model.save(path)
    loaded = load_model(path)
    assert {name: getattr(loaded, name) for name in arguments} == arguments
    assert loaded.metrics_names == model.metrics_names
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    "loss, described",
    [
        ("mse", "mse"),
        (losses.mean_squared_error, "mean_squared_error"),
        ({"class_name": "mse", "config": {}}, {"class_name": "mse", "config": {}}),
        (["mse"], ["mse"]),
        ({"a": "mse", "b": losses.mae}, {"a": "mse", "b": "mean_absolute_error"}),
        (None, None),
    ],
)
def test_every_form_of_a_loss_is_kept(path, loss, described):
    """Names, objects, configurations, and lists and dicts of them."""
    model = compiled()
    model.loss = loss
    model.save(path)
    training = json.loads(read_container(path)[1]["training_config"])
    assert training["loss"] == described


def test_metric_objects_come_back_with_their_arguments(path):
    """A metric of ours is kept by its name and configuration."""
    given = [metrics.TopKCategoricalAccuracy(k=1), metrics.Precision, losses.mae]
    model = compiled(metrics=given)
    model.save(path)
    loaded = load_model(path)
    assert loaded.metrics[0].k == 1 and isinstance(loaded.metrics[1], metrics.Precision)
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_without_optimizer_the_model_alone_comes_back(path):
    """`include_optimizer=False`, or never compiled: a warning says how to go on."""
    for model in (compiled(), network()):
        model.save(path, include_optimizer=False)
        with pytest.warns(UserWarning, match="does not say how .* Call model.compile"):
            loaded = load_model(path)
        assert loaded.optimizer is None and same_weights(model, loaded)


def test_compile_false_leaves_the_model_uncompiled(path):
    """Then nothing of the training is looked at."""
    compiled(metrics=[accuracy]).save(path)
    assert load_model(path, compile=False).optimizer is None


def test_a_model_without_input_shape_comes_back(path):
    """Not built: no weights yet. Built late: the shape is kept."""
    model = Sequential([layers.Dense(2)])
    model.compile("adam", "mse")
    model.save(path)
    loaded = load_model(path)
    assert not loaded.built
    train(loaded)
    loaded.save(path)
    assert load_model(path).input_shape == (None, 3)


def test_loading_draws_no_random_numbers(path):
    """The stream of shuffles and dropout goes on as without a load."""
    network().save(path)
    before = random.generator().get_state()
    load_model(path, compile=False)
    assert random.generator().get_state() == before


def test_a_layer_added_to_a_loaded_model_gets_a_new_name(path):
    """Default names count on from those in the file, also in another process."""
    network().save(path)
    kerasnb.reset_names()
    loaded = load_model(path, compile=False)
    loaded.pop()
    loaded.add(layers.Dense(3))
    assert [layer.name for layer in loaded.layers] == ["dense_1", "dense_3"]


def test_nested_models_may_use_a_name_twice(path):
    """Arrays get distinct names in the file; each weight gets its own back."""
    inner = [Sequential([layers.Dense(4, name="same")]) for _ in range(2)]
    model = network(Sequential([*inner], name="nested"))
    model.save(path)
    names = list(read_container(path)[0])
    assert names[2:6] == [
        "nested/same/kernel",
        "nested/same/bias",
        "nested/same/kernel_",
        "nested/same/bias_",
    ]
    assert same_weights(load_model(path, compile=False), model)


def test_a_layer_with_the_name_of_a_slot_keeps_its_weights(path):
    """Weights and slots never share a name."""
    model = Sequential(
        [
            layers.Dense(3, input_shape=(3,), name="a"),
            layers.Dense(3, name="optimizer/m/a"),
            layers.Dense(2, name="optimizer/m"),
        ]
    )
    model.compile("adam", "mse")
    train(model)
    model.save(path)
    loaded = load_model(path)
    train(model), train(loaded)
    assert same_weights(model, loaded)


def test_a_name_given_later_is_the_name_in_the_file(path):
    """The file goes by the layer's name, not by what it was when it was built."""
    model = network()
    model.layers[0].name = "renamed"
    model.save(path)
    assert list(read_container(path)[0])[0] == "renamed/dense_1/kernel"
    assert same_weights(load_model(path, compile=False), model)


def test_paths_are_strings_or_path_objects(path):
    """Both spellings write the same file."""
    model = network()
    model.save(path)
    content = path.read_bytes()
    save_model(model, str(path))
    assert path.read_bytes() == content
    assert same_weights(load_model(str(path), compile=False), model)


# ---- laws: weights ----------------------------------------------------------------


def test_weights_are_matched_by_place(path):
    """Names do not count, nor do layers without weights."""
    model = network(layers.Dropout(0.5))
    model.save_weights(path)
    other = network(layers.Activation("relu"), layers.Activation("relu"))
    other.load_weights(path)
    assert same_weights(model, other)


def test_weights_of_a_whole_model_can_be_loaded_alone(path):
    """`load_weights` takes both kinds of files."""
    model = compiled()
    train(model)
    model.save(path)
    other = network()
    other.load_weights(path)
    assert same_weights(model, other)


def test_loaded_weights_are_trained_on(path):
    """A compiled model stays compiled; the weights stay in its flat vector."""
    model = compiled()
    model.save_weights(path)
    other = compiled()
    other.load_weights(path)
    train(model), train(other)
    assert same_weights(model, other)


def test_weights_are_converted_to_the_precision_of_the_model(path, float64):
    """float64 weights go into a float32 model, rounded."""
    model = network()
    model.save_weights(path)
    kerasnb.set_floatx("float32")
    other = network()
    other.load_weights(path)
    for wide, narrow in zip(model.get_weights(), other.get_weights()):
        assert np.array_equal(wide.astype(np.float32), narrow)


def test_by_name_loads_the_layers_that_agree(path):
    """Layers of other names keep their weights."""
    model = network()
    model.layers[0].name = "features"
    model.save_weights(path)
    other = network()
    other.layers[0].name = "features"
    head = other.layers[1].get_weights()
    other.load_weights(path, by_name=True)
    assert np.array_equal(model.get_weights()[0], other.get_weights()[0])
    assert np.array_equal(head[0], other.layers[1].get_weights()[0])


def test_by_name_without_a_common_name_warns(path):
    """Keras would load nothing and say nothing."""
    network().save_weights(path)
    other = network()
    before = other.get_weights()
    message = "nothing was loaded. File: dense_1, dense_2. Model: dense_3, dense_4"
    with pytest.warns(UserWarning, match=message) as caught:
        other.load_weights(path, by_name=True)
    assert caught[0].filename == __file__
    assert np.array_equal(before[0], other.get_weights()[0])


def test_skip_mismatch_leaves_out_what_does_not_fit(path):
    """Other shapes and other numbers of arrays give a warning each."""
    model = Sequential(
        [
            layers.Dense(4, name="a", input_shape=(3,)),
            layers.Dense(5, name="b"),
            layers.Dense(5, name="c"),
        ]
    )
    model.save_weights(path)
    other = Sequential(
        [
            layers.Dense(4, name="a", input_shape=(3,)),
            layers.Dense(6, name="b"),
            layers.Dense(5, name="c", use_bias=False),
        ]
    )
    before = other.get_weights()
    with pytest.warns(UserWarning) as caught:
        other.load_weights(path, by_name=True, skip_mismatch=True)
    assert [str(warning.message) for warning in caught] == [
        "b/kernel of the file has shape (4, 5), b/kernel of the model has (4, 6). The "
        "layer was skipped.",
        "Layer 'c' of the file has 2 weight arrays, layer 'c' of the model has 1. The "
        "layer was skipped.",
    ]
    assert caught[0].filename == __file__
    after = other.get_weights()
    assert np.array_equal(after[0], model.get_weights()[0])
    assert all(np.array_equal(*pair) for pair in zip(after[2:], before[2:]))
    with pytest.raises(ValueError, match="does not fit. b/kernel of the file"):
        other.load_weights(path, by_name=True)


def test_reshape_accepts_the_right_number_of_entries(path):
    """The order of the entries stays; by default another shape is refused."""
    Sequential([layers.Dense(2, input_shape=(3,), use_bias=False)]).save_weights(path)
    other = Sequential([layers.Dense(3, input_shape=(2,), use_bias=False)])
    with pytest.raises(ValueError, match=r"has shape \(3, 2\), .* has \(2, 3\)"):
        other.load_weights(path)
    other.load_weights(path, reshape=True)
    stored = read_container(path)[0]["dense_1/kernel"]
    assert np.array_equal(other.get_weights()[0], stored.reshape(2, 3))


def test_weights_that_do_not_fit_change_nothing(path):
    """The last layer's shape is wrong: the first keeps its weights as well."""
    Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(5)]).save_weights(path)
    other = network()
    before = other.get_weights()
    message = (
        r"load_weights: .*model.knb does not fit. dense_2/kernel of the file has shape "
        r"\(4, 5\), dense_4/kernel of the model has \(4, 2\). Build the model as it was"
    )
    with pytest.raises(ValueError, match=message):
        other.load_weights(path)
    assert all(np.array_equal(*pair) for pair in zip(other.get_weights(), before))


def test_another_number_of_layers_is_refused(path):
    """The message lists the layers of both sides."""
    network().save_weights(path)
    other = network(layers.Dense(4, name="between"))
    message = (
        r"weights for 2 layers \(dense_1, dense_2\), but the model has 3 layers with "
        r"weights \(dense_3, between, dense_4\). by_name=True loads"
    )
    with pytest.raises(ValueError, match=message):
        other.load_weights(path)


def test_skip_mismatch_needs_names(path):
    """An argument is never accepted and ignored."""
    network().save_weights(path)
    with pytest.raises(ValueError, match="skip_mismatch=True needs by_name=True"):
        network().load_weights(path, skip_mismatch=True)


def test_weights_need_a_built_model(path):
    """Both directions say what to do."""
    model = Sequential([layers.Dense(2)])
    with pytest.raises(ValueError, match="save_weights: sequential_1 is not built"):
        model.save_weights(path)
    network().save_weights(path)
    with pytest.raises(ValueError, match="load_weights: sequential_1 is not built, so"):
        model.load_weights(path)


# ---- laws: configurations ---------------------------------------------------------


def test_to_json_says_what_and_for_whom():
    """The document of Keras: class name, configuration, version and backend."""
    model = network()
    document = json.loads(model.to_json())
    assert document == {
        "class_name": "Sequential",
        "config": model.get_config(),
        "keras_version": "2.2.4",
        "backend": "kerasnb",
    }
    assert model.to_json(indent=2).startswith('{\n  "class_name"')


def test_to_json_turns_numpy_values_into_plain_ones():
    """Arrays become lists, NumPy's numbers numbers."""
    scale = np.array([[1.0, 2.0]])
    model = Sequential([layers.Masking(np.float32(2), input_shape=(3, 1))])
    model.add(layers.Dense(2, bias_initializer=initializers.Constant(scale[0])))
    config = json.loads(model.to_json())["config"]["layers"][1]["config"]
    assert config["bias_initializer"]["config"]["value"] == [1.0, 2.0]


def test_json_gives_a_model_with_fresh_weights():
    """The same layers and names, other numbers."""
    model = network()
    twin = model_from_json(model.to_json())
    assert twin.get_config() == model.get_config()
    assert not np.array_equal(twin.get_weights()[0], model.get_weights()[0])
    assert model_from_config(json.loads(model.to_json())).name == model.name


def test_yaml_says_the_same_as_json():
    """Both ways, with the extra `yaml`."""
    model = network(layers.Reshape((-1,)))
    assert yaml.safe_load(model.to_yaml()) == json.loads(model.to_json())
    assert model_from_yaml(model.to_yaml(indent=4)).get_config() == model.get_config()


@pytest.mark.parametrize(
    "string",
    [
        "a: [",
        "!!python/object/apply:os.system ['true']",
        "a: &x [1]\nb: *x",
        "2020-99-99",
        "[" * 5000,
    ],
)
def test_yaml_that_does_more_than_say_something_is_refused(string):
    """No objects, and no short text that stands for a huge one."""
    with pytest.raises(ValueError, match="the string is not plain YAML .* Pass what"):
        model_from_yaml(string)


def test_yaml_of_other_things_is_refused():
    """As with JSON."""
    with pytest.raises(TypeError, match="got dict. model_from_config takes a dict"):
        model_from_yaml({})
    with pytest.raises(ValueError, match="expected a dict with 'class_name' and 'conf"):
        model_from_yaml("text")


def test_a_clone_is_new():
    """Same configuration, fresh weights, nothing shared, not compiled."""

    class Twice(layers.Dense):
        pass

    model = network(Twice(4))
    model.compile("sgd", "mse")
    twin = clone_model(model)
    assert twin.get_config() == model.get_config() and twin.optimizer is None
    assert type(twin.layers[1]) is Twice
    before = model.get_weights()
    twin.set_weights([w + 1 for w in twin.get_weights()])
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights()))
    assert not np.array_equal(twin.get_weights()[0], before[0])


@pytest.mark.parametrize("call", [clone_model, lambda m: save_model(m, "a.knb")])
def test_only_models_are_cloned_and_saved(call):
    """Another object is named in the message."""
    with pytest.raises(TypeError, match="expected a Sequential, got 3"):
        call(3)


def test_a_list_is_for_from_config():
    """Older configurations are bare lists: the message says where they go."""
    with pytest.raises(TypeError, match="Sequential.from_config takes lists of layers"):
        model_from_config([])


@pytest.mark.parametrize("config", [{}, {"class_name": "Sequential"}, None, 3])
def test_other_configurations_are_refused(config):
    """A configuration without class name needs from_config."""
    with pytest.raises(ValueError, match="expected a dict with 'class_name' and 'conf"):
        model_from_config(config)


@pytest.mark.parametrize("string", ["", "{", "model.json", "[" * 100_000])
def test_a_string_that_is_not_json_is_refused(string):
    """Such as the name of a file."""
    with pytest.raises(ValueError, match="the string is not JSON .* load_model reads"):
        model_from_json(string)


def test_a_dict_is_no_string():
    """The message names the function for dicts."""
    with pytest.raises(TypeError, match="got dict. model_from_config takes a dict"):
        model_from_json({})


def test_unknown_models_and_layers_are_named():
    """Nothing is imported by name: only known classes are made."""
    with pytest.raises(
        ValueError, match="Unknown model 'os.system'. Known: Sequential"
    ):
        model_from_config({"class_name": "os.system", "config": {}})
    entry = {"class_name": "Dens", "config": {"units": 1}}
    config = {"class_name": "Sequential", "config": {"layers": [entry]}}
    with pytest.raises(ValueError, match="Unknown layer 'Dens'. Did you mean 'Dense'"):
        model_from_config(config)


# ---- custom objects ---------------------------------------------------------------


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


def test_slots_for_other_weights_are_left_out_with_a_warning(path):
    """The optimizer starts anew if a slot has not one array per trained weight."""
    model = compiled()
    train(model)
    model.save(path)
    state = json.loads(read_container(path)[1]["optimizer_state"])
    state["m"] = state["m"][:-1]
    rewritten(path, optimizer_state=json.dumps(state))
    with pytest.warns(UserWarning, match=r"m of shape .*, \(2,\), got "):
        loaded = load_model(path)
    assert loaded.optimizer.iterations == 0


# ---- damaged and forged files -----------------------------------------------------


def test_an_edited_configuration_loads_or_is_a_value_error(path):
    """Right checksums do not help: whatever the JSON says, nothing else happens."""
    compiled(metrics=["acc"]).save(path)
    arrays, metadata = read_container(path)
    rng = np.random.default_rng(0)
    keys = ["layers", "model_config", "training_config", "optimizer_state"]
    refused = 0
    for turn in range(300):
        key = keys[turn % 4]
        text = metadata[key]
        at, length = int(rng.integers(len(text))), int(rng.integers(4))
        noise = ["", "9", "-", '"', "[", "e99", "null", "{}", "x"][turn % 9]
        edited = text[:at] + noise + text[at + length :]
        write_container(path, arrays, {**metadata, key: edited})
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*so it starts anew")
                load_model(path)
        except ValueError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("units", [10**6, 10**12, 10**30])
def test_a_forged_size_fills_no_memory(path, units):
    """A configuration cannot ask for more weights than the file holds."""
    network().save(path)
    forged = read_container(path)[1]["model_config"]
    forged = forged.replace('"units": 4', f'"units": {units}')
    rewritten(path, model_config=forged)
    with pytest.raises(ValueError, match="more weights than the file holds"):
        load_model(path)


def test_blank_weights_are_counted_together():
    """The bytes of all layers count, and the limit ends with the block."""
    with initializers.left_blank(40):
        assert not initializers.first_values("ones", (2, 3), "float32").any()
        with pytest.raises(ValueError, match="more weights than the file holds"):
            initializers.first_values("ones", (5,), "float32")
    assert initializers.first_values("ones", (5,), "float32").all()


def test_parts_that_do_not_fit_together_are_damage(path):
    """A list of layers that names arrays which are not there."""
    network().save(path)
    rewritten(path, layers='{"dense_1": ["nothing"]}')
    with pytest.raises(DamagedFile, match="its parts do not fit together"):
        load_model(path)


def test_a_file_of_another_kind_is_refused(path):
    """A container without a model, and a format of the future."""
    write_container(path, {"x": X}, {})
    with pytest.raises(
        ValueError, match="expected a file of format 'kerasnb 1', got N"
    ):
        load_model(path)
    network().save(path)
    rewritten(path, format="kerasnb 2", kerasnb_version="9.0")
    with pytest.raises(ValueError, match="kerasnb 9.0 wrote it, this is kerasnb .*upd"):
        load_model(path)


def test_a_damaged_file_changes_no_weight(path):
    """Half a file is an error, not half a model."""
    network().save(path)
    path.write_bytes(path.read_bytes()[:-4])
    model = network()
    before = model.get_weights()
    with pytest.raises(DamagedFile, match="model.knb: it holds"):
        model.load_weights(path)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights()))


# ---- errors -----------------------------------------------------------------------


def test_a_file_of_weights_is_no_model(path):
    """The message names the other call."""
    network().save_weights(path)
    with pytest.raises(
        ValueError, match="holds weights only. Build the model and call"
    ):
        load_model(path)


def test_a_file_that_must_not_be_replaced_is_not(path):
    """No question at the keyboard: an error, before anything is written."""
    model = network()
    model.save(path)
    before = path.read_bytes()
    for save in (model.save, model.save_weights):
        with pytest.raises(
            FileExistsError, match="exists already, and overwrite=False"
        ):
            save(path, overwrite=False)
    assert path.read_bytes() == before
    os.remove(path)
    model.save(path, overwrite=False)
    model.save_weights(path)


@pytest.mark.parametrize("wrong", [None, 3, b"a.knb"])
def test_other_things_are_no_path(wrong):
    """The type is named."""
    with pytest.raises(TypeError, match="filepath: expected a str or a PathLike, got"):
        network().save(wrong)


def test_a_missing_file_is_an_os_error(tmp_path):
    """For models and for weights."""
    for call in (load_model, network().load_weights):
        with pytest.raises(FileNotFoundError, match="nothing.knb"):
            call(tmp_path / "nothing.knb")


def test_a_missing_folder_is_an_os_error(tmp_path):
    """Nothing is created."""
    with pytest.raises(OSError, match="cannot write .*model.knb"):
        network().save(tmp_path / "nowhere" / "model.knb")
    assert list(pathlib.Path(tmp_path).iterdir()) == []


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
