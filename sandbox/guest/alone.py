"""One ordinary net and how it is trained: plain modules and `torch.optim`, without any stack.

`Training` describes it before its first step. The `alone` of a kind replaces the part where its component goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .adam import BETAS, EPSILON
from .harness import component_seed, settle
from .tiers import Arguments, seed_torch

Values = NDArray[np.generic]


class Net(nn.Module):
    """Affine maps with given parameters (weight [in, out], bias [1, out], ...) and one activation a hidden layer.

    forward(x [batch, inputs]) -> (outputs [batch, 10], what each activation made [batch, ..., features]).
    """

    KERNELS: tuple[int, ...] = ()  # of the maps that are convolutions, which come first
    STRIDES: tuple[int, ...] = ()

    def __init__(self, initial: Sequence[Values]) -> None:
        super().__init__()
        pairs = zip(initial[::2], initial[1::2], self.KERNELS + (0,) * len(initial), strict=False)
        maps = [self._map(torch.tensor(weight), torch.tensor(bias), *rest) for weight, bias, *rest in pairs]
        self.maps: list[nn.Linear | nn.Conv1d] = maps
        self.registered = nn.ModuleList(maps)
        self.activations: Sequence[Callable[[Tensor], Tensor]] = ()

    def _map(self, weight: Tensor, bias: Tensor, kernel: int) -> nn.Linear | nn.Conv1d:
        rows, columns = weight.shape
        made: nn.Linear | nn.Conv1d = nn.Linear(rows, columns)
        if kernel:
            made = nn.Conv1d(rows // kernel, columns, kernel, self.STRIDES[self.KERNELS.index(kernel)])
            weight = weight.view(kernel, rows // kernel, columns).permute(1, 0, 2).flatten(0, 1)
        made.weight.data = weight.T.reshape(made.weight.shape).contiguous()
        made.bias = nn.Parameter(bias[0])
        return made

    def weights(self) -> list[Tensor]:
        """As [out, in]; of a convolution with the channels of one position side by side."""
        return [m.weight.permute(0, 2, 1).flatten(1) if m.weight.ndim == 3 else m.weight for m in self.maps]


class Mlp(Net):
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        hidden = []
        for layer, activation in enumerate(self.activations):
            x = activation(self.maps[layer](x))
            hidden.append(x)
        return self.maps[-1](x), hidden


class Residual(Net):
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        h, hidden = self.maps[0](x), []
        for block, activation in enumerate(self.activations):
            hidden.append(activation(self.maps[1 + 2 * block](F.layer_norm(h, h.shape[-1:]))))
            h = h + self.maps[2 + 2 * block](hidden[-1])
        return self.maps[-1](F.layer_norm(h, h.shape[-1:])), hidden


class Convolutional(Net):
    """Channels first inside the convolutions, features last for the component."""

    KERNELS = (8, 3)
    STRIDES = (4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, hidden = x[:, None], []
        for layer, activation in enumerate(self.activations):
            hidden.append(activation(self.maps[layer](x).mT))
            x = hidden[-1].mT
        return self.maps[-1](hidden[-1].flatten(1)), hidden


NETS: dict[str, type[Net]] = {"mlp2": Mlp, "mlp4": Mlp, "res": Residual, "cnn": Convolutional}


def _adam(parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr, BETAS, EPSILON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One trial. What a kind does not replace is training as published, like in `Harness`."""

    net: Net
    seed: int  # of the trial, for what the component draws when it is built
    hidden: Sequence[Tensor]  # zeros in the shape of each hidden layer, [batch, ..., features]
    inputs: int  # the true ones
    classes: int  # 0 for a regression
    steps: int
    factor: float  # of the grid
    base_rate: float  # the suite's learning rate
    rate: float  # the same times the grid's factor
    batch: Callable[[Tensor], Tensor] = lambda x: x
    activations: Sequence[Callable[[Tensor], Tensor]] = ()  # one a hidden layer; none given: ReLU
    modules: Sequence[nn.Module] = ()  # of the component, to be told of train and eval mode
    classify: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy  # logits [batch, classes]
    penalty: Callable[[Net, Sequence[Tensor]], Any] | None = None  # of the net and its hidden activations
    gradients: Callable[[Net], None] = lambda net: None  # may change those of the net before the optimizer's step
    learnable: Sequence[nn.Parameter] = ()  # of the component: trained along at the suite's learning rate
    optimizer: Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer] = _adam
    multiplier: Callable[[int], float] | None = None  # of the learning rate; None: it is the optimizer's own affair


def made(build: Callable[[], nn.Module], training: Training, layer: int, arguments: Arguments) -> nn.Module:
    """An instance that draws what it draws from the trial's seed; `arguments` give lazy parameters their shapes."""
    seed_torch(component_seed(training.seed, layer))
    return settle(build(), arguments)
