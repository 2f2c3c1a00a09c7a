"""Every kind of layer and of what layers are made of, with arguments to draw"""

import numpy as np
from hypothesis import strategies as st

from kerasnb import Sequential, constraints, initializers, layers

from kerasnb import optimizers, regularizers  # isort: skip

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 3)).astype(np.float32)
Y = RNG.standard_normal((24, 2)).astype(np.float32)


def network(*hidden):
    """Return a model 3 -> ... -> 2; `hidden` layers come in between."""
    first = layers.Dense(4, activation="tanh", input_shape=(3,))
    return Sequential([first, *hidden, layers.Dense(2)])


def compiled(optimizer="adam", **arguments):
    """Return a network that learns Y."""
    model = network()
    model.compile(optimizer, **{"loss": "mse", **arguments})
    return model


def train(model, epochs=2):
    """Let a network learn, and return the history."""
    return model.fit(X, Y, 8, epochs=epochs, shuffle=False, verbose=0).history


def same_weights(a, b):
    """Return whether two models have the same bits."""
    a, b = a.get_weights(), b.get_weights()
    return len(a) == len(b) and all(np.array_equal(*pair) for pair in zip(a, b))


# ---- what is drawn ----------------------------------------------------------------

part = st.floats(0.1, 0.9)
size = st.integers(1, 3)
flag = st.booleans()
seed = st.none() | st.integers(0, 2**63 - 1)
activation = st.sampled_from([None, "relu", "tanh", "softmax", "elu", "hard_sigmoid"])
bounded = st.sampled_from(["tanh", "softmax", "hard_sigmoid"])
padding = st.sampled_from(["valid", "same"])


def made(make, **arguments):
    """Return a strategy: what `make` makes of drawn arguments."""
    return st.builds(lambda **drawn: make(**drawn), **arguments)


def sizes(axes, least=1, most=3):
    return st.tuples(*[st.integers(least, most)] * axes)


INITIALIZERS = {
    "Zeros": made(initializers.Zeros),
    "Ones": made(initializers.Ones),
    "Constant": made(initializers.Constant, value=st.floats(-2, 2)),
    "RandomNormal": made(initializers.RandomNormal, mean=part, stddev=part, seed=seed),
    "RandomUniform": made(
        initializers.RandomUniform, minval=st.floats(-1, 0), maxval=part, seed=seed
    ),
    "TruncatedNormal": made(initializers.TruncatedNormal, stddev=part, seed=seed),
    "VarianceScaling": made(
        initializers.VarianceScaling,
        scale=part,
        mode=st.sampled_from(["fan_in", "fan_out", "fan_avg"]),
        distribution=st.sampled_from(["normal", "uniform"]),
        seed=seed,
    ),
    "Orthogonal": made(initializers.Orthogonal, gain=part, seed=seed),
    "Identity": made(initializers.Identity, gain=part),
}
REGULARIZERS = {
    "L1L2": made(regularizers.L1L2, l1=part, l2=part),
    "EigenvalueRegularizer": made(regularizers.EigenvalueRegularizer, k=part),
}
CONSTRAINTS = {
    "MaxNorm": made(constraints.MaxNorm, max_value=part, axis=st.integers(0, 1)),
    "NonNeg": made(constraints.NonNeg),
    "UnitNorm": made(constraints.UnitNorm, axis=st.integers(0, 1)),
    "MinMaxNorm": made(
        constraints.MinMaxNorm,
        min_value=st.floats(0, 0.1),
        max_value=part,
        rate=part,
        axis=st.integers(0, 1),
    ),
}
clipping = {"clipnorm": st.none() | part, "clipvalue": st.none() | part}
common = {"lr": part, "decay": part, **clipping}
OPTIMIZERS = {
    "SGD": made(optimizers.SGD, momentum=part, nesterov=flag, **common),
    "RMSprop": made(optimizers.RMSprop, rho=part, epsilon=part, **common),
    "Adagrad": made(optimizers.Adagrad, epsilon=part, **common),
    "Adadelta": made(optimizers.Adadelta, rho=part, epsilon=part, **common),
    "Adam": made(optimizers.Adam, beta_1=part, beta_2=part, amsgrad=flag, **common),
    "Adamax": made(optimizers.Adamax, beta_1=part, beta_2=part, **common),
    "Nadam": made(optimizers.Nadam, lr=part, schedule_decay=part, **clipping),
}

any_initializer = st.one_of(INITIALIZERS["RandomNormal"], INITIALIZERS["Constant"])
any_regularizer = st.none() | REGULARIZERS["L1L2"]
any_constraint = st.none() | CONSTRAINTS["NonNeg"] | CONSTRAINTS["MaxNorm"]


def kernel(word="kernel", bias=True):
    """Return what layers with a kernel have in common."""
    drawn = {
        f"{word}_initializer": any_initializer,
        f"{word}_regularizer": any_regularizer,
        f"{word}_constraint": any_constraint,
    }
    if bias:
        drawn |= {"use_bias": flag, "bias_initializer": any_initializer}
        drawn |= {"bias_regularizer": any_regularizer, "activation": activation}
    return drawn


def window(axes, word="pool_size"):
    drawn = {word: sizes(axes), "strides": st.none() | sizes(axes), "padding": padding}
    return {"data_format": st.sampled_from(["channels_last"]), **drawn}


def convolution(axes, **more):
    drawn = {"filters": size, "kernel_size": sizes(axes), "strides": sizes(axes, 1, 2)}
    return {**drawn, "padding": padding, **kernel(), **more}


def separable(axes):
    drawn = {
        name: strategy
        for name, strategy in convolution(axes).items()
        if not name.startswith("kernel_") or name == "kernel_size"
    }
    words = kernel("depthwise", bias=False) | kernel("pointwise", bias=False)
    strides = st.integers(1, 2)  # one number: both axes move alike
    return {**drawn, **words, "strides": strides, "depth_multiplier": size}


def joined(make, count=2, **arguments):
    """Return a strategy for a layer that joins branches."""

    def join(**drawn):
        branches = [layers.Dense(3, input_shape=(4,)) for _ in range(count)]
        return make(branches, **drawn)

    return made(join, **arguments)


def recurrent(**more):
    """Return what the recurrent layers have in common: a cell's words and a loop's."""
    words = kernel() | kernel("recurrent", bias=False) | {"units": size}
    words["activation"] = bounded
    loop = {"return_sequences": flag, "go_backwards": flag, "unroll": flag}
    drops = {"dropout": part, "recurrent_dropout": part, "implementation": st.just(2)}
    return {**words, **loop, **drops, **more}


def without(drawn, *names):
    """Return the strategies but for some."""
    return {name: drawn[name] for name in drawn if name not in names}


FLAT, SERIES, IMAGE, VOLUME = (6,), (8, 3), (8, 7, 3), (6, 5, 4, 2)
MOVIE = (3, 5, 4, 2)
SHAPES = {1: SERIES, 2: IMAGE, 3: VOLUME}


def per_axes(name, axes, **arguments):
    """Return one case for each number of axes, as Name1D, Name2D, ..."""
    return {
        f"{name}{n}D": (SHAPES[n], {k: v(n) for k, v in arguments.items()})
        for n in axes
    }


