"""Initializers of weights: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..blame import blamed
from ..job import Fault
from .filling import InitializerHarness, alone, fill
from .kind import Behaviour, Conditions, Drawing, Image, Kind, Series, Vector
from .known_initializers import KNOWN_INITIALIZERS
from .testing import seed, words

CONTRACT = """\
An initializer of weights. Write one self-contained Python module with a module-level function `build()`. It takes no
arguments and returns a function; it is called once for every net.

What comes in: that function is called as `fill(weight)` for every weight matrix of the net, from the first layer to the
last, with a contiguous float32 tensor of shape [out, in] on the CPU: `out` units (rows) that each read `in` inputs. A
convolution comes as [channels out, kernel size x channels in]. Both sizes are any from 1 up: the first layer has as
many inputs as the data, the last as many rows as there are classes, or a single one. The tensor already holds PyTorch's
default (uniform within 1/sqrt(in)).

What must come out: nothing is returned. `weight` itself is changed in place (`weight.copy_(...)`, `weight.normal_()`,
`torch.nn.init...`); shape and dtype stay; every entry must be finite, and the weights of a net must not all be the same
number. Biases are not the initializer's: they start at 0. The nets have ReLU activations and are trained by Adam, at
1/3, 1 and 3 times a usual learning rate, of which every initializer takes its best.

Allowed: randomness drawn from torch, state from one weight of a net to the next (a counter of layers, say), any
computation on matrices of this size. Gradients are switched off (`torch.no_grad()`); switch them on where needed.
Required: the same `torch.manual_seed` gives the same weights; it works for every shape, also with a single row or
column (mind a standard deviation of one number, a decomposition that needs out >= in, a window wider than the row).
Cost: it runs once for every weight, at most some milliseconds each; it is not measured.
Imports: `math` and `torch` only.
"""

NETS = (  # the shapes of the suites' nets, and one that is larger
    ("a net of 2 hidden layers", ((32, 64), (32, 32), (10, 32))),
    ("a net of 4 hidden layers and 2 inputs", ((32, 2), (32, 32), (32, 32), (32, 32), (2, 32))),
    ("a regression net of 10 inputs", ((32, 10), (32, 32), (32, 32), (1, 32))),
    ("a convolutional net", ((8, 8), (16, 24), (10, 112))),
    ("a wider net of one input", ((96, 1), (64, 96), (3, 64))),
)

SHAPES = ((32, 32), (10, 48), (48, 6))  # on which the behaviour is recorded: square, wide, tall
DRAWS = 8  # over which statistics are averaged
QUANTILES, SPECTRUM, NORMS, LAGS = 21, 6, 5, 4
STATISTICS = QUANTILES + SPECTRUM + 2 * NORMS + 2 * LAGS + 1
BINS = 31  # of the histogram that is drawn
TAIL = 0.995  # of the absolute weights lie within the histogram


# --- the functional test


def check(build: Callable[[], Any]) -> None:
    """Raises `Fault` with one of the checks: fill, in place, shape, dtype, finite, constant, seed."""
    changed, values = False, set[float]()
    for name, shapes in NETS:
        seed(0)
        initializer = build()
        for layer, shape in enumerate(shapes):
            weight = default(shape)
            before = weight.clone()
            where = f"of shape {list(shape)} (layer {layer + 1} of {name})"
            with blamed("fill", f"fill on a weight {where}"):
                returned = fill(initializer, weight, where)
            changed = changed or not torch.equal(weight, before)
            values |= {float(weight.min()), float(weight.max())}
    if not changed:
        hint = f" (it returned {words(returned)}: copy that into it)" if isinstance(returned, Tensor) else ""
        raise Fault(
            "in place", f"it leaves every weight as it was; change it in place, as weight.copy_(...) does{hint}"
        )
    if len(values) == 1:
        raise Fault("constant", f"it fills every weight with {values.pop():g}, so all units of a layer stay alike")
    _check_seed(build)


def _check_seed(build: Callable[[], Any]) -> None:
    one, other = (draws(build, SHAPES[0], 1) for _ in range(2))
    difference = float((one - other).abs().max())
    if not difference <= 1e-5 * (1.0 + float(one.abs().max())):
        reason = f"under the same seed two fresh builds differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


def default(shape: tuple[int, ...]) -> Tensor:
    """What PyTorch's linear layers start with."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(shape, generator=generator) * 2 - 1) / math.sqrt(shape[1])


def draws(build: Callable[[], Any], shape: tuple[int, int], count: int) -> Tensor:
    """[count, out, in], each from a build and a seed of its own."""
    weights = []
    for number in range(count):
        seed(number)
        initializer = build()
        weight = default(shape)
        with blamed("fill", f"fill on a weight of shape {list(shape)}"):
            fill(initializer, weight, f"of shape {list(shape)}")
        weights.append(weight)
    return torch.stack(weights)


# --- behaviour

BEHAVIOUR = {"square": SHAPES[0], "wide": SHAPES[1], "tall": SHAPES[2], "statistics": (len(SHAPES), STATISTICS)}


