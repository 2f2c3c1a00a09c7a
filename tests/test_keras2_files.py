import json
import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import (
    CASES,
    JOINED,
    RNG,
    compiled,
    drawn_layer,
    network,
    others,
    same_weights,
    train,
)

import kerasnb
from kerasnb import Sequential, layers, load_model, optimizers
from kerasnb.container import DamagedFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


def samples(model):
    shape = tuple(n or 5 for n in model.input_shape[1:])
    if type(model.layers[0]).__name__ == "Embedding":
        return RNG.integers(0, 9, (3, *shape))
    return RNG.standard_normal((3, *shape)).astype(np.float32)


def scatter(model):
    """Give all weights numbers of which no two are equal."""
    model.set_weights([RNG.random(w.shape) + 0.1 for w in model.get_weights()])


# ---- reference: the layout --------------------------------------------------------


def test_a_file_of_weights_has_the_layout_of_keras_2(path):
    """A group per layer, weight_names in order, arrays below the names' slashes."""
    model = network(layers.Dropout(0.5))
    model.save_weights(path)
    with h5py.File(path) as file:
        assert set(file.attrs) == {"layer_names", "backend", "keras_version"}
        assert file.attrs["layer_names"].tolist() == [
            b"dense_1",
            b"dropout_1",
            b"dense_2",
        ]
        assert file.attrs["keras_version"] == "2.2.4"
        assert file.attrs["backend"] == "tensorflow"
        assert set(file) == {"dense_1", "dropout_1", "dense_2"}
        names = file["dense_1"].attrs["weight_names"]
        assert names.dtype.kind == "S"
        assert names.tolist() == [b"dense_1/kernel:0", b"dense_1/bias:0"]
        assert file["dropout_1"].attrs["weight_names"].shape == (0,)
        assert set(file["dropout_1"].attrs) == {"weight_names"}
        stored = file["/dense_1/dense_1/kernel:0"]
        assert stored.dtype == np.float32 and stored.chunks is None
        assert np.array_equal(stored[()], model.get_weights()[0])


def test_a_whole_model_has_the_layout_of_keras_2(path):
    """Configurations are JSON attributes, weights and optimizer are groups."""
    model = compiled(optimizers.SGD(momentum=0.9), metrics=["accuracy"])
    train(model)
    model.save(path)
    with h5py.File(path) as file:
        assert set(file) == {"model_weights", "optimizer_weights"}
        assert set(file.attrs) == {
            "keras_version",
            "backend",
            "model_config",
            "training_config",
        }
        config = json.loads(file.attrs["model_config"])
        assert config == {"class_name": "Sequential", "config": model.get_config()}
        training = json.loads(file.attrs["training_config"])
        assert training == {
            "optimizer_config": optimizers.serialize(model.optimizer),
            "loss": "mse",
            "metrics": ["accuracy"],
            "weighted_metrics": [],
            "loss_weights": None,
            "sample_weight_mode": None,
        }
        weights = file["model_weights"]
        assert set(weights.attrs) == {"layer_names", "backend", "keras_version"}
        assert set(weights) == {"dense_1", "dense_2"}
        group = file["optimizer_weights"]
        names = group.attrs["weight_names"].tolist()
        assert names[:3] == [
            b"SGD/iterations:0",
            b"training/SGD/Variable:0",
            b"training/SGD/Variable_1:0",
        ]
        arrays = [group[name][()] for name in names]
    own = model.optimizer.get_weights()
    assert len(arrays) == len(own) == 5 and int(arrays[0]) == 6
    assert all(np.array_equal(*pair) for pair in zip(arrays, own))


@pytest.mark.parametrize(
    "optimizer, count", [("sgd", 5), ("rmsprop", 4), ("adadelta", 8), ("adam", 13)]
)
def test_the_state_of_an_optimizer_has_the_order_of_keras(path, optimizer, count):
    """[iterations, v...], [a...], [a..., d...], [iterations, m..., v..., v_hat...]."""
    model = compiled(optimizer)
    train(model)
    model.save(path)
    with h5py.File(path) as file:
        assert len(file["optimizer_weights"].attrs["weight_names"]) == count


