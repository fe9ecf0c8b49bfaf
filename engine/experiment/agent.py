"""The experiment from an approved plan to a report: one recorded step after the other, people steering at any time.

`step` takes one and is called until it answers; whoever calls it again after a crash goes on behind the last step that
was recorded. A question ends it: what somebody says is a step too, and it goes on from there.
"""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import GeneratorError, TaskDataError
from engine.experiment.author import Author, TooLittleLeft
from engine.experiment.bundle import DATE, environment_of, write_bundle
from engine.experiment.hub import Hub, NoHub, read
from engine.experiment.judge import Arm, Judgement, Trial, decide, judge
from engine.experiment.notebook import Notebook
from engine.experiment.plan import Plan
from engine.experiment.report import plot, report
from engine.experiment.search import LocalSearch, Search
from engine.experiment.steps import (
    Change,
    Experiment,
    Kind,
    Next,
    Spent,
    State,
    Step,
    Why,
    attempt_line,
    next_step,
    state_of,
)
from engine.experiment.task import Data
from engine.experiment.tools import Desk, attempt, use
from engine.experiment.within import Interrupted, Within
from sandbox.workspace import Workspace, WorkspaceSandbox

NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """To the people in the thread. Nothing goes on before one of them speaks."""

    text: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    report: str  # Markdown
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """By people. Whoever speaks sets it going again."""


Ending = Question | Finished | Stopped


