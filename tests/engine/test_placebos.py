"""Placebos do what they say: the same function, a ripple, another scale; and planted effects are what they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.novelty import known_behaviour, same
from engine.placebos import NOISY, RESCALED, REWRITTEN, controls, effect_of, placebos, planted, promising, read_as
from engine.score import BaselineTrials, Estimate, Trial
from engine.suite import SELECTION_SEEDS
from engine.winrate import Yardstick
from sandbox.guest.candidate import load
from sandbox.guest.components.kind import Behaviour, Kind
from sandbox.guest.components.kinds import KINDS

ACTIVATION = KINDS["activation"]
WRITTEN = placebos(ACTIVATION, "r", 140)
OTHERS = [kind for kind in KINDS.values() if kind.name != "activation"]


def behaviour(kind: Kind, source: bytes) -> Behaviour:
    with torch.random.fork_rng(devices=[]):
        return kind.behave(load(source, kind, module="known"))


def of(title: str) -> str:
    return title.partition(" ")[2].rpartition(" ")[0].rpartition(" x")[0] or title.partition(" ")[2].rpartition(" ")[0]


@pytest.mark.parametrize("one", [p for p in WRITTEN if p.family == REWRITTEN][::11], ids=lambda p: p.hypothesis.title)
def test_a_rewrite_is_the_same_function_as_its_baseline(one: object) -> None:
    hypothesis = one.hypothesis  # type: ignore[attr-defined]
    baseline = known_behaviour(ACTIVATION, of(hypothesis.title))
    assert baseline is not None
    assert same(ACTIVATION, behaviour(ACTIVATION, hypothesis.source), baseline)


def test_noise_is_a_ten_thousandth_and_there() -> None:
    for one in [p for p in WRITTEN if p.family == NOISY][::7]:
        baseline = known_behaviour(ACTIVATION, of(one.hypothesis.title))
        assert baseline is not None
        away = np.abs(behaviour(ACTIVATION, one.hypothesis.source)["curve"] - baseline["curve"]).max()
        assert 1e-5 < away < 2e-4


def test_every_placebo_is_written_differently() -> None:
    assert len({one.hypothesis.source for one in WRITTEN}) == len(WRITTEN)


def test_rescalings_come_on_top_and_are_no_placebos() -> None:
    assert sum(one.family != RESCALED for one in WRITTEN) == 140
    assert sum(one.family == RESCALED for one in WRITTEN) == 4 * len(ACTIVATION.baselines)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.name)
def test_a_rewrite_of_every_other_kind_is_the_same_too(kind: Kind) -> None:
    one = placebos(kind, "r", 2)[0]
    baseline = known_behaviour(kind, kind.baselines[0].name)
    assert baseline is not None
    assert one.family == REWRITTEN
    assert same(kind, behaviour(kind, one.hypothesis.source), baseline)


def test_strong_baselines_can_be_withheld_and_others_remain() -> None:
    assert set(controls(ACTIVATION)) == {"GELU", "SiLU", "Mish"}
    for kind in KINDS.values():
        assert len(kind.baselines) - len(controls(kind)) >= 2


def trials(losses: np.ndarray, seeds: tuple[int, ...]) -> tuple[Trial, ...]:
    return tuple(
        Trial(cell=f"c{i}/mlp2", seed=seed, loss=float(loss), accuracy=None)
        for i, row in enumerate(losses)
        for seed, loss in zip(seeds, row, strict=True)
    )


def yardstick(random: np.random.Generator) -> tuple[Yardstick, tuple[Trial, ...]]:
    kept = []
    for name, level in (("better", 1.0), ("worse", 1.2)):
        for seeds in ((0, 1), SELECTION_SEEDS):
            losses = level + 0.01 * random.random((6, len(seeds)))
            about = {"kind": "k", "suite": "s", "torch_version": "", "device": "", "seconds": 0.0, "code_digest": ""}
            kept.append(BaselineTrials(baseline=name, seeds=seeds, trials=trials(losses, seeds), **about))  # type: ignore[arg-type]
    return Yardstick.of(kept), kept[0].trials


def test_a_planted_effect_is_the_effect_that_is_measured() -> None:
    against, best = yardstick(np.random.default_rng(0))
    assert effect_of(planted(best, 0.08), against).value == pytest.approx(0.08)


def test_trials_read_as_others_keep_their_losses_and_take_the_seeds() -> None:
    other = trials(np.ones((2, 2)), (7, 8))
    read = read_as(other, (7, 8), (0, 1))
    assert [(t.cell, t.seed, t.loss) for t in read] == [(t.cell, t.seed - 7, t.loss) for t in other]


def test_promising_is_told_in_a_round_with_the_others() -> None:
    good, none = Estimate(value=0.3, low=0.28, high=0.32), Estimate(value=0.0, low=-0.02, high=0.02)
    assert promising([good, none], [none] * 20) == [True, False]
