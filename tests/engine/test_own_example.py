"""The worked example of docs/own-model.md."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from here_sandbox import HereSandbox

from engine.own.check import check
from engine.own.registered import read_suite
from sandbox.guest.components.kinds import KINDS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ranker"


def test_the_module_in_the_documentation_is_the_one_in_the_example() -> None:
    page = (ROOT / "docs" / "own-model.md").read_text()
    assert page.split("```python\n")[1].split("```")[0] == (EXAMPLE / "ranker.py").read_text()


def test_the_data_of_the_example_is_what_its_script_writes(tmp_path: Path) -> None:
    script = tmp_path / "make_clicks.py"
    script.write_text((EXAMPLE / "make_clicks.py").read_text())
    runpy.run_path(str(script), run_name="__main__")
    assert (tmp_path / "clicks.csv").read_bytes() == (EXAMPLE / "clicks.csv").read_bytes()


def test_every_kind_can_be_tried_on_the_example_and_it_learns() -> None:
    suite = read_suite(EXAMPLE / "ranker.py", lambda name: 0)
    found = check(replace(suite, budget=replace(suite.budget, steps=60)), HereSandbox(), b"secret", KINDS)
    assert set(found.tried) == set(KINDS)
    assert found.loss < 0.8 * found.constant_loss
    assert not found.warnings


@pytest.mark.parametrize("kind", KINDS)
def test_the_documentation_says_where_each_kind_goes(kind: str) -> None:
    places = (ROOT / "docs" / "own-model.md").read_text().split("| kind | place |")[1].split("\n\n")[0]
    assert kind in places
