"""The evaluator on a small suite: trained for real, in this process, with baselines kept in a journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from here_sandbox import HereSandbox, rejected

from engine.errors import EngineError
from engine.evaluate import KEPT_PACKS, Evaluator
from engine.heldout import best_factor
from engine.hypothesis import Hypothesis
from engine.memory import MemoryJournal
from engine.request import Strategy
from engine.score import BaselineTrials, Score
from engine.suite import SCREEN, SELECTION_SEEDS, Suite
from engine.verdict import Verdict
from engine.winrate import Yardstick, figures
from sandbox.errors import SandboxBroken
from sandbox.execution import Execution, Level, Outcome, Task
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

SUITE = replace(
    SCREEN,
    datasets=("spirals", "friedman1"),
    architectures={"mlp2": 2},
    steps=4,
    checkpoints=(3, 4),
    examples=16,
)
SEEDS = SUITE.seeds
TRIALS = 4
SECRET = b"of these tests"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def hypothesis(name: str, code: str) -> Hypothesis:
    return Hypothesis(
        id=name,
        request_id="r1",
        kind="activation",
        title=name,
        claim="",
        rationale="",
        inspiration="",
        source=code.encode(),
        strategy=Strategy.NOVEL,
        generator="tests",
    )


def module(expression: str) -> str:
    return (
        "import torch\nfrom torch import nn\n\nclass Mine(nn.Module):\n    def forward(self, x):\n"
        f"        return {expression}\n\ndef build():\n    return Mine()\n"
    )


def of_candidate(task: Task) -> bool:
    return task.tag == "r1"


SILU = hypothesis("silu", module("x * torch.sigmoid(x)"))
CONSTANT = hypothesis("constant", module("x * 0 + 1"))
BROKEN = hypothesis("broken", module("x[..., :2]"))


def evaluator(
    sandbox: HereSandbox,
    journal: MemoryJournal | None = None,
    suite: Suite = SUITE,
    secret: bytes = SECRET,
    kinds: Mapping[str, Kind] = KINDS,
) -> Evaluator:
    def suites(kind: Kind, name: str) -> Suite:
        return suite if name == "screen" else replace(suite, name=name, seeds=(*suite.seeds, 7))

    return Evaluator(sandbox=sandbox, journal=journal or MemoryJournal(), secret=secret, suites=suites, kinds=kinds)


def measured(
    by: Evaluator, *hypotheses: Hypothesis, seeds: tuple[int, ...] = SEEDS, stopped: Callable[[], bool] = lambda: False
) -> list[Score | Verdict]:
    return by.measure(hypotheses, "activation", seeds, tag="r1", stopped=stopped, done=lambda result: None)


@pytest.fixture(scope="module")
def prepared() -> MemoryJournal:
    """A journal with the baselines on the suite's seeds."""
    journal = MemoryJournal()
    torch.set_num_threads(1)
    evaluator(HereSandbox(), journal).prepare("activation", SEEDS)
    return journal


def test_all_baselines_are_trained_on_the_measuring_and_the_selection_seeds(prepared: MemoryJournal) -> None:
    kept = evaluator(HereSandbox(), prepared).baseline_trials("activation", SEEDS)
    names = [baseline.name for baseline in KINDS["activation"].baselines]
    assert [(trials.baseline, trials.seeds) for trials in kept] == [
        (name, seeds) for seeds in (SEEDS, SELECTION_SEEDS) for name in names
    ]
    assert all(len(trials.trials) == len(SUITE.cells) * len(trials.seeds) for trials in kept)


def test_kept_baselines_are_not_trained_again(prepared: MemoryJournal) -> None:
    sandbox = HereSandbox()
    evaluator(sandbox, prepared).prepare("activation", SEEDS)
    assert sandbox.tasks == []


def test_what_is_kept_is_measured_against_while_other_baselines_are_trained(prepared: MemoryJournal) -> None:
    begun, measured_meanwhile = threading.Event(), threading.Event()

    def slowly(task: Task) -> Execution | None:
        if not of_candidate(task):
            begun.set()
            assert measured_meanwhile.wait(30)
            return rejected("time", "", Outcome.KILLED)
        return None

    by = evaluator(HereSandbox(slowly), copy_of(prepared))
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(by.prepare, "activation", (7,))
        assert begun.wait(30)
        assert len(measured(by, SILU)) == 1
        measured_meanwhile.set()
        with pytest.raises(EngineError, match="must train"):
            other.result()


