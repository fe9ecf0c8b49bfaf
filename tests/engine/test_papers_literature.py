"""Clients of public catalogues over the wire that they speak, and the team's own literature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from engine.errors import PaperError
from engine.papers.arxiv import Arxiv, arxiv_id
from engine.papers.ingest import read_pasted
from engine.papers.literature import Note, SemanticScholar, TeamLiterature, related
from engine.papers.passages import passages_of
from engine.papers.shelf import MemoryLibrary
from engine.papers.web import Web

FEED = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/1</id>
<title>Rules for
 Tweets</title><published>2014-05-01T00:00:00Z</published><summary>About rules.</summary>
<author><name>A. Lovelace</name></author></entry></feed>"""
FOUND = {
    "data": [
        {"title": "Tweets by Rules", "authors": [{"name": "C. Babbage"}], "year": 2015, "url": "u", "abstract": None}
    ]
}


def web(answer: Callable[[httpx.Request], httpx.Response], folder: Path | None = None) -> Web:
    transport = httpx.MockTransport(answer)
    return Web("arXiv", "http://catalogue.invalid", folder=folder, pause_seconds=0, transport=transport)


def gone(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route", request=request)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2408.14033", "2408.14033"),
        ("read arXiv:2408.14033v2 please", "2408.14033v2"),
        ("https://arxiv.org/abs/2408.14033", "2408.14033"),
        ("<https://arxiv.org/pdf/2408.14033.pdf>", "2408.14033"),
        ("https://arxiv.org/abs/cs/0112017", "cs/0112017"),
        ("propose 8 activations, 1234.5678 of them", None),
    ],
)
def test_an_arxiv_number_is_found_in_a_message(text: str, number: str | None) -> None:
    assert arxiv_id(text) == number


def test_arxiv_s_feed_is_read() -> None:
    (work,) = Arxiv(web(lambda request: httpx.Response(200, text=FEED))).search("rules", 5)
    assert (work.title, work.authors, work.year, work.source) == ("Rules for Tweets", ("A. Lovelace",), 2014, "arXiv")


def test_semantic_scholar_s_answer_is_read() -> None:
    (work,) = SemanticScholar(web(lambda request: httpx.Response(200, json=FOUND))).search("rules", 5)
    assert (work.title, work.authors, work.year, work.abstract) == ("Tweets by Rules", ("C. Babbage",), 2015, "")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda request: httpx.Response(404),
            "arXiv has no paper 9999.00001 (404): check the number, or attach the PDF.",
        ),
        (gone, "arXiv cannot be reached from here (ConnectError): check the network, or attach a paper as PDF."),
        (lambda request: httpx.Response(200, text="<html>withdrawn"), "arXiv has no PDF of 9999.00001"),
        (lambda request: httpx.Response(500), "arXiv failed (HTTP 500): try again later."),
    ],
)
def test_a_paper_that_cannot_be_had_is_told(answer: Callable[[httpx.Request], httpx.Response], said: str) -> None:
    with pytest.raises(PaperError) as raised:
        Arxiv(web(answer)).paper("9999.00001")
    assert str(raised.value).startswith(said)


def test_an_answer_is_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, text=FEED)

    for _ in range(2):
        assert Arxiv(web(answer, tmp_path)).search("rules", 5)
    assert len(asked) == 1


def test_a_busy_catalogue_is_asked_again() -> None:
    answers = iter([httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(200, text=FEED)])
    assert Arxiv(web(lambda request: next(answers))).search("rules", 5)


def test_a_source_that_cannot_be_asked_costs_one_sentence() -> None:
    scholar = SemanticScholar(web(lambda request: httpx.Response(200, json=FOUND)))
    found = related([Arxiv(web(gone)), scholar], "rules")
    assert [work.title for work in found.works] == ["Tweets by Rules"]
    assert len(found.missing) == 1


def test_the_paper_itself_is_no_related_work_and_a_work_is_told_once() -> None:
    scholar = SemanticScholar(web(lambda request: httpx.Response(200, json=FOUND)))
    assert len(related([scholar, scholar], "rules").works) == 1
    assert related([scholar], "rules", leave_out="Tweets by rules").works == ()


def test_offline_the_team_s_papers_and_what_it_tried_are_found() -> None:
    library = MemoryLibrary()
    paper = read_pasted("Sentiment of tweets\n" + "Sentiment lexicons score the words of tweets. " * 8)
    library.add(paper, passages_of(paper))
    notes = [Note(title="Lexicon features", text="Sentiment lexicons help ridge."), Note(title="Swish", text="x")]
    works = TeamLiterature(library, lambda: notes).search("sentiment lexicons of tweets", 5)
    assert [(work.title, work.source) for work in works] == [
        ("Sentiment of tweets", "this team's papers"),
        ("Lexicon features", "tried here"),
    ]
