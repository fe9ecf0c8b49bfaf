"""What a study cost, time and money apart, for generation, evaluation and confirmation each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.study_results import Results
from engine.study_sources import Source

MILLION = 1_000_000


def cost(results: Results) -> dict[str, dict[str, Any]]:
    """Seconds of one worker (of a sandbox job, or of a model's answers); money in whatever the prices are in.

    Null where nobody counted or nobody gave a price. Includes what earlier runs measured. Training runs on the team's
    own machine, so only generation has a price.
    """
    subjects = results.subjects
    scores = {(o.hypothesis_id, o.suite, o.seeds): o for s in subjects for o in (s.screened, s.again, s.truth) if o}
    confirmed = results.confirmed
    return {
        "generation": {
            "seconds": _total(source.seconds for source in results.plan.sources),
            "prompt_tokens": _total(source.prompt_tokens for source in results.plan.sources),
            "completion_tokens": _total(source.completion_tokens for source in results.plan.sources),
            "money": _total(money(source, results.plan.prices) for source in results.plan.sources),
        },
        "evaluation": {
            "validation_seconds": sum(s.verdict.seconds for s in subjects),
            "screening_seconds": sum(s.screened.seconds for s in subjects if s.screened is not None),
            "seconds": sum(s.verdict.seconds for s in subjects) + sum(score.seconds for score in scores.values()),
            "money": None,
        },
        "confirmation": {"seconds": confirmed.seconds if confirmed else None, "money": None},
    }


def money(source: Source, prices: tuple[float, float] | None) -> float | None:
    """`prices` are of a million prompt tokens and of a million completion tokens."""
    if prices is None or source.prompt_tokens is None or source.completion_tokens is None:
        return None
    return (prices[0] * source.prompt_tokens + prices[1] * source.completion_tokens) / MILLION


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
