"""A second, small sandbox for scripts: what a script does is planted, so that the right judgement is known."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from engine.experiment.plan import Plan, read_plan
from engine.experiment.task import Data, table
from sandbox.execution import Level, Outcome
from sandbox.workspace import Run, RunResult


class PlantedSandbox:
    """Runs no code: a script that holds `noise: N` answers the column x with noise of that size; one that holds
    `crash` ends with an error. Any other is as good as `otherwise`."""

    level, parallel = Level.UNSAFE, 1

    def __init__(self, otherwise: float = 0.5) -> None:
        self.otherwise = otherwise
        self.runs: list[Run] = []

    def run(self, run: Run) -> RunResult:
        self.runs.append(run)
        script = run.files[run.entry].decode()
        if "crash" in script:
            reason = "ValueError: it is broken"
            return RunResult(outcome=Outcome.REJECTED, check="error", reason=reason, level=self.level, seconds=1.0)
        found = re.search(r"noise: ([\d.]+)", script)
        noise = float(found[1]) if found else self.otherwise
        rows = csv.DictReader(io.StringIO(run.inputs["heldout.csv"].decode()))
        x = np.array([float(row["x"]) for row in rows])
        seed = int(run.arguments[-1])
        predictions = x + noise * np.random.default_rng([seed, round(1000 * noise)]).normal(size=len(x))
        log = f"noise {noise}"
        return RunResult(outcome=Outcome.FINISHED, predictions=predictions, log=log, level=self.level, seconds=1.0)

    def kill(self, tag: str) -> None: ...

    def close(self) -> None: ...


def script(noise: float) -> dict[str, bytes]:
    return {"train.py": f"# noise: {noise}".encode()}


@pytest.fixture
def planted() -> PlantedSandbox:
    return PlantedSandbox()


@pytest.fixture
def workspace() -> Callable[[float], dict[str, bytes]]:
    return script


@pytest.fixture(scope="session")
def data() -> Data:
    """600 rows whose answer is their only column."""
    values = np.random.default_rng(5).normal(size=600).round(6).tolist()
    facts = {"name": "planted", "target": "score", "metrics": ("pearson",), "licence": "MIT", "provenance": "planted"}
    return table({"x": values}, values, **facts)


@pytest.fixture
def plan() -> Callable[..., Plan]:
    def make(**changes: object) -> Plan:
        told: Mapping[str, object] = {
            "hypothesis": "Less noise predicts better.",
            "task": "essays",
            "data": "vader-tweets",
            "metric": "rmse",
            "seeds": 5,
            "success": "mean improvement over the baseline > 0.01, with 90 % interval above 0",
        }
        return read_plan({**told, **changes})

    return make
