"""A sandbox within what is left of a budget, and what ends work from outside."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.execution import Level, Outcome
from sandbox.workspace import Run, RunResult, WorkspaceSandbox


class Interrupted(Exception):
    """Work was stopped by people, or by the end of this process: it says nothing about the script."""


@dataclass(frozen=True, slots=True)
class Within:
    """A sandbox whose runs end when `seconds` are over. Raises Interrupted for one that was stopped."""

    sandbox: WorkspaceSandbox
    seconds: float

    @property
    def level(self) -> Level:
        return self.sandbox.level

    @property
    def parallel(self) -> int:
        return self.sandbox.parallel

    def run(self, run: Run) -> RunResult:
        wall = min(run.limits.wall_seconds, max(self.seconds, 1.0))
        result = self.sandbox.run(replace(run, limits=replace(run.limits, wall_seconds=wall)))
        if result.outcome is Outcome.KILLED and result.check == "stopped":
            raise Interrupted
        return result

    def kill(self, tag: str) -> None:
        self.sandbox.kill(tag)

    def close(self) -> None:
        self.sandbox.close()
