"""Train candidates and baselines in the sandbox, and turn their predictions into scores."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path
from threading import Lock

import structlog

from engine.errors import EngineError
from engine.heldout import best_factor, score
from engine.hypothesis import Hypothesis
from engine.journal import Journal
from engine.score import BaselineTrials, Score
from engine.suite import GRID_SEEDS, SELECTION_SEEDS, Pack, Suite, pack, suite_of
from engine.verdict import Verdict
from engine.winrate import Yardstick, figures
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest import nets
from sandbox.guest.components.kind import Kind, Known
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.tiers import Tier

SECONDS_PER_SEED = 60.0  # limit of a training: a hundred times what a plain activation takes, for slow or busy machines
POLL_SECONDS = 0.25  # how soon a running candidate is killed after "stop"
KEPT_PACKS = 4  # of re-runs; those of the suite's own seeds come back at every request
TRAINING_FILES = ("train", "stack", "harness", "adam", "tiers", "nets", "candidate")  # what trials depend on inside

log = structlog.get_logger(__name__)


class Evaluator:
    """Measures hypotheses of any kind on one suite, against baselines that went through the very same path.

    Thread-safe. Baselines are kept in the journal under kind, suite, seeds, torch version and device, with a digest of
    their code, of the guest's training code and of all data: what was trained on anything else is trained again.
    """

    def __init__(
        self,
        *,
        sandbox: Sandbox,
        journal: Journal,
        secret: bytes,
        suites: Callable[[Kind], Suite] = suite_of,
        device: str = "cpu",
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self.device = device
        self._sandbox = sandbox
        self._journal = journal
        self._secret = secret
        self._kinds = kinds
        self._suites = {name: suites(kind) for name, kind in kinds.items()}
        self._packs: dict[tuple[str, tuple[int, ...]], Pack] = {}  # by identity of the suite, and seeds
        self._lock = Lock()  # of the packs
        self._preparing = Lock()  # so that two requests do not train the same baselines

    def suite(self, kind: str) -> Suite:
        return self._suites[kind]

    def identity(self, kind: str) -> str:
        """What the kind's scores and baselines are kept under."""
        return self._suites[kind].identity(self._secret)

    def prepare(self, kind: str, seeds: tuple[int, ...]) -> None:
        """Train the baselines that are not kept yet, on these seeds and on those that choose each cell's best one.

        Raises SandboxError, and EngineError when a baseline of ours does not train.
        """
        with self._preparing:
            for each in (seeds, SELECTION_SEEDS):
                kept = {trials.baseline for trials in self._kept(kind, each)}
                missing = [known for known in self._kinds[kind].baselines if known.name not in kept]
                if missing:
                    with ThreadPoolExecutor(self._sandbox.parallel) as threads:
                        list(threads.map(lambda known, s=each: self._train_baseline(kind, known, s), missing))

    def baseline_trials(self, kind: str, seeds: tuple[int, ...]) -> list[BaselineTrials]:
        """All that figures on `seeds` are computed from: each baseline on these seeds and on SELECTION_SEEDS.

        Only what is kept; before `prepare` that may be nothing.
        """
        return [*self._kept(kind, seeds), *self._kept(kind, SELECTION_SEEDS)]

    def measure(
        self,
        hypotheses: Sequence[Hypothesis],
        kind: str,
        seeds: tuple[int, ...],
        *,
        tag: str,
        stopped: Callable[[], bool],
        done: Callable[[Score | Verdict], None],
    ) -> list[Score | Verdict]:
        """A score for each hypothesis that trained, a verdict for each that broke or ran into a limit, in their order.

        `done` is called in this thread with each result as it comes. Once `stopped` says so nothing more is started,
        what runs is killed, and what has no result by then is left out. Raises SandboxError.
        """
        self.prepare(kind, seeds)
        yardstick = Yardstick.of(self.baseline_trials(kind, seeds))
        waiting, running = deque(hypotheses), dict[Future[Execution], Hypothesis]()
        results: dict[str, Score | Verdict] = {}
        with ThreadPoolExecutor(self._sandbox.parallel) as threads:
            while waiting or running:
                if stopped():
                    waiting.clear()
                    self._sandbox.kill(tag)
                while waiting and len(running) < self._sandbox.parallel:
                    hypothesis = waiting.popleft()
                    running[threads.submit(self._train, kind, hypothesis.source, seeds, tag)] = hypothesis
                for future in wait(running, POLL_SECONDS, FIRST_COMPLETED).done:
                    hypothesis = running.pop(future)
                    execution = future.result()
                    if execution.check != "stopped":
                        results[hypothesis.id] = self._judge(kind, hypothesis, execution, seeds, yardstick)
                        done(results[hypothesis.id])
        return [results[hypothesis.id] for hypothesis in hypotheses if hypothesis.id in results]

    def _judge(
        self, kind: str, hypothesis: Hypothesis, execution: Execution, seeds: tuple[int, ...], yardstick: Yardstick
    ) -> Score | Verdict:
        tier = execution.values.get("tier")
        if execution.outcome is Outcome.FINISHED and tier not in list(Tier):
            return _failed(
                hypothesis, execution, Outcome.REJECTED, "reply", "its reply does not say how it was trained"
            )
        if execution.outcome is not Outcome.FINISHED:
            return _failed(hypothesis, execution, execution.outcome, execution.check, execution.reason)
        trials = score(execution.arrays, self._pack(kind, seeds).held_out)
        found = figures(trials, yardstick)
        return Score(
            hypothesis_id=hypothesis.id,
            suite=self.identity(kind),
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
        )

    def _train(self, kind: str, source: bytes, seeds: tuple[int, ...], tag: str) -> Execution:
        """One training on `seeds`, with the factor of the grid that is best on GRID_SEEDS."""
        grid = self.suite(kind).grid
        if len(grid) == 1:
            return self._run(kind, source, seeds, grid, tag)
        tried = self._run(kind, source, GRID_SEEDS, grid, tag)
        if tried.outcome is not Outcome.FINISHED:
            return tried
        factor = best_factor(tried.arrays, self._pack(kind, GRID_SEEDS).held_out, grid)
        return self._run(kind, source, seeds, (factor,), tag)

    def _run(self, kind: str, source: bytes, seeds: tuple[int, ...], factors: tuple[float, ...], tag: str) -> Execution:
        prepared = self._pack(kind, seeds)
        self._sandbox.shelve(prepared.name, prepared.arrays)
        return self._sandbox.run(
            Task(
                action="train",
                kind=kind,
                source=source,
                options={**prepared.options, "device": self.device, "factors": list(factors)},
                pack=prepared.name,
                expects=prepared.expects(factors),
                limits=Limits(wall_seconds=SECONDS_PER_SEED * len(seeds) * len(factors)),
                tag=tag,
            )
        )

    # --- baselines

    def _train_baseline(self, kind: str, known: Known, seeds: tuple[int, ...]) -> None:
        execution = self._train(kind, known.code.encode(), seeds, f"baselines/{kind}")
        if execution.outcome is not Outcome.FINISHED:
            raise EngineError(
                f"the baseline {known.name} ({kind}) was {execution.outcome} in training on seeds {seeds}: "
                f"{execution.reason}. Baselines must train; look at the sandbox with `conjecture doctor`."
            )
        log.info("trained a baseline", kind=kind, baseline=known.name, suite=self.identity(kind), seeds=len(seeds))
        self._journal.record_baseline(
            BaselineTrials(
                kind=kind,
                baseline=known.name,
                suite=self.identity(kind),
                seeds=seeds,
                torch_version=self._sandbox.torch_version,
                device=self.device,
                trials=score(execution.arrays, self._pack(kind, seeds).held_out),
                seconds=execution.seconds,
                code_digest=self._digest(kind, known, seeds),
            )
        )

    def _kept(self, kind: str, seeds: tuple[int, ...]) -> list[BaselineTrials]:
        """In the kind's order of baselines; what is kept under another digest is stale, as if it were not there."""
        kept = self._journal.baselines(kind, self.identity(kind), seeds, self._sandbox.torch_version, self.device)
        found = {(trials.baseline, trials.code_digest): trials for trials in kept}
        wanted = [(known.name, self._digest(kind, known, seeds)) for known in self._kinds[kind].baselines]
        return [found[key] for key in wanted if key in found]

    def _digest(self, kind: str, known: Known, seeds: tuple[int, ...]) -> str:
        digest = hashlib.sha256(self._pack(kind, seeds).name.encode() + b"\0" + known.code.encode() + b"\0")
        digest.update(_training_code())
        return digest.hexdigest()

    # --- packs

    def _pack(self, kind: str, seeds: tuple[int, ...]) -> Pack:
        key = self.identity(kind), seeds
        with self._lock:
            found = self._packs.pop(key, None) or pack(self.suite(kind), self._secret, seeds)
            self._packs[key] = found  # the latest used is last
            lasting = {SELECTION_SEEDS, GRID_SEEDS} | {each.seeds for each in self._suites.values()}
            reruns = [kept for kept in self._packs if kept[1] not in lasting]
            for oldest in reruns[:-KEPT_PACKS]:
                del self._packs[oldest]
            return found


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
def _training_code() -> bytes:
    """As it was when first asked for: what is edited while a sandbox runs is not what runs in it."""
    folder = Path(nets.__file__).parent
    return b"\0".join((folder / f"{name}.py").read_bytes() for name in TRAINING_FILES)
