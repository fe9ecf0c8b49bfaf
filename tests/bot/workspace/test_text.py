from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workspace.text import typed

USERS = {"conjecture": "U1", "ada": "U2"}
CHANNELS = {"research": "C1"}


def stored(text: str) -> str:
    return typed(text, USERS, CHANNELS)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@conjecture propose", "<@U1> propose"),
        ("hey @Conjecture, propose", "hey <@U1>, propose"),
        ("a@conjecture.org and @nobody", "a@conjecture.org and @nobody"),
        ("see #research and #nowhere", "see <#C1|research> and #nowhere"),
        ("a < b && <script>", "a &lt; b &amp;&amp; &lt;script&gt;"),
        ("<@U1> typed by hand", "&lt;@U1&gt; typed by hand"),
        ("https://a.b/c?d=1&e=2.", "<https://a.b/c?d=1&amp;e=2>."),
        ("`@ada`", "`@ada`"),
        ("```\nx = '@ada' < 1\n```", "```x = '@ada' &lt; 1```"),
    ],
)
def test_what_is_typed_is_stored_as_slack_stores_it(text: str, expected: str) -> None:
    assert stored(text) == expected


@given(st.text(alphabet="@#<>&` \nabcehijnorstu:/.", max_size=60))
def test_typed_text_never_gains_markup_of_its_own(text: str) -> None:
    markup = re.findall(r"<[^>]*>", stored(text))
    assert all(re.fullmatch(r"<(@U[12]|#C1\|research|https?://[^<>]+)>", one) for one in markup)
    assert stored(text).count("<") == len(markup)


@given(st.text(alphabet="@# \nabcehijnorstu", min_size=1, max_size=60))
def test_rich_text_says_the_same_as_the_text(text: str) -> None:
    names = {"U1": "conjecture", "U2": "ada"}
    said = ""
    for section in typed(text, USERS, CHANNELS)[1][0]["elements"]:
        for part in section["elements"]:
            said += part.get("text") or (f"@{names[part['user_id']]}" if "user_id" in part else "#research")
    assert said.lower() == text.lower()


def test_a_fence_becomes_preformatted_text() -> None:
    elements = typed("look:\n```\nx\n```", USERS, CHANNELS)[1][0]["elements"]
    assert [element["type"] for element in elements] == ["rich_text_section", "rich_text_preformatted"]
