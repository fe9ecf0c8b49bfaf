"""Rotating the suites' seeds and secret parameters, and comparing what was measured before with what is measured since.

Seeds that never change are overfitted, by months of requests and by the reward model. So every now and then an epoch
begins, in which everything is drawn anew. Before it does, some hypotheses of each kind, the anchors, are measured again
on it, and the line through their old and new figures carries all other scores over, with its error told. The same
happens after an upgrade that changed the suites. A request stays on the epoch in which it was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import structlog
from scipy.stats import theilslopes

from engine.evaluate import Evaluator
from engine.journal import Epoch, Journal, Past, epoch_at
from engine.score import Estimate, Score
from engine.suite import SCREENING, STANDARD
from engine.verdict import Verdict
from engine.winrate import NORMAL_DEVIATION, Z90
from sandbox.guest.components.kind import Kind

ANCHORS = 20  # of a kind, over all earlier epochs
LEAST_ANCHORS = 5  # fewer tell no line
BATCH = 10  # anchors measured in one step
LATEST = 20  # re-runs that are compared with those before

Era = int | str  # the number of an epoch, or the identity of a suite that an earlier version measured on

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """new = intercept + slope * old, by Theil and Sen; `error` is the standard deviation of a single figure from it."""

    intercept: float
    slope: float  # never below 0: the order of the old scores stays
    error: float

    @staticmethod
    def through(old: Sequence[float], new: Sequence[float]) -> Line:
        """Raises ValueError for fewer than LEAST_ANCHORS pairs."""
        if len(old) < LEAST_ANCHORS:
            raise ValueError(f"{len(old)} anchors tell no line; expected at least {LEAST_ANCHORS}")
        x, y = np.array(old), np.array(new)
        slope = max(0.0, float(theilslopes(y, x).slope)) if np.ptp(x) > 0 else 1.0
        intercept = float(np.median(y - slope * x))
        off = np.abs(y - intercept - slope * x)
        few = (len(x) / (len(x) - 2)) ** 0.5
        return Line(intercept=intercept, slope=slope, error=NORMAL_DEVIATION * few * float(np.median(off)))

    def carry(self, old: Estimate, least: float, most: float) -> Estimate:
        value = self.intercept + self.slope * old.value
        low, high = (
            value + side * ((self.slope * (end - old.value)) ** 2 + (Z90 * self.error) ** 2) ** 0.5
            for side, end in ((-1, old.low), (1, old.high))
        )
        value, low, high = (min(max(x, least), most) for x in (value, low, high))
        return Estimate(value=value, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """From one era to another, through hypotheses that were measured in both."""

    anchors: int
    b_wr: Line
    bsota_wr: Line
    effect: Line

    @staticmethod
    def through(pairs: Sequence[tuple[Score, Score]]) -> Bridge:
        """Raises ValueError for fewer than LEAST_ANCHORS pairs."""

        def line(name: str) -> Line:
            return Line.through(*([getattr(pair[side], name).value for pair in pairs] for side in (0, 1)))

        return Bridge(anchors=len(pairs), b_wr=line("b_wr"), bsota_wr=line("bsota_wr"), effect=line("effect"))

    def carry(self, score: Score) -> Score:
        return replace(
            score,
            b_wr=self.b_wr.carry(score.b_wr, 0.0, 1.0),
            bsota_wr=self.bsota_wr.carry(score.bsota_wr, 0.0, 1.0),
            effect=self.effect.carry(score.effect, -1.0, 1.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Screenings:
    """The scores of a kind by era. `rescored` as in `Journal.rescored`; `epochs` gives the epoch of a suite's identity.

    A hypothesis counts in each era with what was recorded first: its re-run comes later.
    """

    epochs: Mapping[str, int]
    rescored: Sequence[Score]

    def era(self, score: Score) -> Era:
        return self.epochs.get(score.suite, score.suite)

    def firsts(self) -> dict[str, dict[Era, Score]]:
        """By hypothesis and era."""
        found: dict[str, dict[Era, Score]] = {}
        for score in self.rescored:
            found.setdefault(score.hypothesis_id, {}).setdefault(self.era(score), score)
        return found

    def bridges(self, to: Era) -> dict[Era, Bridge]:
        """By the era that they start from; those with too few anchors are left out."""
        pairs: dict[Era, list[tuple[Score, Score]]] = {}
        for eras in self.firsts().values():
            for era, score in eras.items():
                if to in eras and era != to:
                    pairs.setdefault(era, []).append((score, eras[to]))
        return {era: Bridge.through(found) for era, found in pairs.items() if len(found) >= LEAST_ANCHORS}

    def comparable(self, past: Sequence[Past], to: Era) -> list[Past]:
        """The past with all its scores on the scale of one era.

        What was measured in it has that score; what was not is carried over, and without a bridge has no score.
        """
        measured, bridges = self.firsts(), self.bridges(to)

        def on_scale(score: Score | None) -> Score | None:
            if score is None or self.era(score) == to:
                return score
            again = measured.get(score.hypothesis_id, {}).get(to)
            bridge = bridges.get(self.era(score))
            return again or (bridge.carry(score) if bridge else None)

        return [replace(one, score=on_scale(one.score)) for one in past]

    def anchors(self, past: Sequence[Past], to: Era) -> list[str]:
        """Ids of hypotheses to measure on an era so that scores of all others can be carried over to it.

        Of each earlier era that has no bridge they are spread over the range of its B-WR; those that were measured in
        most eras go first, so that one measurement serves several bridges.
        """
        measured = self.firsts()
        by_era: dict[Era, dict[str, Score]] = {}
        for score in (one.score for one in past if one.score and one.verdict.accepted):
            for era, found in {self.era(score): score, **measured.get(score.hypothesis_id, {})}.items():
                by_era.setdefault(era, {})[score.hypothesis_id] = found
        bridged, done = self.bridges(to), by_era.pop(to, {})
        wanting = [scores for era, scores in by_era.items() if era not in bridged and scores.keys() - done.keys()]
        chosen: dict[str, None] = {}
        for scores in wanting:
            ordered = sorted(scores.values(), key=lambda score: (score.b_wr.value, score.hypothesis_id))
            share = max(LEAST_ANCHORS, ANCHORS // len(wanting))
            for group in np.array_split(np.arange(len(ordered)), min(share, len(ordered))):
                ids = [ordered[place].hypothesis_id for place in group]
                often = [(id in chosen, len(measured.get(id, ()))) for id in ids]
                middle = [-abs(place - (len(ids) - 1) / 2) for place in range(len(ids))]
                best = max(range(len(ids)), key=lambda place: (often[place], middle[place]))
                chosen[ids[best]] = None
        return [id for id in chosen if id not in done]


class Rotation:
    """When an epoch ends, and what has to be done before the next begins. Each method is one idempotent step."""

    def __init__(
        self, *, journal: Journal, evaluator: Evaluator, kinds: Mapping[str, Kind], days: int, hypotheses: int
    ) -> None:
        """An epoch ends after `days`, or when `hypotheses` were measured in it, whichever is first."""
        self._journal = journal
        self._evaluator = evaluator
        self._kinds = kinds
        self._days = days
        self._hypotheses = hypotheses

    @property
    def epoch(self) -> int:
        """The one in force."""
        return epoch_at(self._journal.epochs())

    def due(self) -> tuple[int, str]:
        """The epoch that should be in force now, and why if it is not yet. While nothing is measured, none ends."""
        begun = max((epoch.at for epoch in self._journal.epochs()), default=None)
        measured, first = self._journal.measured_since(begun)
        if first is None:
            return self.epoch, ""
        age = datetime.now(UTC) - (begun or first)
        if age >= timedelta(days=self._days):
            return self.epoch + 1, f"the last one began {age.days} days before"
        if measured >= self._hypotheses:
            return self.epoch + 1, f"{measured:,} hypotheses were measured in the last one"
        return self.epoch, ""

    def plan(self, epoch: int) -> list[tuple[str, list[str]]]:
        """Batches of anchors, (kind, hypothesis ids), that are to be measured on an epoch."""
        batches = []
        for kind in self._kinds:
            ids = self._screenings(kind, epoch).anchors(self._journal.past(kind), epoch)
            batches += [(kind, ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
        return batches

    def measure(self, epoch: int, kind: str, hypothesis_ids: Sequence[str]) -> None:
        """An anchor that does not train any more is left out: its verdict stays as it was."""
        suite = self._evaluator.suite(kind, epoch=epoch)
        done = self._screenings(kind, epoch).firsts()
        hypotheses = [self._journal.hypothesis(id) for id in hypothesis_ids if epoch not in done.get(id, {})]

        def record(result: Score | Verdict) -> None:
            if isinstance(result, Score):
                self._journal.record_score(result)

        self._evaluator.measure(
            hypotheses, kind, suite.seeds, tag=f"epoch-{epoch}", stopped=lambda: False, done=record, suite=suite
        )

    def begin(self, epoch: int, why: str) -> list[str]:
        """Let an epoch begin, if it has not; returns the kinds whose reward model was learned on the one before."""
        for kind in self._kinds:
            warned = widening(self._journal.rescored(kind))
            if warned:
                log.warning("scores may have come to fit the suite's seeds", kind=kind, what=warned)
        if epoch <= self.epoch:
            return []
        self._journal.begin_epoch(Epoch(number=epoch, at=datetime.now(UTC), why=why))
        log.info("a new epoch of the suites began", epoch=epoch, why=why)
        return [kind for kind in self._kinds if self._journal.latest_snapshot(kind) is not None]

    def _screenings(self, kind: str, latest: int) -> Screenings:
        return screenings(self._journal, self._evaluator, kind, latest)


def comparable_past(journal: Journal, evaluator: Evaluator, kind: str) -> list[Past]:
    """Everything of a kind, with all scores on the scale of the epoch in force."""
    past, epoch = journal.past(kind), epoch_at(journal.epochs())
    found = screenings(journal, evaluator, kind, epoch)
    if all(one.score is None or found.era(one.score) == epoch for one in past):
        return past
    return found.comparable(past, epoch)


def screenings(journal: Journal, evaluator: Evaluator, kind: str, latest: int) -> Screenings:
    """With the identities of all epochs up to the latest."""
    suites = [
        (epoch, evaluator.suite(kind, name, epoch=epoch))
        for name in (SCREENING, STANDARD.name)
        for epoch in range(latest + 1)
    ]
    epochs = {evaluator.identity(kind, suite): epoch for epoch, suite in suites}
    return Screenings(epochs=epochs, rescored=journal.rescored(kind))


def widening(rescored: Sequence[Score]) -> str | None:
    """A sentence when re-runs on fresh seeds fall short of their screening by more, lately, than they did before.

    That winners fall short is the rule: they were chosen. That they do so more and more says that what is proposed and
    chosen has come to fit the screening's seeds.
    """
    first: dict[tuple[str, str], Score] = {}
    gaps = []
    for score in rescored:
        screened = first.setdefault((score.hypothesis_id, score.suite), score)
        if screened is not score:
            gaps.append(screened.b_wr.value - score.b_wr.value)
    before, lately = np.array(gaps[:-LATEST]), np.array(gaps[-LATEST:])
    if len(before) < LATEST:
        return None
    error = float((before.var(ddof=1) / len(before) + lately.var(ddof=1) / len(lately)) ** 0.5)
    if lately.mean() - before.mean() <= Z90 * error:
        return None
    return (
        f"the last {LATEST} re-runs had a B-WR {lately.mean():.3f} below their screening's on average, "
        f"the {len(before)} before {before.mean():.3f}"
    )
