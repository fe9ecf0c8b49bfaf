"""Train candidates and baselines in the sandbox, and turn their predictions into scores."""

from __future__ import annotations

import hashlib
import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from threading import Lock

import structlog

from engine.errors import EngineError
from engine.executions import tier_of, together
from engine.heldout import best_factor
from engine.hypothesis import Hypothesis
from engine.journal import Journal, epoch_at
from engine.own.suite import OwnPack, OwnSuite
from engine.repeat import PREFIX, Repetition, compare, lost, not_tried
from engine.score import BaselineTrials, Score, Tried
from engine.suite import GRID_SEEDS, SCREEN, SCREENING, SELECTION_SEEDS, Pack, Suite, suite_of
from engine.verdict import Verdict
from engine.winrate import Yardstick, figures
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest import nets
from sandbox.guest.components.kind import Kind, Known
from sandbox.guest.components.kinds import KINDS

SECONDS_PER_SEED = 60.0  # limit of a screening: a hundred times what a plain activation takes, for busy machines
LONGEST_SECONDS = 900.0  # limit of any training
SPLIT_LONGER = 4.0  # times the limits, in split process
SEEDS_AT_ONCE = 8  # in one job: more would take more memory than a job has
POLL_SECONDS = 0.25  # how soon a running candidate is killed after "stop"
KEPT_PACKS = 24  # the latest used: one is a few MB

AnySuite = Suite | OwnSuite

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """The last execution of an arm: on the seeds asked for, or on GRID_SEEDS when that one failed."""

    execution: Execution
    factor: float
    grid: tuple[Tried, ...]


