"""
What layers look for, and where they find it: weights, filters, feature maps.

`plot_weights` draws the weights of every layer, `plot_filters` those of a convolution
as the windows they are, `plot_feature_maps` what a layer makes of one image. Read next:
`activity.py` for how large the numbers of each layer are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import (
    BLUE,
    SMALL_SIZE,
    TEXT_SIZE,
    VERMILLION,
    cells,
    colormap,
    entitle,
    panels,
    styled,
)
from .layer import Layer
from .passage import layers_in, pass_batch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SHOWN = 64  # filters or maps
MOST_CHANNELS = 8  # of filters that see many


@styled
def plot_weights(
    weights: Any,
    image_shape: tuple[int, ...] | None = None,
    columns: int | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw weights as colours: blue below zero, white at zero, vermillion above.

    Parameters
    ----------
    weights : model, layer or array
        Of a model, the weights of every layer are drawn; biases are left out.
    image_shape : tuple of int, optional
        Draw what each unit looks for as an image of this shape; of a model, for the
        first layer. The filters of a 2-D convolution are always drawn so.
    columns : int, optional
        Images in a row.
    ax : Axes or sequence of Axes, optional
        One for each layer; for images, one to hold them all.

    Raises
    ------
    ValueError
        If there are no weights yet, or they do not fit `image_shape`.
    """
    from matplotlib.ticker import MaxNLocator

    named = _named_weights(weights)
    name, W = named[0]
    if image_shape is not None:
        if W.ndim < 2 or W[..., 0].size != math.prod(image_shape):
            raise ValueError(
                f"plot_weights: expected an image_shape of {W[..., 0].size} numbers "
                f"for weights of shape {W.shape}, got {image_shape}."
            )
        return _draw_units(W.reshape(*image_shape, -1), columns, ax)
    if len(named) == 1 and W.ndim == 4:
        return _draw_units(W.mean(2), columns, ax)
    names = [name for name, _ in named]
    figure, axes = panels("plot_weights", names, ax)
    for panel, (name, W) in zip(axes, named):
        matrix = W.reshape(-1, W.shape[-1])
        drawn = _draw_signed(panel, matrix, aspect="auto")
        panel.set(title=f"{name} {W.shape}".strip(), xlabel="unit", ylabel="input")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.tick_params(labelsize=TEXT_SIZE)
        figure.colorbar(drawn, ax=panel).ax.tick_params(labelsize=TEXT_SIZE)
    return figure


def _named_weights(weights: Any) -> list[tuple[str, np.ndarray]]:
    """Return (name, array) for every layer that has weights."""
    if hasattr(weights, "get_weights"):
        layers = getattr(weights, "layers", [weights])
        named = [(layer.name, layer.get_weights()) for layer in layers]
    else:
        named = [("", [np.asarray(weights)])]
    found = [(name, np.asarray(arrays[0])) for name, arrays in named if len(arrays)]
    for _, W in found:
        if W.dtype.kind not in "biuf" or W.ndim == 0 or W.size == 0:
            raise ValueError(
                "plot_weights: expected a model, a layer or an array of numbers, "
                f"got {W.dtype} of shape {W.shape}."
            )
    if not found:
        raise ValueError(
            f"plot_weights: {getattr(weights, 'name', 'the model')} has no weights; "
            "a layer has none before it knows its input shape."
        )
    return found


def _draw_units(
    W: np.ndarray, columns: int | None, ax: Axes | Sequence[Axes] | None
) -> Figure:
    figure, places = cells("plot_weights", W.shape[-1], columns, ax)
    largest = float(np.nanmax(np.abs(W)))
    for unit, cell in enumerate(places):
        _draw_signed(cell, W[..., unit], largest)
        cell.set_title(str(unit), fontsize=SMALL_SIZE, pad=2)
    return figure


def _draw_signed(ax: Axes, W: np.ndarray, largest: float = 0.0, **named: Any) -> Any:
    limit = largest or float(np.nanmax(np.abs(W))) or 1.0
    colors = colormap(BLUE, "white", VERMILLION)
    return ax.imshow(W, cmap=colors, vmin=-limit, vmax=limit, **named)


