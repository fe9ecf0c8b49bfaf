"""Between the two forks of a split job: frames through a socket, tensors through memory that both see.

The fork server makes it before it forks. One side asks, the other answers, in turn; whoever reads a tensor copies it
out once, so that the other side cannot change it while it is used.
"""

from __future__ import annotations

import json
import math
import mmap
import socket
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from .protocol import DOCUMENT_LENGTH, Malformed

REGION_BYTES = 256 << 20  # address space; only what is used takes memory
MAX_FRAME = 4 << 20  # bytes of JSON: a thousand learnable tensors in a hundred replicas
ALIGNMENT = 64
RECEIVED = 64 << 10  # bytes at once
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}

Form = tuple[torch.dtype, tuple[int, ...]]


def form(tensor: Tensor) -> Form:
    return tensor.dtype, tuple(tensor.shape)


class Bridge:
    """One side of it. Raises EOFError when the other side is gone, Malformed for what no side of ours would send."""

    def __init__(self, stream: socket.socket, region: mmap.mmap) -> None:
        self._stream = stream
        self._region = region

    @staticmethod
    def pair() -> tuple[Bridge, Bridge]:
        one, other = socket.socketpair()
        region = mmap.mmap(-1, REGION_BYTES)  # anonymous and shared
        return Bridge(one, region), Bridge(other, region)

    def fileno(self) -> int:
        return self._stream.fileno()

    def at(self, descriptor: int) -> Bridge:
        """The same in a fork that has the socket under another number."""
        self._stream.detach()
        return Bridge(socket.socket(fileno=descriptor), self._region)

    def close(self) -> None:
        """Both sides share one region in the process that made them: closing it twice is harmless."""
        self._stream.close()
        self._region.close()

    def send(self, document: dict[str, Any]) -> None:
        text = json.dumps(document).encode()
        self._stream.sendall(DOCUMENT_LENGTH.pack(len(text)) + text)

    def receive(self) -> dict[str, Any]:
        received = bytearray()
        wanted = DOCUMENT_LENGTH.size
        while len(received) < wanted:
            part = self._stream.recv(RECEIVED)
            if not part:
                raise EOFError("the other side of the split process is gone")
            received += part
            if len(received) >= DOCUMENT_LENGTH.size:
                wanted = DOCUMENT_LENGTH.size + DOCUMENT_LENGTH.unpack_from(received)[0]
                if wanted > DOCUMENT_LENGTH.size + MAX_FRAME:
                    raise Malformed(f"a frame of {wanted:,} bytes")
        if len(received) > wanted:
            raise Malformed("it answered what it was not asked")
        try:
            document = json.loads(received[DOCUMENT_LENGTH.size :])
        except (ValueError, RecursionError) as error:
            raise Malformed("its frame is not JSON") from error
        if not isinstance(document, dict):
            raise Malformed("its frame is not a JSON object")
        return document

    def put(self, tensors: Sequence[Tensor], start: int = 0) -> int:
        """Write them one after the other; where the last one ends. Raises ValueError when there is no room."""
        places, end = layout(map(form, tensors), start)
        for tensor, place in zip(tensors, places, strict=True):
            if tensor.numel():
                self._view(form(tensor), place).copy_(tensor.detach())
        return end

    def take(self, forms: Sequence[Form], start: int = 0) -> list[Tensor]:
        """Copies of what the other side has put."""
        return [view.clone() for view in self.look(forms, start)]

    def look(self, forms: Sequence[Form], start: int = 0) -> list[Tensor]:
        """The memory itself, which the other side may change."""
        places, _ = layout(forms, start)
        return [self._view(one, place) for one, place in zip(forms, places, strict=True)]

    def _view(self, one: Form, place: int) -> Tensor:
        dtype, shape = one
        count = math.prod(shape)
        if count == 0:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(self._region, dtype=dtype, count=count, offset=place).view(shape)


def layout(forms: Iterable[Form], start: int) -> tuple[list[int], int]:
    """Where each begins, and where the last one ends. Raises ValueError when that is beyond the region."""
    sizes = [math.prod(shape) * dtype.itemsize for dtype, shape in forms]
    ends = list(accumulate((-(-size // ALIGNMENT) * ALIGNMENT for size in sizes), initial=start))
    if ends[-1] > REGION_BYTES:
        raise ValueError(f"tensors of {ends[-1] >> 20} MiB at once; split process has room for {REGION_BYTES >> 20}")
    return ends[:-1], ends[-1]


def spelled(forms: Iterable[Form]) -> list[Any]:
    return [[NAMES[dtype], list(shape)] for dtype, shape in forms]


def forms_of(spelled: Any) -> list[Form]:
    """What `spelled` made. Raises Malformed for anything else."""
    if not isinstance(spelled, list):
        raise Malformed("it describes no tensors")
    found: list[Form] = []
    for entry in spelled:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str) or entry[0] not in DTYPES:
            raise Malformed("a tensor is not described by dtype and shape")
        shape = entry[1]
        if (
            not isinstance(shape, list)
            or len(shape) > 16
            or not all(type(n) is int and 0 <= n < 1 << 32 for n in shape)
        ):
            raise Malformed("a tensor has a shape that is not a short list of sizes")
        found.append((DTYPES[entry[0]], tuple(shape)))
    return found
