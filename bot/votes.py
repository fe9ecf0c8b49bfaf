"""A click on a thumb becomes a vote, and the voter is told what it does."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from bot.slack import Slack
from bot.views.invitation import too_late
from bot.views.vote_recorded import vote_lost, vote_recorded
from engine.errors import UnknownThing
from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import Journal
from engine.learn import MINIMUM_OUTCOMES
from engine.research import Research
from storage.posts import SqlPosts


class Votes:
    def __init__(self, *, journal: Journal, research: Research, slack: Slack, posts: SqlPosts) -> None:
        self._journal = journal
        self._research = research
        self._slack = slack
        self._posts = posts
        self._voting = threading.Lock()

    def vote(
        self, at: str, person: str, channel: str, ts: str, thread_ts: str | None, hypothesis_id: str, thumbs_up: bool
    ) -> str | None:
        """Record a vote with what was visible, and tell the voter; returns the kind that there is to learn about.

        `at` is Slack's time of the click: of two clicks of one person the later counts, in whatever order they come. A
        click on the invitation is a blind vote, and counts only while no figure is known.
        """
        try:
            hypothesis = self._journal.hypothesis(hypothesis_id)
        except UnknownThing:
            self._slack.ephemeral(channel, person, vote_lost(hypothesis_id=hypothesis_id), thread_ts)
            return None
        seen = self._posts.shows(channel, ts) or {}
        clicked, blind = datetime.fromtimestamp(float(at), UTC), seen.get("figures_shown") is False
        if blind and self._shown_before(clicked, hypothesis):
            self._slack.ephemeral(channel, person, too_late(title=hypothesis.title), thread_ts)
            return None
        vote = Feedback(
            person=person, hypothesis_id=hypothesis_id, thumbs_up=thumbs_up, seen=seen, at=clicked, blind=blind
        )
        with self._voting:
            before = [old for old in self._journal.feedback(hypothesis_id) if old.person == person]
            earlier = [old for old in before if old.blind == blind]
            if any(old.at > clicked for old in earlier):
                return None
            self._journal.record_feedback(vote)
        told = vote_recorded(
            title=hypothesis.title,
            thumbs_up=thumbs_up,
            changed=any(old.thumbs_up != thumbs_up for old in earlier),
            outcomes=self._research.outcomes(hypothesis.kind),
            needed=MINIMUM_OUTCOMES,
        )
        self._slack.ephemeral(channel, person, told, thread_ts)
        return hypothesis.kind

    def _shown_before(self, clicked: datetime, hypothesis: Hypothesis) -> bool:
        """Whether the figures of a hypothesis' request were posted when the click came."""
        shown = self._posts.find(f"{hypothesis.request_id}/0/{hypothesis.kind}/ranking")
        return shown is not None and shown.intended_at <= clicked
