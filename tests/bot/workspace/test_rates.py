from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workspace.rates import SLACK_RATES, Limiter, Rate
from bot.workspace.refusal import RateLimited
from bot.workspace.web_api.dispatch import METHODS


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


RATE = {"m": Rate(per_minute=60, burst=3), "c": Rate(per_minute=60, burst=1, per_channel=True)}


def test_a_burst_is_taken_and_the_next_call_is_told_when_to_come_back() -> None:
    limiter = Limiter(RATE, Clock())
    for _ in range(3):
        limiter.take("m", "")
    with pytest.raises(RateLimited) as refused:
        limiter.take("m", "")
    assert refused.value.retry_after_seconds == 1


@given(st.lists(st.floats(0, 5), max_size=60))
def test_whoever_waits_as_long_as_told_is_taken(pauses: list[float]) -> None:
    clock = Clock()
    limiter = Limiter(RATE, clock)
    for pause in pauses:
        clock.now += pause
        try:
            limiter.take("m", "")
        except RateLimited as refused:
            clock.now += refused.retry_after_seconds
            limiter.take("m", "")


@given(st.lists(st.floats(0, 2), min_size=1, max_size=80))
def test_no_more_than_the_burst_and_the_refill_is_ever_taken(pauses: list[float]) -> None:
    clock = Clock()
    limiter, taken = Limiter(RATE, clock), 0
    for pause in pauses:
        clock.now += pause
        try:
            limiter.take("m", "")
            taken += 1
        except RateLimited:
            pass
    assert taken <= 3 + clock.now + 1e-6


def test_channels_are_counted_apart_where_the_rate_says_so() -> None:
    limiter = Limiter(RATE, Clock())
    limiter.take("c", "A")
    limiter.take("c", "B")
    with pytest.raises(RateLimited):
        limiter.take("c", "A")


def test_every_method_has_a_rate() -> None:
    assert SLACK_RATES.keys() == METHODS.keys()
