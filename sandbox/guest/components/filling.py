"""Where an initializer goes in training: it fills the weights before the first step; biases start at zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..alone import NETS, Training
from ..harness import Build, Frame, Harness, component_seed
from ..job import Fault
from ..nets import INPUTS
from .testing import require_finite, seed, words

SEEDS = 1 << 32  # numpy takes no larger ones


class InitializerHarness(Harness):
    """Each weight is filled as the [out, in] tensor of an ordinary net, without what pads it in a stack."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        self._build = build

    def initial(self) -> list[Tensor]:
        frame = self.frame
        parameters = [parameter.clone() for parameter in frame.parameters]
        for bias in parameters[1::2]:
            bias.zero_()
        known: dict[tuple[int, int, int], list[Tensor]] = {}  # a replica comes once for each factor of the grid
        for replica, key in enumerate(zip(frame.seeds, frame.inputs, frame.classes, strict=True)):
            sizes = frame.net.sizes(frame.width, frame.inputs[replica], frame.classes[replica] or 1)
            stacked = [
                weight[replica, :rows, :columns] for weight, (rows, columns) in zip(parameters[::2], sizes, strict=True)
            ]
            if key not in known:
                known[key] = [weight.T.cpu().contiguous() for weight in stacked]
                fill_net(self._build, known[key], frame.seeds[replica])
            for part, weight in zip(stacked, known[key], strict=True):
                part.copy_(weight.T)
        return parameters


def alone(build: Build, training: Training) -> Training:
    """As in the stack; a team's own net has no padding, and keeps its own layout of convolutions."""
    ours = type(training.net) in NETS.values()
    weights = [weight.detach().cpu().clone() for weight in training.net.weights()]
    parts = weights
    if ours:
        first, *others = weights
        parts = [first[:, : training.inputs] if first.shape[1] == INPUTS else first, *others]
        parts[-1] = parts[-1][: training.classes or 1]
    filled = [part.contiguous().clone() for part in parts]
    fill_net(build, filled, training.seed)
    with torch.no_grad():
        for layer, weight, part, own in zip(training.net.maps, weights, parts, filled, strict=True):
            part.copy_(own)
            if ours and layer.weight.ndim == 3:  # [out, kernel x in] as [out, in, kernel]
                weight = weight.view(len(weight), -1, layer.weight.shape[1]).mT
            layer.weight.copy_(weight.reshape(layer.weight.shape))
            if layer.bias is not None:
                layer.bias.zero_()
    return training


def fill_net(build: Build, weights: Sequence[Tensor], trial_seed: int) -> None:
    """Fill [out, in] tensors in place, from the first layer to the last, each from a seed of its own."""
    seed(component_seed(trial_seed, len(weights)) % SEEDS)
    initializer = build()
    for layer, weight in enumerate(weights):
        seed(component_seed(trial_seed, layer) % SEEDS)
        fill(initializer, weight, f"of layer {layer + 1}, of shape {list(weight.shape)}")


@torch.no_grad()
def fill(initializer: Callable[[Tensor], Any], weight: Tensor, where: str) -> Any:
    """Returns what the initializer does, which should be nothing. Raises `Fault`: shape, dtype, finite."""
    shape, dtype = weight.shape, weight.dtype
    needed = weight.requires_grad
    returned = initializer(weight)
    if weight.is_leaf:  # asking for gradients is harmless, and no part of the values
        weight.requires_grad_(needed)
    if weight.shape != shape:
        raise Fault("shape", f"it made {words(weight)} of a weight {where}; it must keep the shape")
    if weight.dtype != dtype:
        raise Fault("dtype", f"it made a tensor of {weight.dtype} of a weight {where}; it must keep {dtype}")
    require_finite(weight, "finite", f"a weight {where}", "once it is filled")
    return returned
