"""The rows of what was measured: scores, baselines, epochs of the suites. Private to storage, as those of tables.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.journal import Epoch
from engine.score import BaselineTrials, Estimate, Score, Trial, Tried
from storage.columns import Instant, Json, Seeds, Words
from storage.tables import counted


class ScoreRow(SQLModel, table=True):
    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("hypothesis_id", "suite", "seeds"),)

    position: int | None = counted()
    hypothesis_id: str = Field(foreign_key="hypotheses.id")
    suite: str
    seeds: tuple[int, ...] = Field(sa_type=Seeds)
    trials: list[list[Any]] = Field(sa_type=Json)
    b_wr: list[float] = Field(sa_type=Json)
    bsota_wr: list[float] = Field(sa_type=Json)
    effect: list[float] = Field(sa_type=Json)
    diverged: int
    seconds: float
    tier: str
    sandbox: str
    device: str
    factor: float | None
    grid: list[list[Any]] | None = Field(sa_type=Json)

    @classmethod
    def of(cls, score: Score) -> ScoreRow:
        return cls(
            hypothesis_id=score.hypothesis_id,
            suite=score.suite,
            seeds=score.seeds,
            trials=_trials_as_json(score.trials),
            b_wr=_estimate_as_json(score.b_wr),
            bsota_wr=_estimate_as_json(score.bsota_wr),
            effect=_estimate_as_json(score.effect),
            diverged=score.diverged,
            seconds=score.seconds,
            tier=score.tier,
            sandbox=str(score.sandbox),
            device=score.device,
            factor=score.factor,
            grid=_grid_as_json(score.grid),
        )

    def value(self) -> Score:
        return replace(self.summary(), trials=_trials(self.trials), grid=_grid(self.grid))

    def summary(self) -> Score:
        """Without trials and grid, which need not be loaded."""
        return Score(
            hypothesis_id=self.hypothesis_id,
            suite=self.suite,
            seeds=self.seeds,
            trials=(),
            b_wr=_estimate(self.b_wr),
            bsota_wr=_estimate(self.bsota_wr),
            effect=_estimate(self.effect),
            diverged=self.diverged,
            seconds=self.seconds,
            tier=self.tier,
            sandbox=self.sandbox,
            device=self.device,
            factor=self.factor,
        )


class BaselineRow(SQLModel, table=True):
    __tablename__ = "baseline_trials"
    __table_args__ = (
        UniqueConstraint(
            "kind", "baseline", "suite", "seeds", "torch_version", "device", "code_digest", name="baseline_trials_key"
        ),
    )

    position: int | None = counted()
    kind: str
    baseline: str
    suite: str
    seeds: tuple[int, ...] = Field(sa_type=Seeds)
    torch_version: str
    device: str
    code_digest: str
    trials: list[list[Any]] = Field(sa_type=Json)
    seconds: float
    factor: float | None
    grid: list[list[Any]] | None = Field(sa_type=Json)

    @classmethod
    def of(cls, known: BaselineTrials) -> BaselineRow:
        plain = {name: getattr(known, name) for name in BaselineTrials.__slots__ if name not in ("trials", "grid")}
        return cls(**plain, trials=_trials_as_json(known.trials), grid=_grid_as_json(known.grid))

    def value(self) -> BaselineTrials:
        plain = {name: getattr(self, name) for name in BaselineTrials.__slots__ if name not in ("trials", "grid")}
        return BaselineTrials(**plain, trials=_trials(self.trials), grid=_grid(self.grid))


class EpochRow(SQLModel, table=True):
    __tablename__ = "epochs"

    position: int | None = counted()
    number: int = Field(unique=True)
    at: datetime = Field(sa_type=Instant)
    why: str = Field(sa_type=Words)

    @classmethod
    def of(cls, epoch: Epoch) -> EpochRow:
        return cls(**{name: getattr(epoch, name) for name in Epoch.__slots__})

    def value(self) -> Epoch:
        return Epoch(number=self.number, at=self.at, why=self.why)


def _estimate_as_json(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.low, estimate.high]


def _estimate(row: list[float]) -> Estimate:
    value, low, high = row
    return Estimate(value=value, low=low, high=high)


def _trials_as_json(trials: tuple[Trial, ...]) -> list[list[Any]]:
    return [[trial.cell, trial.seed, trial.loss, trial.accuracy, trial.final_loss] for trial in trials]


def _trials(rows: list[list[Any]]) -> tuple[Trial, ...]:
    """Rows of the first version have no final loss."""
    return tuple(
        Trial(cell=cell, seed=seed, loss=loss, accuracy=accuracy, final_loss=final[0] if final else None)
        for cell, seed, loss, accuracy, *final in rows
    )


def _grid_as_json(grid: tuple[Tried, ...]) -> list[list[Any]] | None:
    return [[one.factor, *one.losses] for one in grid] or None


def _grid(rows: list[list[Any]] | None) -> tuple[Tried, ...]:
    return tuple(Tried(factor=factor, losses=tuple(losses)) for factor, *losses in rows or [])
