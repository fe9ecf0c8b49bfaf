"""The contract of a journal, held against every implementation, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sqlalchemy import Engine, event

from engine.errors import UnknownThing
from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import Choice, Epoch, Journal, Parts, Snapshot, epoch_at
from engine.memory import MemoryJournal
from engine.request import Request, Strategy
from engine.score import BaselineTrials, Estimate, Score, Trial, Tried
from engine.verdict import Novelty, Verdict
from sandbox.execution import Outcome
from storage.journal import SqlJournal

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
anything = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(st.characters(exclude_categories=()), max_size=30)  # with NUL and lone surrogates
floats = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**31 - 1)
seed_lists = st.lists(st.integers(-(2**40), 2**40), max_size=4).map(tuple)
zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=zones)
estimates = st.builds(Estimate, value=floats, low=floats, high=floats)
trials = st.lists(
    st.builds(
        Trial,
        cell=texts,
        seed=counts,
        loss=st.none() | floats,
        accuracy=st.none() | floats,
        final_loss=st.none() | floats,
    ),
    max_size=3,
).map(tuple)
tried = st.builds(Tried, factor=floats, losses=st.lists(st.none() | floats, max_size=3).map(tuple))
grids = st.fixed_dictionaries({"factor": st.none() | floats, "grid": st.lists(tried, max_size=3).map(tuple)})
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
behaviours = st.dictionaries(texts, arrays(np.float32, array_shapes(min_dims=0, min_side=0, max_side=4)), max_size=3)
parts = st.builds(
    Parts,
    chance=floats,
    exploration=floats,
    votes=floats,
    novelty=floats,
    place=st.integers(1, 300),
    without_votes=st.integers(1, 300),
)
novelties = st.builds(Novelty, n_score=floats, nearest=texts, nearest_source=texts, duplicate_of=st.none() | texts)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest) -> Iterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    request.getfixturevalue("empty_tables")(engine)
    yield SqlJournal(engine)


def a_request(id: str = "r1", **changes: Any) -> Request:
    request = Request(
        id=id,
        text="propose 8 activation functions",
        kinds=("activation",),
        count=8,
        strategies=(Strategy.NOVEL, Strategy.INCREMENTAL),
        purpose="",
        asked_by="U1",
        created_at=NOW,
    )
    return replace(request, **changes)


def a_hypothesis(id: str = "h1", **changes: Any) -> Hypothesis:
    hypothesis = Hypothesis(
        id=id,
        request_id="r1",
        kind="activation",
        title=f"title of {id}",
        claim="",
        rationale="",
        inspiration="",
        source=b"def build(): ...",
        strategy=Strategy.NOVEL,
        generator="offline catalogue",
    )
    return replace(hypothesis, **changes)


def a_verdict(id: str = "h1", **changes: Any) -> Verdict:
    return replace(Verdict(hypothesis_id=id, outcome=Outcome.FINISHED, sandbox="docker"), **changes)


def a_score(id: str = "h1", **changes: Any) -> Score:
    half = Estimate(value=0.5, low=0.4, high=0.6)
    score = Score(
        hypothesis_id=id,
        suite="screen-1",
        seeds=(0, 1),
        trials=(Trial(cell="digits/mlp2", seed=0, loss=0.1, accuracy=0.9),),
        b_wr=half,
        bsota_wr=half,
        effect=half,
        diverged=0,
        seconds=1.5,
        tier="vmap",
        sandbox="docker",
        device="cpu",
    )
    return replace(score, **changes)


def a_baseline(**changes: Any) -> BaselineTrials:
    baseline = BaselineTrials(
        kind="activation",
        baseline="ReLU",
        suite="screen-1",
        seeds=(0, 1),
        torch_version="2.13.0",
        device="cpu",
        trials=(),
        seconds=2.0,
        code_digest="c1",
    )
    return replace(baseline, **changes)


def a_vote(person: str = "U1", id: str = "h1", **changes: Any) -> Feedback:
    return replace(Feedback(person=person, hypothesis_id=id, thumbs_up=True, at=NOW), **changes)


def a_snapshot(version: str = "1", **changes: Any) -> Snapshot:
    snapshot = Snapshot(version=version, kind="activation", weights=b"", outcomes=0, votes=0, at=NOW)
    return replace(snapshot, **changes)


def begin(journal: Journal, *hypotheses: Hypothesis) -> None:
    journal.record_request(a_request())
    journal.record_hypotheses(hypotheses or [a_hypothesis()])


def same(left: Verdict, right: Verdict) -> bool:
    """Equality of verdicts; that of numpy's arrays is an array, and NaN is not itself."""
    arrays_alike = [*left.behaviour] == [*right.behaviour] and all(
        left.behaviour[name].dtype == right.behaviour[name].dtype
        and np.array_equal(left.behaviour[name], right.behaviour[name], equal_nan=True)
        for name in left.behaviour
    )
    return arrays_alike and replace(left, behaviour={}) == replace(right, behaviour={})


