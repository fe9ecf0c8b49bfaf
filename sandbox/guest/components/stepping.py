"""Where an optimizer goes in training: it changes the parameters, given their gradients.

An optimizer that treats every scalar by itself may have the stacked parameters of all replicas; one that looks at a
norm, a row or a shape must have each net's own, in their ordinary layout. Which one it is gets tried (`elementwise`),
and watched during the whole training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from ..adam import Update
from ..alone import NETS, Training
from ..harness import PROBES, Build, Frame, Harness, component_seed
from ..nets import INPUTS, OUTPUTS
from ..tiers import Refuted, Tier, seed_torch

STEPS = 3  # of the trial; what an optimizer does later is watched
WATCHED = 2  # tensors, a weight and a bias: fewer than an optimizer has, so that what couples tensors shows as well
GRADIENTS = (1.0, 0.05, 10.0)  # scales by replica, so that a norm over all of them is far from each one's own
VALUES = (1.0, 3.0, 0.3)
MOVEMENT = 1e-3  # largest difference between two ways of one optimizer, of how far a tensor has moved
ROUNDING = 3e-6  # and of its values: what adding many small steps up loses


class OptimizerHarness(Harness):
    """In the direct tier one optimizer has the stacks of all replicas of one rate, in the loop each net has its own."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        self._build = build
        self.tier = Tier.DIRECT if not frame.careful and elementwise(build, frame) else Tier.LOOP

    def update(self, parameters: list[Tensor]) -> Update:
        if self.tier is Tier.DIRECT:
            return Watched(self._build, self.frame, parameters)
        return Loop(self._build, owners(self.frame), parameters)


@dataclass(frozen=True, slots=True)
class Owner:
    """One net whose parameters an optimizer of its own gets."""

    sizes: tuple[tuple[int, int], ...]  # (inputs, outputs) of each map, without padding
    seed: int
    rate: float


def owners(frame: Frame) -> list[Owner]:
    rates = [run.rate for run in frame.runs() for _ in range(run.start, run.stop)]
    return [
        Owner(tuple(frame.net.sizes(frame.width, inputs, classes or 1)), seed, rate)
        for inputs, classes, seed, rate in zip(frame.inputs, frame.classes, frame.seeds, rates, strict=True)
    ]


def built(build: Build, parameters: list[nn.Parameter], rate: float, seed: int) -> Optimizer:
    seed_torch(component_seed(seed, 0))
    optimizer: Optimizer = build(parameters, rate)
    return optimizer


def take(optimizer: Optimizer, multiplier: float) -> None:
    """One step at `multiplier` times the learning rates that the optimizer has."""
    if multiplier == 1.0:
        optimizer.step()
        return
    own = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, own, strict=True):
        group["lr"] = rate * multiplier
    optimizer.step()
    for group, rate in zip(optimizer.param_groups, own, strict=True):
        group["lr"] = rate


def bring_home(parameter: nn.Parameter, home: Tensor) -> None:
    """An optimizer may give its parameters memory of another one's (`p.data = ...`)."""
    if parameter.data_ptr() != home.data_ptr():
        home.copy_(parameter.data)


class Direct:
    """One optimizer for each run of replicas of one rate, on views of the stacked parameters [R, ...]."""

    def __init__(self, build: Build, frame: Frame, parameters: Sequence[Tensor]) -> None:
        self._parts = []
        for run in frame.runs():
            homes = [parameter.detach()[run.start : run.stop] for parameter in parameters]
            own = [nn.Parameter(home) for home in homes]
            self._parts.append((run, own, homes, built(build, own, run.rate, frame.seeds[run.start])))

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        for run, own, homes, optimizer in self._parts:
            for parameter, gradient in zip(own, gradients, strict=True):
                parameter.grad = gradient[run.start : run.stop]
            take(optimizer, multiplier)
            for parameter, home in zip(own, homes, strict=True):
                bring_home(parameter, home)


