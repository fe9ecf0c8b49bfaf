"""What came of components that a person wrote, file by file, in the order given."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.try_results import Tried
from engine.hypothesis import Hypothesis
from engine.ranking import Place, Ranking
from engine.verdict import Verdict
from sandbox.execution import Outcome


def tried(ranked: Ranking, hypotheses: Sequence[Hypothesis], verdicts: dict[str, Verdict]) -> list[Tried]:
    places = {place.hypothesis.id: place for place in ranked.places}
    reasons = {rejection.hypothesis.id: rejection.reason for rejection in ranked.rejected}
    return [
        scored(places[h.id]) if h.id in places else refused(h, verdicts.get(h.id), reasons.get(h.id))
        for h in hypotheses
        if h.kind == ranked.kind
    ]


def scored(place: Place) -> Tried:
    novelty = place.verdict.novelty
    return Tried(
        file=place.hypothesis.title,
        outcome="scored",
        effect=place.effect,
        b_wr=place.score.b_wr,
        bsota_wr=place.score.bsota_wr,
        n_score=novelty.n_score if novelty else None,
        nearest=novelty.nearest if novelty else None,
        duplicate_of=novelty.duplicate_of if novelty else None,
        cost_ratio=place.verdict.cost_ratio,
    )


def refused(hypothesis: Hypothesis, verdict: Verdict | None, reason: str | None) -> Tried:
    killed = verdict is not None and verdict.outcome is Outcome.KILLED
    return Tried(
        file=hypothesis.title,
        outcome="killed" if killed else "rejected",
        reason=reason or (verdict.reason if verdict else None) or "It was stopped before it was measured.",
    )
