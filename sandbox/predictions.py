"""Predictions out of a file that hostile code wrote: NumPy's npy format, read by hand and never unpickled.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.lib import format as npy

from sandbox.execution import Array
from sandbox.workspace import Expected, Numbers

LARGEST_ITEM = 8  # bytes
LARGEST_HEADER = 1024  # bytes; those of plain arrays have 118 or little more, and long ones nest deeply
KINDS = {Numbers.NUMBER: "fiub", Numbers.INTEGER: "iubf"}
WANTED = {Numbers.NUMBER: "real numbers", Numbers.INTEGER: "integers"}


class Unusable(Exception):
    """One sentence: what is wrong with the file, and what was expected."""


def most_bytes(expected: Expected) -> int:
    """How large a file with such an array can be."""
    return LARGEST_HEADER + math.prod(expected.shape) * LARGEST_ITEM


def read_predictions(content: bytes, expected: Expected) -> Array:
    """float64 or int64 of the expected shape, all finite. Raises Unusable."""
    name = expected.path
    shape, fortran, dtype, start = _header(content, name)
    wanted = f"expected {WANTED[expected.kind]} of shape {expected.shape}"
    if dtype.hasobject or dtype.names or dtype.kind not in KINDS[expected.kind] or dtype.itemsize > LARGEST_ITEM:
        raise Unusable(f"{name} holds {dtype.name[:40]}; {wanted}")
    if shape != expected.shape:
        raise Unusable(f"{name} has shape {shape}; {wanted}")
    if len(content) - start != math.prod(shape) * dtype.itemsize:
        size = math.prod(shape) * dtype.itemsize
        raise Unusable(f"{name} has {len(content) - start:,} bytes of numbers; its own header says {size:,}")
    flat = np.frombuffer(content, dtype=dtype, offset=start)
    values = flat.reshape(shape, order="F" if fortran else "C")
    strange = int((~np.isfinite(values)).sum()) if dtype.kind == "f" else 0
    if strange:
        raise Unusable(f"{name}: {strange:,} of {values.size:,} predictions are not finite numbers")
    if expected.kind is Numbers.NUMBER:
        return values.astype(np.float64)
    whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise Unusable(f"{name} holds numbers that are no integers; {wanted}")
    return whole


def _header(content: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    """Shape, whether columns come first, dtype and where the numbers begin."""
    stream = io.BytesIO(content)
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream, max_header_size=LARGEST_HEADER)
    except Exception:  # noqa: BLE001 - what literal_eval, tokenize and numpy raise over hostile text is listed nowhere
        raise Unusable(f"{name} is no array in NumPy's npy format; write it with numpy.save") from None
    if len(shape) > 16 or any(type(size) is not int or size < 0 for size in shape):
        raise Unusable(f"{name} has a shape that is not a short list of sizes")
    return shape, fortran, dtype, stream.tell()
