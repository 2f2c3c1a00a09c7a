"""The checks: right code passes, and every kind of wrong code fails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import check_layer, checks, layer, layers, random
from kerasnb.activations import ActivationFunction
from kerasnb.losses import Loss
from kerasnb.optimizer import Optimizer
from kerasnb.optimizers import SGD


def failures(report):
    """Return what failed, and the likely causes."""
    return {f.what: f.cause for f in report.findings if not f.passed}


# ---- layers -----------------------------------------------------------------------


class Gain(layer.Layer):
    """y = (gain x)^2: a layer that does everything right."""

    def __init__(self, power=2.0, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def build(self, input_shape):
        self.gain = self.add_weight("gain", input_shape[1:], "ones")

    def forward(self, x, training):
        self.x = x
        self.z = np.abs(self.gain.value * x)
        return self.z**self.power

    def backward(self, dy):
        dz = dy * self.power * self.z ** (self.power - 1) * np.sign(self.x)
        dz *= np.sign(self.gain.value)
        if self.gain.grad is not None:
            self.gain.grad[...] = (dz * self.x).sum(axis=0)
        return dz * self.gain.value

    def get_config(self):
        return {**super().get_config(), "power": self.power}


def test_a_right_layer_passes():
    """Nothing fails, built or not; the layer and the user's stream are untouched."""
    right = Gain()
    random.set_seed(3)
    report = checks.check_layer(right, (4,))
    assert report.passed and not right.built
    assert random.generator().counter == 0
    assert [f.what for f in report.findings] == [
        "config round trip",
        "forward keeps x",
        "output shape",
        "output type",
        "same input, same output",
        "other batch sizes",
        "order of samples",
        "backward keeps dy",
        "shape of dx",
        "backward fills the gradients",
        "gradient of x",
        "gradient of gain",
    ]
    right(np.ones((2, 3)))
    right.gain.assign([1.0, 2.0, 3.0])
    assert checks.check_layer(right, (3,), training=False).passed
    assert right.gain.grad is None
    np.testing.assert_array_equal(right.gain.value, [1, 2, 3])


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5]))
def test_a_right_layer_passes_for_every_seed(seed, size):
    """No unlucky draw makes a right layer fail."""
    checks.check_layer(Gain(power=3.0), (size,), seed=seed, trials=1)


def test_kinks_are_stepped_around():
    """|x| is checked away from zero even if the batch is all zeros."""
    assert checks.check_layer(Gain(power=1.0), (2,), x=np.zeros((3, 2))).passed


def test_frozen_layers_and_codes_leave_gradients_out():
    """A frozen layer has no gradient of weights; whole numbers have none of x."""
    report = checks.check_layer(Gain(trainable=False), (2,))
    assert "gradient of gain" not in [f.what for f in report.findings]
    codes = np.array([[1, 2], [3, 4], [5, 6]])
    report = checks.check_layer(Gain(), (2,), x=codes)
    names = [f.what for f in report.findings]
    assert "gradient of x" not in names and "gradient of gain" in names


def test_several_inputs_and_outputs_are_checked_as_one():
    """A list of shapes stands for a list of arrays; mistakes show as ever."""
    assert check_layer(layers.Add(), [(3,), (3,)]).passed
    codes = [np.arange(6).reshape(3, 2), np.ones((3, 2), int)]
    report = check_layer(layers.Concatenate(), [(2,), (2,)], x=codes)
    assert "gradient of x" not in [finding.what for finding in report.findings]
    heads = [layers.Dense(2), layers.Activation("tanh")]
    report = check_layer(layers.Fork(heads), (3,))
    assert report.passed and "gradient of kernel" in str(report)

    class Greedy(layers.Add):
        def merge(self, xs):
            xs[1][...] = 0
            return super().merge(xs)

        def unmerge(self, dy):
            return [dy, -dy]

    report = check_layer(Greedy(), [(3,), (3,)], raise_on_failure=False)
    assert list(failures(report)) == ["forward keeps x"]

    class Careless(layers.Add):
        def unmerge(self, dy):
            return [dy, -dy]

    report = check_layer(Careless(), [(3,), (3,)], raise_on_failure=False)
    assert list(failures(report)) == ["gradient of x"]

    class Destroying(layers.Fork):
        def backward(self, dy):
            dx = super().backward(dy)
            dy[1][...] = 0
            return dx

    report = check_layer(Destroying(heads), (3,), raise_on_failure=False)
    assert list(failures(report)) == ["backward keeps dy"]


