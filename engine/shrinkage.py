"""Empirical-Bayes shrinkage of the effects of one round toward zero.

Adaptive shrinkage (Stephens 2017, "False discovery rates: a new deal", Biostatistics 18): the true effects of a round
come from one distribution with its mode at zero, a mixture of half-normals of many widths on either side, whose weights
are fitted to the round by EM. Few effects above zero in the round thus pull each of them down, and effects far below
zero, which are common, take nothing from those above. There is no point mass at zero: two different functions do not
train to exactly the same loss, and an interval must not have zero width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from engine.score import Estimate

Reals = NDArray[np.float64]

Z90 = 1.6448536269514722  # standard normal quantile of 95 %
PRIOR_COUNT = 4.0  # as if at least so many effects, half of them negative, had been seen besides: steadies small rounds
PRIOR_SHARE = 0.25  # of a large round: with fewer its top shrinks too far (benchmarks/coverage.py)
NARROWEST = 0.5  # width of the narrowest component, in median errors
EM_STEPS = 200
BISECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixture:
    """Component k is a half-normal of scale width[k] on the side sign[k]."""

    width: Reals
    sign: Reals


def shrunken(raw: Sequence[Estimate]) -> list[Estimate]:
    """Posterior means and 90 % intervals, in the order given. A raw interval is read as normal: half width / 1.645."""
    if not raw:
        return []
    found = np.array([estimate.value for estimate in raw])[:, None]
    error = np.array([(estimate.high - estimate.low) / (2 * Z90) for estimate in raw])[:, None]
    mixture = _grid(found, error)
    density = _density(mixture, found, error)
    weights = _fit(density)
    each = density * weights
    means, lows, highs = _summary(mixture, each / each.sum(1, keepdims=True), found, error)
    return [
        Estimate(value=float(mean), low=float(min(low, mean)), high=float(max(high, mean)))
        for mean, low, high in zip(means, lows, highs, strict=True)
    ]


def _grid(found: Reals, error: Reals) -> _Mixture:
    """Widths up to twice the largest effect, each 1.4 times the one before."""
    narrowest = NARROWEST * float(np.median(error))
    widest = max(2 * float(np.abs(found).max()), 4 * narrowest)
    widths = np.geomspace(narrowest, widest, int(np.ceil(2 * np.log2(widest / narrowest))) + 1)
    sides = np.ones(len(widths))
    return _Mixture(width=np.concatenate([widths, widths]), sign=np.concatenate([sides, -sides]))


def _component_posterior(mixture: _Mixture, found: Reals, error: Reals) -> tuple[Reals, Reals]:
    """Mean and deviation [effects, components] of the normal that, cut off at zero, is a component's posterior."""
    squares = mixture.width**2 + error**2
    return found * mixture.width**2 / squares, mixture.width * error / np.sqrt(squares)


def _density(mixture: _Mixture, found: Reals, error: Reals) -> Reals:
    """[effects, components]: of seeing an effect when its true value comes from a component, up to a factor a row."""
    spread = np.hypot(mixture.width, error)
    mean, deviation = _component_posterior(mixture, found, error)
    log_density = -0.5 * (found / spread) ** 2 - np.log(spread) + log_ndtr(mixture.sign * mean / deviation)
    density: Reals = np.exp(log_density - log_density.max(1, keepdims=True))
    return density


def _fit(density: Reals) -> Reals:
    """Weights of the components by EM, with the prior's effects added, spread evenly."""
    effects, components = density.shape
    prior = max(PRIOR_COUNT, PRIOR_SHARE * effects)
    weights = np.full(components, 1 / components)
    for _ in range(EM_STEPS):
        each = density * weights
        counts = (each / each.sum(1, keepdims=True)).sum(0) + prior / components
        weights = counts / counts.sum()
    return weights


def _summary(mixture: _Mixture, weights: Reals, found: Reals, error: Reals) -> tuple[Reals, Reals, Reals]:
    """Means, 5 % and 95 % quantiles of the posteriors; `weights` are each effect's own [effects, components]."""
    mean, deviation = _component_posterior(mixture, found, error)
    inside = mixture.sign * mean / deviation  # how many deviations the normal's mean lies on the component's own side
    hazard = np.exp(-0.5 * inside**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(inside))
    means: Reals = (weights * (mean + mixture.sign * deviation * hazard)).sum(1)

    def below(points: Reals) -> Reals:
        """Posterior probability of a true effect below each effect's point."""
        beyond = log_ndtr(mixture.sign * (mean - points[:, None]) / deviation) - log_ndtr(inside)  # on its own side
        farther = np.where(mixture.sign * points[:, None] > 0, np.exp(np.minimum(beyond, 0.0)), 1.0)
        probability: Reals = (weights * np.where(mixture.sign > 0, 1 - farther, farther)).sum(1)
        return probability

    reach = (np.abs(found) + 10 * error)[:, 0]
    return means, _quantiles(below, 0.05, reach), _quantiles(below, 0.95, reach)


def _quantiles(below: Callable[[Reals], Reals], probability: float, reach: Reals) -> Reals:
    low, high = -reach, reach
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        less = below(middle) < probability
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    result: Reals = (low + high) / 2
    return result