def test_only_a_compiled_model_says_how(path):
    """`include_optimizer=False`, or never compiled: no training_config."""
    for model in (network(), compiled()):
        model.save(path, include_optimizer=False)
        with h5py.File(path) as file:
            assert set(file.attrs) == {"keras_version", "backend", "model_config"}
            assert set(file) == {"model_weights"}
        with pytest.warns(UserWarning, match="does not say how"):
            assert load_model(path).optimizer is None


def test_long_lists_of_names_are_split_over_attributes(path):
    """HDF5 has no room for more than 64 KB in one attribute."""
    name = "x" * 3000
    stack = [layers.Activation("relu", name=f"{name}{i:02}") for i in range(30)]
    model = network(*stack)
    model.save_weights(path)
    with h5py.File(path) as file:
        assert {"layer_names0", "layer_names1"} <= set(file.attrs)
        assert "layer_names" not in file.attrs
        parts = [file.attrs[f"layer_names{i}"] for i in range(2)]
        assert all(part.nbytes <= 64512 for part in parts)
    other = network(*(layers.Activation("relu") for _ in range(3)))
    other.load_weights(path)
    assert same_weights(model, other)


def test_a_long_configuration_is_one_attribute(path):
    """The JSON of a deep model is longer than 64 KB."""
    model = network(*(layers.Activation("relu") for _ in range(600)))
    model.save(path)
    with h5py.File(path) as file:
        assert len(file.attrs["model_config"]) > 65536
    assert load_model(path, compile=False).get_config() == model.get_config()


# ---- laws: round trips ------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({*CASES, *JOINED}))
@given(data=st.data())
def test_every_layer_comes_back(tmp_path_factory, name, data):
    """Configuration and weights, for arguments that are drawn."""
    path = tmp_path_factory.getbasetemp() / "round.h5"
    model = Sequential([data.draw(drawn_layer(name))])
    scatter(model)
    model.save(path)
    loaded = load_model(path, compile=False)
    assert loaded.get_config() == model.get_config()
    assert same_weights(model, loaded)


@pytest.mark.parametrize("name", others())
def test_models_of_models_and_of_codes_come_back(path, name):
    """Wrappers, nested models and embeddings keep their weights in order."""
    model = others()[name]
    scatter(model)
    model.save(path)
    loaded = load_model(path, compile=False)
    assert same_weights(model, loaded)
    x = samples(model)
    assert np.array_equal(loaded.predict(x), model.predict(x))
    scatter(loaded)
    model.save_weights(path)
    loaded.load_weights(path)
    assert same_weights(model, loaded)


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(lr=0.1, decay=0.1),
    "momentum": lambda: optimizers.SGD(lr=0.1, momentum=0.9, clipvalue=0.2),
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
    """What Keras leaves out of the state stands beside it, where Keras ignores it."""
    model = compiled(OPTIMIZERS[name](), metrics=["mae"], weighted_metrics=["mse"])
    train(model)
    model.save(path)
    loaded = load_model(path)
    assert loaded.metrics_names == model.metrics_names
    assert train(loaded) == train(model)
    assert same_weights(model, loaded)
    assert loaded.optimizer.iterations == 12


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_that_keras_wrote_is_taken_over(path, name):
    """Without our own numbers: iterations may be missing, Nadam's product is redone."""
    model = compiled(OPTIMIZERS[name]())
    train(model)
    model.save(path)
    with h5py.File(path, "a") as file:
        del file["optimizer_weights"].attrs["kerasnb_scalars"]
    loaded = load_model(path)
    expected = model.optimizer.get_weights()
    assert all(map(np.array_equal, loaded.optimizer.get_weights(), expected))
    if name == "nadam":
        product = model.optimizer.schedule_product
        assert loaded.optimizer.schedule_product == pytest.approx(product, rel=1e-12)


def test_a_file_without_state_starts_anew(path):
    """Keras writes none before the first training call; that needs no warning."""
    compiled().save(path)
    with h5py.File(path, "a") as file:
        del file["optimizer_weights"]
    assert load_model(path).optimizer.iterations == 0


