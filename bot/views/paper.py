"""A paper in its thread: that it is being read, what was understood of it, or why it could not be read."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import actions, button, context, header, message, section
from bot.views.figures import count
from bot.views.message import Block, Message, escape
from bot.views.progress import STOP
from engine.llm.catalogue import NAME as OFFLINE
from engine.papers.literature import Related
from engine.papers.paper import Paper
from engine.papers.reading import Quote, Understanding

AUTHORS_SHOWN = 6
MOST_CLAIMS, MOST_GAPS, MOST_WORKS = 6, 4, 5
NO_MODEL = "No model was asked"


def reading(name: str, reading_id: str, generator: str) -> Message:
    how = f"{NO_MODEL.lower()}, so this takes seconds" if generator == OFFLINE else "this takes about a minute"
    return message(
        section(f"Reading *{escape(name, 150)}* …; {how}. What I understand of it comes first, then ideas."),
        actions(button("Stop", STOP, reading_id)),
        request_id=reading_id,
    )


def looking_further(name: str, reading_id: str) -> Message:
    return message(
        section(f"Read *{escape(name, 150)}*. Looking for related work and ideas …"),
        actions(button("Stop", STOP, reading_id)),
        request_id=reading_id,
    )


def read_to_the_end(name: str, ideas: int) -> Message:
    return message(section(f"Read *{escape(name, 150)}*: {count(ideas, 'idea')} below."))


def reading_stopped(name: str) -> Message:
    return message(section(f"Stopped reading *{escape(name, 150)}* as you asked. What is posted stays."))


def refused(name: str, reason: str) -> Message:
    return message(section(f"I cannot read *{escape(name, 150)}*: {escape(reason, 900)}"))


def not_read(name: str) -> Message:
    return message(section(f"*{escape(name, 150)}* could not be read; the reason is below."))


def no_paper() -> Message:
    return message(
        section(
            "There is no paper in this message. Attach a PDF, give an arXiv link or number (`arXiv:2408.14033`), or "
            "paste the text: `read this paper: ...`."
        )
    )


def understood_paper(paper: Paper, found: Understanding) -> Message:
    pages = count(paper.pages, "page")
    who = f"{NO_MODEL}: all of it is quoted" if found.generator == OFFLINE else f"read by {escape(found.generator)}"
    lines = [
        _field("Task", [found.task]),
        _field("Method", [found.method]),
        _field("Data", found.data_sets),
        _field("Keywords", found.keywords),
    ]
    blocks: list[Block] = [
        header(found.title or f"No title was found in {paper.source}"),
        context(f"{_people(found.authors)} · {pages} · {who}"),
        *(section(line) for line in lines if line),
        *_quotes("Claims", found.claims, MOST_CLAIMS),
        *_quotes("Gaps it leaves", found.gaps, MOST_GAPS),
    ]
    if found.notes:
        blocks.append(section("\n".join(f"ℹ️ {escape(note, 500)}" for note in found.notes)))
    return message(*blocks)


def related_work(found: Related) -> Message:
    lines = []
    for work in found.works[:MOST_WORKS]:
        year = f", {work.year}" if work.year else ""
        title = escape(work.title, 200)
        linked = f"<{work.url}|{title}>" if work.url.startswith("https://") else title
        lines.append(f"• {linked}{year} ({escape(work.source, 60)})")
    told = "\n".join(lines) or "Nothing was found."
    missing = [context("\n".join(escape(sentence, 400) for sentence in found.missing))] if found.missing else []
    return message(section(f"*Related work*\n{told}"), *missing)


def _people(authors: Sequence[str]) -> str:
    if not authors:
        return "authors not found"
    shown = escape(", ".join(authors[:AUTHORS_SHOWN]), 300)
    return shown if len(authors) <= AUTHORS_SHOWN else f"{shown} and {len(authors) - AUTHORS_SHOWN} more"


def _field(name: str, quotes: Sequence[Quote]) -> str:
    told = "; ".join(f"{escape(one.text, 400)} (p. {one.page})" for one in quotes if one.text)
    return f"*{name}*: {told}" if told else ""


def _quotes(name: str, quotes: Sequence[Quote], most: int) -> list[Block]:
    if not quotes:
        return []
    left = f"\n… and {len(quotes) - most} more" if len(quotes) > most else ""
    return [section(f"*{name}*\n" + "\n".join(f"• {escape(q.text, 400)} (p. {q.page})" for q in quotes[:most]) + left)]
