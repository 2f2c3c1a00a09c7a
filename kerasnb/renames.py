"""
The words of Keras 1, and what they are called today: one table and one adapter.

`RENAMES` says which keyword took the place of an old one; `SPECIAL` holds the layers
whose arguments changed in more than their names. `bilingual` wraps a function so that
it understands both, and says the call in today's words in one warning; a call without
old words goes straight through. Read next: `keras1.py`, for scripts that need the old
meaning and not only the old words.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any

from .generators import Sequence, check_item, is_generator, prediction_input, rows

RENAMES = {
    # fit, and the methods that read a generator
    "nb_epoch": "epochs",
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "max_q_size": "max_queue_size",
    # all layers
    "output_dim": "units",
    "init": "kernel_initializer | embeddings_initializer | alpha_initializer | "
    "depthwise_initializer + pointwise_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer | embeddings_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint | embeddings_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "dim_ordering": "data_format",
    "input_dtype": "dtype",
    # some layers
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "length": "size",
    "p": "rate",
    "sigma": "stddev",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "consume_less": "implementation",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    # elsewhere
    "nb_classes": "num_classes",
    "nb_words": "num_words",
    "m": "max_value",
}
"""Old keyword -> today's: the first of several that the function has; + means both."""

VALUES: dict[str, dict[str, Any]] = {
    "dim_ordering": {
        "tf": "channels_last",
        "th": "channels_first",
        "default": None,
    },
    "consume_less": {"cpu": 0, "mem": 1, "gpu": 2},
}
"""Old keyword -> what its values are called today."""

OLD_NAMES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "Deconv3D": "Conv3DTranspose",
}
"""Old name of a layer class -> today's."""

OLD_COUNTS = {
    "samples_per_epoch": "steps_per_epoch",
    "nb_val_samples": "validation_steps",
    "val_samples": "steps",
}
"""Counts of samples -> counts of batches."""

METHOD_WORDS = ("nb_epoch", "nb_worker", "pickle_safe", "max_q_size", *OLD_COUNTS)
NEW_WORDS = {*(RENAMES.get(word, "") for word in METHOD_WORDS), *OLD_COUNTS.values()}


# ---- the adapter ------------------------------------------------------------------


class Call:
    """
    A call on its way into today's words.

    Attributes
    ----------
    who : str
        What is called.
    args, kwargs : list and dict
        Its arguments, as far as they are translated.
    known : set of str
        The keywords that the function has.
    notes : list of str
        What else the user should know.
    """

    def __init__(self, who: str, args: tuple, kwargs: dict[str, Any], known: set[str]):
        self.who, self.args, self.kwargs = who, list(args), dict(kwargs)
        self.known = known
        self.notes: list[str] = []
        self.changed = False

    def has_old(self, word: str) -> bool:
        """Return whether this keyword is given, and none of the function's own."""
        return word in self.kwargs and word not in self.known

    def replace(self, old: str, new: str, value: Any) -> None:
        """Put a keyword in the place of an old one; refuse it if both are given."""
        if new in self.kwargs:
            raise TypeError(
                f"{self.who}: {old!r} is what Keras 1 called {new!r}, got both. Pass "
                f"only {new!r}."
            )
        del self.kwargs[old]
        self.kwargs[new] = value
        self.changed = True

    def drop(self, old: str, note: str) -> Any:
        """Leave an old keyword out, and say why; return its value."""
        self.changed = True
        self.notes.append(note)
        return self.kwargs.pop(old)

    def rename(self, old: str) -> None:
        """Use the table of renames, if the function has the new keyword."""
        for names in RENAMES[old].split(" | "):
            new = names.split(" + ")
            if self.known.issuperset(new):
                value = self.kwargs[old]
                if old in VALUES and isinstance(value, str):
                    value = _looked_up(value, VALUES[old], f"{old} of {self.who}:")
                for name in new[1:]:
                    if name not in self.kwargs:
                        self.kwargs[name] = value
                self.replace(old, new[0], value)
                return

    def __str__(self) -> str:
        """Write the call as it is now."""
        parts = [_shown(value) for value in self.args]
        parts += [f"{name}={_shown(value)}" for name, value in self.kwargs.items()]
        return f"{self.who}({', '.join(parts)})"


