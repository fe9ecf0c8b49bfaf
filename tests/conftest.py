"""In CI nothing may be skipped: what a test needs is installed there, and a skip would hide that it is not."""

from __future__ import annotations

import faulthandler
import os

import pytest

SECONDS_TO_END = 60

# Evaluating in full takes minutes: tests ask for it where they mean it.
os.environ.setdefault("CONJECTURE_CONFIRM", "0")

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped and os.environ.get("CONJECTURE_TESTS_MUST_NOT_SKIP"):
        print(f"\n{len(_skipped)} tests were skipped where none may be: {', '.join(_skipped[:10])}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that never ends would keep the process for ever after its last test: show where it waits, and fail.

    A worker beside others is ended by the process that gives out the tests; it may wait long for them to finish.
    """
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(SECONDS_TO_END, exit=True)
