from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from live_bot import until

from bot.schedule import Schedule, tick
from storage.database import open_database

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'digests.db'}"


def test_a_subscription_survives_a_restart(url: str) -> None:
    first = Schedule(open_database(url), BERLIN)
    first.start(lambda key, channel: None)
    first.subscribe("C1", 9, 5)
    first.close()
    second = Schedule(open_database(url), BERLIN)
    second.start(lambda key, channel: None)
    assert second.time_of("C1") == "09:05"
    second.close()


def test_a_later_subscription_of_a_channel_replaces_the_earlier_one(url: str) -> None:
    schedule = Schedule(open_database(url), BERLIN)
    schedule.start(lambda key, channel: None)
    schedule.subscribe("C1", 9, 0)
    schedule.subscribe("C1", 17, 30)
    assert schedule.time_of("C1") == "17:30"
    schedule.close()


def test_what_was_ended_is_not_subscribed(url: str) -> None:
    schedule = Schedule(open_database(url), BERLIN)
    schedule.start(lambda key, channel: None)
    schedule.subscribe("C1", 9, 0)
    assert schedule.unsubscribe("C1")
    assert not schedule.unsubscribe("C1")
    assert schedule.time_of("C1") is None
    schedule.close()


def test_the_first_digest_comes_at_the_local_time_asked_for(url: str) -> None:
    schedule = Schedule(open_database(url), BERLIN)
    schedule.start(lambda key, channel: None)
    first = schedule.subscribe("C1", 9, 0).astimezone(BERLIN)
    assert (first.hour, first.minute) == (9, 0)
    assert timedelta(0) < first - datetime.now(UTC) <= timedelta(hours=25)
    schedule.close()


def test_a_tick_enqueues_one_key_for_a_channel_and_local_date(url: str) -> None:
    enqueued: list[tuple[str, str]] = []
    schedule = Schedule(open_database(url), BERLIN)
    schedule.start(lambda key, channel: enqueued.append((key, channel)))
    tick("C1", "Europe/Berlin")
    tick("C1", "Europe/Berlin")
    until(lambda: len(enqueued) == 2)
    assert len({key for key, _ in enqueued}) == 1
    assert enqueued[0] == (f"C1-{datetime.now(BERLIN).date().isoformat()}", "C1")
    schedule.close()


def test_what_happens_every_night_is_enqueued_at_once_as_well_under_the_local_date(url: str) -> None:
    schedule = Schedule(open_database(url), BERLIN)
    enqueued: list[str] = []
    schedule.start(lambda key, channel: None)
    schedule.every_night(enqueued.append)
    assert until(lambda: enqueued) == [datetime.now(BERLIN).date().isoformat()]
    schedule.close()
