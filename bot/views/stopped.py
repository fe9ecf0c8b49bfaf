"""The answer to "stop": what was finished."""

from __future__ import annotations

from bot.views.block_kit import message, section
from bot.views.figures import count
from bot.views.message import Message, escape


def finished_so_far(*, proposed: int, validated: int, measured: int, to_measure: int) -> str:
    """One sentence; also the detail of a stopped `Progress`."""
    if not proposed:
        return "Nothing had been proposed yet."
    told = f"{count(proposed, 'proposal')}, {validated:,} of them checked"
    if not to_measure:
        return f"Finished: {told}; none measured yet."
    return f"Finished: {told}; {measured:,} of {to_measure:,} measured."


def stopped(*, request_id: str, subject: str, finished: str, ranking_follows: bool) -> Message:
    """`finished` as made by `finished_so_far`."""
    then = "Here is the ranking of what was measured." if ranking_follows else "There is nothing to rank."
    return message(
        section(f"Stopped {escape(subject, 200)} as you asked. {escape(finished)} {then}"),
        request_id=request_id,
    )


def stopping(*, request_id: str) -> Message:
    """At once, while the candidate at work is being ended."""
    return message(section("Stopping. I post what is finished in a moment."), request_id=request_id)
