"""How fast hypotheses are evaluated: ways that take turns on the same hypotheses of the catalogue.

    python benchmarks/evaluate.py [--json] [--kind KIND]... [--hypotheses N] [--suite screen|standard]

(a) sequential   plain PyTorch, one trial after the other, in a process that is warm
(b) batched      all trials of an architecture in one stack, in a process that is warm
(c) sandboxed    the same in the warm sandbox, a fork a hypothesis
(d) python each  a fresh `python` a hypothesis that imports torch and trains sequentially
    whole        (c), preceded by the validation of the hypothesis in a fork of its own: what a request pays

Every way has two hypotheses in hand at once, each on one thread, and every way ends with trials scored by the host. A
hypothesis of a kind with a grid is trained for every factor first, in all ways. Times are the medians over turns; the
rates are hypotheses a second of the machine, not of a core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import root  # noqa: F401
import torch
from ways import Plan, Untrained, Work, batched, plan_of, python_each, sandboxed, sequential

import engine
from engine.hypothesis import Hypothesis
from engine.request import Strategy
from engine.validate import validate
from sandbox.choose import PREFERENCES, open_sandbox
from sandbox.execution import Sandbox
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.forkserver import warm

AT_ONCE = 2
TURN = 4  # hypotheses of one way before the next way has its turn
REPEATS = {"batched": 3, "sandboxed": 3, "whole": 2}  # of a turn, for ways that are over soon
HEADLINE = "activation"  # the kind for which (c) and (d) are timed as well
MIX = ("activation", "regularizer", "preprocessor")  # the paper's kinds, in equal parts
MIX_SIZE = 36_000

Way = Callable[[Sequence[Work]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one kind."""

    settings: int  # trainings a hypothesis, those that choose its factor of the grid included
    hypotheses: int
    hypotheses_per_second: dict[str, float]
    batched_vs_sequential: float
    spread: dict[str, tuple[float, float]]  # of each ratio: the least and the greatest of a turn

    def ratio(self, way: str, other: str) -> float | None:
        rates = self.hypotheses_per_second
        return rates[way] / rates[other] if way in rates and other in rates else None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--hypotheses", type=int, default=12, help="of each kind (default 12)")
    parser.add_argument("--suite", default="screen", choices=("screen", "standard"), help="34 or 68 trials")
    parser.add_argument("--sandbox", default="auto", choices=PREFERENCES)
    given = parser.parse_args()
    sandbox = open_sandbox(given.sandbox, parallel=AT_ONCE, owner="benchmarks")
    try:
        with processes() as pool:
            names = given.kind or list(KINDS)
            found = {name: timed(KINDS[name], given.suite, given.hypotheses, sandbox, pool) for name in names}
    finally:
        sandbox.close()
    told = document(found, str(sandbox.level))
    print(json.dumps(told) if given.json else table(told, found))


# --- what is timed


def processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn"), initializer=warm)


def timed(kind: Kind, suite: str, count: int, sandbox: Sandbox, pool: Executor) -> Figures:
    """Raises ValueError when none of the kind's hypotheses trains."""
    plan = plan_of(kind.name, suite)
    works = trainable(plan, kind, count, sandbox)
    if not works:
        raise ValueError(f"no hypothesis of kind {kind.name} trained; expected at least one of its catalogue")
    ways = ways_of(kind, sandbox, pool)
    each(pool, batched, works[:1] * AT_ONCE)  # so that every process has its packs, and torch what it loads lazily
    turns = [works[start : start + TURN] for start in range(0, len(works), TURN)]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number, turn in enumerate(turns):
        for name, taken in one_turn(ways, turn).items():
            seconds[name].append(taken)
        say(f"{kind.name}: turn {number + 1} of {len(turns)}")
    rates = {name: len(works) / sum(taken) for name, taken in seconds.items()}
    return Figures(
        settings=plan.settings,
        hypotheses=len(works),
        hypotheses_per_second=rates,
        batched_vs_sequential=rates["batched"] / rates["sequential"],
        spread={
            f"{way} / {other}": spread(seconds[other], seconds[way])
            for way, other in (("batched", "sequential"), ("sandboxed", "batched"), ("sandboxed", "python_each"))
            if way in seconds and other in seconds
        },
    )


