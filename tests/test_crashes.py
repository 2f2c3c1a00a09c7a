"""The short form of `crashes.py`: kill -9 while saving, and tampered files."""

import json
import os
import subprocess
import sys

import pytest

from kerasnb import Sequential, layers, load_model

HERE = os.path.dirname(__file__)


def crashes(what, count):
    """Run the script in a process of its own, without the compiler."""
    path = os.path.dirname(HERE) + os.pathsep + os.environ.get("PYTHONPATH", "")
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}
    command = [sys.executable, os.path.join(HERE, "crashes.py"), what, str(count)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_killed_save_leaves_the_last_file_or_the_new_one():
    """After kill -9 at any moment the file loads, and is at most one save old."""
    assert crashes("kills", 10)["kills"] == 10


def test_tampered_files_load_or_are_refused():
    """Nothing else happens: no other error, no half of a model, no flood of memory."""
    figures = crashes("mutations", 90)
    for ending in (".knb", ".h5", ".keras"):
        assert 0 < sum(figures[ending]["loaded"].values()) < figures[ending]["turns"]


def small():
    model = Sequential([layers.Dense(300, input_shape=(300,), use_bias=False)])
    model.layers[0].weights[0].value[...] = 1
    return model


def assert_still_there(path):
    """The old file loads, and nothing lies beside it."""
    assert os.listdir(path.parent) == [path.name]
    assert (load_model(path, compile=False).get_weights()[0] == 1).all()


PROGRAM = """
import os, resource, signal, sys
from kerasnb import Sequential, layers
model = Sequential([layers.Dense(300, input_shape=(300,), use_bias=False,
                                 kernel_initializer="zeros")])
{limit}
try:
    model.save(sys.argv[1], include_optimizer=False)
except OSError as error:
    print(error)
"""
FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""
NOBODY = """
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def save_under(limit, path):
    """Save a model in a process of its own under a limit; return what it printed."""
    folder = os.path.dirname(HERE) + os.pathsep + os.environ.get("PYTHONPATH", "")
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": folder}
    command = [sys.executable, "-c", PROGRAM.format(limit=limit), str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["knb", "h5", "keras"])
def path(tmp_path, request):
    """Return the path of a model full of ones, alone in a folder."""
    path = tmp_path / "folder" / f"model.{request.param}"
    path.parent.mkdir()
    small().save(path, include_optimizer=False)
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs limits of POSIX")
def test_a_full_disk_is_one_clear_error(path):
    """A limit on the size of files stands for the disk: the save breaks off midway."""
    told = save_under(FULL, path)
    assert f"cannot write {path}: " in told
    assert "What was there before is unchanged." in told and told.count("\n") == 1
    assert_still_there(path)


@pytest.mark.skipif(os.name != "posix", reason="needs users of POSIX")
def test_a_protected_folder_is_one_clear_error(path):
    """Root may write everywhere, so it becomes nobody first."""
    open_up = [path.parent, *path.parent.parents[:2]]
    for folder in open_up:
        folder.chmod(0o555)
    told = save_under(NOBODY, path)
    for folder in open_up:
        folder.chmod(0o755)
    assert f"{path}: Permission denied. What was there before is unchanged." in told
    assert_still_there(path)


def test_a_missing_folder_is_one_clear_error(path):
    """Nothing is made in its place."""
    with pytest.raises(OSError, match=r"no/model\.\w+: No such file .* is unchanged"):
        small().save(path.parent / "no" / path.name)
    assert_still_there(path)


def test_what_a_killed_process_left_is_removed_later(path):
    """A later save removes old temporary files of this name, and no others."""
    names = [f"{path.name}.{k}.tmp" for k in ("0123abcd", "9876fedc")]
    old, new = map(path.with_name, names)
    other = path.with_name("other.knb.0123abcd.tmp")
    for one in (old, new, other):
        one.write_bytes(b"half")
    for one in (old, other):
        os.utime(one, (1, 1))
    small().save(path, include_optimizer=False)
    assert not old.exists() and new.exists() and other.exists()
