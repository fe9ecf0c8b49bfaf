"""A team's own model and data as a suite: one cell, the model on the data, and as many trials as it has seeds.

The same contract as our own suites: which rows are held out follows from the host's secret, their labels never enter
the sandbox, every arm gets the same start and order of rows, and the host scores predictions at checkpoints.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets import HELD_OUT, generator
from engine.own.data import Data
from engine.own.declared import Budget
from engine.own.metric import Metric, Values
from engine.score import Trial, Tried
from sandbox.execution import Array
from sandbox.guest import own as guest
from sandbox.guest.components.kind import Kind

VERSION = "@"  # between a model's name and its version: `ranker@2`
MOST_HELD_OUT = 4000  # rows: more tell little, and every checkpoint of every seed predicts them
CHECKPOINTS = 5  # of the last fifth of the training
GUEST_FILES = ("own", "own_net", "alone", "adam", "candidate")  # what trials depend on inside


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSuite:
    """`digest` is of the file, the data and the declarations: another file is another version."""

    name: str
    version: int
    source: bytes  # the team's module: unreviewed code, for the sandbox only
    data: Data
    metric: Metric
    budget: Budget
    standardize: bool
    digest: str
    grid: tuple[float, ...] = (1.0,)

    def for_kind(self, kind: Kind) -> OwnSuite:
        return replace(self, grid=kind.conditions.grid)

    @property
    def key(self) -> str:
        """What a request names: this version and no other."""
        return f"{self.name}{VERSION}{self.version}"

    @property
    def cells(self) -> tuple[str, ...]:
        return (f"{self.data.name}/{self.name}",)

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.data.name,)

    @property
    def architectures(self) -> Mapping[str, int]:
        return {self.name: 1}

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(range(self.budget.seeds))

    @property
    def steps(self) -> int:
        return self.budget.steps

    @property
    def checkpoints(self) -> tuple[int, ...]:
        last = np.linspace(self.steps - self.steps // 5, self.steps, CHECKPOINTS).round().astype(int)
        return tuple(dict.fromkeys(int(step) for step in last if step > 0))

    def secret_of_model(self, secret: bytes) -> bytes:
        """What everything is drawn from: who is told this model's does not know that of our suites."""
        return hmac.digest(secret, f"own model {self.name}".encode(), "sha256")

    def definition(self) -> dict[str, Any]:
        """All but the data itself, as JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "source": self.source.decode(errors="replace"),
            "data": self.data.in_words,
            "metric": self.metric.name,
            "budget": asdict(self.budget),
            "standardize": self.standardize,
            "grid": self.grid,
        }

    def identity(self, secret: bytes) -> str:
        digest = hashlib.sha256(secret + self.digest.encode() + repr(self.grid).encode()).hexdigest()
        return f"{self.name}-{self.version}/{digest[:8]}"

    def pack(self, secret: bytes, seeds: tuple[int, ...]) -> OwnPack:
        identity, secret = self.identity(secret), self.secret_of_model(secret)
        held_out, training = _split(self, secret)
        inputs, (mean, scale) = self.data.inputs, _scale(self, training)
        if self.standardize and self.data.columns:
            inputs = _standard(inputs, training)
        arrays: dict[str, Array] = {
            "model": np.frombuffer(self.source, np.uint8),
            "rows": inputs[training],
            "targets": ((self.data.targets[training] - mean) / scale).astype(np.float32),
            "held_out": inputs[held_out],
        }
        return OwnPack(
            name=f"{identity}/{_digest(arrays)}",
            arrays=arrays,
            options={
                "steps": self.steps,
                "batch": self.budget.batch,
                "learning_rate": self.budget.learning_rate,
                "checkpoints": list(self.checkpoints),
                "classes": self.data.classes,
                "seeds": [int(generator(secret, "seed", seed).integers(1 << 48)) for seed in seeds],
            },
            cell=self.cells[0],
            seeds=seeds,
            targets=self.data.targets[held_out],
            mean=mean,
            scale=scale,
            metric=self.metric,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPack:
    """What a sandbox gets (`name`, `arrays`, `options`, see sandbox/guest/own.py), and what the host keeps."""

    name: str
    arrays: Mapping[str, Array]
    options: Mapping[str, Any]
    cell: str
    seeds: tuple[int, ...]
    targets: NDArray[np.float64]  # [m] of the held-out rows
    mean: float  # of a regression's training values; predictions come back in units of `scale` around it
    scale: float
    metric: Metric
    action: str = "train_own"

    def expects(self, factors: Sequence[float]) -> dict[str, tuple[int, ...]]:
        checkpoints, outputs = len(self.options["checkpoints"]), self.options["classes"] or 1
        return {"predictions": (checkpoints, len(factors) * len(self.seeds), len(self.targets), outputs)}

    def score(self, predictions: Mapping[str, Array]) -> tuple[Trial, ...]:
        """One trial a seed, from {"predictions": [checkpoints, seeds, m, outputs]}; a loss whatever the metric is."""
        return tuple(
            self._trial(seed, predictions["predictions"][:, number].astype(np.float64))
            for number, seed in enumerate(self.seeds)
        )

    def tried(self, predictions: Mapping[str, Array], factors: Sequence[float]) -> tuple[Tried, ...]:
        """How each factor of the grid did."""
        count, found = len(self.seeds), predictions["predictions"]
        parts = [{"predictions": found[:, n * count : (n + 1) * count]} for n in range(len(factors))]
        return tuple(
            Tried(factor=factor, losses=tuple(trial.loss for trial in self.score(part)))
            for factor, part in zip(factors, parts, strict=True)
        )

    def _trial(self, seed: int, outputs: Values) -> Trial:
        if not np.isfinite(outputs).all():
            return Trial(cell=self.cell, seed=seed, loss=None, accuracy=None)
        read = outputs if self.options["classes"] else outputs[..., 0] * self.scale + self.mean
        losses = [self.metric.loss(one, self.targets) for one in read]
        return Trial(
            cell=self.cell,
            seed=seed,
            loss=float(np.mean(losses)),
            accuracy=float(np.mean([_share_right(one, self.targets) for one in read])),
            final_loss=losses[-1],
        )

    def constant_loss(self) -> float:
        """Of the best answer that does not look at the inputs: the training rows' shares of classes, or their mean."""
        if not self.options["classes"]:
            return self.metric.loss(np.full(len(self.targets), self.mean), self.targets)
        shares = np.bincount(self.arrays["targets"].astype(np.int64), minlength=self.options["classes"])
        logits = np.log(np.maximum(shares, 1e-9) / shares.sum())
        return self.metric.loss(np.tile(logits, (len(self.targets), 1)), self.targets)


