"""The study: the paper's evaluation on hypotheses of any origin, resumable; here is what it measures.

Every arm is measured up to three times, each time on seeds that nothing else uses:

screened   on the screening suite: what the reward model learns from, of hypotheses that it is not tested on
again      on the screening suite, other seeds: test-retest, and what predictions are held against
truth      on the truth suite: the truth that orders are judged by; nothing that makes an order ever sees it

The journal keeps all of it under ids made of a component's code, of the training code and of the version of torch; a
score is kept under its suite and seeds. What is there is not measured again, and each result is recorded as it comes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from engine.errors import EngineError
from engine.evaluate import AnySuite, Evaluator
from engine.generate import hypothesis_id
from engine.hypothesis import Hypothesis
from engine.journal import Journal
from engine.novelty import judge
from engine.request import Request, Strategy
from engine.score import BaselineTrials, Score
from engine.study_sources import Source, part_of
from engine.suite import SCREENING
from engine.validate import validate
from engine.verdict import Verdict
from sandbox.execution import Sandbox
from sandbox.guest import nets
from sandbox.guest.components.kind import Behaviour, Kind

OTHER_SEEDS = 5000  # how far the seeds of what an order is judged by are from the suites' own
VALIDATED_AT_ONCE = 16
BY_THE_STUDY = "the study"


class StudyStopped(EngineError):
    """A person ended it. What was measured is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One hypothesis, with all that is known of it."""

    hypothesis: Hypothesis
    source: str
    verdict: Verdict
    screened: Score | None = None
    again: Score | None = None
    truth: Score | None = None

    @property
    def id(self) -> str:
        return self.hypothesis.id

    @property
    def part(self) -> str:
        return part_of(self.source, self.hypothesis.strategy)

    @property
    def duplicate_of(self) -> str | None:
        return self.verdict.novelty.duplicate_of if self.verdict.novelty else None

    @property
    def valid(self) -> bool:
        """It passed the validator; it may be a duplicate, and it may have broken in training."""
        return bool(self.verdict.behaviour)

    @property
    def broke(self) -> bool:
        """It passed the validator and then failed in training."""
        return self.valid and not self.verdict.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    kind: Kind
    truth: str  # name of the suite whose effects are the truth
    sources: tuple[Source, ...]
    train: tuple[str, ...] = ()  # sources or parts that alone are learned from; empty: all, cross-validated
    prices: tuple[float, float] | None = None  # of a million prompt tokens, and of a million completion tokens

    def trains(self, subject: Subject) -> bool:
        return not self.train or subject.source in self.train or subject.part in self.train

    def tests(self, subject: Subject) -> bool:
        """With `train`, only what is not learned from."""
        return not self.train or not self.trains(subject)


T = TypeVar("T")
R = TypeVar("R")
Watch = Callable[[str, int, int], None]  # what is done, how much of it, of how much


class Study:
    """Measures; each method does only what the journal does not hold. Raises StudyStopped, and what a sandbox does."""

    def __init__(
        self,
        plan: Plan,
        *,
        journal: Journal,
        sandbox: Sandbox,
        evaluator: Evaluator,
        watch: Watch = lambda title, done, total: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.plan = plan
        self.kind = plan.kind
        self.journal = journal
        self.evaluator = evaluator
        self.watch = watch
        self.stopped = stopped
        self._sandbox = sandbox
        self._digest = training_digest(plan.kind, sandbox.torch_version)

    def at_once(self, work: Callable[[T], R], items: Sequence[T], title: str) -> list[R]:
        """`work` of each item, as many at once as the sandbox runs jobs. Raises StudyStopped before the next one."""

        def one(item: T) -> R:
            self.go_on()
            return work(item)

        done: list[R] = []
        self.watch(title, 0, len(items))
        with ThreadPoolExecutor(self._sandbox.parallel) as threads:
            for result in threads.map(one, items):
                done.append(result)
                self.watch(title, len(done), len(items))
        return done

    # --- the suites

    @property
    def screening(self) -> AnySuite:
        return self.evaluator.suite(self.kind.name, SCREENING)

    @property
    def truth_suite(self) -> AnySuite:
        return self.evaluator.suite(self.kind.name, self.plan.truth)

    # --- the hypotheses

    def subjects(self) -> list[Subject]:
        """All of the plan, those that are learned from first, measured as far as the plan asks for it."""
        subjects = self._validated()
        to_screen = [s for s in subjects if s.duplicate_of is None]
        self.measure([s.hypothesis for s in to_screen], self.screening, self.screening.seeds, "Screening")
        tested = [s.hypothesis for s in to_screen if self.plan.tests(s)]
        self.measure(tested, self.screening, other(self.screening.seeds), "Screening again")
        self.measure(tested, self.truth_suite, other(self.truth_suite.seeds), f"Truth ({self.plan.truth})")
        return self._with_scores(subjects)

    def _validated(self) -> list[Subject]:
        """What is in two sources counts for the first; with `train`, for the one that is learned from."""
        named: dict[str, tuple[str, Hypothesis]] = {}
        for source in sorted(self.plan.sources, key=self._learned_from):
            for hypothesis in source.hypotheses:
                keyed = self.keyed(hypothesis, "hypotheses")
                named.setdefault(keyed.id, (source.name, keyed))
        verdicts = self.validated("hypotheses", [h for _, h in named.values()])
        subjects = [Subject(hypothesis=h, source=name, verdict=verdicts[h.id]) for name, h in named.values()]
        return self._judged(sorted(subjects, key=lambda s: not self.plan.trains(s)))

    def _learned_from(self, source: Source) -> bool:
        return source.name not in self.plan.train

    def validated(self, group: str, hypotheses: Sequence[Hypothesis]) -> dict[str, Verdict]:
        """By id; they know nothing yet of what is a duplicate of what."""
        self.record(group, hypotheses)
        verdicts = self.journal.verdicts(self.request_id(group))
        missing = [h for h in hypotheses if h.id not in verdicts]
        with ThreadPoolExecutor(self._sandbox.parallel) as threads:
            for start in range(0, len(missing), VALIDATED_AT_ONCE):
                self.go_on()
                self.watch("Validating", start, len(missing))
                some = missing[start : start + VALIDATED_AT_ONCE]
                for verdict in threads.map(lambda h: validate(h, self._sandbox, tag=BY_THE_STUDY), some):
                    self.journal.record_verdict(verdict)
                    verdicts[verdict.hypothesis_id] = verdict
        self.watch("Validating", len(missing), len(missing))
        return verdicts

    def _judged(self, subjects: Sequence[Subject]) -> list[Subject]:
        """With their novelty: what is a duplicate depends on what else is in this study, so it is not kept."""
        earlier: list[tuple[str, Behaviour]] = []
        judged = []
        for number, subject in enumerate(subjects):
            self.watch("Comparing behaviours", number, len(subjects))
            if subject.valid:
                novelty = judge(self.kind, subject.verdict.behaviour, earlier)
                subject = replace(subject, verdict=replace(subject.verdict, novelty=novelty))
                if novelty.duplicate_of is None:
                    earlier.append((subject.hypothesis.title, subject.verdict.behaviour))
            judged.append(subject)
        self.watch("Comparing behaviours", len(subjects), len(subjects))
        return judged

    def _with_scores(self, subjects: Sequence[Subject]) -> list[Subject]:
        scores, verdicts = self.scores("hypotheses"), self.journal.verdicts(self.request_id("hypotheses"))
        names = {"screened": (self.screening, self.screening.seeds)}
        names |= {"again": (self.screening, other(self.screening.seeds))}
        names |= {"truth": (self.truth_suite, other(self.truth_suite.seeds))}
        keys = {name: (self.evaluator.identity(self.kind.name, on), seeds) for name, (on, seeds) in names.items()}
        return [
            replace(
                s,
                verdict=replace(verdicts[s.id], novelty=s.verdict.novelty),
                screened=scores.get((s.id, *keys["screened"])),
                again=scores.get((s.id, *keys["again"])),
                truth=scores.get((s.id, *keys["truth"])),
            )
            for s in subjects
        ]

    # --- measuring anything

    def measure(self, hypotheses: Sequence[Hypothesis], suite: AnySuite, seeds: tuple[int, ...], title: str) -> None:
        """Those of one group that are not measured yet. What breaks keeps its behaviour, with why it broke."""
        if not hypotheses:
            return
        kind, request_id = self.kind.name, hypotheses[0].request_id
        identity, verdicts = self.evaluator.identity(kind, suite), self.journal.verdicts(request_id)
        kept = {s.hypothesis_id for s in self.journal.scores(request_id) if (s.suite, s.seeds) == (identity, seeds)}
        able = [h for h in hypotheses if verdicts[h.id].accepted]
        waiting = [h for h in able if h.id not in kept]
        done = len(able) - len(waiting)
        self.watch(title, done, len(able))

        def record(result: Score | Verdict) -> None:
            nonlocal done
            if isinstance(result, Score):
                self.journal.record_score(result)
            else:
                before = verdicts[result.hypothesis_id]
                broken = replace(before, outcome=result.outcome, check=result.check, reason=result.reason)
                self.journal.record_verdict(broken)
            done += 1
            self.watch(title, done, len(able))

        self.go_on()
        if waiting:
            self.evaluator.measure(
                waiting, kind, seeds, tag=BY_THE_STUDY, stopped=self.stopped, done=record, suite=suite
            )
        self.go_on()

    def scores(self, group: str) -> dict[tuple[str, str, tuple[int, ...]], Score]:
        """By hypothesis id, identity of the suite, and seeds."""
        return {(s.hypothesis_id, s.suite, s.seeds): s for s in self.journal.scores(self.request_id(group))}

    def baselines(self, suite: AnySuite, seeds: tuple[int, ...]) -> list[BaselineTrials]:
        """Each on these seeds and on those that choose the best one, trained unless they are kept."""
        self.go_on()
        self.evaluator.prepare(self.kind.name, seeds, suite)
        return self.evaluator.baseline_trials(self.kind.name, seeds, suite)

    def baseline(self, name: str, suite: AnySuite, seeds: tuple[int, ...]) -> BaselineTrials:
        self.go_on()
        return self.evaluator.baseline(self.kind.name, name, seeds, suite)

    def go_on(self) -> None:
        """Raises StudyStopped once a person asked for it."""
        if self.stopped():
            raise StudyStopped("Stopped. What was measured is kept: run the same command again to go on.")

    # --- what things are kept under

    def request_id(self, group: str) -> str:
        return f"study/{self.kind.name}/{self._digest}/{group}"

    def keyed(self, hypothesis: Hypothesis, group: str) -> Hypothesis:
        """Under an id that is made of its code, whatever its title and its source."""
        request_id = self.request_id(group)
        key = hypothesis_id(request_id, self.kind.name, "", hypothesis.source)
        return replace(hypothesis, id=key, request_id=request_id)

    def record(self, group: str, hypotheses: Sequence[Hypothesis]) -> None:
        self.journal.record_request(request_of(self.request_id(group), self.kind.name))
        self.journal.record_hypotheses(hypotheses)


def other(seeds: Iterable[int]) -> tuple[int, ...]:
    """Seeds of the same number that no suite, re-run or choice uses."""
    return tuple(OTHER_SEEDS + seed for seed in seeds)


def request_of(id: str, kind: str, strategies: tuple[Strategy, ...] = (Strategy.BY_HAND,)) -> Request:
    return Request(
        id=id,
        text="",
        kinds=(kind,),
        count=0,
        counts=(0,),
        strategies=strategies,
        purpose="",
        asked_by=BY_THE_STUDY,
        created_at=datetime(2000, 1, 1, tzinfo=UTC),  # the same at every run, since recording it twice must do nothing
    )


def training_digest(kind: Kind, torch_version: str) -> str:
    """Of all that losses depend on besides a component's code and its pack: another one measures everything again."""
    guest = Path(nets.__file__).parent
    files = [path for path in sorted(guest.rglob("*.py")) if not path.name.startswith("known_")]
    parts = [path.read_bytes() for path in files]
    return hashlib.sha256(b"\0".join([kind.name.encode(), torch_version.encode(), *parts])).hexdigest()[:8]


def counted(subjects: Sequence[Subject]) -> Mapping[str, int]:
    """How many there are of each fate; "measured" is the rest."""
    return {
        "proposed": len(subjects),
        "rejected": sum(not s.valid for s in subjects),
        "duplicates": sum(s.duplicate_of is not None for s in subjects),
        "broke": sum(s.broke for s in subjects),
    }
