"""What was understood of a request, before the work starts."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import context, message, section
from bot.views.conditions import Conditions, isolation, suite_words, warning
from bot.views.figures import count, listed
from bot.views.message import Message, escape
from engine.request import Request, Strategy
from sandbox.guest.components.kind import Kind

_STRATEGIES = {
    Strategy.INCREMENTAL: "improving on known ones",
    Strategy.NOVEL: "looking for new ones",
    Strategy.BY_HAND: "written by hand",
}


def subject(asked: Sequence[tuple[int, Kind]]) -> str:
    """`8 activation functions`, `4 activation functions and 1 regularizer`."""
    return listed([count(number, kind.title, kind.plural) for number, kind in asked])


def understood(
    request: Request,
    asked: Sequence[tuple[int, Kind]],
    *,
    generators: Sequence[str],
    proposals: int,
    conditions: Sequence[Conditions],
    notes: Sequence[str] = (),
) -> Message:
    """`asked` is how many of which kind to measure, `proposals` how many will be generated, `conditions` of each kind.

    `notes` are whole sentences: a typo corrected, a short catalogue.
    """
    purpose = f" for {escape(request.purpose, 200)}" if request.purpose else ""
    number = sum(each for each, _ in asked)
    strategies = listed([_STRATEGIES[strategy] for strategy in request.strategies])
    share = ", half each" if len(request.strategies) == 2 else ""
    level = conditions[0].sandbox
    where = listed(list(dict.fromkeys(f"{suite_words(each)} (`{escape(each.suite)}`)" for each in conditions)))
    lines = [
        f"Understood: *{subject(asked)}*{purpose}.",
        f"• *Propose* {proposals:,} with {escape(listed([_named(each) for each in generators]), 300)}: "
        f"{strategies}{share}.",
        f"• *Check* each one in {isolation(level)} and drop what is broken or known.",
        f"• *Measure* {number:,} of them in {where}. Small nets tell nothing about large models.",
    ]
    remarks = [f"ℹ️ {escape(note)}" for note in notes[:8]]
    caution = warning(level)
    end = f"Request `{escape(request.id)}`. Reply *stop* in this thread to end it early."
    return message(
        section("\n".join(lines)),
        *([section("\n".join(remarks))] if remarks else []),
        *([section(caution)] if caution else []),
        context(end),
        request_id=request.id,
    )


def _named(generator: str) -> str:
    return "the offline catalogue" if generator == "offline catalogue" else generator
