"""Files that people attach: fetched, checked and kept; a component is tried, a paper waits."""

from __future__ import annotations

import httpx
from slack_sdk import WebClient

from bot.errors import SlackUnreachable
from storage.files import Files, SqlAttachments
from storage.inquiries import Enclosed, Inquiry

MOST_BYTES = 50 << 20
FETCH_SECONDS = 60.0
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
