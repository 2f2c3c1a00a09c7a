"""How long texts in HDF5 files are is known before the library makes room for them"""

import io

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb.container import DamagedFile
from kerasnb.hdf5_files import Part, reading
from kerasnb.hdf5_headers import CONTINUATION, text_lengths

VERSIONS = ["earliest", "v108", "latest"]
texts = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0")))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "texts.h5"


def written(path, values, version="earliest"):
    """Write attributes of a group, of which there may be more than its header holds."""
    with h5py.File(path, "w", libver=version) as file:
        group = file.create_group("group")
        for name, value in values.items():
            group.attrs[name] = value


def lengths_of(path, name, count):
    with reading(path) as root:
        group = root.folder("group").group
        address = h5py.h5o.get_info(group.id).addr
        return text_lengths(root.source.part, address, name, count)


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@given(
    values=st.dictionaries(st.text("abc", min_size=1), texts.filter(len), max_size=8)
)
def test_lengths_are_those_of_the_texts(tmp_path_factory, version, values):
    """In the headers of all versions, and in their continuations."""
    path = tmp_path_factory.getbasetemp() / "texts.h5"
    written(path, values, version)
    for name, value in values.items():
        assert lengths_of(path, name, len(value)) == [len(text) for text in value]


@pytest.mark.parametrize("version", VERSIONS)
def test_texts_come_back_beside_other_attributes(path, version):
    """Texts of fixed and of variable length, one or many, and numbers."""
    fixed = np.array([b"abc", b"d"])
    values = {"one": "x" * 70_000, "many": ["ab", "\xfc"] * 50, "fixed": fixed}
    written(path, {**values, "number": 3, "empty": ""}, version)
    with reading(path) as root:
        group = root.folder("group")
        assert group.text("one") == values["one"] and group.text("empty") == ""
        assert group.texts("many") == values["many"]
        assert group.texts("fixed") == ["abc", "d"] and group.count("number") == 3


# ---- damaged and forged files -----------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("at", [0, 1])
def test_a_text_longer_than_the_file_is_refused(path, version, at):
    """The library would make room for four gigabytes first."""
    written(path, {"names": ["first", "second text"]}, version)
    content = bytearray(path.read_bytes())
    length = (len("first"), len("second text"))[at].to_bytes(4, "little")
    place = content.index(length, content.index(b"names") + len("names"))
    content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content)
    if version == "earliest":  # later headers have checksums, which the library checks
        with reading(path) as root:
            with pytest.raises(DamagedFile, match="'names' claims a text that is too"):
                root.folder("group").texts("names")
    else:
        with pytest.raises(DamagedFile), reading(path) as root:
            root.folder("group").texts("names")


def test_a_text_outside_of_the_header_is_refused(path):
    """Many attributes of later versions lie in a heap of their own."""
    written(path, {f"name{i}": "x" for i in range(20)}, "v108")
    with reading(path) as root:
        with pytest.raises(DamagedFile, match="'name7' lies where it cannot be check"):
            root.folder("group").text("name7")


def test_a_header_that_goes_on_for_ever_or_elsewhere_is_refused(path):
    """A continuation may lead back to where it is, or out of the file."""
    written(path, {f"name{i}": "x" for i in range(20)})
    content = bytearray(path.read_bytes())
    with reading(path) as root:
        address = h5py.h5o.get_info(root.folder("group").group.id).addr
    start, size = address + 16, content[address + 8 : address + 12]
    at = start
    while content[at] != CONTINUATION:
        at += 8 + int.from_bytes(content[at + 2 : at + 4], "little")
    content[at + 8 : at + 24] = start.to_bytes(8, "little") + size + bytes(4)
    with pytest.raises(ValueError, match="larger than the file"):
        text_lengths(Part(io.BytesIO(content)), address, "name19", 1)
    content[at + 8 : at + 16] = b"\xff" * 8
    with pytest.raises(ValueError, match="does not lie in the file"):
        text_lengths(Part(io.BytesIO(content)), address, "name19", 1)
