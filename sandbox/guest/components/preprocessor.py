"""Preprocessors: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..harness import Build, Harness
from ..job import Fault
from .fitting import fitted, prepare, transformed, widest
from .kind import Behaviour, Conditions, Drawing, Image, Kind, Series, Vector
from .known_preprocessors import KNOWN_PREPROCESSORS
from .testing import largest_difference, require_finite, seed

CONTRACT = """\
A preprocessor of tabular inputs, such as standardization or whitening. Write one self-contained Python module with a
module-level function `build()`. It takes no arguments and returns a new `torch.nn.Module` with two methods.

`fit(x)` is called once, in training mode, with the training rows: a float32 tensor of shape [n, d], n from 100 to some
thousands, d from 2 to 64. There are no labels. It keeps what it needs in the module; what it returns is ignored.
`forward(x)` is called afterwards, in `eval()` mode and without gradients, with other rows [m, d], m any from 1 up. It
must return a float32 tensor [m, k], finite, where k is the same for every call after a fit, at least 1 and at most
4 d + 64: it may drop, change or add columns. A small fully connected net is then trained on these rows.

The columns may be anything: values of different units, skewed or with outliers, whole numbers, mostly 0, pixels of an
8 x 8 image, samples of a signal in order; some are constant in the training rows and not later, and some equal others.
Later rows may lie outside the range that fit saw, up to ten times as far. Do not divide by what may be 0, and give a
constant column a finite value. What comes out should be about of size 1, since nothing is scaled afterwards.

