"""The stack of layers: building, names, weights, configuration, summary."""

import numpy as np
import pytest

import kerasnb
from kerasnb import Sequential
from kerasnb.layers import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    InputLayer,
    Layer,
    Masking,
)


def small():
    """Return a model with 8 outputs of 4 inputs."""
    return Sequential([Dense(8, input_shape=(4,)), Dropout(0.5)])


def test_shapes_follow_the_stack():
    """input_shape and output_shape carry the batch axis."""
    model = Sequential([Dense(8, "relu", input_shape=(4,)), Dense(3)])
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 3))
    assert [layer.name for layer in model.layers] == ["dense_1", "dense_2"]
    assert model.input_names == ["dense_1_input"] and model.output_names == ["dense_2"]
    assert model.count_params() == 4 * 8 + 8 + 8 * 3 + 3
    assert model.name == "sequential_1"


@pytest.mark.parametrize(
    "first",
    [
        lambda: Dense(2, input_dim=3),
        lambda: Dense(2, batch_input_shape=(None, 3)),
        lambda: Dense(2, input_shape=(3,), batch_size=5),
        lambda: InputLayer((3,)),
        lambda: Sequential([Dense(2, input_shape=(3,))]),
    ],
)
def test_the_input_shape_may_come_in_many_ways(first):
    """All build the model at once."""
    model = Sequential([first()])
    model.add(Dense(1))
    assert model.built and model.input_shape[1:] == (3,)


def test_an_input_layer_is_not_among_the_layers():
    """It only says the shape."""
    model = Sequential([InputLayer((3,), name="pixels"), Dense(2)])
    assert [type(layer) for layer in model.layers] == [Dense]
    assert model.input_names == ["pixels"]


def test_a_model_without_input_shape_is_built_by_the_first_data():
    """Until then it has no weights; afterwards it can be rebuilt from its config."""
    model = Sequential([Dense(4), Dense(2)])
    model.compile("sgd", "mse", metrics=["accuracy"])
    assert not model.built and model.weights == []
    model.fit(np.ones((6, 3)), np.ones((6, 2)), verbose=0)
    assert model.input_shape == (None, 3) and len(model.weights) == 4
    assert model.get_config()["build_input_shape"] == [None, 3]
    assert Sequential.from_config(model.get_config()).output_shape == (None, 2)
    assert model.input_names == ["sequential_1_input"]


def test_build_gives_the_shape_by_hand():
    """build takes the batch axis too."""
    model = Sequential([Dense(4)])
    model.build((None, 3))
    assert model.get_weights()[0].shape == (3, 4)


def test_pop_takes_the_last_layer_and_training_goes_on():
    """After pop and add the compiled settings are used again."""
    model = Sequential([Dense(4, input_shape=(3,)), Dense(2)])
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    model.pop()
    assert model.output_shape == (None, 4)
    assert model.predict(np.ones((2, 3))).shape == (2, 4)
    model.add(Dense(1))
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    assert len(model.trainable_weights) == 4
    for _ in range(2):
        model.pop()
    assert model.layers == [] and model.output_names == ["sequential_1"]
    with pytest.raises(TypeError, match="no layers"):
        model.pop()


def test_get_layer_finds_by_index_and_by_name():
    """The index wins."""
    model = small()
    assert model.get_layer(index=-1) is model.layers[1]
    assert model.get_layer("dense_1") is model.layers[0]
    assert model.get_layer("dense_1", 1) is model.layers[1]
    with pytest.raises(ValueError, match="index 2 is out of range.*2 layers"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match="no layer named 'dense'"):
        model.get_layer("dense")
    with pytest.raises(ValueError, match="no layer named 0.* an index: index=0"):
        model.get_layer(0)
    with pytest.raises(ValueError, match="index 'dense_1' is out of range"):
        model.get_layer(index="dense_1")
    with pytest.raises(ValueError, match="name or the index"):
        model.get_layer()


