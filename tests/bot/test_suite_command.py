"""A team's own model from the command that registers it to the ranking in a thread, over the local workspace."""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from live_bot import Json, Running, blocks_of, running, texts, until

from bot.__main__ import app
from storage.suites import SqlOwnSuites

MODEL = """
    from torch import nn

    NAME = "ranker"
    DATA = "clicks.csv"
    TARGET = "clicked"
    METRIC = "auc"
    BUDGET = {"steps": 10, "batch": 16, "learning_rate": 3e-2, "seeds": 2}

    def make_model(component):
        return nn.Sequential(nn.Linear(2, 4), component(), nn.Linear(4, 2))
    """


def write(folder: Path, **changes: str) -> Path:
    rows = [f"{i % 7},{i % 11},{int((i % 7) * (i % 11) > 15)}" for i in range(120)]
    (folder / "clicks.csv").write_text("\n".join(["a,b,clicked", *rows]) + "\n")
    text = textwrap.dedent(MODEL)
    for old, new in changes.values():
        text = text.replace(old, new)
    path = folder / "ranker.py"
    path.write_text(text)
    return path


@pytest.fixture(scope="module", autouse=True)
def process_sandbox() -> Iterator[None]:
    """The same for the commands and the bot; which level it is matters to nothing here, and this one starts soonest."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONJECTURE_SANDBOX", "process")
        yield


@dataclass(frozen=True)
class Ran:
    code: int
    stdout: str
    stderr: str


def conjecture(home: Path, *arguments: str) -> Ran:
    """The command in this process, with this home."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(out), redirect_stderr(err):
        environment.setenv("CONJECTURE_HOME", str(home))
        with pytest.raises(SystemExit) as ended:
            app(arguments)
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def added(home: Path) -> Ran:
    return conjecture(home, "suite", "add", str(write(home)))


@pytest.fixture(scope="module")
def live(home: Path, added: Ran) -> Iterator[Running]:
    """A bot on the home where the model was registered."""
    assert added.code == 0, added.stderr
    with running(home) as bot:
        yield bot


def buttons(messages: list[Json]) -> dict[str, Any]:
    return {
        element["action_id"]: (message["ts"], element["value"])
        for message in messages
        for block in blocks_of([message], "actions")
        for element in block["elements"]
    }


def click(live: Running, messages: list[Json], action: str) -> None:
    ts, value = buttons(messages)[action]
    live.person.click(ts, action, value, channel=live.channel)


def own(live: Running) -> SqlOwnSuites:
    return live.bot.laboratory.own


# --- the command line


def test_adding_says_what_was_found_what_it_costs_and_how_to_ask(added: Ran) -> None:
    for told in (
        "ranker, version 1: registered, not approved yet",
        "120 rows, 2 columns, 2 classes",
        "component() once, component(features) never",
        "held-out AUC (as 1 - AUC: lower is better)",
        "a training",
        'Ask in Slack: "propose 8 activation functions on our ranker"',
        "somebody approves it",
        "One model and one data set say little beyond themselves",
    ):
        assert told in added.stdout


def test_adding_the_same_file_again_changes_nothing(live: Running, home: Path) -> None:
    again = conjecture(home, "suite", "add", str(home / "ranker.py"), "--json")
    assert json.loads(again.stdout)["version"] == 1
    assert "already registered" in conjecture(home, "suite", "add", str(home / "ranker.py")).stdout


def test_a_wrong_file_is_refused_in_one_line_and_registers_nothing(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path, name=("ranker", "other"), metric=('"auc"', '"acuracy"'))
    found = conjecture(home, "suite", "add", str(path))
    assert found.code == 1
    assert found.stderr.count("\n") == 1
    assert "Did you mean 'accuracy'?" in found.stderr
    assert "other" not in conjecture(home, "suite", "list").stdout


def test_removing_a_name_that_is_none_lists_those_that_are(home: Path, live: Running) -> None:
    found = conjecture(home, "suite", "remove", "rankr")
    assert found.code == 2
    assert "Registered: ranker." in found.stderr


