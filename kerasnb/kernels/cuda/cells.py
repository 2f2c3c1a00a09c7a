"""
One unit of a recurrent cell, at one step: what all ways to run a sequence share.

The numbers are those of one unit of one sample; sums are what activations are applied
to. Read next: `recurrence.py`.
"""

from ..formulas.recurrence import activate, slope
from ..jit import inner, like
from ..plain import recurrence as plain
from .target import part

seen = part(getattr(plain.seen, "py_func", plain.seen))
is_kept = part(getattr(plain.is_kept, "py_func", plain.is_kept))


@inner
def lstm_state(i, f, g, o, c, sigma, phi):
    """Return the gates i, f, g, o of these sums, the next c and the next h."""
    i, f, o = activate(sigma, i), activate(sigma, f), activate(sigma, o)
    g = activate(phi, g)
    new = f * c + i * g
    return i, f, g, o, new, o * activate(phi, new)


@inner
def lstm_slopes(i, f, g, o, c, new, dh, dc, sigma, phi):
    """Return the gradients of the four sums, and of c before a step that made new."""
    y = activate(phi, new)
    dc += dh * o * slope(phi, y)
    di, df = dc * g * slope(sigma, i), dc * c * slope(sigma, f)
    return di, df, dc * i * slope(phi, g), dh * y * slope(sigma, o), dc * f


@inner
def gru_state(p, g, h, phi):
    """Return gate g of this sum, and the next h."""
    g = activate(phi, g)
    return g, p * h + (like(p, 1) - p) * g


@inner
def gru_slopes(p, g, h, dh, sigma, phi):
    """Return the gradients of the sums of p and g, and what of dh goes straight on."""
    dg = dh * (like(p, 1) - p) * slope(phi, g)
    return dh * (h - g) * slope(sigma, p), dg, dh * p