def bilingual(
    function: Callable,
    *handlers: Callable,
    constructs: bool = False,
    quiet: bool = False,
) -> Any:
    """
    Let a function understand the words of Keras 1 too.

    Parameters
    ----------
    function : function or method
    *handlers : function of a Call
        For what the table of renames cannot say; see `on`.
    constructs : bool
        Whether it is the constructor of a class, whose name messages tell.
    quiet : bool
        Whether to say nothing, because the old words are meant.
    """
    skip = 1 if next(iter(inspect.signature(function).parameters), "") == "self" else 0
    own_words = {word for handler in handlers for word in handler.words}  # type: ignore
    old_words = frozenset({*RENAMES, *own_words} - _keywords(function) | own_words)
    least = [handler.positional for handler in handlers]  # type: ignore[attr-defined]
    many = skip + min(least, default=math.inf)

    @functools.wraps(function)
    def understood(*args, **kwargs):
        if old_words.isdisjoint(kwargs) and len(args) < many:
            return function(*args, **kwargs)
        owner = type(args[0]) if constructs else None
        known = _keywords_of_class(owner) if owner else _keywords(function)
        who = (owner or function).__name__
        call = Call(who, args[skip:], kwargs, known)
        for handler in handlers:
            handler(call)
        for word in list(call.kwargs):
            if word in RENAMES and call.has_old(word):
                call.rename(word)
        if (call.changed or call.notes) and not quiet:
            said = [f"In today's words this is {call}."] * call.changed
            warnings.warn(" ".join(said + call.notes), stacklevel=2)
        return function(*args[:skip], *call.args, **call.kwargs)

    understood.handlers = handlers  # type: ignore[attr-defined]
    return understood


def adopt(cls: type) -> None:
    """
    Let a layer class be constructed in the words of Keras 1 too.

    A class that neither has a constructor of its own nor stands in `SPECIAL` inherits
    one that understands already.
    """
    init: Any = vars(cls).get("__init__")
    handlers = SPECIAL.get(cls.__name__, ())
    if init is None and handlers:
        inherited: Any = cls.__init__  # type: ignore[misc]

        @functools.wraps(getattr(inherited, "__wrapped__", inherited))
        def init(self, *args, **kwargs):
            super(cls, self).__init__(*args, **kwargs)

    if init is not None:
        setattr(cls, "__init__", bilingual(init, *handlers, constructs=True))
    shape_of = vars(cls).get("get_output_shape_for")
    if shape_of is not None and "compute_output_shape" not in vars(cls):
        setattr(cls, "compute_output_shape", shape_of)


def _keywords(function: Callable) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}


def _keywords_of_class(cls: type) -> set[str]:
    """Return the keywords of a constructor, and of those that it hands the rest to."""
    known: set[str] = set()
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        if init is None:
            continue
        known |= _keywords(init)
        parameters = inspect.signature(init).parameters.values()
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return known


def _looked_up(name: str, table: dict[str, Any], what: str) -> Any:
    from .utils import lookup  # here, because it imports this module

    return lookup(name, table, what)


def _shown(value: Any) -> str:
    """Return a value as it is written, or the name of its type."""
    if hasattr(value, "__next__"):
        return "<generator>"
    text = repr(value)
    brief = len(text) <= 40 and "\n" not in text and " object at 0x" not in text
    return text if brief and not text.startswith("<") else f"<{type(value).__name__}>"


# ---- layers that changed in more than their names ---------------------------------


def on(*words: str, positional: float = math.inf) -> Callable:
    """Mark a handler: which keywords call it, and how many positional arguments do."""

    def mark(handler):
        handler.words, handler.positional = words, positional
        return handler

    return mark


@on("nb_row", "nb_col", "output_shape", positional=3)
def rows_and_columns(call: Call) -> None:
    """Make the kernel size of rows and columns, by name or as second and third."""
    if "kernel_size" not in call.known:  # a layer of one's own that has this name
        return
    if len(call.args) == 4 and isinstance(call.args[3], (tuple, list)):
        call.kwargs["output_shape"] = call.args.pop()  # of Deconvolution2D
    if len(call.args) >= 3 and all(_is_whole(one) for one in call.args[:3]):
        _refuse_ambiguous(call)
        call.args[1:3] = [tuple(call.args[1:3])]
        call.changed = True
    _join_sizes(call, "nb_row", "nb_col")
    if call.has_old("output_shape"):
        call.drop("output_shape", "output_shape is left out: it follows from the rest.")


def _refuse_ambiguous(call: Call) -> None:
    """Refuse three integers that may be meant in the order of today."""
    today = {"padding", "strides", "data_format"}
    if len(call.args) > 3 or not today.isdisjoint(call.kwargs):
        raise ValueError(
            f"{call.who}: are {call.args[1]} and {call.args[2]} the rows and columns "
            "of the window, as in Keras 1, or its size and the strides? Write "
            "kernel_size=(rows, columns) and strides=... by name."
        )


