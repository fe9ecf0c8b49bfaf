"""An unmodified Bolt app, connected by Socket Mode over real sockets."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from bot.workspace.client import WorkspaceClient
from bot.workspace.delivery import Timing
from bot.workspace.seed import ADA, BOT_USER, RESEARCH
from bot.workspace.server import Workspace

Json = dict[str, Any]


def until(look: Callable[[], Any]) -> Any:
    """What `look` answers, once it answers something."""
    for _ in range(600):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("nothing came")


class Bolt:
    """A Bolt app that notes what it hears. `handlers` are its connections."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.app = App(client=WebClient(workspace.bot_token, base_url=workspace.api_url))
        self.heard: list[Json] = []
        self.requests: list[Json] = []
        self.handlers: list[SocketModeHandler] = []
        for event in ("app_mention", "message", "reaction_added", "app_home_opened"):
            self.app.event(event)(self._hear)

    def _hear(self, body: Json, request: Any) -> None:
        retry = request.headers.get("x-slack-retry-num", ["0"])[0]
        self.heard.append(body["event"] | {"event_id": body["event_id"], "retry": int(retry)})

    def connect(self) -> None:
        handler = SocketModeHandler(self.app, self.workspace.app_token, ping_interval=1)
        handler.connect()  # type: ignore[no-untyped-call]
        self.handlers.append(handler)

    def disconnect(self) -> None:
        # The connection ends at once; the rest of close() is a second of waiting for its own threads.
        threading.Thread(target=self.handlers.pop().close).start()

    def events(self, kind: str) -> list[Json]:
        return [event for event in self.heard if event["type"] == kind]


@pytest.fixture
def bolt(workspace: Workspace) -> Iterator[Bolt]:
    one = Bolt(workspace)
    one.connect()
    yield one
    while one.handlers:
        one.disconnect()


def test_a_mention_in_a_channel_yields_a_mention_and_a_message(bolt: Bolt, person: WorkspaceClient) -> None:
    ts = person.post("@conjecture propose 8 activation functions", user="grace")
    until(lambda: bolt.events("app_mention") and bolt.events("message"))
    mention, message = bolt.events("app_mention")[0], bolt.events("message")[0]
    assert mention["ts"] == message["ts"] == ts
    assert mention["text"] == f"<@{BOT_USER}> propose 8 activation functions"
    assert (message["channel"], message["channel_type"], message["user"]) == (RESEARCH, "channel", "U0GRACE")
    assert mention["event_id"] != message["event_id"]


def test_a_direct_message_yields_a_message_only(bolt: Bolt, person: WorkspaceClient) -> None:
    person.post("@conjecture help", channel="D0ADA")
    message = until(lambda: bolt.events("message"))[0]
    assert message["channel_type"] == "im"
    assert bolt.events("app_mention") == []


def test_the_answer_reaches_the_thread(bolt: Bolt, person: WorkspaceClient) -> None:
    ts = person.post("@conjecture hello")
    mention = until(lambda: bolt.events("app_mention"))[0]
    bolt.app.client.chat_postMessage(channel=mention["channel"], thread_ts=mention["ts"], text="hello *Ada*")
    assert [m["text"] for m in person.thread(RESEARCH, ts)][1:] == ["hello *Ada*"]


def test_the_bot_does_not_hear_itself(bolt: Bolt, person: WorkspaceClient) -> None:
    bolt.app.client.chat_postMessage(channel=RESEARCH, text=f"I am <@{BOT_USER}>")
    person.post("after")
    assert until(lambda: bolt.events("message"))[0]["text"] == "after"


def test_files_come_with_the_message_and_are_downloaded_with_the_token(
    bolt: Bolt, person: WorkspaceClient, tmp_path: Path
) -> None:
    path = tmp_path / "unit.py"
    path.write_text("def build(): ...")
    person.post("@conjecture try this", files=[path])
    message = until(lambda: bolt.events("message"))[0]
    assert (message["subtype"], message["files"][0]["name"]) == ("file_share", "unit.py")
    headers = {"Authorization": f"Bearer {bolt.workspace.bot_token}"}
    with urllib.request.urlopen(urllib.request.Request(message["files"][0]["url_private"], headers=headers)) as answer:
        assert answer.read() == b"def build(): ..."


