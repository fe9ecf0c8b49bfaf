"""On what a message wants to be measured, and that the rest of it is read as before."""

from __future__ import annotations

import pytest

from engine.suite_phrase import suite_phrase
from engine.understand import understand
from engine.understanding import Propose, UnknownSuite
from sandbox.guest.components.kinds import KINDS

OWN = ["ranker", "click-model", "images"]


@pytest.mark.parametrize(
    "text",
    [
        "propose 8 activations on our ranker",
        "propose 8 activations on ranker",
        "propose 8 activations on the ranker model, please",
        "propose 8 activations for our ranker model",
        "propose 8 activations for the ranker",
        "propose 8 activations for ranker",
        "on our ranker, propose 8 activations",
        "8 activations on Our Ranker?",
        "propose 8 activations with suite ranker",
        "propose 8 activations, measured on our ranker",
    ],
)
def test_a_model_of_the_team_is_named_in_many_ways(text: str) -> None:
    meant = understand(text, KINDS, suites=OWN)
    assert isinstance(meant, Propose)
    assert (meant.suite, meant.kinds, meant.counts, meant.purpose) == ("ranker", ("activation",), (8,), "")


@pytest.mark.parametrize("spelling", ["click-model", "click model", "click_model", "Click Model"])
def test_hyphens_spaces_and_underscores_of_a_name_are_the_same(spelling: str) -> None:
    assert suite_phrase(f"propose 3 losses on our {spelling}", OWN).name == "click-model"


def test_the_longest_name_that_fits_is_meant() -> None:
    assert suite_phrase("propose 3 losses on our click-ranker", ["ranker", "click-ranker"]).name == "click-ranker"


def test_a_purpose_beside_the_model_stays_a_purpose() -> None:
    meant = understand("propose 8 activations for noisy labels on our ranker", KINDS, suites=OWN)
    assert isinstance(meant, Propose)
    assert (meant.suite, meant.purpose) == ("ranker", "noisy labels")


@pytest.mark.parametrize(
    ("text", "purpose"),
    [
        ("propose 8 activations for small images", "small images"),
        ("propose 8 activations for rankers", "rankers"),
        ("propose 8 activations for ranker losses", "ranker losses"),
        ("propose 8 activations for images of cats", "images of cats"),
    ],
)
def test_a_word_that_is_also_a_name_may_be_a_purpose(text: str, purpose: str) -> None:
    meant = understand(text, KINDS, suites=OWN)
    assert isinstance(meant, Propose)
    assert (meant.suite, meant.purpose) == ("", purpose)


@pytest.mark.parametrize(
    ("text", "word", "near"),
    [
        ("propose 8 activations on our rankr", "rankr", "ranker"),
        ("propose 8 activations on our translator model", "translator", ""),
        ("propose 8 activations on the nightly suite", "nightly", ""),
        ("propose 8 activations on the standart suite", "standart", "standard"),
        ("propose 8 activations with suite=foo", "foo", ""),
    ],
)
def test_a_name_that_nothing_has_is_said_with_what_may_be_meant(text: str, word: str, near: str) -> None:
    assert understand(text, KINDS, suites=OWN) == UnknownSuite(word=word, near=near)


@pytest.mark.parametrize("where", ["on our data", "on our GPU", "on our tabular data", "on our own problem"])
def test_our_things_that_are_no_models_are_left_alone(where: str) -> None:
    assert isinstance(understand(f"propose 8 activations {where}", KINDS, suites=OWN), Propose)


def test_an_unknown_name_in_what_is_no_request_for_components_changes_nothing() -> None:
    assert understand("stop", KINDS, suites=OWN) == understand("stop", KINDS)
    assert not isinstance(understand("what a day on our terrace", KINDS, suites=OWN), UnknownSuite)
