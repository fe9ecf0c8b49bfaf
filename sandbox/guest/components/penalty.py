"""Where a regularizer goes in training: what it returns is added to the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..adam import Adam, Run, Update
from ..alone import Training, made
from ..harness import SCALES, Build, Frame, Harness, by_replica, draws, inputs, maker, probes_of
from ..job import Fault
from ..tiers import Arguments, Tier, fastest, place


class PenaltyHarness(Harness):
    """Called once a step with all weights and hidden activations of a net whose activation is ReLU.

    The weights are those of every affine map from input to output, as [out, in] (a convolution as [channels out, kernel
    x channels in]); the activations those after each ReLU, flattened to [batch, features]. The grid's factor scales
    what it adds. `direct` is not tried: a sum over the whole stack agrees with the loop while the same sum inside a
    threshold or a root does not.
    """

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        samples = _states(frame, probes_of(frame, draws(build)))
        make = maker(build, frame, 0, samples[0])
        self.tier = fastest(make, samples, (Tier.VMAP, Tier.LOOP))
        self._placed = place(self.tier, make, replicas=len(frame.seeds), rank=3)
        self._factors = torch.tensor(frame.factors, device=frame.device)
        self.learnable = self._placed.learnable

    def penalty(self, parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> Tensor | None:
        result = self._placed(*_as_seen(parameters, hidden))
        if result.numel() != len(parameters[0]):
            raise Fault("training", f"the penalty must be one number, not a tensor of shape {list(result.shape[1:])}")
        return result.reshape(-1) * self._factors

    def update(self, parameters: list[Tensor]) -> Update:
        runs = [Run(self.frame.rate, 0, len(self.frame.seeds))]  # the grid is of the strength
        return Adam(parameters, runs, self.learnable, self.frame.rate)

    def train(self, training: bool) -> None:
        self._placed.train(training)


def _as_seen(parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """A stack's parameters and activations as lists of [R, out, in] and [R, batch, features]."""
    weights = [weight.mT.contiguous() for weight in parameters[::2]]  # contiguous, so that `view` works as on a layer's
    return weights, [h.reshape(*h.shape[:2], math.prod(h.shape[2:])) for h in hidden]


def _states(frame: Frame, replicas: int) -> list[Arguments]:
    """Weights as they start, scaled, and activations after a ReLU, for the probe of a penalty."""
    rows = torch.arange(replicas, device=frame.device) % len(frame.seeds)
    hidden = [inputs((frame.batch, *shape), frame.device, replicas) for shape in frame.net.hidden(frame.width)]
    samples: list[Arguments] = []
    for number, scales in enumerate(by_replica(SCALES, replicas, 2).to(frame.device)):
        weights = [parameter.detach()[rows] * scales for parameter in frame.parameters]
        samples.append(_as_seen(weights, [layer[number][0].relu() for layer in hidden]))
    return samples


def alone(build: Build, training: Training) -> Training:
    state = ([w.detach() for w in training.net.weights()], [h.flatten(1) for h in training.hidden])
    component = made(build, training, 0, state)
    return replace(
        training,
        penalty=lambda net, hidden: component(net.weights(), [h.flatten(1) for h in hidden]) * training.factor,
        modules=[component],
        learnable=list(component.parameters()),
        rate=training.base_rate,
    )
