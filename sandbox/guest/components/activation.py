"""Activation functions: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..alone import Training, made
from ..harness import Build, HiddenLayers
from ..job import Fault
from .kind import Behaviour, Drawing, Kind, Series, Vector
from .known_activations import KNOWN_ACTIVATIONS
from .testing import called, gradients, largest_difference, learnable, learning, require_finite, seed

CONTRACT = """\
An activation function. Write one self-contained Python module with a module-level function `build()`. It takes no
arguments and returns a new `torch.nn.Module`; it is called once for every hidden layer of every net.

What comes in: `forward(x)` gets a float32 tensor of shape [..., features]: [batch, features] in a fully connected
layer, [batch, positions, channels] in a convolutional one, possibly with one more leading dimension. The number of
features is any from 1 to 64 and may differ between layers; the batch is any from 1 up. Only the last dimension is
features; treat all the others alike.

What must come out: a tensor of the same shape and dtype, that depends on x, differentiable almost everywhere, with a
gradient that is not zero everywhere. Outputs and gradients must be finite for inputs up to +-20 and at exactly 0.

Allowed: learnable parameters (`nn.Parameter`, at most 1,000,000 scalars; they are trained along with the net), buffers,
statistics of the features or of the batch, randomness drawn from torch in training mode.
Required: in `eval()` mode the same input gives the same output, whatever was asked before; the same `torch.manual_seed`
gives the same result; x itself is never modified (no in-place operation on it); nothing that carries a gradient is kept
from one call to the next (detach it).
Cost: as few elementwise operations as the idea needs; time is reported relative to ReLU.
Imports: `math` and `torch` only.
"""

PLAUSIBLE_SHAPES = (  # (check, shape, training)
    ("forward", (32, 16), True),
    ("rank", (4, 10, 8), True),
    ("rank", (2, 4, 15, 8), True),
    ("features", (32, 1), True),
    ("features", (32, 2), True),
    ("features", (32, 7), True),
    ("features", (32, 64), True),
    ("batch", (1, 16), False),  # in eval mode: statistics of a batch of one may be undefined in training
)
WIDE = 20.0  # pre-activations this large happen in training; beyond it overflow is honest (exp, powers) and not tested

EDGE = 7.99  # 7.99 k / 239 with an odd k is never 0, 1, 6 or any multiple of 0.05: no kink of a published function lies
POINTS = 240  # on the grid, where two spellings of it may differ in their gradient
BATCH, FEATURES = 16, 16
SPREAD = 1.5  # standard deviation of the sample: about that of pre-activations
CALLS = 8  # training calls before the recorded one: what changes with time must not be mistaken for what it starts as
GRID_SCALE = 2.0  # standard deviation of the weight that grid points have in the N-score: tails matter less
MODES = (True, False)  # train, eval: the first axis of every array


# --- the functional test


def check(build: Callable[[], Any]) -> None:
    """Raises `Fault` with one of the checks: forward, type, shape, dtype, input modified, rank, features, batch,
    finite output, constant output, gradient, finite gradient, repeat, eval mode, seed.
    """
    for name, shape, training in PLAUSIBLE_SHAPES:
        component = _built(build).train(training)
        called(component, _normal(*shape), name)
    _check_values(_built(build))
    _check_gradients(_built(build))
    _check_eval_mode(_built(build))
    _check_seed(build)


def _built(build: Callable[[], Any]) -> nn.Module:
    seed(0)
    component: nn.Module = build()
    return component.train()


def _check_values(component: nn.Module) -> None:
    for x, where in _inputs():
        _, output = called(component, x)
        require_finite(output.detach(), "finite output", "its output", where)
        if x.any() and bool(output.detach().max() == output.detach().min()):
            value = f"{float(output.detach().flatten()[0]):g}"
            raise Fault("constant output", f"its output is {value} {where}, whatever the input is")


def _check_gradients(component: nn.Module) -> None:
    for number, (x, where) in enumerate(_inputs()):
        name = "repeat" if number else "gradient"
        leaf, output = called(component, x, name)
        if not output.requires_grad:
            raise Fault("gradient", "its output does not depend differentiably on its input (was it detached?)")
        parameters = learnable(component)
        doing = "the backward pass of its second training step" if number else "its backward pass"
        wanted = [leaf, *parameters.values()]
        into, *rest = gradients(output, wanted, _cotangent(output), name, doing)
        if number == 0 and not into.any():
            raise Fault("gradient", f"its gradient with respect to its input is zero everywhere {where}")
        require_finite(into, "finite gradient", "its gradient", where)
        for parameter, found in zip(parameters, rest, strict=True):
            require_finite(found, "finite gradient", f"the gradient of its parameter `{parameter}`", where)


def _check_eval_mode(component: nn.Module) -> None:
    x = _normal(32, 16)
    called(component, x)
    component.eval()
    answers = []
    for number in (1, 2):
        seed(number)
        answers.append(called(component, x)[1].detach())
    difference = largest_difference(answers)
    if difference is not None:
        raise Fault("eval mode", f"in eval mode two calls with the same input differ by up to {difference:g}")


def _check_seed(build: Callable[[], Any]) -> None:
    answers = []
    for _ in range(2):
        component = _built(build)
        seed(1)
        answers.append(called(component, _normal(32, 16))[1].detach())
    difference = largest_difference(answers)
    if difference is not None:
        reason = f"under the same seed two fresh builds differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)


def _inputs() -> list[tuple[Tensor, str]]:
    wide = (torch.rand((32, 16), generator=torch.Generator().manual_seed(2)) * 2 - 1) * WIDE
    wide[0], wide[1] = WIDE, -WIDE
    return [
        (_normal(32, 16), "for inputs around ±1"),
        (wide, f"for inputs around ±{WIDE:g}"),
        (torch.zeros(4, 16), "for inputs that are exactly 0"),
    ]


def _cotangent(output: Tensor) -> Tensor:
    return torch.randn(output.shape, generator=torch.Generator().manual_seed(3), dtype=output.dtype)


# --- behaviour


@dataclass(frozen=True, slots=True)
class _Probe:
    """Both inputs are symmetric: -x is x with its rows reordered, so that x -> -x can be undone (see `canonical`)."""

    sample: Tensor  # [BATCH, FEATURES]; row i + BATCH / 2 is the negative of row i
    cotangent: Tensor  # of the sample, random signs, equal on mirrored rows
    grid: Tensor  # [POINTS, FEATURES]: feature 0 runs over the grid, the others are typical; row -1 - i is -(row i)


def grid() -> NDArray[np.float64]:
    return EDGE * np.linspace(-1.0, 1.0, POINTS)


@cache
def _probe() -> _Probe:
    rng = np.random.default_rng(20240910)
    half = rng.standard_normal((BATCH // 2, FEATURES)) * SPREAD
    signs = np.where(rng.random((BATCH // 2, FEATURES)) < 0.5, -1.0, 1.0)
    context = rng.standard_normal((POINTS // 2, FEATURES)) * SPREAD
    rows = np.concatenate([context, -context[::-1]])
    rows[:, 0] = grid()
    arrays = (np.concatenate([half, -half]), np.concatenate([signs, signs]), rows)
    return _Probe(*(torch.from_numpy(array.astype(np.float32)) for array in arrays))


def behave(build: Callable[[], Any]) -> Behaviour:
    """Answers and gradients, in train (index 0) and eval mode (index 1).

    curve, slope [2, POINTS]: f(x) over `grid()` for one feature among typical ones, and the derivative of its sum;
    response, gradient [2, BATCH, FEATURES]: answer to a random sample, and its gradient for a random cotangent;
    learning [2]: see `testing.learning`.
    """
    probe = _probe()
    seed(0)
    component: nn.Module = build()
    component.train()
    for number in range(CALLS):
        seed(number)
        called(component, probe.sample)
    seen = {name: np.zeros(shape, np.float32) for name, shape in BEHAVIOUR.items()}
    for index, training in enumerate(MODES):
        component.train(training)
        seed(CALLS)
        answer, gradient, found = _answer(component, probe.sample, probe.cotangent)
        seen["response"][index], seen["gradient"][index] = answer, gradient
        if training:
            seen["learning"] = learning(component, found)
        cotangent = torch.zeros_like(probe.grid)
        cotangent[:, 0] = 1.0
        seed(CALLS)
        answer, gradient, _ = _answer(component, probe.grid, cotangent)
        seen["curve"][index], seen["slope"][index] = answer[:, 0], gradient[:, 0]
    return seen


def _answer(component: nn.Module, x: Tensor, cotangent: Tensor) -> tuple[Vector, Vector, list[Tensor]]:
    leaf, output = called(component, x)
    if not output.requires_grad:  # only in eval mode: training was checked
        return output.detach().numpy(), np.zeros(x.shape, np.float32), []
    wanted = [leaf, *learnable(component).values()]
    into, *rest = gradients(output, wanted, cotangent, "gradient", "its backward pass")
    return output.detach().numpy(), into.numpy(), rest


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for f(x), a f(x) + b with a != 0, and f(-x); not for f(a x). Zero for a constant.

    Answers and gradients together (a Sobolev norm), so that a surrogate gradient is not mistaken for the function it
    imitates. Split into the parts that x -> -x keeps and negates; the two signs that affine maps and mirroring leave
    open are chosen so that the parts point along those of |x| and of x.
    """
    answers, slopes = _parts(behaviour)
    weights = _weights()
    answers = answers - (weights * answers).sum() / (len(answers) * weights.sum())
    kept, negated = _split(answers, slopes)
    even, odd = _references()
    fixed = kept * (-1.0 if kept @ even < 0 else 1.0) + negated * (-1.0 if negated @ odd < 0 else 1.0)
    norm = np.linalg.norm(fixed)
    return (fixed / norm if norm > 1e-9 else 0.0 * fixed).astype(np.float32)


