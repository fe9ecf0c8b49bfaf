"""The evidence behind an answer: every figure follows from what is exported, by arithmetic that anyone can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean, median
from typing import Any

import pytest

from bot.app import Laboratory
from bot.commands.export import evidence
from bot.commands.try_ import measured
from bot.settings import read_settings
from engine.evaluate import Evaluator
from engine.research import Research
from engine.suite import Suite, suite_of
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

Json = dict[str, Any]
REGULARIZER = """
from torch import nn

class Mine(nn.Module):
    def forward(self, weights, activations):
        return {scale} * sum(w.abs().pow(1.5).mean() for w in weights)

def build():
    return Mine()
"""


FEW = replace(KINDS["regularizer"], known=tuple(k for k in KINDS["regularizer"].known if k.baseline)[:3])


def small(kind: Kind, name: str) -> Suite:
    cells = {"datasets": ("spirals", "friedman1"), "architectures": {"mlp2": 2}}
    return replace(suite_of(kind, name), **cells, steps=12, checkpoints=(10, 12), examples=16)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Json]:
    """Two regularizers, whose arms all take the best strength of a grid, as a file tells of them."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONJECTURE_HOME", str(tmp_path_factory.mktemp("home")))
        opened = Laboratory.open(read_settings(slack=False))
    try:
        journal, sandbox, kinds = opened.journal, opened.sandbox, {"regularizer": FEW}
        secret = opened.home.suite_secret()
        evaluator = Evaluator(sandbox=sandbox, journal=journal, secret=secret, suites=small, kinds=kinds)
        research = Research(journal=journal, sandbox=sandbox, evaluator=evaluator, models=(), kinds=kinds)
        laboratory = replace(opened, evaluator=evaluator, research=research)
        files = [(f"{scale}.py", REGULARIZER.format(scale=scale).encode()) for scale in (0.01, 1.0)]
        measured(laboratory, "regularizer", files)
        (request_id,) = {opened.journal.hypothesis(h).request_id for h in ids(opened)}
        yield json.loads(json.dumps(evidence(laboratory, request_id), default=str))
    finally:
        opened.close()


def ids(laboratory: Laboratory) -> list[str]:
    return [past.hypothesis.id for past in laboratory.journal.past("regularizer")]


def scores(exported: Json) -> list[Json]:
    found = [score for hypothesis in exported["hypotheses"] for score in hypothesis["scores"]]
    assert len(found) == 2
    return found


def baselines(exported: Json, seeds: list[int]) -> list[Json]:
    return [run for run in exported["baselines"] if run["seeds"] == seeds]


def losses(arm: Json) -> dict[tuple[str, int], float]:
    return {(cell, seed): float("inf") if loss is None else loss for cell, seed, loss, _, _ in arm["trials"]}


def win(mine: float, theirs: float) -> float:
    if mine == theirs or abs(mine - theirs) <= 1e-4 * max(mine, theirs):
        return 0.5
    return float(mine < theirs)


def test_b_wr_can_be_recomputed_of_a_kind_whose_arms_take_the_best_of_a_grid(exported: Json) -> None:
    for score in scores(exported):
        mine = losses(score)
        others = [losses(run) for run in baselines(exported, score["seeds"])]
        assert len(others) == len(FEW.baselines)
        assert score["b_wr"]["value"] == pytest.approx(mean(win(mine[t], o[t]) for o in others for t in mine))
        best = {t: min(o[t] for o in others) for t in mine}
        assert score["bsota_wr"]["value"] == pytest.approx(mean(win(mine[t], best[t]) for t in mine))


def test_the_effect_can_be_recomputed(exported: Json) -> None:
    chosen = {run["baseline"]: losses(run) for run in baselines(exported, exported["selection_seeds"])}

    def b_wr(name: str) -> float:
        return mean(win(chosen[name][t], other[t]) for n, other in chosen.items() if n != name for t in other)

    best = max(chosen, key=b_wr)
    for score in scores(exported):
        others = {run["baseline"]: losses(run) for run in baselines(exported, score["seeds"])}
        pairs = [(others[best][trial], loss) for trial, loss in losses(score).items()]
        assert score["effect"]["value"] == pytest.approx(median((b - c) / max(b, c) for b, c in pairs))


def test_the_factor_of_every_arm_can_be_recomputed_from_its_grid(exported: Json) -> None:
    cells = exported["suites"]["regularizer"]["cells"]
    for arm in [*scores(exported), *exported["baselines"]]:
        tried = {factor: [float("inf") if x is None else x for x in row] for factor, row in arm["grid"].items()}
        assert list(map(float, tried)) == list(KINDS["regularizer"].conditions.grid)
        lowest = [min(row[cell] for row in tried.values()) for cell in range(len(cells))]
        wasted = {
            factor: mean((x - least) / x for x, least in zip(row, lowest, strict=True)) for factor, row in tried.items()
        }
        assert float(min(wasted, key=lambda factor: wasted[factor])) == arm["factor"]


def test_everything_told_of_a_score_is_there(exported: Json) -> None:
    for hypothesis in exported["hypotheses"]:
        assert hypothesis["verdict"]["parameters"] == 0
        assert hypothesis["verdict"]["cost_ratio"] > 0
        (score,) = hypothesis["scores"]
        assert score["diverged"] == sum(trial[2] is None for trial in score["trials"])
        assert all(trial[4] is not None for trial in score["trials"])
