"""What only the sandbox with Docker promises: hardening, its containers' lives, an engine that is absent or hangs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox import owners
from sandbox.container import DockerSandbox
from sandbox.errors import SandboxBroken, SandboxUnavailable
from sandbox.execution import Execution, Level, Limits, Outcome, Sandbox, Task
from sandbox.image import LABEL

MakeTask = Callable[..., Task]
SHORT = 3  # jobs of a worker before it is replaced
OWNER = f"tests-docker-{os.getpid()}"
REPLY = "def main(job):\n    return Reply()"


@pytest.fixture(scope="module")
def engine(docker_image: str) -> Iterator[Any]:
    client = docker.from_env(timeout=30)
    yield client
    client.close()


@pytest.fixture(scope="module")
def small(docker_image: str) -> Iterator[Sandbox]:
    """Replaced often, and with less memory than its jobs may ask for."""
    sandbox = DockerSandbox(parallel=2, owner=OWNER, actions="-", limits=Limits(memory_mib=32), jobs_per_worker=SHORT)
    yield sandbox
    sandbox.close()


def containers(engine: Any, owner: str = OWNER) -> list[Any]:
    return list(engine.containers.list(all=True, filters={"label": f"{owners.OWNER}={owner}"}, ignore_removed=True))


def until(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return holds()


def test_its_results_say_docker(small: Sandbox, task: MakeTask) -> None:
    assert small.level is Level.DOCKER
    assert small.run(task(REPLY)).level is Level.DOCKER


def test_the_container_has_no_network_no_capabilities_and_nothing_to_write_on(small: Sandbox, engine: Any) -> None:
    (container,) = containers(engine)
    host = container.attrs["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert sorted(host["CapAdd"]) in (["SETGID", "SETUID"], ["CAP_SETGID", "CAP_SETUID"])
    assert "no-new-privileges" in host["SecurityOpt"]
    assert any(option.startswith("seccomp={") for option in host["SecurityOpt"])
    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["PidsLimit"] > 0
    assert host["NanoCpus"] > 0
    assert host["LogConfig"]["Type"] == "none"
    assert not host["Binds"]
    assert not host["Devices"]
    assert not host["Privileged"]
    environment = [entry.partition("=")[0] for entry in container.attrs["Config"]["Env"]]
    assert set(environment) <= {"PATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


def test_nothing_of_a_job_is_left_in_the_container(docker_sandbox: Sandbox, task: MakeTask, engine: Any) -> None:
    (container,) = containers(engine, f"tests-{os.getpid()}")

    def state() -> tuple[int, bytes]:
        look = "import os; print(*os.walk('/tmp'), *os.walk('/dev/shm'))"
        return len(container.top()["Processes"]), container.exec_run(["python3", "-c", look]).output

    before = state()
    source = """
        import os, time
        open("file", "w").write("x")
        os.makedirs("a/b"); os.chmod("a", 0)
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
        """ + REPLY.replace("\n", "\n        ")
    docker_sandbox.run(task(source))
    assert state() == before


def test_the_kernel_running_out_of_memory_is_told_as_such(small: Sandbox, task: MakeTask) -> None:
    hog = "x = []\nwhile True: x.append(np.ones(1 << 18))"
    result = small.run(task(hog, memory_mib=60_000, wall_seconds=30.0))
    assert (result.outcome, result.check) == (Outcome.KILLED, "memory limit")
    assert (result.reason or "").startswith("out of memory")
    assert small.run(task(REPLY)).outcome is Outcome.FINISHED


def test_a_worker_is_replaced_and_the_results_stay_the_same(small: Sandbox, task: MakeTask, engine: Any) -> None:
    seen = set()
    for _ in range(2 * SHORT):  # the sandbox is shared: its worker may be about to be replaced
        assert small.run(task(REPLY)).outcome is Outcome.FINISHED
        seen |= {container.id for container in containers(engine)}
    assert len(seen) >= 2
    assert len(containers(engine)) <= 1


def test_a_job_whose_container_is_killed_is_run_again(
    small: Sandbox, task: MakeTask, engine: Any, loses_workers: None
) -> None:
    small.run(task(REPLY))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(small.run, task(f"import time\ntime.sleep(2)\n{REPLY}"))
        time.sleep(0.5)
        containers(engine)[0].kill()
        assert running.result(60).outcome is Outcome.FINISHED


def test_a_job_that_loses_its_container_again_and_again_is_a_fault_of_ours(
    small: Sandbox, task: MakeTask, engine: Any, loses_workers: None
) -> None:
    over = threading.Event()

    def saboteur() -> None:
        while not over.wait(0.3):
            for container in containers(engine):
                try:
                    container.kill()
                except docker.errors.APIError:
                    continue

    def endless() -> Execution:
        return small.run(task("import time\ntime.sleep(50)", wall_seconds=55.0))

    with ThreadPoolExecutor(2) as threads:
        threads.submit(saboteur)
        try:
            with pytest.raises(SandboxBroken):
                endless()
        finally:
            over.set()


def test_closing_removes_the_container(docker_image: str, engine: Any) -> None:
    sandbox = DockerSandbox(parallel=1, owner=f"{OWNER}-closed", actions="-")
    assert containers(engine, f"{OWNER}-closed")
    sandbox.close()
    assert until(lambda: not containers(engine, f"{OWNER}-closed"))


def test_the_container_of_a_bot_that_was_killed_ends_by_itself(docker_image: str, engine: Any) -> None:
    owner = f"{OWNER}-killed"
    program = (
        "from sandbox.container import DockerSandbox; import time\n"
        f"s = DockerSandbox(parallel=1, owner={owner!r}, actions='-'); print('open', flush=True); time.sleep(600)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as bot:
        assert bot.stdout is not None
        assert bot.stdout.readline() == "open\n"
        assert containers(engine, owner)
        bot.send_signal(signal.SIGKILL)
    assert until(lambda: not containers(engine, owner))


def test_orphans_of_a_crashed_bot_are_removed_and_nobody_elses_containers(docker_image: str, engine: Any) -> None:
    owner = f"{OWNER}-orphans"
    kept = dict(owners.labels(owner))
    dead = kept | {owners.PROCESS: "4194303:1"}
    elsewhere = dead | {owners.MACHINE: "another machine"}
    stranger = dead | {owners.OWNER: f"{owner}-stranger"}
    made = [
        engine.containers.create(docker_image, ["true"], labels={LABEL: "worker", **labels}, network_mode="none")
        for labels in (dead, kept, elsewhere, stranger)
    ]
    try:
        assert owners.remove_orphans(engine, owner) == [made[0].id]
        assert {c.id for c in containers(engine, owner)} == {made[1].id, made[2].id}
    finally:
        for container in made[1:]:
            container.remove(force=True)


def test_an_absent_engine_is_a_fault_of_ours_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    with pytest.raises(SandboxUnavailable, match="systemctl start docker"):
        DockerSandbox(actions="-")


def test_a_hung_engine_is_a_fault_of_ours_and_not_a_hang(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "hung.sock"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/hung.sock")
        with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
            DockerSandbox(actions="-", api_seconds=1)


def test_an_unknown_runtime_is_a_fault_of_ours(docker_image: str) -> None:
    with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
        DockerSandbox(parallel=1, actions="-", runtime="no-such-runtime")
