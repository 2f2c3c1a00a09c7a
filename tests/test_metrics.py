"""Metrics: values, names, what 'accuracy' means, and wrong arguments."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import losses, metrics
from kerasnb.device import ops

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([1, 2, 3, 5, 11])
DTYPES = st.sampled_from(["float32", "float64"])
ACCURACIES = (
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
)


def rows_of(metric, t, p):
    """Run `forward` on its own."""
    s = np.full(len(p), np.nan, p.dtype)
    metric.forward(s, t, p)
    return s


def scores(seed, R, C, dtype):
    """Return labels and predictions with many ties."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, C, R), rng.integers(0, 5, (R, C)).astype(dtype) / 4


def in_top(labels, p, k):
    """Fewer than k columns are larger than the right one."""
    mine = p[np.arange(len(p)), labels][:, None]
    return (p > mine).sum(1) < k


# ---- reference ----


@given(seed=SEEDS, R=SIZES, C=SIZES, dtype=DTYPES)
def test_accuracies_equal_their_formulas(seed, R, C, dtype):
    """Each equals its definition in NumPy; the first of equals is the class."""
    labels, p = scores(seed, R, C, dtype)
    t = np.eye(C, dtype=dtype)[labels]
    right = p.argmax(1) == labels
    np.testing.assert_array_equal(rows_of(metrics.categorical_accuracy, t, p), right)
    np.testing.assert_allclose(
        rows_of(metrics.binary_accuracy, t, p), (t == np.round(p)).mean(1), rtol=1e-6
    )
    for y in (labels, labels.astype(dtype), labels.astype(dtype)[:, None]):
        value = rows_of(metrics.sparse_categorical_accuracy, y, p)
        np.testing.assert_array_equal(value, right)


@given(seed=SEEDS, R=SIZES, C=SIZES, k=st.sampled_from([1, 2, 3, 20]))
def test_top_k_equals_its_formula(seed, R, C, k):
    """A row is right if fewer than k classes are ahead of the right one."""
    labels, p = scores(seed, R, C, "float64")
    right = in_top(labels, p, k)
    one_hot = np.eye(C)[labels]
    value = rows_of(metrics.TopKCategoricalAccuracy(k), one_hot, p)
    np.testing.assert_array_equal(value, right)
    sparse = metrics.SparseTopKCategoricalAccuracy(k)
    for y in (labels, labels.astype("float64")[:, None]):
        np.testing.assert_array_equal(rows_of(sparse, y, p), right)


def test_halves_round_to_even():
    """0.5 counts as 0, 1.5 and 2.5 as 2."""
    p = np.array([[0.5], [0.5], [1.5], [2.5], [0.49], [0.51]])
    t = np.array([[0.0], [1.0], [2.0], [2.0], [0.0], [1.0]])
    assert metrics.binary_accuracy(t, p).tolist() == [1, 0, 1, 1, 1, 1]


def test_all_that_tie_at_the_boundary_count():
    """With k = 2 and three classes in second place, four classes are in."""
    p = np.array([[0.4, 0.2, 0.2, 0.2, 0.0]] * 5)
    value = metrics.sparse_top_k_categorical_accuracy(np.arange(5), p, k=2)
    assert value.tolist() == [1, 1, 1, 1, 0]


def test_the_default_is_five():
    """The sixth best class is out; the call takes another k, as Keras's function."""
    p = np.array([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]] * 2)
    t = np.eye(6)[[4, 5]]
    top = metrics.top_k_categorical_accuracy
    assert top(t, p).tolist() == [1, 0]
    assert top(t, p, k=6).tolist() == [1, 1]
    assert top(t, p, k=4).tolist() == [0, 0]


def test_a_class_without_a_column_is_wrong():
    """The kernel reads nothing outside the row."""
    p = np.full((3, 2), 0.5)
    for metric in ("sparse_top_k_categorical_accuracy", "sparse_categorical_accuracy"):
        value = rows_of(metrics.get(metric), np.array([2, -1, 7]), p)
        assert value.tolist() == [0, 0, 0]


def test_nan_predictions_are_not_among_the_best():
    """A diverged model gets no points for numbers that are none."""
    p = np.array([[np.nan, 0.1, 0.2], [np.nan, 0.1, 0.2]])
    value = rows_of(metrics.SparseTopKCategoricalAccuracy(2), np.array([0, 2]), p)
    assert value.tolist() == [0, 1]
    assert metrics.binary_accuracy([[0.0]], [[np.nan]]).tolist() == [0]


