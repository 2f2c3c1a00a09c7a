"""
Kernels that move numbers and change none: one thread owns one number of the output.

N samples, J numbers in a sample, T repetitions, D features; `take_columns` serves
Permute and Flatten with the permutation and its inverse.
"""

from .target import cuda, entry, grid, launcher


@entry
def _take_columns(y, x, index):
    n, j = divmod(cuda.grid(1), y.shape[1])
    if n < y.shape[0]:
        y[n, j] = x[n, index[j]]


@launcher
def take_columns(y, x, index):
    """
    y[n, j] = x[n, index[j]]

    y (N, J) out    x (N, J)    index (J,)
    """
    _take_columns[grid(y.size)](y, x, index)


@entry
def _gather_rows(y, x, index):
    n, j = divmod(cuda.grid(1), y.shape[1])
    if n < y.shape[0]:
        y[n, j] = x[index[n], j]


@launcher
def gather_rows(y, x, index):
    """
    y[n, j] = x[index[n], j]

    y (N, J) out    x (rows, J)    index (N,)
    """
    _gather_rows[grid(y.size)](y, x, index)


@entry
def _swap_axes(y, x):
    place, a = divmod(cuda.grid(1), y.shape[2])
    n, b = divmod(place, y.shape[1])
    if n < y.shape[0]:
        y[n, b, a] = x[n, a, b]


@launcher
def swap_axes(y, x):
    """
    y[n, b, a] = x[n, a, b]

    y (N, B, A) out    x (N, A, B)
    """
    _swap_axes[grid(y.size)](y, x)


@entry
def _repeat_forward(y, x):
    place, d = divmod(cuda.grid(1), y.shape[2])
    n, t = divmod(place, y.shape[1])
    if n < y.shape[0]:
        y[n, t, d] = x[n, d]


@launcher
def repeat_forward(y, x):
    """
    y[n, t, d] = x[n, d]

    y (N, T, D) out    x (N, D)
    """
    _repeat_forward[grid(y.size)](y, x)


@entry
def _repeat_backward(dx, dy):
    n, d = divmod(cuda.grid(1), dx.shape[1])
    if n < dx.shape[0]:
        total = dy[n, 0, d]
        for t in range(1, dy.shape[1]):
            total += dy[n, t, d]
        dx[n, d] = total


@launcher
def repeat_backward(dx, dy):
    """
    dx[n, d] = sum_t dy[n, t, d]

    dx (N, D) out    dy (N, T, D)
    """
    _repeat_backward[grid(dx.size)](dx, dy)
