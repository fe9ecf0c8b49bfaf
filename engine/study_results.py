"""What a study found: a pure function of what was measured and of when the orders were learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from engine.calibration import Calibration, calibration, threshold
from engine.efficiency import Efficiency, efficiency, from_samples, resampled
from engine.learn import MINIMUM_OUTCOMES
from engine.novelty import known_behaviours
from engine.rank import references
from engine.ranking import Ranking
from engine.reward import Landmark, Prediction, landmarks
from engine.score import BaselineTrials, Estimate
from engine.shrinkage import shrunken
from engine.study import Plan, Subject
from engine.study_confirm import Confirmed
from engine.study_fields import field_of
from engine.study_order import cold_start, forecast, groups, held_out_predictions, merit, nearest_baseline
from engine.study_trust import Trust

REWARD, NEAREST, COLD = "reward", "nearest_baseline", "cold_start"
FEWEST = 10  # hypotheses of a part that a curve is drawn for
MODELS_NEEDED = 3  # distinct language models, below which nothing is said about generalising across them


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One row of the tables: of a source, a strategy, a generator or a field of inspiration."""

    name: str
    proposed: int
    valid: int
    duplicates: int
    measured: int  # screened
    promising: int  # in the screening of the whole study
    beat_best: int  # raw effect on the screening suite above 0
    b_wr: float | None  # means
    bsota_wr: float | None
    n_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retest:
    """The screening against the same on other seeds: Spearman's rank correlations over hypotheses."""

    n: int
    b_wr: Estimate | None
    bsota_wr: Estimate | None
    effect: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    plan: Plan
    subjects: tuple[Subject, ...]  # those that are learned from first
    tested: tuple[Subject, ...]  # what passed the validator, is no duplicate, and was not learned from alone
    baselines: tuple[BaselineTrials, ...]  # of the screening
    landmarks: tuple[Landmark, ...]
    groups: Mapping[str, int]  # of near-duplicates, by id
    predictions: Mapping[str, Prediction]  # of the tested, from models that saw nothing near
    efficiency: Efficiency | None
    pairs: Mapping[tuple[str, str], Efficiency]  # (trained on, tested on)
    calibration: Calibration | None
    retest: Retest
    truth_against_screening: Estimate | None  # Spearman of the two effects
    shrunken: Mapping[str, Estimate]  # the screened effects of all, toward zero, by id
    trust: Trust
    confirmed: Confirmed | None  # None: nothing was sent to confirmation
    ranking: Ranking | None  # of all that were screened

    @property
    def language_models(self) -> tuple[str, ...]:
        """Distinct ones that hypotheses came from; the catalogue, people and mutations are none."""
        return tuple(sorted({model for source in self.plan.sources for model in source.language_models}))


def promising(subjects: Sequence[Subject]) -> list[Subject]:
    """By their screening, in a round of all that were screened."""
    effects = screened_effects(subjects)
    return [s for s in subjects if s.id in effects and effects[s.id].low > 0]


def screened_effects(subjects: Sequence[Subject]) -> dict[str, Estimate]:
    """Shrunken toward zero, by id."""
    ids, raw = [s.id for s in subjects if s.screened], [s.screened.effect for s in subjects if s.screened]
    return dict(zip(ids, shrunken(raw), strict=True))


def results_of(
    plan: Plan,
    subjects: Sequence[Subject],
    baselines: Sequence[BaselineTrials],
    trust: Trust,
    confirmed: Confirmed | None,
    ranking: Ranking | None,
) -> Results:
    kind = plan.kind
    marks = landmarks(kind, references(kind, baselines), known_behaviours(kind))
    tested = [s for s in subjects if plan.tests(s) and s.valid and s.duplicate_of is None]
    learned_from = [s for s in subjects if plan.trains(s) and s.duplicate_of is None]
    group = groups(kind, [s for s in subjects if s.valid and s.duplicate_of is None])
    predictions = held_out_predictions(kind, learned_from, tested, group, marks)
    return Results(
        plan=plan,
        subjects=tuple(subjects),
        tested=tuple(tested),
        baselines=tuple(baselines),
        landmarks=tuple(marks),
        groups=group,
        predictions=predictions,
        efficiency=orders(plan, tested, predictions, group, marks),
        pairs=crossed(plan, learned_from, tested, group, marks),
        calibration=calibrated(tested, learned_from, predictions, group),
        retest=retest(tested),
        truth_against_screening=_spearman(
            [(s.screened.effect.value, s.truth.effect.value) for s in tested if s.screened and s.truth]
        ),
        shrunken=screened_effects(subjects),
        trust=trust,
        confirmed=confirmed,
        ranking=ranking,
    )


def orders(
    plan: Plan,
    tested: Sequence[Subject],
    predictions: Mapping[str, Prediction],
    group: Mapping[str, int],
    marks: Sequence[Landmark],
) -> Efficiency | None:
    """The reward model's order first, the others beside it; what broke in training has a place and no truth."""
    if not tested:
        return None
    scores = {
        REWARD: [merit(predictions[s.id]) for s in tested],
        NEAREST: nearest_baseline(plan.kind, tested, marks),
        COLD: cold_start(plan.kind, tested, marks),
    }
    return efficiency([truth_of(s) for s in tested], scores, [group[s.id] for s in tested])


