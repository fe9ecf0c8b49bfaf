"""The tools of whoever writes an experiment: typed arguments, and an answer for every call, wrong ones included.

An answer is one JSON object: what a script printed stands in it as a string, so that it cannot end its quotation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import TaskDataError
from engine.experiment.admission import admit
from engine.experiment.conversation import encodable
from engine.experiment.fetched import SINGULAR, Wanted, size_of
from engine.experiment.hub import Hub, read
from engine.experiment.judge import Arm, Trial, explore
from engine.experiment.search import Search
from engine.experiment.split import development, inputs
from engine.experiment.steps import UNDO, Change, Kind, Spent, State, Step, Why
from engine.experiment.task import Data
from engine.experiment.within import Within
from engine.llm.calling import Call, Tool
from sandbox.workspace import INPUTS, MAX_SENT_BYTES, RunResult, Workspace, WorkspaceSandbox, wrong_paths

MOST_FILES, MOST_FILE_BYTES = 100, 400_000  # of a workspace that is written by hand
MOST_SHOWN = 12_000  # characters of a file in one answer
MOST_LOG = 3_000
NO_CALL = (
    "Your answer held no complete call of a tool. Call exactly one tool; if it was cut off, write a smaller piece."
)
KEPT_OUTPUTS, KEPT_BYTES = 32, 256 << 10  # of what a run leaves: each file at most this large


class Refused(Exception):
    """A call that cannot be carried out. The message is one sentence for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the tools work with."""

    data: Data
    sandbox: WorkspaceSandbox
    search: Search
    hub: Hub
    stopped: Callable[[], bool] = lambda: False  # asked while something is fetched


class Arguments(BaseModel):
    """What a tool takes; the docstring of each is what the model reads about it."""

    model_config = ConfigDict(extra="forbid")
    tool: ClassVar[str]


class ListFiles(Arguments):
    """List the files of the workspace with their sizes in bytes."""

    tool = "list_files"


class ReadFile(Arguments):
    """Read lines of a file of the workspace."""

    tool = "read_file"
    path: str
    first_line: int = Field(1, ge=1)
    lines: int = Field(400, ge=1, le=2000)


class WriteFile(Arguments):
    """Write a file of the workspace, a new one or one that is there: the whole content."""

    tool = "write_file"
    path: str
    content: str


class EditFile(Arguments):
    """Replace `old`, which must occur exactly once in the file, with `new`."""

    tool = "edit_file"
    path: str
    old: str = Field(min_length=1)
    new: str


class DeleteFile(Arguments):
    """Delete a file of the workspace."""

    tool = "delete_file"
    path: str


class RunScript(Arguments):
    """Run the experiment in the sandbox. The host scores its predictions on a part of the training rows."""

    tool = "run"
    seed: int = Field(0, ge=0, le=999)


class Inspect(Arguments):
    """List the files that the last run left beside its predictions, or show one of them."""

    tool = "inspect"
    path: str | None = None


class ShowData(Arguments):
    """Show the first training rows as the script sees them, and inputs/task.json."""

    tool = "show_data"
    rows: int = Field(5, ge=1, le=50)


class SearchFor(Arguments):
    """Look for code, models or data sets, or in the team's papers, which come with the page to cite."""

    tool = "search"
    what: Literal["code", "models", "data", "papers"]
    query: str = Field(min_length=1, max_length=200)


class Fetch(Arguments):
    """Bring a public model or data set of the Hugging Face hub into inputs/, for all runs from here on: safetensors,
    ONNX, vocabularies; CSV, JSON, text, parquet. A data set that holds held-out rows is refused."""

    tool = "fetch"
    what: Literal["models", "data"]
    repository: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$", max_length=96, description="its id")
    revision: str = Field("main", pattern=r"^[\w./-]+$", max_length=100, description="a branch, tag or commit")
    files: list[str] = Field(default=[], max_length=64, description="paths in it; none: all that may be fetched")