# --- values come back as they were


@anything
@given(data=st.data())
def test_a_request_comes_back_as_it_was(journal: Journal, data: st.DataObject) -> None:
    request = a_request(
        text=data.draw(texts),
        kinds=tuple(data.draw(st.lists(texts, max_size=3))),
        count=data.draw(counts),
        counts=tuple(data.draw(st.lists(counts, max_size=3))),
        strategies=tuple(data.draw(st.lists(st.sampled_from(Strategy), max_size=3))),
        purpose=data.draw(texts),
        asked_by=data.draw(texts),
        created_at=data.draw(instants),
        suite=data.draw(st.sampled_from(["screen", "full"])),
    )
    journal.record_request(request)
    assert journal.request("r1") == request


@anything
@given(data=st.data())
def test_a_hypothesis_comes_back_as_it_was(journal: Journal, data: st.DataObject) -> None:
    words = {name: data.draw(texts) for name in ("title", "claim", "rationale", "inspiration", "generator")}
    hypothesis = a_hypothesis(
        **words,
        source=data.draw(st.binary()),
        strategy=data.draw(st.sampled_from(Strategy)),
        origin=data.draw(st.sampled_from([None, "activation-17"])),
        prompt_digest=data.draw(st.sampled_from([None, "d1"])),
    )
    begin(journal, hypothesis)
    assert journal.hypothesis("h1") == hypothesis
    assert journal.hypotheses("r1") == [hypothesis]


@anything
@given(data=st.data())
def test_a_verdict_comes_back_as_it_was(journal: Journal, data: st.DataObject) -> None:
    begin(journal)
    verdict = a_verdict(
        outcome=data.draw(st.sampled_from(Outcome)),
        check=data.draw(st.none() | texts),
        reason=data.draw(st.none() | texts),
        behaviour=data.draw(behaviours),
        novelty=data.draw(st.none() | novelties),
        parameters=data.draw(st.none() | st.integers(0, 2**60)),
        cost_ratio=data.draw(st.none() | floats),
        seconds=data.draw(floats),
    )
    journal.record_verdict(verdict)
    assert same(journal.verdicts("r1")["h1"], verdict)


@anything
@given(data=st.data())
def test_a_choice_comes_back_as_it_was(journal: Journal, data: st.DataObject) -> None:
    begin(journal)
    choice = Choice(
        hypothesis_id="h1",
        request_id="r1",
        measured=data.draw(st.booleans()),
        why="at random",
        predicted_b_wr=data.draw(st.none() | floats),
        predicted_spread=data.draw(st.none() | floats),
        model_version=data.draw(st.sampled_from([None, "v1"])),
        parts=data.draw(st.none() | parts),
    )
    journal.record_choices([choice])
    assert journal.choices("r1") == {"h1": choice}


@anything
@given(grid=grids, seeds=seed_lists, trials=trials, b_wr=estimates, bsota_wr=estimates, effect=estimates)
def test_a_score_comes_back_as_it_was(journal: Journal, grid: dict[str, Any], **drawn: Any) -> None:
    begin(journal)
    score = a_score(**drawn, **grid)
    journal.record_score(score)
    assert score in journal.scores("r1")


