"""The ranking of a round: a pure function of what was proposed, judged and measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from engine.hypothesis import Hypothesis
from engine.ranking import Beside, Inherited, Matched, Place, Ranking, Reference, Rejection
from engine.score import BaselineTrials, Estimate, Score
from engine.shrinkage import Z90, shrunken
from engine.verdict import Verdict
from engine.winrate import Yardstick, figures, loss_of, reference_rows, relative_differences, share_won
from sandbox.guest.components.kind import Kind


def rank(
    *,
    request_id: str,
    kind: Kind,
    hypotheses: Sequence[Hypothesis],
    verdicts: Mapping[str, Verdict],
    scores: Sequence[Score],
    baselines: Sequence[BaselineTrials],
    reruns: Sequence[Score],
    generator_faults: Sequence[str],
    stopped: bool,
    matched: Mapping[str, Sequence[tuple[str, BaselineTrials]]] = MappingProxyType({}),
    step_size_effects: Collection[str] = (),
    originals: Mapping[str, Score] = MappingProxyType({}),
) -> Ranking:
    """Places by the shrunken effect, best first.

    `scores` are of one suite and one set of seeds; those of other kinds or other requests are ignored. `baselines`
    are the trials that those scores were computed from (see `Evaluator.baseline_trials`); when there are none, there
    are no reference rows. `matched` are baselines with one candidate's budget, by its id, each with its words.
    `originals` are scores, on the same suite, of earlier hypotheses that some of these repeat, by their ids.
    """
    mine = {hypothesis.id: hypothesis for hypothesis in hypotheses}
    scored = {score.hypothesis_id: score for score in scores if score.hypothesis_id in mine}
    rerun = {score.hypothesis_id: score for score in reruns}
    known = references(kind, baselines)
    rejected = [found for h in hypotheses if (found := _rejection(h, verdicts.get(h.id), known, originals))]
    named = {*scored, *(rejection.hypothesis.id for rejection in rejected)}
    return Ranking(
        request_id=request_id,
        kind=kind.name,
        suite=next((suite for suite in [*(s.suite for s in scored.values()), *(b.suite for b in baselines)]), ""),
        places=tuple(
            replace(
                place,
                rerun=rerun.get(id),
                matched=tuple(_matched(place.score, *row, baselines) for row in matched.get(id, ())),
                step_size_effect=id in step_size_effects,
                beside=beside(place.score, baselines),
            )
            for place in _places(mine, verdicts, scored)
            for id in [place.hypothesis.id]
        ),
        references=known,
        rejected=tuple(rejection for rejection in rejected if rejection.hypothesis.id not in scored),
        not_measured=tuple(h for h in hypotheses if h.id not in named),
        best=Yardstick.of(baselines).best() if baselines else None,
        generator_faults=tuple(generator_faults),
        stopped=stopped,
    )


def groups(effects: Sequence[Estimate]) -> list[int]:
    """Ranks of effects that are sorted best first: equal where they cannot be told apart.

    The best one opens a group. What follows belongs to it until one differs from the group's first by more than 1.645
    standard errors of their difference (each error is read off its 90 % interval); that one opens the next group, with
    the rank it would have without ties: 1, 1, 1, 4. Effects of one round share their trials, which makes their true
    difference better known than this says: whom it tells apart is apart.
    """
    ranks: list[int] = []
    first: Estimate | None = None
    for number, effect in enumerate(effects, 1):
        if first is None or first.value - effect.value > Z90 * (_error(first) ** 2 + _error(effect) ** 2) ** 0.5:
            first, rank_of_group = effect, number
        ranks.append(rank_of_group)
    return ranks


def _error(effect: Estimate) -> float:
    return (effect.high - effect.low) / (2 * Z90)


def _places(
    hypotheses: Mapping[str, Hypothesis],
    verdicts: Mapping[str, Verdict],
    scored: Mapping[str, Score],
) -> tuple[Place, ...]:
    effects = dict(zip(scored, shrunken([score.effect for score in scored.values()]), strict=True))
    # Among equal shrunken effects (often exactly zero) the raw one decides, then the win rate, then the id.
    order = sorted(scored, key=lambda id: (-effects[id].value, -scored[id].effect.value, -scored[id].b_wr.value, id))
    return tuple(
        Place(
            rank=rank_of_group,
            hypothesis=hypotheses[id],
            verdict=verdicts[id],
            score=scored[id],
            effect=effects[id],
            promising=effects[id].low > 0 and not is_duplicate(verdicts[id]),
        )
        for id, rank_of_group in zip(order, groups([effects[id] for id in order]), strict=True)
    )


def _matched(score: Score, words: str, trials: BaselineTrials, baselines: Sequence[BaselineTrials]) -> Matched:
    yardstick = Yardstick.of(baselines)
    row = figures(trials.trials, yardstick.without(trials.baseline))
    won = share_won(score.trials, trials.trials, yardstick)
    return Matched(words=words, b_wr=row.b_wr, bsota_wr=row.bsota_wr, won=won)


def beside(score: Score, baselines: Sequence[BaselineTrials]) -> Beside | None:
    """Accuracy and the last loss beside those of the best baseline; None without trials that both trained in."""
    best = Yardstick.of(baselines).best() if baselines else None
    theirs = {(t.cell, t.seed): t for run in baselines if run.baseline == best for t in run.trials}
    pairs = [(t, theirs[t.cell, t.seed]) for t in score.trials if (t.cell, t.seed) in theirs]
    accuracies = [(own.accuracy, other.accuracy) for own, other in pairs]
    differences = [own - other for own, other in accuracies if own is not None and other is not None]
    if best is None or not differences:
        return None
    finals = [(own.final_loss, other.final_loss) for own, other in pairs]
    known = np.array([(own, other) for own, other in finals if own is not None and other is not None])
    return Beside(
        against=best,
        accuracy=float(np.median(differences)),
        final=float(np.median(relative_differences(known[:, 0], known[:, 1]))) if len(known) else None,
    )


def step_size_effect(screened: Score, full: Score, baselines: Sequence[BaselineTrials]) -> bool:
    """Whether a win of the screening, where every arm had the same learning rate, is gone where each has its best.

    That alone could be the longer training or the other data. So on the full suite itself, the candidate must still do
    better than the best baseline when both have the screening's rate (factor 1 of the grid), and no better with their
    best ones. `baselines` are the trials that `full` was computed from.
    """
    same_rate = {one.factor: one.losses for one in full.grid}.get(1.0)
    others = {run.baseline: tried.losses for run in baselines for tried in run.grid if tried.factor == 1.0}
    if same_rate is None or not others or screened.effect.low <= 0 or full.effect.low > 0:
        return False
    pair = (same_rate, others[Yardstick.of(baselines).best()])
    mine, theirs = (np.array([loss_of(loss) for loss in losses]) for losses in pair)
    return float(np.median(relative_differences(mine, theirs))) > 0


def references(kind: Kind, baselines: Sequence[BaselineTrials]) -> tuple[Reference, ...]:
    """Each baseline's own row against the others, best first: what the figures of a candidate must be compared with."""
    if not baselines:
        return ()
    known = {baseline.name: baseline for baseline in kind.baselines}
    rows = reference_rows(Yardstick.of(baselines))
    found = [
        Reference(
            baseline=name,
            source=f"{known[name].source}, {known[name].year}",
            b_wr=row.b_wr,
            bsota_wr=row.bsota_wr,
            best=known[name].best,
        )
        for name, row in rows.items()
    ]
    return tuple(sorted(found, key=lambda reference: -reference.b_wr.value))


