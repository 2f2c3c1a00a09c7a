"""Every lesson runs, has its parts, and tells answers from blanks and mistakes."""

import functools
import json
import os
import pathlib
import re
import subprocess
import sys

import numba
import pytest

TESTS = pathlib.Path(__file__).parent
FOLDER = TESTS.parent / "tutorials"
LESSONS = sorted(path for path in FOLDER.glob("[0-9][0-9]_*.py") if path.name > "01")
LONGEST = 150  # lines
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
compiled = pytest.mark.skipif(
    numba.config.DISABLE_JIT, reason="lessons train too long with the compiler off"
)


@functools.cache
def rehearsal(path):
    """Run a lesson in the quick setting, once, in a process and a folder of its own."""
    figures = os.environ["LESSON_FIGURES"]
    settings = {"KERASNB_QUICK": "1", "KERASNB_FIGURES": figures, "MPLBACKEND": "Agg"}
    command = [sys.executable, "-W", "error", str(TESTS / "tutor.py"), str(path)]
    ran = subprocess.run(
        command,
        cwd=figures,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), **settings},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout, json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module", autouse=True)
def figures(tmp_path_factory):
    """Figures of the tests go to a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESSON_FIGURES", str(tmp_path_factory.mktemp("figures")))
        yield


# ---- what a lesson does ----------------------------------------------------------


@compiled
@every_lesson
def test_a_lesson_with_blanks_runs_to_its_end(path):
    """It checks three exercises, and says of each that it is not done yet."""
    said, verdicts = rehearsal(path)
    assert [one["number"] for one in verdicts] == [1, 2, 3]
    assert [one["blank"] for one in verdicts] == ["not done yet"] * 3
    for number in (1, 2, 3):
        assert f"exercise {number}: not done yet" in said


@compiled
@every_lesson
def test_the_solutions_of_a_lesson_are_right(path):
    """The functions in `tutorials/solutions` pass their checks."""
    _, verdicts = rehearsal(path)
    assert {one["name"]: one["solution"] for one in verdicts} == {
        one["name"]: "right." for one in verdicts
    }


@compiled
@every_lesson
def test_a_mistake_is_found_and_explained_in_one_sentence(path):
    """A likely mistake, `wrong_...` in the solutions, is neither right nor a blank."""
    _, verdicts = rehearsal(path)
    for one in verdicts:
        assert one["mistake"] not in ("right.", "not done yet"), one["name"]
        assert "\n" not in one["mistake"] and one["mistake"][-1:] in ".!", one


# ---- what a lesson consists of ---------------------------------------------------


def cells(path):
    """Return the cells of a lesson: pairs of a kind, 'markdown' or 'code', and text."""
    parts = re.split(r"^# %%(.*)$", path.read_text(), flags=re.MULTILINE)
    assert parts[0].strip() == "", "a lesson begins with a cell"
    kinds = ["markdown" if "[markdown]" in kind else "code" for kind in parts[1::2]]
    return list(zip(kinds, parts[2::2]))


@every_lesson
def test_a_lesson_is_short(path):
    """150 lines at most."""
    assert len(path.read_text().splitlines()) <= LONGEST


@every_lesson
def test_a_lesson_has_all_its_parts(path):
    """A title, a goal, an equation, a question, a number or picture, source, claims."""
    told = [text for kind, text in cells(path) if kind == "markdown"]
    done = "\n".join(text for kind, text in cells(path) if kind == "code")
    assert told[0].startswith(f"\n# # {path.name[:2]} ")
    prose = "".join(told)
    assert "\n# Goal: " in told[0]
    assert re.search(r"^# {5,}.* = ", prose, re.M), "an equation, indented"
    assert "Question" in prose
    assert "figure(" in done or "print(" in done
    assert "show(" in done, "the library's own source"
    assert re.search(r"^ *assert ", done, re.M)
    for number in (1, 2, 3):
        assert re.search(rf"^check\(\s*{number},", done, re.M)


@every_lesson
def test_the_text_cells_of_a_lesson_are_comments(path):
    """So that the file is a program and opens as a notebook."""
    for kind, text in cells(path):
        lines = [line for line in text.splitlines() if line]
        if kind == "markdown":
            assert all(line == "#" or line.startswith("# ") for line in lines)
        assert lines


def test_every_lesson_has_its_number_and_its_solutions():
    """The numbers begin with 01 and leave none out."""
    numbers = [path.name[:2] for path in LESSONS]
    assert numbers == [f"{k:02}" for k in range(1, len(LESSONS) + 1)]
    solutions = sorted(path.stem for path in (FOLDER / "solutions").glob("*.py"))
    assert solutions == numbers
