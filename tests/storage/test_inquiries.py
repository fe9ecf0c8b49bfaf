"""The messages that we answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from storage.errors import NotRecorded
from storage.inquiries import Enclosed, Inquiry, SqlInquiries, State, inquiry_id

NOW = datetime(2030, 1, 2, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=()), max_size=30)


@pytest.fixture
def inquiries(engine: Engine) -> SqlInquiries:
    return SqlInquiries(engine)


def an_inquiry(ts: str = "1.0", channel: str = "C1", **changes: Any) -> Inquiry:
    inquiry = Inquiry(
        id=inquiry_id(channel, ts),
        channel=channel,
        ts=ts,
        thread_ts=None,
        person="U1",
        text="propose 8 activation functions",
        received_at=NOW,
    )
    return replace(inquiry, **changes)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts, name=texts, size=st.integers(0, 2**40), addressed=st.booleans())
def test_an_inquiry_comes_back_as_it_was(
    inquiries: SqlInquiries, text: str, name: str, size: int, addressed: bool
) -> None:
    file = Enclosed(id="F1", name=name, url="https://files.example/F1", size=size, mimetype="application/pdf")
    inquiry = an_inquiry(str(uuid4()), text=text, files=(file,), addressed=addressed)
    inquiries.receive(inquiry)
    assert inquiries.get(inquiry.id) == inquiry


def test_a_second_delivery_changes_nothing(inquiries: SqlInquiries) -> None:
    assert inquiries.receive(an_inquiry())
    inquiries.update("C1-1.0", state=State.WORKING, request_id="r1")
    before = inquiries.get("C1-1.0")
    assert not inquiries.receive(an_inquiry(text="something else"))
    assert inquiries.get("C1-1.0") == before


def test_of_many_deliveries_at_once_one_is_the_first(inquiries: SqlInquiries) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: inquiries.receive(an_inquiry()), range(16))) == 1


def test_an_update_leaves_what_it_does_not_name(inquiries: SqlInquiries) -> None:
    inquiries.receive(an_inquiry())
    inquiries.update("C1-1.0", request_id="r1")
    inquiries.update("C1-1.0", note="a note")
    inquiries.update("C1-1.0", state=State.WORKING)
    assert inquiries.get("C1-1.0") == an_inquiry(state=State.WORKING, request_id="r1", note="a note")


@pytest.mark.parametrize("state", State)
def test_only_a_finished_inquiry_has_a_time_when_it_finished(inquiries: SqlInquiries, state: State) -> None:
    inquiries.receive(an_inquiry())
    inquiries.update("C1-1.0", state=State.FAILED)
    inquiries.update("C1-1.0", state=str(state))
    finished = state not in (State.RECEIVED, State.WORKING)
    assert (inquiries.get("C1-1.0").finished_at is not None) == finished
    assert (inquiries.unfinished() == []) == finished


def test_a_state_that_is_none_is_refused(inquiries: SqlInquiries) -> None:
    inquiries.receive(an_inquiry())
    with pytest.raises(ValueError, match="'done' is not a valid State"):
        inquiries.update("C1-1.0", state="done")


def test_a_thread_holds_the_message_that_began_it_and_those_below(inquiries: SqlInquiries) -> None:
    inquiries.receive(an_inquiry("1.0"))
    inquiries.receive(an_inquiry("2.0"))
    inquiries.receive(an_inquiry("3.0", thread_ts="1.0"))
    inquiries.receive(an_inquiry("4.0", channel="C2", thread_ts="1.0"))
    assert [inquiry.ts for inquiry in inquiries.in_thread("C1", "1.0")] == ["1.0", "3.0"]


def test_a_request_is_of_the_inquiry_that_named_it_first(inquiries: SqlInquiries) -> None:
    for ts in ("1.0", "2.0", "3.0"):
        inquiries.receive(an_inquiry(ts))
    inquiries.update("C1-2.0", request_id="r1")
    inquiries.update("C1-3.0", request_id="r1")
    assert inquiries.of_request("r1").ts == "2.0"


def test_unfinished_ones_come_in_the_order_of_arrival(inquiries: SqlInquiries) -> None:
    for ts in ("3.0", "1.0", "2.0"):
        inquiries.receive(an_inquiry(ts))
    inquiries.update("C1-3.0", state=State.WORKING)
    inquiries.update("C1-1.0", state=State.ANSWERED)
    assert [inquiry.ts for inquiry in inquiries.unfinished()] == ["3.0", "2.0"]


def test_what_was_never_received_is_named(inquiries: SqlInquiries) -> None:
    with pytest.raises(NotRecorded, match="'C9-1'"):
        inquiries.get("C9-1")
    with pytest.raises(NotRecorded, match="'C9-1'"):
        inquiries.update("C9-1", note="x")
    with pytest.raises(NotRecorded, match="'r9'"):
        inquiries.of_request("r9")
