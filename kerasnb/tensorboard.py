"""
TensorBoard: the training as event files that its web page shows.

`tensorboard --logdir ./logs` reads what this callback writes: curves, distributions and
pictures of the weights, the stack of layers, embeddings. The file format is left to the
package tensorboard, which runs without TensorFlow. Read next: `loggers.py` for simpler
callbacks that write down, `probe.py` for how the outputs of layers are seen.
"""

from __future__ import annotations

import functools
import io
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .callback import Callback
from .extras import import_extra
from .files import write_whole
from .layer import Layer
from .loggers import numbers_in
from .probe import arrays_in, watching
from .utils import lookup, positive_integer

PROTO = "tensorboard.compat.proto."
WRITER = "tensorboard.summary.writer.event_file_writer"
FLOAT = 1  # the number of float32 among the types of a graph


class TensorBoard(Callback):
    """
    Writes event files for TensorBoard.

    Needs the package tensorboard: `pip install 'kerasnb[tensorboard]'`. Every training
    adds a file to the folder.

    Parameters
    ----------
    log_dir : str
        The folder; it is made if need be.
    histogram_freq : int
        Epochs from one set of histograms to the next, of weights and of the layers'
        outputs on the validation data; 0 writes none.
    batch_size : int
        Samples that pass through the layers at a time for histograms and embeddings.
    write_graph : bool
        Draw the stack of layers.
    write_grads : bool
        Add histograms of the gradients of the latest batch.
    write_images : bool
        Add pictures of the weights to the histograms.
    embeddings_freq : int
        Epochs from one set of embeddings to the next; 0 writes none.
    embeddings_layer_names : list of str, optional
        Layers whose outputs are embeddings; default: every Embedding layer.
    embeddings_metadata : str or dict of str, optional
        A file with the labels of the samples, or one for each layer, as paths inside
        `log_dir`.
    embeddings_data : array, optional
        The samples to embed.
    update_freq : 'epoch', 'batch' or int
        Write the loss and the metrics of every epoch; or those of every batch; or those
        of a batch after so many samples. The step is then the number of samples seen.

    Raises
    ------
    ImportError
        If tensorboard is not installed.
    ValueError
        If an argument is impossible or would have no effect.
    """

    state_names = ("samples_seen", "samples_written")

    def __init__(
        self,
        log_dir: str | os.PathLike = "./logs",
        histogram_freq: int = 0,
        batch_size: int = 32,
        write_graph: bool = True,
        write_grads: bool = False,
        write_images: bool = False,
        embeddings_freq: int = 0,
        embeddings_layer_names: Sequence[str] | None = None,
        embeddings_metadata: str | dict[str, str] | None = None,
        embeddings_data: Any = None,
        update_freq: str | int = "epoch",
    ):
        import_extra(WRITER, "tensorboard", "TensorBoard")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = _frequency(histogram_freq, "histogram_freq")
        self.batch_size = positive_integer(batch_size, "TensorBoard: batch_size")
        self.write_graph = write_graph
        self.write_grads = write_grads
        self.write_images = write_images
        self.embeddings_freq = _frequency(embeddings_freq, "embeddings_freq")
        self.embeddings_layer_names = embeddings_layer_names
        self.embeddings_metadata = embeddings_metadata
        self.embeddings_data = embeddings_data
        self.update_freq = update_freq
        self.samples_seen = self.samples_written = 0
        self._writer: Any = None
        self._batch_names: set[str] = set()
        self._samples_apart = _samples_apart(update_freq)
        self._check()

    def _check(self) -> None:
        """Refuse arguments that would have no effect."""
        without: dict[str, dict[str, Any]] = {
            "histogram_freq": {
                "write_grads": self.write_grads,
                "write_images": self.write_images,
            },
            "embeddings_freq": {
                "embeddings_layer_names": self.embeddings_layer_names,
                "embeddings_metadata": self.embeddings_metadata,
                "embeddings_data": self.embeddings_data is not None,
            },
        }
        for frequency, arguments in without.items():
            for name, given in arguments.items():
                if given and not getattr(self, frequency):
                    raise ValueError(
                        f"TensorBoard: {name} has no effect without {frequency}. Pass "
                        f"{frequency}=1 to write after every epoch."
                    )
        if self.embeddings_freq and self.embeddings_data is None:
            raise ValueError(
                "TensorBoard: embeddings_freq needs embeddings_data, the samples to "
                "embed."
            )

    # ---- the hooks ----------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """Open an event file, and draw the graph."""
        self.starts_anew()
        if self.histogram_freq and not self.validation_data:
            raise ValueError(
                "TensorBoard: histogram_freq needs validation data in arrays. Pass "
                "validation_data=(x, y) or validation_split to fit."
            )
        self._embedded = self._embedding_layers() if self.embeddings_freq else []
        self._writer = import_extra(WRITER, "tensorboard", "").EventFileWriter(
            self.log_dir
        )
        if self._embedded:
            self._write_projector_config()
        if self.write_graph:
            event = _proto("event").Event(
                wall_time=time.time(), graph_def=graph(self.model).SerializeToString()
            )
            self._writer.add_event(event)
            self._writer.flush()

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Write the scalars of the batch, if enough samples were seen."""
        if self._samples_apart is None:
            return
        self.samples_seen += logs.get("size", 1)
        if self.samples_seen - self.samples_written >= self._samples_apart:
            self.samples_written = self.samples_seen
            self._write_scalars(logs, self.samples_seen)
        self._batch_names = set(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the scalars, and histograms and embeddings when it is their turn."""
        if self._samples_apart is None:
            self._write_scalars(logs, epoch)
        else:
            names = set(logs or {}) - self._batch_names
            rest = {name: logs[name] for name in sorted(names)}
            self._write_scalars(rest, self.samples_seen)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write(self._histograms(), epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        self._writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # ---- scalars and histograms ---------------------------------------------------

    def _write(self, values: Iterable[Any], step: int) -> None:
        summary = _proto("summary").Summary(value=values)
        event = _proto("event").Event(wall_time=time.time(), step=step, summary=summary)
        self._writer.add_event(event)

    def _write_scalars(self, logs: Any, step: int) -> None:
        value = _proto("summary").Summary.Value
        numbers = {k: v for k, v in numbers_in(logs).items() if k not in COUNTS}
        self._write([value(tag=k, simple_value=v) for k, v in numbers.items()], step)

    def _histograms(self) -> Iterator[Any]:
        """Yield histograms of weights, gradients and outputs, and the pictures."""
        for weight in self.model.weights:
            tag = weight.name.replace(":", "_")
            yield from Histogram(weight.value).values(tag)
            if self.write_grads and weight.grad is not None:
                yield from Histogram(weight.grad).values(f"{tag}_grad")
            if self.write_images:
                yield picture(f"{tag}_image", weight.value)
        outputs: dict[str, Histogram] = {}

        def look(layer: Layer, y: Any) -> None:
            for place, array in arrays_in(y):
                outputs.setdefault(f"{layer.name}_out{place}", Histogram()).add(array)

        count = len(self.model.input_names)
        x = self.validation_data[:count]
        with watching(self.model, look):
            self.model.predict(x if count > 1 else x[0], batch_size=self.batch_size)
        for tag, histogram in outputs.items():
            yield from histogram.values(tag)

    # ---- embeddings ---------------------------------------------------------------

    def _embedding_layers(self) -> list[Layer]:
        layers = {layer.name: layer for layer in self.model.walk()}
        names = self.embeddings_layer_names
        if not names:
            names = [n for n, la in layers.items() if type(la).__name__ == "Embedding"]
            if not names:
                raise ValueError(
                    "TensorBoard: the model has no Embedding layer. Choose others with "
                    f"embeddings_layer_names from: {', '.join(layers)}."
                )
        chosen = [lookup(name, layers, "layer of TensorBoard") for name in names]
        if isinstance(self.embeddings_metadata, dict):
            for name in self.embeddings_metadata:
                lookup(name, dict.fromkeys(names), "layer of embeddings_metadata")
        return chosen

    def _write_projector_config(self) -> None:
        """Tell the projector which file holds what."""
        projector = import_extra(
            "tensorboard.plugins.projector", "tensorboard", "TensorBoard"
        )
        text_format = import_extra(
            "google.protobuf.text_format", "tensorboard", "TensorBoard"
        )
        config = projector.ProjectorConfig()
        files = self.embeddings_metadata or {}
        for layer in self._embedded:
            entry = config.embeddings.add()
            entry.tensor_name = layer.name
            entry.tensor_path = f"{layer.name}.tsv"
            file = files.get(layer.name) if isinstance(files, dict) else files
            if file:
                entry.metadata_path = os.fspath(file)
        path = os.path.join(self.log_dir, "projector_config.pbtxt")
        write_whole(path, text_format.MessageToString(config).encode())

    def _write_embeddings(self) -> None:
        """Write what the layers make of the data, one line a sample."""
        rows: dict[Layer, list[np.ndarray]] = {layer: [] for layer in self._embedded}

        def look(layer: Layer, y: Any) -> None:
            if layer in rows:
                rows[layer].append(np.array(y).reshape(len(y), -1))

        with watching(self.model, look):
            self.model.predict(self.embeddings_data, batch_size=self.batch_size)
        for layer, batches in rows.items():
            text = io.BytesIO()
            np.savetxt(text, np.concatenate(batches), "%.6g", delimiter="\t")
            path = os.path.join(self.log_dir, f"{layer.name}.tsv")
            write_whole(path, text.getvalue())


COUNTS = ("batch", "size")  # entries of batch logs that are no results


def _frequency(value: Any, name: str) -> int:
    return positive_integer(value, f"TensorBoard: {name}") if value else 0


def _samples_apart(update_freq: Any) -> int | None:
    """Return the fewest samples between two writings, or None for once an epoch."""
    words = {"epoch": None, "batch": 1}
    if isinstance(update_freq, str):
        return lookup(update_freq, words, "update_freq of TensorBoard")
    return positive_integer(update_freq, "TensorBoard: update_freq")


def _proto(name: str) -> Any:
    """Return one of the modules of messages that an event file is made of."""
    return import_extra(f"{PROTO}{name}_pb2", "tensorboard", "TensorBoard")


# ---------------------------------------------------------------- messages


@functools.cache
def _edges() -> np.ndarray:
    """Return the borders of the buckets: they grow by a tenth from 1e-12 to 1e20."""
    count = int(np.log(1e32) / np.log(1.1)) + 1
    positive = 1e-12 * 1.1 ** np.arange(count)
    largest = np.finfo(np.float64).max
    return np.concatenate([[-largest], -positive[::-1], positive, [largest]])


class Histogram:
    """How often numbers of each size occur; those that are not finite are left out."""

    def __init__(self, array: np.ndarray | None = None):
        self.counts = np.zeros(len(_edges()) - 1)
        self.low, self.high = np.inf, -np.inf
        self.total = self.squares = 0.0
        if array is not None:
            self.add(array)

    def add(self, array: np.ndarray) -> None:
        """Count the numbers of an array."""
        x = np.asarray(array, np.float64).reshape(-1)
        x = x[np.isfinite(x)]
        if len(x):
            self.counts += np.histogram(x, _edges())[0]
            self.low, self.high = min(self.low, x.min()), max(self.high, x.max())
            with np.errstate(over="ignore"):
                self.total += x.sum()
                self.squares += np.square(x).sum()

    def values(self, tag: str) -> Iterator[Any]:
        """Yield the message, unless nothing was counted."""
        filled = self.counts > 0
        if filled.any():
            kept = filled | np.append(filled[1:], False)  # the left border of each
            message = _proto("summary").HistogramProto(
                min=self.low,
                max=self.high,
                num=self.counts.sum(),
                sum=self.total,
                sum_squares=self.squares,
                bucket_limit=_edges()[1:][kept],
                bucket=self.counts[kept],
            )
            yield _proto("summary").Summary.Value(tag=tag, histo=message)


def picture(tag: str, array: np.ndarray) -> Any:
    """
    Return the message of a picture of weights: black is lowest, white is highest.

    A vector is a row; of a convolution, each input channel is a row of tiles and each
    filter a column.
    """
    import matplotlib.image

    a = np.nan_to_num(np.asarray(array, np.float64), posinf=0.0, neginf=0.0)
    if a.ndim == 4:
        R, C, K, F = a.shape
        a = a.transpose(2, 0, 3, 1).reshape(K * R, F * C)
    elif a.ndim != 2:
        a = a.reshape(-1, a.shape[-1] if a.ndim else 1)
    png = io.BytesIO()
    matplotlib.image.imsave(png, a, cmap="gray", format="png")
    image = _proto("summary").Summary.Image(
        height=a.shape[0],
        width=a.shape[1],
        colorspace=4,  # red, green, blue, opacity
        encoded_image_string=png.getvalue(),
    )
    return _proto("summary").Summary.Value(tag=tag, image=image)


def graph(model: Any) -> Any:
    """Return the stack as a graph: a box for every layer, fed by the one below."""
    made = _proto("graph").GraphDef()
    made.versions.producer = 22
    inputs = []
    for name in model.input_names:
        inputs.append(_box(made, name, "Placeholder", [], model.input_shape))
    _draw(made, model, inputs, "")
    return made


def _draw(made: Any, layer: Any, inputs: list[str], scope: str) -> list[str]:
    """Add a layer and all inside it; return the names of the boxes on top."""
    if hasattr(layer, "layers"):
        for inner in layer.layers:
            name = f"{scope}{inner.name}"
            inside = f"{name}/" if inner.sublayers else scope
            inputs = _draw(made, inner, inputs, inside)
        return inputs
    if layer.sublayers:
        tops = []
        for inner in layer.sublayers:
            inside = f"{scope}{inner.name}/" if inner.sublayers else scope
            tops += _draw(made, inner, inputs, inside)
        inputs = tops
    kind = type(layer).__name__
    return [_box(made, f"{scope}{layer.name}", kind, inputs, layer.output_shape)]


def _box(made: Any, name: str, op: str, inputs: list[str], shape: Any) -> str:
    name = "".join(c if c.isalnum() or c in "_-/." else "_" for c in name)
    box = made.node.add(name=name, op=op, input=inputs)
    box.attr["dtype"].type = FLOAT
    is_single = isinstance(shape, (tuple, list)) and all(
        size is None or isinstance(size, int) for size in shape
    )
    if is_single:
        entry = box.attr["_output_shapes"].list.shape.add()
        for size in shape:
            entry.dim.add(size=-1 if size is None else size)
    return name
