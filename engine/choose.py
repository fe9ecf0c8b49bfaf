"""Which of the candidates are measured: mostly the most promising, some that are new, and always one at random.

A candidate's worth is its predicted chance of being among the best, plus what not knowing it is worth, plus people's
liking. Votes count only here: they change what is tried, never what is predicted of its win rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.journal import Choice, Parts
from engine.reward import Candidate, Prediction, Predictor
from sandbox.guest.components.kind import Kind

PREDICTED = "predicted"
NOVEL = "novel"
AT_RANDOM = "at random"
ASKED_FOR = "asked for"
NOT_YET = "others were predicted to do better"

BEST_SHARE = 0.1  # of the candidates, at least one: what a predicted chance is the chance to be among
BISECTIONS = 60
LEAST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts how much, on the scale of a chance. Settings CONJECTURE_EXPLORATION, _NOVEL_SHARE, _VOTE_WEIGHT."""

    exploration: float = 0.1  # of something of which nothing is known, over something that is known exactly
    novel_share: float = 0.15  # of those to be measured is kept for what resembles nothing tried or voted on
    votes: float = 0.1  # of a certain thumbs up over a certain thumbs down


DEFAULT = Weights()


def choose(
    request_id: str,
    kind: Kind,
    candidates: Sequence[Candidate],
    count: int,
    predictor: Predictor,
    *,
    weights: Weights = DEFAULT,
    novelty: Mapping[str, float] | None = None,
) -> list[Choice]:
    """A choice for every candidate, in the order given; `count` of them are to be measured.

    One of them is drawn at random from all candidates, by the request's id: it shows whether the predictor's order is
    worth anything, and it keeps what is measured from being only what the model likes. `novelty`, by hypothesis, is the
    distance from everything known, measured or voted on; a share is reserved for the farthest. Does not depend on the
    order of the candidates, so a step that runs again chooses the same. When there is room for all, all are measured. A
    request for a single one gets the one predicted best. Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"count is {count}; expected 0 or more hypotheses to measure")
    predictions = dict(zip((h.id for h, _ in candidates), predictor.predict(kind, candidates), strict=True))
    parts = _parts(request_id, predictions, novelty or {}, weights)
    why = _reasons(request_id, parts, count, weights.novel_share)
    version = predictor.version
    return [
        Choice(
            hypothesis_id=hypothesis_id,
            request_id=request_id,
            measured=hypothesis_id in why,
            why=why.get(hypothesis_id, NOT_YET),
            predicted_b_wr=prediction.b_wr,
            predicted_spread=prediction.spread,
            model_version=version,
            parts=parts[hypothesis_id],
        )
        for hypothesis_id, prediction in predictions.items()
    ]


def _parts(
    request_id: str, predictions: Mapping[str, Prediction], novelty: Mapping[str, float], weights: Weights
) -> dict[str, Parts]:
    ids = sorted(predictions)
    merits = np.array([predictions[id].merit for id in ids])
    deviations = np.array([predictions[id].merit_spread for id in ids])
    chance = chances(merits, deviations, max(1, ceil(BEST_SHARE * len(ids)))) if ids else merits
    unknown = deviations / np.maximum(deviations + (merits.std() if ids else 0.0), LEAST_DEVIATION)
    liking = np.array([predictions[id].liking for id in ids])
    exploration, votes = weights.exploration * unknown, weights.votes * liking
    worth = chance + exploration
    places, without = (_places(request_id, ids, order) for order in (worth + votes, worth))
    return {
        id: Parts(
            chance=float(chance[i]),
            exploration=float(exploration[i]),
            votes=float(votes[i]),
            novelty=novelty.get(id, 0.0),
            place=places[id],
            without_votes=without[id],
        )
        for i, id in enumerate(ids)
    }


def chances(merits: NDArray[np.float64], deviations: NDArray[np.float64], best: int) -> NDArray[np.float64]:
    """Of each to be among the `best`: P(merit > bar), the bar being where the chances add up to `best`."""
    spread = np.maximum(deviations, LEAST_DEVIATION)
    low, high = float((merits - 10 * spread).min()), float((merits + 10 * spread).max())
    for _ in range(BISECTIONS):
        bar = (low + high) / 2
        low, high = (bar, high) if ndtr((merits - bar) / spread).sum() > best else (low, bar)
    found: NDArray[np.float64] = ndtr((merits - (low + high) / 2) / spread)
    return found


def _places(request_id: str, ids: Sequence[str], worth: NDArray[np.float64]) -> dict[str, int]:
    """From 1. Equal worth is broken by chance, the same for every run of this request: ids favour no one's order."""
    drawn = {id: number for number, id in enumerate(Random(f"{request_id}/order").sample(ids, len(ids)))}
    known = dict(zip(ids, worth, strict=True))
    best = sorted(ids, key=lambda id: (-round(float(known[id]), 9), drawn[id]))
    return {id: number for number, id in enumerate(best, 1)}


def _reasons(request_id: str, parts: Mapping[str, Parts], count: int, novel_share: float) -> dict[str, str]:
    """Why each of those to be measured is."""
    if count >= len(parts):
        return dict.fromkeys(parts, ASKED_FOR)
    best = sorted(parts, key=lambda id: parts[id].place)
    reasons = {Random(request_id).choice(sorted(parts)): AT_RANDOM} if count > 1 else {}
    reserved = int(novel_share * count) if count > 1 else 0
    newest = sorted(best, key=lambda id: -parts[id].novelty)
    for id in [id for id in newest if id not in reasons and parts[id].novelty > 0][:reserved]:
        reasons[id] = NOVEL
    for id in best:
        if len(reasons) >= count:
            break
        reasons.setdefault(id, PREDICTED)
    return reasons


def moved(choices: Sequence[Choice]) -> list[Choice]:
    """Those whose place votes changed, the farthest first."""

    def steps(choice: Choice) -> int:
        return abs(choice.parts.place - choice.parts.without_votes) if choice.parts else 0

    return sorted((choice for choice in choices if steps(choice)), key=steps, reverse=True)


def explained(choice: Choice) -> str:
    """Why a hypothesis was or was not measured, as one clause for people."""
    if choice.why == AT_RANDOM:
        return "drawn at random, to check the order of the others"
    if choice.why == NOVEL:
        return "chosen because it resembles nothing that was tried or voted on"
    if choice.why == ASKED_FOR or choice.predicted_b_wr is None:
        return choice.why
    by = f"reward model {choice.model_version}" if choice.model_version else "closeness to the baselines"
    spread = f" ± {choice.predicted_spread:.2f}" if choice.predicted_spread is not None else ""
    verb = "chosen" if choice.measured else "not measured yet"
    return f"{verb}: {by} predicts a B-WR of {choice.predicted_b_wr:.2f}{spread}"
