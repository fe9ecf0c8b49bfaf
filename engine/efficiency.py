"""How soon an order of evaluation finds the best: the efficiency curve of the paper's Figure 4, by our definition.

Of N hypotheses put in order, n have a truth (the others broke in training: they took their place and hold nothing).
The best are the ceil(0.05 n) of the highest truth. The curve is the share of them found, over the share of the N that
was evaluated; its area is the curve's mean over 1..N, divided by that of the oracle's, which evaluates the best first.
A random order has an area of about one half, the oracle 1.

Intervals are 90 % from a bootstrap over groups of near-duplicates, since these are not independent. Orders that are
compared see the same samples (a paired bootstrap). In a sample the best are those of the sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from engine.score import Estimate

Reals = NDArray[np.float64]
Rows = NDArray[np.int64]

TOP_SHARE = 0.05
EARLY_SHARE = 0.2
RESAMPLES = 500
RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one order is worth."""

    area: Estimate
    area_in_better_half: Estimate  # within the better half by truth; the best are the same ones
    found_early: Estimate  # share of the best among the first EARLY_SHARE
    count_found_early: int
    curve: Reals  # [N] share of the best found after 1..N evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    n: int  # with a truth
    broke: int  # in training: they are in the order and hold nothing
    top: int  # ceil(0.05 n)
    orders: Mapping[str, Order]
    oracle: Reals  # its curve, [N]
    differences: Mapping[str, Estimate]  # of the first order's area minus that of each other one, paired
    differences_in_better_half: Mapping[str, Estimate]


def efficiency(
    truth: Sequence[float | None], scores: Mapping[str, Sequence[float]], groups: Sequence[int], *, seed: int = 0
) -> Efficiency | None:
    """Of every order in `scores` (evaluated from the highest to the lowest) and of a random one.

    truth: None for what broke in training. groups: equal for near-duplicates. None when nothing has a truth.
    Raises ValueError when the lengths differ.
    """
    if any(len(each) != len(truth) for each in [groups, *scores.values()]):
        raise ValueError(
            f"{len(truth)} truths, but orders and groups of {[len(s) for s in [groups, *scores.values()]]}"
        )
    real = np.array([-np.inf if value is None else value for value in truth], np.float64)
    valid = int(np.isfinite(real).sum())
    if valid == 0:
        return None
    random = np.random.default_rng(seed)
    by_name = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    all_rows = np.arange(len(real))
    samples = [_measures(real, by_name, rows, random) for rows in resampled(np.asarray(groups), random)]
    found = _measures(real, by_name, all_rows, random)
    for number in range(3):  # a random order is worth what it is worth on average
        found[RANDOM][number] = float(np.mean([sample[RANDOM][number] for sample in samples]))
    curves = {name: curve(_ordered(values, random.permutation(len(real))), real) for name, values in by_name.items()}
    curves[RANDOM] = np.arange(1, len(real) + 1) / len(real)
    top = top_count(valid)
    first = next(iter(by_name), RANDOM)
    return Efficiency(
        n=valid,
        broke=len(real) - valid,
        top=top,
        orders={
            name: Order(
                area=from_samples(found[name][0], [sample[name][0] for sample in samples]),
                area_in_better_half=from_samples(found[name][1], [sample[name][1] for sample in samples]),
                found_early=from_samples(found[name][2], [sample[name][2] for sample in samples]),
                count_found_early=round(found[name][2] * top),
                curve=curves[name],
            )
            for name in curves
        },
        oracle=curve(np.argsort(-real, kind="stable"), real),
        differences=_differences(first, found, samples, 0),
        differences_in_better_half=_differences(first, found, samples, 1),
    )


