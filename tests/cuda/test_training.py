"""Training on the device: the numbers of `plain`, and nothing read on the way."""

import copy
import pickle
import re

import numpy as np
import pytest

import kerasnb
from kerasnb import Sequential
from kerasnb import backend as K
from kerasnb import layers
from kerasnb.kernels.cuda.array import trips
from kerasnb.optimizers import OPTIMIZERS

ROW, STEPS, IMAGE, VOLUME = (4,), (5, 3), (5, 4, 3), (3, 3, 3, 2)
CODES = "codes"  # an input of codes for an Embedding
TOLERANCE = 2e-5
BATCH, SAMPLES = 2, 6
FITTING = {"batch_size": BATCH, "verbose": 0, "shuffle": True}

MODELS = {
    "Dense": (ROW, "Dense(3, 'relu'), Dense(2, 'softmax')"),
    "Dense of steps": (STEPS, "TimeDistributed(Dense(3, 'softmax'))"),
    "regularized": (ROW, "Dense(3, kernel_regularizer='l1_l2')"),
    "constrained": (ROW, "Dense(3, kernel_constraint='max_norm')"),
    "activities": (ROW, "ActivityRegularization(0.1, 0.1), Dense(2)"),
    "Activation": (ROW, "Activation('tanh'), Dense(2, 'elu'), Activation('selu')"),
    "Dropout": (ROW, "Dropout(0.3), Dense(3, 'sigmoid'), Dropout(0.5)"),
    "Dropout of rows": (STEPS, "Dropout(0.3, noise_shape=(None, 1, None)), Dense(2)"),
    "noise": (ROW, "GaussianNoise(0.1), GaussianDropout(0.1), AlphaDropout(0.1)"),
    "SpatialDropout": (IMAGE, "SpatialDropout2D(0.5)"),
    "shapes": (STEPS, "Permute((2, 1)), Flatten(), Reshape((5, 3)), Flatten()"),
    "RepeatVector": (ROW, "Dense(2), RepeatVector(3)"),
    "Masking": (STEPS, "Masking(0.0), LSTM(2)"),
    "Conv1D": (STEPS, "Conv1D(2, 2, dilation_rate=2, padding='causal')"),
    "Conv2D": (IMAGE, "Conv2D(2, (2, 3), strides=2, padding='same'), Conv2D(2, 1)"),
    "Conv3D": (VOLUME, "Conv3D(2, 2, activation='relu')"),
    "channels_first": (IMAGE, "Conv2D(2, 2, data_format='channels_first')"),
    "separable": (IMAGE, "SeparableConv2D(2, 2), DepthwiseConv2D(2)"),
    "transposed": (IMAGE, "Conv2DTranspose(2, 2, strides=2)"),
    "local": (IMAGE, "LocallyConnected2D(2, 2)"),
    "BatchNormalization": (IMAGE, "Conv2D(2, 2), BatchNormalization()"),
    "BatchNormalization of rows": (IMAGE, "BatchNormalization(axis=1)"),
    "pooling": (IMAGE, "MaxPooling2D(2, padding='same'), AveragePooling2D(2, 1)"),
    "global": (IMAGE, "Conv2D(3, 2), GlobalMaxPooling2D()"),
    "global average": (STEPS, "Conv1D(3, 2), GlobalAveragePooling1D()"),
    "masked average": (
        CODES,
        "Embedding(7, 3, mask_zero=True), GlobalAveragePooling1D()",
    ),
    "resizing": (IMAGE, "ZeroPadding2D(1), Cropping2D(1), UpSampling2D(2)"),
    "bilinear": (IMAGE, "UpSampling2D(2, interpolation='bilinear')"),
    "Embedding": (CODES, "Embedding(7, 3), Flatten(), Dense(2)"),
    "LeakyReLU": (ROW, "LeakyReLU(), ELU(), ThresholdedReLU(0.1), ReLU(2.0)"),
    "PReLU": (IMAGE, "PReLU(shared_axes=[1, 2]), PReLU()"),
    "SReLU": (ROW, "SReLU(), ParametricSoftplus()"),
    "Softmax": (STEPS, "Softmax(axis=1)"),
    "Highway": (ROW, "Highway(), MaxoutDense(3)"),
    "SimpleRNN": (STEPS, "SimpleRNN(2, return_sequences=True, go_backwards=True)"),
    "GRU": (STEPS, "GRU(3, return_sequences=True), GRU(2, reset_after=True)"),
    "LSTM": (STEPS, "LSTM(3, return_sequences=True), LSTM(2)"),
    "dropped states": (STEPS, "LSTM(2, dropout=0.3, recurrent_dropout=0.3)"),
    "masked GRU": (CODES, "Embedding(7, 3, mask_zero=True), GRU(2)"),
    "Bidirectional": (STEPS, "Bidirectional(LSTM(2, return_sequences=True))"),
    "RNN": (STEPS, "RNN([LSTMCell(2), GRUCell(3)])"),
    "ConvLSTM2D": ((2, 3, 3, 1), "ConvLSTM2D(1, 2)"),
    "Lambda": (ROW, "Lambda(lambda x: K.sin(x) * x), Dense(2)"),
    "own activation": (ROW, "Dense(2, activation=lambda x: x * K.sigmoid(x))"),
    "merged": (ROW, "Concatenate([Dense(2), Dense(3, 'relu')]), Dense(2)"),
    "added": (ROW, "Add([Dense(3), Dense(3)]), Maximum([Dense(2), Dense(2)])"),
    "dot": (ROW, "Merge([Dense(3), Dense(3)], mode='cos')"),
}
"""What there is to train: the shape of a sample and the layers."""

