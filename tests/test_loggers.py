import csv
import http.server
import json
import math
import sys
import threading
import types
import urllib.parse

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kerasnb.callbacks import CallbackList, CSVLogger, PlotHistory, RemoteMonitor
from kerasnb.loggers import numbers_in

LOGS = [{"loss": 0.5, "acc": 0.25}, {"loss": 0.25, "acc": 0.5}]


def train(callbacks, logs, first=0):
    model = types.SimpleNamespace(stop_training=False)
    told = CallbackList(callbacks, model)
    told.on_train_begin()
    for epoch, values in enumerate(logs, first):
        told.on_epoch_end(epoch, dict(values))
    told.on_train_end()


# ---- CSVLogger --------------------------------------------------------------------


def test_a_table_has_sorted_columns_and_ends_lines_in_cr_lf(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    for _ in range(2):  # a second training starts the file anew
        train([logger], LOGS)
        text = b"epoch,acc,loss\r\n0,0.25,0.5\r\n1,0.5,0.25\r\n"
        assert path.read_bytes() == text


def test_another_separator(tmp_path):
    path = tmp_path / "log.csv"
    train([CSVLogger(str(path), separator=";")], LOGS[:1])
    assert path.read_bytes() == b"epoch;acc;loss\r\n0;0.25;0.5\r\n"


@pytest.mark.parametrize(
    "before, header",
    [(None, True), ("", True), ("\r\n", True), ("epoch,acc,loss\r\n", False)],
)
def test_an_appended_table_gets_a_header_unless_it_has_one(tmp_path, before, header):
    path = tmp_path / "log.csv"
    if before is not None:
        path.write_bytes(before.encode())
    train([CSVLogger(path, append=True)], LOGS[:1])
    expected = (before or "") + "epoch,acc,loss\r\n" * header + "0,0.25,0.5\r\n"
    assert path.read_bytes() == expected.encode()


def test_appending_fills_the_columns_of_the_header(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,val_loss,loss\r\n")
    with pytest.warns(UserWarning, match="no column for acc, which is left out"):
        train([CSVLogger(path, append=True)], LOGS)
    assert path.read_text().splitlines()[1:] == ["0,NA,0.5", "1,NA,0.25"]


def test_a_first_line_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("0,1,2\r\n")
    train([CSVLogger(path, append=True)], LOGS[:1])
    assert path.read_text().splitlines() == ["0,1,2", "0,0.25,0.5"]


def test_missing_values_are_na_and_new_names_are_warned_about_once(tmp_path):
    """Validation in some epochs only is no error."""
    path = tmp_path / "log.csv"
    logs = [{"loss": 1.0, "val_loss": 2.0}, {"loss": 0.5}]
    train([CSVLogger(path)], logs)
    assert path.read_text().splitlines()[2] == "1,0.5,NA"
    with pytest.warns(UserWarning, match="no column for val_loss") as caught:
        train([CSVLogger(path)], [logs[1], logs[0], logs[0]])
    assert len(caught) == 1
    assert path.read_text().splitlines() == ["epoch,loss", "0,0.5", "1,1.0", "2,1.0"]


def test_several_values_are_a_quoted_list(tmp_path):
    path = tmp_path / "log.csv"
    logs = {
        "a": np.array([1, 2]),
        "b": [0.5, 0.25],
        "c": np.array(3.5),
        "d": "text",
        "e": np.float32(0.1),
        "f": math.nan,
    }
    train([CSVLogger(path)], [logs])
    line = path.read_text().splitlines()[1]
    assert line == '0,"[1, 2]","[0.5, 0.25]",3.5,text,0.1,nan'
    assert next(csv.reader([line]))[1:3] == ["[1, 2]", "[0.5, 0.25]"]


def test_every_epoch_can_be_read_at_once_and_the_file_is_closed(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    told = CallbackList([logger])
    told.on_train_begin()
    file = logger._file
    told.on_epoch_end(0, LOGS[0])
    assert path.read_text().splitlines() == ["epoch,acc,loss", "0,0.25,0.5"]
    told.on_train_end()
    told.on_train_end()
    assert file.closed


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_two_halves_of_a_table_equal_the_whole(tmp_path, cut):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    logs = [*LOGS, {"loss": 0.1, "acc": 1.0}]
    train([CSVLogger(whole)], logs)
    first, second = CSVLogger(halves), CSVLogger(halves)
    train([first], logs[:cut])
    second.set_state(first.get_state())
    train([second], logs[cut:], first=cut)
    assert halves.read_bytes() == whole.read_bytes()


def test_a_table_needs_a_folder_and_a_separator(tmp_path):
    with pytest.raises(ValueError, match="CSVLogger: the folder .* does not exist"):
        train([CSVLogger(tmp_path / "no" / "log.csv")], LOGS)
    for separator in ("", ", ", None):
        with pytest.raises(ValueError, match="a separator of one character, got"):
            CSVLogger("log.csv", separator)


# ---- RemoteMonitor ----------------------------------------------------------------


class Server:
    """Writes down what is posted to it, and answers with a status."""

    def __init__(self, status=200):
        self.received = received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path, dict(self.headers), body.decode()))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


SENT = {"loss": np.float32(0.5), "bad": math.nan, "both": np.array([1, 2]), "n": None}
RECEIVED = {"epoch": 3, "loss": 0.5, "bad": None, "both": [1, 2], "n": None}


def test_the_logs_are_posted_in_a_form():
    pytest.importorskip("requests")
    with Server() as server:
        monitor = RemoteMonitor(server.root, field="news", headers={"X-Class": "7b"})
        train([monitor], [SENT], first=3)
    ((path, headers, body),) = server.received
    assert path == "/publish/epoch/end/"
    assert headers["X-Class"] == "7b"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = urllib.parse.parse_qs(body)
    assert list(form) == ["news"]
    assert json.loads(form["news"][0]) == RECEIVED


def test_the_logs_are_posted_as_json():
    pytest.importorskip("requests")
    with Server() as server:
        train([RemoteMonitor(server.root, "/here", send_as_json=True)], [SENT], first=3)
    ((path, headers, body),) = server.received
    assert (path, headers["Content-Type"]) == ("/here", "application/json")
    assert json.loads(body) == RECEIVED


def test_a_server_that_cannot_be_reached_is_warned_about():
    pytest.importorskip("requests")
    with Server() as server:
        root = server.root
    with pytest.warns(UserWarning, match="could not send epoch 0 to http.*goes on"):
        train([RemoteMonitor(root)], LOGS[:1])
    with Server(404) as server:
        with pytest.warns(UserWarning, match="404"):
            train([RemoteMonitor(server.root)], LOGS[:1])


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    match = r"RemoteMonitor needs the package requests .*kerasnb\[remote\]"
    with pytest.raises(ImportError, match=match):
        RemoteMonitor()


# ---- PlotHistory ------------------------------------------------------------------


def test_a_picture_is_drawn_after_every_epoch(tmp_path):
    path = tmp_path / "training.png"
    plot = PlotHistory(path)
    told = CallbackList([plot])
    told.on_train_begin()
    pictures = []
    for epoch, logs in enumerate(LOGS):
        told.on_epoch_end(epoch, logs)
        pictures.append(path.read_bytes())
    told.on_train_end()
    assert pictures[0] != pictures[1] == path.read_bytes()
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert [file.name for file in tmp_path.iterdir()] == ["training.png"]
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    "every, epochs, drawn", [(2, 5, [2, 4, 5]), (2, 4, [2, 4]), (9, 1, [1]), (1, 0, [])]
)
def test_a_picture_is_drawn_as_often_as_wanted(
    tmp_path, monkeypatch, every, epochs, drawn
):
    seen = []

    def image(self):
        seen.append(len(self.epoch))
        return b""

    monkeypatch.setattr(PlotHistory, "_image", image)
    plot = PlotHistory(tmp_path / "p.png", every)
    for _ in range(2):  # the second training draws the same
        train([plot], [LOGS[0]] * epochs)
        assert seen == drawn
        seen.clear()


