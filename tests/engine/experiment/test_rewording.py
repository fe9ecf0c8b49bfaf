"""Changes of a plan in words."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import PlanError
from engine.experiment.plan import read_plan
from engine.experiment.rewording import read_rewording, reworded

PLAN = read_plan(
    {"task": "tabular", "data": "credit", "hypothesis": "On “Loans, good or bad”, gaps tell something by accuracy."}
)


@pytest.mark.parametrize(
    ("text", "number", "told"),
    [
        ("idea 2: use 5 seeds", 2, {"seeds": 5}),
        ("use 7 fresh seeds", None, {"seeds": 7}),
        ("plan 1 metric spearman", 1, {"metric": "spearman"}),
        ("idea 3: data breast-cancer, metric: auc, seeds 4", 3, {"data": "breast-cancer", "metric": "auc", "seeds": 4}),
        (
            "idea 1: 6 seeds, success if mean improvement > 0.01",
            1,
            {"seeds": 6, "success": "mean improvement > 0.01"},
        ),
        ("idea 4: model: a forest of 100 trees", 4, {"model": "a forest of 100 trees"}),
    ],
)
def test_what_is_to_be_changed_is_read(text: str, number: int | None, told: dict[str, Any]) -> None:
    found = read_rewording(text)
    assert found is not None
    assert (found.number, found.told, found.approves) == (number, told, False)


@pytest.mark.parametrize(
    ("text", "number", "as_plan"),
    [("approve 2", 2, False), ("approve idea 2 as an experiment", 2, True), ("please approve", None, False)],
)
def test_an_approval_is_read(text: str, number: int | None, as_plan: bool) -> None:
    found = read_rewording(text)
    assert found is not None
    assert (found.number, found.approves, found.as_plan) == (number, True, as_plan)


@pytest.mark.parametrize("text", ["hello", "try a smaller learning rate", "what came out?"])
def test_other_words_change_nothing(text: str) -> None:
    assert read_rewording(text) is None


def test_the_hypothesis_speaks_of_the_data_and_the_metric_as_they_are_now() -> None:
    found = read_rewording("idea 1: data breast-cancer, metric auc")
    assert found is not None
    told = reworded(PLAN, found).hypothesis
    assert told == "On “Breast cancer, with values removed”, gaps tell something by area under the ROC curve."


def test_every_fault_of_a_change_is_named() -> None:
    found = read_rewording("idea 1: 99 seeds, metric beauty, data moon")
    assert found is not None
    with pytest.raises(PlanError, match=r"(?s)moon.*beauty.*99"):
        reworded(PLAN, found)
