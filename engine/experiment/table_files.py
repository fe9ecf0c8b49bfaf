"""Files of a data set as others publish them, row by row: to be looked through, and to be handed to a script."""

from __future__ import annotations

import csv
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from engine.errors import TaskDataError

Rows = Iterator[list[Any]]

MOST_JSON_BYTES = 64 << 20  # of one document, which is read whole; of lines as many as there are
MOST_DECODED_BYTES = 1 << 30  # of a parquet file: a small one can unfold without end
LINES_TOGETHER = 40  # of a text, whose sentences run over several lines
PARQUET, AS_CSV = ".parquet", ".csv"
DELIMITERS = ",;\t|"


def rows_of(path: Path, name: str) -> Rows:
    """What the file at `path`, called `name` by its publisher, holds. Raises TaskDataError when it cannot be read."""
    suffix = Path(name).suffix.lower()
    if suffix not in READERS:
        raise TaskDataError(f"{name} cannot be looked through: only {', '.join(READERS)} can.")
    try:
        yield from READERS[suffix](path)
    except (csv.Error, UnicodeError, ValueError, RecursionError, OSError) as error:
        raise TaskDataError(f"{name} cannot be read as {suffix}: {' '.join(str(error).split())[:160]}.") from error


def handed_in(path: Path, name: str) -> tuple[str, bytes]:
    """Name and content as a script gets them: parquet as CSV, since nothing in the sandbox reads it."""
    if Path(name).suffix.lower() != PARQUET:
        return name, path.read_bytes()
    arrow_csv = _arrow("pyarrow.csv", name)
    stream = io.BytesIO()
    try:
        with _parquet(path, name) as file, arrow_csv.CSVWriter(stream, file.schema_arrow) as writer:
            for batch in file.iter_batches():
                writer.write_batch(batch)
                _require_small(stream.tell(), name)
    except (ValueError, TypeError, NotImplementedError, OSError) as error:  # pyarrow's are among these
        reason = " ".join(str(error).split())[:160]
        raise TaskDataError(f"{name} cannot be handed in as CSV: {reason}. Fetch other files.") from error
    return f"{name}{AS_CSV}", stream.getvalue()


def _delimited(path: Path) -> Rows:
    csv.field_size_limit(min(sys.maxsize, MOST_DECODED_BYTES))
    with _opened(path) as stream:
        beginning = stream.read(8192)
        stream.seek(0)
        first = beginning.splitlines()[0] if beginning else ""
        delimiter = max(DELIMITERS, key=first.count)
        yield from csv.reader(stream, delimiter=delimiter)


def _lines(path: Path) -> Rows:
    with _opened(path) as stream:
        while lines := list(islice(stream, LINES_TOGETHER)):
            yield [*lines, " ".join(lines)]


def _json(path: Path) -> Rows:
    if path.stat().st_size <= MOST_JSON_BYTES:
        with _opened(path) as stream:
            try:
                told = json.load(stream)
            except json.JSONDecodeError:
                told = None
        if told is not None:
            yield from _objects(told)
            return
    yield from _json_lines(path)


def _json_lines(path: Path) -> Rows:
    with _opened(path) as stream:
        for line in stream:
            if line.strip():
                yield from _objects(json.loads(line))


def _objects(told: Any) -> Rows:
    """Every object and every list as a row, and lists of one length side by side, as columns."""
    if isinstance(told, dict):
        columns = [value for value in told.values() if isinstance(value, list)]
        if len(columns) > 1 and len({len(column) for column in columns}) == 1:
            yield from map(list, zip(*columns, strict=True))
        yield [*told, *(value for value in told.values() if not isinstance(value, dict | list))]
        for value in told.values():
            yield from _objects(value)
    elif isinstance(told, list):
        yield [value for value in told if not isinstance(value, dict | list)]
        for value in told:
            yield from _objects(value)
    else:
        yield [told]


def _unfolded(path: Path) -> Rows:
    size = 0
    with _parquet(path, path.name) as file:
        for batch in file.iter_batches():
            size += batch.nbytes
            _require_small(size, path.name)
            for row in batch.to_pylist():
                yield list(row.values())


def _require_small(size: int, name: str) -> None:
    if size > MOST_DECODED_BYTES:
        raise TaskDataError(
            f"{name} unfolds to more than {MOST_DECODED_BYTES >> 20:,} MiB, which is too much. Fetch smaller files."
        )


def _parquet(path: Path, name: str) -> Any:
    return _arrow("pyarrow.parquet", name).ParquetFile(path)


def _arrow(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise TaskDataError(f"{name} needs the packages of `pip install 'conjecture[hub]'`.") from error


def _opened(path: Path) -> io.TextIOWrapper:
    """As UTF-8, or as Latin-1, in which any bytes are letters. Raises ValueError for what is no text."""
    with path.open("rb") as file:
        beginning = file.read(1 << 16)
    if b"\0" in beginning:
        raise ValueError("it is no text")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            while stream.read(1 << 20):
                pass
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "latin-1"
    return path.open(encoding=encoding, newline="")


READERS: Mapping[str, Callable[[Path], Rows]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _lines,
    ".json": _json,
    ".jsonl": _json_lines,
    PARQUET: _unfolded,
}