def test_a_state_that_does_not_fit_is_left_out_with_a_warning(path):
    """Too few arrays: the optimizer starts anew."""
    compiled().save(path)
    with h5py.File(path, "a") as file:
        group = file["optimizer_weights"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:4]
    with pytest.warns(UserWarning, match="so it starts anew"):
        assert load_model(path).optimizer.iterations == 0


def test_functions_are_stored_by_name(path):
    """As Keras does; they come back from custom_objects, or are ours by that name."""

    def shout(t, p):
        return abs(t - p).mean(axis=-1)

    model = compiled(metrics=[shout, {"a": "mae"}.get])
    model.metrics = [shout]
    model.save(path)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["training_config"])["metrics"] == ["shout"]
    assert load_model(path, {"shout": shout}).metrics == [shout]
    with pytest.raises(ValueError, match="Unknown metric 'shout'"):
        load_model(path)


def test_stale_slots_are_not_stored(path):
    """After freezing, the next training call starts with new ones anyway."""
    model = compiled()
    train(model)
    model.layers[0].trainable = False
    model.save(path)
    with h5py.File(path) as file:
        assert "optimizer_weights" not in file


def test_names_inside_of_a_group_are_distinct(path):
    """Nested models may use one name twice; the order decides."""
    inner = [Sequential([layers.Dense(4, name="same")]) for _ in range(2)]
    model = network(Sequential([*inner], name="nested"))
    model.save_weights(path)
    with h5py.File(path) as file:
        assert file["nested"].attrs["weight_names"].tolist() == [
            b"same/kernel:0",
            b"same/bias:0",
            b"same/kernel_1:0",
            b"same/bias_1:0",
        ]
    other = network(Sequential([layers.Dense(4), layers.Dense(4)]))
    other.load_weights(path)
    assert same_weights(model, other)


def test_the_ending_chooses_the_format(tmp_path):
    """.h5 and .hdf5, in capitals too; when loading, the content counts."""
    model = network()
    for name in ("a.h5", "b.hdf5", "c.H5"):
        model.save(tmp_path / name)
        assert h5py.is_hdf5(tmp_path / name)
        (tmp_path / name).rename(tmp_path / "other.name")
        loaded = load_model(tmp_path / "other.name", compile=False)
        assert same_weights(loaded, model)


# ---- laws: weights ----------------------------------------------------------------


def test_weights_are_matched_by_place(path):
    """Layers without weights and names do not count; a whole model serves too."""
    model = network(layers.Dropout(0.5))
    for save in (model.save_weights, model.save):
        save(path)
        other = network(layers.Activation("relu"), layers.Activation("relu"))
        other.load_weights(path)
        assert same_weights(model, other)


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


def test_skip_mismatch_leaves_out_what_does_not_fit(path):
    """Other shapes give a warning, and without skip_mismatch an error."""
    model = network()
    model.save_weights(path)
    kerasnb.reset_names()
    other = Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(5)])
    head = other.layers[1].get_weights()
    with pytest.warns(UserWarning, match=r"shape \(4, 2\).*The layer was skipped"):
        other.load_weights(path, by_name=True, skip_mismatch=True)
    assert np.array_equal(model.get_weights()[0], other.get_weights()[0])
    assert np.array_equal(head[0], other.layers[1].get_weights()[0])
    with pytest.raises(ValueError, match=r"does not fit. dense_2/kernel:0 of the file"):
        other.load_weights(path, by_name=True)


def test_reshape_accepts_the_right_number_of_entries(path):
    """The order of the entries stays."""
    Sequential([layers.Dense(2, input_shape=(3,), use_bias=False)]).save_weights(path)
    other = Sequential([layers.Dense(3, input_shape=(2,), use_bias=False)])
    with pytest.raises(ValueError, match="does not fit"):
        other.load_weights(path)
    other.load_weights(path, reshape=True)
    with h5py.File(path) as file:
        stored = file["dense_1/dense_1/kernel:0"][()]
    assert np.array_equal(other.get_weights()[0], stored.reshape(2, 3))


