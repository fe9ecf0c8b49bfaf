"""A team's own model on the host: declarations, data, the split, the metric, the check and its cost."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from here_sandbox import HereSandbox

from engine.errors import OwnSuiteError
from engine.evaluate import Evaluator
from engine.hypothesis import Hypothesis
from engine.memory import MemoryJournal
from engine.own.check import Checked, check, cost
from engine.own.data import csv_table
from engine.own.declared import declared
from engine.own.metric import METRICS, metric_named
from engine.own.registered import Registered, read_suite, suites_with
from engine.own.suite import OwnSuite
from engine.request import Strategy
from engine.score import Score
from sandbox.execution import Execution, Task
from sandbox.guest.components.kinds import KINDS

SECRET = b"of these tests"
FILE = """
    from torch import nn

    NAME = "ranker"
    DATA = "data.csv"
    TARGET = "label"
    METRIC = "log-loss"
    BUDGET = {"steps": 8, "batch": 16, "learning_rate": 1e-2, "seeds": 2}

    def make_model(component):
        return nn.Sequential(nn.Linear(3, 8), component(), nn.Linear(8, 2))
    """


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def file(**changes: str) -> str:
    """FILE with other declarations: `METRIC='"auc"'` replaces the line, an empty text drops it."""
    lines = textwrap.dedent(FILE).splitlines()
    for name, value in changes.items():
        lines = [line for line in lines if not line.startswith(f"{name} =")]
        lines[2:2] = [f"{name} = {value}"] if value else []
    return "\n".join(lines) + "\n"


def table(rows: int = 90, *, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    lines = ["query,a,b,c,label"]
    for row in range(rows):
        a, b, c = rng.normal(size=3)
        lines.append(f"{row // 6},{a:.4f},{10 * b + 3:.4f},{c:.4f},{int(a + b * c > 0)}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., OwnSuite]:
    """The suite of FILE with these declarations, and with these files beside it."""

    def write(data: str | bytes = table(), *, name: str = "data.csv", source: str = "", **changes: str) -> OwnSuite:
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        (tmp_path / "model.py").write_text(source or file(**changes))
        return read_suite(tmp_path / "model.py", lambda name: 0)

    return write


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


# --- declarations


def test_the_file_is_read_and_never_run(written: Callable[..., OwnSuite], tmp_path: Path) -> None:
    spy = tmp_path / "was run"
    suite = written(source=f"open({str(spy)!r}, 'w')\n" + file())
    assert suite.name == "ranker"
    assert not spy.exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = (", "Line 1 of the file does not parse"),
        ("NAME = 'ranker'", "no make_model"),
        (file(NAME=""), "no NAME"),
        (file(METRIC=""), "no METRIC"),
        (file(NAME='"Our Ranker"'), "lower-case"),
        (file(NAME='"standard"'), "is taken"),
        (file(NAME='"screening-2"'), "is taken"),
        (file(METRIC='"acuracy"'), "Did you mean 'accuracy'"),
        (file(METRIC='"auc"', DIRECTION='"lower"'), "higher is better"),
        (file(DIRECTION='"sideways"'), "lower"),
        (file(BUDGET="dict(steps=3)"), "must be written out"),
        (file(BUDGET="{'steps': 300, 'batch': 16}"), "lacks 'learning_rate'"),
        (file(BUDGET="{'steps': 0, 'batch': 16, 'learning_rate': 1e-3}"), "steps is 0"),
        (file(BUDGET="{'steps': 9, 'batch': 16, 'learning_rate': 0}"), "learning_rate is 0"),
        (file(BUDGET="{'steps': 9, 'batch': 16, 'learning_rate': 1, 'seeds': 1}"), "seeds is 1"),
        (file(BUDGET="{'steps': 9, 'batch': 16, 'learning_rate': 1, 'epochs': 1}"), "'epochs', which is not known"),
        (file(BUDGET="[300]"), "must be a dict"),
        (file(NAME="3"), "must be text"),
        (file(INPUTS="[1, 2]"), "must be names of columns"),
    ],
)
def test_a_wrong_declaration_is_named_with_what_would_do(source: str, told: str) -> None:
    with pytest.raises(OwnSuiteError) as found:
        declared(source.encode())
    assert told in str(found.value)


def test_other_constants_of_the_file_are_its_own_business() -> None:
    assert declared(file(HIDDEN="3 * 64", LAYERS="[i for i in range(3)]").encode()).name == "ranker"


def test_seeds_are_eight_unless_declared() -> None:
    assert declared(file(BUDGET="{'steps': 9, 'batch': 16, 'learning_rate': 1}").encode()).budget.seeds == 8


# --- data


def test_a_table_gives_every_other_column_to_the_model(written: Callable[..., OwnSuite]) -> None:
    data = written().data
    assert data.columns == ("query", "a", "b", "c")
    assert data.inputs.shape == (90, 4)
    assert data.labels == ("0", "1")


def test_inputs_and_group_choose_the_columns(written: Callable[..., OwnSuite]) -> None:
    data = written(INPUTS='["a", "c"]', GROUP='"query"').data
    assert data.columns == ("a", "c")
    assert data.groups is not None
    assert len(np.unique(data.groups)) == 15


def test_classes_may_be_text(written: Callable[..., OwnSuite]) -> None:
    data = written(table().replace(",0\n", ",no\n").replace(",1\n", ",yes\n")).data
    assert data.labels == ("no", "yes")
    assert set(data.targets) == {0.0, 1.0}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_separate_too(delimiter: str) -> None:
    assert list(csv_table("d.csv", table().replace(",", delimiter).encode())) == ["query", "a", "b", "c", "label"]


def test_arrays_reach_the_model_as_they_are(written: Callable[..., OwnSuite]) -> None:
    x, y = np.arange(90 * 4).reshape(90, 2, 2) / 7, np.arange(90) % 3
    suite = written(npz(x=x, y=y), name="d.npz", DATA='"d.npz"', TARGET="")
    pack = suite.pack(SECRET, (0,))
    assert pack.arrays["rows"].dtype == np.float32
    assert set(pack.arrays["rows"].ravel()) <= set(x.astype(np.float32).ravel())
    assert suite.data.classes == 3


def test_whole_numbers_stay_whole(written: Callable[..., OwnSuite]) -> None:
    suite = written(
        npz(t=np.arange(180).reshape(90, 2), y=np.arange(90) % 2), name="d.npz", DATA='"d.npz"', TARGET="", INPUTS='"t"'
    )
    assert suite.data.inputs.dtype == np.int64


class Opened:
    """Pickled, it would write a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_a_pickled_object_is_refused_and_not_unpickled(written: Callable[..., OwnSuite], tmp_path: Path) -> None:
    spy = tmp_path / "was run"
    data = npz(x=np.array([Opened(str(spy))] * 90, dtype=object), y=np.arange(90))
    with pytest.raises(OwnSuiteError, match="pickled objects are never read"):
        written(data, name="d.npz", DATA='"d.npz"')
    assert not spy.exists()


