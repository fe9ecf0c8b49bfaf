"""A private view of the machine for the fork server: own user, pid, mount, network, IPC, UTS namespaces, no privileges.

Run as a program by the host (`python -m sandbox.guest.namespaces PLAN`), it builds the view and replaces itself by the
fork server inside. PLAN is JSON: {"binds": [[source, target]...], "command": [...], "environment": {...}}. Works as
root (fork server = root without its powers, jobs = uids of their own) and as a user (every job in a user namespace of
its own), wherever the kernel lets that user make namespaces.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import linux
from .linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT
from .uids import JOB_UIDS, NARROW, Uids, claim_uids

STAGE = "/sys"  # exists everywhere, and nothing that is bound lies below it
DEVICES = ("null", "zero", "full", "random", "urandom")
EVERYTHING = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
)


def unshare_everything() -> Uids | None:
    """Uid 0 inside is whoever started this; root can also give every job a uid of its own. The caller keeps them."""
    ours, our_group = f"0 {os.geteuid()} 1\n", f"0 {os.getegid()} 1\n"
    claimed = claim_uids() if os.geteuid() == 0 else None
    if claimed:
        theirs = f"{NARROW[0]} {claimed.first} {JOB_UIDS}\n"
        _map_from_outside(ours + theirs, our_group + theirs)
    else:
        linux.unshare(EVERYTHING)
        map_alone(ours, our_group)
    return claimed


def map_alone(uids: str, gids: str) -> None:
    """Write the maps of the user namespace that this process has just made; one line each is all it may."""
    for name, text in (("setgroups", "deny"), ("uid_map", uids), ("gid_map", gids)):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _map_from_outside(uids: str, gids: str) -> None:
    """A range of uids can only be mapped by a process that is still root outside: a short-lived child."""
    parent = os.getpid()
    unshared, tell = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(tell)
            os.read(unshared, 1)
            for name, text in (("uid_map", uids), ("gid_map", gids)):
                with open(f"/proc/{parent}/{name}", "w") as file:
                    file.write(text)
            status = 0
        finally:
            os._exit(status)
    os.close(unshared)
    linux.unshare(EVERYTHING & ~linux.CLONE_NEWPID)
    os.close(tell)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise OSError(f"the uid map could not be written (status {status})")
    linux.unshare(linux.CLONE_NEWPID)


def build_view(binds: Sequence[tuple[str, str]]) -> None:
    """Replace the root by a small tmpfs that holds read-only binds, five devices, /proc and a tiny /tmp."""
    linux.mount("none", "/", "", MS_REC | MS_PRIVATE)
    linux.mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=4k,mode=0755")
    for source, target in binds:
        _bind(source, STAGE + target, MS_RDONLY | MS_NOSUID | MS_NODEV)
    for device in DEVICES:
        _bind(f"/dev/{device}", f"{STAGE}/dev/{device}", MS_NOSUID | MS_NOEXEC)
    for directory in ("proc", "tmp"):
        os.mkdir(f"{STAGE}/{directory}")
    linux.mount("tmpfs", f"{STAGE}/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,nr_inodes=64,mode=0700")
    linux.mount("proc", f"{STAGE}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    linux.pivot_root(STAGE)
    linux.mount("none", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _bind(source: str, target: str, flags: int) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
    linux.mount(source, target, "", MS_BIND | MS_REC)
    # The kernel refuses to take away flags that the source already has, so they are asked for again.
    status = os.statvfs(target).f_flag
    kept = status & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_RDONLY)
    linux.mount("none", target, "", MS_REMOUNT | MS_BIND | flags | kept)


def main(arguments: Sequence[str]) -> None:
    plan = json.loads(arguments[0])
    _claimed = unshare_everything()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        _end_alike(status)
    linux.prctl(linux.PR_SET_PDEATHSIG, 9)
    build_view([(source, target) for source, target in plan["binds"]])
    os.execve(plan["command"][0], plan["command"], plan["environment"])


def _end_alike(status: int) -> NoReturn:
    """So that whoever waits for this process learns how the one inside ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1:])
