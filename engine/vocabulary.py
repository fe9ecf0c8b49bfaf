"""The words for kinds of components, and finding them in a text, typing errors forgiven."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.wording import Word, edits, forgiven, spelling
from sandbox.guest.components.kind import Kind

LONGEST = 4  # words in the name of a kind: "learning rate schedule", "weight initialization scheme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    kind: str
    start: int  # index of its first word
    end: int  # index after its last word
    typed: str
    meant: str | None  # None: typed without an error
    plural: bool


def mentions_of(words: Sequence[Word], kinds: Mapping[str, Kind]) -> tuple[Mention, ...]:
    """Every mention of a kind, in the order of the text; the longest name wins."""
    phrases = _phrases(kinds)
    joined = {_closed_up(phrase): phrase for phrase in phrases}
    found: list[Mention] = []
    position = 0
    while position < len(words):
        mention = _mention_at(words, position, phrases, joined)
        position = mention.end if mention else position + 1
        if mention:
            found.append(mention)
    return tuple(found)


def _phrases(kinds: Mapping[str, Kind]) -> dict[str, str]:
    """The kind by every name that it has, in one spelling."""
    phrases = {}
    for kind in kinds.values():
        for synonym in (kind.name, kind.name + "s", kind.title, kind.plural, *kind.synonyms):
            phrases[spelling(synonym)] = kind.name
            if not synonym.endswith("s"):
                phrases.setdefault(spelling(synonym) + "s", kind.name)
    return phrases


def _closed_up(phrase: str) -> str:
    """Non-linearity, non linearity and nonlinearity are one."""
    return phrase.replace(" ", "")


def _mention_at(
    words: Sequence[Word], start: int, phrases: Mapping[str, str], joined: Mapping[str, str]
) -> Mention | None:
    longest = start + 1
    while longest < min(len(words), start + LONGEST) and words[longest].before in ("", "-"):
        longest += 1
    for end in range(longest, start, -1):
        typed = words[start].text + "".join((word.before or " ") + word.text for word in words[start + 1 : end])
        right = joined.get(_closed_up(spelling(typed)))
        meant = right or _nearest(spelling(typed), phrases)
        if meant:
            return Mention(
                kind=phrases[meant],
                start=start,
                end=end,
                typed=typed,
                meant=None if right else meant,
                plural=meant.endswith("s") and not meant.endswith("ss"),
            )
    return None


def _nearest(typed: str, phrases: Mapping[str, str]) -> str | None:
    """The phrase that was probably meant. "Optimized" and "activating" are words, not errors."""
    parts = typed.split()
    if max(map(len, parts)) < 6 or any(re.search(r"\d|(?:ing|ed|ize|izes)$", part) for part in parts):
        return None
    errors = {phrase: _errors(parts, phrase.split()) for phrase in phrases}
    near = {phrase: number for phrase, number in errors.items() if number is not None}
    return min(near, key=lambda phrase: (near[phrase], phrase)) if near else None


def _errors(typed: Sequence[str], meant: Sequence[str]) -> int | None:
    if len(typed) != len(meant):
        return None
    total = 0
    for one, other in zip(typed, meant, strict=True):
        number = edits(one, other, forgiven(len(other)))
        if number is None or (number > 1 and one[0] != other[0]):
            return None
        total += number
    return total
