"""What of a hub may enter the sandbox: nothing in which a held-out input is recognised."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import TaskDataError
from engine.experiment.fetched import DATA, Fetched, Wanted
from engine.experiment.hub import Hub
from engine.experiment.overlap import HeldOut
from engine.experiment.table_files import READERS, rows_of
from engine.experiment.task import Data
from engine.experiment.within import Interrupted

LOOKED_AT = 10_000  # rows between two questions whether it is stopped: some seconds


def admit(wanted: Wanted, data: Data, hub: Hub, room: int, stopped: Callable[[], bool]) -> Fetched:
    """Fetch it and look through it. Raises TaskDataError with the reason when it may not enter, Interrupted."""
    held_out = HeldOut(data)
    if wanted.what == DATA and not held_out.can_be_checked:
        raise TaskDataError(
            f"{wanted.in_words} is not fetched: whether a data set holds the rows that this experiment is judged on "
            f"cannot be checked for {data.name}, whose rows are no texts or tables that could be recognised. Models "
            "can be fetched; data come from the training rows alone."
        )
    fetched = hub.fetch(wanted, room, stopped)
    try:
        require_no_held_out(fetched, data, hub, held_out, stopped)
    except TaskDataError:
        hub.forget(fetched)
        raise
    return fetched


def require_no_held_out(
    fetched: Fetched,
    data: Data,
    hub: Hub,
    held_out: HeldOut | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Of a model only the texts beside its weights can be looked through. Raises TaskDataError, Interrupted."""
    held_out = held_out or HeldOut(data)
    if not held_out.can_be_checked:
        return
    for name, path in hub.paths(fetched).items():
        if not name.lower().endswith(tuple(READERS)):
            continue
        for number, row in enumerate(rows_of(path, name), start=1):
            if number % LOOKED_AT == 0 and stopped():
                raise Interrupted
            if held_out.holds(row):
                raise TaskDataError(
                    f"{fetched.in_words} is not handed in: row {number:,} of {name} is or holds an input that this "
                    "experiment is judged on, so its label could be there too. Expected: none of the "
                    f"{held_out.rows:,} held-out rows of {data.name}. Choose another, or go on without it."
                )
