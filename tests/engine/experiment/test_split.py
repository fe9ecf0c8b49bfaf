"""Splits, and what of the data a run gets to see."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.experiment.metric import METRICS
from engine.experiment.split import Split, development, final, inputs
from engine.experiment.task import Data, table
from engine.experiment.tasks.catalogue import TASKS

SEEDS = (1001, 1002, 1003)
OFFLINE = [(task.name, s.name) for task in TASKS.values() for s in task.sources if s.needs == "nothing"]


def offline(task: str, source: str, tmp_path_factory: pytest.TempPathFactory) -> Data:
    return TASKS[task].load(tmp_path_factory.getbasetemp(), source)


@pytest.fixture(params=OFFLINE, ids=lambda pair: pair[1])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Data:
    return offline(*request.param, tmp_path_factory)


def everything(data: Data, split: Split) -> bytes:
    return b"".join(inputs(data, split, "a task", METRICS[data.metrics[0]]).values())


def test_a_split_is_the_same_every_time(data: Data) -> None:
    for one, other in zip(final(data, SEEDS), final(data, SEEDS), strict=True):
        assert np.array_equal(one.training, other.training)
        assert np.array_equal(one.held_out, other.held_out)


def test_the_order_of_the_seeds_changes_nothing_of_a_seeds_split(data: Data) -> None:
    forward = {split.seed: split.held_out.tolist() for split in final(data, SEEDS)}
    assert forward == {split.seed: split.held_out.tolist() for split in final(data, SEEDS[::-1])}


def test_what_one_seed_trains_on_no_seed_is_judged_on_and_each_has_rows_of_its_own(data: Data) -> None:
    splits = final(data, SEEDS)
    judged = np.concatenate([split.held_out for split in splits])
    trained = np.concatenate([split.training for split in splits])
    assert not set(judged) & set(trained)
    assert len(set(judged)) == len(judged) == 200
    assert len(splits[0].training) == 360
    assert set(splits[0].training) != set(splits[1].training)


def test_attempts_never_see_rows_that_decide(data: Data) -> None:
    judged = {row for split in final(data, SEEDS) for row in split.held_out}
    for seed in range(5):
        split = development(data, seed)
        assert not judged & {*split.training, *split.held_out}
        assert not set(split.training) & set(split.held_out)


def test_too_few_rows_for_the_seeds_are_refused(data: Data) -> None:
    with pytest.raises(ValueError, match="too few for 60 seeds"):
        final(data, range(60))


def test_nothing_that_goes_in_depends_on_held_out_labels(real: Data) -> None:
    rng = np.random.default_rng(3)
    for make in (lambda d: final(d, SEEDS)[1], lambda d: development(d, 2)):
        split = make(real)
        other = real.targets.copy()
        other[split.held_out] = rng.permutation(other[split.held_out]) + 1
        changed = replace(real, targets=other)
        assert everything(real, split) == everything(changed, make(changed))


def test_no_held_out_label_is_among_the_bytes_that_go_in() -> None:
    labels = [float(f"7.{number:06}9") for number in range(300)]
    hidden = table({"text": [f"row {n}" for n in range(300)]}, labels, name="h", target="score", metrics=("rmse",),
                   licence="", provenance="")  # fmt: skip
    split = final(hidden, SEEDS)[0]
    seen = everything(hidden, split)
    assert all(repr(float(label)).encode() in seen for label in hidden.targets[split.training])
    assert not any(repr(float(label)).encode() in seen for label in hidden.targets[split.held_out])


def test_held_out_rows_are_not_in_the_order_of_the_data(real: Data) -> None:
    split = final(real, SEEDS)[0]
    assert np.abs(np.corrcoef(split.held_out, np.arange(len(split.held_out)))[0, 1]) < 0.4


def test_a_table_goes_in_with_its_target_last_and_gaps_empty() -> None:
    rows: dict[str, list[object]] = {"a": [1.5, None] * 20, "b": [f'{n}, "x"\ny' for n in range(40)]}
    made = table(rows, [0.0, 1.0] * 20, name="t", target="y", metrics=("auc",), licence="", provenance="")
    split = Split(seed=0, training=np.arange(30), held_out=np.arange(30, 40))
    files = inputs(made, split, "tabular", METRICS["auc"])
    read: Callable[[str], list[dict[str, str]]] = lambda name: list(csv.DictReader(io.StringIO(files[name].decode())))  # noqa: E731
    assert list(read("train.csv")[0]) == ["a", "b", "y"]
    assert list(read("heldout.csv")[0]) == ["a", "b"]
    assert read("heldout.csv")[1] == {"a": "", "b": '31, "x"\ny'}


def test_rows_with_equal_inputs_are_one_row() -> None:
    made = table({"text": ["a", "b", "a"]}, [1.0, 2.0, 3.0], name="t", target="y", metrics=("rmse",), licence="",
                 provenance="")  # fmt: skip
    assert made.columns["text"].tolist() == ["a", "b"]
    assert made.targets.tolist() == [1.0, 2.0]
