"""
Optimizers: how parameters move, given the gradient of the loss.

A step is one kernel over the flat vector of all parameters. Every class takes Keras's
arguments, and `get` turns a name into an object. Read next: `optimizer.py` for what
they share, `kernels/formulas/optimizers.py`, where each rule is three lines.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .device import ops
from .optimizer import Optimizer
from .utils import construct, get_custom_objects


class SGD(Optimizer):
    """
    Stochastic gradient descent: v = momentum v - lr g, p += v.

    Without momentum there is no slot: p -= lr g.

    Parameters
    ----------
    lr : float
    momentum : float
        How much of the last step goes into the next.
    decay : float
    nesterov : bool
        Take the gradient as if it were measured one velocity ahead.
    clipnorm, clipvalue : float, optional

    Examples
    --------
    >>> p = np.array([1.0])
    >>> SGD(lr=0.5).update(p, np.array([0.2]))
    >>> p
    array([0.9])
    """

    slots = ("v",)

    def __init__(
        self,
        lr: float = 0.01,
        momentum: float = 0.0,
        decay: float = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.momentum = self._at_least_zero("momentum", momentum)
        self.nesterov = bool(nesterov)
        self.v: np.ndarray | None = None

    def new_slot(self) -> np.ndarray | None:
        """Return zeros, or None while there is no momentum."""
        return super().new_slot() if self.momentum else None

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move against the gradient, and on with the velocity."""
        if not self.momentum:
            ops.sgd_update(p, g, self.decayed_lr())
            return
        if self.v is None:
            self.v = self.new_slot()
        update = ops.nesterov_update if self.nesterov else ops.momentum_update
        update(p, self.v, g, self.decayed_lr(), float(self.momentum))


