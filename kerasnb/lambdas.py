"""
Lambda: a function of your own as a layer without weights.

The function is written with numpy or the backend K, and the tape finds its gradient.
A configuration holds the function's name, never its code: who loads the model supplies
the function in `custom_objects`. Read next: `autodiff.py` for the tape.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from .autodiff import Recording, refuse_compiled
from .backend import phase
from .functions import expect_slope, shape_by_trial
from .layer import Layer, show_shape
from .stack import fits
from .utils import function_entry, own_function


class Lambda(Layer):
    """
    Apply a function of your own to the whole batch.

    forward     y = f(x)
    backward    dx = what the tape answers to dy

    Parameters
    ----------
    function : callable
        Of the batch, with all its axes; it keeps the first. If it has an argument
        `mask`, it gets the mask of its input, or None.
    output_shape : tuple or callable, optional
        The shape of one sample, or a function from the shape of the input to that of
        the output, the batch included. Default: found out by running the function.
    mask : array or callable, optional
        The mask of the output, or a function of (x, mask) that returns it. Default:
        none; then a mask that comes in is an error, unless the function takes it.
    arguments : dict, optional
        More keyword arguments of the function.

    Raises
    ------
    TypeError
        If `function` is none.
    ValueError
        If the function fails, or makes another shape than `output_shape` says.

    Examples
    --------
    >>> from kerasnb import backend as K
    >>> layer = Lambda(lambda x: K.sum(x, axis=-1, keepdims=True))
    >>> layer([[1.0, 2.0, 3.0]])
    array([[6.]], dtype=float32)
    >>> layer.output_shape
    (None, 1)
    """

    def __init__(
        self, function, output_shape=None, mask=None, arguments=None, **kwargs
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"{self.name}: Lambda expects a function of one array, got "
                f"{function!r}. A name is looked up only where a saved model is loaded."
            )
        refuse_compiled(function)
        self.function = function
        self.arguments = dict(arguments or {})
        self.declared = {"output_shape": output_shape, "mask": mask}
        self._takes_mask = takes_mask(function) and "mask" not in self.arguments
        self.masking = "refuse" if mask is None else "make"
        if mask is None and self._takes_mask:
            self.masking = "consume"

    def compute_output_shape(self, input_shape):
        """Return the shape that was declared, or that the function makes."""
        declared = self.declared["output_shape"]
        if declared is None:
            return self._shape_by_trial(input_shape)
        if callable(declared):
            return tuple(declared(input_shape))
        return (input_shape[0], *np.atleast_1d(declared).tolist())

    def _shape_by_trial(self, input_shape):
        def run(x):
            if not self._takes_mask:
                return self._run(x, None, False)
            try:
                return self._run(x, None, False)
            except Exception:  # it may count on a mask
                return self._run(x, np.ones(x.shape[:2], np.bool_), False)

        return shape_by_trial(run, [input_shape], self.dtype, self.name)

    def _run(self, x, mask, training):
        named = {"mask": mask} if self._takes_mask else {}
        with phase(training):
            return self.function(x, **named, **self.arguments)

    def forward(self, x, training):
        """Return f(x)."""
        self.x, self.training = x, training
        self.recording = self._record() if training else None
        if training:
            value = self.recording.value
        else:
            value = np.asarray(self._run(_shown(x), self.mask, False))
        expected = self._expected(x.shape)
        if value.shape[:1] != x.shape[:1] or not fits(expected, value.shape):
            raise ValueError(
                f"{self.name}: the function made an array of shape {value.shape}, but "
                f"expected is {show_shape(expected)}. Correct output_shape, or leave "
                "it out."
            )
        self.y = self.buffer("y", value.shape)
        self.y[...] = value
        return self.y

    def _expected(self, x_shape):
        """Return the output shape for an input that may have a new shape."""
        if self.built and fits(self.input_shape, x_shape):
            return self.output_shape
        return self.compute_output_shape((None, *x_shape[1:]))

    def _record(self):
        named = {"mask": self.mask, "training": self.training}
        return Recording(self._run, [self.x], (), named)

    def backward(self, dy):
        """Return the gradient that the tape finds."""
        recording = self.recording or self._record()
        expect_slope(recording, self.name, "its input")
        dx = self.buffer("dx", self.x.shape)
        dx[...] = recording.gradients(dy)[0]
        self.recording = None
        return dx

    def compute_mask(self, x, mask):
        """Return the mask that was given, or what the given function makes."""
        given = self.declared["mask"]
        if given is None:
            return super().compute_mask(x, mask)
        return given(x, mask) if callable(given) else given

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "function": _entry(self.function),
            **{name: _entry(value) for name, value in self.declared.items()},
            "arguments": self.arguments,
        }

    @classmethod
    def from_config(cls, config):
        """Make the layer; names of functions are looked up in custom_objects."""
        config = dict(config)
        if not isinstance(config.get("function"), (str, dict)):
            raise ValueError(
                f"{config.get('name')}: a Lambda layer is saved by the name of its "
                "function; this file holds code instead, which is never run. Build the "
                "model in Python and load the weights."
            )
        for name in ("function", "output_shape", "mask"):
            value = config.get(name)
            is_entry = isinstance(value, dict) and "class_name" in value
            if isinstance(value, str) or is_entry:
                config[name] = own_function(value)
        if isinstance(config.get("output_shape"), list):
            config["output_shape"] = tuple(config["output_shape"])
        return cls(**config)


def takes_mask(function: Any) -> bool:
    """Return whether a function has an argument called mask."""
    try:
        return "mask" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # what is written in C may not tell
        return False


def _entry(value: Any) -> Any:
    """Return how an argument stands in a configuration."""
    if callable(value):
        return function_entry(value, {})
    if isinstance(value, np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _shown(x: np.ndarray) -> np.ndarray:
    """Return a view of an array that cannot be written to."""
    view = x[...]
    view.flags.writeable = False
    return view
