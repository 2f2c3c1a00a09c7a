"""
Time kerasnb against Keras 3 and PyTorch and print a Markdown page: `make bench`.

Every library works in a process of its own (`peers/worker.py`), they take turns, and
whoever waits is stopped by a signal, so that no thread of one disturbs the clock of
another. The networks stand in `peers/models.py`, and `peak.py` measures the ceiling.

A library that is not installed gets a row that says so. To take a library from another
Python: `KERASNB_BENCH_PYTHON=/venv/bin/python` for all but kerasnb, or
`KERASNB_BENCH_PYTHON_KERAS_JAX` and its like for one.
"""

import argparse
import datetime
import json
import os
import platform
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE / "peers")]

from models import MODELS  # noqa: E402
from worker import MODULES  # noqa: E402

PARTS = ("steps", "start", "memory", "products", "convolutions", "feeds")
LONGEST_ANSWER = 600.0  # seconds before a silent worker is given up
MOST_MEMORY = 1.5  # times data + 4 x parameters
MOST_FEEDING = 5.0  # per cent that a Sequence may cost over arrays
PROMISED_PRODUCT = [128, 784, 512]
LEAST_OF_PEAK = 80.0  # per cent
LEAST_OF_CONVOLUTION = 85.0  # per cent, forward
LEAST_OF_STEP = 70.0  # per cent of the peak, over the whole step
MOST_BUFFERS = 1.3  # times activations + their gradients + parameters
LONGEST_ONE = 60.0  # microseconds
LONGEST_START = {"cold": 5.0, "warm": 1.0}  # seconds

Results = Dict[str, Dict[str, Any]]


# Processes ----------------------------------------------------------------------------


def python_of(peer: str) -> str:
    """The interpreter that has this peer."""
    own = os.environ.get("KERASNB_BENCH_PYTHON_" + peer.upper().replace("-", "_"))
    shared = None if peer == "kerasnb" else os.environ.get("KERASNB_BENCH_PYTHON")
    return own or shared or sys.executable


def is_installed(peer: str) -> bool:
    """Whether the peer's interpreter finds its modules."""
    names = [name for name in MODULES[peer] if name != "kerasnb"]
    find = f"from importlib.util import find_spec as f; print(all(map(f, {names})))"
    command = [python_of(peer), "-c", find]
    try:
        return subprocess.run(command, capture_output=True).stdout.strip() == b"True"
    except OSError:
        return False


class Worker:
    """A library in its own process, stopped until `call` and stopped again after."""

    def __init__(self, peer: str, model: str, **environment: str) -> None:
        self.started = time.perf_counter()
        self.name = peer
        self.process = subprocess.Popen(
            [python_of(peer), str(HERE / "peers" / "worker.py"), peer, model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.surroundings(peer), **environment},
            text=True,
        )

    @staticmethod
    def surroundings(peer: str) -> Dict[str, str]:
        """What the peer needs to know before its first import."""
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        quiet["JAX_PLATFORMS"] = "cpu"
        if peer == "kerasnb":
            quiet["PYTHONPATH"] = str(ROOT)
        if peer.startswith("keras-"):
            quiet["KERAS_BACKEND"] = peer.split("-")[1]
        return quiet

    def call(self, *request: Any) -> Any:
        """Let the worker run for one call; its answer."""
        self.signal("SIGCONT")
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], LONGEST_ANSWER)[0]:
                raise RuntimeError(f"no answer to {request[0]} in {LONGEST_ANSWER} s")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"the process ended during {request[0]}")
        self.signal("SIGSTOP")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{request[0]}: {answer['error']}")
        return answer["value"]

    def signal(self, name: str) -> None:
        if hasattr(signal, name) and self.process.poll() is None:
            self.process.send_signal(getattr(signal, name))

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def attempt(row: Dict[str, Any], work: Callable[[], None]) -> bool:
    """Do the work; a failure becomes the row's note and ends that peer's part."""
    try:
        work()
    except (RuntimeError, OSError) as error:
        row["note"] = " ".join(str(error).split())[:160]
        return False
    return True


# Measurements -------------------------------------------------------------------------


