"""The host's side of one fork server: frames out, frames in, one thread that reads, any number that wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.errors import SandboxError
from sandbox.execution import Array
from sandbox.guest.protocol import DOCUMENT_LENGTH, FRAME, Kind, Packet, encode, read_exactly

KEPT_OUTPUT = 8 << 10  # bytes; the end of what a job printed
GRACE_SECONDS = 20.0  # beyond a job's own wall clock, before the fork server itself counts as hung
ANSWER_SECONDS = 60.0
READY_SECONDS = 240.0  # importing torch from a cold disk beside other work
MAX_FRAME = 1 << 20  # bytes in one frame from the guest; it relays in smaller pieces


class WorkerLost(SandboxError):
    """A fork server died, hung, or broke the protocol. Its jobs may be run again elsewhere."""


class Channel(Protocol):
    """A stream of bytes to and from a fork server, and the life of what is at its other end."""

    def send(self, data: bytes) -> None:
        """Raises OSError when the other end is gone."""
        ...

    def receive(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. Raises OSError."""
        ...

    def last_words(self) -> str:
        """The end of what the fork server wrote as errors, for the operator."""
        ...

    def close(self) -> None:
        """End the fork server and all its jobs, and free what they held. Safe to call twice, and from any thread."""
        ...


@dataclass(slots=True)
class Pending:
    """What has come back for one job so far."""

    reply: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)
    report: Mapping[str, Any] | None = None  # None while it runs, and for ever when the worker was lost


class Worker:
    def __init__(self, channel: Channel, *, ready_seconds: float = READY_SECONDS) -> None:
        """Waits until the fork server is warm. Raises WorkerLost when it does not get there."""
        self._channel = channel
        self._sending = threading.Lock()
        self._pending: dict[int, Pending] = {}
        self._ready = Pending()
        self._pending[0] = self._ready
        self._guard = threading.Lock()
        self._lost: str | None = None
        self.jobs = 0
        threading.Thread(target=self._read, name="sandbox-reader", daemon=True).start()
        self.facts = self._await(0, self._ready, ready_seconds)

    @property
    def lost(self) -> bool:
        return self._lost is not None

    def shelve(self, number: int, name: str, arrays: Mapping[str, Array], dropped: Sequence[str] = ()) -> None:
        """Keep a pack inside, and forget others."""
        pending = self._expect(number)
        self._send(Kind.SHELVE, number, encode(Packet(values={"name": name, "dropped": list(dropped)}, arrays=arrays)))
        self._await(number, pending, ANSWER_SECONDS)

    def begin(self, number: int, assignment: Mapping[str, Any], packet: bytes) -> Pending:
        """Hand a job to a fork of its own; `finish` waits for it."""
        pending = self._expect(number)
        self.jobs += 1
        head = json.dumps(assignment).encode()
        self._send(Kind.RUN, number, DOCUMENT_LENGTH.pack(len(head)) + head + packet)
        return pending

    def finish(self, number: int, pending: Pending, wall_seconds: float) -> Mapping[str, Any]:
        """How the job ended. Raises WorkerLost when the worker dies or does not answer in time."""
        report = self._await(number, pending, wall_seconds + GRACE_SECONDS)
        if report["fault"]:
            raise WorkerLost(f"{report['fault']}: {pending.output.decode(errors='replace')[-500:]}")
        return report

    def kill(self, number: int, check: str) -> None:
        self._send(Kind.KILL, number, check.encode())

    def close(self) -> None:
        self._lose("it was closed")

    def _expect(self, number: int) -> Pending:
        pending = Pending()
        with self._guard:
            self._pending[number] = pending
        return pending

    def _await(self, number: int, pending: Pending, seconds: float) -> Mapping[str, Any]:
        started = time.monotonic()
        if not pending.ended.wait(seconds):
            self._lose(f"it did not answer for {time.monotonic() - started:.0f} seconds")
        with self._guard:
            self._pending.pop(number, None)
        if pending.report is None:
            raise WorkerLost(f"the sandbox's fork server was lost: {self._lost}")
        return pending.report

    def _send(self, kind: Kind, number: int, body: bytes) -> None:
        try:
            with self._sending:
                self._channel.send(FRAME.pack(kind, number, len(body)) + body)
        except OSError as error:
            self._lose(f"it does not read any more ({error})")

    def _read(self) -> None:
        try:
            while True:
                kind, number, length = FRAME.unpack(read_exactly(self._channel.receive, FRAME.size))
                if length > MAX_FRAME:
                    raise ValueError(f"a frame of {length} bytes, of at most {MAX_FRAME}")
                self._take(Kind(kind), number, read_exactly(self._channel.receive, length))
        except (OSError, EOFError, ValueError) as error:
            self._lose(str(error))

    def _take(self, kind: Kind, number: int, body: bytes) -> None:
        with self._guard:
            pending = self._pending.get(number)
        if pending is None:
            return
        if kind == Kind.REPLY:
            pending.reply += body
        elif kind == Kind.OUTPUT:
            pending.output += body
            del pending.output[:-KEPT_OUTPUT]
        else:
            pending.report = json.loads(body) if body else {}
            pending.ended.set()

    def _lose(self, why: str) -> None:
        with self._guard:
            first = self._lost is None
            waiting = list(self._pending.values())
            if first:
                self._lost = why
        if first:
            self._channel.close()
            words = self._channel.last_words().strip()
            self._lost = f"{why}; {words[-1000:]}" if words else why
        for pending in waiting:
            pending.ended.set()
