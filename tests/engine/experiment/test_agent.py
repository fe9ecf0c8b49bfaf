"""Whole investigations against a scripted endpoint on loopback, through the real client, the awkward ones included."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from noisy_prediction import SCRIPT, finished
from scripted_llm import Endpoint, Line, Player, call, endpoint, says

from engine.errors import TaskDataError
from engine.experiment.agent import Ending, ExperimentAgent, Question, Stopped, attempt_lines, difference
from engine.experiment.author import Author, ModelAuthor, TemplateAuthor
from engine.experiment.bundle import read_bundle
from engine.experiment.judge import Arm, Result
from engine.experiment.notebook import MemoryNotebook, Notebook
from engine.experiment.plan import Plan
from engine.experiment.steps import Budget, Experiment, Kind, Material, State, Why
from engine.experiment.task import Data
from engine.llm.client import OpenAIModel
from sandbox.choose import open_workspaces
from sandbox.errors import SandboxBroken
from sandbox.execution import Level, Outcome
from sandbox.workspace import Run, RunResult, WorkspaceSandbox

ID = "x-1"
NOISE = "# noise: {}\n"
PROTOTYPE = {"train.py": NOISE.format(0.5).encode(), "README.md": b"The column, with noise.\n"}
Plans = Callable[..., Plan]


@dataclass
class Bench:
    """An experiment on a desk of its own; `agent()` is a new one on the same notebook, as after a crash."""

    sandbox: WorkspaceSandbox
    data: Data
    plan: Plan
    author: Author
    budget: Budget = field(default_factory=Budget)
    notebook: Notebook = field(default_factory=MemoryNotebook)
    prototype: dict[str, bytes] = field(default_factory=lambda: PROTOTYPE)
    material: tuple[Material, ...] = ()

    def agent(self, load: Callable[[Plan], Data] | None = None) -> ExperimentAgent:
        return ExperimentAgent(
            notebook=self.notebook,
            author=self.author,
            sandbox=self.sandbox,
            load=load or (lambda plan: self.data),
            prototype=lambda plan: self.prototype,
        )

    def begin(self) -> ExperimentAgent:
        agent = self.agent()
        agent.begin(Experiment(id=ID, plan=self.plan, budget=self.budget, material=self.material))
        return agent

    def run(self) -> Ending:
        return self.begin().go_on(ID)

    @property
    def state(self) -> State:
        return self.agent().state(ID)


Desk = Callable[..., Any]


@pytest.fixture
def desk(plan: Plans, data: Data, planted: WorkspaceSandbox) -> Desk:
    """`with desk(lines) as (bench, model)`: on the planted sandbox unless another is given."""

    @contextmanager
    def opened(lines: list[Line] | Player, tools: bool = True, **more: Any) -> Iterator[tuple[Bench, Endpoint]]:
        with endpoint(lines, tools=tools) as served:
            model = OpenAIModel(model="scripted-1", api_key="k", base_url=served.url, max_retries=0)
            given: dict[str, Any] = {"sandbox": planted, "data": data, "plan": plan(seeds=3)}
            yield Bench(**{**given, "author": ModelAuthor(model), **more}), served

    return opened


def write(noise: float | str) -> Line:
    return call("write_file", path="train.py", content=NOISE.format(noise))


CRASHING = call("write_file", path="train.py", content="crash")
FINISH = call("finish", done="Less noise is added.")
GOOD = [write(0.2), call("run"), FINISH]


def asked(ending: Ending) -> Question:
    assert isinstance(ending, Question), ending
    return ending


# --- whole investigations in a sandbox that runs what it is given


@pytest.fixture(scope="module")
def real() -> Iterator[WorkspaceSandbox]:
    sandbox = open_workspaces("unsafe")
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("last", [[], pytest.param([FINISH], marks=pytest.mark.long)], ids=["repaired", "judged"])
def test_code_that_fails_twice_is_repaired_and_judged_on_seeds_that_no_attempt_saw(
    desk: Desk, real: WorkspaceSandbox, last: list[Line]
) -> None:
    lines = [
        call("edit_file", path="train.py", old="NOISE = 0.5", new="NOISE = 0.1 +"),
        call("run"),
        call("edit_file", path="train.py", old="NOISE = 0.1 +", new="NOISE = undefined"),
        call("run"),
        call("edit_file", path="train.py", old="NOISE = undefined", new="NOISE = 0.1"),
        call("run"),
    ]
    with desk([*lines, *last], sandbox=real, prototype={"train.py": SCRIPT.encode()}) as (bench, model):
        ending = bench.run()
        assert "SyntaxError" in model.conversation(2)
        assert "NameError" in model.conversation(4)
    values = [step.trial.value is not None for step in bench.state.attempts if step.trial]
    assert values == [False, False, True]
    if not last:
        return
    found = finished(ending)
    assert found.judgement.result is Result.SUCCEEDED
    assert {trial.seed for trial in found.judgement.trials} == set(bench.plan.seeds)
    assert "NameError" in found.report


def test_a_run_that_takes_too_long_ends_within_the_budget_and_people_are_asked(
    desk: Desk, real: WorkspaceSandbox
) -> None:
    sleeping = "import time\ntime.sleep(900)\n"
    lines = [call("write_file", path="train.py", content=sleeping), call("run"), call("undo")]
    prototype = {"train.py": b"print('Nothing to predict.')\n"}  # quick, so that the budget is left for the other
    with desk(lines, sandbox=real, prototype=prototype, budget=Budget(sandbox_seconds=8)) as (bench, model):
        question = asked(bench.run())
        assert question.why is Why.BUDGET
        assert "time limit" in str(bench.state.attempts[0].text)
        assert "8 seconds in the sandbox is spent" in question.text
        bench.agent().say(ID, "1", "U1", "It loops for ever: take that back.")
        assert asked(bench.agent().go_on(ID)).text == "The script is over."
        assert "It loops for ever" in model.conversation()
    assert bench.state.workspace == prototype


# --- what is said and what is measured


def test_a_metric_of_which_lower_is_better_is_judged_so_whatever_the_model_says(desk: Desk) -> None:
    lines = [
        write(0.9),
        call("run"),
        call("finish", done="The error rose by much; higher is better, so the hypothesis holds."),
    ]
    with desk(lines) as (bench, model):
        found = finished(bench.run())
        assert '\\"better_than_the_prototype\\": false' in model.conversation()
    assert found.judgement.result is Result.FAILED
    assert "“higher is better” is wrong" in found.report
    assert "The hypothesis did not hold." in found.report


def test_a_number_that_nobody_measured_is_named_in_the_report(desk: Desk) -> None:
    lines = [write(0.2), call("run"), call("finish", done="The error fell to 0.0123, by 97.5 %.")]
    with desk(lines) as (bench, _):
        text = finished(bench.run()).report
    assert "0.0123 is in no result" in text
    assert "97.5 % is in no result" in text


def test_numbers_of_attempts_and_of_the_paper_may_be_cited(desk: Desk) -> None:
    player = in_turn(
        lambda body: write(0.2),
        lambda body: call("run"),
        lambda body: call("finish", done=f"An error of {last_result(body)['value']:.4f}; the paper has 0.881."),
    )
    material = (Material(source="paper p. 7", text="A correlation of .881.", numbers=(0.881,)),)
    with desk(player, material=material) as (bench, model):
        text = finished(bench.run()).report
        assert "A correlation of .881." in model.conversation(0)
    assert "in no result" not in text
    assert ": attempt 1\n- 0.881: paper p. 7, number 1" in text


def test_a_figure_that_others_report_stands_in_the_table_and_is_held_against_the_interval(desk: Desk) -> None:
    far = Material(source="paper p. 7", text="An error of 9.5.", numbers=(9.5,), reported=9.5)
    with desk(GOOD, material=(far,)) as (bench, _):
        text = finished(bench.run()).report
    assert "| Reported, paper p. 7 | 9.5 | |" in text
    assert "below what paper p. 7 reports, which lies outside the interval:\n\n> An error of 9.5." in text


def in_turn(*players: Player) -> Player:
    left = list(players)
    return lambda body: left.pop(0)(body)


def last_result(body: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body["messages"][-1]["content"])
    return told


def test_the_report_has_the_table_the_criterion_and_the_cost(desk: Desk) -> None:
    with desk(GOOD) as (bench, _):
        found = finished(bench.run())
    assert f"| Experiment | {found.judgement.numbers['experiment mean']:.4g} |" in found.report
    assert "lower is better" in found.report
    assert "with 90 % interval above 0" in found.report
    assert "3 steps; 2,370 tokens" in found.report
    assert "Less noise is added." in found.report


def test_the_bundle_holds_what_was_judged(desk: Desk, tmp_path: Path) -> None:
    with desk(GOOD) as (bench, _):
        found = finished(bench.run())
        bench.sandbox = Versions(bench.sandbox)
        bundle = read_bundle(bench.agent().bundle(ID, tmp_path / "x.zip"))
    assert bundle.workspace["train.py"] == NOISE.format(0.2).encode()
    assert bundle.report == found.report
    assert bundle.plan.digest == bench.plan.digest
    assert [trial.value for trial in bundle.trials] == [trial.value for trial in found.judgement.trials]


# --- malformed answers

AWKWARD = [
    (says("I think we should add less noise."), "no complete call of a tool"),
    (says(""), "no complete call of a tool"),
    (call("rm", path="/"), "There is no tool 'rm'"),
    (Line(calls=(("write_file", '{"path": "train.py", "content": '),)), "not valid JSON"),
    (Line(calls=(("run", "[1]"),)), "must be one JSON object, not list"),
    (call("write_file", path="train.py"), "content: field required"),
    (call("run", seed="many"), "seed: input should be a valid integer"),
    (call("run", seed=5000), "less than or equal to 999"),
    (call("run", seed=1, gpu=True), "gpu: extra inputs are not permitted"),
]


@pytest.mark.parametrize("native", [True, False])
def test_malformed_calls_are_answered_in_a_sentence_and_the_experiment_goes_on(desk: Desk, native: bool) -> None:
    lines = [line for pair in AWKWARD for line in (pair[0], call("list_files"))]
    with desk([*lines, *GOOD], tools=native) as (bench, model):
        assert finished(bench.run()).judgement.result is Result.SUCCEEDED
    for number, (_, sentence) in enumerate(AWKWARD):
        shown = model.received[2 * number + 1]["messages"][-1]["content"]
        # As JSON in the text, a call that is malformed is no call.
        assert sentence in shown or (not native and "no complete call of a tool" in shown)
    for body in model.received:
        for message in body["messages"]:
            for one in message.get("tool_calls", ()):
                json.loads(one["function"]["arguments"])  # servers refuse a history in which they are malformed


def test_five_unusable_answers_in_a_row_end_in_a_question_and_a_reply_goes_on(desk: Desk) -> None:
    with desk([says("Hm.")] * 5 + GOOD) as (bench, model):
        question = asked(bench.run())
        assert question.why is Why.UNUSABLE
        assert len(model.received) == 5
        bench.agent().say(ID, "1", "U1", "Call the tools.")
        assert finished(bench.agent().go_on(ID)).judgement.result is Result.SUCCEEDED


def test_an_endpoint_without_tools_is_asked_for_json_and_refused_once_only(desk: Desk) -> None:
    with desk(GOOD, tools=False) as (bench, model):
        finished(bench.run())
    assert model.refused == 1
    assert "- edit_file: Replace `old`" in model.received[0]["messages"][0]["content"]
    for body in model.received:
        roles = [message["role"] for message in body["messages"]]
        assert roles == ["system", *["user", "assistant"] * (len(roles) // 2 - 1), "user"]


REFUSALS = [
    (call("read_file", path="nothing.py"), "There is no file 'nothing.py'"),
    (call("edit_file", path="train.py", old="absent", new="x"), "occurs 0 times"),
    (call("write_file", path="../out.py", content="x"), "cannot be a file of a workspace"),
    (call("write_file", path="inputs/train.csv", content="x"), "read-only"),
    (call("delete_file", path="no"), "There is no file 'no'"),
    (call("inspect"), "Nothing has run yet"),
    (call("undo"), "no change to take back"),
    (call("finish", done="All of it."), "Nothing was changed"),
]


def test_calls_that_cannot_be_carried_out_say_why_and_change_nothing(desk: Desk) -> None:
    with desk([line for line, _ in REFUSALS]) as (bench, model):
        asked(bench.run())
    for number, (_, sentence) in enumerate(REFUSALS, start=1):
        assert sentence in model.received[number]["messages"][-1]["content"]
    assert bench.state.workspace == PROTOTYPE


def test_what_has_not_run_as_it_is_cannot_be_handed_in(desk: Desk) -> None:
    with desk([write(0.2), call("run"), write(0.1), FINISH, call("run"), FINISH]) as (bench, model):
        finished(bench.run())
    assert "has no run that worked" in model.received[4]["messages"][-1]["content"]


def test_looking_around_shows_files_data_and_what_a_run_left(desk: Desk) -> None:
    lines = [
        call("read_file", path="README.md"),
        call("show_data", rows=2),
        call("search", what="code", query="sentiment of tweets"),
        call("run"),
        call("inspect"),
    ]
    with desk(lines) as (bench, model):
        asked(bench.run())
    shown = [body["messages"][-1]["content"] for body in model.received[1:]]
    assert "The column, with noise." in shown[0]
    assert "x,score" in shown[1]
    assert "prototype of sentiment" in shown[2]
    assert json.loads(shown[4]) == {"files": {}}


# --- people


def test_a_question_ends_it_and_the_reply_is_what_the_model_reads_next(desk: Desk) -> None:
    lines = [call("ask_person", question="Gaussian noise, or uniform?"), *GOOD]
    with desk(lines) as (bench, model):
        agent = bench.begin()
        assert asked(agent.go_on(ID)) == Question(text="Gaussian noise, or uniform?", why=Why.UNSURE)
        assert asked(agent.go_on(ID)).why is Why.UNSURE  # nothing goes on before somebody speaks
        assert len(model.received) == 1
        agent.say(ID, "1700.1", "U1", "Gaussian.")
        agent.say(ID, "1700.1", "U1", "Gaussian.")  # delivered twice
        finished(agent.go_on(ID))
    assert model.conversation(1).count("A person in the thread says: Gaussian.") == 1


def test_a_person_who_interrupts_while_a_script_runs_is_heard_at_the_next_step(desk: Desk) -> None:
    with desk([write(0.4), call("run"), *GOOD]) as (bench, model):
        agent = bench.begin()
        bench.sandbox = Interrupting(bench.sandbox, 2, lambda: agent.say(ID, "1", "U1", "Use 0.2 instead."))
        finished(bench.agent().go_on(ID))
    roles = [message["role"] for message in model.received[2]["messages"]]
    assert roles[-3:] == ["assistant", "tool", "user"]  # a tool's answer follows its call
    assert "Use 0.2 instead." in model.received[2]["messages"][-1]["content"]


def test_a_person_who_speaks_after_it_was_handed_in_is_heard_before_it_is_judged(desk: Desk) -> None:
    with desk([*GOOD, write(0.1), call("run"), FINISH]) as (bench, _):
        agent = bench.begin()
        while bench.state.finished is None:
            agent.step(ID)
        agent.say(ID, "1", "U1", "Wait: 0.1, please.")
        finished(agent.go_on(ID))
    assert bench.state.workspace["train.py"] == NOISE.format(0.1).encode()


def test_a_person_can_take_the_last_change_back(desk: Desk) -> None:
    with desk([write(0.3), call("ask_person", question="Is it fine?"), *GOOD]) as (bench, model):
        asked(bench.run())
        bench.agent().undo(ID, "1", "U1")
        assert bench.state.workspace == PROTOTYPE
        finished(bench.agent().go_on(ID))
    assert "took the last change back" in model.conversation(2)


def test_stop_ends_the_run_and_the_loop_and_a_word_sets_it_going_again(desk: Desk) -> None:
    with desk([write(0.2), call("run"), FINISH]) as (bench, _):
        agent = bench.begin()
        bench.sandbox = Killable(bench.sandbox, 2, lambda: bench.agent().stop(ID, "1", "U1"))
        assert bench.agent().go_on(ID) == Stopped()
        assert bench.sandbox.killed == [ID]
        assert bench.state.attempts == ()  # a run that was stopped says nothing about the script
        agent.say(ID, "2", "U1", "Go on.")
        finished(bench.agent().go_on(ID))


def test_one_that_is_resumed_goes_on_where_it_was_stopped_and_nothing_is_run_twice(desk: Desk) -> None:
    with desk(GOOD) as (bench, model):
        agent, runs = bench.begin(), bench.sandbox.runs
        while bench.state.finished is None:
            agent.step(ID)
        bench.sandbox = Killable(bench.sandbox, 4, lambda: bench.agent().stop(ID, "1", "U1"))
        assert bench.agent().go_on(ID) == Stopped()
        assert len(bench.state.trials) == 3
        assert bench.agent().resume(ID, "2", "U1")
        assert bench.agent().resume(ID, "2", "U1")  # the same click, once more after a crash
        finished(bench.agent().go_on(ID))
        assert not bench.agent().resume(ID, "3", "U1")
    assert len(model.received) == 3
    assert bench.state.round == 0
    assert len(runs) == 2 + 6 + 1  # the one that was killed


def test_a_word_after_the_report_goes_on_and_the_next_judgement_has_other_seeds_and_says_so(desk: Desk) -> None:
    with desk([*GOOD, write(0.1), call("run"), FINISH]) as (bench, _):
        first = finished(bench.run())
        bench.agent().say(ID, "1", "U1", "And with 0.1?")
        second = finished(bench.agent().go_on(ID))
    assert not {t.seed for t in first.judgement.trials} & {t.seed for t in second.judgement.trials}
    assert "judgement number 2" in second.report


def test_taking_over_gives_the_workspace(desk: Desk) -> None:
    with desk([write(0.2)]) as (bench, _):
        bench.run()
    with zipfile.ZipFile(io.BytesIO(bench.agent().take_over(ID))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == dict(bench.state.workspace)


def test_attempts_and_changes_are_shown_to_people_in_lines(desk: Desk) -> None:
    with desk([CRASHING, call("run"), write(0.2), call("run")]) as (bench, _):
        bench.run()
    prototype, first, second = attempt_lines(bench.state)
    assert prototype.startswith("The prototype: root mean squared error 0.")
    assert "it is broken" in first
    assert "better than the prototype's" in second
    assert "-# noise: 0.5\n+# noise: 0.2\n" in difference(bench.state.start, bench.state.workspace)


# --- crashes


def test_whenever_it_crashes_nothing_is_asked_or_run_twice(desk: Desk) -> None:
    with desk([CRASHING, call("run"), *GOOD]) as (bench, model):
        bench.begin()
        while (ending := bench.agent().step(ID)) is None:  # a new one for every step
            pass
        whole = finished(ending)
    assert len(model.received) == 5
    assert len(bench.sandbox.runs) == 1 + 2 + 6
    with desk([CRASHING, call("run"), *GOOD]) as (other, _):
        assert finished(other.run()).judgement == whole.judgement


@pytest.mark.parametrize("breaks", [1, 2, 5])
def test_a_sandbox_that_breaks_costs_the_run_that_broke_and_nothing_else(desk: Desk, breaks: int) -> None:
    with desk(GOOD) as (bench, model):
        bench.begin()
        runs = bench.sandbox.runs
        bench.sandbox = Interrupting(bench.sandbox, breaks, broken)
        with pytest.raises(SandboxBroken):
            bench.agent().go_on(ID)
        finished(bench.agent().go_on(ID))
    assert len(model.received) == 3
    assert len(runs) == 1 + 1 + 6


def broken() -> None:
    raise SandboxBroken("the engine went away")


def test_an_endpoint_that_fails_ends_in_a_question_and_a_reply_tries_again(desk: Desk) -> None:
    with desk([Line(status=500, text="out of memory"), *GOOD]) as (bench, _):
        question = asked(bench.run())
        assert question.why is Why.UNREACHABLE
        assert "Try again later" in question.text
        bench.agent().say(ID, "1", "U1", "Again, please.")
        finished(bench.agent().go_on(ID))


def test_data_that_cannot_be_had_in_the_middle_are_told_and_the_call_waits(desk: Desk) -> None:
    with desk(GOOD) as (bench, model):
        agent = bench.begin()
        while bench.state.call is None:
            agent.step(ID)
        question = asked(bench.agent(load=nowhere).go_on(ID))
        assert question.text.startswith("tweets cannot be fetched. Reply")
        agent.say(ID, "1", "U1", "Now.")
        finished(agent.go_on(ID))
    assert len(model.received) == 3


def nowhere(plan: Plan) -> Data:
    raise TaskDataError("tweets cannot be fetched.")


def test_halves_of_characters_reach_nobody(desk: Desk) -> None:
    half = Line(text="\ud83d", calls=(("write_file", '{"path": "a.py", "content": "\\ud83d"}'),))
    with desk([half, write(0.2), call("run"), call("finish", done="Fine \ud83d, really.")]) as (bench, model):
        text = finished(bench.run()).report
    assert bench.state.workspace["a.py"] == b"?"
    assert "".join([text, model.conversation(), *(step.thought for step in bench.state.steps)]).encode()


# --- budgets


def test_after_its_steps_people_are_asked_and_a_reply_grants_as_many_again(desk: Desk) -> None:
    with desk([call("list_files")] * 9, budget=Budget(steps=4)) as (bench, model):
        assert "4 steps" in asked(bench.run()).text
        assert len(model.received) == 4
        bench.agent().say(ID, "1", "U1", "Go on.")
        assert "8 steps" in asked(bench.agent().go_on(ID)).text
        assert len(model.received) == 8


def test_tokens_are_never_spent_beyond_the_budget(desk: Desk) -> None:
    lines = [replace(call("list_files"), tokens=(4000, 100))] * 9
    with desk(lines, budget=Budget(tokens=20_000)) as (bench, model):
        question = asked(bench.run())
        assert question.why is Why.BUDGET
        assert bench.state.spent.tokens <= 20_000
        assert bench.state.spent.tokens == 4100 * len(model.received)


def test_what_an_endpoint_does_not_count_is_estimated_and_said_to_be(desk: Desk) -> None:
    with desk([replace(line, tokens=None) for line in GOOD]) as (bench, _):
        text = finished(bench.run()).report
    assert bench.state.spent.estimated
    assert "about " in text


def test_out_of_attempts_it_asks_and_says_how_the_last_one_ended(desk: Desk) -> None:
    with desk([CRASHING, call("run"), call("run")], budget=Budget(attempts=2)) as (bench, _):
        question = asked(bench.run())
    assert question.why is Why.BUDGET
    assert "all 2 attempts are used up" in question.text
    assert "it is broken" in question.text


def test_every_step_records_what_it_spent(desk: Desk) -> None:
    with desk(GOOD) as (bench, _):
        finished(bench.run())
    steps = bench.notebook.steps(ID)
    assert all(step.spent.tokens == 790 for step in steps if step.kind is Kind.CALL)
    assert all(step.spent.sandbox_seconds == 1.0 for step in steps if step.trial is not None)
    assert bench.state.explored_seconds == 2.0


def test_long_results_of_long_ago_are_shortened(desk: Desk) -> None:
    long = "# " + "word " * 2000
    lines = [call("write_file", path="long.py", content=long), call("read_file", path="long.py")]
    with desk([*lines, *[call("list_files")] * 12]) as (bench, model):
        bench.run()
    assert model.conversation(2).count("word word") >= 2000
    assert model.conversation().count("word word") < 200


# --- without a model


def test_without_a_model_a_setting_of_the_plan_is_put_into_the_template_and_the_report_says_so(
    plan: Plans, data: Data, planted: WorkspaceSandbox
) -> None:
    made = plan(seeds=3, variables=["LEVEL = 'noise: 0.1'"])
    prototype = {"train.py": b"LEVEL = 'noise: 0.5'\n"}
    bench = Bench(sandbox=planted, data=data, plan=made, author=TemplateAuthor(), prototype=prototype)
    found = finished(bench.run())
    assert found.judgement.result is Result.SUCCEEDED
    assert "no model was asked" in found.report
    assert "LEVEL = 'noise: 0.1'" in found.report
    assert bench.state.spent.tokens == 0


def test_without_a_model_and_a_setting_people_are_told_what_can_be_set(
    plan: Plans, data: Data, planted: WorkspaceSandbox
) -> None:
    prototype = {"train.py": b"SCALE = 3\n# noise: 0.5\n"}
    made = plan(seeds=3, variables=["the weather"])
    bench = Bench(sandbox=planted, data=data, plan=made, author=TemplateAuthor(), prototype=prototype)
    question = asked(bench.run())
    assert "No model is configured" in question.text
    assert "SCALE (now 3)" in question.text
    bench.agent().say(ID, "1", "U1", "SCALE = 4")
    assert finished(bench.agent().go_on(ID)).judgement.result is Result.FAILED
    assert bench.state.workspace["train.py"].startswith(b"SCALE = 4\n")


# --- sandboxes that something happens in


class Versions:
    """Answers the question for the versions inside as the planted one cannot."""

    level, parallel = Level.UNSAFE, 1

    def __init__(self, inner: WorkspaceSandbox) -> None:
        self.inner = inner

    def run(self, run: Run) -> RunResult:
        files = {"environment.json": b'{"python": "3.11"}'}
        return RunResult(outcome=Outcome.FINISHED, files=files, level=self.level)

    def kill(self, tag: str) -> None: ...

    def close(self) -> None: ...


class Interrupting(Versions):
    """Something happens while the run of a number is under way, once."""

    def __init__(self, inner: WorkspaceSandbox, number: int, happens: Callable[[], object]) -> None:
        super().__init__(inner)
        self.number, self.happens, self.count = number, happens, 0

    def run(self, run: Run) -> RunResult:
        self.count += 1
        if self.count == self.number:
            self.happens()
        return self.inner.run(run)


class Killable(Interrupting):
    """As above; and that run is killed."""

    def __init__(self, inner: WorkspaceSandbox, number: int, happens: Callable[[], object]) -> None:
        super().__init__(inner, number, happens)
        self.killed: list[str] = []

    def kill(self, tag: str) -> None:
        self.killed.append(tag)

    def run(self, run: Run) -> RunResult:
        result = super().run(run)
        if self.killed and self.count == self.number:
            return RunResult(outcome=Outcome.KILLED, check="stopped", reason="it was stopped", level=self.level)
        return result


def test_the_prototype_is_the_first_run_and_is_no_attempt(desk: Desk) -> None:
    with desk([]) as (bench, _):
        bench.run()
    assert bench.state.prototype is not None
    assert bench.state.prototype.arm is Arm.BASELINE
    assert bench.state.attempts == ()
