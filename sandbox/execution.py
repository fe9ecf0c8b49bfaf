"""What a sandbox is asked to do and what it answers.

The three outcomes say what the candidate did. What our own world does wrong (no Docker daemon, a missing image, a
container that died by itself) is never an outcome: it is a `SandboxError` (see errors.py); no hypothesis pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class Level(StrEnum):
    """How strongly a result was isolated, strongest first; shown with every result."""

    DOCKER_GVISOR = "docker-gvisor"
    DOCKER = "docker"
    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    UNSAFE = "unsafe"


class Outcome(StrEnum):
    FINISHED = "finished"  # a complete, well-formed reply came back
    REJECTED = "rejected"  # the candidate broke a named check of its contract, or raised
    KILLED = "killed"  # the candidate ran into a limit, or died without a reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one job. A limit that is hit ends the job with `Outcome.KILLED` and its own name in `check`."""

    wall_seconds: float = 60.0
    memory_mib: int = 1024
    output_bytes: int = 1 << 20  # of stdout and stderr together; they are drained and never a result
    reply_bytes: int = 64 << 20
    processes: int = 32
    disk_mib: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job for one candidate in one fork of its own.

    `action` names an entry of `sandbox.guest.actions.ACTIONS`. `pack` names arrays that were shelved before.
    `expects` gives name and shape (float32) of every array of the reply: anything else is a rejection.

    `split` (of the action `train`): two forks. One has the pack, nets, loss, optimizer and clock, and replies; the
    other has the candidate, and answers what a component is asked. Same numbers up to rounding, at twice the cost.
    """

    action: str
    kind: str
    source: bytes
    options: Mapping[str, Any] = field(default_factory=dict)  # JSON
    pack: str | None = None
    expects: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    split: bool = False
    tag: str = ""  # jobs of one request share a tag, so that "stop" can kill them


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of a task. `values` and `arrays` were written by the guest: data, never a judgement."""

    outcome: Outcome
    check: str | None = None  # which check or limit ended it; None when finished
    reason: str | None = None  # the same as one clear sentence, without host paths
    values: Mapping[str, Any] = field(default_factory=dict)  # JSON, at most 64 KiB
    arrays: Mapping[str, Array] = field(default_factory=dict)
    output: str = ""  # the end of what it printed
    seconds: float = 0.0  # wall time of the job
    cpu_seconds: float = 0.0  # as the kernel counted it for the job's processes
    peak_mib: float = 0.0
    level: Level


class Sandbox(Protocol):
    """Thread-safe: `run` may be called from `parallel` threads at once, and waits when more call."""

    @property
    def level(self) -> Level: ...

    @property
    def parallel(self) -> int: ...

    @property
    def torch_version(self) -> str:
        """As installed inside, part of the key under which baselines are kept."""
        ...

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Make `arrays` available to later tasks under `name` (idempotent; a name always means the same arrays).

        Shelve again before each task: of many packs, those that were not shelved for long are forgotten.

        The arrays are held once by the warm parent and shared copy-on-write, so they must not hold held-out labels.
        """
        ...

    def run(self, task: Task) -> Execution:
        """Run one task to its end. Raises `SandboxError` for faults of ours, never for what a candidate does."""
        ...

    def kill(self, tag: str) -> None:
        """End all running tasks with this tag; their `run` answers KILLED with check `stopped`."""
        ...

    def close(self) -> None: ...
