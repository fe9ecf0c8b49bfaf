"""Losses of many components on a suite, measured in the sandbox and kept in a file: nothing is measured twice.

The path is the evaluator's (one training, in a fork of its own, with the factor of the grid that is best on
GRID_SEEDS), without its scores and its journal: a benchmark wants the losses themselves, on seeds of its choice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from engine.heldout import best_factor, score, tried
from engine.score import BaselineTrials, Trial
from engine.suite import GRID_SEEDS, SELECTION_SEEDS, Pack, Suite, pack
from engine.winrate import Losses, Yardstick, wins
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest import nets
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

SECRET = b"the benchmarks' own: their figures must come out again"
SEEDS_AT_ONCE = 8  # of one training: what is lost when a run is ended
SECONDS_PER_TRAINING = 600.0

Arms = dict[str, Losses]  # by name of the component; [cells, seeds], infinite where a trial diverged


class Bench:
    """Measures in the sandbox what `path`, a file of one JSON document a line, does not hold yet.

    A line's key is a digest of all that its losses depend on: data, initial parameters and orders, the component's
    source, the grid, the code of training, and the version of torch. Thread-safe.
    """

    def __init__(self, sandbox: Sandbox, path: Path, say: Callable[[str], None] = lambda words: None) -> None:
        self._sandbox = sandbox
        self._say = say
        self._packs: dict[tuple[str, tuple[int, ...]], Pack] = {}
        self._code: dict[str, bytes] = {}  # as it was when first asked for
        self._lock = Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._kept: dict[str, list[float] | str] = dict(_documents(path.read_bytes()))
        self._file = path.open("a", encoding="utf-8")

    def measure(
        self,
        kind: Kind,
        suite: Suite,
        sources: Mapping[str, bytes],
        seeds: Sequence[int],
        tuned_on: tuple[int, ...] = GRID_SEEDS,
    ) -> Arms:
        """Losses of the components that trained, in the order of `sources`; one that did not train is left out.

        `tuned_on` are the seeds on which each takes its factor of the grid.
        """
        with ThreadPoolExecutor(self._sandbox.parallel) as threads:
            found = list(threads.map(lambda code: self._losses(kind, suite, code, seeds, tuned_on), sources.values()))
        return {name: losses for name, losses in zip(sources, found, strict=True) if losses is not None}

    def _losses(
        self, kind: Kind, suite: Suite, source: bytes, seeds: Sequence[int], tuned_on: tuple[int, ...]
    ) -> Losses | None:
        factor = suite.grid[0]
        if len(suite.grid) > 1:
            chosen = self._once(kind, suite, source, tuned_on, suite.grid)
            if isinstance(chosen, str):
                return None
            factor = chosen[0]
        columns = []
        for start in range(0, len(seeds), SEEDS_AT_ONCE):
            some = tuple(seeds[start : start + SEEDS_AT_ONCE])
            losses = self._once(kind, suite, source, some, (factor,))
            if isinstance(losses, str):
                return None
            columns.append(np.array(losses, np.float64).reshape(len(suite.cells), len(some)))
        return np.concatenate(columns, 1)

    def _once(
        self, kind: Kind, suite: Suite, source: bytes, seeds: tuple[int, ...], factors: tuple[float, ...]
    ) -> list[float] | str:
        """With one factor the losses in the pack's order, with several [the best one]; or why there are none."""
        parts = [self._pack(suite, seeds).name, repr(factors), self._sandbox.torch_version]
        key = hashlib.sha256(b"\0".join([*map(str.encode, parts), source, self._code_of(kind)])).hexdigest()[:32]
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        document = self._trained(kind, suite, source, seeds, factors)
        with self._lock:
            self._kept[key] = document
            self._file.write(json.dumps([key, document]) + "\n")
            self._file.flush()
        return document

    def _trained(
        self, kind: Kind, suite: Suite, source: bytes, seeds: tuple[int, ...], factors: tuple[float, ...]
    ) -> list[float] | str:
        found = self._run(kind, suite, source, seeds, factors)
        held_out = self._pack(suite, seeds).held_out
        if found.outcome is not Outcome.FINISHED:
            return self._refused(kind, found)
        if len(factors) > 1:
            return [best_factor(tried(found.arrays, held_out, factors))]
        losses = (trial.loss for trial in score(found.arrays, held_out))
        return [float("inf") if loss is None else round(loss, 9) for loss in losses]

    def _refused(self, kind: Kind, execution: Execution) -> str:
        reason = f"{execution.check}: {execution.reason}"
        self._say(f"{kind.name}: left out, {reason}")
        return reason

    def _run(
        self, kind: Kind, suite: Suite, source: bytes, seeds: tuple[int, ...], factors: tuple[float, ...]
    ) -> Execution:
        prepared = self._pack(suite, seeds)
        self._sandbox.shelve(prepared.name, prepared.arrays)
        return self._sandbox.run(
            Task(
                action="train",
                kind=kind.name,
                source=source,
                options={**prepared.options, "device": "cpu", "factors": list(factors)},
                pack=prepared.name,
                expects=prepared.expects(factors),
                limits=Limits(wall_seconds=SECONDS_PER_TRAINING),
            )
        )

    def _code_of(self, kind: Kind) -> bytes:
        return self._code.setdefault(kind.name, training_code(kind))

    def _pack(self, suite: Suite, seeds: tuple[int, ...]) -> Pack:
        with self._lock:
            key = suite.identity(SECRET), seeds
            if key not in self._packs:
                self._packs[key] = pack(suite, SECRET, seeds)
            return self._packs[key]


