"""Frames and packets: how the host, the fork server and a fork talk. Raw bytes of known lengths; nothing is unpickled.

A *packet* is a JSON document, named arrays and one blob:
    u32 length of the document | document | arrays, C-contiguous, in the document's order | blob
    document = {"values": {...}, "arrays": [[name, dtype, [shape...]], ...]}
A *frame* carries bytes between host and fork server for one job: u8 kind | u32 job | u64 length | bytes.
Between a fork and the fork server a packet is preceded by its length as u64; the fork's first byte says that it is
confined, and has read its job.

The fork server relays packets without looking into them and wipes its buffer, so that no later fork finds another job's
text in its memory.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

FRAME = struct.Struct("<BIQ")
LENGTH = struct.Struct("<Q")
DOCUMENT_LENGTH = struct.Struct("<I")
CONFINED = b"\x01"  # the first byte that a fork sends, once it is confined and has its job
MAX_JOB = 2 << 20  # bytes of a packet for a fork: source and options
MAX_VALUES = 64 << 10  # bytes of JSON in a reply
MAX_DOCUMENT = 1 << 20  # bytes of JSON in anything
MAX_ARRAYS = 4096
DTYPES = frozenset({"float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"})


class Kind(IntEnum):
    """What a frame carries. The first three come from the host."""

    SHELVE = 1  # packet: {"name", "dropped": names of packs to forget} and the arrays of a pack
    RUN = 2  # u32 length, assignment as JSON (limits, pack; nothing of the candidate), packet for the fork
    KILL = 3  # the name of the check to report
    READY = 10  # JSON: versions
    SHELVED = 11  # nothing; `job` repeats the number that SHELVE came with
    REPLY = 12  # the next bytes of the fork's packet
    OUTPUT = 13  # the next bytes of what the fork printed
    DONE = 14  # JSON: how the fork ended, and what it used


class Malformed(Exception):
    """Bytes that are not a well-formed packet. The message says what is wrong, and never quotes the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    blob: bytes = b""


def encode(packet: Packet) -> bytes:
    """Raises ValueError when a value is not JSON (NaN and infinity are not) or an array has a dtype outside DTYPES."""
    arrays = {name: np.ascontiguousarray(array) for name, array in packet.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise ValueError(f"array {name!r} has dtype {array.dtype.name}; expected one of {sorted(DTYPES)}")
    shapes = [[name, array.dtype.name, list(packet.arrays[name].shape)] for name, array in arrays.items()]
    document = json.dumps({"values": packet.values, "arrays": shapes}, allow_nan=False).encode()
    parts = [DOCUMENT_LENGTH.pack(len(document)), document, *(array.tobytes() for array in arrays.values())]
    return b"".join([*parts, packet.blob])


def decode(data: bytes | bytearray | memoryview, *, max_document: int = MAX_DOCUMENT) -> Packet:
    """The packet in `data`; arrays are read-only views of it. Raises Malformed for anything else."""
    view = memoryview(data).toreadonly()
    if len(view) < DOCUMENT_LENGTH.size:
        raise Malformed("shorter than its own header")
    (size,) = DOCUMENT_LENGTH.unpack_from(view)
    start = DOCUMENT_LENGTH.size + size
    if size > max_document or start > len(view):
        raise Malformed(f"its document has {size} bytes, of at most {min(max_document, len(view))}")
    document = _document(bytes(view[DOCUMENT_LENGTH.size : start]))
    arrays: dict[str, Array] = {}
    for name, dtype, shape in _described(document["arrays"]):
        kind = np.dtype(dtype)
        end = start + kind.itemsize * math.prod(shape)
        if end > len(view):
            raise Malformed(f"array {len(arrays)} is longer than the packet")
        arrays[name] = np.frombuffer(view[start:end], dtype=kind).reshape(shape)
        start = end
    return Packet(values=document["values"], arrays=arrays, blob=bytes(view[start:]))


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Malformed("its document is not JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("values"), dict):
        raise Malformed("its document has no values")
    if not isinstance(document.get("arrays"), list) or len(document["arrays"]) > MAX_ARRAYS:
        raise Malformed("its document has no list of arrays")
    return document


def _finite(word: str) -> float:
    number = float(word)
    return number if math.isfinite(number) else _not_json(word)


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _described(entries: list[Any]) -> list[tuple[str, str, tuple[int, ...]]]:
    described: dict[str, tuple[str, str, tuple[int, ...]]] = {}
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 3:
            raise Malformed("an array is not described by name, dtype and shape")
        name, dtype, shape = entry
        if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in DTYPES or name in described:
            raise Malformed("an array has a name twice or an unknown dtype")
        sizes = isinstance(shape, list) and len(shape) <= 16 and all(type(n) is int and 0 <= n < 1 << 40 for n in shape)
        if not sizes:
            raise Malformed("an array has a shape that is not a short list of sizes")
        described[name] = (name, dtype, tuple(shape))
    return list(described.values())


def read_exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """`size` bytes from `read`, which returns some bytes, or b"" at the end. Raises EOFError when that comes first."""
    parts = bytearray()
    while len(parts) < size:
        part = read(min(1 << 20, size - len(parts)))
        if not part:
            raise EOFError(f"the stream ended after {len(parts)} of {size} bytes")
        parts += part
    return bytes(parts)
