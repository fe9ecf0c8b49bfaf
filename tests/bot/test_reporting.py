"""Logs tell what happens and never stand in its way."""

from __future__ import annotations

import subprocess
import sys

LOGGING = """
import logging, sys
import structlog
from bot.commands.reporting import log_to_stderr
log = structlog.get_logger("conjecture")
log_to_stderr("info")
"""


def logged(lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LOGGING + lines], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_log_that_nobody_reads_any_more_stops_nothing() -> None:
    lines = "import os\nos.close(2)\nlog.error('lost', exc_info=ValueError('why'))\nprint('went on')"
    assert logged(lines).stdout == "went on\n"
    assert logged("sys.stderr.close()\n" + "log.error('lost')\nprint('went on')").stdout == "went on\n"


def test_our_lines_and_those_of_libraries_have_a_time_and_a_level() -> None:
    told = logged("log.warning('slow', job='j-1')\nlogging.getLogger('dbos').warning('behind by %d', 3)").stderr
    ours, theirs = told.splitlines()
    assert "[warning" in ours
    assert "job=j-1" in ours
    assert "[warning" in theirs
    assert "behind by 3" in theirs
    assert ours[:4].isdigit()
    assert theirs[:4].isdigit()


def test_a_line_below_the_level_is_not_written() -> None:
    assert logged("log.debug('detail')\nlogging.getLogger('other').debug('detail')").stderr == ""
