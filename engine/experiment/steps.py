"""What happened in an experiment, step by step, and what follows from it. Nothing here runs anything.

Every step is recorded before the next one is taken, so that after a crash `state_of` gives what was there, and
`next_step` what is to be done: neither has any other memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.experiment.fetched import Fetched
from engine.experiment.judge import Arm, Trial
from engine.experiment.plan import Plan
from engine.llm.calling import Call
from sandbox.workspace import Workspace

UNDO = "undo"  # the tool of that name
UNUSABLE_IN_A_ROW = 5  # answers of a model, before a person is asked
MARGIN_TOKENS = 1000  # an answer shorter than this is no use


class Kind(StrEnum):
    OPENED = "opened"  # with the workspace that it begins with
    PROTOTYPE = "prototype"  # ran as it is, for comparison
    CALL = "call"  # whoever writes the experiment asked for a tool
    RESULT = "result"  # what the tool answered
    WORDS = "words"  # a person's
    UNDONE = "undone"  # a person took the last change back
    QUESTION = "question"  # to people; nothing goes on before somebody speaks
    STOPPED = "stopped"
    RESUMED = "resumed"  # after that, where it was
    TRIAL = "trial"  # one run of the judgement
    REPORT = "report"


class Why(StrEnum):
    """Why a person is asked."""

    UNSURE = "unsure"  # whoever writes the experiment asks
    BUDGET = "budget"  # the answer grants as much again
    UNUSABLE = "unusable"  # the model's answers
    UNREACHABLE = "unreachable"  # the model, or the data


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent before a person is asked whether to go on. The judgement is not in it: the plan fixes that."""

    steps: int = 60  # answers of the model
    tokens: int = 400_000  # read and written
    sandbox_seconds: float = 3600.0
    attempts: int = 10  # runs of the experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """tokens: as the endpoint counted them, else estimated from the characters. seconds: waiting for the model."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    sandbox_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            estimated=self.estimated or other.estimated,
            sandbox_seconds=self.sandbox_seconds + other.sandbox_seconds,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of a workspace: files as they are from here on, and paths that are gone."""

    written: Workspace = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def applied(self, workspace: Workspace) -> dict[str, bytes]:
        kept = {path: content for path, content in workspace.items() if path not in self.removed}
        return dict(sorted({**kept, **self.written}.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Text that others wrote, for the prompt: quoted, never an instruction. source: such as "paper p. 7"."""

    source: str
    text: str
    numbers: tuple[float, ...] = ()  # in it, that a report may cite
    reported: float | None = None  # what it says the plan's metric is, to stand beside what is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What lies ready to be put in where no model can be asked: a component of engine/catalogue, or, with the kind
    PUBLISHED, a script that runs a paper's own code in the place of the prototype's."""

    kind: str
    title: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What was approved. It does not change."""

    id: str
    plan: Plan
    budget: Budget = Budget()
    material: tuple[Material, ...] = ()
    ready: Ready | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """key: of its experiment; recording a key again changes nothing.

    text: of a result what is shown to the model, else what was said. call: what was asked for; None in a CALL whose
    answer held none. outputs: files that a run left, small ones only.
    """

    key: str
    kind: Kind
    text: str = ""
    call: Call | None = None
    thought: str = ""
    person: str = ""
    why: Why | None = None
    finish: bool = False  # a result that ends the writing
    usable: bool = True  # a result whose call could be carried out
    change: Change | None = None
    trial: Trial | None = None
    outputs: Workspace | None = None
    fetched: Fetched | None = None
    spent: Spent = Spent()


