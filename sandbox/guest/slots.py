"""Where a component goes in a stack of nets, by the `slot` of its kind. A further kind of place is one class more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .job import Fault
from .nets import Architecture
from .tiers import Arguments, Placed, Tier, fastest, place, seed_torch

Build = Callable[[], Any]

PROBES = 3  # replicas of the probe's stack
SCALES = ((1.0, 0.3, 3.0), (0.05, 1.0, 10.0))  # of the probe's inputs, per sample and replica: saturation and overflow
SHIFTS = ((0.0, 1.0, -2.0), (-0.5, 0.5, 0.0))  # so that replicas disagree about every sign and mean


class Slot(Protocol):
    """A component in its place(s) of one stack of R replicas."""

    tier: Tier
    learnable: list[Tensor]

    def activate(self, layer: int, x: Tensor) -> Tensor: ...

    def penalty(self, parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> Tensor | None:
        """[R], added to the replicas' losses; None for a component that adds nothing."""
        ...

    def train(self, training: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a component is put into: the nets of R replicas, before training."""

    net: Architecture
    width: int
    batch: int
    parameters: Sequence[Tensor]  # initial, [R, ...]
    seeds: Sequence[int]  # R, for what a component draws when it is built


class ActivationSlot:
    """Called at each hidden layer: one instance per layer and replica."""

    def __init__(self, build: Build, frame: Frame) -> None:
        shapes = frame.net.hidden(frame.width)
        device = frame.parameters[0].device
        make = [_maker(build, frame, layer) for layer in range(len(shapes))]
        inputs = [_inputs((frame.batch, *shape), device) for shape in dict.fromkeys(shapes)]
        self.tier = max((fastest(make[0], samples, tuple(Tier)) for samples in inputs), key=list(Tier).index)
        self._places: list[Placed] = [
            place(self.tier, one, replicas=len(frame.seeds), rank=2 + len(shape))
            for one, shape in zip(make, shapes, strict=True)
        ]
        self.learnable = [tensor for placed in self._places for tensor in placed.learnable]

    def activate(self, layer: int, x: Tensor) -> Tensor:
        return self._places[layer](x)

    def penalty(self, parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> Tensor | None:
        return None

    def train(self, training: bool) -> None:
        for placed in self._places:
            placed.train(training)


class PenaltySlot:
    """Called once a step with all weights and hidden activations of a net whose activation is ReLU.

    The weights are those of every affine map from input to output, as [out, in] (a convolution as [channels out, kernel
    x channels in]); the activations those after each ReLU, flattened to [batch, features]. `direct` is not tried: a
    sum over the whole stack agrees with the loop while the same sum inside a threshold or a root does not.
    """

    def __init__(self, build: Build, frame: Frame) -> None:
        make = _maker(build, frame, 0)
        self.tier = fastest(make, _states(frame), (Tier.VMAP, Tier.LOOP))
        self._placed = place(self.tier, make, replicas=len(frame.seeds), rank=3)
        self.learnable = self._placed.learnable

    def activate(self, layer: int, x: Tensor) -> Tensor:
        return F.relu(x)

    def penalty(self, parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> Tensor | None:
        result = self._placed(*as_seen_by_penalty(parameters, hidden))
        if result.numel() != len(parameters[0]):
            raise Fault("training", f"the penalty must be one number, not a tensor of shape {list(result.shape[1:])}")
        return result.reshape(-1)

    def train(self, training: bool) -> None:
        self._placed.train(training)


SLOTS: dict[str, Callable[[Build, Frame], Slot]] = {"activation": ActivationSlot, "penalty": PenaltySlot}


def component_seed(trial_seed: int, layer: int) -> int:
    return 64 * trial_seed + layer


def as_seen_by_penalty(parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """A stack's parameters and activations as lists of [R, out, in] and [R, batch, features]."""
    weights = [weight.mT.contiguous() for weight in parameters[::2]]  # contiguous, so that `view` works as on a layer's
    return weights, [h.reshape(*h.shape[:2], math.prod(h.shape[2:])) for h in hidden]


def _maker(build: Build, frame: Frame, layer: int) -> Callable[[int], nn.Module]:
    """Instances that draw random parameters draw them from their own trial's seed, in whatever order they are built."""

    def make(replica: int) -> nn.Module:
        again, which = divmod(replica, len(frame.seeds))  # a probe's stack may be larger than what is left of a stack
        seed_torch(component_seed(frame.seeds[which], layer) + again)
        module: nn.Module = build()
        return module.to(frame.parameters[0].device)

    return make


def _inputs(shape: tuple[int, ...], device: torch.device) -> list[Arguments]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((len(SCALES), PROBES, *shape), generator=generator)
    for_each = (len(SCALES), PROBES, *(1,) * len(shape))
    samples = noise * torch.tensor(SCALES).view(for_each) + torch.tensor(SHIFTS).view(for_each)
    return [(sample,) for sample in samples.to(device)]


def _states(frame: Frame) -> list[Arguments]:
    """Weights as they start, scaled, and activations after a ReLU, for the probe of a penalty."""
    device = frame.parameters[0].device
    rows = torch.arange(PROBES, device=device) % len(frame.seeds)
    hidden = [_inputs((frame.batch, *shape), device) for shape in frame.net.hidden(frame.width)]
    samples = []
    for number, scales in enumerate(torch.tensor(SCALES, device=device).view(-1, PROBES, 1, 1)):
        weights = [parameter.detach()[rows] * scales for parameter in frame.parameters]
        samples.append(as_seen_by_penalty(weights, [F.relu(layer[number][0]) for layer in hidden]))
    return list(samples)
