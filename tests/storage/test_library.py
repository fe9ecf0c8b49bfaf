"""The contract of libraries, over both databases and the one in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Engine

from engine.errors import UnknownThing
from engine.papers.library import Library
from engine.papers.paper import Paper, Sentence
from engine.papers.passages import Passage
from engine.papers.retrieval import Retrieval
from engine.papers.shelf import MemoryLibrary
from storage.database import open_database
from storage.library import SqlLibrary

LIBRARIES = ["sqlite", "postgresql", "memory"]
TEXTS = {
    "p-1": [
        "The optimizer adapts its learning rates to the curvature of the loss.",
        "We train on tweets; sentiment lexicons score every word.",
        "Dropout regularizes networks by silencing units at random during training.",
    ],
    "p-2": [
        "Mixed models are fitted by restricted maximum likelihood.",
        "Sentiments of editorials are harder to score.",
    ],
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, empty_tables: Callable[[Engine], None]) -> Library:
    if request.param == "memory":
        return MemoryLibrary()
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    empty_tables(engine)
    return SqlLibrary(engine)


def paper(paper_id: str, title: str = "A title") -> Paper:
    sentences = tuple(Sentence(text=text, page=n, section="Methods") for n, text in enumerate(TEXTS[paper_id], start=1))
    return Paper(
        id=paper_id,
        title=title,
        authors=("A. Person",),
        abstract="",
        pages=3,
        sentences=sentences,
        references=("Nobody (1999).",),
        source="a.pdf",
    )


def passages(paper_id: str) -> list[Passage]:
    return [
        Passage(id=f"{paper_id}/{n}", paper_id=paper_id, number=n, page=n, section="Methods", text=text)
        for n, text in enumerate(TEXTS[paper_id], start=1)
    ]


@pytest.fixture
def filled(library: Library) -> Library:
    for paper_id in TEXTS:
        library.add(paper(paper_id), passages(paper_id))
    return library


def ids(found: list[Passage]) -> list[str]:
    return [passage.id for passage in found]


def test_a_paper_comes_back_as_it_was_added(filled: Library) -> None:
    assert filled.paper("p-1") == paper("p-1")
    assert [one.id for one in filled.papers()] == ["p-1", "p-2"]


def test_passages_come_back_with_their_pages_in_order(filled: Library) -> None:
    assert filled.passages() == passages("p-1") + passages("p-2")
    assert filled.passages(["p-2"]) == passages("p-2")
    assert filled.passages([]) == []


def test_a_paper_that_is_added_twice_stays_as_it_was(filled: Library) -> None:
    filled.add(paper("p-1", title="Another title"), passages("p-1"))
    assert filled.paper("p-1").title == "A title"
    assert len(filled.passages()) == 5


def test_an_unknown_paper_is_told(library: Library) -> None:
    with pytest.raises(UnknownThing, match="'p-9'"):
        library.paper("p-9")


def test_the_passage_with_more_of_the_words_comes_first(filled: Library) -> None:
    assert ids(filled.by_words("how are tweets scored with sentiment lexicons", 5))[0] == "p-1/2"


def test_words_are_found_in_other_forms(filled: Library) -> None:
    assert ids(filled.by_words("regularize", 5)) == ["p-1/3"]
    assert set(ids(filled.by_words("sentiment", 5))) == {"p-1/2", "p-2/2"}


def test_only_the_papers_asked_for_are_searched(filled: Library) -> None:
    assert ids(filled.by_words("sentiment", 5, ["p-2"])) == ["p-2/2"]
    assert filled.by_words("sentiment", 5, []) == []


def test_no_more_passages_are_found_than_asked_for(filled: Library) -> None:
    assert len(filled.by_words("sentiment", 1)) == 1


def test_words_that_no_passage_has_find_nothing(filled: Library) -> None:
    assert filled.by_words("zebra", 5) == []


AWKWARD = ["", "the of and", '"', "AND OR NOT (", "a:b*^", "'; DROP TABLE papers; --", "learning \x00 & | ! :*"]


@pytest.mark.parametrize("query", AWKWARD)
def test_any_text_is_a_query(filled: Library, query: str) -> None:
    filled.by_words(query, 5)
    assert len(filled.passages()) == 5


def test_vectors_come_back_by_model_and_paper(filled: Library) -> None:
    one, other = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    filled.keep_vectors("m", {"p-1/1": one, "p-2/1": other})
    filled.keep_vectors("n", {"p-1/1": other})
    assert {name: row.tolist() for name, row in filled.vectors("m").items()} == {"p-1/1": [1, 0], "p-2/1": [0, 1]}
    assert list(filled.vectors("m", ["p-2"])) == ["p-2/1"]
    assert filled.vectors("other") == {}


def test_a_vector_that_is_kept_again_replaces_the_first(filled: Library) -> None:
    for value in (1, 2):
        filled.keep_vectors("m", {"p-1/1": np.array([value], np.float32)})
    assert filled.vectors("m")["p-1/1"].tolist() == [2]


def test_a_vector_of_no_passage_is_refused(filled: Library) -> None:
    with pytest.raises(UnknownThing, match="p-9/1"):
        filled.keep_vectors("m", {"p-9/1": np.array([1], np.float32)})


class Letters:
    """An embedder that counts the letters s and m: enough to tell which text is meant."""

    name = "letters"

    def embed(self, texts: list[str]) -> np.ndarray:
        rows = np.array([[text.lower().count(letter) + 0.01 for letter in "smdk"] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_without_an_embedder_words_alone_are_searched(library: Library) -> None:
    retrieval = Retrieval(library)
    retrieval.add(paper("p-1"))
    (found,) = retrieval.search("dropout")
    assert (found.passage.page, found.ways) == (1, ("words",))  # short sentences of a section are one passage


def test_words_and_meaning_are_fused_by_rank(filled: Library) -> None:
    retrieval = Retrieval(filled, Letters())
    retrieval.add(paper("p-1"))
    retrieval.add(paper("p-2"))
    found = retrieval.search("sentiment", count=5)
    assert found[0].ways == ("words", "meaning")
    assert len(found) == 5  # what shares no word is still found by meaning
    assert found[0].score > found[-1].score


def test_a_passage_is_embedded_once(filled: Library) -> None:
    class Counting(Letters):
        embedded = 0

        def embed(self, texts: list[str]) -> np.ndarray:
            Counting.embedded += len(texts)
            return super().embed(texts)

    for _ in range(2):
        Retrieval(filled, Counting()).add(paper("p-1"))
    assert Counting.embedded == 3


def test_the_library_is_there_after_a_restart(new_database: str) -> None:
    engine = open_database(new_database)
    SqlLibrary(engine).add(paper("p-1"), passages("p-1"))
    engine.dispose()
    engine = open_database(new_database)
    assert ids(SqlLibrary(engine).by_words("dropout", 5)) == ["p-1/3"]
    engine.dispose()
