"""`conjecture study`: what was called wrongly is said before anything is started; a small one from file to report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.commands.reporting import UsageError
from bot.commands.study import Wanted, named_files, planned, shortened, study, trained_name
from engine.llm.catalogue import FOLDER
from engine.study_sources import Source, read_file
from sandbox.guest.components.kinds import KINDS

ACTIVATION = KINDS["activation"]


@pytest.fixture
def catalogue() -> Source:
    return read_file(FOLDER / "activation.jsonl", "activation", "catalogue", "r")


@pytest.fixture
def unseen(tmp_path: Path) -> Source:
    lines = (FOLDER / "activation.jsonl").read_text().splitlines()
    path = tmp_path / "unseen.jsonl"
    path.write_text("\n".join(lines[:10]))
    return read_file(path, "activation", "unseen", "r")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONJECTURE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONJECTURE_SANDBOX", "process")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(kind="nonsense"), "--kind 'nonsense' is not known. Known kinds: activation,"),
        (Wanted(kind="activation", suite="big"), "--suite 'big' is not known. Known suites: screen, standard, full."),
        (Wanted(kind="activation", count=0), "--count 0 leaves nothing to test"),
        (Wanted(kind="activation", placebos=-1), "--placebos -1; expected 0 or more"),
        (Wanted(kind="activation", files=(Path("/no/such.jsonl"),)), "/no/such.jsonl cannot be read"),
        (Wanted(kind="activation", generators=("gpt-9",)), "--generator 'gpt-9' is not known. Known: catalogue."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_usage_ends_with_2_and_says_what_was_expected(
    wanted: Wanted, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study(wanted, as_json=True) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_train_names_a_source_a_strategy_in_it_or_a_file(catalogue: Source, unseen: Source, tmp_path: Path) -> None:
    sources, files = [catalogue, unseen], {"unseen": tmp_path / "unseen.jsonl"}
    names = ("catalogue", "offline catalogue", "catalogue/novel", str(tmp_path / "unseen.jsonl"))
    meant = [trained_name(name, sources, files) for name in names]
    assert meant == ["catalogue", "catalogue", "catalogue/novel", "unseen"]


def test_train_that_names_nothing_lists_what_there_is(catalogue: Source) -> None:
    with pytest.raises(UsageError, match=r"names no source. Sources of this study: catalogue, catalogue/incremental"):
        trained_name("catalog", [catalogue], {})


def test_training_on_everything_leaves_nothing_to_test(catalogue: Source) -> None:
    with pytest.raises(UsageError, match="--train catalogue leaves nothing to test"):
        planned(Wanted(kind="activation", train=("catalogue",)), ACTIVATION, [catalogue], {})


def test_a_count_limits_what_is_tested_and_not_what_is_learned_from(catalogue: Source, unseen: Source) -> None:
    assert len(shortened(unseen, ("catalogue",), 4).hypotheses) == 4
    assert shortened(catalogue, ("catalogue",), 4) == catalogue


def test_files_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "mine.jsonl", tmp_path / "b" / "mine.jsonl", tmp_path / "catalogue.jsonl"]
    assert list(named_files(paths)) == ["mine", "mine.jsonl", "catalogue.jsonl"]


@pytest.mark.long
def test_a_study_of_a_file_goes_from_bad_lines_to_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (FOLDER / "activation.jsonl").read_text().splitlines()[:4]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([*lines, "{broken"]))
    wanted = Wanted(kind="activation", files=(path,), suite="screen", placebos=0, out=tmp_path / "report")
    assert study(wanted, as_json=True) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["n"] + told["rejected"] + told["duplicates"] + told["broke"] == 4
    assert "mine.jsonl, line 5: it is not JSON" in printed.err
    assert Path(told["report"]).read_text().startswith("<!doctype html>")
