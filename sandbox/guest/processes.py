"""What runs: the kernel's table of processes, as far as the limits of a job need it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

MEMORY = (b"RssAnon", b"RssShmem", b"HugetlbPages", b"VmPTE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`memory_kib`: resident anonymous, shared and huge pages, and the tables of pages; the parent's count too."""

    pid: int
    parent: int
    uid: int
    tasks: int
    memory_kib: int
    zombie: bool


def process(pid: int | str) -> Process | None:
    """None when it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            fields = dict(line.split(b":", 1) for line in status.read().splitlines() if b":" in line)
    except OSError:
        return None
    memory = (fields.get(name, b"0 kB").split()[0] for name in MEMORY)
    return Process(
        pid=int(fields[b"Pid"]),
        parent=int(fields[b"PPid"]),
        uid=int(fields[b"Uid"].split()[0]),
        tasks=int(fields.get(b"Threads", b"1")),
        memory_kib=sum(map(int, memory)),
        zombie=fields[b"State"].split()[0] == b"Z",
    )


def cpu_seconds(pid: int) -> float:
    """What it has used of the processors, without its children; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            used = stat.read().rpartition(")")[2].split()[11:13]  # after the name: utime and stime
    except OSError:
        return 0.0
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def table() -> dict[int, Process]:
    found = (process(name) for name in os.listdir("/proc") if name.isdigit())
    return {entry.pid: entry for entry in found if entry is not None}


def below(root: int) -> list[Process]:
    """Everything that descends from `root`, as `descendants` of the whole table, but without reading all of it."""
    found: list[Process] = []
    try:
        for task in os.listdir(f"/proc/{root}/task"):
            with open(f"/proc/{root}/task/{task}/children") as children:
                found += [entry for pid in children.read().split() if (entry := process(pid)) is not None]
    except FileNotFoundError:  # it has ended; or this kernel does not list children
        if not os.path.exists(f"/proc/self/task/{os.getpid()}/children") and os.path.exists(f"/proc/{root}"):
            return descendants(root, table())
    return [descendant for entry in found for descendant in (entry, *below(entry.pid))]


def descendants(root: int, known: Mapping[int, Process]) -> list[Process]:
    """Everything below `root`, without `root` itself."""
    children: dict[int, list[Process]] = {}
    for entry in known.values():
        children.setdefault(entry.parent, []).append(entry)
    found: list[Process] = []
    todo = [root]
    while todo:
        below = children.pop(todo.pop(), [])
        found += below
        todo += [entry.pid for entry in below]
    return found
