"""The contract of a ledger, held against every implementation, on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.errors import UnknownThing
from engine.finding import Closing, Confirmation, Origin, Part, Round
from engine.hypothesis import Hypothesis
from engine.ledger import Ledger, MemoryLedger, findings, outcome_of, uses
from engine.request import Request, Strategy
from engine.score import Estimate
from storage.findings import SqlLedger
from storage.journal import SqlJournal

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SOME = Estimate(value=0.03, low=0.01, high=0.05)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """With the request and the hypotheses that the rounds below are about."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    empty: Callable[[Engine], None] = request.getfixturevalue("empty_tables")
    empty(engine)
    journal = SqlJournal(engine)
    journal.record_request(
        Request(
            id="r1",
            text="propose",
            kinds=("activation",),
            count=2,
            counts=(2,),
            strategies=(Strategy.NOVEL,),
            purpose="",
            asked_by="U1",
            created_at=NOW,
        )
    )
    journal.record_hypotheses(
        [
            Hypothesis(
                id=id,
                request_id="r1",
                kind="activation",
                title=id,
                claim="",
                rationale="",
                inspiration="",
                source=b"",
                strategy=Strategy.NOVEL,
                generator="offline catalogue",
            )
            for id in ("h1", "h2")
        ]
    )
    yield SqlLedger(engine)


def a_round(number: int = 1, **changes: Any) -> Round:
    planned = Round(
        id=f"c-{number}",
        number=number,
        request_id="r1",
        kind="activation",
        family=("h1", "h2"),
        asked_by=None,
        suite="full-1",
        epoch=0,
        data_sets=("digits", "wine"),
        seeds=(2_000_000_000 + 2 * number, 2_000_000_001 + 2 * number),
        margin=0.01,
        alpha=0.0109,
        wealth=0.025,
        planned_at=NOW,
    )
    return replace(planned, **changes)


def confirmed(round_id: str = "c-1", hypothesis_id: str = "h1", **changes: Any) -> Confirmation:
    found = Confirmation(
        round_id=round_id,
        hypothesis_id=hypothesis_id,
        finding=True,
        mean=SOME,
        unseen=SOME,
        effect=SOME,
        b_wr=SOME,
        bsota_wr=SOME,
        p=1e-5,
        adjusted_p=2e-5,
        step_size_effect=True,
        split=True,
    )
    return replace(found, **changes)


CLOSING = Closing(
    at=NOW + timedelta(minutes=5),
    after=1,
    best="GELU",
    confirmations=(confirmed(), Confirmation(round_id="c-1", hypothesis_id="h2", finding=False, fault="it \0 broke")),
)


def test_a_plan_is_read_back_as_it_was_made(ledger: Ledger) -> None:
    assert ledger.plan(a_round(asked_by="U1"))
    assert ledger.round("c-1") == a_round(asked_by="U1")


@pytest.mark.parametrize("taken", ["id", "number", "seeds"])
def test_no_id_number_or_seeds_are_ever_planned_twice(ledger: Ledger, taken: str) -> None:
    ledger.plan(a_round(1))
    other = replace(a_round(2), **{taken: getattr(a_round(1), taken)})
    assert not ledger.plan(other)
    assert ledger.rounds() == [a_round(1)]


def test_of_those_that_plan_the_same_number_at_once_one_succeeds(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        planned = list(threads.map(lambda i: ledger.plan(a_round(1, id=f"c-{i}", seeds=(i,))), range(8)))
    assert sum(planned) == len(ledger.rounds()) == 1


def test_rounds_are_read_by_number(ledger: Ledger) -> None:
    for number in (2, 1, 3):
        ledger.plan(a_round(number))
    assert [one.number for one in ledger.rounds()] == [1, 2, 3]


def test_a_closed_round_holds_what_came_of_its_family(ledger: Ledger) -> None:
    ledger.plan(a_round())
    ledger.close("c-1", CLOSING)
    assert ledger.round("c-1") == a_round(closing=CLOSING)


def test_the_first_closing_stays(ledger: Ledger) -> None:
    ledger.plan(a_round())
    ledger.close("c-1", CLOSING)
    ledger.close("c-1", replace(CLOSING, best="ReLU", confirmations=()))
    assert ledger.round("c-1").closing == CLOSING


def test_what_was_never_planned_is_unknown(ledger: Ledger) -> None:
    with pytest.raises(UnknownThing):
        ledger.round("c-9")
    with pytest.raises(UnknownThing):
        ledger.close("c-9", CLOSING)


def test_where_a_gain_comes_from_is_read_back_and_replaced(ledger: Ledger) -> None:
    part = Part(without="0.5 (line 7)", effect=SOME)
    origin = Origin(
        hypothesis_id="h1", whole=SOME, parts=(part, Part(without="1", effect=None, fault="nan")), share=SOME
    )
    ledger.record_origin(replace(origin, parts=()))
    ledger.record_origin(origin)
    assert ledger.origin("h1") == origin
    assert ledger.origin("h2") is None


def test_data_sets_are_counted_once_a_round_but_not_where_nobody_looked(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        ledger.plan(a_round(number))
    ledger.close("c-1", CLOSING)
    ledger.close("c-2", Closing(at=NOW, after=3, best=None))
    assert uses(ledger.rounds()) == {"activation/digits": 2, "activation/wine": 2}


def test_the_outcome_of_a_hypothesis_is_that_of_its_round_unless_it_was_stopped(ledger: Ledger) -> None:
    ledger.plan(a_round(1, family=("h1",)))
    ledger.close("c-1", Closing(at=NOW, after=1, best=None))
    assert outcome_of("h1", ledger.rounds()) is None
    ledger.plan(a_round(2))
    assert outcome_of("h1", ledger.rounds()) == (a_round(2), None)
    ledger.close("c-2", replace(CLOSING, confirmations=(confirmed("c-2"), confirmed("c-2", "h2", finding=False))))
    found = outcome_of("h2", ledger.rounds())
    assert found
    assert found[1] == confirmed("c-2", "h2", finding=False)


def test_only_findings_are_listed_as_findings_newest_first(ledger: Ledger) -> None:
    for number, ids in ((1, {"h1": True, "h2": False}), (2, {"h2": True})):
        ledger.plan(a_round(number, family=tuple(ids)))
        found = tuple(confirmed(f"c-{number}", id, finding=holds) for id, holds in ids.items())
        ledger.close(f"c-{number}", replace(CLOSING, confirmations=found))
    assert [(one.id, each.hypothesis_id) for one, each in findings(ledger.rounds())] == [("c-2", "h2"), ("c-1", "h1")]
