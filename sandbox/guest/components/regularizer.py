"""Regularizers: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..blame import blamed
from ..job import Fault
from .kind import Behaviour, Conditions, Drawing, Kind, Series, Vector
from .known_regularizers import KNOWN_REGULARIZERS
from .penalty import PenaltyHarness, alone
from .testing import as_in_a_net, gradients, learnable, learning, require_finite, seed, words

CONTRACT = """\
A regularizer: a penalty that is added to the loss. Write one self-contained Python module with a module-level function
`build()`. It takes no arguments and returns a new `torch.nn.Module`; it is called once for every net.

What comes in: `forward(weights, activations)` is called once per training step with two lists of float32 tensors.
`weights` holds the matrix of every affine map from input to output, each [out, in]; a convolution comes as [channels
out, kernel size x channels in]. `activations` holds the output of every hidden activation (a ReLU), each [batch,
features], several positions of a convolution flattened into features. There is at least one of each; the lists may
differ in length and sizes of neighbours need not match (convolutions, residual nets): compare shapes before you
multiply one with another. Whole rows or columns of weights and whole features may be exactly 0 (padding, dead units).

What must come out: one number as a float32 tensor without dimensions, already multiplied by its strength; negative is
allowed. It must depend differentiably on the weights or on the activations; it and its gradients must be finite, also
for the zeros above (add a small constant under a root, a logarithm or a division). The loss is a log-loss around 1: a
penalty between 0.01 and 0.1 at the start of training has an effect without taking over.

Allowed: state between calls that depends on the step (a counter, a moving average, the initial weights), learnable
parameters (`nn.Parameter`, at most 1,000,000 scalars; they are trained along, to make the sum smaller), randomness
drawn from torch.
Required: the same `torch.manual_seed` gives the same result; weights, activations and the two lists are never modified;
nothing that carries a gradient is kept from one call to the next (detach it).
Cost: about as cheap as a matrix product per layer; time is reported relative to L2.
Imports: `math` and `torch` only.
"""

Lists = tuple[list[Tensor], list[Tensor]]


@dataclass(frozen=True, slots=True)
class _Net:
    """Shapes of what a regularizer sees of one net; `inputs` of the first map's columns are used, the rest pads."""

    name: str
    weights: tuple[tuple[int, int], ...]
    activations: tuple[tuple[int, int], ...]
    inputs: int


NETS = (  # the architectures of the suites, and one that is smaller than all of them
    _Net("a net of 2 hidden layers", ((32, 64), (32, 32), (10, 32)), ((32, 32),) * 2, 64),
    _Net("a net of 4 hidden layers and 2 inputs", ((32, 64), *((32, 32),) * 3, (10, 32)), ((32, 32),) * 4, 2),
    _Net("a residual net", ((32, 64), *((32, 32),) * 4, (10, 32)), ((32, 32),) * 2, 10),
    _Net("a convolutional net", ((8, 8), (16, 24), (10, 112)), ((32, 120), (32, 112)), 8),
    _Net("a net of one narrow hidden layer", ((5, 3), (2, 5)), ((8, 5),), 3),
)
PROBE = _Net("the probe", ((16, 12), (16, 16), (6, 16)), ((24, 16),) * 2, 12)

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the weights, then of the activations, the other at 1
PROJECTIONS = 16  # random ones kept of the gradient with respect to each tensor
TENSORS = len(PROBE.weights) + len(PROBE.activations)
LARGE_WEIGHTS, LARGE_ACTIVATIONS = 5.0, 20.0  # what training reaches when it goes badly; more is not tested


# --- the functional test


def check(build: Callable[[], Any]) -> None:
    """Raises `Fault` with one of the checks: forward, type, scalar, dtype, input modified, finite output, gradient,
    finite gradient, repeat, no effect, sizes, seed.
    """
    component = _built(build)
    effects = [_step(component, NETS[0], step, "forward") for step in _steps(NETS[0])]
    _require_effect(effects)
    for net in NETS[1:]:
        _step(_built(build), net, _steps(net)[0], "sizes")
    _check_seed(build)


def _built(build: Callable[[], Any]) -> nn.Module:
    seed(0)
    component: nn.Module = build()
    return component.train()


@dataclass(frozen=True, slots=True)
class _Step:
    number: int
    state: Lists
    where: str  # "as it starts"


@dataclass(frozen=True, slots=True)
class _Effect:
    value: float
    differentiable: bool
    moves: bool  # some gradient is not zero


