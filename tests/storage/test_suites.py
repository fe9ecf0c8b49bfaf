"""Teams' own models in a database: what is read was added, a version never changes, removal forgets the name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from engine.own.check import Checked
from engine.own.data import Data
from engine.own.declared import declared
from engine.own.registered import Registered
from engine.own.suite import OwnSuite
from storage.suites import SqlOwnSuites

SOURCE = b"""
NAME = "ranker"
DATA = "clicks.csv"
METRIC = "auc"
STANDARDIZE = False
BUDGET = {"steps": 20, "batch": 4, "learning_rate": 0.01, "seeds": 3}
def make_model(component): ...
"""
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def registered(version: int = 1, *, inputs: Any = None, **more: Any) -> Registered:
    found = declared(SOURCE)
    data = Data(
        name="clicks",
        inputs=np.arange(12, dtype=np.float32).reshape(6, 2) if inputs is None else inputs,
        targets=np.array([0.0, 1.0] * 3),
        labels=("no", "yes"),
        groups=np.arange(6),
        columns=("a", "b"),
    )
    suite = OwnSuite(
        name=more.pop("name", found.name),
        version=version,
        source=SOURCE,
        data=data,
        metric=found.metric,
        budget=found.budget,
        standardize=found.standardize,
        digest=f"digest {version}",
    )
    checked = Checked(
        seconds=0.5,
        parameters=7,
        places={"activation": 2, "normalizer": 0},
        tried=("activation",),
        refused={"normalizer": "no place"},
        loss=0.25,
        constant_loss=0.5,
        warnings=("Beware.",),
    )
    return Registered(suite=suite, checked=checked, file="/somewhere/ranker.py", added_at=AT, **more)


@pytest.fixture
def own(engine: Engine) -> SqlOwnSuites:
    return SqlOwnSuites(engine)


def test_what_is_read_is_what_was_added(own: SqlOwnSuites, engine: Engine) -> None:
    added = registered()
    own.add(added)
    read = SqlOwnSuites(engine).version("ranker", 1)
    assert read is not None
    for name in ("inputs", "targets", "groups"):
        before, after = getattr(added.suite.data, name), getattr(read.suite.data, name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    same_data = replace(read, suite=replace(read.suite, data=added.suite.data))
    assert same_data == added
    assert replace(read.suite.data, inputs=0, targets=0, groups=0) == replace(
        added.suite.data, inputs=0, targets=0, groups=0
    )


def test_whole_numbers_stay_whole_and_no_groups_stay_none(own: SqlOwnSuites) -> None:
    added = registered(inputs=np.arange(12).reshape(6, 2))
    own.add(replace(added, suite=replace(added.suite, data=replace(added.suite.data, groups=None, labels=None))))
    read = own.latest("ranker")
    assert read is not None
    assert read.suite.data.inputs.dtype == np.int64
    assert read.suite.data.groups is None
    assert read.suite.data.labels is None


def test_a_version_never_changes(own: SqlOwnSuites) -> None:
    own.add(registered())
    own.add(replace(registered(), file="/elsewhere/ranker.py"))
    assert own.latest("ranker").file == "/somewhere/ranker.py"  # type: ignore[union-attr]


def test_the_latest_version_of_each_name_is_listed_by_name(own: SqlOwnSuites) -> None:
    for one in (registered(), registered(2), registered(name="aligner")):
        own.add(one)
    assert [one.suite.key for one in own.all()] == ["aligner@1", "ranker@2"]
    assert own.latest("ranker").suite.version == 2  # type: ignore[union-attr]
    assert own.version("ranker", 1).suite.version == 1  # type: ignore[union-attr]
    assert own.newest_version("ranker") == 2
    assert own.newest_version("nobody") == 0


def test_an_approval_is_of_one_version_and_the_first_stays(own: SqlOwnSuites) -> None:
    own.add(registered())
    own.add(registered(2))
    own.approve("ranker", 1, "U1", AT)
    own.approve("ranker", 1, "U2", AT)
    assert own.version("ranker", 1).approved_by == "U1"  # type: ignore[union-attr]
    assert own.version("ranker", 1).approved_at == AT  # type: ignore[union-attr]
    assert own.version("ranker", 2).approved_by is None  # type: ignore[union-attr]


def test_removal_forgets_the_name_and_keeps_its_versions(own: SqlOwnSuites) -> None:
    own.add(registered())
    assert own.remove("ranker")
    assert not own.remove("ranker")
    assert own.latest("ranker") is None
    assert own.all() == []
    assert own.version("ranker", 1) is not None
    assert own.newest_version("ranker") == 1


def test_an_approval_by_another_process_is_seen_although_the_data_is_kept_in_memory(engine: Engine) -> None:
    here, there = SqlOwnSuites(engine), SqlOwnSuites(engine)
    here.add(registered())
    assert here.latest("ranker").approved_by is None  # type: ignore[union-attr]
    there.approve("ranker", 1, "U1", AT)
    assert here.latest("ranker").approved_by == "U1"  # type: ignore[union-attr]
