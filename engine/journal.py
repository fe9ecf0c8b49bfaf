"""What the engine remembers. Everything is recorded under an id that the engine made: recording twice is harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.request import Request
from engine.score import BaselineTrials, Score
from engine.verdict import Verdict

SCREENINGS = ("screen-", "standard-")  # how the suites' names start, of any version, whose scores are one past


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a hypothesis' place in the order of evaluation is made of; see choose.py."""

    chance: float  # predicted, of being among the best of the candidates
    exploration: float  # what not knowing it is worth
    votes: float  # what people's liking of others like it is worth; may be negative
    novelty: float  # distance from everything known, measured or voted on, as an N-score
    place: int  # from 1, by the sum of the first three
    without_votes: int  # the place that it would have if nobody had voted

    @property
    def worth(self) -> float:
        return self.chance + self.exploration + self.votes


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Why a hypothesis was chosen to be measured (or not yet)."""

    hypothesis_id: str
    request_id: str
    measured: bool  # chosen to be measured
    why: str  # "predicted", "novel", "at random", "asked for"
    predicted_b_wr: float | None = None
    predicted_spread: float | None = None
    model_version: str | None = None  # of the reward model; None: the prior
    parts: Parts | None = None  # None: chosen before they were kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One hypothesis of the past with all that is known of it: what the reward model learns from."""

    hypothesis: Hypothesis
    verdict: Verdict
    score: Score | None  # as it was screened, its trials and grid left out: there may be tens of thousands
    feedback: tuple[Feedback, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A version of the reward model. `weights` are its own bytes; no pickle."""

    version: str
    kind: str
    weights: bytes
    outcomes: int  # how many measured outcomes it learned from
    votes: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """From `at` on, what is asked for is measured on this epoch of the suites. Epoch 0 began before everything."""

    number: int
    at: datetime  # aware, UTC
    why: str  # in words


def epoch_at(epochs: Sequence[Epoch], at: datetime | None = None) -> int:
    """The number of the epoch that was in force at a time; None: the last one."""
    return max((epoch.number for epoch in epochs if at is None or epoch.at <= at), default=0)


class Journal(Protocol):
    """Reads answer in the order of first recording. Writes replace what is recorded under the same id.

    A write that names a request or hypothesis that is not recorded raises UnknownThing; only `stop` may come first.
    Thread-safe.
    """

    def record_request(self, request: Request) -> None: ...
    def request(self, request_id: str) -> Request:
        """Raises UnknownThing."""
        ...

    def stop(self, request_id: str) -> None:
        """Ask a request to stop; polled between candidates."""
        ...

    def stopped(self, request_id: str) -> bool: ...

    def record_hypotheses(self, hypotheses: Sequence[Hypothesis]) -> None: ...
    def hypotheses(self, request_id: str) -> list[Hypothesis]: ...
    def hypothesis(self, hypothesis_id: str) -> Hypothesis:
        """Raises UnknownThing."""
        ...

    def used_titles(self, kind: str) -> list[str]:
        """Titles of every hypothesis of this kind that a generator proposed so far, newest last."""
        ...

    def record_generator_faults(self, request_id: str, faults: Sequence[str]) -> None: ...
    def generator_faults(self, request_id: str) -> list[str]: ...

    def record_verdict(self, verdict: Verdict) -> None: ...
    def verdicts(self, request_id: str) -> dict[str, Verdict]:
        """By hypothesis id."""
        ...

    def record_choices(self, choices: Sequence[Choice]) -> None: ...
    def choices(self, request_id: str) -> dict[str, Choice]:
        """By hypothesis id."""
        ...

    def record_score(self, score: Score) -> None:
        """One per (hypothesis, suite, seeds)."""
        ...

    def scores(self, request_id: str) -> list[Score]: ...

    def record_baseline(self, trials: BaselineTrials) -> None: ...
    def baselines(
        self, kind: str, suite: str, seeds: tuple[int, ...], torch_version: str, device: str
    ) -> list[BaselineTrials]:
        """Of every code digest that was ever recorded."""
        ...

    def record_feedback(self, feedback: Feedback) -> None:
        """Replaces an earlier vote of the same person on the same hypothesis that was as blind as this one."""
        ...

    def feedback(self, hypothesis_id: str) -> list[Feedback]: ...

    def past(self, kind: str) -> list[Past]:
        """Every hypothesis of this kind that has a verdict, over all requests, in the order of recording.

        Its score is the first that was recorded on a suite whose name starts with one of `SCREENINGS`: not the re-run,
        which only the best get.
        """
        ...

    def outcomes(self, kind: str) -> int:
        """How many of the past have a score."""
        ...

    def rescored(self, kind: str) -> list[Score]:
        """All screenings (see `SCREENINGS`) of those hypotheses that were screened more than once, on any seeds.

        In the order of recording, without trials and grid.
        """
        ...

    def measured_since(self, at: datetime | None) -> tuple[int, datetime | None]:
        """How many hypotheses asked for since then (None: ever) have a score, and when the first was asked for."""
        ...

    def begin_epoch(self, epoch: Epoch) -> None:
        """One per number; what is recorded first stays."""
        ...

    def epochs(self) -> list[Epoch]:
        """By number; epoch 0 is not among them."""
        ...

    def record_snapshot(self, snapshot: Snapshot) -> None:
        """One per (kind, version)."""
        ...

    def latest_snapshot(self, kind: str) -> Snapshot | None:
        """By its time, `at`."""
        ...
