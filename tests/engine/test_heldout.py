"""Scoring on the host: the loss of predictions, and divergence as the absence of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, r2_score

from engine.heldout import HeldOut, best_factor, score, tried
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


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_one_prediction_that_is_not_finite_is_a_trial_that_diverged_and_no_other(poison: float) -> None:
    labels, predictions = held_out(2)
    before = score(predictions, labels)
    predictions["mlp2"][1, 0, 7, 2] = poison
    after = score(predictions, labels)
    assert after[0] == Trial(cell="spirals/mlp2", seed=5, loss=None, accuracy=None)
    assert after[1:] == before[1:]


def test_huge_but_finite_predictions_have_a_finite_loss() -> None:
    labels, predictions = held_out(3)
    predictions["mlp2"][:] = np.float32(3e38) * np.sign(predictions["mlp2"])
    for trial in score(predictions, labels)[:2]:
        assert trial.loss is not None
        assert np.isfinite(trial.loss)


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