def test_rows_are_the_last_axis():
    """Sequences (B, T, C) give one value for each step, class numbers too."""
    labels, p = scores(4, 6, 3, "float64")
    expected = (p.argmax(1) == labels).reshape(2, 3)
    p = p.reshape(2, 3, 3)
    for y in (labels.reshape(2, 3), labels.reshape(2, 3, 1)):
        value = metrics.sparse_categorical_accuracy(y, p)
        np.testing.assert_array_equal(value, expected)
    value = metrics.categorical_accuracy(np.eye(3)[labels].reshape(2, 3, 3), p)
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("name", sorted({x.name for x in losses.LOSSES.values()}))
def test_every_loss_is_a_metric(name):
    """A loss's values are reported under its name."""
    metric, loss = metrics.get(name), losses.get(name)
    y = [1, 0] if loss.sparse else [[0.0, 1.0], [1.0, 0.0]]
    p = np.array([[0.2, 0.7], [0.6, 0.3]])
    assert metric.name == name
    assert metric is metrics.get(loss) is getattr(metrics, name)
    np.testing.assert_array_equal(metric(y, p), loss(y, p))


def test_keras_agrees(keras):
    """An independent library gives the same accuracies."""
    rng = np.random.default_rng(2)
    p = rng.uniform(size=(50, 8)).astype("float32")
    labels = rng.integers(0, 8, 50)
    for name in ACCURACIES:
        y = labels if "sparse" in name else np.eye(8, dtype="float32")[labels]
        theirs = keras.ops.convert_to_numpy(getattr(keras.metrics, name)(y, p))
        theirs = theirs.reshape(50, -1).mean(1)  # Keras 3: one value a column
        np.testing.assert_allclose(metrics.get(name)(y, p), theirs, rtol=1e-6)


# ---- own and stateful metrics ----


def test_a_function_becomes_a_metric():
    """The function's name is reported, an attribute `name` first."""

    def largest(y_true, y_pred):
        """Return the largest error of a row."""
        return abs(y_true - y_pred).max(axis=-1)

    t, p = np.zeros((2, 3)), np.array([[1.0, -2.0, 0.0], [0.5, 0.0, 0.0]])
    metric = metrics.get(largest)
    assert metric.name == metrics.serialize(metric)["config"] == "largest"
    assert rows_of(metric, t, p).tolist() == [2, 0.5]
    assert metric(t, p).tolist() == [2, 0.5]
    largest.name = "worst"
    assert metrics.get(largest).name == "worst"
    assert metrics.get(functools.partial(largest)).name == "largest"


def test_a_single_value_counts_for_every_row():
    """A function may return a mean over the whole batch."""
    metric = metrics.get(lambda y_true, y_pred: y_pred.mean())
    assert (
        rows_of(metric, np.zeros((3, 2)), np.full((3, 2), 0.25)).tolist() == [0.25] * 3
    )


