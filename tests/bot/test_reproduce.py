"""`conjecture reproduce`, as somebody calls it who was given a bundle."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from engine.experiment.bundle import environment_of, write_bundle
from engine.experiment.judge import judge
from engine.experiment.plan import read_plan
from sandbox.choose import open_workspaces

PLAN = {
    "hypothesis": "Hardly any penalty separates tumours better.",
    "task": "tabular",
    "data": "breast-cancer",
    "metric": "accuracy",
    "seeds": 3,
    "success": "mean improvement over the baseline > 0.05 with 90 % interval above 0",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONJECTURE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def call(*arguments: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(app, ["reproduce", *arguments])
    return ended.exit_code, ended.stdout, ended.stderr


def test_what_is_no_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "report.zip"
    path.write_bytes(b"hello")
    code, out, said = call(str(path))
    assert (code, out) == (1, "")
    assert said.startswith("report.zip is no bundle of an experiment")
    assert len(said.splitlines()) == 1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Judged in the real sandbox: the hypothesis fails, which is a result."""
    folder = tmp_path_factory.mktemp("bundle")
    plan = read_plan(PLAN)
    data = plan.template.load(folder, plan.data)
    code = plan.template.prototype()
    files = {**code, "train.py": code["train.py"].replace(b"max_iter=500", b"max_iter=500, C=1000.0")}
    assert files != code
    sandbox = open_workspaces("auto", owner=f"tests-reproduce-{os.getpid()}")
    try:
        judgement, environment = judge(plan, data, files, sandbox), environment_of(sandbox)
    finally:
        sandbox.close()
    return write_bundle(
        folder / "penalty.zip",
        plan=plan,
        data=data,
        workspace=files,
        judgement=judgement,
        report="# Penalty\n",
        environment=environment,
    )


@pytest.mark.long
def test_numbers_that_hold_are_said_to_hold_with_a_line_for_each_run(bundle: Path) -> None:
    code, out, said = call(str(bundle))
    assert code == 0, said
    assert "The numbers hold. The same numbers, and the same result: failed." in out
    assert out.count(" then, ") == 6
    assert "The same versions as then." in out
    assert said.count("run ") == 6


@pytest.mark.long
def test_numbers_that_somebody_wrote_into_a_bundle_do_not_hold(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(files["bundle.json"])
    for trial in told["trials"]:
        trial["value"] = 0.5
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(forged, "w") as archive:
        for name, content in {**files, "bundle.json": json.dumps(told).encode()}.items():
            archive.writestr(name, content)
    code, out, _ = call(str(forged), "--json")
    told = json.loads(out)
    assert code == 1
    assert told["holds"] is False
    assert "outside its interval" in told["words"]
