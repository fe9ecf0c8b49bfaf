"""What isolation costs: ways that take turns on the same hypotheses of the catalogue, from none to a container each.

    python benchmarks/sandbox.py [--json] [--hypotheses N] [--starts N] [--split KIND]... [--no-split]

in_process           no isolation at all: two processes that are warm. The limit.
docker               the warm sandbox, a fork a hypothesis
namespaces, landlock the ladder for machines without Docker, where this machine has them
docker_run_each      a fresh container of the same hardening a hypothesis
python_each          a fresh `python` a hypothesis that trains one trial after the other, as many systems do
python_batched_each  a fresh `python` a hypothesis that trains in stacks, as all ways but the last do

Every way trains a screening suite of activations, has two hypotheses in hand at once, each on one thread, and ends with
trials scored by the host. The rates are hypotheses a second of the machine, not of a core.

Job starts are milliseconds from the call of `run` until `build` has returned inside (fork, confine, load, build), and
until the answer is back and nothing of the job is left. The fresh container's seconds are those of the same job.

Split process is timed against in guest for each kind, on the strongest sandbox of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from typing import Any

import root  # noqa: F401
import torch
from evaluate import AT_ONCE, TURN, Way, each, one_turn, processes, processor, say, trainable
from ways import Work, batched, plan_of, python_each, sandboxed

from sandbox.container import DockerSandbox
from sandbox.errors import SandboxUnavailable
from sandbox.execution import Level, Limits, Outcome, Sandbox, Task
from sandbox.guest.components.kinds import KINDS
from sandbox.process import ProcessSandbox

KIND, SUITE = "activation", "screen"
OWNER = "benchmarks"
WARM_UP = 5  # jobs that are not counted
FRESH_CONTAINERS = 3
LADDER = (Level.NAMESPACES, Level.LANDLOCK)
STRONGEST_FIRST = ("docker", *LADDER)
NO_OP = """
import time
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Reply
def main(job):
    load(job.options["source"].encode(), KINDS["activation"])()
    return Reply(values={"built": time.monotonic()})
"""
SILU = "import torch\n\n\ndef build():\n    return torch.nn.SiLU()\n"

Open = dict[str, Sandbox]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--hypotheses", type=int, default=24, help="activations of the catalogue (default 24)")
    parser.add_argument("--starts", type=int, default=200, help="no-op jobs of each sandbox (default 200)")
    parser.add_argument("--split", action="append", choices=sorted(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--no-split", action="store_true", help="leave split process out")
    given = parser.parse_args()
    kinds = () if given.no_split else given.split or tuple(KINDS)
    with ExitStack() as closing:
        opened = sandboxes(closing)
        told = {
            **rates(opened, given.hypotheses, closing),
            **starts(opened, given.starts),
            "split_vs_in_guest": split_ratios(opened, kinds),
            "machine": machine(opened),
        }
    print(json.dumps(told) if given.json else "\n".join(table(told)))


def sandboxes(closing: ExitStack) -> Open:
    """Every sandbox that this machine offers, warm. Raises SandboxUnavailable when there is none."""
    makers: dict[str, Callable[[], Sandbox]] = {"docker": lambda: DockerSandbox(parallel=AT_ONCE, owner=OWNER)}
    makers |= {str(level): lambda level=level: ProcessSandbox(level=level, parallel=AT_ONCE) for level in LADDER}
    opened: Open = {}
    for name, make in makers.items():
        try:
            opened[name] = make()
            closing.callback(opened[name].close)
        except SandboxUnavailable as error:
            say(f"{name}: left out, {error}")
    if not opened:
        raise SandboxUnavailable("this machine offers no sandbox; `conjecture doctor` says why")
    return opened


def fresh_containers(closing: ExitStack) -> queue.SimpleQueue[Sandbox]:
    """Sandboxes that give every job a container of its own."""
    idle: queue.SimpleQueue[Sandbox] = queue.SimpleQueue()
    for _ in range(AT_ONCE):
        idle.put(sandbox := DockerSandbox(parallel=1, owner=OWNER, jobs_per_worker=1))
        closing.callback(sandbox.close)
    return idle


# --- hypotheses a second


def rates(opened: Open, count: int, closing: ExitStack) -> dict[str, Any]:
    plan = plan_of(KIND, SUITE)
    strongest = next(opened[name] for name in STRONGEST_FIRST if name in opened)
    works = trainable(plan, KINDS[KIND], count, strongest)
    ways = ways_of(opened, closing)
    for name in set(ways) & {"in_process", *opened}:
        ways[name](works[:1] * AT_ONCE)  # everything has its packs, and torch what it loads lazily
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    turns = [works[start : start + TURN] for start in range(0, len(works), TURN)]
    for number, turn in enumerate(turns):
        for name, taken in one_turn(ways, turn, dict.fromkeys(("in_process", *opened), 3)).items():
            seconds[name].append(taken)
        say(f"turn {number + 1} of {len(turns)}")
    found = {name: len(works) / sum(taken) for name, taken in seconds.items()}
    warm = next(name for name in STRONGEST_FIRST if name in opened)
    return {
        "hypotheses": len(works),
        "settings": plan.settings,
        "warm": warm,
        "hypotheses_per_second": found,
        "warm_vs_in_process": found[warm] / found["in_process"],
        "warm_vs_python_each": found[warm] / found["python_each"],
        "warm_vs_python_batched_each": found[warm] / found["python_batched_each"],
        "warm_vs_docker_run_each": found[warm] / found["docker_run_each"] if "docker_run_each" in found else None,
        "by_turn": {name: [len(turn) / t for turn, t in zip(turns, seconds[name], strict=True)] for name in found},
    }


def ways_of(opened: Open, closing: ExitStack) -> dict[str, Way]:
    pool = closing.enter_context(processes())
    ways: dict[str, Way] = {"in_process": lambda works: each(pool, batched, works)}
    for name, sandbox in opened.items():
        ways[name] = in_threads(lambda work, sandbox=sandbox: sandboxed(work, sandbox))
    if "docker" in opened:
        idle = fresh_containers(closing)

        def in_a_fresh_one(work: Work) -> None:
            sandbox = idle.get()
            sandboxed(work, sandbox)
            idle.put(sandbox)

        ways["docker_run_each"] = in_threads(in_a_fresh_one)
    ways["python_each"] = in_threads(python_each)
    ways["python_batched_each"] = in_threads(lambda work: python_each(work, batched=True))
    return ways


def in_threads(one: Callable[[Work], object]) -> Way:
    def run(works: Sequence[Work]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(one, works))

    return run


# --- starts of jobs


def starts(opened: Open, count: int) -> dict[str, Any]:
    """Medians; the sandboxes take turns, one job at a time."""
    built: dict[str, list[float]] = {name: [] for name in opened}
    whole: dict[str, list[float]] = {name: [] for name in opened}
    for number in range(WARM_UP + count):
        for name, sandbox in opened.items():
            until_built, until_back = start(sandbox)
            if number >= WARM_UP:
                built[name].append(1000 * until_built)
                whole[name].append(1000 * until_back)
    fresh = None
    if "docker" in opened:
        with ExitStack() as closing:
            closing.callback((cold := DockerSandbox(parallel=1, owner=OWNER, jobs_per_worker=1)).close)
            fresh = median(start(cold)[1] for _ in range(FRESH_CONTAINERS))
    return {
        "job_start_ms": {name: median(taken) for name, taken in built.items()},
        "job_whole_ms": {name: median(taken) for name, taken in whole.items()},
        "fresh_container_seconds": fresh,
    }


def start(sandbox: Sandbox) -> tuple[float, float]:
    """Seconds until the component was built inside, and until the answer was here and the job cleaned up.

    Both sides read the machine's one monotonic clock, which containers share (gVisor's do not).
    """
    task = Task(
        action="script", kind="", source=NO_OP.encode(), options={"source": SILU}, limits=Limits(wall_seconds=60)
    )
    begun = time.monotonic()
    found = sandbox.run(task)
    ended = time.monotonic()
    if found.outcome is not Outcome.FINISHED:
        raise RuntimeError(f"the job that does nothing ended as {found.outcome}: {found.reason}")
    return found.values["built"] - begun, ended - begun


# --- split process


def split_ratios(opened: Open, kinds: Sequence[str]) -> dict[str, float]:
    """Time in split process over time in guest, of the kind's first baseline on its screening suite."""
    sandbox = next(opened[name] for name in STRONGEST_FIRST if name in opened)
    found = {}
    for name in kinds:
        work = Work(plan=plan_of(name, SUITE), source=KINDS[name].baselines[0].code.encode())
        found[name] = split_ratio(work, sandbox)
        say(f"{name}: split process takes {found[name]:.2f} times as long as in guest")
    return found


