"""What the front page shows runs as it stands."""

import pathlib
import re

import numba
import pytest

README = pathlib.Path(__file__).parents[1] / "README.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def show_curves(names):
    assert names["history"].history["val_acc"][-1] > 0.9
    assert pathlib.Path("training.png").stat().st_size > 10_000


def show_two_outputs(names):
    assert names["price"].shape == (64, 1) and names["kind"].shape == (64, 2)
    assert len(names["history"].history["kind_loss"]) == 2


def check_scale(names):
    assert names["check_layer"](names["Scale"](), (3,))


def show_backup(names):
    assert names["model"].history.epoch and not pathlib.Path("run.knb").exists()


def show_state(names):
    assert names["BestOfThree"]().get_state() == {"losses": None}


def check_functions(names):
    assert names["model"].metrics_names == ["loss", "huber"]
    assert names["check_gradient"](names["swish"], [-1.0, 0.5]).passed


CHECKS = [
    show_curves,
    show_two_outputs,
    show_backup,
    show_state,
    check_scale,
    check_functions,
]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="thirty epochs, step by step")
@pytest.mark.filterwarnings("ignore:.*non-interactive")
@pytest.mark.parametrize("program, check", list(zip(PROGRAMS, CHECKS, strict=True)))
def test_the_programs_of_the_readme_run(program, check, tmp_path, monkeypatch):
    """Each block, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(program, "README.md", "exec"), names)
    check(names)


def test_the_first_program_stands_at_the_top():
    """A newcomer sees code before scrolling."""
    lines = README.read_text().splitlines()
    assert lines.index("```python") < 15
