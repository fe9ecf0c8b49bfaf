"""A library that forgets: for one paper at a time and for tests, held to the contract of the one on a database."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from threading import RLock

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from engine.errors import UnknownThing
from engine.papers.library import Vector
from engine.papers.paper import Paper
from engine.papers.passages import Passage

# Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009): k1 in [1.2, 2], b = 0.75.
SATURATION, LENGTH_WEIGHT = 1.2, 0.75
_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(r"(?:ations?|ments?|ings?|edly|ed|es|ers?|ly|s)$")
SHORTEST_STEM = 4


def terms(text: str) -> list[str]:
    """Words in lower case with common English endings taken off; words that say nothing are left out."""
    words = (word.lower() for word in _WORD.findall(text))
    return [_stem(word) for word in words if word not in ENGLISH_STOP_WORDS]


def _stem(word: str) -> str:
    stem = _ENDING.sub("", word)
    return (stem if len(stem) >= SHORTEST_STEM else word).rstrip("e")


class MemoryLibrary:
    """Thread-safe: one lock around all of it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._papers: dict[str, Paper] = {}
        self._passages: dict[str, Passage] = {}
        self._terms: dict[str, Counter[str]] = {}
        self._vectors: dict[str, dict[str, Vector]] = {}

    def add(self, paper: Paper, passages: Sequence[Passage]) -> None:
        with self._lock:
            if paper.id in self._papers:
                return
            self._papers[paper.id] = paper
            for passage in passages:
                self._passages[passage.id] = passage
                self._terms[passage.id] = Counter(terms(passage.text))

    def papers(self) -> list[Paper]:
        with self._lock:
            return list(self._papers.values())

    def paper(self, paper_id: str) -> Paper:
        with self._lock:
            if paper_id not in self._papers:
                raise UnknownThing(f"No paper {paper_id!r} is in the library.")
            return self._papers[paper_id]

    def passages(self, papers: Sequence[str] | None = None) -> list[Passage]:
        with self._lock:
            return [one for one in self._passages.values() if papers is None or one.paper_id in papers]

    def by_words(self, query: str, count: int, papers: Sequence[str] | None = None) -> list[Passage]:
        found = self.passages(papers)
        with self._lock:
            scores = bm25(terms(query), [self._terms[one.id] for one in found])
        order = sorted(range(len(found)), key=lambda i: -scores[i])
        return [found[i] for i in order if scores[i] > 0][:count]

    def keep_vectors(self, model: str, vectors: Mapping[str, Vector]) -> None:
        with self._lock:
            missing = [passage_id for passage_id in vectors if passage_id not in self._passages]
            if missing:
                raise UnknownThing(f"No passage {missing[0]!r} is in the library.")
            self._vectors.setdefault(model, {}).update(vectors)

    def vectors(self, model: str, papers: Sequence[str] | None = None) -> dict[str, Vector]:
        with self._lock:
            kept = self._vectors.get(model, {})
            return {one.id: kept[one.id] for one in self.passages(papers) if one.id in kept}


def bm25(query: Iterable[str], documents: Sequence[Counter[str]]) -> list[float]:
    """One score a document, 0 where no word of the query is in it."""
    lengths = [sum(document.values()) for document in documents]
    average = sum(lengths) / max(1, len(lengths)) or 1.0
    scores = [0.0] * len(documents)
    for term in set(query):
        containing = [i for i, document in enumerate(documents) if term in document]
        rarity = math.log(1 + (len(documents) - len(containing) + 0.5) / (len(containing) + 0.5))
        for i in containing:
            times = documents[i][term]
            damped = times + SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * lengths[i] / average)
            scores[i] += rarity * times * (SATURATION + 1) / damped
    return scores
