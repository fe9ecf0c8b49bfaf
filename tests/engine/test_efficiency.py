"""The efficiency curve: what its area says of an order, and what its intervals are over."""

from __future__ import annotations

from itertools import permutations
from math import inf

import numpy as np
import pytest

from engine.efficiency import (
    RANDOM,
    area,
    area_in_better_half,
    best_of_n,
    curve,
    efficiency,
    found_early,
    top_count,
)

TRUTH = np.random.default_rng(1).normal(size=200)


def ordered_by(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")


@pytest.mark.parametrize(("n", "top"), [(1, 1), (20, 1), (21, 2), (100, 5), (101, 6), (1000, 50)])
def test_the_best_are_a_twentieth_rounded_up(n: int, top: int) -> None:
    assert top_count(n) == top


def test_the_oracle_has_an_area_of_one() -> None:
    assert area(ordered_by(TRUTH), TRUTH) == pytest.approx(1)


def test_the_worst_order_finds_the_best_last() -> None:
    assert found_early(ordered_by(-TRUTH), TRUTH) == 0
    assert area(ordered_by(-TRUTH), TRUTH) < 0.03


def test_the_curve_rises_by_one_best_at_a_time_to_one() -> None:
    steps = np.diff(curve(np.arange(200), TRUTH), prepend=0.0)
    assert sorted(steps)[-10:] == pytest.approx([0.1] * 10)
    assert steps.sum() == pytest.approx(1)


def test_a_random_order_is_worth_about_a_half() -> None:
    found = efficiency(list(TRUTH), {"reward": list(TRUTH)}, range(200))
    assert found is not None
    assert found.orders[RANDOM].area.value == pytest.approx(0.5, abs=0.05)
    assert found.orders["reward"].area.value == pytest.approx(1)


def test_what_broke_in_training_takes_its_place_in_the_order_and_is_none_of_the_best() -> None:
    truth = [*TRUTH, *[None] * 100]
    first, last = ([1000.0] * 100, [-1000.0] * 100)
    found = efficiency(truth, {"last": [*TRUTH, *last], "first": [*TRUTH, *first]}, range(300))
    assert found is not None
    assert (found.n, found.broke, found.top) == (200, 100, 10)
    assert found.orders["last"].area.value == pytest.approx(1)
    assert found.orders["first"].count_found_early == 0


def test_orders_that_are_the_same_differ_by_nothing_in_every_sample() -> None:
    found = efficiency(list(TRUTH), {"reward": list(TRUTH), "same": list(2 * TRUTH)}, range(200))
    assert found is not None
    difference = found.differences["same"]
    assert (difference.low, difference.value, difference.high) == pytest.approx((0, 0, 0))


def test_near_duplicates_count_as_one_when_intervals_are_made() -> None:
    noisy = list(TRUTH + np.random.default_rng(2).normal(size=200))
    alone = efficiency(list(TRUTH), {"reward": noisy}, range(200))
    in_tens = efficiency(list(TRUTH), {"reward": noisy}, [number // 10 for number in range(200)])
    assert alone is not None
    assert in_tens is not None
    width = [e.orders["reward"].area.high - e.orders["reward"].area.low for e in (alone, in_tens)]
    assert width[0] != width[1]
    assert alone.orders["reward"].area.value == in_tens.orders["reward"].area.value


def test_an_order_that_only_tells_good_from_bad_is_worth_little_in_the_better_half() -> None:
    halves = (np.median(TRUTH) < TRUTH).astype(float)
    shuffled = np.random.default_rng(3).permutation(200)
    order = shuffled[ordered_by(halves[shuffled])]
    assert area(order, TRUTH) > 0.7
    assert area_in_better_half(order, TRUTH) < 0.65


def test_best_of_n_is_the_mean_best_over_all_orders() -> None:
    truth = np.array([3.0, -1.0, 0.5, 2.0])
    orders = list(permutations(truth))
    expected = [np.mean([max(order[:n]) for order in orders]) for n in (1, 2, 3, 4)]
    assert best_of_n(truth) == pytest.approx(expected)


def test_best_of_n_counts_what_broke_as_the_worst() -> None:
    assert best_of_n(np.array([1.0, -inf]))[0] == pytest.approx(1.0)


def test_nothing_with_a_truth_has_no_efficiency() -> None:
    assert efficiency([None, None], {"reward": [1.0, 2.0]}, [0, 1]) is None


def test_lengths_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match="2 truths"):
        efficiency([1.0, 2.0], {"reward": [1.0]}, [0, 1])