def test_weights_that_do_not_fit_change_nothing(path):
    """The last layer's shape is wrong: the first keeps its weights as well."""
    Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(5)]).save_weights(path)
    other = network()
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"shape \(4, 5\), dense_4/kernel of the mod"):
        other.load_weights(path)
    with pytest.raises(ValueError, match="weights for 2 layers .* has 3 layers"):
        network(layers.Dense(4)).load_weights(path)
    assert all(map(np.array_equal, other.get_weights(), before))


def test_names_as_strings_and_as_bytes_are_the_same(path):
    """Other versions of h5py wrote strings of variable length."""
    model = network()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        for group, name in ((file, "layer_names"), (file["dense_1"], "weight_names")):
            texts = [text.decode() for text in group.attrs[name]]
            group.attrs[name] = np.array(texts, dtype=h5py.string_dtype())
    other = network()
    other.load_weights(path)
    assert same_weights(model, other)


@pytest.mark.parametrize("kind", [np.float16, np.float64, ">f4", np.int8])
def test_every_type_of_number_is_converted(path, kind):
    """What is stored is rounded to the precision of the model."""
    model = network()
    model.set_weights([np.ones(w.shape) * 3 for w in model.get_weights()])
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        values = file["dense_1/dense_1/kernel:0"][()]
        del file["dense_1/dense_1/kernel:0"]
        file["dense_1/dense_1/kernel:0"] = values.astype(kind)
    other = network()
    other.load_weights(path)
    assert same_weights(model, other)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"compression": "gzip"}])
@pytest.mark.parametrize("kind", [np.float32, ">f8"])
def test_compressed_arrays_are_read(path, options, kind):
    """Other programs may have stored them in chunks, shuffled and with gzip."""
    model = Sequential([layers.Dense(50, input_shape=(30,))])
    model.save_weights(path)
    name = "dense_1/dense_1/kernel:0"
    with h5py.File(path, "a") as file:
        values = file[name][()]
        del file[name]
        data = values.astype(kind)
        file.create_dataset(name, data=data, chunks=(7, 11), **options)
        del file["dense_1/dense_1/bias:0"]
        data = np.zeros(50, kind)
        file.create_dataset(
            "dense_1/dense_1/bias:0", data=data, shuffle=True, **{"compression": "gzip"}
        )
    other = Sequential([layers.Dense(50, input_shape=(30,))])
    other.load_weights(path)
    assert same_weights(model, other)


def test_kernels_from_theano_are_turned_round(path):
    """The backend is told by the file; layers that are no convolutions stay."""
    model = Sequential(
        [layers.Conv2D(2, 3, input_shape=(5, 5, 1)), layers.Flatten(), layers.Dense(2)]
    )
    scatter(model)
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file.attrs["backend"] = b"theano"
    before = model.get_weights()
    model.load_weights(path)
    after = model.get_weights()
    assert np.array_equal(after[0], before[0][::-1, ::-1])
    assert all(map(np.array_equal, after[1:], before[1:]))


# ---- Keras after 2.2 in the same layout -------------------------------------------


def test_a_model_of_later_keras_2_is_read(path):
    """tf.keras tells the input in a layer of its own and has arguments that we lack."""
    model = network()
    model.save(path)
    config = {"class_name": "Sequential", "config": model.get_config()}
    entries = config["config"]["layers"]
    shape = entries[0]["config"].pop("batch_input_shape")
    first = {"batch_input_shape": shape, "sparse": False, "name": "dense_1_input"}
    entries.insert(0, {"class_name": "InputLayer", "config": first})
    sgd = {"name": "SGD", "learning_rate": 0.5, "momentum": 0.0, "nesterov": False}
    training = {
        "loss": "mse",
        "metrics": [["accuracy"]],
        "optimizer_config": {"class_name": "SGD", "config": {**sgd, "decay": 0.0}},
    }
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = (
            b"2.11.0"
        )
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["training_config"] = json.dumps(training)
    loaded = load_model(path)
    assert same_weights(model, loaded) and loaded.optimizer.lr == 0.5


