"""Faster twins of the hot kernels, built on the SIMD register tile in `tile.py`."""
