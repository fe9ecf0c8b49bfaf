"""Ways of giving stacked nets to an optimizer that is written for one.

Direct    one optimizer has all nets of one rate as a single vector: right when it treats every scalar by itself
Vmapped   one has all tensors of one shape, or all nets of one size, as a batch: right for norms, rows and matrices
Loop      one for each net: the definition of right, and the slowest
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import (
    _add_batch_dim,
    _vmap_decrement_nesting,
    _vmap_increment_nesting,
    get_unwrapped,
    is_batchedtensor,
)
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from ..adam import Update
from ..harness import Build, Frame, component_seed
from ..tiers import seed_torch
from .entries import Block, Entries, Owner, by_shape, owners

Way = Callable[[Build, Frame, Sequence[Tensor]], Update]


def built(build: Build, parameters: Sequence[Tensor], rate: Any, seed: int) -> Optimizer:
    seed_torch(component_seed(seed, 0))
    optimizer: Optimizer = build(list(parameters), rate)
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


class _Stored:
    """Stacked parameters whose true entries are stepped in a vector of their own, and then written back."""

    def __init__(self, nets: Sequence[Owner], blocks: Sequence[Block], parameters: Sequence[Tensor]) -> None:
        self._outside = [parameter.detach() for parameter in parameters]
        self._entries = Entries(nets, blocks, self._outside)
        values = self._entries.read(self._outside)
        self._vector = torch.cat([values, values.new_zeros(1)])
        self._homes = self._entries.blocks(self._vector[:-1])

    def _gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """In new memory at every step: an optimizer may keep the gradients of the last one."""
        return self._entries.blocks(self._entries.read(gradients))

    def _write(self) -> None:
        self._entries.write(self._vector, self._outside)


def _bring_home(parameter: Tensor, home: Tensor) -> None:
    """An optimizer may give its parameters memory of another one's (`p.data = ...`)."""
    if parameter.data_ptr() != home.data_ptr():
        home.copy_(parameter.data)


class Loop(_Stored):
    """One optimizer for each net, on contiguous parameters of ordinary layout and true size: [out, in] and [out]."""

    def __init__(self, build: Build, nets: Sequence[Owner], parameters: Sequence[Tensor]) -> None:
        blocks = by_shape(nets)
        super().__init__(nets, blocks, parameters)
        self._parameters = [[nn.Parameter(part) for part in home.unbind()] for home in self._homes]
        owned: list[dict[int, nn.Parameter]] = [{} for _ in nets]
        for block, parts in zip(blocks, self._parameters, strict=True):
            for (net, number), parameter in zip(block.members, parts, strict=True):
                owned[net][number] = parameter
        self._optimizers = [
            built(build, [own[number] for number in sorted(own)], net.rate, net.seed)
            for own, net in zip(owned, nets, strict=True)
        ]

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        for parameters, found in zip(self._parameters, self._gradients(gradients), strict=True):
            for parameter, gradient in zip(parameters, found.unbind(), strict=True):
                parameter.grad = gradient
        for optimizer in self._optimizers:
            take(optimizer, multiplier)
        for parameters, home in zip(self._parameters, self._homes, strict=True):
            for parameter, part in zip(parameters, home.unbind(), strict=True):
                _bring_home(parameter, part)
        self._write()


def loop(build: Build, frame: Frame, parameters: Sequence[Tensor]) -> Update:
    return Loop(build, owners(frame), parameters)


class Direct(_Stored):
    """One optimizer for each run of replicas of one rate, on all their parameters as one vector."""

    def __init__(self, build: Build, frame: Frame, parameters: Sequence[Tensor]) -> None:
        nets, runs, numbers = owners(frame), frame.runs(), range(len(parameters))
        members = [[(net, number) for net in range(run.start, run.stop) for number in numbers] for run in runs]
        blocks = [Block(nets[net].shape(number), ((net, number),)) for run in members for net, number in run]
        super().__init__(nets, blocks, parameters)
        sizes = iter([home.numel() for home in self._homes])
        self._lengths = [sum(next(sizes) for _ in run) for run in members]
        self._homes = list(self._vector[:-1].split_with_sizes(self._lengths))
        self._own = [nn.Parameter(home) for home in self._homes]
        self._optimizers = [
            built(build, [own], run.rate, frame.seeds[run.start]) for own, run in zip(self._own, runs, strict=True)
        ]

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        found = self._entries.read(gradients).split_with_sizes(self._lengths)
        for parameter, gradient, optimizer in zip(self._own, found, self._optimizers, strict=True):
            parameter.grad = gradient
            take(optimizer, multiplier)
        for parameter, home in zip(self._own, self._homes, strict=True):
            _bring_home(parameter, home)
        self._write()


