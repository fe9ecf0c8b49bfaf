"""The best of everything so far, for a channel: now, or every day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.schedule import Schedule
from bot.slack import Slack
from bot.views.digest import (
    Digest,
    DigestItem,
    digest,
    digest_ended,
    digest_subscribed,
)
from bot.views.message import Message
from engine.journal import Journal, Past
from engine.ledger import Ledger, findings
from engine.rank import is_duplicate
from engine.research import Research
from engine.rotation import widening
from engine.score import Estimate
from engine.shrinkage import shrunken
from engine.votes import blind, moves
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS


class Digests:
    def __init__(
        self, *, journal: Journal, ledger: Ledger, research: Research, slack: Slack, schedule: Schedule
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._research = research
        self._slack = slack
        self._schedule = schedule

    def post(self, channel: str, key: str, thread_ts: str | None) -> None:
        told = self.gathered(channel, {name: self._research.past(name) for name in KINDS})
        self._slack.post(key, channel, thread_ts, digest(told))

    def subscribe(self, channel: str, hour: int, minute: int) -> Message:
        first = self._schedule.subscribe(channel, hour, minute)
        return digest_subscribed(
            time=f"{hour:02}:{minute:02}",
            timezone=str(self._schedule.timezone),
            next_on=f"{first:%A}, {first.day} {first:%B}",
        )

    def unsubscribe(self, channel: str) -> Message:
        return digest_ended(was_subscribed=self._schedule.unsubscribe(channel))

    def gathered(self, channel: str, past: Mapping[str, list[Past]]) -> Digest:
        everything = [(KINDS[kind], one) for kind, ones in past.items() for one in ones]
        effects = {kind: effects_of(ones) for kind, ones in past.items()}
        items = [(one, item(kind, one, effects[kind.name].get(one.hypothesis.id))) for kind, one in everything]
        closed = [one for one in self._ledger.rounds() if one.closing]
        holds = {each.hypothesis_id: (one, each) for one, each in findings(closed)}
        known = {told.hypothesis_id: told for _, told in items}
        refuted = {id for one in closed if not one.stopped for id in one.family} - holds.keys()
        hopeful = [
            replace(told, refuted=told.hypothesis_id in refuted)
            for _, told in items
            if told.effect and told.effect.low > 0 and told.hypothesis_id not in holds
        ]
        liked = [told for _, told in items if told.thumbs_up > told.thumbs_down]
        failed = [told for one, told in reversed(items) if not one.verdict.accepted]
        return Digest(
            channel=channel,
            proposed=len(everything),
            measured=sum(one.score is not None for _, one in everything),
            promising=sorted(hopeful, key=lambda told: -(told.effect.value if told.effect else 0.0)),
            liked=sorted(liked, key=lambda told: (told.thumbs_down - told.thumbs_up, told.title)),
            failed=failed[:5],
            failures=len(failed),
            warnings=[
                f"{KINDS[kind].title}: {told}" for kind in past if (told := widening(self._journal.rescored(kind)))
            ],
            subscription=self._schedule.time_of(channel),
            moves=[move for ones in past.values() for move in moves(self._journal, ones)],
            blind=blind([one for ones in past.values() for one in ones]),
            guards=[
                (KINDS[kind].plural, self._research.guards(kind, ones))
                for kind, ones in past.items()
                if any(one.score for one in ones)
            ],
            findings=[
                replace(known[id], effect=each.mean, best=(one.closing and one.closing.best) or "")
                for id, (one, each) in holds.items()
                if id in known
            ],
        )


def effects_of(past: list[Past]) -> dict[str, Estimate]:
    """Shrunken effects over everything of a kind that was measured, by hypothesis id; duplicates are never a win."""
    scores = [one.score for one in past if one.score and not is_duplicate(one.verdict)]
    effects = shrunken([score.effect for score in scores])
    return dict(zip((score.hypothesis_id for score in scores), effects, strict=True))


def item(kind: Kind, one: Past, effect: Estimate | None) -> DigestItem:
    return DigestItem(
        hypothesis_id=one.hypothesis.id,
        kind=kind.title,
        title=one.hypothesis.title,
        effect=effect,
        b_wr=one.score.b_wr if one.score else None,
        thumbs_up=sum(vote.thumbs_up for vote in one.feedback if not vote.blind),
        thumbs_down=sum(not vote.thumbs_up for vote in one.feedback if not vote.blind),
        reason=one.verdict.reason or "",
    )