def split_ratio(work: Work, sandbox: Sandbox) -> float:
    taken: Mapping[bool, list[float]] = {False: [], True: []}
    for repeat in range(3):
        for split, times in taken.items():
            begun = time.perf_counter()
            sandboxed(work, sandbox, split=split)
            if repeat:  # the first has the packs to carry in
                times.append(time.perf_counter() - begun)
    return median(taken[True]) / median(taken[False])


# --- what is told


def machine(opened: Open) -> dict[str, object]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "kernel": os.uname().release,
        "torch": torch.__version__,
        "sandboxes": [str(sandbox.level) for sandbox in opened.values()],
        "load_before": LOAD_BEFORE,
    }


LOAD_BEFORE = os.getloadavg()[0]


def table(told: Mapping[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told["machine"].items())
    yield f"\n{told['hypotheses']} activations of {told['settings']} trainings each, {AT_ONCE} at once"
    for name, rate in told["hypotheses_per_second"].items():
        by_turn = told["by_turn"][name]
        yield f"  {name:20} {rate:8.3f} hypotheses a second  ({min(by_turn):.3f} to {max(by_turn):.3f} by turn)"
    for ratio in ("in_process", "python_each", "python_batched_each", "docker_run_each"):
        if told[f"warm_vs_{ratio}"] is not None:
            yield f"  warm {told['warm']} / {ratio:20} {told[f'warm_vs_{ratio}']:8.2f}"
    yield "\nstart of a job: milliseconds until built, until back and cleaned up"
    for name, taken in told["job_start_ms"].items():
        yield f"  {name:20} {taken:8.1f} {told['job_whole_ms'][name]:8.1f}"
    if told["fresh_container_seconds"] is not None:
        yield f"  {'fresh container':20} {1000 * told['fresh_container_seconds']:17.0f}"
    if told["split_vs_in_guest"]:
        yield "\nsplit process, times the seconds of in guest"
        for name, ratio in told["split_vs_in_guest"].items():
            yield f"  {name:20} {ratio:8.2f}"


if __name__ == "__main__":
    main()
