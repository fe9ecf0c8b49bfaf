"""Papers that are read in a thread, the ideas that came of them, and what people said to those."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, func, update
from sqlmodel import col, select

from engine.experiment.plan import Plan
from engine.papers.ideas import Idea
from engine.papers.liking import Opinion
from storage.database import insert_once, reading, table_of, upsert, writing
from storage.errors import NotRecorded
from storage.idea_tables import IdeaRow, IdeaVoteRow, ReadingRow


class Progress(StrEnum):
    UNREAD = "unread"
    READ = "read"
    REFUSED = "refused"  # it is no paper that can be read; the thread says why
    STOPPED = "stopped"
    FAILED = "failed"  # through a fault of ours; may be tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One paper of one message."""

    id: str
    inquiry_id: str
    name: str  # as people know it: a file's name, "arXiv:2408.14033", "pasted text"
    digest: str | None = None  # of the attached file; None: the message's text names or holds the paper
    paper_id: str | None = None  # once it is in the library
    state: Progress = Progress.UNREAD


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptIdea:
    id: str
    reading_id: str
    number: int  # from 1, as people count the ideas of a thread
    idea: Idea
    approved_by: str | None = None
    approved_at: datetime | None = None  # aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaVote:
    """One a person and idea; the later counts."""

    idea_id: str
    person: str
    thumbs_up: bool
    at: datetime  # aware, UTC: of the click


class SqlIdeas:
    """Thread-safe: each call is one transaction on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- papers

    def begin(self, begun: Reading) -> None:
        """Doing it again changes nothing."""
        values = {name: getattr(begun, name) for name in Reading.__slots__} | {"state": str(begun.state)}
        with writing(self._engine) as session:
            insert_once(session, ReadingRow(**values), "id")

    def reading(self, reading_id: str) -> Reading:
        """Raises NotRecorded."""
        with reading(self._engine) as session:
            row = session.exec(select(ReadingRow).where(ReadingRow.id == reading_id)).first()
        if row is None:
            raise NotRecorded(f"No reading {reading_id!r} was begun.")
        return _reading(row)

    def readings(self, inquiry_ids: Sequence[str]) -> list[Reading]:
        """Of these messages, in the order in which they were begun."""
        asked = select(ReadingRow).where(col(ReadingRow.inquiry_id).in_(inquiry_ids))
        with reading(self._engine) as session:
            return [_reading(row) for row in session.exec(asked.order_by(col(ReadingRow.position)))]

    def update(self, reading_id: str, *, state: Progress | None = None, paper_id: str | None = None) -> None:
        values = {name: value for name, value in (("state", state), ("paper_id", paper_id)) if value is not None}
        with writing(self._engine) as session:
            change = update(table_of(ReadingRow)).where(col(ReadingRow.id) == reading_id).values(values)
            if session.connection().execute(change).rowcount == 0:
                raise NotRecorded(f"No reading {reading_id!r} was begun.")

    # --- ideas

    def record(self, reading_id: str, ideas: Sequence[Idea], among: Sequence[str]) -> None:
        """What came of a reading; what is recorded of it first stays. among: all readings of the thread."""
        with writing(self._engine) as session:
            if session.exec(select(IdeaRow.id).where(IdeaRow.reading_id == reading_id)).first() is not None:
                return
            before = session.exec(select(func.max(IdeaRow.number)).where(col(IdeaRow.reading_id).in_(among))).one() or 0
            session.add_all(
                IdeaRow.of(idea_id(reading_id, n), reading_id, before + n, idea)
                for n, idea in enumerate(ideas, start=1)
            )

    def idea(self, wanted: str) -> KeptIdea:
        """Raises NotRecorded."""
        found = self._where(col(IdeaRow.id) == wanted)
        if not found:
            raise NotRecorded(f"No idea {wanted!r} is recorded.")
        return found[0]

    def ideas(self, reading_ids: Sequence[str]) -> list[KeptIdea]:
        return self._where(col(IdeaRow.reading_id).in_(reading_ids))

    def replan(self, wanted: str, plan: Plan) -> bool:
        """False: it was approved, so its plan is fixed."""
        return self._changed(wanted, plan=plan.as_json())

    def approve(self, wanted: str, person: str, at: datetime) -> bool:
        """False: it was approved before, and stays as it is."""
        return self._changed(wanted, approved_by=person, approved_at=at)

    def _changed(self, wanted: str, **values: Any) -> bool:
        change = update(table_of(IdeaRow)).where(col(IdeaRow.id) == wanted, col(IdeaRow.approved_by).is_(None))
        with writing(self._engine) as session:
            return session.connection().execute(change.values(values)).rowcount > 0

    def _where(self, *conditions: Any) -> list[KeptIdea]:
        with reading(self._engine) as session:
            rows = session.exec(select(IdeaRow).where(*conditions).order_by(col(IdeaRow.number)))
            return [_kept(row) for row in rows]

    # --- votes

    def vote(self, vote: IdeaVote) -> bool:
        """False: the person's later vote is there already."""
        with writing(self._engine) as session:
            same = (IdeaVoteRow.idea_id == vote.idea_id, IdeaVoteRow.person == vote.person)
            known = session.exec(select(IdeaVoteRow).where(*same)).first()
            if known is not None and known.at > vote.at:
                return False
            row = IdeaVoteRow(**{name: getattr(vote, name) for name in IdeaVote.__slots__})
            upsert(session, [row], "idea_id", "person")
        return True

    def opinions(self) -> list[Opinion]:
        """Every vote with its idea, the newest last."""
        asked = select(IdeaVoteRow, IdeaRow).join(IdeaRow, col(IdeaRow.id) == IdeaVoteRow.idea_id)
        with reading(self._engine) as session:
            found = session.exec(asked.order_by(col(IdeaVoteRow.at), col(IdeaVoteRow.position)))
            return [Opinion(idea=idea.value(), person=vote.person, thumbs_up=vote.thumbs_up) for vote, idea in found]

    def votes(self, wanted: str) -> list[IdeaVote]:
        asked = select(IdeaVoteRow).where(IdeaVoteRow.idea_id == wanted).order_by(col(IdeaVoteRow.position))
        with reading(self._engine) as session:
            rows = session.exec(asked)
            return [IdeaVote(**{name: getattr(row, name) for name in IdeaVote.__slots__}) for row in rows]


def idea_id(reading_id: str, number: int) -> str:
    return "i-" + hashlib.sha256(f"{reading_id}/{number}".encode()).hexdigest()[:8]


def _reading(row: ReadingRow) -> Reading:
    values = {name: getattr(row, name) for name in Reading.__slots__} | {"state": Progress(row.state)}
    return Reading(**values)


def _kept(row: IdeaRow) -> KeptIdea:
    names = ("id", "reading_id", "number", "approved_by", "approved_at")
    return KeptIdea(**{name: getattr(row, name) for name in names}, idea=row.value())
