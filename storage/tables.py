"""The rows. Private to storage: each turns a value of the engine into a row and back.

Every table counts its rows in `position`, so that reads answer in the order of recording, and has a unique key made
by the engine, so that recording twice is harmless. Columns that are asked for or counted are columns; what is only
read back whole is JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import Choice, Parts, Snapshot
from engine.request import Request, Strategy
from engine.verdict import Novelty, Verdict
from sandbox.execution import Outcome
from storage.arrays import pack, unpack
from storage.columns import Instant, Json, Position, Words

# Every constraint has a name, so that a later migration can speak of it.
SQLModel.metadata.naming_convention = {
    "pk": "%(table_name)s_pk",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    "ix": "%(table_name)s_%(column_0_N_name)s_index",
}


def counted() -> Any:
    """The primary key of every table: its rows in the order of recording."""
    return Field(default=None, primary_key=True, sa_type=Position)


class RequestRow(SQLModel, table=True):
    __tablename__ = "requests"

    position: int | None = counted()
    id: str = Field(unique=True)
    text: str = Field(sa_type=Words)
    kinds: list[str] = Field(sa_type=Json)
    count: int
    counts: list[int] = Field(sa_type=Json)
    strategies: list[str] = Field(sa_type=Json)
    purpose: str = Field(sa_type=Words)
    asked_by: str = Field(sa_type=Words)
    created_at: datetime = Field(sa_type=Instant)
    suite: str

    @classmethod
    def of(cls, request: Request) -> RequestRow:
        return cls(
            id=request.id,
            text=request.text,
            kinds=list(request.kinds),
            count=request.count,
            counts=list(request.counts),
            strategies=[str(strategy) for strategy in request.strategies],
            purpose=request.purpose,
            asked_by=request.asked_by,
            created_at=request.created_at,
            suite=request.suite,
        )

    def value(self) -> Request:
        return Request(
            id=self.id,
            text=self.text,
            kinds=tuple(self.kinds),
            count=self.count,
            counts=tuple(self.counts),
            strategies=tuple(Strategy(strategy) for strategy in self.strategies),
            purpose=self.purpose,
            asked_by=self.asked_by,
            created_at=self.created_at,
            suite=self.suite,
        )


class StopRow(SQLModel, table=True):
    """Without a foreign key: a person may say "stop" before the request's first step has recorded it."""

    __tablename__ = "stops"

    position: int | None = counted()
    request_id: str = Field(unique=True)


class GeneratorFaultsRow(SQLModel, table=True):
    __tablename__ = "generator_faults"

    position: int | None = counted()
    request_id: str = Field(unique=True, foreign_key="requests.id")
    faults: list[str] = Field(sa_type=Json)


class HypothesisRow(SQLModel, table=True):
    __tablename__ = "hypotheses"

    position: int | None = counted()
    id: str = Field(unique=True)
    request_id: str = Field(foreign_key="requests.id", index=True)
    kind: str = Field(index=True)
    title: str = Field(sa_type=Words)
    claim: str = Field(sa_type=Words)
    rationale: str = Field(sa_type=Words)
    inspiration: str = Field(sa_type=Words)
    source: bytes
    strategy: str
    generator: str = Field(sa_type=Words)
    origin: str | None
    prompt_digest: str | None

    @classmethod
    def of(cls, hypothesis: Hypothesis) -> HypothesisRow:
        return cls(
            id=hypothesis.id,
            request_id=hypothesis.request_id,
            kind=hypothesis.kind,
            title=hypothesis.title,
            claim=hypothesis.claim,
            rationale=hypothesis.rationale,
            inspiration=hypothesis.inspiration,
            source=hypothesis.source,
            strategy=str(hypothesis.strategy),
            generator=hypothesis.generator,
            origin=hypothesis.origin,
            prompt_digest=hypothesis.prompt_digest,
        )

    def value(self) -> Hypothesis:
        return Hypothesis(
            id=self.id,
            request_id=self.request_id,
            kind=self.kind,
            title=self.title,
            claim=self.claim,
            rationale=self.rationale,
            inspiration=self.inspiration,
            source=self.source,
            strategy=Strategy(self.strategy),
            generator=self.generator,
            origin=self.origin,
            prompt_digest=self.prompt_digest,
        )


