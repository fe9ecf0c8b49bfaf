"""A score that was measured in guest, held against the same training in split process.

In guest a component shares a process with losses, optimizer and predictions; in split process it has nothing to patch.
Honest code gives the same numbers in both (so far to the last bit), so what differs is tampering or instability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.score import Estimate, Score, Trial
from sandbox.guest.tiers import Tier

TOLERANCE = 1e-3  # of a trial's loss, relative: rounding that a long training has amplified stays far below
PREFIX = "split/"  # of the suite under which the other score is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """repeated: None where it could not be tried. difference: the largest relative one of a trial's loss."""

    hypothesis_id: str
    repeated: bool | None
    difference: float | None
    screened: Estimate  # effect of the score that was repeated
    again: Estimate | None  # the same figure from split process; None: it did not finish there
    words: str  # one sentence for people
    seconds: float = 0.0
    score: Score | None = None  # as measured in split process, to be kept; see `lost`


def compare(screened: Score, again: Score) -> Repetition:
    """Trial by trial. Raises ValueError for scores of different trials."""
    difference = largest_difference(screened.trials, again.trials)
    repeated, finished = difference <= TOLERANCE, again.tier in list(Tier)
    if not finished:
        words = f"tampering or instability: it trained in guest, but not in split process ({again.tier})"
    elif repeated:
        words = f"the same numbers in split process (largest difference {difference:.1g})"
    else:
        words = (
            f"tampering or instability: in split process a trial's loss differs by {difference:.1%}, "
            f"and the effect is {again.effect.value:+.3f} instead of {screened.effect.value:+.3f}"
        )
    return Repetition(
        hypothesis_id=screened.hypothesis_id,
        repeated=repeated and finished,
        difference=difference if finished else None,
        screened=screened.effect,
        again=again.effect if finished else None,
        words=words,
        seconds=again.seconds,
        score=again,
    )


def lost(screened: Score, check: str | None, reason: str | None, seconds: float) -> Score:
    """What stands for a training that did not finish in split process: every trial is lost, and `tier` says why."""
    nothing = tuple(replace(trial, loss=None, accuracy=None, final_loss=None) for trial in screened.trials)
    return replace(
        screened,
        suite=PREFIX + screened.suite,
        trials=nothing,
        diverged=len(nothing),
        seconds=seconds,
        tier=f"{check}: {reason}",
    )


def not_tried(screened: Score, why: str) -> Repetition:
    return Repetition(
        hypothesis_id=screened.hypothesis_id,
        repeated=None,
        difference=None,
        screened=screened.effect,
        again=None,
        words=f"not repeated in split process: {why}",
    )


def largest_difference(one: Sequence[Trial], other: Sequence[Trial]) -> float:
    """Relative, of two losses of a trial; 1 where it diverged in one only. Raises ValueError for other trials."""
    if [(trial.cell, trial.seed) for trial in one] != [(trial.cell, trial.seed) for trial in other]:
        raise ValueError("the two scores are of different trials, which cannot be compared")
    return max((_difference(a.loss, b.loss) for a, b in zip(one, other, strict=True)), default=0.0)


def _difference(a: float | None, b: float | None) -> float:
    if a is None or b is None:
        return 0.0 if a is b else 1.0
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0
