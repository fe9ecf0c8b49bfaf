"""Chance is mistaken for a finding no more often than was promised: within a round, and over rounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.finding import Closing, Confirmation, Round
from engine.multiplicity import ALPHA, INITIAL_WEALTH, gamma, holm, next_alpha, wealth

NOW = datetime(2030, 1, 2, tzinfo=UTC)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def a_round(number: int, alpha: float, found: bool | None, after: int | None = None) -> Round:
    """`found` None: under way."""
    result = Confirmation(round_id=f"c-{number}", hypothesis_id="h", finding=bool(found))
    closing = Closing(at=NOW, after=after or number, best="GELU", confirmations=(result,))
    return Round(
        id=f"c-{number}",
        number=number,
        request_id="q",
        kind="activation",
        family=("h",),
        asked_by=None,
        suite="full-1",
        epoch=0,
        data_sets=(),
        seeds=(number,),
        margin=0.01,
        alpha=alpha,
        wealth=0.0,
        planned_at=NOW,
        closing=None if found is None else closing,
    )


def planned(outcomes: list[bool | None]) -> list[Round]:
    rounds: list[Round] = []
    for number, found in enumerate(outcomes, 1):
        rounds.append(a_round(number, next_alpha(rounds), found))
    return rounds


@given(p_values, st.floats(0.001, 0.999))
def test_holm_rejects_as_its_steps_do(values: list[float], alpha: float) -> None:
    adjusted = holm(values)
    rejected = set()
    for step, place in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        if values[place] * (len(values) - step) > alpha:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(adjusted) if p <= alpha} == rejected


@given(p_values)
def test_adjusting_never_makes_a_p_value_smaller_nor_changes_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, adjusted, strict=True))
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_one_test_alone_needs_no_adjusting() -> None:
    assert holm([0.03]) == [0.03]


@given(st.lists(st.booleans(), max_size=60))
def test_levels_never_add_up_to_more_than_alpha_for_each_round_with_a_finding(outcomes: list[bool]) -> None:
    rounds = planned(list(outcomes))
    found = np.cumsum([False, *outcomes])[:-1]
    for number in range(1, len(rounds) + 1):
        spent = sum(one.alpha for one in rounds[:number])
        assert spent <= ALPHA * max(1, found[number - 1] + 1)
        assert spent <= INITIAL_WEALTH + max(0.0, ALPHA * found[number - 1] - INITIAL_WEALTH * (found[number - 1] > 0))


@given(st.lists(st.booleans(), max_size=60))
def test_the_wealth_is_never_negative(outcomes: list[bool]) -> None:
    assert wealth(planned(list(outcomes))) >= -1e-12


def test_shares_of_wealth_fall_and_add_up_to_one() -> None:
    shares = [gamma(lag) for lag in range(-2, 200_000)]
    assert shares[:3] == [0.0, 0.0, 0.0]
    assert shares[3:] == sorted(shares[3:], reverse=True)
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_a_finding_makes_the_next_level_larger_and_failures_make_it_smaller() -> None:
    failures = planned([False] * 5)
    assert [one.alpha for one in failures] == sorted((one.alpha for one in failures), reverse=True)
    assert next_alpha(planned([False] * 4 + [True])) > 5 * next_alpha(failures)


def test_a_round_under_way_counts_as_one_without_a_finding() -> None:
    assert next_alpha(planned([True, None])) == next_alpha(planned([True, False]))


def test_a_finding_counts_from_when_it_became_known() -> None:
    """Decided when three rounds had been planned, it gives the fourth what a finding of the third would have given."""
    rounds = planned([None, None, None])
    late = [replace(rounds[0], closing=a_round(1, 0.1, True, after=3).closing), *rounds[1:]]
    assert next_alpha(late) == next_alpha(planned([False, False, True]))


def test_of_rounds_with_findings_few_hold_a_false_one_where_most_hypotheses_are_null() -> None:
    """120 histories of 40 rounds of two hypotheses; one in five is real. mFDR <= ALPHA, here with room for chance."""
    rng = np.random.default_rng(0)
    false, any_ = 0, 0
    for _ in range(120):
        rounds: list[Round] = []
        for number in range(1, 41):
            real = rng.random(2) < 0.2
            values = np.where(real, 1e-4 * rng.random(2), rng.random(2))
            alpha = next_alpha(rounds)
            found = np.array(holm(values.tolist())) <= alpha
            rounds.append(a_round(number, alpha, bool(found.any())))
            false += bool((found & ~real).any())
            any_ += bool(found.any())
    assert any_ > 120
    assert false / any_ <= ALPHA
