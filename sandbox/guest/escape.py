"""The action `escape`: try to get out, and tell how far it went. The host refuses a sandbox in which anything succeeds.

Runs in a fork that is confined exactly as a candidate's is. Every attempt is harmless where it succeeds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable

from .job import Job, Reply

AF_VSOCK = 40


def escape(job: Job) -> Reply:
    """values: {attempt: None when it was refused, else what came of it}. options: {"secrets": [paths on the host]}."""
    secrets = job.options.get("secrets", [])
    attempts: dict[str, Callable[[], str | None]] = {
        "internet socket": lambda: _socket(socket.AF_INET),
        "vsock socket": lambda: _socket(AF_VSOCK),
        "netlink socket": lambda: _socket(socket.AF_NETLINK),
        "network interface": _interfaces,
        "ptrace": lambda: _call("ptrace", 0, 0, 0, 0),
        "mount": _mount,
        "user namespace": lambda: _call("unshare", 0x10000000),
        "become root": _become_root,
        "write outside": _write_outside,
        "read a secret": lambda: _read([*secrets, "/etc/shadow"]),
        "docker socket": lambda: _read(["/var/run/docker.sock", "/run/docker.sock"]),
        "environment": _environment,
        "another process": _signal_parent,
        "file descriptors": _descriptors,
    }
    return Reply(values={name: _tried(attempt) for name, attempt in attempts.items()})


def _tried(attempt: Callable[[], str | None]) -> str | None:
    try:
        return attempt()
    except OSError:
        return None


def _socket(family: int) -> str:
    socket.socket(family, socket.SOCK_DGRAM if family != socket.AF_NETLINK else socket.SOCK_RAW).close()
    return "a socket was opened"


def _interfaces() -> str | None:
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    return f"sees {', '.join(names)}" if names else None


def _call(name: str, *arguments: object) -> str | None:
    result = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    return "the call succeeded" if result >= 0 else None


def _mount() -> str | None:
    """With a file system that does not exist, so that it leaves nothing behind where it is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount(b"none", b"/tmp", b"no-such-filesystem", 0, None)
    return "may mount" if ctypes.get_errno() == errno.ENODEV else None


def _become_root() -> str | None:
    os.setuid(0)
    return "is root" if _capabilities() else None


def _capabilities() -> int:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capget(ctypes.byref(header), ctypes.byref(sets))
    return sets[0] | sets[1] | sets[3] | sets[4]


def _write_outside() -> str | None:
    for directory in ("/", "/usr/lib", "/opt/conjecture", "/etc", "/var/tmp", "/dev/shm", "/run", "/home"):
        path = os.path.join(directory, f"escape-{os.getpid()}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError:
            continue
        os.unlink(path)
        return f"wrote to {directory}"
    return None


def _read(paths: list[str]) -> str | None:
    for path in paths:
        try:
            (os.listdir if os.path.isdir(path) else lambda p: os.close(os.open(p, os.O_RDONLY)))(path)
        except OSError:
            continue
        return f"opened {path}"
    return None


def _environment() -> str | None:
    extra = sorted(set(os.environ) - {"HOME", "TMPDIR", "PATH", "TORCHDYNAMO_DISABLE"})
    return f"has {', '.join(extra)}" if extra else None


def _signal_parent() -> str | None:
    parent = os.getppid()
    if parent == 0:
        return None  # the first process of its own pid namespace
    os.kill(parent, 0)
    return "can signal the fork server"


def _descriptors() -> str | None:
    opened = []
    for number in range(4, 256):
        try:
            os.fstat(number)
        except OSError:
            continue
        opened.append(number)
    return f"inherited {opened}" if opened else None
