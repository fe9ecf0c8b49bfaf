"""Scores are held against the same training in split process, and what differs is told with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch
from here_sandbox import HereSandbox, rejected

from engine.evaluate import Evaluator
from engine.hypothesis import Hypothesis
from engine.memory import MemoryJournal
from engine.ranking import Ranking
from engine.repeat import PREFIX, Repetition, compare, largest_difference
from engine.request import Request, Strategy
from engine.research import Research
from engine.score import Score, Trial
from engine.suite import SCREEN, Suite
from engine.verdict import Verdict
from sandbox.execution import Execution, Outcome, Task
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

SUITE = replace(
    SCREEN, datasets=("spirals",), architectures={"mlp2": 1}, steps=4, checkpoints=(3, 4), examples=16, seeds=(0, 1)
)
FEW = replace(KINDS["activation"], known=KINDS["activation"].known[:3])
SOURCE = b"""
import torch
from torch import nn
class Mine(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)
def build():
    return Mine()
"""
MINE = Hypothesis(
    id="mine",
    request_id="q-1",
    kind="activation",
    title="mine",
    claim="",
    rationale="",
    inspiration="",
    source=SOURCE,
    strategy=Strategy.NOVEL,
    generator="tests",
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def suites(kind: Kind, name: str) -> Suite:
    return replace(SUITE, name=name)


def evaluator(sandbox: HereSandbox, journal: MemoryJournal) -> Evaluator:
    return Evaluator(sandbox=sandbox, journal=journal, secret=b"t", suites=suites, kinds={"activation": FEW})


def measured(by: Evaluator, *, split: bool = False) -> Score:
    (score,) = by.measure(
        [MINE], "activation", SUITE.seeds, tag="q-1", stopped=lambda: False, done=lambda _: None, split=split
    )
    assert isinstance(score, Score)
    return score


def failing(task: Task) -> Execution | None:
    return rejected("time limit", "it ran longer than 60 seconds", Outcome.KILLED) if task.split else None


@pytest.fixture(scope="module")
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture(scope="module")
def score(journal: MemoryJournal) -> Score:
    return measured(evaluator(HereSandbox(), journal))


def repeated(score: Score, sandbox: HereSandbox, journal: MemoryJournal) -> Repetition:
    return evaluator(sandbox, journal).repeat(MINE, "activation", score, "screen", tag="q-1")


def test_an_honest_score_is_repeated_on_its_own_seeds_and_factor(score: Score, journal: MemoryJournal) -> None:
    sandbox = HereSandbox()
    found = repeated(score, sandbox, journal)
    assert (found.repeated, found.difference) == (True, 0.0)
    assert found.again == score.effect
    assert [(task.split, task.options["factors"]) for task in sandbox.tasks] == [(True, [score.factor])]
    assert found.score is not None
    assert (found.score.suite, found.score.seeds) == (PREFIX + score.suite, score.seeds)


def test_a_score_that_is_better_than_its_repetition_is_told_with_both_effects(
    score: Score, journal: MemoryJournal
) -> None:
    better = replace(
        score,
        trials=tuple(replace(trial, loss=0.5 * (trial.loss or 1.0)) for trial in score.trials),
        effect=replace(score.effect, value=0.5),
    )
    found = repeated(better, HereSandbox(), journal)
    assert found.repeated is False
    assert found.difference == pytest.approx(0.5)
    assert found.words == (
        "tampering or instability: in split process a trial's loss differs by 50.0%, "
        f"and the effect is {score.effect.value:+.3f} instead of +0.500"
    )


def test_what_does_not_finish_in_split_process_is_told_with_its_check(score: Score, journal: MemoryJournal) -> None:
    found = repeated(score, HereSandbox(failing), journal)
    assert (found.repeated, found.again, found.difference) == (False, None, None)
    assert "time limit: it ran longer than 60 seconds" in found.words


def test_what_was_stopped_is_neither_repeated_nor_refuted(score: Score, journal: MemoryJournal) -> None:
    stopped = rejected("stopped", "it was stopped on request", Outcome.KILLED)
    assert repeated(score, HereSandbox(lambda task: stopped), journal).repeated is None


def test_measuring_can_be_done_in_split_process_as_a_whole(journal: MemoryJournal) -> None:
    sandbox = HereSandbox()
    measured(evaluator(sandbox, journal), split=True)
    assert {task.split for task in sandbox.tasks if task.tag == "q-1"} == {True}


def test_rounding_is_a_repetition_and_a_trial_that_diverges_in_one_only_is_none(score: Score) -> None:
    nearly = tuple(replace(trial, loss=(trial.loss or 1.0) * (1 + 1e-5)) for trial in score.trials)
    assert compare(score, replace(score, trials=nearly)).repeated is True
    lost = (replace(score.trials[0], loss=None), *score.trials[1:])
    assert compare(score, replace(score, trials=lost)).difference == 1.0


def test_scores_of_different_trials_are_not_compared() -> None:
    one, other = (Trial(cell="digits/mlp2", seed=seed, loss=1.0, accuracy=None) for seed in (0, 1))
    with pytest.raises(ValueError, match="different trials"):
        largest_difference([one], [other])


def ranked(journal: MemoryJournal, sandbox: HereSandbox) -> Ranking:
    """After the re-run of a request with one hypothesis."""
    journal.record_request(
        Request(
            id="q-1",
            kinds=("activation",),
            count=1,
            strategies=(Strategy.NOVEL,),
            text="",
            purpose="",
            asked_by="U1",
            created_at=datetime(2024, 1, 1, tzinfo=UTC),
        )
    )
    journal.record_hypotheses([MINE])
    journal.record_verdict(Verdict(hypothesis_id="mine", outcome=Outcome.FINISHED, sandbox="unsafe"))
    by = evaluator(sandbox, journal)
    by.measure([MINE], "activation", SUITE.seeds, tag="q-1", stopped=lambda: False, done=_into(journal))
    research = Research(journal=journal, sandbox=sandbox, evaluator=by, models=(), kinds={"activation": FEW})
    for _ in range(2):
        research.rerun("q-1")
    (ranking,) = research.rankings("q-1")
    return ranking


def _into(journal: MemoryJournal):  # type: ignore[no-untyped-def]
    return lambda result: journal.record_score(result) if isinstance(result, Score) else None


def test_the_re_run_repeats_the_screening_once_and_the_ranking_shows_it() -> None:
    sandbox = HereSandbox()
    (place,) = ranked(MemoryJournal(), sandbox).places
    assert place.repetition is not None
    assert place.repetition.repeated is True
    assert sum(task.split for task in sandbox.tasks) == 1


def test_what_does_not_finish_in_split_process_is_marked_in_the_ranking() -> None:
    (place,) = ranked(MemoryJournal(), HereSandbox(failing)).places
    assert place.repetition is not None
    assert place.repetition.repeated is False
    assert "tampering or instability" in place.repetition.words