def copy_of(journal: MemoryJournal) -> MemoryJournal:
    copied = MemoryJournal()
    for trials in evaluator(HereSandbox(), journal).baseline_trials("activation", SEEDS):
        copied.record_baseline(trials)
    return copied


def test_another_secret_suite_torch_or_device_has_baselines_of_its_own(prepared: MemoryJournal) -> None:
    other_torch = HereSandbox()
    other_torch.torch_version = "another"
    strangers = [
        evaluator(HereSandbox(), prepared, secret=b"another"),
        evaluator(HereSandbox(), prepared, suite=replace(SUITE, learning_rate=0.01)),
        evaluator(other_torch, prepared),
        Evaluator(sandbox=HereSandbox(), journal=prepared, secret=SECRET, suites=lambda *_: SUITE, device="cuda"),
    ]
    assert all(stranger.baseline_trials("activation", SEEDS) == [] for stranger in strangers)


def test_a_baseline_whose_code_changed_is_trained_again_and_it_alone(prepared: MemoryJournal) -> None:
    kind = KINDS["activation"]
    changed = tuple(replace(k, code=k.code + "\n# changed\n") if k.name == "GELU" else k for k in kind.known)
    sandbox = HereSandbox()
    journal = copy_of(prepared)
    evaluator(sandbox, journal, kinds={"activation": replace(kind, known=changed)}).prepare("activation", SEEDS)
    assert len(sandbox.tasks) == 2  # on the measuring and on the selection seeds
    assert all(b"# changed" in task.source for task in sandbox.tasks)


def test_baselines_of_a_kind_that_is_trained_by_other_code_are_trained_again(prepared: MemoryJournal) -> None:
    kind = KINDS["activation"]
    kinds = {"activation": replace(kind, harness=lambda build, frame: kind.harness(build, frame))}
    assert evaluator(HereSandbox(), prepared).baseline_trials("activation", SEEDS)
    assert evaluator(HereSandbox(), prepared, kinds=kinds).baseline_trials("activation", SEEDS) == []


def test_a_score_has_the_figures_that_follow_from_its_trials_and_the_baselines(prepared: MemoryJournal) -> None:
    by = evaluator(HereSandbox(), prepared)
    (score,) = measured(by, SILU)
    assert isinstance(score, Score)
    found = figures(score.trials, Yardstick.of(by.baseline_trials("activation", SEEDS)))
    assert (score.b_wr, score.bsota_wr, score.effect) == (found.b_wr, found.bsota_wr, found.effect)
    assert [trial.cell for trial in score.trials] == [cell for cell in SUITE.cells for _ in SEEDS]
    assert (score.suite, score.seeds, score.diverged) == (SUITE.identity(SECRET), SEEDS, 0)
    assert (score.tier, score.sandbox, score.device, score.seconds) == ("direct", "unsafe", "cpu", 0.25)


def test_a_copy_of_a_baseline_ties_with_it_in_every_trial(prepared: MemoryJournal) -> None:
    by = evaluator(HereSandbox(), prepared)
    copied = next(known for known in KINDS["activation"].baselines if known.name == "Mish")
    (score,) = measured(by, hypothesis("copy", copied.code))
    kept = next(t for t in by.baseline_trials("activation", SEEDS) if t.baseline == "Mish")
    assert isinstance(score, Score)
    assert score.trials == kept.trials


def test_a_constant_scores_near_nothing(prepared: MemoryJournal) -> None:
    (score,) = measured(evaluator(HereSandbox(), prepared), CONSTANT)
    assert isinstance(score, Score)
    assert score.b_wr.value < 0.25
    assert score.effect.value < 0


def test_results_come_in_the_order_given_and_are_told_as_they_come(prepared: MemoryJournal) -> None:
    told: list[str] = []
    caller = threading.get_ident()

    def done(result: Score | Verdict) -> None:
        assert threading.get_ident() == caller
        told.append(result.hypothesis_id)

    found = evaluator(HereSandbox(), prepared).measure(
        [SILU, BROKEN, CONSTANT], "activation", SEEDS, tag="r1", stopped=lambda: False, done=done
    )
    assert [result.hypothesis_id for result in found] == ["silu", "broken", "constant"]
    assert sorted(told) == ["broken", "constant", "silu"]


def test_what_breaks_in_training_has_a_verdict_and_no_score(prepared: MemoryJournal) -> None:
    (verdict,) = measured(evaluator(HereSandbox(), prepared), BROKEN)
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.check, verdict.sandbox) == (Outcome.REJECTED, "training", "unsafe")
    assert "mlp2" in (verdict.reason or "")


