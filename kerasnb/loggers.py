"""
Callbacks that write down how the training goes: a table, a server, a picture.

They change nothing in the model. What they write is complete after every epoch, so it
can be read while the training goes on. Read next: `tensorboard.py` for the largest of
them, `monitors.py` for the callbacks that act.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .callback import Callback
from .extras import import_extra
from .files import check_folder, write_whole
from .utils import positive_integer

PATIENCE = 10  # seconds that a server may take to answer


def numbers_in(logs: dict[str, Any] | None) -> dict[str, float]:
    """
    Return those entries of the logs that are single numbers.

    Examples
    --------
    >>> numbers_in({"loss": 1, "note": "warm-up", "per class": [0.5, 0.25]})
    {'loss': 1.0}
    """
    arrays = {name: np.asarray(value) for name, value in (logs or {}).items()}
    return {
        name: float(array.reshape(()))
        for name, array in arrays.items()
        if array.size == 1 and array.dtype.kind in "biuf"
    }


class CSVLogger(Callback):
    """
    Writes one line an epoch into a CSV file.

    The columns are the number of the epoch, from 0, and the names in the logs of the
    first epoch, sorted. Lines end in CR LF; a missing value is written as NA.

    Parameters
    ----------
    filename : str
        The file, made anew by every training.
    separator : str
        The character between two values.
    append : bool
        Add to an existing file; a header that it already has decides the columns.

    Raises
    ------
    ValueError
        If the folder does not exist or the separator is not one character.
    """

    state_names = ("columns", "written")
    may_be_none = ("columns",)

    def __init__(
        self, filename: str | os.PathLike, separator: str = ",", append: bool = False
    ):
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(
                f"CSVLogger: expected a separator of one character, got {separator!r}."
            )
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self.columns: list[str] | None = None
        self.written = 0  # bytes
        self._file: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Open the file."""
        check_folder(self.filename, "CSVLogger")
        goes_on = not self.starts_anew()
        has_header = False
        if goes_on:
            self._drop_later_lines()
        else:
            self.columns = None
        if self.append or goes_on:
            has_header = self._read_header()
        mode = "a" if self.append or goes_on else "w"
        file = open(self.filename, mode, encoding="utf-8", newline="")
        self._file, self._writer = file, csv.writer(file, delimiter=self.separator)
        self.written = os.fstat(file.fileno()).st_size
        self._needs_header = not has_header
        self._left_out: set[str] = set()

    def _drop_later_lines(self) -> None:
        """Cut off epochs that a killed training wrote and that will run again."""
        if os.path.exists(self.filename):
            if os.path.getsize(self.filename) > self.written:
                os.truncate(self.filename, self.written)

    def _read_header(self) -> bool:
        """Tell whether the file has a first line; take the columns if they are ours."""
        if not os.path.exists(self.filename):
            return False
        with open(self.filename, encoding="utf-8", newline="") as file:
            first = file.readline().strip("\r\n")
        names = next(csv.reader([first], delimiter=self.separator), [])
        if names[:1] == ["epoch"]:
            self.columns = names[1:]
        return bool(first)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the line of this epoch."""
        logs = logs or {}
        if self.columns is None:
            self.columns = sorted(logs)
        if self._needs_header:
            self._writer.writerow(["epoch", *self.columns])
            self._needs_header = False
        unknown = sorted(set(logs) - set(self.columns) - self._left_out)
        if unknown:
            self._left_out.update(unknown)
            warnings.warn(
                f"CSVLogger: {self.filename!r} has no column for {', '.join(unknown)}, "
                "which is left out. The header decides the columns.",
                stacklevel=2,
            )
        cells = [_cell(logs.get(name, "NA")) for name in self.columns]
        self._writer.writerow([epoch, *cells])
        self._file.flush()
        self.written = os.fstat(self._file.fileno()).st_size

    def on_train_end(self, logs: Any = None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _cell(value: Any) -> Any:
    """Return what stands in the table: a list in brackets for several values."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return f"[{', '.join(map(str, value))}]"
    return value


