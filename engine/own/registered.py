"""A team's model as it is kept: what was declared, what a check of it showed, and who approved its cost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.errors import OwnSuiteError
from engine.own.check import Checked
from engine.own.data import read_data
from engine.own.declared import declared
from engine.own.suite import VERSION, OwnSuite
from engine.suite import SUITES, Suite, suite_of
from sandbox.guest.components.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    suite: OwnSuite
    checked: Checked
    file: str  # where it was read from, for people
    added_at: datetime  # aware, UTC
    approved_by: str | None = None  # None: nobody has agreed to its cost yet
    approved_at: datetime | None = None


class OwnSuites(Protocol):
    """Every version of every team's model. A version never changes; another file is another version. Thread-safe."""

    def add(self, registered: Registered) -> None: ...

    def latest(self, name: str) -> Registered | None:
        """None for a name that was never added, or was removed."""
        ...

    def version(self, name: str, version: int) -> Registered | None:
        """Also of a name that was removed: what was measured on it can still be read."""
        ...

    def newest_version(self, name: str) -> int:
        """0 for a name that was never added; one that was removed counts on."""
        ...

    def all(self) -> list[Registered]:
        """The latest version of each name that was not removed, by name."""
        ...

    def approve(self, name: str, version: int, person: str, at: datetime) -> None:
        """The first approval stays."""
        ...

    def remove(self, name: str) -> bool:
        """False when there is none."""
        ...


def read_suite(path: Path, newest_version: Callable[[str], int]) -> OwnSuite:
    """What the file at `path` declares, with its data, as the version after the newest. Raises OwnSuiteError."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise OwnSuiteError(f"{path} cannot be read: {error.strerror}.") from error
    found = declared(source)
    data = read_data(found, path.parent)
    digest = hashlib.sha256(source + repr((data.name, data.labels, data.columns)).encode())
    for array in (data.inputs, data.targets, data.groups):
        if array is not None:
            digest.update(str((array.dtype, array.shape)).encode() + np.ascontiguousarray(array).tobytes())
    return OwnSuite(
        name=found.name,
        version=newest_version(found.name) + 1,
        source=source,
        data=data,
        metric=found.metric,
        budget=found.budget,
        standardize=found.standardize,
        digest=digest.hexdigest(),
    )


def suites_with(own: OwnSuites) -> Callable[[Kind, str], Suite | OwnSuite]:
    """The suite of a name as components of a kind need it: one of ours, or a team's model (`ranker`, `ranker@2`).

    What it answers raises ValueError for a name that is none.
    """

    def named(kind: Kind, name: str) -> Suite | OwnSuite:
        if name in SUITES:
            return suite_of(kind, name)
        base, _, version = name.partition(VERSION)
        found = own.version(base, int(version)) if version.isdigit() else own.latest(base)
        if found is None:
            raise ValueError(f"there is no suite {name!r}; expected one of {', '.join(known_names(own.all()))}")
        return found.suite.for_kind(kind)

    return named


def known_names(own: Sequence[Registered]) -> list[str]:
    return [*SUITES, *(registered.suite.name for registered in own)]
