"""Whether something that others published holds inputs which an experiment is judged on.

A label that is public somewhere must not enter the sandbox by way of a data set that is fetched. A held-out input is
recognised by its text, by 13 words of it in a row (the measure of contamination in Brown et al. 2020, "Language Models
are Few-Shot Learners", appendix C), or by the values of its row, whatever their order and columns are called. What is
worded otherwise, or computed from it, is not recognised.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from engine.experiment.split import held_back
from engine.experiment.task import Data

TELLING = 20  # characters of a text, or of a row's longer values, below which it could be anybody's
LONGER = 3  # characters: shorter values are in any table
WINDOW, DIFFERENT = 13, 7  # words in a row, and how many of them must differ
RECOGNISABLE = 0.9  # share of the held-out rows that must be, for "none was found" to say anything
DEEPEST = 64
SHORT = 32  # characters that a number can have

_WORD = re.compile(r"\w+")


class HeldOut:
    """The inputs of a data set that any judgement is made on."""

    def __init__(self, data: Data) -> None:
        self.rows = 0
        self._texts: set[str] = set()
        self._windows: dict[str, list[tuple[int, list[str]]]] = {}  # by their rarest word, with its place
        self._by_value: dict[str, list[frozenset[str]]] = {}  # by their rarest value
        self._recognisable = 0
        if all(column.dtype == object for column in data.columns.values()):
            self._learn(data)

    @property
    def can_be_checked(self) -> bool:
        return self.rows > 0 and self._recognisable >= RECOGNISABLE * self.rows

    def holds(self, row: Sequence[Any]) -> bool:
        """Whether a row of something else, with whatever it holds inside, is or holds a held-out input."""
        cells = set(map(_normal, _flat(row, [])))
        if not self._texts.isdisjoint(cells):
            return True
        if any(len(cell) >= TELLING and self._holds_words(cell.split()) for cell in cells):
            return True
        return any(row <= cells for cell in cells if cell in self._by_value for row in self._by_value[cell])

    def _holds_words(self, words: list[str]) -> bool:
        for place, word in enumerate(words):
            for before, window in self._windows.get(word, ()):
                start = place - before
                if start >= 0 and words[start] == window[0] and words[start : start + WINDOW] == window:
                    return True
        return False

    def _learn(self, data: Data) -> None:
        wanted = held_back(data)
        rows = [frozenset(_normal(column[n]) for column in data.columns.values()) - {""} for n in wanted]
        self.rows = len(rows)
        values = Counter(cell for row in rows for cell in row)
        words = Counter(word for row in rows for cell in row for word in cell.split())
        for row in rows:
            texts = {cell for cell in row if len(cell) >= TELLING}
            self._texts |= texts
            for text in texts:
                self._keep_windows(text.split(), words)
            longer = [cell for cell in row if len(cell) >= LONGER]
            by_row = len(row) > 1 and sum(map(len, longer)) >= TELLING
            if by_row:
                self._by_value.setdefault(min(longer, key=lambda cell: (values[cell], cell)), []).append(row)
            self._recognisable += bool(texts) or by_row

    def _keep_windows(self, words: Sequence[str], often: Mapping[str, int]) -> None:
        """One beside the other: of 25 words in a row that are the same, a whole window is always among them."""
        for start in range(0, len(words) - WINDOW + 1, WINDOW):
            window = list(words[start : start + WINDOW])
            if len(set(window)) >= DIFFERENT:
                place = min(range(WINDOW), key=lambda n: often[window[n]])
                self._windows.setdefault(window[place], []).append((place, window))


def _normal(value: Any) -> str:
    """Numbers to six digits, texts as their words in lower case; empty where there is nothing."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return _words(value) if isinstance(value, str) and len(value) > SHORT else _short(value)


@lru_cache(maxsize=1 << 17)
def _short(value: Any) -> str:
    if value is None:
        return ""
    number = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return _words(value)
    if isinstance(number, int | float | Decimal):
        return f"{number:.6g}" if math.isfinite(number) else ""
    return _words(str(value))


def _words(text: str) -> str:
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(plain))


def _flat(values: Iterable[Any], into: list[Any], depth: int = 0) -> list[Any]:
    """With the names and values inside of whatever holds others."""
    for value in values:
        if isinstance(value, dict | list | tuple) and depth < DEEPEST:
            if isinstance(value, dict):
                into += value
            _flat(value.values() if isinstance(value, dict) else value, into, depth + 1)
        else:
            into.append(value)
    return into