def _parts(behaviour: Behaviour) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answers and slopes, each [2, POINTS + BATCH * FEATURES]."""

    def joined(curve: str, sample: str) -> NDArray[np.float64]:
        return np.concatenate([behaviour[curve], behaviour[sample].reshape(2, -1)], axis=1).astype(np.float64)

    return joined("curve", "response"), joined("slope", "gradient")


def _weights() -> NDArray[np.float64]:
    """Half on the grid, as a normal density; half on the sample, evenly."""
    density = np.exp(-0.5 * (grid() / GRID_SCALE) ** 2)
    return np.concatenate([density / density.sum(), np.full(BATCH * FEATURES, 1.0 / (BATCH * FEATURES))])


def _mirrored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sample = values[:, POINTS:].reshape(len(values), BATCH, FEATURES)
    swapped = np.roll(sample, BATCH // 2, axis=1).reshape(len(values), -1)
    return np.concatenate([values[:, :POINTS][:, ::-1], swapped], axis=1)


def _split(
    answers: NDArray[np.float64], slopes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What x -> -x keeps and what it negates; the derivative of an even function is odd."""
    root = np.sqrt(_weights())
    flat = np.concatenate([(root * answers).ravel(), (root * slopes).ravel()])
    image = np.concatenate([(root * _mirrored(answers)).ravel(), -(root * _mirrored(slopes)).ravel()])
    return (flat + image) / 2, (flat - image) / 2


