"""The engine's library of papers in a database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine, bindparam, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from engine.errors import UnknownThing
from engine.papers.library import Vector
from engine.papers.paper import Paper
from engine.papers.passages import Passage
from storage.database import insert_once, is_missing_reference, reading, upsert, writing
from storage.paper_tables import PaperRow, PassageRow, VectorRow

MOST_WORDS = 64  # of a query

# FTS5's bm25() is lower for better passages. PostgreSQL has no BM25: ts_rank_cd counts how often and how near together
# the words stand; 1 divides it by the logarithm of the passage's length.
BY_WORDS = {
    "sqlite": """
        SELECT passages.id FROM passage_words JOIN passages ON passages.position = passage_words.rowid
        WHERE passage_words MATCH :query {among} ORDER BY bm25(passage_words), passages.position LIMIT :count""",
    "postgresql": """
        SELECT passages.id FROM passages, to_tsquery('english', :query) AS query
        WHERE to_tsvector('english', text) @@ query {among}
        ORDER BY ts_rank_cd(to_tsvector('english', text), query, 1) DESC, passages.position LIMIT :count""",
}


class SqlLibrary:
    """Thread-safe: each call is one transaction on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, paper: Paper, passages: Sequence[Passage]) -> None:
        with writing(self._engine) as session:
            if insert_once(session, PaperRow.of(paper), "id"):
                session.add_all([PassageRow.of(passage) for passage in passages])

    def papers(self) -> list[Paper]:
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(select(PaperRow).order_by(col(PaperRow.position)))]

    def paper(self, paper_id: str) -> Paper:
        with reading(self._engine) as session:
            row = session.exec(select(PaperRow).where(PaperRow.id == paper_id)).first()
        if row is None:
            raise UnknownThing(f"No paper {paper_id!r} is in the library.")
        return row.value()

    def passages(self, papers: Sequence[str] | None = None) -> list[Passage]:
        asked = select(PassageRow).order_by(col(PassageRow.position))
        if papers is not None:
            asked = asked.where(col(PassageRow.paper_id).in_(papers))
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(asked)]

    def by_words(self, query: str, count: int, papers: Sequence[str] | None = None) -> list[Passage]:
        words = list(dict.fromkeys(re.findall(r"[^\W_]+", query)))[:MOST_WORDS]
        if not words or (papers is not None and not papers):
            return []
        dialect = self._engine.dialect.name
        # In quotes nothing is an operator; on PostgreSQL words are letters and digits alone already.
        asked = " OR ".join(f'"{word}"' for word in words) if dialect == "sqlite" else " | ".join(words)
        values: dict[str, Any] = {"query": asked, "count": count}
        statement = text(BY_WORDS[dialect].format(among="" if papers is None else "AND passages.paper_id IN :papers"))
        if papers is not None:
            statement = statement.bindparams(bindparam("papers", expanding=True))
            values["papers"] = list(papers)
        with reading(self._engine) as session:
            ids = [row[0] for row in session.connection().execute(statement, values)]
            rows = session.exec(select(PassageRow).where(col(PassageRow.id).in_(ids)))
            found = {row.id: row.value() for row in rows}
        return [found[passage_id] for passage_id in ids]

    def keep_vectors(self, model: str, vectors: Mapping[str, Vector]) -> None:
        rows = [
            VectorRow(passage_id=passage_id, model=model, vector=np.asarray(vector, "<f4").tobytes())
            for passage_id, vector in vectors.items()
        ]
        try:
            with writing(self._engine) as session:
                upsert(session, rows, "passage_id", "model")
        except IntegrityError as error:
            if is_missing_reference(error):
                raise UnknownThing(
                    f"One of the passages {', '.join(list(vectors)[:3])} is not in the library."
                ) from error
            raise

    def vectors(self, model: str, papers: Sequence[str] | None = None) -> dict[str, Vector]:
        asked = (
            select(VectorRow)
            .join(PassageRow, col(PassageRow.id) == VectorRow.passage_id)
            .where(VectorRow.model == model)
            .order_by(col(PassageRow.position))
        )
        if papers is not None:
            asked = asked.where(col(PassageRow.paper_id).in_(papers))
        with reading(self._engine) as session:
            return {row.passage_id: np.frombuffer(row.vector, "<f4").astype(np.float32) for row in session.exec(asked)}
