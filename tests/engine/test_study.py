"""A small study, trained for real in this process: it resumes, and tells what it found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import torch
from here_sandbox import HereSandbox, rejected

from engine.confirm import PREFIX
from engine.evaluate import Evaluator
from engine.ledger import MemoryLedger
from engine.memory import MemoryJournal
from engine.request import Strategy
from engine.score import Estimate
from engine.study import Plan, Study, StudyStopped, Subject, other
from engine.study_claims import claims
from engine.study_confirm import Confirmations
from engine.study_report import write_report
from engine.study_results import Results
from engine.study_run import run
from engine.study_sources import Source, read_file
from engine.study_told import told
from engine.study_trust import Control
from engine.suite import SCREEN, Suite
from sandbox.execution import Execution, Outcome, Task
from sandbox.guest.actions import ACTIONS
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job

KIND = KINDS["activation"]
SMALL = replace(
    SCREEN, datasets=("spirals",), architectures={"mlp2": 1}, steps=4, checkpoints=(3, 4), examples=16, seeds=(0, 1)
)
EXPRESSIONS = (
    *(
        "x * torch.sigmoid(1.3 * x)",
        "torch.relu(x) ** 1.1",
        "torch.sin(2 * x) + 0.4 * x",
        "x + torch.cos(x)",
        "torch.atan(2 * x)",
    ),
    *("x * torch.exp(-x * x)", "torch.relu(x) - 0.3 * torch.relu(-x)", "x / (1 + x.abs()) + 0.2 * x"),
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def probed(task: Task) -> Execution | None:
    """The probe has no pack, which is all that the sandbox of the tests knows of."""
    if task.action != "probe":
        return None
    job = Job(action="probe", kind=task.kind, source=task.source, options=task.options, pack={})
    try:
        reply = ACTIONS["probe"](job)
    except Fault as fault:
        return rejected(fault.check, fault.detail)
    level = HereSandbox.level
    return Execution(outcome=Outcome.FINISHED, values=reply.values, arrays=reply.arrays, seconds=0.25, level=level)


def line(title: str, expression: str, strategy: Strategy = Strategy.NOVEL) -> str:
    code = (
        "import torch\nfrom torch import nn\n\nclass Mine(nn.Module):\n    def forward(self, x):\n"
        f"        return {expression}\n\ndef build():\n    return Mine()\n"
    )
    return json.dumps({"title": title, "kind": "activation", "strategy": strategy, "code": code})


def source(folder: Path, name: str, expressions: tuple[str, ...]) -> Source:
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(line(f"{name} {e}", e, list(Strategy)[n % 2]) for n, e in enumerate(expressions)))
    return read_file(path, "activation", name, "r")


class World:
    """A journal that stays while studies come and go."""

    def __init__(self) -> None:
        self.journal, self.ledger = MemoryJournal(), MemoryLedger()
        self.sandbox = HereSandbox(probed)

    def study(
        self, *sources: Source, train: tuple[str, ...] = (), truth: str = "standard", stop_after: int | None = None
    ) -> Study:
        def small(kind: Kind, name: str) -> Suite:
            return replace(SMALL, name=name)

        evaluator = Evaluator(sandbox=self.sandbox, journal=self.journal, secret=b"tests", suites=small)
        begun = len(self.sandbox.tasks)
        return Study(
            Plan(kind=KIND, truth=truth, sources=sources, train=train),
            journal=self.journal,
            sandbox=self.sandbox,
            evaluator=evaluator,
            stopped=lambda: stop_after is not None and len(self.sandbox.tasks) - begun >= stop_after,
        )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Source, Results]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    world = World()
    mine = source(tmp_path_factory.mktemp("study"), "mine", (*EXPRESSIONS, "torch.relu(x)", "x[..., :1]"))
    results = run(world.study(mine), world.ledger, 6)
    torch.set_num_threads(threads)
    return world, mine, results


def test_a_second_run_measures_nothing_again(measured: tuple[World, Source, Results]) -> None:
    world, mine, results = measured
    before = len(world.sandbox.tasks)
    again = run(world.study(mine), world.ledger, 6)
    assert len(world.sandbox.tasks) == before
    assert told(again) == told(results)


def test_what_was_recorded_before_a_stop_is_not_measured_again(tmp_path: Path) -> None:
    world = World()
    mine = source(tmp_path, "mine", EXPRESSIONS[:3])
    stops = 0
    while True:
        try:
            subjects = world.study(mine, stop_after=12).subjects()
            break
        except StudyStopped:
            stops += 1
    keys = [(task.tag, task.pack, task.source) for task in world.sandbox.tasks]
    assert stops > 1
    assert len(keys) == len(set(keys))
    assert all(s.screened and s.again and s.truth for s in subjects)


def test_what_an_order_is_judged_by_is_on_seeds_that_no_order_saw(measured: tuple[World, Source, Results]) -> None:
    for subject in measured[2].tested:
        assert subject.screened is not None
        assert subject.truth is not None
        assert not set(subject.screened.seeds) & set(subject.truth.seeds)
        assert subject.truth.seeds == other(SMALL.seeds)


def test_duplicates_and_rejected_ones_are_counted_and_have_no_place(measured: tuple[World, Source, Results]) -> None:
    document = told(measured[2])
    assert (document["proposed"], document["duplicates"], document["rejected"]) == (10, 1, 1)
    assert document["n"] == 8
    assert document["valid_share"] == 0.9


def test_the_document_has_integers_for_counts_and_null_for_what_is_missing(
    measured: tuple[World, Source, Results],
) -> None:
    document = json.loads(json.dumps(told(measured[2]), allow_nan=False))
    for count in ("n", "top5pct", "screened", "proposed", "rejected", "duplicates", "broke"):
        assert type(document[count]) is int, count
    assert document["confirmed"] is None  # the truth is not the full suite's
    assert document["calibration_error"] is None  # too few to learn from
    assert set(document["efficiency_auc"]) >= {"reward", "random", "nearest_baseline"}
    for name, value in document["efficiency_auc"].items():
        low, high = document["efficiency_auc_interval"][name]
        assert low <= value <= high


def test_fewer_than_three_language_models_say_nothing_across_them(measured: tuple[World, Source, Results]) -> None:
    assert told(measured[2])["across_language_models"] == "not tested"


def test_placebos_withheld_baselines_and_planted_effects_are_told(measured: tuple[World, Source, Results]) -> None:
    document = told(measured[2])
    assert {name: arms["count"] for name, arms in document["placebos"].items()} == {"A/A": 2, "rewrite": 2, "noise": 2}
    assert {name: of["reruns"] for name, of in document["positive_controls"].items()} == {
        "GELU": 6,
        "SiLU": 6,
        "Mish": 6,
    }
    rate = sum(of["confirmed"] for of in document["positive_controls"].values()) / 18
    assert document["positive_control_rate"] == rate
    assert document["power"][0]["effect"] == 0
    assert document["power"][-1]["promising"] >= document["power"][0]["promising"]


def test_only_what_is_not_learned_from_is_tested(measured: tuple[World, Source, Results], tmp_path: Path) -> None:
    world, mine, _ = measured
    unseen = source(tmp_path, "unseen", (EXPRESSIONS[0], "torch.tanh(0.7 * x) + 0.1 * x", "x.abs() - 0.2 * x"))
    subjects = world.study(mine, unseen, train=("mine",)).subjects()
    tested = [s for s in subjects if s.source == "unseen"]
    assert len(tested) == 2  # the third has the same code as one that is learned from
    assert all(s.truth is not None for s in tested)


def test_the_report_shows_its_pictures_and_escapes_what_models_wrote(
    measured: tuple[World, Source, Results], tmp_path: Path
) -> None:
    _, _, results = measured
    faulty = replace(results.plan.sources[0], faults=("<script>alert(1)</script>",))
    path = write_report(replace(results, plan=replace(results.plan, sources=(faulty,))), tmp_path)
    page = path.read_text()
    pictures = {picture.name for picture in tmp_path.glob("*.png")}
    assert {"prompts.png", "scatter.png", "efficiency.png", "best-of-n.png", "retest.png", "power.png"} <= pictures
    assert all(f'src="{name}"' in page for name in pictures)
    assert "<script>" not in page


def test_hypotheses_are_confirmed_as_many_at_once_as_the_sandbox_runs(tmp_path: Path) -> None:
    together = Barrier(HereSandbox.parallel)  # breaks when the second one never comes

    def meet(task: Task) -> Execution | None:
        if task.tag.startswith(PREFIX):
            together.wait(timeout=60)
        return probed(task)

    world = World()
    world.sandbox = HereSandbox(meet)
    study = world.study(source(tmp_path, "mine", EXPRESSIONS[:2]), truth="full")
    ids = [s.id for s in study.subjects()]
    confirmed = Confirmations(study, world.ledger).of(ids)
    assert confirmed is not None
    assert [(id, confirmed.first[id].fault) for id in ids] == [(id, "") for id in ids]


def test_a_stop_among_confirmations_leaves_the_round_open_and_the_next_run_ends_it(tmp_path: Path) -> None:
    world, mine = World(), source(tmp_path, "mine", EXPRESSIONS[:3])
    ids = [s.id for s in world.study(mine, truth="full").subjects()]
    before = len(world.sandbox.tasks)
    with pytest.raises(StudyStopped):
        Confirmations(world.study(mine, truth="full", stop_after=30), world.ledger).of(ids)
    assert [one.closing for one in world.ledger.rounds()] == [None]
    confirmed = Confirmations(world.study(mine, truth="full"), world.ledger).of(ids)
    assert confirmed is not None
    assert list(confirmed.first) == ids
    keys = [(task.tag, task.pack, task.source) for task in world.sandbox.tasks[before:]]
    assert len(world.ledger.rounds()) == 1
    assert len(keys) == len(set(keys))


def test_what_breaks_in_training_keeps_its_place(tmp_path: Path) -> None:
    def breaks(task: Task) -> Execution | None:
        if task.action == "train" and b"torch.sin(2" in task.source:
            return rejected("forward", "it broke")
        return probed(task)

    world = World()
    world.sandbox = HereSandbox(breaks)
    subjects: list[Subject] = world.study(source(tmp_path, "mine", EXPRESSIONS[:3])).subjects()
    assert [s.broke for s in subjects] == [False, False, True]
    assert subjects[2].valid
    assert subjects[2].screened is None


def test_a_withheld_baseline_that_is_no_better_than_those_left_is_missed_and_told_why(
    measured: tuple[World, Source, Results],
) -> None:
    _, _, results = measured
    above, below = (Estimate(value=value, low=value, high=value) for value in (0.03, -0.01))
    strong = Control(name="GELU", selected=above, effects=(above,) * 20, confirmed=18)
    weak = Control(name="SiLU", selected=below, effects=(below,) * 20, confirmed=0)
    for controls, held in (((strong,), True), ((replace(strong, confirmed=17),), False), ((strong, weak), False)):
        trust = replace(results.trust, controls=controls)
        (claim,) = (one for one in claims(replace(results, trust=trust)) if one.claim.startswith("Strong baselines"))
        assert claim.held is held
        assert ("SiLU (-1.0%)" in claim.found) is (weak in controls)
