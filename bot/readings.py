"""Papers of a thread: read, understood, and answered with ideas. A method is one idempotent step of jobs.py."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Sequence

from bot.reading_room import ReadingRoom
from bot.slack import Slack
from bot.views.failed import failed
from bot.views.idea import idea_card, ideas_heading
from bot.views.message import Message
from bot.views.paper import (
    looking_further,
    not_read,
    read_to_the_end,
    reading,
    reading_stopped,
    refused,
    related_work,
    understood_paper,
)
from engine.errors import PaperError
from engine.experiment.plan import Plan
from engine.journal import Journal
from engine.papers.arxiv import arxiv_id
from engine.papers.paper import Paper
from storage.files import Files, SqlAttachments
from storage.ideas import Progress, Reading, SqlIdeas
from storage.inquiries import Inquiry, SqlInquiries

READING_PREFIX = "rd-"
PASTED_PAPER = "pasted text"
_MENTION = re.compile(r"<@[^>]*>")
_PASTED = re.compile(
    r"\s*(?:please\s+|can you\s+)?read\s+(?:this|the|my|our|a)?\s*(?:following\s+)?(?:paper|article|abstract|text)\b"
    r"\s*[:,.]?\s*(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)


class Readings:
    def __init__(
        self,
        *,
        room: ReadingRoom,
        ideas: SqlIdeas,
        journal: Journal,
        inquiries: SqlInquiries,
        files: Files,
        attachments: SqlAttachments,
        slack: Slack,
        costed: Callable[[Plan], Plan],
    ) -> None:
        self._room = room
        self._ideas = ideas
        self._journal = journal
        self._inquiries = inquiries
        self._files = files
        self._attachments = attachments
        self._slack = slack
        self._costed = costed

    def begin(self, inquiry: Inquiry, names: Sequence[str]) -> None:
        """Say at once that papers are read: the attached ones of these names, else what the words name or hold."""
        kept = [file for file in self._attachments.attached_to(inquiry.id) if file.name in names]
        attached: list[tuple[str, str | None]] = [(file.name, file.digest) for file in kept]
        found = attached or [(_named(inquiry.text), None)]
        begun = [
            Reading(id=reading_id(inquiry.id, name, digest), inquiry_id=inquiry.id, name=name, digest=digest)
            for name, digest in found
        ]
        for one in begun:
            self._ideas.begin(one)
            self._say(one, "reading", reading(one.name, one.id, self._room.model.name))

    def read(self, wanted: str) -> bool:
        """Whether there are ideas to be shown. Posts what was understood as soon as it is."""
        one = self._ideas.reading(wanted)
        if self._journal.stopped(wanted):
            return self._end(one, Progress.STOPPED, reading_stopped(one.name))
        try:
            paper = self._paper(one)
        except PaperError as error:
            self._say(one, "refused", refused(one.name, str(error)))
            return self._end(one, Progress.REFUSED, not_read(one.name))
        self._ideas.update(wanted, paper_id=paper.id)
        found = self._room.understood(paper)
        self._say(one, "understood", understood_paper(paper, found))
        self._show(one, looking_further(one.name, one.id))
        if self._journal.stopped(wanted):
            return self._end(one, Progress.STOPPED, reading_stopped(one.name))
        related = self._room.related(paper, found)
        self._say(one, "related", related_work(related))
        ideas = self._room.ideas(paper, found, related)
        if self._journal.stopped(wanted):
            return self._end(one, Progress.STOPPED, reading_stopped(one.name))
        self._ideas.record(wanted, ideas.ideas, self._among(one))
        kept = self._ideas.ideas([wanted])  # after a crash those of the first time, whatever a model says now
        self._say(one, "ideas", ideas_heading(ideas, paper.name, len(kept)))
        return True

    def show_ideas(self, wanted: str) -> None:
        one = self._ideas.reading(wanted)
        kept = self._ideas.ideas([wanted])
        for idea in kept:
            self._ideas.replan(idea.id, self._costed(idea.idea.plan))
            self._say(one, f"idea/{idea.id}", idea_card(self._ideas.idea(idea.id)), detail={"idea": idea.id})
        self._end(one, Progress.READ, read_to_the_end(one.name, len(kept)))

    def unread(self, inquiry_id: str) -> list[str]:
        """What a message brought and nobody has read."""
        return [one.id for one in self._ideas.readings([inquiry_id]) if one.state is Progress.UNREAD]

    def at_work(self, inquiries: Sequence[Inquiry]) -> list[str]:
        found = self._ideas.readings([inquiry.id for inquiry in inquiries])
        return [one.id for one in found if one.state is Progress.UNREAD and not self._journal.stopped(one.id)]

    def fail(self, wanted: str, job_id: str, what: str, advice: str) -> None:
        """A fault of ours; it may be tried again."""
        told = failed(request_id=wanted, job_id=job_id, what=what, advice=advice)
        self._say(self._ideas.reading(wanted), f"failed/{job_id}", told)
        self._ideas.update(wanted, state=Progress.FAILED)

    def _paper(self, one: Reading) -> Paper:
        if one.digest is not None:
            return self._room.paper(data=self._files.get(one.digest), name=one.name)
        text = self._inquiries.get(one.inquiry_id).text
        named = arxiv_of(text)
        return self._room.paper(f"arXiv:{named}") if named else self._room.pasted(pasted_paper(text))

    def _among(self, one: Reading) -> list[str]:
        """Of the whole thread."""
        place = self._inquiries.get(one.inquiry_id)
        thread = self._inquiries.in_thread(place.channel, place.thread_ts or place.ts)
        return [other.id for other in self._ideas.readings([inquiry.id for inquiry in thread])]

    def _end(self, one: Reading, state: Progress, told: Message) -> bool:
        self._ideas.update(one.id, state=state)
        self._show(one, told)
        return False

    def _show(self, one: Reading, told: Message) -> None:
        self._slack.update(f"{one.id}/reading", told)

    def _say(self, one: Reading, key: str, told: Message, detail: dict[str, object] | None = None) -> None:
        place = self._inquiries.get(one.inquiry_id)
        self._slack.post(f"{one.id}/{key}", place.channel, place.thread_ts or place.ts, told, detail=detail)


def arxiv_of(text: str) -> str | None:
    """The number of a paper on arXiv that a message names; what is pasted behind "read this paper" names none."""
    said = _MENTION.sub(" ", text).strip()
    pasted = _PASTED.match(said)
    return arxiv_id(pasted["text"] if pasted else said) if not pasted or len(pasted["text"]) < 200 else None


def pasted_paper(text: str) -> str:
    """What follows "read this paper:"; empty where nothing does, or nobody said so."""
    found = _PASTED.match(_MENTION.sub(" ", text))
    return html.unescape(found["text"]).strip() if found else ""


def asks_to_read(text: str) -> bool:
    return _PASTED.match(_MENTION.sub(" ", text)) is not None


def _named(text: str) -> str:
    number = arxiv_of(text)
    return f"arXiv:{number}" if number else PASTED_PAPER


def reading_id(inquiry_id: str, name: str, digest: str | None) -> str:
    """The same for every delivery of the message."""
    return READING_PREFIX + hashlib.sha256(f"{inquiry_id}/{name}/{digest}".encode()).hexdigest()[:8]
