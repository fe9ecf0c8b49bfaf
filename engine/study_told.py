"""A study's results as one JSON document: counts are integers, what is missing is null, every area has its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from engine.efficiency import RANDOM, Efficiency
from engine.placebos import FAMILIES, RESCALED
from engine.score import Estimate
from engine.study import counted
from engine.study_claims import claims
from engine.study_confirm import ENOUGH_FINDINGS, Confirmed
from engine.study_cost import cost
from engine.study_results import MODELS_NEEDED, NEAREST, REWARD, Results, promising

NOT_TESTED, NOT_ESTABLISHED = "not tested", "not established"

Json = dict[str, Any]


def told(results: Results) -> Json:
    """About the tested hypotheses, unless a key says otherwise."""
    plan, worth = results.plan, results.efficiency
    tested = [s for s in results.subjects if plan.tests(s)]
    valid = sum(s.valid for s in tested)
    return {
        "kind": plan.kind.name,
        "truth": plan.truth,
        "n": worth.n if worth else 0,
        **counted(tested),
        "valid_share": valid / len(tested) if tested else None,
        "trained_on": list(plan.train) or None,  # null: cross-validated over everything
        **_efficiency(worth),
        "across_sources": [
            {"trained_on": one, "tested_on": other, "n": found.n, **_area(found)}
            for (one, other), found in results.pairs.items()
        ],
        "language_models": list(results.language_models),
        "across_language_models": NOT_TESTED if len(results.language_models) < MODELS_NEEDED else "see across_sources",
        **_calibration(results),
        **_placebos(results),
        **_controls(results),
        **_confirmed(results),
        "retest_spearman": results.retest.b_wr.value if results.retest.b_wr else None,
        "retest": {
            "n": results.retest.n,
            **{name: _figure(getattr(results.retest, name)) for name in ("b_wr", "bsota_wr", "effect")},
        },
        "truth_against_screening_spearman": _figure(results.truth_against_screening),
        "cost": cost(results),
        "claims": [asdict(claim) for claim in claims(results)],
        "faults": [fault for source in plan.sources for fault in source.faults],
    }


def _efficiency(worth: Efficiency | None) -> Json:
    if worth is None:
        return {"top5pct": 0, "efficiency_auc": {REWARD: None, RANDOM: None, NEAREST: None}}
    reward = worth.orders[REWARD]
    return {
        "top5pct": worth.top,
        "efficiency_auc": {name: order.area.value for name, order in worth.orders.items()},
        "efficiency_auc_interval": {name: _interval(order.area) for name, order in worth.orders.items()},
        "efficiency_auc_better_half": {name: order.area_in_better_half.value for name, order in worth.orders.items()},
        "efficiency_auc_better_half_interval": {
            name: _interval(order.area_in_better_half) for name, order in worth.orders.items()
        },
        "reward_minus": {name: _figure(found) for name, found in worth.differences.items()},
        "reward_minus_better_half": {name: _figure(f) for name, f in worth.differences_in_better_half.items()},
        "found_of_top5pct_at_20pct": reward.found_early.value,
        "found_of_top5pct_at_20pct_interval": _interval(reward.found_early),
        "count_found_at_20pct": reward.count_found_early,
    }


def _area(worth: Efficiency) -> Json:
    area = worth.orders[REWARD].area
    return {"efficiency_auc": area.value, "interval": _interval(area)}


def _calibration(results: Results) -> Json:
    found = results.calibration
    if found is None:
        return {"calibration_error": None}
    top = found.bins[-1]
    return {
        "calibration_error": found.error.value,
        "calibration_error_interval": _interval(found.error),
        "brier_skill": _figure(found.brier_skill),
        "crps_skill": _figure(found.crps_skill),
        "interval_coverage": _figure(found.coverage),
        "top_decile": {"predicted": top.predicted, "happened": _figure(top.happened), "count": top.count},
    }


def _placebos(results: Results) -> Json:
    arms = {one.family: one for one in results.trust.placebos}
    counted = [arms[family] for family in FAMILIES if family in arms]
    total = sum(one.count for one in counted)
    findings = [one.findings for one in counted]
    scaled = arms.get(RESCALED)
    return {
        "placebo_false_positive_rate": sum(one.promising for one in counted) / total if total else None,
        "placebos": {
            one.family: {"count": one.count, "promising": one.promising, "findings": one.findings} for one in counted
        },
        "placebo_findings": None if not counted or None in findings else sum(f for f in findings if f is not None),
        "scale_confound_rate": scaled.promising / scaled.count if scaled else None,
    }


def _controls(results: Results) -> Json:
    controls = results.trust.controls
    reruns = sum(one.reruns for one in controls)
    return {
        "positive_control_rate": sum(one.confirmed for one in controls) / reruns if reruns else None,
        "positive_controls": {
            one.name: {
                "reruns": one.reruns,
                "confirmed": one.confirmed,
                "strong": one.strong,
                "effect_on_selection_seeds": one.selected.value,
                "mean_effect": sum(effect.value for effect in one.effects) / one.reruns,
            }
            for one in controls
        },
        "power": [
            {"effect": size, "promising": won, "count": count} for size, (won, count) in results.trust.power.items()
        ],
    }


def _confirmed(results: Results) -> Json:
    confirmed = results.confirmed
    screened = len([s for s in promising(results.subjects) if results.plan.tests(s)])
    if confirmed is None:
        return {"screened": screened, "confirmed": None, "replication": NOT_ESTABLISHED}
    both = [(results.shrunken[id].value, one.mean) for id, one in confirmed.first.items() if id in results.shrunken]
    pairs = [(before, mean.value) for before, mean in both if mean is not None]
    return {
        "screened": screened,
        "confirmed": confirmed.findings,
        "mean_effect_screened": sum(before for before, _ in pairs) / len(pairs) if pairs else None,
        "mean_effect_confirmed": sum(after for _, after in pairs) / len(pairs) if pairs else None,
        "replication": _replication(confirmed),
    }


def _replication(confirmed: Confirmed) -> Json | str:
    """From ENOUGH_FINDINGS on: how often a second confirmation has the same sign, and wins again."""
    second = len(confirmed.again)
    if second < ENOUGH_FINDINGS:
        return NOT_ESTABLISHED
    return {
        "findings": second,
        "sign_kept": confirmed.sign_kept / second,
        "win_kept": confirmed.win_kept / second,
        "replicated_over_first": confirmed.replicated_over_first,
    }


def _figure(estimate: Estimate | None) -> Mapping[str, Any] | None:
    return None if estimate is None else {"value": estimate.value, "interval": _interval(estimate)}


def _interval(estimate: Estimate) -> list[float]:
    return [estimate.low, estimate.high]
