"""The orders that a study compares, each made of what is known before a hypothesis is tested.

Near-duplicates are in one group, and a group in one fold: what is predicted of a hypothesis comes from a model that saw
neither it nor anything close to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from engine.calibration import Forecast
from engine.journal import Past
from engine.learn import learn
from engine.reward import Landmark, Prediction, Prior, predictor
from engine.study import Subject
from sandbox.guest.components.kind import Kind

NEAR = 0.02  # N-score distance of near-duplicates: GELU is 0.06 from SiLU, its own tanh approximation 0.0002 from it
FOLDS = 5
LEARNED_AT = datetime(2000, 1, 1, tzinfo=UTC)  # a snapshot wants a time; the same past gives the same model


def groups(kind: Kind, subjects: Sequence[Subject], near: float = NEAR) -> dict[str, int]:
    """Of what has a behaviour, by id: the same group when a chain of near-duplicates connects them."""
    known = [s for s in subjects if s.valid]
    if len(known) < 2:
        return {s.id: 0 for s in known}
    points = np.stack([kind.canonical(s.verdict.behaviour) for s in known]).astype(np.float64)
    labels = fcluster(linkage(points / 2**0.5, "single"), near, "distance")
    return {s.id: int(label) for s, label in zip(known, labels, strict=True)}


def folds(group: Mapping[str, int], count: int = FOLDS, seed: int = 0) -> dict[str, int]:
    """Whole groups, the largest first, each into the smallest fold; what is equally large is in random order."""
    labels, sizes = np.unique(list(group.values()), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    filled = [0] * count
    fold_of: dict[int, int] = {}
    for place in sorted(order, key=lambda place: -int(sizes[place])):
        smallest = filled.index(min(filled))
        fold_of[int(labels[place])] = smallest
        filled[smallest] += int(sizes[place])
    return {id: fold_of[label] for id, label in group.items()}


def held_out_predictions(
    kind: Kind,
    learned_from: Sequence[Subject],
    tested: Sequence[Subject],
    group: Mapping[str, int],
    landmarks: Sequence[Landmark],
) -> dict[str, Prediction]:
    """By id. A tested one that is near anything learned from is predicted by a model without its whole fold."""
    fold = folds(group)
    seen = {group[s.id] for s in learned_from if s.id in group}
    predictions: dict[str, Prediction] = {}
    for number in (None, *range(FOLDS)):
        asked = [s for s in tested if (fold[s.id] if group[s.id] in seen else None) == number]
        if asked:
            model_of = [s for s in learned_from if number is None or fold.get(s.id) != number]
            predictions |= _predicted(kind, model_of, asked, landmarks)
    return predictions


def _predicted(
    kind: Kind, learned_from: Sequence[Subject], asked: Sequence[Subject], landmarks: Sequence[Landmark]
) -> dict[str, Prediction]:
    past = [Past(hypothesis=s.hypothesis, verdict=s.verdict, score=s.screened, feedback=()) for s in learned_from]
    model = predictor(kind, learn(kind, past, at=LEARNED_AT, baselines=landmarks), landmarks)
    found = model.predict(kind, [(s.hypothesis, s.verdict) for s in asked])
    return {s.id: prediction for s, prediction in zip(asked, found, strict=True)}


def cold_start(kind: Kind, tested: Sequence[Subject], landmarks: Sequence[Landmark]) -> list[float]:
    """What the product goes by before it has learned anything."""
    found = Prior(landmarks).predict(kind, [(s.hypothesis, s.verdict) for s in tested])
    return [merit(prediction) for prediction in found]


def nearest_baseline(kind: Kind, tested: Sequence[Subject], landmarks: Sequence[Landmark]) -> list[float]:
    """By the B-WR of the baseline that it behaves most like; among those of one baseline the closest first."""
    if not landmarks:
        return [0.0] * len(tested)
    points = np.stack([kind.canonical(landmark.behaviour) for landmark in landmarks])
    order = np.argsort([landmark.b_wr for landmark in landmarks], kind="stable").argsort(kind="stable")
    scores = []
    for subject in tested:
        distances = np.linalg.norm(points - kind.canonical(subject.verdict.behaviour), axis=1) / 2**0.5
        nearest = int(distances.argmin())
        scores.append(float(order[nearest]) - float(min(distances[nearest], 1.0)) / 2)
    return scores


# --- what a prediction says


def merit(prediction: Prediction) -> float:
    """What the reward model's order goes by: without exploration and without votes."""
    return prediction.merit


def forecast(prediction: Prediction, above: float) -> Forecast | None:
    """Of the effect on the screening suite, and of its being above a threshold; None: it predicts no effects."""
    chance, interval = prediction.chance_above(above), prediction.intervals.get("effect")
    if chance is None or interval is None or prediction.effect is None or prediction.effect_deviation is None:
        return None
    return Forecast(
        mean=prediction.effect,
        deviation=prediction.effect_deviation,
        chance=chance,
        low=interval.low,
        high=interval.high,
    )