def test_the_curves_hold_nan_where_an_epoch_has_no_value(tmp_path):
    plot = PlotHistory(tmp_path / "p.png")
    train([plot], [{"loss": 1}, {"note": "x"}, {"val_loss": np.float32(0.5)}], first=4)
    assert plot.epoch == [4, 5, 6]
    nan = math.nan
    expected = {"loss": [1, nan, nan], "val_loss": [nan, nan, 0.5]}
    np.testing.assert_equal(plot.history, expected)


def test_logs_without_numbers_draw_nothing(tmp_path):
    train([PlotHistory(tmp_path / "p.png")], [{"note": "x"}, {}])
    assert list(tmp_path.iterdir()) == []
    assert numbers_in(None) == {}


def test_two_halves_make_the_whole_picture(tmp_path):
    whole, first, second = (PlotHistory(tmp_path / name) for name in "abc")
    train([whole], LOGS)
    train([first], LOGS[:1])
    second.set_state(first.get_state())
    train([second], LOGS[1:], first=1)
    assert (second.epoch, second.history) == (whole.epoch, whole.history)
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()


def test_a_notebook_draws_one_picture_anew(tmp_path, monkeypatch):
    """A stand-in for IPython; no file is written."""
    shown = []

    class Handle:
        def update(self, picture):
            shown.append(("update", picture))

    def display(picture, display_id):
        shown.append(("display", picture))
        return Handle()

    python = types.ModuleType("IPython")
    python.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    python.display = types.ModuleType("IPython.display")
    python.display.Image = lambda data: data[:4]
    python.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", python.display)
    monkeypatch.chdir(tmp_path)
    train([PlotHistory("no folder/p.png")], LOGS)
    assert shown == [("display", b"\x89PNG"), ("update", b"\x89PNG")]
    assert list(tmp_path.iterdir()) == []
    assert plt.get_fignums() == []


def test_a_picture_needs_a_folder_and_known_names(tmp_path):
    with pytest.raises(ValueError, match="PlotHistory: the folder .* does not exist"):
        train([PlotHistory(tmp_path / "no" / "p.png")], LOGS)
    with pytest.raises(ValueError, match="every must be a positive integer"):
        PlotHistory(every=0)
    with pytest.raises(ValueError, match="the history has no 'mae'"):
        train([PlotHistory(tmp_path / "p.png", metrics="mae")], LOGS)
