"""Teams' own models in a database, data and all: whoever evaluates needs nothing but the database."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Engine, func, update
from sqlmodel import col, select

from engine.own.check import Checked
from engine.own.data import Data
from engine.own.declared import declared
from engine.own.registered import Registered
from engine.own.suite import OwnSuite
from storage.database import insert_once, reading, table_of, writing
from storage.errors import DamagedRecord
from storage.suite_tables import OwnSuiteRow

CACHED = 16  # versions whose data stays in memory
COLUMNS = tuple(name for name in OwnSuiteRow.model_fields if name not in ("data", "source"))


class SqlOwnSuites:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._suite = lru_cache(CACHED)(self._read)  # a version never changes

    def add(self, registered: Registered) -> None:
        suite = registered.suite
        row = OwnSuiteRow(
            name=suite.name,
            version=suite.version,
            digest=suite.digest,
            file=registered.file,
            source=suite.source,
            data=_packed(suite.data),
            facts={"name": suite.data.name, "labels": suite.data.labels, "columns": suite.data.columns},
            checked=asdict(registered.checked),
            added_at=registered.added_at,
            approved_by=registered.approved_by,
            approved_at=registered.approved_at,
        )
        with writing(self._engine) as session:
            insert_once(session, row, "name", "version")

    def latest(self, name: str) -> Registered | None:
        found = [one for one in self.all() if one.suite.name == name]
        return found[0] if found else None

    def version(self, name: str, version: int) -> Registered | None:
        found = self._where(col(OwnSuiteRow.name) == name, col(OwnSuiteRow.version) == version)
        return found[0] if found else None

    def newest_version(self, name: str) -> int:
        with reading(self._engine) as session:
            newest = session.exec(select(func.max(OwnSuiteRow.version)).where(col(OwnSuiteRow.name) == name)).first()
        return newest or 0

    def all(self) -> list[Registered]:
        newest = {one.suite.name: one for one in self._where(col(OwnSuiteRow.removed_at).is_(None))}
        return [newest[name] for name in sorted(newest)]

    def approve(self, name: str, version: int, person: str, at: datetime) -> None:
        unapproved = (col(OwnSuiteRow.name) == name, col(OwnSuiteRow.version) == version)
        change = update(table_of(OwnSuiteRow)).where(*unapproved, col(OwnSuiteRow.approved_by).is_(None))
        with writing(self._engine) as session:
            session.connection().execute(change.values(approved_by=person, approved_at=at))

    def remove(self, name: str) -> bool:
        there = (col(OwnSuiteRow.name) == name, col(OwnSuiteRow.removed_at).is_(None))
        with writing(self._engine) as session:
            change = update(table_of(OwnSuiteRow)).where(*there).values(removed_at=datetime.now(UTC))
            return session.connection().execute(change).rowcount > 0

    def _where(self, *conditions: ColumnElement[bool]) -> list[Registered]:
        """In the order of versions, without reading the data of what is in memory."""
        columns = [getattr(table_of(OwnSuiteRow).c, name) for name in COLUMNS]
        with reading(self._engine) as session:
            rows = session.connection().execute(select(*columns).where(*conditions).order_by(col(OwnSuiteRow.version)))
            found = [row._mapping for row in rows]
        return [self._registered(dict(row)) for row in found]

    def _registered(self, row: Mapping[str, Any]) -> Registered:
        return Registered(
            suite=self._suite(row["name"], row["version"]),
            checked=_checked(row["checked"]),
            file=row["file"],
            added_at=row["added_at"],
            approved_by=row["approved_by"],
            approved_at=row["approved_at"],
        )

    def _read(self, name: str, version: int) -> OwnSuite:
        with reading(self._engine) as session:
            there = (col(OwnSuiteRow.name) == name, col(OwnSuiteRow.version) == version)
            row = session.exec(select(OwnSuiteRow).where(*there)).one()
            found = declared(row.source)
            return OwnSuite(
                name=row.name,
                version=row.version,
                source=row.source,
                data=_unpacked(row.data, row.facts),
                metric=found.metric,
                budget=found.budget,
                standardize=found.standardize,
                digest=row.digest,
            )


def _checked(found: Mapping[str, Any]) -> Checked:
    return Checked(**{**found, "tried": tuple(found["tried"]), "warnings": tuple(found["warnings"])})


def _packed(data: Data) -> bytes:
    arrays = {"inputs": data.inputs, "targets": data.targets}
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, allow_pickle=False, **arrays, **({} if data.groups is None else {"groups": data.groups})
    )
    return buffer.getvalue()


def _unpacked(packed: bytes, facts: Mapping[str, Any]) -> Data:
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return Data(
                name=facts["name"],
                inputs=arrays["inputs"],
                targets=arrays["targets"],
                labels=None if facts["labels"] is None else tuple(facts["labels"]),
                groups=arrays["groups"] if "groups" in arrays.files else None,
                columns=tuple(facts["columns"]),
            )
    except (ValueError, OSError, KeyError) as error:
        raise DamagedRecord(f"{len(packed)} bytes kept as a team's data cannot be read: {error}") from error
