"""The people's side: JSON routes used by the page and by client.py. No password: it is on one's own machine.

    GET  /local/state?user=                     who is there, channels with unread counts
    GET  /local/messages?channel=&user=&limit=  a channel as `user` sees it, oldest first
    GET  /local/thread?channel=&ts=&user=       a thread as `user` sees it, the parent first
    POST /local/messages                        {channel, text, user?, thread_ts?, files?: [file ids]} -> {ts, channel}
    POST /local/files?name=&user=               the file's bytes -> {file}
    GET  /local/files/{id}                      the bytes of a file
    POST /local/actions                         {channel, message_ts, action_id, block_id?, value?, user?}: use an
                                                element of a message -> {acknowledged}; of a view with view_id
    POST /local/reactions                       {channel, ts, name, user?}: add the reaction, or take it back
    POST /local/read                            {channel, user?, ts?}: nothing up to ts is unread any more
    GET  /local/views?user=                     the user's open modals, and the bot's Home
    POST /local/views/submit                    {view_id, values: {block_id: value}, user?} -> {closed, errors}
    POST /local/views/close                     {view_id, user?}
    POST /local/home                            {tab, user?}: open the bot's Home or Messages tab
    POST /local/users                           {name, real_name?, is_restricted?, ...}: one more person -> {user}
    GET  /local/live                            server-sent events: something changed, read it again

Channels are ids or names, users are ids or names, and `user` is Ada when it is left out. A refusal is HTTP 400 with
{"ok": false, "error": code, "message": sentence}.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.workspace import seed
from bot.workspace.interactions import act, close_view, submit_view, view_state
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.store import Store, new_id
from bot.workspace.team import Team
from bot.workspace.text import typed
from bot.workspace.web_api.arguments import number
from bot.workspace.web_api.chat import author, parent
from bot.workspace.web_api.files import UPLOAD_BYTES, new_file

# Everything else is offered for download: an uploaded page or drawing must not run in the workspace's origin.
SHOWN_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
MESSAGE_CHARACTERS = 12_000
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,20}")

Do = Callable[[Team, Json], Awaitable[Json] | Json]


def who(team: Team, args: Json) -> Json:
    """The acting person, by id or name. Raises Refusal."""
    asked = args.get("user") or seed.DEFAULT_USER
    for user in team.store.users():
        if asked in (user["id"], user["name"]):
            return user
    raise Refusal("user_not_found", [f"there is no user {asked!r}"])


def place(team: Team, args: Json, user: Json) -> Json:
    """The channel, which the person must be able to see. Raises Refusal."""
    channel = team.channel(str(args.get("channel") or seed.RESEARCH))
    if user["id"] not in team.store.members(channel):
        raise Refusal("channel_not_found")
    return channel


def state(team: Team, args: Json) -> Json:
    user = who(team, args)
    channels = [c for c in team.store.channels() if user["id"] in team.store.members(c)]
    read = {row["channel"]: row["ts"] for row in team.store.all("SELECT * FROM reads WHERE user = ?", user["id"])}
    return {
        "team": {"id": seed.TEAM_ID, "name": seed.TEAM_NAME},
        "me": user["id"],
        "bot": {"id": seed.BOT_USER, "name": seed.BOT_NAME, "connected": team.delivery.connected},
        "has_home": "app_home_opened" in team.grants.events,
        "users": team.store.users(),
        "channels": [
            {**c, "unread": unread(team.store, c["id"], user["id"]), "last_read": read.get(c["id"])} for c in channels
        ],
    }


def unread(store: Store, channel: str, user: str) -> int:
    """How many messages of others came after what the person has read; replies count where the person takes part."""
    row = store.one(
        "SELECT count(*) AS n FROM messages m WHERE m.channel = ?1 "
        "AND m.ts > coalesce((SELECT ts FROM reads WHERE user = ?2 AND channel = ?1), '0') "
        "AND json_extract(m.body, '$.user') != ?2 AND (m.ephemeral_to IS NULL OR m.ephemeral_to = ?2) "
        "AND (m.thread_ts IS NULL OR m.broadcast OR EXISTS (SELECT 1 FROM messages o WHERE o.channel = ?1 "
        "AND (o.ts = m.thread_ts OR o.thread_ts = m.thread_ts) AND json_extract(o.body, '$.user') = ?2))",
        *(channel, user),
    )
    return int(row["n"]) if row else 0


def seen(team: Team, channel: str, messages: list[Json], user: str) -> list[Json]:
    """Messages with what this person pressed in them: `presses` is block id -> action id -> value."""
    for message in messages:
        rows = team.store.all(
            "SELECT * FROM presses WHERE channel = ? AND ts = ? AND user = ?", channel, message["ts"], user
        )
        presses: dict[str, dict[str, str]] = {}
        for row in rows:
            presses.setdefault(row["block_id"], {})[row["action_id"]] = row["value"]
        message["presses"] = presses
    return messages


def messages(team: Team, args: Json) -> Json:
    user = who(team, args)
    channel = place(team, args, user)
    limit = number(args, "limit", 100, 1000)
    found = team.store.history(channel["id"], user["id"], limit + 1)
    return {"messages": seen(team, channel["id"], found[-limit:], user["id"]), "has_more": len(found) > limit}


def thread(team: Team, args: Json) -> Json:
    user = who(team, args)
    channel = place(team, args, user)
    found = team.store.thread(channel["id"], str(args.get("ts", "")), user["id"])
    if not found:
        raise Refusal("thread_not_found")
    return {"messages": seen(team, channel["id"], found, user["id"])}


def post(team: Team, args: Json) -> Json:
    user = who(team, args)
    channel = place(team, args, user)
    said, file_ids = str(args.get("text") or "").strip(), list(args.get("files") or [])
    if not said and not file_ids:
        raise Refusal("no_text", ["a message needs text or a file"])
    if len(said) > MESSAGE_CHARACTERS:
        raise Refusal("msg_too_long", [f"a message has at most {MESSAGE_CHARACTERS} characters"])
    if not all(team.store.file(file_id) for file_id in file_ids):
        raise Refusal("file_not_found")
    thread_ts = parent(team, channel, args)
    users = {known["name"]: known["id"] for known in team.store.users()}
    channels = {known["name"]: known["id"] for known in team.store.channels() if not known["is_im"]}
    text, blocks = typed(said, users, channels)
    message: Json = {
        "client_msg_id": new_id("", 20),
        "type": "message",
        "user": user["id"],
        "team": seed.TEAM_ID,
        "ts": team.store.next_ts(),
        "text": text,
    }
    message |= {"blocks": blocks} if blocks else {}
    message |= {"subtype": "file_share", "upload": False, "file_ids": file_ids} if file_ids else {}
    message |= {"thread_ts": thread_ts, "parent_user_id": author(team, channel, thread_ts)} if thread_ts else {}
    return {"ts": team.post(channel, message)["ts"], "channel": channel["id"]}


def react(team: Team, args: Json) -> Json:
    user = who(team, args)
    channel, ts, name = place(team, args, user)["id"], str(args.get("ts", "")), str(args.get("name", ""))
    mine = any(r["name"] == name and user["id"] in r["users"] for r in team.store.reactions(channel, ts))
    team.react(channel, ts, name, user["id"], add=not mine)
    return {"added": not mine}


def read(team: Team, args: Json) -> Json:
    user = who(team, args)
    channel = place(team, args, user)
    ts = str(args.get("ts") or "9999999999")
    team.store.run("INSERT OR REPLACE INTO reads VALUES (?, ?, ?)", user["id"], channel["id"], min(ts, _now()))
    return {}


def _now() -> str:
    return f"{time.time():.6f}"


def views(team: Team, args: Json) -> Json:
    return view_state(team, who(team, args)["id"])


async def action(team: Team, args: Json) -> Json:
    user = who(team, args)
    if "view_id" not in args:
        args = {**args, "channel": place(team, args, user)["id"]}
    return await act(team, user, args)


async def submit(team: Team, args: Json) -> Json:
    return await submit_view(team, who(team, args), args)


async def close(team: Team, args: Json) -> Json:
    return await close_view(team, who(team, args), args)


def home(team: Team, args: Json) -> Json:
    user = who(team, args)
    team.open_home(user["id"], str(args.get("tab", "messages")))
    return view_state(team, user["id"])


def add_user(team: Team, args: Json) -> Json:
    name = str(args.get("name", ""))
    if not NAME.fullmatch(name) or any(user["name"] == name for user in team.store.users()):
        raise Refusal("invalid_name", [f"{name!r} is taken, or not of the form {NAME.pattern}"])
    marks = {k: bool(v) for k, v in args.items() if k.startswith("is_") or k == "deleted"}
    user = seed.user(new_id("U"), name, str(args.get("real_name") or name.title()), **marks)
    team.store.add_user(user)
    team.live.tell({"type": "people"})
    return {"user": user}


async def upload(request: Request) -> Response:
    team: Team = request.app.state.team
    user = who(team, dict(request.query_params))
    content = await request.body()
    if len(content) > UPLOAD_BYTES:
        return refused(Refusal("file_too_large", [f"a file has at most {UPLOAD_BYTES} bytes"]))
    file = new_file(request.query_params.get("name") or "file", len(content), user["id"])
    team.store.content(file["id"]).write_bytes(content)
    with team.store.transaction():
        team.store.add_file(file, "complete")
        team.store.set_file(file, "complete", time.time())
    return Response(team.render({"ok": True, "file": file}), media_type="application/json")


async def download(request: Request) -> Response:
    team: Team = request.app.state.team
    file = team.store.raw_file(request.path_params["file_id"])
    if file is None or not team.store.content(file["id"]).exists():
        return Response("There is no such file.", 404)
    return file_response(team, file)


def file_response(team: Team, file: Json) -> Response:
    """The bytes of a file: harmless images to look at, everything else to keep."""
    shown = file["mimetype"] in SHOWN_TYPES
    return FileResponse(
        team.store.content(file["id"]),
        media_type=file["mimetype"] if shown else "application/octet-stream",
        filename=file["name"],
        content_disposition_type="inline" if shown else "attachment",
        headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
    )


async def live(request: Request) -> Response:
    team: Team = request.app.state.team
    return StreamingResponse(team.live.stream(), media_type="text/event-stream")


def refused(refusal: Refusal) -> Response:
    said = {"ok": False, "error": refusal.code, "message": "; ".join(refusal.messages) or refusal.code}
    return Response(json.dumps(said), 400, media_type="application/json")


def route(path: str, do: Do, method: str) -> Route:
    """A route that calls `do(team, arguments)` and answers with its JSON."""

    async def endpoint(request: Request) -> Response:
        team: Team = request.app.state.team
        try:
            args: Any = dict(request.query_params) if method == "GET" else await request.json()
            found = do(team, args)
            value = await found if isinstance(found, Awaitable) else found
        except Refusal as refusal:
            return refused(refusal)
        except json.JSONDecodeError:
            return refused(Refusal("invalid_json"))
        return Response(team.render({"ok": True, **value}), media_type="application/json")

    return Route(path, endpoint, methods=[method])


ROUTES = [
    route("/local/state", state, "GET"),
    route("/local/messages", messages, "GET"),
    route("/local/thread", thread, "GET"),
    route("/local/views", views, "GET"),
    route("/local/messages", post, "POST"),
    route("/local/actions", action, "POST"),
    route("/local/reactions", react, "POST"),
    route("/local/read", read, "POST"),
    route("/local/views/submit", submit, "POST"),
    route("/local/views/close", close, "POST"),
    route("/local/home", home, "POST"),
    route("/local/users", add_user, "POST"),
    Route("/local/files", upload, methods=["POST"]),
    Route("/local/files/{file_id}", download),
    Route("/local/live", live),
]
