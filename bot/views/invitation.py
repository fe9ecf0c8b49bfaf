"""Predict the winner: before anything is measured, so that nobody's vote follows a figure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import context, feedback, header, message, section
from bot.views.hypothesis_card import VOTE
from bot.views.message import Block, Message, escape
from engine.hypothesis import Hypothesis

MOST = 8  # hypotheses that are shown: more would be read by nobody
LABELS = ("Will win", "Will not")


def invitation(shown: Sequence[Hypothesis], total: int, *, request_id: str) -> Message:
    """`total`: how many are being measured; `shown` may be a part."""
    some = f" These are {len(shown)} of {total:,}, in no order." if total > len(shown) else " In no order."
    blocks: list[Block] = [
        header("Predict the winner"),
        section(f"Which of these will do better than the others? Nothing has been measured yet.{some}"),
    ]
    for hypothesis in shown:
        claim = f"\n{escape(hypothesis.claim, 300)}" if hypothesis.claim.strip() else ""
        blocks.append(section(f"*{escape(hypothesis.title or 'untitled', 100)}*{claim}"))
        blocks.append(feedback(VOTE, f"up {hypothesis.id}", f"down {hypothesis.id}", LABELS))
    closing = "Such votes count until the results are here. They are kept and learned from apart from later ones."
    return message(*blocks, context(closing), request_id=request_id)


def too_late(*, title: str) -> Message:
    """Told to the voter alone."""
    name = escape(title or "untitled", 150)
    return message(section(f"The results are here, so this is no prediction any more: vote on the card of {name}."))
