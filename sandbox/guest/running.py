"""One job while it runs, as the fork server knows it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from .processes import Process, cpu_seconds
from .protocol import CONFINED, LENGTH


@dataclass(slots=True, kw_only=True)
class Running:
    """One job while it runs. `check` names the limit that ended it; `fault` says what we did wrong.

    A split job is two: its trusted side, which replies, and in `guest` the other fork, whose own `uid`, `status` and
    the like are kept there; limits, output and reply are the whole job's.
    """

    number: int
    pid: int
    exit: int  # readable once the process has ended
    uid: int
    scratch: str
    channel: socket.socket
    output: int
    started: float
    limits: dict[str, Any]
    base_kib: int  # memory that the fork inherited
    confined: bool = False
    head: bytearray = field(default_factory=bytearray)  # the length that precedes the reply
    relayed: int = 0
    printed: int = 0
    check: str | None = None
    measured: float | None = None  # what broke the limit, in the limit's unit
    tasks: int = 1  # processes and threads, when last looked at
    fault: str | None = None
    ended: bool = False
    ended_by_us: bool = False
    status: int | None = None
    cpu_seconds: float = 0.0
    peak_kib: int = 0
    oom: bool = False
    guest: Running | None = None

    @property
    def forks(self) -> tuple[Running, ...]:
        """The guest first: whatever went wrong began there."""
        return (self,) if self.guest is None else (self.guest, self)

    def start_from(self, fork: Process | None) -> None:
        """Count from now on: what the fork has taken to get ready is not the job's."""
        self.started = time.monotonic()
        self.base_kib = fork.memory_kib if fork else self.base_kib
        self.cpu_seconds = -cpu_seconds(self.pid)

    def close(self) -> None:
        for fork in self.forks:
            fork.channel.close()
            os.close(fork.exit)
        os.close(self.output)

    def greeted(self) -> None:
        """Look whether a guest, whose channel nobody else reads, has said that it is confined."""
        with contextlib.suppress(OSError):
            self.confined = self.confined or self.channel.recv(1) == CONFINED

    def accept(self, chunk: memoryview) -> memoryview:
        """The part of `chunk` that belongs to the reply packet. Sets `check` when the packet is to be too long."""
        if not self.confined:
            self.confined = chunk[:1] == CONFINED
            chunk = chunk[1:]
        missing = LENGTH.size - len(self.head)
        self.head += chunk[:missing]
        body = chunk[missing:]
        if self.length is None:
            return body[:0]
        if self.length > self.limits["reply_bytes"]:
            self.check, self.measured = "reply limit", float(self.length)
            return body[:0]
        body = body[: self.length - self.relayed]
        self.relayed += len(body)
        return body

    @property
    def length(self) -> int | None:
        return int(LENGTH.unpack(self.head)[0]) if len(self.head) == LENGTH.size else None

    @property
    def complete(self) -> bool:
        return self.length is not None and self.relayed == self.length

    def report(self, *, clean: bool) -> dict[str, Any]:
        unconfined = self.check is None and not all(fork.confined for fork in self.forks)
        died = next((fork for fork in self.forks if not fork.ended_by_us), self)
        return {
            "complete": self.complete and self.check is None,
            "check": self.check,
            "measured": self.measured,
            "tasks": self.tasks,
            "fault": next((fork.fault for fork in self.forks if fork.fault), None)
            or ("a fork could not confine itself" if unconfined else None),
            "signal": os.WTERMSIG(died.status) if died.status is not None and os.WIFSIGNALED(died.status) else None,
            "ended_by_us": died.ended_by_us,
            "oom": any(fork.oom for fork in self.forks),
            "clean": clean,
            "seconds": time.monotonic() - self.started,
            "cpu_seconds": max(0.0, sum(fork.cpu_seconds for fork in self.forks)),
            "peak_mib": max(0, max(fork.peak_kib for fork in self.forks) - self.base_kib) / 1024,
        }
