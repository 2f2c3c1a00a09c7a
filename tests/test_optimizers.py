"""Optimizers: the reference vectors, laws, state, names and errors (semantics 7)."""

import copy
import json
import warnings

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import optimizers
from kerasnb.device import ops
from kerasnb.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Nadam,
    Optimizer,
    RMSprop,
)

USUAL = (0.1, -0.2, 0.3)  # the gradients of the reference vectors
STEEP = (1.0, 0.1, 0.1)
VECTORS = [
    (SGD, {}, USUAL, (0.999, 1.001, 0.998)),
    (SGD, {"momentum": 0.9}, USUAL, (0.999, 1.0001, 0.99809)),
    (SGD, {"momentum": 0.9, "nesterov": True}, USUAL, (0.9981, 1.00109, 0.996281)),
    (SGD, {"lr": 0.1, "decay": 0.5}, USUAL, (0.99, 1.003333333, 0.988333333)),
    (RMSprop, {}, USUAL, (0.996837732, 0.999694871, 0.997104235)),
    (Adagrad, {}, USUAL, (0.990000010, 0.998944278, 0.990926443)),
    (Adadelta, {}, USUAL, (0.998585928, 1.000383668, 0.998219414)),
    (Adam, {}, USUAL, (0.999000032, 0.999366130, 0.999022892)),
    (Adamax, {}, USUAL, (0.998000002, 0.998578949, 0.998084484)),
    (Nadam, {}, USUAL, (0.997887099, 0.999700212, 0.997933080)),
    (Adam, {"beta_2": 0.5}, STEEP, (0.999, 0.998097376, 0.997149118)),
    (
        Adam,
        {"beta_2": 0.5, "amsgrad": True},
        STEEP,
        (0.999, 0.998355398, 0.997867252),
    ),
]
KINDS = [(cls, options) for cls, options, _, _ in VECTORS]
KINDS += [(SGD, {"clipnorm": 0.5}), (RMSprop, {"clipvalue": 0.1, "decay": 0.1})]
every_kind = pytest.mark.parametrize("cls, options", KINDS)
every_class = pytest.mark.parametrize("cls", optimizers.OPTIMIZERS.values())


def walk(optimizer, p, gradients):
    """Update a copy of `p` by one gradient after the other; return every p."""
    p, path = p.copy(), []
    for g in gradients:
        optimizer.update(p, np.array(g, p.dtype))
        path.append(p.copy())
    return path


def some_gradients(count, size, seed=0, dtype="float64"):
    """Return random gradients."""
    return np.random.default_rng(seed).normal(size=(count, size)).astype(dtype)


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-6), ("float32", 1e-4)])
@pytest.mark.parametrize("cls, options, gradients, expected", VECTORS)
def test_the_reference_vectors(cls, options, gradients, expected, dtype, tolerance):
    """p after three steps from 1, as Keras computes it."""
    path = walk(cls(**options), np.ones(1, dtype), [[g] for g in gradients])
    assert np.ravel(path) == pytest.approx(expected, rel=tolerance)
    if dtype == "float64":
        assert np.ravel(path) == pytest.approx(expected, abs=2e-9)


def test_clipnorm_is_one_norm_of_all_parameters():
    """Gradients 3 and 4 of two parameters with padding become 0.6 and 0.8."""
    g = np.zeros(32)
    g[0], g[16] = 3, 4
    optimizer = SGD(lr=1.0, clipnorm=1.0)
    optimizer.build(32, "float64", [(0, (1,)), (16, (1, 1))])
    p = np.zeros(32)
    optimizer.update(p, g)
    assert p[[0, 16]] == pytest.approx([-0.6, -0.8], rel=1e-14)


def test_small_gradients_are_not_clipped():
    """Neither by norm nor by value; a limit of zero means none."""
    for options in [{"clipnorm": 5.01}, {"clipvalue": 4.0}, {"clipnorm": 0}]:
        path = walk(SGD(lr=1.0, **options), np.zeros(2), [[3.0, 4.0]])
        assert path[0].tolist() == [-3, -4]


def test_clipvalue_follows_clipnorm():
    """(3, 4) -> (0.6, 0.8) -> (0.6, 0.7), and the same below zero."""
    path = walk(SGD(lr=1.0, clipnorm=1.0, clipvalue=0.7), np.zeros(2), [[-3.0, 4.0]])
    assert path[0] == pytest.approx([0.6, -0.7])


