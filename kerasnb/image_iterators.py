"""
Batches of images, varied anew in every epoch.

Each image of each epoch has a seed of its own, computed from the iterator's seed, the
epoch and the number of the image: what comes out does not depend on threads, workers or
the order in which batches are asked for. `NumpyArrayIterator` takes images from arrays,
`DirectoryIterator` from files. Read next: `augmentation.py` for the variations.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import random
from .data import as_array, same_length
from .generators import Sequence
from .images import (
    COLOR_MODES,
    INTERPOLATIONS,
    levels,
    load_img,
    pillow,
    rows_and_columns,
)
from .progress import write
from .utils import lookup, positive_integer, to_categorical

EPOCH = 1 << 34  # blocks of random numbers: an order, and from the middle on the seeds
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
CLASS_MODES: dict[str, Callable] = {
    "categorical": lambda x, k, classes: to_categorical(k, classes),
    "binary": lambda x, k, classes: k.astype(np.float32),
    "sparse": lambda x, k, classes: k,
    "input": lambda x, k, classes: x.copy(),
}
"""How targets are made of images x, class numbers k and the number of classes."""


class ImageIterator(Sequence):
    """
    The base of image iterators: which images make up a batch, and how they vary.

    It is a Sequence, whose batches may be asked for in any order and by any thread, and
    an endless iterator: `next` goes through one epoch after the other. Subclasses have
    `image(row)`, which reads an image, and `batch(x, rows)`, which adds the targets.

    Parameters
    ----------
    n : int
        Number of images.
    image_shape : tuple
        Shape of one image, in the generator's `data_format`.
    image_data_generator : ImageDataGenerator
    batch_size : int
    shuffle : bool
        Whether every epoch has an order of its own.
    seed : int, optional
        Decides orders and variations; default: drawn from the process-wide stream.
    save_to_dir : str, optional
        Where to write every image that is made, to look at.
    save_prefix, save_format : str
        How the files are named: prefix_number_epoch.format.

    Attributes
    ----------
    epoch : int
        How often `on_epoch_end` was called; the next batch is of this epoch.
    """

    state_names = ("seed", "epoch", "_position")

    def __init__(
        self,
        n: int,
        image_shape: tuple[int, ...],
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
    ) -> None:
        self.n = self.samples = n
        self.image_shape = image_shape
        self.image_data_generator = image_data_generator
        self.batch_size = positive_integer(batch_size, "batch_size")
        self.shuffle = shuffle
        if seed is not None:
            random.checked_seed("seed", seed)
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        if save_to_dir is not None:
            data_format = image_data_generator.data_format
            levels(np.zeros(image_shape), data_format, True, "save_to_dir")
            if f".{save_format}" not in pillow("save_to_dir").registered_extensions():
                raise ValueError(
                    f"save_format: unknown format {save_format!r}. Use 'png' or 'jpeg'."
                )
            os.makedirs(save_to_dir, exist_ok=True)
        self.seed = random.generator().spawn() if seed is None else int(seed)
        self.epoch = 0
        self._position = 0
        self._order: tuple[int, np.ndarray] = (-1, np.arange(n))
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """Return the number of batches of an epoch; the last may be smaller."""
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        """Return a batch of the present epoch."""
        if not -len(self) <= index < len(self):
            raise ValueError(
                f"Batch {index}: expected a number below {len(self)}, the number of "
                f"batches of {self.n} images."
            )
        return self._made(self.epoch, index % len(self))

    def on_epoch_end(self) -> None:
        """Go on to the next epoch: another order, other variations."""
        with self._lock:
            self.epoch += 1
            self._position = 0

    def reset(self) -> None:
        """Let `next` start the present epoch again."""
        with self._lock:
            self._position = 0

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        super().set_state(state)
        self._order = (-1, np.arange(self.n))

    def __iter__(self) -> Iterator[Any]:
        """Return the endless iterator."""
        return self

    def __next__(self) -> Any:
        """Return the next batch, of the next epoch if this one is over."""
        with self._lock:
            epoch, index = self.epoch, self._position
            self._position += 1
            if self._position == len(self):
                self.on_epoch_end()
        return self._made(epoch, index)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker process needs."""
        return {name: v for name, v in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in a worker process."""
        vars(self).update(state, _lock=threading.RLock())

    def image(self, row: int) -> np.ndarray:
        """Return an image as it is."""
        raise NotImplementedError(f"{type(self).__name__} has no image.")

    def batch(self, x: np.ndarray, rows: np.ndarray) -> Any:
        """Return what a batch consists of, given its varied images."""
        raise NotImplementedError(f"{type(self).__name__} has no batch.")

    def _made(self, epoch: int, index: int) -> Any:
        start = index * self.batch_size
        rows = self._order_of(epoch)[start : start + self.batch_size]
        x = np.empty((len(rows), *self.image_shape), self.image_data_generator.dtype)
        for place, row in zip(x, rows.tolist()):
            place[...] = self._varied(epoch, row)
            if self.save_to_dir is not None:
                self._save(place, epoch, row)
        return self.batch(x, rows)

    def _order_of(self, epoch: int) -> np.ndarray:
        """Return the numbers of all images in the order of an epoch."""
        known, order = self._order
        if self.shuffle and known != epoch:
            stream = random.Generator(self.seed)
            stream.counter = epoch * EPOCH
            order = stream.permutation(self.n)
            self._order = epoch, order
        return order

    def _varied(self, epoch: int, row: int) -> np.ndarray:
        stream = random.Generator(self.seed)
        stream.counter = epoch * EPOCH + EPOCH // 2 + row
        vary = self.image_data_generator
        change = vary.get_random_transform(self.image_shape, stream.spawn())
        return vary.standardize(vary.apply_transform(self.image(row), change))

    def _save(self, image: np.ndarray, epoch: int, row: int) -> None:
        name = f"{row}_{epoch}.{self.save_format}"
        if self.save_prefix:
            name = f"{self.save_prefix}_{name}"
        data_format = self.image_data_generator.data_format
        pixels = levels(image, data_format, True, "save_to_dir")
        picture = pillow("save_to_dir").fromarray(pixels)
        picture.save(os.path.join(self.save_to_dir or "", name))


# ---- arrays -----------------------------------------------------------------------


class NumpyArrayIterator(ImageIterator):
    """
    Batches of varied images from arrays: `x`, `(x, y)` or `(x, y, sample_weight)`.

    Parameters
    ----------
    x : array of four axes, or (array, list of arrays)
        The images; further inputs travel with them unchanged.
    y : array, optional
        Targets.
    image_data_generator : ImageDataGenerator
    batch_size, shuffle, seed, save_to_dir, save_prefix, save_format
        As in `ImageIterator`.
    sample_weight : array, optional
        One weight per image.
    subset : str, optional
        'validation': only the first `validation_split` of the samples; 'training': the
        others.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or the subset is empty.

    Examples
    --------
    >>> from kerasnb.augmentation import ImageDataGenerator
    >>> x, y = np.zeros((10, 8, 8, 1)), np.arange(10)
    >>> images = ImageDataGenerator(rotation_range=10, validation_split=0.2)
    >>> NumpyArrayIterator(x, y, images, 4, subset="validation")[0][1]
    array([0, 1])
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
    ) -> None:
        x, further = _split_inputs(x)
        x = checked_images(x, "flow", image_data_generator.data_format)
        if sample_weight is not None and y is None:
            raise ValueError("sample_weight: there is no y to weight. Pass y as well.")
        part = _part(len(x), subset, image_data_generator.validation_split)
        self.x = x[part]
        _check_part(len(self.x), subset, image_data_generator.validation_split)
        self.x_misc = [_beside(x, a, "further input", part) for a in further]
        self.y = _beside(x, y, "y", part)
        self.sample_weight = _beside(x, sample_weight, "sample_weight", part)
        super().__init__(
            len(self.x),
            self.x.shape[1:],
            image_data_generator,
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
        )

    def image(self, row: int) -> np.ndarray:
        """Return an image as it is."""
        return self.x[row]

    def batch(self, x: np.ndarray, rows: np.ndarray) -> Any:
        """Return `x`, `(x, y)` or `(x, y, sample_weight)`."""
        inputs = [x, *(a[rows] for a in self.x_misc)] if self.x_misc else x
        if self.y is None:
            return inputs
        if self.sample_weight is None:
            return inputs, self.y[rows]
        return inputs, self.y[rows], self.sample_weight[rows]


