"""The true entries of stacked parameters, as one vector in whatever order suits who changes them.

A stack pads its nets to one size and has weights as [R, in, out]; an optimizer is to see what it would see of ordinary
nets: weights [out, in] and biases [out] of true size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..harness import Frame


@dataclass(frozen=True, slots=True)
class Owner:
    """One net whose parameters an optimizer of its own gets."""

    sizes: tuple[tuple[int, int], ...]  # (inputs, outputs) of each map, without padding
    seed: int
    rate: float

    def shape(self, number: int) -> tuple[int, ...]:
        """Of a tensor: even numbers are weights [out, in], odd ones the biases [out] of the same maps."""
        inputs, outputs = self.sizes[number // 2]
        return (outputs,) if number % 2 else (outputs, inputs)


def owners(frame: Frame) -> list[Owner]:
    rates = [run.rate for run in frame.runs() for _ in range(run.start, run.stop)]
    return [
        Owner(tuple(frame.net.sizes(frame.width, inputs, classes or 1)), seed, rate)
        for inputs, classes, seed, rate in zip(frame.inputs, frame.classes, frame.seeds, rates, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Block:
    """Tensors that lie one after the other. `shape` is that of each."""

    shape: tuple[int, ...]
    members: tuple[tuple[int, int], ...]  # (number of the net, number of the tensor in it)


def by_shape(nets: Sequence[Owner]) -> list[Block]:
    """All tensors, those of one shape together, wherever in a net they are."""
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number in range(2 * len(nets[0].sizes)):
        for net, owner in enumerate(nets):
            found.setdefault(owner.shape(number), []).append((net, number))
    return [Block(shape, tuple(members)) for shape, members in found.items()]


class Entries:
    """Where the entries of blocks lie in stacked weights [R, in, out] and biases [R, 1, out], and the way back."""

    def __init__(self, nets: Sequence[Owner], blocks: Sequence[Block], stacked: Sequence[Tensor]) -> None:
        ends = np.cumsum([tensor.numel() for tensor in stacked])
        places = np.split(np.arange(ends[-1]), ends[:-1])
        places = [place.reshape(tuple(tensor.shape)) for place, tensor in zip(places, stacked, strict=True)]
        members = [member for block in blocks for member in block.members]
        chosen = np.concatenate([_of(places[number], nets[net], net, number) for net, number in members])
        back = np.full(ends[-1], len(chosen))  # padding reads what follows the vector, which is zero
        back[chosen] = np.arange(len(chosen))
        self._chosen = torch.from_numpy(chosen).to(stacked[0].device)
        self._back = (
            torch.from_numpy(back).to(stacked[0].device).split_with_sizes([tensor.numel() for tensor in stacked])
        )
        self._shapes = [(len(block.members), *block.shape) for block in blocks]
        self._sizes = [prod(shape) for shape in self._shapes]

    def read(self, stacked: Iterable[Tensor]) -> Tensor:
        """A new vector of the entries."""
        return torch.cat([tensor.reshape(-1) for tensor in stacked]).index_select(0, self._chosen)

    def blocks(self, vector: Tensor) -> list[Tensor]:
        """Views [members, *shape] of a vector, of each block."""
        parts = vector.split_with_sizes(self._sizes)
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def write(self, vector: Tensor, stacked: Sequence[Tensor]) -> None:
        """Into contiguous tensors; `vector` has the entries and one zero more."""
        for tensor, back in zip(stacked, self._back, strict=True):
            torch.index_select(vector, 0, back, out=tensor.view(-1))


def _of(
    places: np.ndarray[tuple[int, ...], np.dtype[np.int64]], owner: Owner, net: int, number: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    inputs, outputs = owner.sizes[number // 2]
    return (places[net, 0, :outputs] if number % 2 else places[net, :inputs, :outputs].T).ravel()
