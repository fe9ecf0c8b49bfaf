"""Before a sandbox serves, try to get out of it."""

from __future__ import annotations

import tempfile

from sandbox.errors import SandboxUnavailable
from sandbox.execution import Limits, Outcome, Task
from sandbox.pool import Pool

LIMITS = Limits(wall_seconds=20.0)


def refuse_if_open(pool: Pool) -> None:
    """Run the guest's escape attempts in a fork like any other. Raises SandboxUnavailable when one succeeds."""
    with tempfile.NamedTemporaryFile(prefix="conjecture-secret-") as secret:
        task = Task(action="escape", kind="", source=b"", options={"secrets": [secret.name]}, limits=LIMITS)
        result = pool.run(task)
    if result.outcome is not Outcome.FINISHED:
        raise SandboxUnavailable(f"the escape probe did not finish: {result.check}: {result.reason}")
    open_ways = [f"{name} ({what})" for name, what in result.values.items() if what is not None]
    if open_ways:
        raise SandboxUnavailable(f"a job can get out of this sandbox: {'; '.join(open_ways)}. It is not used.")