class ExperimentAgent:
    """Thread-safe between experiments; of one experiment one thread at a time calls `step`, any calls the others.

    load: the data of a plan; raises TaskDataError. prototype: what it begins with and is compared with.
    """

    def __init__(
        self,
        *,
        notebook: Notebook,
        author: Author,
        sandbox: WorkspaceSandbox,
        load: Callable[[Plan], Data],
        search: Search | None = None,
        hub: Hub | None = None,
        prototype: Callable[[Plan], Workspace] = lambda plan: plan.template.prototype(),
    ) -> None:
        self._notebook = notebook
        self._author = author
        self._sandbox = sandbox
        self._load = load
        self._search = search or LocalSearch()
        self._hub = hub or NoHub()
        self._prototype = prototype
        self._loaded: tuple[tuple[str, str], Data] | None = None

    # --- what people do

    def begin(self, experiment: Experiment) -> None:
        """Record an approved plan. Doing it twice changes nothing."""
        self._notebook.begin(experiment)
        start = Change(written=self._prototype(experiment.plan))
        self._notebook.record(experiment.id, Step(key="opened", kind=Kind.OPENED, change=start))

    def say(self, experiment_id: str, key: str, person: str, text: str) -> None:
        """A person's words, at any time; they answer a question. key: of the message, so that it counts once."""
        self._notebook.record(experiment_id, Step(key=f"words-{key}", kind=Kind.WORDS, person=person, text=text))

    def undo(self, experiment_id: str, key: str, person: str) -> None:
        """Take the last change back. key: of the click."""
        self._notebook.record(experiment_id, Step(key=f"undone-{key}", kind=Kind.UNDONE, person=person))

    def stop(self, experiment_id: str, key: str, person: str) -> None:
        """Ends what runs, too."""
        self._notebook.record(experiment_id, Step(key=f"stopped-{key}", kind=Kind.STOPPED, person=person))
        self._sandbox.kill(experiment_id)

    def resume(self, experiment_id: str, key: str, person: str) -> bool:
        """Let one that was stopped go on where it was. key: of the click. False: it is not stopped."""
        step = Step(key=f"resumed-{key}", kind=Kind.RESUMED, person=person)
        state = self.state(experiment_id)
        if state.stopped:
            self._notebook.record(experiment_id, step)
        return state.stopped or any(one.key == step.key for one in state.steps)

    def take_over(self, experiment_id: str) -> bytes:
        """The workspace as it is, as a zip archive."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in sorted(self.state(experiment_id).workspace.items()):
                archive.writestr(zipfile.ZipInfo(path, DATE), content, zipfile.ZIP_DEFLATED)
        return stream.getvalue()

    def state(self, experiment_id: str) -> State:
        """Raises UnknownThing."""
        return state_of(self._notebook.experiment(experiment_id), self._notebook.steps(experiment_id))

    def bundle(self, experiment_id: str, path: Path) -> Path:
        """Write the bundle of an experiment that was reported. Raises SandboxError, TaskDataError, ValueError."""
        state = self.state(experiment_id)
        if state.report is None:
            raise ValueError(f"experiment {experiment_id} has no report yet")
        plan, judgement = state.experiment.plan, judgement_of(state)
        picture = plot(state.experiment, judgement)
        return write_bundle(
            path,
            plan=plan,
            data=self._data(plan),
            workspace=state.workspace,
            judgement=judgement,
            report=state.report.text,
            environment=environment_of(self._sandbox),
            again=state.round,
            fetched=state.fetched,
            extra={"plot.png": picture} if picture else None,
        )

    # --- what is done

    def go_on(self, experiment_id: str) -> Ending:
        """Step until there is a question or an end. Raises SandboxError: call it again."""
        while (ending := self.step(experiment_id)) is None:
            pass
        return ending

    def step(self, experiment_id: str) -> Ending | None:
        """Take one step and record it; None when there are more. Raises SandboxError, after which nothing is lost."""
        state = self.state(experiment_id)
        todo = next_step(state)
        if todo is Next.END:
            if state.stopped or state.report is None:
                return Stopped()
            return Finished(report=state.report.text, judgement=judgement_of(state))
        if todo is Next.WAIT:
            assert state.question is not None
            return Question(text=state.question.text, why=state.question.why or Why.UNSURE)
        try:
            step = self._take(todo, state)
        except (GeneratorError, TaskDataError) as error:
            step = _question(state, Why.UNREACHABLE, f"{error} Reply when I shall try again.")
        except TooLittleLeft:
            left = f"of the budget of tokens {state.tokens_left:,} are left, less than one more step takes"
            step = _question(state, Why.BUDGET, _in_words(state, left))
        except Interrupted:
            return None  # whether somebody stopped it is in the notebook
        if step is not None:
            self._notebook.record(experiment_id, step)
        return None

    def _take(self, todo: Next, state: State) -> Step | None:
        if todo is Next.INQUIRE:
            why, lacking = state.lacking or (Why.UNSURE, "")
            return _question(state, why, _in_words(state, lacking))
        data = self._data(state.experiment.plan)
        if todo is Next.ASK:
            return self._ask(state, data)
        if todo is Next.JUDGE:
            self._judge(state, data)
            return None
        if todo is Next.REPORT:
            text = report(state, data, judgement_of(state), self._author.name)
            return Step(key=f"report-{state.round}", kind=Kind.REPORT, text=text)
        desk = Desk(
            data=data,
            sandbox=self._sandbox,
            search=self._search,
            hub=self._hub,
            stopped=lambda: self.state(state.experiment.id).stopped,
        )
        if todo is Next.MEASURE:
            trial, result = attempt(state, desk, state.start, 0)
            trial, spent = replace(trial, arm=Arm.BASELINE), Spent(sandbox_seconds=result.seconds)
            return Step(key="prototype", kind=Kind.PROTOTYPE, trial=trial, spent=spent)
        assert state.call is not None
        return use(state.call.call, state, desk)

    def _ask(self, state: State, data: Data) -> Step:
        answer = self._author.answer(state, data)
        key = f"call-{sum(step.kind is Kind.CALL for step in state.steps)}"
        return Step(key=key, kind=Kind.CALL, call=answer.call, thought=answer.thought, spent=answer.spent)

    def _judge(self, state: State, data: Data) -> None:
        experiment = state.experiment

        def record(trial: Trial) -> None:
            key = f"trial-{state.round}-{trial.arm}-{trial.seed}"
            spent = Spent(sandbox_seconds=trial.seconds)
            self._notebook.record(experiment.id, Step(key=key, kind=Kind.TRIAL, trial=trial, spent=spent))

        judge(
            experiment.plan,
            data,
            state.workspace,
            Within(self._sandbox, NO_LIMIT),
            again=state.round,
            baseline=state.start,
            tag=experiment.id,
            beside=read(self._hub, state.fetched),
            done=state.trials,
            record=record,
        )

    def _data(self, plan: Plan) -> Data:
        """Kept until another experiment asks: reading a data set can take seconds."""
        key, loaded = (plan.task, plan.data), self._loaded
        if loaded is None or loaded[0] != key:
            loaded = self._loaded = (key, self._load(plan))
        return loaded[1]


def judgement_of(state: State) -> Judgement:
    return decide(state.experiment.plan, state.trials)


def attempt_lines(state: State) -> list[str]:
    """The prototype and every attempt, one line each, for the thread."""
    plan = state.experiment.plan
    lines = [attempt_line(plan, 0, state.prototype, None)] if state.prototype else []
    for number, step in enumerate(state.attempts, start=1):
        if step.trial is not None:
            lines.append(attempt_line(plan, number, step.trial, state.prototype))
    return lines


def difference(before: Workspace, after: Workspace) -> str:
    """Between two workspaces, as a unified diff; of files that are no text only that they differ."""
    parts: list[str] = []
    for path in sorted({*before, *after}):
        old, new = before.get(path, b""), after.get(path, b"")
        if old == new:
            continue
        try:
            was, becomes = old.decode().splitlines(), new.decode().splitlines()
        except UnicodeDecodeError:
            parts.append(f"{path}: {len(old):,} -> {len(new):,} bytes, no text")
            continue
        parts += difflib.unified_diff(was, becomes, fromfile=f"a/{path}", tofile=f"b/{path}", lineterm="")
    return "\n".join(parts) + "\n" if parts else ""


def _question(state: State, why: Why, text: str) -> Step:
    number = sum(step.kind is Kind.QUESTION for step in state.steps)
    return Step(key=f"question-{number}", kind=Kind.QUESTION, why=why, text=text)


def _in_words(state: State, lacking: str) -> str:
    last = attempt_lines(state)[-1:] or ["Nothing has run yet."]
    ending = "." if last[0][-1] not in ".!?" else ""
    return (
        f"I stopped to ask: {lacking}. {last[0]}{ending} Reply, with advice if you have any, and I go on with as much "
        "again; or take the workspace over, or stop."
    )