def checked_images(x: Any, who: str, data_format: str) -> np.ndarray:
    """Return a batch of images as an array, or raise an error that says what it is."""
    x = as_array(x, f"{who}: x")
    last = data_format == "channels_last"
    if x.ndim != 4:
        axes = "rows, columns, channels" if last else "channels, rows, columns"
        hint = " Grey images need an axis of channels"
        hint += ": x[..., None]." if last else ": x[:, None]."
        raise ValueError(
            f"{who}: expected images of shape (samples, {axes}), got {x.shape}."
            + (hint if x.ndim == 3 else "")
        )
    if 0 in x.shape:
        raise ValueError(f"{who}: there is nothing in images of shape {x.shape}.")
    channels = x.shape[-1 if last else 1]
    if channels not in (1, 3, 4):
        warnings.warn(
            f"{who}: images of shape {x.shape[1:]} have {channels} channels in "
            f"data_format={data_format!r}; 1, 3 or 4 are usual.",
            stacklevel=4,
        )
    return x


def _split_inputs(x: Any) -> tuple[Any, list[Any]]:
    """Part `(images, further)` from a plain array or list of images."""
    if not isinstance(x, (tuple, list)) or len(x) != 2 or np.ndim(x[0]) != 4:
        return x, []
    images, further = x
    return images, list(further) if isinstance(further, (tuple, list)) else [further]


