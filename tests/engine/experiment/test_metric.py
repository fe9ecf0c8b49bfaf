"""Metrics: known figures, directions, and what predictions without information are worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from engine.errors import PlanError
from engine.experiment.metric import METRICS, metric_named

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=200)
CLASSES = (TRUTH > 0).astype(float)
PERFECT = {"auc": CLASSES, "accuracy": CLASSES, "macro-f1": CLASSES, "dice": CLASSES, "log-loss": CLASSES}


@pytest.mark.parametrize("name", METRICS)
def test_the_truth_scores_better_than_the_truth_with_noise_in_the_metrics_own_direction(name: str) -> None:
    metric = METRICS[name]
    truth = PERFECT.get(name, TRUTH)
    noisy = np.where(RNG.random(200) < 0.3, 1 - truth, truth) if name in PERFECT else truth + RNG.normal(size=200)
    assert metric.improvement(metric.score(truth, truth), metric.score(noisy, truth)) > 0


def test_which_metrics_are_better_when_lower() -> None:
    assert {name for name, metric in METRICS.items() if not metric.higher} == {"log-loss", "rmse", "mae"}


def test_figures_agree_with_scikit_learn() -> None:
    guesses = np.clip(CLASSES * 0.6 + RNG.random(200) * 0.4, 0.01, 0.99)
    assert METRICS["auc"].score(guesses, CLASSES) == pytest.approx(metrics.roc_auc_score(CLASSES, guesses))
    assert METRICS["log-loss"].score(guesses, CLASSES) == pytest.approx(metrics.log_loss(CLASSES, guesses))
    assert METRICS["accuracy"].score(guesses, CLASSES) == pytest.approx(np.mean((guesses >= 0.5) == CLASSES))
    assert METRICS["r2"].score(TRUTH + 0.5, TRUTH) == pytest.approx(metrics.r2_score(TRUTH, TRUTH + 0.5))


def test_dice_of_half_overlapping_masks_is_one_half_and_of_two_empty_ones_is_one() -> None:
    one, other = np.zeros((2, 4, 4)), np.zeros((2, 4, 4))
    assert METRICS["dice"].score(one, other) == 1.0
    one[0, 0, :2], other[0, 0, 1:3] = 1, 1
    assert METRICS["dice"].score(one, other) == 0.5


@pytest.mark.parametrize("name", ["spearman", "pearson"])
def test_a_constant_has_no_correlation(name: str) -> None:
    assert METRICS[name].score(np.full(200, 3.0), TRUTH) == 0.0


@pytest.mark.parametrize("wrong", [np.zeros(199), np.zeros((200, 1)), np.full(200, np.nan), np.full(200, np.inf)])
def test_predictions_of_another_shape_or_not_finite_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="rmse"):
        METRICS["rmse"].score(wrong, TRUTH)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_an_improvement_changes_its_sign_when_the_two_change_places(one: float, other: float) -> None:
    for metric in METRICS.values():
        assert metric.improvement(one, other) == -metric.improvement(other, one)


@pytest.mark.parametrize(
    ("name", "found"), [("RMSE", "rmse"), ("Spearman correlation", "spearman"), ("F1", "macro-f1")]
)
def test_a_metric_is_known_under_the_names_that_people_write(name: str, found: str) -> None:
    assert metric_named(name).name == found


def test_a_direction_that_contradicts_the_metric_is_refused() -> None:
    assert metric_named("rmse", "lower is better").name == "rmse"
    with pytest.raises(PlanError, match="contradicts rmse: lower is better"):
        metric_named("rmse", "higher")


def test_an_unknown_metric_is_named_with_the_nearest() -> None:
    with pytest.raises(PlanError, match="Did you mean 'accuracy'"):
        metric_named("acuracy")
