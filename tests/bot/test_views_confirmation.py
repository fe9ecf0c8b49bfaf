"""What people read about a confirmation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.views.confirmation import Confirmed, Confirming, confirmed, confirming, origin
from bot.views.finding import not_a_finding
from bot.views.message import Message
from bot.views.progress import Ending
from bot.workspace.validation import check_message
from engine.finding import Closing, Confirmation, Origin, Part, Round
from engine.hypothesis import Hypothesis
from engine.ranking import Place
from engine.request import Strategy
from engine.score import Estimate, Score
from engine.verdict import Verdict
from sandbox.execution import Outcome
from sandbox.guest.components.kinds import KINDS

NOW = datetime(2030, 1, 2, tzinfo=UTC)
KIND = KINDS["activation"]


def percent(value: float) -> Estimate:
    return Estimate(value=value / 100, low=value / 100 - 0.01, high=value / 100 + 0.01)


RATE = Estimate(value=0.7, low=0.6, high=0.8)
HYPOTHESIS = Hypothesis(
    id="h1",
    request_id="q-1",
    kind="activation",
    title="Soft ramp",
    claim="",
    rationale="",
    inspiration="",
    source=b"",
    strategy=Strategy.NOVEL,
    generator="offline catalogue",
)
SCORE = Score(
    hypothesis_id="h1",
    suite="screen-3/0",
    seeds=(0, 1),
    trials=(),
    b_wr=RATE,
    bsota_wr=RATE,
    effect=percent(6.0),
    diverged=0,
    seconds=1.0,
    tier="direct",
    sandbox="docker",
    device="cpu",
)
PLACE = Place(
    rank=1,
    hypothesis=HYPOTHESIS,
    verdict=Verdict(hypothesis_id="h1", outcome=Outcome.FINISHED, sandbox="docker"),
    score=SCORE,
    effect=percent(4.0),
    promising=True,
    rerun=replace(SCORE, effect=percent(3.5)),
)
HOLDS = Confirmation(
    round_id="c-1",
    hypothesis_id="h1",
    finding=True,
    mean=percent(3.0),
    unseen=percent(2.0),
    effect=percent(2.5),
    b_wr=RATE,
    bsota_wr=RATE,
    p=0.0001,
    adjusted_p=0.0002,
    split=True,
)
LOST = replace(HOLDS, finding=False, p=0.2, adjusted_p=0.4, mean=percent(0.5))
PLANNED = Round(
    id="c-1",
    number=3,
    request_id="q-1",
    kind="activation",
    family=("h1", "h2"),
    asked_by=None,
    suite="full-1",
    epoch=0,
    data_sets=("digits", "wine"),
    seeds=tuple(range(8)),
    margin=0.01,
    alpha=0.0109,
    wealth=0.02,
    planned_at=NOW,
    closing=Closing(at=NOW, after=3, best="GELU", confirmations=(HOLDS, LOST)),
)


def told(*found: Confirmation, **how: Any) -> Message:
    shown = [Confirmed(hypothesis=HYPOTHESIS, found=one, place=PLACE) for one in found]
    return accepted(confirmed(PLANNED, shown, KIND, metric="held-out log-loss", uses={"digits": 3, "wine": 2}, **how))


def accepted(message: Message) -> Message:
    """Raises what the local workspace would answer: it refuses what Slack refuses."""
    check_message([dict(block) for block in message.blocks], lambda reference: True)
    return message


def test_a_finding_shows_how_much_of_the_screening_is_left() -> None:
    text = told(HOLDS).text
    effects = [text.index(figure) for figure in ("+6.0 %", "+4.0 %", "+3.5 %", "+2.5 %")]
    assert effects == sorted(effects)
    assert "✓ Soft ramp is a finding. Mean difference in held-out log-loss from GELU, the best baseline: +3.0 %" in text
    assert "p = .0002, after Holm's correction for two; at most .011 was asked for" in text
    assert "On the data sets that no screening uses: +2.0 % [+1.0, +3.0]." in text


def test_a_failed_confirmation_is_a_result() -> None:
    message = told(LOST)
    assert message.text.startswith("Not confirmed: Soft ramp")
    assert "could not be shown (p = .400" in message.text
    assert "This is a result too; it is not tested again." in message.text
    assert "export_finding" not in str(message.blocks)


def test_only_a_finding_can_be_exported_from_its_message() -> None:
    message = told(HOLDS, LOST)
    assert str(message.blocks).count("'export_finding'") == 1
    assert message.text.startswith("1 of 2 confirmed: 1 finding")


def test_what_does_not_train_in_full_is_lost_and_says_why() -> None:
    broken = Confirmation(round_id="c-1", hypothesis_id="h1", finding=False, fault="It ran longer than 900 s.")
    assert "could not be trained in full (It ran longer than 900 s). That counts as a loss." in told(broken).text


def test_how_often_each_data_set_was_used_is_told() -> None:
    assert "how often each was used to confirm this kind so far: digits 3×, wine 2×." in told(HOLDS).text


@pytest.mark.parametrize(("split", "words"), [(True, "in a process apart"), (False, "in the same sandboxed process")])
def test_where_the_candidate_ran_is_told(split: bool, words: str) -> None:
    assert words in told(replace(HOLDS, split=split)).text


def test_a_win_that_other_learning_rates_take_away_is_marked() -> None:
    assert "Step-size effect" in told(replace(LOST, step_size_effect=True)).text


def test_the_second_answer_says_that_it_is_the_first() -> None:
    assert "a test is not repeated until it passes" in told(LOST, again=True).text


@pytest.mark.parametrize(
    ("ending", "start"),
    [
        (None, "Evaluating in full: Soft ramp · 1 min 5 s"),
        (Ending.DONE, "Evaluated in full in 1 min 5 s: Soft ramp"),
        (Ending.STOPPED, "Stopped evaluating Soft ramp in full after 1 min 5 s"),
        (Ending.FAILED, "Evaluating Soft ramp in full failed after 1 min 5 s"),
    ],
)
def test_progress_says_what_was_decided_before_looking(ending: Ending | None, start: str) -> None:
    state = Confirming(planned=PLANNED, titles=["Soft ramp"], trained=7, of=21, elapsed_seconds=65, ending=ending)
    message = accepted(confirming(state))
    assert message.text.startswith(start)
    assert "2 hypotheses as one family" in message.text
    assert "8 seeds never used before, 2 data sets, margin +1.0 %, level .011. It is tested once." in message.text
    assert ("Stop" in str(message.blocks[-1])) == (ending is None)


def test_where_a_gain_comes_from() -> None:
    parts = (Part(without="0.5 in line 7", effect=percent(1.0)), Part(without="line 9", effect=None, fault="nan"))
    found = Origin(hypothesis_id="h1", whole=percent(4.0), parts=parts, share=RATE, mixed_with="GELU")
    text = accepted(origin(HYPOTHESIS, found)).text
    assert "• as it is: effect +4.0 % [+3.0, +5.0]" in text
    assert "• without 0.5 in line 7: effect +1.0 % [0.0, +2.0]" in text
    assert "• without line 9: does not train (nan)" in text
    assert "mixed with GELU by a gate that is learned in each layer, it keeps a share of .70 [.60, .80]" in text


def test_what_is_no_finding_is_not_exported() -> None:
    assert "is not a finding" in accepted(not_a_finding("Soft ramp")).text
