"""One page about an experiment: what was asked, done and found, what did not work, what it cost.

Every figure in it is the host's. What its author wrote is quoted, and each number in it that is in no result is named.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from engine.experiment.claims import check_claims
from engine.experiment.fetched import DATA, MODELS
from engine.experiment.judge import CONFIDENCE, Arm, Judgement, Result
from engine.experiment.steps import Experiment, Kind, State, attempt_line, numbers_of
from engine.experiment.task import Data
from engine.experiment.tools import Finish, arguments_of
from engine.score import Estimate

_BETTER = re.compile(
    r"\b(higher|lower|larger|smaller|greater)(?:\s+(?:values?|scores?|numbers?))?\s+(?:is|are)\s+better\b", re.I
)
HEADLINES = {
    Result.SUCCEEDED: "The hypothesis held.",
    Result.FAILED: "The hypothesis did not hold. That is a result.",
    Result.NOT_JUDGED: "The hypothesis was not judged.",
}
KNOWN = {
    MODELS: "it may have seen the held-out rows when it was trained, which cannot be checked",
    DATA: "looked through beforehand, and no held-out row was recognised in it; one in other words would not be",
}
MOST_FILES = 8  # of one that was fetched, with their digests
RANGE = f"{CONFIDENCE:.0%} interval"


def report(state: State, data: Data, judgement: Judgement, author: str) -> str:
    """Markdown. state: of an experiment that was handed in and judged."""
    words = _handed_in(state)
    parts = [
        f"# {state.experiment.plan.hypothesis}",
        f"**{HEADLINES[judgement.result]}** {judgement.reason}",
        *_asked(state, data),
        "## Done",
        f"Written by {author}, in {_count(len(state.attempts), 'attempt')}. In its words:",
        _quoted(words["done"]),
        *_claims(state, judgement, " ".join(words.values())),
        *_given(state),
        *_found(state.experiment, judgement),
        *_failures(state, words["did_not_work"]),
        *_cost(state, judgement),
    ]
    return "\n\n".join(parts) + "\n"


def _handed_in(state: State) -> Mapping[str, str]:
    assert state.finished is not None
    assert state.finished.call is not None
    told = arguments_of(state.finished.call)
    assert isinstance(told, Finish)
    return {"done": told.done, "did_not_work": told.did_not_work}


def _asked(state: State, data: Data) -> list[str]:
    plan = state.experiment.plan
    lines = [
        f"- Task: {plan.template.title}, on {data.name} ({data.rows:,} rows; {data.provenance})",
        f"- Metric: {plan.judged_by.in_words}, computed by the host on rows that no attempt has seen",
        f"- Success, as fixed before anything ran: {plan.criterion.in_words(plan.judged_by)}",
        f"- {plan.repeats} seeds; compared with the task's prototype under the same limits",
    ]
    if data.invented:
        lines.append("- These data are invented: the result says nothing about the world")
    if state.round:
        lines.append(
            f"- This is judgement number {state.round + 1} of this plan: the more there are, the less one says"
        )
    return ["## Asked", "\n".join(lines)]


def given(state: State) -> list[str]:
    """What came from a hub, one line each, and what is not known of it."""
    return [f"{one.in_words[0].upper()}{one.in_words[1:]}: {KNOWN[one.what]}" for one in state.fetched]


def _given(state: State) -> list[str]:
    if not state.fetched:
        return []
    lines = []
    for line, one in zip(given(state), state.fetched, strict=True):
        files = [f"  - `{path}`, sha256 `{digest}`" for path, digest in one.files.items()]
        more = (
            [f"  - and {_count(len(files) - MOST_FILES, 'more file')}, in the bundle"]
            if len(files) > MOST_FILES
            else []
        )
        lines += [f"- {line}", *files[:MOST_FILES], *more]
    return ["## Fetched from the Hugging Face hub", "\n".join(lines), "Both arms had it among their inputs."]


def _found(experiment: Experiment, judgement: Judgement) -> list[str]:
    if judgement.result is Result.NOT_JUDGED and judgement.value is None:
        return ["## Found", judgement.reason]
    metric = experiment.plan.judged_by
    rows = [
        f"| | {metric.title} | {RANGE} |",
        "|---|---|---|",
        _row("Prototype", judgement.baseline_value),
        _row("Experiment", judgement.value),
        _row("Improvement (above 0 is better)", judgement.improvement),
        _row("Relative improvement", judgement.relative, percent=True),
        *(f"| Reported, {source} | {value:.4g} | |" for source, value in reported(experiment)),
    ]
    basis = "Intervals are over seeds, each with rows of its own to be judged on; they say nothing about other data."
    return ["## Found", "\n".join(row for row in rows if row), basis, *_beside(experiment, judgement.value)]


def reported(experiment: Experiment) -> list[tuple[str, float]]:
    """What others report of the plan's metric, to stand beside what was measured: source and value."""
    return [(one.source, one.reported) for one in experiment.material if one.reported is not None]


