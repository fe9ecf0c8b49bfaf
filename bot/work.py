"""What an answer sets going."""

from __future__ import annotations

from enum import StrEnum


class Work(StrEnum):
    """The values are the names of workflows in jobs.py."""

    RESEARCH = "research"
    REST = "rest"
    CONFIRM = "confirm"
    EXPERIMENT = "experiment"


Next = tuple[Work, list[object]] | None  # the workflow to enqueue and its arguments; JSON
