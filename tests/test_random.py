"""The random generator: known answers, the promise of same bits, statistics, errors."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import random
from kerasnb.device import ops
from kerasnb.kernels.formulas.random import below, philox, random_words, u32, u64
from kerasnb.kernels.plain.random import GROUP

MANY = 400 if numba.config.DISABLE_JIT else 40_000
KEY, COUNTER = 12345, 678
DRAWS = {  # kernel -> its numbers, each valid for a keep rate too
    "random_uniform": (-1.0, 2.0),
    "random_normal": (0.5, 3.0),
    "random_truncated_normal": (0.5, 3.0),
    "normal_noise": (0.5, 3.0),
    "dropout_forward": (0.3,),
}
sizes = st.integers(0, 61)


def draw(name, size, dtype="float64", counter=COUNTER, form=None):
    """Return what a kernel draws."""
    out = np.full(size, np.nan, dtype)
    kernel = getattr(ops, name)
    kernel = getattr(kernel, form) if form else kernel
    if name == "dropout_forward":
        state = state_at(counter)
        kernel(out, *dropout_arguments(out), *DRAWS[name], state)
        assert state.tolist() == [KEY, counter + random.decisions(size)[0] // 8]
    elif name == "normal_noise":
        state = state_at(counter)
        kernel(out, *DRAWS[name], state)
        assert state.tolist() == [KEY, counter + (size + 3) // 4]
    else:
        kernel(out, *DRAWS[name], KEY, counter)
    return out


def state_at(counter=COUNTER):
    """Return the state of a generator."""
    return np.array([KEY, counter], np.uint64)


def dropout_arguments(y):
    """Return room for the words, and ones: then y is the mask."""
    return np.zeros(random.decisions(y.size), np.uint16), np.ones_like(y)


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize(
    "counter, key, words",
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter, key, words):
    """The three vectors published with Philox4x32-10."""
    numbers = [u32(word) for word in counter + key]
    assert tuple(int(word) for word in philox(*numbers)) == words


def test_uniform_numbers_are_the_words_of_philox():
    """Element k of block 0 is the high 24 bits of word k, divided by 2^24."""
    out = np.empty(4)
    ops.random_uniform(out, 0.0, 1.0, 0, 0)
    words = np.array([0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8])
    assert (out == (words >> 8) / 2**24).all()


def test_normal_numbers_are_box_muller_of_the_words():
    """Words a, b give sqrt(-2 log u) cos 2 pi v and the same with sin."""
    out = np.empty(3)
    ops.random_normal(out, 1.0, 2.0, 0, 0)
    a, b, c, d = 0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8
    u, v = (np.array([a, c]) + 1) / 2**32, 2 * np.pi * np.array([b, d]) / 2**32
    radius = np.sqrt(-2 * np.log(u))
    z = np.stack([radius * np.cos(v), radius * np.sin(v)], axis=1).ravel()
    np.testing.assert_allclose(out, 1 + 2 * z[:3], rtol=1e-12)


def test_every_size_of_key_and_counter_is_allowed():
    """Keys and counters up to 2^63 - 1 work, and all their bits count."""
    seen = set()
    for key, counter in [(0, 0), (1 << 40, 0), (0, 1 << 40), ((1 << 63) - 1, 1 << 62)]:
        out = np.empty(4)
        ops.random_uniform(out, 0.0, 1.0, key, counter)
        seen.add(out.tobytes())
    assert len(seen) == 4


def test_noise_is_what_the_generator_hands_out():
    """`normal_noise` draws the numbers of `random_normal`, and moves the state on."""
    noise, expected, state = np.empty(7), np.empty(7), state_at()
    for _ in range(2):
        ops.normal_noise(noise, 1.0, 2.0, state)
        ops.random_normal(expected, 1.0, 2.0, KEY, int(state[1]) - 2)
        assert (noise == expected).all()


# ---- same bits --------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWS)
@given(size=sizes, skipped=st.integers(0, 5))
def test_any_piece_can_be_drawn_alone(name, size, skipped):
    """What a counter gives does not depend on where a drawing began."""
    blocks, numbers = (GROUP, 8) if name == "dropout_forward" else (1, 4)
    start = skipped * blocks * numbers
    whole = draw(name, start + size)
    piece = draw(name, size, counter=COUNTER + skipped * blocks)
    assert (whole[start:] == piece).all()


@pytest.mark.parametrize("name", DRAWS)
@given(size=sizes)
def test_float32_is_float64_rounded(name, size):
    """Both precisions draw from the same words, so they make the same decisions."""
    exact = draw(name, size, "float64")
    assert draw(name, size, "float32") == pytest.approx(exact, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_bits_do_not_depend_on_threads(name, dtype):
    """The serial form and the parallel one, on one and two threads, agree."""
    size = 10_007 if MANY > 1000 else 37
    expected = draw(name, size, dtype, form="serial")
    threads = numba.get_num_threads()
    try:
        for count in {1, min(2, threads)}:
            numba.set_num_threads(count)
            assert (draw(name, size, dtype, form="parallel") == expected).all()
    finally:
        numba.set_num_threads(threads)


@given(size=sizes)
def test_dropout_keeps_where_the_word_is_large_enough(size):
    """The words are the generator's; they decide forward and backward alike."""
    mask = draw("dropout_forward", size)
    words = np.zeros(random.decisions(size), np.uint16)
    ops.dropout_words(words, state_at())
    expected = (words[:size] >= round(0.3 * 2**16)) / (1 - 0.3)
    assert (mask == expected).all()
    x, y = np.linspace(-2, 3, size), np.empty(size)
    ops.dropout_apply(y, x, words, 0.3)
    assert (y == x * mask).all()


