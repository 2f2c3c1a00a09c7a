"""The recurrent cells, on every device."""

import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb.device import kernels_of
from kerasnb.kernels.formulas import recurrence as formula

SMALL = numba.config.DISABLE_JIT
SIGMA, PHI = formula.CODES["hard_sigmoid"], formula.CODES["tanh"]
NO_MASK = np.zeros((0, 0), bool)
GATES = {"rnn": 1, "lstm": 4, "gru": 3, "gru_after": 3}
devices = pytest.mark.parametrize("device", ["plain", "cpu"])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
cells = pytest.mark.parametrize("cell", GATES)


class Run:
    """One cell on random numbers: what goes in, what comes out, forward and back."""

    def __init__(self, cell, T, N, u, G=0, masked=False, dtype="float64", seed=0):
        self.cell, self.T, self.N, self.u = cell, T, N, u
        rng = np.random.default_rng(seed)
        gates = GATES[cell]
        self.dtype = np.dtype(dtype)

        def draw(*shape):
            return rng.normal(size=shape).astype(dtype)

        G = min(G, gates) if G < 2 else gates
        self.z, self.U, self.b = draw(T, N, gates * u), draw(u, gates * u), draw(3 * u)
        self.U /= np.sqrt(u).astype(dtype)
        self.h, self.c, self.dy = draw(N, u), draw(N, u), draw(T, N, u)
        self.dh, self.dc = draw(N, u), draw(N, u)
        self.r = rng.choice(np.array([0, 1.25], dtype), (G, N, u))
        self.mask = rng.random((T, N)) < 0.6 if masked else NO_MASK
        self.sigma, self.phi = SIGMA, PHI

    def new(self, *shape):
        """Return what was NaN before."""
        return np.full(shape, np.nan, self.dtype)

    def forward(self, ops):
        """Return the states after every step, and what the way back needs."""
        T, N, u = self.T, self.N, self.u
        h, c = self.new(T + 1, N, u), self.new(T + 1, N, u)
        h[0], c[0] = self.h, self.c
        rest = self.r, self.mask
        if self.cell == "rnn":
            ops["rnn_forward"](h, self.z, self.U, *rest, self.phi)
            return (h,)
        gates = self.new(*self.z.shape)
        if self.cell == "lstm":
            codes = self.sigma, self.phi
            ops["lstm_forward"](h, c, gates, self.z, self.U, *rest, *codes)
            return h, c, gates
        inner, codes = self.new(T, N, u), (self.sigma, self.phi, self.reset_after)
        ops["gru_forward"](h, gates, inner, self.z, self.U, self.b, *rest, *codes)
        return h, gates, inner

    @property
    def reset_after(self):
        """Whether the product comes before the reset gate."""
        return self.cell == "gru_after"

    def backward(self, ops, results, in_place=False):
        """Return dz, the gradients of the first state, and dinner of a GRU."""
        h, dy, rest = results[0], self.dy, (self.U, self.r, self.mask)
        dh, dc, dz = self.dh.copy(), self.dc.copy(), self.new(*self.z.shape)
        if self.cell == "rnn":
            ops["rnn_backward"](dz, dh, dy, h, *rest, self.phi)
            return dz, dh
        if self.cell == "lstm":
            _, c, gates = results
            dz = gates if in_place else dz
            codes = self.sigma, self.phi
            ops["lstm_backward"](dz, dh, dc, dy, gates, c, *rest, *codes)
            return dz, dh, dc
        _, gates, inner = results
        dz, dinner = (gates, inner) if in_place else (dz, np.full_like(inner, np.nan))
        codes = self.sigma, self.phi, self.reset_after
        ops["gru_backward"](dz, dh, dinner, dy, gates, inner, h, *rest, *codes)
        return dz, dh, dinner

    def loss(self, ops):
        """Return a number whose gradients are what `backward` starts from."""
        results = self.forward(ops)
        total = (results[0][1:] * self.dy).sum() + (results[0][-1] * self.dh).sum()
        return total + ((results[1][-1] * self.dc).sum() if self.cell == "lstm" else 0)


def both_steps(cell, x, W, U, b, ops, second=None):
    """Return the last state (of an LSTM: h, c) of one unit that sees one number."""
    run = Run(cell, len(x), 1, 1)
    W, U, b = (np.atleast_1d(v).astype(float) for v in (W, U, b))
    run.z, run.U = np.array(x)[:, None, None] * W + b, U[None]
    run.b = np.zeros(3) if second is None else np.array(second)
    run.h[:], run.c[:] = 0, 0
    return [states[-1, 0, 0] for states in run.forward(ops)]


