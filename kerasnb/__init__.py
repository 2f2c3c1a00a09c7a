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
    backend,
    callbacks,
    constraints,
    datasets,
    initializers,
    keras1,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    plotting,
    preprocessing,
    regularizers,
    utils,
)
from .autodiff import grad, value_and_grad
from .checks import check_activation, check_layer, check_loss, check_optimizer
from .device import (
    epsilon,
    floatx,
    get_device,
    image_data_format,
    set_device,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_num_threads,
    show_config,
)
from .functions import check_gradient, with_gradient
from .generators import Sequence
from .install import install_as_keras, uninstall_as_keras
from .layer import Layer, reset_names
from .merge import Fork, Merge
from .random import set_seed
from .saving import load_model, save_model
from .sequential import Sequential
from .version import __version__

initializations, objectives = initializers, losses  # their names in Keras 1

__all__ = [
    "Fork",
    "Layer",
    "Merge",
    "Sequence",
    "Sequential",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "check_activation",
    "check_gradient",
    "check_layer",
    "check_loss",
    "check_optimizer",
    "constraints",
    "datasets",
    "epsilon",
    "floatx",
    "get_device",
    "grad",
    "image_data_format",
    "initializations",
    "initializers",
    "install_as_keras",
    "keras1",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "objectives",
    "optimizers",
    "plotting",
    "preprocessing",
    "regularizers",
    "reset_names",
    "save_model",
    "set_device",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_num_threads",
    "set_seed",
    "show_config",
    "uninstall_as_keras",
    "utils",
    "value_and_grad",
    "with_gradient",
]
