"""How the workspace says no: the error code that Slack answers with, and its explanations."""

from __future__ import annotations

from collections.abc import Sequence


class Refusal(Exception):
    """A Web API call that Slack would refuse: HTTP 200 with `{"ok": false, "error": code}`.

    `messages` are the human explanations that Slack puts into `errors` and `response_metadata.messages`; `more` are
    further fields of the answer.
    """

    def __init__(self, code: str, messages: Sequence[str] = (), **more: str) -> None:
        super().__init__(f"{code}: {'; '.join(messages)}" if messages else code)
        self.code = code
        self.messages = list(messages)
        self.more = more


class RateLimited(Exception):
    """A call that came too soon: HTTP 429 with `Retry-After: retry_after_seconds`."""

    def __init__(self, method: str, retry_after_seconds: int) -> None:
        super().__init__(f"{method} was called too often; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds
