"""Models with every kind of layer, with arguments to draw, for tests of saving."""

from hypothesis import strategies as st

from kerasnb import Sequential, layers

INITIALIZERS = st.sampled_from(
    ["ones", "he_normal", "lecun_uniform", "orthogonal", "random_normal"]
)
ACTIVATIONS = st.sampled_from(
    ["linear", "relu", "elu", "tanh", "sigmoid", "selu", "softplus", "exponential"]
)
REGULARIZERS = st.sampled_from([None, "l1", "l2", "l1_l2"])
CONSTRAINTS = st.sampled_from([None, "max_norm", "non_neg", "unit_norm"])
PADDING = st.sampled_from(["valid", "same"])
RATES = st.sampled_from([0.1, 0.5])
PENALTIES = {
    "kernel_initializer": INITIALIZERS,
    "kernel_regularizer": REGULARIZERS,
    "kernel_constraint": CONSTRAINTS,
    "bias_regularizer": REGULARIZERS,
    "bias_constraint": CONSTRAINTS,
    "activity_regularizer": REGULARIZERS,
}
KERNEL = {"activation": ACTIVATIONS, "use_bias": st.booleans(), **PENALTIES}
CONV = {**KERNEL, "padding": PADDING}
SEPARATE = {**CONV, "depth_multiplier": st.integers(1, 2)}
for _name in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
    SEPARATE[_name.replace("kernel", "depthwise")] = SEPARATE.pop(_name)
POOL = {"pool_size": st.integers(1, 2), "padding": PADDING}

RECURRENT = {
    **PENALTIES,
    "use_bias": st.booleans(),
    "return_sequences": st.booleans(),
    "go_backwards": st.booleans(),
    "dropout": RATES,
    "recurrent_dropout": RATES,
}
GATED = {**RECURRENT, "recurrent_activation": st.just("sigmoid")}
CARDS = {
    name: RECURRENT[name]
    for name in RECURRENT
    if name != "use_bias" and "dropout" not in name
}

ROW, STEPS, IMAGE, VOLUME, FILM = (4,), (5, 3), (5, 4, 3), (3, 3, 3, 2), (3, 6, 5, 2)

