"""Three ways to run a component inside a stack, and the probe that chooses the fastest one that is right.

direct   one instance gets the whole stack [R, ...]: right when the component treats leading dimensions alike
vmap     R instances as one batched call: right for batch statistics, learnable parameters, buffers
loop     R ordinary instances, one call each: the definition of right, and the slowest

A component that is wrong in a fast tier is wrong silently (a mean over the whole stack still trains), so no tier is
taken on trust: its outputs and gradients over several calls are compared with the loop's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

Make = Callable[[int], nn.Module]  # builds the instance of one replica
Arguments = tuple[Any, ...]  # tensors or lists of tensors, each with a leading replica dimension

# The fallback is slow and right, and what a candidate writes is shown to people.
warnings.filterwarnings("ignore", "There is a performance drop because we have not yet implemented the batching rule")

RELATIVE_TOLERANCE = 1e-5  # rounding of a differently ordered sum reaches 3e-6; a wrong reduction is off by 1e-1


class Tier(StrEnum):
    DIRECT = "direct"
    VMAP = "vmap"
    LOOP = "loop"


class Refuted(Exception):
    """A fast tier was found wrong in training: what it made is to be thrown away."""


class Placed(Protocol):
    """A component in one place of a stack of R replicas."""

    learnable: list[Tensor]

    def __call__(self, *arguments: Any) -> Tensor:
        """Arguments and result have a leading replica dimension."""
        ...

    def train(self, training: bool) -> None: ...

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Tensors that correspond to `learnable` (gradients), as one [R, entries] tensor per learnable parameter."""
        ...


class Direct:
    """One instance. A learnable scalar has one value a replica, to broadcast: [R, 1, ...] against [R, ..., features].

    A learnable vector of k entries is [k, R, 1, ...], right for a component that uses its entries one by one.
    """

    def __init__(self, make: Make, replicas: int, rank: int, alike: bool) -> None:
        self._module = make(0)
        self._lengths: list[int | None] = []  # of each learnable parameter; None: a scalar
        self.learnable: list[Tensor] = []
        if any(parameter.requires_grad for parameter in self._module.parameters()):
            others = [self._module if alike else make(replica) for replica in range(1, replicas)]
            states = _stacked([dict(module.named_parameters()) for module in (self._module, *others)])
            for name, stacked in states.items():
                if stacked.requires_grad:
                    self._spread(name, stacked.detach(), rank)

    def _spread(self, name: str, stacked: Tensor, rank: int) -> None:
        replicas, entries = len(stacked), stacked[0].numel()
        if stacked.ndim > 2:
            raise ValueError(f"parameter {name} has shape {list(stacked.shape[1:])}; only scalars and vectors spread")
        shape = (replicas, *(1,) * (rank - 1))
        values = stacked.view(shape) if entries == 1 else stacked.mT.reshape(entries, *shape)
        path, _, leaf = name.rpartition(".")
        parameter = nn.Parameter(values.contiguous())
        self._module.get_submodule(path)._parameters[leaf] = parameter
        self._lengths.append(None if entries == 1 else entries)
        self.learnable.append(parameter)

    def __call__(self, *arguments: Any) -> Tensor:
        result: Tensor = self._module(*arguments)
        return result

    def train(self, training: bool) -> None:
        self._module.train(training)

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return [
            tensor.flatten()[:, None] if length is None else tensor.reshape(length, -1).mT
            for tensor, length in zip(tensors, self._lengths, strict=True)
        ]


class Vmapped:
    def __init__(self, make: Make, replicas: int, rank: int, alike: bool) -> None:
        modules = [make(0)] * replicas if alike else [make(replica) for replica in range(replicas)]
        self._module = modules[0]
        self._parameters = _stacked([dict(module.named_parameters()) for module in modules])
        self._buffers = _stacked([dict(module.named_buffers()) for module in modules])
        self._replicas = replicas
        # Single numbers that start alike, counters of steps most often, are not batched: so `.item()` can read them.
        single = {name: stacked for name, stacked in self._buffers.items() if stacked.ndim == 1}
        self._shared = {name for name, stacked in single.items() if bool((stacked == stacked[0]).all())}
        self._buffers |= {name: self._buffers[name][0].clone() for name in self._shared}
        self.learnable = [parameter for parameter in self._parameters.values() if parameter.requires_grad]

    def __call__(self, *arguments: Any) -> Tensor:
        if not self._parameters and not self._buffers:
            result: Tensor = vmap(self._module, randomness="different")(*arguments)
            return result
        if self._shared:
            try:
                return self._batched({name: buffer.clone() for name, buffer in self._buffers.items()}, arguments)
            except (RuntimeError, ValueError):  # perhaps only because it was given a value that differs by replica
                own = {name: self._buffers[name].expand(self._replicas).clone() for name in self._shared}
                self._buffers, self._shared = {**self._buffers, **own}, set()
        return self._batched(self._buffers, arguments)

    def _batched(self, buffers: dict[str, Tensor], arguments: Arguments) -> Tensor:
        result: Tensor
        where: Any = {name: None if name in self._shared else 0 for name in buffers}
        one = vmap(self._one, in_dims=(0, where, 0), out_dims=(0, where), randomness="different")
        result, self._buffers = one(self._parameters, buffers, arguments)
        return result

    def _one(
        self, parameters: dict[str, Any], buffers: dict[str, Any], arguments: Arguments
    ) -> tuple[Any, dict[str, Any]]:
        state = {**parameters, **buffers}
        result = functional_call(self._module, state, arguments)  # which leaves in `state` what was assigned anew
        return result, {name: state[name] for name in buffers}

    def train(self, training: bool) -> None:
        self._module.train(training)

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return [_rows(tensor) for tensor in tensors]


