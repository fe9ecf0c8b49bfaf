"""WorkspaceClient: a person in the local workspace, for programs. Routes: local_api.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]


class WorkspaceError(Exception):
    """The workspace refused; `code` is Slack's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message != code else code)
        self.code = code


class WorkspaceClient:
    """A person at the workspace whose page is at `url`.

    Channels are named or given by id, users too; without `user` it is Ada. Every method raises WorkspaceError when
    the workspace refuses, and httpx.HTTPError when it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> WorkspaceClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, path: str, **query: str | int | None) -> Json:
        given = {name: value for name, value in query.items() if value is not None}
        return self._value(self._http.get(f"local/{path}", params=given))

    def _post(self, path: str, **body: Any) -> Json:
        given = {name: value for name, value in body.items() if value is not None}
        return self._value(self._http.post(f"local/{path}", json=given))

    def _value(self, response: httpx.Response) -> Json:
        if response.status_code == 400:
            said = response.json()
            raise WorkspaceError(said["error"], said["message"])
        response.raise_for_status()
        value: Json = response.json()
        return value

    def state(self, *, user: str | None = None) -> Json:
        """Users, channels with their unread counts, and whether the bot is connected."""
        return self._get("state", user=user)

    def post(
        self,
        text: str,
        *,
        channel: str = "research",
        thread_ts: str | None = None,
        user: str | None = None,
        files: Sequence[Path] = (),
    ) -> str:
        """Write a message, with files, into a channel or a thread. Returns its ts."""
        ids = [self.upload(path.name, path.read_bytes(), user=user) for path in files]
        said = self._post("messages", text=text, channel=channel, thread_ts=thread_ts, user=user, files=ids)
        return str(said["ts"])

    def upload(self, name: str, content: bytes, *, user: str | None = None) -> str:
        """Store a file that a message can name. Returns its id."""
        query = {"name": name} | ({"user": user} if user else {})
        response = self._http.post("local/files", params=query, content=content)
        return str(self._value(response)["file"]["id"])

    def messages(self, channel: str = "research", *, user: str | None = None, limit: int | None = None) -> list[Json]:
        """A channel as `user` sees it, oldest first."""
        found: list[Json] = self._get("messages", channel=channel, user=user, limit=limit)["messages"]
        return found

    def thread(self, channel: str, ts: str, *, user: str | None = None) -> list[Json]:
        """A thread as `user` sees it: the parent, then the replies."""
        found: list[Json] = self._get("thread", channel=channel, ts=ts, user=user)["messages"]
        return found

    def click(
        self,
        message_ts: str,
        action_id: str,
        value: str | None = None,
        user: str | None = None,
        *,
        channel: str = "research",
        block_id: str | None = None,
    ) -> bool:
        """Use a button, a vote, a menu of a message. `value` is the vote's or option's value; with one action_id in
        several blocks, the button's. Returns whether the app acknowledged in time."""
        where = {"channel": channel, "message_ts": message_ts, "block_id": block_id}
        return bool(self._post("actions", action_id=action_id, value=value, user=user, **where)["acknowledged"])

    def react(self, channel: str, ts: str, name: str, *, user: str | None = None) -> bool:
        """Add a reaction, or take it back. Returns whether it is there now."""
        return bool(self._post("reactions", channel=channel, ts=ts, name=name, user=user)["added"])

    def read(self, channel: str, *, user: str | None = None) -> None:
        """Mark everything in the channel as read."""
        self._post("read", channel=channel, user=user)

    def open_home(self, tab: str, *, user: str | None = None) -> None:
        """Open the bot's "home" or "messages" tab."""
        self._post("home", tab=tab, user=user)

    def views(self, *, user: str | None = None) -> list[Json]:
        """The user's open modals, the bottom one first."""
        found: list[Json] = self._get("views", user=user)["modals"]
        return found

    def submit(self, view_id: str, values: Json, *, user: str | None = None) -> Json:
        """Submit a modal; `values` is block id -> value. Returns {"closed", "errors"}."""
        return self._post("views/submit", view_id=view_id, values=values, user=user)

    def add_user(self, name: str, **marks: Any) -> Json:
        """One more person; `marks` such as is_restricted=True make them a guest. Returns the user."""
        user: Json = self._post("users", name=name, **marks)["user"]
        return user

    def download(self, file_id: str) -> bytes:
        """The bytes of a file."""
        response = self._http.get(f"local/files/{file_id}")
        response.raise_for_status()
        return response.content
