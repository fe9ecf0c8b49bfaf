"""The confirmation of what looks promising: planned before looking, on fresh seeds and unseen data, tested once.

Null hypothesis of each test: the mean over the suite's cells of the paired relative differences
(m(b) - m(h)) / max(m(b), m(h)) is at most MARGIN, b being the best baseline of the kind, chosen on SELECTION_SEEDS.

The mean's error. Trials of one data set and seed share their examples (and differ in architecture only), so they are
one cluster; clusters of different seeds, or of different data sets, are independent. Hence each data set is a stratum,
and the variance is the sum over strata of w^2 s^2 / K: w the stratum's share of the cells, s^2 the sample variance of
its K clusters' means. The statistic (mean - MARGIN) / error is read off Student's t with the degrees of freedom of
Satterthwaite (1946, Biometrics Bulletin 2), one-sided. Data sets are the suite's, not a sample of all: a finding holds
for new seeds on them. See docs/decisions/0006-confirmation.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from scipy.stats import t as student

from engine.ablation import credited
from engine.dropin import Evidence
from engine.errors import EngineError
from engine.evaluate import Evaluator
from engine.finding import Closing, Confirmation, Origin, Round
from engine.hypothesis import Hypothesis
from engine.journal import Journal, epoch_at
from engine.ledger import Ledger, outcome_of
from engine.multiplicity import holm, next_alpha, wealth
from engine.novelty import same
from engine.rank import step_size_effect
from engine.score import BaselineTrials, Estimate, Score, Trial
from engine.suite import FULL, SCREENING, Suite
from engine.verdict import Verdict
from engine.winrate import LEAST_EFFECT_ERROR, Yardstick, loss_of, relative_differences
from sandbox.guest.components.kind import Kind

PREFIX = "c-"  # of the ids of rounds
MARGIN = 0.01
SEEDS = 24  # of each round: GELU, withheld, is about 3 % above the margin of 1 %, and eight often miss it
FIRST_SEED = 2_000_000_000  # from here on seeds belong to confirmations: nothing else ever draws one
PLANNING_ATTEMPTS = 100  # when others plan at the same moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Of paired relative differences, with its standard error and degrees of freedom."""

    value: float
    error: float
    freedom: float

    def interval(self) -> Estimate:
        half = float(student.ppf(0.95, self.freedom)) * self.error
        return Estimate(value=self.value, low=self.value - half, high=self.value + half)

    def p_above(self, margin: float) -> float:
        """One-sided, of a true mean of at most `margin`."""
        return float(student.sf((self.value - margin) / self.error, self.freedom))


def mean_difference(mine: Sequence[Trial], theirs: Sequence[Trial], data_sets: Collection[str] | None = None) -> Mean:
    """Over all cells, or those of some data sets. Raises ValueError for other trials, or fewer than two seeds."""
    if [(t.cell, t.seed) for t in mine] != [(t.cell, t.seed) for t in theirs]:
        raise ValueError("the arms have different trials, which cannot be paired")
    losses = (np.array([loss_of(trial.loss) for trial in arm]) for arm in (mine, theirs))
    strata: dict[str, dict[int, list[float]]] = {}
    for trial, difference in zip(mine, relative_differences(*losses), strict=True):
        name = trial.cell.partition("/")[0]
        if data_sets is None or name in data_sets:
            strata.setdefault(name, {}).setdefault(trial.seed, []).append(float(difference))
    cells = sum(len(next(iter(seeds.values()))) for seeds in strata.values())
    means, variances, freedoms = [], [], []
    for seeds in strata.values():
        if len(seeds) < 2:
            raise ValueError(f"seeds {tuple(seeds)} tell nothing about how figures scatter; expected two at least")
        clusters = np.array([np.sum(cluster) for cluster in seeds.values()]) / cells
        means.append(clusters.mean())
        variances.append(clusters.var(ddof=1) / len(clusters))
        freedoms.append(len(clusters) - 1)
    total, squares = float(np.sum(variances)), float(np.sum(np.square(variances) / freedoms))
    freedom = total**2 / squares if squares > 0 else float(min(freedoms))
    return Mean(value=float(np.sum(means)), error=max(total**0.5, LEAST_EFFECT_ERROR), freedom=freedom)


