"""What the past teaches: a new version of the reward model from measured outcomes and votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from engine.features import Facts, describe, facts
from engine.journal import Past, Snapshot
from engine.reward import Landmark, RewardModel, version_of
from sandbox.guest.components.kind import Kind

MINIMUM_OUTCOMES = 30  # below it, nearness to the baselines orders at least as well
MOST_REJECTIONS = 2000  # verdicts, the newest, that the chance of being rejected is learned from
VOICE = 3.0  # the weight of one person's votes together approaches that of this many people who voted once


def learn(
    kind: Kind, past: Sequence[Past], *, at: datetime, baselines: Sequence[Landmark] = (), seed: int = 0
) -> Snapshot | None:
    """A version learned from all of `past`; None while fewer than MINIMUM_OUTCOMES hypotheses were measured.

    Deterministic: the same past in the same order gives the same version. `at` is aware, UTC.
    """
    told = {one.hypothesis.id: describe(kind, one.hypothesis, one.verdict) for one in past if one.score or one.feedback}
    measured = [(one, one.score) for one in past if one.score is not None and one.verdict.behaviour]
    outcomes = [(told[one.hypothesis.id], score.b_wr.value, score.bsota_wr.value) for one, score in measured]
    effects = [score.effect.value for _, score in measured]
    if len(outcomes) < MINIMUM_OUTCOMES:
        return None
    votes, blind = (weighted_votes(past, told, blind=blind) for blind in (False, True))
    rejections = [
        (told.get(one.hypothesis.id) or describe(kind, one.hypothesis, one.verdict), not one.verdict.accepted)
        for one in past[-MOST_REJECTIONS:]
    ]
    known = [(facts(kind, b.behaviour, text=b.name, code=b.code, n_score=0.0), b.b_wr, b.bsota_wr) for b in baselines]
    model = RewardModel.fit(kind, outcomes, votes, known, seed, effects=effects, rejections=rejections, blind=blind)
    weights = model.to_bytes()
    return Snapshot(
        version=version_of(weights), kind=kind.name, weights=weights, outcomes=len(outcomes), votes=model.votes, at=at
    )


def voice(cast: int) -> float:
    """What each of a person's votes weighs who cast so many."""
    return VOICE / (VOICE + cast - 1)


def weighted_votes(
    past: Sequence[Past], told: dict[str, Facts], *, blind: bool = False
) -> list[tuple[Facts, bool, float]]:
    """Each vote with its weight: a person's n votes count 1, 1.5, 1.8, ... and never VOICE together.

    Either those that were cast before figures were shown, or the others.
    """
    cast = Counter(vote.person for one in past for vote in one.feedback if vote.blind == blind)
    return [
        (told[one.hypothesis.id], vote.thumbs_up, voice(cast[vote.person]))
        for one in past
        for vote in one.feedback
        if vote.blind == blind
    ]
