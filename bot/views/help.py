"""What can be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.views.block_kit import context, header, message, section
from bot.views.figures import listed
from bot.views.message import TEXT_LIMIT, Message, entities, escape, fence
from sandbox.guest.components.kind import Kind

_FOLDED = re.compile(r"(?<=[^\n]{90})\n")  # after a line that is so long that it was broken to fit
EXAMPLE = "propose 8 activation functions for small image classifiers"


def help_in_general(kinds: Sequence[Kind], *, bot: str = "@conjecture") -> Message:
    known = listed([kind.plural for kind in kinds])
    asks = [
        f"• `{bot} {EXAMPLE}`: I propose 24, drop what is broken or known, measure 8 and rank them.",
        f"• `{bot} propose 5 novel {kinds[0].plural if kinds else 'components'}`: only new ideas; "
        "`incremental` asks for improvements of known ones.",
        f"• `{bot} help {kinds[0].title if kinds else 'KIND'}`: what the code of this kind must look like.",
        f"• `{bot} digest now`: the best so far. `digest daily 09:00` posts it here every day, `digest off` ends that.",
        "• *stop* in the thread of a request ends it and keeps what was finished.",
        "• Attach a `.py` file with your own component, and it is tested like mine.",
    ]
    return message(
        header("What I can do"),
        section("I propose machine-learning components, test each one in a sealed sandbox, and rank what survived."),
        section("\n".join(asks)),
        context(
            f"Kinds: {escape(known)}. From 1 to 300 at a time. Your votes on the results help to decide what is tried "
            "next. Everything is measured on small nets and small data sets; that tells nothing about large models."
        ),
    )


def help_on_kind(kind: Kind, *, bot: str = "@conjecture") -> Message:
    """The contract as the generator reads it, verbatim in the plain text, unfolded in the blocks."""
    baselines = listed([known.name for known in kind.baselines])
    title = f"{kind.plural[:1].upper()}{kind.plural[1:]}"
    opening = "What the code must look like, word for word as the generator reads it:"
    end = f"Try `{bot} propose 8 {kind.plural}`, or attach a `.py` file of your own."
    compared = f"*Compared with*: {escape(baselines)}." if baselines else ""
    contract = [section(entities(paragraph)) for paragraph in _paragraphs(kind.contract)]
    blocks = [header(title), context(opening), *contract, *([section(compared)] if compared else []), context(end)]
    parts = [title, opening, fence(kind.contract, TEXT_LIMIT - 2_000), compared.replace("*", ""), end]
    return message(*blocks, text="\n\n".join(filter(None, parts)))


def _paragraphs(text: str) -> list[str]:
    """Paragraphs without the line breaks that only keep lines short."""
    return [_FOLDED.sub(" ", paragraph.strip()) for paragraph in text.split("\n\n") if paragraph.strip()]
