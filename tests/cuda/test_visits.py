"""
Nothing is read on the host within a step: every layer, loss, metric, and so on.

`VISITORS` lists what visits the host all the same, and why. Such a step has the same
numbers, and is launched kernel by kernel instead of as one graph.
"""

import numpy as np
import pytest
import visits

import kerasnb
from kerasnb import Sequential
from kerasnb import backend as K
from kerasnb import constraints, device, keras1, layers, losses, metrics, regularizers
from kerasnb.optimizers import OPTIMIZERS

SAMPLES, BATCH = 10, 2
ROW, STEPS, CODES = (4,), (5, 3), "codes"
IMAGE, VOLUME, MOVIE = (6, 5, 2), (3, 3, 3, 2), (2, 4, 4, 1)

LAYERS = {
    ROW: """
        Activation('tanh'); ActivityRegularization(0.1, 0.1); AlphaDropout(0.1);
        Dense(2); Dense(2, 'relu', kernel_regularizer='l2', bias_constraint='nonneg');
        Dropout(0.3); Dropout(0.3, seed=1); ELU(); GaussianDropout(0.2);
        GaussianNoise(0.1); Highway(); LeakyReLU(); MaxoutDense(2); PReLU();
        ParametricSoftplus(); ReLU(2.0); RepeatVector(2); Reshape((2, 2)); SReLU();
        Softmax(); ThresholdedReLU(0.1); Add([Dense(2), Dense(2)]);
        Average([Dense(2), Dense(2)]); Concatenate([Dense(2), Dense(2)]);
        Dot([Dense(2), Dense(2)], axes=-1, normalize=True);
        Maximum([Dense(2), Dense(2)]); Merge([Dense(2), Dense(2)], mode='cos');
        Multiply([Dense(2), Dense(2)]); Subtract([Dense(2), Dense(2)]);
        Fork([Dense(2), Dense(1)])
    """,
    STEPS: """
        Bidirectional(LSTM(2)); Conv1D(2, 2, padding='causal'); AveragePooling1D();
        Cropping1D(1); CuDNNGRU(2); CuDNNLSTM(2); Dropout(0.3, (None, 1, None));
        Flatten(); GRU(2, reset_after=True); GRU(2, dropout=0.2, recurrent_dropout=0.2);
        GlobalAveragePooling1D(); GlobalMaxPooling1D(); LSTM(2, activation='elu');
        LSTM(2, return_sequences=True, go_backwards=True, recurrent_dropout=0.2);
        LSTM(2, stateful=True); LocallyConnected1D(2, 2); MaxPooling1D();
        Masking(); Permute((2, 1)); RNN([LSTMCell(2), GRUCell(2), SimpleRNNCell(2)]);
        SeparableConv1D(2, 2); SimpleRNN(2); Softmax(axis=1); SpatialDropout1D(0.3);
        TimeDistributed(Dense(2)); TimeDistributedDense(2); UpSampling1D();
        ZeroPadding1D()
    """,
    IMAGE: """
        AveragePooling2D(); BatchNormalization(); BatchNormalization(axis=1);
        Conv2D(2, 2, strides=2, padding='same'); Conv2D(2, 2, dilation_rate=2);
        Conv2DTranspose(2, 2); Cropping2D(1); DepthwiseConv2D(2);
        GlobalAveragePooling2D(); GlobalMaxPooling2D(); LocallyConnected2D(2, 2);
        MaxPooling2D(data_format='channels_first'); SeparableConv2D(2, 2);
        SpatialDropout2D(0.3); SpatialDropout2D(0.3, data_format='channels_first');
        UpSampling2D(interpolation='bilinear'); ZeroPadding2D()
    """,
    VOLUME: """
        AveragePooling3D(); Conv3D(2, 2); Conv3DTranspose(2, 2); Cropping3D(1);
        GlobalAveragePooling3D(); GlobalMaxPooling3D(); MaxPooling3D();
        SpatialDropout3D(0.3); UpSampling3D(); ZeroPadding3D()
    """,
    MOVIE: """
        ConvLSTM2D(1, 2); ConvLSTM2D(1, 2, dropout=0.2, recurrent_dropout=0.2);
        ConvLSTM2D(1, (2, 1), return_sequences=True, data_format='channels_first')
    """,
    CODES: "Embedding(7, 3); Embedding(7, 3, mask_zero=True)",
}
"""Every layer, by the shape of a sample it takes."""

