"""
Layers that play dice while training: Dropout and its kin, and noise.

At test time each of them hands on what comes in. All numbers come from the streams of
`random.py`, so the same seed gives the same noise, whatever the number of threads.
Read next: `kernels/plain/random.py`.
"""

from __future__ import annotations

import math

import numpy as np

from . import device, random
from .device import ops
from .layer import Layer
from .spatial import Spatial

SELU_FLOOR = -1.7580993408473766  # what selu tends to far left of zero


class Dropout(Layer):
    """
    Switch off a random part of the units while training (Srivastava et al. 2014).

    forward     y = x m,   m = 1 / (1 - rate) with probability 1 - rate, else 0
    backward    dx = dy m

    Kept values are scaled up, so the mean stays and nothing happens at test time. The
    probability is the rate as a multiple of 2^-16, the nearest one.

    Parameters
    ----------
    rate : float
        Fraction to drop, clipped to [0, 1]; with 1 everything becomes zero.
    noise_shape : tuple, optional
        Shape of m: 1 shares the choice along that axis, None is the axis's size.
    seed : int, optional
        A random stream of the layer's own; default: the stream of `kerasnb.set_seed`.

    Examples
    --------
    >>> Dropout(0.5)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    masking = "pass"

    @property
    def only_launches(self):
        """Return whether no noise is shared: NumPy spreads it, though not on a GPU."""
        return self.noise_shape is None or device.place() != "host"

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = min(1.0, max(0.0, float(rate)))
        self.noise_shape = noise_shape and tuple(noise_shape)
        self.seed = seed
        self.generator = None if seed is None else random.Generator(seed)
        self.state_names = () if seed is None else ("generator",)
        self.words = None

    def forward(self, x, training):
        """Return x m when training, else x itself."""
        self.words = None
        if not training or self.rate == 0:
            return x
        y = self.buffer("y", x.shape)
        if self.noise_shape is None:
            self.words = self._words("words", x.size)
            ops.dropout_forward(y, self.words, x, self.rate, self._stream.state)
        else:
            self.words = self._shared_words(x)
            ops.dropout_apply(y, x, self.words, self.rate)
        return y

    def backward(self, dy):
        """Return dy m: the words that `forward` drew decide m again."""
        if self.words is None:
            return dy
        dx = self.over(dy, "dx")
        ops.dropout_apply(dx, dy, self.words, self.rate)
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape and list(self.noise_shape),
            "seed": self.seed,
        }

    @property
    def _stream(self):
        return self.generator or random.generator()

    def _words(self, name, size):
        """Return room for what decides about each of so many numbers."""
        return self.buffer(name, random.decisions(size), np.uint16)

    def _draw(self, x):
        """Return the words of x, drawn anew."""
        if self.noise_shape is not None:
            return self._shared_words(x)
        words = self._words("words", x.size)
        ops.dropout_words(words, self._stream.state)
        return words

    def _shared_words(self, x):
        """Return the words of x when they are shared along some axes."""
        noise = self.noise_shape
        fits = len(noise) == x.ndim and all(
            axis in (1, None, size) for axis, size in zip(noise, x.shape)
        )
        if not fits:
            raise ValueError(
                f"{self.name}: noise_shape {noise} must have one entry per axis of the "
                f"input, each 1, None or the axis's size; the input's is {x.shape}."
            )
        noise = tuple(n if axis is None else axis for axis, n in zip(noise, x.shape))
        shared = self._words("shared", math.prod(noise))
        ops.dropout_words(shared, self._stream.state)
        words = self.buffer("words", x.shape, np.uint16)
        words[...] = shared[: math.prod(noise)].reshape(noise)
        return words.reshape(-1)


class SpatialDropout(Spatial, Dropout):
    """
    Base class: the choice of Dropout is made for each channel of a sample.

    forward     y = x m,   m as in Dropout, the same at all places of a channel
    """

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(rate=rate, data_format=data_format, seed=seed, **kwargs)
        self.noise_shape = self.given((None, *(1,) * self.rank, None))

    def compute_output_shape(self, input_shape):
        """Check the number of axes."""
        self.expect_rank(input_shape, self.rank + 2)
        return input_shape

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        del config["noise_shape"]
        return config


class SpatialDropout1D(SpatialDropout):
    """
    Dropout that drops a feature for all time steps of a sample.

    forward     y[n, t, k] = x[n, t, k] m[n, k],   m as in Dropout
    backward    dx[n, t, k] = dy[n, t, k] m[n, k]

    Where neighbours are alike, as in sequences, a single number that is dropped is
    known from the next one.

    Parameters
    ----------
    rate : float
        Fraction to drop, clipped to [0, 1].
    seed : int, optional
        A random stream of the layer's own.

    Examples
    --------
    >>> SpatialDropout1D(0.5, seed=4)(np.ones((1, 2, 4)), training=True)
    array([[[2., 0., 2., 2.],
            [2., 0., 2., 2.]]], dtype=float32)
    """

    only_launches = Dropout.only_launches
    rank = 1

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, "channels_last", seed, **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        del config["data_format"]
        return config


class SpatialDropout2D(SpatialDropout):
    """
    Dropout that drops whole channels of an image (Tompson et al. 2015).

    Parameters
    ----------
    rate : float
        Fraction to drop, clipped to [0, 1].
    data_format : str, optional
        'channels_last' (default, see `kerasnb.image_data_format`) or 'channels_first'.
    seed : int, optional
        A random stream of the layer's own.
    """

    only_launches = Dropout.only_launches
    rank = 2


class SpatialDropout3D(SpatialDropout):
    """
    Dropout that drops whole channels of a volume.

    Parameters
    ----------
    rate, data_format, seed
        As for SpatialDropout2D.
    """

    only_launches = Dropout.only_launches
    rank = 3


class AlphaDropout(Dropout):
    """
    Dropout that keeps mean 0 and variance 1, for networks of selu (Klambauer 2017).

    forward     y = a (x if kept else floor) - a floor rate,
                a = 1 / sqrt((1 - rate) (1 + rate floor^2)),   floor = -1.7580993408...
    backward    dx = a dy if kept else 0

    Dropped numbers become what selu makes of very negative ones.

    Parameters
    ----------
    rate : float
        Fraction to drop, from 0 to below 1.
    noise_shape, seed
        As for Dropout.

    Examples
    --------
    >>> AlphaDropout(0.1)([[1.0, -1.0]])
    array([[ 1., -1.]], dtype=float32)
    """

    only_launches = Dropout.only_launches

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(rate, noise_shape, seed, **kwargs)
        self.rate = _below_one(rate, f"{self.name}: rate")

    def forward(self, x, training):
        """Return scaled and shifted numbers when training, else x itself."""
        self.words = self._draw(x) if training and self.rate else None
        if self.words is None:
            return x
        y = self.buffer("y", x.shape)
        self.factor = ((1 - self.rate) * (1 + self.rate * SELU_FLOOR**2)) ** -0.5
        offset = -self.factor * SELU_FLOOR * self.rate
        dropped = self.factor * SELU_FLOOR + offset
        ops.dropout_replace(y, x, self.words, self.rate, self.factor, offset, dropped)
        return y

    def backward(self, dy):
        """Return a dy where x was kept, else zero."""
        if self.words is None:
            return dy
        dx = self.buffer("dx", dy.shape)
        ops.dropout_replace(dx, dy, self.words, self.rate, self.factor, 0.0, 0.0)
        return dx


class GaussianNoise(Layer):
    """
    Add normal noise while training.

    forward     y = x + stddev z,   z normal with mean 0 and variance 1
    backward    dx = dy

    Parameters
    ----------
    stddev : float
        Standard deviation of the noise.

    Examples
    --------
    >>> GaussianNoise(0.1)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    masking = "pass"
    only_launches = True

    def __init__(self, stddev, **kwargs):
        super().__init__(**kwargs)
        self.stddev = float(stddev)
        if not 0 <= self.stddev < math.inf:
            raise ValueError(
                f"{self.name}: stddev must be a number from 0 on, got {stddev!r}."
            )

    def forward(self, x, training):
        """Return x plus noise when training, else x itself."""
        if not training or self.stddev == 0:
            return x
        y = self.buffer("y", x.shape)
        ops.normal_noise(y, 0.0, self.stddev, random.generator().state)
        ops.add_scaled(y.reshape(-1), y.reshape(-1), x.reshape(-1), 1.0)
        return y

    def backward(self, dy):
        """Return the gradient unchanged."""
        return dy

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(Layer):
    """
    Multiply by normal noise of mean 1 while training (Srivastava et al. 2014).

    forward     y = x m,   m normal with mean 1 and variance rate / (1 - rate)
    backward    dx = dy m

    Mean and variance of m are those of Dropout with the same rate.

    Parameters
    ----------
    rate : float
        From 0 to below 1.

    Examples
    --------
    >>> GaussianDropout(0.5)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    masking = "pass"
    only_launches = True

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = _below_one(rate, f"{self.name}: rate")
        self.noise = None

    def forward(self, x, training):
        """Return x m when training, else x itself."""
        self.noise = None
        if not training or self.rate == 0:
            return x
        y, self.noise = self.buffer("y", x.shape), self.buffer("noise", x.shape)
        stddev = math.sqrt(self.rate / (1 - self.rate))
        ops.normal_noise(self.noise, 1.0, stddev, random.generator().state)
        return self._times_noise(y, x)

    def backward(self, dy):
        """Return dy m."""
        if self.noise is None:
            return dy
        return self._times_noise(self.buffer("dx", dy.shape), dy)

    def _times_noise(self, y, x):
        ops.multiply_arrays(y.reshape(-1), x.reshape(-1), self.noise.reshape(-1))
        return y

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "rate": self.rate}


def _below_one(rate, what):
    if not 0 <= rate < 1:
        raise ValueError(f"{what} must be from 0 to below 1, got {rate!r}.")
    return float(rate)
