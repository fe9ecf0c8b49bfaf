"""Whose container it is: labels by which what a crashed bot left behind is found, and nobody else's is touched."""

from __future__ import annotations

import os
from pathlib import Path

import docker
from docker.errors import NotFound

from sandbox.image import LABEL

OWNER = "conjecture.owner"
MACHINE = "conjecture.machine"
PROCESS = "conjecture.process"


def labels(owner: str) -> dict[str, str]:
    return {OWNER: owner, MACHINE: machine(), PROCESS: process(os.getpid()) or ""}


def remove_orphans(client: docker.DockerClient, owner: str) -> list[str]:
    """Remove the workers of `owner` whose bot ran on this machine and does not run any more; their ids.

    Workers of a bot that is not visible from here (another machine, another container) are left alone: they end by
    themselves when the stream to their bot closes.
    """
    removed = []
    chosen = {"label": [f"{LABEL}=worker", f"{OWNER}={owner}", f"{MACHINE}={machine()}"]}
    for container in client.containers.list(all=True, filters=chosen, ignore_removed=True):
        label = container.labels.get(PROCESS, "")
        if process(int(label.partition(":")[0] or 0)) != label:
            try:
                container.remove(force=True)
            except NotFound:
                continue
            removed.append(str(container.id))
    return removed


def machine() -> str:
    """This boot of this machine, as seen from this pid namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.readlink('/proc/self/ns/pid')}"


def process(pid: int) -> str | None:
    """The process by number and time of start, since numbers are used again; None when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return f"{pid}:{stat.rpartition(')')[2].split()[19]}"
