"""`conjecture paper`: what the bot understands of a paper, related work, and ideas with plans, without Slack."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.app import reading_room
from bot.commands.reporting import UsageError, advised, log_to_stderr
from bot.reading_room import Read
from bot.settings import read_settings
from engine.experiment.tasks.catalogue import task_named
from engine.llm.catalogue import NAME as OFFLINE
from engine.papers.arxiv import arxiv_id
from engine.papers.ideas import Idea
from engine.papers.literature import Work
from engine.papers.reading import Quote

WIDTH = 110
AUTHORS_SHOWN = 6
QUOTED = 240  # characters of a quotation that stands elsewhere in full


def paper(source: str, *, as_json: bool) -> int:
    """`source`: a file, or an arXiv link or number."""
    with advised() as outcome:
        path = Path(source)
        if not path.is_file() and arxiv_id(source) is None:
            raise UsageError(f"{source} is no file, and no arXiv link or number such as 2408.14033.")
        settings = read_settings(slack=False)
        log_to_stderr("error")
        with reading_room(settings) as room:
            found = room.paper(data=path.read_bytes(), name=path.name) if path.is_file() else room.paper(source)
            read = room.read(found)
        print(json.dumps(as_object(read), indent=2, ensure_ascii=False) if as_json else in_words(read))
    return outcome.exit_code


def as_object(read: Read) -> dict[str, Any]:
    """The JSON of the README."""
    understood = read.understood
    return {
        "title": understood.title,
        "authors": list(understood.authors),
        "task": understood.task.text,
        "keywords": [one.text for one in understood.keywords],
        "claims": [{"text": one.text, "page": one.page} for one in understood.claims],
        "gaps": [{"text": one.text, "page": one.page} for one in understood.gaps],
        "related": [
            {
                "title": work.title,
                "authors": list(work.authors),
                "year": work.year,
                "url": work.url,
                "source": work.source,
            }
            for work in read.related.works
        ],
        "ideas": [_idea_object(idea) for idea in read.ideas.ideas],
        "generator": understood.generator,
    }


def _idea_object(idea: Idea) -> dict[str, Any]:
    told = idea.plan.as_json()
    plan = {name: told[name] for name in ("task", "data", "model", "baseline", "metric", "direction", "seeds")}
    return {
        "hypothesis": idea.hypothesis,
        "novelty": idea.novelty,
        "plan": plan | {"success": told["success"]["in_words"]},
    }


def in_words(read: Read) -> str:
    understood = read.understood
    pages = f"{read.paper.pages} page{'' if read.paper.pages == 1 else 's'}"
    parts = [
        understood.title or f"(no title was found in {read.paper.source})",
        f"{_people(understood.authors)} · {pages} · {_who(understood.generator)}",
        *understood.notes,
        "",
        _field("Task", [understood.task]),
        _field("Method", [understood.method]),
        _field("Data", understood.data_sets),
        _field("Keywords", understood.keywords),
        *_list("Claims", understood.claims),
        *_list("Gaps", understood.gaps),
        *_related(read.related.works, read.related.missing),
        *_ideas(read),
    ]
    return "\n".join(part for part in parts if part is not None)


def _people(authors: Sequence[str]) -> str:
    if not authors:
        return "authors not found"
    shown = ", ".join(authors[:AUTHORS_SHOWN])
    return shown if len(authors) <= AUTHORS_SHOWN else f"{shown} and {len(authors) - AUTHORS_SHOWN} more"


def _who(generator: str) -> str:
    return "no model was asked: all of it is quoted" if generator == OFFLINE else f"read by {generator}"


def _field(name: str, quotes: Sequence[Quote]) -> str | None:
    found = [f"{one.text} (p. {one.page})" for one in quotes if one.text]
    return _wrapped(f"{name:<9}", "; ".join(found)) if found else None


def _list(name: str, quotes: Sequence[Quote]) -> list[str]:
    return ["", name, *(_wrapped(f"  p. {one.page:<3}", one.text) for one in quotes)] if quotes else []


def _related(works: Sequence[Work], missing: Sequence[str]) -> list[str]:
    lines = ["", "Related work"]
    for work in works:
        year = f", {work.year}" if work.year else ""
        first = (
            f"{work.authors[0].split()[-1]}{' et al.' if len(work.authors) > 1 else ''}{year}: " if work.authors else ""
        )
        lines.append(_wrapped("  -   ", f"{first}{work.title} ({work.source})"))
    if not works:
        lines.append("  Nothing was found.")
    return [*lines, *(_wrapped("  !   ", sentence) for sentence in missing)]


def _ideas(read: Read) -> list[str]:
    made = "from the catalogue, no model was asked" if read.ideas.generator == OFFLINE else f"by {read.ideas.generator}"
    lines = ["", f"Ideas, {made}; none has been tried here yet", *read.ideas.notes]
    for number, idea in enumerate(read.ideas.ideas, start=1):
        plan = idea.plan
        data = task_named(plan.task).source(plan.data).title
        metric = f"{plan.judged_by.title}, {plan.direction} is better"
        lines += [
            "",
            f"  {number}. {idea.title}",
            _wrapped("     ", idea.hypothesis),
            _wrapped("     New   ", idea.novelty),
            *(
                [_wrapped("     Said  ", f"“{shortened(idea.quote.text)}” (p. {idea.quote.page})")]
                if idea.quote
                else []
            ),
            _wrapped("     Plan  ", f"{plan.model}; on {data} ({plan.task}); against: {plan.baseline}"),
            _wrapped("     Judged", f" by {metric}; {plan.repeats} repetitions"),
            _wrapped("     Holds ", f"if {plan.criterion.in_words(plan.judged_by)}"),
        ]
    return lines


def shortened(text: str) -> str:
    return textwrap.shorten(text, QUOTED, placeholder=" …")


def _wrapped(lead: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False)
