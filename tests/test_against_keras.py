"""Every feed-forward layer beside Keras 3: same weights, same answers, same slopes."""

import numpy as np
import pytest
from theirs import slopes

from kerasnb import layers

pytestmark = pytest.mark.filterwarnings("ignore")  # of the other library's parts
PRECISION = 1e-5  # of the largest number: sums of some hundred roundings of 6e-8
KERAS_NAMES = {"alpha": "negative_slope"}  # of LeakyReLU; ELU kept its word
SEQUENCE, IMAGE, VOLUME = (9, 4), (8, 7, 3), (5, 6, 4, 2)
SAME = {"padding": "same"}

WEIGHTED = [
    ("Dense", {"units": 5, "activation": "tanh"}, (7,)),
    ("Dense", {"units": 5, "use_bias": False}, SEQUENCE),
    ("Conv1D", {"filters": 5, "kernel_size": 3, "activation": "relu"}, SEQUENCE),
    ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal"}, SEQUENCE),
    ("Conv1D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, SEQUENCE),
    ("Conv1D", {"filters": 5, "kernel_size": 4, "strides": 3, **SAME}, SEQUENCE),
    ("Conv2D", {"filters": 6, "kernel_size": 1, "use_bias": False}, IMAGE),
    ("Conv2D", {"filters": 33, "kernel_size": 3, "activation": "relu"}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "strides": (2, 1)}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, **SAME}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "dilation_rate": 2}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 3, **SAME}, IMAGE),
    ("Conv3D", {"filters": 4, "kernel_size": (2, 3, 2)}, VOLUME),
    ("Conv3D", {"filters": 4, "kernel_size": 3, "strides": 2, **SAME}, VOLUME),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3}, IMAGE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}, IMAGE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, **SAME}, IMAGE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 2, "strides": 3}, IMAGE),
    ("Conv3DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}, VOLUME),
    ("Conv3DTranspose", {"filters": 4, "kernel_size": 2, **SAME}, VOLUME),
    ("DepthwiseConv2D", {"kernel_size": 3, "activation": "relu"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, **SAME}, (8, 7, 19)),
    ("DepthwiseConv2D", {"kernel_size": (2, 3), "depth_multiplier": 2}, IMAGE),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, **SAME}, SEQUENCE),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "strides": 2}, SEQUENCE),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "strides": 2}, IMAGE),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    (
        "SeparableConv2D",
        {"filters": 5, "kernel_size": 2, "depth_multiplier": 3, **SAME},
        IMAGE,
    ),
    ("BatchNormalization", {}, (7,)),
    ("BatchNormalization", {"scale": False, "epsilon": 0.1}, IMAGE),
    ("BatchNormalization", {"axis": 1, "center": False}, IMAGE),
    ("PReLU", {}, SEQUENCE),
    ("PReLU", {"shared_axes": [1, 2]}, IMAGE),
    ("TimeDistributed", {"layer": ("Dense", {"units": 5})}, SEQUENCE),
    (
        "TimeDistributed",
        {"layer": ("Conv1D", {"filters": 2, "kernel_size": 3})},
        (3, *SEQUENCE),
    ),
]
FREE = [  # of weights
    ("MaxPooling1D", {}, SEQUENCE),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, **SAME}, SEQUENCE),
    ("MaxPooling2D", {}, IMAGE),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, **SAME}, IMAGE),
    ("MaxPooling3D", {"pool_size": (2, 3, 1), "strides": 1}, VOLUME),
    ("AveragePooling1D", {"pool_size": 4, **SAME}, SEQUENCE),
    ("AveragePooling2D", {"pool_size": (3, 2), "strides": 2, **SAME}, IMAGE),
    ("AveragePooling2D", {"pool_size": 3, "strides": 1}, IMAGE),
    ("AveragePooling3D", {"pool_size": 2, **SAME}, VOLUME),
    ("GlobalMaxPooling1D", {}, SEQUENCE),
    ("GlobalMaxPooling2D", {}, IMAGE),
    ("GlobalMaxPooling3D", {}, VOLUME),
    ("GlobalAveragePooling1D", {}, SEQUENCE),
    ("GlobalAveragePooling2D", {}, IMAGE),
    ("GlobalAveragePooling3D", {}, VOLUME),
    ("Cropping1D", {"cropping": (2, 1)}, SEQUENCE),
    ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, IMAGE),
    ("Cropping3D", {"cropping": (1, 2, 1)}, VOLUME),
    ("ZeroPadding1D", {"padding": (2, 1)}, SEQUENCE),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    ("ZeroPadding3D", {"padding": (1, 2, 1)}, VOLUME),
    ("UpSampling1D", {"size": 3}, SEQUENCE),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling3D", {"size": (2, 1, 3)}, VOLUME),
    ("LeakyReLU", {"alpha": 0.2}, SEQUENCE),
    ("ELU", {"alpha": 0.7}, SEQUENCE),
    ("Softmax", {}, SEQUENCE),
    ("Softmax", {"axis": 1}, SEQUENCE),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}, SEQUENCE),
    ("Flatten", {}, IMAGE),
    ("Reshape", {"target_shape": (-1, 6)}, SEQUENCE),
    ("Permute", {"dims": (3, 1, 2)}, IMAGE),
    ("RepeatVector", {"n": 3}, (7,)),
]
NOISY = [
    ("Dropout", {"rate": 0.5}, SEQUENCE),
    ("SpatialDropout1D", {"rate": 0.5}, SEQUENCE),
    ("SpatialDropout2D", {"rate": 0.5}, IMAGE),
    ("SpatialDropout3D", {"rate": 0.5}, VOLUME),
    ("AlphaDropout", {"rate": 0.5}, SEQUENCE),
    ("GaussianDropout", {"rate": 0.5}, SEQUENCE),
    ("GaussianNoise", {"stddev": 0.5}, SEQUENCE),
]


