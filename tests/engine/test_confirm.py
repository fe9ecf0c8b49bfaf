"""Confirmations: how the test behaves on drawn trials, and the steps on a small suite, trained in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from here_sandbox import HereSandbox
from scipy.stats import t as student

from engine.confirm import FIRST_SEED, MARGIN, SEEDS, Confirm, mean_difference
from engine.datasets import HELD_BACK
from engine.evaluate import SEEDS_AT_ONCE, Evaluator
from engine.hypothesis import Hypothesis
from engine.ledger import MemoryLedger
from engine.memory import MemoryJournal
from engine.request import Request, Strategy
from engine.score import Trial
from engine.suite import FULL, GRID_SEEDS, SCREEN, SELECTION_SEEDS, Suite, suite_of
from sandbox.execution import Execution, Level, Outcome, Task
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

# --- the test, on drawn trials

DRAWN = 8  # seeds
CELLS = tuple(f"{data}/{net}" for data in ("a", "b", "c", "d") for net in ("mlp2", "mlp4", "res"))


def drawn(rng: np.random.Generator, mean: float, *, heavy: bool = False) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """Candidate and baseline: most of the noise is shared by the trials of one data set and seed."""
    mine, theirs = [], []
    noise = {(data, seed): _noise(rng, heavy) for data in "abcd" for seed in range(DRAWN)}
    for cell in CELLS:
        for seed in range(DRAWN):
            own = noise[cell[0], seed] + 0.2 * _noise(rng, heavy)
            difference = float(np.clip(mean + 0.02 * own, -0.9, 0.9))
            theirs.append(Trial(cell=cell, seed=seed, loss=1.0 if difference > 0 else 1 + difference, accuracy=None))
            mine.append(Trial(cell=cell, seed=seed, loss=1 - difference if difference > 0 else 1.0, accuracy=None))
    return tuple(mine), tuple(theirs)


def _noise(rng: np.random.Generator, heavy: bool) -> float:
    return float(rng.standard_t(3) / 3**0.5 if heavy else rng.standard_normal())


def share_rejected(mean: float, *, heavy: bool = False, histories: int = 250) -> float:
    rng = np.random.default_rng(1)
    return float(
        np.mean([mean_difference(*drawn(rng, mean, heavy=heavy)).p_above(MARGIN) <= 0.05 for _ in range(histories)])
    )


@pytest.mark.parametrize("heavy", [False, True])
def test_a_true_mean_at_the_margin_is_rejected_in_one_of_twenty(heavy: bool) -> None:
    assert 0.02 <= share_rejected(MARGIN, heavy=heavy) <= 0.07


def test_a_planted_effect_is_found_and_none_is_not() -> None:
    assert share_rejected(MARGIN + 0.015, histories=100) > 0.9
    assert share_rejected(0.0, histories=100) == 0


def test_taking_each_trial_for_an_independent_one_would_find_chance_three_times_as_often() -> None:
    rng = np.random.default_rng(1)
    rejected = []
    for _ in range(100):
        mine, theirs = drawn(rng, MARGIN)
        found = np.array([(b.loss or 0) - (a.loss or 0) for a, b in zip(mine, theirs, strict=True)])
        statistic = (found.mean() - MARGIN) / (found.std(ddof=1) / len(found) ** 0.5)
        rejected.append(student.sf(statistic, len(found) - 1) <= 0.05)
    assert np.mean(rejected) > 0.15


def test_a_divergence_counts_as_losing_everything() -> None:
    mine, theirs = drawn(np.random.default_rng(0), 0.02)
    diverged = [replace(trial, loss=None) for trial in mine]
    assert mean_difference(diverged, theirs).value == pytest.approx(-1)


def test_some_data_sets_alone_are_compared_as_all_are() -> None:
    mine, theirs = drawn(np.random.default_rng(0), 0.02)
    parts = [mean_difference(mine, theirs, [name]).value for name in "abcd"]
    assert mean_difference(mine, theirs).value == pytest.approx(np.mean(parts))


def test_one_seed_tells_nothing_and_other_trials_cannot_be_paired() -> None:
    mine, theirs = drawn(np.random.default_rng(0), 0.02)
    with pytest.raises(ValueError, match="two at least"):
        mean_difference([t for t in mine if t.seed == 0], [t for t in theirs if t.seed == 0])
    with pytest.raises(ValueError, match="cannot be paired"):
        mean_difference(mine, theirs[1:])


@pytest.mark.parametrize("name", KINDS)
def test_at_least_two_real_data_sets_are_in_no_screening(name: str) -> None:
    unseen = set(suite_of(KINDS[name], FULL.name).datasets) - set(suite_of(KINDS[name]).datasets)
    assert len(unseen & HELD_BACK) >= 2


# --- the steps

SECRET = b"of these tests"
SMALL = replace(
    SCREEN, datasets=("digits", "spirals"), architectures={"mlp2": 2}, steps=4, checkpoints=(3, 4), examples=16
)
FULLER = replace(
    SMALL, name="full", datasets=("digits", "spirals", "wine"), architectures={"mlp2": 3}, grid=(1.0, 1 / 3)
)
FEW = replace(
    KINDS["activation"], known=tuple(k for k in KINDS["activation"].known if k.name in ("ReLU", "GELU", "Tanh"))
)
BROKEN = "broken"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def suites(kind: Kind, name: str) -> Suite:
    return FULLER if name == "full" else SMALL


def oracle(task: Task) -> Execution | None:
    """What a candidate answers that knows every label, or one that breaks; all others are trained."""
    if task.source not in (b"oracle", b"oracle, rewritten", b"broken"):
        return None
    if task.source == b"broken":
        return Execution(outcome=Outcome.REJECTED, check="time", reason="It ran longer than 900 s.", level=Level.UNSAFE)
    arrays = {}
    for name, shape in task.expects.items():
        parts = [PLANNED_SEEDS[start : start + SEEDS_AT_ONCE] for start in range(0, len(PLANNED_SEEDS), SEEDS_AT_ONCE)]
        packs = [FULLER.pack(SECRET, tuple(seeds)) for seeds in (GRID_SEEDS, *parts)]
        targets = next(pack for pack in packs if pack.name == task.pack).held_out.targets
        factors = shape[1] // targets.shape[1]
        logits = 9.0 * np.eye(10, dtype=np.float32)[targets.astype(int)]
        arrays[name] = np.tile(logits, (1, factors, 1, 1))
    return Execution(outcome=Outcome.FINISHED, values={"tier": "direct"}, arrays=arrays, level=Level.UNSAFE)


PLANNED_SEEDS = tuple(range(FIRST_SEED, FIRST_SEED + SEEDS))


@dataclass(frozen=True)
class Bench:
    journal: MemoryJournal
    ledger: MemoryLedger
    confirm: Confirm

    def run(self, *ids: str, occasion: str = "once") -> str:
        planned = self.confirm.plan(occasion=occasion, hypothesis_ids=ids, asked_by=None)
        self.confirm.prepare(planned.id)
        faults = {id: self.confirm.measure(planned.id, id) for id in ids}
        self.confirm.decide(planned.id, faults)
        return planned.id


def hypothesis(id: str, source: bytes) -> Hypothesis:
    return Hypothesis(
        id=id,
        request_id="r1",
        kind="activation",
        title=id,
        claim="",
        rationale="",
        inspiration="",
        source=source,
        strategy=Strategy.NOVEL,
        generator="tests",
    )


@pytest.fixture
def bench() -> Bench:
    journal, ledger = MemoryJournal(), MemoryLedger()
    kinds = {"activation": FEW}
    by = Evaluator(sandbox=HereSandbox(oracle), journal=journal, secret=SECRET, suites=suites, kinds=kinds)
    journal.record_request(
        Request(
            id="r1",
            text="",
            kinds=("activation",),
            count=1,
            counts=(1,),
            strategies=(Strategy.NOVEL,),
            purpose="",
            asked_by="U1",
            created_at=datetime(2030, 1, 1, tzinfo=UTC),
        )
    )
    tanh = next(known.code for known in FEW.known if known.name == "Tanh").encode()
    sources = {"oracle": b"oracle", "again": b"oracle", "tanh": tanh, "broken": b"broken"}
    journal.record_hypotheses([hypothesis(id, source) for id, source in sources.items()])
    return Bench(journal, ledger, Confirm(journal=journal, ledger=ledger, evaluator=by, kinds=kinds, split=False))


def test_of_a_family_what_is_far_better_is_a_finding_and_what_is_not_or_breaks_is_none(bench: Bench) -> None:
    decided = bench.ledger.round(bench.run("oracle", "tanh", "broken"))
    assert decided.closing
    found = {one.hypothesis_id: one for one in decided.closing.confirmations}
    assert {id: one.finding for id, one in found.items()} == {"oracle": True, "tanh": False, "broken": False}
    assert found["broken"].fault == "It ran longer than 900 s."
    assert found["broken"].p == 1
    assert found["oracle"].adjusted_p <= decided.alpha
    assert found["oracle"].unseen
    evidence = bench.confirm.evidence("oracle", "log-loss")
    assert evidence
    assert len(evidence.score.trials) == len(FULLER.cells) * SEEDS
    assert bench.confirm.evidence("tanh", "log-loss") is None


def test_everything_is_decided_before_anything_is_trained(bench: Bench) -> None:
    planned = bench.confirm.plan(occasion="x", hypothesis_ids=["oracle", "tanh"], asked_by="U1")
    assert bench.ledger.rounds() == [planned]
    assert planned.seeds == PLANNED_SEEDS
    assert not set(planned.seeds) & {*SELECTION_SEEDS, *GRID_SEEDS, *FULL.seeds}
    assert (planned.family, planned.margin, planned.closing) == (("oracle", "tanh"), MARGIN, None)
    assert 0 < planned.alpha < planned.wealth


def test_an_occasion_is_planned_once_and_another_one_has_other_seeds(bench: Bench) -> None:
    first, again, other = (
        bench.confirm.plan(occasion=name, hypothesis_ids=["tanh"], asked_by=None) for name in ("x", "x", "y")
    )
    assert first == again
    assert not set(first.seeds) & set(other.seeds)


def test_a_component_is_not_tested_twice_even_under_another_name(bench: Bench) -> None:
    assert bench.confirm.earlier("again") is None
    planned = bench.confirm.plan(occasion="x", hypothesis_ids=["oracle"], asked_by=None)
    assert bench.confirm.earlier("oracle") == bench.confirm.earlier("again") == (planned, None)
    assert bench.confirm.earlier("tanh") is None


def test_a_stopped_round_is_closed_without_a_look_and_can_be_asked_for_again(bench: Bench) -> None:
    planned = bench.confirm.plan(occasion="x", hypothesis_ids=["tanh"], asked_by=None)
    bench.journal.stop(planned.id)
    bench.confirm.prepare(planned.id)
    assert bench.confirm.measure(planned.id, "tanh") == ""
    assert bench.confirm.decide(planned.id, {}).stopped
    assert bench.journal.scores("r1") == []
    assert bench.confirm.earlier("tanh") is None


def test_where_a_gain_comes_from_is_measured_once_on_seeds_of_the_round(bench: Bench) -> None:
    round_id = bench.run("tanh")
    told = bench.confirm.explain(round_id, "tanh")
    assert told
    assert told.whole
    assert [part.without for part in told.parts] == ["torch.tanh(...) (line 9)"]
    assert told.share
    assert 0 < told.share.low <= told.share.value <= told.share.high < 1
    assert told.mixed_with in ("ReLU", "GELU", "Tanh")
    assert bench.confirm.explain(round_id, "tanh") is told


def test_deciding_again_changes_nothing(bench: Bench) -> None:
    round_id = bench.run("tanh")
    first = bench.ledger.round(round_id)
    assert bench.confirm.decide(round_id, {"tanh": "it broke"}) == first
