"""How kernels are compiled, cached, and compiled anew."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from kerasnb import device
from kerasnb.kernels import jit

compiled_only = pytest.mark.skipif(
    numba.config.DISABLE_JIT, reason="nothing is compiled with JIT off"
)

TRAIN = """
import numpy as np
import kerasnb
from kerasnb.layers import Dense
kerasnb.set_seed(1)
model = kerasnb.Sequential([Dense(2, activation="softsign", input_shape=(3,))])
model.compile("sgd", "mse")
model.predict(np.ones((2, 3)))
print(repr(float(kerasnb.activations.softsign(np.array([3.0]))[0])))
"""


def run(code, home, **environment):
    """Run code in a process of its own and return what it printed."""
    settings = {**os.environ, "HOME": str(home), **environment}
    settings = {key: value for key, value in settings.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=settings,
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def copy_of_library(folder):
    """Copy the package, so that a test can edit it."""
    source = pathlib.Path(device.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, folder / "kerasnb", ignore=ignored)
    return folder / "kerasnb"


def test_every_kernel_of_cpu_is_defined_in_plain():
    """The fast twins have the names and parameters of the readable ones."""
    import inspect

    plain, cpu = device.kernels_of("plain"), device.kernels_of("cpu")
    assert plain.keys() == cpu.keys()
    for name, kernel in plain.items():
        assert (
            inspect.signature(kernel).parameters.keys()
            == inspect.signature(cpu[name]).parameters.keys()
        ), name
        assert kernel.__doc__, name


def test_threads_that_compile_at_once_use_the_folder_of_their_form(monkeypatch):
    """The cache folder is a setting of the process, so only one thread may set it."""
    folders, before = [], numba.config.CACHE_DIR

    def slow_njit(parallel, **options):
        first = numba.config.CACHE_DIR
        time.sleep(0.02)
        folders.append((parallel, first, numba.config.CACHE_DIR))
        return lambda function: function

    def fill(y):
        y[0] = 1

    monkeypatch.setattr(numba, "njit", slow_njit)
    kernels = [jit.kernel(fill) for _ in range(4)]
    forms = [one for k in kernels for one in (k.serial, k.parallel)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: run(np.zeros(1, np.float32)), forms))
    assert len(folders) == 8 and numba.config.CACHE_DIR == before
    for parallel, first, last in folders:
        assert first == last
        assert os.path.basename(first) == ("parallel" if parallel else "serial")


@pytest.mark.parametrize("work", [None, lambda y: y.size])
def test_work_decides_between_the_serial_and_the_parallel_form(work):
    """Only the form that runs is compiled: small work takes the serial one."""

    @jit.kernel(work=work)
    def fill(y):
        for i in numba.prange(y.size):
            y[i] = 1

    serial, parallel = fill.serial, fill.parallel
    y = np.zeros(jit.PARALLEL_WORK, np.float32)
    fill(y[1:])
    assert fill.serial is not serial and fill.parallel is parallel
    fill(y)
    assert fill.parallel is not parallel
    assert (y == 1).all()


@pytest.mark.parametrize("chosen", [None, "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_threads_wait_shortly_unless_the_user_chose_otherwise(monkeypatch, chosen):
    """The environment is as before once the threads have started."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv(chosen, "7")
    before = dict(os.environ)
    with jit.short_waits():
        assert os.environ.get("GOMP_SPINCOUNT") == {None: "2000"}.get(
            chosen, before.get("GOMP_SPINCOUNT")
        )
    assert dict(os.environ) == before


def test_like_keeps_the_precision_of_its_model():
    """A literal takes the type of the number beside it."""
    assert type(jit.like(np.float32(1), 0.5)) is np.float32
    assert type(jit.like(2.0, 1)) is float


@compiled_only
def test_an_edited_formula_takes_effect_at_the_next_run(tmp_path):
    """The cache is left behind when any kernel source changes."""
    package = copy_of_library(tmp_path)
    environment = {
        "PYTHONPATH": str(tmp_path),
        "KERASNB_CACHE_DIR": str(tmp_path / "c"),
    }
    assert run(TRAIN, tmp_path, **environment)[0] == "0.75"
    path = package / "kernels" / "formulas" / "activations.py"
    text = path.read_text()
    start = text.index("def softsign(")
    edited = text[:start] + text[start:].replace("return ", "return 2 * ", 1)
    path.write_text(edited)
    assert run(TRAIN, tmp_path, **environment)[0] == "1.5"


@compiled_only
def test_a_read_only_installation_works_without_a_warning(tmp_path):
    """The cache lies in the home folder, not beside the sources."""
    package = copy_of_library(tmp_path)
    for path in [package, *package.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    environment = {
        "PYTHONPATH": str(tmp_path),
        "KERASNB_CACHE_DIR": str(tmp_path / "c"),
    }
    printed, warned = run(TRAIN, tmp_path, **environment)
    assert (printed, warned) == ("0.75", "")
    assert not list(package.rglob("*.nbi"))


@compiled_only
def test_without_a_writable_folder_there_is_one_warning_and_no_cache(tmp_path):
    """Where nothing can be cached, everything still runs."""
    (tmp_path / "file").write_text("")
    package_root = pathlib.Path(device.__file__).parents[1]
    environment = {
        "PYTHONPATH": str(package_root),
        "KERASNB_CACHE_DIR": str(tmp_path / "file" / "below"),
    }
    printed, warned = run(TRAIN, tmp_path, **environment)
    assert printed == "0.75"
    assert warned.count("cannot be cached") == 1


@compiled_only
def test_a_cache_that_others_can_write_is_refused(tmp_path):
    """Cached code is executed, so the folder must be private."""
    shared = tmp_path / "cache" / "kernels"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    package_root = pathlib.Path(device.__file__).parents[1]
    environment = {
        "PYTHONPATH": str(package_root),
        "KERASNB_CACHE_DIR": str(shared.parent),
    }
    printed, warned = run(TRAIN, tmp_path, **environment)
    assert printed == "0.75"
    assert "can be written by other users" in warned


@compiled_only
def test_the_cache_folder_is_private():
    """Nobody else may write into the folder of compiled kernels."""
    mode = os.stat(jit.cache_folder()).st_mode
    assert stat.S_IMODE(mode) & 0o022 == 0


def test_old_fingerprints_are_pruned(tmp_path):
    """Only the most recently used folders stay."""
    for age in range(jit.KEPT_FINGERPRINTS + 2):
        folder = tmp_path / f"f{age}"
        folder.mkdir()
        (folder / "used").touch()
        os.utime(folder / "used", (1000 - age, 1000 - age))
    (tmp_path / "not ours").mkdir()
    jit._prune(tmp_path)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == sorted(
        [f"f{age}" for age in range(jit.KEPT_FINGERPRINTS)] + ["not ours"]
    )
