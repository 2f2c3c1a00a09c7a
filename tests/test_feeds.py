"""Feeds: the same batches, whether they come from memory, a file or a generator."""

import fractions
import threading
import traceback
import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_training import make_data, make_model, same_weights

import kerasnb
from kerasnb import Sequential
from kerasnb.callbacks import LambdaCallback
from kerasnb.generators import Sequence
from kerasnb.layers import Dense, Layer


class Slices(Sequence):
    """Consecutive batches of arrays."""

    def __init__(self, batch_size, *arrays):
        self.batch_size, self.arrays = batch_size, arrays
        self.ended = 0

    def __len__(self):
        return -(-len(self.arrays[0]) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        return tuple(array[start : start + self.batch_size] for array in self.arrays)

    def on_epoch_end(self):
        self.ended += 1


def endless(batches):
    """Yield the batches again and again."""
    while True:
        yield from batches


# ---- the laws ---------------------------------------------------------------------


@given(
    samples=st.integers(1, 30),
    batch_size=st.integers(1, 12),
    workers=st.sampled_from([0, 1, 4]),
    epochs=st.integers(1, 3),
)
def test_fit_is_fit_generator_is_a_loop_of_train_on_batch(
    samples, batch_size, workers, epochs
):
    """Bit for bit, for a Sequence, for a generator and for any number of workers."""
    x, y = make_data(samples)
    batches = Slices(batch_size, x, y)
    steps = len(batches)
    models = [make_model() for _ in range(4)]
    a, b, c, d = models
    kerasnb.set_seed(1)
    whole = a.fit(x, y, batch_size, epochs=epochs, shuffle=False, verbose=0)
    kerasnb.set_seed(1)
    parts = b.fit_generator(
        batches, epochs=epochs, shuffle=False, workers=workers, verbose=0
    )
    kerasnb.set_seed(1)
    c.fit_generator(endless(list(batches)), steps, epochs, 0, workers=min(workers, 1))
    kerasnb.set_seed(1)
    for _ in range(epochs):
        for batch in batches:
            d.train_on_batch(*batch)
    for model in models[1:]:
        same_weights(a, model)
    assert whole.history == parts.history and batches.ended == epochs


@pytest.mark.parametrize("workers", [1, 4])
def test_shuffled_sequences_do_not_depend_on_the_workers(workers):
    """One path decides the order."""
    x, y = make_data()
    models = []
    for count in (0, workers):
        model, other = make_model(), make_model()
        kerasnb.set_seed(1)
        model.fit(Slices(4, x, y), epochs=3, verbose=0)
        kerasnb.set_seed(1)
        other.fit_generator(Slices(4, x, y), epochs=3, verbose=0, workers=count)
        models += [model, other]
    for model in models[1:]:
        same_weights(models[0], model)


def test_evaluate_and_predict_take_generators():
    """With the same results as on arrays, in the same order."""
    x, y = make_data()
    model = make_model()
    loss = model.evaluate(x, y, 5, verbose=0)
    p = model.predict(x)
    batches = Slices(5, x, y)
    for values in (
        model.evaluate(batches, verbose=0),
        model.evaluate_generator(batches, workers=4),
        model.evaluate_generator(iter(batches), len(batches)),
    ):
        np.testing.assert_allclose(values, loss, rtol=1e-6)
    for prediction in (
        model.predict(batches),
        model.predict_generator(batches, workers=4),
        model.predict_generator(iter([(a,) * 2 for a, _ in batches]), 5),
        model.predict(iter([a for a, _ in batches]), steps=5),
    ):
        np.testing.assert_allclose(prediction, p, rtol=1e-5)


def test_steps_go_on_through_the_data():
    """Two epochs of three steps are the first six batches; nothing is shuffled."""
    x, y = make_data(20)
    a, b = make_model(dropout=0), make_model(dropout=0)
    history = a.fit(x, y, 4, epochs=2, steps_per_epoch=3, verbose=0)
    for at in (0, 4, 8, 12, 16, 0):
        b.train_on_batch(x[at : at + 4], y[at : at + 4])
    same_weights(a, b)
    assert history.params["steps"] == 3


def test_steps_of_evaluate_and_predict_take_the_first_batches():
    """Of the given size."""
    x, y = make_data(20)
    model = make_model()
    np.testing.assert_allclose(
        model.evaluate(x, y, 4, verbose=0, steps=2),
        model.evaluate(x[:8], y[:8], 4, verbose=0),
    )
    np.testing.assert_array_equal(model.predict(x, 4, steps=2), model.predict(x[:8], 4))


def test_validation_data_may_come_from_anywhere():
    """Arrays, a Sequence and a generator give the same val_loss."""
    x, y = make_data()
    losses = []
    for validation, steps in (
        ((x, y), None),
        (Slices(32, x, y), None),
        (endless([(x, y)]), 1),
    ):
        for train in ((x, y), (Slices(23, x, y), None)):
            model = make_model()
            kerasnb.set_seed(2)
            history = model.fit(
                *train,
                batch_size=None if train[1] is None else 23,
                epochs=2,
                shuffle=False,
                verbose=0,
                validation_data=validation,
                validation_steps=steps,
            )
            losses.append(history.history["val_loss"])
            assert model.history.params["do_validation"]
    for loss in losses[1:]:
        np.testing.assert_allclose(loss, losses[0], rtol=1e-5)


def test_class_weight_counts_per_batch_of_a_generator():
    """As it does for arrays."""
    x, y = make_data()
    a, b = make_model(), make_model()
    weight = {0: 1.0, 1: 3.0, 2: 0.5}
    kerasnb.set_seed(1)
    a.fit(x, y, 6, shuffle=False, verbose=0, class_weight=weight)
    kerasnb.set_seed(1)
    b.fit(Slices(6, x, y), shuffle=False, verbose=0, class_weight=weight)
    same_weights(a, b)


def test_target_tensors_stand_for_y():
    """As arrays, or as a function of the batch."""
    x, y = make_data()
    table = {row.tobytes(): target for row, target in zip(x, y)}
    models = []
    for targets in (
        None,
        y,
        lambda batch: np.array([table[row.tobytes()] for row in batch]),
    ):
        model = make_model()
        model.compile(
            "adam", "categorical_crossentropy", ["accuracy"], target_tensors=targets
        )
        kerasnb.set_seed(1)
        given = y if targets is None else None
        model.fit(x, given, 6, epochs=2, verbose=0, validation_split=0.2)
        model.evaluate(x, given, verbose=0)
        if not isinstance(targets, np.ndarray):
            model.train_on_batch(x[:3], given if given is None else y[:3])
            models.append(model)
    same_weights(*models)


def test_an_autoencoder_needs_no_y():
    """target_tensors=lambda x: x."""
    x, _ = make_data()
    model = Sequential([Dense(4, input_shape=(4,), kernel_initializer="identity")])
    model.compile("sgd", "mse", target_tensors=lambda batch: batch)
    assert model.evaluate(x, verbose=0) == 0


class Running(Layer):
    """Adds up what it has seen, from batch to batch."""

    stateful = True

    def build(self, input_shape):
        """Begin with nothing."""
        self.reset_states()

    def reset_states(self):
        """Forget."""
        self.total = 0.0

    def forward(self, x, training):
        """Return the sum of all inputs so far."""
        self.total += float(x.sum())
        return np.full_like(x, self.total)

    def backward(self, dy):
        """Nobody asks."""
        return dy


def stateful_model():
    """Return a model for batches of two."""
    model = Sequential([Running(batch_input_shape=(2, 1))])
    model.compile("sgd", "mse")
    return model


def test_a_stateful_model_takes_batches_of_its_own_size():
    """By default; other sizes must divide the number of samples."""
    model, x = stateful_model(), np.ones((6, 1))
    assert model.predict(x)[:, 0].tolist() == [2, 2, 4, 4, 6, 6]
    model.reset_states()
    assert model.predict(x[:2])[:, 0].tolist() == [2, 2]
    model.reset_states()
    assert model.predict(x, batch_size=3)[:, 0].tolist() == [3, 3, 3, 6, 6, 6]
    assert model.predict(x[:1], batch_size=3)[:, 0].tolist() == [7]
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="multiple of batch_size=4, got 6"):
            call(x, x, batch_size=4)
    with pytest.raises(ValueError, match="multiple of batch_size=4, got 6"):
        model.predict(x, batch_size=4)


