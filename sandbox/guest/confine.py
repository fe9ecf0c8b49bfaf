"""What a fork gives up before it reads the code of a candidate: identity, view, limits, system calls.

The fork server runs in one of four ways, and each job gives up all that its way allows:

mode        uid of a job      sees                         several at once
docker      its own           the container                yes: uids apart, one scratch each
namespaces  its own, or a     nothing but libraries and    yes: also pid, mount, IPC namespaces and a tmpfs each
            namespace's
landlock    the operator's,   libraries and its scratch    no: whatever else runs below the server is the job's
            own under root
unsafe      the operator's    everything                   no
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from glob import glob
from pathlib import Path

from . import landlock, linux, namespaces, seccomp
from .uids import Uids, claim_uids

MIB = 1 << 20
NICENESS = 5  # of a job: whoever answers people, and the fork server, come first; the rest is for many threads
SPARE_PROCESSES = 8  # above the limit, so that the fork server can see that it is passed
ALLOCATOR_SLACK_MIB = 256  # address space that malloc and threads reserve but hardly use
SLOT = "slot"  # how the directories of a scratch root are named that are file systems for one job each
CPUINFO = "/proc/cpuinfo"  # torch reads it as it is loaded, to choose its instructions
READ_BY_CUDA = ("/proc", "/sys")
DEVICES = tuple(f"/dev/{name}" for name in namespaces.DEVICES if name != "zero")  # mapped, zero is shared memory


class Mode(StrEnum):
    DOCKER = "docker"
    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """How jobs of this fork server are confined. `program` is the system-call filter, None in unsafe mode."""

    mode: Mode
    uids: Uids | None  # for jobs; None: they run as whoever runs the fork server
    landlock: bool
    program: bytes | None
    readable: tuple[str, ...]
    scratch_root: str
    gpus: tuple[str, ...] = ()  # device nodes that the container was given

    @property
    def own_uids(self) -> bool:
        return self.uids is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Limits of one job that the kernel enforces; wall clock, memory and output are watched by the fork server too."""

    memory_mib: int
    processes: int
    disk_mib: int


def boundary(mode: Mode, scratch_root: str) -> Boundary:
    """What this kernel offers. Raises OSError when the mode needs what it does not have."""
    version = landlock.abi()
    if mode is Mode.LANDLOCK and version < 6:
        raise OSError(f"Landlock ABI {version}; jobs of one uid can only be kept apart from ABI 6 (Linux 6.12) on")
    uids = claim_uids() if mode is not Mode.UNSAFE and os.geteuid() == 0 else None
    if mode is Mode.DOCKER and uids is None:
        raise OSError("this container's user namespace has no uids for jobs; let the engine map 65,536 of them")
    gpus = tuple(glob("/dev/nvidia*")) if mode is Mode.DOCKER else ()
    return Boundary(
        mode=mode,
        uids=uids,
        landlock=version > 0 and mode is not Mode.UNSAFE,
        program=None
        if mode is Mode.UNSAFE
        else seccomp.program(shares_user=mode is Mode.LANDLOCK and uids is None, shared_memory=bool(gpus)),
        readable=(*_libraries(), *(READ_BY_CUDA if gpus else ())),
        scratch_root=scratch_root,
        gpus=gpus,
    )


def _libraries() -> tuple[str, ...]:
    """Where code and its libraries are read from. Never a home directory, /etc, /proc or /sys."""
    fixed = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/opt/conjecture")
    return (*fixed, os.path.join(sys.base_prefix, "lib"), *(path for path in sys.path if os.path.isabs(path)))


def isolate(within: Boundary, uid: int, scratch: str, allowance: Allowance, *, inputs: str | None = None) -> None:
    """Called once, in the fork, as its first act. Afterwards the process may be handed hostile code.

    inputs: a folder that the fork server has laid out beside `scratch`, and that may be read.
    """
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when memory runs out the kernel ends a job, never the fork server
    if within.mode is not Mode.DOCKER:  # a container has its share of the processor from outside, see container.py
        os.nice(NICENESS)
    data_bytes = _data_bytes()
    shares_uid = not within.own_uids and within.mode is not Mode.NAMESPACES
    tasks = _tasks_of_operator() if shares_uid else 0
    if within.mode is Mode.NAMESPACES:
        _own_view(within, uid, allowance, inputs)
    _limit(allowance, data_bytes, tasks, gpu=bool(within.gpus))
    if within.own_uids:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    elif within.mode is Mode.NAMESPACES:
        linux.drop_capabilities()
    linux.prctl(linux.PR_SET_PDEATHSIG, 9)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o077)
    os.chdir(scratch)
    os.environ.clear()
    os.environ.update(HOME=scratch, TMPDIR=scratch, PATH="/usr/bin:/bin")
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # there is no compiler: what is to be compiled runs as it is
    tempfile.tempdir = scratch  # the parent has looked it up already, for itself
    if within.landlock:
        readable = within.readable if inputs is None else (*within.readable, inputs)
        landlock.restrict(readable=readable, writable=DEVICES, devices=within.gpus, scratch=scratch)
    if within.program is not None:
        seccomp.install(within.program)


def _own_view(within: Boundary, uid: int, allowance: Allowance, inputs: str | None) -> None:
    """Mounts and IPC of its own: a sized /tmp that vanishes with the job, and no /proc. `inputs` lie in the fork
    server's /tmp, which is then kept, but may only be read."""
    if within.own_uids:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWIPC)
    else:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWIPC)
        namespaces.map_alone("0 0 1\n", "0 0 1\n")
        uid = 0
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    if inputs is None:
        sized = f"size={allowance.disk_mib}m,nr_inodes=4k,mode=0700,uid={uid},gid={uid}"
        linux.mount("tmpfs", "/tmp", "tmpfs", flags, sized)
    else:
        linux.mount(inputs, inputs, "", linux.MS_BIND)
        linux.mount("none", inputs, "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | flags)
    _hide_processes(flags, shown=[] if inputs is None else [CPUINFO])


def _hide_processes(flags: int, shown: Sequence[str]) -> None:
    contents = {path: Path(path).read_bytes() for path in shown}
    linux.mount("tmpfs", "/proc", "tmpfs", flags, f"size=1m,nr_inodes={1 + len(shown)},mode=0555")
    for path, content in contents.items():
        Path(path).write_bytes(content)
    linux.mount("none", "/proc", "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | flags)


def _data_bytes() -> int:
    """The private memory that the fork inherits, in bytes: RLIMIT_DATA counts it too."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData:"))


def _tasks_of_operator() -> int:
    """Where a job shares the operator's uid, RLIMIT_NPROC counts all that the operator runs."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                total += len(os.listdir(f"/proc/{pid}/task"))
    return total


def _limit(allowance: Allowance, data_bytes: int, tasks: int, *, gpu: bool) -> None:
    """No RLIMIT_AS: torch reserves far more address space than it uses, and CUDA even counts it as data."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: data_bytes + (allowance.memory_mib + ALLOCATOR_SLACK_MIB) * MIB,
        resource.RLIMIT_FSIZE: allowance.disk_mib * MIB,
        resource.RLIMIT_MEMLOCK: 64 << 10,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NPROC: tasks + allowance.processes + SPARE_PROCESSES,
    }
    if gpu:
        del limits[resource.RLIMIT_DATA]
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
