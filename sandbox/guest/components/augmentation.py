"""Data augmentations: what the nets see of the training rows. A whole kind in one file, as docs/components.md shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..alone import Training, made
from ..groups import groups_of, slowest
from ..harness import Build, Frame, Harness, inputs
from ..job import Fault
from ..tiers import Tier
from .kind import Behaviour, Conditions, Drawing, Kind, Known, Series, Vector
from .known_code import module_code
from .testing import called, largest_difference, learning, require_finite, seed

CONTRACT = """\
A data augmentation. Write one self-contained Python module with a module-level function `build()`. It takes no
arguments and returns a new `torch.nn.Module`; it is called once for every net, and all data sets are classifications.

What comes in: `forward(x)` is called once per training step with the inputs of that step's examples, a float32 tensor
of shape [batch, inputs], and never when held-out examples are predicted. The batch is any from 1 up; there are 2 to 64
inputs of about variance 1. In our suites 64 inputs are a picture of 8 x 8 pixels, row by row; 40 are a signal in
the order of time; fewer are coordinates or measurements in no particular order. Look at x.shape[1] when that matters.

What must come out: a tensor of the same shape and dtype, finite, row i still an example of the class of row i: the
labels are neither seen nor changed.

Allowed: randomness drawn from torch (a different change for every row, or one for the batch), mixing in of other rows,
state that depends on the step, learnable parameters (`nn.Parameter`, at most 1,000,000 scalars; they are trained along
and make the training loss smaller).
Required: the same `torch.manual_seed` gives the same result; x itself is never modified (no in-place operation on it).
Cost: a few operations on the whole batch, no loop over rows; time is reported relative to adding noise.
Imports: `math` and `torch` only.
"""


# --- what is published


def _known(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    code = module_code("Augmentation", "x", body, {})
    return Known(name=name, source=source, year=year, code=code, baseline=True, best=best)


_SPAN = """\
n, d = x.shape
at = torch.arange(d, device=x.device)
length = torch.randint(0, d // 4 + 1, (n, 1), device=x.device)
start = (torch.rand(n, 1, device=x.device) * (d - length + 1)).long()
return x.masked_fill((at >= start) & (at < start + length), 0.0)"""

_PICTURE = """\
n, d = x.shape
side = math.isqrt(d)
if d < 16:
    return x
if side * side != d:
    side = 1
row = torch.arange(d, device=x.device) // side
column = torch.arange(d, device=x.device) % side
"""

_SHIFT = (
    _PICTURE
    + """\
down = (torch.randint(-1, 2, (n, 1), device=x.device) + row).clamp(0, d // side - 1)
right = (torch.randint(-1, 2, (n, 1), device=x.device) + column).clamp(0, side - 1)
return x.gather(1, down * side + right)"""
)

_CUTOUT = (
    _PICTURE
    + """\
top = torch.randint(-2, d // side, (n, 1), device=x.device)
left = torch.randint(-2, side, (n, 1), device=x.device)
inside = (row >= top) & (row < top + 3) & (column >= left) & (column < left + 3)
return x.masked_fill(inside, 0.0)"""
)

KNOWN_AUGMENTATIONS: tuple[Known, ...] = (
    _known("None", "Rumelhart et al., Learning Representations by Back-Propagating Errors", 1986, "x * 1.0"),
    _known(
        "Gaussian noise (0.1)",
        "Bishop, Training with Noise is Equivalent to Tikhonov Regularization",
        1995,
        "x + 0.1 * torch.randn_like(x)",
    ),
    _known(
        "Gaussian noise (0.5)",
        "Sietsma and Dow, Creating Artificial Neural Networks That Generalize",
        1991,
        "x + 0.5 * torch.randn_like(x)",
    ),
    _known(
        "Input dropout",
        "Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
        2014,
        "F.dropout(x, 0.2)",
    ),
    _known(
        "Masking noise",
        "Vincent et al., Extracting and Composing Robust Features with Denoising Autoencoders",
        2008,
        "x * (torch.rand_like(x) > 0.25)",
    ),
    _known(
        "Scaling",
        "Um et al., Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring Using Convolutional "
        "Neural Networks",
        2017,
        "x * (1 + 0.1 * torch.randn(len(x), 1, device=x.device))",
    ),
    _known(
        "Shift",
        "Simard et al., Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis",
        2003,
        _SHIFT,
    ),
    _known(
        "Time masking",
        "Park et al., SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
        2019,
        _SPAN,
        best=True,
    ),
    _known(
        "Cutout",
        "DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout",
        2017,
        _CUTOUT,
        best=True,
    ),
    _known(
        "Sample pairing",
        "Inoue, Data Augmentation by Pairing Samples for Images Classification",
        2018,
        "(x + x[torch.randperm(len(x), device=x.device)]) / 2",
    ),
)


# --- the functional test

WIDTHS = (2, 13, 30, 40, 64)  # inputs of our data sets


def check(build: Callable[[], Any]) -> None:
    """Raises `Fault` with one of the checks: forward, type, shape, dtype, input modified, inputs, batch, finite output,
    repeat, seed.
    """
    _answer(_built(build), _rows(32, 64), "forward")
    for width in WIDTHS:
        _answer(_built(build), _rows(32, width), "inputs")
    for batch in (1, 5):
        _answer(_built(build), _rows(batch, 40), "batch")
    component = _built(build)
    for _ in range(3):
        _answer(component, _rows(32, 40), "repeat")
    answers = []
    for _ in range(2):
        component = _built(build)
        seed(1)
        answers.append(_answer(component, _rows(32, 40), "forward"))
    difference = largest_difference(answers)
    if difference is not None:
        reason = f"under the same seed two fresh builds differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


def _built(build: Callable[[], Any]) -> nn.Module:
    seed(0)
    component: nn.Module = build()
    return component.train()


def _answer(component: nn.Module, x: Tensor, name: str) -> Tensor:
    output = called(component, x, name)[1].detach()
    require_finite(output, "finite output", "what it makes", f"for inputs of shape {list(x.shape)}")
    return output


def _rows(batch: int, width: int) -> Tensor:
    return torch.randn((batch, width), generator=torch.Generator().manual_seed(width))


# --- behaviour

SIGNALS, WIDTH = 8, 40
DRAWS = 512  # calls, each with every signal once: what looks for a row's neighbour must not find a copy of it
LAGS = (0, 1, WIDTH // 2)
SHOWN = 3

BEHAVIOUR = {
    "draws": (SHOWN, SIGNALS, WIDTH),
    "mean": (SIGNALS, WIDTH),
    "together": (len(LAGS), SIGNALS, WIDTH),
    "learning": (2,),
}


def behave(build: Callable[[], Any]) -> Behaviour:
    """What it does to signals over many draws: what is drawn at random differs, how it is distributed does not.

    draws: the first few. mean: of the change that it makes. together: mean products of the changes of an input and of
    the one LAGS further on. learning [2]: see `testing.learning`.
    """
    component, signals = _built(build), _signals()
    found = []
    for number in range(DRAWS):
        seed(number)
        found.append(_answer(component, signals.clone(), "repeat"))
    change = torch.stack(found) - signals
    together = [(change * change.roll(-lag, -1)).mean(0) for lag in LAGS]
    return {
        "draws": torch.stack(found[:SHOWN]).numpy(),
        "mean": change.mean(0).numpy(),
        "together": torch.stack(together).numpy(),
        "learning": learning(component, ()),
    }


@cache
def _signals() -> Tensor:
    """Smooth ones of variance 1, like sums of a few waves."""
    rng = np.random.default_rng(20240910)
    at = np.linspace(0, 2 * np.pi, WIDTH)
    waves = [
        np.sin(k * at + rng.uniform(0, 2 * np.pi, (SIGNALS, 1))) * rng.uniform(0.5, 1, (SIGNALS, 1)) for k in (1, 2, 5)
    ]
    rows = np.sum(waves, 0)
    return torch.from_numpy((rows / rows.std(1, keepdims=True)).astype(np.float32))


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for f(x) and x + a (f(x) - x) with a > 0: not how strong the change is but what it is.

    Zero where nothing is changed.
    """
    size = float(np.sqrt(behaviour["together"][0].mean(dtype=np.float64)))
    if size == 0:
        return np.zeros(SIGNALS * WIDTH * (1 + len(LAGS)), np.float32)
    relative = [behaviour["mean"].ravel() / size, behaviour["together"].ravel() / size**2]
    whole = np.concatenate(relative).astype(np.float64)
    return (whole / np.linalg.norm(whole)).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    """One signal, and what became of it in a few draws."""
    x = np.arange(WIDTH, dtype=np.float32)
    series = [Series(name="the signal", x=x, y=_signals()[0].numpy())]
    series += [Series(name=f"draw {n + 1}", x=x, y=draw[0]) for n, draw in enumerate(behaviour["draws"])]
    return Drawing(x_label="position", y_label="value", series=tuple(series))


@cache
def _typical_batch() -> Tensor:
    return _rows(1024, 64)


def exercise(component: nn.Module) -> None:
    component(_typical_batch())


# --- training


class AugmentationHarness(Harness):
    """One instance a net, called once a step with the true inputs of its rows; padding stays zero."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        self._groups = groups_of(
            build,
            frame,
            sizes=frame.inputs,
            samples=lambda size, replicas: inputs((frame.batch, size), frame.device, replicas),
            tiers=tuple(Tier),
        )
        self.tier = slowest(self._groups)
        self.learnable = [tensor for group in self._groups for tensor in group.placed.learnable]

    def batch(self, x: Tensor) -> Tensor:
        made = torch.zeros_like(x)
        for group in self._groups:
            given = x[group.members, :, : group.size]
            rows = group.placed(given)
            if rows.shape != given.shape:
                raise Fault("training", f"it made {list(rows.shape[1:])} of rows of shape {list(given.shape[1:])}")
            made = made.index_copy(0, group.members, F.pad(rows, (0, x.shape[-1] - group.size)))
        return made

    def train(self, training: bool) -> None:
        for group in self._groups:
            group.placed.train(training)


def alone(build: Build, training: Training) -> Training:
    sample = torch.zeros(len(training.hidden[0]), training.inputs)
    component = made(build, training, 0, (sample,))

    def batch(x: Tensor) -> Tensor:
        return F.pad(component(x[:, : training.inputs]), (0, x.shape[1] - training.inputs))

    return replace(training, batch=batch, modules=[component], learnable=list(component.parameters()))


KIND = Kind(
    name="augmentation",
    title="data augmentation",
    plural="data augmentations",
    synonyms=("augmentations", "augmenter", "augmenters", "input augmentation", "input augmentations"),
    entry="build()",
    contract=CONTRACT,
    reference="Gaussian noise (0.1)",
    known=KNOWN_AUGMENTATIONS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    exercise=exercise,
    harness=AugmentationHarness,
    alone=alone,
    # Few rows that come again 24 times, or nothing could be gained. By the Brier score, since among nets that know few
    # rows by heart the least sure one has the lowest log-loss, be its inputs nothing but noise.
    conditions=Conditions(
        regression=False,
        metric="brier",
        rows=256,
        longer=4,
        seeds=3,
        rough="Win rates of augmentations are rough: many differ by less than other seeds do, so the order may change.",
    ),
)