def gap(text: str, row: int, column: int, value: str) -> str:
    lines = text.splitlines()
    cells = lines[row].split(",")
    cells[column] = value
    lines[row] = ",".join(cells)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("data", "changes", "told"),
    [
        (table(), {"DATA": '"nowhere.csv"'}, "cannot be read: No such file"),
        (table(), {"DATA": '"data.parquet"'}, "cannot be read"),
        (table(), {"TARGET": '"clicked"'}, "no column 'clicked'; it has query, a, b, c, label"),
        (table(), {"TARGET": ""}, "declares no TARGET"),
        (table(), {"INPUTS": '["a", "z"]'}, "no column 'z'"),
        (table(), {"INPUTS": '["a", "label"]'}, "neither TARGET nor GROUP"),
        (table(), {"GROUP": '"user"'}, "no column 'user'"),
        (gap(table(), 3, 2, "DE"), {}, "column 'b' holds 'DE' in row 3"),
        (gap(table(), 3, 2, ""), {}, "column 'b' is empty in row 3"),
        (gap(table(), 4, 1, "nan"), {}, "column 'a' has 1 missing or infinite values, the first in row 4"),
        (gap(table(), 5, 4, "nan"), {}, "the target 'label' is missing or infinite in row 5"),
        (gap(table(), 6, 1, "1,2"), {}, "line 7 has 6 cells; the header has 5"),
        (gap(table(), 0, 1, "b"), {}, "different column names"),
        (table(20), {}, "20 rows; at least 60"),
        (table(), {"BUDGET": "{'steps': 9, 'batch': 64, 'learning_rate': 1}"}, "batch is 64"),
        (table().replace(",0\n", ",no\n"), {"METRIC": '"mse"'}, "needs numbers"),
        (table(), {"TARGET": '"a"'}, "too many classes"),
        (table().replace(",0\n", ",1\n"), {}, "nothing to learn"),
        (gap(table(), 5, 4, "2"), {}, "the class '2' of 'label' has 1 rows"),
        (table(), {"GROUP": '"label"', "TARGET": '"a"', "METRIC": '"mse"'}, "GROUP must have at least 6"),
        (b"\xff\xfea,b", {}, "not UTF-8"),
        (b"", {}, "different column names"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    written: Callable[..., OwnSuite], data: str | bytes, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(OwnSuiteError) as found:
        written(data, **changes)
    assert told in str(found.value)


@pytest.mark.parametrize(
    ("data", "changes", "told"),
    [
        (b"not a zip", {}, "not an .npz"),
        (npz(x=np.zeros((90, 2))), {}, "no array 'y'; it has x"),
        (npz(data=np.zeros((90, 2)), y=np.zeros(90)), {}, "no array 'x'; it has data, y"),
        (npz(x=np.zeros((90, 2)), y=np.zeros(80)), {}, "with the same n"),
        (npz(x=np.zeros(90), y=np.zeros(90)), {}, "expected [n, ...]"),
        (npz(x=np.full((90, 2), np.nan), y=np.zeros(90)), {}, "180 inputs are NaN"),
        (npz(x=np.full((90, 2), "a"), y=np.zeros(90)), {}, "must be numbers"),
    ],
)
def test_what_is_wrong_with_arrays_is_named(
    written: Callable[..., OwnSuite], data: bytes, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(OwnSuiteError) as found:
        written(data, name="d.npz", DATA='"d.npz"', TARGET="", **changes)
    assert told in str(found.value)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(file())
    with (tmp_path / "data.csv").open("wb") as large:
        large.truncate(65 << 20)
    with pytest.raises(OwnSuiteError, match="65 MiB; at most 64"):
        read_suite(tmp_path / "model.py", lambda name: 0)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(written: Callable[..., OwnSuite]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.zeros((130, 1 << 20), np.uint8))
    with pytest.raises(OwnSuiteError, match="unpacks to 130 MiB"):
        written(buffer.getvalue(), name="d.npz", DATA='"d.npz"')


# --- the split, and what enters the sandbox


def test_no_label_of_a_held_out_row_enters_the_sandbox(written: Callable[..., OwnSuite]) -> None:
    pack = written().pack(SECRET, (0, 1))
    assert {name: len(array) for name, array in pack.arrays.items() if name != "model"} == {
        "rows": 60,
        "targets": 60,
        "held_out": 30,
    }
    assert len(pack.targets) == 30
    assert "label" not in str(pack.options)


def test_which_rows_are_held_out_depends_on_the_secret_and_on_no_seed(written: Callable[..., OwnSuite]) -> None:
    suite = written()
    one, other, elsewhere = suite.pack(SECRET, (0,)), suite.pack(SECRET, (7,)), suite.pack(b"another", (0,))
    np.testing.assert_array_equal(one.arrays["held_out"], other.arrays["held_out"])
    assert not np.array_equal(one.arrays["held_out"], elsewhere.arrays["held_out"])
    assert one.options["seeds"] != other.options["seeds"]


def test_rows_of_a_group_are_on_one_side(written: Callable[..., OwnSuite]) -> None:
    suite = written(GROUP='"query"', STANDARDIZE="False")
    data, pack = suite.data, suite.pack(SECRET, (0,))
    assert data.groups is not None
    group_of = {tuple(row): int(group) for row, group in zip(data.inputs.tolist(), data.groups, strict=True)}
    sides = [{group_of[tuple(row)] for row in pack.arrays[side].tolist()} for side in ("rows", "held_out")]
    assert not sides[0] & sides[1]
    assert 0.25 < len(pack.targets) / 90 < 0.45


def test_every_class_has_its_third_held_out(written: Callable[..., OwnSuite]) -> None:
    text = table(120)
    rare = "\n".join(line[:-1] + ("2" if row % 10 == 1 else line[-1]) for row, line in enumerate(text.splitlines()))
    pack = written(rare.replace("labe2", "label").replace("labe1", "label")).pack(SECRET, (0,))
    assert (pack.targets == 2).sum() == 4
    assert (pack.arrays["targets"] == 2).sum() == 8


def test_columns_are_standardised_over_the_training_rows_unless_declared_otherwise(
    written: Callable[..., OwnSuite],
) -> None:
    rows = written().pack(SECRET, (0,)).arrays["rows"]
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.std(0), 1, atol=1e-3)
    assert abs(written(STANDARDIZE="False").pack(SECRET, (0,)).arrays["rows"][:, 2].mean()) > 1


def test_another_file_or_other_data_is_another_suite_and_the_same_is_the_same(written: Callable[..., OwnSuite]) -> None:
    digests = [written().digest, written(METRIC='"auc"').digest, written(table(seed=1)).digest, written().digest]
    assert len(set(digests)) == 3
    assert digests[0] == digests[3]


# --- the metric


def perfect(classes: bool) -> tuple[Any, Any, Any]:
    """Targets, and outputs that are all right, and all wrong."""
    targets = np.array([0.0, 1.0] * 20)
    if not classes:
        return targets, targets, 1 - targets
    right = np.where(np.eye(2)[targets.astype(int)] > 0, 40.0, -40.0)
    return targets, right, -right


@pytest.mark.parametrize("name", METRICS)
def test_of_every_metric_a_lower_loss_is_better_and_a_perfect_one_is_zero(name: str) -> None:
    metric = METRICS[name]
    targets, right, wrong = perfect(metric.classes)
    assert metric.loss(right, targets) == pytest.approx(0, abs=1e-9)
    assert metric.loss(wrong, targets) > 0.4


@pytest.mark.parametrize(
    ("written_as", "name"), [("ROC AUC", "auc"), ("cross_entropy", "log-loss"), ("R2", "r2"), ("MSE", "mse")]
)
def test_metrics_are_known_by_their_usual_names(written_as: str, name: str) -> None:
    assert metric_named(written_as).name == name


def test_a_regression_is_scored_in_the_units_of_the_data(written: Callable[..., OwnSuite]) -> None:
    suite = written(TARGET='"b"', METRIC='"rmse"')
    pack = suite.pack(SECRET, (0,))
    standard = ((pack.targets - pack.mean) / pack.scale + 1.0).astype(np.float32)
    (trial,) = pack.score({"predictions": np.tile(standard[None, None, :, None], (len(suite.checkpoints), 1, 1, 1))})
    assert trial.loss == pytest.approx(pack.scale, rel=1e-4)
    assert pack.scale > 5


def test_predictions_that_are_not_finite_are_a_divergence(written: Callable[..., OwnSuite]) -> None:
    pack = written().pack(SECRET, (0, 1))
    found = np.zeros(pack.expects((1.0,))["predictions"], np.float32)
    found[-1, 1, 3, 0] = np.nan
    assert [trial.loss is None for trial in pack.score({"predictions": found})] == [False, True]


# --- measured


class TimedSandbox(HereSandbox):
    """Says that every task took so long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def run(self, task: Task) -> Execution:
        return replace(super().run(task), seconds=self._seconds)


class ForgingSandbox(HereSandbox):
    """Where the module of the model has put its own values into every reply."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        self._values = values

    def run(self, task: Task) -> Execution:
        return replace(super().run(task), values=self._values, seconds=0.1)


BROKEN = """
import torch
class Zero(torch.nn.Module):
    def forward(self, x):
        return x * 0
def build():
    return Zero()
"""


def candidate(source: str, title: str) -> Hypothesis:
    return Hypothesis(
        id=title,
        request_id="r",
        kind="activation",
        title=title,
        claim="",
        rationale="",
        inspiration="",
        source=source.encode(),
        strategy=Strategy.BY_HAND,
        generator="tests",
    )


def test_a_copy_of_a_baseline_ties_with_it_and_a_broken_component_loses(written: Callable[..., OwnSuite]) -> None:
    suite = written(BUDGET="{'steps': 30, 'batch': 16, 'learning_rate': 3e-2, 'seeds': 3}", INPUTS='["a", "b", "c"]')
    kinds = {"activation": replace(KINDS["activation"], known=KINDS["activation"].known[:3])}
    evaluator = Evaluator(sandbox=HereSandbox(), journal=MemoryJournal(), secret=SECRET, kinds=kinds)  # type: ignore[arg-type]
    copy = candidate(kinds["activation"].known[0].code + "# another name\n", "copy")
    broken = candidate(BROKEN, "broken")
    found = evaluator.measure(
        [copy, broken], "activation", suite.seeds, tag="t", stopped=lambda: False, done=lambda one: None, suite=suite
    )
    copied, zero = (one for one in found if isinstance(one, Score))
    (relu,) = [
        t
        for t in evaluator.baseline_trials("activation", suite.seeds, suite)
        if t.baseline == "ReLU" and t.seeds == suite.seeds
    ]
    assert copied.trials == relu.trials
    assert [trial.cell for trial in copied.trials] == ["data/ranker"] * 3
    assert zero.b_wr.value < copied.b_wr.value
    assert copied.suite.startswith("ranker-1/")


def test_a_kind_brings_its_own_grid(written: Callable[..., OwnSuite]) -> None:
    suite = written()
    assert suite.for_kind(KINDS["schedule"]).grid == KINDS["schedule"].conditions.grid
    assert suite.for_kind(KINDS["schedule"]).identity(SECRET) != suite.for_kind(KINDS["activation"]).identity(SECRET)


# --- the check


def checked(suite: OwnSuite, seconds: float = 0.1) -> Checked:
    some = {name: KINDS[name] for name in ("activation", "normalizer", "schedule")}
    return check(suite, TimedSandbox(seconds), SECRET, some)


SMALL = {"INPUTS": '["a", "b", "c"]'}
GOOD = {**SMALL, "BUDGET": "{'steps': 40, 'batch': 16, 'learning_rate': 3e-2, 'seeds': 2}"}


def test_a_good_model_is_checked_without_warnings(written: Callable[..., OwnSuite]) -> None:
    found = checked(written(**GOOD))
    assert found.warnings == ()
    assert found.loss < found.constant_loss
    assert found.parameters == 3 * 8 + 8 + 8 * 2 + 2
    assert found.tried == ("activation", "schedule")


def test_a_kind_without_a_place_in_the_model_is_named(written: Callable[..., OwnSuite]) -> None:
    assert "never calls component(features)" in checked(written(**GOOD)).refused["normalizer"]


def test_a_model_that_never_uses_its_component_is_warned_about(written: Callable[..., OwnSuite]) -> None:
    found = checked(written(source=file(**GOOD).replace("component()", "nn.ReLU()")))
    assert any("never calls component()" in warning for warning in found.warnings)
    assert found.tried == ("schedule",)


def test_a_model_that_learns_nothing_is_warned_about(written: Callable[..., OwnSuite]) -> None:
    header, *rows = table().splitlines()
    labels = np.random.default_rng(0).integers(2, size=len(rows))
    random = [f"{row[:-1]}{label}" for row, label in zip(rows, labels, strict=True)]
    long = "{'steps': 300, 'batch': 16, 'learning_rate': 0.1, 'seeds': 2}"
    found = checked(written("\n".join([header, *random]), **SMALL, BUDGET=long))
    assert any("never looks at the inputs" in warning for warning in found.warnings)


def test_a_model_that_draws_from_elsewhere_is_warned_about(written: Callable[..., OwnSuite]) -> None:
    noisy = file(**GOOD).replace(
        "    return", "    import os\n    nn.init.constant_(w := nn.Linear(3, 8), 0) if 0 else 0\n    return"
    )
    noisy = noisy.replace(
        "nn.Linear(8, 2))", "nn.Linear(8, 2), nn.Dropout(int.from_bytes(os.urandom(1), 'big') / 300))"
    )
    assert any(
        "Two trainings from the same seed differ" in warning for warning in checked(written(source=noisy)).warnings
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("nn.Linear(8, 2)", "nn.Linear(8, 5)"), "it must return [16, 2]"),
        (("nn.Linear(3, 8)", "nn.Linear(7, 8)"), "16x3 and 7x8"),
        (("return nn", "return 1 or nn"), "must return a torch.nn.Module"),
        (("from torch import nn", "from torch import nn\nimport ourlib"), "`ourlib`, which is not installed inside"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused_with_the_reason(
    written: Callable[..., OwnSuite], change: tuple[str, str], told: str
) -> None:
    with pytest.raises(OwnSuiteError) as found:
        checked(written(source=file(**GOOD).replace(*change)))
    assert told in str(found.value)


def test_a_model_that_diverges_is_refused(written: Callable[..., OwnSuite]) -> None:
    source = file(**GOOD).replace("component(), ", "component(), Huge(), ") + textwrap.dedent(
        """
        class Huge(nn.Module):
            def forward(self, x):
                return x * 1e38 * 1e38
        """
    )
    with pytest.raises(OwnSuiteError, match="diverged"):
        checked(written(source=source))


@pytest.mark.parametrize(
    "values", [{}, {"places": 3, "parameters": 1}, {"places": {"activation": "many"}, "parameters": 10**50}]
)
def test_a_model_that_forges_what_it_is_made_of_is_refused(
    written: Callable[..., OwnSuite], values: dict[str, Any]
) -> None:
    with pytest.raises(OwnSuiteError, match="does not say what it is made of"):
        check(written(**GOOD), ForgingSandbox(values), SECRET, KINDS)


def test_a_model_that_is_too_slow_is_refused_with_the_figures(written: Callable[..., OwnSuite]) -> None:
    with pytest.raises(OwnSuiteError, match="One training takes about 50 s"):
        checked(written(**GOOD), seconds=10.0)


def test_the_cost_of_a_request_counts_seeds_grid_reruns_and_baselines(written: Callable[..., OwnSuite]) -> None:
    suite = written(**GOOD)
    found = replace(checked(suite), seconds=1.0)
    plain, tuned = (cost(suite, found, KINDS[kind], 4, 1) for kind in ("activation", "schedule"))
    baselines = len(KINDS["activation"].baselines)
    assert plain.hypothesis == 2
    assert plain.request == 4 * 2 + (2 + baselines) * 8
    assert plain.baselines == baselines * (2 + 8)
    assert tuned.hypothesis == 2 + 3
    assert cost(suite, found, KINDS["activation"], 4, 2).request == plain.request / 2


# --- named


class Kept:
    def __init__(self, *versions: OwnSuite) -> None:
        self.versions = versions

    def version(self, name: str, version: int) -> Any:
        return next((self._of(one) for one in self.versions if (one.name, one.version) == (name, version)), None)

    def latest(self, name: str) -> Any:
        return next((self._of(one) for one in reversed(self.versions) if one.name == name), None)

    def all(self) -> list[Any]:
        return [self._of(one) for one in self.versions[-1:]]

    def _of(self, suite: OwnSuite) -> Any:
        return Registered(suite=suite, checked=None, file="", added_at=None)  # type: ignore[arg-type]


def test_a_request_names_a_version_and_a_name_alone_means_the_latest(written: Callable[..., OwnSuite]) -> None:
    one = written()
    named = suites_with(Kept(one, replace(one, version=2)))  # type: ignore[arg-type]
    kind = KINDS["activation"]
    assert [named(kind, name).version for name in ("ranker@1", "ranker@2", "ranker")] == [1, 2, 2]
    assert named(kind, "standard").name == "standard"
    with pytest.raises(ValueError, match="expected one of screen, standard, full, ranker"):
        named(kind, "rankr")
