"""The one message of a request that is kept up to date until it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.views.block_kit import actions, button, context, message, section
from bot.views.figures import duration
from bot.views.message import Message, escape

STOP = "stop_request"  # value: the request's id
_BAR = 12  # cells


class Stage(StrEnum):
    GENERATE = "generate"
    VALIDATE = "validate"
    EVALUATE = "evaluate"
    RANK = "rank"


class Ending(StrEnum):
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a stage is. `note` says what else is worth knowing: `3 rejected`, `training the ten baselines first`."""

    done: int = 0
    total: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    request_id: str
    subject: str  # "8 activation functions"
    stage: Stage  # the one being worked on, or in which it ended
    steps: Mapping[Stage, Step] = field(default_factory=dict)
    elapsed_seconds: float
    left_seconds: float | None = None  # an estimate; None: not known yet
    ending: Ending | None = None
    detail: str = ""  # stopped: what was finished; failed: what happened and what to do


_WORDS = {
    Stage.GENERATE: ("Generate", "proposed"),
    Stage.VALIDATE: ("Validate", "checked"),
    Stage.EVALUATE: ("Evaluate", "measured"),
    Stage.RANK: ("Rank", "ranked"),
}


def progress(state: Progress) -> Message:
    lines = [_line(state, stage) for stage in Stage]
    parts = [section(f"*{_headline(state)}*"), section("\n".join(lines))]
    detail = escape(state.detail) if state.ending in (Ending.STOPPED, Ending.FAILED) else ""
    if detail:
        parts.append(section(detail))
    parts.append(context(f"Request `{escape(state.request_id)}`"))
    if state.ending is None:
        parts.append(actions(button("Stop", STOP, state.request_id)))
    return message(*parts, request_id=state.request_id)


def _headline(state: Progress) -> str:
    spent, subject = duration(state.elapsed_seconds), escape(state.subject, 200)
    match state.ending:
        case Ending.DONE:
            return f"Done in {spent}: {subject}"
        case Ending.STOPPED:
            return f"Stopped after {spent}: {subject}"
        case Ending.FAILED:
            return f"Failed after {spent}: {subject}"
    left = "" if state.left_seconds is None else f", about {duration(state.left_seconds)} left"
    return f"Working on {subject} · {spent}{left}"


def _line(state: Progress, stage: Stage) -> str:
    name, verb = _WORDS[stage]
    step = state.steps.get(stage, Step())
    mark = _mark(state, stage, step)
    if mark == "·":
        return f"{mark} {name}"
    told = ", ".join(filter(None, [_amount(step, verb, mark), escape(step.note, 200)]))
    return f"{mark} {name}" + (f": {told}" if told else "")


def _mark(state: Progress, stage: Stage, step: Step) -> str:
    ahead = list(Stage).index(stage) - list(Stage).index(state.stage)
    if state.ending is Ending.DONE:
        return "✓"
    if ahead > 0:
        return "·"
    cut_short = state.ending is not None and step.total is not None and step.done < step.total
    if ahead < 0 and not cut_short:
        return "✓"
    return {None: "▸", Ending.STOPPED: "■", Ending.FAILED: "✗"}[state.ending]


def _amount(step: Step, verb: str, mark: str) -> str:
    if step.total is None or (mark == "✓" and step.done == step.total):
        return f"{step.done:,} {verb}" if step.done else ""
    told = f"{step.done:,} of {step.total:,} {verb}"
    return told if mark == "✓" else f"{_bar(step.done, step.total)} {told}"


def _bar(done: int, total: int) -> str:
    """Full only when everything is done, empty only when nothing is."""
    filled = _BAR * done // total if total else _BAR
    filled = max(filled, 1) if done else 0
    return "▰" * min(filled, _BAR) + "▱" * (_BAR - min(filled, _BAR))
