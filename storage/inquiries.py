"""Every message that we answer, and how far the answer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Engine, update
from sqlmodel import col, or_, select

from storage.database import insert_once, reading, table_of, writing
from storage.errors import NotRecorded
from storage.message_tables import InquiryRow


class State(StrEnum):
    RECEIVED = "received"
    WORKING = "working"
    ANSWERED = "answered"
    FAILED = "failed"
    STOPPED = "stopped"


UNFINISHED = (State.RECEIVED, State.WORKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """A file as the message names it: enough to fetch it after a restart."""

    id: str  # Slack's
    name: str
    mimetype: str  # as claimed
    url: str  # private: asks for the bot's token
    size: int | None = None  # bytes, as claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    id: str  # see `inquiry_id`
    channel: str
    ts: str
    thread_ts: str | None  # None: it is in no thread, or starts one
    person: str
    text: str
    addressed: bool = True  # it names the bot, or is in a conversation with it alone; else it is in a thread of ours
    files: tuple[Enclosed, ...] = ()
    state: State = State.RECEIVED
    request_id: str | None = None
    received_at: datetime  # aware, UTC
    finished_at: datetime | None = None
    note: str | None = None  # why it failed or was stopped


def inquiry_id(channel: str, ts: str) -> str:
    """The same for every delivery of one message: Slack redelivers, and a mention arrives as two events."""
    return f"{channel}-{ts}"


class SqlInquiries:
    """Thread-safe: each call is one transaction on a connection of its own. Lists are in the order of arrival."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def receive(self, inquiry: Inquiry) -> bool:
        """False: it is there already, and stays as it is."""
        values = {name: getattr(inquiry, name) for name in Inquiry.__slots__}
        values |= {"files": [asdict(file) for file in inquiry.files], "state": str(inquiry.state)}
        with writing(self._engine) as session:
            return insert_once(session, InquiryRow(**values), "id")

    def update(
        self, id: str, *, state: State | str | None = None, request_id: str | None = None, note: str | None = None
    ) -> None:
        """Change what is given. The state says whether it is finished, and when. Raises NotRecorded."""
        values: dict[str, Any] = {}
        if state is not None:
            state = State(state)
            values |= {"state": str(state), "finished_at": None if state in UNFINISHED else datetime.now(UTC)}
        if request_id is not None:
            values["request_id"] = request_id
        if note is not None:
            values["note"] = note
        if not values:
            raise TypeError("update() needs a state, a request_id or a note")
        with writing(self._engine) as session:
            change = update(table_of(InquiryRow)).where(col(InquiryRow.id) == id).values(values)
            if session.connection().execute(change).rowcount == 0:
                raise NotRecorded(f"No inquiry {id!r} was received.")

    def get(self, id: str) -> Inquiry:
        """Raises NotRecorded."""
        found = self._where(col(InquiryRow.id) == id)
        if not found:
            raise NotRecorded(f"No inquiry {id!r} was received.")
        return found[0]

    def in_thread(self, channel: str, thread_ts: str) -> list[Inquiry]:
        """The message that started the thread, if it was one of them, and those below it."""
        in_it = or_(col(InquiryRow.ts) == thread_ts, col(InquiryRow.thread_ts) == thread_ts)
        return self._where(col(InquiryRow.channel) == channel, in_it)

    def of_request(self, request_id: str) -> Inquiry:
        """The one that asked for it: the first with this request. Raises NotRecorded."""
        found = self._where(col(InquiryRow.request_id) == request_id)
        if not found:
            raise NotRecorded(f"No inquiry asked for the request {request_id!r}.")
        return found[0]

    def unfinished(self) -> list[Inquiry]:
        return self._where(col(InquiryRow.state).in_([str(state) for state in UNFINISHED]))

    def _where(self, *conditions: ColumnElement[bool]) -> list[Inquiry]:
        with reading(self._engine) as session:
            rows: Sequence[InquiryRow] = session.exec(
                select(InquiryRow).where(*conditions).order_by(col(InquiryRow.position))
            ).all()
        return [_value(row) for row in rows]


def _value(row: InquiryRow) -> Inquiry:
    values = {name: getattr(row, name) for name in Inquiry.__slots__}
    values |= {"files": tuple(Enclosed(**file) for file in row.files), "state": State(row.state)}
    return Inquiry(**values)
