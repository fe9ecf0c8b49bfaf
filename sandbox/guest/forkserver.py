"""One warm parent; every job is one fork of it. It starts forks, watches their limits, relays their bytes, ends them.

It never runs a candidate's code and never keeps a candidate's text: what passes through lies in one buffer that is
wiped before the next fork. What it reports about a fork (exit status, times, limits) it has from the kernel.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from . import landlock, linux
from .bridge import Bridge
from .confine import Allowance, Boundary, Mode
from .fork import Action, live
from .packs import Pack
from .processes import process
from .protocol import DOCUMENT_LENGTH, FRAME, LENGTH, MAX_JOB, Kind, decode
from .running import Running
from .warden import Warden

TICK_SECONDS = 0.05
SEND_SECONDS = 20.0
RELAYED = 256 << 10  # bytes at once


def warm() -> None:
    """Touch what torch loads lazily, so that no fork pays for it. One thread: forks of a parallel region hang."""
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        optimizer = kind(model.parameters(), lr=0.1)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 0, 1]))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.func.vmap(torch.func.grad(lambda x: (x**2).sum()))(torch.ones(2, 2))
    torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2))
    gc.collect()
    gc.freeze()  # collections in a fork do not touch, and so copy, the pages of the parent


class Stream:
    """The two ends that lead to the host; frames are read and written whole."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink

    def read_into(self, view: memoryview) -> None:
        """Fill `view`. Raises EOFError when the host has gone."""
        while len(view):
            count = os.readv(self.source, [view])
            if count == 0:
                raise EOFError("the host closed the stream")
            view = view[count:]

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        self.read_into(memoryview(buffer))
        return bytes(buffer)

    def write(self, kind: Kind, job: int, body: bytes | memoryview = b"") -> None:
        for part in (memoryview(FRAME.pack(kind, job, len(body))), memoryview(body)):
            while len(part):
                part = part[os.write(self.sink, part) :]


