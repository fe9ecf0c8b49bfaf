"""The contract of notebooks, over both databases and the one in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from engine.errors import UnknownThing
from engine.experiment.fetched import MODELS, Fetched
from engine.experiment.judge import Arm, Trial
from engine.experiment.notebook import MemoryNotebook, Notebook
from engine.experiment.plan import estimate, read_plan
from engine.experiment.steps import Budget, Change, Experiment, Kind, Material, Ready, Spent, Step, Why
from engine.llm.calling import Call
from storage.database import open_database
from storage.notebook import SqlNotebook

TOLD = {"hypothesis": "Less noise.", "task": "essays", "metric": "rmse", "variables": ["alpha = 2"], "seeds": 4}
EXPERIMENT = Experiment(
    id="x-1",
    plan=estimate(read_plan({**TOLD, "success": "mean improvement over the baseline > 0.012345678"}), 3.25),
    budget=Budget(tokens=5, sandbox_seconds=0.5),
    material=(Material(source="paper p. 7", text="r = .881", numbers=(0.881,)),),
    ready=Ready(kind="activation", title="Snake", code="def build(): ..."),
)
STEPS = [
    Step(key="opened", kind=Kind.OPENED, change=Change(written={"train.py": b"\x00\xff", "a/b.txt": b""})),
    Step(key="words-1", kind=Kind.WORDS, person="U1", text="NUL \x00, half a pair \ud800"),
    Step(
        key="call-0",
        kind=Kind.CALL,
        call=Call(tool="run", arguments="{not json", id="call_0"),
        thought="Hm.",
        spent=Spent(prompt_tokens=3, completion_tokens=2, estimated=True, seconds=0.1),
    ),
    Step(
        key="result-1",
        kind=Kind.RESULT,
        text="{}",
        call=Call(tool="run", arguments="{}"),
        usable=False,
        finish=True,
        change=Change(written={"train.py": b"2"}, removed=("a/b.txt",)),
        outputs={"plot.png": b"\x89PNG"},
        trial=Trial(arm=Arm.ATTEMPT, seed=3, value=None, problem="it broke", rows=5, seconds=1.5, log="..."),
        spent=Spent(sandbox_seconds=1.5),
    ),
    Step(
        key="result-2",
        kind=Kind.RESULT,
        fetched=Fetched(
            what=MODELS,
            repository="someone/tiny-bert",
            revision="0123456789abcdef0123456789abcdef01234567",
            licence="mit",
            files={"config.json": "ab" * 32},
            size=2,
        ),
    ),
    Step(key="call-1", kind=Kind.CALL, call=None),
    Step(key="question-0", kind=Kind.QUESTION, why=Why.BUDGET, text="?"),
]


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def notebook(request: pytest.FixtureRequest, empty_tables: Callable[[Engine], None]) -> Notebook:
    if request.param == "memory":
        return MemoryNotebook()
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    empty_tables(engine)
    return SqlNotebook(engine)


@pytest.fixture
def begun(notebook: Notebook) -> Notebook:
    notebook.begin(EXPERIMENT)
    return notebook


def test_an_experiment_comes_back_as_it_was_begun(begun: Notebook) -> None:
    assert begun.experiment("x-1") == EXPERIMENT
    assert begun.experiments() == [EXPERIMENT]


def test_steps_come_back_as_they_were_recorded_in_order(begun: Notebook) -> None:
    for step in STEPS:
        begun.record("x-1", step)
    assert list(begun.steps("x-1")) == STEPS


def test_recording_again_changes_nothing(begun: Notebook) -> None:
    begun.record("x-1", STEPS[1])
    begun.record("x-1", Step(key="words-1", kind=Kind.WORDS, text="Something else."))
    begun.begin(Experiment(id="x-1", plan=EXPERIMENT.plan))
    assert list(begun.steps("x-1")) == [STEPS[1]]
    assert begun.experiment("x-1") == EXPERIMENT


def test_experiments_have_steps_of_their_own(begun: Notebook) -> None:
    begun.begin(Experiment(id="x-2", plan=EXPERIMENT.plan))
    begun.record("x-2", STEPS[0])
    assert list(begun.steps("x-1")) == []
    assert list(begun.steps("x-2")) == [STEPS[0]]


def test_an_unknown_experiment_is_told(notebook: Notebook) -> None:
    for ask in (notebook.experiment, notebook.steps, lambda name: notebook.record(name, STEPS[0])):
        with pytest.raises(UnknownThing, match="'x-9'"):
            ask("x-9")


def test_the_notebook_is_there_after_a_restart(new_database: str) -> None:
    for step in STEPS:
        engine = open_database(new_database)
        SqlNotebook(engine).begin(EXPERIMENT)
        SqlNotebook(engine).record("x-1", step)
        engine.dispose()
    engine = open_database(new_database)
    assert list(SqlNotebook(engine).steps("x-1")) == STEPS
    engine.dispose()
