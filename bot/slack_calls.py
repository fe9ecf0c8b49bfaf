"""One call of Slack's Web API: what is tried again, how fast, and which exception a refusal becomes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryState
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

from bot.errors import ContentRefused, NotPermitted, PlaceGone, SlackBusy, SlackError, SlackUnreachable

RATE_LIMIT_RETRIES = 5
CONNECTION_RETRIES = 2
BURST = 3  # Slack tolerates short bursts above one message a second and channel, and does not say how short
SENDS = ("chat.postMessage", "chat.postEphemeral", "files.completeUploadExternal")  # doing them twice is seen by people

_CONTENT = {
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_attachments",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "metadata_too_large",
    "markdown_text_conflict",
    "file_type_blocked",
    "file_update_failed",
}
_PLACE = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "thread_not_found",
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
    "user_not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "restricted_action_thread_locked",
    "cannot_reply_to_message",
}
_PERMISSION = {
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
    "not_allowed_token_type",
    "no_permission",
    "org_login_required",
    "ekm_access_denied",
    "access_denied",
}
_OF_SLACK = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_ADVICE = {
    ContentRefused: "A simpler form of the message may be accepted.",
    PlaceGone: "Check that the channel exists and that the bot is a member of it.",
    NotPermitted: "Check the token, and install the app again with the scopes of manifest.json.",
    SlackBusy: "Try again in a minute.",
    SlackUnreachable: "Check the network and https://slack-status.com, then try again.",
    SlackError: "See https://docs.slack.dev/reference/methods for this code.",
}


class RepeatableConnectionErrorRetryHandler(ConnectionErrorRetryHandler):
    """Slack may have done what a broken connection asked for, so what people would see twice is not simply repeated."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if request.url.endswith(SENDS):
            return False
        return super()._can_retry(state=state, request=request, response=response, error=error)


def patient(client: WebClient) -> WebClient:
    """The client, waiting as long as Slack asks, and repeating what a broken connection cut off where that is safe."""
    client.retry_handlers[:] = [
        RateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_RETRIES),
        RepeatableConnectionErrorRetryHandler(max_retry_count=CONNECTION_RETRIES),
    ]
    return client


def call(method: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """The answer of one client method. Raises a `SlackError`; nothing of slack_sdk or the network escapes."""
    name = getattr(method, "__name__", "call")
    try:
        answer = method(**arguments).data
    except SlackApiError as error:
        raise _refusal(name, error) from error
    except (SlackClientError, URLError, HTTPException, OSError) as error:
        raise _fault(SlackUnreachable, f"{name}: no usable answer from Slack ({error}).") from error
    if not isinstance(answer, dict):
        raise _fault(SlackUnreachable, f"{name}: an answer that is not JSON.")
    return answer


def _refusal(name: str, error: SlackApiError) -> SlackError:
    answer = error.response if isinstance(error.response, dict) else getattr(error.response, "data", None)
    told = answer if isinstance(answer, dict) else {}
    code = str(told.get("error", ""))
    status = int(getattr(error.response, "status_code", None) or told.get("status") or 200)
    if status == 429 or code in ("ratelimited", "rate_limited"):
        kind: type[SlackError] = SlackBusy
    elif status >= 500 or not code or code in _OF_SLACK:
        kind = SlackUnreachable
    elif code in _CONTENT:
        kind = ContentRefused
    elif code in _PLACE:
        kind = PlaceGone
    elif code in _PERMISSION:
        kind = NotPermitted
    else:
        kind = SlackError
    reasons = (told.get("response_metadata") or {}).get("messages") or []
    detail = f" ({'; '.join(map(str, reasons[:3]))[:500]})" if reasons else ""
    needed = f" (needs {told['needed']})" if told.get("needed") else ""
    return _fault(kind, f"{name}: Slack answered {code or status}{detail}{needed}.", code)


def _fault(kind: type[SlackError], sentence: str, code: str = "") -> SlackError:
    return kind(f"{sentence} {_ADVICE[kind]}", code)


class Pace:
    """At most BURST messages at once and one a `seconds` a channel in the long run. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}  # when the next message would go out if all were evenly spaced

    def reserve(self, channel: str, now: float) -> float:
        """Take the channel's next place; how many seconds after `now` it comes (generic cell rate algorithm)."""
        with self._lock:
            due = max(self._due.get(channel, now), now)
            self._due[channel] = due + self._seconds
        return max(0.0, due - (BURST - 1) * self._seconds - now)

    def wait(self, channel: str) -> None:
        time.sleep(self.reserve(channel, time.monotonic()))
