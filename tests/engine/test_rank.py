"""Shrinkage, groups of equal rank, and what a ranking holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from engine.hypothesis import Hypothesis
from engine.rank import beside, groups, rank, step_size_effect
from engine.ranking import Inherited, Ranking
from engine.request import Strategy
from engine.score import BaselineTrials, Estimate, Score, Trial, Tried
from engine.shrinkage import shrunken
from engine.suite import SELECTION_SEEDS
from engine.verdict import Novelty, Verdict
from sandbox.execution import Outcome
from sandbox.guest.components.kinds import KINDS

unhurried = settings(deadline=None)  # a busy machine is no failure

KIND = KINDS["activation"]


def effect(value: float, error: float = 0.01) -> Estimate:
    return Estimate(value=value, low=value - 1.6448536 * error, high=value + 1.6448536 * error)


effects = st.lists(
    st.builds(effect, st.floats(-1, 1), st.floats(1e-4, 0.1)),
    min_size=1,
    max_size=12,
)


@unhurried
@given(effects)
def test_a_shrunken_effect_lies_in_its_interval_and_no_farther_out_than_the_raw_one(raw: list[Estimate]) -> None:
    for before, after in zip(raw, shrunken(raw), strict=True):
        assert after.low <= after.value <= after.high
        assert after.low < after.high
        error = (before.high - before.low) / 3.29
        assert abs(after.value) <= max(abs(before.value), error) + 0.6 * error


@unhurried
@given(effects, st.randoms(use_true_random=False))
def test_the_order_of_a_round_does_not_matter(raw: list[Estimate], random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(raw)))
    random.shuffle(order)
    there = shrunken([raw[n] for n in order])
    here = shrunken(raw)
    for at, n in enumerate(order):
        assert there[at].value == pytest.approx(here[n].value, abs=1e-9)


@unhurried
@given(effects)
def test_a_round_and_its_mirror_image_shrink_alike(raw: list[Estimate]) -> None:
    mirrored = [Estimate(value=-e.value, low=-e.high, high=-e.low) for e in raw]
    for one, other in zip(shrunken(raw), shrunken(mirrored), strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-6)


def test_few_effects_above_zero_are_pulled_down_more_than_many() -> None:
    lone = shrunken([effect(0.02), *(effect(-0.1 - 0.02 * n) for n in range(7))])[0]
    common = shrunken([effect(0.02), *(effect(0.02 + 0.01 * n) for n in range(7))])[0]
    assert lone.value < common.value < 0.03
    assert lone.low < common.low


def test_an_effect_that_is_large_for_its_error_is_left_alone() -> None:
    found = shrunken([effect(0.5, 0.005), effect(-0.3, 0.005)])
    assert [e.value for e in found] == pytest.approx([0.5, -0.3], abs=0.005)
    assert found[0].low > 0.48


def test_posterior_means_and_quantiles_are_those_of_numerical_integration() -> None:
    """A round whose mixture has one width: the prior is then fully known, up to the weights of the two sides."""
    raw = [effect(0.015), effect(-0.01), effect(0.002), effect(-0.03)]
    grid = np.linspace(-0.5, 0.5, 40_001)
    found = shrunken(raw)
    # Any prior that is a mixture of the module's half-normals gives posteriors between those of its extreme members.
    widths = np.geomspace(0.005, 0.06, 30)
    for before, after in zip(raw, found, strict=True):
        means = []
        for width in widths:
            for sign in (1, -1):
                weight = norm.pdf(grid, 0, width) * (sign * grid >= 0) * norm.pdf(before.value, grid, 0.01)
                means.append(float((grid * weight).sum() / weight.sum()))
        assert min(means) <= after.value <= max(means)


def test_shrunken_effects_are_nearer_the_truth_than_raw_ones_at_the_top() -> None:
    """Rounds of eight from one population: the winner's raw effect flatters it, its shrunken one hardly."""
    rng = np.random.default_rng(0)
    raw_bias, bias, covered = [], [], []
    for _ in range(200):
        truth = rng.normal(-0.05, 0.04, 8)
        raw = [effect(float(rng.normal(t, 0.03)), 0.03) for t in truth]
        best = int(np.argmax([e.value for e in raw]))
        after = shrunken(raw)[best]
        raw_bias.append(raw[best].value - truth[best])
        bias.append(after.value - truth[best])
        covered.append(after.low <= truth[best] <= after.high)
    assert abs(np.mean(bias)) < 0.6 * np.mean(raw_bias)
    assert np.mean(covered) > 0.8


