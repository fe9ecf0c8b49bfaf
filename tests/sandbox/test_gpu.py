"""GPUs, as far as a machine without one can tell: who gets which, and what is said of its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.choose import gpus_named, open_with_gpu
from sandbox.container import Devices, connect, hardened
from sandbox.errors import SandboxBroken, SandboxUnavailable
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest.confine import Mode, boundary

Run = Callable[..., Execution]
MakeTask = Callable[..., Task]


class _Started:
    """In the place of a container: what it was started with, and its end."""

    def __init__(self, settings: dict[str, Any], at_end: Callable[[], None]) -> None:
        (self.request,) = settings["DeviceRequests"]
        self.close = at_end


def test_every_container_has_one_gpu_that_no_other_has_and_gives_it_back() -> None:
    devices = Devices(["0", "2"], _Started, {"ReadonlyRootfs": True})  # type: ignore[arg-type]
    first, second = devices.launch(), devices.launch()
    assert [each.request["DeviceIDs"] for each in (first, second)] == [["0"], ["2"]]  # type: ignore[attr-defined]
    assert first.request["Capabilities"] == [["gpu"]]  # type: ignore[attr-defined]
    first.close()
    assert devices.launch().request["DeviceIDs"] == ["0"]  # type: ignore[attr-defined]


def test_a_gpu_whose_container_does_not_start_is_given_back() -> None:
    fails = [True, False]

    def start(settings: dict[str, Any], at_end: Callable[[], None]) -> _Started:
        if fails.pop(0):
            raise SandboxBroken("no")
        return _Started(settings, at_end)

    devices = Devices(["0"], start, {})  # type: ignore[arg-type]
    with pytest.raises(SandboxBroken):
        devices.launch()
    assert devices.launch().request["DeviceIDs"] == ["0"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("all", ("0", "1", "2")), ("2", ("0", "1")), ("0,2", ("0", "2")), ("1,", ("1",)), ("GPU-8f2a", ("GPU-8f2a",))],
)
def test_gpus_are_meant_by_count_or_by_id(given: str, meant: tuple[str, ...]) -> None:
    assert gpus_named(given, ("0", "1", "2")) == meant


@pytest.mark.parametrize("given", ["4", "0", "all"])
def test_more_gpus_than_there_are_is_a_fault_of_ours(given: str) -> None:
    with pytest.raises(SandboxUnavailable, match="CONJECTURE_DEVICE=cpu"):
        gpus_named(given, () if given == "all" else ("0", "1", "2"))


def test_without_docker_a_gpu_is_refused_with_advice() -> None:
    with pytest.raises(SandboxUnavailable, match="CONJECTURE_DEVICE=cpu"):
        open_with_gpu("process")


def test_without_a_gpu_no_container_asks_for_one_and_no_job_may_open_one(docker_image: str) -> None:
    client = connect(10)
    try:
        assert not hardened(client, 2, Limits(), None).get("DeviceRequests")
    finally:
        client.close()
    assert boundary(Mode.NAMESPACES, "/tmp").gpus == ()


def test_the_fork_server_never_initialises_cuda(run: Run) -> None:
    found = run(
        """
        import torch
        def main(job):
            return Reply(values={"initialised": torch.cuda.is_initialized(), "forked": torch.cuda._is_in_bad_fork()})
        """
    )
    assert found.values == {"initialised": False, "forked": False}


def test_the_devices_memory_running_out_is_told_as_such_and_the_next_job_is_unharmed(
    trainer: Sandbox, task: MakeTask
) -> None:
    message = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.15 GiB"
    raises = f"import torch\nraise torch.OutOfMemoryError({message!r})"
    found = trainer.run(task(raises))
    assert (found.outcome, found.check) == (Outcome.KILLED, "device memory limit")
    assert found.reason == "it asked for more of the GPU's memory than one job may have"
    component = Task(
        action="probe", kind="activation", source=f"def build():\n    {raises.replace(chr(10), '; ')}".encode()
    )
    assert trainer.run(component).check == "device memory limit"
    assert trainer.run(task("def main(job):\n    return Reply()")).outcome is Outcome.FINISHED
