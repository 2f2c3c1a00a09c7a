"""
Moving pictures: frames of a training, as a GIF or as a page with buttons.

A `Movie` is a list of frames; `animate_training` returns a callback that is one, and
draws a frame after each epoch. Files are written by matplotlib and Pillow, which comes
with it. Read next: `callback.py` for callbacks, `valley.py` for another movie.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .callback import Callback
from .canvas import STYLE
from .utils import lookup, positive_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FRAMES = 300


class Movie:
    """
    Frames, one after the other.

    Parameters
    ----------
    size : (float, float)
        Width and height of a frame, in inches.
    dpi : int
        Dots in an inch.

    Attributes
    ----------
    frames : list of array (rows, columns, 3)
        The pictures, bytes of red, green and blue.

    Examples
    --------
    >>> movie = Movie(size=(2, 1), dpi=50)
    >>> for k in range(3):
    ...     movie.add(lambda ax: ax.plot([0, k]))
    >>> len(movie), movie.frames[0].shape
    (3, (50, 100, 3))
    """

    def __init__(self, size: tuple[float, float] = (7.0, 5.25), dpi: int = 80) -> None:
        self.size = (float(size[0]), float(size[1]))
        self.dpi = positive_integer(dpi, "Movie: dpi")
        self.frames: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.frames)

    def add(self, draw: Callable[[Axes], Any]) -> None:
        """Let a function draw into fresh axes, and keep the picture as a frame."""
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=self.size, dpi=self.dpi, layout="tight")
            canvas = FigureCanvasAgg(figure)
            draw(figure.add_subplot())
            canvas.draw()
        self.frames.append(np.array(canvas.buffer_rgba())[..., :3])

    def save(self, path: str | os.PathLike, fps: float = 8, hold: float = 1.5) -> None:
        """
        Write a GIF, or an HTML page with buttons; the ending of the path says which.

        Parameters
        ----------
        path : str or PathLike
            Ends in .gif or .html.
        fps : float
            Frames a second.
        hold : float
            Seconds that a GIF rests on the last frame before it starts again.

        Raises
        ------
        ValueError
            If the ending is another, fps is not positive, or there are no frames.
        """
        if not fps > 0:
            raise ValueError(f"Movie.save: expected fps above 0, got {fps!r}.")
        path = os.fspath(path)
        _, ending = os.path.splitext(path.lower())
        if ending not in (".gif", ".html"):
            raise ValueError(
                f"Movie.save: expected a path that ends in .gif or .html, got {path!r}."
            )
        if ending == ".html":
            page = self.to_html(fps)
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
            return
        self._refuse_empty("save")
        from PIL import Image

        pictures = [
            Image.fromarray(frame).quantize(128, dither=Image.Dither.NONE)
            for frame in self.frames
        ]
        times = [round(1000 / fps)] * len(pictures)
        times[-1] += round(1000 * hold)
        first, rest = pictures[0], pictures[1:]
        first.save(path, save_all=True, append_images=rest, duration=times, loop=0)

    def to_html(self, fps: float = 8) -> str:
        """Return a piece of HTML that plays the frames, with buttons and a slider."""
        from matplotlib.animation import ArtistAnimation
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._refuse_empty("to_html")
        figure = Figure(figsize=self.size, dpi=self.dpi)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.axis("off")
        artists = [[ax.imshow(frame, aspect="auto")] for frame in self.frames]
        movie = ArtistAnimation(figure, artists, interval=1000 / fps)
        return movie.to_jshtml(fps=max(1, round(fps)))

    def _repr_html_(self) -> str | None:
        return self.to_html() if self.frames else None

    def _refuse_empty(self, what: str) -> None:
        if not self.frames:
            raise ValueError(
                f"Movie.{what}: there is no frame yet. A movie of a training has them "
                "after fit(..., callbacks=[movie])."
            )


class TrainingMovie(Callback, Movie):
    """
    A callback that draws a frame before training and after epochs.

    Made by `animate_training`, which describes the arguments.
    """

    def __init__(
        self,
        draw: Callable[[Any, Axes], Any],
        every: int,
        size: tuple[float, float],
        dpi: int,
    ) -> None:
        Movie.__init__(self, size, dpi)
        self.draw, self.every = draw, positive_integer(every, "animate_training: every")
        self.logs: dict[str, list[float]] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Draw the model before it has learned anything."""
        self.frames, self.logs = [], {}
        self._shoot("before training")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Draw the model after an epoch, if it is its turn."""
        for name, value in (logs or {}).items():
            self.logs.setdefault(name, []).append(float(value))
        if (epoch + 1) % self.every == 0:
            self._shoot(f"epoch {epoch + 1}")

    def _shoot(self, title: str) -> None:
        def draw(ax):
            self.draw(self, ax)
            ax.set_title(title)

        self.add(draw)
        if len(self.frames) > MOST_FRAMES:  # keep every second, draw half as often
            self.frames, self.every = self.frames[::2], 2 * self.every


def animate_training(
    draw: str | Callable[[Any, Axes], Any] = "curves",
    x: Any = None,
    y: Any = None,
    every: int = 1,
    size: tuple[float, float] = (7.0, 5.25),
    dpi: int = 80,
    **options: Any,
) -> TrainingMovie:
    """
    Return a callback that films a training, for `fit(..., callbacks=[movie])`.

    Parameters
    ----------
    draw : {'curves', 'boundary', 'weights', 'embedding'} or callable
        'curves': loss and metrics so far. 'boundary': the classes of the plane, by
        `plot_decision_boundary(model, x, y)`. 'weights': those of the first layer that
        has some. 'embedding': what the model makes of x, by `plot_embedding`. Or a
        function (model, ax) that draws into the axes.
    x, y : arrays, optional
        Data for the picture.
    every : int
        Epochs from one frame to the next; doubled when there are more than 300 frames.
    size : (float, float)
        Width and height of a frame, in inches.
    dpi : int
        Dots in an inch.
    options
        More keyword arguments of the function that draws.

    Returns
    -------
    TrainingMovie
        A callback with `frames`, `save("movie.gif")`, `save("movie.html")` and
        `to_html()`; in a notebook it shows itself.

    Raises
    ------
    ValueError
        If the picture is unknown, or it needs data that are not given.
    """
    if callable(draw):
        own = draw

        def drawn(movie: TrainingMovie, ax: Axes) -> None:
            own(movie.model, ax, **options)

        return TrainingMovie(drawn, every, size, dpi)
    picture = lookup(draw, PICTURES, "draw of animate_training:")
    needed = {"boundary": (x, y), "embedding": (x,)}.get(draw, ())
    if any(data is None for data in needed):
        names = "x and y" if len(needed) == 2 else "x"
        raise ValueError(
            f"animate_training: the picture {draw!r} needs data, pass {names}."
        )

    def drawn_by_name(movie: TrainingMovie, ax: Axes) -> None:
        picture(movie, ax, x, y, options)

    return TrainingMovie(drawn_by_name, every, size, dpi)


def _curves(movie: TrainingMovie, ax: Axes, x: Any, y: Any, options: Any) -> None:
    from .plotting import plot_history

    metric = options.get("metric", "loss")
    if movie.logs:
        plot_history(movie.logs, metrics=metric, ax=ax)
    epochs = int(movie.params.get("epochs", 1))
    ax.set(xlim=(0.5, max(epochs, 2) + 0.5), xlabel="epoch", ylabel=metric)


def _boundary(movie: TrainingMovie, ax: Axes, x: Any, y: Any, options: Any) -> None:
    from .plotting import plot_decision_boundary

    plot_decision_boundary(movie.model, x, y, ax=ax, **{"resolution": 120, **options})


def _weights(movie: TrainingMovie, ax: Axes, x: Any, y: Any, options: Any) -> None:
    from .plotting import plot_weights

    layer = next(layer for layer in movie.model.layers if layer.weights)
    plot_weights(layer, ax=ax, **options)


def _embedding(movie: TrainingMovie, ax: Axes, x: Any, y: Any, options: Any) -> None:
    from .plotting import plot_embedding

    plot_embedding(movie.model.predict(x), y, ax=ax, **options)


PICTURES: dict[str, Callable[..., None]] = {
    "curves": _curves,
    "boundary": _boundary,
    "weights": _weights,
    "embedding": _embedding,
}