class Evaluator:
    """Measures hypotheses of any kind on its suites, against baselines that went through the very same path.

    Thread-safe. Wherever a suite is asked for, it may be given by its name or as one made from another with
    `dataclasses.replace`. Baselines are kept in the journal under kind, suite, seeds, torch version and device, with a
    digest of their code, of the guest's training code and of all data: what was trained on anything else is trained
    again.
    """

    def __init__(
        self,
        *,
        sandbox: Sandbox,
        journal: Journal,
        secret: bytes,
        suites: Callable[[Kind, str], AnySuite] = suite_of,
        device: str = "cpu",
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self.device = device
        self._sandbox = sandbox
        self._journal = journal
        self._secret = secret
        self._kinds = kinds
        self._suites = suites
        self._packs: dict[tuple[str, tuple[int, ...]], Pack | OwnPack] = {}  # by identity of the suite, and seeds
        self._names: dict[tuple[str, tuple[int, ...]], str] = {}  # of every pack that was ever made
        self._lock = Lock()  # of both
        self._preparing: dict[tuple[str, tuple[int, ...]], Lock] = {}  # as of the packs: nothing is trained twice

    def suite(self, kind: str, suite: str | AnySuite = SCREENING, *, epoch: int | None = None) -> AnySuite:
        """As it is in an epoch, by default the one in force. Raises ValueError for a name that is none."""
        if not isinstance(suite, str):
            return suite
        found = self._suites(self._kinds[kind], suite)
        if not isinstance(found, Suite):
            return found
        return replace(found, epoch=epoch_at(self._journal.epochs()) if epoch is None else epoch)

    def identity(self, kind: str, suite: str | AnySuite = SCREENING) -> str:
        """What the kind's scores and baselines on this suite are kept under."""
        return self.suite(kind, suite).identity(self._secret)

    def prepare(
        self,
        kind: str,
        seeds: tuple[int, ...],
        suite: str | AnySuite = SCREENING,
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train the baselines that are not kept yet, on these seeds and on those that choose the best one.

        Once `stopped` says so no other one is started. Raises SandboxError, and EngineError when a baseline of ours
        does not train.
        """
        on = self.suite(kind, suite)
        for each in (seeds, SELECTION_SEEDS):
            if not self._missing(kind, on, each):
                continue  # without waiting for what another request trains
            with self._alone_on(on, each), ThreadPoolExecutor(self._sandbox.parallel) as threads:
                missing = self._missing(kind, on, each)
                train = partial(self._train_baseline, kind, on, each)
                list(threads.map(lambda known, t=train: None if stopped() else t(known), missing))

    def _alone_on(self, suite: AnySuite, seeds: tuple[int, ...]) -> Lock:
        with self._lock:
            return self._preparing.setdefault((suite.identity(self._secret), seeds), Lock())

    def _missing(self, kind: str, suite: AnySuite, seeds: tuple[int, ...]) -> list[Known]:
        kept = {trials.baseline for trials in self._kept(kind, suite, seeds)}
        return [known for known in self._kinds[kind].baselines if known.name not in kept]

    def baseline_trials(
        self, kind: str, seeds: tuple[int, ...], suite: str | AnySuite = SCREENING
    ) -> list[BaselineTrials]:
        """All that figures on `seeds` are computed from: each baseline on these seeds and on SELECTION_SEEDS.

        Only what is kept; before `prepare` that may be nothing.
        """
        on = self.suite(kind, suite)
        return [*self._kept(kind, on, seeds), *self._kept(kind, on, SELECTION_SEEDS)]

    def baseline(self, kind: str, name: str, seeds: tuple[int, ...], suite: AnySuite) -> BaselineTrials:
        """One baseline on these seeds alone, trained unless it is kept."""
        (known,) = (known for known in self._kinds[kind].baselines if known.name == name)
        with self._alone_on(suite, seeds):
            if not any(trials.baseline == name for trials in self._kept(kind, suite, seeds)):
                self._train_baseline(kind, suite, seeds, known)
        return next(trials for trials in self._kept(kind, suite, seeds) if trials.baseline == name)

    def measure(
        self,
        hypotheses: Sequence[Hypothesis],
        kind: str,
        seeds: tuple[int, ...],
        *,
        tag: str,
        stopped: Callable[[], bool],
        done: Callable[[Score | Verdict], None],
        suite: str | AnySuite = SCREENING,
        split: bool = False,
    ) -> list[Score | Verdict]:
        """A score for each hypothesis that trained, a verdict for each that broke or ran into a limit, in their order.

        split: in split process (see sandbox/execution.py), which a team's own suite does not offer.

        `done` is called in this thread with each result as it comes. Once `stopped` says so nothing more is started,
        what runs is killed, and what has no result by then is left out. Raises SandboxError.
        """
        on = self.suite(kind, suite)
        self.prepare(kind, seeds, on)
        yardstick = Yardstick.of(self.baseline_trials(kind, seeds, on))
        waiting, running = deque(hypotheses), dict[Future[_Trained], Hypothesis]()
        results: dict[str, Score | Verdict] = {}
        with ThreadPoolExecutor(self._sandbox.parallel) as threads:
            while waiting or running:
                if stopped():
                    waiting.clear()
                    self._sandbox.kill(tag)
                while waiting and len(running) < self._sandbox.parallel:
                    hypothesis = waiting.popleft()
                    future = threads.submit(self._train, kind, on, hypothesis.source, seeds, tag, split=split)
                    running[future] = hypothesis
                for ended in wait(running, POLL_SECONDS, FIRST_COMPLETED).done:
                    hypothesis = running.pop(ended)
                    trained = ended.result()
                    if trained.execution.check != "stopped":
                        results[hypothesis.id] = self._judge(on, hypothesis, trained, seeds, yardstick)
                        done(results[hypothesis.id])
        return [results[hypothesis.id] for hypothesis in hypotheses if hypothesis.id in results]

    def repeat(
        self, hypothesis: Hypothesis, kind: str, score: Score, suite: str | AnySuite, *, tag: str = ""
    ) -> Repetition:
        """Train once more in split process, on the score's own seeds with its own factor, and compare. Raises
        SandboxError.
        """
        on = self.suite(kind, suite)
        if not isinstance(on, Suite):
            return not_tried(score, "a team's own model is trained in guest only")
        factor = on.grid[0] if score.factor is None else score.factor
        execution = self._run(kind, on, hypothesis.source, score.seeds, (factor,), tag, split=True)
        if execution.check == "stopped":
            return not_tried(score, "it was stopped")
        trained = _Trained(execution=execution, factor=factor, grid=score.grid)
        yardstick = Yardstick.of(self.baseline_trials(kind, score.seeds, on))
        result = self._judge(on, hypothesis, trained, score.seeds, yardstick)
        if isinstance(result, Verdict):
            return compare(score, lost(score, result.check, result.reason, execution.seconds))
        return compare(score, replace(result, suite=PREFIX + result.suite))

    def first_learned(
        self, kind: str, source: bytes, seeds: tuple[int, ...], suite: AnySuite, *, tag: str
    ) -> list[list[float]]:
        """Train once, and read what the first learnable parameter of the component became, by layer and replica.

        Of the replicas of each layer the seeds are in turns. Empty where it did not train. Raises SandboxError.
        """
        execution = self._job(kind, suite, source, seeds, suite.grid[:1], tag, learned=True)
        told = execution.values.get("learned")  # written by the guest
        layers = told if execution.outcome is Outcome.FINISHED and isinstance(told, list) else []
        return [[value for value in layer if isinstance(value, float)] for layer in layers if isinstance(layer, list)]

    def _judge(
        self, suite: AnySuite, hypothesis: Hypothesis, trained: _Trained, seeds: tuple[int, ...], yardstick: Yardstick
    ) -> Score | Verdict:
        execution = trained.execution
        tier = tier_of(execution)
        if execution.outcome is Outcome.FINISHED and tier is None:
            return _failed(
                hypothesis, execution, Outcome.REJECTED, "reply", "its reply does not say how it was trained"
            )
        if execution.outcome is not Outcome.FINISHED:
            return _failed(hypothesis, execution, execution.outcome, execution.check, execution.reason)
        trials = self._pack(suite, seeds).score(execution.arrays)
        found = figures(trials, yardstick)
        return Score(
            hypothesis_id=hypothesis.id,
            suite=suite.identity(self._secret),
            seeds=seeds,
            trials=trials,
            b_wr=found.b_wr,
            bsota_wr=found.bsota_wr,
            effect=found.effect,
            diverged=found.diverged,
            seconds=execution.seconds,
            tier=str(tier),
            sandbox=str(execution.level),
            device=self.device,
            factor=trained.factor,
            grid=trained.grid,
        )

    def _train(
        self, kind: str, suite: AnySuite, source: bytes, seeds: tuple[int, ...], tag: str, *, split: bool = False
    ) -> _Trained:
        """One training on `seeds`, with the factor of the grid that is best on GRID_SEEDS."""
        factor = suite.grid[0]
        grid: tuple[Tried, ...] = ()
        if len(suite.grid) > 1:
            first = self._run(kind, suite, source, GRID_SEEDS, suite.grid, tag, split=split)
            if first.outcome is not Outcome.FINISHED:
                return _Trained(execution=first, factor=factor, grid=())
            grid = self._pack(suite, GRID_SEEDS).tried(first.arrays, suite.grid)
            factor = best_factor(grid)
        execution = self._run(kind, suite, source, seeds, (factor,), tag, split=split)
        return _Trained(execution=execution, factor=factor, grid=grid)

    def _run(
        self,
        kind: str,
        suite: AnySuite,
        source: bytes,
        seeds: tuple[int, ...],
        factors: tuple[float, ...],
        tag: str,
        *,
        split: bool = False,
    ) -> Execution:
        """Train on all seeds, some at a time; the first job that does not finish is the answer."""
        if not isinstance(suite, Suite) or len(seeds) <= SEEDS_AT_ONCE:
            return self._job(kind, suite, source, seeds, factors, tag, split=split)
        parts = [seeds[start : start + SEEDS_AT_ONCE] for start in range(0, len(seeds), SEEDS_AT_ONCE)]
        done: list[Execution] = []
        for part in parts:
            done.append(self._job(kind, suite, source, part, factors, tag, split=split))
            if done[-1].outcome is not Outcome.FINISHED:
                return done[-1]
        return together(done, [len(part) for part in parts], len(factors))

    def _job(
        self,
        kind: str,
        suite: AnySuite,
        source: bytes,
        seeds: tuple[int, ...],
        factors: tuple[float, ...],
        tag: str,
        *,
        split: bool = False,
        learned: bool = False,
    ) -> Execution:
        prepared = self._pack(suite, seeds)
        self._sandbox.shelve(prepared.name, prepared.arrays)
        seconds = SECONDS_PER_SEED * len(seeds) * len(factors) * suite.steps / SCREEN.steps
        return self._sandbox.run(
            Task(
                action=prepared.action,
                kind=kind,
                source=source,
                options={**prepared.options, "device": self.device, "factors": list(factors), "learned": learned},
                pack=prepared.name,
                expects=prepared.expects(factors),
                limits=Limits(wall_seconds=min(seconds, LONGEST_SECONDS) * (SPLIT_LONGER if split else 1.0)),
                split=split,
                tag=tag,
            )
        )

    # --- baselines

    def _train_baseline(self, kind: str, suite: AnySuite, seeds: tuple[int, ...], known: Known) -> None:
        trained = self._train(kind, suite, known.code.encode(), seeds, f"baselines/{kind}")
        execution = trained.execution
        if execution.outcome is not Outcome.FINISHED:
            raise EngineError(
                f"the baseline {known.name} ({kind}) was {execution.outcome} in training on seeds {seeds}: "
                f"{execution.reason}. Baselines must train; look at the sandbox with `conjecture doctor`."
            )
        identity = suite.identity(self._secret)
        log.info("trained a baseline", kind=kind, baseline=known.name, suite=identity, seeds=len(seeds))
        self._journal.record_baseline(
            BaselineTrials(
                kind=kind,
                baseline=known.name,
                suite=identity,
                seeds=seeds,
                torch_version=self._sandbox.torch_version,
                device=self.device,
                trials=self._pack(suite, seeds).score(execution.arrays),
                seconds=execution.seconds,
                code_digest=self._digest(kind, suite, known, seeds),
                factor=trained.factor,
                grid=trained.grid,
            )
        )

    def _kept(self, kind: str, suite: AnySuite, seeds: tuple[int, ...]) -> list[BaselineTrials]:
        """In the kind's order of baselines; what is kept under another digest is stale, as if it were not there.

        So is what an older version kept without its factor of the grid.
        """
        identity = suite.identity(self._secret)
        kept = self._journal.baselines(kind, identity, seeds, self._sandbox.torch_version, self.device)
        found = {(trials.baseline, trials.code_digest): trials for trials in kept if trials.factor is not None}
        wanted = [(known.name, self._digest(kind, suite, known, seeds)) for known in self._kinds[kind].baselines]
        return [found[key] for key in wanted if key in found]

    def _digest(self, kind: str, suite: AnySuite, known: Known, seeds: tuple[int, ...]) -> str:
        names = [self._name(suite, each) for each in ((seeds, GRID_SEEDS) if len(suite.grid) > 1 else (seeds,))]
        digest = hashlib.sha256("\0".join([*names, known.code, ""]).encode())
        digest.update(_training_code(self._kinds[kind].harness, self._kinds[kind].prepare))
        return digest.hexdigest()

    # --- packs

    def _pack(self, suite: AnySuite, seeds: tuple[int, ...]) -> Pack | OwnPack:
        key = suite.identity(self._secret), seeds
        with self._lock:
            found = self._packs.pop(key, None) or suite.pack(self._secret, seeds)
            self._packs[key] = found  # the latest used is last
            self._names[key] = found.name
            for oldest in list(self._packs)[:-KEPT_PACKS]:
                del self._packs[oldest]
            return found

    def _name(self, suite: AnySuite, seeds: tuple[int, ...]) -> str:
        return self._names.get((suite.identity(self._secret), seeds)) or self._pack(suite, seeds).name


def _failed(
    hypothesis: Hypothesis, execution: Execution, outcome: Outcome, check: str | None, reason: str | None
) -> Verdict:
    return Verdict(
        hypothesis_id=hypothesis.id,
        outcome=outcome,
        check=check,
        reason=reason,
        seconds=execution.seconds,
        sandbox=str(execution.level),
    )


@cache
def _training_code(*of_the_kind: Callable[..., object]) -> bytes:
    """All that trials may depend on inside but the published components, whose own code is in the digest as well.

    `of_the_kind` may be defined elsewhere. As it all was when first asked for: what is edited while a sandbox runs is
    not what runs in it.
    """
    inside = {path for path in Path(nets.__file__).parent.rglob("*.py") if not path.name.startswith("known_")}
    files = sorted(inside | {Path(inspect.getfile(part)) for part in of_the_kind})
    return b"\0".join(file.read_bytes() for file in files)