def _share_right(outputs: Values, targets: NDArray[np.float64]) -> float:
    """R2 for values."""
    if outputs.ndim == 2:
        return float((outputs.argmax(1) == targets).mean())
    return 1 - float(((outputs - targets) ** 2).mean()) / float(targets.var())


def _split(suite: OwnSuite, secret: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Held-out and training rows: a third is held out, the same for every seed.

    A group is never divided; without groups each class has its third.
    """
    rng, data = generator(secret, "split"), suite.data
    rows = rng.permutation(len(data.inputs))
    if data.groups is not None:
        groups = rng.permutation(int(data.groups.max()) + 1)
        sizes = np.bincount(data.groups)[groups].cumsum()
        out = np.isin(data.groups[rows], groups[: 1 + int(np.searchsorted(sizes[:-2], HELD_OUT * len(rows)))])
    else:
        kinds = data.targets[rows] if data.labels else np.zeros(len(rows))
        out = np.zeros(len(rows), bool)
        for kind in np.unique(kinds):
            own = np.flatnonzero(kinds == kind)
            out[own[: round(HELD_OUT * len(own))]] = True
    return rows[out][:MOST_HELD_OUT], rows[~out]


def _scale(suite: OwnSuite, training: NDArray[np.int64]) -> tuple[float, float]:
    if suite.data.labels or not suite.standardize:
        return 0.0, 1.0
    values = suite.data.targets[training]
    return float(values.mean()), float(values.std()) or 1.0


def _standard(inputs: NDArray[Any], training: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each column with mean 0 and variance 1 over the training rows."""
    seen = inputs[training].astype(np.float64)
    standard: NDArray[np.float64] = (inputs - seen.mean(0)) / (seen.std(0) + 1e-8)
    return standard.astype(np.float32)


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(_training_code())
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + str((array.dtype, array.shape)).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


@cache
def _training_code() -> bytes:
    folder = Path(guest.__file__).parent
    return b"\0".join((folder / f"{name}.py").read_bytes() for name in GUEST_FILES)
