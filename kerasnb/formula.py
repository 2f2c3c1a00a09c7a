"""
What a layer computes, in one line: read from the docstring of its class.

Every layer here has a line that starts with `forward`. A layer of your own that has one
is explained in the same way. Read next: `explanation.py`, which prints it.
"""

from __future__ import annotations

import re
from typing import Any

SHAPES = re.compile(r"\s{2,}\(N.*$")  # remarks on shapes, behind a formula
EQUATION = re.compile(r"[^=]{1,12} = ")  # how a line of its own begins
OPENERS = ("forward", "step")  # the word before the formula, of layers and of cells


def formula_of(layer: Any) -> str:
    """
    Return the forward line of a layer, with the names of its activations in it.

    Examples
    --------
    >>> from kerasnb.layers import Dense
    >>> Dense(3).formula, Dense(3, activation="relu").formula
    ('y = x W + b', 'z = x W + b, y = relu(z)')
    """
    for kind in type(layer).__mro__:
        found = forward_line(vars(kind).get("__doc__") or "")
        if found:
            return with_activations(found, layer)
    return "y = f(x)"


def forward_line(doc: str) -> str:
    """Return what follows the word forward, without remarks on shapes."""
    text = ""
    for line in doc.splitlines():
        word, _, rest = line.strip().partition("  ")
        if not text and word in OPENERS:
            text = SHAPES.sub("", rest.strip())
        elif text and (not line.strip() or word.endswith(("backward", "_back"))):
            break
        elif text:
            starts_anew = EQUATION.match(line.strip()) and not text.endswith(",")
            text += ", " if starts_anew else " "
            text += SHAPES.sub("", line.strip())
    return re.sub(r"\s+", " ", text).strip(" ,")


def with_activations(text: str, layer: Any) -> str:
    """Put the names of a layer's activations into its formula."""
    activation = getattr(layer, "activation", None)
    if activation is None or not hasattr(activation, "is_linear"):
        return text
    if activation.is_linear and ", y = activation(z)" in text:
        return text.replace(", y = activation(z)", "").replace("z", "y", 1)
    text = text.replace("activation(", f"{activation.name}(")
    text = text.replace("phi(", f"{activation.name}(")
    text = text.replace("f(x)", f"{activation.name}(x)")
    gate = getattr(layer, "recurrent_activation", None)
    return text if gate is None else text.replace("sigma(", f"{gate.name}(")
