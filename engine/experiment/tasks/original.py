"""The data sets of the published evaluation. Most may not be passed on: whoever has them puts them into the home.

Each is read from `data/<name>/` in CONJECTURE_HOME, in the files in which its publisher gives it out.
"""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

from engine.errors import TaskDataError
from engine.experiment.packages import FOLDER


def local_file(home: Path, name: str, file: str, where: str) -> Path:
    """Raises TaskDataError that says where to get it."""
    path = home / FOLDER / name / file
    if not path.exists():
        raise TaskDataError(f"{file} of {name} is not at {path}. {where}, and put it there.")
    return path


def read_csv(path: Path, needed: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Columns by name. Raises TaskDataError when one that is needed is missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TaskDataError(f"{path} cannot be read as a table: {error}.") from error
    found = list(rows[0]) if rows else []
    for column in needed:
        if column not in found:
            raise TaskDataError(f"{path} has no column {column!r}; it has {', '.join(map(str, found)) or 'no rows'}.")
    return {column: [row[column] or "" for row in rows] for column in found}


def numbers(values: list[str], column: str) -> list[float]:
    """Raises TaskDataError for the first that is no number."""
    try:
        return [float(value) for value in values]
    except ValueError as error:
        raise TaskDataError(f"The column {column!r} holds what is no number: {error}.") from error


def from_hub(home: Path, name: str, repository: str, file: str, where: str) -> dict[str, list[str]]:
    """Columns of a parquet file as text: from the home when it lies there, else from the Hugging Face Hub.

    Raises TaskDataError.
    """
    local = home / FOLDER / name / Path(file).name
    try:
        hub, arrow = importlib.import_module("huggingface_hub"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise TaskDataError(f"{name} needs the packages of `pip install 'conjecture[hub]'`: {error}.") from error
    errors = importlib.import_module("huggingface_hub.errors")
    try:
        path = local if local.is_file() else hub.hf_hub_download(repository, file, repo_type="dataset")
        columns = arrow.read_table(path).to_pydict()
    except (OSError, ValueError, errors.HTTPError) as error:  # pyarrow's and the client's errors are among these
        reason = " ".join(str(error).split())[:160]
        raise TaskDataError(f"{name} could not be read: {reason}. {where} to {local}.") from error
    return {column: [str(value) for value in values] for column, values in columns.items()}


def first_of(columns: dict[str, list[str]], *names: str) -> list[str]:
    """The first of these columns that is there. Raises TaskDataError when none is."""
    for name in names:
        if name in columns:
            return columns[name]
    raise TaskDataError(f"Expected a column {' or '.join(names)}; there are {', '.join(columns)}.")
