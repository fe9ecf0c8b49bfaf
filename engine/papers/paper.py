"""A paper as the rest of the engine sees it: sentences that know their page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    text: str
    page: int  # from 1; where it begins
    section: str = ""  # the heading above it, without its number; empty before the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    id: str  # made from the text: the same paper read twice has the same id
    title: str
    authors: tuple[str, ...]  # empty when page 1 does not show them in a form that is understood
    abstract: str
    pages: int
    sentences: tuple[Sentence, ...]  # the body, title and references left out
    references: tuple[str, ...]
    source: str  # "vader.pdf", "arXiv 2408.14033", "pasted text"

    @property
    def name(self) -> str:
        return self.title or self.source

    @property
    def sections(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sentence.section for sentence in self.sentences if sentence.section))
