"""What a study knows of itself: placebos, planted effects and withheld baselines, measured as any hypothesis is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.confirm import MARGIN, SEEDS, Mean, mean_difference
from engine.multiplicity import holm, next_alpha
from engine.placebos import (
    FAMILIES,
    NOISY,
    PLANTED,
    RESCALED,
    REWRITTEN,
    UNPAIRED,
    Placebo,
    controls,
    effect_of,
    placebos,
    planted,
    promising,
    read_as,
)
from engine.score import Estimate, Score, Trial
from engine.study import Study, Subject, other
from engine.study_confirm import Confirmations
from engine.suite import SELECTION_SEEDS
from engine.winrate import Yardstick

FIRST_SEED = 100_000  # of what is measured here; each re-run has seeds of its own
APART = 100
RERUNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """How many of one family there were, and how many came out as what they are not."""

    family: str
    count: int
    promising: int
    findings: int | None  # None: the promising ones were not confirmed
    broke: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One baseline, withheld, in every re-run. Effects are mean relative differences from the best of those left.

    `selected` is that on SELECTION_SEEDS. One that is not above MARGIN there says why it may not be confirmed.
    """

    name: str
    selected: Estimate
    effects: tuple[Estimate, ...]  # re-run by re-run
    confirmed: int

    @property
    def strong(self) -> bool:
        return self.selected.value > MARGIN

    @property
    def reruns(self) -> int:
        return len(self.effects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    placebos: tuple[Arms, ...]
    power: Mapping[float, tuple[int, int]]  # planted effect -> (promising, of how many)
    controls: tuple[Control, ...]
    control_suite: str


def trust(study: Study, subjects: Sequence[Subject], count: int, confirmations: Confirmations) -> Trust:
    """Measure `count` placebos, a third of each family, the planted effects and the controls; nothing for 0."""
    company = [s.screened.effect for s in subjects if s.screened is not None]
    return Trust(
        placebos=placebo_arms(study, company, count, confirmations),
        power=power(study, company, min(RERUNS, count)),
        controls=control_arms(study, min(RERUNS, count)),
        control_suite=study.plan.truth,
    )


def rerun_seeds(number: int, count: int) -> tuple[int, ...]:
    return tuple(FIRST_SEED + APART * number + seed for seed in range(count))


def placebo_arms(
    study: Study, company: Sequence[Estimate], count: int, confirmations: Confirmations
) -> tuple[Arms, ...]:
    """Promising in a round with `company`, and then confirmed as what is promising is."""
    if not count:
        return ()
    arms = [_unpaired(study, company, count // len(FAMILIES), confirmations)]
    written = placebos(study.kind, study.request_id("placebos"), count - count // len(FAMILIES))
    scores = _scores_of(study, written)
    for family in (REWRITTEN, NOISY, RESCALED):
        made = [one.hypothesis.id for one in written if one.family == family]
        ids = [id for id in made if id in scores]
        if ids:
            won = promising([scores[id].effect for id in ids], company)
            winners = [id for id, is_promising in zip(ids, won, strict=True) if is_promising]
            confirmed = confirmations.of(winners)
            arms.append(
                Arms(
                    family=family,
                    count=len(ids),
                    promising=len(winners),
                    findings=None if confirmed is None and winners else confirmed.findings if confirmed else 0,
                    broke=len(made) - len(ids),
                )
            )
    return tuple(arms)


def _scores_of(study: Study, written: Sequence[Placebo]) -> dict[str, Score]:
    """On the screening, by id."""
    suite, hypotheses = study.screening, [one.hypothesis for one in written]
    study.validated("placebos", hypotheses)
    study.measure(hypotheses, suite, suite.seeds, "Placebos")
    identity = study.evaluator.identity(study.kind.name, suite)
    kept = study.scores("placebos").items()
    return {id: score for (id, on, at), score in kept if (on, at) == (identity, suite.seeds)}


def _unpaired(study: Study, company: Sequence[Estimate], count: int, confirmations: Confirmations) -> Arms:
    suite, names = study.screening, [known.name for known in study.kind.baselines]
    yardstick = Yardstick.of(study.baselines(suite, suite.seeds))
    found: list[tuple[str, Estimate]] = []
    while len(found) < count:
        study.watch("A/A", len(found), count)
        seeds = rerun_seeds(len(found) // len(names), len(suite.seeds))
        runs = [run for run in study.baselines(suite, seeds) if run.seeds == seeds]
        found += [(run.baseline, effect_of(read_as(run.trials, seeds, suite.seeds), yardstick)) for run in runs]
    study.watch("A/A", count, count)
    found = found[:count]
    won = promising([effect for _, effect in found], company)
    winners = [name for (name, _), is_promising in zip(found, won, strict=True) if is_promising]
    return Arms(family=UNPAIRED, count=count, promising=len(winners), findings=confirmations.unpaired(winners))


def power(study: Study, company: Sequence[Estimate], reruns: int) -> dict[float, tuple[int, int]]:
    """How often a planted effect of each size comes out as promising."""
    if not reruns:
        return {}
    suite = study.screening
    yardstick = Yardstick.of(study.baselines(suite, suite.seeds))

    def arm(number: int) -> Sequence[Trial]:
        seeds = rerun_seeds(number, len(suite.seeds))
        return read_as(study.baseline(yardstick.best(), suite, seeds).trials, seeds, suite.seeds)

    arms = study.at_once(arm, range(reruns), "Planted effects")
    return {
        size: (sum(promising([effect_of(planted(arm, size), yardstick) for arm in arms], company)), len(arms))
        for size in PLANTED
    }


def control_arms(study: Study, reruns: int) -> tuple[Control, ...]:
    """Each re-run is a round of its own: the level of a first one, as many fresh seeds, Holm over those withheld."""
    names, suite = controls(study.kind), study.truth_suite
    if not names or not reruns:
        return ()
    kept = study.baselines(suite, other(suite.seeds))
    yardstick = Yardstick.of(kept)
    for name in names:
        yardstick = yardstick.without(name)
    best = yardstick.best()

    def means(number: int) -> list[Mean]:
        seeds = rerun_seeds(number, SEEDS)
        against = study.baseline(best, suite, seeds).trials
        return [mean_difference(study.baseline(name, suite, seeds).trials, against) for name in names]

    found = study.at_once(means, range(reruns), f"Withheld baselines ({study.plan.truth})")
    confirmed = [[p <= next_alpha(()) for p in holm([mean.p_above(MARGIN) for mean in row])] for row in found]
    selected = {run.baseline: run.trials for run in kept if run.seeds == SELECTION_SEEDS}
    return tuple(
        Control(
            name=name,
            selected=mean_difference(selected[name], selected[best]).interval(),
            effects=tuple(row[place].interval() for row in found),
            confirmed=sum(row[place] for row in confirmed),
        )
        for place, name in enumerate(names)
    )