def test_halves_of_words_decide_side_by_side():
    """Word 0 of GROUP blocks, word 1 of each and so on; the low half comes first."""
    words = np.zeros(2 * 8 * GROUP, np.uint16)
    ops.dropout_words(words, state_at())
    blocks = [
        random_words(u64(KEY), u64(COUNTER + n), u32(0)) for n in range(2 * GROUP)
    ]
    expected = np.array(blocks, np.int64).reshape(2, GROUP, 4).swapaxes(1, 2).ravel()
    assert (words[0::2] == expected & 0xFFFF).all()
    assert (words[1::2] == expected >> 16).all()


# ---- statistics -------------------------------------------------------------------


def within(value, expected, deviation, count):
    """Return whether a mean of `count` draws is within five of its deviations."""
    return abs(value - expected) <= 5 * deviation / count**0.5


def test_uniform_numbers_fill_their_range_evenly():
    """Range, mean and the counts of 16 bins (chi squared, 15 degrees of freedom)."""
    x = draw("random_uniform", MANY)
    assert -1 <= x.min() and x.max() < 2
    assert within(x.mean(), 0.5, 3 / 12**0.5, MANY)
    counts = np.bincount(((x + 1) / 3 * 16).astype(int), minlength=16)
    assert ((counts - MANY / 16) ** 2 / (MANY / 16)).sum() < 45


def test_normal_numbers_have_the_moments_of_a_normal():
    """Mean 0, variance 1, third moment 0, fourth moment 3."""
    z = (draw("random_normal", MANY) - 0.5) / 3
    assert within(z.mean(), 0, 1, MANY)
    assert within((z**2).mean(), 1, 2**0.5, MANY)
    assert within((z**3).mean(), 0, 15**0.5, MANY)
    assert within((z**4).mean(), 3, 96**0.5, MANY)


def test_truncated_normal_numbers_stay_within_two_deviations():
    """Nothing beyond 2, and the standard deviation is 0.8796."""
    z = (draw("random_truncated_normal", MANY) - 0.5) / 3
    assert abs(z).max() <= 2 and abs(z).max() > 1.8
    assert within(z.mean(), 0, 0.88, MANY)
    assert within((z**2).mean(), 0.87962566103423978**2, 0.9, MANY)


