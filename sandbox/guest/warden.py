"""Knows what belongs to which job, whatever the job did to hide it; measures it, ends it, removes what it left."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import time
from collections.abc import Iterator, Sequence
from glob import glob

from . import landlock, linux
from .confine import MIB, NICENESS, SLOT, Boundary, Mode
from .processes import Process, below, descendants, table
from .running import Running
from .uids import JOB_UIDS
from .weight import Weights

SCAN_SECONDS = 0.05
SCAN_SHARE = 0.04  # of one core, at most, where the table of processes is long
GONE_SECONDS = 5.0
ENTRIES_PER_MIB = 128  # that a job may have, where no file system of its own has a limit: 4,096 of 32 MiB
MAX_PATH_BYTES = 3000  # longer ones can soon not be named any more
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")  # cgroup v2, v1


class Warden:
    def __init__(self, within: Boundary) -> None:
        self.within = within
        self.running: dict[int, Running] = {}
        self.in_namespace = within.mode is Mode.NAMESPACES
        self.by_uid = within.own_uids and not self.in_namespace
        self.oom_kills = self._oom_kills()
        self.processes: dict[int, Process] = {}
        self.next_scan = 0.0
        self.weights = Weights(os.getpriority(os.PRIO_PROCESS, 0) + (0 if within.mode is Mode.DOCKER else NICENESS))
        # Where a job's directory can be made: file systems of one job each where there are such, so that no job can
        # take the space or the inodes of another.
        self.places = sorted(glob(os.path.join(within.scratch_root, f"{SLOT}*"))) or [within.scratch_root]
        self.in_domain = within.mode is Mode.LANDLOCK and not within.own_uids
        if self.in_domain:
            landlock.scope_signals()
        if not self.in_namespace:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # orphans of a job become ours, and so does their rusage

    def uid_for(self, number: int, *, trusted: bool = False) -> int:
        """A uid that no other running job has; the last of the range is never given out (see identity).

        trusted: one for the side of a split job that runs no candidate's code.
        """
        half = JOB_UIDS // 2 - 1
        uids = self.within.uids
        return os.getuid() if uids is None else uids.first + number % half + half * trusted

    @contextlib.contextmanager
    def identity(self, uid: int) -> Iterator[None]:
        """Act as the owner of a job, to signal or delete just what a job owns.

        The real uid meanwhile is one that nobody has: a job cannot signal us, and a signal to all of "our" uid cannot
        reach a fork that is still root.
        """
        assert self.within.uids is not None
        os.setresgid(-1, uid, -1)
        os.setresuid(self.within.uids.first + JOB_UIDS - 1, uid, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            if self.in_namespace:  # the kernel forgets it with every change of identity
                linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)

    def _as_owner(self, job: Running) -> contextlib.AbstractContextManager[None]:
        return self.identity(job.uid) if self.by_uid else contextlib.nullcontext()

    def make_scratch(self, uid: int) -> str:
        """A directory of the job's own; in a namespace the fork mounts one on /tmp for itself."""
        if self.in_namespace:
            return "/tmp"
        place = next((place for place in self.places if not os.listdir(place)), self.places[-1])
        path = os.path.join(place, secrets.token_hex(8))
        with self.identity(uid) if self.by_uid else contextlib.nullcontext():
            os.mkdir(path, 0o700)
        return path

    def over_limit(self, job: Running) -> bool:
        """Whether the job has just passed one of its limits; then `check` and `measured` say which, and by how much."""
        now = time.monotonic()
        if now - job.started >= job.limits["wall_seconds"]:
            job.check, job.measured = "time limit", now - job.started
            return True
        if now >= self.next_scan:
            apart = self.by_uid or self.in_namespace
            self.processes = table() if apart else {entry.pid: entry for entry in below(os.getpid())}
            taken = time.monotonic() - now
            self.next_scan = now + max(SCAN_SECONDS, taken / SCAN_SHARE)
        mine = self._members(job)
        forks = len(job.forks)
        used_mib = (sum(entry.memory_kib for entry in mine) - forks * job.base_kib) / 1024
        job.tasks = sum(entry.tasks for entry in mine) - (forks - 1)  # the trusted side is not the candidate's
        if job.tasks > 1:
            with self._as_owner(job.forks[0]):
                self.weights.weigh(job.number, job.tasks, job.limits.get("cores", 1), mine)
        if job.tasks > job.limits["processes"]:
            job.check, job.measured = "process limit", float(job.tasks)
        elif used_mib > job.limits["memory_mib"]:
            job.check, job.measured = "memory limit", used_mib
        elif self._fills_disk(job.forks[0], mine):  # the trusted side of a split job writes nothing
            job.check = "disk limit"
        return job.check is not None

    def _members(self, job: Running) -> list[Process]:
        if self.by_uid:
            own = {fork.uid for fork in job.forks}, {fork.pid for fork in job.forks}
            return [entry for entry in self.processes.values() if entry.uid in own[0] or entry.pid in own[1]]
        if self.in_namespace:
            mains = [entry for fork in job.forks if (entry := self.processes.get(fork.pid))]
            return mains + [entry for fork in job.forks for entry in descendants(fork.pid, self.processes)]
        return list(self.processes.values())  # one job at a time: all below us is its

    def _fills_disk(self, job: Running, mine: Sequence[Process]) -> bool:
        """A file system in memory is looked at only when more of it is in use than one job may have."""
        if self.in_namespace:
            return False
        if self.within.mode is Mode.DOCKER:
            volume = os.statvfs(job.scratch)
            if (volume.f_blocks - volume.f_bfree) * volume.f_frsize <= job.limits["disk_mib"] * MIB:
                return False
        without_names = 0 if self.within.mode is Mode.DOCKER else sum(_unlinked_bytes(entry.pid) for entry in mine)
        with self._as_owner(job):
            return holds_more(job.scratch, int(job.limits["disk_mib"]), without_names)

    def end(self, job: Running) -> bool:
        """Kill everything of the job and wait until it is gone. False when something outlives SIGKILL."""
        deadline = time.monotonic() + GONE_SECONDS
        for fork in job.forks:
            fork.ended_by_us = not self.has_exited(fork)
        while True:
            for fork in job.forks:
                self._kill(fork)
            self._reap()
            if all(fork.status is not None and not self._leftovers(fork) for fork in job.forks):
                break
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        self._note_oom(job.forks)
        self.weights.release(job.number)
        self.processes, self.next_scan = {}, 0.0  # the table still lists what has just been ended
        return True

    def has_exited(self, job: Running) -> bool:
        if job.status is not None:
            return True  # collected along with another job
        return os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _kill(self, job: Running) -> None:
        if job.status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # PermissionError: it has its own uid by now
                os.kill(job.pid, signal.SIGKILL)
        if self.by_uid:
            with self.identity(job.uid), contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
        elif self.in_domain:  # one by one, whoever forks faster than we look would be missed
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
        elif not self.in_namespace:
            for entry in below(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(entry.pid, signal.SIGKILL)

    def _leftovers(self, job: Running) -> bool:
        if self.in_namespace:
            return False  # the kernel ends a pid namespace with its first process, before that can be waited for
        if self.by_uid:
            return any(entry.uid == job.uid for entry in table().values())
        return bool(below(os.getpid()))

    def _reap(self) -> None:
        """Collect everything that has ended, and credit its times to the job it belonged to."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid, status, usage = os.wait4(ended.si_pid, 0)
            forks = [fork for job in self.running.values() for fork in job.forks]
            for fork in forks:
                if pid == fork.pid:
                    fork.status = status
            for fork in [fork for fork in forks if pid == fork.pid] or forks:
                if pid == fork.pid or not self.by_uid or ended.si_uid == fork.uid:
                    fork.cpu_seconds += usage.ru_utime + usage.ru_stime
                    fork.peak_kib = max(fork.peak_kib, usage.ru_maxrss)

    def _note_oom(self, forks: Sequence[Running]) -> None:
        kills = self._oom_kills()
        for fork in forks:
            killed = fork.status is not None and os.WIFSIGNALED(fork.status)
            by_kernel = killed and os.WTERMSIG(fork.status or 0) == signal.SIGKILL and not fork.ended_by_us
            fork.oom = kills > self.oom_kills and by_kernel
        self.oom_kills = kills

    def _oom_kills(self) -> int:
        """How often the kernel has ended a process of this container for want of memory. 0 outside a container."""
        if self.within.mode is not Mode.DOCKER:
            return 0
        for path in OOM_COUNTERS:
            with contextlib.suppress(OSError), open(path) as counters:
                for line in counters:
                    name, value = line.split()
                    if name == "oom_kill":
                        return int(value)
        return 0

    def remove_files(self, job: Running) -> bool:
        """Remove what the job left. False when something resists; the worker is then not used again."""
        if self.in_namespace:
            return True  # its mounts went with it
        with self._as_owner(job):
            removed = remove_tree(job.scratch)
            if self.by_uid:
                removed &= all(remove_tree(path) for place in self.places for path in _owned(place, job.uid))
        return removed


def _owned(directory: str, uid: int) -> list[str]:
    return [entry.path for entry in os.scandir(directory) if entry.stat(follow_symlinks=False).st_uid == uid]


def remove_tree(path: str) -> bool:
    """Remove what may have been built to resist: any depth, no permissions, links to elsewhere. Whether it is gone.

    A directory below is moved up beside its parent before it is emptied: no path grows long, nothing recurses.
    """
    deadline = time.monotonic() + GONE_SECONDS
    with contextlib.suppress(OSError):
        os.unlink(path)  # when it is no directory
    todo = [path]
    while todo and time.monotonic() < deadline:
        directory = todo.pop()
        with contextlib.suppress(OSError):
            os.chmod(directory, 0o700)
            for entry in list(os.scandir(directory)):
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)
                    moved = os.path.join(path, secrets.token_hex(8))
                    os.rename(entry.path, moved)
                    todo.append(moved)
                else:
                    os.unlink(entry.path)
            if directory != path:
                os.rmdir(directory)
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.lexists(path)


def holds_more(path: str, disk_mib: int, total: int = 0) -> bool:
    """More bytes, with `total` that lie elsewhere, or more or deeper entries: looking at them must not take long."""
    entries, todo = 0, [path]
    while todo:
        directory = todo.pop()
        if len(os.fsencode(directory)) > MAX_PATH_BYTES:
            return True
        with contextlib.suppress(OSError), os.scandir(directory) as found:
            for entry in found:
                entries += 1
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                if entries > ENTRIES_PER_MIB * disk_mib or total > disk_mib * MIB:
                    return True
    return total > disk_mib * MIB


def _unlinked_bytes(pid: int) -> int:
    """Of files that a process has open and that have no name any more."""
    total = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                status = os.stat(f"/proc/{pid}/fd/{name}")
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                    total += status.st_blocks * 512
    return total
