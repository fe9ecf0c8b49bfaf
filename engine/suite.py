"""Suites as versioned data, and the pack of arrays that a sandbox trains on.

A trial is (cell, seed). Its initial parameters, its order of examples and the examples it is scored on are functions
of (suite, secret, cell, seed) alone, made here on the host: every arm of a comparison gets exactly the same.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.datasets import Dataset, generator, load
from engine.heldout import HeldOut, score, tried
from engine.score import Trial, Tried
from sandbox.execution import Array
from sandbox.guest.components.kind import Kind
from sandbox.guest.nets import ARCHITECTURES, INPUTS, OUTPUTS, initial

SELECTION_SEEDS = tuple(range(1001, 1009))  # choose the best baseline, apart from the seeds that measure
GRID_SEEDS = (2001,)  # choose an arm's factor of the grid, apart from both
LEARNING_RATES = (1.0, 1 / 3, 1 / 9)  # of the full suite, over the suite's own, which is the screening's
ORDERED = 2  # the first data sets have inputs in an order, for which a convolution makes sense
REGRESSIONS = frozenset({"teacher", "friedman1", "diabetes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What a hypothesis is trained on, how long, and how it is read.

    `architectures` gives the data sets of each; in the order of `datasets`, each has the first so many of them, so
    that one stack of data serves all. Classifications come before regressions.
    """

    name: str
    version: int
    datasets: tuple[str, ...]
    architectures: Mapping[str, int]
    seeds: tuple[int, ...]
    width: int
    batch: int
    steps: int
    learning_rate: float
    checkpoints: tuple[int, ...]  # predictions are read when so many steps are done
    examples: int  # held-out examples predicted at each checkpoint, others each time
    metric: str = "loss"  # how predictions are read: see heldout.py
    grid: tuple[float, ...] = (1.0,)  # every arm, baselines included, takes its best factor, chosen on GRID_SEEDS
    rows: int | None = None  # training examples of each data set; None: as many as there are
    epoch: int = 0  # another one has other seeds and secret parameters: see rotation.py

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(
            f"{dataset}/{architecture}"
            for architecture, count in self.architectures.items()
            for dataset in self.datasets[:count]
        )

    def pack(self, secret: bytes, seeds: tuple[int, ...]) -> Pack:
        return pack(self, secret, seeds)

    def identity(self, secret: bytes) -> str:
        """Name, version, epoch and a digest of the definition and the secret: `screen-1/3fa90c1d`, `screen-1.2/...`."""
        digest = hashlib.sha256(secret + repr(self).encode()).hexdigest()
        epoch = f".{self.epoch}" if self.epoch else ""
        return f"{self.name}-{self.version}{epoch}/{digest[:8]}"

    def secret_of_epoch(self, secret: bytes) -> bytes:
        """What everything is drawn from: who is told this epoch's does not know another's."""
        return hmac.digest(secret, f"epoch {self.epoch}".encode(), "sha256")


SCREENING = "screen"  # the suite that everything is measured on unless another one is asked for

SCREEN = Suite(
    name=SCREENING,
    version=3,
    datasets=("digits", "mnist1d", "spirals", "teacher", "friedman1"),
    architectures={"mlp2": 5, "mlp4": 5, "res": 5, "cnn": 2},
    seeds=(0, 1),
    width=32,
    batch=32,
    steps=48,
    learning_rate=1.5e-2,
    checkpoints=(38, 40, 42, 44, 46, 48),  # the last quarter
    examples=64,
)
STANDARD = replace(SCREEN, name="standard", version=1, seeds=(0, 1, 2, 3))
FULL = replace(
    SCREEN,
    name="full",
    version=1,
    # With real measurements and photographs, which the light suites never see.
    datasets=(
        *("digits", "mnist1d", "spirals", "photographs", "breast_cancer", "wine"),
        *("teacher", "friedman1", "diabetes"),
    ),
    architectures={"mlp2": 9, "mlp4": 9, "res": 9, "cnn": 2},
    seeds=(101, 102, 103, 104),
    steps=320,
    checkpoints=(250, 264, 278, 292, 306, 320),
    grid=LEARNING_RATES,
)
SUITES: Mapping[str, Suite] = {suite.name: suite for suite in (SCREEN, STANDARD, FULL)}


