"""A component in nets whose tasks differ in size (inputs, classes): the replicas of one size are placed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .harness import Build, Frame, draws, maker, probes_of
from .tiers import Arguments, Placed, Tier, fastest, place

Samples = Callable[[int, int], list[Arguments]]  # (size, replicas) -> two inputs of such a stack, for the probe


@dataclass(frozen=True, slots=True)
class Group:
    size: int
    members: Tensor  # which of the replicas that were asked about
    tier: Tier
    placed: Placed


def groups_of(
    build: Build, frame: Frame, sizes: Sequence[int], samples: Samples, tiers: Sequence[Tier]
) -> tuple[Group, ...]:
    """One instance for each replica of the frame; `sizes` has an entry for each.

    Each group takes the fastest of the tiers that is right in it, or the last one in a careful frame.
    """
    drawn = draws(build)
    groups = []
    for size in sorted(set(sizes)):
        members = [replica for replica, own in enumerate(sizes) if own == size]
        own = replace(frame, seeds=tuple(frame.seeds[replica] for replica in members))
        probes = samples(size, probes_of(own, drawn))
        make = maker(build, own, 0, probes[0])
        tier = tiers[-1] if frame.careful else fastest(make, probes, tiers, alike=not drawn)
        placed = place(tier, make, replicas=len(members), rank=probes[0][0].ndim, alike=not drawn)
        groups.append(Group(size, torch.tensor(members, device=frame.device), tier, placed))
    return tuple(groups)


def slowest(groups: Sequence[Group]) -> Tier:
    return max((group.tier for group in groups), key=list(Tier).index)
