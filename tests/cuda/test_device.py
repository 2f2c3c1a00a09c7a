"""Choosing the GPU, what is told about it, and what is said where there is none."""

import re
import subprocess
import sys

import pytest

import kerasnb
from kerasnb.kernels.cuda import array, target

ASK = """
import kerasnb
try:
    kerasnb.set_device("cuda")
except RuntimeError as error:
    print(error)
print(kerasnb.get_device())
"""


def run(**environment):
    """Return what `ASK` prints in a process of its own, without the simulator."""
    import os

    kept = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    return subprocess.run(
        [sys.executable, "-c", ASK],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(not target.is_simulated(), reason="there is a GPU")
def test_without_a_gpu_the_error_says_why_and_nothing_changes():
    """One sentence with the reason and what to do; the device in use stays."""
    told, device = run().stdout.strip().split("\n")
    assert re.match(r"set_device: no GPU can be used, because .*\. Use set_dev", told)
    assert device == "cpu"
    chosen = run(KERASNB_DEVICE="cuda")
    assert chosen.returncode and "no GPU can be used" in chosen.stderr


@pytest.mark.parametrize(
    "error, reason",
    [
        ("[CUDA_ERROR_NO_DEVICE] Call to cuInit results in it", "driver finds no GPU"),
        ("[222] Call to cuLinkAddData: CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "is older"),
        ("libNVVM cannot be found. Do `conda install`", "missing: pip install"),
        ("CUDA driver library cannot be found.\nIf you", "no NVIDIA driver on this"),
        ("[999] unknown error", r"because \[999\] unknown error Use set_device"),
    ],
)
def test_the_first_kernel_tells_why_there_is_no_gpu(monkeypatch, error, reason):
    """The driver is too old, the compiler is missing, ...; the device in use stays."""
    kerasnb.set_device("plain")

    def fail(*arguments):
        raise OSError(error)

    monkeypatch.setattr(array, "zeros", fail)
    with pytest.raises(RuntimeError, match=f"set_device: no GPU .*{reason}"):
        kerasnb.set_device("cuda")
    assert kerasnb.get_device() == "plain"


def test_the_configuration_tells_the_gpu():
    """`show_config` names the device and the GPU, or the simulator."""
    kerasnb.set_device("cuda")
    lines = []
    kerasnb.show_config(lines.append)
    told = dict(line.split(maxsplit=1) for line in lines if line.split()[0] != "kernel")
    assert told["device"] == "cuda" and told["gpu"]


def test_a_captured_piece_of_work_launches_again():
    """Nothing runs while it is captured; every launch afterwards runs all of it."""
    from kerasnb.kernels.cuda.array import zeros

    a, b = zeros(3, "float32"), zeros(3, "float32")

    def work():
        b[...] = a
        a[...] = 5.0

    launch = target.capture(work)
    assert a.tolist() == [0, 0, 0]
    launch()
    assert (a.tolist(), b.tolist()) == ([5, 5, 5], [0, 0, 0])
    launch()
    assert b.tolist() == [5, 5, 5]
