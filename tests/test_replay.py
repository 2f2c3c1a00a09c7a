"""Steps that are recorded once and replayed do what steps do."""

import numpy as np
import pytest

import kerasnb
from kerasnb import Sequential
from kerasnb.callbacks import LambdaCallback
from kerasnb.device import ops
from kerasnb.layers import (
    Activation,
    AlphaDropout,
    Dense,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    Layer,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
    Softmax,
)
from kerasnb.replay import recording


def make_data(samples=23):
    """Return random samples and class numbers."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(samples, 4)).astype(np.float32), rng.integers(
        3, size=samples
    )


def make_model(*middle, metrics=("accuracy",), optimizer="adam"):
    """Return a compiled classifier of `make_data`."""
    kerasnb.set_seed(5)
    model = Sequential([Dense(6, "relu", input_shape=(4,)), *middle])
    model.add(Dense(3, "softmax", kernel_constraint="max_norm"))
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


def fit(model, replay, **arguments):
    """Train for a few epochs, with replayed steps or without; return the History."""
    x, y = make_data()
    assert model._replays
    model._replays = replay
    return model.fit(x, y, 5, epochs=4, verbose=0, seed=1, **arguments)


def assert_same(a, b):
    """The weights have the same bits."""
    for left, right in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "middle",
    [
        lambda: [],
        lambda: [Dense(5), Activation("elu"), Dense(4, "tanh", use_bias=False)],
        lambda: [Reshape((2, 3)), Permute((2, 1)), Dense(2, "selu"), Flatten()],
        lambda: [RepeatVector(2), Flatten("channels_first")],
        lambda: [Sequential([Dense(5, "sigmoid", input_shape=(6,))])],
        lambda: [Dropout(0.3), Dense(5), Dropout(0.5, seed=3)],
        lambda: [GaussianNoise(0.1), GaussianDropout(0.2), AlphaDropout(0.1)],
        lambda: [Reshape((3, 2)), Softmax(axis=1), Flatten()],
        lambda: [Dense(4, kernel_regularizer="l2", bias_regularizer="l1")],
    ],
    ids="layers activations shapes repeat nested dropout noise softmax l2".split(),
)
def test_replayed_training_has_the_same_bits(middle):
    """Weights and History, with an incomplete last batch and validation in between."""
    x, y = make_data(9)
    metrics = ["accuracy", "sparse_top_k_categorical_accuracy"]
    a, b = make_model(*middle(), metrics=metrics), make_model(
        *middle(), metrics=metrics
    )
    b.set_weights(a.get_weights())
    ha = fit(a, True, validation_data=(x, y))
    hb = fit(b, False, validation_data=(x, y))
    assert_same(a, b)
    assert ha.history == hb.history


def test_later_steps_launch_without_asking_the_layers():
    """Two batch sizes are recorded, all other steps replayed."""
    model = make_model()
    forwards = []
    forward = model.forward
    model.forward = lambda x, training: (forwards.append(len(x)), forward(x, training))[
        1
    ]
    fit(model, True)
    assert forwards == [5, 3]
    forwards.clear()
    fit(model, False)
    assert forwards == 4 * [5, 5, 5, 5, 3]


class Twice(Layer):
    """A layer that computes with NumPy."""

    def forward(self, x, training):
        """Return 2 x."""
        return 2 * x

    def backward(self, dy):
        """Return 2 dy."""
        return 2 * dy


class Own(Dense):
    """A subclass, which may do anything."""


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Dropout(0.5, noise_shape=(None, 1)),
        lambda: Twice(),
        lambda: Own(3),
        lambda: Dense(3, kernel_regularizer="EigenvalueRegularizer"),
        lambda: Dense(3, activity_regularizer="l1"),
    ],
)
def test_what_does_more_than_launch_kernels_is_not_replayed(layer):
    """Shared noise, NumPy, subclasses and penalties."""
    assert not make_model(layer())._replays


def test_a_callback_may_change_a_layer_between_epochs_and_batches():
    """What was recorded before is recorded anew, or not at all."""
    for hook in ("on_epoch_end", "on_batch_end"):
        models = []
        for replay in (True, False):
            kerasnb.set_seed(4)
            dropout = Dropout(0.3)
            model = make_model(dropout)

            def change(*_, dropout=dropout):
                dropout.rate = min(0.9, dropout.rate + 0.1)

            kerasnb.set_seed(5)
            fit(model, replay, callbacks=[LambdaCallback(**{hook: change})])
            models.append(model)
        assert_same(*models)


def test_masks_stateful_metrics_and_functions_are_not_replayed():
    """They are computed anew at every step."""
    model = Sequential([Masking(input_shape=(3, 2)), Dense(1)])
    model.compile("sgd", "mse")
    assert not model._replays

    def metric(y_true, y_pred):
        return y_pred[..., 0]

    assert not make_model(metrics=[metric])._replays
    assert not make_model(metrics=[kerasnb.metrics.Precision()])._replays


def test_weights_order_and_slices_keep_their_own_path():
    """Sample weights and unshuffled data are never replayed, and train all the same."""
    x, y = make_data()
    w = np.linspace(0, 2, len(x))
    for arguments in ({"sample_weight": w}, {"shuffle": False}):
        a, b = make_model(), make_model()
        fit(a, True, **arguments)
        fit(b, False, **arguments)
        assert_same(a, b)


def test_a_callback_may_train_evaluate_and_compile_in_between():
    """The recordings follow, or start anew."""
    x, y = make_data()
    models = []
    for replay in (True, False):
        model = make_model()

        def disturb(epoch, logs, model=model, replay=replay):
            model.evaluate(x, y, batch_size=50, verbose=0)
            if epoch == 1:
                model.fit(x, y, 7, verbose=0)
                model.train_on_batch(x[:5], y[:5])
            if epoch == 2:
                model.compile("sgd", "sparse_categorical_crossentropy")
                model._replays = replay

        fit(model, replay, callbacks=[LambdaCallback(on_epoch_end=disturb)])
        models.append(model)
    assert_same(*models)


def test_recording_leaves_the_kernels_as_they_were():
    """Also when a step fails."""
    before = dict(vars(ops))
    launches = []
    with pytest.raises(ZeroDivisionError), recording() as launches:
        ops.gather_rows(np.zeros((1, 1)), np.ones((1, 1)), np.zeros(1, np.int64))
        raise ZeroDivisionError
    assert len(launches) == 1 and vars(ops) == before
