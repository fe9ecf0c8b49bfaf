"""Related work: what others published, and what this team has read and tried itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol

from engine.errors import PaperError
from engine.llm.prompt import title_key
from engine.papers.library import Library
from engine.papers.shelf import bm25, terms
from engine.papers.web import Web

SEMANTIC_SCHOLAR_URL = "https://api.semanticscholar.org"
PAUSE_SECONDS = 1.0  # one request a second: https://www.semanticscholar.org/product/api
A_WEEK = 7.0  # days that a search is kept
FIELDS = "title,authors,year,abstract,url"
DEPTH = 40  # passages that a search of the team's own papers reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    title: str
    authors: tuple[str, ...]
    year: int | None
    url: str  # empty for the team's own
    abstract: str  # empty: not known
    source: str  # "Semantic Scholar", "arXiv", "this team's papers", "tried here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that the team tried or found out: a past hypothesis, a finding, the outcome of an experiment."""

    title: str
    text: str
    source: str = "tried here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    works: tuple[Work, ...]
    missing: tuple[str, ...]  # one sentence for each source that could not be asked


class Literature(Protocol):
    """Somewhere to look for related work. Thread-safe."""

    @property
    def name(self) -> str: ...

    def search(self, query: str, count: int) -> tuple[Work, ...]:
        """Best first; any text is a query. Raises PaperError when it cannot be asked."""
        ...


class SemanticScholar:
    """The Academic Graph (https://api.semanticscholar.org/api-docs/graph)."""

    name = "Semantic Scholar"

    def __init__(self, web: Web) -> None:
        self._web = web

    def search(self, query: str, count: int) -> tuple[Work, ...]:
        if not query.strip():
            return ()
        params = {"query": " ".join(query.split())[:300], "limit": str(count), "fields": FIELDS}
        body = self._web.get("graph/v1/paper/search", params, days=A_WEEK)
        try:
            found = json.loads(body).get("data") or []
            return tuple(_work(item) for item in found if item.get("title"))
        except (ValueError, AttributeError, TypeError) as error:
            raise PaperError(
                "Semantic Scholar answered what is not its format: check CONJECTURE_SEMANTIC_SCHOLAR_URL."
            ) from error


def _work(item: Mapping[str, Any]) -> Work:
    year = item.get("year")
    return Work(
        title=" ".join(str(item["title"]).split()),
        authors=tuple(str(author["name"]) for author in item.get("authors") or () if author.get("name")),
        year=year if isinstance(year, int) else None,
        url=str(item.get("url") or ""),
        abstract=" ".join(str(item.get("abstract") or "").split()),
        source="Semantic Scholar",
    )


class TeamLiterature:
    """The team's own papers, and what it has tried: needs no network. `notes` is asked at every search."""

    name = "this team's own papers and results"

    def __init__(self, library: Library, notes: Callable[[], Sequence[Note]] = tuple) -> None:
        self._library = library
        self._notes = notes

    def search(self, query: str, count: int) -> tuple[Work, ...]:
        """Papers by their best passages; then notes that share at least two words with the query."""
        papers = {paper.id: paper for paper in self._library.papers()}
        read = dict.fromkeys(passage.paper_id for passage in self._library.by_words(query, DEPTH))
        works = [
            Work(
                title=papers[one].name,
                authors=papers[one].authors,
                year=None,
                url="",
                abstract=papers[one].abstract,
                source="this team's papers",
            )
            for one in read
        ]
        return tuple(one for pair in zip_longest(works, self._tried(query)) for one in pair if one)[:count]

    def _tried(self, query: str) -> list[Work]:
        notes = self._notes()
        documents = [Counter(terms(f"{note.title} {note.text}")) for note in notes]
        asked = set(terms(query))
        scores = bm25(asked, documents)
        fitting = [i for i, document in enumerate(documents) if len(asked & set(document)) > 1]
        return [
            Work(title=notes[i].title, authors=(), year=None, url="", abstract=notes[i].text, source=notes[i].source)
            for i in sorted(fitting, key=lambda i: -scores[i])
        ]


def related(literatures: Sequence[Literature], query: str, count: int = 8, leave_out: str = "") -> Related:
    """The best of every source in turns, each work once. A source that cannot be asked costs one sentence, no more."""
    found: list[tuple[Work, ...]] = []
    missing: list[str] = []
    for literature in literatures:
        try:
            found.append(literature.search(query, count))
        except PaperError as error:
            missing.append(str(error))
    works: dict[str, Work] = {}
    for work in (one for turn in zip_longest(*found) for one in turn if one):
        works.setdefault(title_key(work.title), work)
    works.pop(title_key(leave_out), None)
    return Related(works=tuple(works.values())[:count], missing=tuple(missing))
