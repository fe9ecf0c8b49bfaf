"""Whether the numbers in a text are numbers that somebody measured.

A number that is in no result is flagged. That a number exists does not make a sentence true: whoever reads sees beside
each claim what it rests on. Not looked at: numbers spelled as words, years, numbers of figures, pages and list items,
digits inside a name (F1, ICWSM-14, `code`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NUMBER = re.compile(
    r"(?:(?<![\w.)\]%])(?P<sign>[-−+]))?(?<![\w.])(?<!\w[-/])"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?P<power>[eE][-+]?\d+)?"
    r"(?P<unit>\s?%|\s?percent\b|\s?per cent\b|[x×sk](?!\w))?(?![\w])(?!\.\d)"
)
_PLACE = re.compile(
    r"(?:\b(?:figures?|fig\.|tables?|sections?|sec\.|pages?|pp?\.|equations?|eq\.|steps?|appendix|chapters?|versions?|python)|§)"
    r"\s*$",
    re.I,
)
_LIST_ITEM = re.compile(r"^\s*(?:[#>*-]+\s*)?$")
_CODE = re.compile(r"```.*?```|`[^`\n]*`|https?://\S+|\barXiv:?\s*\d{4}\.\d{4,5}(?:v\d+)?", re.S | re.I)
_SENTENCE = re.compile(r"[.!?](?=\s)|\n")
PER_CENT = ("%", "percent", "per cent")
YEARS = range(1900, 2100)
SMALL = 10  # whole numbers below it must be exact: rounding would let a 1 stand for any 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A number in a text. source: the name of the nearest result that it can be a rounding of; None: unsupported."""

    text: str  # as it is written
    sentence: str
    start: int  # where in the text
    source: str | None


def check_claims(text: str, numbers: Mapping[str, float]) -> tuple[Claim, ...]:
    """Every number in the text, in order, with what it rests on.

    A written number rests on a result that rounds to it at the written decimals; per cent is a hundredth; a sign that
    is not written may have gone into the words ("fell by 0.03").
    """
    seen = _CODE.sub(lambda found: " " * len(found[0]), text)
    claims = []
    for found in _NUMBER.finditer(seen):
        if not _counts_nothing(found, seen):
            sentence = _sentence_around(text, found.start())
            source = _source(found, numbers)
            claims.append(Claim(text=found[0].strip(), sentence=sentence, start=found.start(), source=source))
    return tuple(claims)


def unsupported(text: str, numbers: Mapping[str, float]) -> tuple[Claim, ...]:
    return tuple(claim for claim in check_claims(text, numbers) if claim.source is None)


def numbers_in(text: str) -> tuple[float, ...]:
    """Every number that a text states, per cent as hundredths."""
    return tuple(
        float(found["digits"].replace(",", "")) * 10.0 ** int((found["power"] or "e0")[1:]) * _unit(found)
        for found in _NUMBER.finditer(text)
    )


def _unit(found: re.Match[str]) -> float:
    return 0.01 if (found["unit"] or "").strip() in PER_CENT else 1.0


def _counts_nothing(found: re.Match[str], text: str) -> bool:
    line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
    after = text[found.end() : found.end() + 2]
    whole = found["digits"].isdigit() and not found["unit"] and not found["power"]
    if whole and len(found["digits"]) == 4 and int(found["digits"]) in YEARS:
        return True
    if whole and _LIST_ITEM.match(line) and after[:1] in (".", ")") and after[1:] in (" ", ""):
        return True
    return whole and bool(_PLACE.search(line))


def _sentence_around(text: str, place: int) -> str:
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    start = max((end for end in ends if end <= place), default=0)
    stop = min((end for end in ends if end > place), default=len(text))
    return text[start:stop].strip()


def _source(found: re.Match[str], numbers: Mapping[str, float]) -> str | None:
    digits, power = found["digits"].replace(",", ""), int((found["power"] or "e0")[1:])
    written = float(digits) * 10.0**power * (-1 if found["sign"] in ("-", "−") else 1)
    decimals = len(digits.partition(".")[2]) - power
    scales = (100.0, 1.0) if (found["unit"] or "").strip() in PER_CENT else (1.0,)
    exact = "." not in digits and not power and abs(written) < SMALL and scales == (1.0,)
    nearest: tuple[float, str] | None = None
    for name, value in numbers.items():
        for scale in scales:
            result = value * scale if found["sign"] else abs(value * scale)
            away = abs(result - written)
            allowed = 0.0 if exact else 0.5 * 10.0**-decimals
            if away <= allowed + 1e-9 * max(1.0, abs(result)) and (nearest is None or away < nearest[0]):
                nearest = (away, name)
    return nearest[1] if nearest else None