class Noisy(Gain):
    """Multiplies by random numbers while training, as dropout does."""

    def forward(self, x, training):
        if training:
            x = x * random.generator().uniform(x.shape, 1, 2, "float64")
        return super().forward(x, training)

    def backward(self, dy):
        dx = super().backward(dy)
        return dx if self.untouched is self.x else dx * (self.x / self.untouched)


class RightlyNoisy(Noisy):
    def forward(self, x, training):
        self.untouched = x
        return super().forward(x, training)


def test_random_draws_are_repeated_in_training():
    """A layer that draws numbers while training can be checked all the same."""
    assert checks.check_layer(RightlyNoisy(), (3,), training=True).passed


class Running(Gain):
    """Keeps a state from batch to batch."""

    stateful = True
    total = 0.0

    def forward(self, x, training):
        self.total += 1.0
        return super().forward(x, training) + self.total


def test_stateful_layers_may_remember():
    """Determinism is not asked of a layer that says it is stateful."""
    assert checks.check_layer(Running(), (3,)).passed


class WrongSign(Gain):
    def backward(self, dy):
        return -super().backward(dy)


class DoubledGradient(Gain):
    def backward(self, dy):
        dx = super().backward(dy)
        self.gain.grad *= 2
        return dx


class AddsGradient(Gain):
    def backward(self, dy):
        before = self.gain.grad.copy()
        dx = super().backward(dy)
        self.gain.grad += before
        return dx


class ForgetsGradient(Gain):
    def backward(self, dy):
        return dy * self.power * self.gain.value**2 * self.x


class ForgetsGradientOfX(Gain):
    def backward(self, dy):
        return 0 * super().backward(dy)


class WrongDxShape(Gain):
    def backward(self, dy):
        return super().backward(dy)[:, :1]


class ModifiesX(Gain):
    def forward(self, x, training):
        x *= 2
        return super().forward(x / 2, training)


class ModifiesDy(Gain):
    def backward(self, dy):
        dx = super().backward(dy)
        dy[...] = 0
        return dx


class WrongShape(Gain):
    def compute_output_shape(self, input_shape):
        return (*input_shape, 1)


class WrongBatchAxis(Gain):
    def forward(self, x, training):
        return super().forward(x, training)[:2]


class Float32Output(Gain):
    def forward(self, x, training):
        return super().forward(x, training).astype(np.float32)


class Float32Inside(Gain):
    def forward(self, x, training):
        return super().forward(x, training).astype(np.float32).astype(np.float64)


class MixesSamples(Gain):
    def forward(self, x, training):
        return super().forward(x, training) * np.arange(1, len(x) + 1)[:, None]


class AlwaysRandom(Gain):
    def forward(self, x, training):
        noise = random.generator().uniform(x.shape, dtype="float64")
        return super().forward(x, training) + noise


class LeftOver(Gain):
    """Writes into a buffer of the first batch, and returns the last rows of it."""

    kept = None

    def forward(self, x, training):
        y = super().forward(x, training)
        if self.kept is None:
            self.kept = y.copy()
        self.kept[: len(y)] = y
        return self.kept[-len(y) :]


class ForgetsConfig(Gain):
    def get_config(self):
        return {"name": self.name}


class NeedsConfig(Gain):
    def __init__(self, power, **kwargs):
        super().__init__(power, **kwargs)

    def get_config(self):
        return layer.Layer.get_config(self)


@pytest.mark.parametrize(
    "wrong, what, cause",
    [
        (WrongSign, "gradient of x", "sign is wrong"),
        (DoubledGradient, "gradient of gain", "too large by a factor of 2"),
        (AddsGradient, "backward fills the gradients", "overwrite"),
        (ForgetsGradient, "gradient of gain", "According to backward nothing"),
        (ForgetsGradientOfX, "gradient of x", "According to backward nothing"),
        (WrongDxShape, "shape of dx", "backward returns (5, 1) for inputs of"),
        (ModifiesX, "forward keeps x", "belong to the caller"),
        (ModifiesDy, "backward keeps dy", "belong to the caller"),
        (WrongShape, "output shape", "compute_output_shape says (5, 4, 1)"),
        (WrongBatchAxis, "output shape", "forward returns (2, 4)"),
        (Float32Output, "output type", "float32 came out of a float64 layer"),
        (Float32Inside, "gradient of x", "float32 arithmetic inside"),
        (MixesSamples, "order of samples", "place in the batch"),
        (AlwaysRandom, "same input, same output", "must not depend on chance"),
        (LeftOver, "other batch sizes", "left over in a buffer"),
        (ForgetsConfig, "config round trip", "every argument of the constructor"),
        (NeedsConfig, "config round trip", "TypeError"),
    ],
)
def test_a_wrong_layer_fails(wrong, what, cause):
    """The broken rule is named, with a likely cause, in the exception's message."""
    broken = wrong(power=2.0)
    found = failures(checks.check_layer(broken, (4,), raise_on_failure=False))
    assert cause in found[what]
    with pytest.raises(AssertionError, match=what):
        checks.check_layer(broken, (4,))


