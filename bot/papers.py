"""What a message has to do with papers: it brings some, speaks about their ideas, or steers an experiment."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.experiments import EXPERIMENT_PREFIX, Experiments, experiment_of
from bot.readings import READING_PREFIX, Readings, arxiv_of, asks_to_read, pasted_paper
from bot.slack import Slack
from bot.steering import Steering
from bot.views.message import Message
from bot.views.paper import no_paper
from bot.work import Next, Work
from engine.understanding import (
    CountOutOfRange,
    Help,
    Propose,
    Stop,
    TryFile,
    Unclear,
    Understanding,
    Unknown,
    UnknownSuite,
    UnsupportedKind,
    WhyRanked,
)
from storage.inquiries import Inquiry

UNSURE = (Unknown, UnsupportedKind, UnknownSuite, Unclear, CountOutOfRange, TryFile, Help)  # paper words may be read so
ENOUGH = 200  # characters: what is shorter is no pasted paper
_MENTION = re.compile(r"<@[^>]*>")
_OTHERS = re.compile(r"<[@!]")  # a message to other people
_ORDER = re.compile(r"(?:please\s+)?(?:(?:idea|plan)\s+#?\d+\s*:|approve\s+#?\d)", re.IGNORECASE)
_IDEA_FIRST = re.compile(r"(?:please\s+)?(?:idea|plan|approve)\s+#?\d", re.IGNORECASE)


class Papers:
    def __init__(self, *, readings: Readings, steering: Steering, experiments: Experiments, slack: Slack) -> None:
        self.readings = readings
        self.steering = steering
        self.experiments = experiments
        self._slack = slack

    def take(self, inquiry: Inquiry, names: Sequence[str], meant: Understanding) -> bool:
        """Begin to read the attached files of these names, or what the words name or hold. Whether that is all that
        the message is about."""
        if not inquiry.addressed:  # an order or an answer: see `expects`
            return False
        said = len(pasted_paper(inquiry.text)) >= ENOUGH
        if names or said or (isinstance(meant, UNSURE) and arxiv_of(inquiry.text)):
            self.readings.begin(inquiry, names)
            return said or not isinstance(meant, Propose)
        if asks_to_read(inquiry.text) and isinstance(meant, UNSURE):
            self._reply(inquiry, no_paper())
            return True
        return False

    def steer(self, inquiry: Inquiry, thread: Sequence[Inquiry], meant: Understanding) -> tuple[bool, Next]:
        """Whether a reply was about an idea or an experiment of its thread, and what follows from it."""
        text = html.unescape(_MENTION.sub(" ", inquiry.text)).strip()
        a_reply = isinstance(meant, UNSURE) or _IDEA_FIRST.match(text) or not inquiry.addressed
        if not thread or isinstance(meant, Stop | WhyRanked) or not a_reply:
            return False, None
        answers = self.experiments.waits(thread) and not _IDEA_FIRST.match(text)  # "metric auc" may answer a question
        found = None if answers else self.steering.meant(inquiry, text)
        if isinstance(found, Message):
            self._reply(inquiry, found)
            return True, None
        if found is not None:
            kept, wanted = found
            if wanted.told or not wanted.approves:
                self._reply(inquiry, self.steering.change(kept.id, wanted, inquiry.person))
            if not wanted.approves:
                return True, None
            as_component = bool(kept.idea.kind) and not wanted.as_plan
            return True, self.approve(kept.id, inquiry.person, inquiry.received_at, as_component)
        heard = self.experiments.hear(inquiry, thread, text)
        return heard is not None, (Work.EXPERIMENT, [heard]) if heard else None

    def expects(self, inquiry: Inquiry, thread: Sequence[Inquiry]) -> bool:
        """Whether words without a mention or a file are to us: an order about an idea or to an experiment of their
        thread, or, while that waits for an answer, whatever is not said to somebody else."""
        text = html.unescape(inquiry.text).strip()
        if inquiry.files or _OTHERS.search(inquiry.text):
            return False
        if _ORDER.match(text):
            return self.steering.meant(inquiry, text) is not None
        return self.experiments.ordered(thread, text) or self.experiments.waits(thread)

    def approve(self, idea_id: str, person: str, at: datetime, as_component: bool) -> Next:
        """A person approved an idea: its component is measured, or its plan is run, and goes on if it was stopped."""
        if self.experiments.resume(experiment_of(idea_id), person, f"{person}-{at.timestamp()}"):
            return Work.EXPERIMENT, [experiment_of(idea_id)]
        if not self.steering.approve(idea_id, person, at):
            return None
        if as_component:
            return Work.RESEARCH, [self.steering.as_component(idea_id), []]
        self.experiments.announce(experiment_of(idea_id))
        return Work.EXPERIMENT, [experiment_of(idea_id)]

    def approve_clicked(self, idea_id: str, person: str, clicked_at: str, as_component: bool) -> Next:
        return self.approve(idea_id, person, datetime.fromtimestamp(float(clicked_at), UTC), as_component)

    def at_work(self, thread: Sequence[Inquiry]) -> list[str]:
        return [*self.readings.at_work(thread), *self.experiments.at_work(thread)]

    def stop(self, wanted: str, person: str, occasion: str) -> bool:
        """Whether it was an experiment, which ends here. A reading ends itself when it sees that it is stopped."""
        if wanted.startswith(EXPERIMENT_PREFIX):
            self.experiments.stop(wanted, person, occasion)
        return wanted.startswith(EXPERIMENT_PREFIX)

    def fail(self, wanted: str, job_id: str, what: str, advice: str) -> None:
        told = self.readings if wanted.startswith(READING_PREFIX) else self.experiments
        told.fail(wanted, job_id, what, advice)

    def _reply(self, inquiry: Inquiry, told: Message) -> None:
        self._slack.post(f"{inquiry.id}/answer", inquiry.channel, inquiry.thread_ts or inquiry.ts, told)
