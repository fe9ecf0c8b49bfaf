"""Normalizers: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from ..harness import Build
from ..job import Fault
from .kind import Behaviour, Conditions, Drawing, Kind, Series, Vector
from .known_normalizers import KNOWN_NORMALIZERS
from .normalized import NormalizedLayers, alone
from .testing import called, gradients, largest_difference, learnable, learning, require_finite, seed

CONTRACT = """\
A normalizer of pre-activations, such as BatchNorm or LayerNorm. Write one self-contained Python module with a
module-level function `build(num_features)`. It returns a new `torch.nn.Module`; it is called once for every hidden
layer of every net, with the number of features of that layer: a multiple of 8 from 8 to 64.

What comes in: `forward(x)` gets a float32 tensor of shape [n, num_features]: what an affine map made of n examples,
before the ReLU that follows. In a convolutional net every position of every example is a row, and the channels are the
features. In training n is any from 8 up and the rows are one batch; in `eval()` mode n is any from 1 up.

What must come out: a tensor of the same shape and dtype, that depends on x, differentiable almost everywhere, with a
gradient that is not zero everywhere. Outputs and gradients must be finite for inputs up to +-20, also where a column or
a row is constant and where everything is 0: add a small constant under a root and to what you divide by.

Allowed: learnable parameters (`nn.Parameter`, at most 1,000,000 scalars; they are trained along with the net), running
statistics as buffers, statistics of the features or of the batch, randomness drawn from torch in training mode. A
module without any statistics is a normalizer too.
Required: in `eval()` mode each row is answered by itself, whatever other rows are there (use running statistics where
training uses those of the batch), and the same input gives the same output, whatever was asked before; the same
`torch.manual_seed` gives the same result; x itself is never modified (no in-place operation on it); nothing that
carries a gradient is kept from one call to the next (detach it). Training lasts only some fifty to some hundred
steps: a running statistic that moves slower than 0.1 a step is still where it started.
Cost: a few reductions and elementwise operations; time is reported relative to LayerNorm. Keep counts and branches in
tensors: reading a number out of one (`.item()`, `float`, `if tensor`) makes training three times slower here.
Imports: `math` and `torch` only.
"""

WIDTHS = (8, 16, 64)  # besides FEATURES
BATCHES = (8, 20, 480)  # in training, besides BATCH; the last is what a convolutional layer sees
BATCH, FEATURES = 32, 32
WIDE = 20.0  # pre-activations this large happen in training without any normalizer

CALLS = 8  # training calls before the recorded ones: running statistics must have moved
SCALES = 2.0 ** np.linspace(-3, 3, 13)
PARTS = ("batch × s", "one row × s", "one feature × s", "batch × s, eval")  # of the curves
MODES = (True, False)  # train, eval: the first axis of response and gradient


# --- the functional test


def check(build: Build) -> None:
    """Raises `Fault` with one of the checks: forward, type, shape, dtype, input modified, features, batch,
    finite output, constant output, gradient, finite gradient, repeat, eval mode, rows, seed.
    """
    called(_built(build), _batch(0))
    for width in WIDTHS:
        called(_built(build, width), _normal(BATCH, width), "features")
    for rows in BATCHES:
        called(_built(build), _normal(rows, FEATURES), "batch")
    _check_values(_built(build))
    _check_gradients(_built(build))
    _check_eval_mode(_built(build))
    _check_seed(build)


def _built(build: Build, width: int = FEATURES) -> nn.Module:
    seed(0)
    component: nn.Module = build(width)
    return component.train()


def _check_values(component: nn.Module) -> None:
    for x, where in _inputs():
        output = called(component, x)[1].detach()
        require_finite(output, "finite output", "its output", where)
        if "constant" not in where and bool(output.max() == output.min()):
            raise Fault("constant output", f"its output is {float(output[0, 0]):g} {where}, whatever the input is")


def _check_gradients(component: nn.Module) -> None:
    for number, (x, where) in enumerate(_inputs()):
        name = "repeat" if number else "gradient"
        leaf, output = called(component, x, name)
        if not output.requires_grad:
            raise Fault("gradient", "its output does not depend differentiably on its input (was it detached?)")
        parameters = learnable(component)
        doing = "the backward pass of its second training step" if number else "its backward pass"
        into, *rest = gradients(output, [leaf, *parameters.values()], _cotangent(output), name, doing)
        if number == 0 and not into.any():
            raise Fault("gradient", f"its gradient with respect to its input is zero everywhere {where}")
        require_finite(into, "finite gradient", "its gradient", where)
        for parameter, found in zip(parameters, rest, strict=True):
            require_finite(found, "finite gradient", f"the gradient of its parameter `{parameter}`", where)


def _check_eval_mode(component: nn.Module) -> None:
    for number in range(CALLS):
        called(component, _batch(number))
    component.eval()
    x = _batch(CALLS)
    answers = []
    for number in (1, 2):
        seed(number)
        answers.append(called(component, x)[1].detach())
        require_finite(answers[-1], "finite output", "its output", "in eval mode after some training steps")
        called(component, 3 * x + 1)  # what is asked in between must not matter
    difference = largest_difference(answers)
    if difference is not None:
        raise Fault("eval mode", f"in eval mode two calls with the same input differ by up to {difference:g}")
    _check_rows(component, x, answers[0])


def _check_rows(component: nn.Module, x: Tensor, answer: Tensor) -> None:
    among = called(component, torch.cat([x[1:], 9 * x]))[1].detach()[: len(x) - 1]
    difference = largest_difference([answer[1:], among], tolerance=1e-4)
    if difference is None:
        difference = largest_difference([answer[:1], called(component, x[:1], "batch")[1].detach()], tolerance=1e-4)
    if difference is not None:
        sentence = f"in eval mode the answer to a row changes by up to {difference:g} when other rows change"
        raise Fault("rows", f"{sentence}; use running statistics there, not those of the batch")


def _check_seed(build: Build) -> None:
    answers = []
    for _ in range(2):
        component = _built(build)
        seed(1)
        answers.append(called(component, _batch(0))[1].detach())
    difference = largest_difference(answers)
    if difference is not None:
        reason = f"under the same seed two fresh builds differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)


def _inputs() -> list[tuple[Tensor, str]]:
    wide = (torch.rand((BATCH, FEATURES), generator=torch.Generator().manual_seed(2)) * 2 - 1) * WIDE
    wide[0], wide[1] = WIDE, -WIDE
    typical = _batch(0)
    return [
        (typical, "for inputs around ±1"),
        (wide, f"for inputs around ±{WIDE:g}"),
        (typical[:1].repeat(BATCH, 1), "where every column is constant"),
        (typical[:, :1].repeat(1, FEATURES), "where every row is constant"),
        (torch.zeros(BATCH, FEATURES), "where the input is a constant 0"),
    ]


def _cotangent(output: Tensor) -> Tensor:
    return torch.randn(output.shape, generator=torch.Generator().manual_seed(3), dtype=output.dtype)


# --- behaviour


@cache
def _batch(number: int) -> Tensor:
    """[BATCH, FEATURES]: features differ in mean and scale, as they come up in training; rows in scale."""
    rng = np.random.default_rng(20240910)
    mean, scale = rng.standard_normal(FEATURES) * 0.7, np.exp(rng.standard_normal(FEATURES) * 0.4)
    rng = np.random.default_rng((20240910, number))
    rows = np.exp(rng.standard_normal((BATCH, 1)) * 0.4)
    return torch.from_numpy((rows * (mean + scale * rng.standard_normal((BATCH, FEATURES)))).astype(np.float32))


def behave(build: Build) -> Behaviour:
    """Answers and gradients after CALLS training calls, in train (index 0) and eval mode (index 1).

    response, gradient [2, BATCH, FEATURES]: answer to a batch, and its gradient for a random cotangent;
    scales [4, 13]: log2 of the root mean square of the output's part that is scaled by each of SCALES, see PARTS;
    learning [2]: see `testing.learning`.
    """
    component = _built(build)
    for number in range(CALLS):
        seed(number)
        called(component, _batch(number))
    seen = {name: np.zeros(shape, np.float32) for name, shape in BEHAVIOUR.items()}
    for index, training in enumerate(MODES):
        component.train(training)
        seed(CALLS)
        leaf, output = called(component, _batch(CALLS))
        seen["response"][index] = output.detach().numpy()
        if output.requires_grad:
            wanted = [leaf, *learnable(component).values()]
            into, *rest = gradients(output, wanted, _cotangent(output), "gradient", "its backward pass")
            seen["gradient"][index] = into.numpy()
            if training:
                seen["learning"] = learning(component, rest)
    seen["scales"][3] = _size_by_scale(component, np.s_[:, :])
    component.train()
    for number, part in enumerate((np.s_[:, :], np.s_[:1, :], np.s_[:, :1])):
        seen["scales"][number] = _size_by_scale(component, part)
    return seen


def _size_by_scale(component: nn.Module, part: tuple[slice, slice]) -> Vector:
    sizes = []
    for scale in SCALES:
        x = _batch(CALLS).clone()
        x[part] *= scale
        seed(CALLS)
        sizes.append(float(called(component, x)[1].detach()[part].square().mean().sqrt()))
    return np.log2(np.maximum(sizes, 2.0**-10)).astype(np.float32)


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for f(x) and a f(x) with a > 0, which the ReLU passes on to the next affine map.

    Answers and gradients together, in both modes. What is learnable does not count: BatchNorm without its parameters is
    the same idea. Zero where both are zero everywhere.
    """
    vector = np.concatenate([behaviour[name].ravel() for name in ("response", "gradient")]).astype(np.float64)
    norm = np.linalg.norm(vector)
    return (vector / norm if norm > 0 else vector).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    """A flat curve is a scale that it removes: over the batch, the features of a row, or neither."""
    x = np.log2(SCALES).astype(np.float32)
    series = tuple(Series(name=name, x=x, y=y) for name, y in zip(PARTS, behaviour["scales"], strict=True))
    return Drawing(x_label="log2 of the input's scale s", y_label="log2 of the output's size", series=series)


