"""Looking for code, models and data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from wire_hub import NOBODY, wire_hub

from engine.errors import PaperError
from engine.experiment.papers import PaperSearch
from engine.experiment.search import HubSearch, LocalSearch
from engine.papers.ingest import read_pasted
from engine.papers.library import Vector
from engine.papers.retrieval import Retrieval
from engine.papers.shelf import MemoryLibrary


@pytest.mark.parametrize(
    ("what", "query", "title"),
    [
        ("code", "prototype for sentiment of reviews, logistic regression on TF-IDF", "prototype of sentiment"),
        ("models", "gradient boosting regressor", "GradientBoostingRegressor"),
        ("data", "tweets sentiment intensity", "weets"),
    ],
)
def test_what_lies_here_is_found_by_words(what: str, query: str, title: str) -> None:
    assert any(title in found["title"] for found in LocalSearch().find(what, query))


def test_words_that_nothing_has_find_nothing() -> None:
    assert LocalSearch().find("models", "zebra crossing") == []


PAPER = "Rules for Tweets\n\nAbstract\n" + "Nothing of note is said here at all. " * 30 + "\fZebras are rated at 0.7. "


class Unreachable:
    """An embedder whose endpoint is down."""

    name = "none"

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        raise PaperError("The endpoint of embeddings does not answer.")


def test_passages_of_papers_come_with_paper_and_page_and_the_rest_is_found_as_before() -> None:
    retrieval = Retrieval(MemoryLibrary())
    retrieval.add(read_pasted(PAPER, "rules.txt"))
    search = PaperSearch(LocalSearch(), retrieval)
    (found,) = search.find("papers", "zebras")
    assert (found["paper"], found["page"]) == ("Rules for Tweets", 2)
    assert "Zebras are rated at 0.7" in found["text"]
    assert search.find("models", "zebra crossing") == []


def test_papers_that_cannot_be_searched_are_told_as_such() -> None:
    library = MemoryLibrary()
    Retrieval(library).add(read_pasted(PAPER, "rules.txt"))
    library.keep_vectors("none", {one.id: np.ones(2, np.float32) for one in library.passages()})
    (found,) = PaperSearch(LocalSearch(), Retrieval(library, Unreachable())).find("papers", "zebras")
    assert "does not answer" in found["papers"]


class Nothing:
    def find(self, what: str, query: str) -> list[dict[str, str]]:
        return [{"title": "here"}]


def test_the_hub_is_asked_beside_what_lies_here() -> None:
    with wire_hub() as hub:
        hub.add("models", "someone/tiny-bert")
        found = HubSearch(Nothing(), endpoint=hub.url).find("models", "bert")
    assert [one.get("title") or one["hub"] for one in found] == ["here", "someone/tiny-bert"]


def test_a_hub_that_cannot_be_reached_is_said_and_costs_nothing_else() -> None:
    found = HubSearch(Nothing(), endpoint=NOBODY).find("data", "tweets")
    assert found[0] == {"title": "here"}
    assert "cannot be asked" in found[1]["hub"]
