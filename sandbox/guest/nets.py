"""The architectures, written for a stack: every tensor has a leading replica dimension R, every affine map is one bmm.

Parameters of a stack are a flat list: weight [R, in, out], bias [R, 1, out], weight, bias, ... in the order of use.
Inputs are [R, batch, 64]: data with fewer inputs is padded with zeros, and its weights on the padding start (and,
without a penalty that moves them, stay) at zero. Outputs are [R, batch, 10]: a task with fewer classes masks the rest,
a regression reads output 0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

INPUTS = 64
OUTPUTS = 10

Forward = Generator[Tensor, Tensor, None]  # yields what each hidden layer is to activate, is sent it activated; last
# of all it yields the outputs. So layers of several architectures can be activated together.


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A family of nets at any width.

    maps(width): (inputs, outputs) of each affine map, in the order of use.
    hidden(width): shape of each activation without replica and batch; the last entry is the features.
    forward(parameters, x [R, batch, 64]): yields [R, batch, ..., features] of each hidden layer, to be sent back
        activated, then the outputs [R, batch, 10].
    """

    name: str
    maps: Callable[[int], tuple[tuple[int, int], ...]]
    hidden: Callable[[int], tuple[tuple[int, ...], ...]]
    forward: Callable[[Sequence[Tensor], Tensor], Forward]

    def sizes(self, width: int, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """`maps` of a task with so many inputs and outputs: without what pads them."""
        (rows, columns), *others = self.maps(width)
        first = (inputs if rows == INPUTS else rows, columns)
        return [first, *others[:-1], (others[-1][0], outputs)]


def _mlp(parameters: Sequence[Tensor], x: Tensor) -> Forward:
    for layer in range(len(parameters) // 2 - 1):
        x = yield torch.baddbmm(parameters[2 * layer + 1], x, parameters[2 * layer])
    yield torch.baddbmm(parameters[-1], x, parameters[-2])


def _residual(parameters: Sequence[Tensor], x: Tensor) -> Forward:
    """Two pre-normalised blocks h + B f(A norm(h)); the normalisation has no parameters of its own."""
    h = torch.baddbmm(parameters[1], x, parameters[0])
    width = (h.shape[-1],)
    for block in range((len(parameters) - 4) // 4):
        into, into_bias, out, out_bias = parameters[2 + 4 * block : 6 + 4 * block]
        inner = yield torch.baddbmm(into_bias, F.layer_norm(h, width), into)
        h = h + torch.baddbmm(out_bias, inner, out)
    yield torch.baddbmm(parameters[-1], F.layer_norm(h, width), parameters[-2])


def _convolutional(parameters: Sequence[Tensor], x: Tensor) -> Forward:
    """1-D: 64 -> kernel 8, stride 4 -> 15 x width/4 -> kernel 3, stride 2 -> 7 x width/2 -> affine. Features last."""
    replicas, batch, _ = x.shape
    x = x.unfold(-1, 8, 4).reshape(replicas, batch * 15, 8)
    x = yield torch.baddbmm(parameters[1], x, parameters[0]).view(replicas, batch, 15, -1)
    # Three strided slices instead of unfold, whose backward is slower; a kernel is laid out [position, channel].
    x = torch.cat((x[:, :, 0:13:2], x[:, :, 1:14:2], x[:, :, 2:15:2]), -1).view(replicas, batch * 7, -1)
    x = yield torch.baddbmm(parameters[3], x, parameters[2]).view(replicas, batch, 7, -1)
    yield torch.baddbmm(parameters[5], x.reshape(replicas, batch, -1), parameters[4])


def _mlp_of_depth(depth: int) -> Architecture:
    return Architecture(
        name=f"mlp{depth}",
        maps=lambda width: ((INPUTS, width), *((width, width),) * (depth - 1), (width, OUTPUTS)),
        hidden=lambda width: ((width,),) * depth,
        forward=_mlp,
    )


ARCHITECTURES: Mapping[str, Architecture] = {
    net.name: net
    for net in (
        _mlp_of_depth(2),
        _mlp_of_depth(4),
        Architecture(
            name="res",
            maps=lambda width: ((INPUTS, width), *((width, width),) * 4, (width, OUTPUTS)),
            hidden=lambda width: ((width,),) * 2,
            forward=_residual,
        ),
        Architecture(
            name="cnn",
            maps=lambda width: ((8, width // 4), (3 * (width // 4), width // 2), (7 * (width // 2), OUTPUTS)),
            hidden=lambda width: ((15, width // 4), (7, width // 2)),
            forward=_convolutional,
        ),
    )
}


def initial(
    architecture: Architecture, *, width: int, inputs: int, outputs: int, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Parameters of one replica, without the leading dimension: weight [in, out], bias [1, out], ...

    Uniform within 1/sqrt(fan-in), weights and biases, as `torch.nn.Linear` and `Conv1d` draw them; the fan-in of a
    map that reads the padded inputs is the true number of inputs. What belongs to padding is zero.
    """
    parameters = []
    maps = zip(architecture.maps(width), architecture.sizes(width, inputs, outputs), strict=True)
    for (rows, columns), (fan_in, fan_out) in maps:
        bound = fan_in**-0.5
        weight = rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)
        bias = rng.uniform(-bound, bound, (1, columns)).astype(np.float32)
        weight[fan_in:] = 0
        weight[:, fan_out:] = 0
        bias[:, fan_out:] = 0
        parameters += [weight, bias]
    return parameters
