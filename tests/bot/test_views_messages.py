"""What the messages say (golden), and that no input makes Slack refuse them (property)."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.views.block_kit import weight
from bot.views.conditions import Conditions, Measuring, caveat, measuring
from bot.views.digest import Digest, DigestItem, digest, digest_ended, digest_not_understood, digest_subscribed
from bot.views.failed import failed, unshowable
from bot.views.help import help_in_general, help_on_kind
from bot.views.hypothesis_card import code_is_cut, hypothesis_card, read_vote
from bot.views.message import Message
from bot.views.plots import Picture, plots
from bot.views.progress import STOP, Ending, Progress, Stage, Step, progress
from bot.views.ranking import Choosing, needs_csv, rank_labels, ranking, read_measure_rest
from bot.views.ranking_csv import ranking_csv
from bot.views.refusal import (
    busy,
    count_out_of_range,
    empty_message,
    nothing_to_stop,
    unknown_request,
    unsupported_kind,
)
from bot.views.stopped import finished_so_far, stopped, stopping
from bot.views.try_results import Tried, try_results
from bot.views.understood import subject, understood
from bot.views.vote_recorded import vote_lost, vote_recorded
from bot.views.which_kind import TRY_AS, guessed_kind, read_try_as, several_kinds, which_kind
from bot.workspace.validation import check_message
from engine.hypothesis import Hypothesis
from engine.ranking import Beside, Matched, Place, Ranking, Reference, Rejection
from engine.request import Request, Strategy
from engine.score import Estimate, Score, Trial
from engine.suite import suite_of
from engine.verdict import Novelty, Verdict
from sandbox.execution import Level, Outcome
from sandbox.guest.components.kind import Conditions as KindConditions
from sandbox.guest.components.kind import Drawing, Image, Kind, Known, Series
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.harness import Harness

SWISH = Known(name="SiLU", source="Elfwing et al.", year=2017, code="", baseline=True, best=True)
PLAIN = "import torch\n\n\ndef build():\n    return torch.nn.ReLU()\n"
RELU = Known(name="ReLU", source="Nair and Hinton", year=2010, code=PLAIN, baseline=True)
KIND = Kind(
    name="activation",
    title="activation function",
    plural="activation functions",
    synonyms=("activation",),
    harness=Harness,
    alone=lambda build, training: training,
    entry="build()",
    contract="`build()` returns an nn.Module.\nforward(x [..., features]) keeps shape and dtype.",
    reference="ReLU",
    known=(RELU, SWISH),
    behaviour={},
    check=lambda component: None,
    behave=lambda build: {},
    signature=lambda behaviour: np.zeros(1, np.float32),
    canonical=lambda behaviour: np.zeros(1, np.float32),
    drawing=lambda behaviour: Drawing(x_label="x", y_label="y", series=()),
)
PENALTY = replace(KIND, name="regularizer", title="regularizer", plural="regularizers")
SCREEN = Measuring(suite="screen-1", settings=34, data_sets=5, metric="held-out log-loss")
TUNED = replace(SCREEN, metric="held-out Brier score", grid="each arm at its best of three strengths")
DOCKER = Conditions(measuring=SCREEN, sandbox=Level.DOCKER)
FALLBACK = replace(DOCKER, sandbox=Level.LANDLOCK)
REQUEST = Request(
    id="r-7",
    text="propose 8 activation functions for small image classifiers",
    kinds=("activation",),
    count=8,
    strategies=(Strategy.INCREMENTAL, Strategy.NOVEL),
    purpose="small image classifiers",
    asked_by="U1",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
)
AT_FIRST = Choosing(model_version=None, outcomes=12, at_random=1)


def idea(number: int, title: str, **other: Any) -> Hypothesis:
    told: dict[str, Any] = {
        "claim": "It trains small image classifiers to a lower loss than SiLU.",
        "rationale": "Its gate closes more slowly, so units that start negative recover.",
        "inspiration": "SiLU",
        "source": b"import torch\n\n\ndef build():\n    return torch.nn.SiLU()\n",
        "strategy": Strategy.NOVEL,
        "generator": "offline catalogue",
    }
    return Hypothesis(id=f"h-{number}", request_id="r-7", kind="activation", title=title, **(told | other))


def measured(hypothesis: Hypothesis, seeds: tuple[int, ...] = (1, 2)) -> Score:
    return Score(
        hypothesis_id=hypothesis.id,
        suite="screen-1",
        seeds=seeds,
        trials=(Trial(cell="digits/mlp2", seed=1, loss=0.4, accuracy=0.9),),
        b_wr=Estimate(value=0.74, low=0.68, high=0.8),
        bsota_wr=Estimate(value=0.41, low=0.3, high=0.52),
        effect=Estimate(value=0.012, low=-0.004, high=0.031),
        diverged=0,
        seconds=0.4,
        tier="direct",
        sandbox="docker",
        device="cpu",
    )


def accepted(hypothesis: Hypothesis) -> Verdict:
    return Verdict(
        hypothesis_id=hypothesis.id,
        outcome=Outcome.FINISHED,
        novelty=Novelty(n_score=0.0342, nearest="SiLU", nearest_source="Elfwing et al., 2017"),
        parameters=1,
        cost_ratio=1.31,
        sandbox="docker",
    )


def placed(rank: int, hypothesis: Hypothesis, promising: bool = False, rerun: bool = False) -> Place:
    low = 0.003 if promising else -0.002
    return Place(
        rank=rank,
        hypothesis=hypothesis,
        verdict=accepted(hypothesis),
        score=measured(hypothesis),
        effect=Estimate(value=0.018, low=low, high=0.031),
        promising=promising,
        rerun=measured(hypothesis, tuple(range(8))) if rerun else None,
    )


def reference(name: str, value: float, best: bool = False) -> Reference:
    b_wr = Estimate(value=value, low=value - 0.05, high=value + 0.05)
    return Reference(baseline=name, source="", b_wr=b_wr, bsota_wr=Estimate(value=0.2, low=0.1, high=0.3), best=best)


REFERENCES = tuple(
    reference(name, 0.7 - i / 20, name == "GELU") for i, name in enumerate(["Mish", "SiLU", "ELU", "Tanh", "GELU"])
)
RANKED = Ranking(
    request_id="r-7",
    kind="activation",
    suite="screen-1",
    places=(
        placed(1, idea(1, "Cauchy-gated linear unit"), promising=True, rerun=True),
        placed(2, idea(2, "Zero-mean GELU"), rerun=True),
        placed(2, idea(3, "Log-cosh unit")),
    ),
    references=REFERENCES,
    rejected=(
        Rejection(hypothesis=idea(4, "Plain gate"), check="duplicate", reason="the same function as SiLU"),
        Rejection(hypothesis=idea(5, "Inverse unit"), check="finite", reason="It answers infinity at 0."),
    ),
    not_measured=(idea(6, "Bent identity"), idea(7, "Soft root")),
)
WORKING = Progress(
    request_id="r-7",
    subject="8 activation functions",
    stage=Stage.EVALUATE,
    steps={
        Stage.GENERATE: Step(done=24, total=24),
        Stage.VALIDATE: Step(done=24, total=24, note="3 rejected, 1 already known"),
        Stage.EVALUATE: Step(done=3, total=8),
    },
    elapsed_seconds=12,
    left_seconds=9,
)
ITEM = DigestItem(
    hypothesis_id="h-1",
    kind="activation function",
    title="Cauchy-gated linear unit",
    effect=Estimate(value=0.018, low=0.003, high=0.031),
    b_wr=Estimate(value=0.74, low=0.68, high=0.8),
    thumbs_up=2,
)
TOLD = Digest(
    channel="C1",
    proposed=24,
    measured=8,
    promising=[replace(ITEM, refuted=True)],
    findings=[replace(ITEM, best="GELU")],
    liked=[ITEM],
    failed=[replace(ITEM, title="Inverse unit", reason="It answers infinity at 0.")],
    failures=5,
    subscription="09:00",
)


def accepted_by_slack(message: Message) -> Message:
    """Raises what the local workspace would answer: it refuses what Slack refuses."""
    check_message([dict(block) for block in message.blocks], lambda reference: True)
    assert 0 < len(message.text) <= 12_000
    message.text.encode("utf-8")
    assert not {"<!channel>", "<!here>", "<@U1>"} & set(message.text.split())
    return message


def action_ids(message: Message) -> list[str]:
    blocks = [block for block in message.blocks if block["type"] in ("actions", "context_actions")]
    return [element["action_id"] for block in blocks for element in block["elements"]]


# --- what they say


def test_what_was_understood() -> None:
    message = understood(REQUEST, [(8, KIND)], generators=["offline catalogue"], proposals=24, conditions=[DOCKER])
    assert message.text == (
        "Understood: 8 activation functions for small image classifiers.\n"
        "• Propose 24 with the offline catalogue: improving on known ones and looking for new ones, half each.\n"
        "• Check each one in a sealed Docker container (`docker`) and drop what is broken or known.\n"
        "• Measure 8 of them in 34 settings on five small data sets (`screen-1`), judged by held-out log-loss. "
        "Five data sets are few, and small nets tell nothing about large models.\n\n"
        "Request `r-7`. Reply stop in this thread to end it early."
    )


def test_what_was_understood_names_what_is_worth_knowing() -> None:
    told: dict[str, Any] = {"generators": ["a", "b"], "proposals": 3, "conditions": [FALLBACK] * 2}
    text = understood(REQUEST, [(1, KIND), (2, PENALTY)], notes=["The catalogue has 3 left."], **told).text
    assert "1 activation function and 2 regularizers" in text
    assert "with a and b" in text
    assert "ℹ️ The catalogue has 3 left." in text
    assert "⚠️ Code runs under Landlock, without Docker" in text


def test_kinds_that_are_measured_differently_are_told_apart() -> None:
    told: dict[str, Any] = {
        "generators": ["a"],
        "proposals": 9,
        "conditions": [DOCKER, replace(DOCKER, measuring=TUNED)],
    }
    text = understood(REQUEST, [(1, KIND), (2, PENALTY)], **told).text
    assert (
        "1 activation function in 34 settings on five small data sets (`screen-1`), judged by held-out log-loss\n"
        in (text)
    )
    assert "judged by held-out Brier score, each arm at its best of three strengths" in text
    assert text.count("Five data sets are few") == 1


def test_the_number_of_data_sets_is_said_to_be_small() -> None:
    assert caveat(SCREEN).startswith("Five data sets are few")
    assert caveat(replace(SCREEN, data_sets=1)).startswith("One data set is few")


def test_a_team_is_told_how_often_its_own_model_is_trained() -> None:
    own = replace(SCREEN, settings=8, data_sets=1, sources=("clicks",), own_model="ranker")
    text = ranking(RANKED, KIND, conditions=replace(DOCKER, measuring=own), choosing=AT_FIRST).text
    assert "Measured in 8 trainings (one a seed) of your own model ranker on clicks." in text
    assert (
        "In 1 training (one a seed) of your own model ranker"
        in hypothesis_card(RANKED.places[0], KIND, own_model="ranker").text
    )


def test_rough_win_rates_are_called_so_wherever_they_stand() -> None:
    rough = "Win rates of nets of glass are rough."
    kind = replace(KIND, conditions=replace(KIND.conditions, rough=rough))
    assert caveat(measuring(kind, suite_of(kind), "screen-3/0")).endswith(rough)
    assert "rough" not in caveat(measuring(KIND, suite_of(KIND), "screen-3/0"))


def test_subjects_have_their_plurals() -> None:
    assert subject([(1, KIND)]) == "1 activation function"
    assert subject([(1200, KIND)]) == "1,200 activation functions"


def test_progress_of_work() -> None:
    message = progress(WORKING)
    assert message.text == (
        "Working on 8 activation functions · 12 s, about 9 s left\n\n"
        "✓ Generate: 24 proposed\n"
        "✓ Validate: 24 checked, 3 rejected, 1 already known\n"
        "▸ Evaluate: ▰▰▰▰▱▱▱▱▱▱▱▱ 3 of 8 measured\n"
        "· Rank\n\n"
        "Request `r-7`"
    )
    assert action_ids(message) == [STOP]


def test_progress_that_failed_shows_where() -> None:
    text = progress(replace(WORKING, stage=Stage.VALIDATE, steps={}, ending=Ending.FAILED)).text
    assert "✓ Generate\n✗ Validate\n· Evaluate\n· Rank" in text


@pytest.mark.parametrize(
    ("ending", "first", "buttons"),
    [
        (Ending.DONE, "Done in 12 s: 8 activation functions", []),
        (Ending.STOPPED, "Stopped after 12 s: 8 activation functions", []),
        (Ending.FAILED, "Failed after 12 s: 8 activation functions", []),
    ],
)
def test_progress_that_ended(ending: Ending, first: str, buttons: list[str]) -> None:
    message = progress(replace(WORKING, ending=ending, detail="What to do."))
    assert message.text.splitlines()[0] == first
    assert action_ids(message) == buttons
    assert ("What to do." in message.text) == (ending is not Ending.DONE)


def test_what_was_cut_short_is_not_ticked() -> None:
    text = progress(replace(WORKING, stage=Stage.RANK, ending=Ending.STOPPED)).text
    assert "✓ Validate" in text
    assert "■ Evaluate: ▰▰▰▰▱▱▱▱▱▱▱▱ 3 of 8 measured" in text


@given(st.integers(0, 300), st.integers(1, 300))
def test_the_bar_is_full_only_when_all_is_done(done: int, total: int) -> None:
    text = progress(replace(WORKING, steps={Stage.EVALUATE: Step(done=min(done, total), total=total)})).text
    assert "▸ Evaluate" in text
    assert ("▱" not in text) == (done >= total)
    assert ("▰" not in text) == (done == 0)


def test_a_ranking() -> None:
    message = accepted_by_slack(ranking(RANKED, KIND, conditions=DOCKER, choosing=AT_FIRST))
    lines = message.text.splitlines()
    assert lines[0] == "3 activation functions measured, 1 promising"
    assert lines[2:11] == [
        "1 ★ Cauchy-gated linear unit: Effect +1.8 % [+0.3, +3.1], B-WR .74 [.68, .80], BSOTA-WR .41 [.30, .52], "
        "N-score 0.034, Cost 1.3×, Generator offline catalogue",
        "↳ again, 8 fresh seeds: Effect +1.2 % [−0.4, +3.1], B-WR .74 [.68, .80], BSOTA-WR .41 [.30, .52]",
        "2= Zero-mean GELU: Effect +1.8 % [−0.2, +3.1], B-WR .74 [.68, .80], BSOTA-WR .41 [.30, .52], "
        "N-score 0.034, Cost 1.3×, Generator offline catalogue",
        "↳ again, 8 fresh seeds: Effect +1.2 % [−0.4, +3.1], B-WR .74 [.68, .80], BSOTA-WR .41 [.30, .52]",
        "2= Log-cosh unit: Effect +1.8 % [−0.2, +3.1], B-WR .74 [.68, .80], BSOTA-WR .41 [.30, .52], "
        "N-score 0.034, Cost 1.3×, Generator offline catalogue",
        "ref Mish: B-WR .70 [.65, .75], BSOTA-WR .20 [.10, .30], Generator published",
        "ref SiLU: B-WR .65 [.60, .70], BSOTA-WR .20 [.10, .30], Generator published",
        "ref ELU: B-WR .60 [.55, .65], BSOTA-WR .20 [.10, .30], Generator published",
        "ref GELU: B-WR .50 [.45, .55], BSOTA-WR .20 [.10, .30], Generator published",
    ]
    assert "A candidate exactly as good as the baselines scores about .50 / .17" in message.text
    assert "• Inverse unit: It answers infinity at 0." in message.text
    assert "• Plain gate: the same function as SiLU" in message.text
    assert "Proposed but not measured (2)\nBent identity, Soft root" in message.text
    assert "12 outcomes and the votes are recorded, too few to change the order yet (30 needed)" in message.text
    assert "90 % over seeds, not over new data sets" in message.text


def test_the_baseline_that_effects_are_held_against_has_a_row() -> None:
    text = ranking(replace(RANKED, best="Tanh"), KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert "than that of Tanh, the best baseline" in text
    assert "ref Tanh: B-WR .55" in text


def test_the_button_for_the_rest_says_how_many_and_of_what() -> None:
    message = ranking(RANKED, KIND, conditions=DOCKER, choosing=AT_FIRST)
    [button] = next(block["elements"] for block in message.blocks if block["type"] == "actions")
    assert button["text"]["text"] == "Measure the rest (2)"
    assert read_measure_rest(button["value"]) == ("r-7", "activation")


def test_ten_baselines_are_compared_with_one_in_eleven() -> None:
    ten = replace(RANKED, references=tuple(reference(str(i), 0.5) for i in range(10)))
    assert ".50 / .09" in ranking(ten, KIND, conditions=DOCKER, choosing=AT_FIRST).text


def test_a_ranking_names_the_reward_model_that_chose() -> None:
    choosing = Choosing(model_version="m-3", outcomes=45, at_random=1)
    text = ranking(RANKED, KIND, conditions=DOCKER, choosing=choosing).text
    assert "Chosen by the reward model `m-3`, which learned from 45 outcomes and the votes. 1 was picked" in text


def test_a_ranking_without_places_says_so() -> None:
    nothing = replace(RANKED, places=(), not_measured=(), rejected=())
    text = ranking(nothing, KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert text.startswith("No activation function could be measured")


def test_equal_places_carry_an_equals_sign() -> None:
    assert rank_labels(RANKED.places) == ["1", "2=", "2="]


def test_a_long_ranking_shows_its_top_and_has_the_rest_as_a_table() -> None:
    many = replace(RANKED, places=tuple(placed(i + 1, idea(i, f"Unit {i}")) for i in range(40)))
    text = accepted_by_slack(ranking(many, KIND, conditions=DOCKER, choosing=AT_FIRST)).text
    assert "of 40; the attached table has all of them." in text
    assert needs_csv(many)
    assert not needs_csv(RANKED)


def test_the_table_for_a_spreadsheet_holds_everything() -> None:
    rows = list(csv.DictReader(io.StringIO(ranking_csv(RANKED).decode("utf-8-sig"))))
    places = ["measured", "re-run", "measured", "re-run", "measured"]
    assert [row["row"] for row in rows] == [*places, *["baseline"] * 5, *["rejected"] * 2, *["not measured"] * 2]
    assert rows[0]["b_wr"] == "0.7400"
    assert rows[2]["place"] == "2="
    assert rows[0]["promising"] == "yes"


@pytest.mark.parametrize("title", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)"])
def test_the_table_for_a_spreadsheet_runs_no_formula_of_a_title(title: str) -> None:
    table = ranking_csv(replace(RANKED, not_measured=(idea(9, title),))).decode("utf-8-sig")
    assert list(csv.DictReader(io.StringIO(table)))[-1]["title"] == "'" + title


def test_a_hypothesis_with_its_votes() -> None:
    message = accepted_by_slack(hypothesis_card(RANKED.places[0], KIND))
    assert message.text == (
        "1 ★ Cauchy-gated linear unit\n\n"
        "Claim: It trains small image classifiers to a lower loss than SiLU.\n"
        "Why it might hold: Its gate closes more slowly, so units that start negative recover.\n\n"
        "Effect +1.8 % [+0.3, +3.1] · B-WR .74 [.68, .80] · BSOTA-WR .41 [.30, .52]\n"
        "Again on 8 fresh seeds: B-WR .74 [.68, .80] · BSOTA-WR .41 [.30, .52]\n"
        "Nearest published one: SiLU (Elfwing et al., 2017), N-score 0.034\n"
        "In 1 setting. One data set is few.\n"
        "1.3× the time of ReLU · +0.02 % parameters over ReLU (1 an instance)\n\n"
        "```\nimport torch\n\n\ndef build():\n    return torch.nn.SiLU()\n```\n\n"
        "`h-1` · offline catalogue, novel · inspired by SiLU · "
        "Your vote never changes a figure; it helps to decide what is tried next."
    )


def test_the_two_thumbs_can_be_told_apart() -> None:
    [buttons] = hypothesis_card(RANKED.places[0], KIND).blocks[-1]["elements"]
    assert read_vote(buttons["positive_button"]["value"]) == ("h-1", True)
    assert read_vote(buttons["negative_button"]["value"]) == ("h-1", False)


def test_long_code_is_cut_and_the_message_says_where_the_rest_is() -> None:
    place = placed(1, idea(1, "Long", source=b"x = 1\n" * 900))
    message = accepted_by_slack(hypothesis_card(place, KIND))
    assert code_is_cut(place)
    assert "the whole module is in the attached `h-1.py`" in message.text


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"thumbs_up": True, "changed": False, "outcomes": 12},
            "👍 for Unit, counted once: recorded, too few to change the order yet (12 of 30 outcomes).",
        ),
        (
            {"thumbs_up": False, "changed": True, "outcomes": 31},
            "👎 for Unit, changed, still counted once: recorded; "
            "votes and outcomes (31 so far) now decide what is measured next.",
        ),
    ],
)
def test_a_vote_is_confirmed(told: dict[str, Any], words: str) -> None:
    assert vote_recorded(title="Unit", **told).text == words


def test_help_on_a_kind_shows_the_contract_verbatim() -> None:
    assert f"```\n{KIND.contract}\n```" in help_on_kind(KIND, measured=SCREEN).text


def test_help_on_a_kind_cites_the_baselines_and_says_on_what_they_are_compared() -> None:
    text = help_on_kind(KIND, measured=TUNED).text
    assert "• ReLU: Nair and Hinton, 2010" in text
    assert "• ★ SiLU: Elfwing et al., 2017" in text
    assert "34 settings on five small data sets (suite `screen-1`), each arm at its best of three strengths" in text
    assert "The lower held-out Brier score wins a setting. Five data sets are few" in text
    assert "`@conjecture propose 8 activation functions for small image classifiers`" in text
    assert "`conjecture try FILE --kind activation`" in text


def test_help_on_a_kind_says_what_is_drawn() -> None:
    x = np.zeros(3, np.float32)
    curves = Drawing(x_label="x", y_label="f(x)", series=(Series(name="f", x=x, y=x), Series(name="f'", x=x, y=x)))
    assert "Drawn as curves, f(x) over x: f and f'. ReLU stands beside it." in (
        help_on_kind(KIND, measured=SCREEN, drawing=curves).text
    )
    pictures = Drawing(x_label="", y_label="", images=(Image(name="a 3", pixels=x.reshape(1, 3)),))
    assert "Drawn as pictures." in help_on_kind(KIND, measured=SCREEN, drawing=pictures).text


def test_help_names_what_there_is_no_help_on() -> None:
    text = help_in_general([KIND, PENALTY], unknown="pooling").text
    assert "I know nothing called “pooling”" in text
    assert "`@conjecture help regularizer`" in text


def test_help_says_on_what_else_it_can_be_measured() -> None:
    text = accepted_by_slack(help_in_general([KIND, PENALTY])).text
    for words in ("on the standard suite", "on the full suite", "on our ranker", "conjecture suite add FILE"):
        assert words in text


def test_help_on_a_kind_reads_as_paragraphs() -> None:
    long = "word " * 22
    blocks = help_on_kind(
        replace(KIND, contract=f"{long}\nthe end.\n\nAllowed: a < b\nRequired: `c`"), measured=SCREEN
    ).blocks
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    assert texts[:2] == [f"{long} the end.", "Allowed: a &lt; b\nRequired: `c`"]


def test_a_digest() -> None:
    assert digest(TOLD).text == (
        "Digest: 24 hypotheses so far, 8 measured\n\n"
        "Findings (1)\n• Cauchy-gated linear unit (activation function), on average +1.8 % [+0.3, +3.1] against "
        "GELU\n\n"
        "Promising (1)\n• Cauchy-gated linear unit (activation function), effect +1.8 % [+0.3, +3.1], "
        "B-WR .74 [.68, .80], not confirmed when evaluated in full\n\n"
        "Liked (1)\n• Cauchy-gated linear unit (activation function), 👍 2, B-WR .74 [.68, .80]\n\n"
        "Failed (5)\n• Inverse unit (activation function): It answers infinity at 0.\n• and 4 more\n\n"
        "Findings held when they were evaluated in full, on fresh seeds and with data that no screening uses. "
        "Promising: all of the interval of its effect is above zero, in a short test on small data sets.\n\n"
        "Every day at 09:00."
    )


def test_a_persons_own_files() -> None:
    results = [
        Tried(file="a.py", outcome="scored", b_wr=ITEM.b_wr, bsota_wr=ITEM.b_wr, n_score=0.1, cost_ratio=1.0),
        Tried(file="b.py", outcome="scored", b_wr=ITEM.b_wr, bsota_wr=ITEM.b_wr, duplicate_of="SiLU"),
        Tried(file="c.py", outcome="killed", reason="It ran longer than 60 s."),
    ]
    text = accepted_by_slack(try_results(results, KIND, conditions=DOCKER, baselines=10, request_id="r-7")).text
    assert text.startswith("2 of 3 files scored (activation functions)")
    assert "a.py: B-WR .74 [.68, .80], BSOTA-WR .74 [.68, .80], N-score 0.100, Cost 1.0×" in text
    assert "• `b.py` is the same function as SiLU." in text
    assert "• `c.py` was ended: It ran longer than 60 s." in text


def test_the_conditions_stand_wherever_a_win_rate_does() -> None:
    conditions = replace(DOCKER, measuring=TUNED)
    result = Tried(file="a.py", outcome="scored", b_wr=ITEM.b_wr, bsota_wr=ITEM.b_wr)
    for text in (
        ranking(RANKED, KIND, conditions=conditions, choosing=AT_FIRST).text,
        try_results([result], KIND, conditions=conditions, baselines=10, request_id="r-7").text,
    ):
        assert "held-out Brier score" in text
        assert "34 settings on five small data sets, each arm at its best of three strengths" in text
        assert "Five data sets are few" in text


def test_a_kind_whose_cost_is_not_measured_has_no_column_for_it() -> None:
    untimed = [replace(place, verdict=replace(place.verdict, cost_ratio=None)) for place in RANKED.places]
    text = ranking(replace(RANKED, places=tuple(untimed)), KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert "Cost" not in text.replace("Costlier", "")
    assert "Generator offline catalogue" in text


def test_a_costlier_one_is_told_to_be() -> None:
    place = RANKED.places[0]
    slow = replace(place, verdict=replace(place.verdict, cost_ratio=3.2, parameters=90))
    cheap = replace(place, verdict=replace(place.verdict, cost_ratio=1.3, parameters=1))
    text = ranking(replace(RANKED, places=(slow, cheap)), KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert (
        "Costlier than ReLU (1), so a win may have been bought\n• Cauchy-gated linear unit: 3.2× the time, +2.1 %"
        in text
    )
    assert "Costlier" not in ranking(replace(RANKED, places=(cheap,)), KIND, conditions=DOCKER, choosing=AT_FIRST).text


def test_a_costlier_one_is_held_against_the_best_baseline_of_the_same_budget() -> None:
    wider = Matched(
        words="ReLU, 1.3 x wider", b_wr=ITEM.b_wr, bsota_wr=ITEM.b_wr, won=Estimate(value=0.48, low=0.4, high=0.56)
    )
    place = replace(RANKED.places[0], matched=(wider,))
    said = "wins .48 [.40, .56] of the settings against ReLU, 1.3 x wider"
    assert said in ranking(replace(RANKED, places=(place,)), KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert f"At an equal budget it {said}." in hypothesis_card(place, KIND).text


def test_accuracy_and_the_last_loss_stand_beside_what_decides() -> None:
    place = replace(RANKED.places[0], beside=Beside(against="GELU", accuracy=-0.008, final=0.017))
    said = "Beside, in the median against GELU: accuracy (R2 of regressions) −0.8 points, last loss +1.7 %."
    assert said in hypothesis_card(place, KIND).text
    unknown = replace(place, beside=Beside(against="GELU", accuracy=-0.008, final=None))
    assert "−0.8 points.\n" in hypothesis_card(unknown, KIND).text
    assert "against GELU: accuracy −0.8 points" in hypothesis_card(place, KINDS["loss"]).text


def test_a_step_size_effect_is_marked_and_explained() -> None:
    place = replace(RANKED.places[0], step_size_effect=True)
    text = ranking(replace(RANKED, places=(place,)), KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert "Cauchy-gated linear unit (step-size effect)" in text
    assert "Step-size effect: the win vanishes when every arm has its best learning rate." in text
    assert "step-size effect" in hypothesis_card(place, KIND).text


def test_a_long_title_never_pushes_its_marks_out_of_the_table() -> None:
    place = replace(RANKED.places[0], hypothesis=idea(1, "A unit " * 12), step_size_effect=True)
    lines = ranking(replace(RANKED, places=(place,)), KIND, conditions=DOCKER, choosing=AT_FIRST).text.splitlines()
    assert any(line.startswith("1 ★ A unit A unit") and "… (step-size effect): Effect" in line for line in lines)


def test_the_factor_of_the_grid_is_told_where_there_is_one() -> None:
    place = replace(RANKED.places[0], score=replace(RANKED.places[0].score, factor=3.0))
    tuned = replace(KIND, conditions=KindConditions(grid=(1.0, 3.0), grid_of="strength"))
    assert "at 3× the strength" in hypothesis_card(place, tuned).text
    assert "strength" not in hypothesis_card(place, KIND).text


def test_what_has_as_many_parameters_as_the_reference_is_told_so() -> None:
    layer_norm = KINDS["normalizer"]
    place = replace(RANKED.places[0], verdict=replace(RANKED.places[0].verdict, cost_ratio=None, parameters=64))
    assert "\nAs many parameters as LayerNorm (64 an instance)\n" in hypothesis_card(place, layer_norm).text


def test_an_n_score_stands_beside_what_is_usual_among_published_ones() -> None:
    text = ranking(RANKED, KIND, conditions=DOCKER, choosing=AT_FIRST, spacing=0.35).text
    assert "0 is the same there (published ones: typically 0.35 from each other)" in text


def test_divergence_is_told_as_such() -> None:
    place = RANKED.places[0]
    wild = replace(place, score=replace(place.score, diverged=1))
    text = ranking(replace(RANKED, places=(wild,)), KIND, conditions=DOCKER, choosing=AT_FIRST).text
    assert "Diverged (1): a setting without a finite loss is lost" in text
    assert "• Cauchy-gated linear unit: 1 of 1 setting diverged" in text
    assert "1 of 1 setting diverged, and is lost there" in hypothesis_card(wild, KIND).text


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0, 0, 0), "Nothing had been proposed yet."),
        ((1, 0, 0, 0), "Finished: 1 proposal, 0 of them checked; none measured yet."),
        ((24, 24, 3, 8), "Finished: 24 proposals, 24 of them checked; 3 of 8 measured."),
    ],
)
def test_what_was_finished_when_it_stopped(counts: tuple[int, int, int, int], words: str) -> None:
    proposed, validated, measured, to_measure = counts
    assert finished_so_far(proposed=proposed, validated=validated, measured=measured, to_measure=to_measure) == words


def test_a_click_on_a_kind_names_the_message_and_the_kind() -> None:
    message = accepted_by_slack(which_kind(["mine.py"], [PENALTY, KIND], "C1-7"))
    assert "I cannot tell which kind of component `mine.py` is" in message.text
    (block,) = [block for block in message.blocks if block["type"] == "actions"]
    assert all(TRY_AS.fullmatch(element["action_id"]) for element in block["elements"])
    assert [read_try_as(element["value"]) for element in block["elements"]] == [
        ("C1-7", "regularizer"),
        ("C1-7", "activation"),
    ]


# --- what Slack takes

EVIL = "<!channel> <@U1> ```x``` @here *b* _i_ e\u0301😀\u202e\ud800" + "&" * 50
TITLES = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
    ["", "  ", EVIL, EVIL * 50, "x" * 5_000, "😀" * 5_000, "&" * 5_000]
)


SOURCES = st.binary(max_size=50) | st.sampled_from(["", "x = 1\n" * 900, "```\n" * 9_000, "😀" * 5_000]).map(str.encode)


@st.composite
def hypotheses(draw: st.DrawFn) -> Hypothesis:
    return idea(
        draw(st.integers(0, 10**6)),
        draw(TITLES),
        claim=draw(TITLES),
        rationale=draw(TITLES),
        inspiration=draw(TITLES),
        generator=draw(TITLES),
        source=draw(SOURCES),
    )


@st.composite
def crowded(draw: st.DrawFn) -> Ranking:
    """Rankings of up to 300 places, made of a few wild hypotheses."""
    few = draw(st.lists(hypotheses(), min_size=1, max_size=3))
    wide = Estimate(value=-12.3456, low=-99.9, high=1e6)
    number = st.sampled_from([0, 1, 10, 25, 300])
    places = [placed(i // 2, few[i % len(few)], i % 3 == 0, i < 2) for i in range(draw(number))]
    reasons = [draw(TITLES) for _ in range(3)]
    rejected = [
        Rejection(
            hypothesis=few[i % len(few)], check="duplicate" if i % 2 else "x", reason=reasons[i % 3] + str(i % 40)
        )
        for i in range(draw(number))
    ]
    return replace(
        RANKED,
        places=tuple(replace(place, effect=wide) for place in places),
        rejected=tuple(rejected),
        not_measured=tuple(few[i % len(few)] for i in range(draw(number))),
        generator_faults=tuple(reasons[: draw(st.integers(0, 3))] * 4),
    )


@settings(max_examples=20, deadline=None)
@given(crowded(), st.sampled_from([DOCKER, FALLBACK]))
def test_slack_takes_every_ranking(ranked: Ranking, conditions: Conditions) -> None:
    message = accepted_by_slack(ranking(ranked, KIND, conditions=conditions, choosing=AT_FIRST))
    assert weight(message.blocks) <= 11_000
    ranking_csv(ranked).decode("utf-8-sig")


@settings(max_examples=20, deadline=None)
@given(hypotheses())
def test_slack_takes_every_hypothesis(hypothesis: Hypothesis) -> None:
    accepted_by_slack(hypothesis_card(placed(1, hypothesis, rerun=True), KIND))


def every_other_view(text: str) -> list[Message]:
    item = replace(ITEM, title=text, kind=text, reason=text)
    results = [Tried(file=text, outcome=outcome, reason=text) for outcome in ("scored", "rejected", "killed")] * 20
    results += [Tried(file=text, outcome="scored", b_wr=ITEM.b_wr, bsota_wr=ITEM.b_wr, duplicate_of=text)] * 30
    request = replace(REQUEST, purpose=text)
    return [
        understood(request, [(8, KIND)], generators=[text] * 9, proposals=24, conditions=[FALLBACK], notes=[text] * 20),
        progress(replace(WORKING, subject=text, detail=text, ending=Ending.FAILED)),
        progress(replace(WORKING, steps={Stage.EVALUATE: Step(note=text)})),
        failed(request_id="r-7", job_id=text, what=text, advice=text),
        unshowable("r-7"),
        unshowable(None),
        help_in_general([KIND, PENALTY]),
        help_in_general([KIND], unknown=text),
        help_on_kind(replace(KIND, contract=text), measured=SCREEN),
        unsupported_kind(text, [KIND, PENALTY]),
        unknown_request(text, [KIND, PENALTY]),
        empty_message([KIND, PENALTY]),
        count_out_of_range(10**4_000),
        count_out_of_range(5_000),
        busy(text, "r-7", queued=True),
        nothing_to_stop(),
        stopped(request_id="r-7", subject=text, finished=text, ranking_follows=True),
        stopping(request_id="r-7"),
        try_results(results, KIND, conditions=FALLBACK, baselines=10, request_id="r-7"),
        digest(replace(TOLD, promising=[item] * 300, liked=[item] * 300, failed=[item] * 300)),
        digest(replace(TOLD, proposed=0, subscription=None)),
        digest_subscribed(time=text, timezone=text, next_on=text),
        digest_ended(was_subscribed=True),
        digest_ended(was_subscribed=False),
        digest_not_understood(text),
        vote_recorded(title=text, thumbs_up=True, changed=False, outcomes=3),
        vote_lost(hypothesis_id=text),
        which_kind([text] * 9, [KIND, PENALTY], "C1-1"),
        guessed_kind([text], KIND, PENALTY),
        several_kinds([(text, KIND), (text, PENALTY)]),
        plots([Picture(file_id="F1", title=text, alt=text)] * 20, request_id="r-7"),
    ]


@settings(max_examples=20, deadline=None)
@given(TITLES)
def test_slack_takes_every_other_message(text: str) -> None:
    for message in every_other_view(text):
        accepted_by_slack(message)


@pytest.mark.parametrize("number", range(len(every_other_view("x"))))
def test_no_message_shouts(number: int) -> None:
    assert "!" not in every_other_view("x")[number].text
