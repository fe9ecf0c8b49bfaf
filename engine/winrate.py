"""B-WR, BSOTA-WR and effect of an arm against the baselines of the same trials, each with a 90 % interval over seeds.

The definitions are ours where the paper (Ardeshir 2024, arXiv 2409.05258) gives none; m is the held-out loss.

win(a, b)  1 when m(a) < m(b) (1 - 1e-4), 0 when m(b) < m(a) (1 - 1e-4), otherwise a tie: 1/2. A trial that diverged has
           an infinite loss: it loses against any finite one and ties with another that diverged.
B-WR       mean of win(h, baseline) over all (baseline, trial) pairs.
BSOTA-WR   mean over trials of win(h, the best baseline OF THAT TRIAL): so 1 on one axis is 1 on the other.
effect     median over trials of (m(b) - m(h)) / max(m(b), m(h)), b being the best baseline: the one with the highest
           B-WR against the others on SELECTION_SEEDS. Positive is better, -1 is a divergence, swapping the arms flips
           the sign. See docs/decisions/0005-one-best-baseline.md.

Intervals are over seeds (initialisation, order, held-out examples) on the same cells; they say nothing about new data
sets. An arm's own two seeds tell next to nothing about its variance, so how far a figure scatters is learned from the
baselines, each held against the others on SELECTION_SEEDS (a variance pooled over arms), and scaled to the arm at hand:
a win rate p of n trials has the variance F p (1 - p) / n; an effect has the variance F s^2 / n, where s is the median
absolute deviation of the arm's trials, times 1.4826. Trials of one data set and seed share their examples and are not
independent: F counts them as one cluster. Two corrections of F, ARMS_DIFFER and LEAST_EFFECT_SCATTER, come from
benchmarks/coverage.py.
A win rate's interval is Jeffreys' (Brown, Cai and DasGupta 2001) for n / F independent trials: never of zero width.
Thus a score needs no round of others, and everything that it is computed from can be exported with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from engine.score import BaselineTrials, Estimate, Trial
from engine.suite import SELECTION_SEEDS

Losses = NDArray[np.float64]

TIE = 1e-4  # relative; batching alone changes a loss by up to 1e-5
Z90 = 1.6448536269514722  # standard normal quantile of 95 %
ARMS_DIFFER = 1.5  # some arms' B-WR scatter more than the average baseline's, and more of these stand on top
LEAST_EFFECT_SCATTER = 1.0  # ten arms on eight seeds often show too little; with this, intervals cover
NORMAL_DEVIATION = 1.4826  # standard deviation of a normal sample over its median absolute deviation
LEAST_SCATTER = 1e-3
LEAST_EFFECT_ERROR = TIE  # an effect's standard error is never below what a tie allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    b_wr: Estimate
    bsota_wr: Estimate
    effect: Estimate
    diverged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """The factors F above."""

    b_wr: float
    bsota_wr: float
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What an arm is held against: k baselines on the same n trials, and what is known of how figures scatter."""

    baselines: tuple[str, ...]
    trials: tuple[tuple[str, int], ...]  # (cell, seed)
    losses: Losses  # [k, n]
    selection: Mapping[str, Losses]  # cell -> [k, seeds]
    scatter: Scatter

    @staticmethod
    def of(kept: Sequence[BaselineTrials]) -> Yardstick:
        """From trials on one set of seeds and those on SELECTION_SEEDS, which choose the best baseline.

        Raises ValueError when there are fewer than two baselines, one lacks one of the two sets of trials, or their
        trials differ.
        """
        measuring = {trials.baseline: trials.trials for trials in kept if trials.seeds != SELECTION_SEEDS}
        selecting = {trials.baseline: trials.trials for trials in kept if trials.seeds == SELECTION_SEEDS}
        if len(measuring) < 2 or measuring.keys() != selecting.keys():
            raise ValueError(
                f"two baselines are needed at least, and every baseline needs trials on the measuring and on the "
                f"selection seeds; measured are {sorted(measuring)}, selected on are {sorted(selecting)}"
            )
        names = tuple(measuring)
        trials, losses = _table([measuring[name] for name in names])
        selection_trials, selection_losses = _table([selecting[name] for name in names])
        selection = _by_cell(selection_trials, selection_losses)
        return Yardstick(
            baselines=names, trials=trials, losses=losses, selection=selection, scatter=_scatter(selection)
        )

    def without(self, baseline: str) -> Yardstick:
        """The same without one baseline, against which its own row is read (leave one out)."""
        kept = [number for number, name in enumerate(self.baselines) if name != baseline]
        return Yardstick(
            baselines=tuple(self.baselines[number] for number in kept),
            trials=self.trials,
            losses=self.losses[kept],
            selection={cell: losses[kept] for cell, losses in self.selection.items()},
            scatter=self.scatter,
        )

    def best(self) -> str:
        """The name of the baseline that is best on the selection seeds, over all cells."""
        return self.baselines[_best(list(self.selection.values()))]