class ForkServer:
    """With `prepare`, which makes a job's device ready, the fork for the next job is made ahead, while nothing runs:
    confined and ready it waits for that one job. It has the latest job's limits, and is dismissed for one with others.
    """

    def __init__(
        self,
        stream: Stream,
        within: Boundary,
        actions: Mapping[str, Action],
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.prepare = prepare
        self.latest: tuple[int, dict[str, Any]] | None = None  # number and limits of a job
        self.ahead: Running | None = None  # only ever while no job runs
        self.stream = stream
        self.within = within
        self.actions = actions
        self.packs: dict[str, Pack] = {}
        self.warden = Warden(within)
        self.selector = selectors.DefaultSelector()
        self.buffer = bytearray(MAX_JOB)
        self.pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY) if within.mode is Mode.NAMESPACES else None

    def serve(self) -> None:
        """Until the host goes away; then everything that still runs is ended."""
        self.selector.register(self.stream.source, selectors.EVENT_READ, self._command)
        self.stream.write(Kind.READY, 0, json.dumps(self._facts()).encode())
        running = self.warden.running
        try:
            while True:
                self._look_ahead()
                for key, _ in self.selector.select(TICK_SECONDS if running else None):
                    key.data()
                for job in list(running.values()):
                    if self.warden.over_limit(job):
                        self._finish(job)
        except EOFError:
            self._dismiss()
            for job in list(running.values()):
                self.warden.end(job)
                self.warden.remove_files(job)

    def _facts(self) -> dict[str, Any]:
        return {
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
            "own_uids": self.within.own_uids,
            "landlock": landlock.abi() if self.within.landlock else 0,
        }

    def _command(self) -> None:
        kind, number, length = FRAME.unpack(self.stream.read(FRAME.size))
        if kind == Kind.SHELVE:
            self._dismiss()  # it has not got this pack
            body = bytearray(length)
            self.stream.read_into(memoryview(body))
            packet = decode(body)
            for dropped in packet.values["dropped"]:
                self.packs.pop(dropped, None)
            self.packs[packet.values["name"]] = Pack(packet.arrays)
            body[:] = bytes(length)
            self.stream.write(Kind.SHELVED, number)
        elif kind == Kind.KILL:
            check = self.stream.read(length).decode()
            if number in self.warden.running:
                job = self.warden.running[number]
                job.check = check
                self._finish(job)
        elif kind == Kind.RUN:
            (size,) = DOCUMENT_LENGTH.unpack(self.stream.read(DOCUMENT_LENGTH.size))
            assignment = json.loads(self.stream.read(size))
            payload = memoryview(self.buffer)[: length - size - DOCUMENT_LENGTH.size]
            self.stream.read_into(payload)
            self._start(number, assignment, payload)
        else:
            raise ValueError(f"frame of kind {kind} from the host; expected SHELVE, RUN or KILL")

    def _start(self, number: int, limits: dict[str, Any], payload: memoryview) -> None:
        job = self._take_ahead(number, limits) or self._forked(number, limits)
        self.latest = number, limits
        self.warden.running[number] = job
        for fork in job.forks:
            self._send(fork, payload)
        payload[:] = bytes(len(payload))
        os.set_blocking(job.output, False)
        events: list[tuple[Any, Callable[[Running], object]]] = [(job.channel, self._reply), (job.output, self._output)]
        for source, action in [*events, *((fork.exit, self._finish) for fork in job.forks)]:
            self.selector.register(source, selectors.EVENT_READ, partial(self._on_event, job, action))

    def _look_ahead(self) -> None:
        if self.prepare is not None and self.latest is not None and not self.ahead and not self.warden.running:
            number, limits = self.latest
            self.ahead = self._forked(number + 1, {**limits, "split": False})

    def _take_ahead(self, number: int, limits: dict[str, Any]) -> Running | None:
        """The fork that waits, as this job's, whose limits count from now on. None when there is none for it."""
        job = self.ahead
        if job is None:
            return None
        if _allowance(job.limits) != _allowance(limits) or limits["split"] or self.warden.has_exited(job):
            self._dismiss()
            return None
        self.ahead = None
        job.number, job.limits = number, limits
        job.start_from(process(job.pid))
        return job

    def _dismiss(self) -> None:
        """End the fork that waits. Raises RuntimeError when it cannot be ended: the whole worker is then given up."""
        job, self.ahead = self.ahead, None
        if job is None:
            return
        if self.warden.has_exited(job):
            said = os.read(job.output, RELAYED).decode(errors="replace")
            sys.stderr.write(f"a fork that waited for its job has ended by itself: {said}\n")
        self.warden.running[job.number] = job
        clean = self.warden.end(job) and self.warden.remove_files(job)
        del self.warden.running[job.number]
        job.close()
        if not clean:
            raise RuntimeError("a fork that waited for its job, and ran nothing, could not be ended")

    def _forked(self, number: int, limits: dict[str, Any]) -> Running:
        """One fork, or for a split job two, which wait for what they are to do."""
        output, printed = os.pipe()
        if limits["split"]:
            trusted, guest = Bridge.pair()
            job = self._fork(number, limits, (output, printed), trusted)
            job.guest = self._fork(number, limits, (output, printed), guest, guest=True)
            for side in (trusted, guest):
                side.close()
        else:
            job = self._fork(number, limits, (output, printed))
        os.close(printed)
        return job

    def _fork(
        self,
        number: int,
        limits: dict[str, Any],
        output: tuple[int, int],
        bridge: Bridge | None = None,
        *,
        guest: bool = False,
    ) -> Running:
        """One fork of a job, which waits for its payload. A split job has two, joined by a bridge."""
        ours, theirs = socket.socketpair()
        uid = self.warden.uid_for(number, trusted=bridge is not None and not guest)
        scratch = self.warden.make_scratch(uid)
        parent = process("self")
        started = time.monotonic()
        if self.pid_namespace is not None:
            linux.unshare(linux.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            live(
                channel=theirs.fileno(),
                output=output[1],
                within=self.within,
                uid=uid,
                scratch=scratch,
                allowance=_allowance(limits),
                actions=self.actions,
                packs=self.packs,
                prepare=self.prepare,
                bridge=bridge,
                guest=guest,
            )
        if self.pid_namespace is not None:
            linux.setns(self.pid_namespace, linux.CLONE_NEWPID)
        theirs.close()
        return Running(
            number=number,
            pid=pid,
            exit=os.pidfd_open(pid),
            uid=uid,
            scratch=scratch,
            channel=ours,
            output=output[0],
            started=started,
            limits=limits,
            base_kib=parent.memory_kib if parent else 0,
        )

    def _on_event(self, job: Running, action: Callable[[Running], object]) -> None:
        if not job.ended:  # an earlier event of the same round may have ended it
            action(job)

    def _send(self, job: Running, payload: memoryview) -> None:
        """The fork has not run any of the candidate's code yet, so it reads at once, unless it has died."""
        job.channel.settimeout(SEND_SECONDS)
        try:
            job.channel.sendall(LENGTH.pack(len(payload)))
            job.channel.sendall(payload)
        except OSError as error:
            job.fault = f"the job could not be handed to its fork: {error}"
        job.channel.setblocking(False)

    def _reply(self, job: Running) -> bool:
        """Relay the next bytes of the reply. False when there are none (yet, or any more)."""
        try:
            count = job.channel.recv_into(memoryview(self.buffer)[:RELAYED])
        except BlockingIOError:
            return False
        except ConnectionResetError:
            count = 0
        if count == 0:
            self.selector.unregister(job.channel)
            return False
        chunk = memoryview(self.buffer)[:count]
        body = job.accept(chunk)
        if len(body):
            self.stream.write(Kind.REPLY, job.number, body)
        chunk[:] = bytes(count)
        if job.complete or job.check:
            self._finish(job)
            return False
        return True

    def _output(self, job: Running) -> bool:
        """Relay what it printed, up to its limit. False when there is nothing more (now)."""
        try:
            count = os.readv(job.output, [memoryview(self.buffer)[:RELAYED]])
        except BlockingIOError:
            return False
        if count == 0:
            self.selector.unregister(job.output)
            return False
        chunk = memoryview(self.buffer)[:count]
        kept = min(count, max(0, job.limits["output_bytes"] - job.printed))
        job.printed += count
        self.stream.write(Kind.OUTPUT, job.number, chunk[:kept])
        chunk[:] = bytes(count)
        if job.printed > job.limits["output_bytes"] and not job.check and not job.ended:
            job.check = "output limit"
            self._finish(job)
        return bool(kept)

    def _finish(self, job: Running) -> None:
        """End everything of the job, take what it had already written, clean up, report. Once."""
        if job.ended:
            return
        job.ended = True
        gone = self.warden.end(job)
        while not job.complete and not job.check and self._registered(job.channel) and self._reply(job):
            pass
        while self._registered(job.output) and self._output(job):
            pass
        if job.guest is not None:
            job.guest.greeted()
        sources: list[Any] = [job.channel, job.output, *(fork.exit for fork in job.forks)]
        for source in sources:
            if self._registered(source):
                self.selector.unregister(source)
        job.close()
        del self.warden.running[job.number]
        clean = self.warden.remove_files(job) and gone
        if job.guest is not None:
            clean = self.warden.remove_files(job.guest) and clean
        self.stream.write(Kind.DONE, job.number, json.dumps(job.report(clean=clean)).encode())

    def _registered(self, source: Any) -> bool:
        return source in self.selector.get_map()


def _allowance(limits: Mapping[str, Any]) -> Allowance:
    return Allowance(**{name: limits[name] for name in Allowance.__dataclass_fields__})
