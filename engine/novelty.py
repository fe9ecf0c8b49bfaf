"""How new a component is: the N-score, and whether it is something known under another spelling.

N-score (our definition): N(h) = min over the known functions k of its kind of |c(h) - c(k)| / sqrt(2), at most 1.
c is the kind's canonical form: answers and gradients on the public probe set as a vector of unit length, without the
kind's invariances (an activation up to affine maps of its output and x -> -x; a regularizer up to its strength). With t
the angle to the nearest known function it is sqrt(1 - cos t): 0 for an equivalent of something known, 1 for what is
orthogonal to all that is known. For scale: GELU is 0.06 from SiLU, 0.10 from ReLU and 0.0002 from its own tanh
approximation; ReLU is 0.55 from tanh.

A duplicate is narrower: equal in every array of the behaviour (output and gradient, in train and eval mode, and what it
learns), within |a - b| <= 1e-4 max(|a|, |b|) + 1e-5 rms of that array, without any invariance. It would be trained to
the same result, so it inherits scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from engine.verdict import Novelty
from sandbox.guest.candidate import learnable_scalars, load
from sandbox.guest.components.kind import Behaviour, Kind, Known, Vector

RELATIVE = 1e-4  # rounding of another spelling of the same formula reaches 1e-5, another known constant is off by 1e-3
ABSOLUTE = 1e-5  # of the root mean square of an array of the larger one, for entries near zero
EQUIVALENT = 1e-3  # distances are distinguished by more than this; below, the known function listed first is named


@dataclass(frozen=True, slots=True, kw_only=True)
class _Landmark:
    known: Known
    behaviour: Behaviour
    point: Vector  # its canonical form
    parameters: int  # learnable scalars of one instance


_landmarks: dict[tuple[str, Known], _Landmark] = {}  # by name of the kind; computed when first asked for
_lock = Lock()


def judge(kind: Kind, behaviour: Behaviour, earlier: Sequence[tuple[str, Behaviour]] = ()) -> Novelty:
    """Compare with everything known of the kind, and with `earlier` hypotheses, given as (title, behaviour)."""
    landmarks = _known(kind)
    point = kind.canonical(behaviour)
    distances = [_distance(point, landmark.point) for landmark in landmarks]
    closest = (mark for mark, d in zip(landmarks, distances, strict=True) if d <= min(distances) + EQUIVALENT)
    twins = (mark for mark in landmarks if same(kind, behaviour, mark.behaviour))
    twin = next(twins, None)
    nearest = (twin or next(closest)).known
    again = next((title for title, other in earlier if same(kind, behaviour, other)), None)
    return Novelty(
        n_score=min(1.0, *distances),
        nearest=nearest.name,
        nearest_source=cited(nearest),
        duplicate_of=twin.known.name if twin else again,
    )


def same(kind: Kind, one: Behaviour, other: Behaviour) -> bool:
    """Whether two components are duplicates of each other."""
    return all(name in one and name in other and _equal(one[name], other[name]) for name in kind.behaviour)


def _equal(one: Vector, other: Vector) -> bool:
    if one.shape != other.shape:  # recorded before the probe set changed
        return False
    a, b = one.astype(np.float64), other.astype(np.float64)
    scale = float(np.sqrt(max(np.square(a).mean(), np.square(b).mean())))
    return bool((np.abs(a - b) <= RELATIVE * np.maximum(np.abs(a), np.abs(b)) + ABSOLUTE * scale).all())


def similarity(kind: Kind, behaviours: Sequence[Behaviour]) -> NDArray[np.float64]:
    """[n, n]: 1 - the distance of the N-score. Symmetric, 1 on the diagonal, 0 for what has nothing in common."""
    points = [kind.canonical(behaviour) for behaviour in behaviours]
    rows = [[1.0 - min(1.0, _distance(a, b)) for b in points] for a in points]
    return np.array(rows, np.float64).reshape(len(points), len(points))


def distances(kind: Kind, ones: Sequence[Behaviour], others: Sequence[Behaviour]) -> NDArray[np.float64]:
    """[ones, others], as the N-score measures them, at most 1."""
    a, b = (_points(kind, side) for side in (ones, others))
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    found: NDArray[np.float64] = np.minimum(np.sqrt(np.maximum(squares, 0.0) / 2), 1.0)
    empty_a, empty_b = ((np.abs(side).max(1) == 0) for side in (a, b))
    found[np.not_equal.outer(empty_a, empty_b)] = 1.0  # nothing is far from all
    return found


def _points(kind: Kind, behaviours: Sequence[Behaviour]) -> NDArray[np.float64]:
    return np.array([kind.canonical(behaviour) for behaviour in behaviours], np.float64)


def cited(known: Known) -> str:
    return f"{known.source}, {known.year}"


def known_behaviour(kind: Kind, name: str) -> Behaviour | None:
    """Behaviour of the known function of this name, without that of the others; None: there is no such function."""
    known = next((known for known in kind.known if known.name == name), None)
    return _landmark(kind, known).behaviour if known else None


def reference_parameters(kind: Kind) -> int:
    """Learnable scalars of one instance of the reference: LayerNorm has some as well, which is no cost of others."""
    known = next((known for known in kind.known if known.name == kind.reference), None)
    return _landmark(kind, known).parameters if known else 0


def known_behaviours(kind: Kind) -> Mapping[str, Behaviour]:
    """Behaviours of all known functions, by name."""
    return {landmark.known.name: landmark.behaviour for landmark in _known(kind)}


def spacing(kind: Kind) -> float | None:
    """How far a published function of the kind is from the nearest other one, typically: what an N-score compares to.

    The median; None when fewer than two are published.
    """
    points = [landmark.point for landmark in _known(kind)]
    nearest = [min(_distance(a, b) for b in points if b is not a) for a in points] if len(points) > 1 else []
    return float(np.median(nearest)) if nearest else None


def _known(kind: Kind) -> list[_Landmark]:
    return [_landmark(kind, known) for known in kind.known]


def _landmark(kind: Kind, known: Known) -> _Landmark:
    """Computed here, since its code is ours; once per process and only when it is needed: all take seconds."""
    with _lock:
        if (kind.name, known) not in _landmarks:
            with torch.random.fork_rng(devices=[]):
                build = load(known.code.encode(), kind, module="known")
                behaviour, parameters = kind.behave(build), learnable_scalars(kind.use(build))
            _landmarks[kind.name, known] = _Landmark(
                known=known, behaviour=behaviour, point=kind.canonical(behaviour), parameters=parameters
            )
        return _landmarks[kind.name, known]


def _distance(a: Vector, b: Vector) -> float:
    """Between 0 and sqrt(2) for canonical vectors, which are of unit length or zero; nothing is far from all."""
    if a.any() != b.any():
        return float(np.sqrt(2))
    return float(np.linalg.norm(a.astype(np.float64) - b.astype(np.float64)) / np.sqrt(2))
