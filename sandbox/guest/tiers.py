"""Three ways to run a component inside a stack, and the probe that chooses the fastest one that is right.

direct   one instance gets the whole stack [R, ...]: right when the component treats leading dimensions alike
vmap     R instances as one batched call: right for batch statistics, learnable parameters, buffers
loop     R ordinary instances, one call each: the definition of right, and the slowest

A component that is wrong in a fast tier is wrong silently (a mean over the whole stack still trains), so no tier is
taken on trust: its outputs and gradients over several calls are compared with the loop's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

Arguments = tuple[Any, ...]  # tensors or lists of tensors, each with a leading replica dimension

RELATIVE_TOLERANCE = 1e-5  # rounding of a differently ordered sum reaches 3e-6; a wrong reduction is off by 1e-1


class Tier(StrEnum):
    DIRECT = "direct"
    VMAP = "vmap"
    LOOP = "loop"


class Placed(Protocol):
    """A component in one place of a stack of R replicas."""

    learnable: list[Tensor]

    def __call__(self, *arguments: Any) -> Tensor:
        """Arguments and result have a leading replica dimension."""
        ...

    def train(self, training: bool) -> None: ...

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Tensors that correspond to `learnable` (gradients), as one [R, ...] tensor per learnable parameter."""
        ...


class Direct:
    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.module = modules[0]
        self.learnable: list[Tensor] = []
        if any(parameter.requires_grad for parameter in self.module.parameters()):
            raise ValueError("a component with learnable parameters cannot share one instance among replicas")

    def __call__(self, *arguments: Any) -> Tensor:
        result: Tensor = self.module(*arguments)
        return result

    def train(self, training: bool) -> None:
        self.module.train(training)

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return list(tensors)


class Vmapped:
    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.module = modules[0]
        self.parameters, self.buffers = stack_module_state(list(modules))
        self.learnable = [parameter for parameter in self.parameters.values() if parameter.requires_grad]

    def __call__(self, *arguments: Any) -> Tensor:
        result: Tensor
        if self.parameters or self.buffers:
            result = vmap(self._one, randomness="different")(self.parameters, self.buffers, arguments)
        else:
            result = vmap(self.module, randomness="different")(*arguments)
        return result

    def _one(self, parameters: dict[str, Any], buffers: dict[str, Any], arguments: Arguments) -> Any:
        return functional_call(self.module, (parameters, buffers), arguments)

    def train(self, training: bool) -> None:
        self.module.train(training)

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return list(tensors)


class Looped:
    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = list(modules)
        self.learnable: list[Tensor] = [p for module in modules for p in module.parameters() if p.requires_grad]

    def __call__(self, *arguments: Any) -> Tensor:
        results = [module(*_pick(arguments, replica)) for replica, module in enumerate(self.modules)]
        if not all(isinstance(result, Tensor) for result in results):  # a penalty may answer with a plain 0.0
            results = [torch.as_tensor(result, device=_leaves(arguments)[0].device) for result in results]
        return torch.stack(results)

    def train(self, training: bool) -> None:
        for module in self.modules:
            module.train(training)

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        each = len(self.learnable) // len(self.modules)
        return [torch.stack([tensors[r * each + p] for r in range(len(self.modules))]) for p in range(each)]


PLACES: dict[Tier, Callable[[Sequence[nn.Module]], Placed]] = {
    Tier.DIRECT: Direct,
    Tier.VMAP: Vmapped,
    Tier.LOOP: Looped,
}
INSTANCES = {Tier.DIRECT: 1}  # how many instances a tier needs; the others need one a replica


def place(tier: Tier, make: Callable[[int], nn.Module], replicas: int) -> Placed:
    """`make(replica)` builds the instance of one replica."""
    return PLACES[tier]([make(replica) for replica in range(INSTANCES.get(tier, replicas))])


def fastest(make: Callable[[int], nn.Module], samples: Sequence[Arguments], tiers: Sequence[Tier]) -> Tier:
    """The first of `tiers` (fastest first) that agrees with the loop.

    `samples` are at least two inputs of a small stack; replicas should differ in scale and sign, since a branch or a
    statistic over the whole stack shows only where replicas disagree. Whatever the component raises in the loop
    passes through; what it raises in a faster tier only rules that tier out.
    """
    replicas = len(_leaves(samples[0])[0])
    reference = _trace(place(Tier.LOOP, make, replicas), samples)
    for tier in tiers:
        if tier is Tier.LOOP:
            break
        try:
            found = _trace(place(tier, make, replicas), samples)
        except Exception:  # noqa: BLE001 - any failure means "not in this tier"; the loop's own failures were raised above
            continue
        if len(found) == len(reference) and all(map(_agree, found, reference)):
            return tier
    return Tier.LOOP


def _trace(placed: Placed, samples: Sequence[Arguments]) -> list[Tensor]:
    """Outputs and gradients of several calls, the last one in eval mode: state that one leaves behind shows later."""
    seen = []
    torch.manual_seed(0)
    for number, sample in enumerate((*samples, samples[0])):
        placed.train(number < len(samples))
        arguments, leaves = _with_gradients(sample)
        output = placed(*arguments)
        weights = torch.linspace(0.5, 1.5, output.numel(), device=output.device).view(output.shape)
        wanted = leaves + placed.learnable
        gradients: Sequence[Tensor | None] = (None,) * len(wanted)
        if output.requires_grad:
            gradients = torch.autograd.grad(output, wanted, weights.to(output.dtype), allow_unused=True)
        full = [g if g is not None else torch.zeros_like(w) for g, w in zip(gradients, wanted, strict=True)]
        seen += [output.detach(), *full[: len(leaves)], *placed.by_replica(full[len(leaves) :])]
    return seen


def _agree(found: Tensor, reference: Tensor) -> bool:
    if found.shape != reference.shape or found.dtype != reference.dtype:
        return False
    flat = reference.reshape(len(reference), -1)
    scale = torch.where(flat.isfinite(), flat.abs(), 0.0).amax(-1).clamp(min=1.0)
    difference = (found.reshape(len(reference), -1) - flat).abs()
    equal = (found.reshape(len(reference), -1) == flat) | (found.isnan() & reference.isnan()).reshape(flat.shape)
    return bool((equal | (difference <= RELATIVE_TOLERANCE * scale[:, None])).all())


def _pick(arguments: Any, replica: int) -> Any:
    if isinstance(arguments, Tensor):
        return arguments[replica]
    return type(arguments)(_pick(argument, replica) for argument in arguments)


def _leaves(arguments: Any) -> list[Tensor]:
    if isinstance(arguments, Tensor):
        return [arguments]
    return [leaf for argument in arguments for leaf in _leaves(argument)]


def _with_gradients(sample: Arguments) -> tuple[Arguments, list[Tensor]]:
    """A copy whose leaves require gradients; the component gets non-leaves, as in a net: it may work in place."""
    leaves: list[Tensor] = []

    def copy(node: Any) -> Any:
        if isinstance(node, Tensor):
            leaves.append(node.clone().requires_grad_())
            return leaves[-1] * 1.0
        return type(node)(copy(child) for child in node)

    return copy(sample), leaves
