"""
Configurations of Keras 3 in our words, and ours in those of Keras 3.

Both libraries write a layer as a class name and its arguments. Most are the same; the
tables here say what is not, and what one side lacks is refused with its name instead of
being guessed at. Read next: `keras3_files.py`, which reads and writes the files.
"""

from __future__ import annotations

from typing import Any

from .layer import snake_case

INITIALIZERS = {
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
    "OrthogonalInitializer": "Orthogonal",
    "IdentityInitializer": "Identity",
}
"""Class in Keras 3 -> our name, where they differ."""

MODULES = {
    "keras.initializers": (
        "Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal "
        "VarianceScaling Orthogonal Identity"
    ),
    "keras.regularizers": "L1L2",
    "keras.constraints": "MaxNorm NonNeg UnitNorm MinMaxNorm",
}
"""Where Keras 3 has the classes that stand in the arguments of a layer."""

HOMES = {name: module for module, text in MODULES.items() for name in text.split()}

LAYERS = frozenset(
    "Dense Activation Dropout Flatten Reshape Permute RepeatVector Masking "
    "ActivityRegularization Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D "
    "DepthwiseConv2D Conv2DTranspose Conv3DTranspose Embedding BatchNormalization "
    "GaussianNoise GaussianDropout AlphaDropout SpatialDropout1D SpatialDropout2D "
    "SpatialDropout3D LeakyReLU PReLU ELU Softmax ReLU TimeDistributed Bidirectional "
    "SimpleRNN GRU LSTM ConvLSTM2D MaxPooling1D MaxPooling2D MaxPooling3D "
    "AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D "
    "GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D "
    "GlobalAveragePooling2D GlobalAveragePooling3D Cropping1D Cropping2D Cropping3D "
    "ZeroPadding1D ZeroPadding2D ZeroPadding3D UpSampling1D UpSampling2D "
    "UpSampling3D".split()
)
"""The layers that both have under one name."""

ALIASES = {
    f"{short}{axes}D": f"{long}{axes}D"
    for short, long in (
        ("MaxPool", "MaxPooling"),
        ("AvgPool", "AveragePooling"),
        ("GlobalMaxPool", "GlobalMaxPooling"),
        ("GlobalAvgPool", "GlobalAveragePooling"),
    )
    for axes in (1, 2, 3)
}
RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}
"""Class and our argument -> what Keras 3 calls it."""

NEUTRAL: dict[str, tuple] = {
    "groups": (1,),
    "lora_rank": (None,),
    "lora_alpha": (None,),
    "quantization_config": (None,),
    "synchronized": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "keepdims": (False,),
    "time_major": (False,),
    "ragged": (False,),
    "sparse": (False,),
}
"""Arguments that only Keras 3 has, and the values with which they change nothing."""

IGNORED = {
    "*": ("renorm_momentum", "use_cudnn"),
    "GaussianNoise": ("seed",),
    "GaussianDropout": ("seed",),
    "SimpleRNN": ("seed",),
    "GRU": ("seed",),
    "LSTM": ("seed",),
    "ConvLSTM2D": ("seed", "unroll"),
}
"""Arguments that change no prediction."""

ONLY_WITH: dict[tuple[str, str], tuple] = {
    ("DepthwiseConv2D", "dilation_rate"): ([1, 1], 1),
    ("Conv3DTranspose", "dilation_rate"): ([1, 1, 1], 1),
    ("ZeroPadding1D", "data_format"): ("channels_last", None),
    ("ConvLSTM2D", "return_state"): (False,),
}
"""Class and argument that we lack -> the values that it may have."""

LEFT_OUT = {
    "Embedding": ("input_length",),
    "SimpleRNN": ("implementation",),
    "GRU": ("implementation",),
    "LSTM": ("implementation",),
    **dict.fromkeys((f"SpatialDropout{n}D" for n in (1, 2, 3)), ("trainable",)),
}
"""Class -> our arguments that Keras 3 does not know and does not need."""

