"""files.*: upload in three steps (ask for a URL, send the bytes there, complete), look, delete."""

from __future__ import annotations

import asyncio
import mimetypes
import time
from typing import Any

from bot.workspace import seed
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.store import ORIGIN, new_id
from bot.workspace.team import Team
from bot.workspace.web_api.arguments import structure, text
from bot.workspace.web_api.chat import bot_message, content, parent

UPLOAD_BYTES = 100 * 1024 * 1024


def new_file(name: str, size: int, user: str, title: str | None = None) -> Json:
    """A file as `files.info` shows it once it is ready."""
    file_id, now = new_id("F"), int(time.time())
    mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
    extension = name.rpartition(".")[2].lower() if "." in name else "binary"
    location = f"{ORIGIN}/files/{file_id}/{name.replace('/', '_').replace(' ', '_')}"
    return {
        "id": file_id,
        "created": now,
        "timestamp": now,
        "name": name,
        "title": title or name,
        "mimetype": mimetype,
        "filetype": extension,
        "pretty_type": extension.upper(),
        "user": user,
        "user_team": seed.TEAM_ID,
        "size": size,
        "mode": "hosted",
        "is_external": False,
        "is_public": True,
        "url_private": location,
        "url_private_download": location,
        "permalink": location,
        "file_access": "visible",
    }


def get_upload_url(team: Team, args: Json) -> Json:
    name, length = text(args, "filename"), text(args, "length")
    if not length.isdigit() or int(length) == 0:
        raise Refusal("invalid_arguments", ["must be more than 0 [json-pointer:/length]"])
    if int(length) > UPLOAD_BYTES:
        raise Refusal("file_too_large")
    file = new_file(name, int(length), seed.BOT_USER)
    if args.get("alt_txt"):
        file["alt_txt"] = str(args["alt_txt"])
    team.store.add_file(file, "expected")
    return {"upload_url": f"{ORIGIN}/upload/v1/{file['id']}", "file_id": file["id"]}


def complete(team: Team, file_id: str, title: str | None) -> Json:
    """Turn the received bytes into a file that becomes ready a moment later. Raises Refusal."""
    file = team.store.raw_file(file_id)
    if file is None or team.store.file_state(file_id) != "received":
        raise Refusal("file_not_found")
    file |= {"title": title or file["title"], "size": team.store.content(file_id).stat().st_size}
    team.store.set_file(file, "complete", time.time() + team.timing.upload_seconds)
    return file


def complete_upload(team: Team, args: Json) -> Json:
    asked: Any = structure(args, "files", "invalid_arguments")
    if not isinstance(asked, list) or not asked or not all(isinstance(item, dict) and "id" in item for item in asked):
        raise Refusal("invalid_arguments", ["missing required field: files [json-pointer:/files]"])
    places = [p for p in [text(args, "channel_id", ""), *text(args, "channels", "").split(",")] if p]
    channels = [team.channel(place) for place in places]
    threads = [parent(team, channel, args) for channel in channels]
    comment = content(team, {"text": args.get("initial_comment") or "", "blocks": args.get("blocks")})
    with team.store.transaction():
        files = [complete(team, str(item["id"]), item.get("title")) for item in asked]
    for channel, thread_ts in zip(channels, threads, strict=True):
        said = {**comment, "upload": True, "file_ids": [file["id"] for file in files]}
        message = bot_message(team, channel, said, thread_ts)
        team.post(channel, message)
        note = {"type": "message", "channel": channel["id"], "ts": message["ts"], "thread_ts": thread_ts}
        asyncio.get_running_loop().call_later(team.timing.upload_seconds + 0.05, team.live.tell, note)
    return {"files": [{"id": file["id"], "title": file["title"]} for file in files]}


def shares(team: Team, file_id: str) -> Json:
    """Where a file was shared: channel id -> messages."""
    sql = (
        "SELECT m.channel, m.ts, m.thread_ts FROM messages m, json_each(m.body, '$.file_ids') f "
        "WHERE f.value = ? ORDER BY m.ts"
    )
    found: dict[str, list[Json]] = {}
    for row in team.store.all(sql, file_id):
        share = {"ts": row["ts"], "team_id": seed.TEAM_ID}
        if row["thread_ts"]:
            share["thread_ts"] = row["thread_ts"]
        found.setdefault(row["channel"], []).append(share)
    return found


def info(team: Team, args: Json) -> Json:
    file_id = text(args, "file", "")
    file = team.store.file(file_id)
    if file is None:
        raise Refusal("file_not_found")
    places = shares(team, file_id)
    public = {channel: found for channel, found in places.items() if channel.startswith("C")}
    private = {channel: found for channel, found in places.items() if channel not in public}
    kinds = {"public": public, "private": private}
    file |= {"shares": {kind: found for kind, found in kinds.items() if found}}
    file |= {"channels": list(public), "groups": [], "ims": list(private)}
    return {"file": file, "comments": [], "response_metadata": {"next_cursor": ""}}


def delete(team: Team, args: Json) -> Json:
    file = team.store.raw_file(text(args, "file", ""))
    if file is None:
        raise Refusal("file_not_found")
    if file["user"] != seed.BOT_USER:
        raise Refusal("cant_delete_file")
    team.store.run("DELETE FROM files WHERE id = ?", file["id"])
    team.store.content(file["id"]).unlink(missing_ok=True)
    for channel in shares(team, file["id"]):
        team.live.tell({"type": "message", "channel": channel})
    return {}


METHODS = {
    "files.completeUploadExternal": complete_upload,
    "files.delete": delete,
    "files.getUploadURLExternal": get_upload_url,
    "files.info": info,
}
