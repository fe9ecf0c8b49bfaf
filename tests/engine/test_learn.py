"""What counts as an outcome, and how far votes carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from engine.features import describe
from engine.journal import Past
from engine.learn import MINIMUM_OUTCOMES, VOICE, learn, weighted_votes
from engine.reward import predictor
from sandbox.guest.components.kind import Kind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MakePast = Callable[..., list[Past]]
Vote = Callable[[Past, str, bool], Past]
LEAKY, FOLDED = (1.0, 0.3, 0.0), (1.0, -0.6, 0.0)


def liking(kind: Kind, past: Sequence[Past], of: Past) -> float:
    """Predicted probability of a thumbs up."""
    snapshot = learn(kind, past, at=NOW)
    (predicted,) = predictor(kind, snapshot, ()).predict(kind, [(of.hypothesis, of.verdict)])
    assert predicted.thumbs_up is not None
    return predicted.thumbs_up


def test_too_few_outcomes_teach_nothing(curves: Kind, make_past: MakePast) -> None:
    past = make_past(MINIMUM_OUTCOMES - 1) + make_past(50, start=100, measured=False)
    assert learn(curves, past, at=NOW) is None


def test_a_version_says_what_it_learned_from(curves: Kind, make_past: MakePast, vote: Vote) -> None:
    past = make_past(MINIMUM_OUTCOMES) + make_past(5, start=100, measured=False)
    snapshot = learn(curves, [*past[:-1], vote(vote(past[-1], "ann", True), "bob", False)], at=NOW)
    assert snapshot is not None
    assert (snapshot.kind, snapshot.outcomes, snapshot.votes, snapshot.at) == ("curve", MINIMUM_OUTCOMES, 2, NOW)
    assert predictor(curves, snapshot, ()).version == snapshot.version


def test_what_resembles_the_liked_is_expected_to_be_liked(curves: Kind, make_past: MakePast, vote: Vote) -> None:
    past = make_past(MINIMUM_OUTCOMES)
    liked, disliked, like_the_liked, like_the_disliked = make_past(
        start=100, measured=False, shapes=[LEAKY, FOLDED, (1.1, 0.32, 0.02), (1.1, -0.62, 0.02)]
    )
    for person in ("ann", "bob", "eve"):
        liked, disliked = vote(liked, person, True), vote(disliked, person, False)
    past += [liked, disliked]
    assert liking(curves, past, like_the_liked) > 0.55
    assert liking(curves, past, like_the_disliked) < 0.45


def test_a_changed_vote_counts_as_what_it_was_changed_to(curves: Kind, make_past: MakePast, vote: Vote) -> None:
    past = make_past(MINIMUM_OUTCOMES)
    (judged,) = make_past(start=100, measured=False, shapes=[LEAKY])
    up, down = (liking(curves, [*past, vote(judged, "ann", choice)], judged) for choice in (True, False))
    assert up > 0.5 > down


def test_one_person_cannot_outvote_several(curves: Kind, make_past: MakePast, vote: Vote) -> None:
    past = make_past(MINIMUM_OUTCOMES)
    shapes = [(1.0, 0.3 + 0.001 * i, 0.0) for i in range(40)]
    flooded = [vote(one, "mallory", False) for one in make_past(start=100, measured=False, shapes=shapes)]
    people = ["ann", "bob", "cid", "dan", "eve"]
    mixed = [vote(one, people[i], True) if i < len(people) else one for i, one in enumerate(flooded)]
    assert liking(curves, past + mixed, mixed[0]) > 0.5


def test_a_vote_weighs_less_the_more_its_person_votes(curves: Kind, make_past: MakePast, vote: Vote) -> None:
    past = [vote(one, "mallory", True) for one in make_past(20)]
    past[0] = vote(past[0], "ann", False)
    told = {one.hypothesis.id: describe(curves, one.hypothesis, one.verdict) for one in past}
    votes = weighted_votes(past, told)
    flood = [weight for _, thumbs_up, weight in votes if thumbs_up]
    single = [weight for _, thumbs_up, weight in votes if not thumbs_up]
    assert single == [1.0]
    assert len(flood) == 20
    assert sum(flood) < VOICE
    assert sum(flood) == pytest.approx(20 * VOICE / (VOICE + 19))