Allowed: any statistics of the training rows, randomness drawn from torch in `build` and `fit`.
Required: forward treats every row by itself (the same answer alone, among others or in another order) and draws nothing
at random; the same `torch.manual_seed` gives the same fit; x itself is never modified, by either method.
Cost: fit and forward on 3,000 rows of 64 columns in about 0.1 seconds on one CPU core; time is reported relative to
standardization.
Imports: `math` and `torch` only.
"""

SIZES = ((119, 13), (200, 2), (200, 7), (200, 30), (200, 64))  # rows and inputs to fit on
FAR = 10.0  # how many times further than what fit saw

FITTED, ASKED = 160, 32  # rows of a probe
INPUTS = {"table": 10, "images": 64}
PROJECTIONS = 16  # random ones that are kept of the answer to a row
GRID = 25  # points along each axis of the plane, whose middle is the reference point
COMPONENTS = 16  # of the spectrum that is drawn
LEAST = 1e-3  # variance below which a component counts as nothing in the drawing


# --- the functional test


def check(build: Build) -> None:
    """Raises `Fault` with one of the checks: fit, forward, type, shape, dtype, width, input modified, sizes,
    finite output, constant output, repeat, rows, seed.
    """
    rows, others = _probe("table")
    component = fitted(_built(build), rows, "fit")
    whole = transformed(component, others, "forward")
    require_finite(whole, "finite output", "its output", "for rows like those of fit")
    if bool((whole == whole[0]).all()):
        raise Fault("constant output", "it answers every row alike")
    _check_repeat(component, others, whole)
    _check_rows(component, others, whole)
    for n, inputs in SIZES:
        x = _normal(n, inputs)
        transformed(fitted(_built(build), x, "sizes"), x[:50], "sizes")
    _check_hard_columns(build)
    _check_seed(build, rows, others, whole)


def _built(build: Build) -> nn.Module:
    seed(0)
    component: nn.Module = build()
    return component


def _check_repeat(component: nn.Module, others: Tensor, whole: Tensor) -> None:
    seed(1)
    transformed(component, 2 * others[:20] + 1, "repeat")  # what is asked in between must not matter
    again = transformed(component, others, "repeat")
    if again.shape != whole.shape:
        raise Fault("width", f"it makes {whole.shape[1]}, then {again.shape[1]} outputs; their number must not change")
    difference = largest_difference([whole, again])
    if difference is not None:
        raise Fault("repeat", f"after fit, two calls of forward with the same rows differ by up to {difference:g}")


def _check_rows(component: nn.Module, others: Tensor, whole: Tensor) -> None:
    """A quarter of the rows may differ: rounding in another order of additions can carry a value over a threshold."""
    alone = torch.cat([transformed(component, others[i : i + 1], "rows") for i in range(8)])
    among = transformed(component, torch.cat([others.flip(0), 5 * others[:7]]), "rows")
    for found, wanted, how in (
        (alone, whole[:8], "when it is alone"),
        (among[: len(whole)].flip(0), whole, "when other rows change"),
    ):
        if found.shape != wanted.shape:
            raise Fault("width", f"it makes {wanted.shape[1]} outputs, but {found.shape[1]} of a row {how[5:]}")
        differences = (found - wanted).abs() / (1 + wanted.abs().amax(0))
        if (differences.amax(1) > 1e-3).float().mean() > 0.25:
            size = float((found - wanted).abs().max())
            raise Fault(
                "rows", f"the answer to a row changes by up to {size:g} {how}; use what fit kept, not the batch"
            )


def _check_hard_columns(build: Build) -> None:
    """What real tables have: constant columns, equal ones, whole numbers, mostly zeros, later values far away."""
    rows, later = _hard(), _hard(1)
    component = fitted(_built(build), rows, "finite output")
    later[:, :2] += torch.tensor([1.0, -2.0])
    far = rows.mean(0) + FAR * (rows[:20] - rows.mean(0))
    cases = ((rows, "the rows of fit"), (later, "rows where a column is no longer constant"), (far, "rows far outside"))
    for x, where in cases:
        made = transformed(component, x, "finite output")
        require_finite(made, "finite output", "its output", f"for {where}, with constant columns and whole numbers")


def _hard(number: int = 0) -> Tensor:
    rng = np.random.default_rng((20240911, number))
    n = 150
    spikes = np.where(rng.random(n) < 0.95, 0.0, rng.exponential(3.0, n))
    copied = rng.standard_normal(n)
    columns = [np.zeros(n), np.full(n, 3.7), spikes, copied, copied, rng.integers(0, 17, n) / 8 - 1]
    columns += [rng.integers(0, 2, n), 1000 + 50 * rng.standard_normal(n), 1e-3 * rng.standard_normal(n)]
    return torch.from_numpy(np.stack(columns, 1).astype(np.float32))


def _check_seed(build: Build, rows: Tensor, others: Tensor, first: Tensor) -> None:
    again = transformed(fitted(_built(build), rows, "fit"), others, "forward")
    difference = largest_difference([first, again]) if again.shape == first.shape else np.inf
    if difference is not None:
        reason = f"under the same seed two fresh builds, fitted alike, differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)


# --- behaviour


@cache
def _probe(name: str) -> tuple[Tensor, Tensor]:
    """Rows to fit on [FITTED, d] and rows to transform [ASKED, d], from the same distribution."""
    rng = np.random.default_rng((20240910, len(name)))
    drawn = _DRAWN[name](rng, FITTED + ASKED).astype(np.float32)
    return torch.from_numpy(drawn[:FITTED]), torch.from_numpy(drawn[FITTED:])


def _table(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Correlated columns of different units, skew, heavy tails, whole numbers, two modes, a curved copy."""
    a, b, c = rng.standard_normal((3, n))
    columns = [0.2 * a, 5 + b + 0.8 * a, 3 * (c - a) - 2, np.exp(0.8 * rng.standard_normal(n) + 0.4 * b)]
    columns += [rng.standard_t(3, n), rng.integers(0, 5, n), rng.random(n) < 0.3, rng.random(n)]
    columns += [rng.choice([-1, 2], n) + 0.3 * rng.standard_normal(n), np.tanh(2 * a) + 0.1 * c]
    return np.stack(columns, 1)