class Next(StrEnum):
    MEASURE = "measure"  # the prototype
    ASK = "ask"  # the model
    USE = "use"  # the tool that it asked for
    INQUIRE = "inquire"  # of people, because the budget is spent or the answers are of no use
    JUDGE = "judge"
    REPORT = "report"
    WAIT = "wait"  # for a person
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    experiment: Experiment
    steps: tuple[Step, ...]
    start: Workspace
    workspace: Workspace
    changes: tuple[Workspace, ...]  # the workspace before each change that can be undone
    prototype: Trial | None
    call: Step | None  # that no result has answered
    attempts: tuple[Step, ...]  # runs, in order
    ran: bool  # the workspace as it is now has run, and there was a figure
    fetched: tuple[Fetched, ...]  # of a hub, beside the data
    question: Step | None
    finished: Step | None
    rounds: int  # judgements that were begun
    trials: tuple[Trial, ...]  # of the present one
    report: Step | None
    stopped: bool
    allowance: int  # how many budgets people have granted
    unusable: int  # answers in a row

    @property
    def spent(self) -> Spent:
        return sum((step.spent for step in self.steps), Spent())

    @property
    def explored_seconds(self) -> float:
        """Of the sandbox, without the judgement."""
        return sum(step.spent.sandbox_seconds for step in self.steps if step.kind is not Kind.TRIAL)

    @property
    def tokens_left(self) -> int:
        return self.experiment.budget.tokens * self.allowance - self.spent.tokens

    @property
    def seconds_left(self) -> float:
        return self.experiment.budget.sandbox_seconds * self.allowance - self.explored_seconds

    @property
    def lacking(self) -> tuple[Why, str] | None:
        """What keeps the writing from going on, as the reason and in words."""
        budget, times = self.experiment.budget, self.allowance
        asked = sum(step.kind is Kind.CALL for step in self.steps)
        if self.unusable >= UNUSABLE_IN_A_ROW:
            return Why.UNUSABLE, f"{self.unusable} answers of the model in a row were no call of a tool that exists"
        if asked >= budget.steps * times:
            return Why.BUDGET, f"the budget of {budget.steps * times} steps is spent"
        if self.tokens_left < MARGIN_TOKENS:
            return (
                Why.BUDGET,
                f"of the budget of {budget.tokens * times:,} tokens {max(self.tokens_left, 0):,} are left",
            )
        if self.seconds_left <= 0:
            return Why.BUDGET, f"the budget of {budget.sandbox_seconds * times:g} seconds in the sandbox is spent"
        if len(self.attempts) >= budget.attempts * times and not self.ran:
            return (
                Why.BUDGET,
                f"all {budget.attempts * times} attempts are used up, and the code as it is has no figure",
            )
        return None

    @property
    def round(self) -> int:
        """Of the present judgement, from 0."""
        return max(self.rounds - 1, 0)

    @property
    def judged(self) -> bool:
        """Every run of both arms is there, or one that gave no figure has ended it."""
        return len(self.trials) == 2 * self.experiment.plan.repeats or any(t.value is None for t in self.trials)


def next_step(state: State) -> Next:
    if state.stopped or state.report is not None:
        return Next.END
    if state.question is not None:
        return Next.WAIT
    if state.call is not None:
        return Next.USE
    if state.finished is not None:
        return Next.REPORT if state.judged else Next.JUDGE
    if state.prototype is None:
        return Next.MEASURE
    return Next.INQUIRE if state.lacking else Next.ASK


