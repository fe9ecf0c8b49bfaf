"""Sending, over real sockets, to the local workspace, which refuses what Slack refuses."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.errors import ContentRefused, NotPermitted, PlaceGone, SlackBusy, SlackUnreachable
from bot.slack import Slack
from bot.slack_calls import BURST, RATE_LIMIT_RETRIES, Pace, call, patient
from bot.views.block_kit import divider, message, section
from bot.views.failed import RETRY
from bot.views.message import Message
from bot.views.plots import Picture, plots
from bot.workspace.client import WorkspaceClient
from bot.workspace.rates import UNLIMITED, Rate
from bot.workspace.server import Workspace
from storage.database import open_database
from storage.posts import SqlPosts

HELLO = message(section("*Hello* from the bot"), request_id="r-7")
TOO_MANY_BLOCKS = Message(text="The whole answer", blocks=(divider(),) * 51, request_id="r-7")


class Crash(BaseException):
    """The process dies here."""


class DiesBeforeRecording(SqlPosts):
    def record(self, key: str, ts: str, digest: str, detail: Mapping[str, object] | None = None) -> None:
        raise Crash


class Wire:
    """Stands between bot and workspace, passes everything on, and loses the answers to the calls named in `loses`."""

    def __init__(self, port: int) -> None:
        self.loses: list[str] = []
        self.calls: list[str] = []
        wire = self

        class Pass(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                onward = HTTPConnection("127.0.0.1", port)
                onward.request("POST", self.path, body, dict(self.headers))
                answer = onward.getresponse()
                content = answer.read()
                method = self.path.rpartition("/")[2]
                wire.calls.append(method)
                if method in wire.loses:
                    wire.loses.remove(method)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pass)
        self.api_url = f"http://127.0.0.1:{self.server.server_port}/api/"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Scene:
    """A workspace, a person in it with a thread, a ledger, and the bot's outgoing side."""

    def __init__(self, workspace: Workspace, home: Path) -> None:
        self.workspace = workspace
        self.wire = Wire(workspace.port)
        self.person = WorkspaceClient(self.workspace.url)
        self.thread = self.person.post("@conjecture hello")
        self.channel = "C0RESEARCH"
        self.database = open_database(f"sqlite:///{home}/posts.db")
        self.posts = SqlPosts(self.database)
        self.slack = self.bot(self.posts)
        self.dying = self.bot(DiesBeforeRecording(self.database))

    def bot(self, posts: SqlPosts, token: str | None = None) -> Slack:
        client = WebClient(token or self.workspace.bot_token, base_url=self.wire.api_url)
        return Slack(client, posts, seconds_between_messages=0.0)

    def post(self, key: str, what: Message = HELLO) -> str:
        return self.slack.post(key, self.channel, self.thread, what)

    def replies(self) -> list[dict[str, Any]]:
        return self.person.thread(self.channel, self.thread)[1:]

    def close(self) -> None:
        self.person.close()
        self.wire.close()
        self.database.dispose()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("workspace"), rates=UNLIMITED) as found:
        yield found


@pytest.fixture
def scene(workspace: Workspace, tmp_path: Path) -> Iterator[Scene]:
    found = Scene(workspace, tmp_path)
    yield found
    found.close()


def png(width: int = 4) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * width)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# --- exactly once


def test_a_message_is_posted_in_its_thread_and_kept_with_what_it_shows(scene: Scene) -> None:
    ts = scene.slack.post("k", scene.channel, scene.thread, HELLO, detail={"rank": 1})
    [reply] = scene.replies()
    assert (reply["ts"], reply["text"]) == (ts, "Hello from the bot")
    assert reply["blocks"][0]["text"]["text"] == "*Hello* from the bot"
    assert scene.posts.shows(scene.channel, ts) == {"rank": 1}


def test_the_same_key_is_posted_once(scene: Scene) -> None:
    assert scene.post("k") == scene.post("k")
    assert len(scene.replies()) == 1


def test_the_same_key_is_posted_once_by_many_threads(scene: Scene) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(scene.post, ["k"] * 8))) == 1
    assert len(scene.replies()) == 1


def test_a_message_whose_recording_was_lost_in_a_crash_is_found_again(scene: Scene) -> None:
    with pytest.raises(Crash):
        scene.dying.post("k", scene.channel, scene.thread, HELLO)
    scene.post("other")
    ts = scene.post("k")
    assert [reply["ts"] for reply in scene.replies()].count(ts) == 1
    assert len(scene.replies()) == 2


