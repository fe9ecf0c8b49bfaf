"""What is known of components beforehand must come out of the suites: copies, broken ones, strong and weak ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from thinned import thinned
from trials import Arms, Bench, rates, trials_of, yardstick

from engine.shrinkage import shrunken
from engine.suite import SELECTION_SEEDS, Suite, suite_of
from engine.winrate import Figures, figures, wins
from sandbox.choose import open_sandbox
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.components.known_code import module_code


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    sandbox = open_sandbox("unsafe", parallel=2)  # all code here is ours
    yield Bench(sandbox, tmp_path_factory.mktemp("truths") / "trials.jsonl")
    sandbox.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """The baselines of a kind and some others on its screening suite."""

    suite: Suite
    baselines: Arms
    selecting: Arms
    others: Arms

    def figures(self, *, without: tuple[str, ...] = ()) -> dict[str, Figures]:
        """Of all, each against the baselines but itself and those in `without`."""
        found = {}
        for name, losses in {**self.baselines, **self.others}.items():
            # Its own row leaves a baseline out, as a reference row does.
            kept = [baseline for baseline in self.baselines if baseline not in (name, *without)]
            measuring, selecting = ({n: arms[n] for n in kept} for arms in (self.baselines, self.selecting))
            against = yardstick(self.suite, self.suite.seeds, measuring, selecting)
            found[name] = figures(trials_of(self.suite.cells, self.suite.seeds, losses), against)
        return found


def screened(bench: Bench, kind: Kind, others: Mapping[str, str]) -> Screened:
    suite = suite_of(kind)
    known = {known.name: known.code.encode() for known in kind.baselines}
    return Screened(
        suite=suite,
        baselines=bench.measure(kind, suite, known, suite.seeds),
        selecting=bench.measure(kind, suite, known, SELECTION_SEEDS),
        others=bench.measure(kind, suite, {name: code.encode() for name, code in others.items()}, suite.seeds),
    )


def activation(body: str) -> str:
    return module_code("Activation", "x", f"return {body}", {})


LINEAR, SIGN, CONSTANT = activation("x"), activation("torch.sign(x) + 0 * x"), activation("0 * x + 1")


@pytest.fixture(scope="module")
def activations(bench: Bench) -> Screened:
    others = {"linear": LINEAR, "sign": SIGN, "constant": CONSTANT}
    return screened(bench, KINDS["activation"], others)


@pytest.mark.parametrize("name", KINDS)
def test_a_copy_of_a_baseline_ties_with_it_in_every_trial(bench: Bench, name: str) -> None:
    kind = KINDS[name]
    suite = replace(suite_of(kind), steps=6, checkpoints=(4, 6), examples=16, seeds=(0,))
    baseline = next((known for known in kind.baselines if known.best), kind.baselines[0])
    sources = {"original": baseline.code.encode(), "copy": f'"""Brand new."""\n{baseline.code}'.encode()}
    found = bench.measure(kind, suite, sources, suite.seeds)
    assert np.array_equal(found["original"], found["copy"])
    assert (wins(found["original"], found["copy"]) == 0.5).all()


def test_an_activation_with_constant_output_wins_next_to_nothing(activations: Screened) -> None:
    found = activations.figures()["constant"]
    assert found.b_wr.value < 0.1  # on the spirals some baselines do not get beyond chance in one pass either
    assert found.bsota_wr.value < 0.05
    assert found.effect.high < -0.3


def test_relu_and_its_like_are_above_linear_and_sign(activations: Screened) -> None:
    found = {name: each.b_wr.value for name, each in activations.figures().items()}
    for strong in ("ReLU", "LeakyReLU", "GELU", "SiLU", "Mish", "Hardswish"):
        for weak in ("linear", "sign"):
            assert found[strong] > found[weak] + 0.2, (strong, weak)


def promising(found: Screened, arms: Arms) -> dict[str, bool]:
    """Which of `arms` [cells, seeds] come out as promising in a round of their own."""
    where = found.suite.seeds
    against = yardstick(found.suite, where, found.baselines, found.selecting)
    effects = shrunken(
        [figures(trials_of(found.suite.cells, where, losses), against).effect for losses in arms.values()]
    )
    return {name: effect.low > 0 for name, effect in zip(arms, effects, strict=True)}


def test_gelu_withheld_from_the_baselines_comes_out_on_top(activations: Screened) -> None:
    found = activations.figures(without=("GELU", "SiLU", "Mish"))
    assert max(found, key=lambda name: found[name].b_wr.value) == "GELU"
    assert max(found, key=lambda name: found[name].effect.value) == "GELU"
    assert found["GELU"].effect.high > 0


def test_a_planted_improvement_of_a_tenth_on_the_best_baseline_is_promising_and_none_is_not(
    activations: Screened,
) -> None:
    gelu = activations.baselines["GELU"]
    planted = {"worse": gelu * 1.1, "the same": gelu, "better": gelu * 0.9}
    assert promising(activations, planted) == {"worse": False, "the same": False, "better": True}


def test_baselines_that_are_trained_again_on_other_seeds_come_out_as_promising_in_one_of_20_at_most(
    activations: Screened,
) -> None:
    found = []
    for start in range(0, len(SELECTION_SEEDS), 2):
        again = {name: losses[:, start : start + 2] for name, losses in activations.selecting.items()}
        found += promising(activations, again).values()
    assert np.mean(found) <= 0.05


def module(body: str, method: str = "forward(self, x)", more: str = "") -> str:
    """Source of a component that is a module; `method` ends with `body`."""
    lines = ["import torch", "import torch.nn.functional as F", "class Broken(torch.nn.Module):", *more.splitlines()]
    return "\n".join([*lines, f"    def {method}:", f"        {body}", "def build(*arguments):", "    return Broken()"])


BROKEN = {  # of each kind one that obeys the contract's form and cannot work
    "activation": module("return 0 * x + 1"),
    "normalizer": module("return 0 * x"),
    "preprocessor": module("return torch.zeros(len(x), 1)", more="    def fit(self, x):\n        pass"),
    "augmentation": module("return torch.randn_like(x)"),
    "loss": module("return -F.cross_entropy(logits, targets)", "forward(self, logits, targets)"),
    "regularizer": module("return 1e3 * sum((w * w).sum() for w in weights)", "forward(self, weights, activations)"),
    "initializer": "def build():\n    return lambda weight: weight.normal_().mul_(1e3)",
    "schedule": "def build(total_steps):\n    return lambda step: 1e-6",
    "optimizer": "import torch\nclass Broken(torch.optim.Optimizer):\n    def __init__(self, params):\n"
    "        super().__init__(params, {})\n    def step(self, closure=None):\n        pass\n"
    "def build(params, lr):\n    return Broken(params)",
}


@pytest.mark.parametrize("name", thinned([pytest.param(name, id=name) for name in KINDS], every=4))
def test_what_cannot_work_wins_next_to_nothing(bench: Bench, name: str) -> None:
    kind = KINDS[name]
    screening = suite_of(kind)
    suite = replace(screening, architectures={"mlp2": screening.architectures["mlp2"]}, seeds=(0,))
    known = {known.name: known.code.encode() for known in kind.baselines}
    found = bench.measure(kind, suite, {**known, "broken": BROKEN[name].encode()}, suite.seeds)
    assert rates(found.pop("broken"), list(found.values()))[0] < 0.1
