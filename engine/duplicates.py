"""Hypotheses that are a known function, or an earlier hypothesis, once more: they take over its scores."""

from __future__ import annotations

from collections.abc import Sequence

from engine.hypothesis import Hypothesis
from engine.journal import Journal
from engine.request import Strategy
from engine.score import Score
from engine.verdict import Novelty
from sandbox.guest.components.kind import Behaviour, Kind


def repeated(kind: Kind, novelty: Novelty, earlier: Sequence[tuple[Hypothesis, Behaviour]]) -> str | None:
    """The id of the earlier hypothesis that is the same function; None: there is none, or it is a known function."""
    of = novelty.duplicate_of
    known = of is None or any(one.name == of for one in kind.known)
    return None if known else next((hypothesis.id for hypothesis, _ in earlier if hypothesis.title == of), None)


def originals(journal: Journal, request_id: str, identity: str, seeds: tuple[int, ...]) -> dict[str, Score]:
    """Scores on a suite of the earlier hypotheses that some of a request repeat, by their ids."""
    novelties = [verdict.novelty for verdict in journal.verdicts(request_id).values()]
    wanted = {novelty.duplicate_id for novelty in novelties if novelty and novelty.duplicate_id}
    requests = {journal.hypothesis(id).request_id for id in wanted}
    return {
        score.hypothesis_id: score
        for score in (score for request in requests for score in journal.scores(request))
        if score.hypothesis_id in wanted and score.suite == identity and score.seeds == seeds
    }


def same_idea(one: Hypothesis, other: Hypothesis) -> bool:
    """Not duplicates but the same thing again: a catalogue entry after all were used, a file that is tried again."""
    again = one.origin is not None and one.origin == other.origin
    tried_again = one.strategy is other.strategy is Strategy.BY_HAND and one.source == other.source
    return one.id == other.id or again or tried_again
