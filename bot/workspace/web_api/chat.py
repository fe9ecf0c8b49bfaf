"""chat.*: posting, editing and deleting messages."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.workspace import seed
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.store import ORIGIN
from bot.workspace.team import Team
from bot.workspace.validation import check_message
from bot.workspace.web_api.arguments import flag, structure, text

POST_CHARACTERS = 40_000  # a longer text is cut
UPDATE_CHARACTERS = 4_000  # a longer text is refused
METADATA_BYTES = 16_000
TS = re.compile(r"\d{10}\.\d{6}")


def content(team: Team, args: Json) -> Json:
    """What a message says: those of `text`, `blocks` and `metadata` that were given. Raises Refusal."""
    found: Json = {}
    blocks = structure(args, "blocks", "invalid_blocks_format")
    if args.get("attachments"):
        raise Refusal("invalid_attachments", ["the local workspace has no attachments; use blocks"])
    if args.get("markdown_text"):
        if args.get("text") or blocks:
            raise Refusal("markdown_text_conflict")
        blocks = [{"type": "markdown", "text": str(args["markdown_text"])}]
    if blocks is not None:
        found["blocks"] = check_message(blocks, team.file_ready)
    if args.get("text") is not None:
        found["text"] = str(args["text"])
    metadata = structure(args, "metadata", "invalid_metadata_format")
    if metadata is not None:
        found["metadata"] = checked_metadata(metadata)
    return found


def checked_metadata(metadata: Any) -> Json:
    """A message's metadata. Raises Refusal."""
    known = isinstance(metadata, dict) and isinstance(metadata.get("event_type"), str)
    if not known or not isinstance(metadata.get("event_payload"), dict):
        raise Refusal("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise Refusal("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": metadata["event_payload"]}


def parent(team: Team, channel: Json, args: Json) -> str | None:
    """The checked `thread_ts`. Raises Refusal."""
    thread_ts = args.get("thread_ts")
    if thread_ts is None or thread_ts == "":
        return None
    if not isinstance(thread_ts, str) or not TS.fullmatch(thread_ts):
        raise Refusal("invalid_thread_ts", [f"{thread_ts} is not a valid thread_ts"])
    row = team.store.message_row(channel["id"], thread_ts)
    if row is None:
        raise Refusal("thread_not_found")
    if row["thread_ts"] is not None or row["ephemeral_to"] is not None:
        raise Refusal("cannot_reply_to_message")
    return thread_ts


def bot_message(team: Team, channel: Json, said: Json, thread_ts: str | None) -> Json:
    """A new message of the bot."""
    message: Json = {
        "type": "message",
        "user": seed.BOT_USER,
        "bot_id": seed.BOT_ID,
        "app_id": seed.APP_ID,
        "team": seed.TEAM_ID,
        "ts": team.store.next_ts(),
        "text": "",
        "bot_profile": {"id": seed.BOT_ID, "app_id": seed.APP_ID, "name": seed.BOT_NAME, "team_id": seed.TEAM_ID},
        **said,
    }
    if thread_ts:
        message |= {"thread_ts": thread_ts, "parent_user_id": author(team, channel, thread_ts)}
    return message


def author(team: Team, channel: Json, ts: str) -> str:
    message = team.store.message(channel["id"], ts)
    return str(message["user"]) if message else ""


def post_message(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    thread_ts = parent(team, channel, args)
    said = content(team, args)
    if not said.get("text") and not said.get("blocks"):
        raise Refusal("no_text")
    said["text"] = said.get("text", "")[:POST_CHARACTERS]
    message = bot_message(team, channel, said, thread_ts)
    if thread_ts and flag(args, "reply_broadcast"):
        message["subtype"] = "thread_broadcast"
    shown = team.post(channel, message)
    return {"channel": channel["id"], "ts": shown["ts"], "message": shown}


def own(team: Team, channel: Json, ts: str, refusal: str) -> None:
    """Raises Refusal unless the message is one of the bot's."""
    row = team.store.message_row(channel["id"], ts)
    if row is None or row["ephemeral_to"] is not None:
        raise Refusal("message_not_found")
    if json.loads(row["body"]).get("bot_id") != seed.BOT_ID:
        raise Refusal(refusal)


def update(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    ts = text(args, "ts")
    own(team, channel, ts, "cant_update_message")
    said = content(team, args)
    if "text" not in said and not said.get("blocks"):
        raise Refusal("no_text")
    if len(said.get("text", "")) > UPDATE_CHARACTERS:
        raise Refusal("msg_too_long")
    # Fields that are not given stay as they were; an empty list takes the blocks away.
    if said.get("blocks") == []:
        said["blocks"] = None
    shown = team.change(channel, ts, said)
    return {"channel": channel["id"], "ts": ts, "text": shown["text"], "message": shown}


def delete(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    ts = text(args, "ts")
    own(team, channel, ts, "cant_delete_message")
    team.remove(channel, ts)
    return {"channel": channel["id"], "ts": ts}


def post_ephemeral(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    user = text(args, "user")
    if user not in team.store.members(channel):
        raise Refusal("user_not_in_channel")
    thread_ts = parent(team, channel, args)
    said = content(team, args)
    if not said.get("text") and not said.get("blocks"):
        raise Refusal("no_text")
    message = bot_message(team, channel, said, thread_ts) | {"is_ephemeral": True}
    return {"message_ts": team.post(channel, message, ephemeral_to=user)["ts"]}


def get_permalink(team: Team, args: Json) -> Json:
    channel = team.channel(text(args, "channel", ""))
    row = team.store.message_row(channel["id"], text(args, "message_ts"))
    if row is None:
        raise Refusal("message_not_found")
    link = f"{ORIGIN}/archives/{channel['id']}/p{row['ts'].replace('.', '')}"
    if row["thread_ts"]:
        link += f"?thread_ts={row['thread_ts']}&cid={channel['id']}"
    return {"channel": channel["id"], "permalink": link}


def set_status(team: Team, args: Json) -> Json:
    """assistant.threads.setStatus: shown beside the thread until the bot's next message or two minutes later."""
    channel = team.channel(text(args, "channel_id", ""))
    ts = text(args, "thread_ts")
    status = str(args.get("status", ""))
    team.live.tell({"type": "status", "channel": channel["id"], "thread_ts": ts, "status": status})
    return {}


METHODS = {
    "assistant.threads.setStatus": set_status,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
    "chat.postEphemeral": post_ephemeral,
    "chat.postMessage": post_message,
    "chat.update": update,
}