class Undo(Arguments):
    """Take the last change of the workspace back."""

    tool = UNDO


class AskPerson(Arguments):
    """Ask the people in the thread where you cannot decide. The experiment waits for their answer."""

    tool = "ask_person"
    question: str = Field(min_length=3, max_length=2000)


class Finish(Arguments):
    """Hand the workspace in to be judged on rows and seeds that nobody has seen. Only after a run that worked."""

    tool = "finish"
    done: str = Field(min_length=3, max_length=2000, description="what you built, in two or three sentences")
    did_not_work: str = Field("", max_length=2000, description="what you tried that did not work")


TOOLS: Mapping[str, type[Arguments]] = {
    one.tool: one
    for one in (
        *(ListFiles, ReadFile, WriteFile, EditFile, DeleteFile, RunScript, Inspect),
        *(ShowData, SearchFor, Fetch, Undo, AskPerson, Finish),
    )
}


def offered() -> tuple[Tool, ...]:
    """As a model is told of them."""
    return tuple(
        Tool(name=name, description=" ".join((one.__doc__ or "").split()), parameters=_schema(one))
        for name, one in TOOLS.items()
    )


def _schema(one: type[Arguments]) -> dict[str, Any]:
    found = one.model_json_schema()
    properties = {name: {k: v for k, v in p.items() if k != "title"} for name, p in found["properties"].items()}
    return {
        "type": "object",
        "properties": properties,
        "required": found.get("required", []),
        "additionalProperties": False,
    }


def arguments_of(call: Call) -> Arguments:
    """Checked. Raises Refused with one sentence."""
    kind = TOOLS.get(call.tool)
    if kind is None:
        raise Refused(f"There is no tool {call.tool[:60]!r}. Tools: {', '.join(TOOLS)}.")
    try:
        told = json.loads(call.arguments or "{}", strict=False)
    except (ValueError, RecursionError) as error:
        raise Refused(f"The arguments of {call.tool} are not valid JSON: {error}.") from None
    if not isinstance(told, dict):
        raise Refused(f"The arguments of {call.tool} must be one JSON object, not {type(told).__name__}.")
    try:
        return kind.model_validate({name: encodable(v) if isinstance(v, str) else v for name, v in told.items()})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()[:4])
        takes = ", ".join(kind.model_fields) or "no arguments"
        raise Refused(f"The arguments of {call.tool} do not fit: {faults}. It takes: {takes}.") from None


def use(call: Call | None, state: State, desk: Desk) -> Step:
    """Carry a call out; None: the answer held none. What the caller did wrong is in the answer.

    Raises SandboxError for faults of ours, Interrupted when a run was stopped.
    """
    key = f"result-{sum(step.kind is Kind.CALL for step in state.steps)}"
    wrong = Step(key=key, kind=Kind.RESULT, call=call)
    if call is None:
        return replace(wrong, usable=False, text=_told(error=NO_CALL))
    try:
        arguments = arguments_of(call)
    except Refused as error:
        return replace(wrong, usable=False, text=_told(error=str(error)))
    try:
        return replace(CARRIED_OUT[arguments.tool](arguments, state, desk), key=key, call=call)
    except Refused as error:
        return replace(wrong, text=_told(error=str(error)))


def _told(**facts: Any) -> str:
    return json.dumps(facts, ensure_ascii=False)


def _result(change: Change | None = None, **facts: Any) -> Step:
    return Step(key="", kind=Kind.RESULT, text=_told(**facts), change=change)


def _file(files: Workspace, path: str) -> bytes:
    if path not in files:
        raise Refused(f"There is no file {path[:200]!r}. Files: {', '.join(sorted(files)[:30]) or 'none'}.")
    return files[path]


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Refused(f"{path} is no text: {len(content):,} bytes.") from None


def _list(arguments: ListFiles, state: State, desk: Desk) -> Step:
    return _result(files={path: len(content) for path, content in state.workspace.items()})


