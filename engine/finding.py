"""What a confirmation is: a plan that is recorded before anything is trained, and what came of it.

A *round* is what is sent to confirmation together: its hypotheses are one family. Whatever survives is a *finding*.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.score import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What came of one hypothesis of a round. Figures are absent where it did not train."""

    round_id: str
    hypothesis_id: str
    finding: bool
    mean: Estimate | None = None  # of the relative differences from the best baseline: what is tested
    unseen: Estimate | None = None  # the same on those data sets alone that no screening uses
    effect: Estimate | None = None  # their median, as in a ranking, not shrunken
    b_wr: Estimate | None = None
    bsota_wr: Estimate | None = None
    p: float = 1.0  # one-sided, of a mean of at most the round's margin
    adjusted_p: float = 1.0  # Holm's, over the family; a finding when at most the round's alpha
    step_size_effect: bool = False  # see rank.py
    split: bool = False  # the candidate's trials ran in a process apart from what reads them
    fault: str = ""  # why it could not be measured, one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The end of a round. `after` rounds were planned by then: see `multiplicity.next_alpha`."""

    at: datetime  # aware, UTC
    after: int
    best: str | None  # the baseline that it was tested against; None: nothing was tested
    confirmations: tuple[Confirmation, ...] = ()  # in the order of the family; none when it was stopped

    @property
    def found(self) -> bool:
        return any(one.finding for one in self.confirmations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Decided before looking: all but `closing` is recorded before the first training."""

    id: str
    number: int  # counts from 1 over all kinds; each has its own alpha and its own seeds
    request_id: str  # in whose thread it is told
    kind: str
    family: tuple[str, ...]  # hypothesis ids
    asked_by: str | None  # a person; None: because they were promising
    suite: str  # name and version
    epoch: int
    data_sets: tuple[str, ...]
    seeds: tuple[int, ...]
    margin: float  # the null hypothesis: the mean relative difference is at most this
    alpha: float
    wealth: float  # of the online procedure, before this round's alpha was taken from it
    planned_at: datetime  # aware, UTC
    closing: Closing | None = None  # None: under way

    @property
    def stopped(self) -> bool:
        """It ended before anything was tested, so nobody has looked."""
        return self.closing is not None and not self.closing.confirmations


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A variant of a confirmed component with one of its parts made neutral."""

    without: str  # in words: "0.5 (line 7)"
    effect: Estimate | None  # on the screening suite, against the same best baseline; None: it did not train
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a gain comes from, measured on the screening suite once a hypothesis was confirmed."""

    hypothesis_id: str
    whole: Estimate | None  # the effect of the component as it is, on the same trials as its parts
    parts: tuple[Part, ...] = ()
    share: Estimate | None = None  # of the candidate in a learned mix with the best baseline; None: no blend test
    mixed_with: str = ""
