"""The calls to the driver that make a graph, on a driver that only notes them."""

import ctypes
import types

import pytest

from kerasnb.kernels.cuda import graphs


class Driver:
    """Stands for the driver's library; `failing` names a function that complains."""

    def __init__(self, failing=None):
        self.calls, self.failing = [], failing

    def __getattr__(self, name):
        def function(*arguments):
            self.calls.append(name)
            return 900 if name == self.failing else 0

        return function


def stream():
    return types.SimpleNamespace(handle=ctypes.c_void_p(7))


def test_a_graph_is_captured_once_and_launched_often(monkeypatch):
    """Begin, work, end, instantiate; then one call for each launch."""
    driver = Driver()
    monkeypatch.setattr(graphs, "driver", lambda: driver)
    graph = graphs.Graph(lambda: driver.calls.append("work"), stream())
    assert driver.calls == [
        "cuStreamBeginCapture_v2", "work", "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags", "cuGraphDestroy",
    ]  # fmt: skip
    graph.launch()
    graph.launch()
    assert driver.calls[5:] == ["cuGraphLaunch"] * 2


def test_work_that_fails_ends_the_capture(monkeypatch):
    """The stream can be used again, and the error is the work's."""
    driver = Driver()
    monkeypatch.setattr(graphs, "driver", lambda: driver)
    with pytest.raises(ZeroDivisionError):
        graphs.Graph(lambda: 1 / 0, stream())
    assert driver.calls[-1] == "cuStreamEndCapture"


def test_what_the_driver_refuses_is_named(monkeypatch):
    """The function and the number of the error."""
    driver = Driver("cuGraphInstantiateWithFlags")
    monkeypatch.setattr(graphs, "driver", lambda: driver)
    with pytest.raises(RuntimeError, match="cuGraphInstantiateWithFlags.* 900"):
        graphs.Graph(lambda: None, stream())