class RemoteMonitor(Callback):
    """
    Sends the logs of every epoch to a server, as JSON.

    Needs the package requests: `pip install 'kerasnb[remote]'`. A server that cannot be
    reached is warned about, and the training goes on.

    Parameters
    ----------
    root : str
        The address of the server.
    path : str
        Where on the server to post to.
    field : str
        The form field that holds the JSON.
    headers : dict, optional
        HTTP headers of one's own.
    send_as_json : bool
        Send the JSON as the body instead of in a form.

    Raises
    ------
    ImportError
        If requests is not installed.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ):
        import_extra("requests", "remote", "RemoteMonitor")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Post the logs and the number of the epoch; not finite numbers are null."""
        requests = import_extra("requests", "remote", "RemoteMonitor")
        values = {name: _json_value(value) for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **values})
        headers = dict(self.headers or {})
        body: Any = {self.field: text}
        if self.send_as_json:
            headers = {"Content-Type": "application/json", **headers}
            body = text.encode()
        try:
            answer = requests.post(
                self.root + self.path, data=body, headers=headers, timeout=PATIENCE
            )
            answer.raise_for_status()
        except requests.exceptions.RequestException as error:
            warnings.warn(
                f"RemoteMonitor: could not send epoch {epoch} to {self.root}: {error}. "
                "The training goes on.",
                stacklevel=2,
            )


def _json_value(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (int, str, type(None))) else str(value)


class PlotHistory(Callback):
    """
    Draws the curves of loss and metrics while the training goes on.

    In a notebook the picture below the cell is drawn anew; elsewhere it is a PNG file,
    which a viewer can keep open.

    Parameters
    ----------
    path : str
        The file; not used in a notebook.
    every : int
        Epochs from one drawing to the next; the last epoch is always drawn.
    metrics : str or list of str, optional
        Names to draw; default: the loss and every metric.

    Raises
    ------
    ValueError
        If the folder does not exist or `every` is not a positive whole number.
    """

    state_names = ("epoch", "rows")

    def __init__(
        self,
        path: str | os.PathLike = "training.png",
        every: int = 1,
        metrics: str | Sequence[str] | None = None,
    ):
        self.path = os.fspath(path)
        self.every = positive_integer(every, "PlotHistory: every")
        self.metrics = metrics
        self.epoch: list[int] = []
        self.rows: list[dict[str, float]] = []
        self._drawn = 0

    @property
    def history(self) -> dict[str, list[float]]:
        """Return the values so far, name -> one an epoch; NaN where there is none."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: [row.get(name, math.nan) for row in self.rows] for name in names}

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin a new picture."""
        if self.starts_anew():
            self.epoch, self.rows = [], []
        self._drawn = len(self.rows)
        self._handle: Any = None
        self._in_notebook = _in_notebook()
        if not self._in_notebook:
            check_folder(self.path, "PlotHistory")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Remember the values, and draw if it is time."""
        self.epoch.append(epoch)
        self.rows.append(numbers_in(logs))
        if len(self.rows) - self._drawn >= self.every:
            self._draw()

    def on_train_end(self, logs: Any = None) -> None:
        """Draw the epochs that are not in the picture yet."""
        if len(self.rows) > self._drawn:
            self._draw()

    def _draw(self) -> None:
        self._drawn = len(self.rows)
        if not self.history:
            return
        image = self._image()
        if not self._in_notebook:
            write_whole(self.path, image)
            return
        from IPython.display import Image, display

        picture = Image(data=image)
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def _image(self) -> bytes:
        """Return the picture as a PNG, and leave no figure open."""
        import matplotlib.pyplot as plt

        from .plotting import plot_history

        figure = plot_history(self, metrics=self.metrics)
        try:
            png = io.BytesIO()
            figure.savefig(png, format="png")
            return png.getvalue()
        finally:
            plt.close(figure)


def _in_notebook() -> bool:
    """Tell whether a kernel of Jupyter runs this program."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
