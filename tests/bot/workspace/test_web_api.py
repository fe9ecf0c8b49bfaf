"""The Web API as an unmodified slack_sdk calls it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.workspace.client import WorkspaceClient
from bot.workspace.rates import Rate
from bot.workspace.seed import ADA, BOT_ID, BOT_USER, GENERAL, GRACE, RESEARCH
from bot.workspace.server import Workspace

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}


def refused(call: Any, **arguments: Any) -> Any:
    """The answer to a call that must be refused."""
    with pytest.raises(SlackApiError) as error:
        call(**arguments)
    return error.value.response


def test_bolt_learns_who_it_is(bot: WebClient) -> None:
    answer = bot.auth_test()
    assert (answer["user_id"], answer["bot_id"]) == (BOT_USER, BOT_ID)


@pytest.mark.parametrize(
    ("token", "code"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth"), ("app", "not_allowed_token_type")]
)
def test_a_wrong_token_is_refused(workspace: Workspace, token: str, code: str) -> None:
    client = WebClient(workspace.app_token if token == "app" else token, base_url=workspace.api_url)
    assert refused(client.auth_test)["error"] == code


def test_an_unknown_method_is_refused(bot: WebClient) -> None:
    assert refused(bot.api_call, api_method="chat.shout")["error"] == "unknown_method"


def test_a_message_is_posted_into_a_channel_and_into_its_thread(bot: WebClient) -> None:
    ts = bot.chat_postMessage(channel="#research", text="one")["ts"]
    bot.chat_postMessage(channel=RESEARCH, text="two", thread_ts=ts)
    thread = bot.conversations_replies(channel=RESEARCH, ts=ts)["messages"]
    assert [message["text"] for message in thread] == ["one", "two"]
    assert thread[0]["reply_count"] == 1
    assert thread[1]["parent_user_id"] == BOT_USER
    assert [m["text"] for m in bot.conversations_history(channel=RESEARCH)["messages"]] == ["one"]


def test_a_broadcast_reply_is_in_the_channel_too(bot: WebClient) -> None:
    ts = bot.chat_postMessage(channel=RESEARCH, text="one")["ts"]
    bot.chat_postMessage(channel=RESEARCH, text="two", thread_ts=ts, reply_broadcast=True)
    newest = bot.conversations_history(channel=RESEARCH)["messages"][0]
    assert (newest["text"], newest["subtype"]) == ("two", "thread_broadcast")


def test_metadata_comes_back_when_it_is_asked_for(bot: WebClient) -> None:
    metadata = {"event_type": "posted", "event_payload": {"key": "k"}}
    ts = bot.chat_postMessage(channel=RESEARCH, text="one", metadata=metadata)["ts"]
    with_it = bot.conversations_replies(channel=RESEARCH, ts=ts, include_all_metadata=True)["messages"][0]
    without = bot.conversations_history(channel=RESEARCH)["messages"][0]
    assert with_it["metadata"] == metadata
    assert "metadata" not in without


@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": RESEARCH, "text": ""}, "no_text"),
        ({"channel": RESEARCH, "text": "x", "thread_ts": "yesterday"}, "invalid_thread_ts"),
        ({"channel": RESEARCH, "text": "x", "thread_ts": "1700000000.000000"}, "thread_not_found"),
        ({"channel": RESEARCH, "text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"channel": RESEARCH, "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
        ({"channel": RESEARCH, "markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
    ],
)
def test_a_post_that_slack_refuses_is_refused(bot: WebClient, arguments: dict[str, Any], code: str) -> None:
    assert refused(bot.chat_postMessage, **arguments)["error"] == code


def test_a_reply_is_no_parent(bot: WebClient) -> None:
    ts = bot.chat_postMessage(channel=RESEARCH, text="one")["ts"]
    reply = bot.chat_postMessage(channel=RESEARCH, text="two", thread_ts=ts)["ts"]
    answer = refused(bot.chat_postMessage, channel=RESEARCH, text="three", thread_ts=reply)
    assert answer["error"] == "cannot_reply_to_message"


def test_wrong_blocks_are_explained_in_slacks_form(bot: WebClient) -> None:
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    answer = refused(bot.chat_postMessage, channel=RESEARCH, text="x", blocks=[SECTION, long])
    said = "must be less than 3001 characters [json-pointer:/blocks/1/text/text]"
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == [said]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {said}"]


def test_an_update_changes_what_is_given_and_keeps_the_rest(bot: WebClient) -> None:
    metadata = {"event_type": "e", "event_payload": {"a": 1}}
    ts = bot.chat_postMessage(channel=RESEARCH, text="one", blocks=[SECTION], metadata=metadata)["ts"]
    bot.chat_update(channel=RESEARCH, ts=ts, text="two")
    message = bot.conversations_replies(channel=RESEARCH, ts=ts, include_all_metadata=True)["messages"][0]
    assert (message["text"], message["metadata"]) == ("two", metadata)
    assert message["blocks"][0]["text"] == SECTION["text"]
    assert message["edited"]["user"] == BOT_USER
    bot.chat_update(channel=RESEARCH, ts=ts, text="three", blocks=[])
    assert "blocks" not in bot.conversations_replies(channel=RESEARCH, ts=ts)["messages"][0]


def test_only_the_bots_own_messages_can_be_changed(bot: WebClient, person: WorkspaceClient) -> None:
    ts = person.post("mine")
    assert refused(bot.chat_update, channel=RESEARCH, ts=ts, text="x")["error"] == "cant_update_message"
    assert refused(bot.chat_delete, channel=RESEARCH, ts=ts)["error"] == "cant_delete_message"
    gone = "1700000000.000000"
    assert refused(bot.chat_update, channel=RESEARCH, ts=gone, text="x")["error"] == "message_not_found"


def test_an_update_is_shorter_than_a_post(bot: WebClient) -> None:
    ts = bot.chat_postMessage(channel=RESEARCH, text="x" * 4001)["ts"]
    bot.chat_update(channel=RESEARCH, ts=ts, text="x" * 4000)
    assert refused(bot.chat_update, channel=RESEARCH, ts=ts, text="x" * 4001)["error"] == "msg_too_long"


def test_a_deleted_message_is_gone_with_its_thread(bot: WebClient) -> None:
    ts = bot.chat_postMessage(channel=RESEARCH, text="one")["ts"]
    bot.chat_postMessage(channel=RESEARCH, text="two", thread_ts=ts)
    bot.chat_delete(channel=RESEARCH, ts=ts)
    assert refused(bot.conversations_replies, channel=RESEARCH, ts=ts)["error"] == "thread_not_found"


def test_an_ephemeral_message_is_for_one_person_and_in_no_history(bot: WebClient, person: WorkspaceClient) -> None:
    bot.chat_postEphemeral(channel=RESEARCH, user=ADA, text="for Ada")
    assert [m["text"] for m in person.messages(user="ada")] == ["for Ada"]
    assert person.messages(user="grace") == []
    assert bot.conversations_history(channel=RESEARCH)["messages"] == []
    answer = refused(bot.chat_postEphemeral, channel=RESEARCH, user="U0NOBODY", text="x")
    assert answer["error"] == "user_not_in_channel"


def test_history_is_read_page_by_page_and_between_times(bot: WebClient) -> None:
    sent = [bot.chat_postMessage(channel=GENERAL, text=str(i))["ts"] for i in range(7)]
    seen = [m["ts"] for page in bot.conversations_history(channel=GENERAL, limit=3) for m in page["messages"]]
    assert seen == sent[::-1]
    between = bot.conversations_history(channel=GENERAL, oldest=sent[2], latest=sent[5])["messages"]
    assert [m["ts"] for m in between] == [sent[4], sent[3]]
    inclusive = bot.conversations_history(channel=GENERAL, oldest=sent[2], latest=sent[5], inclusive=True)["messages"]
    assert len(inclusive) == 4


def test_channels_members_and_people_are_listed(bot: WebClient) -> None:
    assert {c["name"] for c in bot.conversations_list()["channels"]} == {"research", "general"}
    assert {c["user"] for c in bot.conversations_list(types="im")["channels"]} == {ADA, GRACE}
    assert BOT_USER in bot.conversations_members(channel=RESEARCH)["members"]
    assert {u["name"] for u in bot.users_list()["members"]} == {"ada", "grace", "conjecture"}
    assert refused(bot.users_info, user="U0NOBODY")["error"] == "user_not_found"


def test_a_direct_message_reaches_one_person(bot: WebClient, person: WorkspaceClient) -> None:
    channel = bot.conversations_open(users=GRACE)["channel"]["id"]
    bot.chat_postMessage(channel=channel, text="psst")
    assert [m["text"] for m in person.messages(channel, user="grace")] == ["psst"]
    assert channel not in {c["id"] for c in person.state(user="ada")["channels"]}


def test_a_guest_is_marked_as_one(bot: WebClient, person: WorkspaceClient) -> None:
    guest = person.add_user("gast", is_restricted=True)
    assert bot.users_info(user=guest["id"])["user"]["is_restricted"] is True


def test_reactions_are_added_once_and_taken_back_once(bot: WebClient, person: WorkspaceClient) -> None:
    ts = person.post("hello")
    bot.reactions_add(channel=RESEARCH, timestamp=ts, name="eyes")
    again = refused(bot.reactions_add, channel=RESEARCH, timestamp=ts, name="eyes")
    assert again["error"] == "already_reacted"
    person.react(RESEARCH, ts, "eyes")
    found = bot.reactions_get(channel=RESEARCH, timestamp=ts)["message"]["reactions"]
    assert found == [{"name": "eyes", "users": [BOT_USER, ADA], "count": 2}]
    bot.reactions_remove(channel=RESEARCH, timestamp=ts, name="eyes")
    gone = refused(bot.reactions_remove, channel=RESEARCH, timestamp=ts, name="eyes")
    assert gone["error"] == "no_reaction"


def test_a_permalink_names_message_and_thread(bot: WebClient, workspace: Workspace) -> None:
    ts = bot.chat_postMessage(channel=RESEARCH, text="one")["ts"]
    reply = bot.chat_postMessage(channel=RESEARCH, text="two", thread_ts=ts)["ts"]
    link = bot.chat_getPermalink(channel=RESEARCH, message_ts=reply)["permalink"]
    assert link == f"{workspace.url}archives/{RESEARCH}/p{reply.replace('.', '')}?thread_ts={ts}&cid={RESEARCH}"
    assert httpx.get(link, trust_env=False).status_code == 200


def image(file_id: str) -> dict[str, Any]:
    return {"type": "image", "alt_text": "plot", "slack_file": {"id": file_id}}


def test_an_uploaded_image_can_be_shown_once_it_is_ready(bot: WebClient, person: WorkspaceClient) -> None:
    file_id = bot.files_upload_v2(content=b"\x89PNG...", filename="plot.png")["file"]["id"]
    assert bot.files_info(file=file_id)["file"]["mimetype"] == ""
    early = refused(bot.chat_postMessage, channel=RESEARCH, text="x", blocks=[image(file_id)])
    assert early["errors"] == ["invalid slack file [json-pointer:/blocks/0/slack_file]"]
    while not bot.files_info(file=file_id)["file"]["mimetype"]:
        pass
    assert bot.files_info(file=file_id)["file"]["mimetype"] == "image/png"
    bot.chat_postMessage(channel=RESEARCH, text="x", blocks=[image(file_id)])
    assert person.download(file_id) == b"\x89PNG..."


def test_a_file_is_shared_where_it_was_uploaded_to(bot: WebClient, person: WorkspaceClient) -> None:
    ts = person.post("hello")
    sent = bot.files_upload_v2(content=b"a,b", filename="t.csv", title="Table", channel=RESEARCH, thread_ts=ts)
    reply = person.thread(RESEARCH, ts)[1]
    assert reply["files"][0]["title"] == "Table"
    share = bot.files_info(file=sent["file"]["id"])["file"]["shares"]["public"][RESEARCH][0]
    assert (share["ts"], share["thread_ts"]) == (reply["ts"], ts)


def test_a_private_url_needs_the_token_and_says_so_with_a_page(bot: WebClient, person: WorkspaceClient) -> None:
    sent = bot.files_upload_v2(content=b"secret", filename="s.txt", channel=RESEARCH)
    url = bot.files_info(file=sent["file"]["id"])["file"]["url_private"]
    with urllib.request.urlopen(url) as answer:
        assert answer.status == 200
        assert answer.read().startswith(b"<!DOCTYPE html>")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bot.token}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b"secret"


def test_a_deleted_file_leaves_its_message(bot: WebClient, person: WorkspaceClient) -> None:
    file_id = bot.files_upload_v2(content=b"x", filename="s.txt", channel=RESEARCH)["file"]["id"]
    bot.files_delete(file=file_id)
    assert refused(bot.files_info, file=file_id)["error"] == "file_not_found"
    assert person.messages()[0]["files"] == []


def test_an_upload_that_never_came_cannot_be_completed(bot: WebClient) -> None:
    asked = bot.files_getUploadURLExternal(filename="x.png", length=3)
    answer = refused(bot.files_completeUploadExternal, files=[{"id": asked["file_id"]}])
    assert answer["error"] == "file_not_found"


def test_a_home_view_is_published_and_a_modal_needs_a_trigger(bot: WebClient, person: WorkspaceClient) -> None:
    bot.views_publish(user_id=ADA, view={"type": "home", "blocks": [SECTION]})
    modal = {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": []}
    assert refused(bot.views_open, trigger_id="1.abc", view=modal)["error"] == "invalid_trigger_id"
    assert person.views() == []


def test_too_many_calls_are_answered_with_429_and_a_whole_number_of_seconds(tmp_path: Path) -> None:
    rates = {"chat.postMessage": Rate(per_minute=60, burst=2, per_channel=True)}
    with Workspace(tmp_path, rates=rates) as workspace:
        bot = WebClient(workspace.bot_token, base_url=workspace.api_url)
        for _ in range(2):
            bot.chat_postMessage(channel=RESEARCH, text="x")
        answer = refused(bot.chat_postMessage, channel=RESEARCH, text="x")
        assert (answer.status_code, answer["error"]) == (429, "ratelimited")
        assert int(answer.headers["Retry-After"]) == 1
        bot.chat_postMessage(channel=GENERAL, text="another channel")
        bot.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
        assert bot.chat_postMessage(channel=RESEARCH, text="patient")["ok"]


def test_arguments_are_taken_as_a_form_with_json_in_it(workspace: Workspace) -> None:
    form = {"token": workspace.bot_token, "channel": RESEARCH, "text": "x", "blocks": json.dumps([SECTION])}
    answer = httpx.post(f"{workspace.api_url}chat.postMessage", data=form, trust_env=False).json()
    assert answer["message"]["blocks"][0]["text"] == SECTION["text"]


@pytest.mark.parametrize(("body", "code"), [("{", "invalid_json"), ("[1]", "json_not_object")])
def test_a_body_that_is_no_json_object_is_refused(workspace: Workspace, body: str, code: str) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {workspace.bot_token}"}
    answer = httpx.post(f"{workspace.api_url}auth.test", content=body, headers=headers, trust_env=False)
    assert answer.json()["error"] == code
