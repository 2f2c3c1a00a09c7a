"""CUDA kernels: the names and parameters of `plain/`, one thread for every number."""
