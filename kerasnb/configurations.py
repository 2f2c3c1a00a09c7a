"""
Configurations: fresh models from JSON, from YAML and from plain dicts.

What `to_json`, `to_yaml` and `get_config` tell of a model makes another one of the same
layers, of the library's own classes and of those in `custom_objects`; nothing else that
a text may say is done. Read next: `saving.py`, where weights come along.
"""

from __future__ import annotations

import json
from typing import Any

from .extras import import_extra
from .layer import reserve_name
from .utils import custom_object_scope, lookup


def model_from_json(string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """
    Return a model with fresh weights from what `to_json` returned.

    Raises
    ------
    ValueError
        If the string is not such a document, or names an unknown class.

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> model = Sequential([layers.Dense(2, input_shape=(3,))])
    >>> model_from_json(model.to_json()).output_shape
    (None, 2)
    """
    if not isinstance(string, (str, bytes)):
        raise TypeError(
            f"model_from_json: expected a JSON string, got {type(string).__name__}. "
            "model_from_config takes a dict."
        )
    try:
        config = json.loads(string)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"model_from_json: the string is not JSON ({error}). Pass what to_json "
            "returned; load_model reads files."
        ) from error
    return model_from_config(config, custom_objects)


def model_from_yaml(string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """
    Return a model with fresh weights from what `to_yaml` returned.

    Raises
    ------
    ValueError
        If the string is not such a document, or names an unknown class.
    """
    yaml = import_extra("yaml", "yaml", "model_from_yaml")
    if not isinstance(string, (str, bytes)):
        raise TypeError(
            f"model_from_yaml: expected a YAML string, got {type(string).__name__}. "
            "model_from_config takes a dict."
        )
    try:
        config = yaml.load(string, Loader=_without_aliases(yaml))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ValueError(
            f"model_from_yaml: the string is not plain YAML ({problem}). Pass what "
            "to_yaml returned."
        ) from error
    return model_from_config(config, custom_objects)


def _without_aliases(yaml: Any) -> Any:
    """Return the safe loader without what lets a short text stand for a huge one."""

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent, index):
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("it has aliases (*name)")
            return super().compose_node(parent, index)

    return Loader


def model_from_config(
    config: dict[str, Any] | None, custom_objects: dict[str, Any] | None = None
) -> Any:
    """
    Return a model with fresh weights from its class name and configuration.

    Parameters
    ----------
    config : dict
        With the keys 'class_name' and 'config'.
    custom_objects : dict, optional
        Name -> class or function, for everything that is not the library's own.

    Raises
    ------
    TypeError
        If `config` is a list, which `Sequential.from_config` takes.
    ValueError
        If it is something else, or names an unknown class.
    """
    from . import keras1, sequential  # which stand on this module

    if isinstance(config, list):
        raise TypeError(
            "model_from_config: expected a dict with 'class_name' and 'config', got a "
            "list. Sequential.from_config takes lists of layers."
        )
    if not isinstance(config, dict) or not {"class_name", "config"} <= set(config):
        raise ValueError(
            "model_from_config: expected a dict with 'class_name' and 'config', got "
            f"{config!r:.80}. Sequential.from_config takes what get_config returned."
        )
    with custom_object_scope(custom_objects or {}):
        home = keras1 if config.get("dialect") == 1 else sequential
        known = {"Sequential": home.Sequential}
        made = lookup(config["class_name"], known, "model")
        model = made.from_config(config["config"])
    for layer in model.walk():
        reserve_name(layer.name)
    return model
