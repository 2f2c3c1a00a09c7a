"""Formulas of one number, written once for the kernels of every device."""
