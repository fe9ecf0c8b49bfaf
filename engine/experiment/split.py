"""Which rows a run trains on, and which it is judged on: nothing that a label could change.

A third of the rows is held back for judging. It is cut into as many parts as there are seeds, so that every seed is
judged on rows of its own and the spread over seeds holds the luck of the sample too. What one seed trains on (nine
tenths of the other rows, drawn anew) is never what another is judged on. While an experiment is being written, it is
scored on a fifth of the training rows instead: who tries often must not have seen what decides.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets import generator
from engine.experiment.metric import Metric
from engine.experiment.task import Data

HELD_BACK = 1 / 3
DRAWN = 0.9
DEVELOPMENT = 0.2
FEWEST = 8  # rows that one seed is judged on

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Numbers of rows, in the order in which they are shown."""

    seed: int
    training: Rows
    held_out: Rows


def final(data: Data, seeds: Sequence[int]) -> tuple[Split, ...]:
    """One split a seed, in their order. Raises ValueError for repeated seeds, or more than the rows allow."""
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"seeds must differ and be at least one: {tuple(seeds)}")
    training, held_back = _sides(data)
    order = generator(b"", data.name, "parts", *sorted(seeds)).permutation(held_back)
    parts = dict(zip(sorted(seeds), np.array_split(order, len(seeds)), strict=True))
    if min(map(len, parts.values())) < FEWEST:
        raise ValueError(f"{data.name} has {len(held_back)} rows to judge on: too few for {len(seeds)} seeds")
    drawn = round(DRAWN * len(training))
    return tuple(
        Split(
            seed=seed,
            training=generator(b"", data.name, "training", seed).permutation(training)[:drawn],
            held_out=parts[seed],
        )
        for seed in seeds
    )


def development(data: Data, seed: int) -> Split:
    """Both sides of the rows that are not held back."""
    training, _ = _sides(data)
    order = generator(b"", data.name, "development", seed).permutation(training)
    cut = round(DEVELOPMENT * len(order))
    return Split(seed=seed, training=order[cut:], held_out=order[:cut])


def held_back(data: Data) -> Rows:
    """All that any judgement is made on, whatever its seeds."""
    return _sides(data)[1]


def _sides(data: Data) -> tuple[Rows, Rows]:
    order = generator(b"", data.name, "split").permutation(data.rows)
    cut = round(HELD_BACK * data.rows)
    return order[cut:], order[:cut]


def inputs(data: Data, split: Split, task: str, metric: Metric) -> dict[str, bytes]:
    """All that a run gets to see. Of the held-out rows: the columns, never the targets."""
    told = {
        "task": task,
        "data": data.name,
        "columns": list(data.columns),
        "target": data.target,
        "classes": list(data.classes),
        "metric": metric.name,
        "direction": metric.direction,
        "training_rows": len(split.training),
        "held_out_rows": len(split.held_out),
        "prediction_shape": list(data.targets[split.held_out].shape),
    }
    write, ending = (_csv, "csv") if all(column.dtype == object for column in data.columns.values()) else (_npz, "npz")
    seen = {name: values[split.held_out] for name, values in data.columns.items()}
    train = {name: values[split.training] for name, values in data.columns.items()}
    return {
        f"train.{ending}": write(train | {data.target: data.targets[split.training]}),
        f"heldout.{ending}": write(seen),
        "task.json": json.dumps(told, indent=1, ensure_ascii=False).encode(),
    }


def _csv(columns: dict[str, NDArray[np.generic]]) -> bytes:
    """RFC 4180 with a header; an empty cell is a missing value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        zip(*(["" if cell is None else cell for cell in c.tolist()] for c in columns.values()), strict=True)
    )
    return text.getvalue().encode()


def _npz(columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **columns)
    return stream.getvalue()
