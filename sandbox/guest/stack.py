"""The data of one architecture's stack: every replica with its rows, targets, initial parameters and grid factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .harness import Frame
from .nets import ARCHITECTURES, OUTPUTS, Architecture

MASKED = -1e30  # the logit of a class that a task does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """R replicas. `pairs` are (replica of the pack, grid factor), equal factors side by side."""

    net: Architecture
    tensors: Mapping[str, Tensor]  # the pack
    pairs: tuple[tuple[int, float], ...]
    rows: Tensor  # [n, inputs]
    order: Tensor  # [steps, R, batch]
    held_out: Tensor  # [m, inputs]
    asked: Tensor  # [checkpoints, R, examples]
    parameters: list[Tensor]  # initial, [R, ...]
    classifying: Tensor  # [C], which replicas classify
    regressing: Tensor  # [R - C]
    classes: Tensor  # [steps, C, batch]
    values: Tensor  # [steps, R - C, batch]
    mask: Tensor  # [C, 1, 10]: 0 for the classes of the task, MASKED beyond them

    @staticmethod
    def of(net: Architecture, tensors: Mapping[str, Tensor], pairs: Sequence[tuple[int, float]]) -> Stack:
        replicas = torch.tensor([replica for replica, _ in pairs], device=tensors["order"].device)
        classes = tensors["classes"][replicas]
        classifying, regressing = (torch.nonzero(which).flatten() for which in (classes > 0, classes == 0))
        order = tensors["order"][:, replicas]
        targets = tensors["targets"][order]
        beyond = torch.arange(OUTPUTS, device=order.device) >= classes[classifying, None, None]
        return Stack(
            net=net,
            tensors=tensors,
            pairs=tuple(pairs),
            rows=tensors["rows"],
            order=order,
            held_out=tensors["held_out"],
            asked=tensors["asked"][:, replicas],
            parameters=[tensors[f"{net.name}.{number}"][replicas] for number in range(2 * len(net.maps(4)))],
            classifying=classifying,
            regressing=regressing,
            classes=targets[:, classifying].long(),
            values=targets[:, regressing],
            mask=torch.zeros(beyond.shape, device=order.device).masked_fill(beyond, MASKED),
        )

    def only(self, kept: Sequence[int]) -> Stack:
        return Stack.of(self.net, self.tensors, [self.pairs[replica] for replica in kept])

    def frame(self, options: Mapping[str, Any]) -> Frame:
        replicas = [replica for replica, _ in self.pairs]

        def own(name: str) -> tuple[int, ...]:
            return tuple(self.tensors[name][replicas].tolist())

        return Frame(
            net=self.net,
            width=options["width"],
            batch=self.order.shape[-1],
            steps=len(self.order),
            rate=options["learning_rate"],
            parameters=self.parameters,
            seeds=own("seeds"),
            factors=tuple(factor for _, factor in self.pairs),
            inputs=own("inputs"),
            classes=own("classes"),
        )


def stack_of(name: str, tensors: Mapping[str, Tensor], factors: Sequence[float]) -> Stack:
    """Every replica of an architecture once for each factor."""
    replicas = len(tensors[f"{name}.0"])
    return Stack.of(ARCHITECTURES[name], tensors, [(r, factor) for factor in factors for r in range(replicas)])
