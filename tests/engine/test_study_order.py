"""No hypothesis is scored by a model that saw it, nor anything close to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.journal import Past
from engine.reward import Landmark
from engine.study import Subject
from engine.study_order import FOLDS, cold_start, folds, groups, held_out_predictions, merit, nearest_baseline
from sandbox.guest.components.kind import Kind

MakePast = Callable[..., list[Past]]


def subjects(past: list[Past], source: str = "a") -> list[Subject]:
    return [Subject(hypothesis=p.hypothesis, source=source, verdict=p.verdict, screened=p.score) for p in past]


def test_near_duplicates_are_in_one_group_and_one_fold(curves: Kind, make_past: MakePast) -> None:
    shape = (1.0, 0.2, 0.1)
    some = subjects(make_past(30, shapes=[shape, (1.0, 0.2001, 0.1), (1.0, 0.2002, 0.1)]))
    group = groups(curves, some)
    assert len({group[s.id] for s in some[30:]}) == 1
    assert len({folds(group)[s.id] for s in some[30:]}) == 1


def test_folds_are_of_about_equal_size(curves: Kind, make_past: MakePast) -> None:
    some = subjects(make_past(100))
    sizes = np.bincount(list(folds({s.id: number for number, s in enumerate(some)}).values()))
    assert sizes.tolist() == [100 // FOLDS] * FOLDS


def test_a_prediction_does_not_change_with_the_outcome_of_what_is_predicted(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    some = subjects(make_past(60, shapes=[(1.0, 0.2, 0.1), (1.0, 0.2001, 0.1)]))
    group = groups(curves, some)
    lies = [worse(s) if group[s.id] == group[some[-1].id] else s for s in some]
    asked = [next(s for s in some if folds(group)[s.id] != folds(group)[some[-1].id]), *some[-2:]]
    honest, fooled = (held_out_predictions(curves, each, asked, group, landmarks_of_curves) for each in (some, lies))
    for twin in some[-2:]:
        assert honest[twin.id] == fooled[twin.id]
    assert honest != fooled


def worse(subject: Subject) -> Subject:
    assert subject.screened is not None
    bad = replace(subject.screened.b_wr, value=0.0, low=0.0, high=0.1)
    effect = replace(bad, value=-0.9, low=-0.95, high=-0.85)
    return replace(subject, screened=replace(subject.screened, b_wr=bad, bsota_wr=bad, effect=effect))


def test_what_is_tested_alone_is_predicted_without_what_is_near_it(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    learned = subjects(make_past(60, shapes=[(1.0, 0.2, 0.1)]))
    tested = subjects(make_past(start=900, shapes=[(1.0, 0.2001, 0.1)]), "b")
    group = groups(curves, [*learned, *tested])
    lies = [worse(s) if group[s.id] == group[tested[0].id] else s for s in learned]
    honest, fooled = (held_out_predictions(curves, of, tested, group, landmarks_of_curves) for of in (learned, lies))
    assert honest == fooled


def test_the_nearest_baseline_orders_by_its_own_win_rate_then_by_closeness(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    near_leaky, nearer_leaky, near_line = subjects(make_past(shapes=[(1, 0.14, 0), (1, 0.11, 0), (1, 0.95, 0)]))
    scores = nearest_baseline(curves, [near_leaky, nearer_leaky, near_line], landmarks_of_curves)
    assert scores[1] > scores[0] > scores[2]


def test_the_cold_start_is_the_prior_of_the_product(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    few = subjects(make_past(5))  # too few to learn from
    predicted = held_out_predictions(curves, few, few, groups(curves, few), landmarks_of_curves)
    assert [merit(predicted[s.id]) for s in few] == cold_start(curves, few, landmarks_of_curves)
