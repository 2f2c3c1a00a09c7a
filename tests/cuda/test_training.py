"""Training on the device: the numbers of `plain`, and nothing read on the way."""

import numpy as np
import pytest

import kerasnb
from kerasnb import Sequential
from kerasnb import backend as K
from kerasnb.kernels.cuda.array import trips
from kerasnb.layers import *  # noqa: F401,F403
from kerasnb.layers import GRU, LSTM, RNN, Conv2D, Dense, Embedding, Flatten, LSTMCell

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
    "masked average": (CODES, "Embedding(7, 3, mask_zero=True), GlobalAveragePooling1D()"),
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
    "ConvLSTM2D": ((3, 4, 4, 2), "ConvLSTM2D(2, 2)"),
    "Lambda": (ROW, "Lambda(lambda x: K.sin(x) * x), Dense(2)"),
    "own activation": (ROW, "Dense(2, activation=lambda x: x * K.sigmoid(x))"),
    "merged": (ROW, "Concatenate([Dense(2), Dense(3, 'relu')]), Dense(2)"),
    "added": (ROW, "Add([Dense(3), Dense(3)]), Maximum([Dense(2), Dense(2)])"),
    "dot": (ROW, "Merge([Dense(3), Dense(3)], mode='cos')"),
}
"""What there is to train: the shape of a sample and the layers."""

VISITORS = {
    "constrained", "Masking", "masked GRU", "masked average", "Softmax", "RNN",
    "ConvLSTM2D", "Lambda", "own activation",
}  # fmt: skip
"""Models in which something is done or looked at on the host at every step."""


def data_for(shape):
    """Return inputs, and a generator of the targets."""
    rng = np.random.default_rng(1)
    if shape is CODES:
        x = rng.integers(0, 7, (SAMPLES, 5))
        x[:, 0] = 1  # no sample is masked as a whole
        return x, rng
    return rng.normal(size=(SAMPLES, *shape)).astype(np.float32), rng


def build(shape, layers):
    """Make the model of a row of the table."""
    first = InputLayer(input_shape=(5,) if shape is CODES else shape)  # noqa: F405
    model = Sequential([first])
    stack = eval(f"[{layers}]", {**globals(), "K": K})
    for layer in stack:
        model.add(layer)
    return model


def trained(device, shape, layers, optimizer="adam"):
    """Return the model after two epochs, its data and its history."""
    kerasnb.set_device(device)
    kerasnb.set_seed(3)
    kerasnb.reset_names()
    model = build(shape, layers)
    x, rng = data_for(shape)
    y = rng.uniform(size=(SAMPLES, *model.output_shape[1:])).astype(np.float32)
    model.compile(optimizer, "mse")
    return model, x, y, model.fit(x, y, epochs=2, **FITTING).history["loss"]


def trips_of(model, x, y):
    """Return how many copies between host and device an epoch makes."""
    before = sum(trips.values())
    model.fit(x, y, epochs=1, **FITTING)
    return sum(trips.values()) - before


@pytest.mark.parametrize("name", MODELS)
def test_training_gives_the_numbers_of_plain(name):
    """Losses, weights and predictions after two epochs agree."""
    plain, x, y, expected = trained("plain", *MODELS[name])
    p, W = plain.predict(x), plain.get_weights()
    cuda, x, y, found = trained("cuda", *MODELS[name])
    np.testing.assert_allclose(found, expected, TOLERANCE, TOLERANCE)
    np.testing.assert_allclose(cuda.predict(x), p, TOLERANCE, TOLERANCE)
    for a, b in zip(cuda.get_weights(), W):
        np.testing.assert_allclose(a, b, 10 * TOLERANCE, 10 * TOLERANCE)
    if name not in VISITORS:  # three steps make as many trips as one
        assert trips_of(cuda, x, y) == trips_of(cuda, x[:BATCH], y[:BATCH])