def test_a_reaction_and_an_opened_home_are_heard(bolt: Bolt, person: WorkspaceClient) -> None:
    ts = person.post("hello")
    person.react(RESEARCH, ts, "+1", user="grace")
    reaction = until(lambda: bolt.events("reaction_added"))[0]
    assert (reaction["reaction"], reaction["user"], reaction["item"]["ts"]) == ("+1", "U0GRACE", ts)
    person.open_home("messages")
    opened = until(lambda: bolt.events("app_home_opened"))[0]
    assert (opened["tab"], opened["channel"]) == ("messages", "D0ADA")


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


BUTTON = {"type": "button", "action_id": "rest", "text": plain("Measure the rest"), "value": "R1", "style": "primary"}
VOTE: Json = {
    "type": "feedback_buttons",
    "action_id": "vote",
    "positive_button": {"text": plain("Good"), "value": "up"},
    "negative_button": {"text": plain("Bad"), "value": "down"},
}
OPTIONS = [{"text": plain("One"), "value": "1"}, {"text": plain("Two"), "value": "2"}]
MENU = {"type": "static_select", "action_id": "menu", "options": OPTIONS}
MORE = {"type": "overflow", "action_id": "more", "options": OPTIONS}
BLOCKS: list[Json] = [
    {"type": "actions", "block_id": "buttons", "elements": [BUTTON, MENU, MORE]},
    {"type": "context_actions", "block_id": "votes", "elements": [VOTE]},
]


@pytest.fixture
def actions(bolt: Bolt) -> list[Json]:
    """The payloads that action listeners got."""
    got: list[Json] = []

    def listen(ack: Any, body: Json) -> None:
        got.append(body)
        ack()

    for action_id in ("rest", "vote", "menu", "more", "form"):
        bolt.app.action(action_id)(listen)
    return got


@pytest.fixture
def offered(bolt: Bolt) -> str:
    """The ts of a message with elements to use."""
    return str(bolt.app.client.chat_postMessage(channel=RESEARCH, text="choose", blocks=BLOCKS)["ts"])


def test_a_button_reaches_its_listener(actions: list[Json], offered: str, person: WorkspaceClient) -> None:
    assert person.click(offered, "rest", user="grace")
    body = actions[0]
    assert body["user"]["id"] == "U0GRACE"
    assert body["container"]["message_ts"] == body["message"]["ts"] == offered
    action = body["actions"][0]
    assert {name: action[name] for name in ("type", "block_id", "value", "style")} == {
        "type": "button",
        "block_id": "buttons",
        "value": "R1",
        "style": "primary",
    }


def test_a_vote_is_a_feedback_action_and_can_be_changed(
    actions: list[Json], offered: str, person: WorkspaceClient
) -> None:
    for value in ("up", "down", "down"):
        assert person.click(offered, "vote", value)
    assert [(a["type"], a["value"], a["text"]["text"]) for body in actions for a in body["actions"]] == [
        ("feedback_buttons", "up", "Good"),
        ("feedback_buttons", "down", "Bad"),
        ("feedback_buttons", "down", "Bad"),
    ]
    assert person.messages()[0]["presses"] == {"votes": {"vote": "down"}}
    assert person.messages(user="grace")[0]["presses"] == {}


@pytest.mark.parametrize("action_id", ["menu", "more"])
def test_a_choice_carries_the_chosen_option(
    actions: list[Json], offered: str, person: WorkspaceClient, action_id: str
) -> None:
    assert person.click(offered, action_id, "2")
    assert actions[0]["actions"][0]["selected_option"] == OPTIONS[1]


def test_an_answer_through_the_response_url_is_for_the_one_who_clicked(
    bolt: Bolt, offered: str, person: WorkspaceClient
) -> None:
    @bolt.app.action("rest")
    def rest(ack: Any, respond: Any) -> None:
        ack()
        respond("noted", replace_original=False)

    person.click(offered, "rest")
    until(lambda: len(person.messages()) == 2)
    assert person.messages()[1]["text"] == "noted"
    assert len(person.messages(user="grace")) == 1


MODAL = {
    "type": "modal",
    "callback_id": "why",
    "title": plain("Why?"),
    "submit": plain("Send"),
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "action_id": "text"},
        },
        {
            "type": "input",
            "block_id": "kind",
            "label": plain("Kind"),
            "optional": True,
            "element": {"type": "static_select", "action_id": "one", "options": OPTIONS},
        },
    ],
}