@cache
def _references() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    probe = _probe()
    x = np.concatenate([grid(), probe.sample.numpy().ravel()])[None]
    cotangent = np.concatenate([np.ones(POINTS), probe.cotangent.numpy().ravel()])[None]
    magnitude = np.abs(x) - np.average(np.abs(x), weights=_weights()[None])
    even = _split(np.repeat(magnitude, 2, 0), np.repeat(np.sign(x) * cotangent, 2, 0))[0]
    odd = _split(np.repeat(x, 2, 0), np.repeat(cotangent, 2, 0))[1]
    return even, odd


def drawing(behaviour: Behaviour) -> Drawing:
    x = grid().astype(np.float32)
    series = (Series(name="f(x)", x=x, y=behaviour["curve"][1]), Series(name="f'(x)", x=x, y=behaviour["slope"][1]))
    return Drawing(x_label="x", y_label="f(x)", series=series)


@cache
def _typical_batch() -> Tensor:
    return _normal(1024, 32)  # about what one step of the screening suite puts through a layer


def exercise(component: nn.Module) -> None:
    leaf = _typical_batch().requires_grad_()
    output = component(leaf * 1.0)
    torch.autograd.grad(output, [leaf, *learnable(component).values()], torch.ones_like(output), allow_unused=True)


BEHAVIOUR = {
    "curve": (2, POINTS),
    "slope": (2, POINTS),
    "response": (2, BATCH, FEATURES),
    "gradient": (2, BATCH, FEATURES),
    "learning": (2,),
}


def alone(build: Build, training: Training) -> Training:
    activations = [made(build, training, layer, (h,)) for layer, h in enumerate(training.hidden)]
    own = [parameter for activation in activations for parameter in activation.parameters()]
    return replace(training, activations=activations, modules=activations, learnable=own)


KIND = Kind(
    name="activation",
    title="activation function",
    plural="activation functions",
    synonyms=(
        "activations",
        "activation functions",
        "nonlinearity",
        "nonlinearities",
        "non linearity",
        "non linearities",
        "activation unit",
        "activation units",
    ),
    entry="build()",
    contract=CONTRACT,
    reference="ReLU",
    known=KNOWN_ACTIVATIONS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    exercise=exercise,
    harness=HiddenLayers,
    alone=alone,
)