@anything
@given(grid=grids, seeds=seed_lists, trials=trials, seconds=floats)
def test_a_baseline_comes_back_as_it_was(journal: Journal, grid: dict[str, Any], **drawn: Any) -> None:
    baseline = a_baseline(**drawn, **grid)
    journal.record_baseline(baseline)
    assert journal.baselines("activation", "screen-1", baseline.seeds, "2.13.0", "cpu") == [baseline]


@anything
@given(seen=st.dictionaries(texts, json_values, max_size=3), thumbs_up=st.booleans(), at=instants, blind=st.booleans())
def test_a_vote_comes_back_as_it_was(journal: Journal, **drawn: Any) -> None:
    begin(journal)
    vote = a_vote(**drawn)
    journal.record_feedback(vote)
    assert vote in journal.feedback("h1")


@anything
@given(weights=st.binary(), outcomes=counts, votes=counts, at=instants)
def test_a_snapshot_comes_back_as_it_was(journal: Journal, **drawn: Any) -> None:
    snapshot = a_snapshot(**drawn)
    journal.record_snapshot(snapshot)
    assert journal.latest_snapshot("activation") == snapshot


@anything
@given(faults=st.lists(texts, max_size=4))
def test_generator_faults_come_back_as_they_were(journal: Journal, faults: list[str]) -> None:
    journal.record_request(a_request())
    journal.record_generator_faults("r1", faults)
    assert journal.generator_faults("r1") == faults


# --- what is recorded under one id


def test_recording_again_replaces_and_keeps_the_place(journal: Journal) -> None:
    begin(journal, a_hypothesis("h1"), a_hypothesis("h2"), a_hypothesis("h3"))
    journal.record_hypotheses([a_hypothesis("h1", title="better")])
    assert [h.title for h in journal.hypotheses("r1")] == ["better", "title of h2", "title of h3"]


def test_verdicts_choices_and_scores_answer_in_the_order_of_recording(journal: Journal) -> None:
    begin(journal, a_hypothesis("h1"), a_hypothesis("h2"), a_hypothesis("h3"))
    for id in ("h3", "h1", "h2"):
        journal.record_verdict(a_verdict(id))
        journal.record_choices([Choice(hypothesis_id=id, request_id="r1", measured=True, why="asked for")])
        journal.record_score(a_score(id))
    journal.record_verdict(a_verdict("h3", seconds=9.0))
    assert [*journal.verdicts("r1")] == ["h3", "h1", "h2"]
    assert [*journal.choices("r1")] == ["h3", "h1", "h2"]
    assert [score.hypothesis_id for score in journal.scores("r1")] == ["h3", "h1", "h2"]


def test_a_hypothesis_has_one_score_for_each_suite_and_seeds(journal: Journal) -> None:
    begin(journal)
    first, again = a_score(seconds=1.0), a_score(seconds=2.0)
    fresh_seeds, other_suite = a_score(seeds=(2, 3)), a_score(suite="screen-2")
    for score in (first, fresh_seeds, other_suite, again):
        journal.record_score(score)
    assert journal.scores("r1") == [again, fresh_seeds, other_suite]


@pytest.mark.parametrize(
    "change",
    [{"kind": "loss"}, {"suite": "screen-2"}, {"seeds": (0,)}, {"torch_version": "2.14.0"}, {"device": "cuda"}],
    ids=str,
)
def test_baselines_are_found_only_under_what_they_depend_on(journal: Journal, change: dict[str, Any]) -> None:
    journal.record_baseline(a_baseline(**change))
    journal.record_baseline(a_baseline())
    assert journal.baselines("activation", "screen-1", (0, 1), "2.13.0", "cpu") == [a_baseline()]


def test_a_baseline_of_other_code_is_kept_beside(journal: Journal) -> None:
    old, new = a_baseline(), a_baseline(code_digest="c2")
    journal.record_baseline(old)
    journal.record_baseline(new)
    journal.record_baseline(replace(new, seconds=3.0))
    assert journal.baselines("activation", "screen-1", (0, 1), "2.13.0", "cpu") == [old, replace(new, seconds=3.0)]


