"""Asking a public catalogue of papers politely: cached, one request after the other, faults in words."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import httpx

from engine.errors import PaperError

AGENT = "conjecture (research assistant; reads papers that its users name)"
CONNECT_SECONDS, TIMEOUT_SECONDS = 5.0, 30.0
BUSY = (429, 502, 503, 504)
TRIES = 3
LONGEST_PAUSE = 20.0  # seconds that a server may ask us to wait; it asks for more: people are told
MOST_BYTES = 64 << 20


class NotThere(PaperError):
    """The catalogue answered, and does not have it."""


class Web:
    """GETs below one address. Thread-safe. Every answer is kept in `folder` for as long as the call allows.

    pause_seconds: between two requests, as the catalogue's terms ask for. What is in the cache costs no pause.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        folder: Path | None = None,
        pause_seconds: float = 1.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._pause = pause_seconds
        self._lock = Lock()
        self._last = -float("inf")
        self._client = httpx.Client(
            base_url=base_url.rstrip("/") + "/",
            headers={"User-Agent": AGENT, **(headers or {})},
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=True,
            transport=transport,
        )

    def get(self, path: str, params: Mapping[str, str] | None = None, *, days: float) -> bytes:
        """The body. One that was read within `days` is not asked for again. Raises PaperError; NotThere for a 404."""
        asked = self._client.build_request("GET", path, params=dict(params or {}))
        kept = self._folder / hashlib.sha256(str(asked.url).encode()).hexdigest() if self._folder else None
        if kept and kept.is_file() and time.time() - kept.stat().st_mtime < days * 86_400:
            return kept.read_bytes()
        body = self._ask(asked)
        if kept:
            _write(kept, body)
        return body

    def _ask(self, asked: httpx.Request) -> bytes:
        for attempt in range(1, TRIES + 1):
            answer = self._send(asked)
            if answer.status_code not in BUSY or attempt == TRIES:
                break
            wait = _retry_after(answer, default=2.0**attempt * self._pause)
            if wait > LONGEST_PAUSE:
                break
            time.sleep(wait)
        if answer.status_code == 404:
            raise NotThere(f"{self.name} has nothing at {asked.url.path} (404).")
        if answer.status_code == 429:
            raise PaperError(f"{self.name} answers too many requests just now (429): try again in a few minutes.")
        if answer.status_code >= 400:
            raise PaperError(f"{self.name} failed (HTTP {answer.status_code}): try again later.")
        if len(answer.content) > MOST_BYTES:
            raise PaperError(f"{self.name} sent more than {MOST_BYTES >> 20} MiB: attach the part that matters.")
        return answer.content

    def _send(self, asked: httpx.Request) -> httpx.Response:
        with self._lock:
            wait = self._last + self._pause - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            try:
                return self._client.send(asked)
            except httpx.HTTPError as error:
                raise PaperError(
                    f"{self.name} cannot be reached from here ({type(error).__name__}): check the network, or attach "
                    "a paper as PDF."
                ) from error
            finally:
                self._last = time.monotonic()


def _retry_after(answer: httpx.Response, default: float) -> float:
    given = answer.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else default


def _write(path: Path, body: bytes) -> None:
    """Whole or not at all: another thread may be reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(body)
    os.replace(file.name, path)
