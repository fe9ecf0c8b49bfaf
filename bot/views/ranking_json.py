"""A ranking for programs: what `conjecture ask --json` prints, kept in the ledger beside the message that shows it."""

from __future__ import annotations

from typing import Any

from engine.ranking import Place, Ranking
from engine.score import Estimate

Json = dict[str, Any]


def as_json(ranked: Ranking) -> Json:
    return {
        "kind": ranked.kind,
        "generated": len(ranked.places) + len(ranked.rejected) + len(ranked.not_measured),
        "ranking": [_place(place) for place in ranked.places],
        "rejected": [
            {
                "title": r.hypothesis.title,
                "reason": r.reason,
                "check": r.check,
                "inherits": _rates(r.inherited.b_wr, r.inherited.bsota_wr) if r.inherited else None,
            }
            for r in ranked.rejected
        ],
        "not_measured": [{"title": h.title, "hypothesis_id": h.id} for h in ranked.not_measured],
        "references": [
            {
                "kind": ranked.kind,
                "baseline": row.baseline,
                "b_wr": row.b_wr.value,
                "b_wr_interval": _interval(row.b_wr),
                "bsota_wr": row.bsota_wr.value,
                "bsota_wr_interval": _interval(row.bsota_wr),
                "effects_against": row.baseline == ranked.best,
            }
            for row in ranked.references
        ],
        "effect_against": ranked.best,
        "stopped": ranked.stopped,
    }


def _place(place: Place) -> Json:
    hypothesis, score, verdict = place.hypothesis, place.score, place.verdict
    return {
        "rank": place.rank,
        "hypothesis_id": hypothesis.id,
        "kind": hypothesis.kind,
        "generator": hypothesis.generator,
        "strategy": hypothesis.strategy.value,
        "title": hypothesis.title,
        "promising": place.promising,
        "effect": place.effect.value,
        "effect_interval": _interval(place.effect),
        "effect_raw": score.effect.value,
        **_rates(score.b_wr, score.bsota_wr),
        "n_score": verdict.novelty.n_score if verdict.novelty else None,
        "nearest": verdict.novelty.nearest if verdict.novelty else None,
        "nearest_source": verdict.novelty.nearest_source if verdict.novelty else None,
        "cost_ratio": verdict.cost_ratio,
        "parameters": verdict.parameters,
        "accuracy_difference": place.beside.accuracy if place.beside else None,
        "final_loss_difference": place.beside.final if place.beside else None,
        "diverged": score.diverged,
        "trials": len(score.trials),
        "factor": score.factor,
        "step_size_effect": place.step_size_effect,
        "matched": [
            {
                "words": row.words,
                "won": row.won.value,
                "won_interval": _interval(row.won),
                **_rates(row.b_wr, row.bsota_wr),
            }
            for row in place.matched
        ],
        "seconds": score.seconds,
        "sandbox": score.sandbox,
        "tier": score.tier,
        "rerun": _rates(place.rerun.b_wr, place.rerun.bsota_wr) if place.rerun else None,
        "repeated": place.repetition.repeated if place.repetition else None,
        "repetition": place.repetition.words if place.repetition else None,
    }


def _rates(b_wr: Estimate, bsota_wr: Estimate) -> Json:
    return {
        "b_wr": b_wr.value,
        "b_wr_interval": _interval(b_wr),
        "bsota_wr": bsota_wr.value,
        "bsota_wr_interval": _interval(bsota_wr),
    }


def _interval(estimate: Estimate) -> list[float]:
    return [estimate.low, estimate.high]
