"""Who writes an experiment: a model, or, where there is none, the template with the idea put in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.experiment.conversation import conversation, encodable
from engine.experiment.published import PUBLISHED
from engine.experiment.steps import MARGIN_TOKENS, Kind, Ready, Spent, State
from engine.experiment.task import Data
from engine.experiment.template import offered_settings, read_settings, with_component, with_settings
from engine.experiment.tools import offered
from engine.llm.calling import Call, read_call
from engine.llm.client import LLM, Completion, Message
from sandbox.workspace import Workspace

MOST_TOKENS = 8192  # of one answer
CHARACTERS_PER_TOKEN = 3.0  # fewer than English or code has, so that an estimate is rather too high
TEMPERATURE = 0.2
NO_MODEL = "the template; no model was asked"


class TooLittleLeft(Exception):
    """The conversation alone would take what is left of the tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """call: None where there was none that could be read."""

    call: Call | None
    thought: str = ""
    spent: Spent = field(default_factory=Spent)


class Author(Protocol):
    @property
    def name(self) -> str:
        """Shown to people."""
        ...

    def answer(self, state: State, data: Data) -> Answer:
        """The next call. Raises GeneratorError when a model cannot be asked, TooLittleLeft."""
        ...


class ModelAuthor:
    def __init__(self, model: LLM) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return self._model.name

    def answer(self, state: State, data: Data) -> Answer:
        messages, tools = conversation(state, data), offered()
        described = sum(len(json.dumps(tool.parameters)) + len(tool.description) for tool in tools)
        counted = max((step.spent.prompt_tokens for step in state.steps[-4:]), default=0)
        expected = max(int((_characters(messages) + described) / CHARACTERS_PER_TOKEN), counted)
        room = state.tokens_left - expected
        if room < MARGIN_TOKENS:
            raise TooLittleLeft
        completion = self._model.complete(
            messages, tools=tools, max_tokens=min(MOST_TOKENS, room), temperature=TEMPERATURE
        )
        number = sum(step.kind is Kind.CALL for step in state.steps)
        call = completion.calls[0] if completion.calls else read_call(completion.text)
        written = completion.calls == () and call is not None
        if call is not None:
            call = Call(tool=encodable(call.tool), arguments=encodable(call.arguments), id=f"call_{number}")
        return Answer(
            call=call,
            thought="" if written else encodable(completion.text),
            spent=_spent(completion, expected),
        )


def _characters(messages: list[Message]) -> int:
    return sum(len(one.content) + (len(one.call.arguments) if one.call else 0) for one in messages)


def _spent(completion: Completion, expected: int) -> Spent:
    counted = completion.prompt_tokens is not None and completion.completion_tokens is not None
    said = len(completion.text) + sum(len(call.arguments) for call in completion.calls)
    return Spent(
        prompt_tokens=completion.prompt_tokens if completion.prompt_tokens is not None else expected,
        completion_tokens=(
            completion.completion_tokens
            if completion.completion_tokens is not None
            else int(said / CHARACTERS_PER_TOKEN) + 1
        ),
        estimated=not counted,
        seconds=completion.seconds,
    )


class TemplateAuthor:
    """Puts the idea into the template, runs it, and hands it in. What it cannot do it asks people for."""

    name = NO_MODEL

    def answer(self, state: State, data: Data) -> Answer:
        wanted, missing = self._wanted(state)
        if dict(wanted) == dict(state.start):
            return _call("ask_person", question=_nothing_to_put_in(state, missing))
        for path, content in wanted.items():
            if state.workspace.get(path) != content:
                return _call("write_file", path=path, content=content.decode())
        if state.ran:
            return _call("finish", done=_done(state, missing))
        spoken = max((n for n, step in enumerate(state.steps) if step.kind is Kind.WORDS), default=-1)
        failed = [step for step in state.steps[spoken + 1 :] if step.trial is not None and step in state.attempts]
        if failed and failed[-1].trial is not None:
            problem = failed[-1].trial.problem or "it gave no figure"
            return _call(
                "ask_person",
                question=(
                    f"The template with the idea put in does not run: {problem.rstrip('.')}. No model is configured "
                    "that could repair it. Take the workspace over, name another setting, or stop."
                ),
            )
        return _call("run", seed=0)

    def _wanted(self, state: State) -> tuple[Workspace, list[str]]:
        experiment = state.experiment
        entry, files = experiment.plan.template.entry, dict(state.start)
        ready = experiment.ready
        if ready is not None and ready.kind == PUBLISHED:
            files = {**files, entry: ready.code.encode()}
        elif ready is not None:
            files = with_component(files, entry, ready) or files
        said = [step.text for step in state.steps if step.kind is Kind.WORDS]
        return with_settings(files, entry, read_settings([*experiment.plan.variables, *said]))


def _call(tool: str, **arguments: Any) -> Answer:
    return Answer(call=Call(tool=tool, arguments=json.dumps(arguments, ensure_ascii=False), id=tool))


def _done(state: State, missing: list[str]) -> str:
    ready, settings = state.experiment.ready, read_settings(state.experiment.plan.variables)
    said = read_settings(step.text for step in state.steps if step.kind is Kind.WORDS)
    parts = [_put_in(ready)] if ready else []
    parts += [setting.in_words for setting in (*settings, *said) if setting.in_words not in missing]
    unset = f" The script has no place for: {', '.join(missing)}." if missing else ""
    return f"No model was asked. The prototype of the task was taken, with {'; '.join(parts)}.{unset}"[:2000]


def _put_in(ready: Ready) -> str:
    if ready.kind == PUBLISHED:
        return "the paper's own code in the place of its script"
    return f"a small network with the {ready.kind} {ready.title} in the place of its estimator"


def _nothing_to_put_in(state: State, missing: list[str]) -> str:
    entry = state.experiment.plan.template.entry
    unset = f" It has no place for {', '.join(missing)}." if missing else ""
    return (
        "No model is configured, so this experiment can only be the task's template with a setting changed, and the "
        f"plan names none that it has.{unset} It has: {offered_settings(state.start, entry)}. Reply with one, such as "
        "“name = value”; or configure a model; or take the workspace over."
    )[:2000]