# ---- damaged and forged files -----------------------------------------------------


def test_mutated_files_load_or_are_refused(path):
    """Bytes flipped, cut and put elsewhere: never another error, never half a load."""
    model = compiled(metrics=["acc"])
    model.save(path)
    content = path.read_bytes()
    other, rng = network(), np.random.default_rng(1)
    refused = 0
    for turn in range(300):
        data = bytearray(content)
        at = int(rng.integers(len(data)))
        if turn % 3 == 0:
            for place in rng.integers(0, len(data), 6):
                data[place] = int(rng.integers(256))
        elif turn % 3 == 1:
            del data[at:]
        else:
            to = int(rng.integers(len(data)))
            data[to : to + 40] = data[at : at + 40]
        path.write_bytes(data)
        before = other.get_weights()
        try:
            other.load_weights(path)
        except (ValueError, OSError):
            refused += 1
            assert all(map(np.array_equal, before, other.get_weights()))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                load_model(path)
        except (ValueError, OSError):
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("units", [10**6, 10**12])
def test_a_forged_size_fills_no_memory(path, units):
    """A configuration cannot ask for more weights than the file holds."""
    network().save(path)
    with h5py.File(path, "a") as file:
        forged = file.attrs["model_config"].replace('"units": 4', f'"units": {units}')
        file.attrs["model_config"] = forged
    with pytest.raises(ValueError, match="more weights than the file holds"):
        load_model(path)


FORGERIES = {
    "names a layer twice": lambda f: f.attrs.update(layer_names=[b"dense_1"] * 2),
    "there is no 'nothing'": lambda f: f.attrs.update(layer_names=[b"nothing"]),
    "there is no '../a'": lambda f: f.attrs.update(layer_names=[b"../a"]),
    "no list of strings": lambda f: f.attrs.update(layer_names=[1.0]),
    "neither weights nor a model": lambda f: f.attrs.pop("layer_names"),
}


@pytest.mark.parametrize("problem", FORGERIES)
def test_parts_that_do_not_fit_together_are_damage(path, problem):
    """The message says what is wrong with the file."""
    model = network()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        FORGERIES[problem](file)
    with pytest.raises(DamagedFile, match=problem):
        model.load_weights(path)


@pytest.mark.parametrize("text", ["{", "[]", "3", "[" * 50_000])
@pytest.mark.parametrize("name", ["model_config", "training_config"])
def test_a_configuration_that_is_no_object_is_damage(path, name, text):
    """JSON that is broken, nested without end, or something else."""
    compiled().save(path)
    with h5py.File(path, "a") as file:
        file.attrs[name] = text
    with pytest.raises(DamagedFile, match=f"its {name} is no"):
        load_model(path)


# ---- errors -----------------------------------------------------------------------


def test_a_file_of_weights_is_no_model(path):
    """The message names the other call."""
    network().save_weights(path)
    with pytest.raises(ValueError, match="holds weights only. Build the model"):
        load_model(path)


def test_a_file_that_must_not_be_replaced_is_not(path):
    """No question at the keyboard: an error, before anything is written."""
    model = network()
    model.save(path)
    before = path.read_bytes()
    for save in (model.save, model.save_weights):
        with pytest.raises(FileExistsError, match="overwrite=False"):
            save(path, overwrite=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a//b", ".", "/a", "x" * 65_000])
def test_names_that_hdf5_cannot_hold_are_refused(path, name):
    """Nothing is left behind."""
    model = network(layers.Dense(4, name=name))
    with pytest.raises(ValueError, match="Give the layer a"):
        model.save(path)
    assert not path.exists() and not list(path.parent.iterdir())


def test_missing_files_and_folders_are_os_errors(tmp_path):
    """For models and for weights."""
    for call in (load_model, network().load_weights):
        with pytest.raises(FileNotFoundError, match="nothing.h5"):
            call(tmp_path / "nothing.h5")
    with pytest.raises(OSError, match="cannot write .*model.h5"):
        network().save(tmp_path / "nowhere" / "model.h5")
    assert list(tmp_path.iterdir()) == []