ACTIVATIONS = frozenset(
    "linear relu elu selu softplus softsign tanh sigmoid exponential softmax".split()
)
"""The functions that are the same in both."""

HARD_SIGMOID = (
    "hard_sigmoid has the slope 1/6 in Keras 3 and 1/5 in Keras 2 and here, so the "
    "predictions would differ. Use 'sigmoid', for gates as recurrent_activation, or "
    "another format: weights alone fit either way."
)


# ---------------------------------------------------------------- from Keras 3


def from_keras3(document: dict[str, Any], version: str) -> dict[str, Any]:
    """
    Return the configuration of a model in our words.

    Parameters
    ----------
    document : dict
        With 'class_name' and 'config', from a file of Keras.
    version : str
        The Keras that wrote it; up to 2.2 nothing has to be done.

    Raises
    ------
    ValueError
        If it needs something that we do not have.

    Examples
    --------
    >>> layer = {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}}
    >>> from_keras3({"class_name": "Sequential", "config": {"layers": [layer]}}, "3.15")
    {'class_name': 'Sequential',
     'config': {'layers': [{'class_name': 'LeakyReLU', 'config': {'alpha': 0.1}}]}}
    """
    major, _, rest = version.partition(".")
    is_keras2 = major in ("0", "1", "2")
    if is_keras2 and (major != "2" or rest.partition(".")[0] in ("0", "1", "2")):
        return document
    try:
        made = _layer_from(document, is_keras2)
        _refuse_masked_ways([made])
        return made
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"The configuration is not one of Keras {version} ({error!r})."
        ) from error


def _model_from(config: Any, is_keras2: bool) -> dict[str, Any]:
    if isinstance(config, list):
        config = {"layers": config}
    entries = list(config["layers"])
    shape = config.get("build_input_shape")
    if entries and entries[0]["class_name"] == "InputLayer":
        first = entries.pop(0)["config"]
        shape = first.get("batch_shape", first.get("batch_input_shape"))
    layers = [_layer_from(entry, is_keras2) for entry in entries]
    made = {k: config[k] for k in ("name", "trainable") if k in config}
    made["layers"] = layers
    if shape and layers and "batch_input_shape" not in layers[0]["config"]:
        if layers[0]["class_name"] == "Sequential":
            made["build_input_shape"] = shape
        else:
            layers[0]["config"]["batch_input_shape"] = shape
    return made


def _layer_from(entry: dict[str, Any], is_keras2: bool) -> dict[str, Any]:
    kind, config = entry["class_name"], entry["config"]
    if kind == "Sequential":
        return {"class_name": kind, "config": _model_from(config, is_keras2)}
    made = {name: _value_from(value) for name, value in config.items()}
    if kind in LAYERS:
        if not is_keras2:
            _refuse_other_meaning(kind, made)
        _drop(kind, made)
    for inner in ("layer", "backward_layer"):
        if isinstance(config.get(inner), dict):
            made[inner] = _layer_from(config[inner], is_keras2)
    if kind == "Bidirectional":
        _bidirectional_from(made)
    for (owner, ours), theirs in RENAMED.items():
        if kind == owner and theirs in made:
            made[ours] = made.pop(theirs)
    if kind == "BatchNormalization" and isinstance(made.get("axis"), list):
        (made["axis"],) = made["axis"]
    return {"class_name": kind, "config": made}


def _bidirectional_from(made: dict[str, Any]) -> None:
    """Keep the forward layer: the backward one is made from it."""
    forward, backward = made["layer"]["config"], made.pop("backward_layer", None)
    other = backward and {**backward["config"]}
    same = {"name": None, "go_backwards": None}
    if other and {**other, **same} != {**forward, **same}:
        raise ValueError(
            "Bidirectional: expected a backward layer with the arguments of the "
            "forward one, got another. Only equal layers can be loaded."
        )
    name = forward.get("name", "")
    if name.startswith("forward_"):
        forward["name"] = name.removeprefix("forward_")


