import json
import os
import pathlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import X, Y, compiled, network, same_weights, train

import kerasnb
from kerasnb import (
    Sequential,
    initializers,
    layers,
    load_model,
    losses,
    metrics,
    optimizers,
    random,
    save_model,
)
from kerasnb.container import DamagedFile, read_container, write_container


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


def test_an_empty_path_is_named():
    """It would be the folder itself, of which the system says little."""
    for call in (network().save, load_model, network().load_weights):
        with pytest.raises(ValueError, match="expected the name of a file, got ''"):
            call("")


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
