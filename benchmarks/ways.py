"""Four ways to train the same component on the same trials, each ending with trials that the host's code has scored.

As a program, it is the way that many systems take: a fresh `python` that imports torch, trains one component one
trial after the other, and ends. It reads a pickled `Work` on stdin and writes pickled trials on stdout.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import root  # noqa: F401
import torch

from engine.heldout import best_factor, score, tried
from engine.score import Trial
from engine.suite import GRID_SEEDS, Pack, pack, suite_of
from sandbox.execution import Array, Limits, Outcome, Sandbox, Task
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import train

SECRET = b"the benchmarks' own: their figures must come out again"
SECONDS_PER_TRAINING = 600.0
Train = Callable[[Pack, tuple[float, ...]], Mapping[str, Array]]  # with these factors of the grid


class Untrained(Exception):
    """A hypothesis that does not train, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every hypothesis of a kind is trained on."""

    kind: str
    suite: str
    pack: Pack
    grid: tuple[float, ...]
    grid_pack: Pack | None  # None where there is nothing to choose

    @property
    def settings(self) -> int:
        """Trainings a hypothesis: those that are compared, and those that choose its factor of the grid."""
        chosen_on = self.grid_pack
        return _replicas(self.pack) + (len(self.grid) * _replicas(chosen_on) if chosen_on else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    plan: Plan
    source: bytes


@cache
def plan_of(kind: str, suite: str) -> Plan:
    on = suite_of(KINDS[kind], suite)
    return Plan(
        kind=kind,
        suite=suite,
        pack=pack(on, SECRET, on.seeds),
        grid=on.grid,
        grid_pack=pack(on, SECRET, GRID_SEEDS) if len(on.grid) > 1 else None,
    )


def _replicas(pack: Pack) -> int:
    return sum(pack.held_out.stacks.values())


def trials(plan: Plan, train: Train) -> tuple[Trial, ...]:
    """As engine/evaluate.py measures an arm: the grid's best factor first, where there is a grid; then the trials."""
    factors = plan.grid[:1]
    if plan.grid_pack is not None:
        factors = (best_factor(tried(train(plan.grid_pack, plan.grid), plan.grid_pack.held_out, plan.grid)),)
    return score(train(plan.pack, factors), plan.pack.held_out)


def in_process(action: Callable[[Job], Reply], work: Work) -> tuple[Trial, ...]:
    """Raises Untrained."""

    def run(pack: Pack, factors: tuple[float, ...]) -> Mapping[str, Array]:
        options = {**pack.options, "device": "cpu", "factors": list(factors)}
        job = Job(action="train", kind=work.plan.kind, source=work.source, options=options, pack=pack.arrays)
        try:
            return action(job).arrays
        except Fault as fault:
            raise Untrained(str(fault)) from fault

    return trials(work.plan, run)


def sequential(kind: str, suite: str, source: bytes) -> tuple[Trial, ...]:
    """In a process that is kept, which remembers what it trains on."""
    return in_process(train_sequential, Work(plan=plan_of(kind, suite), source=source))


def batched(kind: str, suite: str, source: bytes) -> tuple[Trial, ...]:
    return in_process(train, Work(plan=plan_of(kind, suite), source=source))


def sandboxed(work: Work, sandbox: Sandbox, *, split: bool = False) -> tuple[Trial, ...]:
    """In guest or in split process. Raises Untrained."""

    def run(pack: Pack, factors: tuple[float, ...]) -> Mapping[str, Array]:
        sandbox.shelve(pack.name, pack.arrays)
        task = Task(
            action="train",
            kind=work.plan.kind,
            source=work.source,
            options={**pack.options, "device": "cpu", "factors": list(factors)},
            pack=pack.name,
            expects=pack.expects(factors),
            limits=Limits(wall_seconds=SECONDS_PER_TRAINING),
            split=split,
        )
        found = sandbox.run(task)
        if found.outcome is not Outcome.FINISHED:
            raise Untrained(f"{found.check}: {found.reason}")
        return found.arrays

    return trials(work.plan, run)


def python_each(work: Work, *, batched: bool = False) -> tuple[Trial, ...]:
    """One trial after the other, or in stacks. Raises CalledProcessError with what it printed as errors."""
    command = [sys.executable, __file__, *(["batched"] if batched else [])]
    done = subprocess.run(command, input=pickle.dumps(work), capture_output=True, check=True)
    found: tuple[Trial, ...] = pickle.loads(done.stdout)
    return found


def main() -> None:
    sys.modules["ways"] = sys.modules["__main__"]  # under which name `Work` was pickled
    torch.set_num_threads(1)  # two run at once on two cores
    work: Work = pickle.load(sys.stdin.buffer)
    action = train if sys.argv[1:] == ["batched"] else train_sequential
    sys.stdout.buffer.write(pickle.dumps(in_process(action, work)))


if __name__ == "__main__":
    main()
