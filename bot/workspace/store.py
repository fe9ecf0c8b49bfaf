"""What the workspace keeps: one SQLite file (`workspace.db`) and a folder (`files/`) under its home.

Every stored JSON names the server as `ORIGIN`; the real address is put in when a value leaves, so that a workspace may
come back on another port. One thread uses a store at a time: the server's.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.workspace import seed
from bot.workspace.seed import Json

ORIGIN = "http://workspace.invalid"

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS channels (id TEXT PRIMARY KEY, body TEXT NOT NULL, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    channel TEXT NOT NULL, ts TEXT NOT NULL, thread_ts TEXT, broadcast INTEGER NOT NULL DEFAULT 0,
    ephemeral_to TEXT, body TEXT NOT NULL, PRIMARY KEY (channel, ts));
CREATE INDEX IF NOT EXISTS threads ON messages (channel, thread_ts, ts);
CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, state TEXT NOT NULL, ready_at REAL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reactions (
    channel TEXT NOT NULL, ts TEXT NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL,
    PRIMARY KEY (channel, ts, name, user));
CREATE TABLE IF NOT EXISTS presses (
    channel TEXT NOT NULL, ts TEXT NOT NULL, block_id TEXT NOT NULL, action_id TEXT NOT NULL, user TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (channel, ts, block_id, action_id, user));
CREATE TABLE IF NOT EXISTS views (id TEXT PRIMARY KEY, user TEXT NOT NULL, open INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS envelopes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, envelope_id TEXT NOT NULL UNIQUE, payload TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0, due_at REAL);
CREATE TABLE IF NOT EXISTS hooks (
    token TEXT PRIMARY KEY, channel TEXT NOT NULL, ts TEXT NOT NULL, user TEXT NOT NULL, uses INTEGER NOT NULL,
    expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS reads (user TEXT NOT NULL, channel TEXT NOT NULL, ts TEXT NOT NULL,
    PRIMARY KEY (user, channel));
"""


def new_id(prefix: str, length: int = 10) -> str:
    """A fresh id in Slack's alphabet: `prefix` and `length` upper-case letters and digits."""
    return prefix + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(length))


