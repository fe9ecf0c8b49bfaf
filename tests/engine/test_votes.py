"""Votes show their effect, blind ones are counted apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from engine.choose import DEFAULT
from engine.features import describe
from engine.feedback import Feedback
from engine.journal import Choice, Parts, Past
from engine.learn import weighted_votes
from engine.memory import MemoryJournal
from engine.request import Request, Strategy
from engine.votes import Blind, blind, moves
from sandbox.guest.components.kind import Kind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MakePast = Callable[..., list[Past]]


def voted(one: Past, thumbs_up: bool, blind: bool = True, person: str = "ann") -> Past:
    vote = Feedback(person=person, hypothesis_id=one.hypothesis.id, thumbs_up=thumbs_up, at=NOW, blind=blind)
    return replace(one, feedback=(*one.feedback, vote))


def test_a_blind_vote_is_right_when_it_tells_the_better_half(curves: Kind, make_past: MakePast) -> None:
    good, bad, middle = make_past(shapes=[(1, 0.2, 0), (1, -1, 1), (1, 0.5, 0.5)])
    assert blind([voted(good, True), voted(bad, False), voted(middle, False)]) == Blind(right=3, cast=3)
    assert blind([voted(good, False), voted(bad, True), middle]) == Blind(right=0, cast=2)


def test_a_vote_that_saw_figures_is_no_prediction(curves: Kind, make_past: MakePast) -> None:
    assert blind([voted(one, True, blind=False) for one in make_past(3)]) == Blind(right=0, cast=0)


def test_blind_and_sighted_votes_are_learned_from_apart(curves: Kind, make_past: MakePast) -> None:
    (one,) = make_past(1)
    past = [voted(voted(one, True, blind=True), False, blind=False)]
    told = {one.hypothesis.id: describe(curves, one.hypothesis, one.verdict)}
    (before,), (after,) = (weighted_votes(past, told, blind=side) for side in (True, False))
    assert (before[1], after[1]) == (True, False)
    assert before[2] == after[2] == 1.0


def test_a_place_that_votes_moved_is_told_with_where_it_was(make_past: MakePast) -> None:
    journal, past = MemoryJournal(), make_past(2)
    journal.record_request(
        Request(
            id="r1",
            text="",
            kinds=("curve",),
            count=2,
            strategies=(Strategy.NOVEL,),
            purpose="",
            asked_by="U1",
            created_at=NOW,
        )
    )
    journal.record_hypotheses([one.hypothesis for one in past])
    for one, place, without in zip(past, (1, 2), (4, 2), strict=True):
        parts = Parts(chance=0.5, exploration=0.1, votes=DEFAULT.votes, novelty=0.2, place=place, without_votes=without)
        journal.record_choices(
            [Choice(hypothesis_id=one.hypothesis.id, request_id="r1", measured=True, why="predicted", parts=parts)]
        )
    (move,) = moves(journal, past)
    assert (move.title, move.place, move.without_votes) == (past[0].hypothesis.title, 1, 4)
