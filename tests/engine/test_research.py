"""The generating half of the loop over the offline catalogue: shares, running out, starting over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from engine.evaluate import Evaluator
from engine.llm.catalogue import entries, offline_catalogue
from engine.memory import MemoryJournal
from engine.propose import shares
from engine.request import Request, Strategy
from engine.research import Research, fresh_seeds
from sandbox.execution import Sandbox
from sandbox.guest.components.kinds import KINDS

BOTH = (Strategy.INCREMENTAL, Strategy.NOVEL)


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def research(journal: MemoryJournal) -> Research:
    """Generating needs neither a sandbox nor an evaluator."""
    return Research(
        journal=journal,
        sandbox=cast(Sandbox, None),
        evaluator=cast(Evaluator, None),
        models=[offline_catalogue()],
        kinds=KINDS,
    )


def asked(journal: MemoryJournal, name: str, count: int, strategies: tuple[Strategy, ...] = BOTH) -> str:
    journal.record_request(
        Request(
            id=name,
            text="propose",
            kinds=("activation",),
            count=count,
            counts=(count,),
            strategies=strategies,
            purpose="",
            asked_by="Ada",
            created_at=datetime.now(UTC),
        )
    )
    return name


def test_three_times_as_many_are_generated_half_with_each_strategy(research: Research, journal: MemoryJournal) -> None:
    research.generate(asked(journal, "q-1", 4))
    strategies = [h.strategy for h in journal.hypotheses("q-1")]
    assert sorted(strategies) == [Strategy.INCREMENTAL] * 6 + [Strategy.NOVEL] * 6


def test_generating_again_after_a_crash_adds_nothing(research: Research, journal: MemoryJournal) -> None:
    research.generate(asked(journal, "q-1", 4))
    before = journal.hypotheses("q-1")
    research.generate("q-1")
    assert journal.hypotheses("q-1") == before


def test_nothing_is_proposed_twice_until_all_was_used(research: Research, journal: MemoryJournal) -> None:
    everything = len(entries("activation"))
    requests = [asked(journal, f"q-{number}", 10) for number in range(1 + everything // 30)]
    for name in requests:
        research.generate(name)
    origins = [h.origin for name in requests for h in journal.hypotheses(name)]
    assert len(origins) == len(set(origins)) == everything


def test_the_catalogue_starts_over_when_all_was_used(research: Research, journal: MemoryJournal) -> None:
    research.generate(asked(journal, "q-1", 300))
    research.generate(asked(journal, "q-2", 4))
    assert len(journal.hypotheses("q-2")) == 12


def test_running_out_is_said_once_a_strategy(research: Research, journal: MemoryJournal) -> None:
    research.generate(asked(journal, "q-1", 300))
    assert len(journal.generator_faults("q-1")) == 2


def test_a_strategy_that_runs_out_is_made_up_for_by_the_other(research: Research, journal: MemoryJournal) -> None:
    research.generate(asked(journal, "q-1", 14, (Strategy.NOVEL,)))
    research.generate(asked(journal, "q-2", 4))
    assert len(journal.hypotheses("q-2")) == 12


def test_a_stopped_request_asks_nobody(research: Research, journal: MemoryJournal) -> None:
    journal.stop(asked(journal, "q-1", 4))
    research.generate("q-1")
    assert not journal.hypotheses("q-1")


def test_shares_differ_by_one_at_most_and_add_up() -> None:
    assert shares(7, 3) == [3, 2, 2]


def test_fresh_seeds_are_none_of_the_used_ones_and_the_same_for_one_request() -> None:
    seeds = fresh_seeds("q-1", (0, 1))
    assert len(set(seeds)) == 8
    assert not set(seeds) & {0, 1}
    assert seeds == fresh_seeds("q-1", (0, 1)) != fresh_seeds("q-2", (0, 1))
