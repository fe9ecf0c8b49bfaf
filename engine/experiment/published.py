"""What was published with a data set: a paper's claim about it, and the paper's own code as an experiment.

The code lies beside the prototype in every workspace on that data; the prototype does not use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import TaskDataError
from sandbox.workspace import Workspace

if TYPE_CHECKING:
    from engine.experiment.plan import Plan

FOLDER = "published"  # of a workspace
PUBLISHED = "published"  # the kind of a Ready that is no component, but a whole script


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """files: given CONJECTURE_HOME, the paper's code by its path in FOLDER; raises TaskDataError. script: what runs it
    in the place of the prototype's. figure: what the claim reports of the metric."""

    paper: str  # its title
    claim: str  # a sentence of it, word for word
    metric: str
    figure: float
    code: str  # its name and version
    script: Path
    files: Callable[[Path], Workspace]


def start(plan: Plan, home: Path) -> Workspace:
    """The prototype, and beside it the code that was published with the plan's data, where that can be had."""
    prototype, published = plan.template.prototype(), plan.template.source(plan.data).published
    if published is None:
        return prototype
    try:
        files = published.files(home)
    except TaskDataError:  # whoever loads the data says so to people: both come together
        return prototype
    return {**prototype, **{f"{FOLDER}/{path}": content for path, content in files.items()}}