def _beside(x: np.ndarray, array: Any, what: str, part: slice) -> Any:
    """Return the same part of an array that belongs to the images."""
    if array is None:
        return None
    array = as_array(array, what)
    same_length("The images", x, what, array)
    return array[part]


def _part(n: int, subset: str | None, split: float) -> slice:
    """Return which of n samples belong to a subset."""
    if subset is None:
        return slice(0, n)
    lookup(subset, dict.fromkeys(("training", "validation")), "subset")
    at = int(n * split)
    return slice(0, at) if subset == "validation" else slice(at, n)


def _check_part(n: int, subset: str | None, split: float) -> None:
    """Refuse a subset without images."""
    if n == 0:
        raise ValueError(
            f"subset={subset!r}: validation_split={split} leaves no images. Set "
            "validation_split in ImageDataGenerator."
        )


# ---- files ------------------------------------------------------------------------


class DirectoryIterator(ImageIterator):
    """
    Batches of varied images from files: `x` or `(x, y)`.

    A folder holds one folder per class, and these hold the files, at any depth. Files
    and folders whose name begins with a dot are left out.

    Parameters
    ----------
    directory : str
    image_data_generator : ImageDataGenerator
    target_size : (int, int)
        Rows and columns to which all images are scaled.
    color_mode : str
        'rgb', 'rgba' or 'grayscale'.
    classes : list of str, optional
        Names of the folders, in the order of their numbers; default: all, sorted.
    class_mode : str or None
        What y is: 'categorical', one-hot rows; 'sparse', class numbers; 'binary', zeros
        and ones; 'input', the images themselves; None, there is no y.
    batch_size, shuffle, seed, save_to_dir, save_prefix, save_format
        As in `ImageIterator`.
    follow_links : bool
        Whether links to folders are followed.
    subset : str, optional
        'validation': only the first `validation_split` of the files of each class;
        'training': the others.
    interpolation : str
        How images are scaled: 'nearest', 'bilinear', 'bicubic', 'lanczos', 'box' or
        'hamming'.

    Attributes
    ----------
    filenames : list of str
        Relative to the folder.
    classes : integer array
        The class number of each file.
    class_indices : dict
        Class name -> number.

    Raises
    ------
    ValueError
        If a folder is missing or there are no images in it.
    """

    def __init__(
        self,
        directory: str,
        image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
    ) -> None:
        pillow("flow_from_directory")
        for name, value, table in (
            ("color_mode", color_mode, COLOR_MODES),
            ("class_mode", class_mode, CLASS_MODES),
            ("interpolation", interpolation, INTERPOLATIONS),
        ):
            if value is not None or table is not CLASS_MODES:
                lookup(value, table, name)
        self.directory = os.fspath(directory)
        self.target_size = rows_and_columns(target_size)
        self.color_mode, self.class_mode = color_mode, class_mode
        self.follow_links, self.interpolation = follow_links, interpolation
        self._find_files(classes, subset, image_data_generator.validation_split)
        channels = COLOR_MODES[color_mode][1]
        shape: tuple[int, ...] = (*self.target_size, channels)
        if image_data_generator.data_format == "channels_first":
            shape = (channels, *self.target_size)
        super().__init__(
            len(self.filenames),
            shape,
            image_data_generator,
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
        )
        write(f"{directory}: {self.n} images of {self.num_classes} classes.\n")

    def image(self, row: int) -> np.ndarray:
        """Read a file."""
        picture = load_img(
            os.path.join(self.directory, self.filenames[row]),
            color_mode=self.color_mode,
            target_size=self.target_size,
            interpolation=self.interpolation,
        )
        pixels = np.asarray(picture)
        if self.image_data_generator.data_format == "channels_first":
            pixels = np.atleast_3d(pixels).transpose(2, 0, 1)
        return pixels.reshape(self.image_shape)

    def batch(self, x: np.ndarray, rows: np.ndarray) -> Any:
        """Return `x` or `(x, y)`."""
        if self.class_mode is None:
            return x
        targets = CLASS_MODES[self.class_mode]
        return x, targets(x, self.classes[rows], self.num_classes)

    def _find_files(self, classes: Any, subset: str | None, split: float) -> None:
        """List the files of a subset, and their classes."""
        names = _class_names(self.directory, classes)
        if self.class_mode == "binary" and len(names) != 2:
            raise ValueError(
                f"class_mode='binary': expected two classes, got {len(names)}: "
                f"{', '.join(names)}. Use 'categorical' or 'sparse'."
            )
        files = [_images_below(self.directory, n, self.follow_links) for n in names]
        if not any(files):
            raise ValueError(
                f"flow_from_directory: there are no images in the folders "
                f"{', '.join(names)} of {self.directory}. Known are files "
                f"{', '.join(EXTENSIONS)}."
            )
        kept = [paths[_part(len(paths), subset, split)] for paths in files]
        self.filenames = [path for paths in kept for path in paths]
        _check_part(len(self.filenames), subset, split)
        self.num_classes = len(names)
        self.class_indices = {name: k for k, name in enumerate(names)}
        self.classes = np.repeat(np.arange(len(names)), [len(p) for p in kept])


