"""Recorded steps, with a recorder that stands for CUDA graphs: it runs again what the real one launches again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sandbox.guest.replay import EAGER_CALLS, Replayed
from sandbox.guest.tiers import Refuted

CALLS = 20


def again(compute: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
    """A recording of something that depends on its arguments alone."""
    found = compute()

    def replay() -> None:
        for own, new in zip(found, compute(), strict=True):
            own.copy_(new)

    return replay, found


def frozen(compute: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
    """A recording of something that Python decides anew in each call."""
    return lambda: None, compute()


def doubled(x: Tensor) -> list[Tensor]:
    return [2 * x, x.sum()]


def test_replayed_calls_answer_for_their_own_arguments() -> None:
    replayed = Replayed(doubled, again)
    for call in range(CALLS):
        x = torch.full((3,), float(call))
        assert [found.tolist() for found in replayed(x)] == [wanted.tolist() for wanted in doubled(x)]


def test_it_is_recorded_once_and_after_libraries_have_allocated() -> None:
    calls = []

    def record(compute: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
        calls.append(compute)
        return again(compute)

    replayed = Replayed(doubled, record)
    for call in range(CALLS):
        assert len(calls) == (call > EAGER_CALLS)
        replayed(torch.ones(3))


def call_often(replayed: Replayed) -> None:
    for call in range(CALLS):
        replayed(torch.full((3,), float(call)))


def test_a_recording_that_misses_what_python_decides_is_refuted() -> None:
    with pytest.raises(Refuted):
        call_often(Replayed(doubled, frozen))


def test_what_cannot_be_recorded_is_refuted() -> None:
    def record(compute: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(Refuted):
        call_often(Replayed(doubled, record))
