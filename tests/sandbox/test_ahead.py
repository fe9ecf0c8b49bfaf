"""Forks that are made ahead and get a device ready, as on a GPU: held to what a fork of a job promises, on any machine.

What gets ready here is a note of the time and of the process, made where CUDA would be initialised.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.errors import SandboxBroken
from sandbox.execution import Execution, Level, Outcome, Task
from sandbox.guest import landlock
from sandbox.guest.processes import below, process
from sandbox.pool import Pool
from sandbox.process import FORK_SERVER, MODES, ProcessChannel, command

MakeTask = Callable[..., Task]
TAKEN_MIB = 96  # as CUDA takes some of the host's memory
READY = f"lambda: (setattr(sys, 'taken', b'x' * ({TAKEN_MIB} << 20)), setattr(sys, 'ready', time.monotonic()))"
BROKEN = "lambda: exec('raise RuntimeError(\\'no such device\\')')"
LOOKS = """
    import sys
    def main(job):
        found = {"ready": sys.ready, "left": getattr(sys, "left", None), "pack": sorted(job.pack)}
        sys.left = "by an earlier job"
        return Reply(values=found)
    """
SLEEPS = "import time\ndef main(job):\n    time.sleep(60)"
FILLS = "def main(job):\n    open('x', 'wb').write(bytes(8 << 20))\n    return Reply()"


def served(level: Level, prepare: str, home: Path) -> list[str]:
    """The command of a fork server whose device is made ready by `prepare`."""
    arguments = command(MODES[level], home, FORK_SERVER, "-")
    if level is not Level.NAMESPACES:
        return _preparing(arguments, prepare)
    plan = json.loads(arguments[-1])
    return [*arguments[:-1], json.dumps(plan | {"command": _preparing(plan["command"], prepare)})]


def _preparing(arguments: list[str], prepare: str) -> list[str]:
    program = arguments.index("-c") + 1
    text = arguments[program].replace("main(sys.argv[1:])", f"main(sys.argv[1:], prepare={prepare})")
    return [*arguments[:program], f"import time; {text}", *arguments[program + 1 :]]


class Server:
    """One worker, and who waits in it."""

    def __init__(self, prepare: str, home: Path, level: Level = Level.NAMESPACES) -> None:
        self.pool = Pool(self._launch, level=level, workers=1, slots=1)
        self._command = served(level, prepare, home)
        self._above = int(level is Level.NAMESPACES)  # the fork server is below a process that built its view
        self.channel: ProcessChannel | None = None

    def _launch(self) -> ProcessChannel:
        self.channel = ProcessChannel(self._command)
        return self.channel

    def run(self, task: Task) -> Execution:
        return self.pool.run(task)

    def waiting(self) -> int:
        """The process of the fork that waits for a job, or is just getting ready to."""
        assert self.channel is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = [entry.pid for entry in below(self.channel._process.pid)][self._above :]
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError("no fork waits")


def until_ready(pid: int) -> None:
    def taken_kib() -> int:
        fork = process(pid)
        above = process(fork.parent) if fork else None
        return fork.memory_kib - above.memory_kib if fork and above else 0

    while taken_kib() < (TAKEN_MIB - 1) << 10:
        time.sleep(0.02)


@pytest.fixture(scope="module", params=[Level.NAMESPACES, pytest.param(Level.LANDLOCK, marks=pytest.mark.long)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param is Level.LANDLOCK and landlock.abi() < 6:
        pytest.skip(f"Landlock ABI {landlock.abi()}; the level needs 6")
    home = Path(tempfile.mkdtemp(prefix="ahead-"))  # not below a folder that only its owner may enter
    server = Server(READY, home, request.param)
    server.run(Task(action="script", kind="", source=b"def main(job): pass"))  # whose limits the first that waits has
    yield server
    server.pool.close()
    shutil.rmtree(home)


@pytest.fixture
def look(server: Server, task: MakeTask) -> Callable[..., Any]:
    def run(**more: Any) -> Any:
        found = server.run(task(LOOKS, **more))
        assert found.outcome is Outcome.FINISHED, found
        return found.values

    return run


def test_a_fork_is_ready_before_its_job_arrives_and_serves_no_other(server: Server, look: Callable[..., Any]) -> None:
    ready_at = []
    for _ in range(3):
        until_ready(server.waiting())
        time.sleep(0.1)  # between taking memory and noting the time
        asked_at = time.monotonic()
        found = look()
        assert found["left"] is None
        assert found["ready"] < asked_at
        ready_at.append(found["ready"])
    assert len(set(ready_at)) == len(ready_at)


def test_a_fork_that_dies_while_it_waits_costs_no_job(server: Server, look: Callable[..., Any]) -> None:
    look()
    dead = server.waiting()
    os.kill(dead, signal.SIGKILL)
    while (found := process(dead)) is not None and not found.zombie:
        time.sleep(0.01)
    assert look()["left"] is None
    assert server.waiting() != dead


def test_a_fork_that_dies_as_its_job_is_handed_over_is_no_verdict(
    server: Server, task: MakeTask, loses_workers: None
) -> None:
    server.run(task(LOOKS))
    waits = server.waiting()
    until_ready(waits)
    os.kill(waits, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(server.run, task(LOOKS))
        time.sleep(0.5)
        os.kill(waits, signal.SIGKILL)
        assert found.result().outcome is Outcome.FINISHED


def test_time_is_counted_from_when_the_job_arrives(server: Server, look: Callable[..., Any]) -> None:
    look()
    server.waiting()
    time.sleep(2.0)
    look(wall_seconds=1.9)


def test_what_a_fork_took_to_get_ready_is_not_the_jobs(server: Server, task: MakeTask) -> None:
    lasts = "import time\ndef main(job):\n    time.sleep(0.5)\n    return Reply()"
    limits = {"memory_mib": TAKEN_MIB // 2}
    server.run(task(lasts, **limits))  # so that the next is made with these limits
    until_ready(server.waiting())
    found = server.run(task(lasts, **limits))
    assert found.outcome is Outcome.FINISHED, found
    assert found.peak_mib < TAKEN_MIB // 2


def test_a_job_is_killed_at_its_own_limits_whichever_the_fork_was_made_with(server: Server, task: MakeTask) -> None:
    assert server.run(task(FILLS)).outcome is Outcome.FINISHED
    server.waiting()
    assert server.run(task(FILLS, disk_mib=4)).check == "disk limit"
    server.waiting()
    assert server.run(task(SLEEPS, disk_mib=4, wall_seconds=0.5)).check == "time limit"
    server.waiting()
    assert server.run(task(FILLS)).outcome is Outcome.FINISHED


def test_a_pack_that_is_shelved_while_a_fork_waits_is_there_for_its_job(
    server: Server, look: Callable[..., Any]
) -> None:
    look()
    server.waiting()
    server.pool.shelve("late", {"x": np.zeros(3)})
    assert look(pack="late")["pack"] == ["x"]


def test_none_waits_once_the_worker_is_closed(tmp_path: Path, task: MakeTask) -> None:
    server = Server(READY, tmp_path)
    server.run(task(LOOKS))
    waits = server.waiting()
    server.pool.close()
    assert not os.path.exists(f"/proc/{waits}")


@pytest.mark.long
def test_a_device_that_cannot_be_made_ready_is_a_fault_of_ours(
    tmp_path: Path, task: MakeTask, loses_workers: None
) -> None:
    server = Server(BROKEN, tmp_path)
    with pytest.raises(SandboxBroken, match="no such device"):
        server.run(task(LOOKS))
    server.pool.close()
