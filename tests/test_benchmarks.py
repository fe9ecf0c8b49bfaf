"""The benchmark runs, and tells what docs/benchmarks.md quotes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "evaluate.py"
TOLD = {
    "hypotheses_per_second",
    "batched_vs_sequential",
    "sandbox_vs_in_process",
    "sandboxed_vs_python_each",
    "settings",
    "seconds_for_36000",
}


@pytest.mark.long
def test_the_speed_of_evaluation_is_told_as_json() -> None:
    arguments = ["--json", "--kind", "activation", "--hypotheses", "1", "--sandbox", "process"]
    done = subprocess.run([sys.executable, str(BENCHMARK), *arguments], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert set(told) >= TOLD
    rates = told["hypotheses_per_second"]
    assert rates.keys() == {"sequential", "batched", "sandboxed", "whole", "python_each"}
    assert all(rate > 0 for rate in rates.values())
    assert told["batched_vs_sequential"] == rates["batched"] / rates["sequential"]
    assert told["settings"] == 34
    assert told["seconds_for_36000"] is None  # two kinds of its mix were not timed
    assert told["by_kind"]["activation"]["hypotheses"] == 1


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_cost_of_isolation_is_told_as_json() -> None:
    command = BENCHMARK.with_name("sandbox.py")
    arguments = ["--json", "--hypotheses", "1", "--starts", "3", "--split", "activation"]
    done = subprocess.run([sys.executable, str(command), *arguments], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    rates = told["hypotheses_per_second"]
    assert {"in_process", "python_each", told["warm"]} <= rates.keys()
    assert told["warm_vs_in_process"] == rates[told["warm"]] / rates["in_process"]
    assert told["warm_vs_python_each"] == rates[told["warm"]] / rates["python_each"]
    assert told["job_start_ms"].keys() == told["job_whole_ms"].keys()
    assert all(ms > 0 for ms in told["job_start_ms"].values())
    assert set(told["split_vs_in_guest"]) == {"activation"}
