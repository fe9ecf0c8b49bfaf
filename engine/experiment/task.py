"""A task template: a question to data, a metric with its direction, and prototype code that answers it and runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import TaskDataError, UnknownThing
from engine.experiment.published import Published
from sandbox.workspace import Numbers, RunLimits

Array = NDArray[Any]
ENTRY = "train.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A data set as it lies on the host, labels included.

    columns: what may be looked at, by name: [n] objects (text, float, or None where a value is missing), or arrays
    [n, ...] such as images. targets: float64 [n], class numbers or values; or uint8 [n, height, width], masks.
    """

    name: str
    columns: Mapping[str, Array]
    targets: Array
    target: str  # what is predicted, as the column of the training part is called
    metrics: tuple[str, ...]  # that can judge it; the first unless a plan says otherwise
    licence: str
    provenance: str  # where it came from, with versions
    classes: tuple[str, ...] = ()  # the names of class 0, 1, ...; empty: values or masks
    invented: bool = False  # made up by us; says nothing about the world

    @property
    def rows(self) -> int:
        return len(self.targets)

    @property
    def digest(self) -> str:
        """sha256 over columns and targets, in the order of the rows."""
        found = hashlib.sha256()
        for name, values in (*self.columns.items(), (self.target, self.targets)):
            found.update(json.dumps([name, str(values.dtype), values.shape]).encode())
            found.update(json.dumps(values.tolist()).encode() if values.dtype == object else values.tobytes())
        return found.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a data set can be had. `load` gets CONJECTURE_HOME and raises TaskDataError with advice."""

    name: str
    title: str
    licence: str
    provenance: str
    needs: str  # in words: what is downloaded or must be put where; "nothing"
    load: Callable[[Path], Data]
    original: bool = False  # the data set of the published evaluation, which cannot be had without asking for it
    invented: bool = False
    published: Published | None = None  # what came with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The prototype is the baseline: it runs as it is, on the same splits and under the same limits as a candidate.

    sources: in the order of preference; the last of those that are not original needs no network.
    """

    name: str
    title: str
    description: str
    prediction: str  # in words, what one row of predictions.npy is
    kind: Numbers
    metrics: tuple[str, ...]  # that can judge it, on one data set or another; the first is usual
    keywords: tuple[str, ...]
    sources: tuple[Source, ...]
    folder: Path  # with prototype/
    entry: str = ENTRY
    limits: RunLimits = field(default_factory=lambda: RunLimits(wall_seconds=300, memory_mib=3072, cores=2))

    @property
    def baseline(self) -> str:
        """What the prototype does, in the words of its README's second line."""
        lines = [line for line in (self.folder / "prototype" / "README.md").read_text().splitlines() if line.strip()]
        return lines[1]

    def prototype(self) -> dict[str, bytes]:
        """The workspace that every experiment begins with."""
        folder = self.folder / "prototype"
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def source(self, name: str) -> Source:
        """Raises UnknownThing."""
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources)
        raise UnknownThing(f"The task {self.name} has no data set {name!r}. It has: {known}.")

    def load(self, home: Path, name: str | None = None) -> Data:
        """The named data set, or the first that can be had here. Raises TaskDataError with advice, UnknownThing."""
        if name is not None:
            return self.source(name).load(home)
        reasons = []
        for source in self.sources:
            if not source.original:
                try:
                    return source.load(home)
                except TaskDataError as error:
                    reasons.append(f"{source.name}: {error}")
        raise TaskDataError(f"No data for the task {self.name} can be had here. {' | '.join(reasons)}")


def table(columns: Mapping[str, list[Any]], targets: list[float], **facts: Any) -> Data:
    """Rows of a table without repetitions: the same inputs on both sides of a split would be an answer given away."""
    rows = list(zip(*columns.values(), strict=True))
    first = sorted({row: number for number, row in reversed(list(enumerate(rows)))}.values())
    kept = {name: np.array([values[number] for number in first], dtype=object) for name, values in columns.items()}
    return Data(columns=kept, targets=np.array([targets[number] for number in first], dtype=np.float64), **facts)
