"""The ledger of what we post, so that nothing is posted twice.

A post is intended before it is made and recorded after it. After a crash, one that is recorded was made, one that is
not even intended was not, and one that is intended but not recorded may have been: look for it in the channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, update
from sqlmodel import col, select

from storage.database import insert_once, reading, table_of, writing
from storage.errors import NotRecorded
from storage.message_tables import PostRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    key: str  # what is posted, e.g. "<request id>/ranking"
    channel: str
    thread_ts: str | None
    intended_at: datetime  # aware, UTC; of the first intention
    ts: str | None = None  # None: intended, perhaps made
    digest: str | None = None  # of the content that is there now
    posted_at: datetime | None = None  # when it was first recorded


class SqlPosts:
    """Thread-safe: each call is one transaction on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, key: str) -> Post | None:
        with reading(self._engine) as session:
            row = session.exec(select(PostRow).where(PostRow.key == key)).first()
        return None if row is None else Post(**{name: getattr(row, name) for name in Post.__slots__})

    def intend(self, key: str, channel: str, thread_ts: str | None) -> bool:
        """Call before posting. False: it was intended before, so `find` it first; nothing is changed."""
        row = PostRow(key=key, channel=channel, thread_ts=thread_ts, intended_at=datetime.now(UTC))
        with writing(self._engine) as session:
            return insert_once(session, row, "key")

    def record(self, key: str, ts: str, digest: str, detail: Mapping[str, object] | None = None) -> None:
        """It is there, under `ts`. Recording again (after an edit) replaces the digest, and the detail if given.

        `detail` is JSON: what a reader sees in it, e.g. the hypothesis, its rank and its figures.
        Raises NotRecorded for a post that was never intended.
        """
        values: dict[str, Any] = {"ts": ts, "digest": digest}
        values["posted_at"] = func.coalesce(col(PostRow.posted_at), datetime.now(UTC))
        if detail is not None:
            values["detail"] = dict(detail)
        with writing(self._engine) as session:
            done = session.connection().execute(update(table_of(PostRow)).where(col(PostRow.key) == key).values(values))
        if done.rowcount == 0:
            raise NotRecorded(f"The post {key!r} was never intended; call intend({key!r}, ...) before posting.")

    def shows(self, channel: str, ts: str) -> dict[str, Any] | None:
        """The detail of the message, or None when it has none or is not ours."""
        query = select(PostRow.detail).where(
            PostRow.channel == channel, PostRow.ts == ts, col(PostRow.detail).is_not(None)
        )
        with reading(self._engine) as session:
            detail = session.exec(query.order_by(col(PostRow.position).desc())).first()
        return None if detail is None else dict(detail)
