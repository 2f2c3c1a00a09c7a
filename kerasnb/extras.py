"""
Optional packages: imported where they are used, and named when they are missing.

kerasnb itself needs Numba, NumPy and matplotlib only; everything else is an extra that
`pip install 'kerasnb[extra]'` brings. The extras are listed in `setup.cfg`.
"""

from __future__ import annotations

import importlib
from typing import Any


def import_extra(module: str, extra: str, who: str) -> Any:
    """
    Return a module of an optional package, or raise an error that says how to get it.

    Parameters
    ----------
    module : str
        What to import, such as "requests".
    extra : str
        The extra of kerasnb that installs it.
    who : str
        Who needs it, for the message.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{who} needs the package {module.partition('.')[0]} ({error}). Install it "
            f"with: pip install 'kerasnb[{extra}]'."
        ) from error
