"""The engine's journal in a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Engine, func, or_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import defer
from sqlmodel import SQLModel, col, select

from engine.errors import UnknownThing
from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import SCREENINGS, Choice, Epoch, Past, Snapshot
from engine.request import Request, Strategy
from engine.score import BaselineTrials, Score
from engine.verdict import Verdict
from storage.database import insert_once, is_missing_reference, reading, upsert, writing
from storage.score_tables import BaselineRow, EpochRow, ScoreRow
from storage.tables import (
    ChoiceRow,
    FeedbackRow,
    GeneratorFaultsRow,
    HypothesisRow,
    RequestRow,
    SnapshotRow,
    StopRow,
    VerdictRow,
)

POSITION = col(HypothesisRow.position)
SCREENED = or_(*(col(ScoreRow.suite).startswith(name) for name in SCREENINGS))

WITHOUT_TRIALS = [defer(cast(Any, column)) for column in (ScoreRow.trials, ScoreRow.grid)]


class SqlJournal:
    """Thread-safe: each call is one transaction on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record_request(self, request: Request) -> None:
        self._record([RequestRow.of(request)], "id")

    def request(self, request_id: str) -> Request:
        with reading(self._engine) as session:
            row = session.exec(select(RequestRow).where(RequestRow.id == request_id)).first()
        if row is None:
            raise UnknownThing(f"No request {request_id!r} is recorded.")
        return row.value()

    def stop(self, request_id: str) -> None:
        self._record([StopRow(request_id=request_id)], "request_id")

    def stopped(self, request_id: str) -> bool:
        with reading(self._engine) as session:
            return session.exec(select(StopRow).where(StopRow.request_id == request_id)).first() is not None

    def record_hypotheses(self, hypotheses: Sequence[Hypothesis]) -> None:
        self._record([HypothesisRow.of(hypothesis) for hypothesis in hypotheses], "id")

    def hypotheses(self, request_id: str) -> list[Hypothesis]:
        query = select(HypothesisRow).where(HypothesisRow.request_id == request_id).order_by(POSITION)
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(query)]

    def hypothesis(self, hypothesis_id: str) -> Hypothesis:
        with reading(self._engine) as session:
            row = session.exec(select(HypothesisRow).where(HypothesisRow.id == hypothesis_id)).first()
        if row is None:
            raise UnknownThing(f"No hypothesis {hypothesis_id!r} is recorded.")
        return row.value()

    def used_titles(self, kind: str) -> list[str]:
        query = select(HypothesisRow.title).where(
            HypothesisRow.kind == kind, HypothesisRow.strategy != str(Strategy.BY_HAND)
        )
        with reading(self._engine) as session:
            return list(session.exec(query.order_by(POSITION)))

    def record_generator_faults(self, request_id: str, faults: Sequence[str]) -> None:
        self._record([GeneratorFaultsRow(request_id=request_id, faults=list(faults))], "request_id")

    def generator_faults(self, request_id: str) -> list[str]:
        with reading(self._engine) as session:
            row = session.exec(select(GeneratorFaultsRow).where(GeneratorFaultsRow.request_id == request_id)).first()
        return row.faults if row else []

    def record_verdict(self, verdict: Verdict) -> None:
        self._record([VerdictRow.of(verdict)], "hypothesis_id")

    def verdicts(self, request_id: str) -> dict[str, Verdict]:
        query = select(VerdictRow).join(HypothesisRow).where(HypothesisRow.request_id == request_id)
        with reading(self._engine) as session:
            rows = session.exec(query.order_by(col(VerdictRow.position)))
            return {row.hypothesis_id: row.value() for row in rows}

    def record_choices(self, choices: Sequence[Choice]) -> None:
        self._record([ChoiceRow.of(choice) for choice in choices], "request_id", "hypothesis_id")

    def choices(self, request_id: str) -> dict[str, Choice]:
        query = select(ChoiceRow).where(ChoiceRow.request_id == request_id).order_by(col(ChoiceRow.position))
        with reading(self._engine) as session:
            return {row.hypothesis_id: row.value() for row in session.exec(query)}

    def record_score(self, score: Score) -> None:
        self._record([ScoreRow.of(score)], "hypothesis_id", "suite", "seeds")

    def scores(self, request_id: str) -> list[Score]:
        query = select(ScoreRow).join(HypothesisRow).where(HypothesisRow.request_id == request_id)
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(query.order_by(col(ScoreRow.position)))]

    def record_baseline(self, trials: BaselineTrials) -> None:
        key = ("kind", "baseline", "suite", "seeds", "torch_version", "device", "code_digest")
        self._record([BaselineRow.of(trials)], *key)

    def baselines(
        self, kind: str, suite: str, seeds: tuple[int, ...], torch_version: str, device: str
    ) -> list[BaselineTrials]:
        query = select(BaselineRow).where(
            BaselineRow.kind == kind,
            BaselineRow.suite == suite,
            BaselineRow.seeds == seeds,
            BaselineRow.torch_version == torch_version,
            BaselineRow.device == device,
        )
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(query.order_by(col(BaselineRow.position)))]

    def record_feedback(self, feedback: Feedback) -> None:
        self._record([FeedbackRow.of(feedback)], "hypothesis_id", "person", "blind")

    def feedback(self, hypothesis_id: str) -> list[Feedback]:
        query = select(FeedbackRow).where(FeedbackRow.hypothesis_id == hypothesis_id)
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(query.order_by(col(FeedbackRow.position)))]

    def past(self, kind: str) -> list[Past]:
        judged = select(HypothesisRow, VerdictRow).join(VerdictRow).where(HypothesisRow.kind == kind)
        scored = (
            select(ScoreRow)
            .options(*WITHOUT_TRIALS)
            .join(HypothesisRow)
            .where(HypothesisRow.kind == kind, SCREENED)
            .order_by(col(ScoreRow.position))
        )
        voted = (
            select(FeedbackRow)
            .join(HypothesisRow)
            .where(HypothesisRow.kind == kind)
            .order_by(col(FeedbackRow.position))
        )
        scores: dict[str, Score] = {}
        votes: dict[str, list[Feedback]] = {}
        with reading(self._engine) as session:
            for score in session.exec(scored):
                scores.setdefault(score.hypothesis_id, score.summary())
            for vote in session.exec(voted):
                votes.setdefault(vote.hypothesis_id, []).append(vote.value())
            return [
                Past(
                    hypothesis=hypothesis.value(),
                    verdict=verdict.value(),
                    score=scores.get(hypothesis.id),
                    feedback=tuple(votes.get(hypothesis.id, ())),
                )
                for hypothesis, verdict in session.exec(judged.order_by(POSITION))
            ]

    def outcomes(self, kind: str) -> int:
        scored = (
            select(func.count(func.distinct(ScoreRow.hypothesis_id)))
            .join(HypothesisRow, col(HypothesisRow.id) == col(ScoreRow.hypothesis_id))
            .join(VerdictRow, col(VerdictRow.hypothesis_id) == col(ScoreRow.hypothesis_id))
            .where(HypothesisRow.kind == kind, SCREENED)
        )
        with reading(self._engine) as session:
            return session.exec(scored).one()

    def rescored(self, kind: str) -> list[Score]:
        often = select(ScoreRow.hypothesis_id).where(SCREENED).group_by(ScoreRow.hypothesis_id).having(func.count() > 1)
        scored = (
            select(ScoreRow)
            .options(*WITHOUT_TRIALS)
            .join(HypothesisRow)
            .where(HypothesisRow.kind == kind, SCREENED, col(ScoreRow.hypothesis_id).in_(often))
        )
        with reading(self._engine) as session:
            return [row.summary() for row in session.exec(scored.order_by(col(ScoreRow.position)))]

    def measured_since(self, at: datetime | None) -> tuple[int, datetime | None]:
        scored = (
            select(func.count(func.distinct(ScoreRow.hypothesis_id)), func.min(RequestRow.created_at))
            .join(HypothesisRow, col(HypothesisRow.id) == col(ScoreRow.hypothesis_id))
            .join(RequestRow, col(RequestRow.id) == col(HypothesisRow.request_id))
        )
        if at is not None:
            scored = scored.where(col(RequestRow.created_at) >= at)
        with reading(self._engine) as session:
            return session.exec(scored).one()

    def begin_epoch(self, epoch: Epoch) -> None:
        with writing(self._engine) as session:
            insert_once(session, EpochRow.of(epoch), "number")

    def epochs(self) -> list[Epoch]:
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(select(EpochRow).order_by(col(EpochRow.number)))]

    def record_snapshot(self, snapshot: Snapshot) -> None:
        self._record([SnapshotRow.of(snapshot)], "kind", "version")

    def latest_snapshot(self, kind: str) -> Snapshot | None:
        newest_first = (col(SnapshotRow.at).desc(), col(SnapshotRow.position).desc())
        with reading(self._engine) as session:
            row = session.exec(select(SnapshotRow).where(SnapshotRow.kind == kind).order_by(*newest_first)).first()
        return row.value() if row else None

    def _record(self, rows: Sequence[SQLModel], *key: str) -> None:
        try:
            with writing(self._engine) as session:
                upsert(session, rows, *key)
        except IntegrityError as error:
            if is_missing_reference(error):
                raise UnknownThing(_what_may_be_missing(rows)) from error
            raise


def _what_may_be_missing(rows: Sequence[SQLModel]) -> str:
    named = {
        f"{name.removesuffix('_id')} {value!r}"
        for row in rows
        for name in ("request_id", "hypothesis_id")
        if (value := getattr(row, name, None)) is not None
    }
    return f"Record first what this refers to; not recorded is one of: {', '.join(sorted(named))}."