@given(size=st.integers(0, 300), limit=st.sampled_from([0.5, 3.0, 1e9]))
def test_clipnorm_bounds_the_norm_of_any_vector(size, limit):
    """The direction stays and the norm is min(norm, limit)."""
    g = some_gradients(1, size)[0]
    clipped = g.copy()
    SGD(clipnorm=limit).clip(clipped)
    norm = np.linalg.norm(g)
    expected = g * min(1.0, limit / norm) if size else g
    np.testing.assert_allclose(clipped, expected, rtol=1e-12)


@every_class
def test_defaults_are_keras_defaults(cls):
    """The signatures of Keras 2.2; an epsilon of None means 1e-7."""
    adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    defaults = {
        SGD: {"lr": 0.01, "momentum": 0.0, "decay": 0.0, "nesterov": False},
        RMSprop: {"lr": 0.001, "rho": 0.9, "epsilon": 1e-7, "decay": 0.0},
        Adagrad: {"lr": 0.01, "epsilon": 1e-7, "decay": 0.0},
        Adadelta: {"lr": 1.0, "rho": 0.95, "epsilon": 1e-7, "decay": 0.0},
        Adam: {"lr": 0.001, **adam, "decay": 0.0, "amsgrad": False},
        Adamax: {"lr": 0.002, **adam, "decay": 0.0},
        Nadam: {"lr": 0.002, **adam, "schedule_decay": 0.004},
    }
    assert cls().get_config() == defaults[cls]
    assert list(cls().get_config()) == list(defaults[cls])


def test_epsilon_follows_the_global_setting_at_construction():
    """None means kerasnb.epsilon() of that moment."""
    try:
        kerasnb.set_epsilon(1e-3)
        assert Adam().epsilon == 1e-3
    finally:
        kerasnb.set_epsilon(1e-7)
    assert Adam(epsilon=0.5).epsilon == 0.5


