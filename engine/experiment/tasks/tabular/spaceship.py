"""Spaceship Titanic: passengers of an invented ship, two classes, values missing in most columns (Kaggle 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import TaskDataError
from engine.experiment.task import Data, Source, table
from engine.experiment.tasks.original import local_file, numbers, read_csv

FILE, TARGET = "train.csv", "Transported"
NUMERIC = ("Age", "RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck")
NAMING = ("PassengerId", "Name")  # they name a row and describe nothing
LICENCE = "CC BY 4.0 (Kaggle)"
PROVENANCE = "Howard, Chow and Holbrook: Spaceship Titanic, Kaggle 2022"
WHERE = "Get it from the Kaggle competition spaceship-titanic"


def spaceship_titanic(home: Path) -> Data:
    found = read_csv(local_file(home, "spaceship-titanic", FILE, WHERE), (*NUMERIC, TARGET))
    wrong = sorted(set(found[TARGET]) - {"True", "False"})
    if wrong:
        raise TaskDataError(f"{FILE}: {TARGET} is {wrong[0]!r} in a row; expected True or False.")
    columns: dict[str, list[Any]] = {}
    for name, values in found.items():
        if name in NUMERIC:
            columns[name] = [numbers([value], name)[0] if value else None for value in values]
        elif name not in (*NAMING, TARGET):
            columns[name] = [value or None for value in values]
    return table(
        columns,
        [float(value == "True") for value in found[TARGET]],
        name="spaceship-titanic",
        target="transported",
        classes=("no", "yes"),
        metrics=("accuracy", "auc", "log-loss", "macro-f1"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


SPACESHIP = Source(
    name="spaceship-titanic",
    title="Spaceship Titanic",
    licence=LICENCE,
    provenance=PROVENANCE,
    needs=f"{FILE} in data/spaceship-titanic/. {WHERE}",
    load=spaceship_titanic,
    original=True,
)