def _beside(experiment: Experiment, measured: Estimate | None) -> list[str]:
    """Each figure of others held against the experiment's, and the words in which they report it."""
    parts = []
    for one in experiment.material:
        if one.reported is not None and measured is not None:
            side = "below" if measured.value < one.reported else "above"
            place = "within" if measured.low <= one.reported <= measured.high else "outside"
            away = abs(measured.value - one.reported)
            parts.append(f"Measured is {away:.2g} {side} what {one.source} reports, which lies {place} the interval:")
            parts.append(f"> {one.text}")
    return parts


def _row(name: str, estimate: Estimate | None, percent: bool = False) -> str:
    if estimate is None:
        return ""
    value, low, high = (
        f"{number:.2%}" if percent else f"{number:.4g}" for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"| {name} | {value} | {low} to {high} |"


def _claims(state: State, judgement: Judgement, words: str) -> list[str]:
    """What each number that its author wrote rests on, and what does not agree with what was measured."""
    metric = state.experiment.plan.judged_by
    claims = check_claims(words, {**numbers_of(state), **judgement.numbers})
    rests = [f"- {claim.text}: {claim.source}" for claim in claims if claim.source is not None]
    flagged = [
        f"- {claim.text} is in no result: “{' '.join(claim.sentence.split())}”"
        for claim in claims
        if claim.source is None
    ]
    for found in _BETTER.finditer(words):
        if (found[1].lower() in ("higher", "larger", "greater")) is not metric.higher:
            flagged.append(f"- “{found[0]}” is wrong: of {metric.title}, {metric.direction} is better")
    parts = ["What its numbers rest on:", "\n".join(dict.fromkeys(rests))] if rests else []
    return [*parts, *(["## Not supported by any result", "\n".join(dict.fromkeys(flagged))] if flagged else [])]


def _failures(state: State, told: str) -> list[str]:
    plan, lines = state.experiment.plan, []
    for number, step in enumerate(state.attempts, start=1):
        if step.trial is not None and step.trial.value is None:
            lines.append(f"- {attempt_line(plan, number, step.trial, None)}")
    quoted = [_quoted(told)] if told.strip() else []
    if not lines and not quoted:
        return ["## What did not work", "Nothing failed on the way."]
    return ["## What did not work", *(["\n".join(lines)] if lines else []), *quoted]


def _cost(state: State, judgement: Judgement) -> list[str]:
    spent = state.spent
    about = "about " if spent.estimated else ""
    judging = sum(trial.seconds for trial in judgement.trials)
    words = sum(step.kind in (Kind.WORDS, Kind.UNDONE) for step in state.steps)
    calls = sum(step.kind is Kind.CALL for step in state.steps)
    lines = [
        f"- {_count(calls, 'step')}; {about}{spent.tokens:,} tokens; {spent.seconds:.0f} s of waiting for the model",
        f"- Sandbox: {state.explored_seconds:.0f} s for attempts, {judging:.0f} s for "
        f"{_count(len(judgement.trials), 'judged run')}",
        f"- People spoke {_count(words, 'time')}",
    ]
    return ["## Cost", "\n".join(lines)]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.strip().splitlines() or [""])


def plot(experiment: Experiment, judgement: Judgement) -> bytes | None:
    """Every judged run as a dot, arms side by side, with means and intervals: a PNG; None without figures."""
    if judgement.value is None or judgement.baseline_value is None:
        return None
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes: Any = figure.subplots()
    arms = ((Arm.BASELINE, "prototype", judgement.baseline_value), (Arm.EXPERIMENT, "experiment", judgement.value))
    for place, (arm, _, estimate) in enumerate(arms):
        values = [trial.value for trial in judgement.of(arm)]
        axes.plot([place] * len(values), values, "o", alpha=0.5, color=f"C{place}")
        below, above = estimate.value - estimate.low, estimate.high - estimate.value
        axes.errorbar([place + 0.15], [estimate.value], yerr=[[below], [above]], fmt="s", capsize=5, color=f"C{place}")
    axes.set_xticks(range(len(arms)), [name for _, name, _ in arms])
    axes.set_xlim(-0.5, len(arms) - 0.5)
    axes.set_ylabel(experiment.plan.judged_by.in_words)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()
