"""From what came back to what is said about it: the one place where a job's end becomes an `Execution`.

Nothing in a reply is believed beyond its form: names, dtype, shapes, sizes are checked here, text is cut and cleaned.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from sandbox.execution import Execution, Level, Outcome, Task
from sandbox.guest.protocol import MAX_VALUES, Malformed, Packet, decode
from sandbox.worker import Pending

MAX_REASON = 300
DESCRIPTION_BYTES = 256  # of one array in a reply's document
# Limits that are answered with an error inside.
CLAIMABLE = ("memory limit", "device memory limit", "disk limit", "process limit")
OURS = ("time limit", "output limit", "reply limit", "stopped", "died")  # never what a candidate says of itself
_CHECK = re.compile(r"[a-z][a-z0-9 _-]{0,39}")
_PATH = re.compile(r"(?<![\w/.])/+(?:[\w.+@~%=,-]+/+)+([\w.+@~%=,-]*)")


def rule(task: Task, pending: Pending, level: Level) -> Execution:
    """`pending.report` is the fork server's, which is ours; `pending.reply` and `.output` are the candidate's."""
    report = pending.report or {}

    def ruled(outcome: Outcome, check: str | None = None, reason: str | None = None, **more: Any) -> Execution:
        return Execution(
            outcome=outcome,
            check=check,
            reason=reason,
            output=clean(pending.output.decode(errors="replace"), lines=True),
            seconds=report["seconds"],
            cpu_seconds=report["cpu_seconds"],
            peak_mib=report["peak_mib"],
            level=level,
            **more,
        )

    if not report["complete"]:
        check, reason = _death(report, task)
        return ruled(Outcome.KILLED, check, reason)
    try:
        reply = decode(bytes(pending.reply), max_document=MAX_VALUES + DESCRIPTION_BYTES * (1 + len(task.expects)))
        end = _end(reply)
        if end == "finished":
            _expect(reply, task)
            return ruled(Outcome.FINISHED, values=reply.values["values"], arrays=reply.arrays)
    except Malformed as error:
        return ruled(Outcome.REJECTED, "reply", f"its reply was malformed: {error}")
    check = reply.values["check"]
    if end == "killed":
        return ruled(Outcome.KILLED, check, sentence(check, None, task))
    return ruled(Outcome.REJECTED, check, clean(reply.values["reason"])[:MAX_REASON])


def _end(reply: Packet) -> str:
    values = reply.values
    end, check = values.get("end"), values.get("check")
    if end == "finished" and isinstance(values.get("values"), dict):
        return "finished"
    if end == "killed" and check in CLAIMABLE:
        return "killed"
    if (
        end == "rejected"
        and isinstance(check, str)
        and _CHECK.fullmatch(check)
        and check not in (*CLAIMABLE, *OURS)
        and isinstance(values.get("reason"), str)
    ):
        return "rejected"
    raise Malformed("it does not say how the job ended")


def _expect(reply: Packet, task: Task) -> None:
    if set(reply.arrays) != set(task.expects):
        raise Malformed(f"it has {len(reply.arrays)} arrays; expected {sorted(task.expects) or 'none'}")
    for name, shape in task.expects.items():
        array = reply.arrays[name]
        if array.dtype.name != "float32" or array.shape != tuple(shape):
            found = f"{array.dtype.name} of shape {array.shape}"
            raise Malformed(f"array {name!r} is {found}; expected float32 of shape {tuple(shape)}")
    if reply.blob:
        raise Malformed(f"{len(reply.blob)} bytes follow its last array")


def _death(report: Mapping[str, Any], task: Task) -> tuple[str, str]:
    if report["check"]:
        return report["check"], sentence(report["check"], report["measured"], task, report["tasks"])
    if report["oom"]:
        return "memory limit", "out of memory: the kernel ended it, for the sandbox had no memory left"
    if report["signal"] is not None and not report["ended_by_us"]:
        return "died", f"it died of {_signal(report['signal'])} before it answered"
    return "died", "it ended before it answered"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def sentence(check: str, measured: float | None, task: Task, tasks: int = 1) -> str:
    """One clear sentence for each limit. `measured` is in the limit's own unit; None where nobody measured."""
    limits = task.limits
    where = f" in {tasks} processes and threads" if tasks > 1 else ""
    amount = f"it used {measured:.0f} MiB of memory{where}" if measured else "it asked for more memory than it may have"
    count = f"it ran {measured:.0f} processes and threads" if measured else "it started too many processes or threads"
    sentences = {
        "time limit": f"it ran longer than {limits.wall_seconds:g} seconds",
        "memory limit": f"{amount}; {limits.memory_mib} MiB are allowed",
        "device memory limit": "it asked for more of the GPU's memory than one job may have",
        "process limit": f"{count}; {limits.processes} are allowed",
        "disk limit": f"it wrote more than {limits.disk_mib} MiB of files, or too many of them",
        "output limit": f"it printed more than {limits.output_bytes:,} bytes",
        "reply limit": f"its reply is longer than {limits.reply_bytes:,} bytes",
        "stopped": "it was stopped on request",
    }
    return sentences[check]


def clean(text: str, *, lines: bool = False) -> str:
    """Text of a guest as data: no control characters, no path but its last part, on one line unless `lines`."""
    kept = "".join(c if c.isprintable() or (lines and c in "\n\t") else " " for c in text)
    kept = _PATH.sub(lambda match: match[1] or "…", kept)
    return kept if lines else " ".join(kept.split())