@dataclass(frozen=True, slots=True)
class _Segment:
    """One tensor of neighbouring nets in which it has the same true size."""

    number: int  # even for a weight, odd for the bias of the same map
    start: int
    stop: int
    rows: int
    columns: int

    def of(self, stacked: Sequence[Tensor]) -> Tensor:
        """A view of stacked weights [R, in, out] and biases [R, 1, out]: [n, out, in] or [n, out]."""
        tensor = stacked[self.number][self.start : self.stop]
        return tensor[:, 0, : self.columns] if self.number % 2 else tensor[:, : self.rows, : self.columns].mT


def _segments(nets: Sequence[Owner]) -> Iterator[_Segment]:
    for number in range(2 * len(nets[0].sizes)):
        start = 0
        for (rows, columns), members in groupby(net.sizes[number // 2] for net in nets):
            stop = start + len(list(members))
            yield _Segment(number, start, stop, rows, columns)
            start = stop


class Loop:
    """One optimizer for each net, on contiguous parameters of ordinary layout and true size: [out, in] and [out].

    Those of neighbours of one size lie in one tensor, so that one copy each brings gradients in and parameters out.
    """

    def __init__(self, build: Build, nets: Sequence[Owner], parameters: Sequence[Tensor]) -> None:
        self._segments = list(_segments(nets))
        stacked = [parameter.detach() for parameter in parameters]
        self._outside = [segment.of(stacked) for segment in self._segments]
        self._stores = [tensor.clone(memory_format=torch.contiguous_format) for tensor in self._outside]
        self._parameters = [[nn.Parameter(home) for home in store] for store in self._stores]
        owned: list[list[nn.Parameter]] = [[] for _ in nets]
        for segment, parts in zip(self._segments, self._parameters, strict=True):
            for net, parameter in enumerate(parts, segment.start):
                owned[net].append(parameter)
        self._optimizers = [built(build, own, net.rate, net.seed) for own, net in zip(owned, nets, strict=True)]

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        for segment, parameters in zip(self._segments, self._parameters, strict=True):
            # In new memory at every step: an optimizer may keep the gradients of the last one.
            for parameter, gradient in zip(parameters, segment.of(gradients).contiguous().unbind(), strict=True):
                parameter.grad = gradient
        for optimizer in self._optimizers:
            take(optimizer, multiplier)
        for outside, store, parameters in zip(self._outside, self._stores, self._parameters, strict=True):
            for parameter, home in zip(parameters, store.unbind(), strict=True):
                bring_home(parameter, home)
            outside.copy_(store)


class Watched:
    """The direct tier, with the first layer of the last replica trained beside it, as an ordinary one.

    It gets the same gradients. Whatever couples replicas or tensors, looks at a shape or draws random numbers moves the
    two apart; that is looked at in steps 1, 2, 4, 8, ... and in the last one. Raises Refuted.
    """

    def __init__(self, build: Build, frame: Frame, parameters: Sequence[Tensor]) -> None:
        self._stacked = [parameter.detach() for parameter in parameters[:WATCHED]]
        self._start = [parameter[-1:].clone() for parameter in self._stacked]
        self._beside = [start.clone() for start in self._start]
        last = owners(frame)[-1]
        self._net = replace(last, sizes=last.sizes[:1])
        self._ordinary = Loop(build, [self._net], self._beside)
        self._direct = Direct(build, frame, parameters)
        self._looks = {2**n for n in range(frame.steps.bit_length())} | {frame.steps}
        self._steps = 0

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        self._steps += 1
        try:
            self._ordinary.step([gradient[-1:] for gradient in gradients[:WATCHED]], multiplier)
            self._direct.step(gradients, multiplier)
        except Exception as error:
            raise Refuted from error
        if self._steps in self._looks:
            stacked = [parameter[-1:] for parameter in self._stacked]
            if not moved_alike([self._net], self._start, self._beside, stacked):
                raise Refuted


def moved_alike(nets: Sequence[Owner], *states: Sequence[Tensor]) -> bool:
    """Whether two copies of stacked parameters, (start, one, other), moved alike but for what pads them."""
    parts = [[segment.of(state).flatten(1) for state in states] for segment in _segments(nets)]
    return all(_alike(*part) for part in parts)


def _alike(start: Tensor, one: Tensor, other: Tensor) -> bool:
    """[n, ...]: in each of them, up to rounding."""
    moved = torch.nan_to_num((one - start).abs(), 0.0, 0.0).amax(1, keepdim=True)
    rounding = ROUNDING * torch.nan_to_num(torch.maximum(start.abs(), one.abs()), 0.0, 0.0).amax(1, keepdim=True)
    same = (one == other) | (one.isnan() & other.isnan())
    return bool((same | ((one - other).abs() <= MOVEMENT * moved + rounding)).all())


# --- the trial


@torch.no_grad()
def elementwise(build: Build, frame: Frame) -> bool:
    """Whether one optimizer on stacked parameters does as one for each net, on a few nets and made-up gradients.

    The nets differ in size, in the scale of their parameters and in that of their gradients. Whatever the optimizer
    raises here only means no: training tells what it raises there.
    """
    trial = _trial(frame)
    found = []
    for direct in (False, True):
        parameters = [parameter.clone() for parameter in trial.parameters]
        try:
            update: Update = (Direct if direct else _loop)(build, trial, parameters)
            seed_torch(0)
            for step in range(STEPS):
                update.step(_gradients(trial, step), 1.0)
        except Exception:  # noqa: BLE001
            return False
        found.append(parameters)
    return moved_alike(owners(trial), trial.parameters, *found)


def _loop(build: Build, frame: Frame, parameters: Sequence[Tensor]) -> Loop:
    return Loop(build, owners(frame), parameters)


def _trial(frame: Frame) -> Frame:
    """A stack of PROBES of the frame's replicas, of different sizes where it has them, all of one rate."""
    sizes = list(zip(frame.inputs, frame.classes, strict=True))
    different = [sizes.index(size) for size in dict.fromkeys(sizes)]
    kept = [different[round(part * (len(different) - 1) / (PROBES - 1))] for part in range(PROBES)]
    scales = torch.tensor(VALUES, device=frame.device).view(-1, 1, 1)
    return replace(
        frame,
        counts=(PROBES,),
        parameters=[parameter.detach()[kept] * scales for parameter in frame.parameters],
        seeds=tuple(frame.seeds[replica] for replica in kept),
        factors=(frame.factors[0],) * PROBES,
        inputs=tuple(frame.inputs[replica] for replica in kept),
        classes=tuple(frame.classes[replica] for replica in kept),
    )


def _gradients(frame: Frame, step: int) -> list[Tensor]:
    """Made-up ones of a step, zero on what pads, like those of a net whose loss falls and whose noise does not."""
    found = []
    for number, parameter in enumerate(frame.parameters):
        generator = torch.Generator().manual_seed(64 * step + number)
        noise = torch.randn(parameter.shape, generator=generator).to(frame.device)
        scales = torch.tensor(GRADIENTS, device=frame.device).view(-1, 1, 1)
        gradient = scales * (noise + (step - 3) * parameter.sign()) / (1 + step)
        for replica, net in enumerate(owners(frame)):
            rows, columns = net.sizes[number // 2]
            gradient[replica, :, columns:] = 0
            if number % 2 == 0:
                gradient[replica, rows:] = 0
        found.append(gradient)
    return found


# --- one ordinary net


def alone(build: Build, training: Training) -> Training:
    """The nets of the suites lose what pads their first and last map, so that the optimizer sees their true sizes."""
    if type(training.net) in NETS.values():
        _unpad(training)

    def optimizer(parameters: Iterable[nn.Parameter], rate: float) -> Optimizer:
        return built(build, list(parameters), rate, training.seed)

    return replace(training, optimizer=optimizer)


def _unpad(training: Training) -> None:
    first, last, outputs = training.net.maps[0], training.net.maps[-1], training.classes or 1
    if first.weight.ndim == 2 and first.weight.shape[1] == INPUTS:
        first.weight = nn.Parameter(first.weight.detach()[:, : training.inputs].clone())
        first.register_forward_pre_hook(lambda _, given: (given[0][..., : training.inputs],))
    last.weight = nn.Parameter(last.weight.detach()[:outputs].clone())
    last.bias = nn.Parameter(last.bias.detach()[:outputs].clone())  # type: ignore[union-attr]
    last.register_forward_hook(lambda _, __, made: F.pad(made, (0, OUTPUTS - outputs)))
