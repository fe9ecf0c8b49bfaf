"""The held-out labels, which never enter a sandbox, and the host's scoring of predictions.

Two metrics for data sets with classes. "loss" is the log-loss. "brier" is the Brier score after temperature scaling
(Guo et al., On Calibration of Modern Neural Networks, 2017), for kinds that change the loss that is trained: a net
trained on squared errors or margins has logits of another scale, which is no fault of its predictions. The host chooses
the temperature, so no arm has to guess it: an eighth of the examples is scored at the one that suits the other seven
best, in turn, and nothing is scored at a temperature that was chosen on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.score import Trial, Tried
from sandbox.execution import Array

SHARPNESS = 2.0 ** np.arange(-4, 9)  # 1 / temperature, for logits of mean absolute value 1
FOLDS = 8  # two would leave the choice to few mistakes where nearly all is right


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
    below = logits - logits.max(-1, keepdims=True)  # first, or rounding would make equal, huge logits a perfect guess
    right = np.take_along_axis(below, answers[..., None], -1)[..., 0]
    losses: Values = np.log(np.exp(below).sum(-1)) - right
    return losses


def brier_scores(logits: Values, answers: Answers) -> Values:
    """[...] of each example: sum over the classes of (probability - 1 if right else 0)^2, from 0 to 2 (Brier, 1950)."""
    by_class = logits.reshape(-1, logits.shape[-1]).T
    scores: Values = _brier_scores(np.exp(by_class - by_class.max(0)), answers.ravel()).reshape(answers.shape)
    return scores


def scaled_brier_scores(logits: Values, answers: Answers) -> Values:
    """[checkpoints, examples]: Brier scores at the temperature that is best for the examples of the other folds.

    The same for a * logits with any a > 0: temperatures are relative to the logits' own mean absolute value.
    """
    by_class = np.ascontiguousarray(logits.reshape(-1, logits.shape[-1]).T)
    by_class -= by_class.mean(0)
    by_class /= np.abs(by_class).mean() or 1.0
    by_class -= by_class.max(0)
    right, fold = answers.ravel(), np.arange(answers.size) % FOLDS
    on_grid = np.stack([_brier_scores(np.exp(sharpness * by_class), right) for sharpness in SHARPNESS])
    others = np.stack([on_grid[:, fold != number].mean(1) for number in range(FOLDS)])
    sharpness = np.array([_sharpness(means) for means in others])[fold]
    scores: Values = _brier_scores(np.exp(sharpness * by_class), right).reshape(answers.shape)
    return scores


def _brier_scores(powers: Values, answers: Answers) -> Values:
    """[n], from probabilities [classes, n] that need not add up to 1."""
    total = powers.sum(0)
    squares = np.einsum("cn,cn->n", powers, powers) / (total * total)
    scores: Values = squares + 1 - 2 * powers[answers, np.arange(len(answers))] / total
    return scores


def _sharpness(means: Values) -> float:
    """The best one of the grid, moved to the lowest point of the parabola through it and its neighbours."""
    best = int(means.argmin())
    if best in (0, len(means) - 1):
        return float(SHARPNESS[best])
    before, at, after = means[best - 1 : best + 2]
    bend = before - 2 * at + after
    return float(SHARPNESS[best] * 2.0 ** ((before - after) / 2 / bend if bend > 0 else 0.0))


def _accuracy(logits: Values, answers: Answers) -> float:
    return float((logits.argmax(-1) == answers).mean())


def _squared_errors(outputs: Values, targets: NDArray[np.float32]) -> Values:
    errors: Values = (outputs - targets) ** 2
    return errors


def _r2(outputs: Values, targets: NDArray[np.float32]) -> float:
    return 1 - float(_squared_errors(outputs, targets).mean()) / float(targets.var())


METRICS: Mapping[str, Callable[[Values, Answers], Values]] = {"loss": log_losses, "brier": scaled_brier_scores}
