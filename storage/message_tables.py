"""The rows about messages: what came in, what went out, what was attached. Private to storage (see tables.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json, Words
from storage.tables import counted


class InquiryRow(SQLModel, table=True):
    __tablename__ = "inquiries"
    __table_args__ = (Index(None, "channel", "thread_ts"),)

    position: int | None = counted()
    id: str = Field(unique=True)
    channel: str
    ts: str
    thread_ts: str | None
    person: str
    text: str = Field(sa_type=Words)
    addressed: bool
    files: list[dict[str, Any]] = Field(sa_type=Json)
    state: str = Field(index=True)
    request_id: str | None = Field(index=True)
    received_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(sa_type=Instant)
    note: str | None = Field(sa_type=Words)


class PostRow(SQLModel, table=True):
    __tablename__ = "posts"
    __table_args__ = (Index(None, "channel", "ts"),)

    position: int | None = counted()
    key: str = Field(unique=True)
    channel: str
    thread_ts: str | None
    intended_at: datetime = Field(sa_type=Instant)
    ts: str | None = None
    digest: str | None = None
    posted_at: datetime | None = Field(default=None, sa_type=Instant)
    detail: dict[str, Any] | None = Field(default=None, sa_type=Json)


class AttachmentRow(SQLModel, table=True):
    __tablename__ = "attachments"
    __table_args__ = (UniqueConstraint("inquiry_id", "digest", "name"),)

    position: int | None = counted()
    inquiry_id: str = Field(foreign_key="inquiries.id")
    digest: str
    name: str = Field(sa_type=Words)
    mimetype: str = Field(sa_type=Words)
    size: int = Field(sa_type=BigInteger)