# ---- activations ------------------------------------------------------------------


class Cube(ActivationFunction):
    """y = z^3, done right."""

    def forward(self, y, z):
        y[...] = z**3

    def backward(self, dz, dy, z, y):
        dz[...] = 3 * z**2 * dy


class WrongCube(Cube):
    def backward(self, dz, dy, z, y):
        dz[...] = z**2 * dy


class PartialCube(Cube):
    def forward(self, y, z):
        y[:-1] = z[:-1] ** 3


class OverwritingCube(Cube):
    def forward(self, y, z):
        y[...] = z**3
        z[...] = y


class GreedyCube(Cube):
    def backward(self, dz, dy, z, y):
        dz[...] = 3 * z**2
        dz *= dy


class ZeroingCube(Cube):
    def backward(self, dz, dy, z, y):
        dz[...] = 3 * z**2 * dy
        dy[...] = dz


class HidingCube(Cube):
    def forward(self, y, z):
        y[...] = np.where(np.abs(z) < 1e9, z, 0) ** 3


class RoundedCube(Cube):
    def forward(self, y, z):
        y[...] = (z**3).astype(np.float32)


def test_a_right_activation_passes():
    """Also on given numbers, and by name."""
    assert checks.check_activation(Cube()).passed
    assert checks.check_activation(Cube(), z=[[1.0, -2.0]]).passed
    assert checks.check_activation("relu", z=np.zeros((2, 3))).passed


@pytest.mark.parametrize(
    "wrong, what, cause",
    [
        (WrongCube, "gradient of z", "too small by a factor of 3"),
        (PartialCube, "forward fills y", "overwrite"),
        (OverwritingCube, "forward keeps z", "belong to the caller"),
        (GreedyCube, "dz may be dy", "after it has written"),
        (ZeroingCube, "backward keeps dy", "belong to the caller"),
        (HidingCube, "NaN stays NaN", "must stay visible"),
        (RoundedCube, "gradient of z", "float32 arithmetic inside"),
    ],
)
def test_a_wrong_activation_fails(wrong, what, cause):
    """The broken rule is named with a likely cause."""
    assert (
        cause
        in failures(checks.check_activation(wrong(), raise_on_failure=False))[what]
    )
    with pytest.raises(AssertionError, match=what):
        checks.check_activation(wrong())


# ---- losses -----------------------------------------------------------------------


class HalfSquare(Loss):
    """s = 1/2 sum (p - t)^2, done right."""

    def forward(self, s, t, p):
        s[:] = ((p - t) ** 2).sum(axis=1) / 2

    def backward(self, dp, t, p, ds):
        dp[:] = ds[:, None] * (p - t)


class Picked(Loss):
    """s = -p[t]^2, a loss of class numbers."""

    sparse = True

    def forward(self, s, t, p):
        s[:] = -(p[np.arange(len(t)), t] ** 2)

    def backward(self, dp, t, p, ds):
        dp[:] = 0
        rows = np.arange(len(t))
        dp[rows, t] = -2 * ds * p[rows, t]


class WrongSquare(HalfSquare):
    def backward(self, dp, t, p, ds):
        dp[:] = ds[:, None] * (t - p)


class BatchSquare(HalfSquare):
    def forward(self, s, t, p):
        s[:] = ((p - t) ** 2).sum() / 2


class ForgetfulSquare(HalfSquare):
    def backward(self, dp, t, p, ds):
        dp[1:] = (ds[:, None] * (p - t))[1:]


class EmptySquare(HalfSquare):
    def forward(self, s, t, p):
        pass


class ClippingSquare(HalfSquare):
    def forward(self, s, t, p):
        np.clip(p, 0.2, 0.8, out=p)
        super().forward(s, t, p)


