"""Lines of pages as they were printed, made fit for reading: hyphens, ligatures, accents, running heads."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

HYPHEN = "\x02"  # where a line was broken within a word
EDGE = 2  # lines at the top and bottom of a page that may be a running head
REPEATED = 3  # pages that show the same line there

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xFFFD])
# TeX's older fonts print an accent before its letter: Sch¨olkopf.
_ACCENTS = {"¨": "\u0308", "´": "\u0301", "`": "\u0300", "ˆ": "\u0302", "˜": "\u0303", "ˇ": "\u030c", "˚": "\u030a"}
_ACCENTED = re.compile(f"(?<=[A-Za-z])([{''.join(_ACCENTS)}]) ?([aeiouyncszAEIOUYNCSZ])(?=[a-z])")
_BROKEN = re.compile(rf"([\w'’-]*){HYPHEN}\s*([\w'’-]*)")
_VISIBLE_HYPHEN = re.compile(r"(?<=[a-z])-$")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_NUMBER_ONLY = re.compile(r"[\divxlcIVXLC\s.·|-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    text: str
    page: int  # from 1
    size: float = 0.0  # points; 0: not known
    bold: bool = False


def cleaned(pages: Sequence[Sequence[Line]]) -> list[Line]:
    """All lines of the body in reading order, without running heads and page numbers, words mended."""
    kept = [line for page in _without_heads(pages) for line in page if not _NUMBER_ONLY.fullmatch(line.text)]
    kept = [replace(line, text=_VISIBLE_HYPHEN.sub(HYPHEN, line.text)) for line in kept]
    vocabulary = Counter(word.lower() for line in kept for word in _WORD.findall(_BROKEN.sub(" ", line.text)))
    return [replace(line, text=mended(line.text, vocabulary)) for line in _joined(kept)]


def mended(text: str, vocabulary: Counter[str]) -> str:
    text = text.translate(_LIGATURES | _INVISIBLE)
    text = _ACCENTED.sub(lambda m: unicodedata.normalize("NFC", m[2] + _ACCENTS[m[1]]), text)
    return _BROKEN.sub(lambda m: _unbroken(m[1], m[2], vocabulary) if m[2] else m[0], text)


def _unbroken(left: str, right: str, vocabulary: Counter[str]) -> str:
    """The word that was broken: with its hyphen where the paper never writes it without and knows both halves."""
    known = vocabulary[(left + right).lower()]
    halves = vocabulary[left.lower()] and vocabulary[right.lower()]
    compound = "-" in left or vocabulary[f"{left}-{right}".lower()] or (halves and min(len(left), len(right)) > 2)
    named = bool(right[:1].isupper() and left[:1].isalpha())
    return f"{left}-{right}" if not known and (compound or named) else left + right


def _joined(lines: Sequence[Line]) -> list[Line]:
    """A line that ends within a word takes the next one in, so that a heading is never half of one."""
    joined: list[Line] = []
    for line in lines:
        if joined and joined[-1].text.endswith(HYPHEN) and joined[-1].size == line.size:
            joined[-1] = replace(joined[-1], text=joined[-1].text + line.text)
        else:
            joined.append(line)
    return joined


def _without_heads(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    shown = Counter(key for page in pages for key in {_key(line) for line in _edges(page)})
    running = {key for key, count in shown.items() if count >= REPEATED and key[0]}
    kept = []
    for page in pages:
        edges = {id(line) for line in _edges(page)}
        kept.append([line for line in page if not (id(line) in edges and _key(line) in running)])
    return kept


def _edges(page: Sequence[Line]) -> list[Line]:
    return [*page[:EDGE], *page[max(EDGE, len(page) - EDGE) :]]


def _key(line: Line) -> tuple[str, float]:
    """With its size, since many journals repeat the title, which on page 1 is printed larger."""
    return " ".join(re.sub(r"\d+", " ", line.text).lower().split()), line.size