def test_shuffling_a_stateful_model_is_warned_about():
    """Its batches belong together."""
    model, x = stateful_model(), np.ones((6, 1))
    with pytest.warns(UserWarning, match="shuffle is on"):
        model.fit(x, x, verbose=0)
    model.fit(x, x, verbose=0, shuffle=False)


# ---- files ------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
@pytest.mark.parametrize("kind", ["memmap", "h5"])
def test_files_train_like_arrays(tmp_path, kind, shuffle):
    """With validation split, class weights and sample weights."""
    x, y = make_data()
    if kind == "memmap":
        files = []
        for name, array in (("x", x.astype(np.float64)), ("y", y)):
            file = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
            file[...] = array
            files.append(file)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "data.h5", "w") as file:
            file["x"], file["y"] = x, y
        file = h5py.File(tmp_path / "data.h5", "r")
        files = [file["x"], file["y"]]
    a, b = make_model(), make_model()
    histories = []
    for model, (xs, ys) in ((a, (x, y)), (b, files)):
        kerasnb.set_seed(1)
        history = model.fit(
            xs,
            ys,
            4,
            epochs=2,
            verbose=0,
            shuffle=shuffle,
            validation_split=0.3,
            sample_weight=np.linspace(0, 1, len(x)),
        )
        histories.append(history.history)
        np.testing.assert_array_equal(model.predict(x), model.predict(xs))
    same_weights(a, b)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-6)
    if kind == "h5":
        file.close()