def _step(component: nn.Module, net: _Net, step: _Step, name: str) -> _Effect:
    """One training step's worth of use: forward, backward, all values finite. `name`: the check that forward breaks."""
    where = f"on {net.name} {step.where}"
    leaves, output = _call(component, step.state, name, f"forward {where}")
    value = float(output.detach())
    require_finite(output.detach(), "finite output", "its penalty", where)
    if not output.requires_grad:
        return _Effect(value, differentiable=False, moves=False)
    parameters = learnable(component)
    wanted = [*leaves, *parameters.values()]
    check = "repeat" if step.number else "gradient"
    found = gradients(output, wanted, torch.ones_like(output), check, f"its backward pass {where}")
    of = [f"weights[{i}]" for i in range(len(net.weights))] + [f"activations[{i}]" for i in range(len(net.activations))]
    of += [f"its parameter `{parameter}`" for parameter in parameters]
    for thing, gradient in zip(of, found, strict=True):
        require_finite(gradient, "finite gradient", f"its gradient for {thing}", where)
    return _Effect(value, differentiable=True, moves=any(bool(g.any()) for g in found[: len(leaves)]))


def _call(component: nn.Module, state: Lists, name: str, doing: str) -> tuple[list[Tensor], Tensor]:
    """(the tensors as leaves, penalty); working on them in place is noticed."""
    before = [*state[0], *state[1]]
    with torch.enable_grad():
        leaves = [tensor.clone().requires_grad_() for tensor in before]
        given = [as_in_a_net(leaf) for leaf in leaves]
        weights, activations = given[: len(state[0])], given[len(state[0]) :]
        with blamed(name, doing):
            output = component(weights, activations)
    after = [*weights, *activations]
    if len(after) != len(given) or any(a is not g for a, g in zip(after, given, strict=True)):
        raise Fault("input modified", "forward changed the list of weights or of activations; work on a copy")
    if not all(torch.equal(tensor.detach(), original) for tensor, original in zip(given, before, strict=True)):
        raise Fault("input modified", "forward changed weights or activations in place; work on copies (clone)")
    return leaves, _penalty(output)


def _penalty(output: Any) -> Tensor:
    if isinstance(output, Real):  # `sum` over nothing, or a plain 0.0
        return torch.tensor(float(output))
    if not isinstance(output, Tensor):
        raise Fault("type", f"forward returned {words(output)}; it must return one number, as a tensor")
    if output.numel() != 1:
        raise Fault("scalar", f"forward returned {words(output)}; reduce it to one number (mean or sum)")
    if not output.is_floating_point():
        raise Fault("dtype", f"forward returned a tensor of {output.dtype}; the penalty must be a float32")
    return output.reshape(())


def _require_effect(effects: Sequence[_Effect]) -> None:
    if any(effect.moves for effect in effects):
        return
    values = sorted({effect.value for effect in effects})
    differentiable = any(effect.differentiable for effect in effects)
    if len(values) > 1 and not differentiable:
        raise Fault("gradient", "its penalty changes with its input but does not depend on it differentiably")
    if len(values) > 1:
        raise Fault("gradient", "its gradient with respect to all weights and activations is zero everywhere")
    if values != [0.0] and not differentiable:
        raise Fault("no effect", f"its penalty is {values[0]:g} whatever the weights and activations are")
    # What is left: no penalty at all, which is the known regularizer "None", or one that begins only further out.


def _check_seed(build: Callable[[], Any]) -> None:
    answers = []
    for _ in range(2):
        component = _built(build)
        seed(1)
        answers.append(_call(component, _state(PROBE, 0), "forward", "forward")[1].detach())
    difference = float((answers[0] - answers[1]).abs())
    if not difference <= 1e-5 * float(answers[0].abs()):
        reason = f"under the same seed two fresh builds differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


@cache
def _steps(net: _Net) -> tuple[_Step, ...]:
    """Successive steps of one net, as its weights and activations move and grow."""
    first, moved = _state(net, 0), _state(net, 1)
    large = [w * LARGE_WEIGHTS for w in moved[0]], [a * LARGE_ACTIVATIONS for a in moved[1]]
    return (
        _Step(0, first, "as it starts"),
        _Step(1, large, "with large weights and activations"),
        _Step(2, first, "back where it started"),
    )


def _state(net: _Net, number: int) -> Lists:
    """Weights and activations with what penalties look for, as it comes up in training.

    Weights uniform within 1/sqrt(fan-in), 3 % of them four times larger, two neurons of a layer nearly the same, zero
    on the padding. Activations after a ReLU, samples in four tight clusters, a few far outside, every eighth unit dead.
    """
    generator = torch.Generator().manual_seed(number)
    weights = []
    for index, (rows, columns) in enumerate(net.weights):
        used = net.inputs if index == 0 else columns
        weight = (torch.rand((rows, columns), generator=generator) * 2 - 1) / used**0.5
        weight = torch.where(torch.rand(weight.shape, generator=generator) < 0.03, 4 * weight, weight)
        weight[1] = 0.9 * weight[0] + 0.1 * weight[1]
        weight[:, used:] = 0.0
        weights.append(weight)
    activations = []
    for batch, features in net.activations:
        centres = torch.randn((4, features), generator=generator)
        spread = 0.1 * torch.randn((batch, features), generator=generator)
        spread = torch.where(torch.rand(spread.shape, generator=generator) < 0.03, 40 * spread, spread)
        activation = (centres[torch.arange(batch) % 4] + spread).relu()
        activation[:, ::8] = 0.0
        activations.append(activation)
    return weights, activations


