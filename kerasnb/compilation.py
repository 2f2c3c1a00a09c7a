"""
compile: what a model is told to minimise, to report, and how to learn.

Everything may be given once for all outputs, as a list with one entry per output, or as
a dict by output name. `Compiled` keeps what was said, and connects it with the weights
and the outputs as they are when training begins. Read next: `objective.py` for what is
computed of it, `training.py` for the loop.
"""

from __future__ import annotations

import math
import warnings
from numbers import Real

from . import losses, metrics, optimizers
from .advice import advise_on_outputs
from .layer import Layer, shapes_of, show_shape
from .objective import Objective, Objectives, make_objective
from .parameters import Parameters
from .replay import can_replay


class Compiled(Layer):
    """What `compile` does for a model; `Training` goes on from here."""

    optimizer = loss = target_tensors = None
    combines_weights = False  # True: class_weight times sample_weight
    _advised = False  # True: the last layers were looked at
    _objective: Objective | Objectives | None = None
    _parameters: Parameters | None = None

    def compile(
        self,
        optimizer,
        loss=None,
        metrics=None,
        loss_weights=None,
        sample_weight_mode=None,
        weighted_metrics=None,
        target_tensors=None,
    ):
        """
        Choose how the model is trained.

        With several outputs, each argument but the optimizer may be a list with one
        entry per output, or a dict by output name.

        Parameters
        ----------
        optimizer : str or Optimizer
            'sgd', 'rmsprop', 'adam', ... or an instance.
        loss : str, Loss or callable, optional
            'mse', 'categorical_crossentropy', ... or a function (y_true, y_pred) ->
            one value per sample. None: only the penalties of layers. An output that a
            dict leaves out is not trained.
        metrics : list, optional
            Names, Metric objects or functions (y_true, y_pred) -> one value per sample.
        loss_weights : list or dict of numbers, optional
            Factors of the losses in their sum; default 1.
        sample_weight_mode : str, optional
            'temporal' for one weight per time step.
        weighted_metrics : list, optional
            As `metrics`, but weighted with the sample weights.
        target_tensors : array or callable, optional
            The targets of every later call, which then is made with y=None: arrays with
            as many samples as x, or a function that returns the targets of a batch x.

        Raises
        ------
        ValueError
            If a name is unknown, or there is nothing to minimise.
        TypeError
            If an argument has the wrong type.
        """
        settings = {
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "loss_weights": loss_weights,
            "sample_weight_mode": sample_weight_mode,
        }
        check_names(settings)
        check_targets(target_tensors)
        if self.sublayers:
            by_output(settings, self.output_names)
        optimizer = optimizers.get(optimizer)
        resolved = self._objectives_of(settings) if self.built else None
        self.optimizer, self._settings = optimizer, settings
        self.loss, self.loss_weights = loss, loss_weights
        self.metrics, self.weighted_metrics = metrics or [], weighted_metrics or []
        self.sample_weight_mode = sample_weight_mode
        self.target_tensors = target_tensors
        self._objective = self._parameters = None
        self._advised = False
        if resolved:
            self._bind(resolved)

    def _objectives_of(self, settings):
        """Return the objective of each output and which weights are temporal."""
        names, shapes = self.output_names, shapes_of(self.output_shape)
        outputs = by_output(settings, names)
        parts = [
            make_objective(
                shape,
                self.dtype,
                None if one["loss"] is None else losses.get(one["loss"]),
                one["metrics"],
                one["weighted_metrics"],
                one["loss_weights"],
            )
            for shape, one in zip(shapes, outputs)
        ]
        if all(part.loss is None for part in parts) and not self._has_penalties():
            raise ValueError(
                "compile: there is nothing to minimise. Pass a loss, for example "
                "loss='mse', or give a layer a regularizer."
            )
        temporal = [one["sample_weight_mode"] == "temporal" for one in outputs]
        for name, shape, per_step in zip(names, shapes, temporal):
            if per_step and len(shape) < 3:
                raise ValueError(
                    "compile: sample_weight_mode='temporal' means a weight per time "
                    f"step, but the output {name} has no time axis, it has the shape "
                    f"{show_shape(shape)}. Leave the mode out for a weight per sample."
                )
        return parts, temporal

    def _bind(self, resolved=None):
        """
        Connect the compiled settings with the weights and outputs as they are.

        `resolved` is what `_objectives_of` has just returned, if it was asked.
        """
        names = self.output_names
        parts, self._temporal = resolved or self._objectives_of(self._settings)
        untrained = [name for name, part in zip(names, parts) if part.loss is None]
        if 0 < len(untrained) < len(names):
            warnings.warn(
                f"compile: there is no loss for {', '.join(untrained)}; such an output "
                "is not trained, takes no targets and has no metrics.",
                stacklevel=3,
            )
        objective = parts[0] if len(parts) == 1 else Objectives(parts, names)
        trainable = self._in_training_order()
        for weight in self.weights:
            weight.grad = None
        self._parameters = Parameters(trainable)
        self.optimizer.build(
            self._parameters.value.size,
            self._parameters.value.dtype,
            self._parameters.layout,
        )
        self._objective, self._parts = objective, parts
        self._penalized_layers = [
            layer for layer in self.walk() if layer.activity_regularizer is not None
        ]
        self._penalized_weights = [w for w in self.weights if w.regularizer is not None]
        self._penalties = bool(self._penalized_layers or self._penalized_weights)
        self._recordings = {}
        self._replays = can_replay(self, parts)
        self._constrained = [w for w in trainable if w.constraint is not None]
        if not self._advised:
            self._advised = True
            advise_on_outputs(self, names, parts)

    def _ready(self, call, x=None, supply=None):
        """Make sure that the model is compiled, built and bound."""
        if self.optimizer is None:
            raise RuntimeError(
                f"{call}: the model must be compiled first. Call for example "
                "model.compile(optimizer='sgd', loss='mse')."
            )
        self._build_for(x, supply)
        if self._objective is None:
            self._bind()
        trainable = self._in_training_order()
        if not self._parameters.hold(trainable):
            if len(trainable) != len(self._parameters.weights):
                warnings.warn(
                    "The set of trainable weights has changed since compile; it takes "
                    "effect now, and the optimizer starts with fresh slots.",
                    stacklevel=4 if call.startswith("fit") else 3,
                )
            self._bind()
        self.owns_dy = True  # the loss's own array, which the next step fills anew
        self.needs_dx = False

    def _move(self):
        """Move to the device in use; what `compile` asked for is bound anew there."""
        super()._move()
        self._objective, self._recordings = None, {}

    def _in_training_order(self):
        """Return the trainable weights in the order of the optimizer's."""
        return self.trainable_weights

    def _has_penalties(self):
        return any(
            layer.activity_regularizer is not None
            or any(weight.regularizer is not None for weight in layer.weights)
            for layer in self.walk()
        )

    @property
    def metrics_names(self):
        """Return the names of the values that training and evaluation return."""
        if self.optimizer is None:
            raise RuntimeError("metrics_names: the model must be compiled first.")
        self._ready("metrics_names")
        return list(self._objective.names)

    @property
    def logged_names(self):
        """Return the names under which training logs these values."""
        return self.metrics_names


