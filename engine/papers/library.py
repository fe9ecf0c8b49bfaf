"""The team's papers: what is kept of them, and how their words are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.papers.paper import Paper
from engine.papers.passages import Passage

Vector = NDArray[np.float32]  # [d], of unit length


class Library(Protocol):
    """Thread-safe. Adding a paper twice is harmless: the same text has the same id, and what is there stays."""

    def add(self, paper: Paper, passages: Sequence[Passage]) -> None: ...

    def papers(self) -> list[Paper]:
        """In the order of adding."""
        ...

    def paper(self, paper_id: str) -> Paper:
        """Raises UnknownThing."""
        ...

    def passages(self, papers: Sequence[str] | None = None) -> list[Passage]:
        """Of these papers, or of all, in the order of adding."""
        ...

    def by_words(self, query: str, count: int, papers: Sequence[str] | None = None) -> list[Passage]:
        """Those that share words with the query, by their ending stemmed away, best first (BM25, or what the database
        has for it). Any text is a query: it has no syntax."""
        ...

    def keep_vectors(self, model: str, vectors: Mapping[str, Vector]) -> None:
        """By passage id. Raises UnknownThing for a passage that is not there; replaces what this model said before."""
        ...

    def vectors(self, model: str, papers: Sequence[str] | None = None) -> dict[str, Vector]:
        """By passage id; only those that this model has embedded."""
        ...
