"""Train a component in every setting of a suite, one stack per architecture, and predict the held-out inputs.

The labels of those inputs are not here: the reply is predictions, and the host scores them.

The pack (made by engine/suite.py; D data sets x seeds = R replicas in the largest stack, classifications first):
    rows [n, 64], targets [n]            training examples, a class number or a value
    order [steps, R, batch]              which rows each replica sees at each step
    held_out [m, 64], asked [checkpoints, R, examples]   which held-out rows are predicted at each checkpoint
    mask [classifications, 1, 10]        0 for the classes of the task, -1e30 beyond them
    seeds [R]                            for what a component draws at random when it is built
    <architecture>.<i> [r, ...]          initial parameters (see nets.py) of the first r replicas
The options: device, width, learning_rate, checkpoints (numbers of steps done), architectures.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .blame import blamed
from .candidate import load
from .components.kinds import KINDS
from .job import Array, Job, Reply
from .nets import ARCHITECTURES, Architecture
from .slots import SLOTS, Build, Frame, Slot
from .tiers import Tier, seed_torch

BETAS = (0.9, 0.999)  # Adam as published: Kingma and Ba, 2015
EPSILON = 1e-8


def train(job: Job) -> Reply:
    """Predictions {architecture: float32 [checkpoints, replicas, examples, 10]}; NaN where a replica was lost.

    A replica that diverges is lost alone. Raises `Fault` when the component raises although nothing diverged.
    """
    kind = KINDS[job.kind]
    _seed(0)
    build = load(job.source, kind)
    device = torch.device(job.options["device"])
    tensors = _tensors(job, device)
    arrays: dict[str, Array] = {}
    tiers: dict[str, Tier] = {}
    for name in job.options["architectures"]:
        stack = _stack(ARCHITECTURES[name], tensors)
        with blamed("training", f"training of {name}"):
            predictions, tier = _train_all(stack, build, kind.slot, job)
        arrays[name] = np.ascontiguousarray(predictions.float().cpu().numpy())
        tiers[name] = tier
    slowest = max(tiers.values(), key=list(Tier).index)
    return Reply(values={"tier": slowest, "tiers": tiers}, arrays=arrays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The replicas of one architecture; R is the length of `seeds`."""

    net: Architecture
    initial: list[Tensor]
    rows: Tensor
    order: Tensor
    classes: Tensor  # [steps, classifications, batch]
    values: Tensor  # [steps, regressions, batch]
    held_out: Tensor
    asked: Tensor
    mask: Tensor
    seeds: Tensor

    def frame(self, width: int) -> Frame:
        batch, seeds = self.order.shape[-1], self.seeds.tolist()
        return Frame(net=self.net, width=width, batch=batch, parameters=self.initial, seeds=seeds)

    def only(self, replicas: list[int]) -> Stack:
        classifications = len(self.mask)
        classifying = [replica for replica in replicas if replica < classifications]
        regressing = [replica - classifications for replica in replicas if replica >= classifications]
        return Stack(
            net=self.net,
            initial=[parameter[replicas] for parameter in self.initial],
            rows=self.rows,
            order=self.order[:, replicas],
            classes=self.classes[:, classifying],
            values=self.values[:, regressing],
            held_out=self.held_out,
            asked=self.asked[:, replicas],
            mask=self.mask[classifying],
            seeds=self.seeds[replicas],
        )


class _Diverged(Exception):
    def __init__(self, replicas: list[int]) -> None:
        self.replicas = replicas


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    seed_torch(seed)


def _tensors(job: Job, device: torch.device) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the arrays are read-only and nothing here writes to them
        return {name: torch.from_numpy(array).to(device) for name, array in job.pack.items()}


def _stack(net: Architecture, tensors: dict[str, Tensor]) -> Stack:
    initial = [tensors[f"{net.name}.{number}"] for number in range(2 * len(net.maps(4)))]
    replicas = len(initial[0])
    order = tensors["order"][:, :replicas]
    mask = tensors["mask"][:replicas]
    targets = tensors["targets"][order]
    return Stack(
        net=net,
        initial=initial,
        rows=tensors["rows"],
        order=order,
        classes=targets[:, : len(mask)].long(),
        values=targets[:, len(mask) :],
        held_out=tensors["held_out"],
        asked=tensors["asked"][:, :replicas],
        mask=mask,
        seeds=tensors["seeds"][:replicas],
    )


