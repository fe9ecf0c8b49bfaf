"""The answer to a request for one kind: places, reference rows, and what has no place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.hypothesis import Hypothesis
from engine.repeat import PREFIX, Repetition, compare
from engine.score import Estimate, Score
from engine.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The best baseline with the parameters or the training time of one candidate: see budget.py."""

    words: str  # "ReLU, 1.3 x wider"
    b_wr: Estimate  # its own row against the other baselines, like a reference
    bsota_wr: Estimate
    won: Estimate  # share of trials that the candidate wins against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What decides nothing: medians over the trials that neither diverged in, against the baseline of the effect."""

    against: str  # the baseline's name
    accuracy: float  # its difference, positive is better; of R2 for regressions
    final: float | None  # relative difference of the losses at the last checkpoint alone; None: they were not kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    rank: int  # equal for those that cannot be told apart
    hypothesis: Hypothesis
    verdict: Verdict
    score: Score
    effect: Estimate  # shrunken toward zero over the round
    promising: bool  # the lower bound of `effect` is above 0
    rerun: Score | None = None  # the top two, on 8 fresh seeds
    repetition: Repetition | None = None  # the top two, in split process on the same seeds
    matched: tuple[Matched, ...] = ()  # on the standard and the full suite, if it adds parameters or time
    step_size_effect: bool = False  # won its screening, but not once every arm had its best learning rate
    beside: Beside | None = None  # None: nothing to compare with


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A baseline's own row against the other baselines: what a candidate must be compared with."""

    baseline: str
    source: str
    b_wr: Estimate
    bsota_wr: Estimate
    best: bool  # one of the accepted best


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What a duplicate would score: the figures of the one that it is the same as. Never a win of its own."""

    of: str  # a baseline's name, or an earlier hypothesis' title
    b_wr: Estimate
    bsota_wr: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    hypothesis: Hypothesis
    check: str
    reason: str
    inherited: Inherited | None = None  # of a duplicate; None: the other one was not measured on this suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    request_id: str
    kind: str
    suite: str
    places: tuple[Place, ...]  # best first
    references: tuple[Reference, ...]  # best first
    rejected: tuple[Rejection, ...]  # duplicates too, with check `duplicate`
    not_measured: tuple[Hypothesis, ...]
    best: str | None = None  # the baseline that effects are held against; None: no baseline's trials are known
    generator_faults: tuple[str, ...] = ()  # what a model answered that could not be used, one sentence each
    stopped: bool = False

    def with_repetitions(self, scores: Sequence[Score]) -> Ranking:
        """Each place beside its score in split process, if there is one among `scores`."""
        split = {(score.hypothesis_id, score.suite): score for score in scores}
        places = []
        for place in self.places:
            again = split.get((place.hypothesis.id, PREFIX + place.score.suite))
            places.append(replace(place, repetition=compare(place.score, again)) if again else place)
        return replace(self, places=tuple(places))
