"""Uids for the jobs of one sandbox, which no other sandbox of this machine has.

A job is counted, ended and cleaned up after by its uid. Were two bots on one machine, or two sandboxes of one bot, to
use the same, each would end the other's jobs, and the kernel would count the processes of both against one limit.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

JOB_UIDS = 4096
# Above what systems hand out to people and to containers, below systemd's range for foreign images.
WIDE = range(0x7000_0000, 0x7FFE_0000, JOB_UIDS)
NARROW = range(20_000, 65_536 - JOB_UIDS + 1, JOB_UIDS)  # where only 65,536 uids are mapped: rootless engines
TRIES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Uids:
    """JOB_UIDS uids from `first` on, for as long as `claim` is open; the kernel closes it when its holder dies.

    A claim is seen within one network namespace. A container has one of its own; there chance keeps the ranges apart.
    """

    first: int
    claim: socket.socket


def claim_uids(wide: range = WIDE) -> Uids | None:
    """None where this user namespace has no uids for jobs. Raises OSError when all are taken."""
    ranges = next((ranges for ranges in (wide, NARROW) if _mapped(ranges[0])), None)
    if ranges is None:
        return None
    usable = [first for first in ranges if _mapped(first)] if ranges is NARROW else ranges
    tried = secrets.SystemRandom().sample(usable, min(TRIES, len(usable)))
    for first in tried:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0conjecture-uids-{first}")  # in no file system: nothing to clean up after a crash
        except OSError:
            claim.close()
            continue
        return Uids(first=first, claim=claim)
    raise OSError(f"no uids for jobs are free: each of {len(tried)} ranges that were tried is another sandbox's")


def _mapped(first: int) -> bool:
    """Whether this user namespace knows all of a range, as users and as groups."""
    return all(_maps(kind, first) for kind in ("uid_map", "gid_map"))


def _maps(kind: str, first: int) -> bool:
    with open(f"/proc/self/{kind}") as lines:
        maps = [(int(inside), int(count)) for inside, _, count in map(str.split, lines)]
    return any(inside <= first and first + JOB_UIDS <= inside + count for inside, count in maps)