@on("kernel_dim1", "kernel_dim2", "kernel_dim3", positional=4)
def three_dimensions(call: Call) -> None:
    """Make the kernel size of three numbers."""
    if "kernel_size" not in call.known:
        return
    if len(call.args) == 4 and all(_is_whole(one) for one in call.args):
        call.args[1:] = [tuple(call.args[1:])]
        call.changed = True
    _join_sizes(call, "kernel_dim1", "kernel_dim2", "kernel_dim3")


def _join_sizes(call: Call, *words: str) -> None:
    given = [word for word in words if word in call.kwargs]
    if not given:
        return
    sizes = [call.kwargs[word] for word in given]
    if len(call.args) >= 2 and len(given) < len(words):  # Conv(8, 3, nb_col=3)
        sizes, call.args = call.args[1:] + sizes, call.args[:1]
    if len(sizes) != len(words):
        raise TypeError(
            f"{call.who}: expected {', '.join(words)}, got only {', '.join(given)}. "
            "Today all of them are kernel_size=(...)."
        )
    for word in given[1:]:
        del call.kwargs[word]
    call.replace(given[0], "kernel_size", tuple(sizes))


@on("input_length", "input_dim")
def sequence_input(call: Call) -> None:
    """Make the input shape of the number of features and the number of steps."""
    if "input_dim" not in call.kwargs or "input_shape" not in call.known:
        return
    length = call.kwargs.pop("input_length", None)
    call.replace("input_dim", "input_shape", (length, call.kwargs["input_dim"]))


@on("forget_bias_init")
def forget_bias(call: Call) -> None:
    """Turn the first value of the forget bias into yes or no."""
    if not call.has_old("forget_bias_init"):
        return
    value = call.kwargs["forget_bias_init"]
    if value in ("one", "ones"):
        call.replace("forget_bias_init", "unit_forget_bias", True)
    else:
        call.drop(
            "forget_bias_init",
            f"forget_bias_init={value!r} is left out: the forget bias starts with "
            "ones, or with unit_forget_bias=False like the other biases.",
        )


@on("dropout")
def without_dropout(call: Call) -> None:
    """Leave the dropout of an Embedding out."""
    if call.has_old("dropout"):
        call.drop(
            "dropout",
            "dropout is left out: put SpatialDropout1D behind the Embedding instead.",
        )


@on("mode", positional=1)
def without_mode(call: Call) -> None:
    """Accept mode 0 of BatchNormalization, the only one that is left."""
    has_axis = call.known.issuperset({"axis", "epsilon"})
    if has_axis and call.args and not _is_whole(call.args[0]):
        raise TypeError(
            f"{call.who}: expected the axis as first argument, got {call.args[0]!r}. "
            "In Keras 1 the first was epsilon: write epsilon=... by name."
        )
    if not call.has_old("mode"):
        return
    if call.kwargs["mode"] != 0:
        raise TypeError(
            f"{call.who}: expected mode 0, got {call.kwargs['mode']!r}. There are no "
            "others since Keras 2; kerasnb.keras1.BatchNormalization has 1 and 2."
        )
    call.drop("mode", "mode=0 is left out: there is no other.")


@on("padding", positional=1)
def four_sides(call: Call) -> None:
    """Turn a padding of named sides, or of four numbers, into pairs."""
    if "data_format" not in call.known:
        return
    given = call.args[0] if call.args else call.kwargs.get("padding")
    if isinstance(given, dict):
        sides = ("top_pad", "bottom_pad", "left_pad", "right_pad")
        for name in given:
            _looked_up(name, dict.fromkeys(sides), f"side of {call.who}:")
        given = [given.get(side, 0) for side in sides]
    if not isinstance(given, (tuple, list)) or len(given) != 4:
        return
    pairs = (tuple(given[:2]), tuple(given[2:]))
    if call.args:
        call.args[0] = pairs
    else:
        call.kwargs["padding"] = pairs
    call.changed = True


@on("transform_bias")
def without_transform_bias(call: Call) -> None:
    """Leave the first value of the gate's bias out."""
    if call.has_old("transform_bias"):
        call.drop(
            "transform_bias",
            "transform_bias is left out: the gate's bias starts with 1. "
            "kerasnb.keras1.Highway keeps it.",
        )