def time_steps(name: str, peers: List[str], rounds: int, rows: Results) -> None:
    """Steps and predictions after warming up, the peers taking turns."""
    model = MODELS[name]
    workers = {peer: Worker(peer, name) for peer in peers}

    def prepare(worker: Worker, row: Dict[str, Any]) -> None:
        worker.call("load")
        row["versions"] = worker.call("versions")
        worker.call("data", model.batch * model.batches)
        row["parameters"] = worker.call("build")
        worker.call("fit", 1)
        worker.call("predict")

    def turn(worker: Worker, row: Dict[str, Any]) -> None:
        worker.call("predict")  # the memory of the last peer leaves the caches
        row.setdefault("predict", []).append(worker.call("predict"))
        row.setdefault("one", []).append(worker.call("predict_one", 300, 0.5))
        row.setdefault("step", []).append(worker.call("fit", model.epochs))

    try:
        for round_number in range(-1, rounds):
            shift = max(round_number, 0) % len(peers)
            for peer in peers[shift:] + peers[:shift]:
                worker, row = workers[peer], rows[peer]
                work = prepare if round_number < 0 else turn
                if "note" not in row:
                    attempt(row, lambda: work(worker, row))
    finally:
        for worker in workers.values():
            worker.close()


def time_start(name: str, peers: List[str], repeats: int, rows: Results) -> None:
    """From the start of Python to the end of the first epoch, in fresh processes."""
    model = MODELS[name]

    def first_fit(peer: str, kind: str, folder: str) -> None:
        row = rows[peer]
        with Worker(peer, name, KERASNB_CACHE_DIR=folder) as worker:
            row.setdefault("import", []).append(worker.call("load"))
            worker.call("data", model.batch * model.batches)
            worker.call("build")
            worker.call("fit", 1)
            seconds = time.perf_counter() - worker.started
            row["versions"] = worker.call("versions")
        row.setdefault(kind, []).append(seconds)

    for _ in range(repeats):
        for peer in peers:
            if "note" in rows[peer]:
                continue
            with tempfile.TemporaryDirectory(prefix="kerasnb_bench_") as folder:
                kinds = ["cold", "warm"] if peer == "kerasnb" else ["warm"]
                for kind in kinds:
                    attempt(rows[peer], lambda: first_fit(peer, kind, folder))


def measure_memory(name: str, peers: List[str], rows: Results) -> None:
    """
    The most memory that training takes beyond what importing the library took.

    kerasnb does it twice and the second time counts: its kernels are compiled by then.
    """
    samples = MODELS[name].samples_in_memory

    def train(peer: str) -> None:
        row = rows[peer]
        with Worker(peer, name) as worker:
            worker.call("load")
            row["versions"] = worker.call("versions")
            before = worker.call("memory")["now"]
            row["data_bytes"] = worker.call("data", samples)
            row["parameters"] = worker.call("build")
            worker.call("fit", 1)
            row["memory_bytes"] = worker.call("memory")["peak"] - before

    for peer in peers:
        for _ in range(2 if peer == "kerasnb" else 1):
            if samples and "note" not in rows[peer]:
                attempt(rows[peer], lambda: train(peer))


