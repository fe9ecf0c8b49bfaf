"""Where an optimizer goes: under given gradients, whatever it does, and on small surfaces by its own steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..blame import blamed
from .kind import Behaviour, Series, Vector
from .testing import seed

RATE = 0.02
STEPS = 24  # under given gradients, in the valley and in the fit
SHAPES = ((4, 3), (4,))  # of the parameters that get given gradients
SCALARS = 16
PATH = 48  # steps on the bend
RATES = (0.1 * RATE, RATE, 10 * RATE)  # there, as the grid of training
FITTED = (4, 3)  # shape of the weight that is fitted to noisy batches
FARTHEST = 100.0  # what leaves a surface altogether is shown at its edge

BEHAVIOUR = {
    "response": (STEPS, SCALARS),
    "valley": (STEPS, 2),
    "bend": (len(RATES), PATH, 2),
    "fit": (STEPS, FITTED[0] * FITTED[1]),
}

Build = Callable[..., Any]
Surface = Callable[
    [float, float], tuple[float, float, float]
]  # x, y -> height f and its slopes; log(1 + f) is descended


def valley(x: float, y: float) -> tuple[float, float, float]:
    return 0.5 * (x * x + 25 * y * y), x, 25 * y


def bend(x: float, y: float) -> tuple[float, float, float]:
    """Rosenbrock's function, a tenth as steep."""
    off = y - x * x
    return 10 * off * off + (1 - x) ** 2, -40 * x * off - 2 * (1 - x), 20 * off


def behave(build: Build) -> Behaviour:
    """Positions after each step.

    response: less the start, under gradients that are the same whatever the optimizer does. An optimizer maps gradients
    to steps, so this shows what it is; the rest shows what it leads to. valley, bend: on two surfaces, the second at
    each of RATES. fit: a regression on noisy batches, of a weight with badly scaled inputs.
    """
    return {
        "response": response(build, RATE),
        "valley": path(build, valley, (2.0, 0.7), RATE, STEPS),
        "bend": np.stack([path(build, bend, (-1.2, 1.0), rate, PATH) for rate in RATES]),
        "fit": _fit(build, RATE),
    }


def response(build: Build, rate: float) -> Vector:
    parameters = [nn.Parameter(tensor.clone()) for tensor in _starts()]
    optimizer = _built(build, parameters, rate)
    seen = []
    for step in range(STEPS):
        for parameter, gradients in zip(parameters, _gradients(), strict=True):
            parameter.grad = gradients[step].clone()
        _step(optimizer)
        moved = [(p.detach() - start).flatten() for p, start in zip(parameters, _starts(), strict=True)]
        seen.append(torch.cat(moved).numpy())
    return np.stack(seen)


@cache
def _starts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [0.5 * torch.randn(shape, generator=generator) for shape in SHAPES]


@cache
def _gradients() -> list[Tensor]:
    """[STEPS, ...] for each parameter: steady at first, then half of them turned round, then small and noisy.

    Scales of coordinates span two decades; a coordinate is zero in all but every fifth step.
    """
    generator = torch.Generator().manual_seed(1)
    found = []
    for shape in SHAPES:
        scales = torch.logspace(-1, 1, int(np.prod(shape))).view(shape)
        signal, noise = torch.randn(shape, generator=generator), torch.randn((STEPS, *shape), generator=generator)
        turned = torch.where(torch.rand(shape, generator=generator) < 0.5, -1.0, 1.0)
        gradients = [
            scales * (signal * (turned if step >= 10 else 1.0) + 0.5 * noise[step]) if step < 17 else 0.1 * noise[step]
            for step in range(STEPS)
        ]
        stacked = torch.stack(gradients)
        stacked[[step for step in range(STEPS) if step % 5], ..., -1] = 0.0
        found.append(stacked)
    return found


def path(build: Build, surface: Surface, start: tuple[float, float], rate: float, steps: int) -> Vector:
    """[steps, 2]: the start and all steps but the last.

    On the logarithm, whose slopes are bounded: a large step size bounces instead of leaving for ever.
    """
    point = nn.Parameter(torch.tensor(start))
    optimizer = _built(build, [point], rate)
    seen = []
    for _ in range(steps):
        seen.append(point.detach().clone())
        height, *slopes = surface(*point.tolist())
        point.grad = torch.tensor(slopes) / (1 + height)
        _step(optimizer)
    return _bounded(torch.stack(seen))


def _fit(build: Build, rate: float) -> Vector:
    inputs, noise, target = _batches()
    weight = nn.Parameter(torch.zeros(FITTED))
    optimizer = _built(build, [weight], rate)
    seen = []
    for x, off in zip(inputs, noise, strict=True):
        error = x @ (weight.detach() - target).T + off
        weight.grad = (error / (1 + error.abs())).T @ x / len(x)  # of a loss that grows like the error, not its square
        _step(optimizer)
        seen.append(weight.detach().flatten().clone())
    return _bounded(torch.stack(seen))


@cache
def _batches() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn((STEPS, 8, FITTED[1]), generator=generator) * torch.tensor([3.0, 1.0, 0.3])
    noise = torch.randn((STEPS, 8, FITTED[0]), generator=generator)
    return inputs, noise, torch.randn(FITTED, generator=generator)


def _built(build: Build, parameters: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    seed(0)
    optimizer: torch.optim.Optimizer = build(parameters, rate)
    return optimizer


def _step(optimizer: torch.optim.Optimizer) -> None:
    with blamed("repeat", "step() on the probe"):
        optimizer.step()


def _bounded(positions: Tensor) -> Vector:
    bounded: Vector = np.nan_to_num(positions.clamp(-FARTHEST, FARTHEST).numpy(), nan=FARTHEST)
    return bounded


def floor() -> Series:
    """Of the bend, the way to its lowest point at (1, 1)."""
    x = np.linspace(-1.3, 1.0, 47)
    return Series(name="the valley's floor", x=x.astype(np.float32), y=(x * x).astype(np.float32))


def best(paths: Vector) -> int:
    """Which of the paths [RATES, PATH, 2] on the bend ends lowest."""
    heights = [np.mean([bend(x, y)[0] for x, y in path[-PATH // 6 :].astype(np.float64)]) for path in paths]
    return int(np.argmin(heights))
