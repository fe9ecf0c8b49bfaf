"""The end of the process in the middle of a request: the next start loses nothing and posts nothing twice."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from live_bot import Json, until
from paper_threads import PASTED

from bot.workspace.client import WorkspaceClient

PROPOSALS = 4
GENEROUS_SECONDS = 120.0


@contextmanager
def program(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`conjecture run` as an operator starts it."""
    environment = {**os.environ, "CONJECTURE_HOME": str(home), "CONJECTURE_PORT": str(port)}
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def started(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert "Open http" in process.stdout.readline()


def killed_at(home: Path, seconds: list[float]) -> list[Json]:
    """Ask once, kill the program after each of these times, and return the bot's messages of the finished thread."""
    port = free_port()
    person = WorkspaceClient(f"http://127.0.0.1:{port}/")
    ts = ""
    for life in seconds:
        with program(home, port) as process:
            started(process)
            ts = ts or person.post(f"@conjecture propose {PROPOSALS} activation functions")
            time.sleep(life)
            process.kill()
            process.wait()
    with program(home, port) as process:
        started(process)
        until(partial(done, person, ts))
        return said(person, ts)


def asked_to_end(home: Path, with_signal: signal.Signals) -> list[Json]:
    """Ask once, end the program as a person or a supervisor does while it works, and let the next one finish.

    Raises subprocess.TimeoutExpired when it does not end by itself.
    """
    port = free_port()
    person = WorkspaceClient(f"http://127.0.0.1:{port}/")
    with program(home, port) as process:
        started(process)
        ts = person.post(f"@conjecture propose {PROPOSALS} activation functions")
        until(lambda: [m for m in said(person, ts) if m["text"].startswith("Working on")])
        process.send_signal(with_signal)
        assert process.wait(GENEROUS_SECONDS) == 0
        assert not done(person, ts)
    with program(home, port) as process:
        started(process)
        until(partial(done, person, ts))
        return said(person, ts)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def done(person: WorkspaceClient, ts: str) -> bool:
    return any(message["text"].startswith("Done in") for message in said(person, ts))


def said(person: WorkspaceClient, ts: str) -> list[Json]:
    try:
        return [m for m in person.thread("research", ts) if m.get("bot_id")]
    except httpx.TransportError:
        return []


def roles(messages: list[Json]) -> Counter[str]:
    """What each message is, by its key in the ledger, which the message's metadata carries."""
    return Counter(m["metadata"]["event_payload"]["key"] for m in messages if m.get("metadata"))


def expect_one_whole_answer(messages: list[Json]) -> None:
    keys = roles(messages)
    assert set(keys.values()) == {1}
    ends = Counter(key.split("/")[-1] if "/card/" not in key else "card" for key in keys)
    assert ends["understood"] == ends["progress"] == ends["ranking"] == ends["plots"] == 1
    assert ends["card"] == PROPOSALS
    assert len(messages) == sum(ends.values())


@pytest.mark.long
def test_a_request_survives_a_kill(tmp_path: Path) -> None:
    expect_one_whole_answer(killed_at(tmp_path, [4.0]))


@pytest.mark.long
@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_asked_to_end_in_the_middle_of_a_request_ends_and_the_next_one_finishes(
    tmp_path: Path, with_signal: signal.Signals
) -> None:
    expect_one_whole_answer(asked_to_end(tmp_path, with_signal))


@pytest.mark.long
@pytest.mark.parametrize("series", range(3))
def test_a_request_survives_kills_at_any_moment(tmp_path: Path, series: int) -> None:
    moments = random.Random(series)
    expect_one_whole_answer(killed_at(tmp_path, [moments.uniform(0.0, 12.0) for _ in range(4)]))


def there(person: WorkspaceClient, ts: str, role: str) -> bool:
    return any(key.split("/")[1] == role for key in roles(said(person, ts)))


def killed_while_it_reads(home: Path, after: list[str]) -> list[Json]:
    """Give a paper once, kill the program each time as soon as a message of this role is there, and return the bot's
    messages of the finished thread."""
    port, ts = free_port(), ""
    person = WorkspaceClient(f"http://127.0.0.1:{port}/")
    for role in after:
        with program(home, port) as process:
            started(process)
            ts = ts or person.post(f"@conjecture read this paper: {PASTED}")
            until(partial(there, person, ts, role))
            process.kill()
            process.wait()
    with program(home, port) as process:
        started(process)
        until(lambda: any(m["text"].endswith("below.") for m in said(person, ts)))
        return said(person, ts)


@pytest.mark.long
@pytest.mark.parametrize("after", [["reading", "understood"], ["related", "idea"]], ids=["reads", "has ideas"])
def test_a_paper_survives_kills_and_each_of_its_messages_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: list[str]
) -> None:
    monkeypatch.setenv("CONJECTURE_LITERATURE", "own")
    messages = killed_while_it_reads(tmp_path, after)
    keys = roles(messages)
    assert set(keys.values()) == {1}
    ends = Counter(key.split("/")[1] for key in keys)
    assert ends == {"reading": 1, "understood": 1, "related": 1, "ideas": 1, "idea": 5}
    assert len(messages) == len(keys)
    numbers = [m["text"].split()[0] for m in messages if roles([m]) and "/idea/" in next(iter(roles([m])))]
    assert numbers == ["1", "2", "3", "4", "5"]
