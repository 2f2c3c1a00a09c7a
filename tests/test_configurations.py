"""Models as JSON, YAML and dicts"""

import json

import numpy as np
import pytest
import yaml
from zoo import network

from kerasnb import Sequential, initializers, layers, save_model
from kerasnb.models import (
    clone_model,
    model_from_config,
    model_from_json,
    model_from_yaml,
)


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
