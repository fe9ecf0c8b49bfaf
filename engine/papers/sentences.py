"""Splitting text into sentences. Papers are full of dots that end none: "et al.", "Fig. 3", "F. Leisch"."""

from __future__ import annotations

import re

_END = re.compile(r"[.!?][\"'”’)\]}]*(?=\s+[\"'“‘(\[]?[A-Z0-9])|\n")
_NO_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|c\.f|cf|et al|et\. al|vs|fig|figs|eq|eqs|sec|sect|tab|no|vol|pp|resp|approx|ref|refs|dr|mr|mrs|"
    r"ms|prof|st|jr|inc|ltd|dept|univ|proc|ed|eds|ca|chap|def|thm|al|w\.r\.t|i\.i\.d|a\.k\.a)"
    r"|\b[A-Z])\.$",
    re.IGNORECASE,
)
_MAY_END = re.compile(r"\b(?:al|etc|inc|ltd|ed)\.$", re.IGNORECASE)


def spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence starts and ends. A line break always ends one."""
    found, start = [], 0
    for end in _END.finditer(text):
        before = text[max(start, end.start() - 12) : end.start() + 1]
        if text[end.start()] == "." and _NO_END.search(before) and not _starts_anew(before, text[end.end() :]):
            continue
        found.append((start, end.end()))
        start = end.end()
    found.append((start, len(text)))
    return [(a, b) for a, b in found if text[a:b].strip()]


def split(text: str) -> list[str]:
    return [" ".join(text[a:b].split()) for a, b in spans(text)]


def _starts_anew(before: str, after: str) -> bool:
    """After "et al." a sentence ends only where a common opening word follows."""
    opening = re.match(r"\s+(?:We|The|This|These|In|It|Our|However|For|To|They|There|Here|Thus|Hence)\b", after)
    return bool(_MAY_END.search(before) and opening)
