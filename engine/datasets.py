"""The data that suites are made of: small tasks, each with at most 64 inputs and 10 outputs.

Where labels could be recomputed from inputs (a known function, a known curve), its parameters are drawn on the host
from a secret of the suite's version, so code in the sandbox that knows the recipe still does not know the labels.
Which third of the examples is held out depends on the secret too, and is the same for every seed: what one trial
trains on is never what another is scored on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[np.float32]
Generator = np.random.Generator

EXAMPLES = 4000  # of a drawn task: more than twice what one pass of a screening sees
HELD_OUT = 1 / 3
FLAT = 2.0  # grey levels: a patch of less contrast is plain sky


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """inputs [n, d] with d <= 64; targets [n]: class numbers, or values of mean 0 and variance 1."""

    name: str
    inputs: Inputs
    targets: NDArray[np.float32]
    classes: int | None  # None: regression
    training: NDArray[np.int64]  # rows
    held_out: NDArray[np.int64]  # the other rows


def generator(secret: bytes, *names: object) -> Generator:
    """A random generator of its own for everything that has a name."""
    text = "/".join(str(name) for name in names).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(secret + b"/" + text).digest(), "big"))


@lru_cache(maxsize=32)
def load(name: str, secret: bytes) -> Dataset:
    """The same name and secret always give the same data. Raises KeyError for a name that is not in DATASETS."""
    inputs, targets, classes = DATASETS[name](generator(secret, name, "data"))
    rows = generator(secret, name, "split").permutation(len(inputs))
    held_out = round(HELD_OUT * len(inputs))
    if name in HELD_BACK:
        inputs = _standard(inputs, rows[held_out:])
    return Dataset(
        name=name,
        inputs=inputs.astype(np.float32),
        targets=(_standard(targets[:, None])[:, 0] if classes is None else targets).astype(np.float32),
        classes=classes,
        training=rows[held_out:],
        held_out=rows[:held_out],
    )


Drawn = tuple[NDArray[np.float64], NDArray[Any], int | None]  # inputs, targets, classes


def digits(rng: Generator) -> Drawn:
    """8 x 8 images of handwritten digits (Alpaydin and Kaynak 1998, UCI), as scikit-learn ships them."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.data / 8 - 1, data.target, 10