def test_a_changed_vote_is_counted_once(journal: Journal) -> None:
    begin(journal)
    journal.record_feedback(a_vote("U1"))
    journal.record_feedback(a_vote("U2"))
    journal.record_feedback(a_vote("U1", thumbs_up=False))
    assert [(vote.person, vote.thumbs_up) for vote in journal.feedback("h1")] == [("U1", False), ("U2", True)]


def test_a_blind_vote_stays_as_it_was_when_the_same_person_votes_on_the_figures(journal: Journal) -> None:
    begin(journal)
    journal.record_feedback(a_vote("U1", blind=True))
    journal.record_feedback(a_vote("U1", thumbs_up=False))
    assert [(vote.blind, vote.thumbs_up) for vote in journal.feedback("h1")] == [(True, True), (False, False)]


def test_generator_faults_are_replaced(journal: Journal) -> None:
    journal.record_request(a_request())
    journal.record_generator_faults("r1", ["not JSON", "cut off"])
    journal.record_generator_faults("r1", ["cut off"])
    assert journal.generator_faults("r1") == ["cut off"]


def test_the_latest_snapshot_is_that_of_the_latest_time(journal: Journal) -> None:
    newest = a_snapshot("2", at=NOW + timedelta(days=1))
    for snapshot in (
        a_snapshot("1"),
        newest,
        a_snapshot("0", at=NOW - timedelta(days=1)),
        a_snapshot("3", kind="loss"),
    ):
        journal.record_snapshot(snapshot)
    assert journal.latest_snapshot("activation") == newest


def test_of_two_snapshots_of_one_time_the_later_recorded_is_the_latest(journal: Journal) -> None:
    journal.record_snapshot(a_snapshot("b"))
    journal.record_snapshot(a_snapshot("a"))
    latest = journal.latest_snapshot("activation")
    assert latest is not None
    assert latest.version == "a"


# --- requests are apart


def test_answers_are_of_the_request_alone(journal: Journal) -> None:
    begin(journal)
    journal.record_request(a_request("r2"))
    journal.record_hypotheses([a_hypothesis("other", request_id="r2")])
    journal.record_verdict(a_verdict("other"))
    journal.record_choices([Choice(hypothesis_id="other", request_id="r2", measured=True, why="asked for")])
    journal.record_score(a_score("other"))
    journal.record_generator_faults("r2", ["cut off"])
    journal.stop("r2")
    assert [h.id for h in journal.hypotheses("r1")] == ["h1"]
    answers = (journal.verdicts("r1"), journal.choices("r1"), journal.scores("r1"), journal.generator_faults("r1"))
    assert answers == ({}, {}, [], [])
    assert not journal.stopped("r1")


def test_a_stop_may_come_before_the_request_and_stays(journal: Journal) -> None:
    journal.stop("r1")
    journal.stop("r1")
    journal.record_request(a_request())
    assert journal.stopped("r1")


def test_used_titles_are_those_that_generators_proposed_of_this_kind(journal: Journal) -> None:
    begin(journal, a_hypothesis("h1"), a_hypothesis("h2", kind="loss"), a_hypothesis("h3", strategy=Strategy.BY_HAND))
    journal.record_request(a_request("r2"))
    journal.record_hypotheses([a_hypothesis("h4", request_id="r2")])
    assert journal.used_titles("activation") == ["title of h1", "title of h4"]


# --- the past


def test_the_past_tells_everything_of_what_was_judged(journal: Journal) -> None:
    begin(journal, a_hypothesis("h1"), a_hypothesis("h2"), a_hypothesis("unjudged"), a_hypothesis("h3", kind="loss"))
    journal.record_verdict(a_verdict("h2", outcome=Outcome.REJECTED, check="shape"))
    journal.record_verdict(a_verdict("h1", behaviour={"y": np.ones(3, np.float32)}))
    journal.record_verdict(a_verdict("h3"))
    journal.record_score(a_score("h1"))
    journal.record_feedback(a_vote("U1", "h1"))
    journal.record_feedback(a_vote("U2", "h1", thumbs_up=False))
    one, two = journal.past("activation")
    assert (one.hypothesis, one.score) == (a_hypothesis("h1"), a_score("h1", trials=()))
    assert one.feedback == (a_vote("U1", "h1"), a_vote("U2", "h1", thumbs_up=False))
    assert one.verdict.behaviour["y"].tolist() == [1, 1, 1]
    assert (two.hypothesis.id, two.verdict.check, two.score, two.feedback) == ("h2", "shape", None, ())


