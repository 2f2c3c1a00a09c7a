"""Scripts in the style of the courses of 2015 to 2018 run unmodified."""

import pathlib
import sys

import matplotlib.pyplot as plt
import numba
import numpy as np
import pytest

from kerasnb import uninstall_as_keras
from kerasnb.__main__ import main

FOLDER = pathlib.Path(__file__).parent / "scripts"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py"))
WITH_SKLEARN = ("grid_search.py", "iris_kfold.py")
QUICK = ("plot_losses.py", "two_branches_keras1.py")  # with the compiler off


@pytest.fixture
def own_process(tmp_path, monkeypatch):
    """What a script changes for the whole process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("KERASNB_AS_KERAS", "2")
    state = np.random.get_state()
    yield
    np.random.set_state(state)
    plt.close("all")
    uninstall_as_keras()


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.filterwarnings("default::UserWarning")
def test_a_script_runs_to_its_end(name, own_process, capfd):
    """Each script asserts by itself what it should have learnt."""
    if numba.config.DISABLE_JIT and name not in QUICK:
        pytest.skip("too many steps with the compiler off")
    if name in WITH_SKLEARN:
        pytest.importorskip("sklearn")
    dialect = []
    if name.endswith("_keras1.py"):
        pytest.importorskip("kerasnb.keras1")
        dialect = ["--keras1"]
    code = main([*dialect, "--seed", "1", str(FOLDER / name)])
    assert code == 0, capfd.readouterr().err


def test_there_are_scripts_of_both_dialects():
    """At least a dozen, some of them of Keras 1."""
    assert len(SCRIPTS) >= 12
    assert sum(name.endswith("_keras1.py") for name in SCRIPTS) >= 4