def test_truncated_normal_keeps_what_is_near():
    """Only the numbers beyond 2 are drawn again."""
    plain, cut = draw("random_normal", 300), draw("random_truncated_normal", 300)
    near = abs((plain - 0.5) / 3) <= 2
    assert (plain[near] == cut[near]).all()
    assert 0 < (~near).sum() < 40


def test_permutations_are_equally_likely():
    """All six orders of three things come, each as often (chi squared, 5 degrees)."""
    generator = random.Generator(3)
    turns = max(MANY // 20, 120)
    seen = {}
    for _ in range(turns):
        order = tuple(generator.permutation(3).tolist())
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 6
    assert sum((n - turns / 6) ** 2 / (turns / 6) for n in seen.values()) < 25


def test_dropout_keeps_the_mean():
    """The mask is 0 or 1 / (1 - rate), and its mean is 1."""
    mask = draw("dropout_forward", MANY)
    assert set(np.unique(mask)) == {0, 1 / (1 - 0.3)}
    assert within(mask.mean(), 1, (0.3 / 0.7) ** 0.5, MANY)


# ---- laws -------------------------------------------------------------------------


@given(n=sizes, seed=st.integers(0, 2**63 - 1))
def test_a_permutation_holds_everything_once(n, seed):
    """Sorted, it is 0 .. n - 1."""
    assert (np.sort(random.Generator(seed).permutation(n)) == np.arange(n)).all()


@given(bound=st.integers(1, 2**32), word=st.integers(0, 2**32 - 1))
def test_below_stays_below_the_bound(bound, word):
    """Also for bounds of which a third of the words must be drawn again."""
    assert 0 <= below(bound, u32(word), u64(KEY), u64(COUNTER), 1) < bound


def test_below_redraws_the_words_that_would_be_uneven():
    """For the bound 3, word 0 would make 0 too likely by one, so it decides nothing."""
    first = [int(below(3, u32(0), u64(KEY), u64(n), 0)) for n in range(20)]
    assert len(set(first)) == 3
    assert [int(below(3, u32(1), u64(KEY), u64(n), 0)) for n in range(20)] == [0] * 20


@given(rate=st.sampled_from([0.0, 1.0]))
def test_dropout_of_rate_0_keeps_all_and_of_rate_1_nothing(rate):
    """The limits are exact."""
    mask = np.empty(50)
    words, ones = dropout_arguments(mask)
    ops.dropout_forward(mask, words, ones, rate, state_at())
    assert (mask == 1 - rate).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_takes_any_shape_and_passes_nan(dtype):
    """Elements count in memory order; NaN stays NaN, kept or dropped."""
    x = np.full((2, 3, 5), np.nan, dtype)
    y = np.empty_like(x)
    words, ones = dropout_arguments(y)
    ops.dropout_forward(y, words, x, 0.3, state_at())
    assert np.isnan(y).all()
    ops.dropout_forward(y, words, ones, 0.3, state_at())
    assert (y.ravel() == draw("dropout_forward", 30, dtype)).all()


# ---- the generator ----------------------------------------------------------------


def test_take_reserves_whole_blocks():
    """Four numbers a block, rounded up; two drawings never overlap."""
    generator = random.Generator(9)
    assert generator.take(5) == (9, 0)
    assert generator.take(4) == (9, 2)
    assert generator.take(0) == (9, 3)
    assert generator.counter == 3


def test_the_same_seed_gives_the_same_numbers():
    """Drawing by drawing; another seed gives others."""
    one, two, other = random.Generator(1), random.Generator(1), random.Generator(2)
    for method, what in [("uniform", (2, 3)), ("normal", 5), ("permutation", 20)]:
        x = getattr(one, method)(what)
        assert (x == getattr(two, method)(what)).all()
        assert (x != getattr(other, method)(what)).any()


def test_generators_without_a_seed_differ():
    """Their seed comes from the operating system."""
    assert random.Generator().key != random.Generator().key


def test_a_state_can_be_kept():
    """After set_state the numbers after get_state come again."""
    generator = random.Generator(4)
    generator.normal(3)
    state = generator.get_state()
    x = generator.normal(3)
    fresh = random.Generator()
    fresh.set_state(state)
    assert (fresh.normal(3) == x).all()


def test_spawn_gives_new_seeds_and_advances():
    """Seeds of a stream are reproducible, different, and 63 bits long."""
    seeds = [random.Generator(7).spawn() for _ in range(2)]
    assert seeds[0] == seeds[1]
    generator = random.Generator(7)
    many = {generator.spawn() for _ in range(20)}
    assert len(many) == 20 and seeds[0] in many
    assert all(0 <= seed < 2**63 for seed in many) and max(many) > 2**60


def test_numbers_come_in_floatx_or_the_wanted_dtype():
    """None means kerasnb.floatx()."""
    assert random.Generator(1).uniform((2, 2)).dtype == np.float32
    assert random.Generator(1).normal((), dtype="float64").shape == ()
    assert random.Generator(1).truncated_normal(3, 1.0, 0.0).tolist() == [1, 1, 1]


def test_permutation_fills_a_given_vector():
    """The same order, without a new array."""
    out = np.empty(9, np.int64)
    assert random.Generator(1).permutation(9, out) is out
    assert (out == random.Generator(1).permutation(9)).all()


def test_set_seed_restarts_the_process_wide_stream():
    """Two equal seeds, two equal drawings."""
    random.set_seed(5)
    x = random.generator().normal(4)
    random.set_seed(5)
    assert (random.generator().normal(4) == x).all()


def test_seeded_swaps_the_stream_and_brings_the_former_back():
    """Also when the block raises; None changes nothing."""
    former = random.generator()
    with pytest.raises(RuntimeError, match="on purpose"):
        with random.seeded(3) as inside:
            assert random.generator() is inside is not former
            x = inside.normal(2)
            raise RuntimeError("on purpose")
    assert random.generator() is former and former.counter == 0
    assert (random.Generator(3).normal(2) == x).all()
    with random.seeded(None) as inside:
        assert inside is former


def test_numpys_global_generator_is_left_alone():
    """Neither read nor seeded."""
    before = np.random.get_state()[1].copy()
    random.set_seed(1)
    random.generator().permutation(10)
    assert (np.random.get_state()[1] == before).all()


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_out_of_range_are_refused(seed):
    """And the stream goes on as before."""
    former = random.generator()
    with pytest.raises(
        ValueError, match=r"set_seed: expected .* from 0 to 2\*\*63 - 1"
    ):
        random.set_seed(seed)
    with pytest.raises(ValueError, match="seed: expected a whole number"):
        with random.seeded(seed):
            pass
    assert random.generator() is former


@pytest.mark.parametrize("seed", [1.5, "7", None])
def test_seeds_that_are_not_whole_numbers_are_refused(seed):
    """With a TypeError that says what a seed is."""
    with pytest.raises(TypeError, match="set_seed: expected a whole number"):
        random.set_seed(seed)


def test_states_that_are_none_are_refused():
    """A bad counter leaves key and counter alone."""
    generator = random.Generator(1)
    with pytest.raises(ValueError, match="set_state: counter: expected a whole"):
        generator.set_state({"key": 2, "counter": -1})
    assert generator.get_state() == {"key": 1, "counter": 0}


def test_other_dtypes_are_refused():
    """Only float32 and float64 are drawn."""
    with pytest.raises(
        ValueError, match="expected dtype float32 or float64, got int64"
    ):
        random.Generator(1).uniform(3, dtype="int64")


@pytest.mark.parametrize("out", [np.empty(3, np.int64), np.empty(4)])
def test_permutation_refuses_a_vector_that_does_not_fit(out):
    """Length and type must be right."""
    with pytest.raises(ValueError, match="permutation: expected out .* of length 4"):
        random.Generator(1).permutation(4, out)
