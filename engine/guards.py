"""Guards against the two risks of a reward model: that it collapses, and that it only likes what is known already.

Collapse: what is measured becomes more and more of the same. Watched is the share of the latest ones measured that lie
farther than half the usual distance between published components from everything that was measured before them. When it
falls, a larger share of what is measured is reserved for the new. Leaning: the rank correlation between what is
predicted of candidates and their closeness to the baselines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from engine.journal import Past
from engine.novelty import distances, known_behaviours, spacing
from engine.reward import Candidate, Prediction, Predictor
from sandbox.guest.components.kind import Behaviour, Kind

LATEST = 24  # measured hypotheses that are watched
FEWEST = 12  # with fewer nothing is said
HEALTHY = 0.5  # share of new behaviour from which on nothing is changed
MOST_RESERVED = 0.5  # of what is measured, when nothing was new any more
WATCHED = 200  # accepted hypotheses, the newest, whose predictions are held against closeness to the baselines
REMEMBERED = 1000  # components that candidates are compared with, the newest
USUAL = 0.1  # distance between neighbours for a kind with fewer than two published components


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Of one kind, now."""

    new: float | None  # see `newness`
    reserved: float  # see `reserved`
    leaning: float | None  # see `leaning`


def guards(kind: Kind, past: Sequence[Past], predictor: Predictor, share: float) -> Guards:
    """`share` is what is reserved for the new as long as all is well."""
    new = newness(kind, past)
    accepted = [(one.hypothesis, one.verdict) for one in past if one.verdict.accepted][-WATCHED:]
    return Guards(
        new=new,
        reserved=reserved(share, new),
        leaning=leaning(kind, accepted, predictor.predict(kind, accepted)),
    )


def newness(kind: Kind, past: Sequence[Past]) -> float | None:
    """Share of the LATEST measured that behave like nothing measured before them; None for fewer than FEWEST."""
    seen = [one.verdict.behaviour for one in past if one.score is not None and one.verdict.behaviour]
    watched = range(max(1, len(seen) - LATEST), len(seen))
    if len(watched) < FEWEST:
        return None
    far = (spacing(kind) or USUAL) / 2
    start = max(0, watched[0] - REMEMBERED)
    apart = distances(kind, [seen[i] for i in watched], seen[start:])
    return float(np.mean([apart[row, : i - start].min() > far for row, i in enumerate(watched)]))


def reserved(share: float, new: float | None) -> float:
    """The share of what is measured that is kept for the new: more than `share` when too little was new of late."""
    if new is None or new >= HEALTHY:
        return share
    return share + (max(share, MOST_RESERVED) - share) * (1 - new / HEALTHY)


def unlike_the_past(kind: Kind, candidates: Sequence[Candidate], past: Sequence[Past]) -> dict[str, float]:
    """By hypothesis id: distance, as the N-score's, from everything published, measured or voted on."""
    own = {hypothesis.id for hypothesis, _ in candidates}
    tried = [
        one.verdict.behaviour
        for one in past
        if one.verdict.behaviour and (one.score or one.feedback) and one.hypothesis.id not in own
    ]
    others: list[Behaviour] = [*known_behaviours(kind).values(), *tried[-REMEMBERED:]]
    ran = [(hypothesis.id, verdict.behaviour) for hypothesis, verdict in candidates if verdict.behaviour]
    if not ran or not others:
        return {}
    nearest = distances(kind, [behaviour for _, behaviour in ran], others).min(1)
    return {id: float(distance) for (id, _), distance in zip(ran, nearest, strict=True)}


def leaning(kind: Kind, candidates: Sequence[Candidate], predictions: Sequence[Prediction]) -> float | None:
    """Spearman's rank correlation between predicted merit and closeness to the nearest baseline; None for too few."""
    known = known_behaviours(kind)
    baselines = [known[one.name] for one in kind.baselines]
    ran = [
        (verdict.behaviour, prediction.merit)
        for (_, verdict), prediction in zip(candidates, predictions, strict=True)
        if verdict.behaviour
    ]
    if len(ran) < FEWEST or not baselines:
        return None
    closeness = -distances(kind, [behaviour for behaviour, _ in ran], baselines).min(1)
    merits = [merit for _, merit in ran]
    if len(set(merits)) < 2 or len(set(closeness)) < 2:
        return None
    return float(spearmanr(merits, closeness).statistic)