def figures(trials: Sequence[Trial], yardstick: Yardstick) -> Figures:
    """All figures of one arm. Raises ValueError when its trials are not the yardstick's, in the same order."""
    found, losses = _table([trials])
    if found != yardstick.trials:
        raise ValueError(f"trials {found[:3]}... do not match the baselines' {yardstick.trials[:3]}...")
    arm, scatter = losses[0], yardstick.scatter
    effects = relative_differences(arm, yardstick.losses[yardstick.baselines.index(yardstick.best())])
    return Figures(
        b_wr=rate(float(wins(arm, yardstick.losses).mean()), len(arm), scatter.b_wr),
        bsota_wr=rate(float(wins(arm, yardstick.losses.min(0)).mean()), len(arm), scatter.bsota_wr),
        effect=_middle(effects, scatter.effect),
        diverged=int(np.isinf(arm).sum()),
    )


def share_won(trials: Sequence[Trial], others: Sequence[Trial], yardstick: Yardstick) -> Estimate:
    """Of the trials against one other arm. Raises ValueError when the two have different trials.

    It scatters as a BSOTA-WR does, which is also won against one arm a trial, not as a mean over all baselines.
    """
    _, (arm, other) = _table([trials, others])
    return rate(float(wins(arm, other).mean()), len(arm), yardstick.scatter.bsota_wr)


def reference_rows(yardstick: Yardstick) -> dict[str, Figures]:
    """Each baseline against the others: what the figures of a candidate must be compared with."""
    rows = {}
    for name, losses in zip(yardstick.baselines, yardstick.losses, strict=True):
        own = [
            Trial(cell=cell, seed=seed, loss=float(loss) if np.isfinite(loss) else None, accuracy=None)
            for (cell, seed), loss in zip(yardstick.trials, losses, strict=True)
        ]
        rows[name] = figures(own, yardstick.without(name))
    return rows


def wins(arm: Losses, others: Losses) -> Losses:
    """1, 1/2 or 0 where `arm` [n] is better than, ties with, or is worse than `others` [..., n]. Losses are >= 0."""
    better, worse = arm < others * (1 - TIE), others < arm * (1 - TIE)
    return 0.5 + 0.5 * better - 0.5 * worse


def relative_differences(arm: Losses, other: Losses) -> Losses:
    """(other - arm) / max(other, arm) in [-1, 1]: how much lower the arm's loss is; 0 where neither has one."""
    finite = np.finfo(np.float64).max
    arm, other = np.minimum(arm, finite), np.minimum(other, finite)
    larger = np.maximum(arm, other)
    return np.divide(other - arm, larger, out=np.zeros_like(larger), where=larger > 0)


def rate(share: float, trials: int, scatter: float) -> Estimate:
    """A win rate with Jeffreys' interval for trials / scatter independent trials."""
    independent = trials / scatter
    won, lost = share * independent + 0.5, (1 - share) * independent + 0.5
    low = float(betaincinv(won, lost, 0.05)) if share > 0 else 0.0
    high = float(betaincinv(won, lost, 0.95)) if share < 1 else 1.0
    return Estimate(value=share, low=min(low, share), high=max(high, share))


def _middle(effects: Losses, scatter: float) -> Estimate:
    middle = float(np.median(effects))
    half = Z90 * max((scatter / len(effects)) ** 0.5 * _deviation(effects), LEAST_EFFECT_ERROR)
    return Estimate(value=middle, low=middle - half, high=middle + half)