def truth_of(subject: Subject) -> float | None:
    return subject.truth.effect.value if subject.truth is not None and not subject.broke else None


def crossed(
    plan: Plan,
    learned_from: Sequence[Subject],
    tested: Sequence[Subject],
    group: Mapping[str, int],
    marks: Sequence[Landmark],
) -> dict[tuple[str, str], Efficiency]:
    """For every pair with enough hypotheses: learned from one alone, tested on the other."""
    found = {}
    for trained_on, some in parts(learned_from).items():
        if sum(s.screened is not None for s in some) < MINIMUM_OUTCOMES:
            continue  # nothing would be learned: it would be the cold start under another name
        predictions = held_out_predictions(plan.kind, some, tested, group, marks)
        for tested_on, of_part in parts(tested).items():
            worth = orders(plan, of_part, predictions, group, marks)
            if worth is not None:
                found[trained_on, tested_on] = worth
    return found


def parts(subjects: Sequence[Subject]) -> dict[str, list[Subject]]:
    """Sources, and the strategies within those that have several, of which there are FEWEST at least."""
    found: dict[str, list[Subject]] = {}
    for source in dict.fromkeys(s.source for s in subjects):
        some = [s for s in subjects if s.source == source]
        of_strategy = {name: [s for s in some if s.part == name] for name in dict.fromkeys(s.part for s in some)}
        found |= {source: some} | (of_strategy if len(of_strategy) > 1 else {})
    return {name: some for name, some in found.items() if len(some) >= FEWEST}


def calibrated(
    tested: Sequence[Subject],
    learned_from: Sequence[Subject],
    predictions: Mapping[str, Prediction],
    group: Mapping[str, int],
) -> Calibration | None:
    """Of predicted effects on the screening suite, held against those on seeds that no training saw."""
    seen = [s.screened.effect.value for s in learned_from if s.screened is not None]
    if not seen:
        return None
    told = [
        (one, s.again.effect.value, group[s.id])
        for s in tested
        if s.again is not None and (one := forecast(predictions[s.id], threshold(seen))) is not None
    ]
    return calibration([f for f, _, _ in told], [m for _, m, _ in told], seen=seen, groups=[g for _, _, g in told])


def retest(tested: Sequence[Subject]) -> Retest:
    both = [(s.screened, s.again) for s in tested if s.screened is not None and s.again is not None]
    return Retest(
        n=len(both),
        b_wr=_spearman([(one.b_wr.value, two.b_wr.value) for one, two in both]),
        bsota_wr=_spearman([(one.bsota_wr.value, two.bsota_wr.value) for one, two in both]),
        effect=_spearman([(one.effect.value, two.effect.value) for one, two in both]),
    )


def tally(name: str, subjects: Sequence[Subject], effects: Mapping[str, Estimate]) -> Tally:
    scores = [s.screened for s in subjects if s.screened is not None]
    n_scores = [s.verdict.novelty.n_score for s in subjects if s.verdict.novelty is not None]
    return Tally(
        name=name,
        proposed=len(subjects),
        valid=sum(s.valid for s in subjects),
        duplicates=sum(s.duplicate_of is not None for s in subjects),
        measured=len(scores),
        promising=sum(s.id in effects and effects[s.id].low > 0 for s in subjects),
        beat_best=sum(score.effect.value > 0 for score in scores),
        b_wr=_mean([score.b_wr.value for score in scores]),
        bsota_wr=_mean([score.bsota_wr.value for score in scores]),
        n_score=_mean(n_scores),
    )


def tallies(results: Results, by: str) -> list[Tally]:
    """By "part", "generator", "strategy" or "field"; the most frequent first."""
    of: dict[str, list[Subject]] = {}
    for subject in results.subjects:
        of.setdefault(_name(subject, by), []).append(subject)
    rows = [tally(name, some, results.shrunken) for name, some in of.items()]
    return sorted(rows, key=lambda row: (-row.proposed, row.name))


def _name(subject: Subject, by: str) -> str:
    hypothesis = subject.hypothesis
    names = {"part": subject.part, "generator": hypothesis.generator, "strategy": str(hypothesis.strategy)}
    return field_of(hypothesis.inspiration) if by == "field" else names[by]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _spearman(pairs: Sequence[tuple[float, float]]) -> Estimate | None:
    """With a bootstrap interval over hypotheses; None for fewer than three, or where one side does not vary."""
    if len(pairs) < 3:
        return None
    values = np.array(pairs, np.float64)
    if not np.ptp(values, axis=0).all():
        return None
    samples = [_rho(values[rows]) for rows in resampled(np.arange(len(values)), np.random.default_rng(0))[:300]]
    return from_samples(_rho(values), samples)


def _rho(values: NDArray[np.float64]) -> float:
    """0 where a sample does not vary."""
    if not np.ptp(values, axis=0).all():
        return 0.0
    return float(spearmanr(values[:, 0], values[:, 1]).statistic)
