"""python -m kerasnb: a script runs as if Python had started it."""

import os
import subprocess
import sys

import pytest

import kerasnb
from kerasnb import uninstall_as_keras
from kerasnb.__main__ import main


@pytest.fixture(autouse=True)
def own_process(tmp_path, monkeypatch):
    """What a run changes for the whole process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("KERASNB_AS_KERAS", "2")
    yield
    uninstall_as_keras()


@pytest.fixture
def script(tmp_path):
    """Write a script in a folder of its own and return its path."""

    def write(text, name="script.py"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def test_a_script_sees_what_python_would_show_it(script, capsys):
    """Arguments, path, name and file; a module beside the script can be imported."""
    script("value = 41", "neighbour.py")
    path = script(
        "import sys, neighbour\n"
        "from keras.models import Sequential\n"
        "print(__name__, __file__, sys.argv, sys.path[0], neighbour.value)\n"
        "import __main__\n"
        "assert __main__.Sequential is Sequential\n"
    )
    assert main([path, "--epochs", "3"]) == 0
    printed = capsys.readouterr().out
    argv = [path, "--epochs", "3"]
    assert printed.split(" ", 2)[:2] == ["__main__", path]
    assert f"{argv} {os.path.dirname(path)} 41" in printed


def test_a_module_runs_as_with_python_m(script, capsys, monkeypatch):
    """-m finds it on the path and hands the arguments on."""
    path = script("import sys, keras\nprint(__name__, sys.argv)", "some_module.py")
    monkeypatch.syspath_prepend(os.path.dirname(path))
    assert main(["-m", "some_module", "-x"]) == 0
    assert capsys.readouterr().out == f"__main__ {[path, '-x']}\n"


def test_the_exit_code_is_the_scripts(script):
    """sys.exit passes through; the command line as students type it."""
    path = script("import sys, keras.layers\nprint('ran')\nsys.exit(3)")
    folder = os.path.dirname(os.path.dirname(kerasnb.__file__))
    env = {**os.environ, "PYTHONPATH": folder}
    command = [sys.executable, "-m", "kerasnb", path]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout, run.stderr) == (3, "ran\n", "")


@pytest.mark.parametrize(
    "text, last",
    [
        ("def f():\n    1 / 0\nf()\n", "ZeroDivisionError: division by zero"),
        ("x = = 1\n", "SyntaxError: invalid syntax"),
        (
            "from keras.models import Model\n",
            "begin with Merge([...]), several outputs",
        ),
    ],
)
def test_a_traceback_begins_in_the_script(script, capsys, text, last):
    """No line of ours above it, and the exit code is 1."""
    assert main([script(text)]) == 1
    lines = capsys.readouterr().err.splitlines()
    files = [line for line in lines if line.lstrip().startswith("File")]
    assert "script.py" in files[0] and "runpy" not in "".join(files)
    assert last in lines[-1]


def test_a_missing_module_is_told_as_python_tells_it(capsys):
    """-m with a name that there is not."""
    assert main(["-m", "no_such_module"]) == 1
    assert "No module named no_such_module" in capsys.readouterr().err


def test_the_seed_of_a_run_fixes_it(script, capsys):
    """The same seed, the same first weights."""
    path = script(
        "from keras.layers import Dense\n"
        "print(Dense(2)([[1.0, 2.0]]).tolist())\n"
        "from keras import backend as K; K.clear_session()\n"
    )
    for seed in ("7", "7", "8"):
        assert main(["--seed", seed, path]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == second != third


def test_keras_1_is_chosen_by_an_option(script, capsys):
    """--keras1 makes `keras` the older one."""
    pytest.importorskip("kerasnb.keras1")
    assert main(["--keras1", script("import keras; print(keras.__version__)")]) == 0
    assert capsys.readouterr().out.startswith("1.")


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--keras1", "--help"]])
def test_without_a_script_there_is_help(arguments, capsys):
    """How to call it, and the configuration for a report of a problem."""
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "python -m kerasnb [options] script.py" in printed
    assert "numba" in printed and "kernel cache" in printed


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["missing.py"], "can't open file 'missing.py': there is none in"),
        (["--keras3", "x.py"], "unknown option --keras3"),
        (["-m"], "no script given"),
        (["--keras1"], "no script given"),
        (["--seed", "x.py"], "--seed needs a whole number"),
    ],
)
def test_a_wrong_command_line_is_explained(arguments, message, capsys):
    """On the error stream, with the exit code that means misuse."""
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