def test_a_message_without_a_thread_is_found_again_too(scene: Scene) -> None:
    with pytest.raises(Crash):
        scene.dying.post("k", scene.channel, None, HELLO)
    ts = scene.slack.post("k", scene.channel, None, HELLO)
    assert [m["ts"] for m in scene.person.messages(scene.channel) if m["ts"] > scene.thread] == [ts]


def test_a_message_that_was_intended_but_never_sent_is_sent(scene: Scene) -> None:
    scene.posts.intend("k", scene.channel, scene.thread)
    assert scene.replies() == []
    assert scene.post("k") == scene.replies()[0]["ts"]


def test_a_message_whose_answer_was_lost_is_not_sent_again(scene: Scene) -> None:
    scene.wire.loses = ["chat.postMessage"]
    ts = scene.post("k")
    assert [reply["ts"] for reply in scene.replies()] == [ts]


def test_a_file_whose_recording_was_lost_in_a_crash_is_found_again(scene: Scene) -> None:
    place = (scene.channel, scene.thread, b"a,b", "r-7.csv", "All of it")
    with pytest.raises(Crash):
        scene.dying.attach("k", *place)
    file_id = scene.slack.attach("k", *place)
    assert [file["id"] for reply in scene.replies() for file in reply["files"]] == [file_id]


# --- the failure ladder


def test_refused_blocks_are_posted_as_plain_text(scene: Scene) -> None:
    scene.post("k", TOO_MANY_BLOCKS)
    [reply] = scene.replies()
    assert reply["text"] == "The whole answer"
    assert not reply.get("blocks")


def test_text_that_is_too_long_becomes_a_file(scene: Scene) -> None:
    answer = "First line\n" + "x &amp; y\n" * 1_000
    ts = scene.post("k", replace(TOO_MANY_BLOCKS, text=answer))
    file, note = scene.replies()
    assert scene.person.download(file["files"][0]["id"]).decode() == answer.replace("&amp;", "&")
    assert note["ts"] == ts
    assert note["text"].startswith("First line\n")


@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
def test_an_answer_that_cannot_even_be_a_file_leaves_a_line_with_a_button(scene: Scene) -> None:
    scene.post("k", replace(TOO_MANY_BLOCKS, text=""))
    [reply] = scene.replies()
    assert "request `r-7`" in reply["text"]
    [button] = reply["blocks"][-1]["elements"]
    assert (button["action_id"], button["value"]) == (RETRY, "r-7")


def test_a_lower_rung_counts_as_posted(scene: Scene) -> None:
    assert scene.post("k", TOO_MANY_BLOCKS) == scene.post("k", TOO_MANY_BLOCKS)
    assert len(scene.replies()) == 1


# --- updates and words to one person


def test_an_update_replaces_the_message(scene: Scene) -> None:
    scene.post("k")
    assert scene.slack.update("k", message(section("Done")))
    [reply] = scene.replies()
    assert (reply["text"], reply["blocks"][0]["text"]["text"]) == ("Done", "Done")


def test_an_update_with_the_same_content_is_not_sent(scene: Scene) -> None:
    scene.post("k")
    assert scene.slack.update("k", HELLO)
    assert "chat.update" not in scene.wire.calls


def test_an_update_that_slack_refuses_falls_back_to_text(scene: Scene) -> None:
    scene.post("k")
    assert scene.slack.update("k", replace(TOO_MANY_BLOCKS, text="Plain" * 2_000))
    [reply] = scene.replies()
    assert reply["text"].startswith("Plain")
    assert not reply.get("blocks")


def test_an_update_of_a_deleted_message_does_not_fail(scene: Scene) -> None:
    ts = scene.post("k")
    call(
        WebClient(scene.workspace.bot_token, base_url=scene.workspace.api_url).chat_delete, channel=scene.channel, ts=ts
    )
    assert not scene.slack.update("k", message(section("Done")))


def test_an_update_of_what_was_never_posted_does_not_fail(scene: Scene) -> None:
    assert not scene.slack.update("k", HELLO)


def test_an_update_without_a_network_does_not_fail(scene: Scene) -> None:
    scene.post("k")
    scene.wire.close()
    assert not scene.slack.update("k", message(section("Done")))


def test_an_ephemeral_message_is_seen_by_one_person(scene: Scene) -> None:
    assert scene.slack.ephemeral(scene.channel, "U0GRACE", HELLO, scene.thread)
    assert scene.replies() == []
    [seen] = scene.person.thread(scene.channel, scene.thread, user="grace")[1:]
    assert seen["text"] == "Hello from the bot"


def test_an_ephemeral_message_to_nobody_does_not_fail(scene: Scene) -> None:
    assert not scene.slack.ephemeral(scene.channel, "U0NOBODY", HELLO)


