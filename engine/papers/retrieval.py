"""Finding passages by words and by meaning, fused by rank; by words alone where nothing embeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.papers.embedding import Embedder
from engine.papers.library import Library
from engine.papers.paper import Paper
from engine.papers.passages import Passage, passages_of

# Cormack, Clarke and Buettcher, Reciprocal Rank Fusion outperforms Condorcet (SIGIR 2009).
RANK_OFFSET = 60
DEPTH = 50  # how far down each ranking is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    passage: Passage
    score: float  # of the fusion: only its order means anything
    ways: tuple[str, ...]  # "words", "meaning": what found it


class Retrieval:
    """Thread-safe as its library is. Raises what its embedder raises (PaperError)."""

    def __init__(self, library: Library, embedder: Embedder | None = None) -> None:
        self.library = library
        self.embedder = embedder

    def add(self, paper: Paper) -> None:
        """Adding twice is harmless; a paper that was added before there was an embedder is embedded now."""
        self.library.add(paper, passages_of(paper))
        if self.embedder is None:
            return
        kept = self.library.vectors(self.embedder.name, [paper.id])
        missing = [one for one in self.library.passages([paper.id]) if one.id not in kept]
        if missing:
            embedded = self.embedder.embed([one.text for one in missing])
            vectors = dict(zip((one.id for one in missing), embedded, strict=True))
            self.library.keep_vectors(self.embedder.name, vectors)

    def search(self, query: str, count: int = 5, papers: Sequence[str] | None = None) -> list[Found]:
        """The best passages of these papers, or of all, best first."""
        rankings = {"words": self.library.by_words(query, DEPTH, papers)}
        if self.embedder is not None:
            rankings["meaning"] = self.by_meaning(query, DEPTH, papers)
        return fused(rankings)[:count]

    def cited(self, query: str, count: int = 5) -> list[dict[str, Any]]:
        """The best passages of all papers, for a prompt: each with the paper and the page to cite."""
        found = [one.passage for one in self.search(query, count)]
        titles = {one.paper_id: self.library.paper(one.paper_id).name for one in found}
        return [{"paper": titles[one.paper_id], "page": one.page, "text": one.text} for one in found]

    def by_meaning(self, query: str, count: int, papers: Sequence[str] | None = None) -> list[Passage]:
        """By the cosine of embeddings; none without an embedder."""
        if self.embedder is None:
            return []
        kept = self.library.vectors(self.embedder.name, papers)
        if not kept:
            return []
        closeness = np.stack(list(kept.values())) @ self.embedder.embed([query])[0]
        best = [list(kept)[i] for i in np.argsort(-closeness, kind="stable")[:count]]
        by_id = {one.id: one for one in self.library.passages(papers)}
        return [by_id[passage_id] for passage_id in best]


def fused(rankings: dict[str, list[Passage]]) -> list[Found]:
    """Reciprocal rank fusion: the sum over rankings of 1 / (60 + place)."""
    scores: dict[str, float] = {}
    ways: dict[str, list[str]] = {}
    passages: dict[str, Passage] = {}
    for way, ranking in rankings.items():
        for place, passage in enumerate(ranking, start=1):
            passages[passage.id] = passage
            scores[passage.id] = scores.get(passage.id, 0.0) + 1 / (RANK_OFFSET + place)
            ways.setdefault(passage.id, []).append(way)
    order = sorted(scores, key=lambda passage_id: -scores[passage_id])
    return [Found(passage=passages[one], score=scores[one], ways=tuple(ways[one])) for one in order]