def test_the_past_tells_the_screening_not_the_rerun(journal: Journal) -> None:
    begin(journal)
    journal.record_verdict(a_verdict())
    journal.record_score(a_score(suite="confirm-1"))
    screening = a_score(suite="screen-1")
    journal.record_score(screening)
    journal.record_score(a_score(suite="screen-1", seeds=tuple(range(2, 10))))
    assert [past.score for past in journal.past("activation")] == [replace(screening, trials=())]


def test_what_was_measured_on_the_standard_suite_is_of_the_past_too(journal: Journal) -> None:
    begin(journal)
    journal.record_verdict(a_verdict())
    journal.record_score(a_score(suite="standard-1/a"))
    assert [past.score and past.score.suite for past in journal.past("activation")] == ["standard-1/a"]


def test_outcomes_are_the_hypotheses_of_the_past_with_a_score(journal: Journal) -> None:
    begin(journal, *(a_hypothesis(id) for id in ("h1", "h2", "h3")), a_hypothesis("other", kind="loss"))
    for id in ("h1", "h2", "h3", "other"):
        journal.record_verdict(a_verdict(id))
    for id in ("h1", "h2", "other"):
        journal.record_score(a_score(id))
        journal.record_score(a_score(id, seeds=(7,)))
    journal.record_score(a_score("h3", suite="full-1/a"))
    assert journal.outcomes("activation") == sum(past.score is not None for past in journal.past("activation")) == 2


def test_the_past_asks_the_database_no_more_often_when_it_is_longer(engine: Engine) -> None:
    journal, asked = SqlJournal(engine), []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    counted = []
    for count in (1, 40):
        begin(journal, *(a_hypothesis(f"h{n}") for n in range(count)))
        for n in range(count):
            journal.record_verdict(a_verdict(f"h{n}"))
            journal.record_score(a_score(f"h{n}"))
            journal.record_feedback(a_vote("U1", f"h{n}"))
        asked.clear()
        assert len(journal.past("activation")) == count
        counted.append(sum("SELECT" in statement for statement in asked))
    assert counted == [3, 3]


# --- what is not recorded


def test_an_unknown_request_is_named(journal: Journal) -> None:
    with pytest.raises(UnknownThing, match="'r9'"):
        journal.request("r9")


def test_an_unknown_hypothesis_is_named(journal: Journal) -> None:
    with pytest.raises(UnknownThing, match="'h9'"):
        journal.hypothesis("h9")


def test_of_an_unknown_request_nothing_is_recorded(journal: Journal) -> None:
    assert (journal.hypotheses("r9"), journal.verdicts("r9"), journal.choices("r9"), journal.scores("r9")) == (
        [],
        {},
        {},
        [],
    )
    assert (journal.generator_faults("r9"), journal.stopped("r9")) == ([], False)
    assert (journal.past("activation"), journal.latest_snapshot("activation"), journal.feedback("h9")) == ([], None, [])


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        ("record_hypotheses", [a_hypothesis(request_id="r9")]),
        ("record_verdict", a_verdict("h9")),
        ("record_choices", [Choice(hypothesis_id="h9", request_id="r1", measured=True, why="")]),
        ("record_choices", [Choice(hypothesis_id="h1", request_id="r9", measured=True, why="")]),
        ("record_score", a_score("h9")),
        ("record_feedback", a_vote(id="h9")),
    ],
    ids=["hypothesis", "verdict", "choice", "choice of a request", "score", "vote"],
)
def test_what_refers_to_something_unrecorded_is_refused(journal: Journal, method: str, argument: Any) -> None:
    begin(journal)
    with pytest.raises(UnknownThing, match=r"'[rh]9'"):
        getattr(journal, method)(argument)


