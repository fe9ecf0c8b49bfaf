"""In CI nothing may be skipped: what a test needs is installed there, and a skip would hide that it is not."""

from __future__ import annotations

import os

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped and os.environ.get("CONJECTURE_TESTS_MUST_NOT_SKIP"):
        print(f"\n{len(_skipped)} tests were skipped where none may be: {', '.join(_skipped[:10])}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