def test_what_runs_into_a_limit_has_a_verdict_that_names_it(prepared: MemoryJournal) -> None:
    killed = rejected("time", "took longer than 60 s", Outcome.KILLED)
    sandbox = HereSandbox(lambda task: killed if of_candidate(task) else None)
    (verdict,) = measured(evaluator(sandbox, prepared), SILU)
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.check, verdict.reason) == (Outcome.KILLED, "time", "took longer than 60 s")


@pytest.mark.parametrize("values", [{}, {"tier": "magic"}, {"tier": ["direct"]}])
def test_a_reply_that_does_not_say_its_tier_is_rejected(prepared: MemoryJournal, values: Mapping[str, object]) -> None:
    def forge(task: Task) -> Execution | None:
        arrays = {name: np.zeros(shape, np.float32) for name, shape in task.expects.items()}
        return Execution(outcome=Outcome.FINISHED, values=values, arrays=arrays, level=Level.UNSAFE)

    (verdict,) = measured(evaluator(HereSandbox(forge), prepared), SILU)
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.check) == (Outcome.REJECTED, "reply")


def test_predictions_that_are_not_finite_are_trials_that_diverged(prepared: MemoryJournal) -> None:
    def poison(task: Task) -> Execution | None:
        arrays = {name: np.zeros(shape, np.float32) for name, shape in task.expects.items()}
        arrays["mlp2"][0, 1, 0, 0] = np.nan
        return Execution(outcome=Outcome.FINISHED, values={"tier": "loop"}, arrays=arrays, level=Level.UNSAFE)

    (score,) = measured(evaluator(HereSandbox(poison), prepared), SILU)
    assert isinstance(score, Score)
    assert score.diverged == 1
    assert [trial.loss is None for trial in score.trials] == [False, True, False, False]


def test_nothing_is_started_once_stopped_says_so(prepared: MemoryJournal) -> None:
    sandbox = HereSandbox()
    assert measured(evaluator(sandbox, prepared), SILU, CONSTANT, stopped=lambda: True) == []
    assert not [task for task in sandbox.tasks if of_candidate(task)]


def test_a_stop_kills_what_runs_and_it_has_no_result(prepared: MemoryJournal) -> None:
    began = threading.Event()

    def until_killed(task: Task) -> Execution | None:
        began.set()
        deadline = time.monotonic() + 30
        while not sandbox.killed and time.monotonic() < deadline:
            time.sleep(0.01)
        return rejected("stopped", "it was stopped", Outcome.KILLED)

    sandbox = HereSandbox(until_killed)
    assert measured(evaluator(sandbox, prepared), SILU, CONSTANT, BROKEN, stopped=began.is_set) == []
    assert set(sandbox.killed) == {"r1"}
    assert len(sandbox.tasks) <= sandbox.parallel


def test_both_slots_of_a_sandbox_are_used_and_no_more(prepared: MemoryJournal) -> None:
    together = threading.Barrier(2, timeout=30)

    def meet(task: Task) -> Execution | None:
        together.wait()
        return rejected("training", "")

    found = measured(evaluator(HereSandbox(meet), prepared), SILU, CONSTANT, BROKEN, hypothesis("fourth", ""))
    assert len(found) == 4


def test_a_fault_of_ours_is_raised_and_costs_no_hypothesis_its_place(prepared: MemoryJournal) -> None:
    def dies(task: Task) -> Execution | None:
        raise SandboxBroken("the daemon is gone")

    with pytest.raises(SandboxBroken, match="the daemon is gone"):
        measured(evaluator(HereSandbox(dies), prepared), SILU, CONSTANT)


def test_a_baseline_that_does_not_train_is_a_fault_of_ours() -> None:
    sandbox = HereSandbox(lambda task: rejected("memory", "took more than 1 MiB", Outcome.KILLED))
    with pytest.raises(EngineError, match=r"baseline .* was killed in training .* took more than 1 MiB"):
        evaluator(sandbox).prepare("activation", SEEDS)


def test_fresh_seeds_are_measured_against_baselines_on_the_same_seeds(prepared: MemoryJournal) -> None:
    by = evaluator(HereSandbox(), copy_of(prepared))
    fresh = (1_000_007, 1_000_009)
    (score,) = measured(by, SILU, seeds=fresh)
    assert isinstance(score, Score)
    assert {trial.seed for trial in score.trials} == set(fresh)
    kept: list[BaselineTrials] = by.baseline_trials("activation", fresh)
    assert {trials.seeds for trials in kept} == {fresh, SELECTION_SEEDS}


