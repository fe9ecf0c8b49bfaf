"""Words as people type them in Slack: without markup, numbers read, spelling forgiven."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

DEFAULT_COUNT = 8  # "some", "a bunch of", or no number at all
LONGEST = 2_000  # characters of a message that are read
HUGE = 10**15  # numbers beyond are all the same to us

_LINK = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_QUOTED_REST = re.compile(r"^[ \t]*>>>", re.MULTILINE)
_EMOJI = re.compile(r":(?=[\w+'-]*[a-z+])[\w+'-]+:(?::skin-tone-\d:)?", re.IGNORECASE)
_MARKUP = re.compile(r"[*`~\u200b-\u200f\ufeff]|(?<!\w)_+|_+(?!\w)")
_BOT = re.compile(r"\A\W*(?:(?:hey|hi|hello|ok|okay|dear)\W+)?[@/]?conjecture\b[\s,:;!.-]*", re.IGNORECASE)
_WORD = re.compile(
    r"[^\W\d_]++(?:'[^\W\d_]+)*+(?![\d_])"
    r"|(?<![\w.,])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)"
    r"|\w+"
)

_UNITS = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
)
_TENS = re.findall(r"\w+", "zero ten twenty thirty forty fifty sixty seventy eighty ninety")
_VAGUE = {"couple": 2, "few": 3, "handful": 5, "several": 5}
_VAGUE |= dict.fromkeys(("some", "bunch", "many", "lots"), DEFAULT_COUNT)
_LONGEST_NUMBER = 5  # "two hundred and forty five"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    text: str  # as written
    low: str
    start: int  # in the cleaned text
    end: int
    before: str  # punctuation between the previous word and this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    value: float
    start: int  # index of its first word
    end: int  # index after its last word


def cleaned(text: str) -> str:
    """What a person typed now: without mentions, markup, emoji, code blocks, quoted text and the bot's name."""
    text = _LINK.sub(_label, text[: 2 * LONGEST])
    text = unicodedata.normalize("NFKC", html.unescape(text)).replace("’", "'").replace("−", "-")
    text = _BLOCK.sub(" ", text)
    text = _QUOTED_REST.split(text, maxsplit=1)[0]
    text = _MARKUP.sub("", _EMOJI.sub(" ", _QUOTED.sub(" ", text)))
    text = " ".join(text.split())
    return _BOT.sub("", text)[:LONGEST].strip()


def _label(found: re.Match[str]) -> str:
    target, label = found[1], found[2]
    if target.startswith(("@", "!", "#")):
        return " "
    return f" {label or ''} " if re.match(r"(?:https?|mailto|tel):", target) else found[0]


def words_of(text: str) -> tuple[Word, ...]:
    """The words and numbers of a cleaned text."""
    found: list[Word] = []
    for match in _WORD.finditer(text):
        before = text[found[-1].end if found else 0 : match.start()].strip()
        found.append(
            Word(text=match[0], low=match[0].lower(), start=match.start(), end=match.end(), before=before),
        )
    return tuple(found)


def numbers_of(words: Sequence[Word]) -> tuple[Number, ...]:
    """Numbers in digits and in words, and "a dozen", "a few", ... in the order of the text."""
    found: list[Number] = []
    position = 0
    while position < len(words):
        number = _number_at(words, position)
        position = number.end if number else position + 1
        if number:
            found.append(number)
    return tuple(found)


def _number_at(words: Sequence[Word], start: int) -> Number | None:
    lows = [word.low for word in words[start : start + _LONGEST_NUMBER]]
    digits = _digits(lows[0])
    if digits is not None:
        scale = {"dozen": 12, "hundred": 100, "thousand": 1000}.get(lows[1] if len(lows) > 1 else "", 1)
        return Number(value=min(digits * scale, HUGE), start=start, end=start + (2 if scale > 1 else 1))
    for length in range(len(lows), 0, -1):
        value = _spelled().get(" ".join(lows[:length]))
        if value is not None:
            return Number(value=value, start=start, end=start + length)
    return None


@cache
def _spelled() -> dict[str, int]:
    """Every number up to 999 in words, round ones beyond, and the vague ones."""
    below = dict(enumerate(_UNITS))
    for tens in range(2, 10):
        below |= {10 * tens + unit: f"{_TENS[tens]} {_UNITS[unit]}" for unit in range(1, 10)} | {10 * tens: _TENS[tens]}
    spelled = {word: value for value, word in below.items()}
    for hundreds in range(1, 10):
        name = f"{_UNITS[hundreds]} hundred"
        for rest, word in below.items():
            said = (f"{name} {word}", f"{name} and {word}") if rest else (name,)
            spelled |= dict.fromkeys(said, 100 * hundreds + rest)
    spelled |= {f"{word} dozen": 12 * value for value, word in below.items()}
    spelled |= {f"{word} thousand": 1000 * value for value, word in below.items()}
    spelled |= {"dozen": 12, "hundred": 100, "thousand": 1000, "half dozen": 6, "half a dozen": 6} | _VAGUE
    return spelled | {f"a {word}": spelled[word] for word in ("dozen", "hundred", "thousand", "half dozen", *_VAGUE)}


def _digits(low: str) -> float | None:
    match = re.fullmatch(r"([-+]?)x?(\d[\d,]*(?:\.\d+)?)(k|x)?", low)
    if match is None:
        return None
    plain = match[2].replace(",", "")
    value = float(plain) * (1000 if match[3] == "k" else 1) if len(plain) <= 15 else float(HUGE)
    return -value if match[1] == "-" else value


def spelling(phrase: str) -> str:
    """One spelling of a phrase for comparing: lower case, American, without hyphens."""
    phrase = re.sub(r"[\s_-]+", " ", phrase.lower()).strip()
    return re.sub(r"is(e|er|ers|es|ed|ing|ation|ations)\b", r"iz\1", phrase)


def forgiven(length: int) -> int:
    """How many typing errors a word of this length may have and still be recognised."""
    return 2 if length >= 9 else 1 if length >= 6 else 0


def edits(one: str, other: str, most: int) -> int | None:
    """Typing errors between two words, None when there are more than `most`.

    Letters left out, added, changed, or two neighbours swapped (the optimal string alignment distance).
    """
    if abs(len(one) - len(other)) > most or (Counter(one) - Counter(other)).total() > most:
        return None
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                least = min(least, last[j - 2] + 1)
            row.append(least)
    return row[-1] if row[-1] <= most else None