def test_a_modal_is_opened_checked_and_submitted(bolt: Bolt, offered: str, person: WorkspaceClient) -> None:
    submitted: list[Json] = []

    @bolt.app.action("rest")
    def rest(ack: Any, body: Json, client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @bolt.app.view("why")
    def why(ack: Any, view: Json) -> None:
        state = view["state"]["values"]
        submitted.append(state)
        if state["reason"]["text"]["value"] == "bad":
            ack(response_action="errors", errors={"reason": "Say more."})
        else:
            ack()

    person.click(offered, "rest")
    view = until(person.views)[0]
    missing = person.submit(view["id"], {})
    assert missing["errors"] == {"reason": "Please complete this required field."}
    assert person.submit(view["id"], {"reason": "bad"})["errors"] == {"reason": "Say more."}
    assert person.submit(view["id"], {"reason": "slow", "kind": "2"})["closed"]
    assert person.views() == []
    assert submitted[-1]["kind"]["one"]["selected_option"] == OPTIONS[1]


def test_an_action_that_nobody_handles_is_not_acknowledged(offered: str, person: WorkspaceClient) -> None:
    assert person.click(offered, "rest") is False


def test_events_wait_while_no_app_is_connected(workspace: Workspace, person: WorkspaceClient) -> None:
    sent = [person.post(f"@conjecture {i}") for i in range(3)]
    late = Bolt(workspace)
    late.connect()
    until(lambda: len(late.heard) == 6)
    assert sorted(event["ts"] for event in late.events("app_mention")) == sent
    late.disconnect()


def test_each_event_goes_to_one_connection_only(bolt: Bolt, workspace: Workspace, person: WorkspaceClient) -> None:
    other = Bolt(workspace)
    other.connect()
    sent = [person.post(str(i), channel="general") for i in range(10)]
    until(lambda: len(bolt.heard) + len(other.heard) >= 10)
    assert sorted(event["ts"] for event in bolt.heard + other.heard) == sent
    assert bolt.heard
    assert other.heard
    other.disconnect()


class TestWithoutPatience:
    """Acknowledgements must come within a short time here."""

    @pytest.fixture
    def timing(self) -> Timing:
        return Timing(ack_seconds=0.5, retry_seconds=(0.0, 0.0, 0.0))

    def test_an_event_that_is_not_acknowledged_comes_again(self, bolt: Bolt, person: WorkspaceClient) -> None:
        calm = threading.Event()

        @bolt.app.middleware
        def slow(next: Callable[[], Any]) -> Any:
            if not bolt.heard:
                bolt.heard.append({"type": "first try"})
                calm.wait(5)
            return next()

        person.post("again", channel="general")
        again = until(lambda: bolt.events("message"))[0]
        calm.set()
        assert again["retry"] >= 1
        until(lambda: len(bolt.events("message")) == 2)
        first, second = bolt.events("message")
        assert first["event_id"] == second["event_id"]

    def test_an_event_taken_by_an_app_that_died_goes_to_the_next(
        self, workspace: Workspace, person: WorkspaceClient
    ) -> None:
        dying = Bolt(workspace)
        taken, stop = threading.Event(), threading.Event()

        @dying.app.middleware
        def hang() -> None:
            taken.set()
            stop.wait(10)

        dying.connect()
        ts = person.post("hello", channel="general")
        assert taken.wait(10)
        dying.handlers[0].client.auto_reconnect_enabled = False
        dying.handlers[0].client.disconnect()
        living = Bolt(workspace)
        living.connect()
        assert until(lambda: living.events("message"))[0]["ts"] == ts
        stop.set()
        living.disconnect()
        dying.disconnect()


class TestWithShortConnections:
    @pytest.fixture
    def timing(self) -> Timing:
        return Timing(refresh_seconds=0.5)

    def test_an_app_follows_when_its_connection_is_refreshed(self, bolt: Bolt, person: WorkspaceClient) -> None:
        client = bolt.handlers[0].client
        first = client.session_id()
        until(lambda: client.is_connected() and client.session_id() != first)
        sent = [person.post(str(i), channel="general") for i in range(5)]
        until(lambda: len(bolt.heard) >= 5)
        assert sorted({event["ts"] for event in bolt.heard}) == sent


def test_who_acts_is_whom_the_app_is_told(actions: list[Json], offered: str, person: WorkspaceClient) -> None:
    person.click(offered, "rest")
    assert actions[0]["user"] == {"id": ADA, "username": "ada", "name": "ada", "team_id": "T0WORKSPACE"}
