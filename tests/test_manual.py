"""The pages of the manual, and the paths through the code, lead to what exists."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import kerasnb
from kerasnb import check_layer, device

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kerasnb"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = ["README.md", "tutorials/teaching.md", "kerasnb/contributing.md"]
PAGES = [*PAGES, "kerasnb/differences.md"]
LESSONS = sorted((ROOT / "tutorials").glob("[0-2][0-9]_*.py"))


def to_read_next(text):
    """Return the files that the sentences beginning with "Read next" name."""
    docstring = re.match(r'r?"""(.*?)"""', text, re.DOTALL)
    _, found, told = (docstring[1] if docstring else "").partition("Read next")
    return re.findall(r"`([\w/]+\.py)`", told) if found else []


def test_there_are_paths_through_the_code():
    """The words that the next test looks for are there."""
    assert sum(bool(to_read_next(path.read_text())) for path in MODULES) > 40


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_to_read_next_exists(path):
    """Beside the module, or counted from a folder above it."""
    above = [folder for folder in path.parents if folder.is_relative_to(ROOT)]
    for name in to_read_next(path.read_text()):
        assert any((folder / name).exists() for folder in above), name


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page):
    """Addresses without a scheme are files, counted from the page."""
    text = (ROOT / page).read_text()
    for address in re.findall(r"\]\(([^)#\s]+)\)", text):
        if not re.match("[a-z]+:", address):
            assert ((ROOT / page).parent / address).exists(), address


@pytest.mark.parametrize("page", ["README.md", "tutorials/teaching.md"])
def test_every_lesson_is_on_the_pages(page):
    """The list in the README and the syllabus have each number that there is."""
    listed = set(re.findall(r"^(?:- \*\*|\| \d+ \| )(\d\d)", _text(page), re.MULTILINE))
    assert listed == {f"{k:02}" for k in range(1, 23)}
    assert {path.name[:2] for path in LESSONS} - {"00"} <= listed


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_exists(page):
    """What a page tells to make can be made."""
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    told = set(re.findall(r"(?:`|^    )make ([a-z-]+)", _text(page), re.MULTILINE))
    assert told <= targets


def _text(name):
    return (ROOT / name).read_text()


def load(source, name, folder, namespace):
    """Import a program of the contributor's page as a module of kerasnb."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(f"{namespace}.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def test_the_example_of_the_contributors_page_is_a_layer(tmp_path, monkeypatch):
    """Its plain kernels and its layer keep the contract, and have the right slopes."""
    text = _text("kerasnb/contributing.md")
    programs = re.findall(r"```python\n# (\S+)\n(.*?)```", text, re.DOTALL)
    programs = {name: source for name, source in programs}
    kernels, layer = "kerasnb/kernels/plain/scaling.py", "kerasnb/scaling.py"
    found = load(programs[kernels], "plain_scaling", tmp_path, "kerasnb.kernels.plain")
    for name in ("scale_forward", "scale_backward"):
        monkeypatch.setattr(device.ops, name, found[name], raising=False)
    Scale = load(programs[layer], "scaling_page", tmp_path, "kerasnb")["Scale"]
    for shape in [(1,), (5,), (3, 70)]:
        check_layer(Scale(), shape)
    for name, source in programs.items():
        compile(source, name, "exec")
    assert kerasnb.get_device() == "cpu" and "scaling_page" not in sys.modules
