"""The kernels of a student: every operation as the shortest correct loops."""