class VerdictRow(SQLModel, table=True):
    __tablename__ = "verdicts"

    position: int | None = counted()
    hypothesis_id: str = Field(unique=True, foreign_key="hypotheses.id")
    outcome: str
    check: str | None = Field(sa_type=Words)
    reason: str | None = Field(sa_type=Words)
    behaviour: bytes
    novelty: dict[str, Any] | None = Field(sa_type=Json)
    parameters: int | None = Field(sa_type=BigInteger)
    cost_ratio: float | None
    seconds: float
    sandbox: str

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictRow:
        novelty = verdict.novelty
        return cls(
            hypothesis_id=verdict.hypothesis_id,
            outcome=str(verdict.outcome),
            check=verdict.check,
            reason=verdict.reason,
            behaviour=pack(verdict.behaviour),
            novelty=None if novelty is None else {name: getattr(novelty, name) for name in Novelty.__slots__},
            parameters=verdict.parameters,
            cost_ratio=verdict.cost_ratio,
            seconds=verdict.seconds,
            sandbox=str(verdict.sandbox),
        )

    def value(self) -> Verdict:
        return Verdict(
            hypothesis_id=self.hypothesis_id,
            outcome=Outcome(self.outcome),
            check=self.check,
            reason=self.reason,
            behaviour=unpack(self.behaviour),
            novelty=None if self.novelty is None else Novelty(**self.novelty),
            parameters=self.parameters,
            cost_ratio=self.cost_ratio,
            seconds=self.seconds,
            sandbox=self.sandbox,
        )


class ChoiceRow(SQLModel, table=True):
    __tablename__ = "choices"
    __table_args__ = (UniqueConstraint("request_id", "hypothesis_id"),)

    position: int | None = counted()
    hypothesis_id: str = Field(foreign_key="hypotheses.id")
    request_id: str = Field(foreign_key="requests.id")
    measured: bool
    why: str
    predicted_b_wr: float | None
    predicted_spread: float | None
    model_version: str | None
    parts: dict[str, Any] | None = Field(sa_type=Json)

    @classmethod
    def of(cls, choice: Choice) -> ChoiceRow:
        plain = {name: getattr(choice, name) for name in Choice.__slots__ if name != "parts"}
        return cls(**plain, parts=asdict(choice.parts) if choice.parts else None)

    def value(self) -> Choice:
        plain = {name: getattr(self, name) for name in Choice.__slots__ if name != "parts"}
        return Choice(**plain, parts=Parts(**self.parts) if self.parts else None)


class FeedbackRow(SQLModel, table=True):
    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("hypothesis_id", "person", "blind"),)

    position: int | None = counted()
    hypothesis_id: str = Field(foreign_key="hypotheses.id")
    person: str
    thumbs_up: bool
    seen: dict[str, Any] = Field(sa_type=Json)
    at: datetime = Field(sa_type=Instant)
    blind: bool

    @classmethod
    def of(cls, feedback: Feedback) -> FeedbackRow:
        return cls(
            hypothesis_id=feedback.hypothesis_id,
            person=feedback.person,
            thumbs_up=feedback.thumbs_up,
            seen=dict(feedback.seen),
            at=feedback.at,
            blind=feedback.blind,
        )

    def value(self) -> Feedback:
        return Feedback(
            person=self.person,
            hypothesis_id=self.hypothesis_id,
            thumbs_up=self.thumbs_up,
            seen=self.seen,
            at=self.at,
            blind=self.blind,
        )


class SnapshotRow(SQLModel, table=True):
    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("kind", "version"),)

    position: int | None = counted()
    kind: str
    version: str
    weights: bytes
    outcomes: int
    votes: int
    at: datetime = Field(sa_type=Instant)

    @classmethod
    def of(cls, snapshot: Snapshot) -> SnapshotRow:
        return cls(**{name: getattr(snapshot, name) for name in Snapshot.__slots__})

    def value(self) -> Snapshot:
        return Snapshot(**{name: getattr(self, name) for name in Snapshot.__slots__})
