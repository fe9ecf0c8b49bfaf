"""What a person does to an element of a message or a view: it is told to the app, and the app's answer is followed."""

from __future__ import annotations

import json
from typing import Any

from bot.workspace import payloads
from bot.workspace.blocks import INTERACTIVE
from bot.workspace.delivery import Unanswered
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.team import Team
from bot.workspace.validation import check_view, elements
from bot.workspace.web_api.views import close, open_views, replace, show

REMEMBERED = {"feedback_buttons", "static_select", "radio_buttons"}  # the page shows what was chosen


async def act(team: Team, user: Json, args: Json) -> Json:
    """Use an element. Returns {"acknowledged"}: whether the app answered in time. Raises Refusal."""
    if "view_id" in args:
        return await _act_in_view(team, user, args)
    channel, ts = team.channel(str(args["channel"])), str(args.get("message_ts", ""))
    row = team.store.message_row(channel["id"], ts)
    message = team.store.message(channel["id"], ts)
    if row is None or message is None or row["ephemeral_to"] not in (None, user["id"]):
        raise Refusal("message_not_found")
    block, element = _element(message.get("blocks", []), args)
    action = _action(team, block, element, args)
    hook = team.hook(channel["id"], ts, user["id"])
    where = payloads.in_message(channel, message, ephemeral=row["ephemeral_to"] is not None, hook=hook)
    if element["type"] in REMEMBERED:
        sql = "INSERT OR REPLACE INTO presses VALUES (?, ?, ?, ?, ?, ?)"
        team.store.run(sql, channel["id"], ts, block["block_id"], element["action_id"], user["id"], args["value"])
        team.live.tell({"type": "message", "channel": channel["id"], "ts": ts, "thread_ts": message.get("thread_ts")})
    return await _ask(team, user, actions=[action], **where)


async def _act_in_view(team: Team, user: Json, args: Json) -> Json:
    view = _view(team, user, args)
    block, element = _element(view["blocks"], args)
    action = _action(team, block, element, args)
    container = {"type": "view", "view_id": view["id"]}
    return await _ask(team, user, actions=[action], container=container, view=view)


async def _ask(team: Team, user: Json, **more: Any) -> Json:
    payload = payloads.interaction("block_actions", user, team.trigger(user["id"]), **more)
    try:
        await team.delivery.ask("interactive", payload)
    except Unanswered:
        return {"acknowledged": False}
    return {"acknowledged": True}


def _element(blocks: list[Json], args: Json) -> tuple[Json, Json]:
    block_id, action_id, value = args.get("block_id"), args.get("action_id"), args.get("value")
    found = [
        (block, element)
        for block in blocks
        if block_id in (None, block.get("block_id"))
        for element in elements(block)
        if element["action_id"] == action_id
    ]
    if not found:
        raise Refusal("action_not_found", [f"there is no element {action_id!r} to use here"])
    # One action_id may be in several blocks: without a block_id, the value tells which is meant.
    return next((pair for pair in found if pair[1].get("value") == value), found[0])


def _action(team: Team, block: Json, element: Json, args: Json) -> Json:
    try:
        return payloads.action(block, element, args.get("value"), team.store.next_ts())
    except ValueError as error:
        raise Refusal("invalid_value", [str(error)]) from error


def _view(team: Team, user: Json, args: Json) -> Json:
    row = team.store.one("SELECT * FROM views WHERE id = ? AND user = ?", args.get("view_id"), user["id"])
    if row is None:
        raise Refusal("view_not_found")
    view: Json = json.loads(row["body"])
    return view


def view_state(team: Team, user: str) -> Json:
    """The user's open modals, the bottom one first, and the bot's Home (None when nothing was published)."""
    home = team.store.one("SELECT body FROM views WHERE id = ?", f"V0HOME{user}")
    modals = [json.loads(row["body"]) for row in open_views(team, user)]
    return {"modals": modals, "home": json.loads(home["body"]) if home else None}


def state_of(block: Json, value: Any) -> Json:
    """One input's entry of `state.values`. Raises Refusal when the value is none of its options."""
    element = block["element"]
    entry: Json = {"type": element["type"]}
    try:
        match element["type"]:
            case "plain_text_input":
                entry["value"] = value or None
            case "checkboxes":
                entry["selected_options"] = [payloads.option(element, item) for item in value or []]
            case _:
                entry["selected_option"] = payloads.option(element, value) if value else None
    except ValueError as error:
        raise Refusal("invalid_value", [str(error)]) from error
    return {element["action_id"]: entry}


def initial(element: Json) -> Any:
    """What an input holds while nobody has touched it."""
    if element["type"] == "checkboxes":
        return [option["value"] for option in element.get("initial_options", [])]
    return element.get("initial_value") or element.get("initial_option", {}).get("value")


async def submit_view(team: Team, user: Json, args: Json) -> Json:
    """Submit a modal. Returns {"closed", "errors": {block_id: sentence}}. Raises Refusal."""
    view = _view(team, user, args)
    inputs = [b for b in view["blocks"] if b["type"] == "input" and b["element"]["type"] in INTERACTIVE]
    values = {b["block_id"]: initial(b["element"]) for b in inputs} | (args.get("values") or {})
    missing = [b["block_id"] for b in inputs if not b.get("optional") and not values.get(b["block_id"])]
    if missing:
        return {"closed": False, "errors": dict.fromkeys(missing, "Please complete this required field.")}
    state = {b["block_id"]: state_of(b, values.get(b["block_id"])) for b in inputs}
    view |= {"state": {"values": state}}
    trigger = team.trigger(user["id"])
    payload = payloads.interaction("view_submission", user, trigger, view=view, response_urls=[])
    try:
        answer = await team.delivery.ask("interactive", payload)
    except Unanswered:
        return {"closed": False, "errors": {}, "message": "Conjecture did not answer. Please try again."}
    return _follow(team, user["id"], view, answer)


def _follow(team: Team, user: str, view: Json, answer: Json) -> Json:
    match answer.get("response_action"):
        case "errors":
            return {"closed": False, "errors": answer["errors"]}
        case "clear":
            close(team, user)
        case "update":
            row = team.store.one("SELECT * FROM views WHERE id = ?", view["id"])
            replace(team, row, check_view(answer["view"], team.file_ready))
            return {"closed": False, "errors": {}}
        case "push":
            show(team, user, check_view(answer["view"], team.file_ready))
            return {"closed": False, "errors": {}}
        case _:
            close(team, user, view["id"])
    return {"closed": True, "errors": {}}


async def close_view(team: Team, user: Json, args: Json) -> Json:
    """Close a modal without submitting it; the app is told when the view asks for that."""
    view = _view(team, user, args)
    close(team, user["id"], view["id"])
    if view["notify_on_close"]:
        payload = payloads.interaction("view_closed", user, team.trigger(user["id"]), view=view, is_cleared=False)
        try:
            await team.delivery.ask("interactive", payload)
        except Unanswered:
            return {"acknowledged": False}
    return {"acknowledged": True}