def _images(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Bumps of two widths at random places of 8 x 8 pixels, whose first one is always 0."""
    places = np.stack(np.divmod(np.arange(64), 8), 1)
    centre, width = rng.uniform(1, 6, (n, 1, 2)), rng.choice([0.8, 1.6], (n, 1))
    bumps = np.exp(-0.5 * ((places - centre) ** 2).sum(2) / width**2) * rng.uniform(0.5, 1.5, (n, 1))
    images: NDArray[np.float64] = bumps + 0.05 * rng.standard_normal((n, 64))
    images[:, 0] = 0.0
    return images


_DRAWN = {"table": _table, "images": _images}


@cache
def _plane() -> tuple[Tensor, Tensor]:
    """Two correlated columns, of which the second is skewed and larger, and GRID x GRID points where most rows lie."""
    a, b = np.random.default_rng(20240910).standard_normal((2, FITTED))
    rows = np.stack([a, 2 * np.exp(0.4 * a + 0.4 * b)], 1)
    across, down = np.meshgrid(np.linspace(-2.4, 2.4, GRID), np.linspace(5.0, 0.2, GRID))
    points = np.stack([across.ravel(), down.ravel()], 1)
    return torch.from_numpy(rows.astype(np.float32)), torch.from_numpy(points.astype(np.float32))


def behave(build: Build) -> Behaviour:
    """Answers to rows of public probes that fit did not see, each fitted by a fresh build.

    answers [2, 32, 16]: random projections of the answers to a table of 10 columns and to images of 8 x 8 pixels
    (Johnson and Lindenstrauss, 1984);
    products [2, 32, 32]: inner products of the centred answers of all pairs of rows, of both probes;
    widths [2]: how many outputs there are;
    spectrum [16]: log10 of the variances along the principal components of the answers to the table's training rows;
    plane [25, 25]: distance of the answers to the points of a plane of two inputs from the answer to its middle.
    """
    seen = {name: np.zeros(shape, np.float32) for name, shape in BEHAVIOUR.items()}
    for number, name in enumerate(INPUTS):
        rows, others = _probe(name)
        component = fitted(_built(build), rows, "fit")
        made = transformed(component, others, "forward").numpy()
        seen["answers"][number] = made @ _projections()[: made.shape[1]]
        centred = made.astype(np.float64) - made.mean(0)
        seen["products"][number] = centred @ centred.T
        seen["widths"][number] = made.shape[1]
        if name == "table":
            seen["spectrum"][:] = _spectrum(transformed(component, rows, "forward").numpy())
    rows, points = _plane()
    made = transformed(fitted(_built(build), rows, "fit"), points, "forward").numpy()
    seen["plane"][:] = np.linalg.norm(made - made[len(made) // 2], axis=1).reshape(GRID, GRID)
    return seen


@cache
def _projections() -> NDArray[np.float32]:
    rng = np.random.default_rng(20240910)
    return rng.standard_normal((widest(max(INPUTS.values())), PROJECTIONS)).astype(np.float32)


def _spectrum(answers: Vector) -> NDArray[np.float64]:
    values = np.linalg.svd(answers.astype(np.float64) - answers.mean(0), compute_uv=False)[:COMPONENTS] ** 2
    spectrum: NDArray[np.float64] = np.log10(np.maximum(values / len(answers), LEAST))
    return np.pad(spectrum, (0, COMPONENTS - len(spectrum)), constant_values=np.log10(LEAST))


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """The inner products between all pairs of centred answers, of unit norm for each probe and together.

    Equal for f and for a Q f + b with a != 0, a shift b and an orthogonal Q, so for columns in another order or with
    another sign, and for padding: the first affine map of a net starts as likely in one as in the other. Distances are
    those of centred kernel alignment (Kornblith et al., Similarity of Neural Network Representations Revisited, 2019).
    """
    products = behaviour["products"].reshape(len(INPUTS), -1).astype(np.float64)
    norms = np.linalg.norm(products, axis=1, keepdims=True)
    vector = (products / np.where(norms > 0, norms, 1.0)).ravel()
    norm = np.linalg.norm(vector)
    return (vector / norm if norm > 0 else vector).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    """What looks near to the middle of a plane, and how variance spreads over the principal components of a table."""
    return Drawing(
        x_label="principal components",
        y_label="log10 of the variance",
        series=(Series(name="variance", x=np.arange(1, COMPONENTS + 1, dtype=np.float32), y=behaviour["spectrum"]),),
        images=(Image(name="distance from the middle", pixels=behaviour["plane"]),),
    )


@cache
def _typical_rows() -> Tensor:
    return _normal(1000, 16)


def exercise(component: nn.Module) -> None:
    transformed(fitted(component, _typical_rows(), "fit"), _typical_rows(), "forward")


BEHAVIOUR = {
    "answers": (len(INPUTS), ASKED, PROJECTIONS),
    "products": (len(INPUTS), ASKED, ASKED),
    "widths": (len(INPUTS),),
    "spectrum": (COMPONENTS,),
    "plane": (GRID, GRID),
}


KIND = Kind(
    name="preprocessor",
    title="preprocessor",
    plural="preprocessors",
    synonyms=(
        "preprocessing",
        "preprocessing step",
        "preprocessing steps",
        "preprocessing method",
        "preprocessing methods",
        "data preprocessor",
        "data preprocessors",
        "feature scaler",
        "feature scalers",
        "scaler",
        "scalers",
    ),
    entry="build()",
    contract=CONTRACT,
    reference="Standardization",
    known=KNOWN_PREPROCESSORS,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    exercise=exercise,
    harness=Harness,
    alone=lambda build, training: training,
    prepare=prepare,
    conditions=Conditions(architectures=("mlp2", "mlp4", "res")),  # a convolution reads inputs in their order
)
