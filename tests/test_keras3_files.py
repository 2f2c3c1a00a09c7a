import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_keras2_files import OPTIMIZERS, samples, scatter
from zoo import (
    OURS,
    SHARED,
    X,
    Y,
    compiled,
    exchanged,
    network,
    others,
    same_weights,
    train,
)

from kerasnb import Sequential, layers, load_model, optimizers
from kerasnb.container import DamagedFile
from kerasnb.keras3_config import from_keras3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


def rewritten(path, name, content, **options):
    """Exchange one file inside of the archive."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    parts[name] = content
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)


def documents(path):
    with zipfile.ZipFile(path) as archive:
        return [json.loads(archive.read(f"{n}.json")) for n in ("config", "metadata")]


# ---- reference: the layout --------------------------------------------------------


def test_a_file_of_weights_has_the_layout_of_keras_3(tmp_path):
    """Groups are named after classes and counted; the layer's name is an attribute."""
    inner = Sequential([layers.Dense(4, name="inside")], name="nested")
    model = network(layers.Dropout(0.5), inner)
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert list(file) == ["layers", "vars"]
        names = ["dense", "dense_1", "dropout", "sequential"]
        assert list(file["layers"]) == names
        assert file["layers/dense/vars"].attrs["name"] == "dense_1"
        assert file["layers/sequential/layers/dense/vars"].attrs["name"] == "inside"
        assert list(file["layers/dense/vars"]) == ["0", "1"]
        assert list(file["layers/dropout/vars"]) == []
        assert file["vars"].attrs["name"] == model.name
        stored = file["layers/dense_1/vars/0"][()]
    assert np.array_equal(stored, model.layers[-1].get_weights()[0])


def test_a_whole_model_is_a_zip_of_json_and_weights(path):
    """Without code and without compression, the optimizer after its weights."""
    model = compiled(optimizers.Adam(lr=0.25, clipnorm=1.0), metrics=["acc"])
    train(model)
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        names = ["metadata.json", "config.json", "model.weights.h5"]
        assert archive.namelist() == names and archive.testzip() is None
        archive.extract(names[2], path.parent)
    config, metadata = documents(path)
    assert metadata["keras_version"].startswith("3.")
    entries = config["config"]["layers"]
    assert [entry["class_name"] for entry in entries] == ["InputLayer"] + ["Dense"] * 2
    assert entries[0]["config"]["batch_shape"] == [None, 3]
    assert "batch_input_shape" not in entries[1]["config"]
    assert entries[1]["module"] == "keras.layers"
    compile_config = config["compile_config"]
    assert compile_config["metrics"] == ["accuracy"]
    assert compile_config["optimizer"]["config"]["learning_rate"] == 0.25
    assert compile_config["optimizer"]["config"]["global_clipnorm"] == 1.0
    with h5py.File(path.parent / "model.weights.h5") as file:
        arrays = [file[f"optimizer/vars/{i}"][()] for i in range(10)]
    assert arrays[0] == 6 and arrays[0].dtype == np.int32 and arrays[1] == 0.25
    m, v = model.optimizer.get_weights()[1:5], model.optimizer.get_weights()[5:9]
    for i in range(4):
        assert np.array_equal(arrays[2 + 2 * i], m[i])
        assert np.array_equal(arrays[3 + 2 * i], v[i])


# ---- laws: round trips ------------------------------------------------------------


@pytest.mark.parametrize("name", SHARED)
@given(data=st.data())
def test_every_shared_layer_comes_back(tmp_path_factory, name, data):
    """Configuration and weights, for arguments that are drawn."""
    path = tmp_path_factory.getbasetemp() / "round.keras"
    model = Sequential([data.draw(exchanged(name))])
    scatter(model)
    model.save(path)
    loaded = load_model(path, compile=False)
    assert loaded.get_config() == model.get_config()
    assert same_weights(model, loaded)


