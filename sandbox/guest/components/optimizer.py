"""Optimizers: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..blame import blamed
from ..job import Fault
from .kind import Behaviour, Conditions, Drawing, Kind, Series, Vector
from .known_optimizers import KNOWN_OPTIMIZERS
from .stepping import OptimizerHarness, alone
from .testing import require_finite, seed, words
from .trajectories import BEHAVIOUR, RATES, behave, best, floor

CONTRACT = """\
An optimizer: how weights change, given their gradients. Write one self-contained Python module with a module-level
function `build(params, lr)` that returns a new `torch.optim.Optimizer`; it is called once for every net.

What comes in: `params` is a list of `nn.Parameter` on one device, float32, in the order of the layers: weight
[out, in], bias [out], weight, bias, ... Sizes are any from 1 up (a net with one input has a weight [out, 1], a
regression ends with [1, in] and [1]). `lr` is the learning rate, a float. Before each `step()` every parameter has a
new `.grad` of its own shape, the gradient of a batch's mean loss, which is a log-loss or squared error around 1.

What must come out: `step()` changes the parameters in place, without a closure (`def step(self, closure=None)`), under
`@torch.no_grad()`. All parameters stay finite for finite gradients, also where a whole gradient is exactly 0 (a dead
unit) and in the first step: add a small constant under a root or a division, by a norm above all.

Step sizes: every optimizer is tried at five lr from 0.0015 to 0.15 and takes its best; Adam's is near 0.015. Trainings
are short (48 to 320 steps), so let averages and warm-ups work within some tens of steps.
Allowed: state for each parameter and over all of them, statistics over a row, a tensor or all tensors, other treatment
of weights (2 dimensions) than of biases (1 dimension), randomness drawn from torch, changing `.grad`.
Required: the same `torch.manual_seed` gives the same steps; shape and dtype of parameters stay; nothing is read but
parameters, gradients and lr.
Cost: some operations on each parameter. Measured fastest is an optimizer that treats every scalar by itself, then one
that treats every tensor by itself; `float()`, `.item()`, branches on values and random numbers make measuring several
times as slow. Time is reported relative to Adam.
Imports: `math` and `torch` only (`torch.optim` included).
"""

NETS = (  # (name, [out, in] of each weight), with the biases between
    ("a net of 2 hidden layers", ((32, 64), (32, 32), (10, 32))),
    ("a net of 2 inputs and 2 classes", ((32, 2), (32, 32), (32, 32), (2, 32))),
    ("a regression net of one narrow hidden layer", ((3, 1), (1, 3))),
)
GRADIENTS = (  # of successive steps: (in words, scale, which are exactly 0)
    ("in its first step", 1.0, "none"),
    ("in its second step", 0.5, "none"),
    ("after a step with large gradients", 10.0, "none"),
    ("where whole rows and tensors of the gradient are exactly 0", 0.5, "some"),
    ("where all gradients are exactly 0", 1.0, "all"),
    ("with small gradients", 1e-3, "none"),
    ("in a later step", 0.3, "none"),
    ("in a later step", 0.3, "some"),
)
RATE = 0.015


# --- the functional test


def check(build: Callable[..., Any]) -> None:
    """Raises `Fault` with one of the checks: step, repeat, sizes, shape, dtype, finite, no effect, seed."""
    moved = False
    for number, (name, shapes) in enumerate(NETS):
        parameters = net_of(shapes)
        seed(0)
        optimizer = build(parameters, RATE)
        before = [parameter.detach().clone() for parameter in parameters]
        for step, (when, _, _) in enumerate(GRADIENTS):
            doing = "sizes" if number else "repeat" if step else "step"
            _step(optimizer, parameters, step, doing, f"{when} on {name}")
        moved = moved or not all(map(torch.equal, parameters, before))
    if not moved:
        raise Fault("no effect", "its steps leave every parameter as it was; change them in place, as p.add_(...) does")
    _check_seed(build)


def net_of(shapes: Sequence[tuple[int, int]]) -> list[nn.Parameter]:
    """As PyTorch's linear layers start: weight, bias, ..."""
    generator = torch.Generator().manual_seed(1)
    parameters = []
    for rows, columns in shapes:
        for shape in ((rows, columns), (rows,)):
            values = (torch.rand(shape, generator=generator) * 2 - 1) / columns**0.5
            parameters.append(nn.Parameter(values))
    return parameters