def _class_names(directory: str, classes: Any) -> list[str]:
    """Return the names of the class folders, which exist."""
    if not os.path.isdir(directory):
        raise ValueError(f"flow_from_directory: there is no folder {directory!r}.")
    found = sorted(
        entry.name
        for entry in os.scandir(directory)
        if entry.is_dir() and not entry.name.startswith(".")
    )
    if not found:
        raise ValueError(
            f"flow_from_directory: expected a folder for each class in {directory!r}, "
            "got none. Put the images of each class into a folder of its name."
        )
    if classes is None:
        return found
    for name in classes:
        lookup(name, dict.fromkeys(found), "class folder")
        if list(classes).count(name) > 1:
            raise ValueError(f"classes: {name!r} is named twice.")
    return list(classes)


def _images_below(directory: str, name: str, follow_links: bool) -> list[str]:
    """Return the image files of a class, sorted, relative to the directory."""
    paths = []
    start = os.path.join(directory, name)
    for folder, inner, files in os.walk(start, followlinks=follow_links):
        inner[:] = sorted(n for n in inner if not n.startswith("."))
        paths += [
            os.path.relpath(os.path.join(folder, file), directory)
            for file in sorted(files)
            if file.lower().endswith(EXTENSIONS) and not file.startswith(".")
        ]
    return paths