def _value_from(value: Any) -> Any:
    """Return an argument with class names and types in our words."""
    if isinstance(value, list):
        return [_value_from(part) for part in value]
    if not isinstance(value, dict) or not {"class_name", "config"} <= set(value):
        return value
    kind, config = value["class_name"], value["config"]
    if kind == "function":
        return config
    if kind in ("DTypePolicy", "Policy"):
        return config["name"]
    if not isinstance(config, dict):
        raise ValueError(f"{kind}: expected its arguments, got {config!r:.40}.")
    arguments = {
        name: _value_from(part)
        for name, part in config.items()
        if not (name in ("input_axes", "output_axes") and part is None)
    }
    if kind in ("L1", "L2"):
        return {"class_name": "L1L2", "config": arguments}
    if kind == "VarianceScaling" and arguments.get("distribution") is not None:
        word = arguments["distribution"]
        arguments["distribution"] = {"truncated_normal": "normal"}.get(word, word)
    return {"class_name": INITIALIZERS.get(kind, kind), "config": arguments}


def _drop(kind: str, made: dict[str, Any]) -> None:
    """Take out what we do not know, if it changes nothing; else refuse it."""
    for name in (*IGNORED["*"], *IGNORED.get(kind, ()), "zero_output_for_mask"):
        made.pop(name, None)
    limits = {name: NEUTRAL[name] for name in NEUTRAL if name in made}
    limits |= {n: v for (k, n), v in ONLY_WITH.items() if k == kind and n in made}
    for name, allowed in limits.items():
        value = made.pop(name)
        if value not in allowed:
            raise ValueError(
                f"{kind}: {name}={value!r} is something that kerasnb does not have; "
                f"only {allowed[0]!r} can be loaded."
            )


def _refuse_other_meaning(kind: str, config: dict[str, Any]) -> None:
    """Refuse arguments that mean one thing in Keras 3 and another here."""
    who = config.get("name") or kind
    for name, value in config.items():
        if name.endswith("activation") and value == "hard_sigmoid":
            raise ValueError(f"{who}: {HARD_SIGMOID}")
    if config.get("interpolation") not in (None, "nearest"):
        raise ValueError(
            f"{who}: interpolation={config['interpolation']!r} takes other places "
            "between the points in Keras 3. Only 'nearest' is the same in both."
        )


def _refuse_masked_ways(entries: list, is_masked: bool = False) -> bool:
    """
    Refuse Bidirectional sequences of masked steps; return whether a mask goes on.

    Where a step is masked, Keras 3 puts out zeros there, we the step before.
    """
    for entry in entries:
        kind, config = entry["class_name"], entry["config"]
        if kind == "Sequential":
            is_masked = _refuse_masked_ways(config["layers"], is_masked)
            continue
        inner = config["layer"]["config"] if kind == "Bidirectional" else config
        if kind == "Bidirectional" and is_masked and inner.get("return_sequences"):
            raise ValueError(
                f"{config.get('name') or kind}: its outputs at masked steps are zeros "
                "in Keras 3 and those of the step before here, so the predictions "
                "would differ. Use another format: weights alone fit either way."
            )
        is_masked |= kind == "Masking" or bool(config.get("mask_zero"))
        is_masked &= inner.get("return_sequences", True)
    return is_masked


# ---------------------------------------------------------------- to Keras 3