def trainable(plan: Plan, kind: Kind, count: int, sandbox: Sandbox) -> list[Work]:
    """Hypotheses spread evenly over the catalogue, without those that do not train. It also warms the sandbox.

    A kind without a catalogue has its published components timed.
    """
    path = Path(engine.__file__).parent / "catalogue" / f"{kind.name}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    sources = [json.loads(line)["code"].encode() for line in lines] or [known.code.encode() for known in kind.known]
    chosen = sources if count >= len(sources) else [sources[n * len(sources) // count] for n in range(count)]
    found = []
    for work in (Work(plan=plan, source=source) for source in chosen):
        try:
            sandboxed(work, sandbox)
            found.append(work)
        except Untrained as why:
            say(f"{kind.name}: left out, {why}")
    return found


def ways_of(kind: Kind, sandbox: Sandbox, pool: Executor) -> dict[str, Way]:
    def in_threads(one: Callable[[Work], object]) -> Way:
        def run(works: Sequence[Work]) -> None:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                list(threads.map(one, works))

        return run

    def whole(work: Work) -> None:
        validate(hypothesis_of(work), sandbox)
        sandboxed(work, sandbox)

    ways: dict[str, Way] = {
        "sequential": lambda works: each(pool, sequential, works),
        "batched": lambda works: each(pool, batched, works),
        "sandboxed": in_threads(lambda work: sandboxed(work, sandbox)),
        "whole": in_threads(whole),
    }
    return ways | ({"python_each": in_threads(python_each)} if kind.name == HEADLINE else {})


def each(pool: Executor, way: Callable[[str, str, bytes], object], works: Sequence[Work]) -> None:
    running = [pool.submit(way, work.plan.kind, work.plan.suite, work.source) for work in works]
    for future in running:
        future.result()


def hypothesis_of(work: Work) -> Hypothesis:
    return Hypothesis(
        id="benchmark",
        request_id="benchmark",
        kind=work.plan.kind,
        title="",
        claim="",
        rationale="",
        inspiration="",
        source=work.source,
        strategy=Strategy.NOVEL,
        generator="offline catalogue",
    )


def one_turn(ways: Mapping[str, Way], works: Sequence[Work], repeats: Mapping[str, int] = REPEATS) -> dict[str, float]:
    """Seconds of each way for these hypotheses: the median of its repeats, which take turns with the other ways'."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(max(repeats.values())):
        for name, way in ways.items():
            if repeat < repeats.get(name, 1):
                begun = time.perf_counter()
                way(works)
                taken[name].append(time.perf_counter() - begun)
    return {name: median(times) for name, times in taken.items()}


def spread(slower: Sequence[float], faster: Sequence[float]) -> tuple[float, float]:
    ratios = [one / other for one, other in zip(slower, faster, strict=True)]
    return min(ratios), max(ratios)


# --- what is told


def document(found: Mapping[str, Figures], level: str) -> dict[str, object]:
    """Figures of the headline's kind, or of the first that was asked for; then each kind's own."""
    first = found.get(HEADLINE) or next(iter(found.values()))
    return {
        "hypotheses_per_second": first.hypotheses_per_second,
        "batched_vs_sequential": first.batched_vs_sequential,
        "sandbox_vs_in_process": first.ratio("sandboxed", "batched"),
        "sandboxed_vs_python_each": first.ratio("sandboxed", "python_each"),
        "settings": first.settings,
        "seconds_for_36000": seconds_for_mix(found),
        "by_kind": {name: asdict(figures) for name, figures in found.items()},
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": processor(),
            "torch": torch.__version__,
            "sandbox": level,
            "load_before": os.getloadavg()[2],
        },
    }


def seconds_for_mix(found: Mapping[str, Figures]) -> float | None:
    """Validation, training and scoring of 36,000 hypotheses; generation is not counted. None without all its kinds."""
    if not set(MIX) <= set(found):
        return None
    return sum(MIX_SIZE / len(MIX) / found[name].hypotheses_per_second["whole"] for name in MIX)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(told: Mapping[str, object], found: Mapping[str, Figures]) -> str:
    return "\n".join(_lines(told, found))


def _lines(told: Mapping[str, object], found: Mapping[str, Figures]) -> Iterator[str]:
    machine = told["machine"]
    assert isinstance(machine, dict)
    yield ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in machine.items())
    for name, figures in found.items():
        yield f"\n{name}: {figures.hypotheses} hypotheses of {figures.settings} settings each, two at once"
        for way, rate in figures.hypotheses_per_second.items():
            yield f"  {way.replace('_', ' '):12} {rate:8.3f} hypotheses a second"
        for ratio, (low, high) in figures.spread.items():
            way, other = ratio.split(" / ")
            yield f"  {ratio.replace('_', ' '):24} {figures.ratio(way, other):6.2f}  ({low:.2f} to {high:.2f} by turn)"
    seconds = told["seconds_for_36000"]
    mix = f"{MIX_SIZE // len(MIX):,} each of {', '.join(MIX)}, generation not counted"
    if isinstance(seconds, float):
        yield f"\n{MIX_SIZE:,} hypotheses ({mix}): {seconds:,.0f} seconds, {seconds / 60:.0f} minutes"
    else:
        yield f"\n{MIX_SIZE:,} hypotheses ({mix}): not computed, for not all of these kinds were timed"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
