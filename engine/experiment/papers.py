"""What the team's papers say, for whoever writes an experiment: passages with the page to cite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import PaperError
from engine.experiment.search import FOUND, PAPERS, Search
from engine.papers.retrieval import Retrieval


@dataclass(frozen=True, slots=True)
class PaperSearch:
    """Passages of papers beside what another search finds."""

    others: Search
    retrieval: Retrieval

    def find(self, what: str, query: str) -> Sequence[dict[str, Any]]:
        return self._passages(query) if what == PAPERS else self.others.find(what, query)

    def _passages(self, query: str) -> list[dict[str, Any]]:
        try:
            return self.retrieval.cited(query, FOUND)
        except PaperError as error:  # the embedding endpoint
            return [{"papers": f"they cannot be searched: {error}"}]