def test_a_function_gets_class_numbers_as_a_column():
    """As in Keras, sparse targets have the shape (R, 1)."""
    metric = metrics.get(lambda y_true, y_pred: y_true[:, 0] == y_pred.argmax(-1))
    value = rows_of(metric, np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    assert value.tolist() == [1, 0]


@given(seed=SEEDS, cut=st.integers(1, 10), threshold=st.sampled_from([0.3, 0.5]))
def test_precision_and_recall_count_over_batches(seed, cut, threshold):
    """Two batches give the value of their union, not the mean of two ratios."""
    rng = np.random.default_rng(seed)
    p, t = rng.uniform(size=(11, 2)), rng.integers(0, 2, (11, 2)).astype("float64")
    chosen, positive = p > threshold, t > 0.5
    right = (chosen & positive).sum()
    for kind, counted in ((metrics.Precision, chosen), (metrics.Recall, positive)):
        metric = kind(threshold=threshold)
        metric.update(t[:cut], p[:cut])
        value = metric.update(t[cut:], p[cut:])
        assert type(value) is float
        assert value == pytest.approx(right / max(counted.sum(), 1))
        metric.reset_states()
        assert metric.update(0 * t, 0 * p) == 0.0


def test_precision_matches_a_column_with_a_flat_target():
    """(R,) against (R, 1) compares pairs, not all with all."""
    assert metrics.Precision()([1, 0, 0], [[0.9], [0.8], [0.1]]) == 0.5


def test_a_stateful_object_of_ones_own_is_wrapped():
    """An object with stateful, name and reset_states is called once for each batch."""

    class Seen:
        """Count samples."""

        stateful = True
        name = "seen"
        count = 0

        def reset_states(self):
            """Start again."""
            self.count = 0

        def __call__(self, y_true, y_pred):
            """Count."""
            self.count += len(y_pred)
            return self.count

    metric = metrics.get(Seen())
    assert metric.stateful and metric.name == "seen"
    assert [metric.update(np.zeros(3), np.zeros(3)) for _ in "ab"] == [3.0, 6.0]
    metric.reset_states()
    assert metric(np.zeros(2), np.zeros(2)) == 2.0


# ---- names ----


@pytest.mark.parametrize(
    "alias, name",
    [
        ("mse", "mean_squared_error"),
        ("MSE", "mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("MAE", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("MAPE", "mean_absolute_percentage_error"),
        ("msle", "mean_squared_logarithmic_error"),
        ("MSLE", "mean_squared_logarithmic_error"),
        ("cosine", "cosine_proximity"),
        ("kld", "kullback_leibler_divergence"),
    ],
)
def test_aliases_are_reported_under_the_full_name(alias, name):
    """metrics=['mse'] appears as mean_squared_error."""
    assert metrics.resolve(alias, (None, 3), losses.mse) == (name, metrics.get(name))


@pytest.mark.parametrize("shorthand, reported", [("accuracy", "acc"), ("acc", "acc")])
@pytest.mark.parametrize(
    "columns, loss, name",
    [
        (1, "mse", "binary_accuracy"),
        (10, "binary_crossentropy", "binary_accuracy"),
        (10, "sparse_categorical_crossentropy", "sparse_categorical_accuracy"),
        (10, "categorical_crossentropy", "categorical_accuracy"),
        (10, "mse", "categorical_accuracy"),
    ],
)
def test_accuracy_follows_the_output_and_the_loss(
    shorthand, reported, columns, loss, name
):
    """One column or binary cross-entropy, else class numbers, else one-hot rows."""
    found = metrics.resolve(shorthand, (None, columns), losses.get(loss))
    assert found == (reported, metrics.get(name))


@pytest.mark.parametrize("shorthand", ["crossentropy", "ce"])
@pytest.mark.parametrize(
    "columns, loss, name",
    [
        (1, "mse", "binary_crossentropy"),
        (10, "binary_crossentropy", "binary_crossentropy"),
        (10, "sparse_categorical_crossentropy", "sparse_categorical_crossentropy"),
        (10, "hinge", "categorical_crossentropy"),
    ],
)
def test_crossentropy_follows_the_same_rule(shorthand, columns, loss, name):
    """As accuracy, reported as ce."""
    found = metrics.resolve(shorthand, (None, 5, columns), losses.get(loss))
    assert found == ("ce", metrics.get(name))


def test_an_output_without_a_loss_is_one_hot():
    """Without a loss only the number of columns decides."""
    assert metrics.resolve("acc", (None, 4), None)[1] is metrics.categorical_accuracy
    assert metrics.resolve("acc", (None, 1), None)[1] is metrics.binary_accuracy


def test_a_wrapper_of_binary_crossentropy_is_another_loss():
    """Rule 1 compares loss objects."""

    class Wrapper(losses.Loss):
        """Some other loss."""

    found = metrics.resolve("acc", (None, 4), Wrapper())
    assert found == ("acc", metrics.categorical_accuracy)


@given(st.lists(st.sampled_from(["acc", "mse", "acc_1", "loss"]), max_size=8))
def test_unique_names_are_unique_and_begin_with_the_given_ones(names):
    """No two names agree, and the first of each kind keeps its own."""
    unique = metrics.unique_names(names)
    assert len(set(unique)) == len(names)
    for place, (given_name, name) in enumerate(zip(names, unique)):
        assert name == given_name or name.rpartition("_")[0] == given_name
        if given_name not in unique[:place]:
            assert name == given_name


def test_the_second_gets_1_and_the_third_2():
    """Duplicates are numbered from one."""
    assert metrics.unique_names(["a", "a", "b", "a"]) == ["a", "a_1", "b", "a_2"]


def test_get_accepts_every_form():
    """Name, instance, class, loss, config dict."""
    top = metrics.TopKCategoricalAccuracy(3)
    assert metrics.get(top) is top
    assert metrics.get("Recall") is not metrics.get("Recall")
    assert isinstance(metrics.get(metrics.Recall), metrics.Recall)
    assert metrics.get({"class_name": "Precision", "config": None}).threshold == 0.5

    class Own(losses.Loss):
        """A loss of one's own."""

        def forward(self, s, t, p):
            """s = 7"""
            s[:] = 7

    own = metrics.get(Own)
    assert own.name == "Own" and repr(own) == "<metric Own>"
    assert metrics.get(Own()).sparse is False
    assert own([[0.0]], [[1.0]]).tolist() == [7]


@pytest.mark.parametrize(
    "metric",
    [
        metrics.TopKCategoricalAccuracy(3),
        metrics.SparseTopKCategoricalAccuracy(2, name="top2"),
        metrics.Precision(threshold=0.25),
        metrics.Recall(name="sensitivity"),
    ],
    ids=repr,
)
def test_configs_survive_serialize_and_get(metric):
    """A metric with arguments is written as class name and config."""
    again = metrics.get(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert again.name == metric.name


@pytest.mark.parametrize("name", [*ACCURACIES, "mean_squared_error", "hinge"])
def test_names_survive_serialize_and_get(name):
    """A built-in metric is written as its name."""
    metric = metrics.get(name)
    assert metrics.serialize(metric) == metric.name == name
    assert metrics.get(metrics.serialize(metric)) is metric


def test_the_kernel_is_looked_up_at_each_call(monkeypatch):
    """A change of device acts on metrics that exist already."""

    def all_ones(s, t, p):
        s[:] = 1

    monkeypatch.setattr(ops, "binary_accuracy", all_ones)
    assert metrics.binary_accuracy([[0.0]], [[1.0]]).tolist() == [1]


# ---- errors ----


def test_unknown_names_are_refused_with_the_nearest_one():
    """A misspelt name is answered with the right one."""
    with pytest.raises(ValueError, match="Unknown metric 'acuracy'. Did you mean 'acc"):
        metrics.get("acuracy")
    with pytest.raises(ValueError, match="Unknown metric 'x'"):
        metrics.get({"class_name": "x"})
    with pytest.raises(TypeError, match="expected a name such as 'accuracy', .* got 3"):
        metrics.get(3)


def test_a_shorthand_means_nothing_without_a_model():
    """'accuracy' depends on the output and the loss."""
    with pytest.raises(
        ValueError, match="'accuracy' means depends on .* binary_accuracy"
    ):
        metrics.get("accuracy")


def test_a_metric_that_does_not_fit_the_targets_is_refused():
    """Class numbers and one-hot rows are not mixed up silently."""
    sparse_loss = losses.sparse_categorical_crossentropy
    with pytest.raises(
        ValueError, match="metric categorical_accuracy: expected targets"
    ):
        metrics.resolve("categorical_accuracy", (None, 4), sparse_loss)
    with pytest.raises(ValueError, match="metric binary_accuracy: .* are whole rows"):
        metrics.resolve("acc", (None, 1), sparse_loss)
    with pytest.raises(
        ValueError, match="sparse_categorical_accuracy: .* class numbers"
    ):
        metrics.resolve("sparse_categorical_accuracy", (None, 4), losses.mse)
    fits = metrics.resolve("sparse_categorical_accuracy", (None, 1), losses.mse)
    assert fits[1] is metrics.sparse_categorical_accuracy


def test_a_function_with_a_result_of_the_wrong_shape_is_named():
    """(R, R), which comes from (R, 1) and (R,), is refused."""

    def wrong(y_true, y_pred):
        """Forget the last axis of one of the two."""
        return y_true - y_pred[:, 0]

    with pytest.raises(
        ValueError,
        match=r"metric wrong: expected .* shape \(3,\), .* got shape \(3, 3\)",
    ):
        rows_of(metrics.get(wrong), np.zeros((3, 1)), np.ones((3, 1)))


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_k_is_a_whole_number_from_one(k):
    """No class is among the best none."""
    with pytest.raises(ValueError, match="k to be a whole number from 1, got"):
        metrics.TopKCategoricalAccuracy(k)


def test_wrong_targets_are_refused():
    """The message names the metric, what was expected and what came."""
    with pytest.raises(ValueError, match=r"binary_accuracy: expected .* got \(1,\)"):
        metrics.binary_accuracy([1], [[1.0, 0.0]])
    with pytest.raises(ValueError, match=r"metric recall: expected .* got \(3,\)"):
        metrics.Recall()([1, 1, 1], [[1.0], [0.0]])


def test_a_metric_without_its_methods_says_so():
    """A subclass has to say what it measures."""

    class Empty(metrics.Metric):
        """Nothing."""

    class Counting(metrics.StatefulMetric):
        """Nothing."""

    with pytest.raises(
        NotImplementedError, match="Empty: the metric has no method forw"
    ):
        Empty()([[0.0]], [[0.0]])
    with pytest.raises(NotImplementedError, match="Counting: no method update"):
        Counting()([[0.0]], [[0.0]])
    with pytest.raises(NotImplementedError, match="Counting: no method reset_states"):
        Counting().reset_states()
