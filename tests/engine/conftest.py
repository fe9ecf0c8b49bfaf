"""A small kind of component, and a past of it, for tests that need many hypotheses and no sandbox.

A component is a curve a * max(x, 0) + b * min(x, 0) + c * sin(2 x); how well it does depends on b and c alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import Past, Snapshot
from engine.learn import learn
from engine.request import Strategy
from engine.reward import Landmark
from engine.score import Estimate, Score, Trial
from engine.verdict import Novelty, Verdict
from sandbox.execution import Outcome
from sandbox.guest.components.kind import Behaviour, Drawing, Kind, Known, Series, Vector
from sandbox.guest.harness import Harness

X = np.linspace(-3, 3, 41, dtype=np.float32)
Shape = tuple[float, float, float]
BASELINES: dict[str, Shape] = {
    "ramp": (1, 0, 0),
    "leaky ramp": (1, 0.1, 0),
    "steep leak": (1, 0.5, 0),
    "line": (1, 1, 0),
    "folded": (1, -0.6, 0),
    "rippled": (1, 0, 0.8),
}


def behaviour(shape: Shape) -> Behaviour:
    a, b, c = shape
    curve = a * np.maximum(X, 0) + b * np.minimum(X, 0) + c * np.sin(2 * X)
    return {"curve": curve.astype(np.float32), "slope": np.gradient(curve, X).astype(np.float32)}


def canonical(seen: Behaviour) -> Vector:
    centred = seen["curve"] - seen["curve"].mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), np.float32)


def rates(shape: Shape) -> tuple[float, float]:
    """Best for a small leak and no ripple; a is of no account."""
    _, b, c = shape
    b_wr = float(np.exp(-3 * (b - 0.2) ** 2 - 1.5 * c**2))
    return b_wr, b_wr**3


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=max(0.0, value - 0.06), high=min(1.0, value + 0.06))


CURVES = Kind(
    name="curve",
    title="curve",
    plural="curves",
    synonyms=("curve", "curves"),
    harness=Harness,
    alone=lambda build, training: training,
    entry="build()",
    returns=tuple,
    contract="A curve.",
    reference="ramp",
    known=tuple(
        Known(name=name, source="A paper", year=2000, code=f"def build():\n    return {shape}\n", baseline=True)
        for name, shape in BASELINES.items()
    ),
    behaviour={"curve": (41,), "slope": (41,)},
    check=lambda _: None,
    behave=lambda build: behaviour(build()),
    signature=lambda seen: np.concatenate([seen["curve"], seen["slope"]]),
    canonical=canonical,
    drawing=lambda seen: Drawing(x_label="x", y_label="f(x)", series=(Series(name="f(x)", x=X, y=seen["curve"]),)),
)


def past_of(index: int, shape: Shape, *, measured: bool = True, trials: tuple[Trial, ...] = ()) -> Past:
    b_wr, bsota_wr = rates(shape)
    hypothesis = Hypothesis(
        id=f"h{index:04d}",
        request_id="r1",
        kind="curve",
        title=f"Curve number {index}",
        claim="A small leak helps.",
        rationale="Gradients flow.",
        inspiration="",
        source=f"def build():\n    return {shape}\n".encode(),
        strategy=Strategy.NOVEL,
        generator="offline catalogue",
    )
    verdict = Verdict(
        hypothesis_id=hypothesis.id,
        outcome=Outcome.FINISHED,
        behaviour=behaviour(shape),
        novelty=Novelty(n_score=0.1, nearest="ramp", nearest_source="A paper, 2000"),
        parameters=0,
        cost_ratio=1.2,
        sandbox="docker",
    )
    score = Score(
        hypothesis_id=hypothesis.id,
        suite="screen-1",
        seeds=(0, 1),
        trials=trials,
        b_wr=estimate(b_wr),
        bsota_wr=estimate(bsota_wr),
        effect=estimate(0.0),
        diverged=0,
        seconds=0.2,
        tier="direct",
        sandbox="docker",
        device="cpu",
    )
    return Past(hypothesis=hypothesis, verdict=verdict, score=score if measured else None, feedback=())


@pytest.fixture(scope="session")
def curves() -> Kind:
    return CURVES


@pytest.fixture(scope="session")
def landmarks_of_curves() -> list[Landmark]:
    return [
        Landmark(name=name, code="", behaviour=behaviour(shape), b_wr=rates(shape)[0], bsota_wr=rates(shape)[1])
        for name, shape in BASELINES.items()
    ]


@pytest.fixture(scope="session")
def make_past() -> Callable[..., list[Past]]:
    """`count` measured hypotheses of random shapes, or one for each of `shapes`."""

    def make(
        count: int = 0, *, seed: int = 0, start: int = 0, shapes: Sequence[Shape] = (), **given: Any
    ) -> list[Past]:
        random = np.random.default_rng(seed)
        drawn = [(random.uniform(0.5, 2), random.uniform(-1, 1), random.uniform(-1, 1)) for _ in range(count)]
        return [past_of(start + i, shape, **given) for i, shape in enumerate([*drawn, *shapes])]

    return make


@pytest.fixture(scope="session")
def vote() -> Callable[[Past, str, bool], Past]:
    def cast(past: Past, person: str, thumbs_up: bool) -> Past:
        ballot = Feedback(
            person=person, hypothesis_id=past.hypothesis.id, thumbs_up=thumbs_up, at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        return replace(past, feedback=(*past.feedback, ballot))

    return cast


@pytest.fixture(scope="session")
def thirty(curves: Kind, make_past: Callable[..., list[Past]]) -> Snapshot:
    """A reward model of `make_past(30)`."""
    snapshot = learn(curves, make_past(30), at=datetime(2026, 1, 1, tzinfo=UTC))
    assert snapshot is not None
    return snapshot
