"""Equal budget: what a candidate that adds parameters or time is compared with besides the plain baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch
from here_sandbox import HereSandbox

from engine.budget import Budget, budgets, instances, matching_width, scalars
from engine.evaluate import Evaluator
from engine.memory import MemoryJournal
from engine.request import Request, Strategy
from engine.research import Research
from engine.score import BaselineTrials, Estimate, Score, Trial
from engine.suite import SELECTION_SEEDS, Suite, suite_of
from engine.verdict import Verdict
from sandbox.execution import Outcome
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.nets import ARCHITECTURES

KIND = KINDS["activation"]
STANDARD = suite_of(KIND, "standard")


def baseline(name: str, loss: float, seeds: tuple[int, ...], seconds: float = 1.0) -> BaselineTrials:
    return BaselineTrials(
        kind="activation",
        baseline=name,
        suite="standard-1/0",
        seeds=seeds,
        torch_version="2",
        device="cpu",
        trials=tuple(Trial(cell="digits/mlp2", seed=s, loss=loss + 0.01 * s % 0.1, accuracy=None) for s in seeds),
        seconds=seconds,
        code_digest="d",
        factor=1.0,
    )


BASELINES = [
    baseline(name, loss, seeds)
    for name, loss in (("ReLU", 1.0), ("GELU", 0.5), ("Tanh", 2.0))
    for seeds in (STANDARD.seeds, SELECTION_SEEDS)
]


def scored(seconds: float = 1.0) -> Score:
    half = Estimate(value=0.5, low=0.4, high=0.6)
    return Score(
        hypothesis_id="h",
        suite="standard-1/0",
        seeds=STANDARD.seeds,
        trials=(),
        b_wr=half,
        bsota_wr=half,
        effect=half,
        diverged=0,
        seconds=seconds,
        tier="direct",
        sandbox="docker",
        device="cpu",
    )


def found(
    *, parameters: int = 0, cost_ratio: float | None = 1.0, seconds: float = 1.0, suite: Suite = STANDARD
) -> list[Budget]:
    verdict = Verdict(
        hypothesis_id="h", outcome=Outcome.FINISHED, parameters=parameters, cost_ratio=cost_ratio, sandbox="docker"
    )
    return [budget for _, budget in budgets(KIND, suite, [scored(seconds)], {"h": verdict}, BASELINES)]


def test_a_candidate_that_adds_nothing_is_compared_with_nothing_more() -> None:
    assert found() == found(cost_ratio=None) == found(cost_ratio=1.1, seconds=2.0) == []


def test_one_that_adds_parameters_is_compared_with_the_best_baseline_in_a_wider_net() -> None:
    (budget,) = found(parameters=64)
    assert budget.baseline == "GELU"
    assert budget.suite == replace(STANDARD, width=33)
    assert budget.words == "GELU, 1.03 x wider"


@pytest.mark.parametrize("parameters", [1, 32, 64, 500])
def test_the_wider_nets_have_just_as_many_parameters_in_all(parameters: int) -> None:
    nets = [ARCHITECTURES[name] for name in STANDARD.architectures]
    width = matching_width(KIND, STANDARD, parameters)
    with_component = sum(scalars(net, STANDARD.width) + parameters * len(net.hidden(STANDARD.width)) for net in nets)
    assert sum(scalars(net, width) for net in nets) >= with_component > sum(scalars(net, width - 1) for net in nets)


def test_parameters_of_a_net_are_those_of_the_same_net_in_pytorch() -> None:
    linear = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Linear(32, 32), torch.nn.Linear(32, 10))
    assert scalars(ARCHITECTURES["mlp2"], 32) == sum(p.numel() for p in linear.parameters())


def test_a_component_outside_the_hidden_layers_has_one_instance() -> None:
    assert instances(KIND.harness, ARCHITECTURES["mlp4"], 32) == 4
    assert instances(KINDS["regularizer"].harness, ARCHITECTURES["mlp4"], 32) == 1


def test_one_that_costs_time_is_compared_with_the_best_baseline_for_more_steps() -> None:
    (budget,) = found(cost_ratio=2.5, seconds=1.4)
    assert budget.words == "GELU, 1.4 x steps"
    assert budget.suite.steps == round(1.4 * STANDARD.steps) == budget.suite.checkpoints[-1]
    assert min(budget.suite.checkpoints) > 0.75 * budget.suite.steps
    assert len(budget.suite.checkpoints) == len(set(budget.suite.checkpoints)) == len(STANDARD.checkpoints)


def test_more_steps_are_never_more_than_the_component_costs_nor_three_times_as_many() -> None:
    assert [budget.words for budget in found(cost_ratio=1.3, seconds=40.0)] == ["GELU, 1.3 x steps"]
    assert [budget.words for budget in found(cost_ratio=9.0, seconds=40.0)] == ["GELU, 3 x steps"]


def test_the_screening_compares_no_budgets() -> None:
    assert found(parameters=64, cost_ratio=2.5, seconds=1.4, suite=suite_of(KIND)) == []


# --- in a request


THREE = replace(KIND, known=tuple(known for known in KIND.known if known.baseline)[:3])
LEARNABLE = (
    "import torch\nfrom torch import nn\n\nclass Mine(nn.Module):\n"
    "    def __init__(self):\n        super().__init__()\n"
    "        self.a = nn.Parameter(torch.ones(40))\n    def forward(self, x):\n"
    "        return torch.relu(x) * self.a.mean()\n\ndef build():\n    return Mine()\n"
)


def small(kind: Kind, name: str) -> Suite:
    tiny = {"datasets": ("spirals", "friedman1"), "architectures": {"mlp2": 2}, "steps": 3, "checkpoints": (3,)}
    return replace(suite_of(kind, name), **tiny)


@pytest.fixture
def research() -> Iterator[Research]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    journal, sandbox, kinds = MemoryJournal(), HereSandbox(), {"activation": THREE}
    evaluator = Evaluator(sandbox=sandbox, journal=journal, secret=b"s", suites=small, kinds=kinds)
    yield Research(journal=journal, sandbox=sandbox, evaluator=evaluator, models=(), kinds=kinds)
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("suite", "matched"), [("screen", 0), ("standard", 1)])
def test_a_ranking_shows_matched_baselines_beside_the_candidate(research: Research, suite: str, matched: int) -> None:
    request = Request(
        id="r",
        text="",
        kinds=("activation",),
        count=1,
        counts=(1,),
        strategies=(Strategy.BY_HAND,),
        purpose="",
        asked_by="Ada",
        created_at=datetime.now(UTC),
        suite=suite,
    )
    research.take(request, [("mine.py", LEARNABLE.encode())])
    (id,) = research.unvalidated("r")
    verdict = Verdict(hypothesis_id=id, outcome=Outcome.FINISHED, parameters=40, cost_ratio=1.0, sandbox="unsafe")
    research._journal.record_verdict(verdict)
    research.prepare("r")
    research.choose("r")
    research.measure("r", [id])
    (ranking,) = research.rankings("r")
    (place,) = ranking.places
    assert len(place.matched) == matched
    for row in place.matched:
        assert row.words.endswith("x wider")
        assert row.words.startswith(tuple(known.name for known in THREE.baselines))
        assert all(0 <= figure.low <= figure.high <= 1 for figure in (row.b_wr, row.bsota_wr, row.won))
