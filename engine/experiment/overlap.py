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
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from engine.experiment.split import held_back
from engine.experiment.task import Data

TELLING = 20  # characters of a text, or of a row's longer values, below which it could be anybody's
LONGER = 3  # characters: shorter values are in any table
WINDOW, DIFFERENT = 13, 7  # words in a row, and how many of them must differ
RECOGNISABLE = 0.9  # share of the held-out rows that must be, for "none was found" to say anything
DEEPEST = 64

_WORD = re.compile(r"\w+")


class HeldOut:
    """The inputs of a data set that any judgement is made on."""

    def __init__(self, data: Data) -> None:
        self.rows = 0
        self._texts: set[str] = set()
        self._windows: set[int] = set()
        self._by_value: dict[str, list[frozenset[str]]] = {}
        self._recognisable = 0
        if all(column.dtype == object for column in data.columns.values()):
            self._learn(data)

    @property
    def can_be_checked(self) -> bool:
        return self.rows > 0 and self._recognisable >= RECOGNISABLE * self.rows

    def holds(self, row: Sequence[Any]) -> bool:
        """Whether a row of something else, with whatever it holds inside, is or holds a held-out input."""
        cells = {cell for value in _flat(row) if (cell := _normal(value))}
        if not self._texts.isdisjoint(cells) or any(self._holds_words(cell) for cell in cells):
            return True
        return any(row <= cells for cell in cells & self._by_value.keys() for row in self._by_value[cell])

    def _holds_words(self, cell: str) -> bool:
        if len(cell) < TELLING or not self._windows:
            return False
        words = cell.split()
        windows = zip(*(words[start:] for start in range(WINDOW)), strict=False)
        return not self._windows.isdisjoint(map(hash, windows))

    def _learn(self, data: Data) -> None:
        wanted = held_back(data)
        rows = [frozenset(_normal(column[n]) for column in data.columns.values()) - {""} for n in wanted]
        self.rows = len(rows)
        often = Counter(cell for row in rows for cell in row)
        for row in rows:
            texts = {cell for cell in row if len(cell) >= TELLING}
            self._texts |= texts
            for text in texts:
                self._windows.update(_windows(text.split()))
            longer = [cell for cell in row if len(cell) >= LONGER]
            by_row = len(row) > 1 and sum(map(len, longer)) >= TELLING
            if by_row:
                self._by_value.setdefault(min(longer, key=lambda cell: (often[cell], cell)), []).append(row)
            self._recognisable += bool(texts) or by_row


def _windows(words: Sequence[str]) -> Iterator[int]:
    """One beside the other: whoever looks at every place finds any text of which 25 words in a row are the same."""
    for start in range(0, len(words) - WINDOW + 1, WINDOW):
        window = tuple(words[start : start + WINDOW])
        if len(set(window)) >= DIFFERENT:
            yield hash(window)


def _normal(value: Any) -> str:
    """Numbers to six digits, texts as their words in lower case; empty where there is nothing."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    number = value
    if isinstance(value, str) and len(value) <= 32:
        try:
            number = float(value)
        except ValueError:
            number = value
    if isinstance(number, int | float | Decimal):
        return f"{number:.6g}" if math.isfinite(number) else ""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", str(value)).casefold()))


def _flat(values: Iterable[Any], depth: int = 0) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict | list | tuple) and depth < DEEPEST:
            if isinstance(value, dict):
                yield from (name for name in value if isinstance(name, str))
            yield from _flat(value.values() if isinstance(value, dict) else value, depth + 1)
        else:
            yield value
