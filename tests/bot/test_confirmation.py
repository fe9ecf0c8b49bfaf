"""Evaluating in full, from the words or the click to the answer, on suites that are smaller than the real ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from live_bot import Json, Running, blocks_of, running, texts, until

from engine.confirm import SEEDS
from engine.evaluate import Evaluator
from engine.finding import Round
from engine.score import Estimate
from engine.suite import SUITES, Suite
from sandbox.guest.components.kinds import KINDS

KEPT = ("ReLU", "GELU", "Tanh")
FEW = replace(  # fewer baselines, and one net
    KINDS["activation"],
    conditions=replace(KINDS["activation"].conditions, architectures=("mlp2",)),
    known=tuple(replace(known, baseline=known.name in KEPT) for known in KINDS["activation"].known),
)
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
        patch.setattr("engine.confirm.MARGIN", -0.9)  # so that whatever trains is a finding
        for name, suite in SMALL.items():
            patch.setitem(suites, name, suite)
        patch.setitem(Evaluator.__init__.__kwdefaults__, "kinds", {**KINDS, "activation": FEW})
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
    return [m for m in live.replies(thread) if m["text"].startswith("A finding")]


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
    assert len(planned.seeds) == SEEDS


def test_a_finding_is_told_with_where_its_gain_comes_from(live: Running, thread: str, first: Json) -> None:
    told = until(lambda: [m for m in live.replies(thread) if m["text"].startswith("Where the gain of")])[0]["text"]
    assert "as it is: effect" in told
    assert "by a gate that is learned in each layer, it keeps a share of" in told


def test_a_finding_is_exported_as_a_zip_file_in_the_thread(live: Running, thread: str, first: Json) -> None:
    messages = live.ask("export 1 as drop-in", thread=thread)
    assert "holds the module, a test, the evidence" in texts(messages)
    (file,) = [file for message in messages for file in message.get("files") or []]
    packed = zipfile.ZipFile(io.BytesIO(live.person.download(file["id"])))
    module, test, *rest = packed.namelist()
    assert test == f"test_{module}"
    assert rest == ["evidence.json", "EVIDENCE.md", "PULL_REQUEST.md"]


def test_what_was_never_confirmed_is_not_exported(live: Running, thread: str, first: Json) -> None:
    number = next(n for n, place in enumerate(places(live, thread), 1) if place not in sent(live))
    (answer,) = live.ask(f"export {number}", thread=thread)
    assert "only what was confirmed is exported" in answer["text"]


def test_a_digest_lists_findings_first(live: Running, first: Json) -> None:
    (answer,) = live.ask("digest now")
    assert answer["text"].index("Findings (") < answer["text"].index("Promising")


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


@pytest.mark.long
def test_what_is_promising_is_tested_without_being_asked_for_up_to_the_setting(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONJECTURE_CONFIRM", "1")
    with running(tmp_path) as live:
        thread = live.say("@conjecture propose 2 activation functions")
        live.finished(thread)
        journal = live.bot.laboratory.journal
        suite = live.bot.laboratory.evaluator.suite("activation")
        request_id = live.finished(thread).request_id
        for score in journal.scores(request_id or ""):
            if score.seeds == suite.seeds:
                journal.record_score(replace(score, effect=Estimate(value=0.3, low=0.29, high=0.31)))
        live.ask("measure the rest", thread=thread)
        until(lambda: answers(live, thread))
        assert [len(one.family) for one in rounds(live) if one.asked_by is None] == [1]
