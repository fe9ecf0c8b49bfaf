"""Plans: what is fixed before anything runs, and everything that is wrong with one at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PlanError
from engine.experiment.metric import METRICS
from engine.experiment.plan import FIGURES, Criterion, Plan, estimate, read_criterion, read_plan

Make = Callable[..., Plan]
NUMBERS = st.floats(-1000, 1000)


@given(st.sampled_from(sorted(METRICS)), st.sampled_from(sorted(FIGURES)), NUMBERS, st.none() | NUMBERS)
def test_a_criterion_in_words_is_read_back_as_the_same(
    metric: str, figure: str, above: float, end: float | None
) -> None:
    criterion = Criterion(figure=figure, above=above, interval_above=end)
    assert read_criterion(criterion.in_words(METRICS[metric]), METRICS[metric]) == criterion


@pytest.mark.parametrize(
    ("words", "metric", "criterion"),
    [
        ("improve accuracy by more than 0.02", "accuracy", Criterion(above=0.02, interval_above=None)),
        (
            "at least 10 % better than the baseline",
            "rmse",
            Criterion(figure="relative", above=0.1, interval_above=None),
        ),
        ("Pearson > 0.87", "pearson", Criterion(figure="value", above=0.87, interval_above=None)),
        ("accuracy above 90 %", "accuracy", Criterion(figure="value", above=0.9, interval_above=None)),
        ("RMSE below 0.5", "rmse", Criterion(figure="value", above=0.5, interval_above=None)),
        (
            "mean improvement over the baseline > 0.01 with 90 % interval above 0",
            "spearman",
            Criterion(above=0.01, interval_above=0.0),
        ),
    ],
)
def test_a_criterion_is_read_from_the_words_that_people_write(words: str, metric: str, criterion: Criterion) -> None:
    assert read_criterion(words, METRICS[metric]) == criterion


@pytest.mark.parametrize(
    ("words", "metric"), [("RMSE > 0.5", "rmse"), ("accuracy < 0.5", "accuracy"), ("improvement below 0.1", "rmse")]
)
def test_a_criterion_against_the_metrics_direction_is_refused(words: str, metric: str) -> None:
    with pytest.raises(PlanError, match="runs against"):
        read_criterion(words, METRICS[metric])


def test_a_criterion_without_a_bound_is_refused_with_an_example() -> None:
    with pytest.raises(PlanError, match=r"names no bound\. Write for example"):
        read_criterion("it should be good", METRICS["auc"])


def test_a_plan_as_json_is_read_back_as_the_same(plan: Make) -> None:
    made = plan(variables=["noise", "size"])
    assert read_plan(json.loads(json.dumps(made.as_json()))) == made


def test_all_faults_of_a_plan_are_said_at_once() -> None:
    told = {
        "hypothesis": " ",
        "task": "essys",
        "metric": "rmse",
        "direction": "higher",
        "seeds": 1,
        "success": {"figure": "x"},
    }
    with pytest.raises(PlanError) as found:
        read_plan(told)
    lines = str(found.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["hypothesis", "task", "metric", "success", "seeds"]
    assert "Did you mean 'essays'?" in lines[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "imagenet"}, "data: The task essays has no data set 'imagenet'"),
        ({"metric": "accuracy"}, "metric: accuracy does not judge essays"),
        ({"direction": "higher"}, "metric: The direction 'higher' contradicts rmse"),
        ({"seeds": 2}, "seeds: 2 is not"),
        ({"seeds": True}, "seeds: True is not"),
        ({"success": {"above": float("nan")}}, "success: nan is no number"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(plan: Make, change: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan(**change)


def test_what_a_plan_leaves_out_is_the_tasks_usual(plan: Make) -> None:
    made = read_plan({"hypothesis": "h", "task": "essays"})
    assert (made.data, made.metric, made.repeats, made.criterion) == ("vader-tweets", "pearson", 5, Criterion())


def test_the_digest_changes_with_anything_that_is_fixed_and_not_with_the_estimated_cost(plan: Make) -> None:
    made = plan()
    changes = [{"hypothesis": "another"}, {"success": "mean improvement over the baseline > 0.02"}, {"seeds": 6}]
    assert len({made.digest, *(plan(**change).digest for change in changes)}) == 4
    costed = estimate(made, 12.0)
    assert costed.digest == made.digest
    assert costed.cost is not None
    assert (costed.cost.runs, costed.cost.seconds) == (10, 120.0)


def test_before_anything_was_timed_the_time_of_judging_has_a_bound(plan: Make) -> None:
    made = plan(seeds=6)
    assert made.most_seconds == 2 * 6 * made.template.limits.wall_seconds


def test_seeds_follow_from_the_plan_and_are_others_each_time_it_is_judged_again(plan: Make) -> None:
    made = plan()
    assert made.seeds == plan().seeds
    assert len(set(made.seeds)) == 5
    assert not set(made.seeds) & set(made.fresh_seeds(1))
    assert not set(made.seeds) & set(replace(made, hypothesis="another").seeds)
    assert min(made.seeds) >= 1000
