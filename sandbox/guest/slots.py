"""Where a component goes in a stack of nets, by the `slot` of its kind. A further kind of place is one class more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .job import Fault
from .nets import Architecture
from .tiers import Arguments, Placed, Tier, fastest, pick, place, seed_torch

Build = Callable[[], Any]

SCALES = ((1.0, 0.3, 3.0), (0.05, 1.0, 10.0))  # of the probe's inputs, by sample and replica: saturation and overflow
SHIFTS = ((0.0, 1.0, -2.0), (-0.5, 0.5, 0.0))  # so that replicas disagree about every sign and mean
PROBES = len(SCALES[0])  # replicas of the probe's stack


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
        drawn = _draws(build)
        probes = _probes(frame, drawn)
        samples = {shape: _inputs((frame.batch, *shape), frame.parameters[0].device, probes) for shape in shapes}
        make = [_maker(build, frame, layer, samples[shape][0]) for layer, shape in enumerate(shapes)]
        probed = range(len(shapes)) if drawn else [shapes.index(shape) for shape in samples]  # one layer of each shape
        tiers = [fastest(make[layer], samples[shapes[layer]], tuple(Tier)) for layer in probed]
        self.tier = max(tiers, key=list(Tier).index)
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
        samples = _states(frame, _probes(frame, _draws(build)))
        make = _maker(build, frame, 0, samples[0])
        self.tier = fastest(make, samples, (Tier.VMAP, Tier.LOOP))
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


def settle(module: nn.Module, arguments: Arguments) -> nn.Module:
    """Give lazy parameters their shapes by one call in eval mode, as one does before making an optimizer."""
    if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        module.eval()
        with torch.no_grad():
            module(*arguments)
        module.train()
    return module


def _draws(build: Build) -> bool:
    """Whether building draws random numbers, so that instances may differ in more than their parameters."""
    seed_torch(0)
    before = torch.default_generator.get_state()
    if any(map(is_lazy, build().parameters())):  # draws once its shapes are known
        return True
    return not torch.equal(before, torch.default_generator.get_state())


def _probes(frame: Frame, drawn: bool) -> int:
    """Replicas of the probe's stack: every instance that will be used, where instances may differ."""
    return max(PROBES, len(frame.seeds)) if drawn else PROBES


def _maker(build: Build, frame: Frame, layer: int, sample: Arguments) -> Callable[[int], nn.Module]:
    """Instances that draw random parameters draw them from their own trial's seed, in whatever order they are built."""

    def make(replica: int) -> nn.Module:
        again, which = divmod(replica, len(frame.seeds))  # a probe's stack may be larger than what is left of a stack
        seed_torch(component_seed(frame.seeds[which], layer) + again)
        return settle(build().to(frame.parameters[0].device), pick(sample, 0))

    return make


def _inputs(shape: tuple[int, ...], device: torch.device, replicas: int) -> list[Arguments]:
    """Two samples [replicas, *shape]; replicas differ in scale and shift."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((len(SCALES), replicas, *shape), generator=generator)
    samples = noise * _by_replica(SCALES, replicas, len(shape)) + _by_replica(SHIFTS, replicas, len(shape))
    return [(sample,) for sample in samples.to(device)]


def _by_replica(values: tuple[tuple[float, ...], ...], replicas: int, dimensions: int) -> Tensor:
    """[samples, replicas, 1, ...], taking a sample's values in turn."""
    turns = torch.tensor(values)[:, torch.arange(replicas) % PROBES]
    return turns.view(*turns.shape, *(1,) * dimensions)


def _states(frame: Frame, replicas: int) -> list[Arguments]:
    """Weights as they start, scaled, and activations after a ReLU, for the probe of a penalty."""
    device = frame.parameters[0].device
    rows = torch.arange(replicas, device=device) % len(frame.seeds)
    hidden = [_inputs((frame.batch, *shape), device, replicas) for shape in frame.net.hidden(frame.width)]
    samples: list[Arguments] = []
    for number, scales in enumerate(_by_replica(SCALES, replicas, 2).to(device)):
        weights = [parameter.detach()[rows] * scales for parameter in frame.parameters]
        samples.append(as_seen_by_penalty(weights, [F.relu(layer[number][0]) for layer in hidden]))
    return samples