SIMULATED = ["Dense", "Conv2D", "pooling", "BatchNormalization", "LSTM", "masked GRU"]
"""Models for which the simulator steps through the kernels themselves."""

VISITORS = {"Lambda", "own activation"}
"""Models in which something is done on the host at every step: see test_visits.py."""


def data_for(shape):
    """Return inputs, and a generator of the targets."""
    rng = np.random.default_rng(1)
    if shape is CODES:
        x = rng.integers(0, 7, (SAMPLES, 5))
        x[:, 0] = 1  # no sample is masked as a whole
        return x, rng
    return rng.normal(size=(SAMPLES, *shape)).astype(np.float32), rng


def build(shape, listed):
    """Make the model of a row of the table."""
    first = layers.InputLayer(input_shape=(5,) if shape is CODES else shape)
    model = Sequential([first])
    stack = eval(f"[{listed}]", {**vars(layers), "K": K})
    for layer in stack:
        model.add(layer)
    return model


def trained(chosen, shape, listed, optimizer="sgd"):
    """Return the model after two epochs, its data and its history."""
    kerasnb.set_device(chosen)
    kerasnb.set_seed(3)
    kerasnb.reset_names()
    model = build(shape, listed)
    x, rng = data_for(shape)
    y = rng.uniform(size=(SAMPLES, *model.output_shape[1:])).astype(np.float32)
    model.compile(optimizer, "mse")
    return model, x, y, model.fit(x, y, epochs=2, **FITTING).history["loss"]


def trips_of(model, x, y):
    """Return how many copies between host and device an epoch makes."""
    before = sum(trips.values())
    model.fit(x, y, epochs=1, **FITTING)
    return sum(trips.values()) - before


@pytest.mark.parametrize("name", SIMULATED)
def test_the_kernels_train_as_plain(name):
    """A loss, the weights and a prediction after one step agree."""
    results = []
    for chosen in ("plain", "cuda"):
        kerasnb.set_device(chosen)
        kerasnb.set_seed(3)
        model = build(*MODELS[name])
        x, rng = data_for(MODELS[name][0])
        y = rng.uniform(size=(SAMPLES, *model.output_shape[1:])).astype(np.float32)
        model.compile("sgd", "mse")
        loss = model.train_on_batch(x[:2], y[:2])
        results.append([loss, model.predict(x[:2]), *model.get_weights()])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, TOLERANCE, TOLERANCE)


