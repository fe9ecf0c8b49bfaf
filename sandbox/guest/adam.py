"""Adam (Kingma and Ba, 2015) on stacked parameters, with one learning rate for each run of replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

BETAS = (0.9, 0.999)  # as published
EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Run:
    """Replicas start..stop-1 of a stack, all trained with one learning rate."""

    rate: float
    start: int
    stop: int


class Update(Protocol):
    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        """Change the stacked parameters in place; `multiplier` scales every learning rate in this step."""
        ...


class Adam:
    """The fused kernel called directly: a `torch.optim` optimizer would cost more than the step itself.

    `stacked` have a leading replica dimension that `runs` divide; `others` are all trained at `rate`.
    """

    def __init__(self, stacked: Sequence[Tensor], runs: Sequence[Run], others: Sequence[Tensor], rate: float) -> None:
        whole = [*stacked, *others]
        self._groups = [(rate, whole)]
        if len(runs) > 1 or runs[0].rate != rate:
            self._groups = [(run.rate, [t.detach()[run.start : run.stop] for t in stacked]) for run in runs]
            self._groups += [(rate, list(others))] if others else []
        self._runs = runs if len(self._groups) > 1 or runs[0].rate != rate else ()
        self._stacked = len(stacked)
        self._moments = [
            tuple([torch.zeros_like(t, memory_format=torch.contiguous_format) for t in group] for _ in range(2))
            for _, group in self._groups
        ]
        self._step = torch.zeros((), device=whole[0].device)  # one count that all of them share

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        self._step += 1
        for (rate, group), (first, second), found in zip(
            self._groups, self._moments, self._divided(gradients), strict=True
        ):
            torch._fused_adam_(
                group,
                found,
                first,
                second,
                [],
                [self._step] * len(group),
                lr=rate * multiplier,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def _divided(self, gradients: Sequence[Tensor]) -> list[list[Tensor]]:
        whole = [gradient.contiguous() for gradient in gradients]  # the kernel reads gradients in memory order
        if not self._runs:
            return [whole]
        stacked, others = whole[: self._stacked], whole[self._stacked :]
        divided = [[gradient[run.start : run.stop] for gradient in stacked] for run in self._runs]
        return [*divided, others] if others else divided


class Updates:
    """Several, each of so many of the gradients."""

    def __init__(self, parts: Sequence[tuple[int, Update]]) -> None:
        self._parts = parts

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        start = 0
        for count, update in self._parts:
            update.step(gradients[start : start + count], multiplier)
            start += count
