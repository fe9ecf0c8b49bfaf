"""What votes did: how far they moved the order of evaluation, and how often blind ones were right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from engine.choose import moved
from engine.journal import Journal, Past

LATEST = 10  # requests of a kind, the newest, whose order is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A hypothesis whose place in its request's order of evaluation votes on others like it changed."""

    title: str
    place: int  # from 1
    without_votes: int
    measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """Of the votes before any figure was known, on hypotheses that were measured since."""

    right: int  # up and above the median B-WR of its request, or down and not above it
    cast: int


def moves(journal: Journal, past: Sequence[Past]) -> list[Move]:
    """The farthest first, over the latest requests of a kind."""
    titles = {one.hypothesis.id: one.hypothesis.title for one in past}
    requests = list(dict.fromkeys(one.hypothesis.request_id for one in reversed(past)))[:LATEST]
    choices = [choice for id in requests for choice in journal.choices(id).values() if choice.hypothesis_id in titles]
    return [
        Move(
            title=titles[choice.hypothesis_id],
            place=choice.parts.place,
            without_votes=choice.parts.without_votes,
            measured=choice.measured,
        )
        for choice in moved(choices)
        if choice.parts
    ]


def blind(past: Sequence[Past]) -> Blind:
    rates: dict[str, list[float]] = {}
    for one in past:
        if one.score:
            rates.setdefault(one.hypothesis.request_id, []).append(one.score.b_wr.value)
    hits = [
        vote.thumbs_up == (one.score.b_wr.value > median(rates[one.hypothesis.request_id]))
        for one in past
        if one.score
        for vote in one.feedback
        if vote.blind
    ]
    return Blind(right=sum(hits), cast=len(hits))
