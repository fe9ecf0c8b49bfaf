"""The claims that a study puts to the test, each with what was found and whether it held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.calibration import Calibration
from engine.confirm import MARGIN
from engine.efficiency import Efficiency
from engine.placebos import FAMILIES
from engine.score import Estimate
from engine.study_confirm import ENOUGH_FINDINGS
from engine.study_results import MODELS_NEEDED, NEAREST, REWARD, Results

FEWEST_BEST = 4  # fewer say nothing: one alone is found early or it is not
FOUND_EARLY, AREA, AREA_ABOVE_NEAREST, AREA_ACROSS = 0.70, 0.85, 0.05, 0.75
FALSE_POSITIVES, CONTROLS_CONFIRMED = 0.05, 0.90
SIGN_KEPT, WIN_KEPT = 0.95, 0.90
CALIBRATION_ERROR, COVERAGE, COVERAGE_OFF = 0.10, 0.90, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    claim: str
    expected: str
    found: str
    held: bool | None  # None: not tested


def claims(results: Results) -> list[Claim]:
    return [
        *_of_efficiency(results.efficiency),
        *_across(results),
        *_of_trust(results),
        *_of_replication(results),
        *_of_calibration(results.calibration),
    ]


def _of_efficiency(worth: Efficiency | None) -> Iterator[Claim]:
    if worth is None or worth.top < FEWEST_BEST:
        found = f"too few hypotheses: the best 5 % are {worth.top if worth else 0}, {FEWEST_BEST} are needed"
        expected = f"at least {FOUND_EARLY:.0%} of the best 5 % in the first 20 %"
        yield Claim(claim="The reward model finds the best early", expected=expected, found=found, held=None)
        return
    reward, above = worth.orders[REWARD], worth.differences[NEAREST]
    half = worth.differences_in_better_half[NEAREST]
    yield Claim(
        claim="The reward model finds the best early",
        expected=f"at least {FOUND_EARLY:.0%} of the best 5 % in the first 20 %",
        found=f"{reward.count_found_early} of {worth.top}, {figure(reward.found_early)}",
        held=reward.found_early.value >= FOUND_EARLY,
    )
    yield Claim(
        claim="Its order is close to the oracle's",
        expected=f"normalised area at least {AREA}",
        found=figure(reward.area),
        held=reward.area.value >= AREA,
    )
    for words, difference in (("It knows more than closeness to baselines", above), ("Also in the better half", half)):
        yield Claim(
            claim=words,
            expected=f"area above the nearest-baseline order by at least {AREA_ABOVE_NEAREST}, lower bound above 0",
            found=figure(difference, signed=True),
            held=difference.value >= AREA_ABOVE_NEAREST and difference.low > 0,
        )


def _across(results: Results) -> Iterator[Claim]:
    names = {source.name for source in results.plan.sources}
    apart = {
        (one, other): worth
        for (one, other), worth in results.pairs.items()
        if one != other and {one, other} <= names and worth.top >= FEWEST_BEST
    }
    expected = f"normalised area at least {AREA_ACROSS} for every pair of generators or files"
    if not apart:
        yield _untested("It generalises across sources", expected)
    else:
        worst = min(apart, key=lambda pair: apart[pair].orders[REWARD].area.value)
        area = apart[worst].orders[REWARD].area
        yield Claim(
            claim="It generalises across sources",
            expected=expected,
            found=f"worst of {len(apart)}: {figure(area)} ({worst[0]} on {worst[1]})",
            held=area.value >= AREA_ACROSS,
        )
    if len(results.language_models) < MODELS_NEEDED:
        yield Claim(
            claim="It generalises across language models",
            expected=f"as above, for {MODELS_NEEDED} distinct models at least",
            found=f"not tested: {len(results.language_models)} distinct language models",
            held=None,
        )


def _of_trust(results: Results) -> Iterator[Claim]:
    arms = [one for one in results.trust.placebos if one.family in FAMILIES]
    total, won = sum(one.count for one in arms), sum(one.promising for one in arms)
    expected = f"at most {FALSE_POSITIVES:.0%} promising, none a finding"
    if not total:
        yield _untested("Placebos do not win", expected)
    else:
        findings = [one.findings for one in arms]
        known = None if None in findings else sum(f for f in findings if f is not None)
        yield Claim(
            claim="Placebos do not win",
            expected=expected,
            found=f"{won} of {total} promising, {'not confirmed' if known is None else f'{known} findings'}",
            held=won <= FALSE_POSITIVES * total and known in (0, None),
        )
    controls = results.trust.controls
    expected = f"each confirmed in at least {CONTROLS_CONFIRMED:.0%} of its re-runs"
    weak = [f"{one.name} ({one.selected.value:+.1%})" for one in controls if not one.strong]
    why = (
        f"; on the selection seeds not {MARGIN:.0%} better than the best of those left: {', '.join(weak)}"
        if weak
        else ""
    )
    if not controls:
        yield _untested("Strong baselines, withheld, are found", expected)
    else:
        yield Claim(
            claim="Strong baselines, withheld, are found",
            expected=expected,
            found=", ".join(f"{one.name} {one.confirmed} of {one.reruns}" for one in controls) + why,
            held=all(one.confirmed >= CONTROLS_CONFIRMED * one.reruns for one in controls),
        )


def _of_replication(results: Results) -> Iterator[Claim]:
    expected = f"sign kept in {SIGN_KEPT:.0%}, win in {WIN_KEPT:.0%} of second confirmations"
    confirmed = results.confirmed
    second = len(confirmed.again) if confirmed else 0
    if confirmed is None or second < ENOUGH_FINDINGS:
        found = f"not established: {second} findings were confirmed again, {ENOUGH_FINDINGS} are needed"
        yield Claim(claim="Findings replicate", expected=expected, found=found, held=None)
        return
    ratio = confirmed.replicated_over_first
    yield Claim(
        claim="Findings replicate",
        expected=expected,
        found=f"sign {confirmed.sign_kept} of {second}, win {confirmed.win_kept} of {second}"
        + (f", second over first effect {ratio:.2f}" if ratio is not None else ""),
        held=confirmed.sign_kept >= SIGN_KEPT * second and confirmed.win_kept >= WIN_KEPT * second,
    )


def _of_calibration(found: Calibration | None) -> Iterator[Claim]:
    if found is None:
        yield _untested("Predictions are as sure as they say", f"calibration error under {CALIBRATION_ERROR}")
        return
    yield Claim(
        claim="Predictions are as sure as they say",
        expected=f"calibration error under {CALIBRATION_ERROR}",
        found=figure(found.error),
        held=found.error.value < CALIBRATION_ERROR,
    )
    brier = found.brier_skill
    yield Claim(
        claim="They say more than the mean does",
        expected="Brier and CRPS skill above 0",
        found=f"Brier {figure(brier) if brier else 'no event'}, CRPS {figure(found.crps_skill)}",
        held=None if brier is None else brier.value > 0 and found.crps_skill.value > 0,
    )
    yield Claim(
        claim="90 % intervals cover",
        expected=f"{COVERAGE:.0%} ± {COVERAGE_OFF:.0%}",
        found=figure(found.coverage),
        held=abs(found.coverage.value - COVERAGE) <= COVERAGE_OFF,
    )


def _untested(claim: str, expected: str) -> Claim:
    return Claim(claim=claim, expected=expected, found="not tested", held=None)


def figure(estimate: Estimate, *, signed: bool = False) -> str:
    """Two digits, with the 90 % interval."""
    value, low, high = (f"{v:+.2f}" if signed else f"{v:.2f}" for v in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"
