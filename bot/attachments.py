"""Files that people attach: fetched, checked and kept; a component is tried, a paper waits."""

from __future__ import annotations

import html
import re

import httpx
from slack_sdk import WebClient

from bot.errors import SlackUnreachable
from storage.files import Files, SqlAttachments
from storage.inquiries import Enclosed, Inquiry

MOST_BYTES = 50 << 20
FETCH_SECONDS = 60.0
PASTED = "pasted code"  # the name of a module that came in a code block
_CODE = re.compile(r"```(?:python\n|py\n)?(.*?)```", re.DOTALL)
_BUILD = re.compile(r"^(?:def build\b|class build\b|build *=)", re.MULTILINE)
_LINKED = re.compile(r"<(https?://[^<>|]*)(?:\|[^<>]*)?>")  # Slack makes links of addresses, in code as well
SIGN_IN_PAGE = b"<!DOCTYPE html"  # Slack answers a file's address without a valid token with a page and status 200


class Attachments:
    def __init__(self, client: WebClient, files: Files, attachments: SqlAttachments) -> None:
        self._client = client
        self._files = files
        self._attachments = attachments

    def keep(self, inquiry: Inquiry) -> tuple[list[str], list[tuple[str, bytes]]]:
        """Store every file of a message; returns the names of papers, and (name, source) of Python modules."""
        papers, modules = [], []
        for enclosed in inquiry.files:
            data = self._fetched(enclosed)
            kept = self._files.put(data, enclosed.name, enclosed.mimetype)
            self._attachments.record_attachment(inquiry.id, kept)
            if enclosed.name.lower().endswith(".py"):
                modules.append((enclosed.name, data))
            else:
                papers.append(enclosed.name)
        return papers, modules

    @staticmethod
    def pasted(text: str, *, any_code: bool) -> list[tuple[str, bytes]]:
        """(name, source) of every code block of a message that defines `build`, or of every one at all."""
        blocks = [html.unescape(_LINKED.sub(r"\1", found)) for found in _CODE.findall(text)]
        kept = [block for block in blocks if block.strip() and (any_code or _BUILD.search(block))]
        return [(PASTED if len(kept) == 1 else f"{PASTED} {n}", one.encode()) for n, one in enumerate(kept, 1)]

    def _fetched(self, enclosed: Enclosed) -> bytes:
        """Raises SlackUnreachable when the file cannot be had."""
        headers = {"Authorization": f"Bearer {self._client.token}"}
        try:
            with httpx.stream("GET", enclosed.url, headers=headers, timeout=FETCH_SECONDS) as response:
                response.raise_for_status()
                data = b""
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MOST_BYTES:
                        raise SlackUnreachable(f"“{enclosed.name}” is larger than {MOST_BYTES >> 20} MiB.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SlackUnreachable(f"The file “{enclosed.name}” could not be fetched from Slack: {error}.") from error
        if data.startswith(SIGN_IN_PAGE) and not enclosed.name.lower().endswith((".html", ".htm")):
            raise SlackUnreachable(
                f"Slack did not hand out the file “{enclosed.name}”. Check that the app has the scope files:read."
            )
        return data