@devices
def test_two_steps_of_each_cell(device):
    """The vectors of the reference."""
    ops = kernels_of(device)
    assert both_steps("rnn", (1, 2), 0.1, 0.2, 0.3, ops)[0] == pytest.approx(
        0.519744621, abs=1e-9
    )
    gru = (1, 2), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (0.01, 0.02, 0.03), ops
    assert both_steps("gru", *gru)[0] == pytest.approx(0.349456626, abs=1e-9)
    after = both_steps("gru_after", *gru, (0.04, 0.05, 0.06))[0]
    assert after == pytest.approx(0.363411584, abs=1e-9)
    lstm = (1, 2), (0.1, 0.2, 0.3, 0.4), (0.5, 0.6, 0.7, 0.8), (0, 1, 0, 0), ops
    assert both_steps("lstm", *lstm)[:2] == pytest.approx(
        [0.277366100, 0.437478628], abs=1e-9
    )


@cells
@given(
    T=st.integers(1, 4),
    N=st.integers(1, 3),
    u=st.integers(1, 4),
    G=st.integers(0, 2),
    masked=st.booleans(),
    phi=st.sampled_from(["tanh", "sigmoid", "softsign", "softplus", "linear"]),
)
def test_gradients_are_those_of_finite_differences(cell, T, N, u, G, masked, phi):
    """Of z, h[0], c[0] and U, along a random direction."""
    ops = kernels_of("plain")
    run = Run(cell, T, N, u, G, masked, seed=T + N + u)
    run.sigma, run.phi = formula.CODES["sigmoid"], formula.CODES[phi]
    results = run.forward(ops)
    dz, dh, *rest = run.backward(ops, results)
    gradients = {"z": dz, "h": dh, "U": weight_gradient(run, ops, results, dz, *rest)}
    if cell == "lstm":
        gradients["c"] = rest[0]
    if cell != "lstm" and cell != "rnn":
        gradients["b"] = bias_gradient(cell, dz, rest[0])
    rng = np.random.default_rng(1)
    for name, gradient in gradients.items():
        at = getattr(run, name)
        direction, losses = rng.normal(size=at.shape), []
        for step in (1e-6, -1e-6):
            setattr(run, name, at + step * direction)
            losses.append(run.loss(ops))
        setattr(run, name, at)
        expected = (losses[0] - losses[1]) / 2e-6
        assert (gradient * direction).sum() == pytest.approx(expected, 1e-6, 1e-7)


def weight_gradient(run, ops, results, dz, *rest):
    """Return dU, as a layer computes it: in blocks, where gates see other states."""
    T, N, u = run.T, run.N, run.u
    gates, dU, db = GATES[run.cell], np.empty_like(run.U), np.empty(run.U.shape[1])
    for g in range(gates):
        seen, source, start = results[0][:T].copy(), dz, g * u
        if len(run.r):
            which = min(g, len(run.r) - 1)
            ops["scale_states"](seen, results[0], run.r, which)
        if run.cell == "gru" and g == 2:
            seen = results[2]
        if run.cell == "gru_after" and g == 2:
            source, start = rest[0], 0
        ops["recurrent_backward_weights"](
            dU, db, source.reshape(T * N, -1), seen.reshape(T * N, u), g * u, start, u
        )
    return dU


def bias_gradient(cell, dz, dinner):
    """Return the gradient of the second bias of a GRU."""
    total, u = dz.sum(axis=(0, 1)), dinner.shape[2]
    if cell == "gru_after":
        total[2 * u :] = dinner.sum(axis=(0, 1))
    return total


TOLERANCE = {"float32": 1e-4, "float64": 1e-12}  # of the largest number


def assert_close(found, expected, dtype):
    """Compare with what roundings leave of the smaller numbers."""
    for a, b in zip(found, expected):
        atol = TOLERANCE[dtype] * (1 + np.abs(b).max())
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@cells
@dtypes
@given(
    T=st.integers(1, 4),
    N=st.sampled_from([1, 2, 5, 12, 19, 33]),
    u=st.sampled_from([1, 3, 8, 16, 21, 33]),
    G=st.integers(0, 2),
    masked=st.booleans(),
    in_place=st.booleans(),
    sigma=st.sampled_from(["hard_sigmoid", "sigmoid", "relu"]),
    phi=st.sampled_from(sorted(set(formula.CODES) - {"exponential"})),
)
def test_the_loops_and_the_tile_agree(
    cell, dtype, T, N, u, G, masked, in_place, sigma, phi
):
    """Forward and back, any size, also where outputs take the place of inputs."""
    run = Run(cell, T, N, u, G, masked, dtype, seed=u)
    run.sigma, run.phi = formula.CODES[sigma], formula.CODES[phi]
    run.z *= run.dtype.type(0.3)
    plain, cpu = kernels_of("plain"), kernels_of("cpu")
    expected, found = run.forward(plain), run.forward(cpu)
    assert_close(found, expected, dtype)
    expected = run.backward(plain, expected)
    assert_close(run.backward(cpu, found, in_place), expected, dtype)


