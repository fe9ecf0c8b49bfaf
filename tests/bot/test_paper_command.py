"""`conjecture paper` as a person at a terminal and a script see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app

TEXT = (
    "Rules for Tweets\n\nAbstract\n"
    + "We find that rules improve the accuracy on tweets to 0.91, better than 0.84. " * 9
)
KEYS = ["title", "authors", "task", "keywords", "claims", "gaps", "related", "ideas", "generator"]
PLAN = {"task", "data", "model", "baseline", "metric", "direction", "seeds", "success"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONJECTURE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONJECTURE_LITERATURE", "own")


def test_the_json_has_the_documented_keys(tmp_path: Path) -> None:
    (tmp_path / "paper.txt").write_text(TEXT)
    done = CliRunner().invoke(app, ["paper", str(tmp_path / "paper.txt"), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, list(told)) == (0, KEYS)
    assert told["claims"][0].keys() == {"text", "page"}
    assert all(idea.keys() == {"hypothesis", "novelty", "plan"} for idea in told["ideas"])
    assert told["ideas"][0]["plan"].keys() == PLAN


def test_a_paper_that_cannot_be_read_ends_with_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(b"no paper")
    done = CliRunner().invoke(app, ["paper", str(tmp_path / "paper.pdf")])
    assert done.exit_code == 1
    assert done.stderr.startswith("paper.pdf is not a PDF")
    assert done.stdout == ""


def test_what_is_neither_a_file_nor_on_arxiv_is_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["paper", "nothing.pdf"])
    assert done.exit_code == 2
    assert "is no file, and no arXiv link" in done.stderr
