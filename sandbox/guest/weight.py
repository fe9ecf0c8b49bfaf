"""A job weighs as much on the processors as one thread does, however many it runs.

The kernel shares processors between threads, not between jobs: thirty of one job would leave the only one of another a
thirtieth. So the more a job runs at once, the nicer it is made.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable

from .processes import Process

STEP = 1.25  # by which one more level of niceness divides a thread's share (sched(7))
NICEST = 19


def niceness(tasks: int, cores: int = 1) -> int:
    """What to add so that `tasks` threads weigh as much as `cores`."""
    return math.ceil(math.log(max(1.0, tasks / cores), STEP))


class Weights:
    def __init__(self, least: int) -> None:
        """least: the niceness of a job of one thread."""
        self._least = least
        self._of: dict[int, int] = {}

    def weigh(self, job: int, tasks: int, cores: int, members: Iterable[Process]) -> None:
        """Make `members`, all that the job runs, as nice as `tasks` threads ask for; what they start inherits it.

        To be called with the rights of the job's owner, who cannot take niceness back.
        """
        wanted = min(NICEST, self._least + niceness(tasks, cores))
        if wanted <= self._of.get(job, self._least):
            return
        self._of[job] = wanted
        for member in members:
            with contextlib.suppress(OSError):  # it has ended
                for task in os.listdir(f"/proc/{member.pid}/task"):
                    os.setpriority(os.PRIO_PROCESS, int(task), wanted)

    def release(self, job: int) -> None:
        self._of.pop(job, None)
