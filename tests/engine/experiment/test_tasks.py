"""Task templates: each runs as it is on data that need no network, and reads the original data from a local copy."""

from __future__ import annotations

import csv
import lzma
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import TaskDataError, UnknownThing
from engine.experiment.metric import METRICS
from engine.experiment.split import Split, development, inputs
from engine.experiment.task import Data, Task
from engine.experiment.tasks.catalogue import TASKS, task_named
from engine.experiment.tasks.tabular.frame import read_frame

OFFLINE = [(task.name, source.name) for task in TASKS.values() for source in task.sources if source.needs == "nothing"]
BETTER_THAN = {
    "invented-scores": 0.5,
    "invented-opinions": 0.6,
    "invented-pairs": 0.5,
    "breast-cancer": 0.9,
    "digits": 0.9,
}


def run_prototype(task: str, data: Data, split: Split, where: Path) -> np.ndarray:
    """As a plain script; the long tests run prototypes in the sandbox."""
    (where / "inputs").mkdir()
    for name, content in inputs(data, split, task, METRICS[data.metrics[0]]).items():
        (where / "inputs" / name).write_bytes(content)
    for name, content in TASKS[task].prototype().items():
        (where / name).write_bytes(content)
    ran = subprocess.run([sys.executable, "train.py", "--seed", "3"], cwd=where, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return np.load(where / "predictions.npy")


@pytest.mark.parametrize(("task", "source"), OFFLINE)
def test_a_prototype_runs_and_beats_a_guess(task: str, source: str, tmp_path: Path) -> None:
    data = TASKS[task].load(tmp_path, source)
    split = development(data, 0)
    predictions = run_prototype(task, data, split, tmp_path)
    assert predictions.shape == data.targets[split.held_out].shape
    assert METRICS[data.metrics[0]].score(predictions, data.targets[split.held_out]) > BETTER_THAN[source]


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_can_be_judged_by_what_its_data_allow_and_says_where_they_come_from(task: Task) -> None:
    assert task.baseline.endswith(".")
    assert not task.baseline.startswith("#")
    assert set(task.prototype()) == {"train.py", "README.md"}
    assert set(task.metrics) <= set(METRICS)
    assert sum(source.original for source in task.sources) == 1
    assert [source.needs for source in task.sources if not source.original][-1] == "nothing"
    assert all(source.licence and source.provenance for source in task.sources)
    assert task.limits.wall_seconds <= 300


def test_an_unknown_task_and_an_unknown_data_set_are_named_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownThing, match="Did you mean 'images'"):
        task_named("imges")
    with pytest.raises(UnknownThing, match="It has: fashion-mnist, digits, contrails"):
        TASKS["images"].load(tmp_path, "cifar")


@pytest.mark.parametrize("name", ["ellipse", "spaceship-titanic", "contrails"])
def test_an_original_that_is_not_here_says_where_to_get_it_and_where_to_put_it(name: str, tmp_path: Path) -> None:
    task = next(task for task in TASKS.values() if any(source.name == name for source in task.sources))
    with pytest.raises(TaskDataError, match=rf"is not at {tmp_path}/data/{name}/.*Get .*put it there"):
        task.load(tmp_path, name)


def put(home: Path, name: str, file: str, rows: list[dict[str, object]]) -> None:
    path = home / "data" / name / file
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_ellipse_is_read_from_its_own_files_with_or_without_an_overall_score(tmp_path: Path) -> None:
    put(
        tmp_path / "a",
        "ellipse",
        "train.csv",
        [{"Filename": "1", "full_text": "An essay,\nin two lines", "Overall": 3.5}],
    )
    skills = {"cohesion": 3, "syntax": 3, "vocabulary": 4, "phraseology": 4, "grammar": 3, "conventions": 4}
    put(tmp_path / "b", "ellipse", "train.csv", [{"text_id": "1", "full_text": "An essay", **skills}])
    one, other = (TASKS["essays"].load(tmp_path / home, "ellipse") for home in "ab")
    assert one.columns["text"].tolist() == ["An essay,\nin two lines"]
    assert one.targets.tolist() == other.targets.tolist() == [3.5]


