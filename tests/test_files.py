import os

import pytest

from kerasnb.files import check_folder, write_whole


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"older and longer")
    write_whole(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_path_in_a_folder_that_exists_is_accepted(tmp_path, monkeypatch):
    check_folder(str(tmp_path / "file"), "Somebody")
    monkeypatch.chdir(tmp_path)
    check_folder("file", "Somebody")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    folder = str(tmp_path / "missing")
    with pytest.raises(ValueError, match=r"Somebody: .* not exist. Make it first: os"):
        check_folder(os.path.join(folder, "file"), "Somebody")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="Somebody: expected the path of a file"):
        check_folder(str(tmp_path), "Somebody")


def test_a_protected_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match="Somebody: .* protected against writing"):
        check_folder(str(tmp_path / "file"), "Somebody")