def test_faults_of_an_unrecorded_request_are_refused(journal: Journal) -> None:
    with pytest.raises(UnknownThing, match="'r9'"):
        journal.record_generator_faults("r9", ["cut off"])


def test_of_a_refused_batch_nothing_is_recorded(journal: Journal) -> None:
    journal.record_request(a_request())
    with pytest.raises(UnknownThing):
        journal.record_hypotheses([a_hypothesis("h1"), a_hypothesis("h2", request_id="r9")])
    assert journal.hypotheses("r1") == []


def test_an_empty_batch_is_nothing(journal: Journal) -> None:
    journal.record_hypotheses([])
    journal.record_choices([])


# --- many at once, and after a restart


def test_threads_lose_nothing_of_each_other(journal: Journal) -> None:
    journal.record_request(a_request())

    def work(worker: int) -> None:
        for n in range(8):
            id = f"h{worker}-{n}"
            journal.record_hypotheses([a_hypothesis(id)])
            journal.record_verdict(a_verdict(id))
            journal.record_feedback(a_vote(f"U{worker}", id))
            assert journal.hypothesis(id).id == id

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(journal.hypotheses("r1")) == len(journal.past("activation")) == 64


def test_it_is_all_there_for_another_process(engine: Engine) -> None:
    before = SqlJournal(engine)
    begin(before)
    before.record_score(a_score())
    before.stop("r1")
    engine.dispose()
    after = SqlJournal(engine)
    assert (after.request("r1"), after.scores("r1"), after.stopped("r1")) == (a_request(), [a_score()], True)


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(Exception, match="no time zone"):
        SqlJournal(engine).record_request(a_request(created_at=datetime(2030, 1, 1)))


# --- epochs


def test_rescored_are_the_screenings_of_what_was_screened_more_than_once(journal: Journal) -> None:
    begin(journal, *(a_hypothesis(id) for id in ("once", "twice", "full")), a_hypothesis("other", kind="loss"))
    first, again = a_score("twice"), a_score("twice", suite="screen-1.1/b")
    for score in (first, a_score("once"), a_score("full"), again, a_score("full", suite="full-1/a")):
        journal.record_score(score)
    for suite in ("screen-1", "screen-2"):
        journal.record_score(a_score("other", suite=suite))
    assert journal.rescored("activation") == [replace(score, trials=()) for score in (first, again)]


def test_what_was_measured_since_is_counted_once_a_hypothesis_by_the_time_of_its_request(journal: Journal) -> None:
    later = NOW + timedelta(days=1)
    assert journal.measured_since(None) == (0, None)
    begin(journal)
    journal.record_request(a_request("r2", created_at=later))
    journal.record_hypotheses([a_hypothesis(id, request_id="r2") for id in ("h2", "h3", "unmeasured")])
    for score in (a_score("h1"), a_score("h2"), a_score("h2", seeds=(9,)), a_score("h3", suite="full-1")):
        journal.record_score(score)
    assert journal.measured_since(None) == (3, NOW)
    assert journal.measured_since(later) == (2, later)
    assert journal.measured_since(later + timedelta(seconds=1)) == (0, None)


def test_epochs_are_told_by_number_and_one_that_began_stays(journal: Journal) -> None:
    assert journal.epochs() == []
    second, first = (Epoch(number=n, at=NOW + timedelta(days=n), why="it was time") for n in (2, 1))
    for epoch in (second, first, replace(first, why="again")):
        journal.begin_epoch(epoch)
    assert journal.epochs() == [first, second]


def test_the_epoch_at_a_time_is_the_last_that_had_begun() -> None:
    epochs = [Epoch(number=n, at=NOW + timedelta(days=n), why="") for n in (1, 2)]
    times = [NOW, NOW + timedelta(days=1), NOW + timedelta(days=1, hours=23), NOW + timedelta(days=5), None]
    assert [epoch_at(epochs, at) for at in times] == [0, 1, 1, 2, 2]
