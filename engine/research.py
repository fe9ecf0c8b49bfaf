"""The loop, as idempotent batches: generate, validate, choose, measure, re-run, rank.

Every batch asks the journal what is already there and does only the rest, so a batch that was cut off by a crash is
simply called again. The order of the batches is the order of the methods; the workflow in bot/jobs.py calls them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from engine.choose import choose
from engine.evaluate import Evaluator
from engine.generate import generate
from engine.hypothesis import Hypothesis
from engine.journal import Choice, Journal
from engine.llm.client import LLM
from engine.novelty import judge
from engine.rank import rank
from engine.ranking import Ranking
from engine.request import Request, Strategy
from engine.score import Score
from engine.validate import validate
from engine.verdict import Verdict
from sandbox.execution import Sandbox
from sandbox.guest.components.kind import Behaviour, Kind

OVERSUPPLY = 3  # proposals generated for each one measured, so that the reward model has something to choose from
RERUN_TOP = 2
RERUN_SEEDS = 8
BATCH = 8  # hypotheses a step: small enough that little is lost in a crash, large enough that bookkeeping is nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a request is, in numbers of hypotheses."""

    wanted: int  # to be generated
    generated: int
    validated: int
    to_measure: int
    measured: int


class Research:
    def __init__(
        self,
        *,
        journal: Journal,
        sandbox: Sandbox,
        evaluator: Evaluator,
        models: Sequence[LLM],
        kinds: Mapping[str, Kind],
    ) -> None:
        self._journal = journal
        self._sandbox = sandbox
        self._evaluator = evaluator
        self._models = models
        self._kinds = kinds

    # --- generate

    def generate(self, request_id: str) -> None:
        """Ask every model for its share of every kind and strategy; what one has no more of, another is asked for."""
        request = self._journal.request(request_id)
        for kind, count in zip(request.kinds, request.counts, strict=True):
            self._ask_each_for_its_share(request, kind, OVERSUPPLY * count)
            self._ask_any_for_the_rest(request, kind, OVERSUPPLY * count)

    def _ask_each_for_its_share(self, request: Request, kind: str, count: int) -> None:
        askings = [(strategy, model) for strategy in request.strategies for model in self._models]
        for (strategy, model), share in zip(askings, shares(count, len(askings)), strict=True):
            have = [h for h in self._proposed(request, kind) if h.strategy == strategy and h.generator == model.name]
            self._ask(request, kind, strategy, model, share - len(have))

    def _ask_any_for_the_rest(self, request: Request, kind: str, count: int) -> None:
        for strategy in request.strategies:
            for model in self._models:
                self._ask(request, kind, strategy, model, count - len(self._proposed(request, kind)))

    def _ask(self, request: Request, kind: str, strategy: Strategy, model: LLM, count: int) -> None:
        if count <= 0 or self._journal.stopped(request.id):
            return
        avoid = self._journal.used_titles(kind)
        answer = generate(request, kind, strategy, count, model, avoid)
        self._journal.record_hypotheses(answer.hypotheses)
        self._journal.record_generator_faults(request.id, answer.faults)

    def _proposed(self, request: Request, kind: str) -> list[Hypothesis]:
        return [h for h in self._journal.hypotheses(request.id) if h.kind == kind]

    # --- validate

    def unvalidated(self, request_id: str) -> list[str]:
        verdicts = self._journal.verdicts(request_id)
        return [h.id for h in self._journal.hypotheses(request_id) if h.id not in verdicts]

    def validate(self, request_id: str, hypothesis_ids: Sequence[str]) -> None:
        """Probe each in the sandbox, then compare its behaviour with everything known and everything tried before."""
        wanted = set(hypothesis_ids) & set(self.unvalidated(request_id))
        hypotheses = [h for h in self._journal.hypotheses(request_id) if h.id in wanted]
        with ThreadPoolExecutor(self._sandbox.parallel) as threads:
            verdicts = list(threads.map(lambda h: self._probe(h, request_id), hypotheses))
        earlier = {kind: self._earlier(kind) for kind in {h.kind for h in hypotheses}}
        for hypothesis, verdict in zip(hypotheses, verdicts, strict=True):
            if verdict is None:
                continue
            if verdict.accepted:
                known = earlier[hypothesis.kind]
                others = [(other.title, seen) for other, seen in known if not same_idea(hypothesis, other)]
                novelty = judge(self._kinds[hypothesis.kind], verdict.behaviour, others)
                verdict = replace(verdict, novelty=novelty)
                if novelty.duplicate_of is None:
                    known.append((hypothesis, verdict.behaviour))
            self._journal.record_verdict(verdict)

    def _probe(self, hypothesis: Hypothesis, tag: str) -> Verdict | None:
        return None if self._journal.stopped(tag) else validate(hypothesis, self._sandbox, tag=tag)

    def _earlier(self, kind: str) -> list[tuple[Hypothesis, Behaviour]]:
        return [
            (past.hypothesis, past.verdict.behaviour)
            for past in self._journal.past(kind)
            if past.verdict.accepted and past.verdict.novelty and past.verdict.novelty.duplicate_of is None
        ]

    # --- choose

    def choose(self, request_id: str) -> None:
        """Decide once which are measured; the decision is recorded for all of them."""
        if self._journal.choices(request_id):
            return
        request = self._journal.request(request_id)
        for kind, count in zip(request.kinds, request.counts, strict=True):
            self._journal.record_choices(
                choose(request_id, self._kinds[kind], self.candidates(request_id, kind), count, self._journal)
            )

    def candidates(self, request_id: str, kind: str) -> list[tuple[Hypothesis, Verdict]]:
        """Those that could be measured: accepted, and not the same function as something known."""
        verdicts = self._journal.verdicts(request_id)
        return [
            (hypothesis, verdicts[hypothesis.id])
            for hypothesis in self._journal.hypotheses(request_id)
            if hypothesis.kind == kind and hypothesis.id in verdicts and measurable(verdicts[hypothesis.id])
        ]

    def choose_the_rest(self, request_id: str) -> int:
        """Mark everything that was proposed but not measured to be measured; returns how many were added."""
        left = [c for c in self._journal.choices(request_id).values() if not c.measured]
        self._journal.record_choices([replace(choice, measured=True, why="asked for") for choice in left])
        return len(left)

    # --- measure

    def prepare(self, request_id: str) -> None:
        """Train the baselines that are not kept yet."""
        for kind in self._journal.request(request_id).kinds:
            self._evaluator.prepare(kind, self._evaluator.suite.seeds)

    def unmeasured(self, request_id: str) -> list[str]:
        verdicts = self._journal.verdicts(request_id)
        scored = {score.hypothesis_id for score in self._journal.scores(request_id)}
        return [
            choice.hypothesis_id
            for choice in self._journal.choices(request_id).values()
            if choice.measured and choice.hypothesis_id not in scored and measurable(verdicts[choice.hypothesis_id])
        ]

    def measure(self, request_id: str, hypothesis_ids: Sequence[str], done: Callable[[], None]) -> None:
        """Measure on the screening suite; `done` is called after each. Stops between candidates when asked to."""
        wanted = set(hypothesis_ids) & set(self.unmeasured(request_id))
        for kind in self._journal.request(request_id).kinds:
            hypotheses = [h for h, _ in self.candidates(request_id, kind) if h.id in wanted]
            self._measure(request_id, kind, hypotheses, self._evaluator.suite.seeds, done)

    def _measure(
        self,
        request_id: str,
        kind: str,
        hypotheses: Sequence[Hypothesis],
        seeds: tuple[int, ...],
        done: Callable[[], None],
    ) -> None:
        def record(result: Score | Verdict) -> None:
            if isinstance(result, Score):
                self._journal.record_score(result)
            elif not self._journal.stopped(request_id):  # what a stop cut off is not the candidate's fault
                self._journal.record_verdict(result)
            done()

        if hypotheses:
            self._evaluator.measure(
                hypotheses,
                kind,
                seeds,
                tag=request_id,
                stopped=lambda: self._journal.stopped(request_id),
                done=record,
            )

    def rerun(self, request_id: str) -> None:
        """Measure the top of each kind again on seeds that nothing has seen, with the baselines beside."""
        seeds = fresh_seeds(request_id, self._evaluator.suite.seeds)
        done = {score.hypothesis_id for score in self._journal.scores(request_id) if score.seeds == seeds}
        for ranking in self.rankings(request_id):
            top = [place.hypothesis for place in ranking.places[:RERUN_TOP] if place.hypothesis.id not in done]
            if top:
                self._evaluator.prepare(ranking.kind, seeds)
                self._measure(request_id, ranking.kind, top, seeds, lambda: None)

    # --- rank

    def rankings(self, request_id: str) -> list[Ranking]:
        """One ranking a kind, from what the journal holds now."""
        request = self._journal.request(request_id)
        seeds = self._evaluator.suite.seeds
        scores = self._journal.scores(request_id)
        verdicts = self._journal.verdicts(request_id)
        return [
            rank(
                request_id=request_id,
                kind=self._kinds[kind],
                hypotheses=self._proposed(request, kind),
                verdicts=verdicts,
                scores=[score for score in scores if score.seeds == seeds],
                baselines=self._evaluator.baseline_trials(kind, seeds),
                reruns=[score for score in scores if score.seeds != seeds],
                generator_faults=self._journal.generator_faults(request_id),
                stopped=self._journal.stopped(request_id),
            )
            for kind in request.kinds
        ]

    def tally(self, request_id: str) -> Tally:
        choices = self._journal.choices(request_id)
        screened = {s.hypothesis_id for s in self._journal.scores(request_id)}
        chosen = [c.hypothesis_id for c in choices.values() if c.measured]
        return Tally(
            wanted=OVERSUPPLY * self._journal.request(request_id).count,
            generated=len(self._journal.hypotheses(request_id)),
            validated=len(self._journal.verdicts(request_id)),
            to_measure=len(chosen),
            measured=len(screened),
        )