ALSO = {"InputLayer", "Cell", "StackedRNNCells", "ConvLSTM2DCell", "Lambda"}
"""The first of every model here, the base of cells, cells inside layers; a visitor."""

MODELS = [
    (shape, text.strip())
    for shape, listed in LAYERS.items()
    for text in listed.split(";")
]


class Cell(layers.Cell):
    """A cell of one's own, written with NumPy: h' = tanh(x W + h)."""

    state_size = 3

    def build(self, input_shape):
        self.W = self.add_weight("W", (input_shape[-1], 3))

    def step(self, x, states, training):
        h = np.tanh(x @ self.W.value + states[0])
        return h, [h], (x, h)

    def step_back(self, dy, dstates, kept):
        x, h = kept
        dz = (dy + dstates[0]) * (1 - h**2)
        self.W.grad += x.T @ dz
        return dz @ self.W.value.T, [dz]


class Twice(layers.Layer):
    """A layer of one's own, written with NumPy."""

    def forward(self, x, training):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class Signs(kerasnb.optimizers.Optimizer):
    """An optimizer of one's own, written with NumPy."""

    def step(self, p, g):
        p -= self.decayed_lr() * np.sign(g)


def bend(x):
    return x * K.sigmoid(x)


def fourth(t, p):
    return np.mean((p - t) ** 4, axis=-1)


def halved(w):
    return w / 2


def largest(w):
    return 0.1 * np.max(w)


VISITORS = {
    "a Lambda": (ROW, "Dense(2), Lambda(bend)", {}),
    "an activation": (ROW, "Dense(2, bend)", {}),
    "a loss": (ROW, "Dense(2)", {"loss": fourth}),
    "a metric": (ROW, "Dense(2)", {"metrics": [fourth]}),
    "a constraint": (ROW, "Dense(2, kernel_constraint=halved)", {}),
    "an optimizer": (ROW, "Dense(2)", {"optimizer": Signs}),
    "a regularizer": (ROW, "Dense(2, kernel_regularizer=largest)", {}),
    "a layer": (ROW, "Dense(2), Twice(), Dense(2)", {}),
    "a cell": (STEPS, "RNN(Cell())", {}),
    # an activation that the kernels of a cell do not know goes step by step
    "a bent gate": (STEPS, "LSTM(2, activation=bend)", {}),
    # its powers of a matrix are NumPy's
    "an eigenvalue": (
        ROW,
        "Dense(2, kernel_regularizer='EigenvalueRegularizer')",
        {},
    ),
    # codes that a layer has made are looked at before they choose rows
    "codes inside": (CODES, "Reshape((5,)), Embedding(7, 3)", {}),
}
"""What is written with NumPy runs on the host, and what looks at each batch."""


UPDATES = {"a constraint", "an optimizer"}
"""Visitors whose turn comes after the graph of all that a step measures."""


def data_for(model, shape):
    """Return inputs and targets of a model."""
    rng = np.random.default_rng(1)
    if shape is CODES:
        x = rng.integers(0, 7, (SAMPLES, 5))
    else:
        x = rng.normal(size=(SAMPLES, *shape)).astype(np.float32)
    several = isinstance(model.output_shape, list)
    shapes = model.output_shape if several else [model.output_shape]
    y = [rng.uniform(size=(SAMPLES, *one[1:])).astype(np.float32) for one in shapes]
    return x, y if several else y[0]


def made(shape, listed, optimizer="sgd", chosen="cuda", **compiling):
    """Return a compiled model of layers, inputs and targets."""
    kerasnb.set_device(chosen)
    kerasnb.set_seed(3)
    kerasnb.reset_names()
    first = (BATCH, 5) if shape is CODES else (BATCH, *shape)
    model = Sequential([layers.InputLayer(batch_input_shape=first)])
    for layer in eval(f"[{listed}]", {**vars(layers), **globals()}):
        model.add(layer)
    model.compile(optimizer, **{"loss": "mse", **compiling})
    return model, *data_for(model, shape)


