"""The life of one fork: confine itself, read its job, run the action, write one reply.

Everything here runs beside hostile code and proves nothing: exit status, times and limits come from the fork server,
the judgement from the host.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from . import gpu
from .blame import described
from .bridge import Bridge
from .confine import Allowance, Boundary, isolate
from .job import Fault, Job, Reply
from .packs import Pack
from .protocol import CONFINED, LENGTH, Packet, decode, encode, read_exactly

CHANNEL, BRIDGE = 3, 4
HOOKS = "hooks"  # what the guest of a split job does, whatever its trusted side is asked to
MAX_REASON = 2000

Action = Callable[[Job], Reply]
Packs = Mapping[str, Pack]


def live(
    *,
    channel: int,
    output: int,
    within: Boundary,
    uid: int,
    scratch: str,
    allowance: Allowance,
    actions: Mapping[str, Action],
    packs: Packs,
    prepare: Callable[[], None] | None = None,
    bridge: Bridge | None = None,
    guest: bool = False,
) -> NoReturn:
    """Never returns, whatever happens in between. Of a split job one fork is the guest, which has no packs.

    prepare: what makes the job's device ready, before anything of the job is read.
    """
    try:
        try:
            _only_descriptors(channel, output, bridge)
            isolate(within, uid, scratch, allowance)
            if prepare is not None:
                prepare()
        except BaseException as error:  # noqa: BLE001 - nothing may return from a fork
            os.write(2, f"the fork could not confine itself and get ready: {_where(error)}".encode())
            os._exit(1)
        with socket.socket(fileno=CHANNEL) as stream:
            (length,) = LENGTH.unpack(read_exactly(stream.recv, LENGTH.size))
            packet = decode(read_exactly(stream.recv, length))
            stream.sendall(CONFINED)  # from here on an early end is the candidate's doing
            side = bridge.at(BRIDGE) if bridge else None  # open until all is sent: the guest ends when it closes
            reply = _answer(packet, actions, packs, side, guest)
            _flush()
            stream.sendall(LENGTH.pack(len(reply)) + reply)
    finally:
        os._exit(0)


def _where(error: BaseException) -> str:
    """Which call failed: what the kernel refuses does not always say."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error!r} in {last.name}: {last.line}"


def _only_descriptors(channel: int, output: int, bridge: Bridge | None) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    channel, output = os.dup(channel), os.dup(output)  # clear of the numbers that are assigned next
    joined = os.dup(bridge.fileno()) if bridge else None
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, CHANNEL)
    if joined is not None:
        os.dup2(joined, BRIDGE)
    os.closerange(CHANNEL + 1 if joined is None else BRIDGE + 1, os.sysconf("SC_OPEN_MAX"))


def _answer(packet: Packet, actions: Mapping[str, Action], packs: Packs, bridge: Bridge | None, guest: bool) -> bytes:
    values = packet.values
    try:
        if guest:
            values = {**values, "action": HOOKS, "pack": None}
        for name, pack in packs.items():
            if name != values["pack"]:
                pack.forget()
        job = Job(
            action=values["action"],
            kind=values["kind"],
            source=packet.blob,
            options=values["options"],
            pack=packs[values["pack"]].arrays if values["pack"] is not None else {},
            bridge=bridge,
        )
        reply = actions[job.action](job)
        document = {"end": "finished", "values": dict(reply.values)}
        return encode(Packet(values=document, arrays=reply.arrays))
    except BaseException as error:  # noqa: BLE001 - whatever a candidate raises is its answer
        return encode(Packet(values=confession(error)))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the candidate may have closed or replaced them
            stream.flush()


def confession(error: BaseException) -> dict[str, Any]:
    """How the job ended, as the fork itself saw it. Nothing in `error` is trusted, not even that it can be printed."""
    if isinstance(error, Fault):
        return {"end": "rejected", "check": _text(error.check), "reason": _text(error.detail)}
    limit = _limit_behind(error)
    if limit:
        return {"end": "killed", "check": limit}
    return {"end": "rejected", "check": "error", "reason": described(error)}


def _text(thing: object) -> str:
    try:
        return str(thing)[:MAX_REASON]
    except BaseException:  # noqa: BLE001 - a hostile __str__
        return "(its text cannot be made)"


def _limit_behind(error: BaseException) -> str | None:
    """A limit that the kernel answers with an error instead of a signal."""
    text = _text(error)
    if gpu.is_out_of_memory(error):
        return "device memory limit"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "can't allocate memory" in text):
        return "memory limit"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "memory limit"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return "disk limit"
    if isinstance(error, BlockingIOError) or (isinstance(error, RuntimeError) and "can't start new thread" in text):
        return "process limit"
    return None
