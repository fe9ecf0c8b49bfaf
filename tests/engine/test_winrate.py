"""Win rates, effects and intervals, held to their definitions and to a naive computation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.score import BaselineTrials, Estimate, Trial
from engine.suite import SELECTION_SEEDS
from engine.winrate import (
    Figures,
    Losses,
    Yardstick,
    figures,
    rate,
    reference_rows,
    relative_differences,
    share_won,
    wins,
)

unhurried = settings(deadline=None)  # a busy machine is no failure

CELLS = ("digits/mlp2", "digits/cnn", "teacher/mlp2")
SEEDS = (0, 1)
TRIALS = len(CELLS) * len(SEEDS)

Loss = float | None
# Losses that often tie: a few values, their neighbours within the tolerance and just beyond it, and a divergence.
loss = st.one_of(
    st.none(),
    st.sampled_from([0.0, 0.5, 0.5 * (1 + 9e-5), 0.5 * (1 + 2e-4), 1.0, 2.0]),
    st.floats(1e-3, 1e3),
)
arm = st.lists(loss, min_size=TRIALS, max_size=TRIALS)
arms = st.lists(arm, min_size=2, max_size=5)


def trials(losses: Sequence[Loss], seeds: tuple[int, ...] = SEEDS) -> tuple[Trial, ...]:
    keys = [(cell, seed) for cell in CELLS for seed in seeds]
    return tuple(Trial(cell=c, seed=s, loss=m, accuracy=None) for (c, s), m in zip(keys, losses, strict=True))


def kept(name: str, losses: Sequence[Loss], seeds: tuple[int, ...] = SEEDS) -> BaselineTrials:
    return BaselineTrials(
        kind="activation",
        baseline=name,
        suite="screen-1/0",
        seeds=seeds,
        torch_version="2",
        device="cpu",
        trials=trials(losses, seeds),
        seconds=1.0,
        code_digest="d",
    )


def yardstick(baselines: Sequence[Sequence[Loss]], selection: Sequence[Sequence[float]] | None = None) -> Yardstick:
    """Without `selection` the first baseline is the best on the selection seeds."""
    count = len(CELLS) * len(SELECTION_SEEDS)
    rng = np.random.default_rng(0)
    drawn = [[float(0.1 * rng.random() + number) for _ in range(count)] for number in range(len(baselines))]
    chosen = selection or drawn
    return Yardstick.of(
        [kept(f"b{n}", losses) for n, losses in enumerate(baselines)]
        + [kept(f"b{n}", losses, SELECTION_SEEDS) for n, losses in enumerate(chosen)]
    )


def naive_win(a: Loss, b: Loss) -> float:
    if a is None or b is None:
        return 0.5 if a is b else float(b is None)
    return 1.0 if a < b * (1 - 1e-4) else 0.0 if b < a * (1 - 1e-4) else 0.5


def naive(candidate: Sequence[Loss], baselines: Sequence[Sequence[Loss]]) -> tuple[float, float, float]:
    """B-WR, BSOTA-WR and effect by two loops; the first baseline is the best on the selection seeds."""
    won, won_best, effects = [], [], []
    for trial, mine in enumerate(candidate):
        theirs = [losses[trial] for losses in baselines]
        won += [naive_win(mine, other) for other in theirs]
        best = min(theirs, key=lambda m: float("inf") if m is None else m)
        won_best.append(naive_win(mine, best))
        other = theirs[0]
        if mine is None or other is None:
            effects.append(0.0 if mine is other else 1.0 if other is None else -1.0)
        else:
            effects.append((other - mine) / max(other, mine) if max(other, mine) > 0 else 0.0)
    return sum(won) / len(won), sum(won_best) / len(won_best), median(effects)


def values(found: Figures) -> tuple[float, float, float]:
    return found.b_wr.value, found.bsota_wr.value, found.effect.value


@unhurried
@given(arm, arms)
def test_figures_are_those_of_a_naive_double_loop(candidate: list[Loss], baselines: list[list[Loss]]) -> None:
    assert values(figures(trials(candidate), yardstick(baselines))) == pytest.approx(naive(candidate, baselines))


@unhurried
@given(arm, arms)
def test_one_rate_is_1_exactly_when_the_other_is(candidate: list[Loss], baselines: list[list[Loss]]) -> None:
    found = figures(trials(candidate), yardstick(baselines))
    assert (found.b_wr.value == 1) == (found.bsota_wr.value == 1)
    assert found.bsota_wr.value <= found.b_wr.value or found.bsota_wr.value == pytest.approx(found.b_wr.value)


@unhurried
@given(arm, arms, st.randoms(use_true_random=False))
def test_the_order_of_baselines_does_not_matter(candidate: list[Loss], baselines: list[list[Loss]], random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(baselines)))
    random.shuffle(order)
    count = len(CELLS) * len(SELECTION_SEEDS)
    selection = [[n + 0.01 * i for i in range(count)] for n in range(len(baselines))]
    one = figures(trials(candidate), yardstick(baselines, selection))
    other = figures(trials(candidate), yardstick([baselines[n] for n in order], [selection[n] for n in order]))
    for a, b in ((one.b_wr, other.b_wr), (one.bsota_wr, other.bsota_wr), (one.effect, other.effect)):
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


@unhurried
@given(arm, arm)
def test_what_one_wins_the_other_loses(one: list[Loss], other: list[Loss]) -> None:
    a, b = (np.array([np.inf if m is None else m for m in losses]) for losses in (one, other))
    assert np.array_equal(wins(a, b) + wins(b, a), np.ones(TRIALS))
    assert np.array_equal(relative_differences(a, b), -relative_differences(b, a))


@unhurried
@given(arm)
def test_a_copy_of_a_baseline_ties_with_it_in_every_trial(baseline: list[Loss]) -> None:
    assert values(figures(trials(baseline), yardstick([baseline, baseline]))) == (0.5, 0.5, 0.0)


def test_a_tie_within_the_tolerance_counts_one_half_and_a_difference_beyond_it_does_not() -> None:
    at = np.array([1.0])
    assert wins(at, np.array([1 + 9e-5])) == wins(np.array([1 + 9e-5]), at) == 0.5
    assert wins(at, np.array([1 + 2e-4])) == 1
    assert wins(np.array([1 + 2e-4]), at) == 0


@unhurried
@given(arm, arms, st.integers(0, TRIALS - 1), st.floats(0.1, 0.99))
def test_a_lower_loss_never_lowers_a_figure(
    candidate: list[Loss], baselines: list[list[Loss]], at: int, factor: float
) -> None:
    before = values(figures(trials(candidate), yardstick(baselines)))
    value = candidate[at]
    better = [*candidate[:at], 1e3 if value is None else value * factor, *candidate[at + 1 :]]
    after = values(figures(trials(better), yardstick(baselines)))
    assert all(new >= old - 1e-12 for new, old in zip(after, before, strict=True))


def test_a_divergence_loses_against_any_loss_and_ties_with_another() -> None:
    found = figures(trials([None] * TRIALS), yardstick([[1e9] * TRIALS, [1.0] * TRIALS]))
    assert values(found) == (0, 0, -1)
    assert found.diverged == TRIALS
    assert values(figures(trials([None] * TRIALS), yardstick([[None] * TRIALS] * 2))) == (0.5, 0.5, 0)


@unhurried
@given(arm, arms)
def test_an_interval_holds_its_value_and_is_never_of_zero_width(
    candidate: list[Loss], baselines: list[list[Loss]]
) -> None:
    found = figures(trials(candidate), yardstick(baselines))
    for estimate in (found.b_wr, found.bsota_wr, found.effect):
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.high - estimate.low > 1e-4
        assert {type(estimate.value), type(estimate.low), type(estimate.high)} == {float}  # not a subclass of numpy's
    assert 0 <= found.b_wr.low <= found.b_wr.high <= 1


def test_a_rates_interval_is_jeffreys_own_where_trials_are_independent() -> None:
    """7 of 20 at 90 %: (0.196, 0.534), from the quantiles of Beta(7.5, 13.5)."""
    found = rate(7 / 20, 20, 1.0)
    assert (found.low, found.high) == pytest.approx((0.1956, 0.5344), abs=2e-3)
    assert rate(0.0, 20, 1.0).low == 0
    assert 0.08 < rate(0.0, 20, 1.0).high < 0.1


@unhurried
@given(st.floats(0, 1), st.integers(10, 200))
def test_fewer_independent_trials_widen_an_interval(share: float, trials_: int) -> None:
    narrow, wide = rate(share, trials_, 0.2), rate(share, trials_, 1.0)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_the_best_baseline_is_chosen_on_the_selection_seeds_alone() -> None:
    count = len(SELECTION_SEEDS)
    selection = [[1.0] * count + [2.0] * count + [2.0] * count, [2.0] * count + [1.0] * count + [1.0] * count]
    # On the measuring seeds the other baseline happens to be better everywhere.
    assert yardstick([[1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2]], selection).best() == "b1"


def test_the_effect_is_held_against_one_baseline_in_every_cell() -> None:
    count = len(SELECTION_SEEDS)
    selection = [[1.0] * count + [2.0] * count + [2.0] * count, [2.0] * count + [1.0] * count + [1.0] * count]
    against = yardstick([[1, 1, 4, 4, 4, 4], [4, 4, 2, 2, 2, 2]], selection)
    assert figures(trials([1, 1, 1, 1, 1, 1]), against).effect.value == 0.5
    assert figures(trials([2, 2, 2, 2, 2, 2]), against).effect.value == 0


@unhurried
@given(arms)
def test_a_reference_row_is_the_baseline_as_a_candidate_against_the_others(baselines: list[list[Loss]]) -> None:
    rows = reference_rows(yardstick(baselines))
    for number, own in enumerate(baselines):
        others = [losses for n, losses in enumerate(baselines) if n != number]
        expected = naive(own, others)
        found = rows[f"b{number}"]
        assert (found.b_wr.value, found.bsota_wr.value) == pytest.approx(expected[:2])


CELLS_DRAWN = tuple(f"d{n}/mlp2" for n in range(17))


def drawn_trials(losses: Losses, seeds: Sequence[int]) -> tuple[Trial, ...]:
    rows = zip(CELLS_DRAWN, losses, strict=True)
    return tuple(
        Trial(cell=c, seed=s, loss=float(m), accuracy=None) for c, row in rows for s, m in zip(seeds, row, strict=True)
    )


def drawn_yardstick(seeds: tuple[int, ...], losses: Losses, selection: Losses) -> Yardstick:
    """Of arms [k, cells, seeds]."""
    return Yardstick.of(
        [
            replace(kept(f"b{n}", [1.0] * TRIALS), seeds=where, trials=drawn_trials(arm, where))
            for where, arms in ((seeds, losses), (SELECTION_SEEDS, selection))
            for n, arm in enumerate(arms)
        ]
    )


class Population:
    """Simulated arms with a known truth: cells differ in the chance to win, seeds are independent."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)
        self.strength = self.rng.normal(0, 0.05, (14, 17))
        self.selection = self.draw(len(SELECTION_SEEDS))[:10]

    def draw(self, seeds: int) -> Losses:
        return 1 + self.strength[:, :, None] + self.rng.normal(0, 0.05, (14, 17, seeds))

    def measure(self, seeds: tuple[int, ...]) -> list[tuple[Estimate, ...]]:
        """B-WR, BSOTA-WR, effect, and the share won against the first baseline alone, of four arms."""
        losses = self.draw(len(seeds))
        against = drawn_yardstick(seeds, losses[:10], self.selection)
        found = [figures(drawn_trials(arm, seeds), against) for arm in losses[10:]]
        first = drawn_trials(losses[0], seeds)
        won = [share_won(drawn_trials(arm, seeds), first, against) for arm in losses[10:]]
        return [(f.b_wr, f.bsota_wr, f.effect, share) for f, share in zip(found, won, strict=True)]


