"""A handful of small nets that differ by chance: their mean predicts, their disagreement says how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from sandbox.guest.components.kind import Vector

MEMBERS = 5
HIDDEN = 16
RIDGE = 0.5  # penalty against the sum, not the mean, of losses: with few examples it wins, and predictions stay put
STEPS = 200
STEP_SIZE = 0.02
BATCH = 512  # above this many examples each step sees a sample, so that time stays bounded
PSEUDO_COUNT = 4.0  # examples' worth of "one half" in the starting point

NAMES = ("hidden", "hidden_bias", "output", "linear", "bias")


@contextmanager
def one_thread() -> Iterator[None]:
    """So small a net is slower on several threads, and its last bits would depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Each member: sigmoid(tanh(x hidden + hidden_bias) output + x linear + bias), trained on a bootstrap sample.

    Shapes, m members, d inputs, h hidden, k targets: hidden [m, d, h], hidden_bias [m, 1, h], output [m, h, k],
    linear [m, d, k], bias [m, 1, k].
    """

    hidden: torch.Tensor
    hidden_bias: torch.Tensor
    output: torch.Tensor
    linear: torch.Tensor
    bias: torch.Tensor

    @classmethod
    @one_thread()
    def fit(cls, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, seed: int) -> Ensemble:
        """Fit inputs [n, d] to targets [n, k] in [0, 1] with weights [n] by cross-entropy. Deterministic in `seed`."""
        random = torch.Generator().manual_seed(seed)
        n, width = inputs.shape
        parameters = _start(width, _shrunken_mean(targets, weights), random)
        start = parameters[4].clone()
        counts = torch.stack(
            [torch.bincount(torch.randint(n, (n,), generator=random), minlength=n) for _ in range(MEMBERS)]
        )
        trust = (counts * weights)[:, :, None]  # [m, n, 1]
        for parameter in parameters:
            parameter.requires_grad_()
        optimizer = torch.optim.Adam(parameters, lr=STEP_SIZE)
        with torch.enable_grad():
            for step in range(STEPS):
                rows = torch.arange(n) if n <= BATCH else torch.randint(n, (BATCH,), generator=random)
                answers = _answers(parameters, inputs[rows])
                wanted = targets[rows].expand_as(answers)
                losses = binary_cross_entropy_with_logits(answers, wanted, reduction="none") * trust[:, rows]
                loss = losses.sum() * (n / len(rows)) + RIDGE * _size(parameters, start)
                optimizer.param_groups[0]["lr"] = STEP_SIZE * (1 - step / STEPS)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
        return cls(**dict(zip(NAMES, (parameter.detach() for parameter in parameters), strict=True)))

    @one_thread()
    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Every member's answer [m, n, k] in [0, 1] for inputs [n, d]."""
        with torch.no_grad():
            return torch.sigmoid(_answers([getattr(self, name) for name in NAMES], inputs))

    def arrays(self) -> dict[str, Vector]:
        return {name: getattr(self, name).numpy() for name in NAMES}

    @classmethod
    def of(cls, arrays: Mapping[str, Vector]) -> Ensemble:
        return cls(**{name: torch.from_numpy(np.array(arrays[name])) for name in NAMES})


def _answers(parameters: list[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    hidden, hidden_bias, output, linear, bias = parameters
    return torch.tanh(inputs @ hidden + hidden_bias) @ output + inputs @ linear + bias


def _shrunken_mean(targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    total = (targets * weights[:, None]).sum(0)
    return (total + PSEUDO_COUNT / 2) / (weights.sum() + PSEUDO_COUNT)


def _start(width: int, mean: torch.Tensor, random: torch.Generator) -> list[torch.Tensor]:
    """Every member starts by predicting the mean; the hidden layers differ."""
    heads = len(mean)
    return [
        torch.randn(MEMBERS, width, HIDDEN, generator=random) / width**0.5,
        torch.zeros(MEMBERS, 1, HIDDEN),
        torch.randn(MEMBERS, HIDDEN, heads, generator=random) * 0.1 / HIDDEN**0.5,
        torch.zeros(MEMBERS, width, heads),
        torch.logit(mean).expand(MEMBERS, 1, heads).clone(),
    ]


def _size(parameters: list[torch.Tensor], start: torch.Tensor) -> torch.Tensor:
    """What the ridge keeps small. Hidden weights count a quarter: they start at random, not at zero."""
    hidden, _, output, linear, bias = parameters
    return hidden.square().sum() / 4 + output.square().sum() + linear.square().sum() + (bias - start).square().sum()
