"""What was understood of a request, before the work starts."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import context, message, section
from bot.views.conditions import Conditions, Measuring, caveat, isolation, suite_words, tuned, warning
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
    strategies = listed([_STRATEGIES[strategy] for strategy in request.strategies])
    share = ", half each" if len(request.strategies) == 2 else ""
    level = conditions[0].sandbox
    lines = [
        f"Understood: *{subject(asked)}*{purpose}.",
        f"• *Propose* {proposals:,} with {escape(listed([_named(each) for each in generators]), 300)}: "
        f"{strategies}{share}.",
        f"• *Check* each one in {isolation(level)} and drop what is broken or known.",
        *_measured(asked, [each.measuring for each in conditions]),
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


def _measured(asked: Sequence[tuple[int, Kind]], measured: Sequence[Measuring]) -> list[str]:
    """One line, or one for each group of kinds that are measured alike."""
    groups: dict[str, list[tuple[int, Kind]]] = {}
    for one, on in zip(asked, measured, strict=True):
        where = f"in {suite_words(on)} (`{escape(on.suite)}`)"
        groups.setdefault(f"{where}, judged by {on.metric}{tuned(on)}", []).append(one)
    few = caveat(min(measured, key=lambda on: on.data_sets))
    number = sum(each for each, _ in asked)
    if len(groups) == 1:
        return [f"• *Measure* {number:,} of them {next(iter(groups))}. {few}"]
    lines = [f"    ◦ {subject(some)} {where}" for where, some in groups.items()]
    return [f"• *Measure* {number:,} of them, against the published ones of their kind:", *lines, few]


def _named(generator: str) -> str:
    return "the offline catalogue" if generator == "offline catalogue" else generator
