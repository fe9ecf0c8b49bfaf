"""A table from the Hugging Face Hub: the parquet or CSV files of one split of a data set.

Needs the optional packages of `pip install 'conjecture[hub]'`; a private data set needs HF_TOKEN.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import OwnSuiteError
from engine.own.declared import Declared

PREFIX = "hf:"
FORMATS = (".parquet", ".csv")


def hub_table(declared: Declared, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Columns of the declared split, by name. Raises OwnSuiteError."""
    name = declared.data.removeprefix(PREFIX)
    hub = _needed("huggingface_hub", declared.data)
    try:
        files = hub.HfApi().dataset_info(name, files_metadata=True).siblings or []
        chosen = _of_split({file.rfilename: file.size or 0 for file in files}, name, declared.split)
        size = sum(chosen.values())
        if size > most_bytes:
            raise OwnSuiteError(
                f"{declared.data}: the split {declared.split!r} has {size / 2**20:,.0f} MiB; at most "
                f"{most_bytes >> 20} are read. Name a smaller SPLIT, or save a sample as .npz."
            )
        paths = [Path(hub.hf_hub_download(name, file, repo_type="dataset")) for file in chosen]
    except (OSError, ValueError, hub.errors.HTTPError) as error:  # that of the client which the hub's package uses
        raise OwnSuiteError(_advice(declared.data, error)) from error
    return _read(paths, declared.data)


def _needed(package: str, data: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise OwnSuiteError(
            f"DATA = {data!r} needs the package {package}, which is not installed here: pip install 'conjecture[hub]'. "
            "Or save the data as .npz or .csv beside the file."
        ) from error


def _of_split(sizes: dict[str, int], name: str, split: str) -> dict[str, int]:
    tables = [file for file in sizes if file.endswith(FORMATS)]
    chosen = [file for file in tables if split in Path(file).name or split in Path(file).parent.parts]
    if not chosen and len(tables) == 1:
        chosen = tables
    kinds = {Path(file).suffix for file in chosen}
    if len(kinds) != 1 or len({Path(file).parent for file in chosen}) != 1:
        found = ", ".join(sorted(tables)[:10]) or "none"
        raise OwnSuiteError(
            f"hf:{name} has no single folder of parquet or CSV files for SPLIT = {split!r}; such files are: {found}. "
            "Name the right SPLIT, or save the data as .npz or .csv beside the file."
        )
    return {file: sizes[file] for file in sorted(chosen)}


def _advice(data: str, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403, 404):
        return f"{data} was not found ({status}). Check owner/name; a private or gated data set needs HF_TOKEN."
    first = " ".join(str(error).split())[:200]
    return (
        f"{data} could not be fetched: {first or type(error).__name__}. Without a network, save the data as .npz or "
        ".csv beside the file and name that in DATA."
    )


def _read(paths: Sequence[Path], data: str) -> dict[str, NDArray[Any]]:
    parquet = _needed("pyarrow.parquet" if paths[0].suffix == ".parquet" else "pyarrow.csv", data)
    arrow = _needed("pyarrow", data)
    try:
        read = parquet.read_table if paths[0].suffix == ".parquet" else parquet.read_csv
        table = arrow.concat_tables([read(path) for path in paths])
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise OwnSuiteError(
            f"{data}: its files cannot be read as one table: {' '.join(str(error).split())[:200]}."
        ) from error
    return {column: _plain(table[column].to_numpy()) for column in table.column_names}


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Text as text; a list a row stays an object, and is no number to whoever asks for one."""
    if values.dtype == object and all(isinstance(value, str) for value in values):
        return values.astype(np.str_)
    return values
