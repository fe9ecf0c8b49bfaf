"""The JSON of events and interactions, as Slack sends it. Pure: values in, payload out.

Shapes: docs.slack.dev/apis/events-api and /reference/interaction-payloads; a feedback vote is an action of type
`feedback_buttons` with the chosen button's `text` and `value` (bolt-js' FeedbackButtonsAction).
"""

from __future__ import annotations

import time
from typing import Any

from bot.workspace import seed
from bot.workspace.seed import Json
from bot.workspace.store import ORIGIN, new_id

VERIFICATION = "local-verification-token"


def event_callback(event: Json) -> Json:
    """The Events API's wrapping of one event."""
    grant = {"enterprise_id": None, "team_id": seed.TEAM_ID, "user_id": seed.BOT_USER}
    return {
        "token": VERIFICATION,
        "team_id": seed.TEAM_ID,
        "context_team_id": seed.TEAM_ID,
        "context_enterprise_id": None,
        "api_app_id": seed.APP_ID,
        "event": event,
        "type": "event_callback",
        "event_id": new_id("Ev"),
        "event_time": int(time.time()),
        "authorizations": [{**grant, "is_bot": True, "is_enterprise_install": False}],
        "is_ext_shared_channel": False,
        "event_context": new_id("4-", 20),
    }


def channel_type(channel: Json) -> str:
    return "im" if channel["is_im"] else "channel"


def posted(channel: Json, message: Json) -> list[Json]:
    """The events of a new message: `message`, and in a channel `app_mention` when it names the bot."""
    place = {"channel": channel["id"], "event_ts": message["ts"]}
    events = [{**message, **place, "channel_type": channel_type(channel)}]
    named = f"<@{seed.BOT_USER}>" in message["text"]
    if named and not channel["is_im"] and message["user"] != seed.BOT_USER:
        events.append({**message, **place, "type": "app_mention"})
    return events


def changed(channel: Json, before: Json, after: Json, ts: str) -> Json:
    """The event of an edit."""
    return _hidden(channel, "message_changed", ts, message=after, previous_message=before)


def deleted(channel: Json, before: Json, ts: str) -> Json:
    """The event of a deletion."""
    return _hidden(channel, "message_deleted", ts, previous_message=before, deleted_ts=before["ts"])


def _hidden(channel: Json, subtype: str, ts: str, **more: Any) -> Json:
    place = {"channel": channel["id"], "channel_type": channel_type(channel), "ts": ts, "event_ts": ts}
    return {"type": "message", "subtype": subtype, "hidden": True, **place, **more}


def reaction(kind: str, channel: str, message: Json, name: str, user: str, ts: str) -> Json:
    """`reaction_added` or `reaction_removed`."""
    item = {"type": "message", "channel": channel, "ts": message["ts"]}
    return {
        "type": kind,
        "user": user,
        "reaction": name,
        "item": item,
        "item_user": message["user"],
        "event_ts": ts,
    }


def home_opened(user: str, channel: str, tab: str, view: Json | None, ts: str) -> Json:
    event = {"type": "app_home_opened", "user": user, "channel": channel, "tab": tab, "event_ts": ts}
    return {**event, "view": view} if view else event


def interaction(kind: str, user: Json, trigger_id: str, **more: Any) -> Json:
    """What every interaction payload has in common."""
    return {
        "type": kind,
        "user": {"id": user["id"], "username": user["name"], "name": user["name"], "team_id": seed.TEAM_ID},
        "api_app_id": seed.APP_ID,
        "token": VERIFICATION,
        "trigger_id": trigger_id,
        "team": {"id": seed.TEAM_ID, "domain": seed.TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        **more,
    }


def in_message(channel: Json, message: Json, *, ephemeral: bool, hook: str) -> Json:
    """The part of a block action that tells in which message it happened."""
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel["id"],
        "is_ephemeral": ephemeral,
    }
    if "thread_ts" in message:
        container["thread_ts"] = message["thread_ts"]
    return {
        "container": container,
        "channel": {"id": channel["id"], "name": channel.get("name", "directmessage")},
        "message": message,
        "state": {"values": {}},
        "response_url": f"{ORIGIN}/hooks/{hook}",
    }


def action(block: Json, element: Json, value: str | None, ts: str) -> Json:
    """One entry of `actions`: what a person did with `element`.

    `value` chooses among an element's options: the value of an option, or of one of the two feedback buttons. Raises
    ValueError when the element has no such option.
    """
    chosen: Json
    match element["type"]:
        case "button" | "icon_button":
            chosen = {name: element[name] for name in ("text", "value", "style") if name in element}
        case "feedback_buttons":
            chosen = _feedback(element, value)
        case "static_select" | "overflow" | "radio_buttons":
            chosen = {"selected_option": option(element, value)}
        case "checkboxes":
            chosen = {"selected_options": [option(element, value)]}
        case kind:
            raise ValueError(f"a {kind} cannot be clicked")
    base = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
    return {**base, **chosen, "action_ts": ts}


def _feedback(element: Json, value: str | None) -> Json:
    buttons = [element["positive_button"], element["negative_button"]]
    for button in buttons:
        if button["value"] == value:
            return {"text": {"emoji": True, **button["text"]}, "value": value}
    raise ValueError(f"no feedback button has the value {value!r}; there are {[b['value'] for b in buttons]}")


def option(element: Json, value: str | None) -> Json:
    """The option of `element` with this value. Raises ValueError when there is none."""
    groups = element.get("option_groups") or [element]
    options: list[Json] = [option for group in groups for option in group["options"]]
    for option in options:
        if option["value"] == value:
            return option
    raise ValueError(f"no option has the value {value!r}; there are {[o['value'] for o in options]}")
