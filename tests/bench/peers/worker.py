"""
One library in a process of its own: what `bench.py` talks to.

`worker.py PEER MODEL` reads one JSON list `[call, argument...]` a line and answers each
with a line `{"value": ...}` or `{"error": ...}`. The calls are the methods of `Peer`;
clocks run in here, around the library alone, so the conversation costs nothing.
"""

import importlib
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

MODULES = {
    "kerasnb": ["kerasnb", "numba"],
    "keras-jax": ["keras", "jax"],
    "keras-tensorflow": ["keras", "tensorflow"],
    "keras-torch": ["keras", "torch"],
    "torch": ["torch"],
}


class Peer:
    """What every library can be asked; the subclasses say how it is done there."""

    def __init__(self, modules: List[str], model_name: str) -> None:
        self.modules = modules
        self.model_name = model_name

    def load(self) -> float:
        """Import the library; seconds."""
        started = time.perf_counter()
        self.import_library()
        seconds = time.perf_counter() - started
        models = importlib.import_module("models")
        self.model = models.MODELS[self.model_name]
        return seconds

    def versions(self) -> Dict[str, str]:
        found = {"python": sys.version.split()[0]}
        for name in self.modules:
            module = importlib.import_module(name)
            found[name] = getattr(module, "__version__", "?")
        return found

    def data(self, samples: int) -> int:
        """Make the data; their size in bytes."""
        import numpy as np

        self.x, self.y = self.model.data(np.random.default_rng(0), samples)
        return self.x.nbytes + self.y.nbytes

    def fit(self, epochs: int) -> float:
        """Train; seconds for each batch."""
        started = time.perf_counter()
        self.train(epochs)
        seconds = time.perf_counter() - started
        return seconds / (epochs * len(self.x) // self.model.batch)

    def predict(self) -> float:
        """Predict for all samples; seconds for each batch."""
        started = time.perf_counter()
        self.answer(self.x)
        seconds = time.perf_counter() - started
        return seconds / (len(self.x) // self.model.batch)

    def predict_one(self, most_calls: int, most_seconds: float) -> float:
        """Predict for one sample, again and again; median seconds of a call."""
        one = self.x[:1].copy()
        spent: List[float] = []
        self.answer(one)
        while len(spent) < most_calls and sum(spent) < most_seconds:
            started = time.perf_counter()
            self.answer(one)
            spent.append(time.perf_counter() - started)
        return statistics.median(spent)

    def memory(self) -> Dict[str, int]:
        """Bytes in memory now, and the most there were since the last call."""
        status = Path("/proc/self/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in status)
        now, peak = (int(fields[f].split()[0]) * 1024 for f in ("VmRSS", "VmHWM"))
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from now
        return {"now": now, "peak": peak}


class KerasPeer(Peer):
    """kerasnb and Keras 3: one code for both."""

    def import_library(self) -> None:
        package = self.modules[0]
        self.layers = importlib.import_module(f"{package}.layers")
        self.Sequential = importlib.import_module(f"{package}.models").Sequential

    def build(self) -> int:
        """Make the model; its number of parameters."""
        self.net = self.Sequential(self.model.layers(self.layers))
        self.net.compile(**self.model.compile)
        return int(self.net.count_params())

    def train(self, epochs: int) -> None:
        batch = self.model.batch
        self.net.fit(self.x, self.y, batch_size=batch, epochs=epochs, verbose=0)

    def answer(self, x: Any) -> Any:
        return self.net.predict(x, batch_size=self.model.batch, verbose=0)


class TorchPeer(Peer):
    """
    The loop that a PyTorch user writes by hand, with loss and accuracy.

    BENCH_TORCH names the device, "cpu" if it is not set; BENCH_COMPILE a mode of
    `torch.compile`, such as "reduce-overhead", which captures CUDA graphs.
    """

    def import_library(self) -> None:
        self.torch = importlib.import_module("torch")

    def build(self) -> int:
        torch = self.torch
        self.place = torch.device(os.environ.get("BENCH_TORCH", "cpu"))
        self.net, self.loss, self.optimizer = self.model.torch(torch)
        self.net.to(self.place)
        self.inputs = torch.from_numpy(self.x).to(self.place)
        self.targets = torch.from_numpy(self.model.targets(self.y)).to(self.place)
        if os.environ.get("BENCH_COMPILE"):
            self.net = torch.compile(self.net, mode=os.environ["BENCH_COMPILE"])
        return sum(p.numel() for p in self.net.parameters())

    def train(self, epochs: int) -> None:
        torch, batch, x, t = self.torch, self.model.batch, self.inputs, self.targets
        accuracy = "metrics" in self.model.compile
        self.net.train()
        for _ in range(epochs):
            total = torch.zeros((), device=self.place)
            right = torch.zeros((), dtype=torch.int64, device=self.place)
            order = torch.randperm(len(x), device=self.place)
            for start in range(0, len(x), batch):
                index = order[start : start + batch]
                targets = t[index]
                self.optimizer.zero_grad(set_to_none=True)
                out = self.net(x[index])
                loss = self.loss(out, targets)
                loss.backward()
                self.optimizer.step()
                total += loss.detach()
                if accuracy:
                    right += (out.argmax(1) == targets).sum()
            self.log = [total.item(), right.item()]

    def answer(self, x: Any) -> Any:
        torch, batch = self.torch, self.model.batch
        self.net.eval()
        with torch.inference_mode():
            inputs = torch.from_numpy(x).to(self.place)
            parts = [self.net(part) for part in inputs.split(batch)]
            return torch.cat(parts).cpu().numpy()


def main(name: str, model_name: str) -> None:
    """Answer calls until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes with its errors
    kind = TorchPeer if name == "torch" else KerasPeer
    peer = kind(MODULES[name], model_name)
    for line in sys.stdin:
        call, *arguments = json.loads(line)
        try:
            answer = {"value": getattr(peer, call)(*arguments)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