def test_unrelated_noise_is_hardly_ever_promising() -> None:
    rng = np.random.default_rng(1)
    found = [e.low > 0 for _ in range(100) for e in shrunken([effect(float(x)) for x in rng.normal(0, 0.01, 8)])]
    assert np.mean(found) < 0.05


def test_no_effects_shrink_to_none() -> None:
    assert shrunken([]) == []


def test_ranks_are_equal_within_a_group_and_count_on_behind_it() -> None:
    assert groups([effect(x) for x in (0.10, 0.09, 0.085, 0.05, 0.045, -0.3)]) == [1, 1, 1, 4, 4, 6]


@unhurried
@given(effects)
def test_ranks_never_fall_and_never_pass_the_place(raw: list[Estimate]) -> None:
    ranks = groups(sorted(raw, key=lambda e: -e.value))
    assert ranks == sorted(ranks)
    assert all(found <= place for place, found in enumerate(ranks, 1))


# --- the ranking


def hypothesis(name: str) -> Hypothesis:
    return Hypothesis(
        id=name,
        request_id="r",
        kind="activation",
        title=name.title(),
        claim="",
        rationale="",
        inspiration="",
        source=b"",
        strategy=Strategy.NOVEL,
        generator="tests",
    )


def accepted(name: str, duplicate_of: str | None = None) -> Verdict:
    novelty = Novelty(n_score=0.1, nearest="ReLU", nearest_source="", duplicate_of=duplicate_of)
    return Verdict(hypothesis_id=name, outcome=Outcome.FINISHED, novelty=novelty, sandbox="docker")


def scored(name: str, value: float, seeds: tuple[int, ...] = (0, 1)) -> Score:
    share = Estimate(value=0.5, low=0.4, high=0.6)
    return Score(
        hypothesis_id=name,
        suite="screen-1/0",
        seeds=seeds,
        trials=(),
        b_wr=share,
        bsota_wr=share,
        effect=effect(value),
        diverged=0,
        seconds=1.0,
        tier="direct",
        sandbox="docker",
        device="cpu",
    )


def kept(name: str, losses: Sequence[float], seeds: tuple[int, ...]) -> BaselineTrials:
    return BaselineTrials(
        kind="activation",
        baseline=name,
        suite="screen-1/0",
        seeds=seeds,
        torch_version="2",
        device="cpu",
        trials=tuple(
            Trial(cell="digits/mlp2", seed=s, loss=m, accuracy=None) for s, m in zip(seeds, losses, strict=True)
        ),
        seconds=1.0,
        code_digest="d",
    )


BASELINES = [
    kept(name, [start + 0.1 * n for n, _ in enumerate(seeds)], seeds)
    for name, start in (("Softplus", 3.0), ("GELU", 1.0), ("ReLU", 2.0))
    for seeds in ((0, 1), SELECTION_SEEDS)
]


def ranked(
    verdicts: Sequence[Verdict], scores: Sequence[Score], reruns: Sequence[Score] = (), extra: Sequence[str] = ()
) -> Ranking:
    return rank(
        request_id="r",
        kind=KIND,
        hypotheses=[hypothesis(name) for name in (*(v.hypothesis_id for v in verdicts), *extra)],
        verdicts={verdict.hypothesis_id: verdict for verdict in verdicts},
        scores=scores,
        baselines=BASELINES,
        reruns=reruns,
        generator_faults=["an answer was cut off"],
        stopped=True,
    )


def test_places_are_by_the_shrunken_effect_with_equal_ranks_for_ties() -> None:
    names = {"a": -0.4, "b": 0.10, "c": 0.099, "d": -0.1}
    found = ranked([accepted(name) for name in names], [scored(name, value) for name, value in names.items()])
    assert [place.hypothesis.id for place in found.places] == ["b", "c", "d", "a"]
    assert [place.rank for place in found.places] == [1, 1, 3, 4]
    assert [place.promising for place in found.places] == [True, True, False, False]
    assert all(place.effect.value <= place.score.effect.value + 0.01 for place in found.places)


