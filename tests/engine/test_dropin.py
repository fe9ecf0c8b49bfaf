"""What a person takes away of a finding works by itself and says what was measured."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.dropin import Evidence, drop_in, module_name, zipped
from engine.finding import Closing, Confirmation, Round
from engine.hypothesis import Hypothesis
from engine.request import Strategy
from engine.score import Estimate, Score, Trial
from sandbox.guest.components.kinds import KINDS

SOME = Estimate(value=0.03, low=0.02, high=0.04)
NOW = datetime(2030, 1, 2, tzinfo=UTC)


def evidence(kind: str, *, title: str = "Some Component") -> Evidence:
    known = next(known for known in KINDS[kind].known if known.name == KINDS[kind].reference)
    hypothesis = Hypothesis(
        id="h1",
        request_id="q-1",
        kind=kind,
        title=title,
        claim="It helps.",
        rationale="Because.",
        inspiration="",
        source=known.code.encode(),
        strategy=Strategy.NOVEL,
        generator="offline catalogue",
    )
    found = Confirmation(
        round_id="c-1",
        hypothesis_id="h1",
        finding=True,
        mean=SOME,
        unseen=SOME,
        effect=SOME,
        b_wr=SOME,
        bsota_wr=SOME,
        p=0.0,
    )
    planned = Round(
        id="c-1",
        number=1,
        request_id="q-1",
        kind=kind,
        family=("h1",),
        asked_by=None,
        suite="full-1",
        epoch=0,
        data_sets=("digits",),
        seeds=(2_000_000_000, 2_000_000_001),
        margin=0.01,
        alpha=0.01,
        wealth=0.025,
        planned_at=NOW,
        closing=Closing(at=NOW, after=1, best="The best one", confirmations=(found,)),
    )
    score = Score(
        hypothesis_id="h1",
        suite="full-1/0",
        seeds=planned.seeds,
        trials=(Trial(cell="digits/mlp2", seed=2_000_000_000, loss=0.25, accuracy=0.9),),
        b_wr=SOME,
        bsota_wr=SOME,
        effect=SOME,
        diverged=0,
        seconds=1.0,
        tier="direct",
        sandbox="docker",
        device="cpu",
        factor=1 / 3,
    )
    return Evidence(
        hypothesis=hypothesis,
        verdict=None,
        planned=planned,
        found=found,
        screened=[],
        score=score,
        baselines=[],
        origin=None,
        metric="held-out log-loss",
        torch_version="2",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_test_that_is_python(kind: str) -> None:
    files = drop_in(evidence(kind), KINDS[kind])
    compile(files["test_some_component.py"], "test", "exec")


def test_the_tests_that_go_out_pass_for_published_components(tmp_path: Path) -> None:
    for kind in KINDS:
        for name, data in drop_in(evidence(kind, title=f"Some {kind}"), KINDS[kind]).items():
            (tmp_path / name).write_bytes(data)
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout


def test_a_module_that_is_not_the_measured_one_fails_its_test(tmp_path: Path) -> None:
    for name, data in drop_in(evidence("schedule"), KINDS["schedule"]).items():
        (tmp_path / name).write_bytes(data)
    module = tmp_path / "some_component.py"
    module.write_bytes(module.read_bytes() + b"\n# edited\n")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "test_it_is_the_module_that_was_measured" in found.stdout
    assert found.returncode == 1


def test_the_module_is_what_was_measured_byte_for_byte() -> None:
    told = evidence("activation")
    assert drop_in(told, KINDS["activation"])["some_component.py"] == told.hypothesis.source


def test_the_evidence_says_what_was_decided_what_came_of_it_and_each_trial() -> None:
    files = drop_in(evidence("activation"), KINDS["activation"])
    told = json.loads(files["evidence.json"])
    assert told["decided_before_looking"]["seeds"] == [2_000_000_000, 2_000_000_001]
    assert told["result"]["mean"]["value"] == SOME.value
    assert told["tested_against"] == "The best one"
    assert told["trials"] == [["digits/mlp2", 2_000_000_000, 0.25, 0.9]]
    assert "+3.0% [+2.0%, +4.0%]" in files["EVIDENCE.md"].decode()
    assert "+3.0% [+2.0%, +4.0%]" in files["PULL_REQUEST.md"].decode()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Zero-mean GELU", "zero_mean_gelu"),
        ("2-sided", "activation_2_sided"),
        ("", "activation"),
        ("Math", "activation_math"),
        ("x * σ(x)!", "x_x"),
        ("torch", "activation_torch"),
    ],
)
def test_a_module_has_a_name_that_can_be_imported_and_hides_no_other(title: str, name: str) -> None:
    assert module_name(title, "activation") == name


def test_the_same_finding_is_packed_into_the_same_bytes() -> None:
    files = drop_in(evidence("activation"), KINDS["activation"])
    assert zipped(files) == zipped(files)
    assert zipfile.ZipFile(io.BytesIO(zipped(files))).namelist() == list(files)