@pytest.mark.parametrize(
    "ours, theirs, changes",
    [
        (SGD(lr=0.1), "SGD", {}),
        (SGD(lr=0.1, momentum=0.9), "SGD", {"momentum": 0.9}),
        (
            SGD(lr=0.1, momentum=0.9, nesterov=True),
            "SGD",
            {"momentum": 0.9, "nesterov": True},
        ),
        (RMSprop(lr=0.1), "RMSprop", {}),
        (Adagrad(lr=0.1), "Adagrad", {"initial_accumulator_value": 0.0}),
        (Adadelta(lr=0.1), "Adadelta", {}),
        (Adam(lr=0.1), "Adam", {}),
        (Adam(lr=0.1, amsgrad=True), "Adam", {"amsgrad": True}),
        (Adamax(lr=0.1), "Adamax", {}),
        (Nadam(lr=0.1, schedule_decay=1.0), "Nadam", {}),
    ],
)
def test_keras_3_walks_the_same_way(keras, ours, theirs, changes):
    """Twenty steps, where its rule agrees with that of Keras 2 but for epsilon."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if theirs != "SGD":
            changes = {"epsilon": 1e-7, **changes}
        oracle = getattr(keras.optimizers, theirs)(learning_rate=0.1, **changes)
        gradients = some_gradients(20, 5, dtype="float32")
        start = np.linspace(-1, 1, 5).astype("float32")
        p = keras.Variable(start)
        for g in gradients:
            oracle.apply([keras.ops.convert_to_tensor(g)], [p])
        expected = keras.ops.convert_to_numpy(p)
    np.testing.assert_allclose(walk(ours, start, gradients)[-1], expected, atol=2e-5)


# ---- laws -------------------------------------------------------------------------


@every_kind
@given(seed=st.integers(0, 99), size=st.integers(1, 40))
def test_float32_follows_float64(cls, options, seed, size):
    """Five steps in single precision stay near those in double precision."""
    p, gradients = np.linspace(-1, 1, size), some_gradients(5, size, seed)
    exact = walk(cls(**options), p, gradients)[-1]
    single = walk(cls(**options), p.astype("float32"), gradients)[-1]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, rtol=1e-4, atol=1e-4)


@every_kind
def test_parameters_do_not_influence_each_other(cls, options):
    """The elements of a vector walk as each would alone, clipnorm excepted."""
    if "clipnorm" in options:
        options = {"clipvalue": 0.5}
    p, gradients = np.linspace(-1, 1, 7), some_gradients(4, 7)
    together = walk(cls(**options), p, gradients)[-1]
    for i in range(7):
        alone = walk(cls(**options), p[i : i + 1], gradients[:, i : i + 1])[-1]
        assert alone[0] == pytest.approx(together[i], rel=1e-14)


@every_kind
def test_the_first_step_goes_downhill(cls, options):
    """Every parameter moves against its gradient."""
    g = some_gradients(1, 9)
    step = walk(cls(**options), np.zeros(9), g)[0]
    assert (np.sign(step) == -np.sign(g[0])).all()


@every_class
def test_zero_gradients_leave_everything_still(cls):
    """As long as all were zero, nothing moves; padding never does."""
    p = np.linspace(-1, 1, 5)
    assert (walk(cls(), p, np.zeros((3, 5)))[-1] == p).all()


@every_class
def test_a_learning_rate_of_zero_leaves_everything_still(cls):
    """And negative ones are refused, see below."""
    p = np.linspace(-1, 1, 5)
    assert (walk(cls(lr=0.0), p, some_gradients(3, 5))[-1] == p).all()


@every_kind
def test_nan_travels(cls, options):
    """A NaN gradient shows in its parameter and stays in the slots."""
    p = walk(cls(**options), np.ones(3), [[1.0, np.nan, 2.0], [1.0, 1.0, 2.0]])[-1]
    assert np.isnan(p[1])


@every_kind
def test_a_convex_bowl_gets_lower(cls, options):
    """Sixty steps on p^2 / 2 bring p nearer to its minimum at 0."""
    p, optimizer = np.array([1.0, -2.0, 0.5]), cls(**options)
    height = (p**2).sum()
    for _ in range(60):
        optimizer.update(p, p.copy())
    assert (p**2).sum() < height
    assert optimizer.iterations == 60


@pytest.mark.parametrize("cls", [SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax])
def test_decay_divides_the_learning_rate_by_1_plus_decay_times_iterations(cls):
    """A decayed step is a step with the decayed learning rate."""
    lr, gradients = 0.1, some_gradients(4, 3)
    decayed = walk(cls(lr=lr, decay=0.5), np.ones(3), gradients)[-1]
    by_hand, p = cls(lr=lr), np.ones(3)
    for i, g in enumerate(gradients):
        by_hand.lr = lr / (1 + 0.5 * i)
        by_hand.update(p, g.copy())
    np.testing.assert_allclose(decayed, p, rtol=1e-14)


def test_decay_set_later_counts_only_if_there_was_some():
    """As in Keras: the rule is chosen at construction."""
    plain, decaying = SGD(lr=1.0), SGD(lr=1.0, decay=0.1)
    plain.decay = decaying.decay = 1.0
    plain.iterations = decaying.iterations = 3
    assert plain.decayed_lr() == 1.0
    assert decaying.decayed_lr() == 0.25


def test_schedulers_may_write_numpy_numbers():
    """They mean the same as floats."""
    for cls in (SGD, Nadam):
        optimizer = cls(lr=0.5)
        optimizer.lr = np.float32(0.25)
        path = walk(optimizer, np.ones(2), some_gradients(2, 2))
        other = walk(cls(lr=0.25), np.ones(2), some_gradients(2, 2))
        assert (path[-1] == other[-1]).all()
        assert json.dumps(optimizer.get_config()["lr"]) == "0.25"


def test_momentum_may_begin_later():
    """SGD has no slot until there is momentum."""
    optimizer, p = SGD(lr=1.0), np.zeros(2)
    optimizer.update(p, np.ones(2))
    assert optimizer.v is None
    optimizer.momentum = 0.5
    optimizer.update(p, np.ones(2))
    assert optimizer.v.tolist() == [-1, -1] and p.tolist() == [-2, -2]


def test_bits_do_not_depend_on_threads():
    """Every kernel, serial and parallel, on one and two threads."""
    size = 61 if numba.config.DISABLE_JIT else 10_007
    rng = np.random.default_rng(0)
    arrays = rng.uniform(0.1, 1, (5, size)).astype("float32")
    numbers = 0.01, 0.9, 0.99, 0.5, 1e-7, 1.0
    calls = {
        "sgd": (2, 1),
        "momentum": (3, 2),
        "nesterov": (3, 2),
        "rmsprop": (3, 3),
        "adagrad": (3, 2),
        "adadelta": (4, 3),
        "adam": (4, 4),
        "amsgrad": (5, 4),
        "adamax": (4, 4),
        "nadam": (4, 6),
    }
    threads = numba.get_num_threads()
    results = set()
    try:
        for form, count in [
            ("serial", 1),
            ("parallel", 1),
            ("parallel", min(2, threads)),
        ]:
            numba.set_num_threads(count)
            bits = b""
            for name, (vectors, scalars) in calls.items():
                copies = arrays[:vectors].copy()
                getattr(getattr(ops, name + "_update"), form)(
                    *copies, *numbers[:scalars]
                )
                bits += copies.tobytes()
            sums, g = np.zeros(64), arrays[0].copy()
            getattr(ops.squares_by_block, form)(sums, g)
            getattr(ops.clip_by_norm, form)(g, sums, 0.3)
            getattr(ops.clip_by_value, form)(g, 0.004)
            results.add(bits + sums.tobytes() + g.tobytes())
    finally:
        numba.set_num_threads(threads)
    assert len(results) == 1


# ---- state ------------------------------------------------------------------------


@every_kind
def test_a_state_continues_exactly(cls, options):
    """Five steps are two steps, a copy of the state, and three steps: same bits."""
    p, gradients = np.ones(4, "float32"), some_gradients(5, 4, dtype="float32")
    straight = walk(cls(**options), p, gradients)[-1]
    first = cls(**options)
    halfway = walk(first, p, gradients[:2])[-1]
    state = {name: np.asarray(value) for name, value in first.get_state().items()}
    second = cls(**options)
    second.set_state(state)
    assert (walk(second, halfway, gradients[2:])[-1] == straight).all()
    third = cls(**options)
    walk(third, p, gradients)
    third.set_state(state)
    assert third.iterations == 2
    assert (walk(third, halfway, gradients[2:])[-1] == straight).all()


@every_kind
def test_weights_continue_as_in_keras(cls, options):
    """Exactly, but for what Keras's list lacks: some iterations, Nadam's product."""
    p, gradients = np.ones(4), some_gradients(5, 4)
    straight = walk(cls(**options), p, gradients)[-1]
    first, second = cls(**options), cls(**options)
    halfway = walk(first, p, gradients[:2])[-1]
    second.build(4, "float64")
    second.set_weights(first.get_weights())
    second.iterations = first.iterations
    if cls is Nadam:
        second.schedule_product = first.schedule_product
    assert (walk(second, halfway, gradients[2:])[-1] == straight).all()


@pytest.mark.parametrize(
    "optimizer, iterations, slots",
    [
        (SGD(), True, 1),
        (SGD(momentum=0.9), True, 1),
        (RMSprop(), False, 1),
        (Adagrad(), False, 1),
        (Adadelta(), False, 2),
        (Adam(amsgrad=True), True, 3),
        (Adamax(), True, 2),
        (Nadam(), True, 2),
    ],
)
def test_weights_are_slots_by_parameter_after_the_iterations(
    optimizer, iterations, slots
):
    """All of one slot first, in the shapes of the parameters."""
    assert optimizer.get_weights() == []
    optimizer.build(32, "float32", [(0, (2, 3)), (16, (3,))])
    optimizer.update(np.zeros(32, "float32"), np.ones(32, "float32"))
    weights = optimizer.get_weights()
    if iterations:
        assert weights.pop(0) == 1
    assert [w.shape for w in weights] == [(2, 3), (3,)] * slots


def test_adam_without_amsgrad_lists_a_zero_for_each_missing_slot():
    """As Keras does: iterations, m, v, then arrays of length one."""
    optimizer = Adam()
    optimizer.build(32, "float32", [(0, (2, 3)), (16, (3,))])
    weights = optimizer.get_weights()
    assert [w.shape for w in weights] == [(), (2, 3), (3,), (2, 3), (3,), (1,), (1,)]
    optimizer.set_weights(weights)


def test_get_weights_returns_copies():
    """Later steps do not change them."""
    optimizer = SGD(momentum=0.9)
    walk(optimizer, np.ones(2), [[1.0, 1.0]])
    weights = optimizer.get_weights()
    walk(optimizer, np.ones(2), [[1.0, 1.0]])
    assert weights[1].tolist() == [-0.01, -0.01]
    assert optimizer.get_state()["v"] is not optimizer.v


def test_build_keeps_slots_that_fit():
    """Another size, dtype or layout starts with zeros."""
    optimizer, layout = SGD(momentum=0.9), [(0, (2,))]
    walk(optimizer, np.ones(2), [[1.0, 1.0]])
    slot = optimizer.v
    optimizer.build(2, "float64", layout)
    optimizer.build(2, "float64")
    assert optimizer.v is slot and optimizer.layout == layout
    for changed in [(2, "float64", [(0, (2, 1))]), (3, "float64"), (3, "float32")]:
        slot[:] = 1
        optimizer.build(*changed)
        assert optimizer.v is not slot and not optimizer.v.any()
        assert optimizer.v.shape == changed[:1] and optimizer.v.dtype == changed[1]
        slot = optimizer.v
    assert optimizer.iterations == 1


# ---- names and configurations -----------------------------------------------------


@every_kind
def test_configurations_survive_json(cls, options):
    """Every argument by name, with clipping if it was given."""
    optimizer = cls(**options)
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    assert config["class_name"] == cls.__name__
    assert options.items() <= config["config"].items()
    again = optimizers.get(config)
    assert type(again) is cls and again.get_config() == optimizer.get_config()
    assert cls.from_config(config["config"]).get_config() == config["config"]
    assert ("clipnorm" in config["config"]) == ("clipnorm" in options)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_names_in_any_case_classes_and_objects_are_accepted(name):
    """And each name is an attribute of the module."""
    cls = getattr(optimizers, name)
    for identifier in (name, name.upper(), cls.__name__, cls):
        assert type(optimizers.get(identifier)) is cls
    optimizer = cls()
    assert optimizers.get(optimizer) is optimizer


def test_a_subclass_is_an_optimizer():
    """Slots are made, arguments are known, the rest is inherited."""

    class Lion(Optimizer):
        slots = ("m",)

        def __init__(self, lr=0.1, beta=0.5, **kwargs):
            super().__init__(lr, **kwargs)
            self.beta = beta

        def step(self, p, g):
            self.m += (1 - self.beta) * (g - self.m)
            p -= self.decayed_lr() * np.sign(self.m)

    optimizer = optimizers.get(Lion)
    path = walk(optimizer, np.zeros(2), [[1.0, -2.0], [-4.0, -2.0]])
    np.testing.assert_allclose(path[-1], [0.0, 0.2])
    assert optimizer.get_config() == {"lr": 0.1, "beta": 0.5}
    assert Lion(clipnorm=1.0).get_config()["clipnorm"] == 1.0
    assert len(optimizer.get_weights()) == 2
    other = Lion()
    other.set_state(optimizer.get_state())
    assert (other.m == optimizer.m).all()


# ---- errors -----------------------------------------------------------------------


def test_unknown_names_suggest_the_nearest():
    """As a string and in a configuration."""
    with pytest.raises(ValueError, match="optimizer 'rmsprob'. Did you mean 'rmsprop'"):
        optimizers.get("RMSprob")
    with pytest.raises(ValueError, match="Unknown optimizer 'adagard'"):
        optimizers.get({"class_name": "Adagard", "config": {}})


@pytest.mark.parametrize("identifier", [None, 3, {"lr": 1}, len])
def test_what_is_no_optimizer_is_refused(identifier):
    """With a TypeError that says what would be one."""
    with pytest.raises(TypeError, match="optimizer: expected a name, a configuration"):
        optimizers.get(identifier)


@every_class
def test_unknown_keywords_list_the_known(cls):
    """At construction, not at the first training."""
    message = f"{cls.__name__}: unknown keyword 'learning_rate'. Known: lr, .*clipnorm"
    with pytest.raises(TypeError, match=message):
        cls(learning_rate=0.1)


def test_nadam_has_no_decay():
    """It has a schedule of its own."""
    with pytest.raises(TypeError, match="Nadam: unknown keyword 'decay'"):
        Nadam(decay=0.1)


@pytest.mark.parametrize(
    "cls, name, value",
    [(cls, "lr", -0.1) for cls in optimizers.OPTIMIZERS.values()]
    + [(SGD, name, -1) for name in ("momentum", "decay", "clipnorm", "clipvalue")]
    + [
        (SGD, "lr", float("nan")),
        (Adam, "epsilon", -1e-7),
        (Nadam, "schedule_decay", -1),
    ],
)
def test_negative_settings_are_refused(cls, name, value):
    """NaN too."""
    with pytest.raises(ValueError, match=f"{cls.__name__}: expected {name} >= 0, got"):
        cls(**{name: value})


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize(
    "cls, name",
    [(RMSprop, "rho"), (Adadelta, "rho")]
    + [(cls, beta) for cls in (Adam, Adamax, Nadam) for beta in ("beta_1", "beta_2")],
)
def test_averages_need_a_weight_from_0_to_below_1(cls, name, value):
    """A weight of 1 would never learn."""
    with pytest.raises(ValueError, match=f"{cls.__name__}: expected 0 <= {name} < 1"):
        cls(**{name: value})


def test_set_weights_checks_count_and_shapes_before_it_changes_anything():
    """Both numbers are in the message."""
    optimizer = Adam(amsgrad=True)
    with pytest.raises(ValueError, match="expected 0 arrays, got 1. The state exists"):
        optimizer.set_weights([np.zeros(2)])
    walk(optimizer, np.ones(2), [[1.0, 1.0]])
    before = optimizer.get_weights()
    with pytest.raises(ValueError, match="Adam.set_weights: expected 4 arrays, got 3"):
        optimizer.set_weights(before[:3])
    with pytest.raises(ValueError, match=r"array 3 of shape \(2,\), got \(3,\)"):
        optimizer.set_weights([np.array(9), np.ones(2), np.ones(2), np.ones(3)])
    for old, new in zip(before, optimizer.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_slots_take_no_room_before_they_are_asked_for():
    """Then they are what they always were, after copies and states as well."""
    optimizer, twin = Adam(), Adam()
    optimizer.build(40, "float32", [(0, (3, 2)), (16, (4,))])
    assert not {"m", "v"} & set(vars(optimizer))
    copied = copy.deepcopy(optimizer)
    assert copied.v.shape == (40,) and not copied.v.any() and "m" not in vars(copied)
    parts = [np.ones((3, 2)), np.full(4, 2.0)]
    optimizer.set_state({"iterations": 1, "m": parts, "v": np.arange(40)})
    assert optimizer.m.tolist() == [1] * 6 + [0] * 10 + [2] * 4 + [0] * 20
    assert optimizer.v.tolist() == list(range(40))
    with pytest.raises(ValueError, match=r"m of shape \(3, 2\), \(4,\), got \(4,\)"):
        optimizer.set_state({"iterations": 1, "m": parts[1:], "v": parts})
    with pytest.raises(AttributeError, match="Adam.m exists from the first training"):
        twin.m
    with pytest.raises(AttributeError, match="Adam has no attribute 'v_hat'"):
        optimizer.v_hat


def test_a_slot_that_the_class_has_under_its_name_starts_anew_as_well():
    """An optimizer of one's own may begin with `v = None` in its body."""

    class Own(SGD):
        v = None

    optimizer = Own(momentum=0.5)
    optimizer.build(3, "float64")
    assert optimizer.v.tolist() == [0, 0, 0]


def test_set_state_refuses_what_does_not_fit():
    """Other names or other sizes; nothing changes."""
    optimizer = Adam()
    walk(optimizer, np.ones(2), [[1.0, 1.0]])
    with pytest.raises(
        ValueError, match="set_state: expected iterations, m, v, got it"
    ):
        optimizer.set_state({"iterations": 3, "a": np.ones(2)})
    with pytest.raises(ValueError, match="another optimizer"):
        optimizer.set_state({"m": np.ones(2), "v": np.ones(2)})
    with pytest.raises(ValueError, match="got iterations, m. The state comes from"):
        optimizer.set_state({"iterations": 3, "m": np.ones(2)})
    with pytest.raises(ValueError, match=r"expected m of shape \(2,\), got \(3,\)"):
        optimizer.set_state({"iterations": 3, "m": np.ones(3), "v": np.ones(3)})
    assert optimizer.iterations == 1


def test_a_base_class_says_what_is_missing():
    """Optimizer has no rule."""
    with pytest.raises(NotImplementedError, match="Optimizer has no step"):
        Optimizer().update(np.ones(1), np.ones(1))