def test_weights_go_out_and_in_in_layer_order():
    """set_weights(get_weights()) changes nothing; a wrong list changes nothing."""
    model = Sequential([Dense(4, input_shape=(3,)), Dense(2)])
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(3, 4), (4,), (4, 2), (2,)]
    assert [w.name for w in model.weights][:2] == ["dense_1/kernel:0", "dense_1/bias:0"]
    model.set_weights([w + 1 for w in weights])
    np.testing.assert_array_equal(model.get_weights()[2], weights[2] + 1)
    with pytest.raises(ValueError, match="expected 4 weight arrays, got 3"):
        model.set_weights(weights[:3])
    with pytest.raises(
        ValueError, match=r"dense_2/bias:0: expected.*\(2,\), got \(3,\)"
    ):
        model.set_weights([*weights[:3], np.ones(3)])
    np.testing.assert_array_equal(model.get_weights()[0], weights[0] + 1)


def test_a_frozen_layer_keeps_its_weights():
    """Training leaves its weights alone."""
    model = Sequential([Dense(4, input_shape=(3,)), Dense(2)])
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    assert len(model.trainable_weights) == len(model.non_trainable_weights) == 2
    before = model.get_weights()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[3] != before[3]).all()
    model.trainable = False
    assert model.trainable_weights == []


