"""The page, driven in headless Chromium."""

from __future__ import annotations

import re
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from bot.workspace.client import WorkspaceClient
from bot.workspace.delivery import Timing
from bot.workspace.seed import ADA, RESEARCH
from bot.workspace.server import Workspace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"Chromium is not installed at {CHROMIUM}")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            headless=True,
            viewport={"width": 1280, "height": 800},
        )
        context.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        yield context
        context.close()


@pytest.fixture
def page(browser: Any, workspace: Workspace) -> Iterator[Page]:
    """The workspace's page; the test fails when anything went wrong in it or it asked another host for anything."""
    wrong: list[str] = []
    shown: Page = browser.new_page()

    def elsewhere(route: Route) -> None:
        wrong.append(f"asked for {route.request.url}")
        route.abort()

    shown.route(lambda url: not url.startswith((workspace.url, "data:", "blob:")), elsewhere)
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    shown.on("dialog", lambda dialog: wrong.append(f"a dialog said {dialog.message}"))
    shown.goto(workspace.url)
    yield shown
    shown.close()
    assert wrong == []


def write(page: Page, text: str, pane: str = "#channel") -> None:
    box = page.locator(f"{pane} .composer textarea")
    box.fill(text)
    box.press("Enter")


def message(page: Page, text: str, pane: str = "#channel") -> Any:
    return page.locator(f"{pane} article", has_text=text)