@pytest.mark.parametrize("form", ["serial", "parallel"])
@given(
    backwards=st.booleans(),
    N=st.integers(1, 5),
    T=st.integers(1, 6),
    D=st.integers(1, 4),
)
def test_sequences_come_back_from_time_major(form, backwards, N, T, D):
    """Forwards or backwards in time, for numbers and for masks."""
    ops = kernels_of("plain")
    there, back = ops["steps_to_time_major"], ops["time_major_to_steps"]
    for dtype in (np.float64, np.bool_):
        x = np.random.default_rng(0).normal(size=(N, T, D)).astype(dtype)
        xt, x_again = np.empty((T, N, D), dtype), np.empty_like(x)
        getattr(there, form)(xt, x, backwards)
        getattr(back, form)(x_again, xt, backwards)
        np.testing.assert_array_equal(xt[::-1] if backwards else xt, x.swapaxes(0, 1))
        np.testing.assert_array_equal(x_again, x)


@dtypes
@given(
    N=st.sampled_from([1, 7, 40] if SMALL else [1, 7, 255, 256, 257, 700]),
    u=st.sampled_from([1, 5, 6, 16, 19]),
    count=st.sampled_from([1, 16, 21, 32]),
)
def test_blocks_of_the_gradient_are_numpys(dtype, N, u, count):
    """Only the columns that were asked for are written."""
    rng = np.random.default_rng(N + u)
    dz, h = (rng.normal(size=(N, k)).astype(dtype) for k in (count + 5, u))
    for device in ("plain", "cpu"):
        dU, db = np.zeros((u, count + 9), dtype), np.zeros(count + 9, dtype)
        back = kernels_of(device)["recurrent_backward_weights"]
        back(dU, db, dz, h, 4, 2, count)
        seen, columns = dz[:, 2 : count + 2], slice(4, count + 4)
        assert_close((dU[:, columns], db[columns]), (h.T @ seen, seen.sum(0)), dtype)
        dU[:, columns], db[columns] = 0, 0
        assert not dU.any() and not db.any()


@devices
@cells
def test_a_masked_step_keeps_the_state_and_hides_what_it_saw(device, cell):
    """Even NaN: no state and no other gradient learns of it."""
    run = Run(cell, 3, 7, 5)
    run.mask = np.ones((3, 7), bool)
    run.mask[1, 2] = False
    run.z[1, 2] = np.nan
    ops = kernels_of(device)
    results = run.forward(ops)
    for states in results[: 2 if cell == "lstm" else 1]:
        np.testing.assert_array_equal(states[2, 2], states[1, 2])
        assert np.isfinite(states).all()
    dz, *rest = run.backward(ops, results)
    assert not dz[1, 2].any() and np.isfinite(dz).all()
    assert all(np.isfinite(gradient).all() for gradient in rest)


@devices
@cells
def test_nan_stays_in_its_sample(device, cell):
    """It goes through all later states of that sample, and back to all its steps."""
    run = Run(cell, 4, 9, 5)
    run.sigma = formula.CODES["sigmoid"]
    run.z[1, 3, 0] = np.nan
    ops = kernels_of(device)
    results = run.forward(ops)
    others = np.arange(9) != 3
    assert np.isfinite(results[0][:, others]).all()
    assert np.isfinite(results[0][:2, 3]).all()
    assert np.isnan(results[0][3:, 3]).all()
    dz, dh, *_ = run.backward(ops, results)
    assert np.isfinite(dz[:, others]).all() and np.isfinite(dh[others]).all()
    assert np.isnan(dh[3]).any()


@pytest.mark.skipif(
    SMALL or numba.config.NUMBA_NUM_THREADS < 2, reason="needs two compiled threads"
)
@cells
def test_bits_do_not_depend_on_threads(cell):
    """A sample's sums run in one order, whichever rows share its tile."""
    run = Run(cell, 5, 21, 19, G=2, masked=True, dtype="float32")
    ops, found = kernels_of("cpu"), []
    try:
        for threads in (1, 2, 1, 2):
            kerasnb.set_num_threads(threads)
            results = run.forward(ops)
            found.append([*results, *run.backward(ops, results)])
    finally:
        kerasnb.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


@cells
def test_a_sample_does_not_depend_on_the_batch(cell):
    """Whether a tile has six rows, four or one, a row sees the same sums."""
    run = Run(cell, 3, 23, 19)
    ops = kernels_of("cpu")
    whole = run.forward(ops)[0]
    for N in (1, 5, 8, 22):
        few = Run(cell, 3, N, 19)
        few.z, few.U, few.b = run.z[:, :N].copy(), run.U, run.b
        few.h, few.c = run.h[:N], run.c[:N]
        few.r = np.zeros((0, N, 19))
        np.testing.assert_array_equal(few.forward(ops)[0], whole[:, :N])


@pytest.mark.skipif(SMALL, reason="registers are arrays then")
@cells
def test_no_array_is_made_after_the_first_call(cell):
    """The scratch for packed weights and rows is used again."""
    run = Run(cell, 3, 40, 33, dtype="float32")
    ops = kernels_of("cpu")
    results = run.forward(ops)
    run.backward(ops, results)
    calls = {}
    spies = {
        name: lambda *arguments, name=name: calls.update({name: arguments})
        for name in ops
    }
    run.forward(spies)
    run.backward(spies, results)
    assert len(calls) == 2
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for name, arguments in calls.items():
        ops[name](*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - before < 5000