def check_names(settings):
    """Refuse unknown names and wrong types, whatever outputs the model will have."""
    loss = settings["loss"]
    for one in _entries(loss):
        if one is not None:
            losses.get(one)
    for argument in ("metrics", "weighted_metrics"):
        given = settings[argument]
        if given is not None and not isinstance(given, (list, tuple, dict)):
            raise TypeError(
                f"compile: {argument} must be a list such as ['accuracy'], or a dict "
                f"by output name, got {given!r}."
            )
        for metric in _flat(given):
            if metric not in ("accuracy", "acc", "crossentropy", "ce"):
                metrics.get(metric)
    weights = settings["loss_weights"]
    if weights is not None and not isinstance(weights, (list, tuple, dict)):
        raise TypeError(
            "compile: loss_weights must be a list or a dict with one number per "
            f"output, got {weights!r}."
        )
    for weight in _entries(weights):
        is_number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not (is_number and math.isfinite(weight)):
            raise ValueError(
                f"compile: loss_weights must be finite numbers, got {weight!r}."
            )
    for mode in _entries(settings["sample_weight_mode"]):
        if mode not in (None, "temporal"):
            raise ValueError(
                "compile: sample_weight_mode must be None, for a weight per sample, or "
                f"'temporal', for one per time step, got {mode!r}."
            )


def check_targets(given):
    """Refuse targets that are neither arrays nor a function, before a call needs y."""
    for one in given.values() if isinstance(given, dict) else [given]:
        is_array = isinstance(one, (list, tuple)) or getattr(one, "shape", ())
        if not (one is None or is_array or callable(one)):
            raise TypeError(
                "compile: target_tensors must be an array, or a function that returns "
                f"the targets of a batch x, got {one!r}."
            )


def by_output(settings, names):
    """Return one dict of settings for each output."""
    columns = {
        "loss": _spread(settings["loss"], names, "loss", None),
        "loss_weights": _spread(settings["loss_weights"], names, "loss_weights", 1.0),
        "sample_weight_mode": _spread(
            settings["sample_weight_mode"], names, "sample_weight_mode", None
        ),
    }
    for argument in ("metrics", "weighted_metrics"):
        columns[argument] = _spread_metrics(settings[argument], names, argument)
    return [
        {argument: column[k] for argument, column in columns.items()}
        for k in range(len(names))
    ]


def _spread(given, names, argument, default):
    """Return one entry per output of something given once, as a list or as a dict."""
    if given is None:
        return [default] * len(names)
    if _is_by_name(given):
        _refuse_unknown(given, names, argument)
        return [given.get(name, default) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(
                f"compile: {argument} has {len(given)} entries but the model has "
                f"{len(names)} output{'s' * (len(names) > 1)}: {', '.join(names)}."
            )
        return list(given)
    return [given] * len(names)


def _spread_metrics(given, names, argument):
    """Return the metrics of each output: a plain list counts for all of them."""
    if isinstance(given, dict):
        _refuse_unknown(given, names, argument)
        return [_as_list(given.get(name)) for name in names]
    nested = [isinstance(entry, (list, tuple)) for entry in given or []]
    if any(nested):
        return [_as_list(entry) for entry in _spread(given, names, argument, None)]
    return [list(given or [])] * len(names)


def _refuse_unknown(given, names, argument):
    for name in given:
        if name not in names:
            raise ValueError(
                f"compile: {argument} names an output {name!r}, but the model's "
                f"outputs are {', '.join(names)}."
            )


def _is_by_name(given):
    return isinstance(given, dict) and "class_name" not in given


def _as_list(given):
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _entries(given):
    return list(given.values()) if _is_by_name(given) else _as_list(given)


def _flat(given):
    for entry in _entries(given):
        yield from _as_list(entry)
