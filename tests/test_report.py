"""Reports: the table, the verdict, the exception."""

import pytest

from kerasnb.report import Report


def test_a_report_of_passed_checks_is_returned():
    """Nothing is raised, and the table says how many checks passed."""
    report = Report("tanh")
    report.add(
        "gradient of z", True, "never shown", analytic=1.5, numeric=1.5, error=0.0
    )
    assert report.finish() is report
    assert report.passed
    assert "tanh: 1 checks passed" in str(report)
    assert "1.50000e+00" in str(report)
    assert "never shown" not in str(report)


def test_a_failed_check_is_raised_with_its_cause():
    """The exception's message is the table; asked not to raise, it is returned."""
    report = Report("tanh")
    report.add("forward keeps z", True)
    report.add("gradient of z", False, "The sign is wrong.")
    with pytest.raises(AssertionError, match="tanh: 1 of 2 checks failed") as raised:
        report.finish()
    assert "WRONG\n    The sign is wrong." in str(raised.value)
    assert repr(report) == str(report) == str(raised.value)
    assert not report.finish(raise_on_failure=False).passed
