"""Questions about the past: whether something was tried, and why something came out where it did."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.understanding import HaveWeTried, WhyRanked
from engine.vocabulary import mentions_of
from engine.wording import words_of
from sandbox.guest.components.kind import Kind

_WHO = r"(?:we|you|i|anyone|anybody|somebody|someone|people)"
_DID = r"(?:tried|try|tested|test|measured|measure|evaluated|evaluate|looked at|look at|seen|see|proposed|propose|had)"
_TRIED = re.compile(
    rf"(?:hey |hi |please |so |and |but )*(?:(?:have|has|did|had) {_WHO} (?:ever |already |yet |once |before )*{_DID}|"
    rf"(?:do|did|have) {_WHO} (?:already |ever )?(?:have|know|know of|got)|is there(?: already)?|"
    rf"(?:has|was|were|have) (?=.+ (?:been |ever |already )+{_DID}\b))\b[\s:,]*(?P<what>.*)",
    re.IGNORECASE | re.DOTALL,
)
_TRAILING = re.compile(
    rf"[\s,]*(?:(?:been |ever |already )+{_DID}|yet|before|already|so far|here|in the past|[?!.])+\s*$", re.IGNORECASE
)
_KNOWING = re.compile(
    r"(?:do|did|have|is)\b.*?\b(?:anything|something|one|any) (?:like|similar|close)\b", re.IGNORECASE
)
_LIKE = re.compile(r"^(?:anything|something|one|any) (?:like|similar to|close to)\s+", re.IGNORECASE)
_WHY = re.compile(
    r"(?:so |and |but |hey )*(?:why|how come)\b.{0,24}?(?<!\w)(?:#|no\.? ?|number |place |rank |nr\.? ?)?"
    r"(?P<place>[1-9]\d{0,2})(?:st|nd|rd|th)?=?(?!\w|\.\d)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_PLACED = re.compile(r"\b(?:rank\w*|place\w*|there|position\w*|score\w*|order\w*|above|below|so|first|last)\b", re.I)


def question(typed: str, kinds: Mapping[str, Kind]) -> HaveWeTried | WhyRanked | None:
    """None: it is neither. `typed` is without mentions and markup."""
    named = next((mention.kind for mention in mentions_of(words_of(typed), kinds) if mention.kind in kinds), None)
    why = _WHY.match(typed.strip())
    if why and _PLACED.search(typed[: why.start("place")] + why["rest"]):
        return WhyRanked(place=int(why["place"]), kind=named)
    tried = _TRIED.match(typed.strip())
    if tried is None or (typed.lower().split()[0] in ("do", "did", "is") and not _asks_for_like(typed)):
        return None
    what = _LIKE.sub("", _TRAILING.sub("", tried["what"]).strip())
    return HaveWeTried(what=what, kind=named)


def _asks_for_like(typed: str) -> bool:
    """“Do you have a moment?” is no question about the past; “do we have anything like it”, “did we try it” are."""
    return bool(_KNOWING.match(typed) or re.match(rf"did {_WHO} (?:ever |already )*{_DID}\b", typed, re.IGNORECASE))
