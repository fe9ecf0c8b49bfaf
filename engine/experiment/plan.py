"""The plan of an experiment: fixed before anything runs, so that nobody chooses afterwards what counts as success."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.errors import PlanError, UnknownThing
from engine.experiment.metric import METRICS, Metric, metric_named
from engine.experiment.task import Task
from engine.experiment.tasks.catalogue import task_named

FEWEST, MOST, USUAL = 3, 20, 5  # repetitions: an interval over fewer than three says nothing
LONGEST = 2000  # characters of a text
FIGURES = {
    "improvement": "mean improvement of {} over the baseline",
    "relative": "relative improvement of {} over the baseline",
    "value": "mean {}",
}
_SEEDS = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """Success as data. An improvement is positive where the candidate is better, whatever the metric's direction.

    figure: "improvement" (mean paired difference, in the metric's unit), "relative" (the same divided by the size of
    the baseline's mean) or "value" (the candidate's own mean). above: what the figure must exceed; a value of a metric
    of which lower is better must be below it. interval_above: the same for the unfavourable end of its 90 % interval;
    None: not asked.
    """

    figure: str = "improvement"
    above: float = 0.0
    interval_above: float | None = 0.0

    def in_words(self, metric: Metric) -> str:
        """What `read_criterion` reads back to the same criterion."""
        side = ">" if self.figure != "value" or metric.higher else "<"
        end = "above" if side == ">" else "below"
        words = f"{FIGURES[self.figure].format(metric.title)} {side} {_written(self.above)}"
        if self.interval_above is None:
            return words
        return f"{words}, with 90 % interval {end} {_written(self.interval_above)}"


def _written(number: float) -> str:
    """Short, and the same number when it is read."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What judging takes: how often a script is run, both arms together, and the wall seconds of all of them."""

    runs: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Texts are in words; task, data and metric are names of the catalogue. The baseline is the task's prototype."""

    hypothesis: str
    task: str
    data: str
    model: str
    baseline: str
    variables: tuple[str, ...] = ()
    metric: str
    repeats: int = USUAL
    criterion: Criterion
    cost: Cost | None = None  # an estimate: not part of what is fixed

    @property
    def judged_by(self) -> Metric:
        return METRICS[self.metric]

    @property
    def direction(self) -> str:
        return self.judged_by.direction

    @property
    def template(self) -> Task:
        return task_named(self.task)

    @property
    def digest(self) -> str:
        """Of everything that is fixed."""
        told = {name: value for name, value in self.as_json().items() if name not in ("cost", "success")}
        return hashlib.sha256(json.dumps([told, asdict(self.criterion)], sort_keys=True).encode()).hexdigest()

    @property
    def most_seconds(self) -> float:
        """Wall time of judging, if every run of both arms took all the time that it may."""
        return 2 * self.repeats * self.template.limits.wall_seconds

    @property
    def seeds(self) -> tuple[int, ...]:
        """What it is judged on. They follow from the plan, so nobody chooses lucky ones; no attempt has used them."""
        return self.fresh_seeds(0)

    def fresh_seeds(self, again: int) -> tuple[int, ...]:
        """Others for each repetition of the judgement. Never below 1000: those are for attempts."""
        found: dict[int, None] = {}
        counter = 0
        while len(found) < self.repeats:
            text = f"{self.digest}/{again}/{counter}".encode()
            found[1000 + int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % (_SEEDS - 1000)] = None
            counter += 1
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        criterion = self.criterion
        return {
            "hypothesis": self.hypothesis,
            "task": self.task,
            "data": self.data,
            "model": self.model,
            "baseline": self.baseline,
            "variables": list(self.variables),
            "metric": self.metric,
            "direction": self.direction,
            "seeds": self.repeats,
            "success": {
                "figure": criterion.figure,
                "above": criterion.above,
                "interval_above": criterion.interval_above,
                "in_words": criterion.in_words(self.judged_by),
            },
            "cost": None if self.cost is None else {"runs": self.cost.runs, "seconds": self.cost.seconds},
        }


def estimate(plan: Plan, seconds_per_run: float) -> Plan:
    """The plan with its cost: both arms on every seed, one after the other."""
    runs = 2 * plan.repeats
    return replace(plan, cost=Cost(runs=runs, seconds=runs * seconds_per_run))


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_BOUND = re.compile(
    rf"(?P<side>>=?|<=?|above|below|at least|more than|over|by)\s*(?P<number>{_NUMBER})\s*(?P<percent>%?)", re.I
)
_INTERVAL = re.compile(rf"\binterval\b\D*?(?P<side>above|below|>|<|over|excludes)\s*(?P<number>{_NUMBER})", re.I)


