"""Epochs: when one ends, which hypotheses are measured again, and how old scores are read on the new scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch
from here_sandbox import HereSandbox
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluate import Evaluator
from engine.hypothesis import Hypothesis
from engine.journal import Epoch, Past
from engine.memory import MemoryJournal
from engine.request import Request, Strategy
from engine.research import Research
from engine.rotation import ANCHORS, LATEST, LEAST_ANCHORS, Bridge, Line, Rotation, Screenings, widening
from engine.score import Estimate, Score
from engine.suite import SCREEN, Suite
from engine.verdict import Verdict
from sandbox.execution import Outcome
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

unhurried = settings(deadline=None)
NOW = datetime.now(UTC)
rates = st.integers(0, 100).map(lambda percent: percent / 100)


def estimate(value: float, half: float = 0.05) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def score(id: str, b_wr: float, suite: str = "old", seeds: tuple[int, ...] = (0, 1), effect: float = 0.0) -> Score:
    return Score(
        hypothesis_id=id,
        suite=suite,
        seeds=seeds,
        trials=(),
        b_wr=estimate(b_wr),
        bsota_wr=estimate(b_wr**2),
        effect=estimate(effect),
        diverged=0,
        seconds=1.0,
        tier="direct",
        sandbox="docker",
        device="cpu",
    )


def hypothesis(id: str, code: str = "") -> Hypothesis:
    return Hypothesis(
        id=id,
        request_id="r1",
        kind="activation",
        title=id,
        claim="",
        rationale="",
        inspiration="",
        source=code.encode(),
        strategy=Strategy.NOVEL,
        generator="tests",
    )


def past(one: Score | None, id: str = "unmeasured") -> Past:
    of = hypothesis(one.hypothesis_id if one else id)
    verdict = Verdict(hypothesis_id=of.id, outcome=Outcome.FINISHED, sandbox="docker")
    return Past(hypothesis=of, verdict=verdict, score=one, feedback=())


# --- the line from one epoch to another


def test_a_line_is_found_although_one_anchor_is_far_off() -> None:
    old = np.linspace(0, 1, 20)
    new = 0.1 + 0.8 * old
    new[7] = 0.0
    line = Line.through([*old], [*new])
    assert (line.intercept, line.slope, line.error) == pytest.approx((0.1, 0.8, 0.0), abs=1e-9)


@unhurried
@given(st.lists(st.tuples(rates, rates), min_size=LEAST_ANCHORS, max_size=30), st.tuples(rates, rates))
def test_what_was_better_is_never_carried_below_what_was_worse(
    pairs: list[tuple[float, float]], two: tuple[float, float]
) -> None:
    line = Line.through([old for old, _ in pairs], [new for _, new in pairs])
    worse, better = (line.carry(estimate(value), 0.0, 1.0) for value in sorted(two))
    assert worse.value <= better.value
    assert 0 <= better.low <= better.value <= better.high <= 1


def test_carried_intervals_tell_their_error() -> None:
    """Nine of ten figures measured anew lie within the interval that their old figure is carried over to, or more."""
    rng, inside = np.random.default_rng(0), []
    for _ in range(60):
        truth = rng.uniform(0, 1, 120)
        old, new = truth + 0.03 * rng.standard_normal(120), 0.1 + 0.7 * truth + 0.03 * rng.standard_normal(120)
        line = Line.through([*old[:20]], [*new[:20]])
        carried = [line.carry(estimate(float(x), 1.645 * 0.03), -1.0, 2.0) for x in old[20:]]
        inside += [e.low <= y <= e.high for e, y in zip(carried, new[20:], strict=True)]
    assert 0.88 < np.mean(inside) < 0.99


def test_too_few_anchors_tell_no_line() -> None:
    with pytest.raises(ValueError, match="4 anchors tell no line; expected at least 5"):
        Line.through([0.0] * 4, [0.0] * 4)


# --- old scores on the new scale


def anchored(count: int = 6) -> Screenings:
    """Epoch 1 reads a B-WR 0.2 lower than epoch 0 did; `count` hypotheses were measured on both."""
    old = [score(f"a{n}", 0.3 + 0.1 * n) for n in range(count)]
    new = [score(one.hypothesis_id, one.b_wr.value - 0.2, "new") for one in old]
    return Screenings(epochs={"old": 0, "new": 1}, rescored=[*old, *new])


def test_of_another_epoch_a_score_is_carried_over_and_one_of_this_epoch_stays() -> None:
    here, there = score("here", 0.5, "new"), score("there", 0.5)
    one, other = anchored().comparable([past(here), past(there)], 1)
    assert one.score == here
    assert other.score is not None
    assert other.score.b_wr.value == pytest.approx(0.3)
    assert other.score.b_wr.high - other.score.b_wr.low == pytest.approx(0.1)  # these anchors lie on a line


def test_an_anchor_has_the_score_that_it_was_measured_to_have() -> None:
    (found,) = anchored().comparable([past(score("a0", 0.9))], 1)
    assert found.score is not None
    assert (found.score.suite, found.score.b_wr.value) == ("new", pytest.approx(0.1))


def test_without_enough_anchors_old_scores_are_not_compared() -> None:
    found = anchored(LEAST_ANCHORS - 1).comparable([past(score("there", 0.5)), past(None)], 1)
    assert [one.score for one in found] == [None, None]


def test_what_an_earlier_version_measured_is_carried_over_like_an_earlier_epoch() -> None:
    known = anchored()
    (found,) = replace(known, epochs={"new": 1}).comparable([past(score("there", 0.5))], 1)
    assert found.score is not None
    assert found.score.b_wr.value == pytest.approx(0.3)


def test_effects_and_both_win_rates_have_lines_of_their_own() -> None:
    pairs = [(score(str(n), 0.1 * n, effect=0.1 * n), score(str(n), 0.1 * n + 0.05, effect=0.05 * n)) for n in range(8)]
    bridge = Bridge.through(pairs)
    assert (bridge.b_wr.intercept, bridge.effect.slope) == pytest.approx((0.05, 0.5))
    assert bridge.carry(score("x", 1.0)).b_wr.value == 1.0


# --- which are measured again


def test_anchors_are_spread_over_the_range_of_what_was_measured() -> None:
    rng = np.random.default_rng(0)
    everything = [past(score(f"h{n}", float(b_wr))) for n, b_wr in enumerate(rng.beta(2, 5, 300))]
    ids = Screenings(epochs={"old": 0}, rescored=()).anchors(everything, 1)
    figures = sorted(one.score.b_wr.value for one in everything if one.score)
    places = sorted(figures.index(one.score.b_wr.value) for one in everything if one.score and one.hypothesis.id in ids)
    assert len(places) == ANCHORS
    assert all(number * 15 <= place < (number + 1) * 15 for number, place in enumerate(places))


def test_of_few_hypotheses_all_are_measured_again() -> None:
    few = [past(score(f"h{n}", 0.1 * n)) for n in range(7)]
    assert len(Screenings(epochs={"old": 0}, rescored=()).anchors([*few, past(None)], 1)) == 7


def test_what_was_an_anchor_before_is_one_again_so_that_it_serves_both_epochs() -> None:
    known = anchored(20)
    first = [past(score(f"h{n}", 0.01 * n)) for n in range(100)] + [past(s) for s in known.rescored[:20]]
    second = [past(score(f"n{n}", 0.01 * n, "new")) for n in range(100)]
    ids = known.anchors(first + second, 2)
    assert {f"a{n}" for n in range(5)} <= set(ids)
    for era in (0, 1):
        of_era = [id for id in ids if id.startswith(("a", "h" if era == 0 else "n"))]
        assert len(of_era) >= LEAST_ANCHORS


def test_where_there_is_a_bridge_nothing_is_measured_again() -> None:
    everything = [past(score(f"h{n}", 0.01 * n)) for n in range(50)]
    assert anchored().anchors(everything, 1) == []


def test_what_was_done_before_an_interruption_is_not_planned_again() -> None:
    everything = [past(score(f"h{n}", 0.01 * n)) for n in range(100)]
    empty = Screenings(epochs={"old": 0, "new": 1}, rescored=())
    first = empty.anchors(everything, 1)
    done = [score(id, 0.5, suite) for suite in ("old", "new") for id in first[: LEAST_ANCHORS - 1]]
    assert set(replace(empty, rescored=done).anchors(everything, 1)).isdisjoint(first[: LEAST_ANCHORS - 1])


# --- the warning


def gaps(before: float, lately: float) -> list[Score]:
    rng = np.random.default_rng(0)
    found = []
    for n in range(3 * LATEST):
        gap = (lately if n >= 2 * LATEST else before) + 0.03 * float(rng.standard_normal())
        found += [score(f"h{n}", 0.8), score(f"h{n}", 0.8 - gap, seeds=(7, 8))]
    return found


def test_a_widening_gap_between_screening_and_re_run_is_told() -> None:
    assert "0.1" in (widening(gaps(0.02, 0.1)) or "")
    assert widening(gaps(0.05, 0.05)) is None
    assert widening(gaps(0.1, 0.02)) is None


def test_a_measurement_on_another_epoch_is_no_re_run() -> None:
    assert widening([score(f"h{n}", 0.8 - 0.7 * side, f"s{side}") for n in range(99) for side in (0, 1)]) is None


# --- the steps


SMALL = replace(SCREEN, datasets=("spirals", "friedman1"), architectures={"mlp2": 2}, steps=3, checkpoints=(3,))
THREE = replace(KINDS["activation"], known=tuple(k for k in KINDS["activation"].known if k.baseline)[:3])


def small(kind: Kind, name: str) -> Suite:
    return replace(SMALL, name=name)


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def evaluator(journal: MemoryJournal) -> Iterator[Evaluator]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    kinds = {"activation": THREE}
    yield Evaluator(sandbox=HereSandbox(), journal=journal, secret=b"of tests", suites=small, kinds=kinds)
    torch.set_num_threads(threads)


@pytest.fixture
def rotation(journal: MemoryJournal, evaluator: Evaluator) -> Callable[..., Rotation]:
    def make(days: int = 30, hypotheses: int = 1000) -> Rotation:
        kinds = {"activation": THREE}
        return Rotation(journal=journal, evaluator=evaluator, kinds=kinds, days=days, hypotheses=hypotheses)

    return make


def asked(journal: MemoryJournal, name: str, at: datetime) -> Request:
    request = Request(
        id=name,
        text="",
        kinds=("activation",),
        count=1,
        counts=(1,),
        strategies=(Strategy.NOVEL,),
        purpose="",
        asked_by="Ada",
        created_at=at,
    )
    journal.record_request(request)
    return request


def measured(journal: MemoryJournal, evaluator: Evaluator, count: int, at: datetime = NOW - timedelta(days=3)) -> None:
    """Leaky ramps of a request made at this time, screened in the epoch in force."""
    asked(journal, "r1", at)
    code = "from torch import nn\n\ndef build():\n    return nn.LeakyReLU({})\n"
    hypotheses = [hypothesis(f"h{n}", code.format(0.1 * n)) for n in range(count)]
    journal.record_hypotheses(hypotheses)
    for one in hypotheses:
        journal.record_verdict(Verdict(hypothesis_id=one.id, outcome=Outcome.FINISHED, sandbox="docker"))
    for found in evaluator.measure(
        hypotheses, "activation", (0, 1), tag="t", stopped=lambda: False, done=lambda _: None
    ):
        assert isinstance(found, Score)
        journal.record_score(found)


def test_an_epoch_ends_after_so_many_days_or_hypotheses(
    journal: MemoryJournal, evaluator: Evaluator, rotation: Callable[..., Rotation]
) -> None:
    assert rotation(days=0, hypotheses=0).due() == (0, "")  # nothing was measured
    measured(journal, evaluator, 2)
    assert rotation().due() == (0, "")
    assert rotation(days=3).due() == (1, "the last one began 3 days before")
    assert rotation(hypotheses=2).due() == (1, "2 hypotheses were measured in the last one")
    rotation().begin(1, "it was time")
    assert rotation(days=0, hypotheses=2).due() == (1, "")


def test_anchors_are_measured_on_the_new_epoch_before_it_begins_and_only_once(
    journal: MemoryJournal, evaluator: Evaluator, rotation: Callable[..., Rotation]
) -> None:
    measured(journal, evaluator, 6)
    before, turning = evaluator.identity("activation"), rotation()
    ((kind, ids),) = turning.plan(1)
    turning.measure(1, kind, ids[:2])
    turning.measure(1, kind, ids)
    assert evaluator.identity("activation") == before
    turning.begin(1, "it was time")
    turning.begin(1, "again")
    after = evaluator.identity("activation")
    assert [epoch.why for epoch in journal.epochs()] == ["it was time"]
    assert [s.suite for s in journal.scores("r1")] == [before] * 6 + [after] * 6
    assert turning.plan(1) == []


def test_a_request_stays_on_the_epoch_in_which_it_was_made(
    journal: MemoryJournal, evaluator: Evaluator, rotation: Callable[..., Rotation]
) -> None:
    measured(journal, evaluator, 6)
    research = Research(
        journal=journal, sandbox=HereSandbox(), evaluator=evaluator, models=(), kinds={"activation": THREE}
    )
    (before,) = research.rankings("r1")
    for kind, ids in rotation().plan(1):
        rotation().measure(1, kind, ids)
    rotation().begin(1, "it was time")
    assert research.rankings("r1") == [before]
    assert research.suite(asked(journal, "r2", datetime.now(UTC)), "activation") == replace(SMALL, epoch=1)


def test_the_past_is_told_on_the_scale_of_the_epoch_in_force(
    journal: MemoryJournal, evaluator: Evaluator, rotation: Callable[..., Rotation]
) -> None:
    measured(journal, evaluator, 6)
    journal.record_hypotheses([hypothesis("later")])
    journal.record_verdict(Verdict(hypothesis_id="later", outcome=Outcome.FINISHED, sandbox="docker"))
    for kind, ids in rotation().plan(1):
        rotation().measure(1, kind, ids)
    journal.record_score(replace(journal.scores("r1")[0], hypothesis_id="later"))
    journal.begin_epoch(Epoch(number=1, at=datetime.now(UTC), why=""))
    research = Research(
        journal=journal, sandbox=HereSandbox(), evaluator=evaluator, models=(), kinds={"activation": THREE}
    )
    *anchors, later = research.past("activation")
    assert {one.score.suite for one in anchors if one.score} == {evaluator.identity("activation")}
    assert later.score is not None
    assert later.score.b_wr != journal.scores("r1")[0].b_wr
