"""The loop, as idempotent batches: generate, validate, choose, measure, re-run, rank.

Every batch asks the journal what is already there and does only the rest, so a batch that was cut off by a crash is
simply called again. The order of the batches is the order of the methods; the workflow in bot/jobs.py calls them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from engine.budget import MATCHING, Budget, budgets
from engine.choose import ASKED_FOR, DEFAULT, Weights, choose
from engine.duplicates import originals, repeated, same_idea
from engine.evaluate import AnySuite, Evaluator
from engine.generate import from_file
from engine.guards import Guards, guards, newness, reserved, unlike_the_past
from engine.hypothesis import Hypothesis
from engine.journal import Journal, Past, epoch_at
from engine.learn import learn
from engine.llm.client import LLM
from engine.novelty import judge, known_behaviours
from engine.propose import OVERSUPPLY, Proposer
from engine.rank import is_duplicate, rank, references, step_size_effect
from engine.ranking import Ranking
from engine.request import Request, Strategy
from engine.reward import Landmark, landmarks, predictor
from engine.rotation import comparable_past
from engine.score import BaselineTrials, Score
from engine.suite import FULL, SCREENING, Suite
from engine.validate import validate
from engine.verdict import Verdict
from sandbox.execution import Sandbox
from sandbox.guest.components.kind import Behaviour, Kind

RERUN_TOP = 2
RERUN_SEEDS = 8
BATCH = 8  # hypotheses validated in a step: small enough that little is lost in a crash, large enough for bookkeeping
MEASURED_AT_ONCE = 24  # in a step; each is recorded as it comes, and at the end of a step all but one core wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a request is, in numbers of hypotheses."""

    wanted: int  # to be generated
    generated: int
    validated: int
    rejected: int  # duplicates included
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
        weights: Weights = DEFAULT,
    ) -> None:
        self._journal = journal
        self._sandbox = sandbox
        self._evaluator = evaluator
        self._proposer = Proposer(journal=journal, models=models)
        self._kinds = kinds
        self._weights = weights

    # --- generate

    def generate(self, request_id: str) -> None:
        """Ask every model for its share of every kind and strategy; what one has no more of, another is asked for."""
        self._proposer.generate(request_id)

    def _proposed(self, request: Request, kind: str) -> list[Hypothesis]:
        return [h for h in self._journal.hypotheses(request.id) if h.kind == kind]

    def take(self, request: Request, files: Sequence[tuple[str, bytes]]) -> None:
        """Components that a person wrote, as (name, source): they take the place of generated ones."""
        self._journal.record_request(request)
        kind = request.kinds[0]
        hypotheses = [from_file(name, source, kind, request.id, request.asked_by) for name, source in files]
        self._journal.record_hypotheses(hypotheses)

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
                kind = self._kinds[hypothesis.kind]
                novelty = judge(kind, verdict.behaviour, others)
                verdict = replace(verdict, novelty=replace(novelty, duplicate_id=repeated(kind, novelty, known)))
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
        for name, count in zip(request.kinds, request.counts, strict=True):
            kind = self._kinds[name]
            known = predictor(kind, self._journal.latest_snapshot(name), self._landmarks(kind))
            candidates, past = self.candidates(request_id, name), self._journal.past(name)
            share = reserved(self._weights.novel_share, newness(kind, past))
            choices = choose(
                request_id,
                kind,
                candidates,
                count,
                known,
                weights=replace(self._weights, novel_share=share),
                novelty=unlike_the_past(kind, candidates, past),
            )
            self._journal.record_choices(choices)

    def candidates(self, request_id: str, kind: str) -> list[tuple[Hypothesis, Verdict]]:
        """Those that could be measured: accepted, and not the same function as something known.

        What a person wrote is measured in any case: it was asked for by name.
        """
        verdicts = self._journal.verdicts(request_id)
        return [
            (hypothesis, verdicts[hypothesis.id])
            for hypothesis in self._journal.hypotheses(request_id)
            if hypothesis.kind == kind and hypothesis.id in verdicts and measurable(hypothesis, verdicts[hypothesis.id])
        ]

    def choose_the_rest(self, request_id: str, kind: str) -> None:
        """Mark everything of this kind that was proposed but not measured to be measured."""
        of_kind = {hypothesis.id for hypothesis, _ in self.candidates(request_id, kind)}
        left = [c for c in self._journal.choices(request_id).values() if not c.measured and c.hypothesis_id in of_kind]
        self._journal.record_choices([replace(choice, measured=True, why=ASKED_FOR) for choice in left])

    def _landmarks(self, kind: Kind) -> list[Landmark]:
        """The baselines with their own win rates: what a prediction can lean on before anything was measured."""
        rows = references(kind, self.baseline_trials(kind.name))
        return landmarks(kind, rows, known_behaviours(kind))

    # --- learn

    def past(self, kind: str) -> list[Past]:
        """Everything of a kind so far, its scores on one scale (see rotation.py)."""
        return comparable_past(self._journal, self._evaluator, kind)

    def learn(self, kind: str) -> None:
        """Make a new version of the reward model from every outcome and vote so far, once there are enough."""
        about = self._kinds[kind]
        snapshot = learn(about, self.past(kind), at=datetime.now(UTC), baselines=self._landmarks(about))
        if snapshot is not None:
            self._journal.record_snapshot(snapshot)

    def guards(self, kind: str, past: Sequence[Past]) -> Guards:
        """How the choice of what is measured does, from everything of a kind so far."""
        about = self._kinds[kind]
        known = predictor(about, self._journal.latest_snapshot(kind), self._landmarks(about))
        return guards(about, past, known, self._weights.novel_share)

    def outcomes(self, kind: str) -> int:
        """How many hypotheses of this kind were measured so far, over all requests."""
        return self._journal.outcomes(kind)

    # --- measure

    def suite(self, request: Request, kind: str, name: str | None = None) -> AnySuite:
        """The request's, or the one of a name, as it was when the request was made: an epoch may have begun since."""
        epoch = epoch_at(self._journal.epochs(), request.created_at)
        return self._evaluator.suite(kind, name or request.suite, epoch=epoch)

    def prepare(self, request_id: str) -> None:
        """Train the baselines that are not kept yet: on the request's suite, and for the choice on the screening.

        Of the kinds only of which there is something to measure: a broken file is refused without a minute's wait.
        """
        request = self._journal.request(request_id)
        for kind in (kind for kind in request.kinds if self.candidates(request_id, kind)):
            for suite in (self._evaluator.suite(kind), self.suite(request, kind)):
                self._evaluator.prepare(kind, suite.seeds, suite)

    def baseline_trials(self, kind: str, suite: AnySuite | None = None) -> list[BaselineTrials]:
        """Each baseline on the suite's own seeds, and on those that choose the best one."""
        on = suite or self._evaluator.suite(kind)
        return self._evaluator.baseline_trials(kind, on.seeds, on)

    def references_in(self, request_id: str, kind: str) -> list[BaselineTrials]:
        """Each baseline on the seeds of the request's suite alone: what stands beside a hypothesis, trial by trial."""
        suite = self.suite(self._journal.request(request_id), kind)
        return [one for one in self.baseline_trials(kind, suite) if one.seeds == suite.seeds]

    def scores(self, request: Request, kind: str) -> tuple[list[Score], list[Score]]:
        """Of a kind on the request's suite: those on the suite's own seeds, and the re-runs."""
        suite = self.suite(request, kind)
        identity = self._evaluator.identity(kind, suite)
        known = {hypothesis.id for hypothesis in self._proposed(request, kind)}
        found = [s for s in self._journal.scores(request.id) if s.suite == identity and s.hypothesis_id in known]
        return [s for s in found if s.seeds == suite.seeds], [s for s in found if s.seeds != suite.seeds]

    def unmeasured(self, request_id: str) -> list[str]:
        choices, request = self._journal.choices(request_id), self._journal.request(request_id)
        return [
            hypothesis.id
            for kind in request.kinds
            for scored in [{score.hypothesis_id for score in self.scores(request, kind)[0]}]
            for hypothesis, _ in self.candidates(request_id, kind)
            if hypothesis.id in choices and choices[hypothesis.id].measured and hypothesis.id not in scored
        ]

    def measure(self, request_id: str, hypothesis_ids: Sequence[str], done: Callable[[], None] = lambda: None) -> None:
        """Measure on the request's suite; `done` is called after each. Stops between candidates when asked to."""
        wanted = set(hypothesis_ids) & set(self.unmeasured(request_id))
        request = self._journal.request(request_id)
        for kind in request.kinds:
            hypotheses = [h for h, _ in self.candidates(request_id, kind) if h.id in wanted]
            self._measure(request, kind, hypotheses, self.suite(request, kind).seeds, done)
            for id, budget in self._budgets(request, kind):
                if id in hypothesis_ids and not self._journal.stopped(request_id):
                    self._evaluator.baseline(kind, budget.baseline, budget.suite.seeds, budget.suite)

    def _measure(
        self,
        request: Request,
        kind: str,
        hypotheses: Sequence[Hypothesis],
        seeds: tuple[int, ...],
        done: Callable[[], None],
    ) -> None:
        def record(result: Score | Verdict) -> None:
            if isinstance(result, Score):
                self._journal.record_score(result)
            else:
                self._journal.record_verdict(result)
            done()

        if hypotheses:
            self._evaluator.measure(
                hypotheses,
                kind,
                seeds,
                tag=request.id,
                stopped=lambda: self._journal.stopped(request.id),
                done=record,
                suite=self.suite(request, kind),
            )

    def _budgets(self, request: Request, kind: str) -> list[tuple[str, Budget]]:
        suite, verdicts = self.suite(request, kind), self._journal.verdicts(request.id)
        if not isinstance(suite, Suite) or suite.name not in MATCHING:
            return []
        baselines = self.baseline_trials(kind, suite)
        return budgets(self._kinds[kind], suite, self.scores(request, kind)[0], verdicts, baselines)

    def rerun(self, request_id: str) -> None:
        """Measure the top of each kind again on seeds that nothing has seen, with the baselines beside.

        And once more in split process, on the very same seeds. Not on the full suite, whose own seeds nothing else has
        seen.
        """
        request = self._journal.request(request_id)
        for ranking in self.rankings(request_id) if request.suite != FULL.name else ():
            seeds = fresh_seeds(request_id, self.suite(request, ranking.kind).seeds)
            done = {score.hypothesis_id for score in self._journal.scores(request_id) if score.seeds == seeds}
            top = [place.hypothesis for place in ranking.places[:RERUN_TOP] if place.hypothesis.id not in done]
            self._measure(request, ranking.kind, top, seeds, lambda: None)
            self._repeat(request, ranking)

    def _repeat(self, request: Request, ranking: Ranking) -> None:
        suite = self.suite(request, ranking.kind)
        for place in [place for place in ranking.places[:RERUN_TOP] if place.repetition is None]:
            if self._journal.stopped(request.id):
                return
            hypothesis = place.hypothesis
            found = self._evaluator.repeat(hypothesis, ranking.kind, place.score, suite, tag=request.id)
            if found.score is not None:
                self._journal.record_score(found.score)

    # --- rank

    def rankings(self, request_id: str) -> list[Ranking]:
        """One ranking a kind, from what the journal holds now."""
        request = self._journal.request(request_id)
        return [self._ranking(request, kind) for kind in request.kinds]

    def _ranking(self, request: Request, kind: str) -> Ranking:
        (scores, reruns), suite = self.scores(request, kind), self.suite(request, kind)
        matched: dict[str, list[tuple[str, BaselineTrials]]] = {}
        for id, budget in self._budgets(request, kind):
            kept = self._evaluator.baseline_trials(kind, budget.suite.seeds, budget.suite)
            rows = [(budget.words, one) for one in kept if one.baseline == budget.baseline]
            matched.setdefault(id, []).extend(rows)
        ranked = rank(
            request_id=request.id,
            kind=self._kinds[kind],
            hypotheses=self._proposed(request, kind),
            verdicts=self._journal.verdicts(request.id),
            scores=scores,
            baselines=self.baseline_trials(kind, suite),
            reruns=reruns,
            generator_faults=self._journal.generator_faults(request.id),
            stopped=self._journal.stopped(request.id),
            matched=matched,
            step_size_effects=self._step_size_effects(request, kind),
            originals=originals(self._journal, request.id, self._evaluator.identity(kind, suite), suite.seeds),
        )
        return ranked.with_repetitions(self._journal.scores(request.id))

    def _step_size_effects(self, request: Request, kind: str) -> set[str]:
        """Of what was measured on the screening and on the full suite, in whatever order."""
        screening, full = (self.suite(request, kind, name) for name in (SCREENING, FULL.name))
        scores = self._journal.scores(request.id)
        screened, tuned = (
            {
                s.hypothesis_id: s
                for s in scores
                if s.suite == self._evaluator.identity(kind, on) and s.seeds == on.seeds
            }
            for on in (screening, full)
        )
        both = screened.keys() & tuned.keys()
        baselines = self.baseline_trials(kind, full) if both else []
        return {id for id in both if step_size_effect(screened[id], tuned[id], baselines)}

    def tally(self, request_id: str) -> Tally:
        hypotheses = self._journal.hypotheses(request_id)
        verdicts = self._journal.verdicts(request_id)
        choices = self._journal.choices(request_id).values()
        request = self._journal.request(request_id)
        return Tally(
            wanted=request.count * (1 if by_hand(request) else OVERSUPPLY),
            generated=len(hypotheses),
            validated=len(verdicts),
            rejected=sum(h.id in verdicts and not measurable(h, verdicts[h.id]) for h in hypotheses),
            to_measure=sum(choice.measured for choice in choices),
            measured=len({score.hypothesis_id for score in self._journal.scores(request_id)}),
        )


def by_hand(request: Request) -> bool:
    return request.strategies == (Strategy.BY_HAND,)


def measurable(hypothesis: Hypothesis, verdict: Verdict) -> bool:
    return verdict.accepted and (not is_duplicate(verdict) or hypothesis.strategy is Strategy.BY_HAND)


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