# --- files


def test_an_uploaded_image_can_be_shown_at_once(scene: Scene) -> None:
    file_id = scene.slack.upload("plot", png(), "plot.png", "Plot")
    scene.post("k", plots([Picture(file_id=file_id, title="Win rates", alt="A scatter")], request_id="r-7"))
    [reply] = scene.replies()
    assert reply["blocks"][0]["slack_file"]["id"] == file_id
    assert scene.person.download(file_id) == png()


def test_a_file_is_uploaded_once(scene: Scene) -> None:
    first = scene.slack.upload("plot", png(), "plot.png", "Plot")
    assert scene.slack.upload("plot", png(), "plot.png", "Plot") == first
    assert scene.wire.calls.count("files.completeUploadExternal") == 1


def test_an_attached_file_stands_in_the_thread(scene: Scene) -> None:
    file_id = scene.slack.attach("csv", scene.channel, scene.thread, b"a,b\r\n", "r-7.csv", "All of it")
    [reply] = scene.replies()
    assert [file["id"] for file in reply["files"]] == [file_id]
    assert scene.person.download(file_id) == b"a,b\r\n"


# --- rates and refusals


def test_a_rate_limit_is_waited_out(tmp_path: Path) -> None:
    rates = {"chat.postMessage": Rate(per_minute=60, burst=1, per_channel=True)}
    with Workspace(tmp_path / "workspace", rates=rates) as slow:
        scene = Scene(slow, tmp_path)
        for key in "abc":
            scene.post(key)
        assert len(scene.replies()) == 3
        assert scene.wire.calls.count("chat.postMessage") > 3
        scene.close()


def test_the_client_retries_rate_limits_and_repeats_no_post_after_a_broken_connection(scene: Scene) -> None:
    client = patient(WebClient(scene.workspace.bot_token, base_url=scene.wire.api_url))
    assert client.retry_handlers[0].max_retry_count == RATE_LIMIT_RETRIES
    scene.wire.loses = ["chat.postMessage"]
    with pytest.raises(SlackUnreachable):
        call(client.chat_postMessage, channel=scene.channel, text="once")
    assert scene.wire.calls.count("chat.postMessage") == 1


def test_a_question_is_repeated_after_a_broken_connection(scene: Scene) -> None:
    client = patient(WebClient(scene.workspace.bot_token, base_url=scene.wire.api_url))
    scene.wire.loses = ["auth.test"]
    assert call(client.auth_test)["user_id"] == "U0CONJECTURE"


@given(st.lists(st.floats(0, 3), max_size=30))
def test_a_channel_gets_short_bursts_and_one_message_a_second_in_the_long_run(pauses: list[float]) -> None:
    pace, now, sent = Pace(1.0), 100.0, []
    for pause in pauses:
        now += pause
        now += pace.reserve("C1", now)
        sent.append(now)
    for i, start in enumerate(sent):
        in_time = [ts for ts in sent[i:] if ts < start + 10 - 1e-6]
        assert len(in_time) <= 10 + BURST


def test_channels_do_not_wait_for_each_other() -> None:
    pace = Pace(1.0)
    assert [pace.reserve("C1", 0.0) for _ in range(5)] == [0, 0, 0, 1, 2]
    assert pace.reserve("C2", 0.0) == 0


def test_an_unknown_channel_is_named_as_such(scene: Scene) -> None:
    with pytest.raises(PlaceGone, match=r"channel_not_found.*member of it"):
        scene.slack.post("k", "C0NOWHERE", None, HELLO)


def test_a_wrong_token_says_what_to_do(scene: Scene) -> None:
    with pytest.raises(NotPermitted, match=r"invalid_auth.*install the app again"):
        scene.bot(scene.posts, "xoxb-wrong").post("k", scene.channel, scene.thread, HELLO)


def test_a_refusal_says_what_slack_did_not_like(scene: Scene) -> None:
    client = WebClient(scene.workspace.bot_token, base_url=scene.workspace.api_url)
    with pytest.raises(ContentRefused, match="invalid_blocks"):
        call(client.chat_postMessage, channel=scene.channel, text="x", blocks=[divider()] * 51)


def test_a_rate_limit_that_does_not_end_is_told(tmp_path: Path) -> None:
    with Workspace(tmp_path, rates={"auth.test": Rate(per_minute=1, burst=1)}) as slow:
        client = WebClient(slow.bot_token, base_url=slow.api_url)
        call(client.auth_test)
        with pytest.raises(SlackBusy):
            call(client.auth_test)
