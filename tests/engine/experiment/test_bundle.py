"""Bundles: what is in one, whether it was changed, and whether its numbers hold."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import BundleError
from engine.experiment.bundle import compared, read_bundle, write_bundle
from engine.experiment.judge import Result, judge
from engine.experiment.plan import Plan
from engine.experiment.task import Data
from sandbox.workspace import WorkspaceSandbox

Make = Callable[..., Plan]
Script = Callable[[float], dict[str, bytes]]


@pytest.fixture
def bundle(tmp_path: Path, plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script) -> Path:
    judgement = judge(plan(), data, workspace(0.2), planted)
    return write_bundle(
        tmp_path / "less-noise.zip",
        plan=plan(),
        data=data,
        workspace=workspace(0.2),
        judgement=judgement,
        report="# Less noise\n",
        environment={"numpy": "2.0"},
        extra={"plot.png": b"a plot"},
    )


def test_a_bundle_holds_code_seeds_digests_environment_logs_and_the_command(
    bundle: Path, plan: Make, data: Data
) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())
        told = json.loads(archive.read("bundle.json"))
        readme = archive.read("README.md").decode()
        log = archive.read(f"logs/experiment-{plan().seeds[0]}.txt").decode()
    assert {"workspace/train.py", "baseline/train.py", "report.md", "extra/plot.png"} <= names
    assert "conjecture reproduce less-noise.zip" in readme
    assert told["data"]["digest"] == data.digest
    assert told["environment"] == {"numpy": "2.0"}
    assert {trial["seed"] for trial in told["trials"]} == set(plan().seeds)
    assert log == "noise 0.2"


def test_no_row_of_the_data_is_in_a_bundle(bundle: Path, data: Data) -> None:
    with zipfile.ZipFile(bundle) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert not any(repr(value).encode() in everything for value in data.targets.tolist() if abs(value) > 0.01)


def test_a_bundle_is_read_back_as_it_was_written(bundle: Path, plan: Make, workspace: Script) -> None:
    found = read_bundle(bundle)
    assert found.plan == plan()
    assert found.workspace == workspace(0.2)
    assert found.baseline == plan().template.prototype()
    assert found.result is Result.SUCCEEDED
    assert len(found.trials) == 10


def test_the_same_experiment_makes_the_same_bytes(
    bundle: Path, plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    judgement = judge(plan(), data, workspace(0.2), planted)
    again = write_bundle(
        tmp_path / "again" / bundle.name, plan=plan(), data=data, workspace=workspace(0.2), judgement=judgement,
        report="# Less noise\n", environment={"numpy": "2.0"}, extra={"plot.png": b"a plot"},
    )  # fmt: skip
    assert again.read_bytes() == bundle.read_bytes()


@pytest.mark.parametrize("changed", ["workspace/train.py", "report.md", "bundle.json"])
def test_a_bundle_that_was_changed_is_refused(bundle: Path, changed: str) -> None:
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if changed == "bundle.json":
        told = json.loads(files[changed])
        told["plan"]["success"]["above"] = -1.0
        files[changed] = json.dumps(told).encode()
    else:
        files[changed] += b"#"
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(BundleError, match=rf"{changed}|digest"):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all"])
def test_what_is_no_bundle_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"x\.zip is no bundle"):
        read_bundle(path)


def test_a_path_that_leaves_the_workspace_is_refused(
    tmp_path: Path, plan: Make, data: Data, planted: WorkspaceSandbox, workspace: Script
) -> None:
    files = {**workspace(0.2), "../escape.py": b""}
    path = write_bundle(
        tmp_path / "x.zip", plan=plan(), data=data, workspace=files, judgement=judge(plan(), data, files, planted),
        report="", environment={},
    )  # fmt: skip
    with pytest.raises(BundleError, match="is no bundle"):
        read_bundle(path)


def test_running_it_again_gives_the_same_numbers(bundle: Path, data: Data, planted: WorkspaceSandbox) -> None:
    found = read_bundle(bundle)
    again = compared(found, judge(found.plan, data, found.workspace, planted, baseline=found.baseline))
    assert again.holds is True
    assert again.largest_difference == 0.0
    assert again.words == "The same numbers, and the same result: succeeded."


def test_numbers_that_nobody_gets_again_do_not_hold(bundle: Path, data: Data, planted: WorkspaceSandbox) -> None:
    found = read_bundle(bundle)
    invented = replace(found, trials=tuple(replace(t, value=t.value * 0.9 if t.value else None) for t in found.trials))
    again = compared(invented, judge(found.plan, data, found.workspace, planted))
    assert again.holds is False
    assert "a mean lies outside its interval" in again.words


def test_another_result_does_not_hold(bundle: Path, data: Data, planted: WorkspaceSandbox, workspace: Script) -> None:
    found = read_bundle(bundle)
    again = compared(found, judge(found.plan, data, workspace(0.9), planted))
    assert again.holds is False
    assert "failed now; the bundle says it succeeded" in again.words


def test_what_cannot_be_judged_again_is_neither(bundle: Path, data: Data, planted: WorkspaceSandbox) -> None:
    found = read_bundle(bundle)
    again = compared(found, judge(found.plan, data, {"train.py": b"crash"}, planted))
    assert again.holds is None
    assert "could not be judged again" in again.words
