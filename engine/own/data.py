"""A team's data: read on the host, never with pickle, and checked before anything is trained on it."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import OwnSuiteError
from engine.own.declared import Declared
from engine.own.hub import PREFIX, hub_table

Array = NDArray[Any]

MOST_BYTES = 64 << 20  # of a file, and of what is unpacked from it
FEWEST_ROWS = 60
FEWEST_OF_CLASS = 10
FEWEST_GROUPS = 6
MOST_CLASSES = 1000
SHOWN = 12  # columns named in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """inputs [n, ...] float32 or int64; targets [n] float64: class numbers, or values as they were found."""

    name: str
    inputs: Array
    targets: Array
    labels: tuple[str, ...] | None  # the classes' own names, in the order of their numbers; None: a regression
    groups: Array | None = None  # [n] int64
    columns: tuple[str, ...] = ()  # of a table

    @property
    def classes(self) -> int:
        return len(self.labels or ())

    @property
    def in_words(self) -> str:
        shape = f"{len(self.columns)} columns" if self.columns else f"inputs of shape {list(self.inputs.shape[1:])}"
        of = f"{self.classes} classes" if self.labels else "one value to predict"
        groups = f", {len(np.unique(self.groups)):,} groups" if self.groups is not None else ""
        return f"{len(self.inputs):,} rows, {shape}, {of}{groups}"


def read_data(declared: Declared, folder: Path) -> Data:
    """The data that the file in `folder` declares. Raises OwnSuiteError, which says what to change and where."""
    if declared.data.startswith(PREFIX):
        name = declared.data.removeprefix(PREFIX)
        return _from_table(declared, name.rpartition("/")[2], name, hub_table(declared, MOST_BYTES))
    path = folder / declared.data
    content = _content(declared, path)
    if path.suffix.lower() == ".npz":
        return _from_npz(declared, path, content)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _from_table(declared, path.stem, path.name, csv_table(path.name, content))
    raise OwnSuiteError(f'DATA = {declared.data!r} must end in .npz, .csv or .tsv, or be "hf:owner/name".')


def _content(declared: Declared, path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise OwnSuiteError(
                f"{path.name} has {size / 2**20:,.0f} MiB; at most {MOST_BYTES >> 20} are read. Take a sample."
            )
        return path.read_bytes()
    except OSError as error:
        raise OwnSuiteError(
            f"DATA = {declared.data!r} cannot be read: {error.strerror} ({path}). Paths start at the file's folder."
        ) from error


# --- .npz


def _from_npz(declared: Declared, path: Path, content: bytes) -> Data:
    arrays = npz_arrays(path.name, content)
    inputs = _array(arrays, (declared.inputs or ("x",))[0], "INPUTS", path.name)
    target = declared.target or "y"
    targets = _array(arrays, target, "TARGET", path.name)
    groups = _array(arrays, declared.group, "GROUP", path.name) if declared.group else None
    if inputs.ndim < 2 or targets.ndim != 1 or len(inputs) != len(targets):
        raise OwnSuiteError(
            f"{path.name}: inputs have shape {list(inputs.shape)} and {target} {list(targets.shape)}; expected "
            "[n, ...] and [n] with the same n."
        )
    if groups is not None and groups.shape != targets.shape:
        raise OwnSuiteError(f"{path.name}: {declared.group} has shape {list(groups.shape)}; expected [{len(targets)}].")
    if not np.issubdtype(inputs.dtype, np.number) and inputs.dtype != np.bool_:
        raise OwnSuiteError(f"{path.name}: the inputs are {inputs.dtype}; they must be numbers.")
    whole = np.issubdtype(inputs.dtype, np.integer)
    inputs = np.ascontiguousarray(inputs, np.int64 if whole else np.float32)
    if not whole and not np.isfinite(inputs).all():
        row = int(np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(1))[0])
        bad = int((~np.isfinite(inputs)).sum())
        raise OwnSuiteError(f"{path.name}: {bad:,} inputs are NaN or infinite, the first in row {row}. Fill them.")
    return _checked(declared, path.stem, path.name, target, inputs, targets, groups, ())


def npz_arrays(name: str, content: bytes) -> dict[str, Array]:
    """Raises OwnSuiteError for anything but plain arrays of a bearable size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > 2 * MOST_BYTES:
            raise OwnSuiteError(f"{name} unpacks to {size / 2**20:,.0f} MiB; at most {2 * MOST_BYTES >> 20} are read.")
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return {key: found[key] for key in found.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError) as error:
        hint = " Save plain arrays of numbers with numpy.savez: pickled objects are never read." * (
            "pickle" in str(error)
        )
        raise OwnSuiteError(f"{name} is not an .npz that can be read: {error}.{hint}") from error


def _array(arrays: Mapping[str, Array], name: str, declaration: str, file: str) -> Array:
    if name not in arrays:
        has = ", ".join(arrays) or "none"
        raise OwnSuiteError(f"{file} has no array {name!r}; it has {has}. Name the right one: {declaration} = ...")
    return arrays[name]


# --- tables

Table = Mapping[str, Sequence[str] | Array]  # columns by name