def _step(optimizer: Optimizer, parameters: Sequence[nn.Parameter], step: int, check: str, where: str) -> None:
    shapes = [parameter.shape for parameter in parameters]
    for parameter, gradient in zip(parameters, gradients(parameters, step), strict=True):
        parameter.grad = gradient
    with torch.enable_grad(), blamed(check, f"step() {where}"):
        optimizer.step()
    for parameter, shape in zip(parameters, shapes, strict=True):
        if parameter.shape != shape:
            raise Fault("shape", f"step() made {words(parameter)} of a parameter of shape {list(shape)} {where}")
        if parameter.dtype != torch.float32:
            raise Fault("dtype", f"step() made {parameter.dtype} of a float32 parameter {where}")
        require_finite(parameter.detach(), "finite", f"a parameter of shape {list(shape)}", where)


def gradients(parameters: Sequence[Tensor], step: int) -> Iterator[Tensor]:
    """Those of one of the steps of GRADIENTS."""
    _, scale, zero = GRADIENTS[step % len(GRADIENTS)]
    for number, parameter in enumerate(parameters):
        generator = torch.Generator().manual_seed(100 * step + number)
        gradient = scale * torch.randn(parameter.shape, generator=generator) / parameter.numel() ** 0.5
        if zero == "all" or (zero == "some" and number == 1):
            gradient.zero_()
        elif zero == "some":
            gradient[::2] = 0.0
        yield gradient


def _check_seed(build: Callable[..., Any]) -> None:
    found = []
    for _ in range(2):
        parameters = net_of(NETS[0][1])
        seed(1)
        optimizer = build(parameters, RATE)
        for step in range(3):
            _step(optimizer, parameters, step, "repeat", GRADIENTS[step][0])
        found.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    difference = float((found[0] - found[1]).abs().max())
    if not difference <= 1e-5 * (1.0 + float(found[0].abs().max())):
        reason = f"under the same seed two fresh builds differ by up to {difference:g} after three steps"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


# --- behaviour: see trajectories.py


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for u and a u with a > 0, u being the steps under given gradients; zero for none.

    The learning rate is chosen, so the size of its steps is no property of an optimizer. What it does on surfaces
    follows from its steps but changes with their size, and is left out.
    """
    positions = behaviour["response"].astype(np.float64)
    steps = np.diff(positions, axis=0, prepend=0.0).ravel()
    norm = np.linalg.norm(steps)
    return (steps / norm if norm > 0 else steps).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    """Its path on the bend, at that one of three rates that ends lowest."""
    paths = behaviour["bend"]
    x, y = np.clip(paths[best(paths)], -3.0, 3.0).T
    path = Series(name=f"path, at the best of {len(RATES)} learning rates", x=x, y=y)
    return Drawing(x_label="x", y_label="y", series=(path, floor()))


# --- cost


def use(build: Callable[..., Any]) -> Any:
    """An optimizer of a typical net whose gradients are there."""
    parameters = net_of(NETS[0][1])
    for parameter, gradient in zip(parameters, gradients(parameters, 0), strict=True):
        parameter.grad = gradient
    return build(parameters, RATE)


def exercise(optimizer: Optimizer) -> None:
    optimizer.step()


KIND = Kind(
    name="optimizer",
    title="optimizer",
    plural="optimizers",
    synonyms=(
        "optimiser",
        "optimisers",
        "optimization algorithm",
        "optimization algorithms",
        "optimisation algorithm",
        "optimisation algorithms",
        "optimization method",
        "optimization methods",
        "update rule",
        "update rules",
    ),
    entry="build(params, lr)",
    contract=CONTRACT,
    reference="Adam",
    known=KNOWN_OPTIMIZERS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    harness=OptimizerHarness,
    alone=alone,
    # Two decades in half ones: momentum's best rate here is three times Adam's, and ten times it diverges.
    conditions=Conditions(architectures=("mlp2", "mlp4", "res"), grid=(0.1, 0.3, 1.0, 3.0, 10.0)),
    returns=Optimizer,
    use=use,
    exercise=exercise,
)