# --- one optimizer for a batch


class Vmapped(_Stored):
    """One optimizer for each group of blocks whose members correspond, in batches: it sees one net's, or one tensor's.

    Its parameters and what it keeps stay batched tensors between the steps, so nothing that it refers to is exchanged.
    A learning rate is a number where all members have the same, and otherwise a batched one as well.
    """

    def __init__(
        self, build: Build, nets: Sequence[Owner], groups: Sequence[Sequence[Block]], parameters: Sequence[Tensor]
    ) -> None:
        super().__init__(nets, [block for group in groups for block in group], parameters)
        homes = iter(self._homes)
        self._groups: list[tuple[list[Tensor], Optimizer]] = []
        with _batch():
            for group in groups:
                own = [_add_batch_dim(next(homes), 0, 1) for _ in group]
                first, rates = nets[group[0].members[0][0]], [nets[net].rate for net, _ in group[0].members]
                rate: Any = rates[0]
                if len(set(rates)) > 1:
                    rate = torch.tensor(rates, dtype=torch.float64, device=self._vector.device)
                    rate = _add_batch_dim(rate, 0, 1)
                self._groups.append((own, built(build, own, rate, first.seed)))

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        found = iter(self._gradients(gradients))
        with _batch():
            for own, optimizer in self._groups:
                for parameter in own:
                    parameter.grad = _add_batch_dim(next(found), 0, 1)
                take(optimizer, multiplier)
        self._write()


def by_tensor(build: Build, frame: Frame, parameters: Sequence[Tensor]) -> Update:
    """All tensors of one shape are a batch: right for what treats every tensor by itself."""
    nets = owners(frame)
    return Vmapped(build, nets, [[block] for block in by_shape(nets)], parameters)


def by_net(build: Build, frame: Frame, parameters: Sequence[Tensor]) -> Update:
    """All nets of one size are a batch: right also for a norm over all tensors."""
    nets = owners(frame)
    alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for number, net in enumerate(nets):
        alike.setdefault(net.sizes, []).append(number)
    groups = [
        [Block(nets[own[0]].shape(number), tuple((net, number) for net in own)) for number in range(len(parameters))]
        for own in alike.values()
    ]
    return Vmapped(build, nets, groups, parameters)


@contextmanager
def _batch() -> Iterator[None]:
    """As inside `torch.vmap`, but batched tensors outlive it and mean the same in the next. Nothing may be random."""
    level = _vmap_increment_nesting(1, "error")  # the size matters only to random numbers
    try:
        if level != 1:
            raise RuntimeError(f"an optimizer is stepped at level {level} of torch.vmap; expected the outermost")
        with _Agreeing():
            yield
    finally:
        _vmap_decrement_nesting()


class _Agreeing(TorchFunctionMode):
    """Answers what `torch.vmap` refuses and a batch can be asked: a value on which all its members agree.

    A branch is then what each of them alone would take. A batched factor (`alpha=-lr`) is multiplied in.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = RULES.get(func, func)
        if not kwargs:
            return rule(*args)
        scale = kwargs.get("alpha", kwargs.get("value"))
        if isinstance(scale, Tensor) and func.__name__ in SCALED:
            args = (args[0], args[1] * scale, *args[2:])
            kwargs = {name: value for name, value in kwargs.items() if name not in ("alpha", "value")}
        return rule(*args, **kwargs)


def _agreed(tensor: Tensor) -> Tensor:
    """Raises ValueError where members of the batch differ."""
    if not is_batchedtensor(tensor):
        return tensor
    values = get_unwrapped(tensor).flatten()
    if tensor.numel() != 1 or bool((values != values[0]).any()):
        raise ValueError("the members of a batch answer differently")
    return values[0]


def _asked(func: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    return lambda tensor: func(_agreed(tensor))


def _apart(func: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda tensor, *rest, **named: tensor.copy_(func(tensor, *rest, **named))


SCALED = frozenset({"add", "add_", "sub", "sub_", "addcmul", "addcmul_", "addcdiv", "addcdiv_"})
# What torch.vmap does to the members of a batch one by one, in place, and to all at once otherwise.
SLOW = ("addcdiv_", "addcmul_", "clamp_", "clip_", "fmod_", "lerp_", "pow_", "remainder_", "square_")
RULES: dict[Any, Callable[..., Any]] = {
    **{func: _asked(func) for func in (Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.item)},
    **{getattr(Tensor, name): _apart(getattr(Tensor, name[:-1])) for name in SLOW},
    Tensor.data.__get__: lambda tensor: tensor.detach(),  # type: ignore[attr-defined]
    Tensor.data.__set__: lambda tensor, value: tensor.copy_(value),  # type: ignore[attr-defined]
}
