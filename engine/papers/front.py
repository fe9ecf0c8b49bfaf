"""Title and authors from what page 1 shows: the PDF's own fields are mostly wrong or empty."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.papers.lines import Line

SEARCHED = 40  # lines from the top
LONGEST_TITLE = 300  # characters
MOST_AUTHORS = 60

_MASTHEAD = re.compile(
    r"^arxiv:|\b(?:journal|proceedings|transactions|conference|workshop|preprint|volume|vol\.|issn|doi|copyright|"
    r"published|research articles?|under review|technical report)\b",
    re.IGNORECASE,
)
_ENDS = re.compile(r"^(?:\d{1,2}\.?\s+|I\.\s+)?(?:abstract|summary|introduction|keywords?|motivation)\b", re.IGNORECASE)
_PLACE = re.compile(
    r"universit|institut|college|school|depart|laborator|academy|faculty|centre|center|research$|corporation|"
    r"\binc\b|\bltd\b|\bgmbh\b|hospital|ministry|google|microsoft|\beth\b|\bmit\b|@|http|www|\d{4,}",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[\d*†‡§¶∗⋆,\s]+$")
_BETWEEN = re.compile(r"\t|;|,|&|·|•|\band\b")
_GOES_ON = re.compile(r"(?:[:,-]|\b(?:a|an|the|of|for|in|on|and|with|to|by))$")
_PARTICLES = {"van", "der", "den", "de", "von", "la", "le", "di", "da", "del", "dos", "bin", "ibn", "ter", "ten", "el"}
_DATED = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    title: str
    authors: tuple[str, ...]
    lines: int  # how many lines of the page are title, authors and their addresses


def front_of(lines: Sequence[Line], body_size: float) -> Front:
    """What stands above the abstract or the first heading of page 1. `title` is empty when nothing can be one."""
    top = [line for line in lines[:SEARCHED] if line.page == lines[0].page]
    end = next((i for i, line in enumerate(top) if i and _ENDS.match(line.text)), None)
    start, stop = _title(top[:end] if end else top)
    if top[start].text.endswith(".") and top[start].size <= body_size:  # a page that begins with running text
        return Front(title="", authors=(), lines=0)
    title = " ".join(line.text for line in top[start:stop]).replace("\t", " ")[:LONGEST_TITLE]
    below = top[stop : end if end is not None else _body_start(top, stop, body_size)]
    return Front(title=" ".join(title.split()), authors=_authors(below), lines=stop + len(below))


def _title(top: Sequence[Line]) -> tuple[int, int]:
    """The range of lines in the largest type that is not the journal's own name."""
    runs: list[tuple[int, int]] = []
    for i, line in enumerate(top):
        if runs and line.size and abs(top[runs[-1][0]].size - line.size) < 0.6 and runs[-1][1] == i:
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    fitting = [run for run in runs if not _MASTHEAD.search(top[run[0]].text) and len(top[run[0]].text) > 3] or runs
    if not fitting:
        return 0, 0
    start, stop = max(fitting, key=lambda run: (top[run[0]].size, -run[0]))
    if not top[start].size:  # no sizes known: a title goes on after a word that cannot end it
        while stop < min(len(top), start + 3) and _GOES_ON.search(top[stop - 1].text):
            stop += 1
    return start, min(stop, start + 5)


def _body_start(top: Sequence[Line], start: int, body_size: float) -> int:
    """Where running text begins in a paper without an abstract's heading."""
    for i in range(start, len(top)):
        if len(top[i].text) > 60 and (not top[i].size or abs(top[i].size - body_size) < 1.1):
            return i
    return len(top)


def _authors(below: Sequence[Line]) -> tuple[str, ...]:
    found: list[str] = []
    style: tuple[float, bool] | None = None
    for line in below:
        if style is not None and line.size and (line.size, line.bold) != style:
            continue
        if _PLACE.search(line.text) or _DATED.search(line.text):
            continue
        names = [_name(part) for part in _BETWEEN.split(re.sub(r"^by\s+", "", line.text))]
        real = [name for name in names if name]
        if real and style is None:
            style = (line.size, line.bold)
        found += real
    return tuple(dict.fromkeys(found))[:MOST_AUTHORS]


def _name(text: str) -> str:
    """A person's name, or nothing."""
    name = _MARKS.sub("", text).strip(" .") + ("." if text.strip().endswith(" Jr.") else "")
    words = name.split()
    if not 2 <= len(words) <= 6 or _PLACE.search(name):
        return ""
    capital = [word for word in words if word[0].isupper()]
    fits = all(word[0].isupper() or word in _PARTICLES for word in words)
    letters = all(re.fullmatch(r"[^\W\d_][^\W\d_.'’-]*(?:[.'’-]+[^\W\d_]*)*", word) for word in words)
    return name if fits and letters and len(capital) >= 2 else ""
