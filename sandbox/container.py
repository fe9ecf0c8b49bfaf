"""The sandbox with Docker: one hardened container with the fork server, replaced when anything about it is in doubt."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import docker
from docker.types import DeviceRequest, LogConfig, Ulimit

from sandbox import owners
from sandbox.errors import SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.execution import Array, Execution, Level, Limits, Task
from sandbox.guest.confine import SLOT, SPARE_PROCESSES, Mode
from sandbox.guest.protocol import read_exactly
from sandbox.image import CODE, DOCKER_ERRORS, LABEL, SITE, ensure_image
from sandbox.inspection import refuse_if_open
from sandbox.pool import JOBS_PER_WORKER, Pool
from sandbox.process import ACTIONS, ENVIRONMENT, FORK_SERVER, boot

SECCOMP = Path(__file__).parent / "seccomp.json"
API_SECONDS = 30
CPU_SHARES = 512  # of 1024 that everything outside counts: niceness alone is compared only inside the container
GVISOR = "runsc"
SLACK_MIB = 4  # of a job's file system above its limit, so that the fork server can see that it is passed
FILES = 4096  # of a job
SLOTS_PER_JOB = 2  # a job in split process is two forks
PARENT_MIB = 768  # the warm parent, the packs, and what the engine counts besides
MIB = 1 << 20
KEPT_ERRORS = 4 << 10
STDOUT, STDERR = 1, 2


class DockerSandbox:
    """`parallel` jobs at once in one container; see `hardened` for what the container may do."""

    def __init__(
        self,
        *,
        parallel: int | None = None,
        runtime: str | None = None,
        owner: str = "",
        actions: str = ACTIONS,
        limits: Limits | None = None,
        jobs_per_worker: int = JOBS_PER_WORKER,
        api_seconds: int = API_SECONDS,
        gpus: Sequence[str] = (),
    ) -> None:
        """limits: the largest limits that a task will have; the container is sized for `parallel` of them.

        gpus: ids of GPUs. Each then has a container of its own, with one job at a time, whatever `parallel` says: the
        next job gets the one that is free.

        Raises SandboxUnavailable when no engine answers, the image is missing, or an attempt to escape succeeds.
        """
        self._level = Level.DOCKER_GVISOR if runtime == GVISOR else Level.DOCKER
        self._parallel = len(gpus) or parallel or os.cpu_count() or 1
        self._client = connect(api_seconds)
        try:
            owners.remove_orphans(self._client, owner)
            image = ensure_image(self._client)
            at_once = 1 if gpus else self._parallel
            settings = hardened(self._client, at_once, limits or Limits(), runtime)
            server = boot("python3", [CODE, SITE], FORK_SERVER, Mode.DOCKER, actions, "/tmp")
            start = partial(ContainerChannel, self._client, image, labels=owners.labels(owner), arguments=server)
            self._pool = Pool(
                Devices(gpus, start, settings).launch if gpus else lambda: start(settings),
                level=self._level,
                workers=len(gpus) or 1,
                slots=at_once,
                jobs_per_worker=jobs_per_worker,
            )
            self._torch_version = self._pool.start()["torch"]
            refuse_if_open(self._pool)
        except SandboxUnavailable:
            self.close()
            raise
        except (SandboxError, *DOCKER_ERRORS) as error:
            self.close()
            raise SandboxUnavailable(f"Docker answers, but its sandbox does not work: {error}") from error

    @property
    def level(self) -> Level:
        return self._level

    @property
    def parallel(self) -> int:
        return self._parallel

    @property
    def torch_version(self) -> str:
        return self._torch_version

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None:
        self._pool.shelve(name, arrays)

    def run(self, task: Task) -> Execution:
        return self._pool.run(task)

    def kill(self, tag: str) -> None:
        self._pool.kill(tag)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):  # before the pool was made
            self._pool.close()
        self._client.close()


def connect(seconds: int = API_SECONDS) -> docker.DockerClient:
    """Raises SandboxUnavailable when no engine answers within `seconds`."""
    try:
        client = docker.from_env(timeout=seconds)
        client.ping()
    except DOCKER_ERRORS as error:
        raise SandboxUnavailable(
            f"no Docker engine answers: {error}. Start it (`systemctl start docker`), let this user use it "
            "(group `docker`), or set DOCKER_HOST."
        ) from error
    return client


def hardened(client: docker.DockerClient, parallel: int, limits: Limits, runtime: str | None) -> dict[str, Any]:
    """The host configuration: no network, nothing writable but a small /tmp, no capability but to change uid."""
    wanted = (parallel * limits.memory_mib + PARENT_MIB) * MIB
    memory = min(wanted, int(client.info()["MemTotal"] * 0.9))
    only_tmp = "rw,noexec,nosuid,nodev"
    slot = f"{only_tmp},size={limits.disk_mib + SLACK_MIB}m,nr_inodes={FILES},mode=1777"
    configuration: dict[str, Any] = client.api.create_host_config(
        network_mode="none",
        read_only=True,
        init=True,
        auto_remove=True,
        cap_drop=["ALL"],
        cap_add=["SETUID", "SETGID"],  # a uid for each job; what belongs to it is killed and deleted as that uid
        security_opt=["no-new-privileges", f"seccomp={SECCOMP.read_text()}"],
        pids_limit=parallel * (limits.processes + SPARE_PROCESSES) + 16,
        mem_limit=memory,
        memswap_limit=memory,
        cpu_shares=CPU_SHARES,
        nano_cpus=min(parallel, os.cpu_count() or 1) * 1_000_000_000,
        ipc_mode="private",
        ulimits=[Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="core", soft=0, hard=0)],
        log_config=LogConfig(type=LogConfig.types.NONE),  # what is printed must not end on the host's disk
        tmpfs={
            "/tmp": f"{only_tmp},size=64k,mode=0755",
            "/dev/shm": f"{only_tmp},size=64k,mode=0755",
            **{f"/tmp/{SLOT}{number}": slot for number in range(parallel * SLOTS_PER_JOB)},
        },
        runtime=runtime,
    )
    return configuration


class Devices:
    """GPUs, of which each container gets one for as long as it lives."""

    def __init__(
        self, gpus: Sequence[str], start: Callable[..., ContainerChannel], settings: Mapping[str, Any]
    ) -> None:
        self._start, self._settings = start, settings
        self._idle: SimpleQueue[str] = SimpleQueue()
        for gpu in gpus:
            self._idle.put(gpu)

    def launch(self) -> ContainerChannel:
        """A container with a GPU that no other one has. Raises SandboxBroken."""
        try:
            gpu = self._idle.get(timeout=API_SECONDS)  # the container that had it may still be going
        except Empty as error:
            raise SandboxBroken("no GPU is free: a container that had one has not gone") from error
        wanted = [DeviceRequest(device_ids=[gpu], capabilities=[["gpu"]])]
        try:
            return self._start({**self._settings, "DeviceRequests": wanted}, at_end=lambda: self._idle.put(gpu))
        except SandboxBroken:
            self._idle.put(gpu)
            raise


class ContainerChannel:
    """A container: frames on the attached stream, which the engine splits into stdout and stderr."""

    def __init__(
        self,
        client: docker.DockerClient,
        image: str,
        settings: dict[str, Any],
        *,
        labels: dict[str, str],
        arguments: Sequence[str],
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """arguments: the command. at_end: called once it is gone. Raises SandboxBroken when it does not start."""
        self._client = client
        self._words = bytearray()
        self._ready = b""
        self._closing = threading.Lock()
        self._closed = False
        self._id: str | None = None
        self._at_end: Callable[[], None] = lambda: None
        try:
            created = client.api.create_container(
                image,
                command=list(arguments),
                entrypoint="",
                environment=ENVIRONMENT,
                user="0:0",
                hostname="sandbox",
                working_dir="/",
                stdin_open=True,
                network_disabled=True,
                labels={LABEL: "worker", **labels},
                host_config=settings,
            )
            self._id = created["Id"]
            stream = client.api.attach_socket(self._id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._keep_open = stream
            self._socket: socket.socket = getattr(stream, "_sock", stream)
            self._socket.settimeout(None)
            client.api.start(self._id)
            self._at_end = at_end
        except DOCKER_ERRORS as error:
            self.close()
            raise SandboxBroken(f"Docker could not start the sandbox's container: {error}") from error

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, size: int) -> bytes:
        while not self._ready:
            try:
                head = read_exactly(self._socket.recv, 8)
                body = read_exactly(self._socket.recv, int.from_bytes(head[4:], "big"))
            except EOFError:
                return b""
            if head[0] == STDOUT:
                self._ready = body
            else:
                self._words += body
                del self._words[:-KEPT_ERRORS]
        part, self._ready = self._ready[:size], self._ready[size:]
        return part

    def last_words(self) -> str:
        return self._words.decode(errors="replace")

    def close(self) -> None:
        with self._closing:
            if self._closed or self._id is None:
                return
            self._closed = True
            with contextlib.suppress(AttributeError, OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(AttributeError, OSError):
                self._keep_open.close()
                self._socket.close()  # the stream alone leaves it to the garbage collector
            # Gone already, or the engine does not answer: it then ends by itself, since its stdin has closed.
            with contextlib.suppress(*DOCKER_ERRORS):
                self._client.api.remove_container(self._id, force=True)
            self._at_end()