def every(cases):
    """Run a test for each case, named after layer and arguments."""
    names = [f"{name}-{arguments}" for name, arguments, _ in cases]
    return pytest.mark.parametrize("name, arguments, shape", cases, ids=names)


def make(library, name, arguments):
    """Return a layer; a pair among its arguments stands for a layer inside."""
    if name == "LeakyReLU" and library is not layers:
        arguments = {KERAS_NAMES[key]: value for key, value in arguments.items()}
    inside = {
        key: make(library, *value) if key == "layer" else value
        for key, value in arguments.items()
    }
    return getattr(library, name)(**inside)


def pair(keras, name, arguments, shape):
    """Return a layer of ours, one of theirs with the same weights, and an input."""
    if (
        keras.backend.backend() == "torch"
        and "Average" in name
        and "padding" in arguments
    ):
        pytest.skip("on PyTorch, Keras 3 counts copies of the edge")
    rng = np.random.default_rng(1)
    ours, theirs = make(layers, name, arguments), make(keras.layers, name, arguments)
    ours.connect((None, *shape))
    theirs.build((None, *shape))
    for weight in ours.trainable_weights:
        weight.assign(rng.uniform(-1, 1, weight.shape))
        weight.grad = np.full_like(weight.value, np.nan)
    for weight in ours.non_trainable_weights:
        weight.assign(rng.uniform(0.5, 2, weight.shape))
    theirs.set_weights(ours.get_weights())
    return ours, theirs, rng.normal(size=(4, *shape)).astype("float32")


def assert_near(found, expected):
    """The largest difference is a small part of the largest number."""
    assert found.shape == expected.shape
    limit = PRECISION * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit)


@every(WEIGHTED + FREE + NOISY)
def test_predictions_agree(keras, name, arguments, shape):
    """Outside of training: moving averages of batches, and no noise."""
    ours, theirs, x = pair(keras, name, arguments, shape)
    expected = keras.ops.convert_to_numpy(theirs(x, training=False))
    assert_near(ours(x), expected)


@every(WEIGHTED + FREE)
def test_training_agrees(keras, name, arguments, shape):
    """The output, and the gradients of the input and of every weight."""
    ours, theirs, x = pair(keras, name, arguments, shape)
    y = ours.forward(x, True).copy()
    dy = np.random.default_rng(2).normal(size=y.shape).astype("float32")
    found = [y, ours.backward(dy), *(w.grad for w in ours.trainable_weights)]
    expected = slopes(keras, theirs, x, dy, training=True)
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert_near(one, other)


def test_embedding_agrees(keras):
    """Rows of a table, and the gradient of the table where codes come repeatedly."""
    codes = np.random.default_rng(0).integers(0, 6, (4, 5))
    _, theirs, _ = pair(keras, "Embedding", {"input_dim": 6, "output_dim": 3}, (5,))
    theirs(codes)
    ours = layers.Embedding(6, 3, weights=theirs.get_weights())
    y = ours(codes)
    np.testing.assert_array_equal(y, keras.ops.convert_to_numpy(theirs(codes)))
    dy = np.random.default_rng(2).normal(size=y.shape).astype("float32")
    ours.weights[0].grad = np.full((6, 3), np.nan, "float32")
    ours.backward(dy)
    one_hot = make(keras.layers, "Dense", {"units": 3, "use_bias": False})
    one_hot.build((None, 5, 6))
    expected = slopes(keras, one_hot, np.eye(6, dtype="float32")[codes], dy)
    assert_near(ours.weights[0].grad, expected[2])


def test_pooling_agrees_about_masks(keras):
    """The mean over the steps that count."""
    x = np.random.default_rng(0).normal(size=(4, *SEQUENCE)).astype("float32")
    x[1, 3:] = x[2, :4] = 0
    theirs = keras.layers.GlobalAveragePooling1D()(keras.layers.Masking()(x))
    ours = layers.GlobalAveragePooling1D()
    mask = (x != 0).any(-1)
    ours.connect((None, *SEQUENCE))
    ours.mask = mask
    assert_near(ours.forward(x, False), keras.ops.convert_to_numpy(theirs))


@every([case for case in WEIGHTED if "Normal" in case[0]])
def test_moving_means_agree(keras, name, arguments, shape):
    """Variances do not: Keras 2 corrects for the size of the batch, Keras 3 not."""
    ours, theirs, x = pair(keras, name, arguments, shape)
    ours(x, training=True)
    theirs(x, training=True)
    assert_near(ours.get_weights()[-2], theirs.get_weights()[-2])