def is_duplicate(verdict: Verdict) -> bool:
    return verdict.novelty is not None and verdict.novelty.duplicate_of is not None


def _rejection(
    hypothesis: Hypothesis, verdict: Verdict | None, known: Sequence[Reference], originals: Mapping[str, Score]
) -> Rejection | None:
    if verdict is None:
        return None
    if not verdict.accepted:
        reason = verdict.reason or "no reason was given"
        return Rejection(hypothesis=hypothesis, check=verdict.check or "unknown", reason=reason)
    if is_duplicate(verdict) and verdict.novelty is not None:
        reason = f"the same function as {verdict.novelty.duplicate_of}"
        inherited = _inherited(verdict, known, originals)
        return Rejection(hypothesis=hypothesis, check="duplicate", reason=reason, inherited=inherited)
    return None


def _inherited(verdict: Verdict, known: Sequence[Reference], originals: Mapping[str, Score]) -> Inherited | None:
    of = verdict.novelty.duplicate_of if verdict.novelty else None
    if verdict.novelty is None or of is None:
        return None
    original = originals.get(verdict.novelty.duplicate_id or "")
    row = original or next((row for row in known if row.baseline == of and verdict.novelty.duplicate_id is None), None)
    return Inherited(of=of, b_wr=row.b_wr, bsota_wr=row.bsota_wr) if row else None
