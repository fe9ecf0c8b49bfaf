"""The rows of confirmations. Private to storage (see tables.py)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.finding import Closing, Confirmation, Origin, Part, Round
from engine.score import Estimate
from storage.columns import Instant, Json, Seeds, Words
from storage.tables import counted

ESTIMATES = ("mean", "unseen", "effect", "b_wr", "bsota_wr")


class RoundRow(SQLModel, table=True):
    __tablename__ = "confirmation_rounds"

    position: int | None = counted()
    id: str = Field(unique=True)
    number: int = Field(unique=True)
    request_id: str = Field(foreign_key="requests.id")
    kind: str
    family: list[str] = Field(sa_type=Json)
    asked_by: str | None = Field(sa_type=Words)
    suite: str
    epoch: int
    data_sets: list[str] = Field(sa_type=Json)
    seeds: tuple[int, ...] = Field(sa_type=Seeds, unique=True)
    margin: float
    alpha: float
    wealth: float
    planned_at: datetime = Field(sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_after: int | None = None
    best: str | None = None

    @classmethod
    def of(cls, planned: Round) -> RoundRow:
        plain = {name: getattr(planned, name) for name in Round.__slots__ if name != "closing"}
        return cls(**plain | {"family": list(planned.family), "data_sets": list(planned.data_sets)})

    def value(self, confirmations: list[Confirmation]) -> Round:
        plain = {name: getattr(self, name) for name in Round.__slots__ if name != "closing"}
        closing = None
        if self.closed_at is not None and self.closed_after is not None:
            closing = Closing(
                at=self.closed_at, after=self.closed_after, best=self.best, confirmations=tuple(confirmations)
            )
        tuples = {"family": tuple(self.family), "data_sets": tuple(self.data_sets)}
        return Round(**plain | tuples, closing=closing)


class ConfirmationRow(SQLModel, table=True):
    __tablename__ = "confirmations"
    __table_args__ = (UniqueConstraint("round_id", "hypothesis_id"),)

    position: int | None = counted()
    round_id: str = Field(foreign_key="confirmation_rounds.id")
    hypothesis_id: str = Field(foreign_key="hypotheses.id")
    finding: bool
    mean: list[float] | None = Field(sa_type=Json)
    unseen: list[float] | None = Field(sa_type=Json)
    effect: list[float] | None = Field(sa_type=Json)
    b_wr: list[float] | None = Field(sa_type=Json)
    bsota_wr: list[float] | None = Field(sa_type=Json)
    p: float
    adjusted_p: float
    step_size_effect: bool
    split: bool
    fault: str = Field(sa_type=Words)

    @classmethod
    def of(cls, found: Confirmation) -> ConfirmationRow:
        plain = {name: getattr(found, name) for name in Confirmation.__slots__}
        return cls(**plain | {name: _as_json(getattr(found, name)) for name in ESTIMATES})

    def value(self) -> Confirmation:
        plain = {name: getattr(self, name) for name in Confirmation.__slots__}
        return Confirmation(**plain | {name: _estimate(getattr(self, name)) for name in ESTIMATES})


class OriginRow(SQLModel, table=True):
    __tablename__ = "origins"

    position: int | None = counted()
    hypothesis_id: str = Field(unique=True, foreign_key="hypotheses.id")
    told: dict[str, Any] = Field(sa_type=Json)

    @classmethod
    def of(cls, origin: Origin) -> OriginRow:
        told = asdict(origin)
        told |= {"whole": _as_json(origin.whole), "share": _as_json(origin.share)}
        told["parts"] = [[part.without, _as_json(part.effect), part.fault] for part in origin.parts]
        return cls(hypothesis_id=origin.hypothesis_id, told=told)

    def value(self) -> Origin:
        parts = [Part(without=name, effect=_estimate(row), fault=fault) for name, row, fault in self.told["parts"]]
        estimates = {name: _estimate(self.told[name]) for name in ("whole", "share")}
        return Origin(**self.told | estimates | {"parts": tuple(parts)})


def _as_json(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None else [estimate.value, estimate.low, estimate.high]


def _estimate(row: list[float] | None) -> Estimate | None:
    return None if row is None else Estimate(value=row[0], low=row[1], high=row[2])