class Looped:
    def __init__(self, make: Make, replicas: int, rank: int, alike: bool) -> None:
        self._modules = [make(replica) for replica in range(replicas)]
        self.learnable: list[Tensor] = [p for module in self._modules for p in module.parameters() if p.requires_grad]

    def __call__(self, *arguments: Any) -> Tensor:
        results = [module(*pick(arguments, replica)) for replica, module in enumerate(self._modules)]
        if not all(isinstance(result, Tensor) for result in results):  # a penalty may answer with a plain 0.0
            results = [torch.as_tensor(result, device=_leaves(arguments)[0].device) for result in results]
        return torch.stack(results)

    def train(self, training: bool) -> None:
        for module in self._modules:
            module.train(training)

    def by_replica(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        each = len(self.learnable) // len(self._modules)
        return [_rows(torch.stack(list(tensors[number::each]))) for number in range(each)]


PLACES: dict[Tier, Callable[[Make, int, int, bool], Placed]] = {
    Tier.DIRECT: Direct,
    Tier.VMAP: Vmapped,
    Tier.LOOP: Looped,
}


def place(tier: Tier, make: Make, *, replicas: int, rank: int, alike: bool = False) -> Placed:
    """`make(replica)` builds the instance of one replica; `rank` is the number of dimensions of the first argument.

    alike: the instances start alike, so the fast tiers build only one; a probe that says so as well proves it.
    """
    return PLACES[tier](make, replicas, rank, alike)


def fastest(make: Make, samples: Sequence[Arguments], tiers: Sequence[Tier], *, alike: bool = False) -> Tier:
    """The first of `tiers` (fastest first) that agrees with the loop.

    `samples` are at least two inputs of a small stack; replicas should differ in scale and sign, since a branch or a
    statistic over the whole stack shows only where replicas disagree. Whatever the component raises in the loop
    passes through; what it raises in a faster tier only rules that tier out.
    """
    replicas, rank = len(_leaves(samples[0])[0]), _leaves(samples[0])[0].ndim
    reference = _trace(place(Tier.LOOP, make, replicas=replicas, rank=rank), samples)
    for tier in tiers:
        if tier is Tier.LOOP:
            break
        try:
            found = _trace(place(tier, make, replicas=replicas, rank=rank, alike=alike), samples)
        except Exception:  # noqa: BLE001 - any failure means "not in this tier"; the loop's own failures were raised above
            continue
        if len(found) == len(reference) and all(map(agree, found, reference)):
            return tier
    return Tier.LOOP


def _rows(stacked: Tensor) -> Tensor:
    return stacked.reshape(len(stacked), -1)


def seed_torch(seed: int) -> None:
    """As `torch.manual_seed`, which formats three stack traces at each call where no accelerator is initialised."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


def _trace(placed: Placed, samples: Sequence[Arguments]) -> list[Tensor]:
    """Outputs and gradients of several calls, the last one in eval mode: state that one leaves behind shows later."""
    seen = []
    seed_torch(0)
    for number, sample in enumerate((*samples, samples[0])):
        placed.train(number < len(samples))
        arguments, leaves = _with_gradients(sample)
        output = placed(*arguments)
        wanted = leaves + placed.learnable
        gradients: Sequence[Tensor | None] = (None,) * len(wanted)
        if output.requires_grad:
            gradients = torch.autograd.grad(output, wanted, _cotangent(output), allow_unused=True)
        full = [g if g is not None else torch.zeros_like(w) for g, w in zip(gradients, wanted, strict=True)]
        seen += [output.detach(), *full[: len(leaves)], *placed.by_replica(full[len(leaves) :])]
    return seen


def _cotangent(output: Tensor) -> Tensor:
    """Random, and not as the samples are: what a normalization sends back for an even one, or for one that is like its
    input, is zero but for rounding.
    """
    noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(20240910))
    return noise.to(output.device, output.dtype)


def _stacked(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """As `torch.func.stack_module_state`, which refuses instances of a class that `build` defines anew at each call."""
    return {
        name: torch.stack([state[name].detach() for state in states]).requires_grad_(first.requires_grad)
        for name, first in states[0].items()
    }


def agree(found: Tensor, reference: Tensor) -> bool:
    """Up to rounding, each replica on its own scale."""
    if found.shape != reference.shape or found.dtype != reference.dtype:
        return False
    found, reference = _rows(found), _rows(reference)
    scale = torch.where(reference.isfinite(), reference.abs(), 0.0).amax(-1).clamp(min=1.0)
    difference = (found - reference).abs()
    equal = (found == reference) | (found.isnan() & reference.isnan())
    return bool((equal | (difference <= RELATIVE_TOLERANCE * scale[:, None])).all())


def pick(arguments: Any, replica: int) -> Any:
    """The arguments of one replica, without the leading dimension: a copy, so that it may be changed in place."""
    if isinstance(arguments, Tensor):
        return arguments[replica].clone()
    return type(arguments)(pick(argument, replica) for argument in arguments)


def _leaves(arguments: Any) -> list[Tensor]:
    if isinstance(arguments, Tensor):
        return [arguments]
    return [leaf for argument in arguments for leaf in _leaves(argument)]


def _with_gradients(sample: Arguments) -> tuple[Arguments, list[Tensor]]:
    """A copy whose leaves require gradients; the component gets non-leaves, as in a net: it may work in place."""
    leaves: list[Tensor] = []

    def copy(node: Any) -> Any:
        if isinstance(node, Tensor):
            if not node.is_floating_point():  # class numbers
                return node.clone()
            leaves.append(node.clone().requires_grad_())
            return leaves[-1] * 1.0
        return type(node)(copy(child) for child in node)

    return copy(sample), leaves