def _read(arguments: ReadFile, state: State, desk: Desk) -> Step:
    lines = _text(arguments.path, _file(state.workspace, arguments.path)).splitlines(keepends=True)
    chosen = "".join(lines[arguments.first_line - 1 :][: arguments.lines])
    return _result(path=arguments.path, lines=len(lines), first_line=arguments.first_line, content=chosen[:MOST_SHOWN])


def _write(arguments: WriteFile, state: State, desk: Desk) -> Step:
    return _written(state, arguments.path, arguments.content)


def _edit(arguments: EditFile, state: State, desk: Desk) -> Step:
    text = _text(arguments.path, _file(state.workspace, arguments.path))
    times = text.count(arguments.old)
    if times != 1:
        raise Refused(f"`old` occurs {times} times in {arguments.path}; it must occur exactly once. Read the file.")
    return _written(state, arguments.path, text.replace(arguments.old, arguments.new))


def _written(state: State, path: str, text: str) -> Step:
    content = text.encode("utf-8", errors="replace")
    after = {**state.workspace, path: content}
    if wrong := wrong_paths(after):
        raise Refused(f"It was not written: {wrong}.")
    if path.split("/")[0] == INPUTS:
        raise Refused(f"{INPUTS}/ holds the data and is read-only; write the file beside it.")
    if len(after) > MOST_FILES or len(content) > MOST_FILE_BYTES:
        raise Refused(f"A workspace holds at most {MOST_FILES} files of {MOST_FILE_BYTES:,} bytes each.")
    if state.workspace.get(path) == content:
        raise Refused(f"{path} is already exactly that: nothing was changed.")
    return _result(Change(written={path: content}), written=path, bytes=len(content))


def _delete(arguments: DeleteFile, state: State, desk: Desk) -> Step:
    _file(state.workspace, arguments.path)
    return _result(Change(removed=(arguments.path,)), deleted=arguments.path)


def attempt(state: State, desk: Desk, workspace: Workspace, seed: int) -> tuple[Trial, RunResult]:
    """One run on rows that do not decide, within what is left of the budget.

    Raises SandboxError, Interrupted, and TaskDataError when what was fetched is not here any more.
    """
    experiment, beside = state.experiment, read(desk.hub, state.fetched)
    sandbox = Within(desk.sandbox, state.seconds_left)
    return explore(experiment.plan, desk.data, workspace, sandbox, seed=seed, tag=experiment.id, beside=beside)


def _run(arguments: RunScript, state: State, desk: Desk) -> Step:
    experiment, number = state.experiment, len(state.attempts) + 1
    if number > experiment.budget.attempts * state.allowance:
        raise Refused("No attempts are left: finish with code that ran, or ask_person.")
    trial, result = attempt(state, desk, state.workspace, arguments.seed)
    metric, prototype = experiment.plan.judged_by, state.prototype
    told: dict[str, Any] = {"attempt": number, "seed": arguments.seed, "seconds": round(trial.seconds, 1)}
    if trial.value is None:
        told |= {"outcome": "failed", "check": result.check, "problem": trial.problem}
    else:
        told |= {"outcome": "finished", "metric": metric.in_words, "value": round(trial.value, 6)}
        if prototype is not None and prototype.value is not None:
            told["prototype"] = {"value": round(prototype.value, 6), "seed": prototype.seed}
            told["better_than_the_prototype"] = metric.improvement(trial.value, prototype.value) > 0
    small = {path: content for path, content in result.files.items() if len(content) <= KEPT_BYTES}
    outputs = dict(sorted(small.items())[:KEPT_OUTPUTS])
    told |= {"files": sorted(result.files), "not_kept": [*result.left_out[:5]], "printed": result.log[-MOST_LOG:]}
    spent = Spent(sandbox_seconds=result.seconds)
    return replace(_result(**told), trial=replace(trial, arm=Arm.ATTEMPT), outputs=outputs, spent=spent)


