"""How a stack of nets is trained, with one hook for each place where a component can go.

`Harness` is training as published: ReLU, softmax cross-entropy or squared error, Adam at a constant rate. The harness
of a kind overrides the hooks of its own place and leaves the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .adam import Adam, Run, Update
from .nets import Architecture
from .tiers import Arguments, Placed, Tier, fastest, pick, place, seed_torch

Build = Callable[..., Any]

SCALES = ((1.0, 0.3, 3.0), (0.05, 1.0, 10.0))  # of the probe's inputs, by sample and replica: saturation and overflow
SHIFTS = ((0.0, 1.0, -2.0), (-0.5, 0.5, 0.0))  # so that replicas disagree about every sign and mean
PROBES = len(SCALES[0])  # replicas of the probe's stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a component is put into: the nets of R replicas, before training. Every tuple has R entries."""

    net: Architecture
    width: int
    batch: int
    steps: int
    rate: float  # the suite's learning rate
    parameters: Sequence[Tensor]  # initial, [R, ...]: see nets.py
    seeds: tuple[int, ...]  # for what a component draws when it is built
    factors: tuple[float, ...]  # of the grid, equal ones side by side: scales the learning rate, or what the kind says
    inputs: tuple[int, ...]  # true number of inputs; the rest is padding
    classes: tuple[int, ...]  # 0 for a regression

    @property
    def device(self) -> torch.device:
        return self.parameters[0].device

    def sizes(self, replica: int) -> list[tuple[int, int]]:
        """(inputs, outputs) of the replica's affine maps, without what pads them in the stack."""
        return self.net.sizes(self.width, self.inputs[replica], self.classes[replica] or 1)

    def runs(self) -> list[Run]:
        """The stack divided where the grid's factor changes."""
        found, start = [], 0
        for factor, members in groupby(self.factors):
            stop = start + len(list(members))
            found.append(Run(self.rate * factor, start, stop))
            start = stop
        return found


class Harness:
    """Training without any component. `tier` says how the component is batched, `learnable` what is trained with it."""

    tier: Tier = Tier.DIRECT

    def __init__(self, build: Build, frame: Frame) -> None:
        self.frame = frame
        self.learnable: list[Tensor] = []

    def initial(self) -> list[Tensor]:
        """The parameters that training starts from, [R, ...]."""
        return list(self.frame.parameters)

    def batch(self, x: Tensor) -> Tensor:
        """What the nets see of the training rows x [R, batch, inputs]."""
        return x

    def activate(self, layer: int, x: Tensor) -> Tensor:
        """[R, batch, ..., features] -> same shape."""
        return F.relu(x)

    def classify(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The sum of the mean losses of the replicas that classify, in their order.

        Logits [C, batch, 10] are -1e30 beyond the classes of the task; classes [C, batch].
        """
        return F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="sum") / logits.shape[1]

    def penalty(self, parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> Tensor | None:
        """[R], added to the replicas' losses; None for a component that adds nothing."""
        return None

    def update(self, parameters: list[Tensor]) -> Update:
        """What changes the stacked `parameters` and `learnable`, given their gradients in this order."""
        return Adam(parameters, self.frame.runs(), self.learnable, self.frame.rate)

    def multiplier(self, step: int) -> float:
        """Of the learning rate, in step 0, 1, ..."""
        return 1.0

    def train(self, training: bool) -> None:
        """Before and after the held-out inputs are predicted."""


class HiddenLayers(Harness):
    """One instance of the component at each hidden layer of each replica, in the fastest tier that is right."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        shapes = frame.net.hidden(frame.width)
        drawn = draws(lambda: self.build_at(build, shapes[0]))
        probes = probes_of(frame, drawn)
        samples = {shape: inputs(self.seen((frame.batch, *shape)), frame.device, probes) for shape in shapes}
        make = [
            maker(lambda shape=shape: self.build_at(build, shape), frame, layer, samples[shape][0])  # type: ignore[misc]
            for layer, shape in enumerate(shapes)
        ]
        probed = range(len(shapes)) if drawn else [shapes.index(shape) for shape in samples]  # one layer of each shape
        tiers = [fastest(make[layer], samples[shapes[layer]], tuple(Tier)) for layer in probed]
        self.tier = max(tiers, key=list(Tier).index)
        self._places: list[Placed] = [
            place(self.tier, one, replicas=len(frame.seeds), rank=1 + len(self.seen((frame.batch, *shape))))
            for one, shape in zip(make, shapes, strict=True)
        ]
        self.learnable = [tensor for placed in self._places for tensor in placed.learnable]

    def build_at(self, build: Build, shape: tuple[int, ...]) -> nn.Module:
        """An instance for a hidden layer of `shape`, which ends with its features."""
        module: nn.Module = build()
        return module

    def seen(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in which the component sees one replica's [batch, ..., features]."""
        return shape

    def activate(self, layer: int, x: Tensor) -> Tensor:
        return self._places[layer](x)

    def train(self, training: bool) -> None:
        for placed in self._places:
            placed.train(training)


def component_seed(trial_seed: int, layer: int) -> int:
    return 64 * trial_seed + layer


def settle(module: nn.Module, arguments: Arguments) -> nn.Module:
    """Give lazy parameters their shapes by one call in eval mode, as one does before making an optimizer."""
    if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        module.eval()
        with torch.no_grad():
            module(*arguments)
        module.train()
    return module


def draws(build: Callable[[], Any]) -> bool:
    """Whether building draws random numbers, so that instances may differ in more than their parameters."""
    seed_torch(0)
    before = torch.default_generator.get_state()
    built = build()
    if isinstance(built, nn.Module) and any(map(is_lazy, built.parameters())):  # draws once its shapes are known
        return True
    return not torch.equal(before, torch.default_generator.get_state())


def probes_of(frame: Frame, drawn: bool) -> int:
    """Replicas of the probe's stack: every instance that will be used, where instances may differ."""
    return max(PROBES, len(frame.seeds)) if drawn else PROBES


def maker(build: Callable[[], nn.Module], frame: Frame, layer: int, sample: Arguments) -> Callable[[int], nn.Module]:
    """Instances that draw random parameters draw them from their own trial's seed, in whatever order they are built."""

    def make(replica: int) -> nn.Module:
        again, which = divmod(replica, len(frame.seeds))  # a probe's stack may be larger than what is left of a stack
        seed_torch(component_seed(frame.seeds[which], layer) + again)
        return settle(build().to(frame.device), pick(sample, 0))

    return make


def inputs(shape: tuple[int, ...], device: torch.device, replicas: int) -> list[Arguments]:
    """Two samples [replicas, *shape]; replicas differ in scale and shift."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((len(SCALES), replicas, *shape), generator=generator)
    samples = noise * by_replica(SCALES, replicas, len(shape)) + by_replica(SHIFTS, replicas, len(shape))
    return [(sample,) for sample in samples.to(device)]


def by_replica(values: tuple[tuple[float, ...], ...], replicas: int, dimensions: int) -> Tensor:
    """[samples, replicas, 1, ...], taking a sample's values in turn."""
    turns = torch.tensor(values)[:, torch.arange(replicas) % PROBES]
    return turns.view(*turns.shape, *(1,) * dimensions)