def test_a_rerun_stands_beside_its_place_and_changes_nothing() -> None:
    verdicts, scores = [accepted("a"), accepted("b")], [scored("a", 0.1), scored("b", 0.0)]
    again = scored("a", -0.5, seeds=(7, 8))
    without, beside = ranked(verdicts, scores), ranked(verdicts, scores, [again])
    assert [place.rerun for place in beside.places] == [again, None]
    assert [replace(place, rerun=None) for place in beside.places] == list(without.places)


def test_what_was_rejected_says_why_and_a_duplicate_names_what_it_copies() -> None:
    killed = Verdict(hypothesis_id="k", outcome=Outcome.KILLED, check="time", reason="took too long", sandbox="docker")
    found = ranked([accepted("a"), killed, accepted("d", duplicate_of="SiLU")], [scored("a", 0.1)])
    assert [(r.hypothesis.id, r.check, r.reason) for r in found.rejected] == [
        ("k", "time", "took too long"),
        ("d", "duplicate", "the same function as SiLU"),
    ]


def test_a_duplicate_takes_over_the_figures_of_the_baseline_that_it_is() -> None:
    found = ranked([accepted("a"), accepted("d", duplicate_of="GELU")], [scored("a", 0.1)])
    (row,) = [reference for reference in found.references if reference.baseline == "GELU"]
    (duplicate,) = found.rejected
    assert duplicate.inherited == Inherited(of="GELU", b_wr=row.b_wr, bsota_wr=row.bsota_wr)
    assert [place.hypothesis.id for place in found.places] == ["a"]


def test_what_is_known_already_is_never_promising_however_well_it_does() -> None:
    found = ranked([accepted("a"), accepted("d", duplicate_of="GELU")], [scored("a", 0.3), scored("d", 0.3)])
    assert {place.hypothesis.id: place.promising for place in found.places} == {"a": True, "d": False}


def test_a_duplicate_takes_over_the_score_of_the_earlier_hypothesis_that_it_is() -> None:
    again = accepted("d", duplicate_of="Sine gate")
    novelty = replace(again.novelty, duplicate_id="h-old") if again.novelty else None
    earlier = scored("h-old", 0.3)
    found = rank(
        request_id="r",
        kind=KIND,
        hypotheses=[hypothesis("d")],
        verdicts={"d": replace(again, novelty=novelty)},
        scores=[],
        baselines=BASELINES,
        reruns=[],
        generator_faults=[],
        stopped=False,
        originals={"h-old": earlier},
    )
    (duplicate,) = found.rejected
    assert duplicate.inherited == Inherited(of="Sine gate", b_wr=earlier.b_wr, bsota_wr=earlier.bsota_wr)
    assert found.places == ()


def test_every_hypothesis_is_placed_rejected_or_not_measured_once() -> None:
    rejected = Verdict(hypothesis_id="r", outcome=Outcome.REJECTED, check="shape", reason="wrong", sandbox="docker")
    found = ranked([accepted("a"), rejected, accepted("n")], [scored("a", 0.1)], extra=["unseen"])
    assert [place.hypothesis.id for place in found.places] == ["a"]
    assert [rejection.hypothesis.id for rejection in found.rejected] == ["r"]
    assert [h.id for h in found.not_measured] == ["n", "unseen"]


def test_references_are_best_first_with_their_source() -> None:
    found = ranked([], [])
    assert [reference.baseline for reference in found.references] == ["GELU", "ReLU", "Softplus"]
    assert [reference.b_wr.value for reference in found.references] == [1, 0.5, 0]
    assert found.references[0].best
    assert "2016" in found.references[0].source


def test_without_baselines_there_are_no_references_and_nothing_breaks() -> None:
    found = rank(
        request_id="r",
        kind=KIND,
        hypotheses=[hypothesis("a")],
        verdicts={},
        scores=[],
        baselines=[],
        reruns=[],
        generator_faults=[],
        stopped=True,
    )
    assert (found.places, found.references) == ((), ())
    assert [h.id for h in found.not_measured] == ["a"]