class RMSprop(Optimizer):
    """
    Divide by the root of a running average of g**2 (Tieleman and Hinton 2012).

    Parameters
    ----------
    lr : float
    rho : float
        The weight of the past in the average.
    epsilon : float, optional
        Added to the root; default: `kerasnb.epsilon()`.
    decay : float
    clipnorm, clipvalue : float, optional
    """

    slots = ("a",)
    a: np.ndarray
    weights_start_with_iterations = False

    def __init__(
        self,
        lr: float = 0.001,
        rho: float = 0.9,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.rho = self._fraction("rho", rho)
        self.epsilon = self._epsilon(epsilon)

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move each parameter by its gradient in units of its usual size."""
        ops.rmsprop_update(p, self.a, g, self.decayed_lr(), self.rho, self.epsilon)


class Adagrad(Optimizer):
    """
    Divide by the root of the sum of all g**2 so far (Duchi, Hazan and Singer 2011).

    Parameters
    ----------
    lr : float
    epsilon : float, optional
        Added to the root; default: `kerasnb.epsilon()`.
    decay : float
    clipnorm, clipvalue : float, optional
    """

    slots = ("a",)
    a: np.ndarray
    weights_start_with_iterations = False

    def __init__(
        self,
        lr: float = 0.01,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.epsilon = self._epsilon(epsilon)

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move each parameter the less, the more it has been asked to move."""
        ops.adagrad_update(p, self.a, g, self.decayed_lr(), self.epsilon)


class Adadelta(Optimizer):
    """
    Steps of the size of recent steps, whatever the unit of the loss (Zeiler 2012).

    Parameters
    ----------
    lr : float
    rho : float
        The weight of the past in both averages, of g**2 and of step**2.
    epsilon : float, optional
        Added under both roots; default: `kerasnb.epsilon()`.
    decay : float
    clipnorm, clipvalue : float, optional
    """

    slots = ("a", "d")
    a: np.ndarray
    d: np.ndarray
    weights_start_with_iterations = False

    def __init__(
        self,
        lr: float = 1.0,
        rho: float = 0.95,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.rho = self._fraction("rho", rho)
        self.epsilon = self._epsilon(epsilon)

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move by the gradient times the ratio of two root mean squares."""
        lr = self.decayed_lr()
        ops.adadelta_update(p, self.a, self.d, g, lr, self.rho, self.epsilon)


class AdamFamily(Optimizer):
    """
    Base of the optimizers with running averages of g and of its size.

    Parameters
    ----------
    lr : float
    beta_1, beta_2 : float
        The weight of the past in the average of g, and in that of its size.
    epsilon : float, optional
        Added to the denominator; default: `kerasnb.epsilon()`.
    decay : float
    clipnorm, clipvalue : float, optional
    """

    slots: tuple[str, ...] = ("m", "v")
    m: np.ndarray
    v: np.ndarray
    v_hat: np.ndarray
    u: np.ndarray

    def __init__(
        self,
        lr: float,
        beta_1: float,
        beta_2: float,
        epsilon: float | None,
        decay: float,
        /,
        **clipping: Any,
    ) -> None:
        super().__init__(lr, decay, **clipping)
        self.beta_1 = self._fraction("beta_1", beta_1)
        self.beta_2 = self._fraction("beta_2", beta_2)
        self.epsilon = self._epsilon(epsilon)


class Adam(AdamFamily):
    """
    RMSprop with momentum, both averages corrected for their start (Kingma 2014).

    Parameters
    ----------
    lr : float
    beta_1, beta_2 : float
        The weight of the past in the averages of g and of g**2.
    epsilon : float, optional
        Added to the root of the uncorrected average; default: `kerasnb.epsilon()`.
    decay : float
    amsgrad : bool
        Divide by the largest average of g**2 so far (Reddi 2018).
    clipnorm, clipvalue : float, optional
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, beta_1, beta_2, epsilon, decay, **kwargs)
        self.amsgrad = bool(amsgrad)
        if self.amsgrad:
            self.slots = ("m", "v", "v_hat")

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move by the average gradient in units of its usual size."""
        t = self.iterations + 1
        lr = self.decayed_lr() * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        numbers = lr, self.beta_1, self.beta_2, self.epsilon
        if self.amsgrad:
            ops.amsgrad_update(p, self.m, self.v, self.v_hat, g, *numbers)
        else:
            ops.adam_update(p, self.m, self.v, g, *numbers)

    def get_weights(self) -> list[np.ndarray]:
        """Return iterations, m, v and, as Keras does, one number per missing v_hat."""
        weights = super().get_weights()
        if weights and not self.amsgrad:
            weights += [np.zeros(1, self.dtype) for _ in self._parts()]
        return weights


class Adamax(AdamFamily):
    """
    Adam with the largest faded |g| instead of a root mean square (Kingma 2014).

    Parameters
    ----------
    lr : float
    beta_1, beta_2 : float
        The weight of the past in the average of g, and how |g| fades.
    epsilon : float, optional
        Added to the denominator; default: `kerasnb.epsilon()`.
    decay : float
    clipnorm, clipvalue : float, optional
    """

    slots = ("m", "u")

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, beta_1, beta_2, epsilon, decay, **kwargs)

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move by the average gradient in units of the largest recent one."""
        lr = self.decayed_lr() / (1 - self.beta_1 ** (self.iterations + 1))
        numbers = lr, self.beta_1, self.beta_2, self.epsilon
        ops.adamax_update(p, self.m, self.u, g, *numbers)


class Nadam(AdamFamily):
    """
    Adam with Nesterov's momentum, which warms up over time (Dozat 2016).

    Parameters
    ----------
    lr : float
    beta_1, beta_2 : float
        The weight of the past in the averages of g and of g**2.
    epsilon : float, optional
        Added to the root; default: `kerasnb.epsilon()`.
    schedule_decay : float
        How fast the momentum approaches beta_1.
    clipnorm, clipvalue : float, optional

    Attributes
    ----------
    schedule_product : float
        The product of the momenta of all steps so far.
    """

    scalars = ("iterations", "schedule_product")

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        self._refuse(kwargs.keys() & {"decay"})
        super().__init__(lr, beta_1, beta_2, epsilon, 0.0, **kwargs)
        self.schedule_decay = self._at_least_zero("schedule_decay", schedule_decay)
        self.schedule_product = 1.0

    def momentum_of(self, t: int) -> float:
        """Return the momentum of step t = 1, 2, ..."""
        return self.beta_1 * (1 - 0.5 * 0.96 ** (t * self.schedule_decay))

    def skip(self) -> None:
        """Count a batch that changes nothing."""
        self.schedule_product *= self.momentum_of(self.iterations + 1)
        super().skip()

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Move by the average gradient as it will be one step later."""
        t = self.iterations + 1
        now, later = self.momentum_of(t), self.momentum_of(t + 1)
        self.schedule_product *= now
        lr = self.decayed_lr()
        lr_g = lr * (1 - now) / (1 - self.schedule_product)
        lr_m = lr * later / (1 - self.schedule_product * later)
        correction = 1 / (1 - self.beta_2**t)
        numbers = lr_g, lr_m, self.beta_1, self.beta_2, correction, self.epsilon
        ops.nadam_update(p, self.m, self.v, g, *numbers)


sgd = SGD
rmsprop = RMSprop
adagrad = Adagrad
adadelta = Adadelta
adam = Adam
adamax = Adamax
nadam = Nadam

OPTIMIZERS = {
    "sgd": SGD,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamax": Adamax,
    "nadam": Nadam,
}


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """
    Return the class name and the configuration.

    Examples
    --------
    >>> serialize(SGD(lr=0.1))["class_name"]
    'SGD'
    """
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def get(identifier: Any) -> Optimizer:
    """
    Return the optimizer that is meant.

    Parameters
    ----------
    identifier : str, dict, class or Optimizer
        A name in any case, what `serialize` returned, a class or an object.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is nothing of the above.
    """
    if isinstance(identifier, str):
        identifier = _any_case(identifier)
    elif isinstance(identifier, dict) and "class_name" in identifier:
        name = _any_case(str(identifier["class_name"]))
        identifier = {**identifier, "class_name": name}
    found = construct(identifier, OPTIMIZERS, Optimizer, "optimizer")
    if isinstance(found, Optimizer):
        return found
    raise TypeError(
        "optimizer: expected a name, a configuration or an Optimizer, got "
        f"{identifier!r}. Write for example optimizer='adam'."
    )


def _any_case(name: str) -> str:
    """Return the name as the table has it, unless it is one of the user's own."""
    return name if name in get_custom_objects() else name.lower()
