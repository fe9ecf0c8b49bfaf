"""Warm workers and who may use them: waiting, retrying once, recycling, stopping."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from sandbox.errors import SandboxBroken
from sandbox.execution import Array, Execution, Level, Outcome, Task
from sandbox.guest.protocol import MAX_JOB, Packet, encode
from sandbox.ruling import rule
from sandbox.worker import Channel, Worker, WorkerLost

KEPT_PACKS = 32  # the latest used; each is a few MB here and in every worker
JOBS_PER_WORKER = 2000
SPLIT = "train"  # the one action that knows how to be two forks

log = logging.getLogger(__name__)


class _Crowded(Exception):
    """The kernel ended a job for want of memory while others ran beside it: any of them may be the reason."""


@dataclass(slots=True)
class Seat:
    """A place for one worker. It is drained, and its worker replaced, when `spoiled`."""

    slots: int
    worker: Worker | None = None
    busy: int = 0
    spoiled: bool = False
    starting: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Call:
    """One `run` that has not returned. `number` and `worker` are set while it runs inside."""

    tag: str
    stopped: bool = False
    number: int | None = None
    worker: Worker | None = None


class Pool:
    """`workers` fork servers with `slots` jobs at once each. Thread-safe."""

    def __init__(
        self,
        launch: Callable[[], Channel],
        *,
        level: Level,
        workers: int,
        slots: int,
        jobs_per_worker: int = JOBS_PER_WORKER,
    ) -> None:
        self._launch = launch
        self._level = level
        self._slots = slots
        self._jobs_per_worker = jobs_per_worker
        self._seats = [Seat(slots) for _ in range(workers)]
        self._turn = threading.Condition()
        self._shelving = threading.Lock()
        self._packs: dict[str, Mapping[str, Array]] = {}
        self._open: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    def start(self) -> Mapping[str, str]:
        """Warm one worker; what it says about itself. Raises WorkerLost."""
        seat = self._take(alone=False)
        try:
            return self._worker(seat).facts
        finally:
            self._give(seat, alone=False)

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None:
        with self._shelving:  # who comes second waits until the workers have it
            with self._turn:
                if name in self._packs:
                    self._packs[name] = self._packs.pop(name)  # the latest used is last
                    return
                self._packs[name] = dict(arrays)
                dropped = list(self._packs)[:-KEPT_PACKS]
                for oldest in dropped:
                    del self._packs[oldest]
                workers = [seat.worker for seat in self._seats if seat.worker is not None and not seat.worker.lost]
            for worker in workers:
                worker.shelve(next(self._numbers), name, arrays, dropped)

    def run(self, task: Task) -> Execution:
        """Raises SandboxBroken when a worker was lost twice under this task, ValueError for an unknown pack."""
        packet = self._packet(task)
        if len(packet) > MAX_JOB:
            reason = f"its source and options take {len(packet):,} bytes; {MAX_JOB:,} are allowed"
            return Execution(outcome=Outcome.REJECTED, check="source", reason=reason, level=self._level)
        call = Call(task.tag)
        with self._turn:
            self._open[id(call)] = call
        try:
            try:
                return self._attempt(task, packet, call, alone=False)
            except _Crowded:
                return self._attempt(task, packet, call, alone=True)
            except WorkerLost as lost:
                if self._closed:
                    raise SandboxBroken("the sandbox was closed while the job ran") from lost
                log.warning("a sandbox worker was lost; its job is tried once more, alone: %s", lost)
                return self._attempt(task, packet, call, alone=True)  # so that no neighbour can be the reason
        except WorkerLost as error:
            raise SandboxBroken(f"{error}. The job was tried twice.") from error
        finally:
            with self._turn:
                del self._open[id(call)]

    def kill(self, tag: str) -> None:
        with self._turn:
            running = []
            for call in self._open.values():
                if call.tag == tag:
                    call.stopped = True
                    if call.worker is not None and call.number is not None:
                        running.append((call.worker, call.number))
        for worker, number in running:
            worker.kill(number, "stopped")

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._turn.notify_all()
            workers = [seat.worker for seat in self._seats if seat.worker is not None]
        for worker in workers:
            worker.close()

    def _packet(self, task: Task) -> bytes:
        if task.pack is not None and task.pack not in self._packs:
            raise ValueError(f"no pack {task.pack!r} was shelved; shelved are {sorted(self._packs)}")
        if task.split and task.action != SPLIT:
            raise ValueError(f"a task of the action {task.action!r} cannot be split; only {SPLIT!r} can")
        values = {"action": task.action, "kind": task.kind, "options": dict(task.options), "pack": task.pack}
        return encode(Packet(values=values, blob=task.source))

    def _attempt(self, task: Task, packet: bytes, call: Call, *, alone: bool) -> Execution:
        seat = self._take(alone=alone)
        try:
            worker = self._worker(seat)
            number = next(self._numbers) & 0xFFFFFFFF
            if call.stopped:
                return self._stopped()
            pending = worker.begin(number, _assignment(task), packet)
            with self._turn:
                call.worker, call.number = worker, number
            if call.stopped:
                worker.kill(number, "stopped")
            report = worker.finish(number, pending, task.limits.wall_seconds)
            if not report["clean"] or worker.jobs >= self._jobs_per_worker:
                seat.spoiled = True
            if report["oom"] and not alone and self._slots > 1:
                raise _Crowded
            return rule(task, pending, self._level)
        finally:
            with self._turn:
                call.worker = call.number = None
            self._give(seat, alone=alone)

    def _stopped(self) -> Execution:
        reason = "it was stopped on request before it began"
        return Execution(outcome=Outcome.KILLED, check="stopped", reason=reason, level=self._level)

    def _take(self, *, alone: bool) -> Seat:
        wanted = self._slots if alone else 1
        with self._turn:
            while True:
                if self._closed:
                    raise SandboxBroken("the sandbox has been closed")
                free = [seat for seat in self._seats if not seat.spoiled and seat.busy + wanted <= seat.slots]
                if free:
                    warm_first = sorted(free, key=lambda seat: (seat.worker is None, seat.busy))
                    warm_first[0].busy += wanted
                    return warm_first[0]
                self._turn.wait()

    def _give(self, seat: Seat, *, alone: bool) -> None:
        retired = None
        with self._turn:
            seat.busy -= self._slots if alone else 1
            lost = seat.worker is not None and seat.worker.lost
            if seat.busy == 0 and (seat.spoiled or lost):
                retired, seat.worker, seat.spoiled = seat.worker, None, False
            self._turn.notify_all()
        if retired is not None:
            retired.close()

    def _worker(self, seat: Seat) -> Worker:
        with seat.starting:
            if seat.worker is None or seat.worker.lost:
                worker = Worker(self._launch())
                with self._turn:
                    packs = dict(self._packs)
                    seat.worker = worker
                for name, arrays in packs.items():
                    worker.shelve(next(self._numbers), name, arrays)
            return seat.worker


def _assignment(task: Task) -> dict[str, float | int]:
    return {**asdict(task.limits), "split": task.split}
