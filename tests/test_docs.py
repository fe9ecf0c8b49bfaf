"""What the documentation quotes is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.experiment.steps import Budget
from engine.experiment.task import Task
from engine.experiment.tasks.catalogue import TASKS
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.harness import Harness

ROOT = Path(__file__).parents[1]
COMPONENTS = (ROOT / "docs" / "components.md").read_text()
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", COMPONENTS, re.DOTALL | re.MULTILINE)
OMITTED = "# ...\n"
EXPERIMENTS = (ROOT / "docs" / "experiments.md").read_text()


@pytest.mark.parametrize(("path", "code"), BLOCKS)
def test_code_in_the_guide_to_kinds_is_that_of_the_file_it_names(path: str, code: str) -> None:
    source = (ROOT / path).read_text()
    for part in code.split(OMITTED):
        assert part in source, part


def test_every_block_of_code_in_the_guide_names_its_file() -> None:
    assert len(BLOCKS) == COMPONENTS.count("```python") > 5


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_in_the_table_with_its_entry(name: str) -> None:
    assert f"| {name} | `{KINDS[name].entry}` |" in COMPONENTS


def test_every_hook_of_training_is_in_the_table_of_places() -> None:
    hooks = [name for name in vars(Harness) if not name.startswith("_") and callable(getattr(Harness, name))]
    assert hooks
    assert [name for name in hooks if f"| `{name}(" not in COMPONENTS] == []


def test_the_files_and_links_that_the_guide_names_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", COMPONENTS)
    files = re.findall(r"`((?:sandbox|engine|tests)/[\w/.]+)`", COMPONENTS)
    missing = [link for link in links if not (ROOT / "docs" / link).exists()]
    assert missing + [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_of_experiments_is_in_their_table_with_its_data_and_metrics(task: Task) -> None:
    names = ([source.name for source in task.sources], task.metrics)
    data, metrics = (", ".join(f"`{name}`" for name in column) for column in names)
    assert f"| {task.name} | {data} | {metrics} |" in EXPERIMENTS


def test_the_budget_of_an_experiment_is_as_its_page_says() -> None:
    budget = Budget()
    assert f"{budget.steps}\nanswers of the model, {budget.tokens:,} tokens" in EXPERIMENTS
    assert f"an hour in the sandbox, {budget.attempts} attempts" in EXPERIMENTS
    assert budget.sandbox_seconds == 3600
