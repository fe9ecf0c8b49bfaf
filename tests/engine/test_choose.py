"""Who is measured: the promising, and one at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.choose import (
    ASKED_FOR,
    AT_RANDOM,
    NOT_YET,
    NOVEL,
    PREDICTED,
    Weights,
    chances,
    choose,
    explained,
    moved,
)
from engine.journal import Choice, Past
from engine.reward import Candidate, Prediction
from sandbox.guest.components.kind import Kind


@dataclass(frozen=True)
class Oracle:
    """Predicts what it is told, by hypothesis id; 0.5 for the others."""

    b_wr: Mapping[str, float] = field(default_factory=dict)
    version: str | None = "r-0000"
    words: str = "an oracle"

    def predict(self, kind: Kind, candidates: Sequence[Candidate]) -> list[Prediction]:
        return [
            Prediction(b_wr=self.b_wr.get(h.id, 0.5), spread=0.05, bsota_wr=0.1, thumbs_up=None) for h, _ in candidates
        ]


@pytest.fixture(scope="session")
def candidates(make_past: Callable[..., list[Past]]) -> list[Candidate]:
    return [(one.hypothesis, one.verdict) for one in make_past(24, measured=False)]


def by_reason(choices: Sequence[Choice], why: str) -> set[str]:
    return {choice.hypothesis_id for choice in choices if choice.why == why}


@given(available=st.integers(0, 24), count=st.integers(0, 30), request_id=st.text(max_size=20))
def test_as_many_as_wanted_are_measured_and_one_of_them_is_drawn(
    available: int, count: int, request_id: str, curves: Kind, candidates: list[Candidate]
) -> None:
    some = candidates[:available]
    choices = choose(request_id, curves, some, count, Oracle())
    assert [choice.hypothesis_id for choice in choices] == [hypothesis.id for hypothesis, _ in some]
    assert sum(choice.measured for choice in choices) == min(count, available)
    if 1 < count < available:
        assert len(by_reason(choices, AT_RANDOM)) == 1
        assert len(by_reason(choices, PREDICTED)) == count - 1
        assert len(by_reason(choices, NOT_YET)) == available - count


@given(order=st.permutations(range(24)))
def test_a_step_that_runs_again_chooses_the_same(order: list[int], curves: Kind, candidates: list[Candidate]) -> None:
    first = choose("r1", curves, candidates, 8, Oracle())
    again = choose("r1", curves, [candidates[i] for i in order], 8, Oracle())
    assert {c.hypothesis_id: c for c in first} == {c.hypothesis_id: c for c in again}


def test_the_best_by_prediction_are_chosen(curves: Kind, candidates: list[Candidate]) -> None:
    predicted = {hypothesis.id: i / 24 for i, (hypothesis, _) in enumerate(candidates)}
    choices = choose("r1", curves, candidates, 8, Oracle(predicted))
    (drawn,) = by_reason(choices, AT_RANDOM)
    best = sorted(set(predicted) - {drawn}, key=lambda hypothesis_id: -predicted[hypothesis_id])[:7]
    assert by_reason(choices, PREDICTED) == set(best)


def test_a_request_for_one_gets_the_best(curves: Kind, candidates: list[Candidate]) -> None:
    best = candidates[7][0].id
    (chosen,) = [c for c in choose("r1", curves, candidates, 1, Oracle({best: 0.9})) if c.measured]
    assert chosen.hypothesis_id == best


def test_each_candidate_may_be_the_one_drawn(curves: Kind, candidates: list[Candidate]) -> None:
    some = candidates[:6]
    drawn = [by_reason(choose(f"r{i}", curves, some, 3, Oracle()), AT_RANDOM).pop() for i in range(300)]
    times = [drawn.count(hypothesis.id) for hypothesis, _ in some]
    assert min(times) > 25  # 50 are expected of each; fewer than 25 has a chance below 1e-4


def test_with_room_for_all_each_was_asked_for(curves: Kind, candidates: list[Candidate]) -> None:
    choices = choose("r1", curves, candidates, 24, Oracle())
    assert all(choice.measured and choice.why == ASKED_FOR for choice in choices)


def test_the_prediction_is_kept_with_every_choice(curves: Kind, candidates: list[Candidate]) -> None:
    choices = choose("r1", curves, candidates, 8, Oracle())
    kept = {(c.request_id, c.predicted_b_wr, c.predicted_spread, c.model_version) for c in choices}
    assert kept == {("r1", 0.5, 0.05, "r-0000")}


def test_fewer_than_none_cannot_be_measured(curves: Kind, candidates: list[Candidate]) -> None:
    with pytest.raises(ValueError, match="-1"):
        choose("r1", curves, candidates, -1, Oracle())


def order(kind: Kind, candidates: list[Candidate], predictions: Sequence[Prediction], **given: Any) -> list[Choice]:
    """Choices of half of them, by place."""

    class Told:
        version, words = "r-0000", "told"

        def predict(self, kind: Kind, candidates: Sequence[Candidate]) -> list[Prediction]:
            return list(predictions)

    chosen = choose("r1", kind, candidates[: len(predictions)], len(predictions) // 2, Told(), **given)
    return sorted(chosen, key=lambda choice: choice.parts.place if choice.parts else 0)


def prediction(b_wr: float, spread: float = 0.05, thumbs_up: float | None = None) -> Prediction:
    return Prediction(b_wr=b_wr, spread=spread, bsota_wr=b_wr, thumbs_up=thumbs_up)


def test_votes_decide_between_equals_and_not_against_a_clear_prediction(
    curves: Kind, candidates: list[Candidate]
) -> None:
    told = [prediction(0.7, thumbs_up=0.0), prediction(0.5, thumbs_up=0.1), prediction(0.5, thumbs_up=0.9)]
    found = order(curves, candidates, told)
    assert [choice.hypothesis_id for choice in found] == [candidates[i][0].id for i in (0, 2, 1)]


def test_a_vote_is_seen_in_the_parts_and_in_the_place_that_it_moved(curves: Kind, candidates: list[Candidate]) -> None:
    liked = [prediction(0.5, thumbs_up=0.9 if i == 7 else 0.4) for i in range(8)]
    first = order(curves, candidates, liked)[0].parts
    assert first is not None
    assert first.votes == pytest.approx(0.04)
    assert first.place == 1
    assert (first.without_votes == 1) == (moved(order(curves, candidates, liked)) == [])


def test_a_weight_of_zero_silences_votes(curves: Kind, candidates: list[Candidate]) -> None:
    told = [prediction(0.5 + i / 100, thumbs_up=1 - i / 8) for i in range(8)]
    found = order(curves, candidates, told, weights=Weights(votes=0.0))
    assert [choice.hypothesis_id for choice in found] == [candidates[i][0].id for i in reversed(range(8))]
    assert moved(found) == []


def test_what_is_less_known_is_tried_first_among_equals(curves: Kind, candidates: list[Candidate]) -> None:
    found = order(curves, candidates, [prediction(0.5, spread=0.05), prediction(0.5, spread=0.2)])
    assert found[0].hypothesis_id == candidates[1][0].id


def test_a_share_is_reserved_for_what_resembles_nothing_tried(curves: Kind, candidates: list[Candidate]) -> None:
    far = candidates[23][0].id
    predicted = {hypothesis.id: 1 - i / 24 for i, (hypothesis, _) in enumerate(candidates)}
    novelty = {hypothesis.id: 0.9 if hypothesis.id == far else 0.1 for hypothesis, _ in candidates}
    for share, expected in ((0.2, {far}), (0.0, set[str]())):
        weights = Weights(novel_share=share)
        choices = choose("r2", curves, candidates, 8, Oracle(predicted), weights=weights, novelty=novelty)
        assert by_reason(choices, NOVEL) == expected
        assert sum(choice.measured for choice in choices) == 8


@given(
    merits=st.lists(st.floats(-1, 1), min_size=2, max_size=30),
    spread=st.floats(0.001, 1),
    best=st.integers(1, 2),
)
def test_chances_to_be_among_the_best_add_up_to_their_number(merits: list[float], spread: float, best: int) -> None:
    found = chances(np.array(merits), np.full(len(merits), spread), best)
    assert found.sum() == pytest.approx(best, abs=0.02)
    assert [*np.argsort(merits, kind="stable")][-1] in np.flatnonzero(found >= found.max() - 1e-9)


def test_a_choice_is_explained_in_words(curves: Kind, candidates: list[Candidate]) -> None:
    by_model = {c.why: explained(c) for c in choose("r1", curves, candidates, 8, Oracle())}
    assert by_model[PREDICTED] == "chosen: reward model r-0000 predicts a B-WR of 0.50 ± 0.05"
    assert by_model[NOT_YET] == "not measured yet: reward model r-0000 predicts a B-WR of 0.50 ± 0.05"
    assert "at random" in by_model[AT_RANDOM]
    by_prior = {c.why: explained(c) for c in choose("r1", curves, candidates, 8, Oracle(version=None))}
    assert "closeness to the baselines" in by_prior[PREDICTED]