def measurable(verdict: Verdict) -> bool:
    return verdict.accepted and (verdict.novelty is None or verdict.novelty.duplicate_of is None)


def same_idea(one: Hypothesis, other: Hypothesis) -> bool:
    """The catalogue starts over when all of it was used: an entry is not a duplicate of itself."""
    return one.id == other.id or (one.origin is not None and one.origin == other.origin)


def shares(total: int, parts: int) -> list[int]:
    """Split `total` into `parts` whole numbers that differ by at most one, the larger ones first."""
    each, over = divmod(total, parts)
    return [each + (index < over) for index in range(parts)]


def fresh_seeds(request_id: str, used: Sequence[int]) -> tuple[int, ...]:
    """Seeds for the re-run: drawn from the request's id, never one of `used`."""
    seeds: list[int] = []
    counter = 0
    while len(seeds) < RERUN_SEEDS:
        digest = hashlib.sha256(f"{request_id}/rerun/{counter}".encode()).digest()
        seed = 1_000_000 + int.from_bytes(digest[:4], "big") % 1_000_000_000
        counter += 1
        if seed not in used and seed not in seeds:
            seeds.append(seed)
    return tuple(seeds)


def choices_for_all(request_id: str, hypotheses: Sequence[Hypothesis]) -> list[Choice]:
    """For components that a person wrote: each one is measured."""
    return [Choice(hypothesis_id=h.id, request_id=request_id, measured=True, why="asked for") for h in hypotheses]
