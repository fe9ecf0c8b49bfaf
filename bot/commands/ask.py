"""`conjecture ask`: one question through the local workspace and the real app, the thread as text or JSON."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bot.app import Bot
from bot.commands.reporting import FAILED, UsageError, advised, log_to_stderr
from bot.home import Home, HomeLocked
from bot.manifest import manifest
from bot.settings import Settings, read_settings
from bot.views.message import unescape
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import Workspace
from storage.database import open_database
from storage.errors import NotRecorded
from storage.inquiries import UNFINISHED, Inquiry, SqlInquiries, State, inquiry_id
from storage.journal import SqlJournal
from storage.posts import SqlPosts

CHANNEL = "research"
POLL_SECONDS = 0.3
PATIENCE_SECONDS = 60.0  # until the message is received at all; the work itself may take as long as it takes
STARTING_SECONDS = 30.0  # of another process that holds the home and has not said where it listens
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question, and the messages of the bot that came after it."""

    inquiry: Inquiry
    messages: list[Json]


def ask(text: str, *, as_json: bool, out: Path | None, files: tuple[Path, ...], thread: str | None) -> int:
    with advised() as outcome:
        settings = read_settings(slack=False)
        log_to_stderr("error")
        # What is not waited for, such as a confirmation, loses its workspace at the end and goes on at the next start.
        logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        home = Home(settings.home)
        home.prepare()
        with workspace_of(settings, home) as url, WorkspaceClient(url) as person:
            exchange = converse(person, settings, text, files, thread)
            plots = download(person, exchange.messages, out) if out else []
            answer = as_object(settings, exchange, plots)
        if as_json:
            print(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            print("\n\n".join(answer["messages"]))
            print("\n".join(f"\n{path}" for path in plots), end="")
        if exchange.inquiry.state is State.FAILED:
            outcome.exit_code = FAILED
    return outcome.exit_code


@contextmanager
def workspace_of(settings: Settings, home: Home) -> Iterator[str]:
    """The address of a workspace with a bot in it: the one that runs on this home, or one started for this question."""
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        run = home.running()
        if run is not None:
            if run.workspace_url is None:
                raise UsageError(f"{home.path} belongs to a bot that is connected to Slack. Set CONJECTURE_HOME.")
            yield run.workspace_url
            return
        try:
            with home.lock(), Workspace(home.path / "workspace", manifest=manifest()) as workspace:
                bot = Bot(settings, workspace=workspace)
                home.announce(workspace.url)
                try:
                    yield workspace.url
                finally:
                    bot.close()
            return
        except HomeLocked:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def converse(
    person: WorkspaceClient, settings: Settings, text: str, files: tuple[Path, ...], thread: str | None
) -> Exchange:
    """Post, and wait until the answer is complete. Raises UsageError when the message is never taken up."""
    channel = next(c["id"] for c in person.state()["channels"] if c["name"] == CHANNEL)
    mention = text if "@conjecture" in text else f"@conjecture {text}"
    ts = person.post(mention, channel=channel, thread_ts=thread, files=files)
    inquiries = SqlInquiries(open_database(settings.database_url.get_secret_value()))
    deadline = time.monotonic() + PATIENCE_SECONDS
    with progress_bar() as show:
        while True:
            messages = [m for m in person.thread(channel, thread or ts) if m.get("bot_id") and m["ts"] > ts]
            try:
                inquiry = inquiries.get(inquiry_id(channel, ts))
            except NotRecorded:
                if time.monotonic() > deadline:
                    raise OSError(f"The bot did not take up the message within {PATIENCE_SECONDS:.0f} s.") from None
            else:
                if inquiry.state not in UNFINISHED:
                    break
            show(messages)
            time.sleep(POLL_SECONDS)
    messages = [m for m in person.thread(channel, thread or ts) if m.get("bot_id") and m["ts"] > ts]
    return Exchange(inquiry=inquiry, messages=messages)


@contextmanager
def progress_bar() -> Iterator[Any]:
    """Show the bot's own progress message on stderr while waiting, when somebody looks."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda messages: None
        return
    with Live(Text("Starting"), console=console, transient=True) as live:

        def show(messages: list[Json]) -> None:
            working = [m["text"] for m in messages if m["text"].startswith("Working on")]
            if working:
                live.update(Text(unescape(working[-1])))

        yield show


def download(person: WorkspaceClient, messages: list[Json], out: Path) -> list[str]:
    """Save every image that the messages show; returns the paths."""
    paths = []
    for message in messages:
        for block in message.get("blocks") or []:
            if block.get("type") == "image" and "slack_file" in block:
                file_id = block["slack_file"]["id"]
                path = out / f"{file_id}.png"
                path.write_bytes(person.download(file_id))
                paths.append(str(path))
    return paths


def as_object(settings: Settings, exchange: Exchange, plots: list[str]) -> Json:
    """The answer as documented in the README."""
    database = open_database(settings.database_url.get_secret_value())
    request_id = exchange.inquiry.request_id
    request = SqlJournal(database).request(request_id) if request_id else None
    posts = SqlPosts(database)
    shown = [posts.shows(exchange.inquiry.channel, message["ts"]) or {} for message in exchange.messages]
    rankings = list({detail["kind"]: detail for detail in shown if "ranking" in detail}.values())

    def all_of(name: str) -> list[Any]:
        return [row for ranking in rankings for row in ranking[name]]

    return {
        "request_id": request_id,
        "understood": {"kinds": list(request.kinds), "count": request.count} if request else None,
        "generated": sum(ranking["generated"] for ranking in rankings),
        "rejected": all_of("rejected"),
        "ranking": all_of("ranking"),
        "not_measured": all_of("not_measured"),
        "references": all_of("references"),
        "plots": plots,
        "messages": [unescape(message["text"]) for message in exchange.messages],
    }
