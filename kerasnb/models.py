"""
The import face of models: `from kerasnb.models import Sequential`.

The class itself is in `sequential.py`.
"""

from .sequential import Sequential

__all__ = ["Sequential"]
