"""Foreign text in messages, and figures as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.views.block_kit import code, header, plain, section, table
from bot.views.figures import count, duration, effect, listed, n_score, ratio, share, signed, win_rate
from bot.views.message import clean, cut, escape, fence, one_line, size, unescape
from engine.score import Estimate

FOREIGN = st.text(st.characters(codec=None), max_size=300) | st.sampled_from(
    [
        "<!channel> *now*",
        "`a` ```b```",
        "@here @channel @everyone",
        "a*b*c",
        "_x_ ~y~ *z*",
        "&lt;&amp;",
        "\u202egnp",
        "\ud800",
    ]
)


@given(FOREIGN)
def test_escaped_text_holds_no_markup_of_its_own(text: str) -> None:
    escaped = escape(text)
    assert not set("<>`\n") & set(escaped)
    assert not re.search(r"&(?!amp;|lt;|gt;)", escaped)
    assert not re.search(r"@(here|channel|everyone)\b", escaped, re.IGNORECASE)
    assert not re.search(r"(?<![^\W_])[*_~](?=\S)", escaped)


@given(FOREIGN)
def test_escaped_text_can_be_sent(text: str) -> None:
    escape(text).encode("utf-8")


@given(FOREIGN, st.integers(1, 60))
def test_escaped_text_keeps_to_its_limit_without_half_an_entity(text: str, limit: int) -> None:
    escaped = escape(text, limit)
    assert size(escaped) <= limit
    assert not re.search(r"&[a-z]{0,4}…$", escaped)


def test_a_formula_in_a_title_keeps_its_signs() -> None:
    assert escape("x*sigmoid(b*x) and log_cosh") == "x*sigmoid(b*x) and log_cosh"


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="`*_~@\u2060"), max_size=80)
)
def test_what_was_escaped_reads_the_same_in_a_terminal(text: str) -> None:
    assert unescape(escape(text, 10_000)) == one_line(text)


@given(FOREIGN, st.integers(2, 50))
def test_cutting_keeps_the_beginning(text: str, limit: int) -> None:
    shorter = cut(text, limit)
    assert size(shorter) <= limit
    assert text.startswith(shorter.removesuffix("…").rstrip() if shorter != text else text)


@given(FOREIGN)
def test_source_cannot_close_its_fence(text: str) -> None:
    fenced = fence(text)
    assert fenced.startswith("```\n")
    assert fenced.endswith("\n```")
    assert "```" not in fenced[3:-3]
    assert size(fenced) <= 2_900


@given(FOREIGN)
def test_source_in_a_code_block_is_the_source(text: str) -> None:
    shown = code(text)["elements"][0]["elements"][0]["text"]
    assert shown == (clean(text).rstrip() or " ")


def test_bold_of_ours_is_dropped_from_the_plain_text_and_foreign_signs_are_kept() -> None:
    assert plain([section(f"*Claim*: {escape('x*y*z is *best*')}")]) == "Claim: x*y*z is \u2217best*"


def test_a_table_in_plain_text_names_each_figure() -> None:
    rows = [["#", "Component", "B-WR", "Cost"], ["1", "Unit", ".74", "–"], ["ref", "", ".50", "1.0×"]]
    assert plain([table(rows)]) == "1 Unit: B-WR .74\nref –: B-WR .50, Cost 1.0×"


def test_a_header_is_cut_to_what_slack_takes() -> None:
    assert size(header("😀" * 400)["text"]["text"]) <= 150


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, ".00"), (0.744, ".74"), (0.999, "1.00"), (1.0, "1.00"), (0.09, ".09")],
)
def test_a_share(value: float, words: str) -> None:
    assert share(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.018, "+1.8"),
        (-0.004, "−0.4"),
        (0.0, "0.0"),
        (-0.0003, "−0.03"),
        (0.00001, "0.0"),
        (0.9999, "+100"),
        (-3.5, "−350"),
        (42.0, "+4,200"),
    ],
)
def test_a_signed_percentage(value: float, words: str) -> None:
    assert signed(value) == words


def test_estimates_show_their_intervals() -> None:
    estimate = Estimate(value=0.018, low=0.003, high=0.031)
    assert effect(estimate) == "+1.8 % [+0.3, +3.1]"
    assert win_rate(Estimate(value=0.74, low=0.68, high=0.8)) == ".74 [.68, .80]"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "under 1 s"), (21.4, "21 s"), (59.6, "1 min"), (65, "1 min 5 s"), (3600, "1 h"), (7380, "2 h 3 min")],
)
def test_a_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_absent_figures_are_a_dash() -> None:
    assert (n_score(None), ratio(None)) == ("–", "–")
    assert (n_score(0.0342), ratio(1.31), ratio(0.05)) == ("0.034", "1.3×", "0.05×")


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 outcomes"), (1, "1 outcome"), (2, "2 outcomes"), (1200, "1,200 outcomes")]
)
def test_a_count_has_its_plural(number: int, words: str) -> None:
    assert count(number, "outcome") == words


def test_a_list_reads_like_a_sentence() -> None:
    assert [listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