def csv_table(name: str, content: bytes) -> dict[str, Sequence[str]]:
    """Columns as text. The delimiter is the most frequent of comma, semicolon and tab in the header."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OwnSuiteError(f"{name} is not UTF-8: byte {error.start}. Save it as UTF-8.") from error
    header = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    try:
        names = [column.strip() for column in next(rows, [])]
        filled = [(rows.line_num, row) for row in rows if row]
    except csv.Error as error:
        raise OwnSuiteError(f"{name}, line {rows.line_num}: {error}.") from error
    if not names or len(set(names)) < len(names):
        raise OwnSuiteError(
            f"{name} must begin with a line of different column names; found: {', '.join(names)[:200]!r}"
        )
    for line, row in filled:
        if len(row) != len(names):
            raise OwnSuiteError(f"{name}, line {line} has {len(row)} cells; the header has {len(names)}.")
    columns = zip(*(row for _, row in filled), strict=True)
    return dict(zip(names, columns, strict=True)) if filled else dict.fromkeys(names, ())


def _from_table(declared: Declared, name: str, file: str, table: Table) -> Data:
    target = declared.target
    if target is None:
        raise OwnSuiteError(f'The file declares no TARGET. {file} has the columns {_listed(table)}: TARGET = "..."')
    others = [column for column in (target, declared.group) if column]
    inputs = declared.inputs or tuple(column for column in table if column not in others)
    for declaration, column in (("TARGET", target), ("GROUP", declared.group), *(("INPUTS", c) for c in inputs)):
        if column and column not in table:
            raise OwnSuiteError(f"{declaration}: {file} has no column {column!r}; it has {_listed(table)}.")
    if set(inputs) & set(others) or not inputs:
        raise OwnSuiteError(f"INPUTS must name columns, and neither TARGET nor GROUP; found {list(inputs)}.")
    columns = [_numbers(file, column, table[column]) for column in inputs]
    groups = np.asarray(table[declared.group]).astype(str) if declared.group else None
    inside = np.stack(columns, 1).astype(np.float32) if len(columns[0]) else np.zeros((0, len(columns)), np.float32)
    return _checked(declared, name, file, target, inside, _column(table[target]), groups, inputs)


def _column(values: Sequence[str] | Array) -> Array:
    found = np.asarray(values)
    if found.dtype.kind == "U":
        try:
            return found.astype(np.float64)
        except ValueError:
            return np.char.strip(found)
    return found


def _numbers(file: str, column: str, values: Sequence[str] | Array) -> Array:
    found = _column(values)
    if found.dtype.kind not in "biuf":
        row, value = next((row, value) for row, value in enumerate(values) if not _is_number(value))
        what = "is empty" if not str(value or "").strip() else f"holds {str(value)[:40]!r}"
        raise OwnSuiteError(
            f"{file}: column {column!r} {what} in row {row + 1}. Inputs must be numbers: fill or encode them, or "
            "name only the columns to use: INPUTS = [...]"
        )
    found = found.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise OwnSuiteError(
            f"{file}: column {column!r} has {len(bad):,} missing or infinite values, the first in row {bad[0] + 1}. "
            "Fill them or drop those rows."
        )
    return found


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _listed(table: Table) -> str:
    names = list(table)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


# --- what must hold of any data


def _checked(
    declared: Declared,
    name: str,
    file: str,
    target: str,
    inputs: Array,
    targets: Array,
    groups: Array | None,
    columns: tuple[str, ...],
) -> Data:
    if len(inputs) < FEWEST_ROWS:
        raise OwnSuiteError(f"{file} has {len(inputs)} rows; at least {FEWEST_ROWS} are needed, a third is held out.")
    if declared.budget.batch > len(inputs) // 2:
        raise OwnSuiteError(f"BUDGET's batch is {declared.budget.batch}, too many of {len(inputs)} rows in {file}.")
    numeric = targets.dtype.kind in "biuf"
    if numeric and not np.isfinite(targets.astype(np.float64)).all():
        row = int(np.flatnonzero(~np.isfinite(targets.astype(np.float64)))[0]) + 1
        raise OwnSuiteError(f"{file}: the target {target!r} is missing or infinite in row {row}. Drop those rows.")
    found = _classified(declared, file, target, targets) if declared.metric.classes else None
    if found is None and not numeric:
        raise OwnSuiteError(
            f"{file}: the target {target!r} holds {str(targets[0])[:40]!r}; METRIC = {declared.metric.name!r} needs "
            "numbers. For classes take log-loss, accuracy, AUC or brier."
        )
    if groups is not None and len(np.unique(groups)) < FEWEST_GROUPS:
        raise OwnSuiteError(f"{file}: GROUP must have at least {FEWEST_GROUPS} different values.")
    labels, numbers = found or (None, targets.astype(np.float64))
    if np.ptp(numbers) == 0:
        raise OwnSuiteError(f"{file}: the target {target!r} is {targets[0]} in every row; there is nothing to learn.")
    return Data(
        name=name,
        inputs=inputs,
        targets=numbers,
        labels=labels,
        groups=None if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64),
        columns=columns,
    )


def _classified(declared: Declared, file: str, target: str, targets: Array) -> tuple[tuple[str, ...], Array]:
    values, numbers, counts = np.unique(targets, return_inverse=True, return_counts=True)
    if len(values) > min(MOST_CLASSES, len(targets) // FEWEST_OF_CLASS):
        raise OwnSuiteError(
            f"{file}: the target {target!r} has {len(values):,} different values in {len(targets):,} rows, "
            f'too many classes. If it is a quantity, METRIC must be "mse", "mae" or "r2", not {declared.metric.name!r}.'
        )
    names = tuple(f"{value:g}" if values.dtype.kind == "f" else str(value) for value in values)
    if counts.min() < FEWEST_OF_CLASS:
        raise OwnSuiteError(
            f"{file}: the class {names[counts.argmin()][:40]!r} of {target!r} has {counts.min()} rows; at least "
            f"{FEWEST_OF_CLASS} are needed to train and to hold out."
        )
    return names, numbers.astype(np.float64)
