"""What happens every day. A tick only ever enqueues a job, under a key with the local date: one a day, not more.

Subscriptions to digests live in the scheduler's own table and survive a restart. A tick that was missed while nothing
ran is made up for within the hour, once, and later not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

GRACE_SECONDS = 3600
NIGHT = 4  # o'clock

_enqueue: Callable[[str, str], None] | None = None  # the scheduler stores a reference to `tick`, which has to be global


class Schedule:
    def __init__(self, engine: Engine, timezone: ZoneInfo) -> None:
        self.timezone = timezone
        self._scheduler = BackgroundScheduler(
            jobstores={
                "default": SQLAlchemyJobStore(engine=engine, tablename="digest_subscriptions"),
                "memory": MemoryJobStore(),
            },
            timezone=timezone,
            job_defaults={"coalesce": True, "misfire_grace_time": GRACE_SECONDS},
        )

    def start(self, enqueue: Callable[[str, str], None]) -> None:
        """`enqueue(key, channel)` makes the digest a job."""
        global _enqueue
        _enqueue = enqueue
        self._scheduler.start()

    def every_night(self, enqueue: Callable[[str], None]) -> None:
        """`enqueue(local date)`, and once right now: the machine may be off at night."""

        def tonight() -> None:
            enqueue(datetime.now(self.timezone).date().isoformat())

        now = datetime.now(self.timezone)
        self._scheduler.add_job(
            tonight, CronTrigger(hour=NIGHT, timezone=self.timezone), jobstore="memory", next_run_time=now
        )

    def subscribe(self, channel: str, hour: int, minute: int) -> datetime:
        """Every day at this time in `timezone`, instead of any earlier time; returns the first."""
        job = self._scheduler.add_job(
            tick,
            CronTrigger(hour=hour, minute=minute, timezone=self.timezone),
            args=[channel, str(self.timezone)],
            id=channel,
            replace_existing=True,
        )
        return job.next_run_time  # type: ignore[no-any-return]

    def unsubscribe(self, channel: str) -> bool:
        """False: there was no subscription."""
        job = self._scheduler.get_job(channel)
        if job is not None:
            job.remove()
        return job is not None

    def time_of(self, channel: str) -> str | None:
        """`09:00`, or None when the channel is not subscribed."""
        job = self._scheduler.get_job(channel)
        return None if job is None else job.next_run_time.astimezone(self.timezone).strftime("%H:%M")

    def close(self) -> None:
        self._scheduler.shutdown(wait=False)


def tick(channel: str, timezone: str) -> None:
    if _enqueue is not None:
        _enqueue(f"{channel}-{datetime.now(ZoneInfo(timezone)).date().isoformat()}", channel)
