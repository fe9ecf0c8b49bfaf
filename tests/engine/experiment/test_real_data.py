"""Every template on its real data, fetched from packages, in the sandbox; and the VADER paper's tweets end to end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.experiment.bundle import environment_of, read_bundle, reproduce, write_bundle
from engine.experiment.claims import unsupported
from engine.experiment.judge import Result, explore, judge
from engine.experiment.metric import METRICS
from engine.experiment.plan import read_plan
from engine.experiment.split import Split, inputs
from engine.experiment.task import Data, Task
from engine.experiment.tasks.catalogue import TASKS
from engine.experiment.tasks.essays.task import PAPER, VADER, vader_file
from sandbox.choose import open_workspaces
from sandbox.execution import Outcome
from sandbox.workspace import Expected, Run, Workspace, WorkspaceSandbox

pytestmark = pytest.mark.long

ORIGINAL = 0.881  # Pearson's r of VADER on tweets, Hutto and Gilbert 2014, pages 1 and 7
MEASURED = 0.872  # the same of the published package, version 3.3.2
SCORER = """
import argparse, csv
import numpy as np
from vaderSentiment import SentimentIntensityAnalyzer

argparse.ArgumentParser().add_argument("--seed")
analyzer = SentimentIntensityAnalyzer()
with open("inputs/heldout.csv", newline="", encoding="utf-8") as stream:
    texts = [row["text"] for row in csv.DictReader(stream)]
np.save("predictions.npy", [analyzer.polarity_scores(text)["compound"] for text in texts])
"""
FLOORS = {
    "vader-tweets": (4200, 0.70),
    "movie-reviews": (5900, 0.75),
    "sts-benchmark": (8500, 0.60),
    "credit": (4451, 0.75),
    "fashion-mnist": (12_000, 0.82),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[WorkspaceSandbox]:
    opened = open_workspaces("auto", owner=f"tests-real-data-{os.getpid()}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tweets(home: Path) -> Data:
    return TASKS["essays"].load(home, "vader-tweets")


@pytest.fixture(scope="module")
def scorer(home: Path) -> Workspace:
    """The published package's own code as an experiment."""
    files = VADER.files(home)
    wanted = (name for name in VADER.parts if name.startswith("vaderSentiment/"))
    return {"train.py": SCORER.encode()} | {name.partition("/")[2]: files[name].read_bytes() for name in wanted}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_a_prototype_trains_on_its_real_data_in_the_sandbox(task: Task, home: Path, sandbox: WorkspaceSandbox) -> None:
    source = task.sources[0]
    data = task.load(home, source.name)
    rows, floor = FLOORS[source.name]
    plan = read_plan({"hypothesis": "The prototype runs.", "task": task.name, "data": source.name})
    trial, result = explore(plan, data, task.prototype(), sandbox)
    assert result.outcome is Outcome.FINISHED, result.reason
    assert data.rows >= rows
    assert trial.value is not None
    assert trial.value > floor
    assert result.cpu_seconds < 120


def test_the_credit_data_keep_their_455_gaps(home: Path) -> None:
    data = TASKS["tabular"].load(home, "credit")
    assert sum(value is None for column in data.columns.values() for value in column.tolist()) == 455


def test_the_papers_pdf_comes_with_the_tweets(home: Path) -> None:
    assert vader_file(home, PAPER).startswith(b"%PDF")


def test_the_packages_scores_of_all_tweets_correlate_as_they_did_beside_the_papers_figure(
    tweets: Data, scorer: Workspace, sandbox: WorkspaceSandbox
) -> None:
    everything = Split(seed=0, training=np.arange(2), held_out=np.arange(tweets.rows))
    seen = inputs(tweets, everything, "essays", METRICS["pearson"])
    result = sandbox.run(Run(files=scorer, entry="train.py", inputs=seen, expects=Expected(shape=(tweets.rows,))))
    assert result.predictions is not None, result.reason
    found = METRICS["pearson"].score(result.predictions, tweets.targets)
    assert found == pytest.approx(MEASURED, abs=0.0005)
    assert found == pytest.approx(ORIGINAL, abs=0.01)


def test_the_paper_as_an_experiment_is_judged_reported_bundled_and_reproduced(
    tweets: Data, scorer: Workspace, sandbox: WorkspaceSandbox, home: Path, tmp_path: Path
) -> None:
    plan = read_plan(
        {
            "hypothesis": "VADER's rules rate tweets more like people do than a ridge regression on their words.",
            "task": "essays",
            "data": "vader-tweets",
            "metric": "pearson",
            "seeds": 3,
            "success": "mean improvement over the baseline > 0.05 with 90 % interval above 0",
        }
    )
    judgement = judge(plan, tweets, scorer, sandbox)
    assert judgement.result is Result.SUCCEEDED, judgement.reason
    assert judgement.value is not None
    assert judgement.value.value == pytest.approx(MEASURED, abs=0.02)
    numbers = {**judgement.numbers, "the paper, page 7": ORIGINAL}
    report = (
        f"VADER's scores correlate with people's at {judgement.value.value:.3f}; the paper says {ORIGINAL}. "
        "A larger model would reach 0.953."
    )
    assert [claim.text for claim in unsupported(report, numbers)] == ["0.953"]
    environment = environment_of(sandbox)
    assert {"python", "numpy", "scikit-learn", "sandbox"} <= set(environment)
    bundle = write_bundle(
        tmp_path / "vader.zip",
        plan=plan,
        data=tweets,
        workspace=scorer,
        judgement=judgement,
        report=report,
        environment=environment,
    )
    again = reproduce(read_bundle(bundle), home, sandbox)
    assert (again.holds, again.largest_difference) == (True, pytest.approx(0.0, abs=1e-9))
