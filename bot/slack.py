"""The outgoing side of Slack, and the only one: posts once, in a form that Slack takes, no faster than it may.

Exactly once over crashes: a post is intended in a ledger, sent with its key in the message's metadata, then recorded.
Intended but not recorded means that it may be there, so the thread is searched for the key before it is sent again.

The failure ladder: rich blocks, then plain text, then the text as a file, then one line with the request's id and a
button to try again. What was sent on a lower rung counts as posted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from slack_sdk import WebClient

from bot.errors import ContentRefused, SlackError, SlackUnreachable
from bot.slack_calls import Pace, call, patient
from bot.views.failed import unshowable
from bot.views.message import Message, cut, size, unescape
from storage.posts import Post

log = logging.getLogger(__name__)

EVENT_TYPE = "conjecture"
PLAIN_TEXT_LIMIT = 3_900  # Slack recommends 4,000 at most and cuts or splits what is longer
SENDING_ATTEMPTS = 3
FILE_READY_SECONDS = 30.0
_CLOCKS_DIFFER_SECONDS = 3_600.0  # by at most this much, ours and Slack's


class Posts(Protocol):
    """The ledger, see storage/posts.py."""

    def find(self, key: str) -> Post | None: ...

    def intend(self, key: str, channel: str, thread_ts: str | None) -> bool: ...

    def record(self, key: str, ts: str, digest: str, detail: Mapping[str, object] | None = None) -> None: ...


class Slack:
    """Thread-safe. Methods raise a `SlackError` of bot/errors.py where they do not say otherwise."""

    def __init__(self, client: WebClient, posts: Posts, *, seconds_between_messages: float = 1.0) -> None:
        self._client = patient(client)
        self._posts = posts
        self._pace = Pace(seconds_between_messages)
        self._locks = tuple(threading.Lock() for _ in range(64))

    def post(
        self,
        key: str,
        channel: str,
        thread_ts: str | None,
        message: Message,
        *,
        detail: Mapping[str, object] | None = None,
    ) -> str:
        """The message's ts. Sends unless it is there already; `detail` is kept with it in the ledger."""
        with self._lock(key):
            known = self._posts.find(key)
            if known is not None and known.ts is not None:
                return known.ts
            if known is None:
                self._posts.intend(key, channel, thread_ts)
            ts = self._find_sent(known) if known is not None else None
            if ts is None:
                ts = self._descend(key, channel, thread_ts, message)
            self._posts.record(key, ts, digest(message), detail)
            return ts

    def update(self, key: str, message: Message) -> bool:
        """Change what was posted under `key`. Best effort: False when it could not be changed, which is only logged."""
        with self._lock(key):
            known = self._posts.find(key)
            if known is None or known.ts is None:
                log.warning("cannot update %s: it was never posted", key)
                return False
            if known.digest == digest(message):
                return True
            place = {"channel": known.channel, "ts": known.ts}
            try:
                text = cut(message.text, PLAIN_TEXT_LIMIT)
                try:
                    call(self._client.chat_update, **place, text=text, blocks=list(message.blocks))
                except ContentRefused:
                    call(self._client.chat_update, **place, text=text, blocks=[])
            except SlackError as error:
                log.warning("cannot update %s: %s", key, error)
                return False
            self._posts.record(key, known.ts, digest(message))
            return True

    def ephemeral(self, channel: str, user: str, message: Message, thread_ts: str | None = None) -> bool:
        """Show a message to one person only. Best effort: False when it could not be shown, which is only logged."""
        place = {"channel": channel, "user": user} | ({"thread_ts": thread_ts} if thread_ts else {})
        try:
            try:
                call(self._client.chat_postEphemeral, **place, text=message.text, blocks=list(message.blocks))
            except ContentRefused:
                call(self._client.chat_postEphemeral, **place, text=cut(message.text, PLAIN_TEXT_LIMIT))
        except SlackError as error:
            log.warning("cannot tell %s in %s: %s", user, channel, error)
            return False
        return True

    def open(self, trigger_id: str, view: Mapping[str, Any]) -> bool:
        """Show a form to whoever clicked; a trigger lives for three seconds. False when it could not be opened."""
        try:
            call(self._client.views_open, trigger_id=trigger_id, view=view)
        except SlackError as error:
            log.warning("cannot open a form: %s", error)
            return False
        return True

    def upload(self, key: str, data: bytes, name: str, title: str) -> str:
        """The id of a file that only the bot sees, ready to be shown in an image block."""
        with self._lock(key):
            known = self._posts.find(key)
            if known is not None and known.ts is not None:
                return known.ts
            self._posts.intend(key, "", None)
            file_id = self._uploaded(data, name, title)
            self._await_mimetype(file_id)
            self._posts.record(key, file_id, hashlib.sha256(data).hexdigest())
            return file_id

    def attach(self, key: str, channel: str, thread_ts: str | None, data: bytes, name: str, title: str) -> str:
        """The id of a file that stands in the thread, for people to open. `name` is unique within the thread."""
        with self._lock(key):
            return self._attach(key, channel, thread_ts, data, name, title)

    # --- sending

    def _descend(self, key: str, channel: str, thread_ts: str | None, message: Message) -> str:
        """Send on the first rung of the ladder that Slack takes."""
        rungs = [message]
        if message.blocks and size(message.text) <= PLAIN_TEXT_LIMIT:
            rungs.append(Message(text=message.text, request_id=message.request_id))
        for rung in rungs:
            try:
                return self._send(key, channel, thread_ts, rung)
            except ContentRefused as error:
                log.warning("a simpler form for %s: %s", key, error)
        return self._send_as_file(key, channel, thread_ts, message)

    def _send_as_file(self, key: str, channel: str, thread_ts: str | None, message: Message) -> str:
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:12]}.txt"
        text = unescape(message.text).encode("utf-8", errors="replace")
        try:
            self._attach(f"{key}/as-file", channel, thread_ts, text, name, "The answer as text")
        except SlackError as error:
            log.warning("only a line for %s: %s", key, error)
            return self._send(key, channel, thread_ts, unshowable(message.request_id))
        start = cut(message.text.partition("\n")[0], 300)
        note = f"{start}\nSlack did not take the message itself, so all of it is in the file {name}."
        return self._send(key, channel, thread_ts, Message(text=note))

    def _send(self, key: str, channel: str, thread_ts: str | None, message: Message) -> str:
        """Send once. When the connection breaks, the message may be there: look before sending again."""
        arguments: dict[str, Any] = {"channel": channel, "text": message.text}
        if message.blocks:
            arguments["blocks"] = list(message.blocks)
        if thread_ts:
            arguments["thread_ts"] = thread_ts
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
        for attempt in range(SENDING_ATTEMPTS):
            self._pace.wait(channel)
            try:
                answer = call(
                    self._client.chat_postMessage,
                    **arguments,
                    metadata=metadata,
                    unfurl_links=False,
                    unfurl_media=False,
                )
                return str(answer["ts"])
            except SlackUnreachable:
                if attempt == SENDING_ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * 2**attempt)
                known = self._posts.find(key)
                ts = self._find_sent(known) if known is not None else None
                if ts is not None:
                    return ts
        raise AssertionError("unreachable: the last attempt returns or raises")

    # --- searching what was sent before a crash

    def _find_sent(self, post: Post) -> str | None:
        for message in self._messages(post.channel, post.thread_ts, post.intended_at):
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT_TYPE and payload.get("key") == post.key:
                return str(message["ts"])
        return None

    def _find_attached(self, post: Post, name: str) -> str | None:
        for message in self._messages(post.channel, post.thread_ts, post.intended_at):
            files: Sequence[Mapping[str, Any]] = message.get("files") or []
            for file in files:
                if file.get("name") == name and message.get("bot_id"):
                    return str(file["id"])
        return None

    def _messages(self, channel: str, thread_ts: str | None, since: datetime) -> Iterator[Mapping[str, Any]]:
        """Messages of a thread, or of a channel where there is none, from about `since` on."""
        oldest = f"{since.timestamp() - _CLOCKS_DIFFER_SECONDS:.6f}"
        arguments: dict[str, Any] = {"channel": channel, "oldest": oldest, "limit": 200, "include_all_metadata": True}
        method: Callable[..., Any] = self._client.conversations_history
        if thread_ts:
            arguments["ts"] = thread_ts
            method = self._client.conversations_replies
        while True:
            answer = call(method, **arguments)
            yield from answer.get("messages") or []
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            arguments["cursor"] = cursor

    # --- files

    def _attach(self, key: str, channel: str, thread_ts: str | None, data: bytes, name: str, title: str) -> str:
        known = self._posts.find(key)
        if known is not None and known.ts is not None:
            return known.ts
        if known is None:
            self._posts.intend(key, channel, thread_ts)
        file_id = self._find_attached(known, name) if known is not None else None
        if file_id is None:
            self._pace.wait(channel)
            file_id = self._uploaded(data, name, title, channel, thread_ts)
        self._posts.record(key, file_id, hashlib.sha256(data).hexdigest())
        return file_id

    def _uploaded(
        self, data: bytes, name: str, title: str, channel: str | None = None, thread_ts: str | None = None
    ) -> str:
        answer = call(
            self._client.files_upload_v2,
            file=data,
            filename=name,
            title=title,
            channel=channel,
            thread_ts=thread_ts,
        )
        return str(answer["files"][0]["id"])

    def _await_mimetype(self, file_id: str) -> None:
        """Slack completes uploads later; until then an image block that shows the file is refused."""
        deadline, pause = time.monotonic() + FILE_READY_SECONDS, 0.05
        while not call(self._client.files_info, file=file_id)["file"].get("mimetype"):
            if time.monotonic() > deadline:
                raise SlackUnreachable(
                    f"Slack did not complete the upload of file {file_id} within {FILE_READY_SECONDS:.0f} s. Try again."
                )
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _lock(self, key: str) -> threading.Lock:
        return self._locks[hash(key) % len(self._locks)]


def digest(message: Message) -> str:
    """Of what people see; the same content is not sent again as an update."""
    content = json.dumps([message.text, message.blocks], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
