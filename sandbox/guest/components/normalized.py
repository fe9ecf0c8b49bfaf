"""Where a normalizer goes in training: between each affine map and its ReLU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from ..alone import Net, Training, made
from ..harness import Build, HiddenLayers
from ..tiers import Direct, Looped, Placed

ROUNDING = 1e-5  # of a gradient, relative to the largest among the weights of its unit: the rounding of 0 reaches 1e-6


class NormalizedLayers(HiddenLayers):
    """relu(component(affine map)) at each hidden layer; of a convolution every position is a row."""

    def build_at(self, build: Build, shape: tuple[int, ...]) -> nn.Module:
        module: nn.Module = build(shape[-1])
        return module

    def seen(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return int(np.prod(shape[:-1])), shape[-1]

    def activate(self, layer: int, x: Tensor) -> Tensor:
        return F.relu(super().activate(layer, x.flatten(1, -2))).view(x.shape)

    def gradients(self, found: list[Tensor]) -> list[Tensor]:
        """What is only rounding is 0: of it Adam would make whole steps in random directions.

        A normalizer such as BatchNorm takes away the effect of what adds the same to a whole column: biases, first
        weights on constant inputs, a normalizer's own shift where the next one sees it through no kink. (Later weights
        have constant inputs only where units are dead, and gradients of exactly 0.)
        """
        cleaned: list[Tensor] = []
        first = len(self.frame.parameters)
        for own in self.frame.by_net(found[:first]):
            for weight, bias in zip(own[::2], own[1::2], strict=True):
                largest = weight.abs().amax(1, keepdim=True)
                cleaned += [_cleaned(weight, largest) if weight is own[0] else weight, _cleaned(bias, largest)]
        for placed in self._places:
            last = first + len(placed.learnable)
            cleaned += _learnable(placed, found[first:last])
            first = last
        return cleaned


def _cleaned(gradient: Tensor, largest: Tensor) -> Tensor:
    return gradient.masked_fill(gradient.abs() <= ROUNDING * largest, 0.0)


def _learnable(placed: Placed, found: Sequence[Tensor]) -> list[Tensor]:
    """Each parameter is compared with the largest of its replica's own entries."""
    if isinstance(placed, Direct):  # learns scalars at most, or vectors whose entries are used one by one
        return list(found)
    largest = [entries.abs().amax(1) for entries in placed.by_replica(found)]  # [R] of each parameter
    if isinstance(placed, Looped):
        own = [one for replica in zip(*largest, strict=True) for one in replica]
    else:
        own = [one.view(-1, *[1] * (gradient.ndim - 1)) for one, gradient in zip(largest, found, strict=True)]
    return [_cleaned(gradient, one) for gradient, one in zip(found, own, strict=True)]


def alone(build: Build, training: Training) -> Training:
    components = [
        made(lambda width=h.shape[-1]: build(width), training, layer, (h.flatten(0, -2),))  # type: ignore[misc]
        for layer, h in enumerate(training.hidden)
    ]
    learnable = [parameter for component in components for parameter in component.parameters()]

    def before_relu(component: nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda x: F.relu(component(x.flatten(0, -2))).view(x.shape)

    def without_rounding(net: Net) -> None:
        for number, affine in enumerate(net.maps):
            weight, bias = affine.parameters()
            if weight.grad is not None and bias.grad is not None:
                largest = weight.grad.abs().flatten(1).amax(1)
                bias.grad = _cleaned(bias.grad, largest)
                if number == 0:
                    weight.grad = _cleaned(weight.grad, largest.view(-1, *[1] * (weight.ndim - 1)))
        for parameter in learnable:
            if parameter.grad is not None:
                parameter.grad = _cleaned(parameter.grad, parameter.grad.abs().max())

    return replace(
        training,
        activations=[before_relu(component) for component in components],
        modules=components,
        gradients=without_rounding,
        learnable=learnable,
    )
