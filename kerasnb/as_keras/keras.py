"""
The way to `install_as_keras` for processes that a running script starts.

`python -m kerasnb` puts this folder on `sys.path`, which such processes inherit. Read
next: `install.py`.
"""

import os
import sys

from kerasnb.install import VERSION_VARIABLE, install_as_keras

del sys.modules["keras"]
install_as_keras(int(os.environ.get(VERSION_VARIABLE, "2")))

import keras  # noqa: E402, F401