def mnist1d(rng: Generator) -> Drawn:
    """MNIST-1D (Greydanus and Kobak 2020, arXiv 2011.14439): its templates, constants and order of transformations.

    Drawn here for all signals at once and without touching numpy's global generator; the package takes 4 seconds.
    """
    from mnist1d.data import get_dataset_args, get_templates
    from scipy.ndimage import gaussian_filter1d

    args, templates = get_dataset_args(), get_templates()
    labels = np.repeat(np.arange(10), EXAMPLES // 10)
    length = args.template_len + args.padding[1]
    signals = np.empty((EXAMPLES, length))
    for row, label in enumerate(labels):
        padding = rng.integers(args.padding[0], args.padding[1], endpoint=True)
        signals[row] = _resampled(np.pad(templates["x"][label] + 1e-8, (0, padding)), length)
    signals *= 1 + args.scale_coeff * (rng.random((EXAMPLES, 1)) - 0.5)
    shift = rng.integers(args.max_translation, size=(EXAMPLES, 1))
    signals = np.take_along_axis(signals, (np.arange(length) - shift) % length, axis=1)
    noise = gaussian_filter1d(args.corr_noise_scale * rng.standard_normal(signals.shape), 2)
    signals = np.where(signals != 0, signals, noise) + args.iid_noise_scale * rng.standard_normal(signals.shape)
    signals -= args.shear_scale * (rng.random((EXAMPLES, 1)) - 0.5) * np.linspace(-0.5, 0.5, length)
    short = np.stack([_resampled(signal, args.final_seq_length) for signal in signals])
    return _standard(short), labels, 10


def spirals(rng: Generator) -> Drawn:
    """Two intertwined spirals (Lang and Witbrock 1988), noisy; angle, direction and pitch are drawn."""
    arms = 2
    labels = rng.integers(arms, size=EXAMPLES)
    radius = np.sqrt(rng.random(EXAMPLES))
    turns = rng.uniform(1.15, 1.35) * rng.choice([-1, 1])
    angle = 2 * np.pi * (turns * radius + labels / arms + rng.random())
    points = 2 * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _standard(points + 0.06 * rng.standard_normal(points.shape)), labels, arms


def teacher(rng: Generator) -> Drawn:
    """Regression on a drawn teacher: 32 random cosines of 16 inputs, a net that favours no candidate's own shape."""
    inputs = rng.standard_normal((EXAMPLES, 16))
    directions, phases = 0.25 * rng.standard_normal((16, 32)), rng.uniform(0, 2 * np.pi, 32)
    clean = np.cos(inputs @ directions + phases) @ rng.standard_normal(32)
    return inputs, clean / clean.std() + 0.05 * rng.standard_normal(EXAMPLES), None


def friedman1(rng: Generator) -> Drawn:
    """Regression of Friedman 1991 on 5 of 10 inputs; which inputs, their directions and the coefficients are drawn."""
    uniform = rng.random((EXAMPLES, 10))
    a, b, c, d, e = uniform[:, rng.permutation(10)[:5]].T
    strength = rng.uniform(0.8, 1.25, 4)
    curve = 10 * strength[0] * np.sin(np.pi * a * b) + 20 * strength[1] * (c - rng.uniform(0.4, 0.6)) ** 2
    line = 10 * strength[2] * d * rng.choice([-1, 1]) + 5 * strength[3] * e * rng.choice([-1, 1])
    return _standard(uniform), curve + line + 0.5 * rng.standard_normal(EXAMPLES), None


def breast_cancer(rng: Generator) -> Drawn:
    """Malignant or benign, from 30 measurements of cell nuclei (Street, Wolberg and Mangasarian 1993, UCI)."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return data.data, data.target, 2


def wine(rng: Generator) -> Drawn:
    """Three cultivars from 13 chemical measurements (Aeberhard and Forina 1991, UCI)."""
    from sklearn.datasets import load_wine

    data = load_wine()
    return data.data, data.target, 3


def diabetes(rng: Generator) -> Drawn:
    """Progression after a year from 10 measurements of patients (Efron, Hastie, Johnstone and Tibshirani 2004)."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    return data.data, data.target, None


def photographs(rng: Generator) -> Drawn:
    """Which of two photographs (scikit-learn's temple and flower) an 8 x 8 patch is from.

    By texture alone: brightness is relative to the patch's own mean and contrast, and patches of plain sky are left
    out. Patches do not overlap, so that none that is held out was seen in part.
    """
    from sklearn.datasets import load_sample_images

    grey = [photograph.mean(2)[:424] for photograph in load_sample_images().images]
    patches = np.concatenate([image.reshape(53, 8, 80, 8).swapaxes(1, 2).reshape(-1, 64) for image in grey])
    labels = np.repeat([0, 1], len(patches) // 2)
    kept = rng.permutation(np.flatnonzero(patches.std(1) > FLAT))[:EXAMPLES]
    relative = patches[kept] - patches[kept].mean(1, keepdims=True)
    return relative / (relative.std(1, keepdims=True) + 1), labels[kept], 2


HELD_BACK = frozenset({"breast_cancer", "wine", "diabetes", "photographs"})  # real; standardised on training rows
DATASETS: Mapping[str, Callable[[Generator], Drawn]] = {
    made.__name__: made
    for made in (digits, mnist1d, spirals, teacher, friedman1, breast_cancer, wine, diabetes, photographs)
}


def _standard(values: NDArray[np.float64], rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Each column with mean 0 and variance 1, over these rows or all."""
    over = values if rows is None else values[rows]
    standard: NDArray[np.float64] = (values - over.mean(0)) / (over.std(0) + 1e-8)
    return standard


def _resampled(signal: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(signal)), signal)
