"""The columns of a pandas frame out of its pickle, without pandas and without doing what a pickle may ask for.

Only names of a short list are looked up, each stands for something inert, and the result is plain lists. For the frames
that pandas 1.3 to 2 wrote: a manager of blocks, each with its values and the places of its columns.
"""

from __future__ import annotations

import io
import lzma
import pickle
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

MOST_BYTES = 64 << 20


class _Frame:
    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.columns, self.blocks = state["_mgr"]


class _ColumnNames:
    """Stands for the class Index as an argument; never made."""


def _index(kind: object, facts: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in facts.get("data", ())]


def _block(values: Any, places: Any, dimensions: int) -> tuple[Any, list[int]]:
    if isinstance(places, slice):
        return values, list(range(places.start, places.stop, places.step or 1))
    return values, [int(place) for place in places]


def _manager(blocks: tuple[tuple[Any, list[int]], ...], axes: list[list[str]]) -> tuple[list[str], Any]:
    return axes[0], blocks


def _array(buffer: bytes, dtype: Any, shape: tuple[int, ...], order: str) -> Any:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order="F" if order == "F" else "C")


def _empty(kind: object, shape: tuple[int, ...], letter: bytes) -> Any:
    return np.ndarray(shape, dtype=np.uint8)  # its state follows


_KNOWN: Mapping[tuple[str, str], Callable[..., Any] | type] = {
    ("pandas.core.frame", "DataFrame"): _Frame,
    ("pandas.core.internals.managers", "BlockManager"): _manager,
    ("pandas._libs.internals", "_unpickle_block"): _block,
    ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.base", "Index"): _ColumnNames,
    ("pandas.core.indexes.range", "RangeIndex"): _ColumnNames,
    ("numpy.core.numeric", "_frombuffer"): _array,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("builtins", "slice"): slice,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"a frame does not need {module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid: object) -> NoReturn:
        raise ValueError("a frame refers to nothing outside")


def read_frame(packed: bytes) -> dict[str, list[Any]]:
    """Columns by name, from a pickle packed with xz: text, numbers, or None where a value is missing.

    Raises ValueError for anything else than such a frame.
    """
    with lzma.open(io.BytesIO(packed)) as stream:
        content = stream.read(MOST_BYTES)
    try:
        frame = _Reader(io.BytesIO(content)).load()
        found = {
            frame.columns[place]: row
            for values, places in frame.blocks
            for place, row in zip(places, values, strict=True)
        }
    except (pickle.UnpicklingError, AttributeError, KeyError, IndexError, TypeError, EOFError) as error:
        raise ValueError(f"not a frame of pandas: {error}") from error
    return {name: [_plain(value) for value in found[name].tolist()] for name in frame.columns}


def _plain(value: Any) -> Any:
    return None if value is None or value != value else value
