"""The data of a stack: architectures whose replicas lie one after the other, with rows, targets and grid factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .harness import Activate, Frame, Layer, layers_of
from .nets import ARCHITECTURES, OUTPUTS, Architecture

MASKED = -1e30  # the logit of a class that a task does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The replicas of one architecture: `pairs` are (replica of the pack, grid factor), equal factors side by side."""

    net: Architecture
    pairs: tuple[tuple[int, float], ...]
    replicas: Tensor  # [r], of the pack
    first: bool  # whether they are the first r of the pack, in order
    parameters: list[Tensor]  # initial, [r, ...]

    @staticmethod
    def of(name: str, tensors: Mapping[str, Tensor], pairs: Sequence[tuple[int, float]]) -> Member:
        net, replicas = ARCHITECTURES[name], torch.tensor([r for r, _ in pairs], device=tensors["order"].device)
        initial = [tensors[f"{name}.{number}"][replicas] for number in range(2 * len(net.maps(4)))]
        first = [replica for replica, _ in pairs] == list(range(len(pairs)))
        return Member(net=net, pairs=tuple(pairs), replicas=replicas, first=first, parameters=initial)

    def take(self, rows: Tensor) -> Tensor:
        """[r, ...] of what is there for every replica of the pack, without a copy where that is possible."""
        return rows[: len(self.pairs)] if self.first else rows.index_select(0, self.replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """R replicas, those of the first member first."""

    members: tuple[Member, ...]
    tensors: Mapping[str, Tensor]  # the pack
    order: Tensor  # [steps, replicas of the pack, batch]
    classifying: Tensor  # [C], which replicas classify
    regressing: Tensor  # [R - C]
    classes: Tensor  # [steps, C, batch]
    values: Tensor  # [steps, R - C, batch]
    mask: Tensor  # [C, 1, 10]: 0 for the classes of the task, MASKED beyond them

    @staticmethod
    def of(tensors: Mapping[str, Tensor], members: Sequence[Member]) -> Stack:
        replicas = torch.cat([member.replicas for member in members])
        classes = tensors["classes"][replicas]
        classifying, regressing = (torch.nonzero(which).flatten() for which in (classes > 0, classes == 0))
        targets = tensors["targets"][tensors["order"]]
        beyond = torch.arange(OUTPUTS, device=replicas.device) >= classes[classifying, None, None]
        return Stack(
            members=tuple(members),
            tensors=tensors,
            order=tensors["order"],
            classifying=classifying,
            regressing=regressing,
            classes=targets[:, replicas[classifying]].long(),
            values=targets[:, replicas[regressing]],
            mask=torch.zeros(beyond.shape, device=replicas.device).masked_fill(beyond, MASKED),
        )

    def only(self, kept: Sequence[int]) -> Stack:
        """Of a stack with one member: the replicas that are kept."""
        (member,) = self.members
        pairs = [member.pairs[replica] for replica in kept]
        return Stack.of(self.tensors, [Member.of(member.net.name, self.tensors, pairs)])

    def batch(self, step: int) -> list[Tensor]:
        """What each member trains on in this step, [r, batch, inputs]."""
        return self._rows(self.tensors["rows"], self.order[step])

    def asked(self, checkpoint: int) -> list[Tensor]:
        """What each member predicts at this checkpoint, [r, examples, inputs]."""
        return self._rows(self.tensors["held_out"], self.tensors["asked"][checkpoint])

    def _rows(self, rows: Tensor, which: Tensor) -> list[Tensor]:
        found = rows.index_select(0, which.flatten()).view(*which.shape, -1)
        return [member.take(found) for member in self.members]

    def forward(
        self,
        layers: Sequence[Layer],
        parameters: Sequence[Sequence[Tensor]],
        rows: Sequence[Tensor],
        activate: Activate,
    ) -> Tensor:
        """Outputs [R, batch, 10], given each member's parameters and rows. A layer is activated in one call."""
        each = zip(self.members, parameters, rows, strict=True)
        running = [member.net.forward(own, x) for member, own, x in each]
        waiting = [next(net) for net in running]
        for number, layer in enumerate(layers):
            parts = [waiting[net] for net in layer.nets]
            if len(parts) == 1:
                made = [activate(number, parts[0])]
            else:
                made = list(activate(number, torch.cat(parts)).split_with_sizes([len(part) for part in parts]))
            for net, activated in zip(layer.nets, made, strict=True):
                waiting[net] = running[net].send(activated)
        return torch.cat(waiting) if len(waiting) > 1 else waiting[0]

    def by_name(self, predictions: Tensor) -> dict[str, Tensor]:
        """[checkpoints, R, ...] as {architecture: [checkpoints, r, ...]}."""
        parts = predictions.split_with_sizes([len(member.pairs) for member in self.members], 1)
        return {member.net.name: part for member, part in zip(self.members, parts, strict=True)}

    def frame(self, options: Mapping[str, Any]) -> Frame:
        pairs = [pair for member in self.members for pair in member.pairs]
        replicas = [replica for replica, _ in pairs]
        nets, counts = zip(*((member.net, len(member.pairs)) for member in self.members), strict=True)

        def own(name: str) -> tuple[int, ...]:
            return tuple(self.tensors[name][replicas].tolist())

        return Frame(
            nets=nets,
            counts=counts,
            layers=tuple(layers_of(nets, counts, options["width"])),
            width=options["width"],
            batch=self.order.shape[-1],
            steps=len(self.order),
            rate=options["learning_rate"],
            parameters=[parameter for member in self.members for parameter in member.parameters],
            seeds=own("seeds"),
            factors=tuple(factor for _, factor in pairs),
            inputs=own("inputs"),
            classes=own("classes"),
        )


def stack_of(names: Sequence[str], tensors: Mapping[str, Tensor], factors: Sequence[float]) -> Stack:
    """Every replica of these architectures once for each factor."""
    members = []
    for name in names:
        replicas = len(tensors[f"{name}.0"])
        members.append(Member.of(name, tensors, [(r, factor) for factor in factors for r in range(replicas)]))
    return Stack.of(tensors, members)
