"""
Reports: what a check found, as a table that says what is wrong and why.

A report is a list of findings, one for each thing that was checked. It knows whether
all of them passed, and it becomes the message of an AssertionError if not. Read next:
`checks.py`, which writes them.
"""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass
class Finding:
    """One line of a report: what was checked, what came out, and a likely cause."""

    what: str
    passed: bool
    cause: str = ""
    analytic: float | None = None
    numeric: float | None = None
    error: float | None = None


class Report:
    """
    What a check found; printing it shows a table.

    Attributes
    ----------
    subject : str
        What was checked.
    findings : list of Finding
        In the order of the checks.

    Examples
    --------
    >>> report = Report("Dense")
    >>> report.add("output shape", False, "compute_output_shape says (5, 2).")
    >>> report.passed
    False
    >>> print(report)
    Dense: 1 of 1 checks failed
      check                  analytic       numeric     error  verdict
      output shape                                             WRONG
        compute_output_shape says (5, 2).
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.findings: list[Finding] = []

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(finding.passed for finding in self.findings)

    def add(self, what: str, passed: bool, cause: str = "", **numbers: Any) -> None:
        """Write down one finding; the cause is shown only if it failed."""
        self.findings.append(Finding(what, bool(passed), cause, **numbers))

    def finish(self, raise_on_failure: bool = True) -> Report:
        """Return the report, or raise it as an AssertionError if a check failed."""
        if raise_on_failure and not self.passed:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        """Show the table."""
        wrong = sum(not finding.passed for finding in self.findings)
        count = len(self.findings)
        verdict = (
            f"{wrong} of {count} checks failed" if wrong else f"{count} checks passed"
        )
        width = max([20] + [len(finding.what) for finding in self.findings])
        lines = [
            f"{self.subject}: {verdict}",
            f"  {'check':{width}}{'analytic':>11}{'numeric':>14}{'error':>10}  verdict",
        ]
        for finding in self.findings:
            numbers = (
                f"{_number(finding.analytic, '.5e'):>11}"
                f"{_number(finding.numeric, '.5e'):>14}"
                f"{_number(finding.error, '.0e'):>10}"
            )
            mark = "ok" if finding.passed else "WRONG"
            lines.append(f"  {finding.what:{width}}{numbers}  {mark}")
            if not finding.passed and finding.cause:
                lines.append(f"    {finding.cause}")
        return "\n".join(lines)

    __repr__ = __str__


def _number(value, form):
    return "" if value is None else format(value, form)
