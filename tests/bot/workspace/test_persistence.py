"""What the workspace was told survives its death."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from bot.workspace.client import WorkspaceClient
from bot.workspace.seed import RESEARCH
from bot.workspace.server import Workspace


@contextmanager
def killed(home: Path) -> Iterator[dict[str, str]]:
    """The workspace as a process of its own, ended by SIGKILL; yields what it printed."""
    command = [sys.executable, "-m", "bot.workspace", "--home", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    assert process.stdout is not None
    try:
        yield dict(process.stdout.readline().split() for _ in range(4))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_messages_files_and_undelivered_events_survive_a_kill(tmp_path: Path) -> None:
    home, paper = tmp_path / "home", tmp_path / "paper.txt"
    paper.write_bytes(os.urandom(2000))
    with killed(home) as printed, WorkspaceClient(printed["page"]) as person:
        bot = WebClient(printed["SLACK_BOT_TOKEN"], base_url=printed["SLACK_API_URL"])
        ts = person.post("@conjecture read this", files=[paper])
        bot.chat_postMessage(channel=RESEARCH, text="reading", thread_ts=ts)
        file_id = person.thread(RESEARCH, ts)[0]["files"][0]["id"]
    heard: list[dict[str, object]] = []
    with Workspace(home) as workspace, WorkspaceClient(workspace.url) as person:
        assert workspace.bot_token == printed["SLACK_BOT_TOKEN"]
        assert [m["text"] for m in person.thread(RESEARCH, ts)] == ["<@U0CONJECTURE> read this", "reading"]
        assert person.download(file_id) == paper.read_bytes()
        app = App(client=WebClient(workspace.bot_token, base_url=workspace.api_url))
        app.event("app_mention")(lambda event: heard.append(event))
        app.event("message")(lambda: None)
        handler = SocketModeHandler(app, workspace.app_token)
        handler.connect()  # type: ignore[no-untyped-call]
        while not heard:
            time.sleep(0.05)
        leave(handler)
        # An address in an event is the one of the workspace that delivers it.
        assert heard[0]["ts"] == ts
        assert str(heard[0]["files"]).count(workspace.url) > 0


def leave(handler: SocketModeHandler) -> None:
    """Disconnect, without waiting for the seconds in which the SDK ends its own threads."""
    threading.Thread(target=handler.close).start()


def pending(home: Path) -> int:
    """How many events wait for their acknowledgement."""
    with closing(sqlite3.connect(home / "workspace.db")) as database:
        return int(database.execute("SELECT count(*) FROM envelopes").fetchone()[0])


def test_acknowledged_events_do_not_come_again_after_a_restart(tmp_path: Path) -> None:
    heard: list[str] = []
    for text in ("one", "two"):
        with Workspace(tmp_path) as workspace, WorkspaceClient(workspace.url) as person:
            app = App(client=WebClient(workspace.bot_token, base_url=workspace.api_url))
            app.event("message")(lambda event: heard.append(event["text"]))
            handler = SocketModeHandler(app, workspace.app_token)
            handler.connect()  # type: ignore[no-untyped-call]
            person.post(text)
            while text not in heard or pending(tmp_path):
                time.sleep(0.05)
            leave(handler)
    assert heard == ["one", "two"]


def test_timestamps_go_on_after_a_restart(tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        with Workspace(tmp_path) as workspace, WorkspaceClient(workspace.url) as person:
            seen += [person.post(str(i)) for i in range(3)]
    assert seen == sorted(set(seen))