@dataclass(slots=True)
class _Reading:
    start: Workspace = field(default_factory=dict)
    workspace: dict[str, bytes] = field(default_factory=dict)
    changes: list[Workspace] = field(default_factory=list)
    prototype: Trial | None = None
    call: Step | None = None
    attempts: list[Step] = field(default_factory=list)
    ran: bool = False
    fetched: dict[str, Fetched] = field(default_factory=dict)  # by folder
    question: Step | None = None
    finished: Step | None = None
    rounds: int = 0
    trials: list[Trial] = field(default_factory=list)
    report: Step | None = None
    stopped: bool = False
    allowance: int = 1
    unusable: int = 0

    def read(self, step: Step) -> None:
        match step.kind:
            case Kind.OPENED:
                self.start = self.workspace = dict(step.change.written) if step.change else {}
            case Kind.PROTOTYPE:
                self.prototype = step.trial
            case Kind.CALL:
                self.call = step
            case Kind.RESULT:
                self._result(step)
            case Kind.WORDS:
                self._spoken()
            case Kind.UNDONE:
                self._undo()
                self._spoken()
            case Kind.QUESTION:
                self.question = step
                if step.why is Why.UNSURE:  # the call was the question; any other waits for its turn
                    self.call = None
            case Kind.STOPPED:
                self.stopped = True
            case Kind.RESUMED:
                self.stopped = False
            case Kind.TRIAL:
                if step.trial is not None and self.finished is not None:
                    self.trials.append(step.trial)
            case Kind.REPORT:
                self.report = step

    def _result(self, step: Step) -> None:
        self.call = None
        self.unusable = 0 if step.usable else self.unusable + 1
        if step.trial is not None:
            self.attempts.append(step)
            self.ran = step.trial.value is not None
        if step.change is not None:
            self.changes.append(self.workspace)
            self.workspace, self.ran = step.change.applied(self.workspace), False
        if step.fetched is not None:
            self.fetched[step.fetched.folder], self.ran = step.fetched, False
        if step.call is not None and step.call.tool == UNDO and step.usable:
            self._undo()
        if step.finish:
            self.finished, self.trials, self.rounds = step, [], self.rounds + 1

    def _undo(self) -> None:
        if self.changes:
            self.workspace, self.ran = dict(self.changes.pop()), False

    def _spoken(self) -> None:
        """Whoever speaks answers the question, and takes back that it was finished."""
        if self.question is not None and self.question.why is Why.BUDGET:
            self.allowance += 1
        self.question, self.unusable, self.stopped = None, 0, False
        self.finished, self.report = None, None


def state_of(experiment: Experiment, steps: Sequence[Step]) -> State:
    reading = _Reading()
    for step in steps:
        reading.read(step)
    return State(
        experiment=experiment,
        steps=tuple(steps),
        start=reading.start,
        workspace=reading.workspace,
        changes=tuple(reading.changes),
        prototype=reading.prototype,
        call=reading.call,
        attempts=tuple(reading.attempts),
        ran=reading.ran,
        fetched=tuple(reading.fetched.values()),
        question=reading.question,
        finished=reading.finished,
        rounds=reading.rounds,
        trials=tuple(reading.trials),
        report=reading.report,
        stopped=reading.stopped,
        allowance=reading.allowance,
        unusable=reading.unusable,
    )


def numbers_of(state: State) -> Mapping[str, float]:
    """What a text about the writing may cite: figures of attempts, the prototype, the plan and the material."""
    plan = state.experiment.plan
    found = {"plan: above": plan.criterion.above, "plan: repetitions": float(plan.repeats)}
    if plan.criterion.interval_above is not None:
        found["plan: interval"] = plan.criterion.interval_above
    if state.prototype is not None and state.prototype.value is not None:
        found["prototype, on rows for attempts"] = state.prototype.value
    for number, step in enumerate(state.attempts, start=1):
        if step.trial is not None and step.trial.value is not None:
            found[f"attempt {number}"] = step.trial.value
    for one in state.experiment.material:
        found |= {f"{one.source}, number {n}": value for n, value in enumerate(one.numbers, start=1)}
    return found


def attempt_line(plan: Plan, number: int, trial: Trial, prototype: Trial | None) -> str:
    """One line for the thread."""
    name = "The prototype" if trial.arm is Arm.BASELINE else f"Attempt {number}"
    if trial.value is None:
        return f"{name}: {trial.problem} ({trial.seconds:.0f} s)"
    metric = plan.judged_by
    line = f"{name}: {metric.title} {trial.value:.4g}, {metric.direction} is better ({trial.seconds:.0f} s)"
    if prototype is None or prototype.value is None or trial.arm is Arm.BASELINE:
        return line
    gain = metric.improvement(trial.value, prototype.value)
    word = "better" if gain > 0 else "worse" if gain < 0 else "different"
    return f"{line}; {abs(gain):.4g} {word} than the prototype's {prototype.value:.4g}"
