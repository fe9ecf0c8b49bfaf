"""Whether predictions are as sure as they say: reliability, Brier and CRPS skill, and how often intervals cover.

Predicted is a figure that is measured afterwards, and the event that it lies above a threshold. Skills are relative to
always predicting what was seen in training: 1 is perfect, 0 is no better, below 0 is worse.

Brier skill   1 - sum (p - y)^2 / sum (base rate of training - y)^2 (Brier, 1950), y being 1 when the event happened
CRPS skill    1 - mean CRPS / mean CRPS of the normal with training's mean and deviation (Gneiting and Raftery, 2007)
error         expected calibration error: mean over ten bins of equal size of |mean p - share that happened|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import beta

from engine.efficiency import from_samples, resampled
from engine.score import Estimate

Reals = NDArray[np.float64]

BINS = 10
LEAST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What was predicted of one figure before it was measured."""

    mean: float
    deviation: float
    chance: float  # of the event
    low: float  # of the 90 % interval
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A tenth of the predictions, by their probability."""

    predicted: float  # mean probability
    happened: Estimate  # share, with Jeffreys' interval
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    n: int
    bins: tuple[Bin, ...]  # by rising probability
    error: Estimate
    brier_skill: Estimate | None  # None: the event never happened
    crps_skill: Estimate
    coverage: Estimate  # share of 90 % intervals that hold what was measured


def calibration(
    forecasts: Sequence[Forecast], measured: Sequence[float], *, seen: Sequence[float], groups: Sequence[int]
) -> Calibration | None:
    """Of forecasts of a figure and of the event that it is among the best quarter of `seen`, what training had.

    None when there is nothing to compare. Intervals are from a bootstrap over `groups` of near-duplicates.
    """
    if not forecasts or not seen:
        return None
    mean, chance, low, high = (
        np.array([getattr(one, name) for one in forecasts], np.float64) for name in ("mean", "chance", "low", "high")
    )
    deviation = np.array([max(one.deviation, LEAST_DEVIATION) for one in forecasts])
    found, usual = np.asarray(measured, np.float64), np.asarray(seen, np.float64)
    happened = (found > threshold(seen)).astype(np.float64)
    base = np.full(len(found), (usual > threshold(seen)).mean())
    spread = np.full(len(found), max(float(usual.std()), LEAST_DEVIATION))
    crps, reference = crps_normal(mean, deviation, found), crps_normal(np.full(len(found), usual.mean()), spread, found)
    samples = resampled(np.asarray(groups), np.random.default_rng(0))
    errors = [calibration_error(chance[rows], happened[rows]) for rows in samples]
    return Calibration(
        n=len(found),
        bins=reliability(chance, happened),
        error=from_samples(calibration_error(chance, happened), errors),
        brier_skill=_skill((chance - happened) ** 2, (base - happened) ** 2, samples) if happened.any() else None,
        crps_skill=_skill(crps, reference, samples),
        coverage=_share(float(((low <= found) & (found <= high)).sum()), len(found)),
    )


def threshold(seen: Sequence[float]) -> float:
    """Above it lies the best quarter of what training had."""
    return float(np.quantile(seen, 0.75))


def reliability(chance: Reals, happened: Reals) -> tuple[Bin, ...]:
    """Up to BINS bins of as equal size as can be, by rising probability; the last is the top decile."""
    parts = np.array_split(np.argsort(chance, kind="stable"), min(BINS, len(chance)))
    return tuple(
        Bin(
            predicted=float(chance[part].mean()),
            happened=_share(float(happened[part].sum()), len(part)),
            count=len(part),
        )
        for part in parts
    )


def calibration_error(chance: Reals, happened: Reals) -> float:
    parts = np.array_split(np.argsort(chance, kind="stable"), min(BINS, len(chance)))
    return float(sum(len(p) * abs(chance[p].mean() - happened[p].mean()) for p in parts) / len(chance))


def crps_normal(mean: Reals, deviation: Reals, found: Reals) -> Reals:
    """Continuous ranked probability score of normal distributions, in the figure's unit; 0 is best."""
    z = (found - mean) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(deviation * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))


def _skill(losses: Reals, reference: Reals, samples: Sequence[NDArray[np.int64]]) -> Estimate:
    def skill(rows: NDArray[np.int64] | slice) -> float:
        return float(1 - losses[rows].sum() / max(reference[rows].sum(), 1e-12))

    return from_samples(skill(slice(None)), [skill(rows) for rows in samples])


def _share(count: float, of: int) -> Estimate:
    """With Jeffreys' interval."""
    low, high = beta.ppf((0.05, 0.95), count + 0.5, of - count + 0.5)
    value = count / of
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))
