"""The answer to "have we tried this?"."""

from __future__ import annotations

from bot.views import figures
from bot.views.block_kit import context, message, section
from bot.views.figures import count
from bot.views.message import Message, escape
from engine.tried import Found, Similar, SimilarKnown


def have_we_tried(found: Found, *, what: str, refused: str = "") -> Message:
    """`what`: the words of the question; empty for code. `refused`: why the code that came with it could not be run."""
    about = f"“{escape(what, 150)}”" if what else "your code"
    again = next((one for one in found.past if one.same), None)
    known = next((one for one in found.known if one.same), None)
    if known:
        opening = f"Your code is the same function as *{escape(known.name)}* ({escape(known.source, 150)})."
    elif again:
        opening = f"Yes: your code is the same function as “{escape(again.past.hypothesis.title, 100)}”."
    elif found.past:
        opening = f"Nearest to {about} among {count(found.searched, 'hypothesis', 'hypotheses')} so far:"
    else:
        opening = f"Nothing like {about} is among {count(found.searched, 'hypothesis', 'hypotheses')} so far."
    lines = [opening, *(f"• {_past(one)}" for one in found.past)]
    blocks = [section("\n".join(lines))]
    if found.known:
        published = "\n".join(f"• {_known(one)}" for one in found.known)
        blocks.append(section(f"*Nearest published*\n{published}"))
    how = "how it behaves on the public probe set" if found.by_behaviour else "the words of titles, claims and code"
    note = f"Compared by {how}; 1 is the same."
    if refused:
        note = f"The code could not be run ({escape(refused, 200)}), so it was not compared by what it does. {note}"
    return message(*blocks, context(note))


def nothing_asked() -> Message:
    return message(
        section(
            "What should I look for? Say for example `have we tried a sine with a learnable frequency?`, or paste the "
            "code of a component behind `have we tried this?`"
        )
    )


def _past(one: Similar) -> str:
    hypothesis = one.past.hypothesis
    title = escape(hypothesis.title or "untitled", 80)
    return f"*{title}* ({escape(hypothesis.kind)}), alike {figures.share(one.likeness)}: {_outcome(one)}"


def _outcome(one: Similar) -> str:
    past = one.past
    if past.score:
        rates = f"B-WR {figures.win_rate(past.score.b_wr)}, BSOTA-WR {figures.win_rate(past.score.bsota_wr)}"
        return f"effect {figures.effect(past.score.effect)}, {rates}"
    if not past.verdict.accepted:
        return f"rejected, {escape(past.verdict.reason or 'no reason was given', 150)}"
    if past.verdict.novelty and past.verdict.novelty.duplicate_of:
        return f"the same function as {escape(past.verdict.novelty.duplicate_of, 80)}"
    return "works, not measured yet"


def _known(one: SimilarKnown) -> str:
    return f"{escape(one.name, 80)} ({escape(one.source, 150)}), alike {figures.share(one.likeness)}"
