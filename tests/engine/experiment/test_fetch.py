"""Investigations that fetch from the hub: the model asks, the script reads, the report names it."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noisy_prediction import SCRIPT, finished
from scripted_llm import Endpoint, Line, call, endpoint
from wire_hub import NOBODY, WireHub, wire_hub

from engine.errors import BundleError, TaskDataError
from engine.experiment.agent import Ending, ExperimentAgent, Question, Stopped
from engine.experiment.author import ModelAuthor
from engine.experiment.bundle import read_bundle, reproduce, write_bundle
from engine.experiment.fetched import MIB, MODELS, Wanted
from engine.experiment.hub import HuggingFaceHub, read
from engine.experiment.judge import Result, judge
from engine.experiment.notebook import MemoryNotebook, Notebook
from engine.experiment.plan import Plan, read_plan
from engine.experiment.steps import Experiment, State, Step, Why
from engine.experiment.task import Data, table
from engine.llm.client import OpenAIModel
from sandbox.choose import open_workspaces
from sandbox.execution import Level, Outcome
from sandbox.workspace import Run, RunResult, WorkspaceSandbox

ID = "x-1"
FOLDER = "inputs/models/someone--quiet"
FETCH = call("fetch", what="models", repository="someone/quiet")
RUN, FINISH = call("run"), call("finish", done="The noise is taken from the fetched model.")
WRITE = call("write_file", path="train.py", content="# noise: 0.2\n")


def weights(noise: float) -> bytes:
    """One float32 called noise, in the format of safetensors."""
    header = json.dumps({"noise": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + np.float32(noise).tobytes()


@pytest.fixture
def hub() -> Iterator[WireHub]:
    with wire_hub() as served:
        served.add("models", "someone/quiet", model__safetensors=weights(0.1), setup__py=b"x")
        yield served


@dataclass
class Bench:
    """`agent()` is a new one on the same notebook and home, as after a crash."""

    data: Data
    plan: Plan
    sandbox: WorkspaceSandbox
    model: OpenAIModel
    home: Path
    hub_url: str
    most_bytes: int = MIB
    notebook: Notebook = field(default_factory=MemoryNotebook)
    prototype: dict[str, bytes] = field(default_factory=lambda: {"train.py": b"# noise: 0.5\n"})
    hub: Any = None

    @property
    def kept(self) -> HuggingFaceHub:
        return self.hub or HuggingFaceHub(self.home / "hub", self.most_bytes, endpoint=self.hub_url)  # type: ignore[no-any-return]

    def agent(self) -> ExperimentAgent:
        return ExperimentAgent(
            notebook=self.notebook,
            author=ModelAuthor(self.model),
            sandbox=self.sandbox,
            load=lambda plan: self.data,
            hub=self.kept,
            prototype=lambda plan: self.prototype,
        )

    def run(self) -> Ending:
        agent = self.agent()
        agent.begin(Experiment(id=ID, plan=self.plan))
        return agent.go_on(ID)

    @property
    def state(self) -> State:
        return self.agent().state(ID)


Desk = Callable[..., Any]


@pytest.fixture
def desk(
    plan: Callable[..., Plan], data: Data, planted: WorkspaceSandbox, hub: WireHub, tmp_path: Path
) -> Iterator[Desk]:
    """`bench, model = desk(lines)`: on the planted sandbox unless another is given."""
    opened = []

    def make(lines: list[Line], tools: bool = True, **more: Any) -> tuple[Bench, Endpoint]:
        opened.append(endpoint(lines, tools=tools))
        served = opened[-1].__enter__()
        model = OpenAIModel(model="scripted-1", api_key="k", base_url=served.url, max_retries=0)
        given = {"data": data, "plan": plan(seeds=3), "sandbox": planted, "home": tmp_path, "hub_url": hub.url}
        return Bench(**{**given, "model": model, **more}), served

    yield make
    for one in opened:
        one.__exit__(None, None, None)


def answer(model: Endpoint, number: int) -> dict[str, Any]:
    """What the tool said to the call of this number."""
    told: dict[str, Any] = json.loads(model.received[number + 1]["messages"][-1]["content"])
    return told


READING = f"""\
import json, struct
content = open("{FOLDER}/model.safetensors", "rb").read()
length = struct.unpack("<Q", content[:8])[0]
NOISE = float(np.frombuffer(content[8 + length:], "<f4")[0])
"""


@pytest.mark.parametrize("last", [[], pytest.param([FINISH], marks=pytest.mark.long)], ids=["run", "judged"])
def test_what_a_model_asks_for_is_read_in_the_sandbox(desk: Desk, tmp_path: Path, last: list[Line]) -> None:
    edit = call("edit_file", path="train.py", old="NOISE = 0.5\n", new=READING)
    sandbox = open_workspaces("process")
    try:
        given = {"sandbox": sandbox, "prototype": {"train.py": SCRIPT.encode()}}
        bench, model = desk([FETCH, edit, RUN, *last], **given)
        ending = bench.run()
    finally:
        sandbox.close()
    assert answer(model, 0)["files"] == {f"{FOLDER}/model.safetensors": len(weights(0.1))}
    assert answer(model, 2)["value"] == pytest.approx(0.1, rel=0.3)
    if last:
        assert finished(ending).judgement.result is Result.SUCCEEDED


def test_report_and_bundle_name_what_was_fetched_with_its_commit_and_digests(
    desk: Desk, hub: WireHub, tmp_path: Path
) -> None:
    bench, _ = desk([FETCH, WRITE, RUN, FINISH])
    text = finished(bench.run()).report
    commit, digest = hub.repositories[0].commit, hashlib.sha256(weights(0.1)).hexdigest()
    assert f"The model someone/quiet at commit {commit[:12]} (1 file, {len(weights(0.1))} bytes, licence: mit)" in text
    assert "it may have seen the held-out rows when it was trained, which cannot be checked" in text
    assert f"`model.safetensors`, sha256 `{digest}`" in text
    bench.sandbox = Guessing()
    with zipfile.ZipFile(bench.agent().bundle(ID, tmp_path / "x.zip")) as archive:
        (fetched,) = json.loads(archive.read("bundle.json"))["fetched"]
        assert f"Nor is the model someone/quiet at commit {commit[:12]}" in archive.read("README.md").decode()
        assert all(weights(0.1) != archive.read(name) for name in archive.namelist())
    assert (fetched["repository"], fetched["revision"]) == ("someone/quiet", commit)
    assert fetched["files"] == {"model.safetensors": digest}


def test_reproducing_downloads_the_same_commit_again_or_says_that_it_cannot(hub: WireHub, tmp_path: Path) -> None:
    told = {"hypothesis": "It helps.", "task": "tabular", "data": "breast-cancer", "metric": "accuracy", "seeds": 3}
    plan, sandbox = read_plan(told), Guessing()
    data = plan.template.load(tmp_path, plan.data)
    kept = HuggingFaceHub(tmp_path / "hub", MIB, endpoint=hub.url)
    fetched = kept.fetch(Wanted(what=MODELS, repository="someone/quiet"), MIB, lambda: False)
    files = {"train.py": b"pass"}
    judgement = judge(plan, data, files, sandbox, beside=read(kept, [fetched]))
    path = write_bundle(
        tmp_path / "x.zip", plan=plan, data=data, workspace=files, judgement=judgement, report="", environment={},
        fetched=[fetched],
    )  # fmt: skip
    bundle = read_bundle(path)
    shutil.rmtree(tmp_path / "hub")
    assert reproduce(bundle, tmp_path, sandbox, hub=kept).holds
    assert hub.downloads == ["model.safetensors"] * 2
    assert sandbox.runs[-1].inputs["models/someone--quiet/model.safetensors"] == weights(0.1)
    shutil.rmtree(tmp_path / "hub")
    with pytest.raises(TaskDataError, match="could not be fetched"):
        reproduce(bundle, tmp_path, sandbox, hub=HuggingFaceHub(tmp_path / "hub", MIB, endpoint=NOBODY))
    with pytest.raises(BundleError, match="Raise CONJECTURE_HUB_MIB"):
        reproduce(bundle, tmp_path, sandbox)


def test_both_arms_and_every_attempt_after_it_get_what_was_fetched(desk: Desk, planted: Any) -> None:
    bench, _ = desk([WRITE, FETCH, RUN, FINISH])
    finished(bench.run())
    with_it = ["models/someone--quiet/model.safetensors" in run.inputs for run in planted.runs]
    assert with_it == [False, *[True] * 7]


def test_what_ran_before_something_was_fetched_is_not_handed_in_unless_it_runs_with_it(desk: Desk) -> None:
    bench, model = desk([WRITE, RUN, FETCH, FINISH, RUN, FINISH])
    finished(bench.run())
    assert "has no run that worked" in answer(model, 3)["error"]


@pytest.mark.parametrize("native", [True, False])
def test_the_tool_is_offered_with_and_without_calls_of_the_protocol(desk: Desk, native: bool) -> None:
    bench, model = desk([FETCH, WRITE, RUN, FINISH], tools=native)
    finished(bench.run())
    assert "Bring a public model or data set" in json.dumps(model.received[0])
    assert [one.repository for one in bench.state.fetched] == ["someone/quiet"]


MALFORMED = [
    call("fetch", what="code", repository="someone/quiet"),
    call("fetch", what="models", repository="../etc"),
    call("fetch", what="models", repository="someone/quiet", revision="a b"),
    call("fetch", what="models", repository="someone/quiet", files="model.safetensors"),
]


def test_malformed_calls_are_answered_in_a_sentence(desk: Desk, hub: WireHub) -> None:
    bench, model = desk(MALFORMED)
    bench.run()
    for number in range(len(MALFORMED)):
        assert "The arguments of fetch do not fit" in answer(model, number)["error"]
    assert hub.asked == []


def test_a_data_set_with_a_held_out_row_never_reaches_the_script_and_the_model_is_told_why(
    desk: Desk, hub: WireHub, planted: Any
) -> None:
    drawn = np.random.default_rng(1).normal(size=(600, 4)).round(6)
    columns = {"x": drawn[:, 0].tolist(), "y": drawn[:, 1].tolist(), "z": drawn[:, 2].tolist()}
    facts: Any = {"target": "score", "metrics": ("rmse",), "licence": "MIT", "provenance": "made here"}
    data = table(columns, drawn[:, 0].tolist(), name="numbers", **facts)
    lines = ["label,x,y,z", *(",".join(map(str, (1, *row[:3]))) for row in drawn)]
    hub.add("datasets", "team/everything", all__csv="\n".join(lines).encode())
    hub.add("datasets", "team/others", all__csv=b"x,y,z\n1.5,2.5,3.5\n")
    wanted = [call("fetch", what="data", repository=f"team/{name}") for name in ("everything", "others")]
    bench, model = desk([*wanted, WRITE, RUN, FINISH], data=data)
    report = finished(bench.run()).report
    assert "is or holds an input that this experiment is judged on" in answer(model, 0)["error"]
    seen = {path for run in planted.runs for path in run.inputs}
    assert seen == {"train.csv", "heldout.csv", "task.json", "data/team--others/all.csv"}
    assert "The data set team/others" in report
    assert "no held-out row was recognised in it" in report
    assert "everything" not in report


def test_an_experiment_gets_no_more_than_its_share_of_the_hub(desk: Desk, hub: WireHub) -> None:
    hub.add("models", "someone/other", model__safetensors=weights(0.3))
    other = call("fetch", what="models", repository="someone/other")
    bench, model = desk([FETCH, other, FETCH, WRITE], most_bytes=150)
    bench.run()
    assert "is too large" in answer(model, 1)["error"]
    assert "files" in answer(model, 2)  # the same once more counts once
    assert hub.downloads == ["model.safetensors"]


def test_without_a_network_the_experiment_goes_on_with_what_lies_here(desk: Desk) -> None:
    bench, model = desk([FETCH, WRITE, RUN, FINISH], hub_url=NOBODY)
    report = finished(bench.run()).report
    assert "Without a network, go on with what lies here" in answer(model, 0)["error"]
    assert "Hugging Face" not in report


def test_whenever_it_crashes_nothing_is_downloaded_twice(desk: Desk, hub: WireHub) -> None:
    bench, model = desk([FETCH, WRITE, RUN, FINISH], notebook=Forgetful())
    bench.agent().begin(Experiment(id=ID, plan=bench.plan))
    ending = None
    while ending is None:
        try:
            ending = bench.agent().step(ID)
        except Crash:
            continue
    finished(ending)
    assert bench.notebook.crashed
    assert (hub.downloads, len(model.received)) == (["model.safetensors"], 4)


def test_stop_ends_a_download(desk: Desk, hub: WireHub) -> None:
    bench, _ = desk([FETCH])
    bench.hub = Stopping(bench.kept, lambda: bench.agent().stop(ID, "1", "U1"))
    assert isinstance(bench.run(), Stopped)
    assert bench.state.fetched == ()


def test_what_was_fetched_and_is_gone_is_asked_for_before_anything_runs_without_it(
    desk: Desk, tmp_path: Path, planted: Any
) -> None:
    bench, _ = desk([FETCH, WRITE, RUN, FINISH])
    bench.agent().begin(Experiment(id=ID, plan=bench.plan))
    while not bench.state.fetched:
        bench.agent().step(ID)
    shutil.rmtree(tmp_path / "hub")
    bench.hub = HuggingFaceHub(tmp_path / "hub", MIB, endpoint=NOBODY)
    question = bench.agent().go_on(ID)
    assert isinstance(question, Question)
    assert question.why is Why.UNREACHABLE
    assert "model.safetensors of the model someone/quiet at commit" in question.text
    assert len(planted.runs) == 1
    bench.hub = None
    bench.agent().say(ID, "1", "U1", "The network is back.")
    finished(bench.agent().go_on(ID))


# --- parts that something happens to


class Crash(Exception): ...


class Forgetful(MemoryNotebook):
    """The process dies after something was fetched, before it is recorded; once."""

    crashed = False

    def record(self, experiment_id: str, step: Step) -> None:
        if step.fetched is not None and not self.crashed:
            self.crashed = True
            raise Crash
        super().record(experiment_id, step)


class Stopping(HuggingFaceHub):
    """Something happens once a download has begun."""

    def __init__(self, inner: HuggingFaceHub, happens: Callable[[], object]) -> None:
        self.inner, self.happens = inner, happens

    @property
    def most_bytes(self) -> int:
        return self.inner.most_bytes

    def fetch(self, *arguments: Any) -> Any:
        self.happens()
        return self.inner.fetch(*arguments)


class Guessing:
    """Runs no code: every script answers the first class, and nothing where nothing is expected."""

    level, parallel = Level.UNSAFE, 1

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def run(self, run: Run) -> RunResult:
        self.runs.append(run)
        predictions = None if run.expects is None else np.zeros(run.expects.shape)
        return RunResult(outcome=Outcome.FINISHED, predictions=predictions, level=self.level)

    def kill(self, tag: str) -> None: ...

    def close(self) -> None: ...
