"""Calibration: forecasts that are right, too sure, or say nothing are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from engine.calibration import Calibration, Forecast, calibration, crps_normal, threshold

RANDOM = np.random.default_rng(0)
SEEN = list(RANDOM.normal(size=600))
MEANS = RANDOM.normal(scale=0.8, size=600)
MEASURED = list(MEANS + RANDOM.normal(scale=0.6, size=600))


def judged(means: np.ndarray, deviation: float) -> Calibration:
    limit = threshold(SEEN)
    forecasts = [
        Forecast(
            mean=mean,
            deviation=deviation,
            chance=float(ndtr((mean - limit) / deviation)),
            low=mean - 1.645 * deviation,
            high=mean + 1.645 * deviation,
        )
        for mean in means
    ]
    found = calibration(forecasts, MEASURED, seen=SEEN, groups=range(len(MEASURED)))
    assert found is not None
    return found


def test_forecasts_that_know_what_they_do_not_know_are_calibrated() -> None:
    found = judged(MEANS, 0.6)
    assert found.error.value < 0.06
    assert found.coverage.value == pytest.approx(0.9, abs=0.03)
    assert found.crps_skill.low > 0
    assert found.brier_skill is not None
    assert found.brier_skill.low > 0


def test_forecasts_that_are_too_sure_have_intervals_that_do_not_cover() -> None:
    found = judged(MEANS, 0.1)
    assert found.coverage.value < 0.5
    assert found.error.value > 0.1


def test_predicting_what_training_had_has_no_skill() -> None:
    found = judged(np.full(600, np.mean(SEEN)), float(np.std(SEEN)))
    assert found.crps_skill.value == pytest.approx(0, abs=0.02)


def test_the_top_decile_is_the_last_of_ten_bins() -> None:
    bins = judged(MEANS, 0.6).bins
    assert [one.count for one in bins] == [60] * 10
    assert bins[-1].predicted == max(one.predicted for one in bins)


def test_the_crps_of_a_normal_is_its_integral() -> None:
    def squared(x: float) -> float:
        return float((ndtr((x - 1.0) / 2.0) - (x >= 2.5)) ** 2)

    expected = quad(squared, -20, 2.5)[0] + quad(squared, 2.5, 25)[0]
    found = crps_normal(np.array([1.0]), np.array([2.0]), np.array([2.5]))
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_nothing_forecast_is_not_judged() -> None:
    assert calibration([], [], seen=SEEN, groups=[]) is None