def png(width: int = 40, height: int = 30) -> bytes:
    """A small picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_empty_channel_offers_a_request_that_fills_the_composer(page: Page, person: WorkspaceClient) -> None:
    page.locator(".example").first.click()
    box = page.locator("#channel .composer textarea")
    expect(box).to_have_value("@conjecture propose 8 activation functions for small image classifiers")
    expect(box).to_be_focused()
    box.press("Enter")
    expect(page.locator("#channel article .mention")).to_have_text("@conjecture")
    expect(page.locator(".welcome")).to_have_count(0)
    assert person.messages()[0]["text"].startswith("<@U0CONJECTURE> propose 8")


def test_enter_sends_and_shift_enter_starts_a_line(page: Page, person: WorkspaceClient) -> None:
    box = page.locator("#channel .composer textarea")
    box.fill("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    expect(message(page, "one")).to_be_visible()
    assert person.messages()[0]["text"] == "one\ntwo"
    expect(box).to_have_value("")


def test_a_mention_is_completed_from_the_keyboard(page: Page) -> None:
    box = page.locator("#channel .composer textarea")
    box.press_sequentially("hey @con")
    expect(page.locator("#channel .completion li")).to_have_count(1)
    box.press("Tab")
    expect(box).to_have_value("hey @conjecture ")
    box.press_sequentially("and @gr")
    box.press("Enter")
    expect(box).to_have_value("hey @conjecture and @grace ")


def test_an_answer_appears_in_the_open_thread_by_itself(page: Page, bot: WebClient, person: WorkspaceClient) -> None:
    write(page, "@conjecture help")
    expect(message(page, "help")).to_be_visible()
    ts = person.messages()[0]["ts"]
    answer = bot.chat_postMessage(channel=RESEARCH, thread_ts=ts, text="I can *propose*.")["ts"]
    page.locator(".replies").click()
    expect(message(page, "I can propose.", "#thread").locator("strong", has_text="propose")).to_be_visible()
    bot.chat_update(channel=RESEARCH, ts=answer, text="I can test.")
    expect(message(page, "I can test.", "#thread")).to_contain_text("(edited)")
    write(page, "thanks", "#thread")
    expect(message(page, "thanks", "#thread")).to_be_visible()
    assert [m["text"] for m in person.thread(RESEARCH, ts)][2:] == ["thanks"]
    page.keyboard.press("Escape")
    expect(page.locator("#thread")).to_be_hidden()


HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>[x](javascript:alert(3)) <svg onload=alert(4)>'


def test_nothing_that_is_said_becomes_markup(page: Page, bot: WebClient, person: WorkspaceClient) -> None:
    person.add_user("mallory", real_name=HOSTILE, is_restricted=True)
    text = {"type": "mrkdwn", "text": f"*{HOSTILE}* <javascript:alert(5)|click>"}
    cell = {"type": "raw_text", "text": HOSTILE}
    blocks: list[Json] = [
        {"type": "section", "text": text, "fields": [text]},
        {"type": "header", "text": {"type": "plain_text", "text": HOSTILE}},
        {
            "type": "markdown",
            "text": f"# {HOSTILE}\n| {HOSTILE} |\n|--|\n| {HOSTILE} |\n\n```{HOSTILE}\n{HOSTILE}\n```",
        },
        {"type": "data_table", "caption": HOSTILE, "rows": [[cell], [cell]]},
    ]
    bot.chat_postMessage(channel=RESEARCH, text="x", blocks=blocks)
    bot.files_upload_v2(content=png(), filename="x.png", title=HOSTILE, channel=RESEARCH)
    person.post(HOSTILE, user="mallory")
    expect(page.locator("#channel article")).to_have_count(3)
    expect(message(page, "onerror").first).to_be_visible()
    assert page.locator("#channel").locator("script, svg, img[src='x'], [onerror], [onload]").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    expect(page.locator(".block.header")).to_have_text(HOSTILE)


def test_markdown_is_drawn_with_tables_lists_and_code(page: Page, bot: WebClient) -> None:
    text = (
        "## Title\nA **bold** and *soft* `word`, [link](https://example.org).\n\n"
        "| Name | Rate |\n|:--|--:|\n| a\\|b | 1.5 |\n\n1. one\n   - inner\n2. two\n- [x] done\n\n"
        "```python\ndef build():\n    return 1 < 2\n```\n> quoted"
    )
    bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[{"type": "markdown", "text": text}])
    block = page.locator(".block.markdown")
    expect(block.locator("h4")).to_have_text("Title")
    expect(block.locator("td").first).to_have_text("a|b")
    expect(block.locator("td").nth(1)).to_have_class("right")
    expect(block.locator("ol > li")).to_have_count(2)
    expect(block.locator("ol > li ul > li")).to_have_text("inner")
    expect(block.locator("pre")).to_have_text("def build():\n    return 1 < 2")
    expect(block.locator("a")).to_have_attribute("rel", "noopener noreferrer")
    expect(block.get_by_role("button", name="Copy this code")).to_be_visible()
    expect(block.locator("blockquote")).to_have_text("quoted")


def test_a_data_table_is_sorted_and_paged(page: Page, bot: WebClient) -> None:
    head: list[Json] = [{"type": "raw_text", "text": "Title"}, {"type": "raw_text", "text": "Rate"}]
    rows = [
        [{"type": "raw_text", "text": f"t{i}"}, {"type": "raw_number", "value": i, "text": f"{i} %"}]
        for i in (3, 20, 1)
    ]
    table = {"type": "data_table", "caption": "Ranking", "page_size": 2, "rows": [head, *rows]}
    bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[table])
    cells = page.locator(".data-table tbody tr td:first-child")
    expect(cells).to_have_text(["t3", "t20"])
    page.get_by_role("button", name="Rate").click()
    expect(cells).to_have_text(["t20", "t3"])
    expect(page.locator("th", has_text="Rate")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Next").click()
    expect(cells).to_have_text(["t1"])
    page.get_by_role("button", name="Rate").click()
    expect(cells).to_have_text(["t1", "t3"])


def test_a_picture_is_shown_and_opens_large(page: Page, bot: WebClient) -> None:
    file_id = bot.files_upload_v2(content=png(), filename="plot.png")["file"]["id"]
    while not bot.files_info(file=file_id)["file"]["mimetype"]:
        pass
    block = {"type": "image", "slack_file": {"id": file_id}, "alt_text": "win rates"}
    bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[block])
    picture = page.get_by_role("img", name="win rates")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    page.get_by_role("button", name="Enlarge: win rates").click()
    expect(page.locator("dialog.lightbox img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


VOTES: Json = {
    "type": "context_actions",
    "block_id": "votes",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "vote",
            "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up"},
            "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "down"},
        }
    ],
}


class TestWithoutABot:
    """Nobody answers here, so that nothing is waited for."""

    @pytest.fixture
    def timing(self) -> Timing:
        return Timing(ack_seconds=0.2)

    def test_a_vote_stays_pressed_can_be_changed_and_is_ones_own(
        self, page: Page, bot: WebClient, person: WorkspaceClient
    ) -> None:
        bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[VOTES])
        good, bad = page.get_by_role("button", name="Good"), page.get_by_role("button", name="Bad")
        good.click()
        expect(good).to_have_attribute("aria-pressed", "true")
        expect(good).to_be_focused()
        bad.click()
        expect(bad).to_have_attribute("aria-pressed", "true")
        expect(good).to_have_attribute("aria-pressed", "false")
        assert person.messages()[0]["presses"] == {"votes": {"vote": "down"}}
        page.locator("#who").select_option(label="Grace Hopper")
        expect(bad).to_have_attribute("aria-pressed", "false")
        page.locator("#who").select_option(value=ADA)
        expect(bad).to_have_attribute("aria-pressed", "true")

    def test_an_action_without_a_running_bot_says_so(self, page: Page, bot: WebClient) -> None:
        expect(page.locator(".banner")).to_contain_text("not running")
        button = {"type": "button", "action_id": "b", "text": {"type": "plain_text", "text": "Go on"}}
        bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[{"type": "actions", "elements": [button]}])
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(".notice")).to_contain_text("did not answer in time")

    def test_a_confirmation_is_asked_before_a_button_acts(self, page: Page, bot: WebClient) -> None:
        words = {"title": "Stop?", "confirm": "Stop it", "deny": "Go on"}
        confirm = {name: {"type": "plain_text", "text": text} for name, text in words.items()}
        confirm["text"] = {"type": "plain_text", "text": "What is finished is kept."}
        button = {
            "type": "button",
            "action_id": "b",
            "text": {"type": "plain_text", "text": "Stop"},
            "confirm": confirm,
        }
        bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[{"type": "actions", "elements": [button]}])
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("button", name="Go on").click()
        assert not any("/actions" in url for url in requests)
        page.get_by_role("button", name="Stop", exact=True).click()
        with page.expect_request(re.compile("/local/actions")):
            page.get_by_role("button", name="Stop it").click()


def test_a_file_is_attached_and_offered_for_download(page: Page, person: WorkspaceClient, tmp_path: Path) -> None:
    unit = tmp_path / "unit.py"
    unit.write_text("def build(): ...")
    page.locator("#channel .composer input[type=file]").set_input_files(unit)
    expect(page.locator("#channel .chip")).to_contain_text("unit.py")
    write(page, "@conjecture try this")
    expect(page.locator("#channel .file")).to_contain_text("unit.py")
    with page.expect_download() as download:
        page.locator("#channel .file").click()
    assert Path(download.value.path()).read_text() == "def build(): ..."


def test_unread_channels_are_marked_until_they_are_opened(page: Page, bot: WebClient) -> None:
    expect(page.locator("#channel h1")).to_contain_text("research")
    bot.chat_postMessage(channel="general", text="news")
    general = page.locator("button.channel", has_text="general")
    expect(general.locator(".unread-count")).to_have_text("1")
    general.click()
    expect(message(page, "news")).to_be_visible()
    expect(general.locator(".unread-count")).to_have_count(0)


def test_a_message_for_one_person_is_marked_and_hidden_from_others(page: Page, bot: WebClient) -> None:
    bot.chat_postEphemeral(channel=RESEARCH, user=ADA, text="psst")
    expect(message(page, "psst")).to_contain_text("Only visible to you")
    page.locator("#who").select_option(label="Grace Hopper")
    expect(message(page, "psst")).to_have_count(0)


def test_a_modal_is_filled_in_and_its_errors_shown(page: Page, workspace: Workspace, person: WorkspaceClient) -> None:
    app = App(client=WebClient(workspace.bot_token, base_url=workspace.api_url))
    got: list[Any] = []
    field = {"type": "plain_text_input", "action_id": "text"}
    label = {"type": "plain_text", "text": "Reason"}
    modal = {
        "type": "modal",
        "callback_id": "why",
        "title": {"type": "plain_text", "text": "Why not?"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [{"type": "input", "block_id": "reason", "label": label, "element": field}],
    }

    @app.action("why")
    def why(ack: Any, body: Json, client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=modal)

    @app.view("why")
    def submitted(ack: Any, view: Json) -> None:
        got.append(view["state"]["values"]["reason"]["text"]["value"])
        ack()

    app.event("message")(lambda: None)
    handler = SocketModeHandler(app, workspace.app_token)
    handler.connect()  # type: ignore[no-untyped-call]
    button = {"type": "button", "action_id": "why", "text": {"type": "plain_text", "text": "Why"}}
    app.client.chat_postMessage(channel=RESEARCH, text="x", blocks=[{"type": "actions", "elements": [button]}])
    expect(page.locator(".banner")).to_be_hidden()
    page.get_by_role("button", name="Why", exact=True).click()
    dialog = page.get_by_role("dialog", name="Why not?")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_have_text("Please complete this required field.")
    dialog.get_by_label("Reason").fill("too slow")
    dialog.get_by_role("button", name="Send").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert got == ["too slow"]
    threading.Thread(target=handler.close).start()


def test_the_bots_home_shows_what_it_published(page: Page, bot: WebClient) -> None:
    page.locator("button.channel", has_text="Conjecture").click()
    page.get_by_role("tab", name="Home").click()
    expect(page.locator(".home")).to_contain_text("Nothing here yet")
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "Your *digests*"}}
    bot.views_publish(user_id=ADA, view={"type": "home", "blocks": [section]})
    expect(page.locator(".home strong")).to_have_text("digests")
    page.get_by_role("tab", name="Messages").click()
    expect(page.locator("#channel .composer")).to_be_visible()


def test_reload_and_permalink_lead_to_the_same_thread(page: Page, bot: WebClient, person: WorkspaceClient) -> None:
    ts = person.post("the question")
    bot.chat_postMessage(channel=RESEARCH, thread_ts=ts, text="the answer")
    page.goto(bot.chat_getPermalink(channel=RESEARCH, message_ts=ts)["permalink"])
    expect(message(page, "the answer", "#thread")).to_be_visible()
    page.reload()
    expect(message(page, "the answer", "#thread")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_nothing_is_wider_than_the_window(page: Page, bot: WebClient, person: WorkspaceClient, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    ts = person.post("x" * 400)
    row = [{"type": "raw_text", "text": f"column number {i}"} for i in range(12)]
    wide: list[Json] = [
        {"type": "table", "rows": [row, row]},
        {"type": "markdown", "text": f"```\n{'y' * 400}\n```"},
    ]
    bot.chat_postMessage(channel=RESEARCH, thread_ts=ts, text="x", blocks=wide)
    page.goto(f"{page.url.split('#')[0]}#/{RESEARCH}/{ts}")
    expect(page.locator("#thread table")).to_be_visible()
    for pane in ("document.documentElement", "document.querySelector('#thread .scroll')"):
        assert page.evaluate(f"{pane}.scrollWidth <= {pane}.clientWidth")
    assert page.locator("#thread .table-scroll").evaluate("box => box.scrollWidth > box.clientWidth")


def test_every_control_has_a_name(page: Page, bot: WebClient, person: WorkspaceClient) -> None:
    ts = person.post("hello")
    bot.chat_postMessage(channel=RESEARCH, thread_ts=ts, text="x", blocks=[VOTES])
    page.goto(f"{page.url.split('#')[0]}#/{RESEARCH}/{ts}")
    expect(page.get_by_role("button", name="Good")).to_be_visible()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, select, textarea, input:not([hidden]), a[href], img")]
        .filter(e => !(e.getAttribute("aria-label") || e.textContent.trim() || e.alt !== undefined || e.labels?.length))
        .map(e => e.outerHTML)"""
    )
    assert nameless == []