def suite_of(kind: Kind, name: str = SCREENING) -> Suite:
    """The suite of this name as components of the kind need it. Raises ValueError for a name that is none.

    The kind says which architectures, data sets and metric make sense, how many seeds its screening takes (the standard
    suite has twice as many), how many times the usual steps it takes, and its grid; in the full suite a kind without
    one takes the best of LEARNING_RATES.
    """
    if name not in SUITES:
        raise ValueError(f"there is no suite {name!r}; expected one of {', '.join(SUITES)}")
    suite, conditions = SUITES[name], kind.conditions
    datasets = tuple(d for d in suite.datasets if conditions.regression or d not in REGRESSIONS)
    return replace(
        suite,
        datasets=datasets,
        architectures={a: ORDERED if a == "cnn" else len(datasets) for a in conditions.architectures},
        seeds=suite.seeds if name == FULL.name else tuple(range(conditions.seeds * len(suite.seeds) // 2)),
        metric=conditions.metric,
        grid=conditions.grid if len(conditions.grid) > 1 else suite.grid,
        rows=conditions.rows,
        steps=conditions.longer * suite.steps,
        checkpoints=tuple(conditions.longer * step for step in suite.checkpoints),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Everything that a sandbox needs to train on a suite (see sandbox/guest/train.py), and what the host keeps.

    `name` is made of the content, so a name always means the same arrays.
    """

    name: str
    arrays: Mapping[str, Array]
    options: Mapping[str, object]
    held_out: HeldOut
    action: str = "train"

    def expects(self, factors: Sequence[float]) -> dict[str, tuple[int, ...]]:
        """The shapes of the predictions of a training with these factors of the grid."""
        checkpoints, _, examples = self.held_out.targets.shape
        stacks = self.held_out.stacks.items()
        return {name: (checkpoints, len(factors) * count, examples, OUTPUTS) for name, count in stacks}

    def score(self, predictions: Mapping[str, Array]) -> tuple[Trial, ...]:
        return score(predictions, self.held_out)

    def tried(self, predictions: Mapping[str, Array], factors: Sequence[float]) -> tuple[Tried, ...]:
        return tried(predictions, self.held_out, factors)


def pack(suite: Suite, secret: bytes, seeds: tuple[int, ...]) -> Pack:
    """The arrays for these seeds of the suite. Raises ValueError when the suite cannot be stacked."""
    identity, secret = suite.identity(secret), suite.secret_of_epoch(secret)
    data = [_shortened(load(name, secret), suite.rows) for name in suite.datasets]
    kinds = [d.classes is None for d in data]
    if kinds != sorted(kinds):
        raise ValueError(f"suite {suite.name}: classifications must come before regressions, got {suite.datasets}")
    replicas = [(d, seed) for d in data for seed in seeds]
    drawn = [_Drawn.of(suite, secret, d, seed) for d, seed in replicas]
    training_at, held_out_at = _starts([len(d.training) for d in data]), _starts([len(d.held_out) for d in data])
    place = [number for number in range(len(data)) for _ in seeds]
    order = np.stack([training_at[p] + one.order for p, one in zip(place, drawn, strict=True)], 1)
    asked = np.stack([held_out_at[p] + one.asked for p, one in zip(place, drawn, strict=True)], 1)
    held_out_targets = np.concatenate([d.targets[d.held_out] for d in data])
    stacks = {name: count * len(seeds) for name, count in suite.architectures.items()}
    arrays: dict[str, Array] = {
        "rows": np.concatenate([_padded(d.inputs[d.training]) for d in data]),
        "targets": np.concatenate([d.targets[d.training] for d in data]),
        "held_out": np.concatenate([_padded(d.inputs[d.held_out]) for d in data]),
        "order": order,
        "asked": asked,
        "dataset": np.array(place),
        "inputs": np.array([d.inputs.shape[1] for d, _ in replicas]),
        "classes": np.array([d.classes or 0 for d, _ in replicas]),
        "seeds": np.array([one.component_seed for one in drawn]),
        "rows_of": np.array([*training_at, sum(len(d.training) for d in data)]),
        "held_out_of": np.array([*held_out_at, sum(len(d.held_out) for d in data)]),
        **dict(_initial(suite, secret, seeds, data)),
    }
    held_out = HeldOut(
        replicas=tuple((d.name, seed, d.classes) for d, seed in replicas),
        targets=held_out_targets[asked],
        stacks=stacks,
        metric=suite.metric,
    )
    return Pack(
        name=f"{identity}/{_digest(arrays, held_out)}",
        arrays=arrays,
        options={
            "width": suite.width,
            "learning_rate": suite.learning_rate,
            "checkpoints": list(suite.checkpoints),
            "architectures": list(suite.architectures),
        },
        held_out=held_out,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What is drawn for one (data set, seed), shared by the architectures."""

    order: NDArray[np.int64]  # [steps, batch], positions among the training rows, epoch by epoch
    asked: NDArray[np.int64]  # [checkpoints, examples], positions among the held-out rows
    component_seed: int

    @staticmethod
    def of(suite: Suite, secret: bytes, data: Dataset, seed: int) -> _Drawn:
        names = (secret, suite.name, suite.version, data.name, seed)
        order = _shuffled(len(data.training), suite.steps * suite.batch, generator(*names, "order"))
        asked = _shuffled(len(data.held_out), len(suite.checkpoints) * suite.examples, generator(*names, "asked"))
        return _Drawn(
            order=order.reshape(suite.steps, suite.batch),
            asked=asked.reshape(len(suite.checkpoints), suite.examples),
            component_seed=int(generator(*names, "component").integers(1 << 48)),
        )


def _shuffled(rows: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` positions, passing through all rows before any comes again."""
    passes = -(-count // rows)
    return np.concatenate([rng.permutation(rows) for _ in range(passes)])[:count]


def _initial(suite: Suite, secret: bytes, seeds: tuple[int, ...], data: list[Dataset]) -> Iterator[tuple[str, Array]]:
    for name, count in suite.architectures.items():
        nets = [
            initial(
                ARCHITECTURES[name],
                width=suite.width,
                inputs=d.inputs.shape[1],
                outputs=d.classes or 1,
                rng=generator(secret, suite.name, suite.version, d.name, name, seed),
            )
            for d in data[:count]
            for seed in seeds
        ]
        for number, stacked in enumerate(zip(*nets, strict=True)):
            yield f"{name}.{number}", np.stack(stacked)


def _starts(lengths: list[int]) -> list[int]:
    return [sum(lengths[:number]) for number in range(len(lengths))]


def _padded(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(inputs, ((0, 0), (0, INPUTS - inputs.shape[1])))


def _shortened(data: Dataset, rows: int | None) -> Dataset:
    return data if rows is None else replace(data, training=data.training[:rows])


def _digest(arrays: Mapping[str, Array], held_out: HeldOut) -> str:
    digest = hashlib.sha256(repr((held_out.replicas, held_out.metric)).encode() + held_out.targets.tobytes())
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + str((array.dtype, array.shape)).encode() + array.tobytes())
    return digest.hexdigest()[:16]
