"""
Run one lesson as a program of its own, then judge solutions and mistakes.

    python tests/tutor.py tutorials/01_a_line_by_hand.py

The last line it prints is JSON: for each exercise its number, the name of its function,
and the verdicts on the blank, on the solution and on the mistake.
"""

import json
import pathlib
import runpy
import sys


def rehearse(path):
    """Return what `check` says to the blanks, solutions and mistakes of a lesson."""
    sys.path[0] = str(path.parent)
    runpy.run_path(str(path), run_name="__main__")
    from kerasnb.lessons import exercises

    answers = runpy.run_path(str(path.parent / "solutions" / f"{path.name[:2]}.py"))
    verdicts = []
    for exercise in exercises:
        name = exercise.answer.__name__
        solution, mistake = answers.get(name), answers.get(f"wrong_{name}")
        verdicts.append(
            {
                "number": exercise.number,
                "name": name,
                "blank": exercise.judge(),
                "solution": exercise.judge(solution) if solution else "is missing",
                "mistake": exercise.judge(mistake) if mistake else "right.",
            }
        )
    return verdicts


if __name__ == "__main__":
    print("\n" + json.dumps(rehearse(pathlib.Path(sys.argv[1]).resolve())))