def to_keras3(model: Any) -> dict[str, Any]:
    """
    Return the configuration of a model in the words of Keras 3.

    Parameters
    ----------
    model : Sequential

    Raises
    ------
    ValueError
        If Keras 3 has no such layer or argument, or it means something else there.
    """
    layers = [_layer_to(layer) for layer in model.layers if not _is_input(layer)]
    _refuse_masked_ways(layers)
    shape = model.batch_input_shape
    if isinstance(shape, list):
        raise ValueError(
            f"{model.name}: a Sequential of Keras 3 has one input, this one has "
            f"{len(shape)}. Save it in our own format, such as 'model.knb'."
        )
    if shape:
        name = f"{model.layers[0].name}_input"
        config = {"batch_shape": list(shape), "dtype": model.dtype, "name": name}
        layers.insert(0, _object("keras.layers", "InputLayer", config))
    config = {"name": model.name, "trainable": model.trainable, "layers": layers}
    return _object("keras", "Sequential", config)


def _is_input(layer: Any) -> bool:
    return type(layer).__name__ == "InputLayer"


def _object(module: str, kind: str, config: Any) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": kind,
        "config": config,
        "registered_name": None,
    }


def _layer_to(layer: Any) -> dict[str, Any]:
    kind = type(layer).__name__
    kind = ALIASES.get(kind, kind)
    if kind == "Sequential":
        return to_keras3(layer)
    if kind not in LAYERS or not type(layer).__module__.startswith(f"{__package__}."):
        raise ValueError(
            f"{layer.name}: Keras 3 has no layer {kind} that can be loaded. Save the "
            "model in our own format, such as 'model.knb', or its weights alone."
        )
    config = layer.get_config()
    _refuse_other_meaning(kind, config)
    for name in ("batch_input_shape", "weights", *LEFT_OUT.get(kind, ())):
        config.pop(name, None)
    if config.get("output_padding", 0) is None:
        del config["output_padding"]
    made = {
        RENAMED.get((kind, name), name): _value_to(layer, name, value)
        for name, value in config.items()
    }
    if "layer" in config:
        made["layer"] = _layer_to(layer.sublayers[0])
    if kind == "Bidirectional":
        made["backward_layer"] = _layer_to(layer.sublayers[1])
    return _object("keras.layers", kind, made)


def _value_to(layer: Any, name: str, value: Any) -> Any:
    if name.endswith("activation") and value not in ACTIVATIONS:
        raise ValueError(
            f"{layer.name}: Keras 3 has no {name} {value!r} that is the same. Save the "
            "model in our own format, or its weights alone."
        )
    if not isinstance(value, dict) or "class_name" not in value or name == "layer":
        return value
    kind, config = value["class_name"], dict(value["config"])
    if kind not in HOMES:
        raise ValueError(
            f"{layer.name}: Keras 3 has no {kind} for {name}. Save the model in our "
            "own format, or its weights alone."
        )
    if config.get("distribution") == "normal":
        config["distribution"] = "truncated_normal"
    return _object(HOMES[kind], kind, config)


# ---------------------------------------------------------------- training

OPTIMIZERS = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")
ONLY_THERE: dict[str, tuple] = {
    "weight_decay": (None, 0),
    "clipnorm": (None,),
    "use_ema": (False,),
    "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None, 1),
    "centered": (False,),
    "jit_compile": (True, False),
    "is_legacy_optimizer": (False,),
}
"""Arguments of an optimizer that we lack -> the values with which they do nothing."""

LOSS_ARGUMENTS: dict[str, tuple] = {
    "from_logits": (False,),
    "label_smoothing": (0,),
    "axis": (-1,),
    "ignore_class": (None,),
    "reduction": ("sum_over_batch_size", "auto"),
}


NAMES = {
    name: name
    for name in (
        "mean_squared_error mse MSE mean_absolute_error mae MAE "
        "mean_absolute_percentage_error mape MAPE mean_squared_logarithmic_error msle "
        "MSLE squared_hinge hinge categorical_hinge categorical_crossentropy poisson "
        "sparse_categorical_crossentropy binary_crossentropy accuracy binary_accuracy "
        "categorical_accuracy sparse_categorical_accuracy top_k_categorical_accuracy "
        "sparse_top_k_categorical_accuracy"
    ).split()
} | {
    "acc": "accuracy",
    "kld": "kl_divergence",
    "KLD": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
}
"""Our names of losses and metrics that Keras 3 has too -> its names."""


