"""What a person means by a message. Never raises, and never guesses silently: what was read differently is noted.

The order of the questions: is it empty, does it stop something, is it about the digest, the rest, help, an attached
file; else, does it ask for components.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from engine.asking import asked
from engine.questions import question
from engine.understanding import (
    FEWEST,
    MOST,
    CountOutOfRange,
    DigestDaily,
    DigestNow,
    DigestOff,
    Empty,
    EvaluateInFull,
    ExportFinding,
    Help,
    MeasureRest,
    Propose,
    Stop,
    TryFile,
    Unclear,
    Understanding,
    Unknown,
    UnknownSuite,
    UnsupportedKind,
)
from engine.vocabulary import mentions_of
from engine.wording import DEFAULT_COUNT, cleaned, edits, words_of
from sandbox.guest.components.kind import Kind

__all__ = [
    "FEWEST",
    "MOST",
    "CountOutOfRange",
    "DigestDaily",
    "DigestNow",
    "DigestOff",
    "Empty",
    "EvaluateInFull",
    "ExportFinding",
    "Help",
    "MeasureRest",
    "Propose",
    "Stop",
    "TryFile",
    "Unclear",
    "Understanding",
    "Unknown",
    "UnknownSuite",
    "UnsupportedKind",
    "understand",
]

_DAILY = "digest daily 09:00"
_COMMANDS = ("help", "stop", "digest now", _DAILY, "digest off", "measure the rest", "evaluate 1 in full", "export 1")

_POLITE = r"(?:(?:please|pls|ok|okay|hey|just|now|so|can you|could you|would you|will you|kindly) )*"
_STOP = re.compile(
    rf"{_POLITE}(?:stop|cancel|abort|halt|terminate)"
    r"(?: (?:it|this|that|them|now|please|pls|request|run|running|job|everything|all|the|my|our|work|working|here|"
    r"immediately|at|once|proposing|measuring|testing|evaluating|evaluation|experiment|research|thanks|thank|you))*"
)
_REST = re.compile(
    r"\b(?:measure|evaluate|test|try|run|score|do|finish)\b(?: \w+){0,3}? "
    r"(?:rest|remaining|remainder|others|other ones|unmeasured|leftovers|what is left|what's left)\b"
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERED = rf"(?:\w+ ){{0,2}}?(?:(?P<digits>\d{{1,3}})(?:st|nd|rd|th)?|(?P<word>{'|'.join(_ORDINALS + _CARDINALS)}))"
_VERB = r"(?:evaluate|measure|test|run|check|try|validate)"
_AFTER = r"(?: one)?(?: (?:please|pls|now|thanks))*"
_IN_FULL = re.compile(
    rf"{_POLITE}(?:{_VERB} {_NUMBERED}(?: one)? (?:in full|fully|completely|thoroughly|on the full suite){_AFTER})"
)
_FULLY = re.compile(
    rf"{_POLITE}(?:confirm|fully {_VERB}|{_VERB} in full|full evaluation (?:of|for)) {_NUMBERED}{_AFTER}(?: in full)?"
)
_EXPORT = re.compile(
    rf"{_POLITE}export {_NUMBERED}(?: one)?(?: as (?:an? )?(?:drop in|dropin|module|zip|file|pull request|pr))?{_AFTER}"
)
_HELP = re.compile(
    rf"{_POLITE}(?:help|commands?|usage|manual|instructions|how to use|how do (?:i|we) use|how does (?:this|it) work|"
    r"(?:show|list) (?:me )?(?:the |all )?(?:commands?|help)|what (?:can|do|else can) (?:you|i|we) (?:do|ask|say)|"
    r"kinds|(?:what|which) kinds (?:are there|do you|can you|can i)|list (?:of )?(?:the |all )?kinds|"
    r"who are you|what are you|what is this|getting started)\b"
)
_ABOUT = re.compile(
    rf"{_POLITE}help(?: me)?(?: on| with| about| for)?(?: the| an?| kind)* "
    r"(?!(?:me|us|please|pls|it|this|that|here|now|out|kind|all)\b)(?P<what>\w+(?: \w+){0,3})"
)
_GREETING = re.compile(r"(?:hi|hello|hey|hallo|yo|thanks|thank you|good (?:morning|afternoon|evening))(?: \w+){0,2}")
_THIS_FILE = re.compile(
    rf"{_POLITE}(?:try|test|check|evaluate|measure|score|validate|run|rank|benchmark)(?: out)? "
    r"(?:this|these|it|my|our|mine|the (?:attached|attachment|file|code|following)|attached)\b"
)
_QUESTION = re.compile(r"(?:what|which|why|how|explain|describe|tell me about)\b")


def understand(
    text: str, kinds: Mapping[str, Kind], *, attached: bool = False, chance: str = "", suites: Sequence[str] = ()
) -> Understanding:
    """What `text` means, as it came from Slack. `kinds`: the supported ones by name. `attached`: a .py came with it.

    `suites`: the names of the teams' models. The same `chance` draws the same kinds where they were left open.
    """
    typed = cleaned(text)
    low = " ".join(word.low for word in words_of(typed))
    if not low:
        return TryFile(kind=None) if attached else Help(topic=None) if "?" in typed else Empty()
    if _STOP.fullmatch(low):
        return Stop()
    in_place = _in_place(typed, low, kinds)
    if in_place is not None:
        return in_place
    about_the_past = question(typed, kinds)
    if about_the_past is not None:
        return about_the_past
    request = asked(typed, kinds, chance, suites)
    digest = None if isinstance(request, Propose) else _digest(typed, low)
    if digest is not None:
        return digest
    if attached and not (isinstance(request, Propose) and not _THIS_FILE.match(low)):
        return TryFile(kind=_named(typed, kinds))
    if _REST.search(low):
        return MeasureRest()
    if _THIS_FILE.match(low):
        return TryFile(kind=_named(typed, kinds))
    topic = _help(typed, low, request, kinds)
    return topic or request or Unknown(text=typed, suggestion=_suggestion(low, kinds))


def _in_place(typed: str, low: str, kinds: Mapping[str, Kind]) -> EvaluateInFull | ExportFinding | None:
    """What is to be done with one place of a ranking."""
    evaluate, export = _IN_FULL.fullmatch(low) or _FULLY.fullmatch(low), _EXPORT.fullmatch(low)
    found = evaluate or export
    if found is None:
        return None
    digits, word = found["digits"], found["word"]
    place = int(digits) if digits else (_ORDINALS + _CARDINALS).index(word) % len(_ORDINALS) + 1
    kind = _named(typed, kinds)
    return EvaluateInFull(place=place, kind=kind) if evaluate else ExportFinding(place=place, kind=kind)


def _named(typed: str, kinds: Mapping[str, Kind]) -> str | None:
    return next((mention.kind for mention in mentions_of(words_of(typed), kinds) if mention.kind in kinds), None)


def _help(typed: str, low: str, request: Understanding | None, kinds: Mapping[str, Kind]) -> Help | None:
    asks_for_help = bool(_HELP.match(low)) or low.endswith(" help") or low == "help"
    if request is not None and not (asks_for_help and not isinstance(request, Propose)):
        return None
    topic = _topic(typed, low, kinds)
    if asks_for_help or (_QUESTION.match(low) and topic):
        about = _ABOUT.fullmatch(low)
        return Help(topic=topic, unknown=about["what"] if about and not topic else "")
    return Help(topic=None) if _GREETING.fullmatch(low) else None


def _topic(typed: str, low: str, kinds: Mapping[str, Kind]) -> str | None:
    commands = {"propose": "propose", "try": "try", "digest": "digest", "stop": "stop", "measure": "measure"}
    return _named(typed, kinds) or next((commands[word] for word in low.split() if word in commands), None)


def _suggestion(low: str, kinds: Mapping[str, Kind]) -> str:
    near = difflib.get_close_matches(low, _COMMANDS, n=1, cutoff=0.7)
    plural = next((kind.plural for kind in kinds.values()), "components")
    return near[0] if near else f"propose {DEFAULT_COUNT} {plural} for small image classifiers"


# --- the digest

_DIGEST_OFF = re.compile(
    r"\b(?:off|stop|disable|end|cancel|unsubscribe|remove|mute|quit|no|no more|never|don't|dont|without)\b"
)
_EVERY_DAY = re.compile(r"\b(?:daily|every|each|subscribe|schedule|at|on)\b|\d")
_NOT_DAILY = re.compile(
    r"\b(?:hourly|weekly|monthly|yearly|weekdays?|weekends?|hour|week|month|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
)
_ZONE = re.compile(
    r"\b(?:utc|gmt|cet|cest|bst|est|edt|cst|cdt|mst|mdt|pst|pdt|ist|jst|[a-z]+/[a-z_]+)\b", re.IGNORECASE
)
_TIME = re.compile(
    r"(?<![\d:.])(\d{1,2})(?:\s*[:.h]\s*(\d{1,2}))?(?![\d:])\s*(?:(a|p)\.?\s*m\b\.?)?|(?<![\d:.])(\d{3,})(?![\d:])",
    re.IGNORECASE,
)
_NAMED_TIMES = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0)}
_NOW = re.compile(r"\b(?:now|show|post|send|give|latest|today|please|see|need|want|me|us|what's)\b")


def _digest(typed: str, low: str) -> DigestNow | DigestDaily | DigestOff | Unclear | Help | None:
    words = low.split()
    if not any(word in ("digest", "digests") or edits(word, "digest", 1) == 1 for word in words):
        return None
    if _HELP.match(low) or low.endswith(" help") or _QUESTION.match(low):
        return Help(topic="digest")
    if _DIGEST_OFF.search(low):
        return DigestOff()
    if _NOT_DAILY.search(low):
        return Unclear(reason="A digest comes daily, at one time of the day.", example=_DAILY)
    named = [time for word, time in _NAMED_TIMES.items() if word in words]
    if named or _EVERY_DAY.search(low):
        return _daily(typed, named)
    if len(words) == 1 or _NOW.search(low):
        return DigestNow()
    return Unclear(reason="A digest can be posted now, daily at a time, or not at all.", example="digest now")


def _daily(typed: str, named: list[tuple[int, int]]) -> DigestDaily | Unclear:
    if _ZONE.search(typed):
        return Unclear(reason="I cannot take a time zone; write the time alone.", example=_DAILY)
    found = list(_TIME.finditer(typed))
    if not named and not found:
        return Unclear(reason="At what time?", example=_DAILY)
    if len(named) + len(found) > 1 and not (len(named) == 1 and [f[0].strip() for f in found] == ["12"]):
        return Unclear(reason="A digest comes at one time of the day.", example=_DAILY)
    if named:
        return DigestDaily(hour=named[0][0], minute=named[0][1])
    hour, minute = _clock(found[0])
    if hour is None or minute > 59:
        return Unclear(reason=f"“{found[0][0].strip()}” is not a time of the day.", example=_DAILY)
    return DigestDaily(hour=hour, minute=minute)


def _clock(found: re.Match[str]) -> tuple[int | None, int]:
    """Hour and minute; the hour is None when there is no such hour."""
    if found[4]:
        digits = found[4].zfill(4) if len(found[4]) <= 4 else "9999"
        hour, minute, half = int(digits[:2]), int(digits[2:]), None
    else:
        hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
    if half:
        return (hour % 12 + (12 if half.lower() == "p" else 0) if 1 <= hour <= 12 else None), minute
    return (hour if hour <= 23 else None), minute
