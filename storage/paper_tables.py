"""The rows of papers and their passages. Private to storage (see tables.py)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.papers.paper import Paper, Sentence
from engine.papers.passages import Passage
from storage.columns import Json, Words
from storage.tables import counted


class PaperRow(SQLModel, table=True):
    __tablename__ = "papers"

    position: int | None = counted()
    id: str = Field(unique=True)
    title: str = Field(sa_type=Words)
    authors: list[str] = Field(sa_type=Json)
    abstract: str = Field(sa_type=Words)
    pages: int
    sentences: list[list[Any]] = Field(sa_type=Json)  # page, section, text
    references: list[str] = Field(sa_type=Json)
    source: str = Field(sa_type=Words)

    @classmethod
    def of(cls, paper: Paper) -> PaperRow:
        plain = {name: getattr(paper, name) for name in ("id", "title", "abstract", "pages", "source")}
        lists = {"authors": list(paper.authors), "references": list(paper.references)}
        return cls(**plain | lists, sentences=[[one.page, one.section, one.text] for one in paper.sentences])

    def value(self) -> Paper:
        plain = {name: getattr(self, name) for name in ("id", "title", "abstract", "pages", "source")}
        sentences = tuple(Sentence(page=page, section=section, text=text) for page, section, text in self.sentences)
        tuples = {"authors": tuple(self.authors), "references": tuple(self.references)}
        return Paper(**plain | tuples, sentences=sentences)


class PassageRow(SQLModel, table=True):
    """Its words are indexed by migration 0007: FTS5 on SQLite, a GIN index on PostgreSQL."""

    __tablename__ = "passages"
    __table_args__ = (UniqueConstraint("paper_id", "number"),)

    position: int | None = counted()
    id: str = Field(unique=True)
    paper_id: str = Field(foreign_key="papers.id")
    number: int
    page: int
    section: str = Field(sa_type=Words)
    text: str = Field(sa_type=Words)

    @classmethod
    def of(cls, passage: Passage) -> PassageRow:
        return cls(**{name: getattr(passage, name) for name in Passage.__slots__})

    def value(self) -> Passage:
        return Passage(**{name: getattr(self, name) for name in Passage.__slots__})


class VectorRow(SQLModel, table=True):
    __tablename__ = "passage_vectors"
    __table_args__ = (UniqueConstraint("passage_id", "model"),)

    position: int | None = counted()
    passage_id: str = Field(foreign_key="passages.id")
    model: str
    vector: bytes  # float32, little-endian
