"""One request from the first message to the vote, looked at from all sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from live_bot import Json, Running, blocks_of, texts, until

from engine.request import Strategy


@pytest.fixture(scope="module")
def thread(live: Running) -> str:
    """The ts of a request for 4 activation functions that was answered."""
    ts = live.say("@conjecture propose 4 activation functions for small image classifiers")
    assert live.finished(ts).state == "answered"
    return ts


@pytest.fixture(scope="module")
def replies(live: Running, thread: str) -> list[Json]:
    return live.replies(thread)


@pytest.fixture(scope="module")
def request_id(live: Running, thread: str) -> str:
    found = live.finished(thread).request_id
    assert found
    return found


def cards(replies: list[Json]) -> list[Json]:
    return [m for m in replies if votable(m) and not m["text"].startswith("Predict the winner")]


def votable(message: Json) -> bool:
    return any(block["type"] == "context_actions" for block in message.get("blocks") or [])


def ranking(live: Running, request_id: str) -> Any:
    (only,) = live.bot.laboratory.research.rankings(request_id)
    return only


def test_the_bot_says_first_what_it_understood(replies: list[Json]) -> None:
    assert "4 activation functions" in replies[0]["text"]
    assert "small image classifiers" in replies[0]["text"]


def test_there_is_one_progress_message_and_it_ends_as_done(replies: list[Json]) -> None:
    assert sum(m["text"].startswith(("Working on", "Done in")) for m in replies) == 1
    assert any(m["text"].startswith("Done in") for m in replies)


def test_three_times_as_many_are_generated_as_measured(live: Running, request_id: str) -> None:
    assert len(live.bot.laboratory.journal.hypotheses(request_id)) == 12
    assert len(ranking(live, request_id).places) == 4


def test_everything_generated_is_ranked_rejected_or_named_as_not_measured(live: Running, request_id: str) -> None:
    ranked = ranking(live, request_id)
    assert len(ranked.places) + len(ranked.rejected) + len(ranked.not_measured) == 12


def test_both_strategies_have_half_each(live: Running, request_id: str) -> None:
    strategies = [h.strategy for h in live.bot.laboratory.journal.hypotheses(request_id)]
    assert strategies.count(Strategy.NOVEL) == strategies.count(Strategy.INCREMENTAL) == 6


def test_exactly_one_of_the_measured_was_drawn_at_random(live: Running, request_id: str) -> None:
    choices = live.bot.laboratory.journal.choices(request_id).values()
    assert [c.why for c in choices if c.measured].count("at random") == 1


def test_the_top_two_were_run_again_on_eight_fresh_seeds(live: Running, request_id: str) -> None:
    again = [place.rerun for place in ranking(live, request_id).places]
    assert [rerun is not None for rerun in again] == [True, True, False, False]
    screened = set(live.bot.laboratory.evaluator.suite("activation").seeds)
    assert all(len(rerun.seeds) == 8 and not screened & set(rerun.seeds) for rerun in again if rerun)


def test_the_plots_are_pictures_in_one_message(live: Running, replies: list[Json]) -> None:
    images = blocks_of(replies, "image")
    assert len(images) == 4
    assert all(live.person.download(i["slack_file"]["id"]).startswith(b"\x89PNG") for i in images)
    assert all(i["alt_text"] for i in images)


def test_a_b_wr_in_the_message_can_be_recomputed_from_single_trials(live: Running, request_id: str) -> None:
    laboratory = live.bot.laboratory
    baselines = laboratory.research.references_in(request_id, "activation")
    for place in ranking(live, request_id).places:
        points = [
            0.5 if abs(mine - theirs) <= 1e-4 * max(abs(mine), abs(theirs)) else float(mine < theirs)
            for baseline in baselines
            for mine, theirs in zip(losses(place.score.trials), losses(baseline.trials), strict=True)
        ]
        assert len(points) == 34 * 10
        assert place.score.b_wr.value == pytest.approx(sum(points) / len(points), abs=1e-9)


def losses(trials: Any) -> list[float]:
    ordered = sorted(trials, key=lambda trial: (trial.cell, trial.seed))
    return [float("inf") if trial.loss is None else trial.loss for trial in ordered]


def test_a_vote_can_be_changed_and_counts_once(
    live: Running, thread: str, replies: list[Json], request_id: str
) -> None:
    card = cards(replies)[0]
    (element,) = next(b for b in card["blocks"] if b["type"] == "context_actions")["elements"]
    up, down = element["positive_button"]["value"], element["negative_button"]["value"]
    hypothesis_id = up.split()[1]
    journal = live.bot.laboratory.journal
    live.person.click(card["ts"], element["action_id"], up, channel=live.channel)
    until(lambda: [vote.thumbs_up for vote in journal.feedback(hypothesis_id)] == [True])
    live.person.click(card["ts"], element["action_id"], down, channel=live.channel)
    until(lambda: [vote.thumbs_up for vote in journal.feedback(hypothesis_id)] == [False])
    (vote,) = journal.feedback(hypothesis_id)
    (score,) = [p.score for p in ranking(live, request_id).places if p.hypothesis.id == hypothesis_id]
    assert vote.seen["b_wr"] == pytest.approx(score.b_wr.value)
    told = until(lambda: [m for m in live.replies(thread) if "still counted once" in m["text"]])
    assert "too few to change the order yet" in texts(told)


def test_people_are_asked_to_predict_the_winner_before_anything_is_measured(replies: list[Json]) -> None:
    (invited,) = [m for m in replies if m["text"].startswith("Predict the winner")]
    ranked = next(m for m in replies if any(block["type"] == "table" for block in m.get("blocks") or []))
    assert invited["ts"] < ranked["ts"]
    assert sum(block["type"] == "context_actions" for block in invited["blocks"]) == 4
    assert "B-WR" not in invited["text"]


def test_a_prediction_after_the_results_is_none(
    live: Running, thread: str, replies: list[Json], request_id: str
) -> None:
    (invited,) = [m for m in replies if m["text"].startswith("Predict the winner")]
    element = next(b for b in invited["blocks"] if b["type"] == "context_actions")["elements"][0]
    up = element["positive_button"]["value"]
    live.person.click(invited["ts"], element["action_id"], up, channel=live.channel)
    until(lambda: [m for m in live.replies(thread) if "no prediction any more" in m["text"]])
    assert not any(vote.blind for vote in live.bot.laboratory.journal.feedback(up.split()[1]))


def test_why_a_place_came_out_there_is_answered_in_the_thread(live: Running, thread: str) -> None:
    asked = live.say("why was 2 ranked there?", thread=thread)
    live.finished(asked)
    told = texts(live.replies(thread, after=asked))
    assert "shrunk toward zero" in told
    assert "order of evaluation" in told


def test_what_was_tried_is_found_again_with_what_came_of_it(live: Running, thread: str, request_id: str) -> None:
    place = ranking(live, request_id).places[0]
    by_words = texts(live.ask(f"have we tried {place.hypothesis.title}?"))
    by_code = texts(live.ask(f"have we tried this?\n```\n{place.hypothesis.code}\n```"))
    assert place.hypothesis.title in by_words
    assert "B-WR" in by_words
    assert "Nearest published" in by_words
    assert "the same function as" in by_code


def test_measure_the_rest_measures_everything_that_was_left(live: Running, thread: str, request_id: str) -> None:
    left = len(ranking(live, request_id).not_measured)
    assert left > 0
    button = next(
        element
        for block in blocks_of(live.replies(thread), "actions")
        for element in block["elements"]
        if element["action_id"] == "measure_rest"
    )
    message = next(m for m in live.replies(thread) if json.dumps(button["value"]) in json.dumps(m))
    live.person.click(message["ts"], "measure_rest", channel=live.channel)
    until(lambda: len([m for m in live.replies(thread) if "activation functions measured" in m["text"]]) == 2)
    ranked = ranking(live, request_id)
    assert not ranked.not_measured
    assert len(ranked.places) + len(ranked.rejected) == 12


def test_the_files_of_the_home_hold_the_secret_for_nobody_else(live: Running) -> None:
    secret = Path(live.bot.laboratory.home.path) / "suite-secret"
    assert secret.stat().st_mode & 0o077 == 0
