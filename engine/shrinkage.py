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
from scipy.special import log_ndtr, logsumexp

from engine.score import Estimate

Reals = NDArray[np.float64]

Z90 = 1.6448536269514722  # standard normal quantile of 95 %
PRIOR_COUNT = 4.0  # as if so many effects, half of them negative, had been seen besides: steadies small rounds
NARROWEST = 0.5  # width of the narrowest component, in median errors
EM_STEPS = 200
BISECTIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixture:
    """Component k is a half-normal of scale width[k] on the side sign[k]."""

    width: Reals
    sign: Reals


def shrunken(raw: Sequence[Estimate]) -> list[Estimate]:
    """Posterior means and 90 % intervals, in the order given. A raw interval is read as normal: half width / 1.645."""
    if not raw:
        return []
    found = np.array([estimate.value for estimate in raw])
    error = np.array([(estimate.high - estimate.low) / (2 * Z90) for estimate in raw])
    mixture = _grid(found, error)
    weights = _fit(_log_density(mixture, found, error))
    return [_posterior(mixture, weights, float(x), float(s)) for x, s in zip(found, error, strict=True)]


def _grid(found: Reals, error: Reals) -> _Mixture:
    """Widths up to twice the largest effect, each 1.4 times the one before."""
    narrowest = NARROWEST * float(np.median(error))
    widest = max(2 * float(np.abs(found).max()), 4 * narrowest)
    widths = np.geomspace(narrowest, widest, int(np.ceil(2 * np.log2(widest / narrowest))) + 1)
    sides = np.ones(len(widths))
    return _Mixture(width=np.concatenate([widths, widths]), sign=np.concatenate([sides, -sides]))


def _log_density(mixture: _Mixture, found: Reals, error: Reals) -> Reals:
    """[effects, components]: of seeing an effect when its true value comes from a component."""
    found, error = found[:, None], error[:, None]
    spread = np.hypot(mixture.width, error)
    mean, deviation = _component_posterior(mixture, found, error)
    normal = -0.5 * (found / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi)
    density: Reals = normal + np.log(2) + log_ndtr(mixture.sign * mean / deviation)
    return density


def _fit(log_density: Reals) -> Reals:
    """Log weights of the components by EM, with PRIOR_COUNT effects added, spread evenly."""
    components = log_density.shape[1]
    log_weights = np.full(components, -np.log(components))
    for _ in range(EM_STEPS):
        joint = log_density + log_weights
        counts = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)).sum(0) + PRIOR_COUNT / components
        log_weights = np.log(counts / counts.sum())
    return log_weights


def _component_posterior(mixture: _Mixture, found: Reals, error: Reals) -> tuple[Reals, Reals]:
    """Mean and deviation of the normal that, cut off at zero, is a component's posterior."""
    squares = mixture.width**2 + error**2
    return found * mixture.width**2 / squares, mixture.width * error / np.sqrt(squares)


def _posterior(mixture: _Mixture, log_weights: Reals, found: float, error: float) -> Estimate:
    joint = _log_density(mixture, np.array([found]), np.array([error]))[0] + log_weights
    weights = np.exp(joint - logsumexp(joint))
    mean, deviation = _component_posterior(mixture, np.array(found), np.array(error))
    inside = mixture.sign * mean / deviation  # how many deviations the normal's mean lies on the component's own side
    hazard = np.exp(-0.5 * inside**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(inside))
    value = float((weights * (mean + mixture.sign * deviation * hazard)).sum())

    def below(point: float) -> float:
        """Posterior probability of a true effect below `point`."""
        beyond = log_ndtr(mixture.sign * (mean - point) / deviation) - log_ndtr(inside)  # farther out, on its own side
        share = np.exp(np.minimum(beyond, 0.0))
        here = np.where(mixture.sign * point > 0, share, 1.0)
        return float((weights * np.where(mixture.sign > 0, 1 - here, here)).sum())

    reach = abs(found) + 10 * error
    low, high = _quantile(below, 0.05, reach), _quantile(below, 0.95, reach)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def _quantile(below: Callable[[float], float], probability: float, reach: float) -> float:
    low, high = -reach, reach
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return (low + high) / 2
