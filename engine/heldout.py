"""The held-out labels, which never enter a sandbox, and the host's scoring of predictions.

Two metrics for data sets with classes. "loss" is the log-loss. "brier" is the Brier score after temperature scaling
(Guo et al., On Calibration of Modern Neural Networks, 2017), for kinds that change the loss that is trained: a net
trained on squared errors or margins has logits of another scale, which is no fault of its predictions. The host chooses
the temperature, so no arm has to guess it: even examples are scored at the one that suits the odd ones best, odd
examples at the one that suits the even ones, and nothing is scored at a temperature that was chosen on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.score import Trial, Tried
from sandbox.execution import Array

SHARPNESS = tuple(2.0**power for power in range(-4, 9))  # 1 / temperature, for logits of mean absolute value 1
FINER = 0.25  # octaves
NEGLIGIBLE = 1e-100  # so that a square is 0 or an ordinary number


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What the predictions of one pack are compared with.

    replicas: (data set, seed, classes or None) of the largest stack, in its order.
    targets [checkpoints, replicas, examples]: class numbers or values.
    stacks: how many replicas, from the first on, each architecture has.
    metric: "loss" or "brier" (see above), for the data sets with classes.
    """

    replicas: tuple[tuple[str, int, int | None], ...]
    targets: NDArray[np.float32]
    stacks: Mapping[str, int]
    metric: str = "loss"


def score(predictions: Mapping[str, Array], held_out: HeldOut) -> tuple[Trial, ...]:
    """One trial for each replica of each architecture, from predictions {architecture: [checkpoints, r, examples, 10]}.

    The loss is the metric of the softmax over the task's own classes (log-loss with the natural logarithm), or the
    squared error of output 0 against values of variance 1; both are averaged over examples and checkpoints. Predictions
    that are not finite at any checkpoint are a trial that diverged.
    """
    classification = METRICS[held_out.metric]
    trials = []
    for architecture, replicas in held_out.stacks.items():
        for replica in range(replicas):
            dataset, seed, classes = held_out.replicas[replica]
            outputs = predictions[architecture][:, replica].astype(np.float64)
            targets = held_out.targets[:, replica]
            loss, accuracy, final = None, None, None
            if np.isfinite(outputs).all():
                if classes is None:
                    losses, accuracy = _squared_errors(outputs[..., 0], targets), _r2(outputs[..., 0], targets)
                else:
                    logits, answers = outputs[..., :classes], targets.astype(np.int64)
                    losses, accuracy = classification(logits, answers), _accuracy(logits, answers)
                loss, final = float(losses.mean()), float(losses[-1].mean())
            cell = f"{dataset}/{architecture}"
            trials.append(Trial(cell=cell, seed=seed, loss=loss, accuracy=accuracy, final_loss=final))
    return tuple(trials)


def tried(predictions: Mapping[str, Array], held_out: HeldOut, factors: Sequence[float]) -> tuple[Tried, ...]:
    """How each factor of the grid did. Predictions {architecture: [checkpoints, factors * r, examples, 10]}."""
    found = []
    for number, factor in enumerate(factors):
        own = {a: p[:, number * n : (number + 1) * n] for a, n in held_out.stacks.items() for p in [predictions[a]]}
        found.append(Tried(factor=factor, losses=tuple(trial.loss for trial in score(own, held_out))))
    return tuple(found)


def best_factor(grid: Sequence[Tried]) -> float:
    """The factor that loses least to the best one of each trial: on average the smallest share of its loss is too much.

    All of it, where it diverged. Equal factors: the first in the grid.
    """
    most, least = np.finfo(np.float64).max, np.finfo(np.float64).tiny
    losses = np.array([[most if loss is None else min(loss, most) for loss in one.losses] for one in grid])
    too_much = (losses - losses.min(0)) / np.maximum(losses, least)
    return grid[int(too_much.mean(1).argmin())].factor


Values = NDArray[np.float64]
Answers = NDArray[np.int64]


def log_losses(logits: Values, answers: Answers) -> Values:
    """[...] of each example, from logits [..., classes]."""
    largest = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(-1)) + largest[..., 0]
    right = np.take_along_axis(logits, answers[..., None], -1)[..., 0]
    losses: Values = total - right
    return losses


