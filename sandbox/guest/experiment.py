"""One whole script: `python -m sandbox.guest.experiment MODE SCRATCH_ROOT`, frames on stdin and stdout, then the end.

READY goes out, one RUN comes in: u32 length | head as JSON | the files' contents. Then OUTPUT as it is printed, at the
end REPLY (u32 length | JSON of what was found | contents) and DONE, the report. The script is a program of its own,
under a uid of its own where there is one, and holds no descriptor but its output.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Any, NoReturn

from . import linux
from .confine import CPUINFO, Allowance, Boundary, Mode, boundary, isolate
from .protocol import DOCUMENT_LENGTH, FRAME, Kind, read_exactly
from .running import Running
from .warden import Warden, remove_tree
from .workspace import INPUTS, find_changes, lay_out, read_back

TICK_SECONDS = 0.05
RELAYED = 256 << 10  # bytes at once
MIB = 1 << 20


class Host:
    """The two ends that lead to the host; frames are read and written whole."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink

    def read(self, size: int) -> bytes:
        """Raises EOFError when the host has gone."""
        return read_exactly(partial(os.read, self.source), size)

    def tell(self, kind: Kind, body: bytes = b"") -> None:
        data = memoryview(FRAME.pack(kind, 0, len(body)) + body)
        while data:
            data = data[os.write(self.sink, data) :]


