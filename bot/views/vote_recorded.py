"""Told to the voter alone, right after a vote."""

from __future__ import annotations

from bot.views.block_kit import message, section
from bot.views.figures import count
from bot.views.message import Message, escape


def vote_recorded(
    *, title: str, thumbs_up: bool, changed: bool, outcomes: int, needed: int = 30, decides: bool | None = None
) -> Message:
    """`changed`: it replaced another vote of the same person. `decides`: whether votes and outcomes decide already
    (None: as soon as there are `needed` outcomes)."""
    thumb = "👍" if thumbs_up else "👎"
    once = "changed, still counted once" if changed else "counted once"
    if outcomes >= needed if decides is None else decides:
        effect = f"recorded; votes and outcomes ({outcomes:,} so far) now decide what is measured next"
    else:
        effect = f"recorded, too few to change the order yet ({outcomes:,} of {count(needed, 'outcome')})"
    return message(section(f"{thumb} for {escape(title or 'untitled', 150)}, {once}: {effect}."))


def vote_lost(*, hypothesis_id: str) -> Message:
    """A click on a hypothesis that is in no journal: an old message, or another database."""
    return message(
        section(
            f"I no longer know `{escape(hypothesis_id, 100)}`, so this vote could not be recorded. "
            "Its message is older than my memory."
        )
    )
