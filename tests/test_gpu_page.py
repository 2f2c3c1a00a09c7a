"""The page of `make bench-gpu` and the fit of `--tune`, without a GPU."""

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent / "bench"


@pytest.fixture
def modules(monkeypatch):
    """The modules of the benchmark, which stand in a folder of their own."""
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.syspath_prepend(str(BENCH / "peers"))
    before = set(sys.modules)
    import gpu
    import gpu_tuning

    yield gpu, gpu_tuning
    for name in set(sys.modules) - before:
        if "." not in name and (BENCH / f"{name}.py").exists():
            del sys.modules[name]


def test_a_page_has_what_was_measured_and_says_what_was_not(modules):
    """A library that failed takes one line; what is missing is a dash."""
    gpu, _ = modules
    tiny = {"kerasnb": {"step": [1e-4, 2e-4, 3e-4]}, "PyTorch": {"note": "no GPU"}}
    tiny["Keras 3 on JAX"] = {"step": [1e-3], "versions": {"jax": "0.7"}}
    product = {"what": "product 2x3x4", "gflop": 1.0, "ours": 0.02, "theirs": 0.01}
    lame = {"what": "convolution", "gflop": 1.0, "note": "RuntimeError: out of luck"}
    found = {"about": ["a GPU"], "steps": {"tiny": tiny}, "products": [product]}
    lines = gpu.page({**found, "convolutions": [lame]}).split("\n")
    assert "    a GPU" in lines and "jax 0.7" in lines
    assert "| *tiny* | 0.2 (0.1) | - | - | - | 1 (1) |" in lines
    assert "*tiny*, PyTorch: no GPU" in lines
    assert "| product 2x3x4 | 50 | 20000 | 100 | 10000 | 50% |" in lines
    assert "convolution: RuntimeError: out of luck" in lines
    assert "| tiny: step, against Keras 3 on JAX | > 1 x | 5.00 x | yes |" in lines
    assert "| product 2x3x4 | >= 70% | 50% | NO |" in lines


def test_the_fit_finds_constants_for_another_device(modules, monkeypatch):
    """On a made-up device with slow starts the fitted plans lose nothing."""
    _, tuning = modules
    from kerasnb.kernels.cuda import product

    for name in (*tuning.CONSTANTS, "TILES"):
        monkeypatch.setattr(product, name, getattr(product, name))
    shares = dict(zip((tile for tile, _ in product.TILES), (0.9, 0.8, 0.5, 0.5, 0.3)))

    def seconds(shape, tile, parts):
        M, N, K = shape
        tiles = -(-M // tile.height) * -(-N // tile.breadth)
        work = -(-K // parts) * tile.height * tile.breadth / shares[tile]
        spent = -(-tiles * parts // product.PROCESSORS) * (work + 2e5)
        return 1e-12 * (spent + (8e5 + parts * M * N if parts > 1 else 0))

    shapes = [(128, 512, 784), (128, 10, 512), (73728, 64, 288), (288, 64, 73728)]
    shapes += [(2560, 512, 128), (128, 512, 2560), (128, 128, 9216), (512, 512, 128)]
    found = {
        str(shape): (shape, {one: seconds(shape, *one) for one in choices})
        for shape, choices in ((s, list(tuning.choices(*s))) for s in shapes)
    }
    before = tuning.badness(found)
    lines = list(tuning.report(found))
    assert before > 0.01 and tuning.badness(found) < before / 4
    assert sum(line.startswith("| (") for line in lines) == len(shapes)
    product.plan.cache_clear()
