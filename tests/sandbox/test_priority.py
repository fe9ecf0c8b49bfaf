"""What a job gets of the machine: processors after whoever answers people, and no more than one thread's worth."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.container import CPU_SHARES, connect, hardened
from sandbox.execution import Limits, Outcome, Sandbox, Task
from sandbox.guest.confine import NICENESS
from sandbox.guest.weight import STEP, niceness

MakeTask = Callable[..., Task]


def test_a_job_in_namespaces_is_nicer_than_the_bot_and_cannot_be_less_so(
    process_sandbox: Sandbox, task: MakeTask
) -> None:
    source = """
        import os
        def main(job):
            before = os.getpriority(os.PRIO_PROCESS, 0)
            try:
                os.nice(-5)
            except OSError:
                pass
            return Reply(values={"before": before, "after": os.getpriority(os.PRIO_PROCESS, 0)})
        """
    values = process_sandbox.run(task(source)).values
    assert values["before"] == values["after"] == min(19, os.nice(0) + NICENESS)


def test_a_container_counts_less_than_what_runs_beside_it(docker_image: str) -> None:
    client = connect(10)
    try:
        assert hardened(client, 2, Limits(), None)["CpuShares"] == CPU_SHARES < 1024
    finally:
        client.close()


@pytest.mark.parametrize("tasks", [1, 2, 8, 32])
def test_many_threads_are_made_as_nice_as_one_weighs(tasks: int) -> None:
    assert 1 / STEP < tasks / STEP ** niceness(tasks) <= 1
    assert niceness(tasks, cores=tasks) == 0


@pytest.mark.parametrize("crowd", ["threads", "processes"])
def test_a_job_of_many_threads_or_processes_takes_no_more_than_its_share(
    sandbox: Sandbox, task: MakeTask, crowd: str
) -> None:
    spin = "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass\n"
    many = {
        "threads": "import threading, torch\nx = torch.ones(300, 300)\ndef spin():\n    while True: x @ x\n"
        "for _ in range(15): threading.Thread(target=spin, daemon=True).start()\n",
        "processes": "import os\nfor _ in range(4):\n    if not os.fork(): break\nwhile True: pass\n",
    }
    alone = spin + "def main(job):\n    return Reply()"
    with ThreadPoolExecutor(1) as pool:
        crowded = pool.submit(sandbox.run, task(many[crowd] + "while True: pass", wall_seconds=4.0, memory_mib=4000))
        honest = sandbox.run(task(alone))
    assert honest.outcome is Outcome.FINISHED, honest
    greedy = crowded.result()
    assert greedy.check == "time limit", greedy
    share, others = honest.cpu_seconds / honest.seconds, greedy.cpu_seconds / greedy.seconds
    assert share > others / 4, (share, others)  # unhindered, the others would take 16 times as much