def _inspect(arguments: Inspect, state: State, desk: Desk) -> Step:
    if not state.attempts:
        raise Refused("Nothing has run yet: call run first.")
    outputs = state.attempts[-1].outputs or {}
    if arguments.path is None:
        return _result(files={path: len(content) for path, content in outputs.items()})
    return _result(path=arguments.path, content=_text(arguments.path, _file(outputs, arguments.path))[:MOST_SHOWN])


def _show(arguments: ShowData, state: State, desk: Desk) -> Step:
    plan = state.experiment.plan
    seen = inputs(desk.data, development(desk.data, 0), plan.task, plan.judged_by)
    seen = {**read(desk.hub, state.fetched), **seen}
    told: dict[str, Any] = {"files": {f"{INPUTS}/{name}": len(content) for name, content in seen.items()}}
    told["task.json"] = json.loads(seen["task.json"])
    if "train.csv" in seen:
        told["train.csv"] = "\n".join(seen["train.csv"].decode().splitlines()[: arguments.rows + 1])[:MOST_SHOWN]
    else:
        shapes = {name: [str(values.dtype), *values.shape[1:]] for name, values in desk.data.columns.items()}
        told["train.npz"] = {**shapes, desk.data.target: [str(desk.data.targets.dtype), *desk.data.targets.shape[1:]]}
    return _result(**told)


def _search(arguments: SearchFor, state: State, desk: Desk) -> Step:
    return _result(found=list(desk.search.find(arguments.what, arguments.query)))


def _fetch(arguments: Fetch, state: State, desk: Desk) -> Step:
    wanted = Wanted(**{**arguments.model_dump(), "files": tuple(arguments.files)})
    plan = state.experiment.plan
    others = [one for one in state.fetched if (one.what, one.repository) != (wanted.what, wanted.repository)]
    sent = [
        *inputs(desk.data, development(desk.data, 0), plan.task, plan.judged_by).values(),
        *state.workspace.values(),
    ]
    room = min(desk.hub.most_bytes, MAX_SENT_BYTES - sum(map(len, sent))) - size_of(others)
    try:
        fetched = admit(wanted, desk.data, desk.hub, room, desk.stopped)
        sizes = {f"{INPUTS}/{path}": len(content) for path, content in read(desk.hub, [fetched]).items()}
    except TaskDataError as error:
        raise Refused(str(error)) from error
    facts: dict[str, Any] = {
        "commit": fetched.revision,
        "licence": fetched.licence,
        "files": dict(sorted(sizes.items())),
    }
    return replace(_result(fetched=f"{SINGULAR[fetched.what]} {fetched.repository}", **facts), fetched=fetched)


def _undo(arguments: Undo, state: State, desk: Desk) -> Step:
    if not state.changes:
        raise Refused("There is no change to take back.")
    return _result(undone=True, files=sorted(state.changes[-1]))


def _ask(arguments: AskPerson, state: State, desk: Desk) -> Step:
    return Step(key="", kind=Kind.QUESTION, why=Why.UNSURE, text=arguments.question)


def _finish(arguments: Finish, state: State, desk: Desk) -> Step:
    if dict(state.workspace) == dict(state.start):
        raise Refused("Nothing was changed: the workspace is the prototype, which is what it is compared with.")
    if not state.ran:
        raise Refused("The workspace as it is now has no run that worked: call run, and repair what is wrong first.")
    return replace(_result(handed_in=True), finish=True)


CARRIED_OUT: Mapping[str, Callable[[Any, State, Desk], Step]] = {
    "list_files": _list,
    "read_file": _read,
    "write_file": _write,
    "edit_file": _edit,
    "delete_file": _delete,
    "run": _run,
    "inspect": _inspect,
    "show_data": _show,
    "search": _search,
    "fetch": _fetch,
    UNDO: _undo,
    "ask_person": _ask,
    "finish": _finish,
}