@pytest.fixture
def found(monkeypatch, quick):
    """Return a function: which places of a model's later steps copy."""

    def found(model, x, y, **fitting):
        return visits.of_training(model, x, y, monkeypatch, shuffle=False, **fitting)

    return found


# ---- what does not visit the host -------------------------------------------------


def test_the_table_has_every_layer():
    """Also under its other names."""
    listed = {text.partition("(")[0] for _, text in MODELS} | ALSO
    classes = {layers.CLASSES[name] for name in listed}
    inside = {layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell}
    assert classes | inside == set(layers.CLASSES.values())


@pytest.mark.filterwarnings("ignore:TimeDistributedDense is a Dense")
@pytest.mark.parametrize("shape, listed", MODELS, ids=[text for _, text in MODELS])
def test_no_layer_visits_the_host(found, shape, listed):
    """Behind a layer whose weights learn, so that its gradient is asked for too."""
    first = {ROW: "Dense(4), ", STEPS: "SpatialDropout1D(0.1), "}.get(shape, "")
    assert not found(*made(shape, first + listed))


@pytest.mark.parametrize("name", sorted({loss.name for loss in losses.LOSSES.values()}))
def test_no_loss_visits_the_host(found, name):
    """Each on the rows of a softmax."""
    model, x, y = made(ROW, "Dense(3, 'softmax')", loss=name)
    assert not found(model, x, np.arange(SAMPLES) % 3 if "sparse" in name else y)


@pytest.mark.parametrize("sparse", [False, True])
def test_no_metric_visits_the_host(found, sparse):
    """All at once, with a state or without."""
    chosen = {
        name
        for name in ("accuracy", "ce", *metrics.METRICS, *metrics.CLASSES)
        if ("sparse" in name.lower()) == sparse or name in ("accuracy", "ce")
    }
    loss = "sparse_categorical_crossentropy" if sparse else "mse"
    model, x, y = made(ROW, "Dense(6, 'softmax')", loss=loss, metrics=sorted(chosen))
    assert not found(model, x, np.arange(SAMPLES) % 6 if sparse else y)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_no_optimizer_visits_the_host(found, name):
    """With clipping, and a decay where there is one."""
    decay = {} if name == "nadam" else {"decay": 0.1}
    rule = OPTIMIZERS[name](clipnorm=0.5, clipvalue=0.2, **decay)
    assert not found(*made(ROW, "Dense(2)", rule))


@pytest.mark.parametrize("name", ["l1", "l2", "l1_l2"])
def test_no_penalty_visits_the_host(found, name):
    """On weights and on activities."""
    of_both = f"kernel_regularizer='{name}', activity_regularizer='{name}'"
    assert not found(*made(ROW, f"Dense(3, {of_both}), Dense(2)"))
    listed = set(regularizers.REGULARIZERS.values()) - {regularizers.l1_l2}
    others = {regularizers.L1L2, regularizers.EigenvalueRegularizer}
    assert listed == {regularizers.l1, regularizers.l2} | others


@pytest.mark.parametrize("name", ["max_norm", "non_neg", "unit_norm", "min_max_norm"])
def test_no_constraint_visits_the_host(found, name):
    """On a matrix and on windows."""
    window = (
        f"Conv2D(2, 2, kernel_constraint={{'class_name': '{name}', 'config': {{}}}})"
    )
    assert not found(
        *made(IMAGE, f"{window}, Flatten(), Dense(2, kernel_constraint='{name}')")
    )
    assert constraints.get(name) and len(set(constraints.CONSTRAINTS.values())) == 4


