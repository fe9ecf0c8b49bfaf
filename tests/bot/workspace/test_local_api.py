"""The people's side, and who is kept out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient

from bot.workspace.client import WorkspaceClient, WorkspaceError
from bot.workspace.seed import BOT_USER, GENERAL, RESEARCH
from bot.workspace.server import Workspace


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"text": "  "}, "no_text"),
        ({"text": "x" * 12_001}, "msg_too_long"),
        ({"text": "x", "channel": "nowhere"}, "channel_not_found"),
        ({"text": "x", "channel": "D0GRACE"}, "channel_not_found"),
        ({"text": "x", "user": "nobody"}, "user_not_found"),
        ({"text": "x", "thread_ts": "1700000000.000000"}, "thread_not_found"),
    ],
)
def test_what_a_person_cannot_post(person: WorkspaceClient, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(WorkspaceError) as refused:
        person.post(**arguments)
    assert refused.value.code == code


def test_others_messages_are_unread_until_they_are_read(bot: WebClient, person: WorkspaceClient) -> None:
    def unread(user: str) -> dict[str, int]:
        return {c["name"]: c["unread"] for c in person.state(user=user)["channels"] if not c["is_im"]}

    ts = person.post("hello")
    bot.chat_postMessage(channel=RESEARCH, thread_ts=ts, text="in a thread of Ada's")
    bot.chat_postMessage(channel=GENERAL, text="for all")
    assert unread("ada") == {"research": 1, "general": 1}
    assert unread("grace") == {"research": 1, "general": 1}
    person.read(RESEARCH)
    assert unread("ada") == {"research": 0, "general": 1}
    assert unread("grace")["research"] == 1


def test_using_an_element_that_is_not_there_is_refused(bot: WebClient, person: WorkspaceClient) -> None:
    ts = bot.chat_postMessage(channel=RESEARCH, text="x")["ts"]
    with pytest.raises(WorkspaceError, match="action_not_found"):
        person.click(ts, "vote")


def test_an_ephemeral_message_can_be_used_by_its_reader_only(bot: WebClient, person: WorkspaceClient) -> None:
    button = {"type": "button", "action_id": "b", "text": {"type": "plain_text", "text": "Go"}}
    blocks = [{"type": "actions", "elements": [button]}]
    answer = bot.chat_postEphemeral(channel=RESEARCH, user="U0ADA", text="x", blocks=blocks)
    with pytest.raises(WorkspaceError, match="message_not_found"):
        person.click(answer["message_ts"], "b", user="grace")


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "script.js", "paper.pdf"])
def test_an_uploaded_page_is_never_shown_as_one(person: WorkspaceClient, workspace: Workspace, name: str) -> None:
    file_id = person.upload(name, b"<script>alert(1)</script>")
    answer = httpx.get(f"{workspace.url}local/files/{file_id}", trust_env=False)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_name_of_a_file_is_only_a_name(person: WorkspaceClient, workspace: Workspace, tmp_path: Path) -> None:
    file_id = person.upload("../../../etc/passwd", b"x")
    assert [path.name for path in (workspace.home / "files").iterdir()] == [file_id]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
    ],
)
def test_other_web_sites_are_kept_out(workspace: Workspace, headers: dict[str, str]) -> None:
    url = f"{workspace.url}local/messages"
    answer = httpx.post(url, json={"text": "x"}, headers=headers, trust_env=False)
    assert answer.status_code == 403


def test_the_page_may_load_and_run_its_own_things_only(workspace: Workspace) -> None:
    policy = httpx.get(workspace.url, trust_env=False).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_mention_is_stored_as_one(person: WorkspaceClient) -> None:
    person.post("@conjecture and @grace")
    assert person.messages()[0]["text"] == f"<@{BOT_USER}> and <@U0GRACE>"


def test_a_taken_port_is_reported(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        Workspace(tmp_path / "other", port=workspace.port).start()
