"""Evaluating in full, from the words or the click to the answer, on suites that are smaller than the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from live_bot import Json, Running, blocks_of, running, texts, until

from engine.finding import Round
from engine.suite import SUITES, Suite

SHORT = {"steps": 6, "checkpoints": (4, 6), "examples": 16}
SMALL = {
    "screen": replace(SUITES["screen"], datasets=("digits", "mnist1d"), **SHORT),
    "full": replace(SUITES["full"], datasets=("digits", "mnist1d", "wine"), grid=(1.0,), **SHORT),
}


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    suites: dict[str, Suite] = SUITES  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONJECTURE_SANDBOX", "process")
        for name, suite in SMALL.items():
            patch.setitem(suites, name, suite)
        yield


@pytest.fixture(scope="module")
def live(small: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as bot:
        yield bot


@pytest.fixture(scope="module")
def thread(live: Running) -> str:
    ts = live.say("@conjecture propose 4 activation functions")
    assert live.finished(ts).state == "answered"
    return ts


def rounds(live: Running) -> list[Round]:
    return live.bot.laboratory.ledger.rounds()


def answers(live: Running, thread: str) -> list[Json]:
    return [m for m in live.replies(thread) if m["text"].startswith(("A finding", "Not confirmed"))]


@pytest.fixture(scope="module")
def first(live: Running, thread: str) -> Json:
    """The answer to "evaluate 1 in full"."""
    live.ask("evaluate 1 in full", thread=thread)
    return until(lambda: answers(live, thread))[0]


def test_the_answer_shows_screened_beside_confirmed_and_what_was_tested(first: Json) -> None:
    (told,) = blocks_of([first], "table")
    column = [row[1]["text"] for row in told["rows"]]
    assert column[:4] == ["Measured", "screened, raw", "screened, as ranked", "re-run"]
    assert "in full" in column[4]
    for words in ("the best baseline", "Mean difference in held-out log-loss", "p = ", "LORD++", "wine 1×"):
        assert words in first["text"]


def test_it_was_decided_before_looking_on_seeds_of_its_own(live: Running, first: Json) -> None:
    planned = rounds(live)[0]
    assert planned.closing is not None
    assert planned.planned_at < planned.closing.at
    assert min(planned.seeds) >= 2_000_000_000
    assert len(planned.seeds) == 8


def test_asked_again_the_first_answer_is_shown_and_nothing_is_tested(live: Running, thread: str, first: Json) -> None:
    before = len(rounds(live))
    (again,) = live.ask("confirm 1", thread=thread)
    assert "a test is not repeated until it passes" in again["text"]
    assert len(rounds(live)) == before


def test_a_click_on_the_card_tests_it_with_other_seeds_and_counts_the_data_again(
    live: Running, thread: str, first: Json
) -> None:
    button = next(e for m in live.replies(thread)[::-1] for e in evaluate_buttons(m) if e["value"] not in sent(live))
    card = next(m for m in live.replies(thread) if button in evaluate_buttons(m))
    live.person.click(card["ts"], button["action_id"], button["value"], channel=live.channel)
    answer = until(lambda: [m for m in answers(live, thread) if "not repeated" not in m["text"]][1:])[-1]
    assert "wine 2×" in answer["text"]
    first_seeds, second_seeds = (set(one.seeds) for one in rounds(live))
    assert not first_seeds & second_seeds


def evaluate_buttons(message: Json) -> list[Json]:
    return [e for b in blocks_of([message], "actions") for e in b["elements"] if e["action_id"] == "evaluate_in_full"]


def sent(live: Running) -> set[str]:
    return {id for one in rounds(live) for id in one.family}


def test_a_place_that_is_not_there_is_told(live: Running, thread: str) -> None:
    (answer,) = live.ask("evaluate 77 in full", thread=thread)
    assert "has no place 77; it has 1 to 4" in answer["text"]


def test_stop_ends_it_before_anybody_looks(live: Running, thread: str, first: Json) -> None:
    until(lambda: all(one.closing for one in rounds(live)))
    number = next(n for n, place in enumerate(places(live, thread), 1) if place not in sent(live))
    live.ask(f"evaluate {number} in full", thread=thread)
    live.say("stop", thread=thread)
    until(lambda: "Stopped evaluating" in texts(live.replies(thread)))
    assert rounds(live)[-1].stopped


def places(live: Running, thread: str) -> list[str]:
    request_id = live.finished(thread).request_id
    assert request_id
    (ranked,) = live.bot.laboratory.research.rankings(request_id)
    return [place.hypothesis.id for place in ranked.places]
