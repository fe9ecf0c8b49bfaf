"""Where an optimizer goes in training: it changes the parameters, given their gradients.

An optimizer that treats every scalar by itself may have those of all replicas at once; one that looks at a norm, a row
or a shape must see each net's own, one by one or as a batch (see updates.py). What is right gets tried (`fastest`), and
is watched during the whole training.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from ..adam import Update
from ..alone import NETS, Training
from ..harness import Build, Frame, Harness
from ..nets import INPUTS, OUTPUTS
from ..tiers import Refuted, Tier, seed_torch
from .entries import Entries, Owner, by_shape, owners
from .updates import Direct, Loop, Way, built, by_net, by_tensor, loop

STEPS = 3  # of the trial; what an optimizer does later is watched
WATCHED = 2  # tensors, a weight and a bias: fewer than an optimizer has, so that what couples tensors shows as well
GRADIENTS = (1.0, 0.05, 10.0, 0.3)  # scales by replica, so that a norm over all of them is far from each one's own
VALUES = (1.0, 3.0, 0.3, 2.0)
MOVEMENT = 1e-3  # largest difference between two ways of one optimizer, of how far a tensor has moved
ROUNDING = 3e-6  # and of its values: what adding many small steps up loses


@dataclass(frozen=True, slots=True)
class Fast:
    """A way that may be as right as the loop."""

    tier: Tier
    way: Way
    watched: int | None  # how many tensors of a net are trained beside it; None: all


FAST = (Fast(Tier.DIRECT, Direct, WATCHED), Fast(Tier.VMAP, by_tensor, WATCHED), Fast(Tier.VMAP, by_net, None))


class OptimizerHarness(Harness):
    """The optimizer in the fastest way that is right."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        self._build = build
        self._fast = None if frame.careful else fastest(build, frame)
        self.tier = self._fast.tier if self._fast else Tier.LOOP

    def update(self, parameters: list[Tensor]) -> Update:
        if self._fast:
            return Watched(self._build, self.frame, parameters, self._fast)
        return loop(self._build, self.frame, parameters)


class Watched:
    """A fast way, with the last replica, or the first layer of it, trained beside it as an ordinary one.

    It gets the same gradients. Whatever couples replicas or tensors, looks at a shape or draws random numbers moves the
    two apart; that is looked at in steps 1, 2, 4, 8, ... and in the last one. Raises Refuted.
    """

    def __init__(self, build: Build, frame: Frame, parameters: Sequence[Tensor], fast: Fast) -> None:
        self._stacked = [parameter.detach() for parameter in parameters[: fast.watched]]
        self._start = [parameter[-1:].clone() for parameter in self._stacked]
        self._beside = [start.clone() for start in self._start]
        last = owners(frame)[-1]
        self._net = replace(last, sizes=last.sizes[: len(self._stacked) // 2])
        self._ordinary = Loop(build, [self._net], self._beside)
        try:
            self._fast = fast.way(build, frame, parameters)
        except Exception as error:
            raise Refuted from error
        self._looks = {2**n for n in range(frame.steps.bit_length())} | {frame.steps}
        self._steps = 0

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        self._steps += 1
        try:
            self._ordinary.step([gradient[-1:] for gradient in gradients[: len(self._stacked)]], multiplier)
            self._fast.step(gradients, multiplier)
        except Exception as error:
            raise Refuted from error
        if self._steps in self._looks:
            stacked = [parameter[-1:] for parameter in self._stacked]
            if not moved_alike([self._net], self._start, self._beside, stacked):
                raise Refuted


def moved_alike(nets: Sequence[Owner], *states: Sequence[Tensor]) -> bool:
    """Whether two copies of stacked parameters, (start, one, other), moved alike but for what pads them."""
    entries = Entries(nets, by_shape(nets), states[0])
    parts = zip(*(entries.blocks(entries.read(state)) for state in states), strict=True)
    return all(_alike(*(state.flatten(1) for state in part)) for part in parts)


def _alike(start: Tensor, one: Tensor, other: Tensor) -> bool:
    """[n, ...]: in each of them, up to rounding."""
    moved = torch.nan_to_num((one - start).abs(), 0.0, 0.0).amax(1, keepdim=True)
    rounding = ROUNDING * torch.nan_to_num(torch.maximum(start.abs(), one.abs()), 0.0, 0.0).amax(1, keepdim=True)
    same = (one == other) | (one.isnan() & other.isnan())
    return bool((same | ((one - other).abs() <= MOVEMENT * moved + rounding)).all())


# --- the trial


@torch.no_grad()
def fastest(build: Build, frame: Frame) -> Fast | None:
    """The first fast way that does as the loop does on a few nets and made-up gradients; None for none.

    The nets differ in size, in learning rate, in the scale of their parameters and in that of their gradients. Whatever
    the optimizer raises here only means no: training tells what it raises there.
    """
    trial = _trial(frame)
    wanted = _tried(loop, build, trial)
    if wanted is None:
        return None
    for fast in FAST:
        found = _tried(fast.way, build, trial)
        if found is not None and moved_alike(owners(trial), trial.parameters, wanted, found):
            return fast
    return None


def _tried(way: Way, build: Build, trial: Frame) -> list[Tensor] | None:
    """The trial's parameters after its steps; None where the optimizer raises."""
    parameters = [parameter.clone() for parameter in trial.parameters]
    try:
        update = way(build, trial, parameters)
        seed_torch(0)
        for step in range(STEPS):
            update.step(_gradients(trial, step), 1.0)
    except Exception:  # noqa: BLE001
        return None
    return parameters


def _trial(frame: Frame) -> Frame:
    """Replicas of three sizes where the frame has them, and again of the first one, at its first and its last rate.

    Two of each rate, since those are one vector in the direct tier: a norm over it must not be that of one net.
    """
    sizes = list(zip(frame.inputs, frame.classes, strict=True))
    different = [sizes.index(size) for size in dict.fromkeys(sizes)]
    kept = [different[part * (len(different) - 1) // 2] for part in (0, 1, 2, 0)]
    factors = list(dict.fromkeys(frame.factors))
    scales = torch.tensor(VALUES, device=frame.device).view(-1, 1, 1)
    return replace(
        frame,
        counts=(len(kept),),
        parameters=[parameter.detach()[kept] * scales for parameter in frame.parameters],
        seeds=tuple(frame.seeds[replica] for replica in kept),
        factors=(factors[0], factors[0], factors[-1], factors[-1]),
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
