"""From what came back of a script to what is said about it. What the script made is not believed beyond its form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sandbox.errors import SandboxBroken
from sandbox.execution import Array, Level, Limits, Outcome, Task
from sandbox.guest.protocol import DOCUMENT_LENGTH
from sandbox.predictions import Unusable, read_predictions
from sandbox.ruling import MAX_REASON, clean, sentence
from sandbox.workspace import INPUTS, Run, RunResult, wrong_path
from sandbox.workspace_exchange import Account

# What the kernel's refusals look like in a last line; a script that lies about them gains nothing.
NO_MEMORY = ("MemoryError", "can't allocate memory")
NO_SPACE = ("No space left on device", "File too large")
MAX_LEFT_OUT = 32  # lines about what did not come back


def rule(run: Run, account: Account, level: Level) -> RunResult:
    """Raises SandboxBroken when the report tells of a fault of ours."""
    report = account.report
    if report["fault"]:
        raise SandboxBroken(f"{report['fault'][:1000]}")
    files, removed, left_out = returned(run, bytes(account.reply))
    # Its own folder has another name every time; beneath it, paths are those of the workspace.
    log = clean(account.printed.text().replace(f"{report['work']}/", ""), lines=True)
    predictions = None
    outcome, check, reason = _end(run, report, log)
    if outcome is Outcome.FINISHED and run.expects is not None:
        try:
            predictions = _predictions(run, files, left_out)
        except Unusable as error:
            outcome, check, reason = Outcome.REJECTED, "predictions", clean(str(error))[:MAX_REASON]
    if run.expects is not None:
        files.pop(run.expects.path, None)
        removed = [path for path in removed if path != run.expects.path]
    return RunResult(
        outcome=outcome,
        check=check,
        reason=reason,
        predictions=predictions,
        files=files,
        removed=tuple(removed),
        left_out=tuple(left_out),
        log=log,
        exit_status=report["exit_status"],
        seconds=report["seconds"],
        cpu_seconds=report["cpu_seconds"],
        peak_mib=report["peak_mib"],
        level=level,
    )


def returned(run: Run, reply: bytes) -> tuple[dict[str, bytes], list[str], list[str]]:
    """New and changed files, removed paths, and what was left out. Empty when nothing could be read back."""
    if not reply:
        return {}, [], []
    (size,) = DOCUMENT_LENGTH.unpack_from(reply)
    start = DOCUMENT_LENGTH.size + size
    document = json.loads(reply[DOCUMENT_LENGTH.size : start])
    left_out = [clean(line) for line in document["left_out"][:MAX_LEFT_OUT]]
    files = {}
    for path, length in document["files"]:
        content = reply[start : start + length]
        start += length
        if len(content) != length:
            raise SandboxBroken("the run's supervisor returned less than it had announced")
        if wrong := wrong_path(path):
            left_out.append(f"{clean(ascii(path)[1:-1])[:MAX_REASON]} ({wrong})")
        elif path.split("/")[0] == INPUTS:
            left_out.append(f"{path} (it lies in {INPUTS}/)")
        else:
            files[path] = content
    return files, [path for path in document["removed"] if path in run.files], left_out


def _end(run: Run, report: Mapping[str, Any], log: str) -> tuple[Outcome, str | None, str | None]:
    if report["check"]:
        return _killed(run, report["check"], report["measured"], report["tasks"])
    if report["oom"]:
        reason = "out of memory: the kernel ended it, for the sandbox had no memory left"
        return Outcome.KILLED, "memory limit", reason
    if report["signal"] is not None:
        return Outcome.KILLED, "died", f"it died of signal {report['signal']}"
    if report["exit_status"] == 0:
        return Outcome.FINISHED, None, None
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else "it printed nothing"
    if any(words in last for words in NO_MEMORY):
        return _killed(run, "memory limit", None, 1)
    if report["disk_full"] or any(words in last for words in NO_SPACE):
        return _killed(run, "disk limit", None, 1)
    return Outcome.REJECTED, "error", f"it ended with exit status {report['exit_status']}: {last}"[:MAX_REASON]


def _killed(run: Run, check: str, measured: float | None, tasks: int) -> tuple[Outcome, str, str]:
    shared = {field.name for field in fields(Limits)} & {field.name for field in fields(run.limits)}
    limits = Limits(**{name: getattr(run.limits, name) for name in shared})
    return Outcome.KILLED, check, sentence(check, measured, Task(action="", kind="", source=b"", limits=limits), tasks)


def _predictions(run: Run, files: Mapping[str, bytes], left_out: list[str]) -> Array:
    assert run.expects is not None
    path = run.expects.path
    if path in files:
        return read_predictions(files[path], run.expects)
    why = next((line for line in left_out if line.startswith(f"{path} (")), None)
    raise Unusable(f"it could not be read back: {why}" if why else f"it ended without writing {path}")
