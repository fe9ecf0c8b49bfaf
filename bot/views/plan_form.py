"""The plan of an idea as a form: its parts as inputs, and what came back as the parts that a person changed.

Only what differs from what the person saw is taken over, so that of two people who edit at once neither undoes the
other. Limits: https://docs.slack.dev/reference/views and /reference/block-kit/block-elements.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from bot.views.block_kit import section
from bot.views.idea import cost_in_words
from bot.views.message import Block, Message, clean, cut, escape, one_line
from engine.experiment.metric import METRICS
from engine.experiment.plan import FEWEST, LONGEST, MOST, Plan
from engine.experiment.task import Source
from engine.experiment.tasks.catalogue import TASKS
from storage.ideas import KeptIdea

PLAN_FORM = "plan_form"  # callback_id; private_metadata: the idea's id
INPUT = "input"  # the action_id in every block; a block is named after its part of the plan
PARTS = ("hypothesis", "data", "model", "variables", "metric", "seeds", "success")
_SUCCESS_HINT = (
    "Fixed by the approval, before anything runs. For example: mean improvement over the baseline > 0.01, with 90 % "
    "interval above 0"
)


def plan_form(kept: KeptIdea) -> Block:
    plan = kept.idea.plan
    told = (
        f"*{escape(kept.idea.title, 300)}*\nAgainst the task's prototype, under the same limits · Cost as planned now: "
        f"{cost_in_words(plan)}. What you change is told in the thread, with your name and the new cost."
    )
    return {
        **_view(kept, section(told), *_inputs(plan)),
        "callback_id": PLAN_FORM,
        "private_metadata": kept.id,
        "submit": _plain("Change the plan"),
        "close": _plain("Cancel"),
    }


def nothing_to_edit(kept: KeptIdea, why: Message) -> Block:
    """In the place of the form, where its plan is fixed."""
    return _view(kept, *why.blocks)


def idea_of(view: Mapping[str, Any]) -> str:
    return str(view["private_metadata"])


def changes(view: Mapping[str, Any]) -> dict[str, Any]:
    """What a person changed, as `read_plan` takes it."""
    values = view["state"]["values"]
    found: dict[str, Any] = {}
    for block in view["blocks"]:
        if block["type"] != "input":
            continue
        part, before = block["block_id"], _before(block["element"])
        after = _after(values[part][INPUT])
        if one_line(before) != one_line(after):
            found |= _told(part, before, after)
    return found


def beside(faults: Iterable[str]) -> dict[str, str]:
    """Sentences of a PlanError, by the input that each is shown beside."""
    found: dict[str, str] = {}
    for fault in faults:
        named, _, sentence = fault.partition(": ")
        part = {"task": "data", "direction": "metric"}.get(named, named)
        part, sentence = (part, sentence) if part in PARTS else ("hypothesis", fault)
        found[part] = f"{found[part]} {sentence}" if part in found else sentence
    return found


def _told(part: str, before: str, after: str) -> dict[str, Any]:
    match part:
        case "data":
            task, _, name = after.partition("/")
            # What a plan says of its baseline is true of its own task only.
            moved = {} if before.startswith(f"{task}/") else {"task": task, "baseline": ""}
            return {**moved, "data": name}
        case "seeds":
            written = after.strip()
            return {"seeds": int(written) if written.isascii() and written.isdecimal() else written}
        case "variables":
            return {"variables": [line for line in map(one_line, after.splitlines()) if line]}
        case _:
            return {part: one_line(after)}


def _inputs(plan: Plan) -> list[Block]:
    metrics = [_option(metric.name, metric.in_words) for metric in METRICS.values()]
    return [
        _input("hypothesis", "Hypothesis", _text(plan.hypothesis, multiline=True)),
        _input("data", "Task and data", _data(plan)),
        _input("model", "Model", _text(plan.model, multiline=True), optional=True),
        _input(
            "variables",
            "What is varied",
            _text("\n".join(plan.variables), multiline=True),
            "One a line, such as: hidden_size = 64",
            optional=True,
        ),
        _input("metric", "Judged by", _select(metrics, plan.metric), "The direction belongs to the metric."),
        _input(
            "seeds", "Seeds", _text(str(plan.repeats), most=5), f"{FEWEST} to {MOST}; nobody can choose which they are."
        ),
        _input("success", "It holds if", _text(plan.criterion.in_words(plan.judged_by), multiline=True), _SUCCESS_HINT),
    ]


def _data(plan: Plan) -> Block:
    groups: list[Block] = [
        {
            "label": _plain(cut(task.title, 75)),
            "options": [_option(f"{task.name}/{source.name}", _titled(source)) for source in task.sources],
        }
        for task in TASKS.values()
    ]
    chosen = f"{plan.task}/{plan.data}"
    shown = next(option for group in groups for option in group["options"] if option["value"] == chosen)
    return {"type": "static_select", "action_id": INPUT, "option_groups": groups, "initial_option": shown}


def _titled(source: Source) -> str:
    marks = {"invented data": source.invented, "to be asked for by you": source.original}
    marked = "".join(f" ({mark})" for mark, holds in marks.items() if holds)
    return cut(source.title, 75 - len(marked)) + marked


def _select(options: list[Block], chosen: str) -> Block:
    shown = next(option for option in options if option["value"] == chosen)
    return {"type": "static_select", "action_id": INPUT, "options": options, "initial_option": shown}


def _text(value: str, *, multiline: bool = False, most: int = LONGEST) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": INPUT, "multiline": multiline, "max_length": most}
    return element | ({"initial_value": cut(clean(value), most)} if value else {})


def _input(part: str, label: str, element: Block, hint: str = "", *, optional: bool = False) -> Block:
    block = {"type": "input", "block_id": part, "label": _plain(label), "element": element, "optional": optional}
    return block | ({"hint": _plain(hint)} if hint else {})


def _view(kept: KeptIdea, *blocks: Block) -> Block:
    return {"type": "modal", "title": _plain(f"Plan of idea {kept.number}"), "blocks": list(blocks)}


def _option(value: str, label: str) -> Block:
    return {"text": _plain(label), "value": value}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _before(element: Mapping[str, Any]) -> str:
    if element["type"] == "static_select":
        return str(element["initial_option"]["value"])
    return html.unescape(str(element.get("initial_value") or ""))


def _after(state: Mapping[str, Any]) -> str:
    if state["type"] == "static_select":
        return str(state["selected_option"]["value"])
    return html.unescape(str(state.get("value") or ""))
