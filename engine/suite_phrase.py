"""Where a message says on what to measure: "on the standard suite", "on our ranker", "for our click ranker model"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.sentence import word_set
from engine.suite import SUITES

_BEFORE = r"(?:on|with|using|in|at|by|against|use|measured on|tested on)"
_OURS = r"(?:the |our |my )"
_MODEL = r"(?: (?:model|suite|net|network))"
_BUILT_IN = re.compile(
    rf"[,;]?\s*\b(?:{_BEFORE} )?{_OURS}?"
    r"(?:(?P<name>screen|standard|full)(?:ing)? (?:suite|evaluation|benchmark)"
    r"|suite[:= ]+(?P<other>screen|standard|full))\b",
    re.IGNORECASE,
)
# A name that nobody registered is told only where nothing but a model can be meant.
_UNKNOWN = re.compile(
    rf"\b(?:(?:on|using|against) (?:our|my) (?P<our>[a-z][\w-]*)(?:{_MODEL}|(?=\s*(?:$|[.,;!?])))"
    rf"|(?:on|for|with|using|against|in) {_OURS}?(?P<suite>[a-z][\w-]*) suite\b"
    r"|suite[:=] ?(?P<other>[a-z][\w-]*))",
    re.IGNORECASE,
)
_PLACES = word_set(
    "data dataset datasets side own gpu gpus cpu machine machines cluster laptop server hardware computer problem task "
    "tasks problems benchmark benchmarks case team behalf budget usual default same test tests small best"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePhrase:
    """`name`: the suite that is named; empty: none is. `unknown`: a name that nothing has, as written."""

    rest: str  # the message without the phrase
    name: str = ""
    unknown: str = ""
    near: str = ""  # a known name that may be meant by `unknown`


def suite_phrase(text: str, own: Sequence[str]) -> SuitePhrase:
    """`own`: the names of the teams' models."""
    found = _BUILT_IN.search(text)
    if found:
        return SuitePhrase(rest=_without(text, found), name=(found["name"] or found["other"]).lower())
    for name in sorted(own, key=len, reverse=True):
        found = _of(name).search(text)
        if found:
            return SuitePhrase(rest=_without(text, found), name=name)
    found = _UNKNOWN.search(text)
    word = next(filter(None, found.groups()), "").lower() if found else ""
    if not found or word in _PLACES:
        return SuitePhrase(rest=text)
    near = difflib.get_close_matches(word, [*own, *SUITES], n=1, cutoff=0.7)
    return SuitePhrase(rest=_without(text, found), unknown=word, near=near[0] if near else "")


def _of(name: str) -> re.Pattern[str]:
    """ "on ranker", "on our click ranker model", "for our ranker"; not "for ranker of images", which is a purpose."""
    spoken = re.sub(r"\\?[-_]", "[-_ ]", re.escape(name))
    phrases = (
        rf"{_BEFORE} {_OURS}?{spoken}{_MODEL}?",
        rf"for {_OURS}{spoken}{_MODEL}?",
        rf"(?:for )?{spoken}{_MODEL}",
        rf"for {spoken}(?=\s*(?:$|[.,;!?]))",
        rf"suite[:= ]+{spoken}",
    )
    return re.compile(rf"[,;]?\s*\b(?:{'|'.join(phrases)})(?![\w-])", re.IGNORECASE)


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}".strip(" ,;")