SEQUENCES = "LSTM(3, return_sequences=True)"
COUNTING = {
    "sample weights": (ROW, "Dense(2)", {}, {"sample_weight": np.arange(10.0)}),
    "weighted metrics": (
        ROW,
        "Dense(2)",
        {"weighted_metrics": ["mae"], "metrics": ["mae"]},
        {"sample_weight": np.arange(10.0)},
    ),
    "class weights": (
        ROW,
        "Dense(2, 'softmax')",
        {"loss": "categorical_crossentropy"},
        {"class_weight": {0: 1.0, 1: 2.0}},
    ),
    "weights of steps": (
        STEPS,
        SEQUENCES,
        {"sample_weight_mode": "temporal"},
        {"sample_weight": np.ones((10, 5))},
    ),
    "a mask": (STEPS, f"Masking(), {SEQUENCES}, GRU(2, return_sequences=True)", {}, {}),
    "a mask and weights": (
        CODES,
        f"Embedding(7, 3, mask_zero=True), {SEQUENCES}, TimeDistributed(Dense(2))",
        {"sample_weight_mode": "temporal"},
        {"sample_weight": np.ones((10, 5))},
    ),
    "two outputs": (
        ROW,
        "Fork([Dense(2), Dense(1)])",
        {},
        {"sample_weight": [np.arange(10.0), np.ones(10)]},
    ),
}


@pytest.mark.parametrize("name", COUNTING)
def test_nobody_asks_which_rows_count(found, monkeypatch, name):
    """Masks and weights stay on the device, and such a step is captured."""
    shape, listed, compiling, fitting = COUNTING[name]
    model, x, y = made(shape, listed, **compiling)
    if "class_weight" in fitting:
        y = np.eye(2, dtype=np.float32)[np.arange(SAMPLES) % 2]
    captured = []
    capture = device.captured
    monkeypatch.setattr(
        device, "captured", lambda work: captured.append(work) or capture(work)
    )
    assert not found(model, x, y, **fitting)
    assert captured


def test_the_dialect_of_keras_1_does_not_visit_the_host(found):
    """Its metrics of whole batches, its cosine, its forgetful Embedding."""
    kerasnb.set_device("cuda")
    model = keras1.Sequential()
    model.add(keras1.Embedding(7, 3, input_length=5, dropout=0.3))
    model.add(keras1.Flatten())
    model.add(keras1.Dense(3))
    model.compile("sgd", "cosine_proximity", metrics=["mse", "accuracy"])
    x, y = data_for(model, CODES)
    assert not found(model, x, y)


# ---- what does --------------------------------------------------------------------


@pytest.mark.parametrize("name", VISITORS)
def test_what_is_written_with_numpy_has_the_same_numbers(found, monkeypatch, name):
    """It visits the host at every step, and no graph is made of what does."""
    shape, listed, compiling = VISITORS[name]
    results = []
    for chosen in ("plain", "cuda"):
        model, x, y = made(shape, listed, chosen=chosen, **compiling)
        if name not in UPDATES:
            monkeypatch.setattr(device, "captured", None)
        losses = model.fit(x, y, BATCH, 2, verbose=0, shuffle=False).history["loss"]
        results.append([losses, model.predict(x, BATCH), *model.get_weights()])
    for a, b in zip(*results):
        np.testing.assert_allclose(b, a, 2e-4, 2e-4)
    assert found(model, x, y)


# ---- batches that count nothing ---------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam"])
@pytest.mark.parametrize("kind", ["weights", "mask", "two outputs"])
def test_a_batch_that_counts_nothing_changes_nothing(quick, kind, optimizer):
    """Weights, memories and steps go on as on the host, where the batch is skipped."""
    results = []
    for chosen in ("plain", "cuda"):
        shape, listed, w = ROW, "Dense(2, kernel_regularizer='l2')", np.ones(SAMPLES)
        w[2:4] = 0  # the second batch
        rule = OPTIMIZERS[optimizer]()
        if kind == "mask":
            shape, listed = STEPS, f"Masking(), {SEQUENCES}"
        elif kind == "two outputs":
            listed, w = "Fork([Dense(2), Dense(1)])", [w, np.append(w[:8], [0, 0])]
        model, x, y = made(shape, listed, rule, chosen)
        if kind == "mask":
            x[2:4], w = 0, None
        with pytest.warns(UserWarning, match="all zero was skipped"):
            history = model.fit(
                x, y, BATCH, 2, verbose=0, shuffle=False, sample_weight=w
            ).history
        results.append([history["loss"], rule.iterations, *model.get_weights()])
        results[-1] += [
            rule.get_state()[name] for name in rule.slots if optimizer != "sgd"
        ]
    for a, b in zip(*results):
        np.testing.assert_allclose(b, a, 2e-4, 2e-5)
