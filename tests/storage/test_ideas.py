"""Papers read in a thread, their ideas and votes on those, over both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from engine.experiment.plan import read_plan
from engine.papers.ideas import Idea
from engine.papers.reading import Quote
from storage.errors import NotRecorded
from storage.ideas import IdeaVote, Progress, Reading, SqlIdeas
from storage.inquiries import Inquiry, SqlInquiries

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST = Reading(id="rd-1", inquiry_id="C1-1.0", name="a.pdf", digest="0" * 64)
SECOND = Reading(id="rd-2", inquiry_id="C1-1.0", name="pasted text")


@pytest.fixture(params=["sqlite", "postgresql"])
def ideas(request: pytest.FixtureRequest, empty_tables: Callable[[Engine], None]) -> SqlIdeas:
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    empty_tables(engine)
    asked = Inquiry(id="C1-1.0", channel="C1", ts="1.0", thread_ts=None, person="U1", text="read", received_at=NOW)
    SqlInquiries(engine).receive(asked)
    kept = SqlIdeas(engine)
    for one in (FIRST, SECOND):
        kept.begin(one)
    return kept


def idea(title: str) -> Idea:
    return Idea(
        title=title,
        hypothesis="Gaps tell something.",
        novelty="Nearest known: nothing.",
        plan=read_plan({"task": "tabular", "hypothesis": "Gaps tell something."}),
        quote=Quote(text="Values are missing.", page=3),
        kind="activation",
        catalogue_id="snake",
        code="def build(): ...",
    )


def test_a_reading_comes_back_as_it_was_begun_and_updated(ideas: SqlIdeas) -> None:
    ideas.update("rd-1", state=Progress.REFUSED)
    assert ideas.readings(["C1-1.0"]) == [replace(FIRST, state=Progress.REFUSED), SECOND]
    with pytest.raises(NotRecorded, match="rd-9"):
        ideas.reading("rd-9")


def test_ideas_come_back_and_are_numbered_through_the_readings_of_a_thread(ideas: SqlIdeas) -> None:
    among = ["rd-1", "rd-2"]
    ideas.record("rd-1", [idea("A"), idea("B")], among)
    ideas.record("rd-2", [idea("C")], among)
    assert [(one.number, one.idea) for one in ideas.ideas(among)] == [(1, idea("A")), (2, idea("B")), (3, idea("C"))]


def test_what_was_recorded_of_a_reading_first_stays(ideas: SqlIdeas) -> None:
    ideas.record("rd-1", [idea("A")], ["rd-1"])
    ideas.record("rd-1", [idea("B"), idea("C")], ["rd-1"])
    assert [one.idea.title for one in ideas.ideas(["rd-1"])] == ["A"]


def test_an_approved_plan_is_fixed_and_the_first_approval_counts(ideas: SqlIdeas) -> None:
    ideas.record("rd-1", [idea("A")], ["rd-1"])
    (one,) = ideas.ideas(["rd-1"])
    plan = replace(one.idea.plan, repeats=7)
    assert ideas.replan(one.id, plan)
    assert ideas.approve(one.id, "U1", NOW)
    assert not ideas.approve(one.id, "U2", NOW)
    assert not ideas.replan(one.id, replace(plan, repeats=3))
    kept = ideas.idea(one.id)
    assert (kept.idea.plan, kept.approved_by, kept.approved_at) == (plan, "U1", NOW)


def test_of_two_votes_of_one_person_the_later_click_counts(ideas: SqlIdeas) -> None:
    ideas.record("rd-1", [idea("A")], ["rd-1"])
    (one,) = ideas.ideas(["rd-1"])
    late = IdeaVote(idea_id=one.id, person="U1", thumbs_up=False, at=NOW)
    assert ideas.vote(late)
    assert not ideas.vote(replace(late, thumbs_up=True, at=NOW - timedelta(seconds=1)))
    assert ideas.votes(one.id) == [late]


def test_votes_come_with_their_ideas_the_newest_last(ideas: SqlIdeas) -> None:
    ideas.record("rd-1", [idea("A"), idea("B")], ["rd-1"])
    first, second = ideas.ideas(["rd-1"])
    ideas.vote(IdeaVote(idea_id=second.id, person="U1", thumbs_up=False, at=NOW))
    ideas.vote(IdeaVote(idea_id=first.id, person="U2", thumbs_up=True, at=NOW - timedelta(seconds=1)))
    told = [(one.idea, one.person, one.thumbs_up) for one in ideas.opinions()]
    assert told == [(idea("A"), "U2", True), (idea("B"), "U1", False)]
