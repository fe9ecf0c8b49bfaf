"""How a stack of nets is trained, with one hook for each place where a component can go.

`Harness` is training as published: ReLU, softmax cross-entropy or squared error, Adam at a constant rate. The harness
of a kind overrides the hooks of its own place and leaves the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .adam import Adam, Run, Update, Updates
from .nets import Architecture
from .tiers import Arguments, Make, Placed, Tier, fastest, pick, place, seed_torch

Build = Callable[..., Any]
Activate = Callable[[int, Tensor], Tensor]  # (number of the layer, [R, ..., features]) -> same shape

SCALES = ((1.0, 0.3, 3.0), (0.05, 1.0, 10.0))  # of the probe's inputs, by sample and replica: saturation and overflow
SHIFTS = ((0.0, 1.0, -2.0), (-0.5, 0.5, 0.0))  # so that replicas disagree about every sign and mean
PROBES = len(SCALES[0])  # replicas of the probe's stack


@dataclass(frozen=True, slots=True)
class Layer:
    """A hidden layer that one or more architectures have, activated for all of them in one call."""

    depth: int  # 0 for the first of a net
    shape: tuple[int, ...]  # without replica and batch; ends with the features
    nets: tuple[int, ...]  # which of the frame's architectures
    replicas: tuple[int, ...]  # theirs, one architecture after the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a component is put into: R nets before training. Every tuple but nets, counts, layers has R entries.

    Several architectures, one after the other, are in one frame only for a harness that leaves parameters alone (see
    `joins`); for any other there is one, `net`, and a layer's number is its depth.
    """

    nets: tuple[Architecture, ...]
    counts: tuple[int, ...]  # of replicas of each
    layers: tuple[Layer, ...]  # the hidden ones, in the order in which they are activated
    width: int
    batch: int
    steps: int
    rate: float  # the suite's learning rate
    parameters: Sequence[Tensor]  # initial, [r, ...] of each architecture in turn: see nets.py
    seeds: tuple[int, ...]  # for what a component draws when it is built
    factors: tuple[float, ...]  # of the grid, equal ones side by side: scales the learning rate, or what the kind says
    inputs: tuple[int, ...]  # true number of inputs; the rest is padding
    classes: tuple[int, ...]  # 0 for a regression
    careful: bool = False  # take the slowest tier: a faster one was refuted in this very training

    @property
    def net(self) -> Architecture:
        (only,) = self.nets
        return only

    @property
    def device(self) -> torch.device:
        return self.parameters[0].device

    def by_net(self, tensors: Sequence[Tensor]) -> list[Sequence[Tensor]]:
        """Tensors that correspond to `parameters`, of each architecture."""
        sizes = [2 * len(net.maps(self.width)) for net in self.nets]
        return [tensors[stop - size : stop] for size, stop in zip(sizes, accumulate(sizes), strict=True)]

    def runs(self, net: int = 0) -> list[Run]:
        """The replicas of an architecture divided where the grid's factor changes."""
        first = sum(self.counts[:net])
        found, start = [], 0
        for factor, members in groupby(self.factors[first : first + self.counts[net]]):
            stop = start + len(list(members))
            found.append(Run(self.rate * factor, start, stop))
            start = stop
        return found

    def at(self, layer: Layer) -> Frame:
        """The same with the seeds of this layer's replicas alone."""
        return replace(self, seeds=tuple(self.seeds[replica] for replica in layer.replicas))


def layers_of(nets: Sequence[Architecture], counts: Sequence[int], width: int) -> Iterator[Layer]:
    """Hidden layers of one depth and shape together."""
    starts = [stop - count for count, stop in zip(counts, accumulate(counts), strict=True)]
    hidden = [net.hidden(width) for net in nets]
    for depth in range(max(map(len, hidden))):
        for shape in dict.fromkeys(shapes[depth] for shapes in hidden if len(shapes) > depth):
            own = [n for n, shapes in enumerate(hidden) if shapes[depth : depth + 1] == (shape,)]
            replicas = tuple(starts[n] + replica for n in own for replica in range(counts[n]))
            yield Layer(depth, shape, tuple(own), replicas)


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

    def gradients(self, found: list[Tensor]) -> list[Tensor]:
        """What the update is given for the gradients of all parameters and of `learnable`."""
        return found

    def update(self, parameters: list[Tensor]) -> Update:
        """What changes the stacked `parameters` and `learnable`, given their gradients in this order."""
        frame = self.frame
        if set(frame.factors) == {1.0}:
            return Adam(parameters, [Run(frame.rate, 0, len(frame.seeds))], self.learnable, frame.rate)
        owned = frame.by_net(parameters)
        learnable = [()] * (len(owned) - 1) + [tuple(self.learnable)]
        parts = enumerate(zip(owned, learnable, strict=True))
        return Updates(
            [(len(own) + len(others), Adam(own, frame.runs(net), others, frame.rate)) for net, (own, others) in parts]
        )

    def multiplier(self, step: int) -> float:
        """Of the learning rate, in step 0, 1, ..."""
        return 1.0

    def train(self, training: bool) -> None:
        """Before and after the held-out inputs are predicted."""


class HiddenLayers(Harness):
    """One instance of the component at each hidden layer of each replica, in the fastest tier that is right."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        drawn = draws(lambda: self.build_at(build, frame.layers[0].shape))
        places: list[tuple[Layer, Make, list[Arguments]]] = []
        for layer in frame.layers:
            own, shape = frame.at(layer), self.seen((frame.batch, *layer.shape))
            samples = inputs(shape, frame.device, probes_of(own, drawn))
            make = maker(lambda layer=layer: self.build_at(build, layer.shape), own, layer.depth, samples[0])  # type: ignore[misc]
            places.append((layer, make, samples))
        tiers: dict[object, Tier] = {}
        for layer, make, samples in places:
            if (alike := layer if drawn else layer.shape) not in tiers:
                tiers[alike] = fastest(make, samples, tuple(Tier), alike=not drawn)
        self.tier = max(tiers.values(), key=list(Tier).index)
        self._places: list[Placed] = [
            place(
                tiers[layer if drawn else layer.shape],
                make,
                replicas=len(layer.replicas),
                rank=samples[0][0].ndim,
                alike=not drawn,
            )
            for layer, make, samples in places
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


def first_learned(harness: Harness | None) -> list[list[float]]:
    """[layers][replicas]: the first learnable parameter of each hidden layer's component, its mean if it is longer."""
    places = harness._places if isinstance(harness, HiddenLayers) else []
    first = [place.by_replica(place.learnable)[0] for place in places if place.learnable]
    return [tensor.detach().flatten(1).mean(1).tolist() for tensor in first]


def joins(harness: Callable[[Build, Frame], Harness]) -> bool:
    """Whether a frame of several architectures suits it: no hook of its own is handed parameters or all replicas."""
    if not inspect.isclass(harness) or not issubclass(harness, Harness):
        return False
    hooks = ["initial", "batch", "penalty", "update"] + ([] if issubclass(harness, HiddenLayers) else ["activate"])
    return all(getattr(harness, hook) is getattr(Harness, hook) for hook in hooks)


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
