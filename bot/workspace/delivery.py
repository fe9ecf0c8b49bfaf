"""Socket Mode: events wait in the store until an app acknowledges them; interactions are asked at once.

An event that is not acknowledged within `ack_seconds` is sent again at once, then after a minute, then after five, as
Slack does; an event whose connection was lost, or which was pending when the workspace ended, is sent again as well.
Each envelope goes to one connection.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.workspace import seed
from bot.workspace.seed import Json
from bot.workspace.store import Store

TICKET_SECONDS = 30
DRAIN_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The workspace's clocks, in seconds. Slack's values; tests may shorten them."""

    ack_seconds: float = 3.0
    retry_seconds: tuple[float, ...] = (0.0, 60.0, 300.0)
    refresh_seconds: float = 3600.0
    upload_seconds: float = 0.3  # how long an uploaded file has no mimetype yet


class Unanswered(Exception):
    """No app is connected, or it did not acknowledge an interaction in time."""


@dataclass(eq=False)
class Link:
    """One connected app."""

    socket: WebSocket
    draining: bool = False
    sent: set[str] = field(default_factory=set)


class Delivery:
    """What goes to the app. Used on the server's event loop only.

    `render` turns a value into the JSON that leaves; `presence` is called when the app came or went.
    """

    def __init__(
        self, store: Store, timing: Timing, render: Callable[[Json], str], presence: Callable[[], None]
    ) -> None:
        self.store = store
        self.timing = timing
        self.render = render
        self.presence = presence
        self.links: list[Link] = []
        self._tickets: dict[str, float] = {}
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._wake = asyncio.Event()
        self._linked = asyncio.Event()
        store.run("DELETE FROM envelopes WHERE due_at IS NULL")
        store.run("UPDATE envelopes SET due_at = 0")

    @property
    def connected(self) -> bool:
        return any(not link.draining for link in self.links)

    def ticket(self) -> str:
        """A ticket for one connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = time.time() + TICKET_SECONDS
        return ticket

    def queue(self, payload: Json) -> None:
        """Keep an event for the app. Call it in the transaction of what it tells."""
        sql = "INSERT INTO envelopes (envelope_id, payload, due_at) VALUES (?, ?, 0)"
        self.store.run(sql, str(uuid.uuid4()), json.dumps(payload))
        self._wake.set()

    async def ask(self, kind: str, payload: Json) -> Json:
        """Send an interaction and return what the app acknowledged it with. Raises Unanswered."""
        envelope_id = str(uuid.uuid4())
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[envelope_id] = answer
        try:
            async with asyncio.timeout(self.timing.ack_seconds):
                await self._linked.wait()
                link = self._link()
                envelope = {"envelope_id": envelope_id, "payload": payload, "type": kind}
                await link.socket.send_text(self.render({**envelope, "accepts_response_payload": True}))
                return await answer
        except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:
            raise Unanswered(f"the app did not acknowledge within {self.timing.ack_seconds} s") from error
        finally:
            del self._answers[envelope_id]

    async def run(self) -> None:
        """Send what is due, for as long as the server runs."""
        while True:
            self._wake.clear()
            pause = await self._send_due() if self.connected else None
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def _send_due(self) -> float | None:
        """Send every due event; return the seconds until the next one, or None when none is left."""
        due = "SELECT * FROM envelopes WHERE due_at <= ? ORDER BY number LIMIT 50"
        while rows := self.store.all(due, time.time()):
            for row in rows:
                if not self.connected:
                    return None
                await self._send(row["envelope_id"], json.loads(row["payload"]), row["attempt"])
        soonest = self.store.one("SELECT min(due_at) AS due FROM envelopes WHERE due_at IS NOT NULL")
        return max(0.01, soonest["due"] - time.time()) if soonest and soonest["due"] is not None else None

    async def _send(self, envelope_id: str, payload: Json, attempt: int) -> None:
        envelope: Json = {"envelope_id": envelope_id, "payload": payload, "type": "events_api"}
        envelope |= {"accepts_response_payload": False, "retry_attempt": attempt}
        envelope["retry_reason"] = "timeout" if attempt else ""
        retries = self.timing.retry_seconds
        pause = self.timing.ack_seconds + retries[attempt] if attempt < len(retries) else None
        due_at = None if pause is None else time.time() + pause
        link = self._link()
        link.sent.add(envelope_id)
        # Written before it is sent: the acknowledgement may be quicker than this line.
        self.store.run(
            "UPDATE envelopes SET attempt = ?, due_at = ? WHERE envelope_id = ?", attempt + 1, due_at, envelope_id
        )
        try:
            await link.socket.send_text(self.render(envelope))
        except (WebSocketDisconnect, RuntimeError):
            self._drop(link)

    def _link(self) -> Link:
        """The connection that gets the next envelope: each in turn."""
        link = next(link for link in self.links if not link.draining)
        self.links.remove(link)
        self.links.append(link)
        return link

    async def attend(self, socket: WebSocket) -> None:
        """One app's connection, from its handshake to its end."""
        if self._tickets.pop(socket.query_params.get("ticket", ""), 0) < time.time():
            await socket.close(1008)
            return
        await socket.accept()
        link = Link(socket)
        self.links.append(link)
        await socket.send_text(json.dumps(self._hello()))
        self._settle()
        self._wake.set()
        refresh = asyncio.create_task(self._refresh(link))
        try:
            while True:
                self._acknowledged(json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, json.JSONDecodeError):
            pass  # gone, or not speaking the protocol: either way this connection has ended
        finally:
            refresh.cancel()
            self._drop(link)

    def _hello(self) -> Json:
        seconds = int(self.timing.refresh_seconds)
        return {
            "type": "hello",
            "num_connections": len(self.links),
            "connection_info": {"app_id": seed.APP_ID},
            "debug_info": {"host": "local", "build_number": 1, "approximate_connection_time": seconds},
        }

    async def _refresh(self, link: Link) -> None:
        await asyncio.sleep(self.timing.refresh_seconds)
        link.draining = True
        self._settle()
        await link.socket.send_text(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))
        await asyncio.sleep(DRAIN_SECONDS)
        await link.socket.close(1000)

    def _acknowledged(self, message: Any) -> None:
        envelope_id = message.get("envelope_id") if isinstance(message, dict) else None
        if not isinstance(envelope_id, str):
            return
        answer = self._answers.get(envelope_id)
        if answer is not None:
            if not answer.done():
                answer.set_result(message.get("payload") or {})
            return
        self.store.run("DELETE FROM envelopes WHERE envelope_id = ?", envelope_id)
        for link in self.links:
            link.sent.discard(envelope_id)

    def _drop(self, link: Link) -> None:
        """Forget a connection; what it did not acknowledge goes to the next one."""
        if link not in self.links:
            return
        self.links.remove(link)
        self._settle()
        due_at = time.time() + self.timing.ack_seconds
        for envelope_id in link.sent:
            self.store.run("UPDATE envelopes SET due_at = ? WHERE envelope_id = ?", due_at, envelope_id)
        self._wake.set()

    def _settle(self) -> None:
        if self.connected:
            self._linked.set()
        else:
            self._linked.clear()
        self.presence()
