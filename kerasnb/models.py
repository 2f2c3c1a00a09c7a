"""
The import face of models: `from kerasnb.models import Sequential, load_model`.

The class itself is in `sequential.py`, the functions are in `saving.py`,
`configurations.py` and `copying.py`.
"""

from .configurations import model_from_config, model_from_json, model_from_yaml
from .copying import clone_model
from .saving import load_model, save_model
from .sequential import Sequential

__all__ = [
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_config",
    "model_from_json",
    "model_from_yaml",
    "save_model",
]
