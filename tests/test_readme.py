"""What the front page shows runs as it stands."""

import pathlib
import re

import numba
import pytest

README = pathlib.Path(__file__).parents[1] / "README.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="thirty epochs, step by step")
@pytest.mark.filterwarnings("ignore:.*non-interactive")
@pytest.mark.parametrize("program", PROGRAMS, ids=["first program", "own layer"])
def test_the_programs_of_the_readme_run(program, tmp_path, monkeypatch, capsys):
    """Each block, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(program, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    if "history" in names:
        assert names["history"].history["val_acc"][-1] > 0.9
        assert (tmp_path / "training.png").stat().st_size > 10_000
    else:
        assert "0 of" not in printed and names["check_layer"](names["Scale"](), (3,))


def test_the_first_program_stands_at_the_top():
    """A newcomer sees code before scrolling."""
    lines = README.read_text().splitlines()
    assert lines.index("```python") < 15
