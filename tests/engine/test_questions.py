"""Questions about the past are told from requests."""

from __future__ import annotations

import pytest

from engine.understand import understand
from engine.understanding import HaveWeTried, WhyRanked
from sandbox.guest.components.kinds import KINDS


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<@U1> have we tried a sine with a learnable frequency?", "a sine with a learnable frequency"),
        ("Have you ever tested anything like GELU with a learnable slope before?", "GELU with a learnable slope"),
        ("was a periodic activation function ever tried?", "a periodic activation function"),
        ("do we have anything like Snake?", "Snake"),
        ("did we try dropout on weights?", "dropout on weights"),
        ("has anyone tried this?", "this"),
    ],
)
def test_whether_something_was_tried_is_asked_in_many_ways(text: str, what: str) -> None:
    meant = understand(text, KINDS)
    assert isinstance(meant, HaveWeTried)
    assert meant.what == what


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("why was 5 ranked there", 5),
        ("why is #3 ranked so low?", 3),
        ("Why was the 2nd placed there?", 2),
        ("how come 2 is first?", 2),
    ],
)
def test_why_a_place_came_out_there_is_asked_in_many_ways(text: str, place: int) -> None:
    assert understand(text, KINDS) == WhyRanked(place=place)


@pytest.mark.parametrize(
    "text",
    [
        "propose 8 activation functions",
        "try this activation",
        "do you have help",
        "have a nice day",
        "is there a digest",
    ],
)
def test_what_is_no_question_about_the_past_is_not_taken_for_one(text: str) -> None:
    assert not isinstance(understand(text, KINDS), HaveWeTried | WhyRanked)
