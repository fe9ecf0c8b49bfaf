"""The rows of teams' own models. Private to storage (see tables.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json, Words
from storage.tables import counted


class OwnSuiteRow(SQLModel, table=True):
    __tablename__ = "own_suites"
    __table_args__ = (UniqueConstraint("name", "version"),)

    position: int | None = counted()
    name: str
    version: int
    digest: str
    file: str = Field(sa_type=Words)
    source: bytes
    data: bytes
    facts: dict[str, Any] = Field(sa_type=Json)
    checked: dict[str, Any] = Field(sa_type=Json)
    added_at: datetime = Field(sa_type=Instant)
    approved_by: str | None
    approved_at: datetime | None = Field(sa_type=Instant)
    removed_at: datetime | None = Field(default=None, sa_type=Instant)
