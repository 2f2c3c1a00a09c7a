"""compile: every form of its arguments, for one output and for several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Fork, Merge, Sequence, Sequential, compilation
from kerasnb.layers import Activation, Dense, Dropout

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(23, 3)), RNG.normal(size=(23, 2))]
Y = [X[0].sum(axis=1), (X[1][:, 0] > 0).astype(int)]
BY_NAME = {"left_input": X[0], "right_input": X[1]}
TARGETS = {"price": Y[0], "kind": Y[1]}
LOSSES = {"price": "mse", "kind": "sparse_categorical_crossentropy"}


def make_model(dropout=0.0):
    """Two inputs, a trunk, and two outputs: a price and one of three kinds."""
    kerasnb.set_seed(3)
    left = Sequential([Dense(4, "relu", input_shape=(3,), name="left")])
    right = Sequential([Dense(4, "relu", input_shape=(2,), name="right")])
    heads = [Dense(1, name="price"), Dense(3, "softmax", name="kind")]
    noise = [Dropout(dropout)] if dropout else []
    return Sequential(
        [Merge([left, right], mode="concat"), *noise, Dense(5), Fork(heads)]
    )


def compiled(loss=LOSSES, optimizer="adam", dropout=0.0, **settings):
    """Return the model above, ready to learn."""
    model = make_model(dropout)
    model.compile(optimizer, loss, **settings)
    return model


def same_weights(a, b):
    """Assert that two models have the same bits."""
    for left, right in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_array_equal(left, right)


# ---- reference --------------------------------------------------------------------


def test_names_are_those_of_a_keras_model_with_several_outputs():
    """The total, one loss per output, then the metrics output by output."""
    model = compiled(
        metrics={"kind": ["accuracy"], "price": "mae"},
        weighted_metrics={"kind": "accuracy"},
    )
    assert model.metrics_names == [
        "loss",
        "price_loss",
        "kind_loss",
        "price_mean_absolute_error",
        "kind_acc",
        "kind_weighted_acc",
    ]
    history = model.fit(X, Y, validation_split=0.2, verbose=0)
    names = model.metrics_names
    assert list(history.history) == ["val_" + name for name in names] + names


def test_the_total_is_the_weighted_sum_of_the_losses_and_the_penalties():
    """Each loss is reported without its weight."""
    model = make_model()
    model.compile("sgd", LOSSES, loss_weights={"kind": 0.25})
    total, price, kind = model.evaluate(X, Y, verbose=0)
    assert total == pytest.approx(price + 0.25 * kind)
    p, q = model.predict(X)
    assert price == pytest.approx(((p[:, 0] - Y[0]) ** 2).mean(), rel=1e-5)
    expected = -np.log(q[np.arange(23), Y[1]]).mean()
    assert kind == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        LOSSES,
        ["mse", "sparse_categorical_crossentropy"],
        ("mse", kerasnb.losses.get("sparse_categorical_crossentropy")),
    ],
)
@pytest.mark.parametrize("loss_weights", [{"kind": 0.5}, [1, 0.5]])
@pytest.mark.parametrize("metrics", [{"kind": "acc"}, [[], ["acc"]]])
def test_lists_and_dicts_mean_the_same(loss, loss_weights, metrics):
    """For every argument, and for the data."""
    reference = compiled(loss_weights=[1, 0.5], metrics={"kind": ["accuracy"]})
    model = compiled(loss, loss_weights=loss_weights, metrics=metrics)
    kerasnb.set_seed(1)
    expected = reference.fit(X, Y, 5, epochs=2, verbose=0).history
    kerasnb.set_seed(1)
    assert model.fit(BY_NAME, TARGETS, 5, epochs=2, verbose=0).history == expected
    same_weights(reference, model)


def test_one_entry_counts_for_every_output():
    """A name for the loss, a plain list of metrics."""
    model = compiled("mse", metrics=["mae"])
    assert model.metrics_names[-2:] == [
        "price_mean_absolute_error",
        "kind_mean_absolute_error",
    ]


# ---- laws -------------------------------------------------------------------------


def test_heads_without_a_trunk_learn_like_models_of_their_own():
    """With plain descent, the sum of the losses keeps them apart."""
    kerasnb.set_seed(1)
    heads = [Dense(1), Dense(3, "softmax")]
    both = Sequential([Dense(3, input_shape=(3,), trainable=False), Fork(heads)])
    both.compile("sgd", ["mse", "sparse_categorical_crossentropy"])
    trunk = both.layers[0]
    alone = []
    for head, loss in zip(heads, ("mse", "sparse_categorical_crossentropy")):
        layer = Dense(head.units, head.activation, weights=head.get_weights())
        first = Dense(3, weights=trunk.get_weights(), trainable=False)
        model = Sequential([Activation("linear", input_shape=(3,)), first, layer])
        model.compile("sgd", loss)
        alone.append(model)
    both.fit(X[0], Y, 5, epochs=3, shuffle=False, verbose=0)
    for model, y, head in zip(alone, Y, heads):
        model.fit(X[0], y, 5, epochs=3, shuffle=False, verbose=0)
        for ours, its in zip(head.get_weights(), model.layers[-1].get_weights()):
            np.testing.assert_allclose(ours, its, rtol=1e-5)


def test_a_loss_weight_is_a_factor_of_the_learning_rate_of_its_head():
    """Under plain descent."""
    models = []
    for lr, weights in ((0.1, [1, 3]), (0.3, [1 / 3, 1])):
        model = Sequential(
            [
                Dense(2, input_shape=(3,), trainable=False, kernel_initializer="ones"),
                Fork([Dense(1, name="a"), Dense(1, name="b", bias_initializer="ones")]),
            ]
        )
        for head in model.layers[1].sublayers:
            head.set_weights([np.full((2, 1), 0.1), np.ones(1)])
        model.compile(kerasnb.optimizers.SGD(lr), "mse", loss_weights=weights)
        model.fit(X[0], [Y[0], Y[1]], 23, verbose=0, shuffle=False)
        models.append(model)
    for left, right in zip(*(model.get_weights() for model in models)):
        np.testing.assert_allclose(left, right, rtol=1e-5)


@given(batch_size=st.integers(1, 12), dropout=st.sampled_from([0.0, 0.4]))
def test_fit_is_a_loop_of_train_on_batch(batch_size, dropout):
    """Bit for bit, also where steps are replayed and from a Sequence."""

    class Batches(Sequence):
        def __len__(self):
            return -(-23 // batch_size)

        def __getitem__(self, index):
            at = slice(index * batch_size, (index + 1) * batch_size)
            return [x[at] for x in X], {name: y[at] for name, y in TARGETS.items()}

    models = [compiled(dropout=dropout) for _ in range(3)]
    batches = Batches()
    kerasnb.set_seed(1)
    models[0].fit(X, Y, batch_size, epochs=2, shuffle=False, verbose=0)
    kerasnb.set_seed(1)
    models[1].fit(batches, epochs=2, shuffle=False, verbose=0)
    kerasnb.set_seed(1)
    for _ in range(2):
        for batch in batches:
            models[2].train_on_batch(*batch)
    same_weights(models[0], models[1])
    same_weights(models[0], models[2])
    p = models[0].predict(batches)
    for ours, its in zip(p, models[0].predict(BY_NAME)):
        np.testing.assert_allclose(ours, its, rtol=1e-5)


def test_shuffled_steps_of_several_outputs_are_replayed():
    """With the same result as steps that are not."""
    a, b = compiled(), compiled()
    b._replays = False
    assert a._replays
    for model in (a, b):
        kerasnb.set_seed(1)
        model.fit(X, Y, 5, epochs=3, verbose=0)
    same_weights(a, b)


def test_weights_count_for_their_output_alone():
    """A weight of zero for all samples of one output leaves the other as it is."""
    model = compiled()
    _, price, kind = model.evaluate(X, Y, verbose=0)
    weights = {"price": np.full(23, 2.0)}
    _, heavy, same = model.evaluate(X, Y, verbose=0, sample_weight=weights)
    assert (heavy, same) == (pytest.approx(2 * price), kind)
    listed = model.evaluate(X, Y, verbose=0, sample_weight=[np.full(23, 2.0), None])
    assert listed[1] == heavy


def test_class_weights_by_output_equal_the_sample_weights_they_stand_for():
    """The other output is not weighted."""
    a, b = compiled(), compiled()
    table = {0: 0.5, 1: 3.0}
    kerasnb.set_seed(1)
    a.fit(X, Y, 5, class_weight={"kind": table}, verbose=0)
    kerasnb.set_seed(1)
    b.fit(X, Y, 5, sample_weight={"kind": [table[k] for k in Y[1]]}, verbose=0)
    same_weights(a, b)


def test_an_output_without_loss_takes_no_targets_and_is_not_trained():
    """It is warned about, and left out of all names."""
    with pytest.warns(UserWarning, match="no loss for kind"):
        model = compiled({"price": "mse"}, metrics=["mae"])
    assert model.metrics_names == ["loss", "price_loss", "price_mean_absolute_error"]
    head = model.layers[-1].sublayers[1]
    before = head.get_weights()
    for y in (Y[0], [Y[0]], {"price": Y[0]}):
        model.fit(X, y, verbose=0)
    for old, new in zip(before, head.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_temporal_weights_may_be_asked_of_one_output():
    """sample_weight_mode by name or as a list."""
    x = RNG.normal(size=(6, 4, 3))
    targets = [RNG.normal(size=(6, 4, 2)), RNG.normal(size=(6, 4, 1))]
    weights = [RNG.random((6, 4)), RNG.random(6)]
    results = []
    for mode in (["temporal", None], {"a": "temporal"}):
        kerasnb.set_seed(1)
        model = Sequential(
            [
                Dense(3, input_shape=(4, 3)),
                Fork([Dense(2, name="a"), Dense(1, name="b")]),
            ]
        )
        model.compile("sgd", "mse", sample_weight_mode=mode)
        results.append(model.evaluate(x, targets, verbose=0, sample_weight=weights))
        p, q = model.predict(x)
        s = ((p - targets[0]) ** 2).mean(axis=2) * weights[0]
        assert results[-1][1] == pytest.approx(s.mean(), rel=1e-5)
        s = ((q - targets[1]) ** 2).mean(axis=(1, 2)) * weights[1]
        assert results[-1][2] == pytest.approx(s.mean(), rel=1e-5)
    assert results[0] == results[1]


def test_target_tensors_by_name():
    """Arrays for every output."""
    a, b = compiled(), compiled(target_tensors=TARGETS)
    for model, y in ((a, Y), (b, None)):
        kerasnb.set_seed(1)
        model.fit(X, y, 5, verbose=0)
    same_weights(a, b)


@pytest.mark.parametrize("targets", [5, "y", np.float32(3), {"dense": 5}])
def test_target_tensors_are_arrays_or_a_function(targets):
    """Anything else is refused at once, and the model stays as it was."""
    model = compiled()
    before = model.optimizer
    with pytest.raises(TypeError, match="target_tensors must be an array, or a func"):
        model.compile("adam", "mse", target_tensors=targets)
    assert model.optimizer is before
    model = Sequential([Dense(1, input_dim=2)])
    for targets in ([0.0, 1.0], (0.0, 1.0), np.zeros(2), lambda x: np.zeros(len(x))):
        model.compile("sgd", "mse", target_tensors=targets)
        model.fit(np.ones((2, 2)), verbose=0)


def test_settings_are_resolved_once(monkeypatch):
    """What compile has checked is what training uses."""
    calls = []
    original = compilation.make_objective
    monkeypatch.setattr(
        compilation, "make_objective", lambda *a: calls.append(a) or original(*a)
    )
    Sequential([Dense(1, input_dim=2)]).compile("sgd", "mse")
    assert len(calls) == 1


def test_a_model_compiled_before_it_is_built_forgets_nothing():
    """Not even the mode of the weights and the weighted metrics."""
    model = Sequential([Dense(2), Dense(1)])
    model.compile("sgd", "mse", ["mae"], [2.0], "temporal", ["mse"])
    x, y = RNG.normal(size=(4, 3, 2)), RNG.normal(size=(4, 3, 1))
    w = RNG.random((4, 3))
    model.fit(x, y, sample_weight=w, verbose=0)
    loss, _, weighted = model.evaluate(x, y, sample_weight=w, verbose=0)
    assert loss == pytest.approx(2 * weighted, rel=1e-6)
    assert model.metrics_names[2] == "weighted_mean_squared_error"


@pytest.mark.filterwarnings("ignore:A batch whose sample weights")
def test_exact_evaluation_of_several_outputs():
    """Zero weights of one output do not depend on the batches."""
    model = compiled(metrics={"kind": "acc"})
    w = {"kind": (RNG.random(23) < 0.4).astype(float)}
    w["kind"][:2] = 1
    whole = model.evaluate(X, Y, 23, 0, w)
    exact = model.evaluate(X, Y, 3, 0, w, exact=True)
    np.testing.assert_allclose(exact, whole, rtol=1e-5)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"loss": {"prize": "mse"}}, ValueError, "loss names an output 'prize', but"),
        ({"loss": ["mse"]}, ValueError, "loss has 1 entries .* 2 outputs: price, kind"),
        ({"loss": {"price": "msx"}}, ValueError, "Unknown loss 'msx'"),
        ({"loss_weights": [1]}, ValueError, "loss_weights has 1 entries"),
        ({"loss_weights": {"a": 1}}, ValueError, "loss_weights names an output 'a'"),
        ({"loss_weights": 2.0}, TypeError, "loss_weights must be a list or a dict"),
        ({"loss_weights": [1, None]}, ValueError, "must be finite numbers, got None"),
        ({"loss_weights": {"price": "a"}}, ValueError, "finite numbers, got 'a'"),
        ({"loss": {}}, ValueError, "there is nothing to minimise"),
        ({"loss": [None, None]}, ValueError, "there is nothing to minimise"),
        (
            {"sample_weight_mode": "temporary"},
            ValueError,
            "sample_weight_mode must be None, .* or 'temporal', .* got 'temporary'",
        ),
        (
            {"sample_weight_mode": {"kind": "temporal"}},
            ValueError,
            r"the output kind has no time axis, it has the shape \(batch, 3\)",
        ),
        ({"metrics": "acc"}, TypeError, r"metrics must be a list such as \['accuracy'"),
        ({"metrics": {"a": "acc"}}, ValueError, "metrics names an output 'a'"),
        ({"metrics": {"price": "acx"}}, ValueError, "Unknown metric 'acx'"),
        ({"metrics": [["mae"]]}, ValueError, "metrics has 1 entries"),
        (
            {"sample_weight_mode": {"a": "temporal"}},
            ValueError,
            "sample_weight_mode names an output 'a'",
        ),
        ({"optimiser": "sgd"}, TypeError, "optimiser"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, error, message):
    """Before anything of an earlier compile is lost."""
    model = compiled()
    before = model.metrics_names
    with pytest.raises(error, match=message):
        model.compile("sgd", **{"loss": LOSSES, **settings})
    assert model.metrics_names == before and model.optimizer is not None


def test_a_model_built_late_must_have_something_to_minimise():
    """What compile could not know then is said when the data come."""
    model = Sequential([Dense(3)])
    model.compile("sgd")
    with pytest.raises(ValueError, match="nothing to minimise"):
        model.fit(X[0], verbose=0)


@pytest.mark.parametrize(
    "do, message",
    [
        (lambda m: m.fit(X[0], Y), "the model has 2 inputs, left_input, right_input"),
        (lambda m: m.fit(X, Y[0]), "the model has 2 outputs, price, kind; .* ndarray"),
        (lambda m: m.fit(X, {"price": Y[0]}), "entry named 'kind', got a dict"),
        (lambda m: m.fit({"left_input": X[0]}, Y), "entry named 'right_input'"),
        (
            lambda m: m.fit([X[0], X[1][:5]], Y),
            "left_input and right_input must have the same number .* 23 and 5",
        ),
        (lambda m: m.fit(X, [Y[0], Y[1][:4]]), "same number of samples, got 23 and 4"),
        (lambda m: m.fit(X[::-1], Y), "checking input left_input: expected x of shape"),
        (lambda m: m.fit(X, Y, sample_weight=np.ones(23)), "sample_weight: .* 2 outp"),
        (
            lambda m: m.fit(X, Y, sample_weight={"prize": np.ones(23)}),
            "sample_weight: names an output 'prize'",
        ),
        (
            lambda m: m.fit(X, Y, class_weight={"prize": {0: 1}}),
            "class_weight: names an output 'prize'",
        ),
        (
            lambda m: m.fit(X, Y, class_weight={0: 1, 1: 2}),
            "no weight for class .*, .*, .*, .*, .*, ..., which occurs .* of price",
        ),
        (lambda m: m.predict_classes(X), "predict_classes: works for a model with one"),
        (lambda m: m.predict_proba(X), "predict_proba: works for a model with one"),
    ],
)
def test_data_that_do_not_fit_are_explained(do, message):
    """Names say which input or output is meant."""
    model = compiled()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        do(model)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
