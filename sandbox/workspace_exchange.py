"""The host's side of one run: send it, listen until its report, and never longer than it may take."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.errors import SandboxBroken
from sandbox.guest.protocol import DOCUMENT_LENGTH, FRAME, Kind, read_exactly
from sandbox.predictions import most_bytes
from sandbox.worker import Channel
from sandbox.workspace import Run

START_SECONDS = 60.0  # of a container, beside other work
GRACE_SECONDS = 60.0  # beyond the script's own wall clock: to lay out, to end, to read back
BYTES_PER_SECOND = 4 << 20  # of what is sent and returned, at least
MAX_FRAME = 1 << 20
DOCUMENT_BYTES = 2 << 20


@dataclass(slots=True)
class Printed:
    """Both ends of what was printed; the middle is dropped once it is longer than `limit` bytes."""

    limit: int
    head: bytearray = field(default_factory=bytearray)
    rest: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, text: bytes) -> None:
        room = self.limit // 2 - len(self.head)
        self.head += text[:room]
        self.rest += text[room:]
        too_many = len(self.rest) - self.limit // 2
        if too_many > 0:
            self.dropped += too_many
            del self.rest[:too_many]

    def text(self) -> str:
        missing = f"\n[{self.dropped:,} bytes are left out here]\n" if self.dropped else ""
        return self.head.decode(errors="replace") + missing + self.rest.decode(errors="replace")


@dataclass(slots=True)
class Account:
    """All that came back. `report` is the supervisor's, which is ours; the rest is what the script made."""

    printed: Printed
    report: Mapping[str, Any] = field(default_factory=dict)
    reply: bytearray = field(default_factory=bytearray)


class Exchange:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._sending = threading.Lock()
        self._late = False

    def begin(self, run: Run) -> None:
        """Wait until the supervisor is there and hand it the run. Raises SandboxBroken."""
        first = [run.expects.path] if run.expects else []
        files = {path: content for path, content in run.files.items() if path not in first}
        limits = asdict(run.limits) | {"first_bytes": most_bytes(run.expects) if run.expects else 0}
        head = {
            "entry": run.entry,
            "arguments": run.arguments,
            "limits": limits,
            "first": first[0] if first else None,
            "inputs": [[path, len(content)] for path, content in run.inputs.items()],
            "files": [[path, len(content)] for path, content in files.items()],
        }
        text = json.dumps(head).encode()
        contents = [*run.inputs.values(), *files.values()]
        size = sum(map(len, contents))
        with self._deadline(START_SECONDS + size / BYTES_PER_SECOND):
            kind, _ = self._frame()
            if kind is not Kind.READY:
                raise SandboxBroken(f"the run's supervisor began with a frame of kind {kind}")
            length = DOCUMENT_LENGTH.size + len(text) + size
            self._send(FRAME.pack(Kind.RUN, 0, length) + DOCUMENT_LENGTH.pack(len(text)) + text, *contents)

    def listen(self, run: Run) -> Account:
        """Until the report. Raises SandboxBroken when it does not come in time, or the supervisor is lost."""
        account = Account(printed=Printed(run.limits.log_bytes))
        most = run.limits.returned_bytes + (most_bytes(run.expects) if run.expects else 0) + DOCUMENT_BYTES
        with self._deadline(run.limits.wall_seconds + GRACE_SECONDS + most / BYTES_PER_SECOND):
            while True:
                kind, body = self._frame()
                if kind is Kind.OUTPUT:
                    account.printed.add(body)
                elif kind is Kind.REPLY:
                    account.reply += body
                    if len(account.reply) > most:
                        raise SandboxBroken(f"the run's supervisor returned more than {most:,} bytes")
                elif kind is Kind.DONE:
                    account.report = json.loads(body)
                    return account

    def kill(self) -> None:
        """End the script, from any thread; `listen` then has its report."""
        reason = b"stopped"
        try:
            self._send(FRAME.pack(Kind.KILL, 0, len(reason)) + reason)
        except SandboxBroken:
            return  # it has ended by itself

    def close(self) -> None:
        self._channel.close()

    def _send(self, *parts: bytes) -> None:
        try:
            with self._sending:
                for part in parts:
                    self._channel.send(part)
        except OSError as error:
            raise self._broken(f"it does not read any more ({error})") from error

    def _frame(self) -> tuple[Kind, bytes]:
        try:
            kind, _, length = FRAME.unpack(read_exactly(self._channel.receive, FRAME.size))
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes, of at most {MAX_FRAME}")
            return Kind(kind), read_exactly(self._channel.receive, length)
        except (OSError, EOFError, ValueError) as error:
            raise self._broken(str(error)) from error

    def _broken(self, why: str) -> SandboxBroken:
        words = self._channel.last_words().strip()[-1000:]
        why = "it did not answer in time" if self._late else why
        return SandboxBroken(f"the supervisor of a script was lost: {why}{'; ' if words else ''}{words}")

    @contextlib.contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self._late = True
        self._channel.close()  # whoever reads from it then stops
