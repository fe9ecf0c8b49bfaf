"""The form of a plan: what it shows, and what is read back from it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.views.figures import duration
from bot.views.idea import cost_in_words, plan_is_fixed
from bot.views.plan_form import beside, changes, idea_of, nothing_to_edit, plan_form
from bot.workspace.interactions import initial
from bot.workspace.validation import check_view
from engine.errors import PlanError
from engine.experiment.plan import estimate, read_plan
from engine.experiment.rewording import Rewording, reworded
from engine.papers.ideas import Idea
from storage.ideas import KeptIdea

Json = dict[str, Any]
LONG = "A long sentence about words. " * 69


def kept(**told: Any) -> KeptIdea:
    plan = read_plan(
        {"hypothesis": "Width helps.", "task": "tabular", "data": "credit", "metric": "accuracy"}
        | {"success": "mean improvement > 0.01", "baseline": "Imputed medians, then trees."}
        | told
    )
    idea = Idea(title="Wider", hypothesis=plan.hypothesis, novelty="", plan=plan, quote=None)
    return KeptIdea(id="i-1", reading_id="rd-1", number=2, idea=idea)


def submitted(view: Json, **filled: str) -> Json:
    """As Slack sends it back, with some inputs changed by a person."""
    values: Json = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            value = filled.get(block["block_id"], initial(element))
            entry = {"selected_option": {"value": value}} if "select" in element["type"] else {"value": value}
            values[block["block_id"]] = {element["action_id"]: {"type": element["type"], **entry}}
    return view | {"state": {"values": values}}


@pytest.mark.parametrize(
    "told",
    [{}, {"hypothesis": LONG, "model": LONG, "variables": [LONG] * 9}, {"data": "spaceship-titanic", "success": ""}],
    ids=["usual", "long", "original data"],
)
def test_slack_takes_the_form_of_any_plan_and_untouched_it_changes_nothing(told: Json) -> None:
    view = plan_form(kept(**told))
    check_view(view, lambda file_id: True)
    assert changes(submitted(view)) == {}
    assert idea_of(view) == "i-1"


def test_the_cost_names_a_bound_until_a_run_of_the_task_was_timed_here() -> None:
    plan = kept().idea.plan
    seconds = plan.template.limits.wall_seconds
    assert f"at most {duration(2 * plan.repeats * seconds)} in all ({duration(seconds)} each)" in cost_in_words(plan)
    assert "not known until one of this task ran here" in cost_in_words(plan)
    assert f"about {duration(2 * plan.repeats * 9.0)} in all" in cost_in_words(estimate(plan, 9.0))


def test_slack_takes_what_stands_in_its_place_when_the_plan_is_fixed() -> None:
    check_view(nothing_to_edit(kept(), plan_is_fixed(2, "U1")), lambda file_id: True)


def test_only_what_a_person_changed_is_read_back() -> None:
    filled = {"seeds": " 7", "success": "mean improvement > 0.02", "variables": "width = 64\n\ndepth = 2"}
    assert changes(submitted(plan_form(kept()), **filled)) == {
        "seeds": 7,
        "success": "mean improvement > 0.02",
        "variables": ["width = 64", "depth = 2"],
    }


def test_signs_that_came_escaped_are_read_as_they_were_written() -> None:
    found = changes(submitted(plan_form(kept()), success="mean improvement &gt; 0.02"))
    assert found == {"success": "mean improvement > 0.02"}


def test_a_criterion_that_was_not_touched_stays_as_it_is_when_the_metric_changes() -> None:
    before = kept().idea.plan
    found = changes(submitted(plan_form(kept()), metric="auc"))
    after = reworded(before, Rewording(number=2, told=found))
    assert (after.metric, after.criterion) == ("auc", before.criterion)


def test_data_of_another_task_bring_their_task_and_its_baseline_along() -> None:
    found = changes(submitted(plan_form(kept()), data="sentiment/movie-reviews"))
    after = reworded(kept().idea.plan, Rewording(number=2, told=found))
    assert (after.task, after.data, after.baseline) == ("sentiment", "movie-reviews", "the task's prototype")


def test_each_fault_is_said_beside_its_input() -> None:
    filled = {"seeds": "many", "metric": "dice", "success": "it is good", "hypothesis": " "}
    told = changes(submitted(plan_form(kept()), **filled))
    with pytest.raises(PlanError) as raised:
        reworded(kept().idea.plan, Rewording(number=2, told=told))
    found = beside(str(raised.value).splitlines())
    assert {"seeds", "metric", "hypothesis"} <= set(found)
    assert "'many'" in found["seeds"]
    assert found["metric"].startswith("dice does not judge tabular")


def test_a_criterion_against_the_metrics_direction_is_said_beside_it() -> None:
    told = changes(submitted(plan_form(kept()), success="mean log-loss < 0.3"))
    with pytest.raises(PlanError) as raised:
        reworded(kept().idea.plan, Rewording(number=2, told=told))
    assert "higher is better" in beside(str(raised.value).splitlines())["success"]
