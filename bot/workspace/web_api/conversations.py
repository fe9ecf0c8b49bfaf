"""conversations.*, users.*, bots.info, team.info, auth.test, reactions.*: who is there and what was said."""

from __future__ import annotations

import re

from bot.workspace import seed
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.store import ORIGIN
from bot.workspace.team import Team
from bot.workspace.web_api.arguments import flag, page, text

REACTION = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


def list_(team: Team, args: Json) -> Json:
    types = set(text(args, "types", "public_channel").split(","))
    found = [c for c in team.store.channels() if ("im" if c["is_im"] else "public_channel") in types]
    items, more = page(args, found)
    return {"channels": items, "response_metadata": more["response_metadata"]}


def info(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    if flag(args, "include_num_members"):
        channel["num_members"] = len(team.store.members(channel))
    return {"channel": channel}


def open_(team: Team, args: Json) -> Json:
    user = text(args, "users", "")
    if not user:
        return {"channel": team.channel(text(args, "channel", ""))}
    team.user(user)
    channel = team.channel(user)
    return {"channel": channel if flag(args, "return_im") else {"id": channel["id"]}}


def members(team: Team, args: Json) -> Json:
    found = [{"id": user} for user in team.store.members(team.channel(text(args, "channel", "")))]
    items, more = page(args, found)
    return {"members": [item["id"] for item in items], "response_metadata": more["response_metadata"]}


def between(args: Json, messages: list[Json]) -> list[Json]:
    """The messages between `oldest` and `latest`; those exactly there only when `inclusive`."""
    oldest, latest = text(args, "oldest", "0"), text(args, "latest", "9999999999.999999")
    inclusive = flag(args, "inclusive")
    try:
        low, high = float(oldest), float(latest)
    except ValueError as error:
        raise Refusal("invalid_ts_latest" if oldest == "0" else "invalid_ts_oldest") from error
    if inclusive:
        return [m for m in messages if low <= float(m["ts"]) <= high]
    return [m for m in messages if low < float(m["ts"]) < high]


def shown(args: Json, messages: list[Json]) -> list[Json]:
    if flag(args, "include_all_metadata"):
        return messages
    return [{name: value for name, value in m.items() if name != "metadata"} for m in messages]


def history(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    newest_first = between(args, team.store.history(channel["id"]))[::-1]
    items, more = page(args, newest_first)
    return {"messages": shown(args, items), "pin_count": 0, **more}


def replies(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    messages = team.store.thread(channel["id"], text(args, "ts"))
    if not messages:
        raise Refusal("thread_not_found")
    items, more = page(args, between(args, messages), default=1000)
    return {"messages": shown(args, items), **more}


def users_info(team: Team, args: Json) -> Json:
    return {"user": team.user(text(args, "user", ""))}


def users_list(team: Team, args: Json) -> Json:
    items, more = page(args, team.store.users())
    return {"members": items, "response_metadata": more["response_metadata"]}


def bots_info(team: Team, args: Json) -> Json:
    if text(args, "bot", seed.BOT_ID) != seed.BOT_ID:
        raise Refusal("bot_not_found")
    bot = {"id": seed.BOT_ID, "app_id": seed.APP_ID, "user_id": seed.BOT_USER, "name": seed.BOT_NAME}
    return {"bot": {**bot, "deleted": False, "updated": 0, "icons": {}}}


def team_info(team: Team, args: Json) -> Json:
    return {"team": {"id": seed.TEAM_ID, "name": seed.TEAM_NAME, "domain": seed.TEAM_DOMAIN, "icon": {}}}


def auth_test(team: Team, args: Json) -> Json:
    return {
        "url": f"{ORIGIN}/",
        "team": seed.TEAM_NAME,
        "user": seed.BOT_NAME,
        "team_id": seed.TEAM_ID,
        "user_id": seed.BOT_USER,
        "bot_id": seed.BOT_ID,
        "is_enterprise_install": False,
    }


def react(team: Team, args: Json, *, add: bool) -> Json:
    name = text(args, "name", "").strip(":")
    if not REACTION.fullmatch(name):
        raise Refusal("invalid_name")
    channel = team.channel(text(args, "channel", ""))
    team.react(channel["id"], text(args, "timestamp"), name, seed.BOT_USER, add=add)
    return {}


def reactions_add(team: Team, args: Json) -> Json:
    return react(team, args, add=True)


def reactions_remove(team: Team, args: Json) -> Json:
    return react(team, args, add=False)


def reactions_get(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    message = team.store.message(channel["id"], text(args, "timestamp"))
    if message is None:
        raise Refusal("message_not_found")
    return {"type": "message", "channel": channel["id"], "message": message}


METHODS = {
    "auth.test": auth_test,
    "bots.info": bots_info,
    "conversations.history": history,
    "conversations.info": info,
    "conversations.list": list_,
    "conversations.members": members,
    "conversations.open": open_,
    "conversations.replies": replies,
    "reactions.add": reactions_add,
    "reactions.get": reactions_get,
    "reactions.remove": reactions_remove,
    "team.info": team_info,
    "users.info": users_info,
    "users.list": users_list,
}