class Confirm:
    """Each method is one idempotent step. Thread-safe."""

    def __init__(
        self,
        *,
        journal: Journal,
        ledger: Ledger,
        evaluator: Evaluator,
        kinds: Mapping[str, Kind],
        split: bool = True,
    ) -> None:
        """`split`: candidates are trained in a process apart from the one that holds data and training loop."""
        self._journal = journal
        self._ledger = ledger
        self._evaluator = evaluator
        self._kinds = kinds
        self._split = split

    # --- before looking

    def plan(self, *, occasion: str, hypothesis_ids: Sequence[str], asked_by: str | None) -> Round:
        """Record family, data, seeds and alpha, once an `occasion`. All hypotheses are of one request and one kind.

        Whether one was confirmed before is for the caller to ask: see `earlier`. Raises UnknownThing.
        """
        id = self.round_id(occasion)
        first = self._journal.hypothesis(hypothesis_ids[0])
        suite = self._suite(first.kind)
        for _ in range(PLANNING_ATTEMPTS):
            rounds = self._ledger.rounds()
            known = next((one for one in rounds if one.id == id), None)
            if known is not None:
                return known
            number = len(rounds) + 1
            planned = Round(
                id=id,
                number=number,
                request_id=first.request_id,
                kind=first.kind,
                family=tuple(hypothesis_ids),
                asked_by=asked_by,
                suite=f"{suite.name}-{suite.version}",
                epoch=suite.epoch,
                data_sets=suite.datasets,
                seeds=tuple(range(FIRST_SEED + SEEDS * (number - 1), FIRST_SEED + SEEDS * number)),
                margin=MARGIN,
                alpha=next_alpha(rounds),
                wealth=wealth(rounds),
                planned_at=datetime.now(UTC),
            )
            if self._ledger.plan(planned):
                return planned
        raise EngineError(f"the confirmation {id} could not be planned: others were planned {PLANNING_ATTEMPTS} times")

    def round_id(self, occasion: str) -> str:
        return f"{PREFIX}{hashlib.sha256(occasion.encode()).hexdigest()[:8]}"

    def earlier(self, hypothesis_id: str) -> tuple[Round, Confirmation | None] | None:
        """The round in which this component was, or is, confirmed: under this id, or written in another way.

        One that was stopped does not count: nobody looked. Raises UnknownThing.
        """
        hypothesis = self._journal.hypothesis(hypothesis_id)
        rounds = [one for one in self._ledger.rounds() if one.kind == hypothesis.kind]
        others = [self._journal.hypothesis(id) for one in rounds for id in one.family]
        for other in [hypothesis, *(other for other in others if self._alike(hypothesis, other))]:
            found = outcome_of(other.id, rounds)
            if found is not None:
                return found
        return None

    def _alike(self, one: Hypothesis, other: Hypothesis) -> bool:
        if one.source == other.source:
            return True
        behaviours = [verdict.behaviour for each in (one, other) if (verdict := self._verdict(each)) is not None]
        return len(behaviours) == 2 and all(behaviours) and same(self._kinds[one.kind], behaviours[0], behaviours[1])

    def _verdict(self, hypothesis: Hypothesis) -> Verdict | None:
        return self._journal.verdicts(hypothesis.request_id).get(hypothesis.id)

    # --- measure

    def prepare(self, round_id: str) -> None:
        """Train the baselines on the round's seeds, each with the best of its grid. Ends early once it is stopped."""
        planned = self._ledger.round(round_id)
        suite = self._suite(planned.kind, planned.epoch)
        self._evaluator.prepare(planned.kind, planned.seeds, suite, stopped=self._stopped(round_id))

    def measure(self, round_id: str, hypothesis_id: str) -> str:
        """Train one hypothesis as the baselines were; returns why that could not be done, or nothing."""
        planned = self._ledger.round(round_id)
        stopped = self._stopped(round_id)
        if planned.closing is not None or stopped() or self._score(planned, hypothesis_id) is not None:
            return ""
        self.prepare(round_id)
        if stopped():  # in the middle of the baselines
            return ""
        faults: list[str] = []

        def record(result: Score | Verdict) -> None:
            # The verdict stays that of the screening: it trained there, so that it does not here is told here.
            if isinstance(result, Score):
                self._journal.record_score(result)
            else:
                faults.append(result.reason or "it did not train")

        self._evaluator.measure(
            [self._journal.hypothesis(hypothesis_id)],
            planned.kind,
            planned.seeds,
            tag=round_id,
            stopped=stopped,
            done=record,
            suite=self._suite(planned.kind, planned.epoch),
            split=self._split,
        )
        return "".join(faults)

    # --- look, once

    def decide(self, round_id: str, faults: Mapping[str, str]) -> Round:
        """Test the family and close the round. One that was stopped is closed without a look at any figure.

        `faults`: of those that could not be measured, by hypothesis id.
        """
        planned = self._ledger.round(round_id)
        if planned.closing is None:
            stopped = self._stopped(round_id)()
            closing = Closing(at=datetime.now(UTC), after=len(self._ledger.rounds()), best=None)
            self._ledger.close(round_id, closing if stopped else self._tested(planned, closing, faults))
        return self._ledger.round(round_id)

    def _tested(self, planned: Round, closing: Closing, faults: Mapping[str, str]) -> Closing:
        suite = self._suite(planned.kind, planned.epoch)
        self._evaluator.prepare(planned.kind, planned.seeds, suite)
        baselines = self.baseline_trials(planned.id)
        best = Yardstick.of(baselines).best()
        found = [self._confirmation(planned, id, faults.get(id, ""), baselines, best) for id in planned.family]
        adjusted = holm([one.p for one in found])
        confirmations = tuple(
            replace(one, adjusted_p=p, finding=p <= planned.alpha and not one.fault)
            for one, p in zip(found, adjusted, strict=True)
        )
        return replace(closing, best=best, confirmations=confirmations)

    def _confirmation(
        self, planned: Round, hypothesis_id: str, fault: str, baselines: Sequence[BaselineTrials], best: str
    ) -> Confirmation:
        score = self._score(planned, hypothesis_id)
        if score is None:
            fault = fault or "it did not train"
            return Confirmation(round_id=planned.id, hypothesis_id=hypothesis_id, finding=False, fault=fault)
        theirs = next(run.trials for run in baselines if run.baseline == best and run.seeds == planned.seeds)
        mean = mean_difference(score.trials, theirs)
        unseen = [name for name in planned.data_sets if name not in self._screening(planned).datasets]
        screened = self._screened(planned, hypothesis_id)
        return Confirmation(
            round_id=planned.id,
            hypothesis_id=hypothesis_id,
            finding=False,
            mean=mean.interval(),
            unseen=mean_difference(score.trials, theirs, unseen).interval() if unseen else None,
            effect=score.effect,
            b_wr=score.b_wr,
            bsota_wr=score.bsota_wr,
            p=mean.p_above(planned.margin),
            split=self._split,
            step_size_effect=screened is not None and step_size_effect(screened, score, baselines),
        )

    # --- understand

    def explain(self, round_id: str, hypothesis_id: str) -> Origin | None:
        """Where a gain comes from; None when it was stopped."""
        known = self._ledger.origin(hypothesis_id)
        if known is not None:
            return known
        planned, stopped = self._ledger.round(round_id), self._stopped(round_id)
        name = planned.closing.best if planned.closing else None
        best = next((known for known in self._kinds[planned.kind].baselines if known.name == name), None)
        if best is None:
            return None
        found = credited(self._journal.hypothesis(hypothesis_id), planned, best, self._evaluator, stopped)
        if stopped():
            return None
        self._ledger.record_origin(found)
        return found

    # --- what there is

    def score(self, round_id: str, hypothesis_id: str) -> Score | None:
        """The trials behind a confirmation."""
        return self._score(self._ledger.round(round_id), hypothesis_id)

    def baseline_trials(self, round_id: str) -> list[BaselineTrials]:
        """Of every baseline on the round's seeds, and on those that chose the best one."""
        planned = self._ledger.round(round_id)
        suite = self._suite(planned.kind, planned.epoch)
        return self._evaluator.baseline_trials(planned.kind, planned.seeds, suite)

    def evidence(self, hypothesis_id: str, metric: str) -> Evidence | None:
        """All about a finding; None: it is none. `metric` in words. Raises UnknownThing."""
        hypothesis = self._journal.hypothesis(hypothesis_id)
        planned, found = outcome_of(hypothesis_id, self._ledger.rounds()) or (None, None)
        scores = [one for one in self._journal.scores(hypothesis.request_id) if one.hypothesis_id == hypothesis_id]
        # By the round's own seeds, not by the suite's identity, which an upgrade may have changed since.
        score = next((one for one in scores if planned and one.seeds == planned.seeds), None)
        if planned is None or found is None or score is None or not found.finding:
            return None
        baselines = self.baseline_trials(planned.id)
        return Evidence(
            hypothesis=hypothesis,
            verdict=self._verdict(hypothesis),
            planned=planned,
            found=found,
            screened=[one for one in scores if one is not score],
            score=score,
            baselines=baselines,
            origin=self._ledger.origin(hypothesis_id),
            metric=metric,
            torch_version=next((one.torch_version for one in baselines), "not known"),
        )

    def _score(self, planned: Round, hypothesis_id: str) -> Score | None:
        identity = self._evaluator.identity(planned.kind, self._suite(planned.kind, planned.epoch))
        return next(
            (
                score
                for score in self._journal.scores(planned.request_id)
                if (score.hypothesis_id, score.suite, score.seeds) == (hypothesis_id, identity, planned.seeds)
            ),
            None,
        )

    def _screened(self, planned: Round, hypothesis_id: str) -> Score | None:
        """Its first score on the screening suite, in whatever epoch."""
        scores = self._journal.scores(planned.request_id)
        return next((s for s in scores if s.hypothesis_id == hypothesis_id and s.suite.startswith(SCREENING)), None)

    def _suite(self, kind: str, epoch: int | None = None) -> Suite:
        epoch = epoch_at(self._journal.epochs()) if epoch is None else epoch
        suite = self._evaluator.suite(kind, FULL.name, epoch=epoch)
        if not isinstance(suite, Suite):
            raise EngineError(f"the suite {FULL.name!r} is a team's own model; expected one of ours")
        return suite

    def _screening(self, planned: Round) -> Suite:
        suite = self._evaluator.suite(planned.kind, SCREENING, epoch=planned.epoch)
        if not isinstance(suite, Suite):
            raise EngineError(f"the suite {SCREENING!r} is a team's own model; expected one of ours")
        return suite

    def _stopped(self, round_id: str) -> Callable[[], bool]:
        return lambda: self._journal.stopped(round_id)