class Supervisor:
    """Holds the run's files and limits; runs nothing of the script itself."""

    def __init__(self, host: Host, within: Boundary, head: dict[str, Any]) -> None:
        self.host = host
        self.within = within
        self.head = head
        self.limits: dict[str, Any] = head["limits"]
        self.warden = Warden(within)
        self.uid = self.warden.uid_for(0)
        self.selector = selectors.DefaultSelector()
        self.stopped: str | None = None
        if within.mode is Mode.NAMESPACES:  # sized for this run; the view's own is tiny
            flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
            size = self.limits["disk_mib"] * MIB + sum(size + 4096 for _, size in [*head["inputs"], *head["files"]])
            linux.mount("tmpfs", "/tmp", "tmpfs", flags, f"size={size},nr_inodes=16k,mode=1777")
        name = secrets.token_hex(8)
        self.inputs = os.path.join(within.scratch_root, f"{INPUTS}-{name}")
        self.scratch = os.path.join(within.scratch_root, name)
        self.work = os.path.join(self.scratch, "work")
        self.kept = -1  # a descriptor of `work`: its name may lead elsewhere once the script has run

    def owner(self) -> contextlib.AbstractContextManager[None]:
        return self.warden.identity(self.uid) if self.within.own_uids else contextlib.nullcontext()

    def prepare(self) -> dict[str, str]:
        """Write what was sent; the digests of the workspace's files."""
        os.umask(0o022)
        os.mkdir(self.inputs, 0o755)
        lay_out(self.host.read, self.head["inputs"], self.inputs, public=True)
        with self.owner():
            for folder in (self.scratch, self.work, os.path.join(self.scratch, "tmp")):
                os.mkdir(folder, 0o700)
            self.kept = os.open(self.work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            sent = lay_out(self.host.read, self.head["files"], self.work, public=False)
            os.symlink(self.inputs, os.path.join(self.work, INPUTS))
        return sent

    def start(self) -> Running:
        ours, theirs = socket.socketpair()
        output, printed = os.pipe()
        if self.within.mode is Mode.NAMESPACES:
            linux.unshare(linux.CLONE_NEWPID)
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._become_the_script(theirs.fileno(), printed)
        theirs.close()
        os.close(printed)
        job = Running(
            number=0,
            pid=pid,
            exit=os.pidfd_open(pid),
            uid=self.uid,
            scratch=self.scratch,
            channel=ours,
            output=output,
            started=started,
            limits=self.limits,
            base_kib=0,
        )
        complaint = ours.recv(RELAYED)  # nothing, once the script's own program has been started
        job.confined = not complaint
        job.fault = complaint.decode(errors="replace") or None
        self.warden.running[0] = job
        return job

    def _become_the_script(self, channel: int, printed: int) -> NoReturn:
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            os.closerange(3, channel)
            os.closerange(channel + 1, os.sysconf("SC_OPEN_MAX"))  # and `channel` closes as the script is started
            wanted = {name: self.limits[name] for name in Allowance.__dataclass_fields__}
            isolate(self.within, self.uid, self.scratch, Allowance(**wanted), inputs=self.inputs)
            os.chdir(self.work)
            entry = self.head["entry"]
            program = ["-s", f"./{entry}" if entry.startswith("-") else entry, *self.head["arguments"]]
            python = os.path.realpath(sys.executable)
            _start(python, program, self._environment())
        except BaseException as error:  # noqa: BLE001 - nothing may return from a fork
            os.write(channel, f"the script could not be confined and started: {error}".encode())
        finally:
            os._exit(1)

    def _environment(self) -> dict[str, str]:
        cores = str(self.limits["cores"])
        threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
        temporary = os.path.join(self.scratch, "tmp")
        # The host's `boot` puts code and packages before Python's own library, which begins with a zip archive.
        packages = list(takewhile(lambda path: not path.endswith(".zip"), sys.path))[1:]
        return dict.fromkeys(threads, cores) | {
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait for others stand still on a busy machine
            "HOME": temporary,
            "TMPDIR": temporary,
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(packages),
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "JOBLIB_MULTIPROCESSING": "0",  # it needs semaphores in shared memory, and warns where there are none
        }

    def watch(self, job: Running) -> None:
        """Until it has ended or is to end. Raises EOFError when the host has gone."""
        os.set_blocking(job.output, False)
        for source in (self.host.source, job.output, job.exit):
            self.selector.register(source, selectors.EVENT_READ)
        while not self.stopped and not job.fault:
            ready = {key.fd for key, _ in self.selector.select(TICK_SECONDS)}
            if self.host.source in ready:
                _, _, length = FRAME.unpack(self.host.read(FRAME.size))
                self.stopped = self.host.read(length).decode()
            if job.output in ready:
                self._relay(job)
            if job.exit in ready or self.warden.over_limit(job) or job.check:
                return

    def _relay(self, job: Running) -> bool:
        """Pass on what it printed, up to its limit. False when there is nothing more (now)."""
        try:
            printed = os.read(job.output, RELAYED)
        except BlockingIOError:
            return False
        if not printed:
            self.selector.unregister(job.output)
            return False
        kept = printed[: max(0, self.limits["output_bytes"] - job.printed)]
        job.printed += len(printed)
        if kept:
            self.host.tell(Kind.OUTPUT, kept)
        if job.printed > self.limits["output_bytes"]:
            job.check = job.check or "output limit"
        return bool(kept)

    def finish(self, job: Running, sent: dict[str, str]) -> None:
        """End everything of it, then read what it left, then tell."""
        gone = self.warden.end(job)
        while job.output in self.selector.get_map() and self._relay(job):
            pass
        job.check = self.stopped or job.check
        full = self.within.mode is not Mode.LANDLOCK and self.within.mode is not Mode.UNSAFE and self._disk_is_full()
        report = job.report(clean=gone) | {"work": self.work, "exit_status": _exit_status(job), "disk_full": full}
        if gone and not job.fault:
            with self.owner():
                self._send_changes(sent)
        self.host.tell(Kind.DONE, json.dumps(report).encode())

    def _disk_is_full(self) -> bool:
        volume = os.statvfs(self.kept)
        return volume.f_bavail == 0 or volume.f_favail == 0

    def _send_changes(self, sent: dict[str, str]) -> None:
        os.fchdir(self.kept)
        found = find_changes(sent, self.limits, self.head["first"])
        document = {"files": found.files, "removed": found.removed, "left_out": found.left_out}
        text = json.dumps(document).encode()
        self.host.tell(Kind.REPLY, DOCUMENT_LENGTH.pack(len(text)) + text)
        for piece in read_back(found.files):
            self.host.tell(Kind.REPLY, piece)

    def remove(self, job: Running) -> None:
        if self.within.mode in (Mode.LANDLOCK, Mode.UNSAFE):  # elsewhere everything lies in a tmpfs that ends with us
            self.warden.remove_files(job)
            remove_tree(self.inputs)


def _start(python: str, program: list[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execve(python, [python, *program], environment)
    except PermissionError as error:
        raise PermissionError(
            f"{error}. A script runs as a user of its own, who cannot reach this Python: install it where all may "
            "read, or start the bot as a user without privileges"
        ) from error


def _exit_status(job: Running) -> int | None:
    return os.WEXITSTATUS(job.status) if job.status is not None and os.WIFEXITED(job.status) else None


def main(arguments: Sequence[str]) -> None:
    mode, scratch_root = arguments
    host = Host(os.dup(0), os.dup(1))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.clear()
    within = boundary(Mode(mode), scratch_root)
    # The script is a new program, and must read what a fork of a warm one does without.
    within = replace(within, readable=(*within.readable, os.path.realpath(sys.executable), CPUINFO))
    host.tell(Kind.READY)
    try:
        host.read(FRAME.size)
        (size,) = DOCUMENT_LENGTH.unpack(host.read(DOCUMENT_LENGTH.size))
        supervisor = Supervisor(host, within, json.loads(host.read(size)))
        sent = supervisor.prepare()
    except EOFError:
        return
    job = supervisor.start()
    try:
        supervisor.watch(job)
        supervisor.finish(job, sent)
    except (EOFError, BrokenPipeError):  # the host has gone
        supervisor.warden.end(job)
    supervisor.remove(job)


if __name__ == "__main__":
    main(sys.argv[1:])
