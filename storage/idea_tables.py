"""The rows of papers read in a thread, their ideas, and votes on those. Private to storage (see tables.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.experiment.plan import Cost, read_plan
from engine.papers.ideas import Idea
from engine.papers.reading import Quote
from storage.columns import Instant, Json, Words
from storage.tables import counted


class ReadingRow(SQLModel, table=True):
    __tablename__ = "readings"

    position: int | None = counted()
    id: str = Field(unique=True)
    inquiry_id: str = Field(foreign_key="inquiries.id", index=True)
    name: str = Field(sa_type=Words)
    digest: str | None
    paper_id: str | None
    state: str


class IdeaRow(SQLModel, table=True):
    __tablename__ = "ideas"
    __table_args__ = (UniqueConstraint("reading_id", "number"),)

    position: int | None = counted()
    id: str = Field(unique=True)
    reading_id: str = Field(foreign_key="readings.id")
    number: int
    title: str = Field(sa_type=Words)
    hypothesis: str = Field(sa_type=Words)
    novelty: str = Field(sa_type=Words)
    quote: str | None = Field(sa_type=Words, nullable=True)
    page: int | None
    kind: str | None
    catalogue_id: str | None
    code: str = Field(sa_type=Words)
    plan: dict[str, Any] = Field(sa_type=Json)
    approved_by: str | None
    approved_at: datetime | None = Field(sa_type=Instant)

    @classmethod
    def of(cls, idea_id: str, reading_id: str, number: int, idea: Idea) -> IdeaRow:
        plain = {name: getattr(idea, name) for name in _PLAIN}
        return cls(
            **plain,
            id=idea_id,
            reading_id=reading_id,
            number=number,
            quote=idea.quote.text if idea.quote else None,
            page=idea.quote.page if idea.quote else None,
            plan=idea.plan.as_json(),
            approved_by=None,
            approved_at=None,
        )

    def value(self) -> Idea:
        quote = Quote(text=self.quote, page=self.page) if self.quote is not None and self.page is not None else None
        plan, cost = read_plan(self.plan), self.plan["cost"]
        plan = replace(plan, cost=Cost(**cost)) if cost else plan
        return Idea(**{name: getattr(self, name) for name in _PLAIN}, quote=quote, plan=plan)


class IdeaVoteRow(SQLModel, table=True):
    """Kept apart from votes on components: another head of the reward model learns from them."""

    __tablename__ = "idea_votes"
    __table_args__ = (UniqueConstraint("idea_id", "person"),)

    position: int | None = counted()
    idea_id: str = Field(foreign_key="ideas.id")
    person: str
    thumbs_up: bool
    at: datetime = Field(sa_type=Instant)


_PLAIN = ("title", "hypothesis", "novelty", "kind", "catalogue_id", "code")
