"""
Time kerasnb on a GPU beside PyTorch and Keras 3 and print a page: `make bench-gpu`.

Training steps of whole networks, each library in a process of its own and by turns; and
the matrix product and the convolution alone, against cuBLAS and cuDNN by way of PyTorch
in plain float32 (TF32 off). What is not installed is left out and said. The page is to
be put into RESULTS.md, with the GPU, the driver and the versions that it names.
"""

import argparse
import os
import statistics
import sys
import time

os.environ.setdefault("KERASNB_DEVICE", "cuda")

from bench import HERE, Worker, attempt, is_installed  # noqa: E402
from models import MODELS  # noqa: E402

sys.path.insert(0, str(HERE.parent.parent))

ROUNDS = 5
CALLS = 20  # of a kernel between two readings of the clock
GPU = {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0")}
PEERS = {
    "kerasnb": ("kerasnb", {"KERASNB_DEVICE": "cuda"}),
    "PyTorch": ("torch", {"BENCH_TORCH": "cuda"}),
    "PyTorch, CUDA graphs": (
        "torch",
        {"BENCH_TORCH": "cuda", "BENCH_COMPILE": "reduce-overhead"},
    ),
    "Keras 3 on JAX": ("keras-jax", {"JAX_PLATFORMS": "cuda"}),
}
PRODUCTS = [(4096, 4096, 4096), (128, 784, 512), (128, 512, 512), (128, 9216, 128)]
PRODUCTS += [(2560, 128, 512)]
CONVOLUTIONS = [(128, 28, 1, 32), (128, 26, 32, 64)]  # N, size, K, F; 3 x 3 windows


def steps(name, rounds):
    """Return the milliseconds of a training step by library, or what went wrong."""
    model, rows, workers = MODELS[name], {}, {}
    for label, (peer, environment) in PEERS.items():
        rows[label] = {}
        if is_installed(peer):
            workers[label] = Worker(peer, name, **GPU, **environment)
        else:
            rows[label]["note"] = "not installed"

    def prepare(worker):
        worker.call("load")
        worker.call("data", model.batch * model.batches)
        worker.call("build")
        worker.call("fit", 2)

    def turn(worker, row):
        row.setdefault("step", []).append(worker.call("fit", 5 * model.epochs))

    for label, worker in workers.items():
        attempt(rows[label], lambda: prepare(worker))
    for _ in range(rounds):
        for label, worker in workers.items():
            if "note" not in rows[label]:
                attempt(rows[label], lambda: turn(worker, rows[label]))
    for worker in workers.values():
        worker.close()
    return rows


def seconds_of(work, wait):
    """Return the seconds of one call: the median of several rows of calls."""
    work()
    wait()
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS):
            work()
        wait()
        found.append((time.perf_counter() - started) / CALLS)
    return statistics.median(found)


def kernels():
    """Yield what was computed, its GFLOP, our seconds and those of NVIDIA."""
    import numpy as np

    from kerasnb.device import here, ops
    from kerasnb.kernels.cuda.target import stream

    try:
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        wait = torch.cuda.synchronize
    except ImportError:
        torch = None

    def random(*shape):
        return np.random.default_rng(0).normal(size=shape).astype(np.float32)

    for N, I, O in PRODUCTS:
        x, W, b = random(N, I), random(I, O), random(O)
        ours = [here(a) for a in (np.zeros((N, O), np.float32), x, W, b)]
        mine = seconds_of(lambda: ops.dense_forward(*ours), stream().synchronize)
        theirs = None
        if torch:
            there = [torch.from_numpy(a).cuda() for a in (b, x, W)]
            theirs = seconds_of(lambda: torch.addmm(*there), wait)
        yield f"product {N}x{I}x{O}", 2e-9 * N * I * O, mine, theirs
    for N, size, K, F in CONVOLUTIONS:
        x, W, b = random(N, 1, size, size, K), random(1, 3, 3, K, F), random(F)
        y = np.zeros((N, 1, size - 2, size - 2, F), np.float32)
        ours = [*map(here, (y, x, W, b)), (1, 1, 1), (1, 1, 1), (0, 0, 0)]
        mine = seconds_of(lambda: ops.convolution_forward(*ours), stream().synchronize)
        theirs = None
        if torch:
            images = torch.from_numpy(np.moveaxis(x[:, 0], -1, 1).copy()).cuda()
            windows = torch.from_numpy(W[0].transpose(3, 2, 0, 1).copy()).cuda()
            bias = torch.from_numpy(b).cuda()
            f = torch.nn.functional.conv2d
            theirs = seconds_of(lambda: f(images, windows, bias), wait)
        work = 2e-9 * y.size * 9 * K
        yield f"convolution {size}x{size}x{K}->{F} ({N})", work, mine, theirs


def main():
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--models", default="tiny,mlp,cnn,lstm")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    try:
        import kerasnb
    except RuntimeError as error:  # KERASNB_DEVICE asks for a GPU
        sys.exit(str(error))
    kerasnb.show_config()
    print("\n| ms per training step | " + " | ".join(PEERS) + " |")
    print("| --- |" + " ---: |" * len(PEERS))
    for name in chosen.models.split(","):
        cells = []
        for row in steps(name, chosen.rounds).values():
            times = [1e3 * one for one in row.get("step", [])]
            cells.append(f"{statistics.median(times):.3g}" if times else row["note"])
        print(f"| *{name}* | " + " | ".join(cells) + " |", flush=True)
    print("\n| GFLOP/s | kerasnb | NVIDIA | share |\n| --- | ---: | ---: | ---: |")
    for what, work, mine, theirs in kernels():
        other = f"{work / theirs:.0f} | {theirs / mine:.0%}" if theirs else "- | -"
        print(f"| {what} | {work / mine:.0f} | {other} |", flush=True)


if __name__ == "__main__":
    main()
