"""What an experiment fetched, as the bot is wired for it and as people see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.paper_wiring import hub_of
from bot.settings import read_settings
from bot.views.experiment import reported
from engine.experiment.fetched import MIB, MODELS, Fetched
from engine.experiment.judge import decide
from engine.experiment.plan import read_plan
from engine.experiment.report import given
from engine.experiment.steps import Experiment, Kind, Step, state_of

MODEL = Fetched(
    what=MODELS,
    repository="someone/tiny-bert",
    revision="0123456789abcdef0123456789abcdef01234567",
    licence="apache-2.0",
    files={"model.safetensors": "ab" * 32},
    size=3 * MIB,
)


def test_the_message_with_the_report_names_what_was_fetched_and_what_is_not_known_of_it() -> None:
    plan = read_plan({"hypothesis": "It helps.", "task": "essays"})
    state = state_of(Experiment(id="x-1", plan=plan), [Step(key="result-1", kind=Kind.RESULT, fetched=MODEL)])
    told = reported("x-1", plan, decide(plan, ()), data="tweets", plot=None, unsupported=(), given=given(state))
    assert (
        "The model someone/tiny-bert at commit 0123456789ab (1 file, 3.0 MiB, licence: apache-2.0): it may have seen "
        "the held-out rows when it was trained, which cannot be checked"
    ) in told.text


@pytest.mark.parametrize(
    ("variables", "mib"),
    [({}, 400), ({"CONJECTURE_HUB_MIB": "7"}, 7), ({"CONJECTURE_LITERATURE": "own"}, 0)],
    ids=["usual", "set", "own literature"],
)
def test_how_much_may_be_fetched_is_a_setting_and_nothing_where_nobody_outside_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], mib: int
) -> None:
    monkeypatch.setenv("CONJECTURE_HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_of(read_settings(slack=False)).most_bytes == mib * MIB