@pytest.mark.parametrize("name", MODELS)
def test_training_gives_the_numbers_of_plain(name, quick):
    """Losses, weights and predictions after two epochs agree; nothing is read."""
    plain, x, y, expected = trained("plain", *MODELS[name])
    p, W = plain.predict(x), plain.get_weights()
    cuda, x, y, found = trained("cuda", *MODELS[name])
    np.testing.assert_allclose(found, expected, TOLERANCE, TOLERANCE)
    np.testing.assert_allclose(cuda.predict(x), p, TOLERANCE, TOLERANCE)
    for a, b in zip(cuda.get_weights(), W):
        np.testing.assert_allclose(a, b, 10 * TOLERANCE, 10 * TOLERANCE)
    if name not in VISITORS:  # three steps make as many trips as one
        assert trips_of(cuda, x, y) == trips_of(cuda, x[:BATCH], y[:BATCH])


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_takes_the_steps_of_plain(optimizer, quick):
    """After six steps, with clipping, the weights agree."""
    found = []
    for chosen in ("plain", "cuda"):
        rule = OPTIMIZERS[optimizer](clipnorm=0.5, clipvalue=0.2)
        found.append(trained(chosen, *MODELS["Dense"], rule)[0].get_weights())
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, 10 * TOLERANCE, 10 * TOLERANCE)


def test_data_without_room_are_sent_step_by_step(monkeypatch, quick):
    """The numbers are those of data that live on the device."""
    from kerasnb.kernels.cuda.array import account

    _, _, _, expected = trained("cuda", *MODELS["Dropout"])
    monkeypatch.setattr(account, "free", lambda: 0)
    model, x, y, found = trained("cuda", *MODELS["Dropout"])
    assert found == expected
    whole = model.evaluate(x, y, batch_size=4, verbose=0)
    monkeypatch.undo()
    assert whole == model.evaluate(x, y, batch_size=4, verbose=0)


def softsign(x):
    return x / (1.0 + abs(x))


def softsign_slope(x):
    return 1.0 / (1.0 + abs(x)) ** 2


def fourth_power(t, p):
    return (p - t) ** 4


def fourth_power_slope(t, p):
    return 4.0 * (p - t) ** 3


def test_formulas_of_ones_own_run_on_the_device():
    """An activation and a loss as formulas of numbers: plain's numbers, no trips."""
    results = []
    bent = kerasnb.with_gradient(softsign, softsign_slope, elementwise=True)
    fourth = kerasnb.with_gradient(fourth_power, fourth_power_slope, elementwise=True)
    for chosen in ("plain", "cuda"):
        kerasnb.set_device(chosen)
        kerasnb.set_seed(3)
        model = build(ROW, "Dense(3), Dense(2)")
        model.layers[-1].activation = kerasnb.activations.get(bent)
        model.compile("sgd", fourth)
        x, rng = data_for(ROW)
        y = rng.uniform(size=(SAMPLES, 2)).astype(np.float32)
        losses = model.fit(x, y, epochs=3, **FITTING).history["loss"]
        results.append((losses, model.get_weights()))
    np.testing.assert_allclose(results[1][0], results[0][0], TOLERANCE)
    for a, b in zip(results[1][1], results[0][1]):
        np.testing.assert_allclose(a, b, TOLERANCE, TOLERANCE)
    assert trips_of(model, x, y) == trips_of(model, x[:BATCH], y[:BATCH])


def test_a_model_moves_between_devices(quick):
    """Trained here and there, saved and loaded, its numbers stay the same."""
    plain, x, y, _ = trained("plain", *MODELS["Conv2D"], optimizer="adam")
    more = plain.fit(x, y, epochs=2, **FITTING).history["loss"]
    moved, x, y, _ = trained("plain", *MODELS["Conv2D"], optimizer="adam")
    kerasnb.set_device("cuda")
    first = moved.fit(x, y, epochs=1, **FITTING).history["loss"]
    kerasnb.set_device("cpu")
    second = moved.fit(x, y, epochs=2, initial_epoch=1, **FITTING).history["loss"]
    np.testing.assert_allclose(first + second, more, TOLERANCE, TOLERANCE)
    kerasnb.set_device("plain")
    np.testing.assert_allclose(moved.predict(x), plain.predict(x), 1e-3, 1e-4)