def measured(module: str, function: str) -> Dict[str, Any]:
    """What a function of a neighbouring file returns, in a process of its own."""
    code = f"import json, {module}; print(json.dumps({module}.{function}()))"
    finished = subprocess.run(
        [python_of("kerasnb"), "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        return {"note": finished.stderr.strip().split("\n")[-1]}
    return {"found": json.loads(finished.stdout.strip().split("\n")[-1])}


# The report ---------------------------------------------------------------------------


def machine() -> Dict[str, str]:
    """The machine and the moment, as far as this system tells."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [s for s in info.read_text().split("\n") if s.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return {
        "cpu": name,
        "cores": str(os.cpu_count()),
        "system": platform.platform(terse=True),
        "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
        "load": f"{load:.1f}",
    }


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell(row: Dict[str, Any], key: str, scale: float, best: bool = False) -> str:
    """The median of what was measured, and the best of it."""
    values = row.get(key)
    if not values:
        return "-"
    text = number(scale * statistics.median(values))
    return f"{text} ({number(scale * min(values))})" if best else text


def table(head: List[str], lines: List[List[str]]) -> str:
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)] + lines
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def speed_table(rows: Results) -> str:
    head = ["", "ms per step", "ms per predict batch", "us to predict one"]
    head += ["s import", "s first fit, cold", "s first fit, warm"]
    lines = []
    for peer, row in rows.items():
        line = [peer, cell(row, "step", 1e3, True), cell(row, "predict", 1e3, True)]
        line += [cell(row, "one", 1e6), cell(row, "import", 1)]
        line += [cell(row, "cold", 1), cell(row, "warm", 1)]
        if "note" in row:
            line[1:] = [row["note"]] + ["-"] * 5
        lines.append(line)
    return table(head, lines)


def memory_ratio(row: Dict[str, Any]) -> float:
    """Peak memory over the data and four times the parameters."""
    return row["memory_bytes"] / (row["data_bytes"] + 16 * row["parameters"])


def memory_table(rows: Results) -> str:
    head = ["", "MB data", "MB parameters", "MB peak above import", "ratio"]
    lines = []
    for peer, row in rows.items():
        if "memory_bytes" in row:
            sizes = [row["data_bytes"], 4 * row["parameters"], row["memory_bytes"]]
            line = [peer] + [number(size / 1e6) for size in sizes]
            lines.append(line + [f"{memory_ratio(row):.2f}"])
    return table(head, lines) if lines else ""


def products_table(products: Dict[str, Any]) -> str:
    """The three products of Dense and NumPy's, as shares of the bare register tile."""
    if "note" in products:
        return f"Not measured: {products['note']}\n"
    kinds = ["forward", "weights", "input", "numpy"]
    lines = []
    for row in products["found"]:
        cells = [f"{row[k]:.0f} ({100 * row[k] / row['peak']:.0f} %)" for k in kinds]
        lines.append(["x".join(map(str, row["shape"])), *cells, number(row["peak"])])
    return table(["GFLOP/s (share of the peak)", *kinds, "peak"], lines)


def convolutions_table(convolutions: Dict[str, Any]) -> str:
    """The three products of convolutions, as shares of the bare register tile."""
    if "note" in convolutions:
        return f"Not measured: {convolutions['note']}\n"
    kinds = ["forward", "weights", "input"]
    lines = []
    for row in convolutions["found"]:
        cells = [f"{row[k]:.0f} ({100 * row[k] / row['peak']:.0f} %)" for k in kinds]
        lines.append([row["name"], *cells, number(row["peak"])])
    return table(["GFLOP/s (share of the peak)", *kinds, "peak"], lines)


def convolution_targets(
    convolutions: Any, results: Dict[str, Results]
) -> List[List[str]]:
    """The promised convolution, and whole steps, as shares of the peak."""
    if not convolutions or "found" not in convolutions:
        return []
    first = convolutions["found"][0]
    peak = statistics.median(row["peak"] for row in convolutions["found"])
    shares = [(first["name"], 100 * first["forward"] / first["peak"])]
    limits = [LEAST_OF_CONVOLUTION]
    for name, rows in results.items():
        steps = rows.get("kerasnb", {}).get("step")
        if steps and MODELS[name].gflop:
            speed = MODELS[name].gflop / statistics.median(steps)
            shares.append((f"{name}: step, of the peak", 100 * speed / peak))
            limits.append(LEAST_OF_STEP)
    return [
        target(what, f"{share:.0f} %", f">= {limit:g} %", share >= limit)
        for (what, share), limit in zip(shares, limits)
    ]


def buffers_target(buffers: Any) -> List[List[str]]:
    if not buffers or "found" not in buffers:
        return []
    what = "cnn: buffers / (activations + their gradients + parameters)"
    return [below(what, buffers["found"], MOST_BUFFERS)]


def feeds_table(feeds: Dict[str, Any]) -> str:
    """How long a step of mlp takes, fed in different ways."""
    if "note" in feeds:
        return f"Not measured: {feeds['note']}\n"
    found = feeds["found"]
    lines = [
        [way, number(1e3 * spent), f"{100 * (spent / found['arrays'] - 1):+.1f} %"]
        for way, spent in found.items()
    ]
    return table(["mlp fed from", "ms per step", "over arrays"], lines)


def feeds_target(feeds: Any) -> List[List[str]]:
    if not feeds or "found" not in feeds:
        return []
    found = feeds["found"]
    cost = 100 * (found["slices, workers=1"] / found["arrays"] - 1)
    return [
        below("mlp: a Sequence with workers=1 over arrays", cost, MOST_FEEDING, " %")
    ]


def target(what: str, found: str, wanted: str, is_met: bool) -> List[str]:
    return [what, wanted, found, "yes" if is_met else "NO"]


def below(what: str, value: float, limit: float, unit: str = "") -> List[str]:
    return target(what, number(value) + unit, f"< {limit:g}{unit}", value < limit)


def step_target(name: str, rows: Results) -> List[List[str]]:
    """How many times faster than the best peer a step is, by medians."""
    medians = {p: statistics.median(r["step"]) for p, r in rows.items() if "step" in r}
    ours, wanted = medians.pop("kerasnb", None), MODELS[name].faster
    if ours is None or not medians:
        return []
    best = min(medians, key=lambda peer: medians[peer])
    ratio = medians[best] / ours
    found = f"{ratio:.2f} x ({best})"
    what = f"{name}: step, against the best peer"
    return [target(what, found, f">= {wanted:g} x", ratio >= wanted)]


def start_targets(row: Dict[str, Any]) -> List[List[str]]:
    """What a newcomer waits for: the first fit of the smallest network, one answer."""
    lines = []
    for kind, limit in LONGEST_START.items():
        if kind in row:
            spent = statistics.median(row[kind])
            lines.append(below(f"tiny: first fit, {kind} cache", spent, limit, " s"))
    if "one" in row:
        one = 1e6 * statistics.median(row["one"])
        lines.append(below("tiny: predict one sample", one, LONGEST_ONE, " us"))
    return lines


def targets_table(results: Dict[str, Results], measurements: Dict[str, Any]) -> str:
    """What was promised beside what was measured."""
    products = measurements.get("products")
    lines = []
    for name, rows in results.items():
        ours = rows.get("kerasnb", {})
        lines += step_target(name, rows)
        if name == "tiny":
            lines += start_targets(ours)
        if "memory_bytes" in ours:
            what = f"{name}: memory / (data + 4 x parameters)"
            lines.append(below(what, memory_ratio(ours), MOST_MEMORY))
    for row in products.get("found", []) if products else []:
        if row["shape"] == PROMISED_PRODUCT:
            share = 100 * row["forward"] / row["peak"]
            what = (
                "x".join(map(str, PROMISED_PRODUCT)) + ": product kernel, of the peak"
            )
            found, wanted = f"{share:.0f} %", f">= {LEAST_OF_PEAK:g} %"
            lines.append(target(what, found, wanted, share >= LEAST_OF_PEAK))
    lines += convolution_targets(measurements.get("convolutions"), results)
    lines += buffers_target(measurements.get("buffers"))
    lines += feeds_target(measurements.get("feeds"))
    return table(["", "wanted", "measured", "met"], lines) if lines else ""


def report(
    about: Dict[str, str],
    results: Dict[str, Results],
    measurements: Dict[str, Any],
    parts: List[str],
) -> str:
    """The whole page."""
    found: Dict[str, str] = {}
    for rows in results.values():
        for row in rows.values():
            found.update(row.get("versions", {}))
    where = "{cpu}, {cores} cores, {system}, {date}; load {load} at the start."
    page = [
        where.format(**about),
        ", ".join(" ".join(version) for version in found.items()),
        "Medians, the best in brackets. First fit: from starting Python to the end of "
        "one epoch; cold means no compiled kernel in the cache.\n",
    ]
    for name, rows in results.items():
        model = MODELS[name]
        tables = [speed_table(rows)] if {"steps", "start"} & set(parts) else []
        tables.append(memory_table(rows))
        if any(tables):
            page.append(f"### {name}: {model.title}, batch {model.batch}\n")
            page += tables
    for part, (heading, show) in {
        "products": ("Matrix products", products_table),
        "convolutions": ("Convolutions", convolutions_table),
        "feeds": ("Feeds", feeds_table),
    }.items():
        if part in measurements:
            page += [f"### {heading}\n", show(measurements[part])]
    targets = targets_table(results, measurements)
    if targets:
        page += ["### Targets\n", targets]
    return "\n".join(part for part in page if part)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated")
    parser.add_argument("--peers", default=",".join(MODULES), help="comma-separated")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each peer")
    parser.add_argument("--quick", action="store_true", help="one turn of each")
    parser.add_argument("--json", metavar="FILE", help="keep every number there")
    chosen = parser.parse_args()
    for option, known in (("models", MODELS), ("peers", MODULES), ("only", PARTS)):
        names = getattr(chosen, option).split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            parser.error(f"--{option}: unknown {unknown}; known: {', '.join(known)}")
        setattr(chosen, option, names)
    return chosen


def main() -> None:
    """Measure what was asked for and print the page."""
    chosen = arguments()
    rounds, repeats = (1, 1) if chosen.quick else (chosen.rounds, 3)
    about = machine()
    installed = [peer for peer in chosen.peers if is_installed(peer)]
    results: Dict[str, Results] = {}
    for name in chosen.models:
        rows: Results = {peer: {} for peer in chosen.peers}
        for peer in set(chosen.peers) - set(installed):
            rows[peer]["note"] = "not installed"
        if "steps" in chosen.only:
            time_steps(name, installed, rounds, rows)
        if "start" in chosen.only:
            time_start(name, installed, repeats, rows)
        if "memory" in chosen.only:
            measure_memory(name, installed, rows)
        results[name] = rows
    measurements = {
        part: measured(*where)
        for part, where in {
            "products": ("peak", "measure_products"),
            "convolutions": ("convolution", "measure_convolutions"),
            "feeds": ("feeds", "measure_feeds"),
        }.items()
        if part in chosen.only
    }
    if "memory" in chosen.only and "cnn" in results:
        measurements["buffers"] = measured("convolution", "measure_buffers")
    sys.stdout.write(report(about, results, measurements, chosen.only))
    if chosen.json:
        kept = {"machine": about, "results": results, **measurements}
        Path(chosen.json).write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
