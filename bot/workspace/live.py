"""Tells open pages that something changed. A page that misses a note loses nothing: it reads the state again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from bot.workspace.seed import Json

HEARTBEAT_SECONDS = 15.0


class Live:
    """Server-sent events for every open page. Used on the server's event loop only."""

    def __init__(self) -> None:
        self._pages: set[asyncio.Queue[Json | None]] = set()

    def tell(self, note: Json) -> None:
        """Send `note` to every page."""
        for page in self._pages:
            page.put_nowait(note)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for page in self._pages:
            page.put_nowait(None)

    async def stream(self) -> AsyncIterator[str]:
        """The notes from now on, as text/event-stream."""
        page: asyncio.Queue[Json | None] = asyncio.Queue()
        self._pages.add(page)
        try:
            yield 'data: {"type": "hello"}\n\n'
            while True:
                try:
                    note = await asyncio.wait_for(page.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if note is None:
                    return
                yield f"data: {json.dumps(note)}\n\n"
        finally:
            self._pages.discard(page)