def test_a_model_is_saved_and_goes_on(tmp_path, quick):
    """A file written on the device continues anywhere to the same numbers."""
    model, x, y, _ = trained("cuda", *MODELS["Dropout"], optimizer="adam")
    model.save(tmp_path / "model.knb")
    expected = model.fit(x, y, epochs=1, seed=5, **FITTING).history["loss"]
    for chosen in ("cuda", "plain"):
        kerasnb.set_device(chosen)
        again = kerasnb.load_model(tmp_path / "model.knb")
        found = again.fit(x, y, epochs=1, seed=5, **FITTING).history["loss"]
        np.testing.assert_allclose(found, expected, TOLERANCE, TOLERANCE)


def test_a_model_on_the_device_is_copied_and_pickled(quick):
    """The copies predict the same."""
    model, x, y, _ = trained("cuda", *MODELS["Conv2D"], optimizer="adam")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(x), model.predict(x))
        other.fit(x, y, epochs=1, **FITTING)


def test_a_batch_on_the_device_is_explained(quick):
    """Shapes, ranges and gradients are those of plain, and nothing is changed."""
    model, x, y, _ = trained("cuda", *MODELS["Conv2D"])
    before, told = model.get_weights(), model.explain(x, y)
    kerasnb.set_device("plain")
    for row, expected in zip(told.rows, model.explain(x, y).rows):
        for name in ("activation", "gradient"):
            assert row[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-6)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_logs_are_floats_for_callbacks_that_look(quick):
    """What a callback gets at each batch, and History at each epoch, are numbers."""
    model, x, y, _ = trained("cuda", *MODELS["Dense"])
    seen = []
    look = kerasnb.callbacks.LambdaCallback(
        on_batch_end=lambda batch, logs: seen.append(logs["loss"])
    )
    model.fit(x, y, epochs=1, callbacks=[look], **FITTING)
    assert len(seen) == 3 and all(type(loss) is float for loss in seen)
    assert model.train_on_batch(x, y) == pytest.approx(np.mean(seen), rel=0.1)


def test_a_model_works_on_after_the_memory_ran_out(monkeypatch, quick):
    """The error names the need and a batch size that fits; that size then works."""
    from kerasnb.kernels.cuda.array import account

    kerasnb.set_device("cuda")
    model = build(ROW, "Dense(50, 'relu'), Dense(1)")
    model.compile("adam", "mse")
    x, y = np.ones((256, 4)), np.ones((256, 1))
    model.fit(x[:2], y[:2], verbose=0)
    expected = model.get_weights()
    monkeypatch.setattr(account, "most", account.taken + 60_000)
    with pytest.raises(RuntimeError, match="no room for batches of 256") as error:
        model.fit(x, y, batch_size=256, verbose=0)
    for a, b in zip(model.get_weights(), expected):
        np.testing.assert_array_equal(a, b)
    fitting = int(re.search(r"batch_size=(\d+)", str(error.value))[1])
    assert fitting >= 16
    model.fit(x, y, batch_size=fitting, verbose=0)
    with pytest.raises(RuntimeError, match="predict: the GPU has no room"):
        model.predict(np.ones((4000, 4)), batch_size=4000)
    assert model.predict(x[:3]).shape == (3, 1)


def test_states_are_kept_and_put_back(quick):
    """A stateful layer and a metric that counts go on where they were, anywhere."""
    x, rows = np.ones((2, 3, 1)), ([[1], [0]], [[0.9], [0.8]])
    kerasnb.set_device("cuda")
    layer, metric = layers.LSTM(2, stateful=True), kerasnb.metrics.Precision()
    layer(x)
    assert metric(*rows) == 0.5
    kept, counted = layer.get_state(), metric.get_state()
    expected = layer(x)
    for chosen in ("cuda", "plain", "cuda"):
        kerasnb.set_device(chosen)
        layer.set_state(kept)
        np.testing.assert_allclose(layer(x), expected, TOLERANCE)
        metric.set_state(counted)
        assert metric(*rows) == 0.5 and (metric.right, metric.counted) == (2, 4)
