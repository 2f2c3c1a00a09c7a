"""
Matrix products and convolutions on a GPU, alone, beside cuBLAS and cuDNN.

NVIDIA's libraries are asked by way of PyTorch, in plain float32 (TF32 off). Many calls
of each are captured as one CUDA graph, so that what is measured is the device and not
the Python that launches: a product of a small layer takes the device a few
microseconds and Python fifty. Read next: `gpu.py`, which prints what is found here.
"""

import os
import statistics
import time

import numpy as np

CALLS = 20  # of a kernel in one graph
LAUNCHES = 10  # of the graph between two readings of the clock
ROUNDS = 5
LONG = 0.02  # seconds of a graph, from which on one launch between readings will do
PRODUCTS = [(4096, 4096, 4096), (128, 784, 512), (128, 512, 512), (128, 512, 10)]
PRODUCTS += [(128, 9216, 128), (2560, 128, 512)]  # N, I, O
CONVOLUTIONS = [  # N, size, K, F, stride, padding; windows of 3 x 3
    (128, 28, 1, 32, 1, 0),
    (128, 26, 32, 64, 1, 0),
    (64, 32, 32, 64, 2, 1),
]
SMALL = {"products": [(9, 12, 8)], "convolutions": [(2, 6, 3, 4, 2, 1)]}
"""The sizes of a dry run, which only shows that everything can be called."""


def random(*shape):
    """Return random numbers."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def seconds_of(start, wait, calls):
    """Return the seconds of one of the `calls` that one `start()` makes."""

    def spent(launches):
        began = time.perf_counter()
        for _ in range(launches):
            start()
        wait()
        return (time.perf_counter() - began) / launches

    spent(1)
    launches = LAUNCHES if spent(1) < LONG else 1
    return statistics.median(spent(launches) for _ in range(ROUNDS)) / calls


# ---- ours -------------------------------------------------------------------------


def ours(kernel, *arguments):
    """Return the seconds of a kernel of the device in use."""
    from kerasnb import device

    arguments = [device.here(a) if isinstance(a, np.ndarray) else a for a in arguments]
    if device.get_device() != "cuda":
        return seconds_of(lambda: kernel(*arguments), lambda: None, 1)
    from kerasnb.kernels.cuda.target import capture, stream

    def some():
        for _ in range(CALLS):
            kernel(*arguments)

    kernel(*arguments)  # compiled, and its scratch arrays made, before the capture
    return seconds_of(capture(some), stream().synchronize, CALLS)


# ---- NVIDIA's ---------------------------------------------------------------------


def peer():
    """Return PyTorch as it is to be compared with, or None if it is not there."""
    try:
        import torch
    except ImportError:
        return None
    if os.environ.get("BENCH_TORCH", "cpu") == "cuda" and not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # it tries all it has, and keeps the fastest
    return torch


def theirs(torch, function, *arrays):
    """Return the seconds of a function of PyTorch on arrays, NCHW or NHWC."""
    if os.environ.get("BENCH_TORCH", "cpu") != "cuda":
        there = [torch.from_numpy(a) for a in arrays]
        return seconds_of(lambda: function(*there), lambda: None, 1)
    there = [torch.from_numpy(a).cuda() for a in arrays]
    best = graph_seconds(torch, function, there)
    if any(a.ndim == 4 for a in arrays):
        last = torch.channels_last
        there = [a.to(memory_format=last) if a.ndim == 4 else a for a in there]
        best = min(best, graph_seconds(torch, function, there))
    return best


def graph_seconds(torch, function, arrays):
    """Return the seconds of a function of PyTorch, captured as ours are."""
    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            function(*arrays)
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        for _ in range(CALLS):
            function(*arrays)
    return seconds_of(graph.replay, torch.cuda.synchronize, CALLS)


# ---- the rows ---------------------------------------------------------------------


def rows_of(what, work, cases):
    """Yield a row for each kernel: what it computed, our seconds and NVIDIA's."""
    torch = peer()
    for name, (kernel, mine, function, arrays) in cases.items():
        row = {"what": f"{what}, {name}", "gflop": work}
        try:
            row["ours"] = ours(kernel, *mine)
            if torch:
                row["theirs"] = theirs(torch, function(torch), *arrays)
        except Exception as error:  # the next row may do better
            row["note"] = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        yield row


def products(sizes):
    """Yield the rows of the three products of Dense layers."""
    from kerasnb.device import ops

    for N, I, O in sizes:
        x, W, b, dz = random(N, I), random(I, O), random(O), random(N, O)
        cases = {
            "forward": (
                ops.dense_forward, (np.empty_like(dz), x, W, b),
                lambda torch: torch.addmm, (b, x, W),
            ),
            "weights": (
                ops.dense_backward_weights, (np.empty_like(W), b, dz, x),
                lambda torch: lambda x, dz: (x.T @ dz, dz.sum(0)), (x, dz),
            ),
            "input": (
                ops.dense_backward_input, (np.empty_like(x), dz, W),
                lambda torch: lambda dz, W: dz @ W.T, (dz, W),
            ),
        }  # fmt: skip
        yield from rows_of(f"product {N}x{I}x{O}", 2e-9 * N * I * O, cases)


def convolutions(sizes):
    """Yield the rows of convolutions with windows of 3 x 3, forward and backward."""
    from kerasnb.device import ops

    for N, size, K, F, stride, padding in sizes:
        places = (size + 2 * padding - 3) // stride + 1
        x, W = random(N, 1, size, size, K), random(1, 3, 3, K, F)
        dz, b = random(N, 1, places, places, F), random(F)
        steps = (1, stride, stride), (1, 1, 1), (0, padding, padding)
        images, windows = (np.moveaxis(a[:, 0], -1, 1).copy() for a in (x, dz))
        weights = W[0].transpose(3, 2, 0, 1).copy()
        geometry = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1

        def backward(mask):
            return lambda torch: lambda dz, x, W: (
                torch.ops.aten.convolution_backward(dz, x, W, [F], *geometry, mask)
            )

        cases = {
            "forward": (
                ops.convolution_forward, (np.empty_like(dz), x, W, b, *steps),
                lambda torch: lambda x, W, b: torch.nn.functional.conv2d(
                    x, W, b, stride, padding
                ), (images, weights, b),
            ),
            "weights": (
                ops.convolution_backward_weights, (np.empty_like(W), b, dz, x, *steps),
                backward([False, True, True]), (windows, images, weights),
            ),
            "input": (
                ops.convolution_backward_input,
                (np.empty_like(x), dz, W, random(K), *steps),
                backward([True, False, False]), (windows, images, weights),
            ),
        }  # fmt: skip
        what = f"convolution {size}x{size}x{K}->{F} /{stride} ({N})"
        yield from rows_of(what, 2e-9 * dz.size * 9 * K, cases)
