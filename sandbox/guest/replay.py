"""On a GPU a step of these small nets costs its launches: they are recorded once and replayed as one (CUDA graphs)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .tiers import Refuted, agree

Compute = Callable[..., list[Tensor]]
Record = Callable[[Callable[[], list[Tensor]]], tuple[Callable[[], None], list[Tensor]]]

EAGER_CALLS = 3  # before the recording: what libraries allocate at first use must not be part of it


class Replayed:
    """`compute` of tensors whose shapes stay the same.

    A recording holds for ever what Python decided in it (a counter, a branch), so call 4, 8, 16, ... is computed afresh
    as well. Raises Refuted when the two disagree, and when what `compute` does cannot be recorded.
    """

    def __init__(self, compute: Compute, record: Record) -> None:
        self._compute = compute
        self._record = record
        self._calls = 0
        self._replay: Callable[[], None] | None = None
        self._arguments: list[Tensor] = []
        self._found: list[Tensor] = []

    def __call__(self, *arguments: Tensor) -> list[Tensor]:
        """What the next call overwrites."""
        self._calls += 1
        if self._calls <= EAGER_CALLS:
            return self._compute(*arguments)
        if self._replay is None:
            self._arguments = [argument.clone() for argument in arguments]
            try:
                self._replay, self._found = self._record(lambda: self._compute(*self._arguments))
            except RuntimeError as error:  # it waits for the device (`item`), or launches what cannot be recorded
                raise Refuted from error
        for own, argument in zip(self._arguments, arguments, strict=True):
            own.copy_(argument)
        self._replay()
        if self._calls & (self._calls - 1) == 0:
            afresh = self._compute(*arguments)
            if not all(agree(found[None], wanted[None]) for found, wanted in zip(self._found, afresh, strict=True)):
                raise Refuted
        return self._found


def cuda_graph(compute: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = compute()
    return graph.replay, found
