"""Whole scripts that nobody has reviewed: a workspace goes in; a log, files and one array of predictions come out.

Nothing but the predictions can be scored, and only by whoever has the labels: they are never sent. Exit status, log and
files are what the script says about itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sandbox.execution import Array, Level, Outcome

Workspace = Mapping[str, bytes]  # relative path with "/" -> content

INPUTS = "inputs"  # the read-only folder beside the script
MAX_PATH = 255
MAX_DEPTH = 16
MAX_ARGUMENTS = 64
MAX_SENT_FILES = 2000
MAX_SENT_BYTES = 512 << 20
TAIL = 4000


class Numbers(StrEnum):
    NUMBER = "number"  # real numbers; come back as float64
    INTEGER = "integer"  # class numbers, masks; come back as int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The file that the script must leave in its workspace, in NumPy's npy format: exactly this shape, all finite."""

    shape: tuple[int, ...]
    path: str = "predictions.npy"
    kind: Numbers = Numbers.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """One that is hit ends the run as KILLED under its own name; of log and files beyond theirs the rest is left out.

    `output_bytes` is what it may print, `log_bytes` what is kept of it; `returned_files` is how many come back, of
    `file_bytes` each and `returned_bytes` in all.
    """

    wall_seconds: float = 300.0
    memory_mib: int = 4096
    cores: int = 2
    processes: int = 64  # and threads
    disk_mib: int = 512  # of files, beside what was sent
    output_bytes: int = 64 << 20
    log_bytes: int = 1 << 20
    returned_files: int = 256
    file_bytes: int = 16 << 20
    returned_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`python3 ENTRY ARGUMENTS` in a fresh sandbox, with `files` as its working directory.

    inputs: seen as `inputs/NAME`, read-only: the training part with its labels, and held-out inputs WITHOUT labels, in
    an order that tells nothing. expects: None for a run that only looks around.
    """

    files: Workspace
    entry: str = "main.py"
    arguments: tuple[str, ...] = ()
    inputs: Workspace = field(default_factory=dict)
    expects: Expected | None = None
    limits: RunLimits = field(default_factory=RunLimits)
    tag: str = ""  # runs of one request share a tag, so that "stop" can kill them


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run. Log, files and exit status were made by the script: data, never a judgement."""

    outcome: Outcome
    check: str | None = None  # which check or limit ended it; None when finished
    reason: str | None = None  # the same as one clear sentence, without host paths
    predictions: Array | None = None  # of the expected shape, float64 or int64; only when finished
    files: Workspace = field(default_factory=dict)  # new or changed
    removed: tuple[str, ...] = ()  # of the files that were sent
    left_out: tuple[str, ...] = ()  # "path (why)": what did not come back
    log: str = ""  # stdout and stderr in the order of writing; the middle of a long one is left out
    exit_status: int | None = None  # None when it was killed
    seconds: float = 0.0  # wall time of the script
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0  # of its largest process
    level: Level

    @property
    def tail(self) -> str:
        return self.log[-TAIL:]

    def after(self, files: Workspace) -> dict[str, bytes]:
        """The workspace as the run left it, when it began with `files`."""
        kept = {path: content for path, content in files.items() if path not in self.removed}
        return kept | dict(self.files)


class WorkspaceSandbox(Protocol):
    """Thread-safe: `run` may be called from `parallel` threads at once, and waits when more call."""

    @property
    def level(self) -> Level: ...

    @property
    def parallel(self) -> int: ...

    def run(self, run: Run) -> RunResult:
        """Run one script to its end. Raises `SandboxError` for faults of ours, never for what a script does, and
        ValueError for `inputs` that cannot be laid out as files."""
        ...

    def kill(self, tag: str) -> None:
        """End all runs with this tag, also those that wait; their `run` answers KILLED with check `stopped`."""
        ...

    def close(self) -> None: ...


def refused(run: Run) -> tuple[str, str] | None:
    """Check and sentence when the workspace cannot be laid out or has no entry: an agent's mistake, told as such.

    Raises ValueError when it is the inputs or what is expected: those are the caller's.
    """
    if wrong := wrong_paths(run.inputs):
        raise ValueError(f"inputs: {wrong}")
    if run.expects is not None and (wrong := wrong_path(run.expects.path)):
        raise ValueError(f"expected file {run.expects.path!r}: {wrong}")
    if wrong := wrong_paths(run.files):
        return "workspace", wrong
    beside = [path for path in run.files if path.split("/")[0] == INPUTS]
    if beside:
        return "workspace", f"{beside[0]!r} lies in {INPUTS}/, which holds the data and is read-only"
    sent = [*run.files.values(), *run.inputs.values()]
    size = sum(map(len, sent))
    if len(sent) > MAX_SENT_FILES or size > MAX_SENT_BYTES:
        allowed = f"{MAX_SENT_FILES:,} files and {MAX_SENT_BYTES:,} bytes are allowed"
        return "workspace", f"workspace and inputs are {len(sent):,} files of {size:,} bytes; {allowed}"
    if run.entry not in run.files:
        return "entry", f"the workspace has no file {run.entry[:MAX_PATH]!r} to run"
    if len(run.arguments) > MAX_ARGUMENTS or any(len(a) > MAX_PATH or not a.isprintable() for a in run.arguments):
        return "entry", f"it can have {MAX_ARGUMENTS} arguments of {MAX_PATH} printable characters each"
    return None


def wrong_paths(files: Workspace) -> str | None:
    """One sentence about the first path that is no file inside a folder of its own."""
    for path in files:
        if wrong := wrong_path(path):
            return f"{path[:MAX_PATH]!r} cannot be a file of a workspace: {wrong}"
        above = path.rpartition("/")[0]
        while above:
            if above in files:
                return f"{above!r} is a file, so {path!r} cannot lie in it"
            above = above.rpartition("/")[0]
    return None


def wrong_path(path: str) -> str | None:
    if not path or path.startswith("/"):
        return "it must be relative"
    if len(path.encode(errors="replace")) > MAX_PATH or path.count("/") >= MAX_DEPTH:
        return f"it is longer than {MAX_PATH} bytes or deeper than {MAX_DEPTH} folders"
    if not path.isprintable() or "\\" in path:
        return "it has characters that do not belong into a path"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "a part of it is empty, '.' or '..'"
    return None
