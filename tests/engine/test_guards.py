"""When what is measured becomes more of the same, more is reserved for the new."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.guards import FEWEST, leaning, newness, reserved, unlike_the_past
from engine.journal import Past
from engine.reward import Prediction
from sandbox.guest.components.kind import Kind

MakePast = Callable[..., list[Past]]


def test_more_of_the_same_is_seen_and_variety_is_healthy(curves: Kind, make_past: MakePast) -> None:
    same = make_past(shapes=[(1, 0.3 + i / 10_000, 0) for i in range(30)])
    varied = make_past(shapes=[(1, np.cos(i), 3 * np.sin(i * i)) for i in range(30)])
    collapsed, healthy = newness(curves, same), newness(curves, varied)
    assert collapsed is not None
    assert healthy is not None
    assert collapsed < 0.2 < healthy


def test_of_a_few_nothing_is_said(curves: Kind, make_past: MakePast) -> None:
    assert newness(curves, make_past(FEWEST)) is None


def test_the_reserved_share_rises_as_the_new_becomes_rare() -> None:
    shares = [reserved(0.15, new) for new in (None, 0.9, 0.5, 0.25, 0.0)]
    assert shares == [0.15, 0.15, 0.15, pytest.approx(0.325), pytest.approx(0.5)]


def test_what_was_tried_is_at_no_distance_from_the_past(curves: Kind, make_past: MakePast) -> None:
    tried, again, new = make_past(shapes=[(1, 0.3, 0.3), (1, 0.3, 0.3), (0, 0, 3)])
    candidates = [(one.hypothesis, one.verdict) for one in (again, new)]
    found = unlike_the_past(curves, candidates, [tried])
    assert found[again.hypothesis.id] == pytest.approx(0.0, abs=1e-6)
    assert found[new.hypothesis.id] > 0.1


def test_a_prediction_that_follows_the_baselines_is_seen_to_lean(curves: Kind, make_past: MakePast) -> None:
    past = make_past(shapes=[(1, i / 10, 0) for i in range(11)] + [(1, 0, 2 + i) for i in range(9)])
    candidates = [(one.hypothesis, one.verdict) for one in past]
    near = unlike_the_past(curves, candidates, [])
    told = [Prediction(b_wr=1 - near[h.id], spread=0.1, bsota_wr=1 - near[h.id], thumbs_up=None) for h, _ in candidates]
    found = leaning(curves, candidates, told)
    assert found is not None
    assert found > 0.95
