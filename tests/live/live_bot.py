"""A bot with its local workspace, as the tests use it: everything real, on loopback."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.app import Bot
from bot.home import Home
from bot.manifest import manifest
from bot.settings import read_settings
from bot.workspace.client import WorkspaceClient
from bot.workspace.rates import UNLIMITED
from bot.workspace.server import Workspace
from storage.inquiries import UNFINISHED, Inquiry, inquiry_id

Json = dict[str, Any]
WAIT_SECONDS = 240.0


class Running:
    """What a test sees of a running bot."""

    def __init__(self, bot: Bot, person: WorkspaceClient) -> None:
        self.bot = bot
        self.person = person
        self.channel = next(c["id"] for c in person.state()["channels"] if c["name"] == "research")

    def say(self, text: str, *, thread: str | None = None, files: Sequence[Path] = (), user: str | None = None) -> str:
        return self.person.post(text, channel=self.channel, thread_ts=thread, files=files, user=user)

    def ask(self, text: str, **how: Any) -> list[Json]:
        """Say it to the bot and wait for the whole answer; returns the bot's messages that came after it."""
        ts = self.say(f"@conjecture {text}", **how)
        self.finished(ts)
        return self.replies(how.get("thread") or ts, after=ts)

    def inquiry(self, ts: str) -> Inquiry | None:
        thread = self.bot.inquiries.in_thread(self.channel, ts)
        return next((one for one in thread if one.id == inquiry_id(self.channel, ts)), None)

    def finished(self, ts: str) -> Inquiry:
        def ended() -> Inquiry | None:
            found = self.inquiry(ts)
            return found if found and found.state not in UNFINISHED else None

        return until(ended)

    def replies(self, thread: str, *, after: str = "", user: str | None = None) -> list[Json]:
        return [
            message
            for message in self.person.thread(self.channel, thread, user=user)
            if message.get("bot_id") and message["ts"] > after
        ]


def until(look: Any, seconds: float = WAIT_SECONDS) -> Any:
    """What `look` answers once it answers something; fails the test when it never does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing came within {seconds:.0f} s: {look}")


@contextmanager
def running(path: Path) -> Iterator[Running]:
    """A bot on the home `path`, with the settings of the environment."""
    before = os.environ.get("CONJECTURE_HOME")
    os.environ["CONJECTURE_HOME"] = str(path)
    try:
        settings = read_settings(slack=False)
    finally:
        os.environ.pop("CONJECTURE_HOME")
        if before is not None:
            os.environ["CONJECTURE_HOME"] = before
    home = Home(path)
    home.prepare()
    with home.lock(), Workspace(path / "workspace", rates=UNLIMITED, manifest=manifest()) as workspace:
        bot = Bot(settings, workspace=workspace)
        try:
            with WorkspaceClient(workspace.url) as person:
                yield Running(bot, person)
        finally:
            bot.close()


def texts(messages: Sequence[Json]) -> str:
    return "\n".join(message["text"] for message in messages)


def blocks_of(messages: Sequence[Json], kind: str) -> list[Json]:
    return [block for message in messages for block in message.get("blocks") or [] if block["type"] == kind]
