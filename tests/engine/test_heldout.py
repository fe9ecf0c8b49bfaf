"""Scoring on the host: the loss of predictions, and divergence as the absence of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, r2_score

from engine.heldout import FOLDS, HeldOut, best_factor, brier_scores, log_losses, scaled_brier_scores, score, tried
from engine.score import Trial, Tried

unhurried = settings(deadline=None)  # a busy machine is no failure

Predictions = dict[str, np.ndarray]  # type: ignore[type-arg]


def held_out(seed: int, classes: int = 3) -> tuple[HeldOut, Predictions]:
    """Two checkpoints of 40 examples for a classification and a regression; the second architecture has only one."""
    rng = np.random.default_rng(seed)
    targets = np.stack([rng.integers(classes, size=(2, 40)), rng.standard_normal((2, 40))], 1).astype(np.float32)
    targets[0, 0, :classes] = range(classes)
    replicas = (("spirals", 5, classes), ("teacher", 5, None))
    predictions = {
        "mlp2": rng.normal(0, 3, (2, 2, 40, 10)).astype(np.float32),
        "cnn": rng.normal(0, 3, (2, 1, 40, 10)).astype(np.float32),
    }
    return HeldOut(replicas=replicas, targets=targets, stacks={"mlp2": 2, "cnn": 1}), predictions


def test_trials_are_named_by_cell_and_seed_in_the_order_of_the_stacks() -> None:
    found = score(held_out(0)[1], held_out(0)[0])
    assert [(t.cell, t.seed) for t in found] == [("spirals/mlp2", 5), ("teacher/mlp2", 5), ("spirals/cnn", 5)]


@unhurried
@given(st.integers(0, 10_000), st.integers(2, 10))
def test_losses_are_those_of_scikit_learn_averaged_over_checkpoints(seed: int, classes: int) -> None:
    labels, predictions = held_out(seed, classes)
    classification, regression, _ = score(predictions, labels)
    logits = predictions["mlp2"][:, 0, :, :classes].astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    answers = labels.targets[:, 0].astype(int)
    wanted = np.mean([log_loss(y, p, labels=range(classes)) for y, p in zip(answers, probabilities, strict=True)])
    assert classification.loss == pytest.approx(wanted, rel=1e-6)
    assert classification.accuracy == pytest.approx((logits.argmax(-1) == answers).mean())
    values = predictions["mlp2"][:, 1, :, 0]
    assert regression.loss == pytest.approx(((values - labels.targets[:, 1]) ** 2).mean(), rel=1e-5)
    assert regression.accuracy == pytest.approx(r2_score(labels.targets[:, 1].ravel(), values.ravel()), rel=1e-5)


def test_outputs_beyond_the_tasks_classes_count_for_nothing() -> None:
    labels, predictions = held_out(1)
    before = score(predictions, labels)
    predictions["mlp2"][:, 0, :, 3:] = 1e30
    predictions["mlp2"][:, 1, :, 1:] = -1e30
    assert score(predictions, labels) == before


@pytest.mark.parametrize("checkpoint", [0, 1])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_one_prediction_that_is_not_finite_is_a_trial_that_diverged_and_no_other(
    poison: float, checkpoint: int
) -> None:
    labels, predictions = held_out(2)
    before = score(predictions, labels)
    predictions["mlp2"][checkpoint, 0, 7, 2] = poison
    after = score(predictions, labels)
    assert after[0] == Trial(cell="spirals/mlp2", seed=5, loss=None, accuracy=None)
    assert after[1:] == before[1:]


def test_huge_but_finite_predictions_have_a_finite_loss() -> None:
    labels, predictions = held_out(3)
    predictions["mlp2"][:] = np.float32(3e38) * np.sign(predictions["mlp2"])
    for trial in score(predictions, labels)[:2]:
        assert trial.loss is not None
        assert np.isfinite(trial.loss)


@pytest.mark.parametrize("level", [1e4, 1e17, 3.4e38, -3.4e38])
def test_equal_logits_are_a_guess_however_large_they_are(level: float) -> None:
    """Rounding would make them a perfect one: the largest and the right one are the same number."""
    losses = log_losses(np.full((3, 10), level), np.array([0, 4, 9]))
    np.testing.assert_allclose(losses, np.log(10))


def test_the_final_loss_is_that_of_the_last_checkpoint_alone() -> None:
    labels, predictions = held_out(4)
    last = HeldOut(replicas=labels.replicas, targets=labels.targets[1:], stacks=labels.stacks)
    alone = score({name: array[1:] for name, array in predictions.items()}, last)
    assert [trial.final_loss for trial in score(predictions, labels)] == [trial.loss for trial in alone]


def test_each_factor_of_a_grid_is_read_from_its_own_share_of_the_stack() -> None:
    labels, one = held_out(5)
    _, two = held_out(6)
    both = {name: np.concatenate([one[name], two[name]], 1) for name in one}
    for found, alone in zip(tried(both, labels, (0.5, 2.0)), (one, two), strict=True):
        assert found.losses == tuple(trial.loss for trial in score(alone, labels))


def test_the_best_factor_has_the_lowest_losses_relative_to_the_lowest_of_each_trial() -> None:
    def best(*losses: tuple[float | None, ...]) -> float:
        return best_factor([Tried(factor=float(number), losses=own) for number, own in enumerate(losses)])

    assert best((1.0, 100.0), (1.1, 80.0)) == 1.0
    assert best((1.0, None), (1.9, 1.0)) == 1.0
    assert best((1.0, 0.0), (0.9, 0.0)) == 1.0
    assert best((0.001, 1.5, 1.5), (1000.0, 1.0, 1.0)) == 0.0  # one trial, however bad, does not decide alone
    assert best((0.001, 3.0, 3.0), (1000.0, 1.0, 1.0)) == 1.0
    assert best((None, 2.0), (None, 2.0)) == 0.0


# --- the Brier score after temperature scaling


def judged(labels: HeldOut, predictions: Predictions) -> tuple[Trial, ...]:
    return score(predictions, replace(labels, metric="brier"))


@unhurried
@given(st.integers(0, 10_000), st.integers(2, 10))
def test_brier_scores_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    labels, predictions = held_out(seed, classes)
    logits, answers = predictions["cnn"][:, 0, :, :classes].astype(np.float64), labels.targets[:, 0].astype(int)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    rows = probabilities.reshape(-1, classes)
    wanted = brier_score_loss(answers.ravel(), rows, labels=range(classes), scale_by_half=False)
    assert brier_scores(logits, answers).mean() == pytest.approx(wanted)


@unhurried
@given(st.integers(0, 10_000), st.integers(2, 10), st.floats(1e-4, 1e4))
def test_the_scale_of_logits_changes_no_temperature_scaled_score(seed: int, classes: int, scale: float) -> None:
    labels, predictions = held_out(seed, classes)
    scaled = {name: (scale * array).astype(np.float32) for name, array in predictions.items()}
    for before, after in zip(judged(labels, predictions), judged(labels, scaled), strict=True):
        if before.cell.startswith("spirals"):
            assert (after.loss, after.final_loss) == pytest.approx((before.loss, before.final_loss), rel=1e-4)
            assert after.accuracy == before.accuracy


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_perfect_predictions_score_0_and_constant_ones_score_what_guessing_does(classes: int) -> None:
    labels, predictions = held_out(4, classes)
    predictions["mlp2"][:, 0] = np.eye(10, dtype=np.float32)[labels.targets[:, 0].astype(int)]
    predictions["cnn"][:] = 7.0
    perfect, _, constant = judged(labels, predictions)
    assert (perfect.loss, perfect.accuracy) == (pytest.approx(0, abs=1e-6), 1)
    assert constant.loss == pytest.approx(1 - 1 / classes)


@unhurried
@given(st.integers(0, 10_000), st.integers(2, 10), st.floats(0, 3))
def test_the_temperature_costs_little_more_than_the_best_one_in_hindsight(
    seed: int, classes: int, skill: float
) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.integers(classes, size=(6, 64))
    logits = rng.normal(0, 1, (6, 64, classes)) + skill * np.eye(classes)[answers]
    hindsight = min(brier_scores(sharpness * logits, answers).mean() for sharpness in 2.0 ** np.linspace(-6, 6, 97))
    assert scaled_brier_scores(logits, answers).mean() < 1.05 * hindsight + 0.02


def test_no_example_is_scored_at_a_temperature_that_its_own_answer_chose() -> None:
    rng = np.random.default_rng(5)
    answers = rng.integers(2, size=(2, 40))
    logits = rng.normal(0, 2, (2, 40, 2)) + 2 * np.eye(2)[answers]
    before = scaled_brier_scores(logits, answers)
    answers[:, ::FOLDS] = 1 - answers[:, ::FOLDS]
    after = scaled_brier_scores(logits, answers)
    # With two classes sqrt(score / 2) is the probability of the wrong one: the two answers' add up to 1 where the
    # temperature stayed, as in the fold whose answers changed.
    np.testing.assert_allclose(np.sqrt(before[:, ::FOLDS] / 2) + np.sqrt(after[:, ::FOLDS] / 2), 1)
    assert not np.allclose(before[:, 1::FOLDS], after[:, 1::FOLDS])


def test_a_trial_that_diverged_has_no_score_of_either_metric() -> None:
    labels, predictions = held_out(6)
    predictions["mlp2"][1, 0, 0, 0] = np.nan
    lost, kept, _ = judged(labels, predictions)
    assert (lost.loss, lost.accuracy, lost.final_loss) == (None, None, None)
    assert kept == score(predictions, labels)[1]  # a regression is judged by its squared error


def test_huge_but_finite_predictions_have_a_finite_brier_score() -> None:
    labels, predictions = held_out(7)
    predictions["mlp2"][:] = np.float32(3e38) * np.sign(predictions["mlp2"])
    predictions["cnn"][:, :, 0] = 3e38
    assert all(trial.loss is not None and 0 <= trial.loss <= 2 for trial in judged(labels, predictions)[::2])