@pytest.mark.parametrize("loss", [HalfSquare(), Picked(), "mean_squared_error"])
def test_a_right_loss_passes(loss):
    """With targets as numbers or as classes, drawn or given."""
    assert checks.check_loss(loss).passed
    assert checks.check_loss(loss, shape=(3, 2), seed=5).passed


def test_a_loss_can_be_checked_on_given_numbers():
    """Targets and predictions may be lists."""
    assert checks.check_loss(HalfSquare(), t=[[1.0], [2.0]], p=[[3.0], [5.0]]).passed


@pytest.mark.parametrize(
    "wrong, what, cause",
    [
        (WrongSquare, "gradient of p", "sign is wrong"),
        (BatchSquare, "rows stand alone", "depends on other rows"),
        (ForgetfulSquare, "backward fills dp", "overwrite"),
        (EmptySquare, "forward fills s", "overwrite"),
        (ClippingSquare, "keeps t, p and ds", "belong to the caller"),
    ],
)
def test_a_wrong_loss_fails(wrong, what, cause):
    """The broken rule is named with a likely cause."""
    assert cause in failures(checks.check_loss(wrong(), raise_on_failure=False))[what]
    with pytest.raises(AssertionError, match=what):
        checks.check_loss(wrong())


# ---- optimizers -------------------------------------------------------------------


class Heavy(Optimizer):
    """Gradient descent with momentum, done right."""

    slots = ("v",)

    def __init__(self, lr=0.1, momentum=0.5):
        super().__init__(lr)
        self.momentum = momentum

    def step(self, p, g):
        self.v *= self.momentum
        self.v -= self.lr * g
        p += self.v


class Decaying(Heavy):
    def step(self, p, g):
        super().step(p, g)
        p *= 0.99


class Uphill(Heavy):
    def step(self, p, g):
        super().step(p, -g)


class Stuck(Heavy):
    def update(self, p, g):
        if self.iterations == 0:
            super().update(p, g)


class Shared(Heavy):
    kept = np.zeros(6)

    def new_slot(self):
        return self.kept


class Forgetful(Heavy):
    slots = ()
    v = 0.0

    def step(self, p, g):
        self.v = self.momentum * self.v - self.lr * g
        p += self.v


class MovesPadding(Heavy):
    def step(self, p, g):
        super().step(p, g + 1e-3)


class SmallSlots(Heavy):
    def new_slot(self):
        return np.zeros(1)

    def step(self, p, g):
        p -= self.lr * g


class ForgetsMomentum(Heavy):
    def get_config(self):
        return {"lr": self.lr, "beta": 1}


class ForgetsDefaults(Heavy):
    @classmethod
    def from_config(cls, config):
        return cls()


@pytest.mark.parametrize("right", [Heavy(), Heavy(momentum=0.0), SGD(), SGD(0.1, 0.9)])
def test_a_right_optimizer_passes(right):
    """With slots or without; the optimizer itself takes no step."""
    assert checks.check_optimizer(right).passed
    assert right.iterations == 0


def test_weight_decay_is_allowed_when_announced():
    """With `rests=False` weights may shrink without a gradient."""
    assert checks.check_optimizer(Decaying(), rests=False).passed


@pytest.mark.parametrize(
    "wrong, what, cause",
    [
        (Decaying(), "no gradient, no step", "the step must be zero"),
        (Uphill(), "one step goes downhill", "uphill"),
        (Heavy(lr=1e3), "one step goes downhill", "try a smaller lr"),
        (Stuck(), "20 steps go further down", "overshoots"),
        (Stuck(), "iterations counts", "iterations is 1 after 5 updates"),
        (Shared(), "same config, same steps", "share a state"),
        (Forgetful(), "state round trip", "listed in slots or scalars"),
        (MovesPadding(), "padding stays zero", "must stay 0"),
        (SmallSlots(), "shape of slots", "an array of shape (6,)"),
        (ForgetsMomentum(), "config round trip", "TypeError"),
        (ForgetsDefaults(lr=0.2), "config round trip", "every argument"),
    ],
)
def test_a_wrong_optimizer_fails(wrong, what, cause):
    """The broken rule is named with a likely cause."""
    assert (
        cause in failures(checks.check_optimizer(wrong, raise_on_failure=False))[what]
    )
    with pytest.raises(AssertionError, match=what):
        checks.check_optimizer(wrong)