def test_many_seeds_are_trained_some_at_a_time_and_count_as_if_together(prepared: MemoryJournal) -> None:
    by = evaluator(HereSandbox(), copy_of(prepared), suite=replace(SUITE, grid=(1.0, 3.0)))
    many = tuple(range(20, 30))
    losses = [
        {(trial.cell, trial.seed): trial.loss for score in measured(by, SILU, seeds=seeds) for trial in score.trials}  # type: ignore[union-attr]
        for seeds in (many, many[:4], many[4:])
    ]
    assert list(losses[0]) == [(cell, seed) for cell in dict.fromkeys(c for c, _ in losses[0]) for seed in many]
    assert losses[0] == pytest.approx({**losses[1], **losses[2]})


def test_before_anything_is_prepared_there_are_no_baselines_to_show() -> None:
    assert evaluator(HereSandbox()).baseline_trials("activation", SEEDS) == []


# --- grids


GRIDDED = replace(SUITE, grid=(0.1, 1.0, 10.0))


@pytest.fixture(scope="module")
def gridded() -> Evaluator:
    """Prepared on a suite where every arm takes its best learning rate."""
    torch.set_num_threads(1)
    by = evaluator(HereSandbox(), suite=GRIDDED)
    by.prepare("activation", SEEDS)
    return by


def test_an_arm_is_scored_with_the_factor_that_its_grid_names_best(gridded: Evaluator) -> None:
    (score,) = measured(gridded, SILU)
    assert isinstance(score, Score)
    assert [one.factor for one in score.grid] == [0.1, 1.0, 10.0]
    assert all(len(one.losses) == len(SUITE.cells) for one in score.grid)
    assert score.factor == best_factor(score.grid) != 0.1  # four steps at a tenth of the rate learn next to nothing


def test_baselines_keep_their_factor_and_grid(gridded: Evaluator) -> None:
    for trials in gridded.baseline_trials("activation", SEEDS):
        assert trials.factor == best_factor(trials.grid)


def test_a_copy_of_a_baseline_takes_the_same_factor_and_ties_with_it(gridded: Evaluator) -> None:
    copied = next(known for known in KINDS["activation"].baselines if known.name == "Mish")
    kept = next(t for t in gridded.baseline_trials("activation", SEEDS) if t.baseline == "Mish")
    (score,) = measured(gridded, hypothesis("copy", copied.code))
    assert isinstance(score, Score)
    assert (score.trials, score.grid) == (kept.trials, kept.grid)


def test_what_breaks_on_the_grid_has_a_verdict(gridded: Evaluator) -> None:
    (verdict,) = measured(gridded, BROKEN)
    assert isinstance(verdict, Verdict)


def test_a_baseline_that_was_kept_without_its_factor_is_trained_again(prepared: MemoryJournal) -> None:
    journal, sandbox = copy_of(prepared), HereSandbox()
    by = evaluator(sandbox, journal)
    old = by.baseline_trials("activation", SEEDS)[0]
    journal.record_baseline(replace(old, factor=None))
    by.prepare("activation", SEEDS)
    assert len(sandbox.tasks) == 1
    assert by.baseline_trials("activation", SEEDS)[0].factor == 1.0


# --- several suites


def test_a_suite_of_another_name_has_seeds_scores_and_baselines_of_its_own(prepared: MemoryJournal) -> None:
    by = evaluator(HereSandbox(), copy_of(prepared))
    seeds = by.suite("activation", "standard").seeds
    assert by.baseline_trials("activation", seeds, "standard") == []
    (score,) = by.measure(
        [SILU], "activation", seeds, tag="r1", stopped=lambda: False, done=lambda result: None, suite="standard"
    )
    assert isinstance(score, Score)
    assert score.suite == by.identity("activation", "standard") != by.identity("activation")
    assert {trials.suite for trials in by.baseline_trials("activation", seeds, "standard")} == {score.suite}


def test_memory_does_not_grow_with_the_seeds_that_were_ever_used(prepared: MemoryJournal) -> None:
    by = evaluator(HereSandbox(), prepared)
    for seed in range(2 * KEPT_PACKS):
        by.baseline_trials("activation", (seed,))
    assert len(by._packs) <= KEPT_PACKS
