"""Passages: pieces of a paper, small enough to be quoted and long enough to be found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.papers.paper import Paper, Sentence

WORDS = 120  # a passage is closed once it has as many; benchmarks/retrieval.py tries others
LONGEST = 3_000  # characters; a table that was read as one sentence is cut here


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    id: str  # paper id, "/", number
    paper_id: str
    number: int  # from 1, in the order of the paper
    page: int  # where it begins
    section: str
    text: str


def passages_of(paper: Paper, words: int = WORDS) -> tuple[Passage, ...]:
    """Whole sentences of one section each. The title goes with the first, since nothing else may name the subject."""
    made = []
    for number, group in enumerate(_groups(paper.sentences, words), start=1):
        text = " ".join(sentence.text for sentence in group)
        made.append(
            Passage(
                id=f"{paper.id}/{number}",
                paper_id=paper.id,
                number=number,
                page=group[0].page,
                section=group[0].section,
                text=(f"{paper.title}. {text}" if number == 1 and paper.title else text)[:LONGEST],
            )
        )
    return tuple(made)


def _groups(sentences: Sequence[Sentence], words: int) -> Iterator[list[Sentence]]:
    group: list[Sentence] = []
    for sentence in sentences:
        full = sum(len(one.text.split()) for one in group) >= words
        if group and (full or sentence.section != group[-1].section):
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group
