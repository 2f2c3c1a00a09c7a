"""
CUDA graphs: many launches that the driver repeats with one call.

A launch from Python takes longer than a small kernel runs. The driver can note what is
launched on a stream instead of running it, and make a graph of it; starting the graph
then costs a few microseconds, however many kernels it has. Numba has no word for that,
so this talks to the driver itself (NVIDIA, CUDA Driver API, sections "Stream Management"
and "Graph Management").
"""

import ctypes
import functools
import sys

RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED: memory may be freed meanwhile


@functools.cache
def driver():
    """Return the driver's library, or None if it cannot make graphs."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        library = ctypes.CDLL(name)
        for function in (
            "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphLaunch",
            "cuGraphInstantiateWithFlags", "cuGraphDestroy", "cuGraphExecDestroy",
        ):  # fmt: skip
            getattr(library, function)
    except (OSError, AttributeError):
        return None
    return library


def call(name, *arguments):
    """Call a function of the driver, and raise what it complains about."""
    code = getattr(driver(), name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        driver().cuGetErrorString(code, ctypes.byref(text))
        reason = (text.value or b"unknown").decode()
        raise RuntimeError(f"{name}: {reason} (CUDA error {code}).")


class Graph:
    """
    The launches of `work()` on a stream; nothing runs before `launch`.

    Parameters
    ----------
    work : callable
        Launches compiled kernels on the stream, and neither waits nor allocates.
    stream : numba.cuda stream
        Not the default stream, which cannot be captured.
    """

    def __init__(self, work, stream):
        self.stream = ctypes.c_void_p(getattr(stream.handle, "value", stream.handle))
        graph, self.ready = ctypes.c_void_p(), ctypes.c_void_p()
        call("cuStreamBeginCapture_v2", self.stream, RELAXED)
        try:
            work()
        finally:
            call("cuStreamEndCapture", self.stream, ctypes.byref(graph))
        flags = ctypes.c_ulonglong(0)
        call("cuGraphInstantiateWithFlags", ctypes.byref(self.ready), graph, flags)
        call("cuGraphDestroy", graph)

    def launch(self):
        """Start all kernels, in order, on the stream."""
        call("cuGraphLaunch", self.ready, self.stream)

    def __del__(self):
        if getattr(self, "ready", None) and driver is not None:
            driver().cuGraphExecDestroy(self.ready)