def read_criterion(words: str, metric: Metric) -> Criterion:
    """From words such as "mean improvement over the baseline > 0.01 with 90 % interval above 0". Raises PlanError."""
    text = " ".join(words.split())
    interval = _INTERVAL.search(text)
    rest = text[: interval.start()] + text[interval.end() :] if interval else text
    bound = _BOUND.search(re.sub(r"over the (?:baseline|prototype)", "", rest, flags=re.I))
    if bound is None:
        raise PlanError(
            f"The success criterion {words[:100]!r} names no bound. Write for example: mean improvement over the "
            "baseline > 0.01 with 90 % interval above 0."
        )
    figure = _figure(rest, bound)
    falls = bound["side"].lower() in ("<", "<=", "below")
    if falls != (figure == "value" and not metric.higher):
        raise PlanError(
            f"The success criterion {words[:100]!r} runs against {metric.name}: {metric.direction} is better."
        )
    number = float(bound["number"]) / (100 if bound["percent"] else 1)
    return Criterion(figure=figure, above=number, interval_above=float(interval["number"]) if interval else None)


def _figure(text: str, bound: re.Match[str]) -> str:
    compares = re.search(r"improve|baseline|prototype|difference|better|beat|gain|relative", text, re.I)
    if not compares and bound["side"].lower() != "by":
        return "value"
    return "relative" if bound["percent"] or "relative" in text.lower() else "improvement"


def read_plan(told: Mapping[str, Any]) -> Plan:
    """What a model or a person wrote down, checked. Raises PlanError, which lists every fault, one a line."""
    faults: list[str] = []
    texts = {name: _text(told, name, faults) for name in ("hypothesis", "model", "baseline")}
    task = _task(told, faults)
    data = _data(told, task, faults)
    metric = _metric(told, task, faults)
    criterion = _criterion(told, metric, faults)
    repeats = told.get("seeds", told.get("repeats", USUAL))
    repeats = len(repeats) if isinstance(repeats, list) else repeats
    if not isinstance(repeats, int) or isinstance(repeats, bool) or not FEWEST <= repeats <= MOST:
        faults.append(f"seeds: {repeats!r} is not how many times it is repeated, from {FEWEST} to {MOST}.")
    variables = told.get("variables", ())
    variables = [variables] if isinstance(variables, str) else variables
    if not isinstance(variables, list | tuple) or not all(isinstance(name, str) for name in variables):
        faults.append(f"variables: {str(variables)[:100]!r} is no list of texts.")
    if faults or task is None or metric is None or criterion is None:
        raise PlanError("\n".join(faults))
    return Plan(
        task=task.name,
        data=data,
        metric=metric.name,
        repeats=repeats,
        criterion=criterion,
        variables=tuple(variables),
        hypothesis=texts["hypothesis"],
        model=texts["model"],
        baseline=texts["baseline"],
    )


def _text(told: Mapping[str, Any], name: str, faults: list[str]) -> str:
    found = told.get(name, "")
    if not isinstance(found, str) or (not found.strip() and name == "hypothesis"):
        faults.append(f"{name}: {str(found)[:100]!r} is no text.")
        return ""
    if not found.strip():
        return {"model": "as the experiment's code says", "baseline": "the task's prototype"}[name]
    return " ".join(found.split())[:LONGEST]


def _task(told: Mapping[str, Any], faults: list[str]) -> Task | None:
    try:
        return task_named(str(told.get("task", "")))
    except UnknownThing as error:
        faults.append(f"task: {error}")
        return None


def _data(told: Mapping[str, Any], task: Task | None, faults: list[str]) -> str:
    name = told.get("data")
    if task is None:
        return ""
    try:
        return task.sources[0].name if name in (None, "") else task.source(str(name)).name
    except UnknownThing as error:
        faults.append(f"data: {error}")
        return ""


def _metric(told: Mapping[str, Any], task: Task | None, faults: list[str]) -> Metric | None:
    direction = told.get("direction")
    try:
        name = told.get("metric") or (task.metrics[0] if task else None)
        found = metric_named(str(name), None if direction in (None, "") else str(direction))
    except PlanError as error:
        faults.append(f"metric: {error}")
        return None
    if task and found.name not in task.metrics:
        faults.append(f"metric: {found.name} does not judge {task.name}. These do: {', '.join(task.metrics)}.")
        return None
    return found


def _criterion(told: Mapping[str, Any], metric: Metric | None, faults: list[str]) -> Criterion | None:
    success = told.get("success")
    try:
        if success in (None, ""):
            return Criterion()
        if isinstance(success, str):
            return read_criterion(success, metric) if metric else None
        if isinstance(success, Mapping) and success.get("figure", "improvement") in FIGURES:
            end = success.get("interval_above", 0.0)
            return Criterion(
                figure=success.get("figure", "improvement"),
                above=_finite(success.get("above", 0.0)),
                interval_above=None if end is None else _finite(end),
            )
        raise PlanError(f"{str(success)[:100]!r} is no criterion; its figure is one of {', '.join(FIGURES)}.")
    except PlanError as error:
        faults.append(f"success: {error}")
        return None


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12 or value != value:
        raise PlanError(f"{value!r} is no number.")
    return float(value)
