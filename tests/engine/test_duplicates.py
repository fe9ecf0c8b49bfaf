"""Which earlier hypothesis a duplicate repeats, and the scores that it takes over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from engine.duplicates import originals, repeated
from engine.journal import Past
from engine.memory import MemoryJournal
from engine.request import Request, Strategy
from engine.verdict import Novelty
from sandbox.guest.components.kind import Kind

MakePast = Callable[..., list[Past]]


def novelty(of: str | None, id: str | None = None) -> Novelty:
    return Novelty(n_score=0.0, nearest="ramp", nearest_source="", duplicate_of=of, duplicate_id=id)


def test_the_earlier_hypothesis_is_found_and_a_known_function_is_none(curves: Kind, make_past: MakePast) -> None:
    earlier = [(one.hypothesis, one.verdict.behaviour) for one in make_past(3)]
    title, id = earlier[1][0].title, earlier[1][0].id
    assert repeated(curves, novelty(title), earlier) == id
    assert repeated(curves, novelty("ramp"), earlier) is None
    assert repeated(curves, novelty(None), earlier) is None


def test_only_scores_on_the_same_suite_and_seeds_are_taken_over(make_past: MakePast) -> None:
    journal = MemoryJournal()
    for id in ("r1", "r2"):
        journal.record_request(
            Request(
                id=id,
                text="",
                kinds=("curve",),
                count=1,
                strategies=(Strategy.NOVEL,),
                purpose="",
                asked_by="U1",
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    old, new = make_past(2)
    again = replace(new.hypothesis, request_id="r2")
    journal.record_hypotheses([old.hypothesis, again])
    journal.record_verdict(replace(new.verdict, novelty=novelty(old.hypothesis.title, old.hypothesis.id)))
    assert old.score is not None
    journal.record_score(old.score)
    journal.record_score(replace(old.score, suite="full-1"))
    assert originals(journal, "r2", "screen-1", (0, 1)) == {old.hypothesis.id: old.score}
    assert originals(journal, "r2", "other", (0, 1)) == {}