def test_spaceship_titanic_keeps_gaps_as_gaps_and_drops_what_names_a_passenger(tmp_path: Path) -> None:
    bills = {"RoomService": "", "FoodCourt": 9, "ShoppingMall": 25, "Spa": 549, "VRDeck": 44}
    row = {
        "PassengerId": "0001_01",
        "HomePlanet": "",
        "Cabin": "B/0/P",
        "Age": 39.0,
        "VIP": "False",
        **bills,
        "Name": "M O",
    }
    put(
        tmp_path,
        "spaceship-titanic",
        "train.csv",
        [{**row, "Transported": "True"}, {**row, "Age": "", "Transported": "False"}],
    )
    data = TASKS["tabular"].load(tmp_path, "spaceship-titanic")
    assert data.columns["Age"].tolist() == [39.0, None]
    assert data.columns["HomePlanet"].tolist() == [None, None]
    assert not {"PassengerId", "Name", "Transported"} & set(data.columns)
    assert data.targets.tolist() == [1.0, 0.0]


def parquet(home: Path, name: str, columns: dict[str, list[object]]) -> None:
    path = home / "data" / name / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def test_imdb_is_read_from_a_copy_of_the_hubs_file(tmp_path: Path) -> None:
    parquet(tmp_path, "imdb", {"text": ["good", "bad"], "label": [1, 0]})
    data = TASKS["sentiment"].load(tmp_path, "imdb")
    assert (data.columns["text"].tolist(), data.targets.tolist()) == (["good", "bad"], [1.0, 0.0])


@pytest.mark.parametrize("names", [("sentence1", "sentence2", "label"), ("text1", "text2", "score")])
def test_semrel_is_read_from_a_copy_of_the_hubs_file(names: tuple[str, str, str], tmp_path: Path) -> None:
    parquet(tmp_path, "semrel", dict(zip(names, (["a"], ["b"], [0.25]), strict=True)))
    data = TASKS["relatedness"].load(tmp_path, "semrel")
    assert data.columns["text2"].tolist() == ["b"]
    assert data.targets.tolist() == [0.25]


def test_semrel_is_read_from_the_shared_tasks_file(tmp_path: Path) -> None:
    put(tmp_path, "semrel", "eng_train.csv", [{"PairID": "ENG-1", "Text": "one\nother", "Score": 0.5}])
    data = TASKS["relatedness"].load(tmp_path, "semrel")
    assert (data.columns["text1"].tolist(), data.columns["text2"].tolist()) == (["one"], ["other"])


def test_a_file_without_a_needed_column_names_the_column(tmp_path: Path) -> None:
    put(tmp_path, "ellipse", "train.csv", [{"essay": "An essay", "Overall": 3.5}])
    with pytest.raises(TaskDataError, match="has no column 'full_text'; it has essay, Overall"):
        TASKS["essays"].load(tmp_path, "ellipse")


def test_contrails_are_learned_as_masks_from_the_false_colours_of_a_record(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(30):
        record = tmp_path / "data" / "contrails" / "train" / str(number)
        record.mkdir(parents=True)
        mask = np.zeros((24, 24, 1), dtype=np.int32)
        mask[number % 20 : number % 20 + 3] = 1
        for band, shift in ((11, -3.0), (13, 4.0), (14, 0.0), (15, 0.0)):
            warmth = 270 + rng.normal(0, 0.3, (24, 24, 8)) + shift * mask
            np.save(record / f"band_{band:02}.npy", warmth.astype(np.float32))
        np.save(record / "human_pixel_masks.npy", mask)
    data = TASKS["images"].load(tmp_path, "contrails")
    assert data.columns["images"].shape == (30, 24, 24, 3)
    split = development(data, 0)
    (tmp_path / "w").mkdir()
    predictions = run_prototype("images", data, split, tmp_path / "w")
    assert METRICS["dice"].score(predictions, data.targets[split.held_out]) > 0.8


def test_a_frame_that_asks_for_anything_but_a_table_is_refused() -> None:
    class Attack:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return eval, ("1 + 1",)

    with pytest.raises(ValueError, match=r"a frame does not need builtins\.eval"):
        read_frame(lzma.compress(pickle.dumps(Attack())))
    with pytest.raises(ValueError, match="not a frame"):
        read_frame(lzma.compress(pickle.dumps([1, 2])))
