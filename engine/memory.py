"""A journal that forgets: for trying things out and for tests. Held to the same contract as the one on a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import TypeVar

from engine.errors import UnknownThing
from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import SCREENINGS, Choice, Epoch, Past, Snapshot
from engine.request import Request, Strategy
from engine.score import BaselineTrials, Score
from engine.verdict import Verdict

Thing = TypeVar("Thing")


class MemoryJournal:
    """Thread-safe: one lock around all of it. Replacing a dictionary's entry keeps its place, hence the order."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._requests: dict[str, Request] = {}
        self._stopped: set[str] = set()
        self._faults: dict[str, list[str]] = {}
        self._hypotheses: dict[str, Hypothesis] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._choices: dict[tuple[str, str], Choice] = {}
        self._scores: dict[tuple[str, str, tuple[int, ...]], Score] = {}
        self._baselines: dict[tuple[object, ...], BaselineTrials] = {}
        self._feedback: dict[tuple[str, str, bool], Feedback] = {}
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        self._epochs: dict[int, Epoch] = {}

    def record_request(self, request: Request) -> None:
        with self._lock:
            self._requests[request.id] = request

    def request(self, request_id: str) -> Request:
        with self._lock:
            return _found(self._requests, "request", request_id)

    def stop(self, request_id: str) -> None:
        with self._lock:
            self._stopped.add(request_id)

    def stopped(self, request_id: str) -> bool:
        with self._lock:
            return request_id in self._stopped

    def record_hypotheses(self, hypotheses: Sequence[Hypothesis]) -> None:
        with self._lock:
            self._require(requests=(hypothesis.request_id for hypothesis in hypotheses))
            self._hypotheses.update({hypothesis.id: hypothesis for hypothesis in hypotheses})

    def hypotheses(self, request_id: str) -> list[Hypothesis]:
        with self._lock:
            return [hypothesis for hypothesis in self._hypotheses.values() if hypothesis.request_id == request_id]

    def hypothesis(self, hypothesis_id: str) -> Hypothesis:
        with self._lock:
            return _found(self._hypotheses, "hypothesis", hypothesis_id)

    def used_titles(self, kind: str) -> list[str]:
        with self._lock:
            return [h.title for h in self._hypotheses.values() if h.kind == kind and h.strategy != Strategy.BY_HAND]

    def record_generator_faults(self, request_id: str, faults: Sequence[str]) -> None:
        with self._lock:
            self._require(requests=[request_id])
            self._faults[request_id] = list(faults)

    def generator_faults(self, request_id: str) -> list[str]:
        with self._lock:
            return list(self._faults.get(request_id, ()))

    def record_verdict(self, verdict: Verdict) -> None:
        with self._lock:
            self._require(hypotheses=[verdict.hypothesis_id])
            self._verdicts[verdict.hypothesis_id] = verdict

    def verdicts(self, request_id: str) -> dict[str, Verdict]:
        with self._lock:
            return {id: verdict for id, verdict in self._verdicts.items() if self._asked(id) == request_id}

    def record_choices(self, choices: Sequence[Choice]) -> None:
        with self._lock:
            self._require(
                requests=(choice.request_id for choice in choices),
                hypotheses=(choice.hypothesis_id for choice in choices),
            )
            self._choices.update({(choice.request_id, choice.hypothesis_id): choice for choice in choices})

    def choices(self, request_id: str) -> dict[str, Choice]:
        with self._lock:
            return {c.hypothesis_id: c for c in self._choices.values() if c.request_id == request_id}

    def record_score(self, score: Score) -> None:
        with self._lock:
            self._require(hypotheses=[score.hypothesis_id])
            self._scores[score.hypothesis_id, score.suite, score.seeds] = score

    def scores(self, request_id: str) -> list[Score]:
        with self._lock:
            return [score for score in self._scores.values() if self._asked(score.hypothesis_id) == request_id]

    def record_baseline(self, trials: BaselineTrials) -> None:
        t = trials
        with self._lock:
            self._baselines[t.kind, t.baseline, t.suite, t.seeds, t.torch_version, t.device, t.code_digest] = t

    def baselines(
        self, kind: str, suite: str, seeds: tuple[int, ...], torch_version: str, device: str
    ) -> list[BaselineTrials]:
        wanted = (kind, suite, seeds, torch_version, device)
        with self._lock:
            known = list(self._baselines.values())
        return [t for t in known if (t.kind, t.suite, t.seeds, t.torch_version, t.device) == wanted]

    def record_feedback(self, feedback: Feedback) -> None:
        with self._lock:
            self._require(hypotheses=[feedback.hypothesis_id])
            self._feedback[feedback.hypothesis_id, feedback.person, feedback.blind] = feedback

    def feedback(self, hypothesis_id: str) -> list[Feedback]:
        with self._lock:
            return [feedback for (voted_on, *_), feedback in self._feedback.items() if voted_on == hypothesis_id]

    def past(self, kind: str) -> list[Past]:
        with self._lock:
            return [
                Past(
                    hypothesis=hypothesis,
                    verdict=self._verdicts[hypothesis.id],
                    score=self._screened(hypothesis.id),
                    feedback=tuple(self.feedback(hypothesis.id)),
                )
                for hypothesis in self._hypotheses.values()
                if hypothesis.kind == kind and hypothesis.id in self._verdicts
            ]

    def outcomes(self, kind: str) -> int:
        return sum(past.score is not None for past in self.past(kind))

    def rescored(self, kind: str) -> list[Score]:
        with self._lock:
            screened = [
                replace(score, trials=(), grid=())
                for score in self._scores.values()
                if score.suite.startswith(SCREENINGS) and self._hypotheses[score.hypothesis_id].kind == kind
            ]
        often = Counter(score.hypothesis_id for score in screened)
        return [score for score in screened if often[score.hypothesis_id] > 1]

    def measured_since(self, at: datetime | None) -> tuple[int, datetime | None]:
        with self._lock:
            scored = {score.hypothesis_id for score in self._scores.values()}
            asked = {id: self._requests[self._asked(id)].created_at for id in scored}
        since = [time for time in asked.values() if at is None or time >= at]
        return len(since), min(since, default=None)

    def begin_epoch(self, epoch: Epoch) -> None:
        with self._lock:
            self._epochs.setdefault(epoch.number, epoch)

    def epochs(self) -> list[Epoch]:
        with self._lock:
            return [self._epochs[number] for number in sorted(self._epochs)]

    def record_snapshot(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._snapshots[snapshot.kind, snapshot.version] = snapshot

    def latest_snapshot(self, kind: str) -> Snapshot | None:
        with self._lock:
            known = [snapshot for snapshot in reversed(self._snapshots.values()) if snapshot.kind == kind]
        return max(known, key=lambda snapshot: snapshot.at, default=None)

    def _asked(self, hypothesis_id: str) -> str:
        return self._hypotheses[hypothesis_id].request_id

    def _screened(self, hypothesis_id: str) -> Score | None:
        of_it = (
            s for s in self._scores.values() if s.hypothesis_id == hypothesis_id and s.suite.startswith(SCREENINGS)
        )
        first = next(of_it, None)
        return first and replace(first, trials=(), grid=())

    def _require(self, requests: Iterable[str] = (), hypotheses: Iterable[str] = ()) -> None:
        for request_id in requests:
            _found(self._requests, "request", request_id)
        for hypothesis_id in hypotheses:
            _found(self._hypotheses, "hypothesis", hypothesis_id)


def _found(known: dict[str, Thing], noun: str, id: str) -> Thing:
    if id not in known:
        raise UnknownThing(f"No {noun} {id!r} is recorded.")
    return known[id]
