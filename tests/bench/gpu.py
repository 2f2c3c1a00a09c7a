"""
Time kerasnb on a GPU beside PyTorch and Keras 3 and print a page: `make bench-gpu`.

Training steps of whole networks, each library in a process of its own and by turns; and
matrix products and convolutions alone, against cuBLAS and cuDNN (`gpu_kernels.py`).
What is not installed or fails takes one line of the page, and the rest goes on. The
page and all numbers are also written into files, to be put into RESULTS.md with the
GPU, the driver and the versions that the page names. `--tune` measures instead which
tile of a product is fastest (`gpu_tuning.py`).
"""

import argparse
import datetime
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bench
from bench import HERE, ROOT, Worker, attempt, is_installed, table, target
from models import MODELS

sys.path.insert(0, str(ROOT))

OUT = ROOT / "build" / "gpu"  # .md and .json
GPU = {
    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0"),
    "JAX_PLATFORMS": "cuda",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # there are others beside it
    "KERASNB_DEVICE": "cuda",
    "BENCH_TORCH": "cuda",
}
PATH = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
DRY = {"JAX_PLATFORMS": "cpu", "KERASNB_DEVICE": "cpu", "BENCH_TORCH": "cpu"}
PEERS = {
    "kerasnb": ("kerasnb", {}),
    "PyTorch": ("torch", {}),
    "PyTorch, compile": ("torch", {"BENCH_COMPILE": "default"}),
    "PyTorch, CUDA graphs": ("torch", {"BENCH_COMPILE": "reduce-overhead"}),
    "Keras 3 on JAX": ("keras-jax", {}),
}
AHEAD_OF = ("PyTorch", "Keras 3 on JAX")  # the aim, on every network
LEAST_OF_NVIDIA = {"products": 0.7, "convolutions": 0.6}
BATCHES = 100  # of an epoch, at least
EPOCHS = 2, 200  # of a turn, at least and at most
PARTS = ("steps", "products", "convolutions")
LONGEST_PART = 240  # seconds


# ---- training steps ---------------------------------------------------------------


def prepare(worker, row, batch, batches):
    """Load the library, make data and model, train until everything is compiled."""

    def work():
        worker.call("load")
        row["versions"] = worker.call("versions")
        worker.call("data", batch * batches)
        worker.call("build")
        worker.call("fit", 1)
        row["warm"] = worker.call("fit", 1)

    attempt(row, work)


def steps(name, labels, environment, chosen):
    """Return the seconds of a training step by library, or what went wrong."""
    model, rows, workers = MODELS[name], {}, {}
    batches = 2 if chosen.dry else max(model.batches, BATCHES)
    for label in labels:
        peer, more = PEERS[label]
        rows[label] = {}
        if is_installed(peer):
            workers[label] = Worker(peer, name, **environment, **more, **PATH)
        else:
            rows[label]["note"] = "not installed"

    def turn(worker, row):
        epochs = math.ceil(chosen.seconds / (row["warm"] * batches))
        epochs = min(max(epochs, EPOCHS[0]), EPOCHS[1])
        row.setdefault("step", []).append(worker.call("fit", epochs))

    try:
        with ThreadPoolExecutor() as pool:  # to compile takes long: all at a time
            for label, worker in workers.items():
                pool.submit(prepare, worker, rows[label], model.batch, batches)
        for _ in range(chosen.rounds):
            for label, worker in workers.items():
                if "note" not in rows[label]:
                    attempt(rows[label], lambda: turn(worker, rows[label]))
    finally:
        for worker in workers.values():
            worker.close()
    return rows


def steps_lines(results):
    """Yield the lines about training steps."""
    head = ["ms per training step", *PEERS]
    lines, notes = [], []
    for name, rows in results.items():
        cells = []
        for label in PEERS:
            row = rows.get(label, {"note": "not asked for"})
            cells.append(bench.cell(row, "step", 1e3, True))
            if "note" in row:
                notes.append(f"*{name}*, {label}: {row['note']}")
        lines.append([f"*{name}*", *cells])
    yield table(head, lines)
    yield from notes


# ---- kernels ----------------------------------------------------------------------


def kernels_lines(part, rows):
    """Yield the lines about products or convolutions."""
    head = [f"{part}: GFLOP/s", "kerasnb", "us", "NVIDIA", "us", "kerasnb / NVIDIA"]
    lines, notes = [], []
    for row in rows:
        cells = []
        for key in "ours", "theirs":
            seconds, work = row.get(key), row["gflop"]
            cells += (
                [bench.number(work / seconds), bench.number(1e6 * seconds)]
                if seconds
                else ["-", "-"]
            )
        share = f"{row['theirs'] / row['ours']:.0%}" if "theirs" in row else "-"
        lines.append([row["what"], *cells, share])
        if "note" in row:
            notes.append(f"{row['what']}: {row['note']}")
    yield table(head, lines)
    yield from notes


# ---- the page ---------------------------------------------------------------------


def about():
    """Return the lines that say where and when this was measured."""
    import kerasnb

    lines = [f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {bench.machine()['cpu']}"]
    kerasnb.show_config(lines.append)
    query = ["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,power.draw"]
    try:
        command = [*query, "--format=csv,noheader"]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=20)
        lines.append("nvidia-smi: " + seen.stdout.strip())
    except (OSError, subprocess.SubprocessError) as error:
        lines.append(f"nvidia-smi: {error}")
    return lines


