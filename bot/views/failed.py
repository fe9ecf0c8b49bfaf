"""A fault of ours, told without a traceback: what happened, what to do, and a way to try again."""

from __future__ import annotations

from bot.views.block_kit import actions, button, message, section
from bot.views.message import Message, escape

RETRY = "retry_request"  # value: the request's id


def retry_button(request_id: str) -> dict[str, object]:
    return button("Try again", RETRY, request_id, "primary")


def failed(*, request_id: str, job_id: str, what: str, advice: str) -> Message:
    """`what` and `advice` are one sentence each."""
    return message(
        section(
            f"⚠️ *This did not work, and it is not your fault.* {escape(what)}\n{escape(advice)}\n"
            f"Nothing that was finished is lost. For whoever runs this bot: job `{escape(job_id)}`."
        ),
        actions(retry_button(request_id)),
        request_id=request_id,
    )


def unshowable(request_id: str | None) -> Message:
    """The last rung: Slack took neither the blocks nor the text nor a file."""
    if request_id is None:
        return message(section("I have an answer, but Slack did not accept it. Please ask again."))
    return message(
        section(
            f"The answer to request `{escape(request_id)}` is ready, but Slack did not accept it. Nothing is lost."
        ),
        actions(retry_button(request_id)),
        request_id=request_id,
    )
