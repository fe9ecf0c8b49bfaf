"""The tasks that experiments can be planned on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from engine.errors import UnknownThing
from engine.experiment.task import Task
from engine.experiment.tasks.essays.task import TASK as ESSAYS
from engine.experiment.tasks.images.task import TASK as IMAGES
from engine.experiment.tasks.relatedness.task import TASK as RELATEDNESS
from engine.experiment.tasks.sentiment.task import TASK as SENTIMENT
from engine.experiment.tasks.tabular.task import TASK as TABULAR

TASKS: Mapping[str, Task] = {task.name: task for task in (ESSAYS, SENTIMENT, RELATEDNESS, TABULAR, IMAGES)}


def task_named(name: str) -> Task:
    """Raises UnknownThing, with the nearest."""
    found = TASKS.get(name.strip().lower())
    if found is None:
        near = difflib.get_close_matches(name.strip().lower(), TASKS, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownThing(f"There is no task {name!r}.{meant} Tasks: {', '.join(TASKS)}.")
    return found