def behave(build: Callable[[], Any]) -> Behaviour:
    """One drawn weight of each shape, and statistics over several (see `statistics`)."""
    drawn = [draws(build, shape, DRAWS) for shape in SHAPES]
    seen: dict[str, Vector] = {name: found[0].numpy() for name, found in zip(BEHAVIOUR, drawn, strict=False)}
    seen["statistics"] = np.stack([statistics(found.numpy().astype(np.float64)) for found in drawn])
    return seen


def statistics(weights: NDArray[np.float64]) -> Vector:
    """[STATISTICS] of weights [draws, out, in], averages over the draws.

    In units in which weights of variance 1/in have singular values and norms around 1.

    Quantiles of the entries; some singular values; quantiles of the norms of rows and of columns; correlation of an
    entry with the one 1, 2, ... columns and rows further; the share of the diagonal (square root). Only the last two
    know an order of units and inputs: what looks the same in another order is the same otherwise.
    """
    _, rows, columns = weights.shape
    entries = weights.reshape(len(weights), -1) * math.sqrt(columns)
    spectrum = np.linalg.svd(weights, compute_uv=False) * math.sqrt(columns / max(rows, columns))
    energy = np.maximum(np.square(weights).sum((1, 2)), 1e-30)
    diagonal = np.square(np.diagonal(weights, axis1=1, axis2=2)).sum(1) / energy
    lags = range(1, LAGS + 1)
    parts = [
        _quantiles(entries, QUANTILES),
        _quantiles(spectrum, SPECTRUM),
        _quantiles(np.linalg.norm(weights, axis=2), NORMS),
        _quantiles(np.linalg.norm(weights, axis=1) * math.sqrt(columns / rows), NORMS),
        np.stack([(weights[:, :, lag:] * weights[:, :, :-lag]).sum((1, 2)) / energy for lag in lags], 1),
        np.stack([(weights[:, lag:] * weights[:, :-lag]).sum((1, 2)) / energy for lag in lags], 1),
        np.sqrt(diagonal)[:, None],
    ]
    return np.concatenate([part.mean(0) for part in parts]).astype(np.float32)


def _quantiles(values: NDArray[np.floating[Any]], count: int) -> NDArray[np.floating[Any]]:
    """[draws, count], evenly spread from values [draws, n]."""
    found: NDArray[np.floating[Any]] = np.quantile(values, (np.arange(count) + 0.5) / count, axis=1)
    return found.T


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm: the statistics beside a constant 1, which keeps the scale visible. Correlations count twice.

    He's and Xavier's weights differ in nothing but their scale, so that is no invariance here. Equal for weights that
    differ in what was drawn; up to `statistics` also for another order of units.
    """
    groups = ((QUANTILES, 1), (SPECTRUM, 1), (NORMS, 1), (NORMS, 1), (LAGS, 2), (LAGS, 2), (1, 2))
    weights = np.concatenate([np.full(size, weight / math.sqrt(size)) for size, weight in groups])
    weights /= math.sqrt(4 * len(SHAPES))  # the four that know the scale are then of unit norm at variance 1/in
    point = np.concatenate([np.ones(1), (behaviour["statistics"].astype(np.float64) * weights).ravel()])
    unit: Vector = (point / np.linalg.norm(point)).astype(np.float32)
    return unit


def drawing(behaviour: Behaviour) -> Drawing:
    """A square weight as a picture, which shows structure, and the histogram of its entries."""
    weight = behaviour["square"]
    entries = weight.ravel() * math.sqrt(weight.shape[1])
    edge = float(np.quantile(np.abs(entries), TAIL)) * 1.15 or 1.0
    counts, edges = np.histogram(np.clip(entries, -edge, edge), BINS, (-edge, edge))
    middles = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    return Drawing(
        x_label="weight times the square root of the inputs",
        y_label="share of weights",
        images=(Image(name=f"a weight of {weight.shape[0]} x {weight.shape[1]}", pixels=weight),),
        series=(Series(name="share", x=middles, y=(counts / entries.size).astype(np.float32)),),
        bars=True,
    )


def _names(words: Sequence[str], endings: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{word}{ending}" for word in words for ending in endings)


KIND = Kind(
    name="initializer",
    title="initializer",
    plural="initializers",
    synonyms=(
        *_names(("initialiser", "weight initializer", "weight initialiser"), ("", "s")),
        *_names(("initialization", "initialisation"), ("", "s")),
        *_names(("weight initialization", "weight initialisation"), ("", "s")),
        *_names(("initialization scheme", "initialization method", "init scheme", "weight init"), ("", "s")),
    ),
    entry="build()",
    contract=CONTRACT,
    reference="Kaiming uniform",
    known=KNOWN_INITIALIZERS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    harness=InitializerHarness,
    alone=alone,
    conditions=Conditions(
        grid=(1 / 3, 1.0, 3.0),
        rough="Win rates of initializers are rough: most differ by less than other seeds do, so the order may change.",
    ),
    returns=cast(type, Callable),
)
