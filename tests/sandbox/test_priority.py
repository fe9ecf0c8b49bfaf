"""What a job gets of the machine: processors after whoever answers people, GPUs only where that was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sandbox.choose import open_with_gpu
from sandbox.container import CPU_SHARES, connect, hardened
from sandbox.errors import SandboxUnavailable
from sandbox.execution import Limits, Sandbox, Task
from sandbox.guest.confine import NICENESS

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


def test_a_container_gets_gpus_only_when_asked_to(docker_image: str) -> None:
    client = connect(10)
    try:
        assert not hardened(client, 2, Limits(), None).get("DeviceRequests")
        (request,) = hardened(client, 2, Limits(), None, gpu=True)["DeviceRequests"]
        assert request["Capabilities"] == [["gpu"]]
    finally:
        client.close()


def test_without_docker_a_gpu_is_refused_with_advice() -> None:
    with pytest.raises(SandboxUnavailable, match="CONJECTURE_DEVICE=cpu"):
        open_with_gpu("process")