SHARED = {
    "Dense": (ROW, [3], KERNEL),
    "Activation": (ROW, [], {"activation": ACTIVATIONS}),
    "Dropout": (ROW, [], {"rate": RATES, "seed": st.sampled_from([None, 3])}),
    "Flatten": (IMAGE, [], {}),
    "Reshape": (ROW, [(2, 2)], {}),
    "Permute": (STEPS, [(2, 1)], {}),
    "RepeatVector": (ROW, [3], {}),
    "ActivityRegularization": (ROW, [], {"l1": RATES, "l2": RATES}),
    "Masking": (STEPS, [], {"mask_value": RATES}),
    "Conv1D": (STEPS, [2, 2], {**CONV, "dilation_rate": st.integers(1, 2)}),
    "Conv2D": (IMAGE, [2, (2, 3)], {**CONV, "strides": st.integers(1, 2)}),
    "Conv3D": (VOLUME, [2, 2], CONV),
    "SeparableConv1D": (STEPS, [2, 2], SEPARATE),
    "SeparableConv2D": (IMAGE, [2, 2], SEPARATE),
    "DepthwiseConv2D": (IMAGE, [2], SEPARATE),
    "Conv2DTranspose": (IMAGE, [2, 2], {**CONV, "strides": st.integers(1, 2)}),
    "Conv3DTranspose": (VOLUME, [2, 2], {**CONV, "strides": st.integers(1, 2)}),
    "SimpleRNN": (STEPS, [3], RECURRENT),
    "GRU": (STEPS, [3], {**GATED, "reset_after": st.booleans()}),
    "LSTM": (STEPS, [3], {**GATED, "unit_forget_bias": st.booleans()}),
    "ConvLSTM2D": (
        FILM,
        [2, (2, 3)],
        {
            **GATED,
            "padding": PADDING,
            "strides": st.integers(1, 2),
            "dilation_rate": st.integers(1, 2),
            "unit_forget_bias": st.booleans(),
        },
    ),
    "BatchNormalization": (
        IMAGE,
        [],
        {
            "axis": st.sampled_from([-1, 1]),
            "center": st.booleans(),
            "scale": st.booleans(),
            "momentum": RATES,
        },
    ),
    "GaussianNoise": (ROW, [0.1], {}),
    "GaussianDropout": (ROW, [0.1], {}),
    "AlphaDropout": (ROW, [0.1], {}),
    "SpatialDropout1D": (STEPS, [0.1], {}),
    "SpatialDropout2D": (IMAGE, [0.1], {}),
    "SpatialDropout3D": (VOLUME, [0.1], {}),
    "LeakyReLU": (ROW, [], {"alpha": RATES}),
    "PReLU": (
        IMAGE,
        [],
        {
            "alpha_initializer": INITIALIZERS.filter(lambda name: name != "orthogonal"),
            "shared_axes": st.sampled_from([None, [1, 2]]),
        },
    ),
    "ELU": (ROW, [], {"alpha": RATES}),
    "Softmax": (STEPS, [], {"axis": st.sampled_from([-1, 1])}),
    "ReLU": (ROW, [], {"negative_slope": RATES, "max_value": RATES}),
    "MaxPooling1D": (STEPS, [], POOL),
    "MaxPooling2D": (IMAGE, [], POOL),
    "MaxPooling3D": (VOLUME, [], POOL),
    "AveragePooling1D": (STEPS, [], POOL),
    "AveragePooling2D": (IMAGE, [], POOL),
    "AveragePooling3D": (VOLUME, [], POOL),
    "GlobalMaxPooling1D": (STEPS, [], {}),
    "GlobalMaxPooling2D": (IMAGE, [], {}),
    "GlobalMaxPooling3D": (VOLUME, [], {}),
    "GlobalAveragePooling1D": (STEPS, [], {}),
    "GlobalAveragePooling2D": (IMAGE, [], {}),
    "GlobalAveragePooling3D": (VOLUME, [], {}),
    "Cropping1D": (STEPS, [], {"cropping": st.sampled_from([1, (0, 2)])}),
    "Cropping2D": (IMAGE, [], {"cropping": st.sampled_from([1, ((1, 0), (0, 2))])}),
    "Cropping3D": (VOLUME, [1], {}),
    "ZeroPadding1D": (STEPS, [], {"padding": st.sampled_from([1, (0, 2)])}),
    "ZeroPadding2D": (IMAGE, [], {"padding": st.sampled_from([1, ((1, 0), (0, 2))])}),
    "ZeroPadding3D": (VOLUME, [2], {}),
    "UpSampling1D": (STEPS, [2], {}),
    "UpSampling2D": (IMAGE, [(2, 1)], {}),
    "UpSampling3D": (VOLUME, [2], {}),
}
"""Layers that Keras 3 has too: shape of a sample, positional arguments, others."""

OURS = {
    "CuDNNGRU": (STEPS, [3], CARDS),
    "CuDNNLSTM": (STEPS, [3], CARDS),
    "LocallyConnected1D": (STEPS, [2, 2], KERNEL),
    "LocallyConnected2D": (IMAGE, [2, 2], KERNEL),
    "Highway": (ROW, [], {"activation": ACTIVATIONS, "use_bias": st.booleans()}),
    "MaxoutDense": (ROW, [3], {"nb_feature": st.integers(1, 3)}),
    "ThresholdedReLU": (ROW, [], {"theta": RATES}),
    "ParametricSoftplus": (ROW, [], {}),
    "SReLU": (ROW, [], {}),
}
"""Layers of Keras 1 and 2 that Keras 3 does not have."""

APART = {"Lambda", "Embedding", "TimeDistributed", "TimeDistributedDense", "InputLayer"}
APART |= {"Merge", "Add", "Subtract", "Multiply", "Average", "Maximum", "Dot"}
APART |= {
    "ConvLSTM2DCell",
    "Cell",
    "SimpleRNNCell",
    "GRUCell",
    "LSTMCell",
    "StackedRNNCells",
}
APART |= {"RNN", "Bidirectional", "Concatenate", "Fork", "Layer", "Weight", "Input"}
"""Layers in `others`, tested below merges, and names that are no layers to stack."""


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


def drawn(data, name, table):
    """Return a model of one layer with drawn arguments."""
    shape, positional, options = table[name]
    arguments = {word: data.draw(values, word) for word, values in options.items()}
    if arguments.get("dilation_rate", 1) > 1 and arguments.get("strides", 1) > 1:
        del arguments["strides"]
    layer = getattr(layers, name)(*positional, input_shape=shape, **arguments)
    return Sequential([layer])