def _deviation(effects: Losses) -> float:
    """Standard deviation of a normal sample with the same median absolute deviation."""
    return NORMAL_DEVIATION * float(np.median(np.abs(effects - np.median(effects))))


def _table(arms: Sequence[Sequence[Trial]]) -> tuple[tuple[tuple[str, int], ...], Losses]:
    """Trials' keys and losses [arms, n], a divergence as infinity. Raises ValueError when the arms' trials differ."""
    keys = [tuple((trial.cell, trial.seed) for trial in arm) for arm in arms]
    if any(other != keys[0] for other in keys):
        raise ValueError("the arms have different trials, which cannot be paired")
    return keys[0], np.array([[loss_of(t.loss) for t in arm] for arm in arms])


def loss_of(loss: float | None) -> float:
    """A divergence is an infinite loss."""
    return np.inf if loss is None else loss


def _by_cell(trials: Sequence[tuple[str, int]], losses: Losses) -> dict[str, Losses]:
    cells = np.array([cell for cell, _ in trials])
    return {str(cell): losses[:, cells == cell] for cell in dict.fromkeys(cells)}


def _best(cells: Sequence[Losses]) -> int:
    """Which arm of [arms, seeds] in each cell wins most of its comparisons with the others over all cells."""
    losses = np.concatenate(cells, 1)
    return int(np.argmax([wins(arm, losses).mean() for arm in losses]))


def _scatter(selection: Mapping[str, Losses]) -> Scatter:
    """The factors F, from each baseline held against the others on the selection seeds."""
    cells = list(selection)
    arms = next(iter(selection.values())).shape[0]
    won, won_best, effects = [], [], []
    for arm in range(arms):
        own = [losses[arm] for losses in selection.values()]
        others = [np.delete(losses, arm, 0) for losses in selection.values()]
        won.append(np.stack([wins(m, rest).mean(0) for m, rest in zip(own, others, strict=True)]))
        won_best.append(np.stack([wins(m, rest.min(0)) for m, rest in zip(own, others, strict=True)]))
        best = _best(others)
        effects.append(np.stack([relative_differences(m, rest[best]) for m, rest in zip(own, others, strict=True)]))
    return Scatter(
        b_wr=ARMS_DIFFER * _scatter_of_rate(won, cells),
        bsota_wr=_scatter_of_rate(won_best, cells),
        effect=max(_scatter_of_middle(effects), LEAST_EFFECT_SCATTER),
    )


def _scatter_of_rate(arms: Sequence[Losses], cells: Sequence[str]) -> float:
    """Variance over seeds of the mean of [cells, seeds], clustered by data set, over that of as many coin flips."""
    datasets = np.array([cell.partition("/")[0] for cell in cells])
    clusters = [[arm[datasets == dataset].sum(0).var(ddof=1) for dataset in dict.fromkeys(datasets)] for arm in arms]
    flips = [arm.mean() * (1 - arm.mean()) for arm in arms]
    found = float(np.sum(clusters)) / len(cells) / max(float(np.sum(flips)), LEAST_SCATTER)
    return max(found, LEAST_SCATTER)


def _scatter_of_middle(arms: Sequence[Losses]) -> float:
    """Variance over seeds of the median of [cells, 2 seeds], over s^2 / n, from all pairs of seeds."""
    cells, seeds = arms[0].shape
    pairs = np.array(list(combinations(range(seeds), 2)))
    each = np.stack([arm[:, pairs] for arm in arms]).swapaxes(1, 2).reshape(len(arms), len(pairs), 2 * cells)
    middles = np.median(each, -1, keepdims=True)
    squares = (NORMAL_DEVIATION * np.median(np.abs(each - middles), -1)) ** 2 / (2 * cells)
    few = 1 - 2 / seeds  # pairs out of few seeds scatter less than pairs of fresh ones
    scattered, expected = float(middles[..., 0].var(1).sum()), float(squares.mean(1).sum())
    return float(scattered / few / max(expected, LEAST_EFFECT_ERROR**2))
