"""Train a component in every setting of a suite, as stacks of architectures, and predict the held-out inputs.

The labels of those inputs are not here: the reply is predictions, and the host scores them.

The pack (made by engine/suite.py; R replicas in the largest stack, D data sets):
    rows [n, 64], targets [n]            training examples of all data sets, a class number or a value
    order [steps, R, batch]              which rows each replica sees at each step
    held_out [m, 64], asked [checkpoints, R, examples]   which held-out rows are predicted at each checkpoint
    dataset, inputs, classes, seeds [R]  number of the data set, its true inputs and classes (0: a regression), and a
                                         seed for what a component draws at random when it is built
    rows_of, held_out_of [D + 1]         where the rows of each data set begin; the last entry is the end
    <architecture>.<i> [r, ...]          initial parameters (see nets.py) of the first r replicas
The options: device, width, learning_rate, checkpoints (numbers of steps done), architectures, factors (of the grid).
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .blame import blamed
from .candidate import load
from .components.kind import Kind
from .components.kinds import KINDS
from .harness import Build, Frame, Harness, first_learned, joins
from .job import Array, Job, Reply
from .nets import OUTPUTS
from .remote import Answered, Remote
from .replay import Replayed, cuda_graph
from .stack import Stack, stack_of
from .tiers import Refuted, Tier, seed_torch

Put = Callable[[Frame], Harness]


def train(job: Job) -> Reply:
    """Predictions {architecture: float32 [checkpoints, factors * replicas, examples, 10]}, the first factor first.

    NaN where a replica was lost; a replica that diverges is lost alone. Raises `Fault` when the component raises
    although nothing diverged.
    """
    kind = KINDS[job.kind]
    seed_everything(0)
    build, put = _component(job, kind)
    tensors = kind.prepare(build, tensors_of(job.pack, torch.device(job.options["device"])))
    arrays: dict[str, Array] = {}
    tiers: dict[str, Tier] = {}
    learned: list[list[float]] = []
    names = job.options["architectures"]
    together = [tuple(names)] if joins(kind.harness) else [(name,) for name in names]
    while together:
        stack = stack_of(together.pop(0), tensors, job.options["factors"])
        members = [member.net.name for member in stack.members]
        with blamed("training", f"training of {', '.join(members)}"):
            try:
                predictions, tier, harness = _train_all(stack, put, job.options)
                learned += first_learned(harness) if job.options.get("learned") else []
            except _Diverged:
                together = [(name,) for name in members]
                continue
        for name, own in stack.by_name(predictions).items():
            arrays[name] = np.ascontiguousarray(own.float().cpu().numpy())
            tiers[name] = tier
    slowest = max(tiers.values(), key=list(Tier).index)
    values = {"tier": slowest, "tiers": tiers} | ({"learned": learned} if job.options.get("learned") else {})
    return Reply(values=values, arrays=arrays)


def _component(job: Job, kind: Kind) -> tuple[Build, Put]:
    """The candidate's `build`, and what puts its component into a frame: here, or in the other fork of a split job."""
    if job.bridge is not None:
        remote = Remote(job.bridge, kind)
        return remote.build, remote.harness
    build = load(job.source, kind)
    return build, partial(kind.harness, build)


class _Diverged(Exception):
    def __init__(self, finite: list[Tensor]) -> None:
        """finite: of each tensor, [r], whether all is finite that the replica has in it."""
        self.finite = finite


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    seed_torch(seed)


def tensors_of(pack: Mapping[str, Array], device: torch.device) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the arrays are read-only and nothing here writes to them
        return {name: torch.from_numpy(array).to(device) for name, array in pack.items()}


def _train_all(stack: Stack, put: Put, options: Mapping[str, Any]) -> tuple[Tensor, Tier, Harness | None]:
    """Train; when the component raises on what a diverged replica gives it, train the others again without that one.

    Most components just pass NaN on, which stays in its replica; a decomposition, say, raises for the whole stack.
    Raises _Diverged for a stack of several architectures, which can be trained one by one.
    """
    checkpoints, _, examples = stack.tensors["asked"].shape
    replicas = sum(len(member.pairs) for member in stack.members)
    predictions = torch.full((checkpoints, replicas, examples, OUTPUTS), torch.nan)
    left, tier, careful = list(range(replicas)), Tier.LOOP, False
    harness: Harness | None = None
    while left:
        part = stack if len(left) == replicas else stack.only(left)
        try:
            harness = put(replace(part.frame(options), careful=careful))
            tier = harness.tier
            seed_everything(0)
            predictions[:, left] = _run(part, harness, options["checkpoints"]).cpu()
            break
        except Refuted:
            careful = True
        except _Diverged as diverged:
            if len(stack.members) > 1:
                raise
            finite = torch.stack(diverged.finite).all(0)
            left = [replica for replica, stays in zip(left, finite.tolist(), strict=True) if stays]
    return predictions, tier, harness


def _run(stack: Stack, harness: Harness, checkpoints: Sequence[int]) -> Tensor:
    parameters = [parameter.clone().requires_grad_() for parameter in harness.initial()]
    trained = [*parameters, *harness.learnable]
    layers, owned = harness.frame.layers, harness.frame.by_net(parameters)
    update = harness.update(parameters)
    seen: list[Tensor] = []

    def activate(layer: int, x: Tensor) -> Tensor:
        seen.append(harness.activate(layer, x))
        return seen[-1]

    def gradients(classes: Tensor, values: Tensor, *rows: Tensor) -> list[Tensor]:
        seen.clear()
        logits = stack.forward(layers, owned, [harness.batch(x) for x in rows], activate)
        total = _loss(stack, logits, classes, values, harness)
        penalty = harness.penalty(parameters, seen)
        return harness.gradients(_gradients(total if penalty is None else total + penalty.sum(), trained))

    steady = harness.tier is Tier.DIRECT and not harness.frame.careful and not isinstance(harness, Answered)
    compute = Replayed(gradients, cuda_graph) if parameters[0].is_cuda and steady else gradients
    predictions: list[Tensor] = []
    harness.train(True)
    for step in range(len(stack.order)):
        try:
            found = compute(stack.classes[step], stack.values[step], *stack.batch(step))
            with torch.no_grad():
                update.step(found, harness.multiplier(step))
            if step + 1 in checkpoints:
                predictions.append(_predict(stack, harness, owned, len(predictions)))
        except Refuted:
            raise
        except Exception as error:
            finite = [tensor.detach().isfinite().flatten(1).all(1) for tensor in parameters + seen]
            if isinstance(error, MemoryError) or all(bool(each.all()) for each in finite):
                raise
            raise _Diverged(finite) from error
    return torch.stack(predictions)


def _loss(stack: Stack, logits: Tensor, classes: Tensor, values: Tensor, harness: Harness) -> Tensor:
    """The sum over replicas of their mean losses: each replica's gradient is that of its own loss."""
    total = logits.new_zeros(())
    if len(stack.classifying):
        masked = logits[stack.classifying] + stack.mask
        total = harness.classify(masked, classes)
    if len(stack.regressing):
        total = total + (logits[stack.regressing, :, 0] - values).square().mean(1).sum()
    return total


def _gradients(loss: Tensor, trained: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, trained, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for g, t in zip(found, trained, strict=True)]


@torch.no_grad()
def _predict(stack: Stack, harness: Harness, owned: Sequence[Sequence[Tensor]], checkpoint: int) -> Tensor:
    harness.train(False)
    logits = stack.forward(harness.frame.layers, owned, stack.asked(checkpoint), harness.activate)
    harness.train(True)
    return logits