def test_a_file_is_never_read_as_a_whole(tmp_path):
    """The memory that training takes does not grow with the file."""
    shape = (2_000, 5) if numba.config.DISABLE_JIT else (20_000, 100)
    np.memmap(tmp_path / "x", np.float64, "w+", shape=shape).flush()
    x = np.memmap(tmp_path / "x", np.float64, "r", shape=shape)
    model = Sequential([Dense(1, input_shape=shape[1:])])
    model.compile("sgd", "mse", target_tensors=lambda batch: np.zeros(len(batch)))
    model.fit(x[:1000], batch_size=500, verbose=0)
    tracemalloc.start()
    model.fit(x, batch_size=500, verbose=0, shuffle="batch")
    model.evaluate(x, batch_size=500, verbose=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000 + 0.2 * x.nbytes


# ---- generators that misbehave ----------------------------------------------------


def test_a_generator_that_ends_early_ends_the_training_with_a_warning():
    """The epoch is finished, History comes back, callbacks hear of it."""
    x, y = make_data()
    model = make_model()
    calls = []
    watch = LambdaCallback(
        on_epoch_end=lambda epoch, logs: calls.append((epoch, sorted(logs))),
        on_train_end=lambda logs: calls.append("end"),
    )
    with pytest.warns(UserWarning, match="ended after 5 of 7"):
        history = model.fit_generator(iter(Slices(5, x, y)), 7, 3, 0, callbacks=[watch])
    assert history.epoch == [0]
    assert calls == [(0, ["acc", "loss"]), "end"]


def test_an_exception_of_the_generator_reaches_the_caller():
    """Of its own type; the callbacks hear of the end, and no thread is left."""
    x, y = make_data()

    def failing():
        yield x, y
        raise KeyError("photo 17")

    before = threading.active_count()
    ends = []
    with pytest.raises(KeyError, match="photo 17"):
        make_model().fit_generator(
            failing(), 4, 2, 0,
            callbacks=[LambdaCallback(on_train_end=ends.append)],
        )  # fmt: skip
    assert ends and threading.active_count() == before


def test_stopping_in_a_batch_validates_only_after_the_last_one():
    """As in Keras: a generator's last batch ends the epoch anyway."""
    x, y = make_data(20)
    for stop_at, validates in ((1, False), (3, True)):
        model = make_model()

        def stop(batch, logs, model=model, stop_at=stop_at):
            model.stop_training = batch == stop_at

        history = model.fit(
            Slices(5, x, y), epochs=3, verbose=0, validation_data=(x, y),
            callbacks=[LambdaCallback(on_batch_end=stop)],
        )  # fmt: skip
        assert history.epoch == [0]
        assert ("val_loss" in history.history) is validates


@pytest.mark.parametrize("workers", [0, 1])
def test_a_long_fit_on_a_generator_does_not_grow(workers):
    """Many steps take no more memory than few."""
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    steps = 200 if numba.config.DISABLE_JIT else 20_000

    def batches():
        while True:
            yield np.ones((2, 4), np.float32), np.ones((2, 1), np.float32)

    model.fit_generator(batches(), 50, 1, 0, workers=workers)
    tracemalloc.start()
    model.fit_generator(batches(), steps, 1, 0, workers=workers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_the_first_batch_tells_an_open_input_shape():
    """A deferred model is built by a generator, and loses no batch."""
    x, y = make_data()
    for data in (Slices(5, x, y), iter(Slices(5, x, y))):
        model = Sequential([Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        seen = []
        model.fit_generator(
            data,
            5,
            1,
            0,
            callbacks=[LambdaCallback(on_batch_end=lambda b, _: seen.append(b))],
        )
        assert model.input_shape == (None, 4) and seen == [0, 1, 2, 3, 4]


# ---- splits -----------------------------------------------------------------------


def test_a_split_cuts_as_keras_does_and_a_fraction_exactly():
    """100 samples less 0.9 leave 9; less Fraction(9, 10), 10."""
    from kerasnb.data import Data
    from kerasnb.feeds import split_validation

    data = Data([np.zeros((100, 1))], [None], [None])
    assert split_validation(data, 0.9) == 9
    assert split_validation(data, fractions.Fraction(9, 10)) == 10


def test_a_split_of_sorted_data_is_warned_about():
    """Training would never see the last classes."""
    x, _ = make_data(20)
    model = make_model()
    y = np.eye(3)[[0] * 8 + [1] * 7 + [2] * 5]
    with pytest.warns(UserWarning, match="training sees no sample of class 2"):
        model.fit(x, y, validation_split=0.25, verbose=0)


def test_a_split_with_class_weights_is_warned_about():
    """They count in the validation loss too."""
    x, y = make_data()
    with pytest.warns(UserWarning, match="carry their class_weight"):
        make_model().fit(
            x, y, validation_split=0.2, class_weight={0: 1, 1: 2, 2: 3}, verbose=0
        )


# ---- errors -----------------------------------------------------------------------

X, Y = make_data()
BATCHES = Slices(5, X, Y)


@pytest.mark.parametrize(
    "do, error, message",
    [
        (
            lambda m: m.fit(BATCHES, Y),
            ValueError,
            "y: must not be given when x is a Seq",
        ),
        (lambda m: m.fit(BATCHES, batch_size=3), ValueError, "batch_size: must not"),
        (
            lambda m: m.fit(BATCHES, sample_weight=Y[:, 0]),
            ValueError,
            "sample_weight: must not",
        ),
        (
            lambda m: m.fit(BATCHES, validation_split=0.5),
            ValueError,
            "validation_split: must not",
        ),
        (
            lambda m: m.fit(X, Y, validation_steps=2),
            ValueError,
            "validation_steps=2: there is no validation",
        ),
        (
            lambda m: m.fit_generator(BATCHES, validation_steps=2),
            ValueError,
            "validation_steps=2: there is no validation",
        ),
        (lambda m: m.fit(iter(BATCHES)), ValueError, "steps_per_epoch: a generator"),
        (lambda m: m.fit_generator([(X, Y)]), TypeError, "expected a generator"),
        (lambda m: m.fit(None, Y), ValueError, "x: the inputs are missing"),
        (
            lambda m: m.fit(X, Y, validation_data=(X, Y), validation_steps=2),
            ValueError,
            "validation_steps: only counts together",
        ),
        (
            lambda m: m.fit(X, Y, validation_data=(X, Y), steps_per_epoch=2),
            ValueError,
            "say how many batches a validation has",
        ),
        (
            lambda m: m.fit(X, Y, steps_per_epoch=0),
            ValueError,
            "steps_per_epoch must be a positive integer",
        ),
        (
            lambda m: m.fit(X, Y, validation_data=(X,)),
            ValueError,
            r"expected \(x, y\) or .* got 1 items",
        ),
        (
            lambda m: m.fit(X, Y, validation_data=iter(BATCHES)),
            ValueError,
            "validation_steps: a generator",
        ),
        (
            lambda m: m.evaluate(X, Y, 5, steps=9),
            ValueError,
            "steps=9: 23 samples make only 5 batches of 5",
        ),
        (lambda m: m.predict(iter([X])), ValueError, "steps: a generator"),
        (lambda m: m.evaluate(iter([])), ValueError, "steps: a generator"),
        (
            lambda m: m.fit_generator(endless([(X,)]), 1),
            ValueError,
            r"expected \(x, y\) or",
        ),
        (
            lambda m: m.fit_generator(endless([(X, Y[:, :2])]), 1),
            ValueError,
            r"expected targets of shape \(3,\), got \(2,\)",
        ),
        (
            lambda m: m.predict_classes(np.zeros((2, 5))),
            ValueError,
            r"expected x of shape \(batch, 4\)",
        ),
    ],
)
def test_bad_input_is_explained_and_changes_nothing(do, error, message):
    """Who, what was expected, what came."""
    model = make_model()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        do(model)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_y_and_target_tensors_exclude_each_other():
    """Only one of them can be meant."""
    model = make_model()
    model.compile("sgd", "categorical_crossentropy", target_tensors=Y)
    for call in (model.fit, model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match="compiled with target_tensors"):
            call(X, Y)


def test_class_weight_and_sample_weight_are_multiplied_on_request():
    """A switch of the model."""
    w, table = np.linspace(0.5, 1, len(X)), {0: 2.0, 1: 1.0, 2: 0.5}
    product = w * [table[k] for k in Y.argmax(axis=1)]
    a, b = make_model(), make_model()
    a.combines_weights = True
    for model, settings in (
        (a, {"sample_weight": w, "class_weight": table}),
        (b, {"sample_weight": product}),
    ):
        kerasnb.set_seed(1)
        model.fit(X, Y, 6, verbose=0, **settings)
    for left, right in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_allclose(left, right, rtol=1e-5)


def test_class_weight_beside_sample_weight_is_warned_about():
    """The sample weights win."""
    model = make_model()
    with pytest.warns(UserWarning, match="class_weight is ignored"):
        model.fit(
            X, Y, sample_weight=Y[:, 0], class_weight={0: 2, 1: 1, 2: 1}, verbose=0
        )


def test_steps_of_a_validation_on_arrays_begin_with_the_first_sample():
    """With equal weights every validation gives the same."""
    model = make_model()
    stand_still = kerasnb.callbacks.LearningRateScheduler(lambda epoch: 0.0)
    history = model.fit(
        X, Y, 6, 3, 0, [stand_still],
        validation_data=(X, Y), steps_per_epoch=1, validation_steps=2,
    )  # fmt: skip
    expected = model.evaluate(X, Y, 6, 0, steps=2, return_dict=True)["loss"]
    np.testing.assert_allclose(history.history["val_loss"], [expected] * 3)


def test_steps_of_a_validation_on_arrays_beside_a_generator_are_warned_about():
    """All of the arrays are used."""
    with pytest.warns(UserWarning, match="validation_steps=1 is ignored"):
        make_model().fit(BATCHES, validation_data=(X, Y), validation_steps=1, verbose=0)


def test_a_validation_generator_that_ends_does_not_end_the_training():
    """The epochs after it have no validation."""
    model = make_model()
    with pytest.warns(UserWarning, match="validation_data: .* after 1 of 2 batches"):
        history = model.fit(
            X, Y, epochs=4, verbose=0,
            validation_data=iter([(X, Y)] * 3), validation_steps=2,
        )  # fmt: skip
    assert np.isnan(history.history["val_loss"]).tolist() == [False] * 2 + [True] * 2


@pytest.mark.parametrize("bad", [(X,), (X, Y[:4]), (X[:, :2], Y), (X, Y, Y)])
def test_a_bad_batch_is_told_by_its_number(bad):
    """In a note to the error, whatever is wrong with the batch."""
    model = make_model()
    with pytest.raises(ValueError) as caught:
        model.fit_generator(iter([(X, Y)] * 5 + [bad]), 4, epochs=2, verbose=0)
    told = "".join(traceback.format_exception(caught.value))
    assert "generator: batch 2 of 4 of epoch 2." in told


# ---- models without input shape ---------------------------------------------------


def unbuilt():
    model = Sequential([Dense(3)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("steps, message", [(1, "ended before its"), (None, "steps_p")])
def test_a_refused_generator_builds_nothing(steps, message):
    """Neither an empty one nor one without a number of steps."""
    model = unbuilt()
    batches = iter([None] if steps else [(X, Y)])
    with pytest.raises(ValueError, match=message):
        model.fit_generator(batches, steps, verbose=0)
    assert not model.built
    if steps is None:
        assert next(batches)[0] is X


@pytest.mark.parametrize("workers", [0, 1])
def test_the_batch_that_builds_a_model_is_learnt_from(workers):
    """One generator can even serve training and validation."""
    model, batches = unbuilt(), iter([None] + [(X, Y)] * 4)
    model.fit_generator(
        batches, 3, workers=workers, max_queue_size=1, verbose=0,
        validation_data=endless([(X, Y)]), validation_steps=1,
    )  # fmt: skip
    assert model.optimizer.iterations == 3


def test_a_dict_may_build_a_model():
    """The name of the input is the same before and after."""
    model = unbuilt()
    (name,) = model.input_names
    model.fit({name: X}, Y, verbose=0)
    assert model.input_names == [name] == [f"{model.name}_input"]


def test_a_model_of_penalties_needs_no_targets():
    """Without a loss there is nothing to compare with."""
    model = Sequential([Dense(3, kernel_regularizer="l2", input_shape=(4,))])
    model.compile("sgd")
    losses = model.fit(X, epochs=3, batch_size=5, verbose=0).history["loss"]
    assert losses[0] > losses[-1] > model.evaluate(X, verbose=0) > 0
    model.compile("sgd", metrics=["mae"])
    with pytest.raises(ValueError, match="targets are missing"):
        model.fit(X)