def test_intervals_cover_the_value_at_many_seeds() -> None:
    population = Population()
    truth = population.measure(tuple(range(2000, 2400)))
    hits = [
        [e.low <= t.value <= e.high for e, t in zip(arm, real, strict=True)]
        for _ in range(60)
        for arm, real in zip(population.measure((0, 1)), truth, strict=True)
    ]
    assert (np.mean(hits, axis=0) > 0.82).all()
    assert (np.mean(hits, axis=0) < 0.985).all()


def test_baselines_that_hardly_scatter_make_no_effect_surer_than_independent_trials_would() -> None:
    rng = np.random.default_rng(2)
    still = np.broadcast_to(1 + rng.normal(0, 0.05, (10, 17, 1)), (10, 17, len(SELECTION_SEEDS)))
    assert drawn_yardstick((0, 1), still[:, :, :2], still).scatter.effect == 1.0


@pytest.mark.parametrize("without", [SEEDS, SELECTION_SEEDS])
def test_a_baseline_that_was_not_trained_on_both_sets_of_seeds_is_refused(without: tuple[int, ...]) -> None:
    count = len(CELLS) * len(SELECTION_SEEDS)
    rows = [kept(name, [1.0] * TRIALS) for name in ("b0", "b1")]
    rows += [kept(name, [1.0] * count, SELECTION_SEEDS) for name in ("b0", "b1")]
    with pytest.raises(ValueError, match="every baseline needs trials"):
        Yardstick.of([row for row in rows if row.baseline == "b0" or row.seeds != without])


def test_trials_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="do not match"):
        figures(trials([1.0] * TRIALS)[::-1], yardstick([[1.0] * TRIALS] * 2))
