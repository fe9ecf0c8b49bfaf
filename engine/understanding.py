"""What a message can mean. `engine.understand` decides which."""

from __future__ import annotations

from dataclasses import dataclass

from engine.request import Strategy

FEWEST, MOST = 1, 300  # components in one request


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Propose components and measure them."""

    kinds: tuple[str, ...]  # names of kinds
    counts: tuple[int, ...]  # how many of each, in the order of `kinds`, each at least 1
    strategies: tuple[Strategy, ...]
    purpose: str  # as written; empty when none was named
    kind_named: bool = True  # False: the kind was left open, and `kinds` were drawn by lot
    note: str | None = None  # whole sentences: what was read differently from what was written
    suite: str = ""  # the suite that was named: "standard", or a team's model: "ranker"; empty: none was

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedKind:
    """Something was asked for that cannot be proposed."""

    word: str  # as written: "pooling layers"
    supported: tuple[str, ...]  # in words: "activation functions"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSuite:
    """Components were asked for on a model or suite that nobody registered."""

    word: str  # as written, lower case: "rankr"
    near: str  # a known name that may be meant; empty: none


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOutOfRange:
    count: int  # not within FEWEST..MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    topic: str | None  # a kind's name; "propose", "try", "digest", "stop" or "measure"; None: everything
    unknown: str = ""  # what else help was asked for, and there is none about


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestNow:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestDaily:
    hour: int  # 0 to 23
    minute: int  # 0 to 59


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestOff:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRest:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateInFull:
    """Confirm what stands in a place of the thread's ranking."""

    place: int  # from 1
    kind: str | None  # None: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFinding:
    """Post a finding as a module with its test and evidence."""

    place: int  # from 1
    kind: str | None  # None: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class HaveWeTried:
    """Whether something like it was tried before. Code may have come with the question."""

    what: str  # as written: "a sine with a learnable frequency"; empty: only code, or nothing
    kind: str | None = None  # None: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyRanked:
    """Why a place of this thread's ranking came out where it did."""

    place: int  # from 1, as the ranking's rows are counted
    kind: str | None = None  # None: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class TryFile:
    """Measure the attached component."""

    kind: str | None  # None: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A known command with something in it that cannot be done."""

    reason: str  # a whole sentence: "There is no 25 o'clock."
    example: str  # what would have worked: "digest daily 09:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """No words at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    text: str  # as it was read, without mentions and markup
    suggestion: str  # a command that would be understood


Understanding = (
    Propose
    | UnsupportedKind
    | UnknownSuite
    | CountOutOfRange
    | Help
    | DigestNow
    | DigestDaily
    | DigestOff
    | Stop
    | MeasureRest
    | EvaluateInFull
    | ExportFinding
    | HaveWeTried
    | WhyRanked
    | TryFile
    | Unclear
    | Empty
    | Unknown
)
