"""Team: what every route works with, and the things that happen in it: a post, an edit, a deletion, a reaction.

Each of them is one transaction with the events that tell the app of it, so that none is lost and none is invented.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping

from bot.workspace import payloads, seed
from bot.workspace.delivery import Delivery, Timing
from bot.workspace.grants import Grants
from bot.workspace.live import Live
from bot.workspace.rates import Limiter, Rate
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.store import ORIGIN, Store

TRIGGER_SECONDS = 3
HOOK_SECONDS = 30 * 60
HOOK_USES = 5


class Team:
    """A workspace at work. Used on the server's event loop only. `base_url` is set once the server's port is known."""

    def __init__(self, store: Store, grants: Grants, rates: Mapping[str, Rate], timing: Timing) -> None:
        self.store = store
        self.grants = grants
        self.timing = timing
        self.base_url = ORIGIN
        self.live = Live()
        self.limiter = Limiter(rates)
        self.delivery = Delivery(store, timing, self.render, lambda: self.live.tell({"type": "people"}))
        self.bot_token = store.fact("bot_token", "")
        self.app_token = store.fact("app_token", "")
        self._triggers: dict[str, tuple[str, float]] = {}

    def render(self, value: Json) -> str:
        """The JSON that leaves the workspace, with its present address in it."""
        return json.dumps(value).replace(ORIGIN, self.base_url)

    # --- what happens

    def post(self, channel: Json, message: Json, *, ephemeral_to: str | None = None) -> Json:
        """Store a new message, tell the app and the pages, and return it as it is shown."""
        with self.store.transaction():
            self.store.add_message(channel["id"], message, ephemeral_to=ephemeral_to)
            shown = self.store.message(channel["id"], message["ts"])
            assert shown is not None
            if ephemeral_to is None:
                self._tell_app(*payloads.posted(channel, shown))
        self._tell_pages(channel, message)
        return shown

    def change(self, channel: Json, ts: str, changes: Json) -> Json:
        """Edit a message: `changes` are the fields that are new; None takes a field away."""
        row = self.store.message_row(channel["id"], ts)
        before = self.store.message(channel["id"], ts)
        assert row is not None
        assert before is not None
        now = self.store.next_ts()
        body: Json = json.loads(row["body"]) | changes | {"edited": {"user": seed.BOT_USER, "ts": now}}
        with self.store.transaction():
            self.store.set_message(channel["id"], {k: v for k, v in body.items() if v is not None})
            after = self.store.message(channel["id"], ts)
            assert after is not None
            if row["ephemeral_to"] is None:
                self._tell_app(payloads.changed(channel, before, after, now))
        self._tell_pages(channel, after)
        return after

    def remove(self, channel: Json, ts: str) -> None:
        """Delete a message."""
        row = self.store.message_row(channel["id"], ts)
        before = self.store.message(channel["id"], ts)
        assert row is not None
        assert before is not None
        with self.store.transaction():
            self.store.delete_message(channel["id"], ts)
            if row["ephemeral_to"] is None:
                self._tell_app(payloads.deleted(channel, before, self.store.next_ts()))
        self._tell_pages(channel, before)

    def react(self, channel: str, ts: str, name: str, user: str, *, add: bool) -> None:
        """Add or take back a reaction. Raises Refusal as reactions.add and reactions.remove do."""
        message = self.store.message(channel, ts)
        if message is None:
            raise Refusal("message_not_found")
        with self.store.transaction():
            if add:
                done = self.store.run("INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?)", channel, ts, name, user)
            else:
                sql = "DELETE FROM reactions WHERE channel = ? AND ts = ? AND name = ? AND user = ?"
                done = self.store.run(sql, channel, ts, name, user)
            if not done:
                raise Refusal("already_reacted" if add else "no_reaction")
            kind = "reaction_added" if add else "reaction_removed"
            self._tell_app(payloads.reaction(kind, channel, message, name, user, self.store.next_ts()))
        self.live.tell({"type": "message", "channel": channel, "ts": ts, "thread_ts": message.get("thread_ts")})

    def open_home(self, user: str, tab: str) -> None:
        """A person opened the bot's Home or Messages tab."""
        view = self.store.one("SELECT body FROM views WHERE id = ?", f"V0HOME{user}")
        channel = seed.direct(user)["id"]
        body = json.loads(view["body"]) if view else None
        with self.store.transaction():
            self._tell_app(payloads.home_opened(user, channel, tab, body, self.store.next_ts()))

    def _tell_app(self, *events: Json) -> None:
        for event in filter(self.grants.hears, events):
            self.delivery.queue(payloads.event_callback(event))

    def _tell_pages(self, channel: Json, message: Json) -> None:
        place = {"channel": channel["id"], "ts": message["ts"], "thread_ts": message.get("thread_ts")}
        self.live.tell({"type": "message", **place, "user": message["user"]})

    # --- finding things

    def channel(self, reference: str) -> Json:
        """By id, by name with or without `#`, or by user id (their direct message). Raises Refusal."""
        name = reference.removeprefix("#")
        for channel in self.store.channels():
            if reference in (channel["id"], channel.get("user")) or name == channel.get("name"):
                return channel
        raise Refusal("channel_not_found")

    def user(self, user_id: str) -> Json:
        found = self.store.user(user_id)
        if found is None:
            raise Refusal("user_not_found")
        return found

    def file_ready(self, reference: str) -> bool:
        """Whether a Slack file, named by id or by private URL, is a finished image."""
        path = reference.removeprefix(ORIGIN).removeprefix(self.base_url)
        file_id = path.split("/")[2] if path.startswith("/files/") else reference
        file = self.store.file(file_id)
        return file is not None and file["mimetype"].startswith("image/")

    # --- permits of a short life

    def trigger(self, user: str) -> str:
        """A trigger id with which a view may be opened for `user`, once and soon."""
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.token_hex(8)}"
        self._triggers[trigger_id] = (user, time.monotonic() + TRIGGER_SECONDS)
        return trigger_id

    def spend_trigger(self, trigger_id: str) -> str:
        """The user of a trigger id. Raises Refusal when it is unknown, was used, or is too old."""
        user, expires = self._triggers.pop(trigger_id, ("", 0.0))
        if not user:
            raise Refusal("invalid_trigger_id")
        if expires < time.monotonic():
            raise Refusal("expired_trigger_id")
        return user

    def hook(self, channel: str, ts: str, user: str) -> str:
        """The token of a response_url for a message."""
        token = secrets.token_urlsafe(18)
        expires = time.time() + HOOK_SECONDS
        self.store.run("INSERT INTO hooks VALUES (?, ?, ?, ?, ?, ?)", token, channel, ts, user, HOOK_USES, expires)
        return token
