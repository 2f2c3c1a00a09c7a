"""
Run an old Keras script as it stands: `python -m kerasnb script.py`.

The script finds kerasnb wherever it imports `keras`, and everything else (arguments,
path, exit code) as if Python had started it. Without a script, a short help and the
configuration are shown. Read next: `install.py`.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

from .device import show_config
from .install import VERSION_VARIABLE, install_as_keras
from .progress import write
from .random import set_seed

HELP = """\
python -m kerasnb [options] script.py [arguments]
python -m kerasnb [options] -m module [arguments]

Run a script that was written for Keras on kerasnb: `import keras` and all that is in
it find kerasnb. The script stays as it is.

  --keras1       the script was written for Keras 1; default: for Keras 2
  --seed NUMBER  start kerasnb's random numbers there, which np.random.seed does not

"""
RUNNERS = (__file__, runpy.__file__, "<frozen runpy>")
FOR_PROCESSES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "as_keras")


def main(arguments: Sequence[str]) -> int:
    """
    Run what the command line says and return the exit code.

    Parameters
    ----------
    arguments : list of str
        The command line after `python -m kerasnb`.
    """
    words, version = list(arguments), 2
    show_help = not words
    while words and words[0] in ("--keras1", "--seed", "-h", "--help"):
        option = words.pop(0)
        if option == "--keras1":
            version = 1
        elif option == "--seed" and words and words[0].isdecimal():
            set_seed(int(words.pop(0)))
        elif option == "--seed":
            return _fail("--seed needs a whole number, as in --seed 7")
        else:
            show_help = True
    if show_help:
        write(HELP)
        show_config(lambda line: write(f"{line}\n"))
        return 0
    is_module = words[:1] == ["-m"]
    words = words[is_module:]
    if not words or words[0].startswith("-"):
        unknown = f"unknown option {words[0]}" if words else "no script given"
        return _fail(f"{unknown}\n\n{HELP.rstrip()}")
    if not is_module and not os.path.exists(words[0]):
        return _fail(f"can't open file {words[0]!r}: there is none in {os.getcwd()}")
    _prepare(words, is_module, version)
    return _run(words[0], is_module)


def _fail(text: str) -> int:
    write(f"python -m kerasnb: {text}\n", sys.stderr)
    return 2


def _prepare(words: list[str], is_module: bool, version: int) -> None:
    """Make the process look as if Python had been called with these words."""
    install_as_keras(version)
    os.environ[VERSION_VARIABLE] = str(version)
    sys.argv[:] = words
    if not getattr(sys.flags, "safe_path", False) and not is_module:
        sys.path[0] = os.path.dirname(os.path.realpath(words[0]))
    sys.path.insert(1, FOR_PROCESSES)


def _run(name: str, is_module: bool) -> int:
    """Run a script or module; a traceback begins where its own code does."""
    try:
        if is_module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(name, run_name="__main__")
    except Exception as error:
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename in RUNNERS:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
