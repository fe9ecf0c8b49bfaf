"""What a model is told of an experiment: the recorded steps as a conversation. The words lie in engine/prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from string import Template
from typing import Any

from engine.experiment.published import FOLDER, PUBLISHED
from engine.experiment.split import development
from engine.experiment.steps import Experiment, Kind, State, Step, Why
from engine.experiment.task import Data
from engine.llm.calling import Call
from engine.llm.client import Message
from engine.llm.prompt import words

FILES = ("experiment.md", "experiment_plan.md", "experiment_words.md", "experiment_undone.md")
RECENT = 8  # results that are shown in full; of older ones the beginning: the model can read a file again
SHORT, SHORTER = 600, 200  # characters
MOST_SHOWN = 8_000  # of a file of the prototype
MOST_MATERIAL = 1_500


def conversation(state: State, data: Data) -> list[Message]:
    """The whole conversation anew. The same steps make the same messages, and later steps only add to them, but for
    the shortening of old ones."""
    messages = [
        Message(role="system", content=words("experiment.md")),
        Message(role="user", content=_filled("experiment_plan.md", brief=_brief(state, data))),
    ]
    held: list[Message] = []  # what people said while a tool ran: it comes after the tool's answer
    results = sum(step.kind is Kind.RESULT for step in state.steps)
    running, seen = False, 0
    for step in state.steps:
        old = results - seen > RECENT
        if step.kind is Kind.CALL:
            running = True
            messages.append(_call(step, old))
        elif step.kind is Kind.RESULT or (step.kind is Kind.QUESTION and step.why is Why.UNSURE):
            seen += step.kind is Kind.RESULT
            running = False
            _answer(messages, step, old)
            messages += held
            held = []
        elif (told := _from_people(step)) is not None:
            (held if running else messages).append(told)
    return messages


def prompt_digest() -> str:
    """Changes when the prompts' words change."""
    return hashlib.sha256("\0".join(map(words, FILES)).encode()).hexdigest()[:12]


def _filled(file: str, **values: str) -> str:
    return encodable(Template(words(file)).substitute(values).strip())


def encodable(text: str) -> str:
    """Without halves of characters, which nothing can send."""
    return text.encode("utf-8", errors="replace").decode()


def _call(step: Step, old: bool) -> Message:
    if step.call is None:
        return Message(role="assistant", content=step.thought[:SHORT] or "(nothing)")
    call = replace(step.call, arguments=_shorter(step.call.arguments)) if old else step.call
    return Message(role="assistant", content=step.thought[:SHORT] if old else step.thought, call=call)


def _answer(messages: list[Message], step: Step, old: bool) -> None:
    text = step.text if step.kind is Kind.RESULT else json.dumps({"asked": True})
    if old and len(text) > SHORT:
        text = f"{text[:SHORT]}… (shortened)"
    if step.call is not None and step.usable:
        messages.append(Message(role="tool", content=text, call=step.call))
        return
    if step.call is not None:
        # Servers read the arguments in what came before, and refuse a conversation in which they are malformed.
        said = f"{messages[-1].content}\n{_as_text(step.call)}".strip()
        messages[-1] = Message(role="assistant", content=said[: SHORT if old else MOST_SHOWN])
    messages.append(Message(role="user", content=text))


def _as_text(call: Call) -> str:
    return f"{call.tool[:100]} {call.arguments}"


def _from_people(step: Step) -> Message | None:
    if step.kind is Kind.WORDS:
        return Message(role="user", content=_filled("experiment_words.md", words=step.text))
    if step.kind is Kind.UNDONE:
        return Message(role="user", content=_filled("experiment_undone.md"))
    return None


def _shorter(arguments: str) -> str:
    try:
        told = json.loads(arguments or "{}", strict=False)
    except ValueError:
        return arguments  # it was refused: the answer makes text of it
    if not isinstance(told, dict):
        return arguments
    short = {
        name: f"{value[:SHORTER]}… (shortened)" if isinstance(value, str) and len(value) > SHORT else value
        for name, value in told.items()
    }
    return json.dumps(short, ensure_ascii=False)


def _brief(state: State, data: Data) -> str:
    experiment, task = state.experiment, state.experiment.plan.template
    split = development(data, 0)
    told: dict[str, Any] = {
        "plan": {name: value for name, value in experiment.plan.as_json().items() if name != "cost"},
        "task": {
            "about": task.description,
            "run_as": f"{task.entry} --seed N",
            "predictions": f"predictions.npy: {task.prediction}",
            "rows": {"training": len(split.training), "held_out": len(split.held_out)},
            "columns": list(data.columns),
            "target": data.target,
            "classes": list(data.classes),
            "data_are_invented": data.invented,
        },
        "limits_of_a_run": {"seconds": task.limits.wall_seconds, "memory_mib": task.limits.memory_mib},
        "attempts": experiment.budget.attempts,
        "prototype": _prototype(state),
        "material": _material(experiment),
    }
    return json.dumps(told, indent=1, ensure_ascii=False)


def _prototype(state: State) -> Mapping[str, Any]:
    files = {
        path: content.decode(errors="replace")[: SHORT if path.startswith(f"{FOLDER}/") else MOST_SHOWN]
        for path, content in state.start.items()
    }
    found: dict[str, Any] = {"files": files}
    if state.prototype is not None:
        found |= {"value": state.prototype.value, "seed": state.prototype.seed, "problem": state.prototype.problem}
    return found


def _material(experiment: Experiment) -> list[dict[str, str]]:
    found = [{"source": one.source, "text": one.text[:MOST_MATERIAL]} for one in experiment.material]
    if experiment.ready is not None:
        ready = experiment.ready
        source = (
            "a script that runs the paper's own code"
            if ready.kind == PUBLISHED
            else f"catalogue: {ready.kind} {ready.title}"
        )
        found.append({"source": source, "text": ready.code[:MOST_SHOWN]})
    return found
