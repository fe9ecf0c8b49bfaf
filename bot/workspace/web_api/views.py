"""views.*: modals, and the bot's Home tab."""

from __future__ import annotations

import json
import secrets
from typing import Any

from bot.workspace import seed
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.store import new_id
from bot.workspace.team import Team
from bot.workspace.validation import check_view
from bot.workspace.web_api.arguments import structure, text

STACK = 3  # views in one modal


def checked(team: Team, args: Json, kind: str) -> Json:
    view = check_view(structure(args, "view", "invalid_arguments"), team.file_ready)
    if view["type"] != kind:
        raise Refusal("invalid_arguments", [f"unsupported type: {view['type']} [json-pointer:/view/type]"])
    return view


def full(view: Json, view_id: str, root: str, previous: str | None) -> Json:
    """A view as Slack returns it and shows it to the app."""
    return {
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
        "title": None,
        "close": None,
        "submit": None,
        **view,
        "id": view_id,
        "team_id": seed.TEAM_ID,
        "app_id": seed.APP_ID,
        "app_installed_team_id": seed.TEAM_ID,
        "bot_id": seed.BOT_ID,
        "state": {"values": {}},
        "hash": f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}",
        "root_view_id": root,
        "previous_view_id": previous,
    }


def keep(team: Team, user: str, view: Json, *, open_: bool) -> None:
    team.store.run("INSERT OR REPLACE INTO views VALUES (?, ?, ?, ?)", view["id"], user, open_, json.dumps(view))
    team.live.tell({"type": "view", "user": user})


def show(team: Team, user: str, view: Json) -> Json:
    """Open `view` on top of what the user has open."""
    view_id = new_id("V")
    below = [json.loads(row["body"]) for row in open_views(team, user)]
    if len(below) >= STACK:
        raise Refusal("push_limit_reached")
    root, previous = (below[0]["id"], below[-1]["id"]) if below else (view_id, None)
    shown = full(view, view_id, root, previous)
    keep(team, user, shown, open_=True)
    return shown


def open_views(team: Team, user: str) -> list[Any]:
    """The user's open modals, the bottom one first."""
    return team.store.all("SELECT * FROM views WHERE user = ? AND open ORDER BY rowid", user)


def close(team: Team, user: str, view_id: str | None = None) -> None:
    """Close one view, or all of the user's."""
    if view_id is None:
        team.store.run("UPDATE views SET open = 0 WHERE user = ?", user)
    else:
        team.store.run("UPDATE views SET open = 0 WHERE user = ? AND id = ?", user, view_id)
    team.live.tell({"type": "view", "user": user})


def replace(team: Team, row: Any, view: Json) -> Json:
    before = json.loads(row["body"])
    shown = full(view, before["id"], before["root_view_id"], before["previous_view_id"])
    team.store.run("UPDATE views SET body = ? WHERE id = ?", json.dumps(shown), before["id"])
    team.live.tell({"type": "view", "user": row["user"]})
    return shown


def open_view(team: Team, args: Json) -> Json:
    view = checked(team, args, "modal")
    user = team.spend_trigger(text(args, "trigger_id"))
    close(team, user)
    return {"view": show(team, user, view)}


def push(team: Team, args: Json) -> Json:
    view = checked(team, args, "modal")
    return {"view": show(team, team.spend_trigger(text(args, "trigger_id")), view)}


def update(team: Team, args: Json) -> Json:
    view = checked(team, args, "modal")
    view_id, external = text(args, "view_id", ""), text(args, "external_id", "")
    sql = "SELECT * FROM views WHERE id = ? OR (? != '' AND json_extract(body, '$.external_id') = ?)"
    row = team.store.one(sql, view_id, external, external)
    if row is None:
        raise Refusal("not_found")
    if args.get("hash") and args["hash"] != json.loads(row["body"])["hash"]:
        raise Refusal("hash_conflict")
    return {"view": replace(team, row, view)}


def publish(team: Team, args: Json) -> Json:
    view = checked(team, args, "home")
    user = team.user(text(args, "user_id"))["id"]
    shown = full(view, f"V0HOME{user}", f"V0HOME{user}", None)
    keep(team, user, shown, open_=False)
    return {"view": shown}


METHODS = {
    "views.open": open_view,
    "views.publish": publish,
    "views.push": push,
    "views.update": update,
}