# ---------------------------------------------------------------- filters


@styled
def plot_filters(
    layer: Any,
    which: Any = None,
    channel: int | None = None,
    columns: int | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw the filters of a convolution: blue below zero, vermillion above.

    Filters that see one channel are drawn as they are, filters that see three as colour
    images scaled to the largest weight, with grey for zero. Of filters that see more,
    a row each: its windows on the first channels.

    Parameters
    ----------
    layer : layer, model or array
        Of a model, the first layer that is a convolution; or W (rows, columns,
        channels, filters).
    which : str or int, optional
        Name or number of the layer, of a model.
    channel : int, optional
        Draw the windows on this input channel only.
    columns : int, optional
        Filters in a row.
    ax : Axes or sequence of Axes, optional
        One to hold all filters, or one for each.

    Raises
    ------
    ValueError
        If there is no such layer, it is no convolution, or there is no such channel.
    """
    name, W = _filters_of(layer, which)
    channels, count = W.shape[2:]
    if channel is not None:
        if channel not in range(channels):
            raise ValueError(
                f"plot_filters: expected a channel from 0 to {channels - 1}, got "
                f"{channel!r}."
            )
        W, channels = W[:, :, channel : channel + 1], 1
    by_channel = channels not in (1, 3)
    W = W[..., : MOST_CHANNELS if by_channel else MOST_SHOWN]
    title = f"{name}: {first_of(W.shape[-1], count)} filters"
    if channels == 1:
        figure = _draw_units(W[:, :, 0], columns, ax)
    elif channels == 3:
        figure = _draw_coloured(W, columns, ax)
    else:
        W = W[:, :, :MOST_CHANNELS]
        figure = _draw_by_channel(W, ax)
        title += f", on {first_of(W.shape[2], channels)} channels"
    if ax is None:
        entitle(figure, title)
    return figure


def first_of(shown: int, count: int) -> str:
    """Say how many of something are shown."""
    return f"the first {shown} of {count}" if shown < count else f"{count}"


def _filters_of(layer: Any, which: Any) -> tuple[str, np.ndarray]:
    """Return the name of a layer and its windows (rows, columns, channels, filters)."""
    if isinstance(layer, Layer):
        found = chosen_layer("plot_filters", layer, which, _has_windows)
        named = [(w.name, w.value) for w in found.weights]
        if not named:
            raise ValueError(
                f"plot_filters: {found.name} has no weights; a layer has none before "
                "it knows its input shape."
            )
        name, W = found.name, np.array(named[0][1])
        if hasattr(found, "depth_multiplier") and W.ndim > 2:
            W = W.reshape(*W.shape[:-2], 1, -1)  # each sees one channel
    else:
        name, W = "W", np.asarray(layer)
    if W.ndim == 3:  # a window in time: one row of taps, a column each
        W = W[None] if W.shape[1] < 4 else W.transpose(1, 0, 2)[:, :, None]
    if W.ndim != 4 or W.dtype.kind not in "biuf" or not W.size:
        raise ValueError(
            "plot_filters: expected a convolution, or weights of shape (rows, columns, "
            f"channels, filters), got {name} of shape {W.shape}. plot_weights draws "
            "any weights."
        )
    return name, W


def _has_windows(layer: Layer) -> bool:
    return hasattr(layer, "kernel_size") and bool(layer.weights)


def chosen_layer(what: str, model: Any, which: Any, fits: Any) -> Any:
    """Return the layer of a name or a number, or the first of a model that fits."""
    layers = [layer for layer, _ in layers_in(model.sublayers)]
    if not hasattr(model, "layers"):
        return model
    if isinstance(which, Layer):
        return which
    if which is not None:
        named = {layer.name: layer for layer in layers}
        if isinstance(which, str) and which in named:
            return named[which]
        if not isinstance(which, str) and which in range(-len(layers), len(layers)):
            return model.layers[which]
        raise ValueError(
            f"{what}: there is no layer {which!r}. There are: {', '.join(named)}."
        )
    for layer in layers:
        if fits(layer):
            return layer
    raise ValueError(
        f"{what}: {model.name} has no convolution. It has: "
        f"{', '.join(layer.name for layer in layers)}."
    )


def _draw_coloured(
    W: np.ndarray, columns: int | None, ax: Axes | Sequence[Axes] | None
) -> Figure:
    figure, places = cells("plot_filters", W.shape[-1], columns, ax)
    largest = float(np.abs(W).max()) or 1.0
    for unit, cell in enumerate(places):
        cell.imshow(0.5 + W[..., unit] / (2 * largest))
        cell.set_title(str(unit), fontsize=TEXT_SIZE, pad=2)
    return figure


def _draw_by_channel(W: np.ndarray, ax: Any) -> Figure:
    """Draw a row for each of the first filters: its windows on the first channels."""
    channels, filters = W.shape[2:]
    figure, places = cells("plot_filters", channels * filters, channels, ax, lines=0)
    largest = float(np.abs(W).max())
    for number, cell in enumerate(places):
        unit, channel = divmod(number, channels)
        _draw_signed(cell, W[:, :, channel, unit], largest)
        if unit == 0:
            cell.set_title(f"ch. {channel}", fontsize=TEXT_SIZE, pad=2)
        if channel == 0:
            cell.set_ylabel(str(unit), rotation=0, ha="right", va="center")
    return figure


# ---------------------------------------------------------------- feature maps


@styled
def plot_feature_maps(
    model: Any,
    x: Any,
    layer: Any = None,
    columns: int | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw one image and what a layer makes of it, map by map, on one scale of greys.

    Parameters
    ----------
    model : Sequential
    x : array
        One image (rows, columns, channels), or a batch, of which the first is taken.
    layer : str or int, optional
        Name or number of the layer; default: the first convolution.
    columns : int, optional
        Images in a row.
    ax : Axes or sequence of Axes, optional
        One to hold all, or one for the image and each map.

    Raises
    ------
    ValueError
        If there is no such layer, or it puts out no images.
    """
    what = "plot_feature_maps"
    x = np.asarray(x)
    if getattr(model, "built", False) and x.ndim == len(model.input_shape) - 1:
        x = x[None]
    passage = pass_batch(what, model, x[:1])
    chosen = chosen_layer(what, model, layer, _makes_images)
    y = next(step.y for step in passage.steps if step.layer is chosen)
    if np.ndim(y) != 4:
        raise ValueError(
            f"{what}: expected a layer that puts out images (batch, rows, columns, "
            f"channels), {chosen.name} puts out shape {np.shape(y)}."
        )
    first = getattr(chosen, "data_format", "") == "channels_first"
    maps = y[0] if first else np.moveaxis(y[0], -1, 0)
    count, maps = len(maps), maps[:MOST_SHOWN]
    figure, places = cells(what, 1 + len(maps), columns, ax)
    image = x[0].reshape(x.shape[1:]) if x.ndim == 4 else x[0]
    if image.ndim == 3 and image.shape[-1] not in (1, 3, 4):
        image = np.moveaxis(image, 0, -1)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    brightest = float(image.max()) or 1.0
    if image.ndim == 3:
        image, brightest = np.clip(image / max(brightest, 1.0), 0, 1), 1.0
    darkest = min(0.0, float(image.min()))
    places[0].imshow(image, cmap="gray_r", vmin=darkest, vmax=brightest)
    places[0].set_title("input", color=VERMILLION, fontsize=TEXT_SIZE, pad=3)
    low, high = min(0.0, float(maps.min())), float(maps.max())
    for k, (cell, one) in enumerate(zip(places[1:], maps)):
        cell.imshow(one, cmap="gray_r", vmin=low, vmax=high or 1.0)
        cell.set_title(str(k), fontsize=TEXT_SIZE, pad=3)
    if ax is None:
        shown = first_of(len(maps), count)
        entitle(figure, f"{chosen.name}: {shown} maps")
    return figure


def _makes_images(layer: Layer) -> bool:
    return hasattr(layer, "kernel_size") and len(layer.output_shape) == 4
