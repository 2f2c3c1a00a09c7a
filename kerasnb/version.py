"""
The version of the library.

Read next: `__init__.py`.
"""

__version__ = "0.1.0"
