"""What the reward model and the prior predict, and that its bytes are safe to keep."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from engine.errors import StaleModel
from engine.features import describe
from engine.journal import Past, Snapshot
from engine.learn import learn
from engine.reward import Candidate, Landmark, Prediction, Predictor, Prior, RewardModel, predictor
from sandbox.guest.components.kind import Kind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MakePast = Callable[..., list[Past]]
Vote = Callable[[Past, str, bool], Past]


def candidates(past: Sequence[Past]) -> list[Candidate]:
    return [(one.hypothesis, one.verdict) for one in past]


def learned(kind: Kind, past: Sequence[Past], baselines: Sequence[Landmark] = (), seed: int = 0) -> Snapshot:
    snapshot = learn(kind, past, at=NOW, baselines=baselines, seed=seed)
    assert snapshot is not None
    return snapshot


def rank_correlation(model: Predictor, kind: Kind, past: Sequence[Past]) -> float:
    truth = [one.score.b_wr.value for one in past if one.score]
    predicted = [one.b_wr for one in model.predict(kind, candidates(past))]
    return float(spearmanr(predicted, truth).statistic)


def test_the_prior_orders_what_it_never_saw_better_than_chance(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    assert rank_correlation(Prior(landmarks_of_curves), curves, make_past(200, seed=1)) > 0.5


def test_thirty_outcomes_order_better_than_the_prior(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    snapshot = learned(curves, make_past(30), landmarks_of_curves)
    model = predictor(curves, snapshot, landmarks_of_curves)
    unseen = make_past(200, seed=1, start=1000)
    prior = rank_correlation(Prior(landmarks_of_curves), curves, unseen)
    assert rank_correlation(model, curves, unseen) > max(0.8, prior)


def test_votes_leave_predicted_win_rates_as_they_are_to_the_last_bit(
    curves: Kind, make_past: MakePast, vote: Vote, thirty: Snapshot
) -> None:
    past = make_past(30)
    voted = [vote(vote(one, "ann", i % 2 == 0), "bob", i % 3 == 0) for i, one in enumerate(past)]
    voted += [vote(one, "ann", True) for one in make_past(5, seed=2, start=100, measured=False)]
    unseen = candidates(make_past(20, seed=1, start=1000))
    before = predictor(curves, thirty, ()).predict(curves, unseen)
    after = predictor(curves, learned(curves, voted), ()).predict(curves, unseen)
    assert [replace(one, thumbs_up=None) for one in after] == before
    assert all(one.thumbs_up is not None for one in after)


def test_without_votes_nothing_is_said_about_them(curves: Kind, make_past: MakePast, thirty: Snapshot) -> None:
    model = predictor(curves, thirty, ())
    assert all(one.thumbs_up is None for one in model.predict(curves, candidates(make_past(3, seed=1))))


def test_far_from_every_baseline_the_prior_says_their_mean(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    (far,) = Prior(landmarks_of_curves).predict(curves, candidates(make_past(shapes=[(0, 0, -50)])))
    mean = np.mean([landmark.b_wr for landmark in landmarks_of_curves])
    assert far.b_wr == pytest.approx(mean, abs=0.02)


def test_the_prior_is_surer_beside_a_baseline_than_far_from_all(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark]
) -> None:
    near, far = Prior(landmarks_of_curves).predict(curves, candidates(make_past(shapes=[(1, 0, 0), (0, 0, -50)])))
    assert near.spread < far.spread


def test_a_prior_without_baselines_prefers_nobody(curves: Kind, make_past: MakePast) -> None:
    assert len(set(Prior([]).predict(curves, candidates(make_past(5))))) == 1


def test_what_has_no_behaviour_is_predicted_all_the_same(
    curves: Kind, make_past: MakePast, landmarks_of_curves: list[Landmark], thirty: Snapshot
) -> None:
    (past,) = make_past(1, seed=5)
    blank = (past.hypothesis, replace(past.verdict, behaviour={}, novelty=None, parameters=None, cost_ratio=None))
    for model in (Prior(landmarks_of_curves), predictor(curves, thirty, ())):
        (predicted,) = model.predict(curves, [blank])
        assert 0 <= predicted.b_wr <= 1
        assert 0 <= predicted.bsota_wr <= 1


def test_huge_values_do_not_break_a_prediction(curves: Kind, make_past: MakePast, thirty: Snapshot) -> None:
    model = predictor(curves, thirty, ())
    (predicted,) = model.predict(curves, candidates(make_past(shapes=[(1e15, -1e15, 0)])))
    assert 0 <= predicted.b_wr <= 1


def test_no_candidates_no_predictions(curves: Kind, landmarks_of_curves: list[Landmark], thirty: Snapshot) -> None:
    for model in (Prior(landmarks_of_curves), predictor(curves, thirty, ())):
        assert model.predict(curves, []) == []


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    curves: Kind, make_past: MakePast, vote: Vote
) -> None:
    past = [vote(one, "ann", i % 2 == 0) for i, one in enumerate(make_past(30))]
    first, again, other = (learned(curves, past, seed=seed) for seed in (0, 0, 1))
    assert (first.weights, first.version) == (again.weights, again.version)
    assert first.weights != other.weights
    assert first.version != other.version


def test_learning_leaves_the_callers_random_numbers_and_threads_alone(curves: Kind, make_past: MakePast) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    learned(curves, make_past(30))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_kept_bytes_predict_as_the_model_did(curves: Kind, make_past: MakePast, vote: Vote) -> None:
    snapshot = learned(curves, [vote(one, "ann", True) for one in make_past(30)])
    model = RewardModel.from_bytes(snapshot.weights, curves)
    assert model.to_bytes() == snapshot.weights
    assert model.version == snapshot.version
    assert (model.outcomes, model.votes) == (30, 30)


def test_a_model_of_another_probe_set_is_stale_and_the_prior_takes_over(
    curves: Kind, landmarks_of_curves: list[Landmark], thirty: Snapshot
) -> None:
    moved_on = replace(curves, behaviour={"curve": (41,)})
    with pytest.raises(StaleModel, match="curve"):
        RewardModel.from_bytes(thirty.weights, moved_on)
    assert predictor(moved_on, thirty, landmarks_of_curves).version is None
    assert predictor(curves, thirty, landmarks_of_curves).version == thirty.version


def test_a_model_of_another_kind_is_stale(curves: Kind, thirty: Snapshot) -> None:
    with pytest.raises(StaleModel, match="surface"):
        RewardModel.from_bytes(thirty.weights, replace(curves, name="surface"))


def test_pickled_objects_are_never_read(curves: Kind) -> None:
    file = io.BytesIO()
    np.savez(file, header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(StaleModel):
        RewardModel.from_bytes(file.getvalue(), curves)


@settings(deadline=None, max_examples=40)
@given(noise=st.binary(max_size=200))
def test_bytes_that_are_no_model_are_stale(noise: bytes, curves: Kind) -> None:
    with pytest.raises(StaleModel):
        RewardModel.from_bytes(noise, curves)


def test_a_cut_off_model_is_stale(curves: Kind, thirty: Snapshot) -> None:
    weights = thirty.weights
    for length in (0, 1, len(weights) // 2, len(weights) - 1):
        with pytest.raises(StaleModel):
            RewardModel.from_bytes(weights[:length], curves)


def test_a_prediction_does_not_depend_on_the_company(curves: Kind, make_past: MakePast, thirty: Snapshot) -> None:
    model = predictor(curves, thirty, ())
    unseen = candidates(make_past(6, seed=3))
    together = model.predict(curves, unseen)
    alone: list[Prediction] = [model.predict(curves, [one])[0] for one in unseen]
    assert [one.b_wr for one in together] == pytest.approx([one.b_wr for one in alone], abs=1e-5)


# --- effects and rejections


def rippled(past: Sequence[Past]) -> list[float]:
    """Effects that follow the win rates, on another scale: few percent, and far below zero for the worst."""
    return [(one.score.b_wr.value - 0.8) / 4 if one.score else 0.0 for one in past]


def fitted(kind: Kind, past: Sequence[Past], **given: object) -> RewardModel:
    outcomes = [
        (describe(kind, one.hypothesis, one.verdict), one.score.b_wr.value, one.score.bsota_wr.value)
        for one in past
        if one.score
    ]
    return RewardModel.fit(kind, outcomes, (), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def with_effects(curves: Kind, make_past: MakePast) -> RewardModel:
    past = make_past(60)
    broken = [
        (
            replace(
                describe(curves, one.hypothesis, one.verdict),
                marks=-describe(curves, one.hypothesis, one.verdict).marks,
            )
        )
        for one in past
    ]
    told = [describe(curves, one.hypothesis, one.verdict) for one in past]
    rejections = [*((one, False) for one in told), *((one, True) for one in broken)]
    return fitted(curves, past, effects=rippled(past), rejections=rejections)


def test_effects_are_ordered_and_their_intervals_hold_most(
    curves: Kind, make_past: MakePast, with_effects: RewardModel
) -> None:
    unseen = make_past(100, seed=1, start=1000)
    told, truth = with_effects.predict(curves, candidates(unseen)), rippled(unseen)
    assert spearmanr([one.merit for one in told], truth).statistic > 0.9
    held = [
        one.intervals["effect"].low <= t <= one.intervals["effect"].high for one, t in zip(told, truth, strict=True)
    ]
    assert np.mean(held) > 0.8


def test_the_chance_of_an_effect_falls_with_its_size(
    curves: Kind, make_past: MakePast, with_effects: RewardModel
) -> None:
    for one in with_effects.predict(curves, candidates(make_past(5, seed=1))):
        chances = [one.chance_above(effect) for effect in (-1.0, -0.02, 0.0, 0.02, 1.0)]
        assert chances == sorted(chances, key=lambda chance: -(chance or 0.0))
        assert one.effect is not None
        assert one.chance_above(one.effect) == pytest.approx(0.5)


def test_effects_that_are_all_the_same_teach_none(curves: Kind, make_past: MakePast) -> None:
    model = fitted(curves, make_past(10), effects=[0.0] * 10)
    (told,) = model.predict(curves, candidates(make_past(1, seed=1)))
    assert told.effect is None
    assert told.chance_above(0.0) is None


def test_effects_must_be_as_many_as_outcomes(curves: Kind, make_past: MakePast) -> None:
    with pytest.raises(ValueError, match="9 effects of 10 outcomes"):
        fitted(curves, make_past(10), effects=[0.1] * 9)


def test_rejection_is_predicted_without_looking_at_behaviour(
    curves: Kind, make_past: MakePast, with_effects: RewardModel
) -> None:
    (one,) = make_past(1, seed=4)
    blank = (one.hypothesis, replace(one.verdict, behaviour={}, novelty=None, parameters=None, cost_ratio=None))
    seen, unseen = with_effects.predict(curves, [(one.hypothesis, one.verdict), blank])
    assert seen.rejected == pytest.approx(unseen.rejected)
    assert seen.rejected is not None
    assert seen.rejected < 0.5


def test_blind_votes_leave_predicted_figures_as_they_are(curves: Kind, make_past: MakePast) -> None:
    past = make_past(20)
    told = [describe(curves, one.hypothesis, one.verdict) for one in past]
    unseen = candidates(make_past(5, seed=1))
    before, after = (
        fitted(curves, past, effects=rippled(past), blind=blind).predict(curves, unseen)
        for blind in ((), [(one, i % 2 == 0, 1.0) for i, one in enumerate(told)])
    )
    assert [replace(one, blind_up=None) for one in after] == before
    assert all(one.blind_up is not None for one in after)
