"""An idea put into a prototype without a model."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from engine.experiment.network import NetworkClassifier, NetworkRegressor
from engine.experiment.steps import Ready
from engine.experiment.task import Task
from engine.experiment.tasks.catalogue import TASKS
from engine.experiment.template import Setting, read_settings, settings_of, with_component, with_settings
from engine.llm.catalogue import entries
from sandbox.guest.components.kinds import KINDS

SCRIPT = {"train.py": "SIZE = 20  # ü\nmodel = Ridge(alpha=1.0)\nother = Forest(n=3,)\nlast = Tree(alpha=2)\n".encode()}


def changed(*texts: str) -> tuple[str, list[str]]:
    files, missing = with_settings(SCRIPT, "train.py", read_settings(texts))
    return files["train.py"].decode(), missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpha = 0.3", [Setting(owner=None, name="alpha", value=0.3)]),
        ("Ridge.alpha=0.3, as in the paper", [Setting(owner="Ridge", name="alpha", value=0.3)]),
        ("ngram_range = (1, 3)", [Setting(owner=None, name="ngram_range", value=(1, 3))]),
        ("analyzer = char_wb", [Setting(owner=None, name="analyzer", value="char_wb")]),
        ("Please use `C = 4.`", [Setting(owner=None, name="C", value=4.0)]),
        ("a = 1; b = 2", [Setting(owner=None, name="a", value=1), Setting(owner=None, name="b", value=2)]),
        ("the weather", []),
        ("a == b", []),
        ("x = ", []),
    ],
)
def test_settings_are_read_from_words(text: str, expected: list[Setting]) -> None:
    assert list(read_settings([text])) == expected


def test_constants_and_arguments_are_set_and_added() -> None:
    text, missing = changed("SIZE = 30", "Ridge.alpha = 0.5", "Forest.depth = 'x'", "n = 9")
    assert missing == []
    assert text.splitlines() == [
        "SIZE = 30  # ü",
        "model = Ridge(alpha=0.5)",
        "other = Forest(n=9, depth='x')",
        "last = Tree(alpha=2)",
    ]


def test_what_the_script_has_no_single_place_for_is_named_and_left() -> None:
    text, missing = changed("alpha = 7", "colour = 'red'")
    assert missing == ["alpha = 7", "colour = 'red'"]
    assert text == SCRIPT["train.py"].decode()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_prototype_has_something_that_can_be_set(task: Task) -> None:
    assert settings_of(task.prototype()[task.entry].decode())


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_network_takes_the_place_of_the_estimator_of_every_prototype(task: Task) -> None:
    files = with_component(task.prototype(), task.entry, Ready(kind="activation", title="T", code="def build(): ..."))
    assert files is not None
    script = files[task.entry].decode()
    ast.parse(script)
    assert "(kind='activation', build=build, seed=seed)" in script
    assert script.index("from network import") < script.index("def ")
    assert files["component.py"] == b"def build(): ..."
    assert {"network.py", "README.md"} <= set(files)


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_of_every_kind_trains_in_the_network(kind: str) -> None:
    scope: dict[str, object] = {}
    exec(entries(kind)[0].code, scope)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    found = NetworkClassifier(kind=kind, build=scope["build"], seed=1, steps=20).fit(x, y).predict_proba(x)
    assert found.shape == (200, 2)
    assert np.isfinite(found).all()


def test_the_network_learns_values_and_classes_from_columns_and_from_words() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 6))
    values = 5 + 3 * x[:, 0] - 2 * x[:, 1]
    assert NetworkRegressor(seed=0).fit(x, values).score(x, values) > 0.9
    words = csr_matrix((rng.random((400, 300)) < 0.05) * 1.0)
    classes = np.where(np.asarray(words[:, :20].sum(1)).ravel() > 0, "a", "b")
    assert NetworkClassifier(seed=0).fit(words, classes).score(words, classes) > 0.9


def test_the_same_seed_gives_the_same_network() -> None:
    x, y = np.random.default_rng(2).normal(size=(100, 3)), np.arange(100.0)
    one, same, other = (NetworkRegressor(seed=seed, steps=10).fit(x, y).predict(x) for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
