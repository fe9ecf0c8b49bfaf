"""A part of a sandbox for work that nobody waits for, so that what people wait for finds a free place."""

from __future__ import annotations

from collections.abc import Mapping
from threading import BoundedSemaphore

from sandbox.execution import Array, Execution, Level, Sandbox, Task


class Share:
    """Half of the places of another sandbox, one at least. Closing it closes nothing: the other one is not its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.parallel = max(1, sandbox.parallel // 2)
        self._places = BoundedSemaphore(self.parallel)

    @property
    def level(self) -> Level:
        return self._sandbox.level

    @property
    def torch_version(self) -> str:
        return self._sandbox.torch_version

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None:
        self._sandbox.shelve(name, arrays)

    def run(self, task: Task) -> Execution:
        with self._places:
            return self._sandbox.run(task)

    def kill(self, tag: str) -> None:
        self._sandbox.kill(tag)

    def close(self) -> None:
        pass