def _train_all(stack: Stack, build: Build, slot: str, job: Job) -> tuple[Tensor, Tier]:
    """Train; when the component raises on what a diverged replica gives it, train the others again without that one.

    Most components just pass NaN on, which stays in its replica; a decomposition, say, raises for the whole stack.
    """
    checkpoints, replicas, examples = stack.asked.shape
    predictions = torch.full((checkpoints, replicas, examples, stack.initial[-1].shape[-1]), torch.nan)
    left, tier = list(range(replicas)), Tier.LOOP
    while left:
        part = stack if len(left) == replicas else stack.only(left)
        try:
            fitted = SLOTS[slot](build, part.frame(job.options["width"]))
            tier = fitted.tier
            _seed(0)
            predictions[:, left] = _run(part, fitted, job.options["learning_rate"], job.options["checkpoints"]).cpu()
            break
        except _Diverged as diverged:
            left = [replica for number, replica in enumerate(left) if number not in diverged.replicas]
    return predictions, tier


def _run(stack: Stack, slot: Slot, learning_rate: float, checkpoints: Sequence[int]) -> Tensor:
    parameters = [parameter.clone().requires_grad_() for parameter in stack.initial]
    adam = _Adam(parameters + slot.learnable, learning_rate)
    seen: list[Tensor] = []

    def activate(layer: int, x: Tensor) -> Tensor:
        seen.append(slot.activate(layer, x))
        return seen[-1]

    predictions: list[Tensor] = []
    slot.train(True)
    for step in range(len(stack.order)):
        seen.clear()
        try:
            logits = stack.net.forward(parameters, stack.rows[stack.order[step]], activate)
            total = _loss(stack, step, logits)
            penalty = slot.penalty(parameters, seen)
            adam.step(total if penalty is None else total + penalty.sum())
            if step + 1 in checkpoints:
                predictions.append(_predict(stack, slot, parameters, len(predictions)))
        except Exception as error:
            lost = _lost(parameters + seen)
            if lost and not isinstance(error, MemoryError):
                raise _Diverged(lost) from error
            raise
    return torch.stack(predictions)


def _loss(stack: Stack, step: int, logits: Tensor) -> Tensor:
    """The sum over replicas of their mean losses: each replica's gradient is that of its own loss."""
    classifications, batch = len(stack.mask), logits.shape[1]
    classifying, regressing = logits.split_with_sizes([classifications, len(logits) - classifications])
    total = logits.new_zeros(())
    if classifications:
        masked = (classifying + stack.mask).view(-1, logits.shape[-1])
        total = F.cross_entropy(masked, stack.classes[step].reshape(-1), reduction="sum")
    if len(regressing):
        total = total + (regressing[..., 0] - stack.values[step]).square().sum()
    return total / batch


@torch.no_grad()
def _predict(stack: Stack, slot: Slot, parameters: Sequence[Tensor], checkpoint: int) -> Tensor:
    slot.train(False)
    logits = stack.net.forward(parameters, stack.held_out[stack.asked[checkpoint]], slot.activate)
    slot.train(True)
    return logits


def _lost(tensors: Sequence[Tensor]) -> list[int]:
    """Replicas that hold anything that is not finite."""
    bad = torch.stack([~tensor.detach().isfinite().flatten(1).all(1) for tensor in tensors]).any(0)
    return [int(replica) for replica in bad.nonzero()]


class _Adam:
    """The fused kernel called directly: a `torch.optim` optimizer would cost more than the step itself."""

    def __init__(self, parameters: list[Tensor], learning_rate: float) -> None:
        self._parameters = parameters
        self._rate = learning_rate
        self._first = [torch.zeros_like(p, memory_format=torch.contiguous_format) for p in parameters]
        self._second = [torch.zeros_like(p, memory_format=torch.contiguous_format) for p in parameters]
        self._step = torch.zeros((), device=parameters[0].device)  # one count that all of them share

    def step(self, loss: Tensor) -> None:
        found = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        with torch.no_grad():
            gradients = [
                torch.zeros_like(p) if g is None else g.contiguous()  # the kernel reads gradients in memory order
                for g, p in zip(found, self._parameters, strict=True)
            ]
            self._step += 1
            torch._fused_adam_(
                self._parameters,
                gradients,
                self._first,
                self._second,
                [],
                [self._step] * len(gradients),
                lr=self._rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