def brier_scores(logits: Values, answers: Answers) -> Values:
    """[...] of each example: sum over the classes of (probability - 1 if right else 0)^2, from 0 to 2 (Brier, 1950)."""
    by_class = logits.reshape(-1, logits.shape[-1]).T
    scores: Values = _brier_scores(_powers(by_class, 1.0), answers.ravel()).reshape(answers.shape)
    return scores


def scaled_brier_scores(logits: Values, answers: Answers) -> Values:
    """[checkpoints, examples]: Brier scores at the temperature that is best for the other half of the examples.

    The same for a * logits with any a > 0: temperatures are relative to the logits' own mean absolute value.
    """
    by_class = np.ascontiguousarray(logits.reshape(-1, logits.shape[-1]).T)
    by_class -= by_class.mean(0)
    by_class /= np.abs(by_class).mean() or 1.0
    right, scores = answers.ravel(), np.empty(answers.size)
    even, odd = slice(0, None, 2), slice(1, None, 2)
    means = _on_the_grid(by_class, right, (even, odd))
    for fitted, scored, on_grid in ((even, odd, means[0]), (odd, even, means[1])):
        sharpness = _sharpness(by_class[:, fitted], right[fitted], on_grid)
        scores[scored] = _brier_scores(_powers(by_class[:, scored], sharpness), right[scored])
    shaped: Values = scores.reshape(answers.shape)
    return shaped


def _powers(by_class: Values, sharpness: float) -> Values:
    """[classes, n]: probabilities but for a factor, the largest of each example 1."""
    powers: Values = np.exp(sharpness * (by_class - by_class.max(0)))
    return powers


def _brier_scores(powers: Values, answers: Answers) -> Values:
    total = powers.sum(0)
    squares = np.einsum("cn,cn->n", powers, powers) / (total * total)
    scores: Values = squares + 1 - 2 * powers[answers, np.arange(len(answers))] / total
    return scores


def _on_the_grid(by_class: Values, answers: Answers, halves: tuple[slice, slice]) -> tuple[list[float], list[float]]:
    """Mean Brier scores of each half at each SHARPNESS, each twice the one before: a square instead of an exponent."""
    means: tuple[list[float], list[float]] = ([], [])
    powers = _powers(by_class, SHARPNESS[0])
    for _ in SHARPNESS:
        scores = _brier_scores(powers, answers)
        for found, half in zip(means, halves, strict=True):
            found.append(float(scores[half].mean()))
        powers *= powers
        powers[powers < NEGLIGIBLE] = 0.0
    return means


def _sharpness(by_class: Values, answers: Answers, on_grid: list[float]) -> float:
    """The best one of the grid, moved twice to the lowest point of a parabola through three."""
    best = int(np.argmin(on_grid))
    if best in (0, len(SHARPNESS) - 1):
        return SHARPNESS[best]
    sharpness = SHARPNESS[best] * 2.0 ** _lowest(*on_grid[best - 1 : best + 2])
    around = [_brier_scores(_powers(by_class, sharpness * 2.0**x), answers).mean() for x in (-FINER, 0.0, FINER)]
    return float(sharpness * 2.0 ** (FINER * _lowest(*around)))


def _lowest(before: float, at: float, after: float) -> float:
    """Where the parabola through three points at -1, 0 and 1 is lowest, within these."""
    bend = before - 2 * at + after
    return float(np.clip((before - after) / 2 / bend, -1, 1)) if bend > 0 else float(np.sign(before - after))


def _accuracy(logits: Values, answers: Answers) -> float:
    return float((logits.argmax(-1) == answers).mean())


def _squared_errors(outputs: Values, targets: NDArray[np.float32]) -> Values:
    errors: Values = (outputs - targets) ** 2
    return errors


def _r2(outputs: Values, targets: NDArray[np.float32]) -> float:
    return 1 - float(_squared_errors(outputs, targets).mean()) / float(targets.var())


METRICS: Mapping[str, Callable[[Values, Answers], Values]] = {"loss": log_losses, "brier": scaled_brier_scores}
