"""What came of an experiment: both arms on fresh seeds and the same splits and limits, and the criterion as written.

The host has the labels and computes every figure from predictions. A hypothesis that failed is a result. Where a run
of either arm gave no figure there is none: leaving that seed out would judge another plan than the one that was fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats

from engine.experiment.metric import METRICS
from engine.experiment.plan import Plan
from engine.experiment.split import Split, development, final, inputs
from engine.experiment.task import Data
from engine.score import Estimate
from sandbox.execution import Outcome
from sandbox.workspace import Expected, Run, RunResult, Workspace, WorkspaceSandbox

CONFIDENCE = 0.90


class Arm(StrEnum):
    BASELINE = "baseline"
    EXPERIMENT = "experiment"
    ATTEMPT = "attempt"  # while the experiment is being written, on other rows


class Result(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run. value: the plan's metric on the held-out rows; None: there is none, and `problem` says why."""

    arm: Arm
    seed: int
    value: float | None
    problem: str | None = None
    rows: int  # that it was scored on
    seconds: float
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Estimates have 90 % intervals over seeds, each with rows of its own to be judged on; not over new data sets."""

    result: Result
    reason: str
    trials: tuple[Trial, ...]  # of both arms
    baseline_value: Estimate | None = None
    value: Estimate | None = None
    improvement: Estimate | None = None  # paired; positive is better
    relative: Estimate | None = None  # improvement / size of the baseline's mean; None too where that is 0

    def of(self, arm: Arm) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.arm is arm)

    @property
    def numbers(self) -> dict[str, float]:
        """Every figure under a name, for whoever wants to cite one."""
        found = {f"{t.arm} seed {t.seed}": t.value for t in self.trials if t.value is not None}
        for name in ("baseline_value", "value", "improvement", "relative"):
            estimate: Estimate | None = getattr(self, name)
            if estimate is not None:
                words = {"value": "experiment mean", "baseline_value": "baseline mean"}.get(name, name)
                found |= {words: estimate.value, f"{words}, low": estimate.low, f"{words}, high": estimate.high}
        runs = len(self.of(Arm.EXPERIMENT))
        seconds = sum(trial.seconds for trial in self.trials)
        return found | {
            "seeds": float(runs),
            "confidence": CONFIDENCE,
            "runs": float(len(self.trials)),
            "seconds": seconds,
        }

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "result": self.result.value, "trials": [asdict(trial) for trial in self.trials]}


def explore(
    plan: Plan,
    data: Data,
    workspace: Workspace,
    sandbox: WorkspaceSandbox,
    *,
    seed: int = 0,
    tag: str = "",
    beside: Workspace | None = None,
) -> tuple[Trial, RunResult]:
    """One run for whoever writes the experiment, on rows that do not decide. Raises SandboxError for faults of ours.

    beside: further inputs than the data, by path.
    """
    return _run(Arm.ATTEMPT, plan, data, workspace, development(data, seed), sandbox, tag, beside or {})


def judge(
    plan: Plan,
    data: Data,
    workspace: Workspace,
    sandbox: WorkspaceSandbox,
    *,
    again: int = 0,
    baseline: Workspace | None = None,
    tag: str = "",
    beside: Workspace | None = None,
    done: Sequence[Trial] = (),
    record: Callable[[Trial], None] = lambda trial: None,
) -> Judgement:
    """Run both arms on the plan's seeds, or on others where `again` is above 0, and apply its criterion.

    baseline: None for the task's prototype. beside: further inputs of both arms, by path. done: trials of an earlier
    call with the same arguments that was cut off; they are not run again. record: told of every new one. Raises
    SandboxError for faults of ours, ValueError when the data have too few rows for the plan.
    """
    seeds = plan.fresh_seeds(again)
    found = {(trial.arm, trial.seed): trial for trial in done if trial.seed in seeds}
    arms = ((Arm.BASELINE, plan.template.prototype() if baseline is None else baseline), (Arm.EXPERIMENT, workspace))
    for split in final(data, seeds):
        for arm, files in arms:
            if (arm, split.seed) not in found:
                trial, _ = _run(arm, plan, data, files, split, sandbox, tag, beside or {})
                found[arm, split.seed] = trial
                record(trial)
            if found[arm, split.seed].value is None:
                return decide(plan, tuple(found.values()))
    return decide(plan, tuple(found.values()))


def _run(
    arm: Arm,
    plan: Plan,
    data: Data,
    files: Workspace,
    split: Split,
    sandbox: WorkspaceSandbox,
    tag: str,
    beside: Workspace,
) -> tuple[Trial, RunResult]:
    task, metric, targets = plan.template, METRICS[plan.metric], data.targets[split.held_out]
    result = sandbox.run(
        Run(
            files=files,
            entry=task.entry,
            arguments=("--seed", str(split.seed)),
            inputs={**beside, **inputs(data, split, task.name, metric)},
            expects=Expected(shape=targets.shape, kind=task.kind),
            limits=task.limits,
            tag=tag,
        )
    )
    value, problem = None, result.reason or (result.check and f"the run ended by its {result.check}")
    if result.outcome is Outcome.FINISHED and result.predictions is not None:
        try:
            value = metric.score(result.predictions, targets)
        except ValueError as error:
            problem = str(error)
    elif result.outcome is Outcome.FINISHED:
        problem = "there are no predictions"
    trial = Trial(
        arm=arm,
        seed=split.seed,
        value=value,
        problem=None if value is not None else problem or "it ended without predictions",
        rows=len(targets),
        seconds=result.seconds,
        log=result.tail,
    )
    return trial, result


def decide(plan: Plan, trials: Sequence[Trial]) -> Judgement:
    """The criterion applied to trials of both arms: nothing is run, nothing is drawn."""
    trials = tuple(trials)
    baseline = {trial.seed: trial for trial in trials if trial.arm is Arm.BASELINE}
    candidate = {trial.seed: trial for trial in trials if trial.arm is Arm.EXPERIMENT}
    for trial in trials:
        if trial.value is None:
            who = "the experiment" if trial.arm is Arm.EXPERIMENT else "the baseline"
            reason = f"Not judged: {who} gave no predictions with seed {trial.seed}: {trial.problem}"
            return Judgement(result=Result.NOT_JUDGED, reason=_sentence(reason), trials=trials)
    if len(candidate) < plan.repeats or set(candidate) != set(baseline):
        reason = f"Not judged: {len(candidate)} of {plan.repeats} seeds were run with both arms."
        return Judgement(result=Result.NOT_JUDGED, reason=reason, trials=trials)
    metric, seeds = plan.judged_by, sorted(candidate)
    theirs, ours = (np.array([arm[seed].value for seed in seeds], dtype=float) for arm in (baseline, candidate))
    gains = np.array([metric.improvement(one, other) for one, other in zip(ours, theirs, strict=True)])
    rows, size = min(trial.rows for trial in trials), abs(float(theirs.mean()))
    improvement = over_seeds(gains, rows, size)
    figures = {"improvement": improvement, "value": over_seeds(ours, rows, size)}
    if size > 0:
        figures["relative"] = Estimate(**{end: getattr(improvement, end) / size for end in ("value", "low", "high")})
    result, reason = _apply(plan, figures)
    return Judgement(
        result=result,
        reason=reason,
        trials=trials,
        baseline_value=over_seeds(theirs, rows, size),
        value=figures["value"],
        improvement=improvement,
        relative=figures.get("relative"),
    )


def over_seeds(values: Any, rows: int, size: float) -> Estimate:
    """Mean with a 90 % t interval over at least two seeds.

    Equal values do not make it certain: the spread is taken to be at least what one row of `rows` can move a figure of
    this `size`.
    """
    spread = max(float(np.std(values, ddof=1)), (size or 1.0) / rows)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * spread / float(np.sqrt(len(values)))
    mean = float(np.mean(values))
    return Estimate(value=mean, low=mean - half, high=mean + half)


def _apply(plan: Plan, figures: dict[str, Estimate]) -> tuple[Result, str]:
    criterion, metric = plan.criterion, plan.judged_by
    words = criterion.in_words(metric)
    figure = figures.get(criterion.figure)
    if figure is None:
        return (
            Result.NOT_JUDGED,
            f"Not judged: the baseline's mean is 0, so there is no relative improvement. Asked: {words}.",
        )
    sign = 1.0 if criterion.figure != "value" or metric.higher else -1.0
    end = figure.low if sign > 0 else figure.high
    met = sign * figure.value > sign * criterion.above
    firm = criterion.interval_above is None or sign * end > sign * criterion.interval_above
    result = Result.SUCCEEDED if met and firm else Result.FAILED
    found = f"{figure.value:.4g} [{figure.low:.4g}, {figure.high:.4g}]"
    why = "" if met else ": not enough"
    if met and not firm:
        why = ": enough on average, but the interval is not clear of the bound"
    return result, f"{'Succeeded' if result is Result.SUCCEEDED else 'Failed'}: {found}{why}. Asked: {words}."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