# --- the thread


def test_a_name_that_nobody_registered_is_answered_with_those_that_are(live: Running) -> None:
    (answer,) = live.ask("propose 2 activation functions on our rankr")
    assert "no model or suite named “rankr”" in answer["text"]
    assert "Did you mean ranker?" in answer["text"]
    assert "standard" in answer["text"]


def test_a_kind_without_a_place_in_the_model_is_refused_with_the_reason(live: Running) -> None:
    (answer,) = live.ask("propose 2 normalizers on our ranker")
    assert "never calls component(features)" in answer["text"]


def test_the_first_request_asks_for_approval_and_not_now_starts_nothing(live: Running) -> None:
    ts = live.say("@conjecture propose 2 activation functions on our ranker")
    live.finished(ts)
    (question,) = live.replies(ts)
    assert "nobody has approved its cost yet" in question["text"]
    assert "2 activation functions: about" in question["text"]
    click(live, [question], "not_now_suite")
    until(lambda: "Not started" in texts(live.replies(ts)))
    assert not buttons(live.replies(ts))
    assert own(live).latest("ranker").approved_by is None  # type: ignore[union-attr]


def test_a_click_on_approve_measures_and_later_requests_start_at_once(live: Running) -> None:
    ts = live.say("@conjecture propose 2 activation functions on our ranker")
    live.finished(ts)
    click(live, live.replies(ts), "approve_suite")
    until(lambda: "Done in" in texts(live.replies(ts)))
    told = texts(live.replies(ts))
    assert "approved the cost of ranker, version 1" in told
    assert "your own model ranker on clicks" in told
    assert "ranker-1/" in told
    assert "One model and one data set say little beyond themselves." in told
    request_id = live.finished(ts).request_id
    assert request_id
    (ranked,) = live.bot.laboratory.research.rankings(request_id)
    assert [trial.cell for trial in ranked.places[0].score.trials] == ["clicks/ranker"] * 2
    assert len(ranked.places) == 2
    later = live.say("@conjecture propose 1 activation function for the ranker model")
    until(lambda: "Understood: 1 activation function" in texts(live.replies(later)))
    assert "approve_suite" not in buttons(live.replies(later))
    live.say("@conjecture stop", thread=later)
    live.finished(later)


def test_a_changed_file_is_another_version_and_needs_approval_again(live: Running, home: Path) -> None:
    path = write(home, rate=("3e-2", "2e-2"))
    assert "version 2: registered, not approved yet" in conjecture(home, "suite", "add", str(path)).stdout
    (question,) = live.ask("propose 1 activation function on our ranker")
    assert "version 2" in question["text"]
    second = own(live).latest("ranker")
    assert second is not None
    own(live).add(replace(second, suite=replace(second.suite, version=3)))
    click(live, [question], "approve_suite")
    until(lambda: "It has changed since" in texts(live.replies(question["thread_ts"])))
    assert own(live).version("ranker", 2).approved_by is None  # type: ignore[union-attr]


def test_the_command_line_approves_too_and_a_request_then_starts_at_once(live: Running, home: Path) -> None:
    assert own(live).latest("ranker").approved_by is None  # type: ignore[union-attr]
    told = conjecture(home, "suite", "approve", "ranker").stdout
    assert "version 3: approved. Requests on it start at once. Cost: " in told
    ts = live.say("@conjecture propose 1 activation function on our ranker")
    until(lambda: "Understood: 1 activation function" in texts(live.replies(ts)))
    live.say("@conjecture stop", thread=ts)
    live.finished(ts)
    assert "Registered: ranker." in conjecture(home, "suite", "approve", "rankr").stderr


def test_after_removal_its_name_is_not_known_and_what_was_measured_stays(live: Running, home: Path) -> None:
    assert "was removed" in conjecture(home, "suite", "remove", "ranker").stdout
    (answer,) = live.ask("propose 1 activation function on our ranker")
    assert "no model or suite named “ranker”" in answer["text"]
    assert own(live).version("ranker", 1) is not None