CASES = {
    "Dense": (
        FLAT,
        {"units": size, "activity_regularizer": any_regularizer, **kernel()},
    ),
    "Activation": (FLAT, {"activation": activation}),
    "Dropout": (FLAT, {"rate": part, "seed": seed, "noise_shape": st.none()}),
    "Flatten": (IMAGE, {}),
    "Reshape": (FLAT, {"target_shape": st.sampled_from([(2, 3), (-1, 2), (6, 1)])}),
    "Permute": (IMAGE, {"dims": st.permutations((1, 2, 3)).map(tuple)}),
    "RepeatVector": (FLAT, {"n": size}),
    "ActivityRegularization": (FLAT, {"l1": part, "l2": part}),
    "Masking": (SERIES, {"mask_value": part}),
    "Conv1D": (SERIES, {**convolution(1), "padding": padding | st.just("causal")}),
    "Conv2D": (IMAGE, convolution(2)),
    "Conv3D": (VOLUME, convolution(3)),
    "SeparableConv1D": (SERIES, separable(1)),
    "SeparableConv2D": (IMAGE, separable(2)),
    "DepthwiseConv2D": (IMAGE, {"kernel_size": sizes(2), "depth_multiplier": size}),
    "Conv2DTranspose": (IMAGE, convolution(2)),
    "Conv3DTranspose": (VOLUME, convolution(3)),
    "LocallyConnected1D": (SERIES, {**convolution(1), "padding": st.just("valid")}),
    "LocallyConnected2D": (IMAGE, {**convolution(2), "padding": st.just("valid")}),
    "TimeDistributed": (SERIES, {"layer": made(layers.Dense, units=size, **kernel())}),
    "Highway": (FLAT, {"activation": activation}),
    "MaxoutDense": (FLAT, {"units": size, "nb_feature": size}),
    "BatchNormalization": (
        IMAGE,
        {
            "axis": st.sampled_from([-1, 1, 2]),
            "momentum": part,
            "epsilon": part,
            "center": flag,
            "scale": flag,
            "moving_mean_initializer": any_initializer,
        },
    ),
    "Embedding": (
        SERIES[:1],
        {
            "input_dim": st.integers(9, 12),
            "output_dim": size,
            "mask_zero": flag,
            "embeddings_initializer": any_initializer,
        },
    ),
    "GaussianNoise": (FLAT, {"stddev": part}),
    "GaussianDropout": (FLAT, {"rate": part}),
    "AlphaDropout": (FLAT, {"rate": part, "seed": seed}),
    "LeakyReLU": (FLAT, {"alpha": part}),
    "PReLU": (IMAGE, {"shared_axes": st.sampled_from([None, [1], [1, 2]])}),
    "ELU": (FLAT, {"alpha": part}),
    "ThresholdedReLU": (FLAT, {"theta": part}),
    "Softmax": (IMAGE, {"axis": st.sampled_from([-1, 1, 2])}),
    "ReLU": (FLAT, {"max_value": st.none() | part, "negative_slope": part}),
    "ParametricSoftplus": (FLAT, {}),
    "SReLU": (FLAT, {}),
    "ZeroPadding1D": (SERIES, {"padding": size}),
    "ZeroPadding2D": (IMAGE, {"padding": st.tuples(sizes(2), sizes(2))}),
    "ZeroPadding3D": (VOLUME, {"padding": sizes(3)}),
    "Cropping1D": (SERIES, {"cropping": sizes(2)}),
    "Cropping2D": (IMAGE, {"cropping": st.tuples(sizes(2), sizes(2))}),
    "Cropping3D": (VOLUME, {"cropping": sizes(3, 0, 1)}),
    "UpSampling1D": (SERIES, {"size": size}),
    "UpSampling2D": (
        IMAGE,
        {"size": sizes(2), "interpolation": st.sampled_from(["nearest", "bilinear"])},
    ),
    "UpSampling3D": (VOLUME, {"size": sizes(3)}),
    **per_axes("SpatialDropout", (1, 2, 3), rate=lambda n: part),
}
for axes, shape in SHAPES.items():
    for kind in ("Max", "Average"):
        CASES[f"{kind}Pooling{axes}D"] = shape, window(axes)
        CASES[f"Global{kind}Pooling{axes}D"] = shape, {}