def test_what_is_told_of_the_request_is_passed_on() -> None:
    found = ranked([accepted("a")], [scored("a", 0.1)])
    assert (found.request_id, found.kind, found.suite, found.stopped) == ("r", "activation", "screen-1/0", True)
    assert found.generator_faults == ("an answer was cut off",)


# --- besides the ranking itself


def test_a_matched_baseline_is_read_like_a_reference_and_against_the_candidate() -> None:
    matched = kept("GELU", [0.5, 1.05], (0, 1))
    trials = tuple(Trial(cell="digits/mlp2", seed=s, loss=m, accuracy=None) for s, m in ((0, 0.6), (1, 0.9)))
    found = rank(
        request_id="r",
        kind=KIND,
        hypotheses=[hypothesis("a")],
        verdicts={"a": accepted("a")},
        scores=[replace(scored("a", 0.1), trials=trials)],
        baselines=BASELINES,
        reruns=[],
        generator_faults=[],
        stopped=False,
        matched={"a": [("GELU, 1.3 x wider", matched)]},
    )
    (row,) = found.places[0].matched
    assert row.words == "GELU, 1.3 x wider"
    assert (row.b_wr.value, row.won.value) == (1.0, 0.5)


def test_accuracy_and_the_last_loss_stand_beside_those_of_the_best_baseline_where_both_trained() -> None:
    def trial(seed: int, accuracy: float | None, final: float | None) -> Trial:
        return Trial(cell="digits/mlp2", seed=seed, loss=final, accuracy=accuracy, final_loss=final)

    gelu = [kept("GELU", [1.0, 1.0, 1.0, 1.0], (0, 1, 2, 3)), kept("GELU", [1.0] * 8, SELECTION_SEEDS)]
    gelu[0] = replace(
        gelu[0], trials=(trial(0, 0.5, 1.0), trial(1, 0.6, 2.0), trial(2, 0.7, 1.0), trial(3, None, None))
    )
    others = [kept("ReLU", [2.0] * len(seeds), seeds) for seeds in ((0, 1, 2, 3), SELECTION_SEEDS)]
    own = (trial(0, 0.6, 0.5), trial(1, 0.7, 1.0), trial(2, None, None), trial(3, 0.9, 0.1))
    found = beside(replace(scored("a", 0.1), trials=own), [*gelu, *others])
    assert found is not None
    assert (found.against, found.accuracy, found.final) == ("GELU", pytest.approx(0.1), 0.5)
    assert beside(scored("a", 0.1), BASELINES) is None


GRIDS = {"Softplus": (3.0, 2.9), "GELU": (1.0, 0.6), "ReLU": (2.0, 1.9)}  # losses at the screening's rate, at a third


def tuned(own: tuple[float, float], effect_value: float) -> Score:
    trials = (Trial(cell="digits/mlp2", seed=101, loss=0.7, accuracy=None),)
    return replace(scored("a", effect_value), suite="full-1/0", trials=trials, grid=grid(*own))


def grid(same: float, third: float) -> tuple[Tried, ...]:
    return (Tried(factor=1.0, losses=(same,)), Tried(factor=1 / 3, losses=(third,)))


@pytest.mark.parametrize(
    ("screened", "own", "full", "expected"),
    [
        (0.2, (0.8, 0.7), -0.1, True),  # wins at the common rate, not at everyone's best one
        (0.2, (0.8, 0.7), 0.2, False),  # wins at both
        (0.2, (1.2, 0.7), -0.1, False),  # the longer training or the other data took its win, not the rate
        (-0.1, (0.8, 0.7), -0.1, False),  # never won
    ],
)
def test_a_step_size_effect_is_a_win_that_the_best_learning_rates_take_away(
    screened: float, own: tuple[float, float], full: float, expected: bool
) -> None:
    baselines = [replace(run, grid=grid(*GRIDS[run.baseline])) for run in BASELINES]
    assert step_size_effect(scored("a", screened), tuned(own, full), baselines) is expected


def test_without_a_grid_nothing_is_a_step_size_effect() -> None:
    assert not step_size_effect(scored("a", 0.2), scored("a", -0.1), BASELINES)