def _documents(lines: bytes) -> Iterable[tuple[str, list[float] | str]]:
    """What a run that was killed left half written, its last line, is left out."""
    for line in lines.splitlines():
        try:
            key, document = json.loads(line)
        except ValueError:
            continue
        yield key, document


def training_code(kind: Kind) -> bytes:
    """All of the guest's files but published components, whose own code is in the key, and the other kinds'."""
    guest = Path(nets.__file__).parent
    others = {f"{name}.py" for name in KINDS} - {f"{kind.name}.py"}
    parts = [path for path in (guest / "components").glob("*.py") if path.name not in others]
    files = [*guest.glob("*.py"), *(path for path in parts if not path.name.startswith("known_"))]
    return b"\0".join(path.read_bytes() for path in sorted(files))


# --- figures


def rates(arm: Losses, baselines: Sequence[Losses]) -> tuple[float, float]:
    """(B-WR, BSOTA-WR) of an arm [cells, seeds] against the baselines on the same trials."""
    others = np.stack(baselines)
    return float(wins(arm, others).mean()), float(wins(arm, others.min(0)).mean())


def trials_of(cells: Sequence[str], seeds: Sequence[int], losses: NDArray[np.float64]) -> tuple[Trial, ...]:
    """Of losses [cells, seeds], as the host would have scored them."""
    return tuple(
        Trial(cell=cell, seed=seed, loss=float(loss) if np.isfinite(loss) else None, accuracy=None)
        for cell, row in zip(cells, losses, strict=True)
        for seed, loss in zip(seeds, row, strict=True)
    )


def yardstick(suite: Suite, seeds: Sequence[int], measuring: Arms, selecting: Arms) -> Yardstick:
    """From the baselines' losses on `seeds` and on SELECTION_SEEDS."""
    return Yardstick.of(
        [
            BaselineTrials(
                kind="",
                baseline=name,
                suite=suite.name,
                seeds=tuple(where),
                torch_version="",
                device="",
                trials=trials_of(suite.cells, where, losses),
                seconds=0.0,
                code_digest="",
            )
            for where, arms in ((seeds, measuring), (SELECTION_SEEDS, selecting))
            for name, losses in arms.items()
        ]
    )