@cache
def _typical_batch() -> Tensor:
    return _normal(1024, 32)  # about what one step of the screening suite puts through a layer


def exercise(component: nn.Module) -> None:
    leaf = _typical_batch().requires_grad_()
    output = component(leaf * 1.0)
    torch.autograd.grad(output, [leaf, *learnable(component).values()], torch.ones_like(output), allow_unused=True)


BEHAVIOUR = {
    "response": (2, BATCH, FEATURES),
    "gradient": (2, BATCH, FEATURES),
    "scales": (len(PARTS), len(SCALES)),
    "learning": (2,),
}


KIND = Kind(
    name="normalizer",
    title="normalizer",
    plural="normalizers",
    synonyms=(
        "normaliser",
        "normalisers",
        "normalization",
        "normalisation",
        "normalization layer",
        "normalization layers",
        "normalisation layer",
        "normalisation layers",
        "normalization method",
        "normalization methods",
        "norm layer",
        "norm layers",
        "norm",
        "norms",
        "batch norm",
        "batch norms",
    ),
    entry="build(num_features)",
    contract=CONTRACT,
    reference="LayerNorm",
    known=KNOWN_NORMALIZERS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    use=lambda build: build(32),
    exercise=exercise,
    harness=NormalizedLayers,
    alone=alone,
    conditions=Conditions(),
)