def test_a_change_of_trainable_takes_effect_with_a_warning():
    """No compile is needed."""
    model = Sequential([Dense(4, input_shape=(3,)), Dense(2)])
    model.compile("sgd", "mse")
    model.layers[0].trainable = False
    before = model.get_weights()[0]
    with pytest.warns(UserWarning, match="set of trainable weights has changed"):
        model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_models_nest_and_train_as_if_flat(float64):
    """A model inside a model learns the same as its layers in a row."""
    x, y = np.random.default_rng(0).normal(size=(2, 10, 3))
    kerasnb.set_seed(1)
    flat = Sequential([Dense(4, "tanh", input_shape=(3,)), Dense(5, "tanh"), Dense(3)])
    inner = Sequential([Dense(4, "tanh", input_shape=(3,)), Dense(5, "tanh")])
    nested = Sequential([inner, Dense(3)])
    nested.set_weights(flat.get_weights())
    for model in (flat, nested):
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(flat.get_weights(), nested.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_frozen_model_inside_a_model_is_not_gone_through():
    """Nothing in it learns, so no gradient is sent down there."""
    inner = Sequential([Dense(4, input_shape=(3,)), Dense(2)])
    inner.trainable = False
    outer = Sequential([inner, Dense(1)])
    outer.needs_dx = False
    assert not inner.layers[1].needs_dx and not outer.layers[1].needs_dx
    assert not inner.needs_dx
    inner.trainable = True
    outer.needs_dx = False
    assert inner.layers[1].needs_dx and outer.layers[1].needs_dx


def test_a_built_model_keeps_to_its_input_shape():
    """Within another model and when called; unknown sizes fit every size."""
    inner = Sequential([Activation("relu", input_shape=(None, 3))])
    assert Sequential([inner, Dense(1)]).output_shape == (None, None, 1)
    outer = Sequential([Dense(3, input_shape=(5, 2)), inner])
    assert outer.output_shape == (None, 5, 3)
    with pytest.raises(ValueError, match=r"expected input of shape \(batch, None, 3\)"):
        Sequential([Dense(4, input_shape=(5, 2)), inner])
    with pytest.raises(ValueError, match=r"dense_2: expected.*\(batch, 2\), got"):
        outer.layers[0](np.ones((1, 5, 3)))


def test_a_refused_build_builds_nothing():
    """A right shape works afterwards."""
    model = Sequential([Dense(4), Flatten()])
    with pytest.raises(ValueError, match="at least 3 axes"):
        model.build((None, 3))
    assert not model.built and model.weights == []
    model.build((None, 2, 5))
    assert model.output_shape == (None, 8)


def test_a_layer_shared_by_two_models_trains_in_both():
    """Each model takes the weights over when its turn comes."""
    base = Dense(4, input_shape=(3,))
    first, second = Sequential([base]), Sequential([base, Dense(2)])
    first.compile("sgd", "mse")
    second.compile("adam", "mse")
    for _ in range(2):
        before = base.get_weights()[0]
        first.train_on_batch(np.ones((2, 3)), np.zeros((2, 4)))
        middle = base.get_weights()[0]
        second.train_on_batch(np.ones((2, 3)), np.zeros((2, 2)))
        assert (before != middle).any() and (middle != base.get_weights()[0]).any()


def test_configuration_rebuilds_the_model():
    """from_config gives the same stack with fresh weights; bare lists are accepted."""
    model = Sequential([Dense(8, "relu", input_shape=(4,)), Dropout(0.5)], name="m")
    config = model.get_config()
    clone = Sequential.from_config(config)
    assert clone.get_config() == config and clone.name == "m"
    assert Sequential.from_config(config["layers"]).output_shape == (None, 8)
    nested = Sequential([model, Dense(1)])
    assert (
        Sequential.from_config(nested.get_config()).get_config() == nested.get_config()
    )


def test_unknown_classes_in_a_configuration_are_named():
    """Classes of one's own come through custom_objects."""

    class Twice(Layer):
        def forward(self, x, training):
            return 2 * x

    model = Sequential([Dense(1, input_shape=(1,)), Twice()])
    with pytest.raises(ValueError, match="Unknown layer 'Twice'"):
        Sequential.from_config(model.get_config())
    clone = Sequential.from_config(model.get_config(), {"Twice": Twice})
    assert isinstance(clone.layers[1], Twice)


def test_summary_prints_the_table_of_keras():
    """Widths, columns and totals, character by character."""
    lines = []
    small().summary(print_fn=lines.append)
    assert lines == [
        "_" * 65,
        "Layer (type)                 Output Shape              Param #   ",
        "=" * 65,
        "dense_1 (Dense)              (None, 8)                 40        ",
        "_" * 65,
        "dropout_1 (Dropout)          (None, 8)                 0         ",
        "=" * 65,
        "Total params: 40",
        "Trainable params: 40",
        "Non-trainable params: 0",
        "_" * 65,
    ]


def test_summary_cuts_long_names_and_groups_thousands():
    """A blank stays between the columns."""
    lines = []
    model = Sequential([Dense(40, input_shape=(24,), name="a" * 40)])
    model.summary(line_length=60, positions=[0.5, 0.8, 1.0], print_fn=lines.append)
    assert lines[3][:30] == "a" * 29 + " " and len(lines[3]) == 60
    assert lines[-4] == "Total params: 1,000"


@pytest.mark.parametrize(
    "do, error, message",
    [
        (lambda: Sequential([3]), TypeError, "expected a layer, got 3"),
        (lambda: Sequential([Dense]), TypeError, "forget the parentheses"),
        (lambda: Sequential([Sequential()]), ValueError, "has no layers"),
        (
            lambda: Sequential([Dense(1, name="a"), Dense(1, name="a")]),
            ValueError,
            "'a' is used twice",
        ),
        (
            lambda: Sequential([Dense(4, input_shape=(3,)), Flatten()]),
            ValueError,
            "at least 3 axes",
        ),
        (
            lambda: Sequential([Masking(input_shape=(3, 2)), Dense(2), Flatten()]),
            TypeError,
            "flatten_1: Flatten does not support masks, but masking_1 makes one",
        ),
        (lambda: Sequential().build((None, 3)), ValueError, "has no layers"),
        (lambda: Sequential().connect((None, 3)), ValueError, "has no layers"),
        (lambda: Sequential([Dense(3)]).build(), ValueError, "needs an input shape"),
        (lambda: Sequential([Dense(3)]).summary(), ValueError, "is not built"),
    ],
)
def test_bad_stacks_are_explained(do, error, message):
    """The layer is named, and what was expected."""
    with pytest.raises(error, match=message):
        do()


def test_a_refused_layer_leaves_the_model_as_it_was():
    """add is all or nothing."""
    model = Sequential([Dense(4, input_shape=(3,))])
    with pytest.raises(ValueError, match="at least 3 axes"):
        model.add(Flatten())
    assert len(model.layers) == 1 and model.output_shape == (None, 4)
    model.add(Activation("relu"))
    assert model.predict(np.ones((1, 3))).shape == (1, 4)