JOINED = {
    "Merge": joined(
        layers.Merge, mode=st.sampled_from(["sum", "concat", "max", "cos"])
    ),
    "Add": joined(layers.Add, 3),
    "Subtract": joined(layers.Subtract),
    "Multiply": joined(layers.Multiply, 3),
    "Average": joined(layers.Average, 3),
    "Maximum": joined(layers.Maximum, 3),
    "Concatenate": joined(layers.Concatenate, axis=st.sampled_from([-1, 1])),
    "Dot": joined(layers.Dot, axes=st.just(1), normalize=flag),
}
loop = without(recurrent(), *kernel(), *kernel("recurrent"), "units", "dropout")
loop = without(loop, "recurrent_dropout", "implementation")
gates = {"recurrent_activation": bounded, "stateful": flag}
CUDNN = "use_bias", "activation", "unroll", "dropout", "recurrent_dropout"
cells = {
    "SimpleRNNCell": without(recurrent(), *loop, "implementation"),
    "GRUCell": without(recurrent(reset_after=flag), *loop),
    "LSTMCell": without(recurrent(unit_forget_bias=flag), *loop),
}
cell = st.one_of([made(getattr(layers, name), **cells[name]) for name in cells])
CASES |= {
    "SimpleRNN": (SERIES, without(recurrent(stateful=flag), "implementation")),
    "GRU": (SERIES, recurrent(reset_after=flag, **gates)),
    "LSTM": (SERIES, recurrent(unit_forget_bias=flag, **gates)),
    "CuDNNGRU": (SERIES, without(recurrent(), *CUDNN, "implementation")),
    "CuDNNLSTM": (SERIES, without(recurrent(), *CUDNN, "implementation")),
    "ConvLSTM2D": (
        MOVIE,
        {
            **without(recurrent(), "units", "unroll", "implementation"),
            **without(convolution(2), *kernel()),
            **gates,
            "unit_forget_bias": flag,
        },
    ),
    "RNN": (SERIES, {"cell": cell | st.lists(cell, min_size=1, max_size=2), **loop}),
    "Bidirectional": (
        SERIES,
        {
            "layer": made(layers.LSTM, units=size, return_sequences=flag),
            "merge_mode": st.sampled_from(["concat", "sum", "mul", "ave"]),
        },
    ),
}
NO_LAYERS = {"Lambda", "Layer", "Weight", "Input", "Cell", "StackedRNNCells", *cells}
NO_LAYERS |= {"ConvLSTM2DCell"}
ELSEWHERE = {"InputLayer", "Fork"}  # see below
OTHER_NAMES = {"TimeDistributedDense"}  # makes a Dense


def drawn_layer(name):
    """Return a strategy for a layer that is the first of a model."""
    if name in JOINED:
        return JOINED[name]
    shape, arguments = CASES[name]
    return made(getattr(layers, name), input_shape=st.just(shape), **arguments)


# ---- files of Keras ---------------------------------------------------------------

OURS = {"CuDNNGRU", "CuDNNLSTM", "LocallyConnected1D", "LocallyConnected2D", "Highway"}
OURS |= {"MaxoutDense", "ThresholdedReLU", "ParametricSoftplus", "SReLU"}
"""Layers of Keras 1 and 2 that Keras 3 does not have."""

APART = {"Embedding", "TimeDistributed", "Bidirectional", "RNN"}
"""Layers that are in `others`, or not exchanged."""

SHARED = sorted(set(CASES) - OURS - APART)
EXCHANGED = {
    "activation": st.sampled_from(
        ["linear", "relu", "elu", "tanh", "sigmoid", "selu", "softplus", "exponential"]
    ),
    "recurrent_activation": st.just("sigmoid"),
    "interpolation": st.just("nearest"),
    "stateful": st.just(False),
    "implementation": st.just(1),
    "seed": st.none() | st.integers(0, 2**31 - 1),
}
"""Arguments that mean the same in Keras 3, if not all that we take do."""

initializer_names = st.sampled_from(["ones", "he_normal", "lecun_uniform", "normal"])


def exchanged(name):
    """Return a strategy for a layer whose arguments Keras understands as well."""
    shape, arguments = CASES[name]
    drawn = {word: EXCHANGED.get(word, how) for word, how in arguments.items()}
    if "return_sequences" in arguments and "activation" in arguments:
        drawn["activation"] = st.sampled_from(["tanh", "sigmoid"])
    if name.startswith("Average"):  # with torch below, Keras repeats more than one edge
        drawn["pool_size"] = sizes(len(shape) - 1, 1, 2)
    for word in arguments:
        if word.endswith("_initializer"):
            drawn[word] = initializer_names
    return made(getattr(layers, name), input_shape=st.just(shape), **drawn)


def others():
    """Return models with layers that need special inputs or others around them."""
    return {
        "Embedding": Sequential([layers.Embedding(9, 4, input_length=5)]),
        "TimeDistributed": Sequential(
            [layers.TimeDistributed(layers.Dense(2), input_shape=(5, 3))]
        ),
        "Bidirectional": Sequential(
            [layers.Bidirectional(layers.SimpleRNN(2), input_shape=(5, 3))]
        ),
        "nested": Sequential(
            [
                Sequential([layers.Dense(3, input_shape=(4,)), layers.PReLU()]),
                layers.Dense(2),
            ]
        ),
        "twice": Sequential(
            [layers.Dense(3, input_shape=(4,)), layers.Dense(3), layers.PReLU()]
        ),
    }