class Store:
    """Rows in, JSON out. Raises sqlite3.Error when the file cannot be used."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.files = home / "files"
        self.files.mkdir(exist_ok=True)
        self.database = sqlite3.connect(home / "workspace.db", isolation_level=None, check_same_thread=False)
        self.database.row_factory = sqlite3.Row
        # NORMAL in WAL mode survives the death of the process (not of the machine), which is what is promised.
        self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self._seed()
        row = self.one("SELECT max(ts) AS ts FROM messages")
        self._last = int(((row and row["ts"]) or "0").replace(".", ""))

    def _seed(self) -> None:
        with self.transaction():
            for user in seed.USERS:
                self.run("INSERT OR IGNORE INTO users VALUES (?, ?)", user["id"], json.dumps(user))
            for channel in seed.CHANNELS:
                body, now = json.dumps(channel), int(time.time())
                self.run("INSERT OR IGNORE INTO channels VALUES (?, ?, ?)", channel["id"], body, now)
            self.fact("bot_token", "xoxb-" + secrets.token_hex(16))
            self.fact("app_token", "xapp-1-" + secrets.token_hex(16))

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. May be nested: the outermost one decides."""
        if self.database.in_transaction:
            yield
            return
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    def run(self, sql: str, *values: object) -> int:
        """Run one statement and return how many rows it changed."""
        return self.database.execute(sql, values).rowcount

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.database.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self.database.execute(sql, values).fetchall()

    def fact(self, name: str, default: str) -> str:
        """The value kept under `name`; `default` is kept when there is none yet."""
        self.run("INSERT OR IGNORE INTO facts VALUES (?, ?)", name, default)
        row = self.one("SELECT value FROM facts WHERE name = ?", name)
        assert row is not None
        return str(row["value"])

    def next_ts(self) -> str:
        """A message timestamp, unique in this workspace and later than every earlier one."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    # --- people and channels

    def users(self) -> list[Json]:
        return [json.loads(row["body"]) for row in self.all("SELECT body FROM users ORDER BY rowid")]

    def user(self, user_id: str) -> Json | None:
        row = self.one("SELECT body FROM users WHERE id = ?", user_id)
        return json.loads(row["body"]) if row else None

    def add_user(self, user: Json) -> None:
        """A new person, with a direct-message channel to the bot."""
        direct = seed.direct(user["id"])
        with self.transaction():
            self.run("INSERT INTO users VALUES (?, ?)", user["id"], json.dumps(user))
            self.run("INSERT INTO channels VALUES (?, ?, ?)", direct["id"], json.dumps(direct), int(time.time()))

    def channels(self) -> list[Json]:
        rows = self.all("SELECT * FROM channels ORDER BY rowid")
        return [{**json.loads(row["body"]), "created": row["created"]} for row in rows]

    def channel(self, channel_id: str) -> Json | None:
        row = self.one("SELECT * FROM channels WHERE id = ?", channel_id)
        return {**json.loads(row["body"]), "created": row["created"]} if row else None

    def members(self, channel: Json) -> list[str]:
        """User ids: both sides of a direct message, else everybody who is still there."""
        if channel["is_im"]:
            return [channel["user"], seed.BOT_USER]
        return [user["id"] for user in self.users() if not user["deleted"]]

    # --- messages

    def add_message(self, channel: str, message: Json, *, ephemeral_to: str | None = None) -> None:
        thread_ts = message.get("thread_ts")
        broadcast = message.get("subtype") == "thread_broadcast"
        self.run(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
            *(channel, message["ts"], thread_ts, broadcast, ephemeral_to, json.dumps(message)),
        )

    def set_message(self, channel: str, message: Json) -> None:
        self.run(
            "UPDATE messages SET body = ? WHERE channel = ? AND ts = ?", json.dumps(message), channel, message["ts"]
        )

    def delete_message(self, channel: str, ts: str) -> None:
        for table in ("messages", "reactions", "presses"):
            self.run(f"DELETE FROM {table} WHERE channel = ? AND ts = ?", channel, ts)

    def message_row(self, channel: str, ts: str) -> sqlite3.Row | None:
        return self.one("SELECT * FROM messages WHERE channel = ? AND ts = ?", channel, ts)

    def message(self, channel: str, ts: str) -> Json | None:
        row = self.message_row(channel, ts)
        return self.decorated([row])[0] if row else None

    def history(self, channel: str, viewer: str | None = None, last: int = -1) -> list[Json]:
        """The channel's own messages and broadcast replies, oldest first; `viewer` also sees what only they may see.

        Only the `last` so many when it is given.
        """
        rows = self.all(
            "SELECT * FROM messages WHERE channel = ? AND (thread_ts IS NULL OR broadcast) "
            "AND (ephemeral_to IS NULL OR ephemeral_to = ?) ORDER BY ts DESC LIMIT ?",
            *(channel, viewer, last),
        )
        return self.decorated(rows[::-1])

    def thread(self, channel: str, ts: str, viewer: str | None = None) -> list[Json]:
        """The parent and its replies, oldest first; empty when there is no such parent."""
        rows = self.all(
            "SELECT * FROM messages WHERE channel = ? AND (ts = ? OR thread_ts = ?) "
            "AND (ephemeral_to IS NULL OR ephemeral_to = ?) ORDER BY ts",
            *(channel, ts, ts, viewer),
        )
        return self.decorated(rows) if rows and rows[0]["ts"] == ts else []

    def decorated(self, rows: Sequence[sqlite3.Row]) -> list[Json]:
        """Message bodies with what is kept elsewhere: files, reactions, the count of replies."""
        messages = []
        for row in rows:
            body: Json = json.loads(row["body"])
            if "file_ids" in body:
                found = [self.file(file_id) for file_id in body.pop("file_ids")]
                body["files"] = [file for file in found if file]
            if reactions := self.reactions(row["channel"], row["ts"]):
                body["reactions"] = reactions
            if row["thread_ts"] is None and row["ephemeral_to"] is None:
                body |= self._replies(row["channel"], row["ts"])
            messages.append(body)
        return messages

    def _replies(self, channel: str, ts: str) -> Json:
        rows = self.all(
            "SELECT ts, json_extract(body, '$.user') AS user FROM messages "
            "WHERE channel = ? AND thread_ts = ? AND ephemeral_to IS NULL ORDER BY ts",
            *(channel, ts),
        )
        if not rows:
            return {}
        users = list(dict.fromkeys(row["user"] for row in rows))
        return {
            "thread_ts": ts,
            "reply_count": len(rows),
            "reply_users": users[:5],
            "reply_users_count": len(users),
            "latest_reply": rows[-1]["ts"],
        }

    def reactions(self, channel: str, ts: str) -> list[Json]:
        rows = self.all("SELECT * FROM reactions WHERE channel = ? AND ts = ? ORDER BY rowid", channel, ts)
        names = list(dict.fromkeys(row["name"] for row in rows))
        users = {name: [row["user"] for row in rows if row["name"] == name] for name in names}
        return [{"name": name, "users": users[name], "count": len(users[name])} for name in names]

    # --- files

    def add_file(self, file: Json, state: str) -> None:
        self.run("INSERT INTO files VALUES (?, ?, NULL, ?)", file["id"], state, json.dumps(file))

    def set_file(self, file: Json, state: str, ready_at: float | None) -> None:
        sql = "UPDATE files SET state = ?, ready_at = ?, body = ? WHERE id = ?"
        self.run(sql, state, ready_at, json.dumps(file), file["id"])

    def file_state(self, file_id: str) -> str | None:
        row = self.one("SELECT state FROM files WHERE id = ?", file_id)
        return row["state"] if row else None

    def file(self, file_id: str) -> Json | None:
        """The file as `files.info` shows it: until it is ready, without a `mimetype`."""
        row = self.one("SELECT * FROM files WHERE id = ? AND state = 'complete'", file_id)
        if row is None:
            return None
        body: Json = json.loads(row["body"])
        if row["ready_at"] is None or row["ready_at"] > time.time():
            body |= {"mimetype": "", "filetype": "", "pretty_type": ""}
        return body

    def raw_file(self, file_id: str) -> Json | None:
        """The file in whatever state it is."""
        row = self.one("SELECT body FROM files WHERE id = ?", file_id)
        return json.loads(row["body"]) if row else None

    def content(self, file_id: str) -> Path:
        return self.files / file_id
