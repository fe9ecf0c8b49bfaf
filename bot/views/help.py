"""What can be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.views.block_kit import context, header, message, plain, section
from bot.views.conditions import Measuring, caveat, suite_words, tuned
from bot.views.figures import listed
from bot.views.message import TEXT_LIMIT, Message, entities, escape, fence
from engine.component_plot import is_path
from sandbox.guest.components.kind import Drawing, Kind, Known

_FOLDED = re.compile(r"(?<=[^\n]{90})\n")  # after a line that is so long that it was broken to fit
EXAMPLE = "propose 8 activation functions for small image classifiers"


def help_in_general(kinds: Sequence[Kind], *, unknown: str = "", bot: str = "@conjecture") -> Message:
    """`unknown`: what help was asked for and there is none about."""
    asks = [
        f"• `{bot} {EXAMPLE}`: I propose 24, drop what is broken or known, measure 8 and rank them.",
        f"• `{bot} propose 5 novel {kinds[0].plural if kinds else 'components'}`: only new ideas; "
        "`incremental` asks for improvements of known ones.",
        *([f"• `{bot} propose 4 {kinds[-1].plural} and 4 {kinds[-2].plural}`: several kinds."] if kinds[1:] else []),
        f"• `{bot} surprise me`: the kinds are drawn by lot.",
        "• `... on the standard suite`: more seeds; `... on the full suite`: longer training on more data; `... on our "
        "ranker`: your own model, registered on my machine with `conjecture suite add FILE`.",
        f"• `{bot} help {kinds[0].title if kinds else 'KIND'}`: what the code of a kind must look like, what it is "
        "compared with and on what it is tried.",
        f"• `{bot} digest now`: the best so far. `digest daily 09:00` posts it here every day, `digest off` ends that.",
        "• `evaluate 4 in full` in the thread of a ranking: a longer test of what stands there, on fresh seeds and "
        "with other data. What holds is a finding; `export 4` posts it as a module with its test and evidence.",
        "• *stop* in the thread of a request ends it and keeps what was finished.",
        f"• `{bot} have we tried a sine with a learnable frequency?`: the nearest so far, with what came of them. Code "
        "may follow the question.",
        "• `why was 2 ranked there` in the thread of a request: the parts of its rank, and what votes did.",
        "• Attach a `.py` file with your own component, or paste its code, and it is tested like mine.",
        "• Attach a paper as PDF, or give an arXiv link: I say what it claims and propose ideas with plans. `idea 2: "
        "use 7 seeds` changes a plan, `approve 2` starts it; an experiment takes `diff`, `log`, `undo`, `take over`.",
    ]
    no_such = f"I know nothing called “{escape(unknown, 100)}”. This is what I can do:" if unknown else ""
    known = "\n".join(f"• {escape(kind.plural)}: `{bot} help {kind.title}`" for kind in kinds)
    return message(
        header("What I can do"),
        *([section(no_such)] if no_such else []),
        section("I propose machine-learning components, test each one in a sealed sandbox, and rank what survived."),
        section("\n".join(asks)),
        section(f"*Kinds*\n{known}"),
        context(
            "From 1 to 300 at a time. Your votes on the results help to decide what is tried next. Everything is "
            "measured on small nets and a few small data sets; that tells nothing about large models."
        ),
    )


def help_on_kind(
    kind: Kind, *, measured: Measuring, drawing: Drawing | None = None, bot: str = "@conjecture"
) -> Message:
    """The contract as the generator reads it, verbatim in the plain text, unfolded in the blocks, and what follows.

    `drawing` is that of the reference component; None leaves the line on plots out.
    """
    title = f"{kind.plural[:1].upper()}{kind.plural[1:]}"
    opening = "What the code must look like, word for word as the generator reads it:"
    told = [_baselines(kind.baselines), _tried(measured), _shown(kind, drawing), _ask(kind, bot)]
    contract = [section(entities(paragraph)) for paragraph in _paragraphs(kind.contract)]
    entry = f"Entry point: module-level `{kind.entry}`"
    blocks = [header(title), context(f"{entry}. {opening}"), *contract, *(section(text) for text in told if text)]
    parts = [title, f"{entry}. {opening}", fence(kind.contract, TEXT_LIMIT - 4_000)]
    return message(*blocks, text="\n\n".join([*parts, plain(section(text) for text in told if text)]))


def _baselines(baselines: Sequence[Known]) -> str:
    lines = [f"• {'★ ' if known.best else ''}{escape(known.name)}: {escape(_cited(known))}" for known in baselines]
    return "\n".join([f"*Compared with* ({len(lines)} baselines; ★ accepted best)", *lines]) if lines else ""


def _cited(known: Known) -> str:
    return f"{known.source}, {known.year}"


def _tried(measured: Measuring) -> str:
    on = f": {escape(listed(measured.sources))}; nets {escape(listed(measured.nets))}" if measured.sources else ""
    return (
        f"*Tried on* {suite_words(measured)}{on} (suite `{escape(measured.suite)}`){tuned(measured)}. The lower "
        f"{measured.metric} wins a setting. {caveat(measured)}"
    )


def _shown(kind: Kind, drawing: Drawing | None) -> str:
    """What plot there is of each component, in words."""
    if drawing is None:
        return ""
    lines = "bars" if drawing.bars else "paths" if any(map(is_path, drawing.series)) else "curves"
    form = listed([*(["pictures"] if drawing.images else []), *([lines] if drawing.series else [])])
    what = " over ".join(escape(label) for label in (drawing.y_label, drawing.x_label) if label)
    names = [*(one.name for one in drawing.series), *(one.name for one in drawing.images)]
    of = f": {escape(listed(names[:6]))}" if len(names) > 1 else ""
    beside = "; its cost is relative to that as well" if kind.exercise else ""
    drawn = ", ".join(filter(None, [form, what]))
    return f"*Drawn as* {drawn}{of}. {escape(kind.reference)} stands beside it{beside}."


def _ask(kind: Kind, bot: str) -> str:
    return (
        f"*Ask*: `{bot} propose 8 {kind.plural} for small image classifiers`. *Your own*: attach a `.py` file to "
        f"`{bot} try this {kind.title}`, or `conjecture try FILE --kind {kind.name}`."
    )


def _paragraphs(text: str) -> list[str]:
    """Paragraphs without the line breaks that only keep lines short."""
    return [_FOLDED.sub(" ", paragraph.strip()) for paragraph in text.split("\n\n") if paragraph.strip()]