def training_from(config: dict[str, Any]) -> dict[str, Any]:
    """
    Return how a model was compiled, in our words.

    Parameters
    ----------
    config : dict
        The 'compile_config' of Keras 3.

    Raises
    ------
    ValueError
        If it needs something that we do not have.
    """
    named = config["optimizer"]
    return {
        "optimizer_config": optimizer_from(named),
        "loss": told_from(config.get("loss")),
        "metrics": told_from(config.get("metrics")),
        "weighted_metrics": told_from(config.get("weighted_metrics")),
        "loss_weights": config.get("loss_weights"),
        "sample_weight_mode": None,
    }


def optimizer_from(named: Any) -> Any:
    """Return the configuration of an optimizer of Keras 3 in our words."""
    if not isinstance(named, dict):
        return named
    config, kind = dict(named["config"]), named["class_name"]
    if "learning_rate" not in config:
        return {"class_name": kind, "config": config}
    config["lr"] = config.pop("learning_rate")
    if isinstance(config["lr"], dict):
        raise ValueError(f"{kind}: a schedule of learning rates cannot be loaded.")
    for name, allowed in ONLY_THERE.items():
        if config.pop(name, allowed[0]) not in allowed:
            raise ValueError(f"{kind}: {name} is something that kerasnb does not have.")
    for name in ("name", "ema_momentum", "ema_overwrite_frequency"):
        config.pop(name, None)
    config.pop("initial_accumulator_value", None)  # the state of the file has it
    config["clipnorm"] = config.pop("global_clipnorm", None)
    if kind == "RMSprop" and config.pop("momentum", 0):
        raise ValueError("RMSprop: momentum is something that kerasnb does not have.")
    if kind == "Nadam":
        config["schedule_decay"] = 1.0
    return {"class_name": kind, "config": config}


def told_from(value: Any) -> Any:
    """Return losses or metrics in our words."""
    if isinstance(value, list):
        return [told_from(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value:
        return {name: told_from(part) for name, part in value.items()}
    kind, config = value["class_name"], value["config"]
    if "module" not in value or kind == "function":
        return config if kind == "function" else value
    for name, allowed in LOSS_ARGUMENTS.items():
        if config.get(name, allowed[0]) not in allowed:
            raise ValueError(f"{kind}: {name} is something that kerasnb does not have.")
    name = snake_case(kind)
    return {"kl_divergence": "kullback_leibler_divergence"}.get(name, name)


def training_to(training: dict[str, Any]) -> dict[str, Any]:
    """
    Return how a model was compiled, in the words of Keras 3.

    Raises
    ------
    ValueError
        If Keras 3 lacks something of it.
    """
    kind = training["optimizer_config"]["class_name"]
    config = dict(training["optimizer_config"]["config"])
    odd = config.pop("decay", 0) or config.pop("schedule_decay", 1) != 1
    if kind not in OPTIMIZERS or odd:
        raise ValueError(f"it has no optimizer {kind} with decay={odd or None}")
    config["learning_rate"] = config.pop("lr")
    if "clipnorm" in config:
        config["global_clipnorm"] = config.pop("clipnorm")
    if kind == "Adagrad":
        config["initial_accumulator_value"] = 0.0
    return {
        "optimizer": _object("keras.optimizers", kind, config),
        "loss": _names(training["loss"]),
        "metrics": _names(training["metrics"]),
        "weighted_metrics": _names(training["weighted_metrics"]),
        "loss_weights": training["loss_weights"],
    }


def _names(value: Any) -> Any:
    """Return losses or metrics that are known by name, and refuse all others."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_names(part) for part in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {name: _names(part) for name, part in value.items()}
    if isinstance(value, str) and value in NAMES:
        return NAMES[value]
    raise ValueError(f"it does not have the loss or metric {value!r:.60}")
