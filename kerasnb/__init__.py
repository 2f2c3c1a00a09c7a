"""
kerasnb: the Keras Sequential API on Numba kernels, written to be read.

    import kerasnb
    from kerasnb.models import Sequential
    from kerasnb.layers import Dense

Read next: `sequential.py` for the model, `layers.py` for Dense, `training.py` for fit,
`kernels/plain/dense.py` for the arithmetic.
"""

from . import (
    activations,
    callbacks,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    plotting,
    regularizers,
    utils,
)
from .checks import check_activation, check_layer, check_loss, check_optimizer
from .device import (
    epsilon,
    floatx,
    get_device,
    set_device,
    set_epsilon,
    set_floatx,
    set_num_threads,
    show_config,
)
from .layer import Layer, reset_names
from .random import set_seed
from .sequential import Sequential
from .version import __version__

__all__ = [
    "Layer",
    "Sequential",
    "__version__",
    "activations",
    "callbacks",
    "check_activation",
    "check_layer",
    "check_loss",
    "check_optimizer",
    "constraints",
    "datasets",
    "epsilon",
    "floatx",
    "get_device",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "plotting",
    "regularizers",
    "reset_names",
    "set_device",
    "set_epsilon",
    "set_floatx",
    "set_num_threads",
    "set_seed",
    "show_config",
    "utils",
]