def targets_lines(results):
    """Yield what was aimed at beside what was measured."""
    lines = []
    for name, rows in results.get("steps", {}).items():
        medians = {
            k: statistics.median(r["step"]) for k, r in rows.items() if "step" in r
        }
        for label in AHEAD_OF:
            if "kerasnb" in medians and label in medians:
                ratio = medians[label] / medians["kerasnb"]
                what = f"{name}: step, against {label}"
                lines.append(target(what, f"{ratio:.2f} x", "> 1 x", ratio > 1))
    for part, least in LEAST_OF_NVIDIA.items():
        for row in results.get(part, []):
            if "theirs" in row and "ours" in row:
                share = row["theirs"] / row["ours"]
                wanted = f">= {least:.0%}"
                lines.append(
                    target(row["what"], f"{share:.0%}", wanted, share >= least)
                )
    if lines:
        yield table(["", "wanted", "measured", "met"], lines)


def page(results):
    """Return the page, as far as there are results."""
    lines = [f"    {line}" for line in results.get("about", [])] + [""]
    if "steps" in results:
        lines += steps_lines(results["steps"])
        found = {}
        for rows in results["steps"].values():
            for row in rows.values():
                found.update(row.get("versions", {}))
        lines += [", ".join(" ".join(version) for version in found.items()), ""]
    for part in "products", "convolutions":
        if part in results:
            lines += ["", *kernels_lines(part, results[part])]
    return "\n".join([*lines, "", *targets_lines(results)])


# ---- parts, in processes of their own ---------------------------------------------


def run_part(part, chosen):
    """Return what one part finds; called in the process of that part."""
    if part == "about":
        return about()
    if part == "tune":
        import gpu_tuning

        return list(gpu_tuning.report(gpu_tuning.measure()))
    import gpu_kernels

    sizes = (
        gpu_kernels.SMALL[part] if chosen.dry else getattr(gpu_kernels, part.upper())
    )
    return list(getattr(gpu_kernels, part)(sizes))


def in_process(part, chosen, environment):
    """Return what a part finds in a process of its own, or a list with the reason."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, str(HERE / "gpu.py"), "--part", part, str(found)]
        command += ["--dry"] * chosen.dry
        own = {**os.environ, **environment}
        try:
            subprocess.run(command, env=own, timeout=LONGEST_PART)
            return json.loads(found.read_text())
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            print(f"{part}: {error}", flush=True)
            return []


def keep(results, out):
    """Write the page and the numbers, again after every part."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".md").write_text(page(results) + "\n")
    out.with_suffix(".json").write_text(json.dumps(results, indent=1))


def arguments():
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", default="tiny,mlp,cnn,lstm", help="comma-separated")
    parser.add_argument("--peers", default=";".join(PEERS), help="separated by ;")
    parser.add_argument("--only", default=",".join(PARTS), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each library")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--quick", action="store_true", help="3 turns of 0.4 s")
    parser.add_argument("--tune", action="store_true", help="measure tiles instead")
    parser.add_argument("--dry", action="store_true", help="small, without a GPU")
    parser.add_argument("--out", type=Path, default=OUT, help="files, without suffix")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.models, chosen.only = chosen.models.split(","), chosen.only.split(",")
    chosen.peers = chosen.peers.split(";")
    for option, known in (("models", MODELS), ("peers", PEERS), ("only", PARTS)):
        unknown = [one for one in getattr(chosen, option) if one not in known]
        if unknown:
            parser.error(f"--{option}: unknown {unknown}; known: {', '.join(known)}")
    if chosen.quick or chosen.dry:
        chosen.rounds, chosen.seconds = (1, 0.01) if chosen.dry else (3, 0.4)
    return chosen


def main():
    """Measure what was asked for, part by part."""
    chosen = arguments()
    if chosen.part:
        part, file = chosen.part
        Path(file).write_text(json.dumps(run_part(part, chosen)))
        return
    bench.LONGEST_ANSWER = 150.0
    environment, began = (DRY if chosen.dry else GPU), time.perf_counter()
    results = {"about": in_process("about", chosen, environment)}
    if not results["about"]:
        sys.exit("Without the device there is nothing to measure.")
    if chosen.tune:
        results["tune"] = in_process("tune", chosen, environment)
        print("\n".join(results["about"] + [""] + results["tune"]), flush=True)
        keep(results, chosen.out.with_name(chosen.out.name + "-tune"))
        return
    for part in [one for one in PARTS if one in chosen.only and one != "steps"]:
        results[part] = in_process(part, chosen, environment)
        keep(results, chosen.out)
    for name in chosen.models if "steps" in chosen.only else []:
        rows = steps(name, chosen.peers, environment, chosen)
        results.setdefault("steps", {})[name] = rows
        keep(results, chosen.out)
        print("\n".join(steps_lines({name: rows})), flush=True)
    print(page(results))
    print(f"{time.perf_counter() - began:.0f} s; the page is in {chosen.out}.md")


if __name__ == "__main__":
    main()
