"""
Arrays that live on the device, and look like NumPy's to the layers.

An `Array` is a memory on the device and a layout: shape, strides and where it begins.
Reshaping and slicing make views, as in NumPy; `a[...] = b` fills or copies on the
device. Whatever else NumPy is asked to do with one happens on the host: the numbers
come over, and go back if they were changed. That is always right and never fast, so
`trips` counts it: the steps of the built-in layers make none.
"""

import functools
import math
import weakref

import numpy as np

from .target import cuda, entry, grid, is_simulated, stream

trips = {"to_host": 0, "to_device": 0}  # copies between host and device, so far


@entry
def _fill(y, value):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = value


@entry
def _copy(y, x):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i]


@entry
def _copy_strided(y, y_start, y_strides, x, x_start, x_strides, shape):
    i = cuda.grid(1)
    to, come = y_start, x_start
    rest = i
    for axis in range(len(shape) - 1, -1, -1):
        rest, k = divmod(rest, shape[axis])
        to += k * y_strides[axis]
        come += k * x_strides[axis]
    if rest == 0:
        y[to] = x[come]


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """
    An array on the device.

    Parameters
    ----------
    memory : device array
        One flat piece of memory of the device.
    ground : array
        As long as the memory, of its type, never touched: it costs addresses only.
    layout : array
        A view of the ground: its shape, its strides and where it begins are ours.
    """

    __slots__ = ("memory", "ground", "layout", "_raw")

    def __init__(self, memory, ground, layout):
        self.memory, self.ground, self.layout = memory, ground, layout
        self._raw = None

    # ---- what it looks like -------------------------------------------------------

    @property
    def shape(self):
        """Return the sizes of the axes."""
        return self.layout.shape

    @property
    def dtype(self):
        """Return the type of the numbers."""
        return self.layout.dtype

    @property
    def ndim(self):
        """Return the number of axes."""
        return self.layout.ndim

    @property
    def size(self):
        """Return how many numbers there are."""
        return self.layout.size

    @property
    def nbytes(self):
        """Return how many bytes the numbers take."""
        return self.layout.nbytes

    @property
    def flags(self):
        """Return whether the numbers lie one after the other, as NumPy tells it."""
        return self.layout.flags

    @property
    def T(self):
        """Return the axes in reverse order."""
        return self._view(self.layout.T)

    def __len__(self):
        return len(self.layout)

    def __repr__(self):
        return f"<Array {self.shape} {self.dtype} on the device>"

    # ---- views --------------------------------------------------------------------

    @property
    def start(self):
        """Return how many numbers lie in the memory before the first of ours."""
        apart = self.layout.ctypes.data - self.ground.ctypes.data
        return apart // self.dtype.itemsize

    @property
    def steps(self):
        """Return how many numbers lie between two along each axis; 0 before all."""
        return (0, *(stride // self.dtype.itemsize for stride in self.layout.strides))

    @property
    def raw(self):
        """Return what kernels take: the compiler's array of the same numbers."""
        if self._raw is None:
            if not self.flags.c_contiguous:
                raise ValueError(f"{self!r} has gaps: kernels take arrays without.")
            flat = self.memory[self.start : self.start + self.size]
            self._raw = flat.reshape(with_one_empty_axis(self.shape))
        return self._raw

    def reshape(self, *shape):
        """Return a view of another shape; with gaps it is a copy, on the host."""
        layout = self.layout.reshape(*shape)
        if self.flags.c_contiguous:
            return self._view(layout)
        return self.copy().reshape(*shape)

    def ravel(self):
        """Return a flat view."""
        return self.reshape(-1)

    def __getitem__(self, index):
        layout = self.layout[index]
        if not isinstance(layout, np.ndarray):  # a single number
            return self.copy()[index]
        if layout.base is not None and _are_basic(index):
            return self._view(layout)
        return self.copy()[_on_host(index)]

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def _view(self, layout):
        return Array(self.memory, self.ground, layout)

    # ---- numbers in and out -------------------------------------------------------

    def copy(self):
        """Return the numbers as an array of NumPy, on the host."""
        trips["to_host"] += 1
        reach = [(n - 1) * step for n, step in zip(self.shape, self.steps[1:])]
        first = self.start + sum(back for back in reach if back < 0)
        count = 1 + sum(map(abs, reach)) if self.size else 0
        found = np.empty(count, self.dtype)
        if count:
            self.memory[first : first + count].copy_to_host(found, stream())
            stream().synchronize()
        return np.lib.stride_tricks.as_strided(
            found[self.start - first :], self.shape, self.layout.strides
        ).copy()

    def __array__(self, dtype=None, copy=None):
        return self.copy().astype(dtype or self.dtype, copy=False)

    def __reduce__(self):
        return np.array, (self.copy(),)  # a copy or a pickle lies on the host

    def __setitem__(self, index, value):
        if not _are_basic(index):
            numbers = self.copy()
            numbers[_on_host(index)] = _on_host(value)
            self._put(numbers)
            return
        target = self[index] if np.ndim(self.layout[index]) else self[_as_slice(index)]
        if not target.size:
            return
        is_array = isinstance(value, Array)
        if not is_array and np.ndim(value) == 0 and target.flags.c_contiguous:
            value = target.dtype.type(value)
            _fill[grid(target.size)](target.reshape(-1), value)
        elif is_array and _lie_alike(target, value):
            _copy[grid(target.size)](target.reshape(-1), value.reshape(-1))
        elif is_array:
            target._copy_from(value)
        else:
            target._put(np.broadcast_to(_on_host(value), target.shape))

    def _copy_from(self, other):
        """Copy from an array of the device that lies differently, or is stretched."""
        other = other._view(np.broadcast_to(other.layout, self.shape))
        _copy_strided[grid(self.size)](
            self.memory, self.start, self.steps, other.memory, other.start, other.steps,
            (1, *self.shape),
        )  # fmt: skip

    def _put(self, numbers):
        """Copy numbers of the same shape from the host."""
        numbers = np.ascontiguousarray(numbers, self.dtype)
        if self.flags.c_contiguous:
            trips["to_device"] += 1
            self.ravel().raw.copy_to_device(numbers.reshape(-1), stream())
            stream().synchronize()  # numbers may be gone before they are copied
        else:
            self._copy_from(to_device(numbers))

    def fill(self, value):
        """Make every number the same."""
        self[...] = value

    # ---- whatever else NumPy does, on the host ------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if out is None:
            return getattr(ufunc, method)(*_on_host(inputs), **_on_host(options))
        hosts = _on_host(out)
        getattr(ufunc, method)(*_on_host(inputs), out=hosts, **_on_host(options))
        for one, numbers in zip(out, hosts):
            if isinstance(one, Array):
                one._put(numbers)
        return out[0] if len(out) == 1 else out

    def __array_function__(self, function, types, inputs, options):
        out = options.get("out", inputs[0] if function is np.copyto else None)
        hosts = _on_host(out)
        if function is np.copyto:
            inputs = (hosts, *inputs[1:])
        elif out is not None:
            options = {**options, "out": hosts}
        result = function(*_on_host(inputs), **_on_host(options))
        if isinstance(out, Array):
            out._put(hosts)
            return out
        return result

    def __getattr__(self, name):
        if name in READING:
            return getattr(self.copy(), name)
        raise AttributeError(f"an Array on the device has no {name!r}")


def with_one_empty_axis(shape):
    """
    Return a shape in which only the first of the empty axes is empty.

    Numba takes an array of two empty axes for one with gaps, and would compile a kernel
    once more for it.
    """
    first = shape.index(0) if 0 in shape else len(shape)
    return *shape[: first + 1], *(size or 1 for size in shape[first + 1 :])


READING = frozenset(
    "all any argmax argmin argsort astype cumsum dot item max mean min nonzero prod "
    "round squeeze std sum swapaxes tobytes tolist transpose var".split()
)
"""Methods of NumPy's arrays that change nothing: the host can answer for us."""


class OutOfMemory(RuntimeError):
    """
    An array was asked for that the device has no room for.

    Parameters
    ----------
    wanted, taken : int
        Bytes of the array, and of all others that exist.
    """

    def __init__(self, wanted, taken):
        super().__init__(
            f"The GPU has no room for an array of {wanted / 1e6:.1f} MB beside the "
            f"{taken / 1e6:.1f} MB that are in use."
        )
        self.wanted, self.taken = wanted, taken


class Account:
    """
    The bytes that arrays take on the device.

    `most` may be lowered by who shares the device with others.
    """

    def __init__(self):
        self.taken, self.most = 0, math.inf

    def allocate(self, ground):
        """Return memory of the device for as many numbers as there are in `ground`."""
        if self.taken + ground.nbytes > self.most:
            raise OutOfMemory(ground.nbytes, self.taken)
        try:
            memory = cuda.device_array(ground.shape, ground.dtype, stream=stream())
        except Exception as error:
            if "OUT_OF_MEMORY" not in str(error):
                raise
            raise OutOfMemory(ground.nbytes, self.taken) from None
        self.taken += ground.nbytes
        weakref.finalize(memory, self._free, ground.nbytes)
        return memory

    def _free(self, nbytes):
        self.taken -= nbytes

    def free(self):
        """Return how many bytes are left."""
        left = self.most - self.taken
        if is_simulated():
            return left
        return min(left, cuda.current_context().get_memory_info().free)


account = Account()


def empty(shape, dtype):
    """Return an array on the device with any numbers."""
    size = math.prod(np.atleast_1d(shape))
    ground = np.empty(max(size, 1), dtype)
    whole = Array(account.allocate(ground), ground, ground)
    return whole[:size].reshape(shape)


def zeros(shape, dtype):
    """Return an array on the device, filled with zeros."""
    made = empty(shape, dtype)
    made[...] = 0
    return made


class Uploads:
    """
    A way to the device for rows that change at every step.

    The host fills one of two pieces of memory that the device reads by itself while the
    step before is still computed, so that nobody waits.

    Parameters
    ----------
    shape, dtype
        Of the rows.

    Attributes
    ----------
    there : Array
        The rows on the device, always in the same place.
    """

    def __init__(self, shape, dtype):
        self.there = empty(shape, dtype)
        self._pages = [cuda.pinned_array(shape, dtype) for _ in range(2)]
        self._events = [cuda.event() for _ in self._pages]
        self._turn = 0

    def page(self):
        """Return the memory to fill next, once the device has read it."""
        self._turn = 1 - self._turn
        self._events[self._turn].synchronize()
        return self._pages[self._turn]

    def send(self):
        """Let the device read what `page` returned last."""
        trips["to_device"] += 1
        self.there.raw.copy_to_device(self._pages[self._turn], stream())
        self._events[self._turn].record(stream())


def to_device(numbers):
    """Return a copy of an array of NumPy on the device."""
    numbers = np.asarray(numbers)
    made = empty(numbers.shape, numbers.dtype)
    if numbers.size:
        made._put(numbers)
    return made


def by_place(on_device, on_host):
    """
    Return a kernel that runs where its first output lies.

    Arrays of its other arguments come over if they lie elsewhere, and go back.
    """

    @functools.wraps(on_device)
    def launch(*arguments):
        if isinstance(arguments[0], np.ndarray):
            hosts = _on_host(arguments)
            pairs = zip(arguments, hosts)
            there = [(a, h, h.copy()) for a, h in pairs if isinstance(a, Array)]
            on_host(*hosts)
            for a, new, old in there:
                if not np.array_equal(old, new):
                    a._put(new)
        elif any(isinstance(a, np.ndarray) for a in arguments):
            there = [_on_device(a) for a in arguments]
            on_device(*there)
            for a, numbers in zip(arguments, there):
                if isinstance(a, np.ndarray) and a.flags.writeable:
                    a[...] = numbers.copy()
        else:
            on_device(*arguments)

    def resolve(*arguments):
        """Return what these arguments lead to, for who launches them many times."""
        if any(isinstance(a, np.ndarray) for a in arguments):
            return launch, arguments
        return on_device.resolve(*arguments)

    launch.resolve = resolve
    return launch


def _on_device(value):
    return to_device(value) if isinstance(value, np.ndarray) else value


def _on_host(value):
    """Return the same with arrays of the host in place of those on the device."""
    if isinstance(value, Array):
        return value.copy()
    if isinstance(value, (tuple, list)):
        return type(value)(_on_host(one) for one in value)
    if isinstance(value, dict):
        return {name: _on_host(one) for name, one in value.items()}
    return value


def _are_basic(index):
    """Return whether an index makes a view: whole numbers, slices, None and ..."""
    parts = index if isinstance(index, tuple) else (index,)
    kinds = (int, np.integer, slice, type(None), type(Ellipsis))
    return all(isinstance(part, kinds) and part is not True for part in parts)


def _as_slice(index):
    """Return the index of a single number as slices of length one."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(slice(p, p + 1 or None) for p in parts if p is not Ellipsis)


def _lie_alike(a, b):
    """Return whether both have the same shape and type and lie without gaps."""
    whole = a.flags.c_contiguous and b.flags.c_contiguous
    return whole and a.shape == b.shape and a.dtype == b.dtype
