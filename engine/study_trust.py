"""What a study knows of itself: placebos, planted effects and withheld baselines, measured as any hypothesis is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.confirm import MARGIN, mean_difference
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
from engine.score import Estimate, Score
from engine.study import Study, Subject, other
from engine.study_confirm import Confirmations
from engine.winrate import Yardstick

FIRST_SEED = 100_000  # of what is measured here; each re-run has seeds of its own
APART = 100
RERUNS = 20
CONTROL_SEEDS = 8  # of a re-run, as many as a confirmation has


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
    """One strong baseline, withheld, in every re-run."""

    name: str
    reruns: int
    confirmed: int
    effects: tuple[Estimate, ...]  # mean relative difference from the best of those that are left, re-run by re-run


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
    arms = []
    for number in range(reruns):
        study.watch("Planted effects", number, reruns)
        seeds = rerun_seeds(number, len(suite.seeds))
        run = study.baseline(yardstick.best(), suite, seeds)
        arms.append(read_as(run.trials, seeds, suite.seeds))
    study.watch("Planted effects", reruns, reruns)
    return {
        size: (sum(promising([effect_of(planted(arm, size), yardstick) for arm in arms], company)), len(arms))
        for size in PLANTED
    }


def control_arms(study: Study, reruns: int) -> tuple[Control, ...]:
    """Each re-run is a round of its own with the level of a first one: fresh seeds, Holm over those withheld."""
    names, suite = controls(study.kind), study.truth_suite
    if not names or not reruns:
        return ()
    yardstick = Yardstick.of(study.baselines(suite, other(suite.seeds)))
    for name in names:
        yardstick = yardstick.without(name)
    best = yardstick.best()
    means: list[list[Estimate]] = []
    confirmed: list[list[bool]] = []
    for number in range(reruns):
        study.watch(f"Withheld baselines ({study.plan.truth})", number, reruns)
        seeds = rerun_seeds(number, CONTROL_SEEDS)
        against = study.baseline(best, suite, seeds).trials
        found = [mean_difference(study.baseline(name, suite, seeds).trials, against) for name in names]
        means.append([one.interval() for one in found])
        confirmed.append([p <= next_alpha(()) for p in holm([one.p_above(MARGIN) for one in found])])
    study.watch(f"Withheld baselines ({study.plan.truth})", reruns, reruns)
    return tuple(
        Control(
            name=name,
            reruns=reruns,
            confirmed=sum(row[place] for row in confirmed),
            effects=tuple(row[place] for row in means),
        )
        for place, name in enumerate(names)
    )