@on(positional=0)
def succeeded_by_dense(call: Call) -> None:
    """Say what took the place of TimeDistributedDense."""
    call.notes.append(
        "TimeDistributedDense is a Dense since Keras 2, which applies to every step."
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


SPECIAL: dict[str, tuple[Callable, ...]] = {
    "Conv1D": (sequence_input,),
    "SeparableConv1D": (sequence_input,),
    "LocallyConnected1D": (sequence_input,),
    "Conv2D": (rows_and_columns,),
    "SeparableConv2D": (rows_and_columns,),
    "DepthwiseConv2D": (),
    "Conv2DTranspose": (rows_and_columns,),
    "LocallyConnected2D": (rows_and_columns,),
    "ConvLSTM2D": (rows_and_columns, forget_bias),
    "Conv3D": (three_dimensions,),
    "Conv3DTranspose": (three_dimensions,),
    "SimpleRNN": (sequence_input,),
    "GRU": (sequence_input,),
    "LSTM": (sequence_input, forget_bias),
    "Embedding": (without_dropout,),
    "BatchNormalization": (without_mode,),
    "ZeroPadding2D": (four_sides,),
    "Highway": (without_transform_bias,),
    "TimeDistributedDense": (sequence_input, succeeded_by_dense),
}
"""Class of a layer -> what is done to a call before the table of renames."""


# ---- methods of a model -----------------------------------------------------------


@on(*METHOD_WORDS)
def one_dialect(call: Call) -> None:
    """Refuse the words of both dialects in one call."""
    old = [word for word in call.kwargs if word in METHOD_WORDS]
    new = [word for word in call.kwargs if word in NEW_WORDS]
    if old and new:
        raise TypeError(
            f"{call.who}: {old[0]!r} is a word of Keras 1 and {new[0]!r} one of Keras "
            "2, and the two count differently. Use the words of one of them."
        )


@on(*METHOD_WORDS)
def sample_counts(call: Call) -> None:
    """Turn counts of samples into counts of batches, of the size that is observed."""
    if "generator" not in call.known:
        return
    if any(word in call.kwargs for word in METHOD_WORDS) and len(call.args) > 1:
        raise TypeError(
            f"{call.who}: with words of Keras 1 beside it, is {_shown(call.args[1])} a "
            "count of samples or of batches? Pass everything but the generator by name."
        )
    for old, new in OLD_COUNTS.items():
        if not call.has_old(old) or new not in call.known:
            continue
        if old == "nb_val_samples" and not is_generator(
            call.kwargs.get("validation_data")
        ):
            call.drop(old, f"{old} is left out: it only counts with a generator.")
            continue
        samples = call.kwargs[old]
        if samples is None:
            del call.kwargs[old]
            continue
        size = _observed_size(call, old, samples)
        steps = math.ceil(samples / size)
        call.replace(old, new, steps)
        call.notes.append(
            f"{old}={samples} becomes {steps} steps of {size} = {steps * size} samples."
        )


def _observed_size(call: Call, word: str, samples: Any) -> int:
    """Return the samples in a batch; a generator that was asked is put together."""
    is_number = isinstance(samples, Real) and not isinstance(samples, bool)
    if not is_number or not 0 < samples < math.inf:
        raise ValueError(
            f"{call.who}: {word} must be a positive number of samples, got {samples!r}."
        )
    validates = word == "nb_val_samples"
    place = "validation_data" if validates else "generator"
    positional = bool(call.args) and not validates
    source: Any = call.args[0] if positional else call.kwargs.get(place)
    size: Any = getattr(source, "batch_size", None)
    if _is_whole(size) and size > 0:
        return size
    if isinstance(source, Sequence):
        return _batch_size(call, source[0])
    first = None
    if hasattr(source, "__next__"):
        first = next((item for item in source if item is not None), None)
    if first is None:
        raise TypeError(
            f"{call.who}: {word} counts samples, but there is no first batch to see "
            f"how many steps that are. Pass {OLD_COUNTS[word]} instead."
        )
    whole = itertools.chain([first], source)
    if positional:
        call.args[0] = whole
    else:
        call.kwargs[place] = whole
    return _batch_size(call, first)


def _batch_size(call: Call, batch: Any) -> int:
    if call.who.startswith("predict"):
        return rows(prediction_input(batch))
    return rows(check_item(batch, call.who)[0])


def bilingual_method(method: Callable) -> Any:
    """Let a method of a model understand the words of Keras 1 too."""
    return bilingual(method, one_dialect, sample_counts)
