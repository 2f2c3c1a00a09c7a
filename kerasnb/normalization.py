"""
Batch normalization: each channel of a batch gets mean zero and variance one.

While training, mean and variance are those of the batch, and the gradient flows through
them; beside this a moving average of both is kept, which takes their place at test
time, when a sample must not depend on its neighbours. Read next:
`kernels/plain/normalization.py`.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from . import constraints, initializers, regularizers
from .device import ops
from .layer import Layer, Weight, show_shape


class BatchNormalization(Layer):
    """
    Normalise each channel over the batch, then scale and shift (Ioffe, Szegedy 2015).

    forward     n = (x - mean) / sqrt(variance + epsilon),   y = gamma n + beta
    backward    dgamma = sum of dy n,   dbeta = sum of dy,
                dx = gamma / sqrt(variance + epsilon) (dy - (dbeta + n dgamma) / R)

    While training, mean and variance are those of the R numbers that the batch has in
    the channel, and the moving averages go a step towards them:

        moving <- momentum moving + (1 - momentum) new

    with the mean, and with the variance times R / (R - 1 - epsilon), as new values; of
    a single number the variance is taken as it is. At test time the moving averages are
    used instead. They lag: after n batches a part momentum^n of their first values is
    left, so after few batches a smaller momentum validates better.

    Parameters
    ----------
    axis : int
        The axis of the channels, K long; 1 for images with channels first.
    momentum : float
        From 0 to 1.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer
        First values of beta ('zeros') and gamma ('ones').
    moving_mean_initializer, moving_variance_initializer
        First values of the moving averages ('zeros', 'ones').
    beta_regularizer, gamma_regularizer : optional
        Penalties on beta and gamma.
    beta_constraint, gamma_constraint : optional
        Projections after each update.
    infer_when_frozen : bool
        What a layer with `trainable=False` does in training: normalise with the batch
        all the same, as in Keras 2.2, or, if True, with the moving averages as at test
        time. The moving averages stay as they are in both cases.

    Examples
    --------
    >>> layer = BatchNormalization(epsilon=0)
    >>> layer([[1.0], [3.0]], training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    masking = "pass"
    only_launches = True

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        infer_when_frozen=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.axis = _whole(axis, f"{self.name}: axis")
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        if not 0 <= self.momentum <= 1:
            raise ValueError(
                f"{self.name}: momentum must be from 0 to 1, got {momentum!r}."
            )
        if not self.epsilon >= 0:
            raise ValueError(
                f"{self.name}: epsilon must not be negative, got {epsilon!r}."
            )
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.infer_when_frozen = bool(infer_when_frozen)

    def build(self, input_shape):
        """Make gamma, beta and the moving averages, (K,) each."""
        shape = (input_shape[self.axis],)
        self.gamma = Weight(np.ones(shape, self.dtype), "no gamma", trainable=False)
        self.beta = Weight(np.zeros(shape, self.dtype), "no beta", trainable=False)
        if self.scale:
            self.gamma = self.add_weight(
                "gamma",
                shape,
                self.gamma_initializer,
                self.gamma_regularizer,
                self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                "beta",
                shape,
                self.beta_initializer,
                self.beta_regularizer,
                self.beta_constraint,
            )
        self.moving_mean = self.add_weight(
            "moving_mean", shape, self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False
        )

    def compute_output_shape(self, input_shape):
        """Check that the axis exists, and that its size is known and the right one."""
        self.expect_rank(input_shape, 2, at_least=True)
        rank = len(input_shape)
        if not -rank < self.axis < rank or self.axis == 0:
            raise ValueError(
                f"{self.name}: axis {self.axis} is none of the axes of an input of "
                f"shape {show_shape(input_shape)} that may hold the channels."
            )
        found = input_shape[self.axis]
        if found is None:
            raise ValueError(
                f"{self.name}: axis {self.axis} of the input must be known, got "
                f"{show_shape(input_shape)}."
            )
        if self.built and found != len(self.moving_mean.value):
            raise ValueError(
                f"{self.name}: the layer was built for {len(self.moving_mean.value)} "
                f"channels along axis {self.axis}, got an input of shape "
                f"{show_shape(input_shape)}."
            )
        return input_shape

    @property
    def operations_per_number(self):
        """Return two for n, given mean and deviation, and one for gamma and beta."""
        return 2 + self.scale + self.center

    def forward(self, x, training):
        """Return gamma n + beta, and move the averages when training."""
        frozen = self.frozen or not self.trainable
        self.uses_batch = training and not (frozen and self.infer_when_frozen)
        self.x = x = self._enter(x, "x")
        channels = x.shape[1:]
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if self.uses_batch:
            mean = self.buffer("mean", channels)
            variance = self.buffer("variance", channels)
            ops.batch_moments(mean, variance, x)
            if not frozen:
                self.move(mean, variance, len(x))
        self.mean, self.inverse = mean, self.buffer("inverse", channels)
        y = self.buffer("y", x.shape)
        gamma, beta = self.gamma.value, self.beta.value
        ops.batch_norm_forward(
            y, self.inverse, x, mean, variance, gamma, beta, self.epsilon
        )
        return self._leave(y, "y")

    def backward(self, dy):
        """Fill dgamma and dbeta, return dx."""
        dy = self._enter(dy, "dy")
        x, mean, inverse, gamma = self.x, self.mean, self.inverse, self.gamma.value
        dgamma, dbeta = self.gamma.grad, self.beta.grad
        if dgamma is None:
            dgamma = self.buffer("dgamma", gamma.shape)
        if dbeta is None:
            dbeta = self.buffer("dbeta", gamma.shape)
        ops.batch_norm_backward_weights(dgamma, dbeta, dy, x, mean, inverse)
        if not self.needs_dx:
            return None
        dx = self.buffer("dx", dy.shape)
        share = 1.0 / len(dy) if self.uses_batch else 0.0
        ops.batch_norm_backward_input(
            dx, dy, x, mean, inverse, gamma, dgamma, dbeta, share
        )
        return self._leave(dx, "dx")

    def move(self, mean, variance, R):
        """Let the moving averages go a step towards the values of R rows."""
        factor = self.correction(R)
        ops.moving_average(self.moving_mean.value, mean, self.momentum, 1.0)
        ops.moving_average(self.moving_variance.value, variance, self.momentum, factor)

    def correction(self, R):
        """Return what makes the variance of R rows an unbiased one, about."""
        return R / (R - (1 + self.epsilon)) if R > 1 + self.epsilon else 1.0

    def _enter(self, x, name):
        """Return an array as rows of channels (R, K); move the channels if need be."""
        self.shape = x.shape
        A, K, B = self._around(x.shape)
        if B > 1:
            last = self.buffer(f"{name} last", (A, B, K))
            ops.swap_axes(last, x.reshape(A, K, B))
            x = last
        return x.reshape(A * B, K)

    def _leave(self, y, name):
        """Return rows of channels in the shape of the array that entered."""
        A, K, B = self._around(self.shape)
        if B > 1:
            given = self.buffer(f"{name} given", (A, K, B))
            ops.swap_axes(given, y.reshape(A, B, K))
            y = given
        return y.reshape(self.shape)

    def _around(self, shape):
        """Return the sizes before, of and after the channels' axis."""
        axis = self.axis % len(shape)
        return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        first, penalty, rule = (
            initializers.serialize,
            regularizers.serialize,
            constraints.serialize,
        )
        config = {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": first(self.beta_initializer),
            "gamma_initializer": first(self.gamma_initializer),
            "moving_mean_initializer": first(self.moving_mean_initializer),
            "moving_variance_initializer": first(self.moving_variance_initializer),
            "beta_regularizer": penalty(self.beta_regularizer),
            "gamma_regularizer": penalty(self.gamma_regularizer),
            "beta_constraint": rule(self.beta_constraint),
            "gamma_constraint": rule(self.gamma_constraint),
        }
        if self.infer_when_frozen:  # ours: files without it stay readable for Keras
            config["infer_when_frozen"] = True
        return config


def _whole(axis, what):
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"{what} must be one whole number, got {axis!r}.") from None