def top_count(n: int) -> int:
    return -int(-TOP_SHARE * n // 1)


def curve(order: Rows, truth: Reals) -> Reals:
    """Share of the best found after 1..N evaluations in this order [N]. Truth [N] is -inf where there is none."""
    best = np.zeros(len(truth))
    top = top_count(int(np.isfinite(truth).sum()))
    best[np.argsort(-truth, kind="stable")[:top]] = 1 / max(top, 1)
    return np.asarray(np.cumsum(best[order]))


def area(order: Rows, truth: Reals) -> float:
    """Area under the curve over the oracle's."""
    return float(curve(order, truth).mean() / curve(np.argsort(-truth, kind="stable"), truth).mean())


def area_in_better_half(order: Rows, truth: Reals) -> float:
    """The same of the order without the worse half by truth, which is easy to tell apart; the best stay the same."""
    top = top_count(int(np.isfinite(truth).sum()))
    ranked = np.argsort(-truth, kind="stable")
    place = np.empty(len(truth), np.int64)
    place[ranked] = np.arange(len(truth))
    kept = place[order] < -(-int(np.isfinite(truth).sum()) // 2)
    found = np.cumsum(place[order][kept] < top)
    return float(found.mean() / np.minimum(np.arange(1, len(found) + 1), top).mean())


def found_early(order: Rows, truth: Reals) -> float:
    """Share of the best among the first fifth, which is rounded up to whole evaluations."""
    return float(curve(order, truth)[-int(-EARLY_SHARE * len(truth) // 1) - 1])


def best_of(order: Rows, truth: Reals) -> Reals:
    """[N] the best truth after 1..N evaluations in this order; -inf while nothing trained."""
    return np.asarray(np.maximum.accumulate(truth[order]))


def best_of_n(truth: Reals) -> Reals:
    """[N] what best-of-n gives: the expected best truth of n drawn at random, n = 1..N. What broke is worth the worst.

    P(the best of n is not above the i-th of N in ascending order) = C(i, n) / C(N, n).
    """
    ascending = np.sort(np.where(np.isfinite(truth), truth, truth[np.isfinite(truth)].min()))
    total = len(ascending)
    i, n = np.arange(1, total + 1)[None], np.arange(1, total + 1)[:, None]
    with np.errstate(invalid="ignore"):
        log = gammaln(i + 1) - gammaln(i - n + 1) - gammaln(total + 1) + gammaln(total - n + 1)
    not_above = np.where(i >= n, np.exp(log), 0.0)
    return np.asarray((np.diff(not_above, axis=1, prepend=0.0) * ascending).sum(1))


# --- the bootstrap


def _measures(
    truth: Reals, scores: Mapping[str, Reals], rows: Rows, random: np.random.Generator
) -> dict[str, list[float]]:
    real, chance = truth[rows], random.permutation(len(rows))
    orders = {name: _ordered(values[rows], chance) for name, values in scores.items()}
    orders[RANDOM] = chance
    return {name: [area(o, real), area_in_better_half(o, real), found_early(o, real)] for name, o in orders.items()}


def _ordered(scores: Reals, chance: Rows) -> Rows:
    """From the highest to the lowest; equal ones in the order of chance, so that no order is favoured by the file's."""
    return np.asarray(chance[np.argsort(-scores[chance], kind="stable")])


def resampled(groups: NDArray[np.int64], random: np.random.Generator) -> list[Rows]:
    """RESAMPLES samples, each of as many groups as there are, drawn with replacement."""
    by_group = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[by_group], return_index=True)
    drawn = random.integers(len(starts), size=(RESAMPLES, len(starts)))
    if len(starts) == len(groups):
        return list(drawn)
    members = np.split(by_group, starts[1:])
    return [np.concatenate([members[number] for number in row]) for row in drawn]


def from_samples(value: float, samples: Sequence[float]) -> Estimate:
    """With a 90 % interval that always holds the value itself."""
    low, high = np.quantile(samples, (0.05, 0.95))
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def _differences(
    first: str, found: Mapping[str, list[float]], samples: Sequence[Mapping[str, list[float]]], number: int
) -> dict[str, Estimate]:
    return {
        name: from_samples(
            found[first][number] - found[name][number], [s[first][number] - s[name][number] for s in samples]
        )
        for name in found
        if name != first
    }