# --- behaviour


def behave(build: Callable[[], Any]) -> Behaviour:
    """Penalties and gradients over the scale of the weights, then over that of the activations, of one fresh build.

    penalty [2, SCALES]; gradient [2 * SCALES, TENSORS * PROJECTIONS]: random projections of the gradient with respect
    to each tensor (Johnson and Lindenstrauss, 1984); differentiable [2 * SCALES]: 1 where the penalty has a gradient at
    all, be it zero (a hinge that is not reached here is not "no penalty"); learning [2]: see `testing.learning`. A
    first call at scale 1 is not recorded: it is where a penalty that pulls towards the initial weights sees them.
    """
    weights, activations = _state(PROBE, 2)
    component = _built(build)
    seed(0)
    _call(component, (weights, activations), "forward", "forward on the probe")
    states = [([w * scale for w in weights], activations) for scale in SCALES]
    states += [(weights, [a * scale for a in activations]) for scale in SCALES]
    penalties: list[float] = []
    rows: list[Vector] = []
    attached: list[bool] = []
    rest: list[Tensor] = []
    for state in states:
        seed(1)
        leaves, output = _call(component, state, "forward", "forward on the probe")
        row, rest = _gradient(component, leaves, output)
        penalties.append(float(output.detach()))
        rows.append(row)
        attached.append(output.requires_grad)
    return {
        "penalty": np.array(penalties, np.float32).reshape(2, len(SCALES)),
        "gradient": np.stack(rows),
        "differentiable": np.array(attached, np.float32),
        "learning": learning(component, rest),
    }


def _gradient(component: nn.Module, leaves: list[Tensor], output: Tensor) -> tuple[Vector, list[Tensor]]:
    """Projections of the gradient with respect to `leaves`; the gradients of learnable parameters as they are."""
    if not output.requires_grad:
        return np.zeros(TENSORS * PROJECTIONS, np.float32), []
    wanted = [*leaves, *learnable(component).values()]
    found = gradients(output, wanted, torch.ones_like(output), "repeat", "its backward pass on the probe")
    projected = [p @ gradient.flatten() for p, gradient in zip(_projections(), found, strict=False)]
    return torch.cat(projected).numpy(), found[len(leaves) :]


@cache
def _projections() -> list[Tensor]:
    rng = np.random.default_rng(20240910)
    sizes = [rows * columns for rows, columns in (*PROBE.weights, *PROBE.activations)]
    return [torch.from_numpy(rng.standard_normal((PROJECTIONS, size)).astype(np.float32)) for size in sizes]


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for p and a p + b with a > 0. Zero where the gradient is zero everywhere.

    Only gradients: what a penalty adds to the loss without moving anything changes nothing.
    """
    gradient = behaviour["gradient"].ravel().astype(np.float64)
    norm = np.linalg.norm(gradient)
    return (gradient / norm if norm > 0 else gradient).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    x = np.array(SCALES, np.float32)
    names = ("weights times x", "activations times x")
    series = tuple(Series(name=name, x=x, y=y) for name, y in zip(names, behaviour["penalty"], strict=True))
    return Drawing(x_label="scale", y_label="penalty", series=series)


def exercise(component: nn.Module) -> None:
    weights, activations = ([t.clone().requires_grad_() for t in tensors] for tensors in _steps(NETS[0])[0].state)
    output = component(weights, activations)
    if isinstance(output, Tensor) and output.requires_grad:
        wanted = [*weights, *activations, *learnable(component).values()]
        torch.autograd.grad(output.sum(), wanted, allow_unused=True)


BEHAVIOUR = {
    "penalty": (2, len(SCALES)),
    "gradient": (2 * len(SCALES), TENSORS * PROJECTIONS),
    "differentiable": (2 * len(SCALES),),
    "learning": (2,),
}


KIND = Kind(
    name="regularizer",
    title="regularizer",
    plural="regularizers",
    synonyms=(
        "regulariser",
        "regularisers",
        "regularization",
        "regularisation",
        "regularization term",
        "regularization terms",
        "penalty",
        "penalties",
        "weight decay",
    ),
    entry="build()",
    contract=CONTRACT,
    reference="L2",
    known=KNOWN_REGULARIZERS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    exercise=exercise,
    harness=PenaltyHarness,
    alone=alone,
    conditions=Conditions(
        grid=(0.1, 1.0, 10.0),
        grid_of="strength",
        rough="Win rates of regularizers are rough: most differ by less than other seeds do, so the order may change.",
    ),
)
