"""Judging: planted results must come out as planted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.experiment.judge import Arm, Result, Trial, decide, explore, judge, over_seeds
from engine.experiment.plan import Plan
from engine.experiment.task import Data
from sandbox.execution import Outcome
from sandbox.workspace import WorkspaceSandbox

Make = Callable[..., Plan]
Script = Callable[[float], dict[str, bytes]]


def trials(arm: Arm, seeds: Sequence[int], values: Sequence[float | None]) -> list[Trial]:
    problem = "it is broken"
    return [
        Trial(arm=arm, seed=s, value=v, problem=None if v is not None else problem, rows=400, seconds=1.0)
        for s, v in zip(seeds, values, strict=True)
    ]


def both(plan: Plan, baseline: Sequence[float], experiment: Sequence[float | None]) -> list[Trial]:
    return trials(Arm.BASELINE, plan.seeds, baseline) + trials(Arm.EXPERIMENT, plan.seeds, experiment)


def test_less_noise_than_the_baseline_succeeds_and_more_fails(
    plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script
) -> None:
    better, worse = (judge(plan(), data, workspace(noise), planted) for noise in (0.2, 0.8))
    assert better.result is Result.SUCCEEDED
    assert better.improvement is not None
    assert better.improvement.value == pytest.approx(0.3, abs=0.08)
    assert better.improvement.low > 0
    assert worse.result is Result.FAILED
    assert worse.improvement is not None
    assert worse.improvement.value == pytest.approx(-0.3, abs=0.08)
    assert worse.reason.startswith("Failed: -0.")


def test_the_same_experiment_succeeds_by_a_metric_of_either_direction(
    plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script
) -> None:
    for metric in ("rmse", "mae", "pearson", "spearman"):
        assert judge(plan(metric=metric), data, workspace(0.2), planted).result is Result.SUCCEEDED
        assert judge(plan(metric=metric), data, workspace(0.9), planted).result is Result.FAILED


def test_a_copy_of_the_baseline_fails(plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script) -> None:
    found = judge(plan(success="mean improvement over the baseline > 0"), data, workspace(0.5), planted)
    assert found.result is Result.FAILED
    assert found.improvement is not None
    assert found.improvement.low < 0 < found.improvement.high


def test_both_arms_run_on_the_same_inputs_with_the_same_seeds_and_limits(
    plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script
) -> None:
    judge(plan(), data, workspace(0.2), planted)
    runs = planted.runs  # type: ignore[attr-defined]
    assert len(runs) == 10
    for baseline, candidate in zip(runs[::2], runs[1::2], strict=True):
        assert baseline.files == plan().template.prototype()
        assert candidate.files == workspace(0.2)
        same = ("entry", "arguments", "inputs", "expects", "limits")
        assert [getattr(baseline, name) for name in same] == [getattr(candidate, name) for name in same]
    assert [run.arguments[-1] for run in runs[::2]] == [str(seed) for seed in plan().seeds]


def test_an_average_that_is_enough_with_an_interval_that_is_not_fails(plan: Make) -> None:
    made = plan(metric="pearson")
    found = decide(made, both(made, [0.5] * 5, [0.9, 0.45, 0.5, 0.8, 0.42]))
    assert found.result is Result.FAILED
    assert "the interval is not clear" in found.reason
    without = plan(metric="pearson", success="mean improvement over the baseline > 0.01")
    assert decide(without, both(without, [0.5] * 5, [0.9, 0.45, 0.5, 0.8, 0.42])).result is Result.SUCCEEDED


def test_a_bound_on_the_value_follows_the_metrics_direction(plan: Make) -> None:
    low = plan(metric="rmse", success="RMSE below 0.5")
    assert decide(low, both(low, [1.0] * 5, [0.4] * 5)).result is Result.SUCCEEDED
    assert decide(low, both(low, [1.0] * 5, [0.6] * 5)).result is Result.FAILED
    high = plan(metric="pearson", success="Pearson > 0.5")
    assert decide(high, both(high, [0.1] * 5, [0.4] * 5)).result is Result.FAILED


def test_a_relative_improvement_is_a_share_of_the_baseline(plan: Make) -> None:
    made = plan(metric="rmse", success="improve by more than 10 %")
    found = decide(made, both(made, [2.0] * 5, [1.7] * 5))
    assert found.relative is not None
    assert found.relative.value == pytest.approx(0.15)
    assert found.result is Result.SUCCEEDED


def test_a_run_without_a_figure_leaves_the_plan_unjudged_and_nothing_more_is_run(
    plan: Make, data: Data, planted: WorkspaceSandbox
) -> None:
    found = judge(plan(), data, {"train.py": b"crash"}, planted)
    assert found.result is Result.NOT_JUDGED
    assert "the experiment gave no predictions" in found.reason
    assert "it is broken" in found.reason
    assert len(planted.runs) == 2  # type: ignore[attr-defined]
    assert found.value is None


def test_leaving_out_a_seed_is_no_judgement(plan: Make) -> None:
    made = plan()
    kept = [trial for trial in both(made, [2.0] * 5, [1.0] * 5) if trial.seed != made.seeds[0]]
    found = decide(made, kept)
    assert found.result is Result.NOT_JUDGED
    assert "4 of 5 seeds" in found.reason


def test_what_was_run_before_a_crash_is_not_run_again_and_counts_the_same(
    plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script
) -> None:
    kept: list[Trial] = []
    whole = judge(plan(), data, workspace(0.2), planted, record=kept.append)
    before = len(planted.runs)  # type: ignore[attr-defined]
    resumed = judge(plan(), data, workspace(0.2), planted, done=kept[:7])
    assert len(planted.runs) - before == 3  # type: ignore[attr-defined]
    assert resumed == whole


def test_judging_again_uses_other_seeds(plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script) -> None:
    one, other = (judge(plan(), data, workspace(0.2), planted, again=again) for again in (0, 1))
    assert not {trial.seed for trial in one.trials} & {trial.seed for trial in other.trials}
    assert other.result is Result.SUCCEEDED


def test_an_attempt_is_scored_on_rows_of_the_training_part(
    plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script
) -> None:
    trial, result = explore(plan(), data, workspace(0.2), planted, seed=1)
    assert (trial.arm, trial.rows, result.outcome) == (Arm.ATTEMPT, 80, Outcome.FINISHED)
    assert trial.value == pytest.approx(0.2, abs=0.06)


def test_numbers_name_every_figure(plan: Make) -> None:
    made = plan(metric="rmse")
    numbers = decide(made, both(made, [2.0] * 5, [1.5] * 5)).numbers
    assert numbers["experiment mean"] == 1.5
    assert numbers["baseline mean"] == 2.0
    assert numbers["improvement"] == 0.5
    assert numbers[f"baseline seed {made.seeds[2]}"] == 2.0
    assert numbers["seeds"] == 5


@given(st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=2, max_size=20))
def test_an_interval_holds_its_mean_and_is_never_of_zero_width(values: list[float]) -> None:
    found = over_seeds(np.array(values), rows=100, size=abs(float(np.mean(values))))
    assert found.low < found.value < found.high


def test_intervals_over_seeds_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = [e.low <= 0 <= e.high for e in (over_seeds(rng.normal(size=5), rows=10_000, size=1.0) for _ in range(2000))]
    assert 0.88 < np.mean(held) < 0.92


def test_a_success_by_chance_is_rare(plan: Make) -> None:
    """Both arms equally good, the usual criterion: an interval clear of 0 in at most one of twenty."""
    made = plan(metric="pearson", success="mean improvement over the baseline > 0, 90 % interval above 0")
    rng = np.random.default_rng(2)
    wins = [
        decide(made, both(made, rng.normal(0.6, 0.05, 5).tolist(), rng.normal(0.6, 0.05, 5).tolist())).result
        is Result.SUCCEEDED
        for _ in range(300)
    ]
    assert np.mean(wins) < 0.09


def test_a_judgement_survives_as_json(plan: Make) -> None:
    made = plan()
    told = json.loads(json.dumps(decide(made, both(made, [2.0] * 5, [1.5] * 5)).as_json()))
    assert told["result"] == "succeeded"
    assert told["trials"][0]["arm"] == "baseline"
    assert made.seeds[0] == told["trials"][0]["seed"]
