"""Small made-up data for text tasks, for a machine without a network: they show that a flow works, nothing about text.

Every word has a hidden worth. What is predicted follows from the words of a text, with noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.experiment.task import Data, Source, table

ROWS, WORDS, LENGTH = 900, 400, 12
LICENCE = "MIT, made by this program"
PROVENANCE = "drawn from a fixed seed; no text of a person"
SYLLABLES = ("ba", "de", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu")


def scored_texts() -> Data:
    """A text's score is the mean worth of its words, from about -4 to 4."""
    texts, scores, _ = _texts(seed=1)
    return _facts("invented-scores", {"text": texts}, scores, "score", ("pearson", "spearman", "rmse", "mae"))


def judged_texts() -> Data:
    """Class 1: the words are worth more than nothing."""
    texts, scores, _ = _texts(seed=2)
    positive = [float(score > 0) for score in scores]
    metrics = ("accuracy", "auc", "log-loss")
    return _facts("invented-opinions", {"text": texts}, positive, "label", metrics, classes=("negative", "positive"))


def paired_texts() -> Data:
    """The second text keeps a share of the first one's words; the score is that share, from 0 to 5."""
    texts, _, rng = _texts(seed=3)
    spare = " ".join(texts).split()
    seconds, scores = [], []
    for text in texts:
        kept = rng.random(LENGTH) < (share := rng.random())
        words = [
            word if keep else spare[rng.integers(len(spare))] for word, keep in zip(text.split(), kept, strict=True)
        ]
        seconds.append(" ".join(rng.permutation(words)))
        scores.append(round(5 * float(share) + float(rng.normal(0, 0.3)), 2))
    columns = {"text1": texts, "text2": seconds}
    return _facts("invented-pairs", columns, scores, "score", ("spearman", "pearson", "rmse", "mae"))


def source(name: str, make: Callable[[], Data]) -> Source:
    return Source(
        name=name,
        title=f"{name.replace('-', ' ').capitalize()}: words with a hidden worth",
        licence=LICENCE,
        provenance=PROVENANCE,
        needs="nothing",
        load=lambda home: make(),
        invented=True,
    )


def _texts(seed: int) -> tuple[list[str], list[float], np.random.Generator]:
    rng = np.random.default_rng(seed)
    words = sorted({"".join(rng.choice(SYLLABLES, 3)) for _ in range(WORDS)})
    worth = rng.normal(0, 2, len(words))
    drawn = rng.integers(len(words), size=(ROWS, LENGTH))
    texts = [" ".join(words[number] for number in row) for row in drawn]
    scores = worth[drawn].mean(1) * np.sqrt(LENGTH) / 2 + rng.normal(0, 0.4, ROWS)
    return texts, [round(float(score), 3) for score in scores], rng


def _facts(
    name: str, columns: dict[str, list[Any]], targets: list[float], target: str, metrics: tuple[str, ...], **more: Any
) -> Data:
    facts = {"licence": LICENCE, "provenance": PROVENANCE, "invented": True, **more}
    return table(columns, targets, name=name, target=target, metrics=metrics, **facts)