@pytest.mark.parametrize("name", others())
def test_models_of_models_come_back(tmp_path, name):
    """As whole models and as weights."""
    model = others()[name]
    scatter(model)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    loaded = load_model(tmp_path / "a.keras", compile=False)
    assert same_weights(model, loaded)
    for file in ("a.keras", "a.weights.h5"):
        scatter(loaded)
        loaded.load_weights(tmp_path / file)
        assert same_weights(model, loaded)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on(path, name):
    """Optimizers that Keras 3 has; the learning rate is stored in float32."""
    optimizer = OPTIMIZERS[name]()
    optimizer.decay = optimizer.initial_decay = 0.0
    if name == "nadam":
        optimizer.schedule_decay = 1.0
    model = compiled(optimizer, metrics=["mae"])
    train(model)
    model.save(path)
    loaded = load_model(path)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    train(loaded), train(model)
    for a, b in zip(loaded.get_weights(), model.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert loaded.optimizer.iterations == 12


def test_what_keras_3_lacks_of_training_is_left_out_with_a_warning(path):
    """The model alone is saved."""
    model = compiled(optimizers.SGD(decay=0.1))
    with pytest.warns(UserWarning, match="cannot be told to Keras 3: it has no opti"):
        model.save(path)
    assert "compile_config" not in documents(path)[0]
    model = compiled(loss="logcosh")
    with pytest.warns(UserWarning, match="does not have the loss or metric 'logcosh'"):
        model.save(path)


def test_weights_are_matched_by_class_or_by_name(tmp_path):
    """As in Keras 3, the count within a class is the place; names are told too."""
    path = tmp_path / "a.weights.h5"
    model = network(layers.Dropout(0.5))
    model.save_weights(path)
    other = network(layers.Activation("relu"))
    other.load_weights(path)
    assert same_weights(model, other)
    third = network()
    third.layers[1].name = model.layers[-1].name
    before = third.layers[0].get_weights()
    third.load_weights(path, by_name=True)
    assert np.array_equal(third.get_weights()[2], model.get_weights()[2])
    assert np.array_equal(third.get_weights()[0], before[0])


def test_seeds_of_random_layers_are_left_aside(tmp_path):
    """Older releases of Keras 3 store the state of a Dropout."""
    path = tmp_path / "a.weights.h5"
    model = network(layers.Dropout(0.5))
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/dropout/seed_generator/vars/0"] = np.array([1, 2], np.uint32)
        for group in ("dense", "dense_1", "dropout"):
            del file[f"layers/{group}/vars"].attrs["name"]
    other = network(layers.Dropout(0.5))
    other.load_weights(path)
    assert same_weights(model, other)
    with pytest.raises(ValueError, match="does not tell the names of its layers"):
        other.load_weights(path, by_name=True)


# ---- what is not the same in both -------------------------------------------------


@pytest.mark.parametrize("name", sorted(OURS))
@settings(max_examples=1)
@given(data=st.data())
def test_layers_that_keras_3_lacks_are_refused(tmp_path_factory, name, data):
    """The message names another format; nothing is written."""
    path = tmp_path_factory.mktemp("refused") / "model.keras"
    model = Sequential([data.draw(exchanged(name))])
    with pytest.raises(ValueError, match=f"no layer {name} .*such as 'model.knb'"):
        model.save(path)
    assert not path.exists()
    model.save_weights(path.with_suffix(".weights.h5"))


REFUSED = {
    "hard_sigmoid has the slope 1/6": lambda: layers.Dense(2, "hard_sigmoid"),
    "Keras 3 has no EigenvalueRegularizer": lambda: layers.Dense(
        2, kernel_regularizer="EigenvalueRegularizer"
    ),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_arguments_that_keras_3_lacks_are_refused(path, problem):
    """The layer is named."""
    model = network(REFUSED[problem]())
    with pytest.raises(ValueError, match=f"dense_1: {problem}"):
        model.save(path)


def test_bilinear_up_sampling_is_refused(path):
    """Keras 3 takes other places between the points."""
    up = layers.UpSampling2D(interpolation="bilinear", input_shape=(3, 3, 1))
    with pytest.raises(ValueError, match="Only 'nearest' is the same in both"):
        Sequential([up]).save(path)


@pytest.mark.parametrize(
    "name, value, problem",
    [
        ("activation", "hard_sigmoid", "hard_sigmoid has the slope 1/6 in Keras 3"),
        ("quantization_config", {"a": 1}, "something that kerasnb does not have"),
        ("colour", "red", "unknown argument 'colour'"),
        ("activation", "gelu", "Unknown activation 'gelu'"),
    ],
)
def test_arguments_that_we_lack_are_refused(path, name, value, problem):
    """Loading says which; weights alone can be loaded all the same."""
    model = network()
    model.save(path)
    config, _ = documents(path)
    config["config"]["layers"][1]["config"][name] = value
    rewritten(path, "config.json", json.dumps(config))
    with pytest.raises(ValueError, match=f"cannot be built. .*{problem}"):
        load_model(path)
    other = network()
    other.load_weights(path)
    assert same_weights(model, other)


def test_an_optimizer_that_we_lack_is_refused(path):
    """`compile=False` loads the model alone."""
    model = compiled()
    model.save(path)
    config, _ = documents(path)
    config["compile_config"]["optimizer"]["config"]["use_ema"] = True
    rewritten(path, "config.json", json.dumps(config))
    with pytest.raises(ValueError, match="Adam: use_ema is something .*compile=False"):
        load_model(path)
    assert same_weights(model, load_model(path, compile=False))


@pytest.mark.parametrize("mask", ["Masking", "Embedding"])
def test_masked_sequences_of_both_ways_are_refused(mask):
    """Keras 3 puts out zeros at masked steps; without a mask nothing differs."""
    maker = {"class_name": mask, "config": {"mask_zero": True}}
    plain = {"class_name": "Dense", "config": {}}
    inner = {"class_name": "LSTM", "config": {"return_sequences": True}}
    both = {"class_name": "Bidirectional", "config": {"layer": inner, "name": "b"}}
    ends = {"class_name": "LSTM", "config": {"return_sequences": False}}

    def document(*entries):
        nested = {"class_name": "Sequential", "config": {"layers": list(entries)}}
        return {"class_name": "Sequential", "config": {"layers": [nested, both]}}

    with pytest.raises(ValueError, match="b: its outputs at masked steps are zeros in"):
        from_keras3(document(maker, plain), "3.15.1")
    from_keras3(document(plain), "3.15.1")
    from_keras3(document(maker, ends), "3.15.1")


def test_several_inputs_are_refused(path):
    """A Sequential of Keras 3 has one."""
    branches = [Sequential([layers.Dense(2, input_shape=(n,))]) for n in (2, 3)]
    with pytest.raises(
        ValueError, match="has one input, this one has 2|no layer Merge"
    ):
        Sequential([layers.Merge(branches, "concat"), layers.Dense(1)]).save(path)


# ---- damaged and forged files -----------------------------------------------------


def test_mutated_files_load_or_are_refused(path):
    """Flipped, cut and spliced bytes: a checksum of the zip sees most of them."""
    model = compiled(metrics=["acc"])
    model.save(path)
    content = path.read_bytes()
    rng, refused = np.random.default_rng(2), 0
    for turn in range(300):
        data = bytearray(content)
        at = int(rng.integers(len(data)))
        if turn % 3 == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif turn % 3 == 1:
            del data[at:]
        else:
            to = int(rng.integers(len(data)))
            data[to : to + 40] = data[at : at + 40]
        path.write_bytes(data)
        try:
            assert same_weights(load_model(path, compile=False), model)
        except (ValueError, OSError):
            refused += 1
    assert refused > 200


def test_an_edited_configuration_loads_or_is_a_value_error(path):
    """Whatever the JSON says, nothing else happens."""
    compiled(metrics=["acc"]).save(path)
    config, _ = documents(path)
    text, rng, refused = json.dumps(config), np.random.default_rng(0), 0
    for turn in range(100):
        at, length = int(rng.integers(len(text))), int(rng.integers(4))
        noise = ["", "9", "-", '"', "[", "e99", "null", "{}", "x"][turn % 9]
        rewritten(path, "config.json", text[:at] + noise + text[at + length :])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                load_model(path)
        except ValueError:
            refused += 1
    assert refused > 40


def test_the_header_before_the_weights_says_what_the_list_says(path):
    """Programs that read a zip from its beginning find size and checksum as well."""
    network().save(path)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("model.weights.h5")
    content = path.read_bytes()[info.header_offset :]
    assert content[:4] == b"PK\3\4" and content[6:8] == bytes(2)
    assert int.from_bytes(content[14:18], "little") == info.CRC
    name, extra = (int.from_bytes(content[at : at + 2], "little") for at in (26, 28))
    sizes = content[30 + name + 4 : 30 + name + extra]
    assert sizes == info.file_size.to_bytes(8, "little") * 2


def test_a_compressed_archive_is_read_and_a_damaged_one_refused(path):
    """Keras does not compress, but other programs that pack one do."""
    model = network()
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    rewritten(path, "model.weights.h5", weights, compression=zipfile.ZIP_DEFLATED)
    assert same_weights(load_model(path, compile=False), model)
    model.save(path)
    content = bytearray(path.read_bytes())
    content[content.find(model.get_weights()[0].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="checksum or the size of model.weights.h5"):
        load_model(path)


def test_a_zip_bomb_is_refused(path):
    """What a member claims is held against what is stored of it."""
    network().save(path)
    bomb = b" " * (1 << 27)
    rewritten(path, "config.json", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 18
    with pytest.raises(DamagedFile, match="config.json claims more bytes than it can"):
        load_model(path)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_missing_part_is_damage(path, name):
    """The message names it."""
    network().save(path)
    rewritten(path, name, None)
    with pytest.raises(DamagedFile, match=f"there is no {name} in it"):
        load_model(path)


def test_circles_of_groups_are_refused(tmp_path):
    """Hard links can make a group its own part."""
    path = tmp_path / "a.weights.h5"
    model = network()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/again"] = file["layers"]
    with pytest.raises(DamagedFile, match="claims more groups than it can have"):
        model.load_weights(path)


def test_arrays_without_a_layer_and_layers_without_arrays_are_refused(tmp_path):
    """Both messages say which, and nothing has changed."""
    path = tmp_path / "a.weights.h5"
    network(layers.Dense(4)).save_weights(path)
    with pytest.raises(
        ValueError, match="arrays in layers/dense_2/vars, for which the"
    ):
        network().load_weights(path)
    with pytest.raises(ValueError, match="no arrays in layers/dense_3, where those of"):
        network(layers.Dense(4), layers.Dense(4)).load_weights(path)


def test_other_endings_and_versions_are_refused(path):
    """Weights alone are no .keras file; Keras 2 wrote other .keras files."""
    model = network()
    with pytest.raises(ValueError, match="let the name end in .weights.h5"):
        model.save_weights(path)
    model.save(path)
    rewritten(path, "metadata.json", json.dumps({"keras_version": "2.15.0"}))
    with pytest.raises(
        ValueError, match="expected a file of Keras 3, got one of Keras"
    ):
        load_model(path)


# ---- exchange with Keras itself ---------------------------------------------------


UNSTABLE = "default"  # Keras and its backends warn of what is not our concern


@pytest.mark.filterwarnings(UNSTABLE)
@pytest.mark.parametrize("name", [*SHARED, *others()])
@settings(max_examples=3, phases=[Phase.generate])
@given(data=st.data())
def test_keras_agrees(tmp_path_factory, keras, name, data):
    """The same predictions after the way there and back, for all kinds of files."""
    folder = tmp_path_factory.getbasetemp()
    known = others()
    model = known.get(name) or Sequential([data.draw(exchanged(name))])
    scatter(model)
    x = samples(model)
    expected = model.predict(x)
    model.save(folder / "a.keras")
    theirs = keras.saving.load_model(folder / "a.keras")
    close(told(keras, theirs, x), expected)

    weights = [w * 0.5 for w in model.get_weights()]
    for ending in (".weights.h5", ".h5"):
        model.set_weights(weights)
        model.save_weights(folder / f"b{ending}")
        theirs.load_weights(folder / f"b{ending}")
        close(told(keras, theirs, x), model.predict(x))
    theirs.save(folder / "c.keras")
    close(load_model(folder / "c.keras", compile=False).predict(x), model.predict(x))
    theirs.save_weights(folder / "d.weights.h5")
    theirs.save(folder / "e.h5")
    for file in ("d.weights.h5", "e.h5"):
        scatter(model)
        model.load_weights(folder / file)
        close(told(keras, theirs, x), model.predict(x))
    close(load_model(folder / "e.h5", compile=False).predict(x), model.predict(x))


def told(keras, model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings(UNSTABLE)
@pytest.mark.parametrize("name", ["momentum", "adam", "amsgrad", "adamax", "nadam"])
def test_training_goes_on_in_keras_and_back(path, keras, name):
    """Learning rate, steps and slots are taken over both ways."""
    optimizer = OPTIMIZERS[name]()
    optimizer.decay = optimizer.initial_decay = 0.0
    if name == "nadam":
        optimizer.schedule_decay = 1.0
    model = compiled(optimizer)
    train(model)
    model.save(path)
    theirs = keras.saving.load_model(path)
    ours = load_model(path)
    for _ in range(2):
        theirs.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
        ours.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
        close_after_training(ours.get_weights(), theirs.get_weights())
        theirs.save(path)
        ours = load_model(path)
    assert ours.optimizer.iterations == 12


def close_after_training(ours, theirs):
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
