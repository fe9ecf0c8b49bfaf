"""The held-out labels, which never enter a sandbox, and the host's scoring of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.score import Trial, Tried
from sandbox.execution import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What the predictions of one pack are compared with.

    replicas: (data set, seed, classes or None) of the largest stack, in its order.
    targets [checkpoints, replicas, examples]: class numbers or values.
    stacks: how many replicas, from the first on, each architecture has.
    metric: "loss" or "brier", for the data sets with classes.
    """

    replicas: tuple[tuple[str, int, int | None], ...]
    targets: NDArray[np.float32]
    stacks: Mapping[str, int]
    metric: str = "loss"


def score(predictions: Mapping[str, Array], held_out: HeldOut) -> tuple[Trial, ...]:
    """One trial for each replica of each architecture, from predictions {architecture: [checkpoints, r, examples, 10]}.

    The loss is the log-loss (natural logarithm) of the softmax over the task's own classes, or the squared error of
    output 0 against values of variance 1; both are averaged over examples and checkpoints. Predictions that are not
    finite at any checkpoint are a trial that diverged.
    """
    trials = []
    for architecture, replicas in held_out.stacks.items():
        for replica in range(replicas):
            dataset, seed, classes = held_out.replicas[replica]
            outputs = predictions[architecture][:, replica].astype(np.float64)
            targets = held_out.targets[:, replica]
            loss, accuracy, final = None, None, None
            if np.isfinite(outputs).all():
                read = _regression if classes is None else _classification
                own = outputs[..., : classes or 1]
                loss, accuracy = read(own, targets)
                final, _ = read(own[-1:], targets[-1:])
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


def _classification(logits: NDArray[np.float64], targets: NDArray[np.float32]) -> tuple[float, float]:
    largest = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(-1)) + largest[..., 0]
    right = np.take_along_axis(logits, targets[..., None].astype(np.int64), -1)[..., 0]
    return float((total - right).mean()), float((logits.argmax(-1) == targets).mean())


def _regression(outputs: NDArray[np.float64], targets: NDArray[np.float32]) -> tuple[float, float]:
    error = float(((outputs[..., 0] - targets) ** 2).mean())
    return error, 1 - error / float(targets.var())
