"""Many jobs in one session, one in five hostile: what is left, and what grows.

    python benchmarks/soak.py [--json] [--jobs N] [--sandbox docker|process]...

One worker serves all of them, two at once: its fork server is not replaced, so that whatever leaks in it adds up.
Every honest job must give the numbers that it gave at first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(
    0, str(Path(__file__).parents[1])
)  # else `sandbox` would be the benchmark of that name beside this file

import docker

from sandbox import owners
from sandbox.container import SLOTS_PER_JOB, DockerSandbox
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest.processes import below, process
from sandbox.process import ProcessSandbox

JOBS = 2000
AT_ONCE = 2
WARM_UP = 100  # jobs before the first look: memory that is reached once is no leak
LOOKS = 5
OWNER = f"soak-{os.getpid()}"
LIMITS = Limits(wall_seconds=20.0)
TIGHT = Limits(wall_seconds=0.4, memory_mib=128, disk_mib=4, output_bytes=100_000, reply_bytes=1 << 20, processes=8)
SEEDS = 7

PRELUDE = "from sandbox.guest.job import Reply\nimport numpy as np\n"
HONEST = """
    import torch
    def main(job):
        torch.manual_seed(job.options["seed"])
        net = torch.nn.Linear(4, 2)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            torch.tanh(net(torch.randn(16, 4))).sum().backward()
            optimizer.step()
        return Reply(arrays={"w": net.weight.detach().numpy()})
    """
HOSTILE = {
    "a daemon of two": "import os\nos.fork(); os.setsid()\nwhile True: pass",
    "exit status 0": "import os\nos._exit(0)",
    "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "thread bomb": """
        import threading, time
        while True:
            try: threading.Thread(target=time.sleep, args=(9,)).start()
            except RuntimeError: pass
        """,
    "files without permissions": """
        import os
        os.makedirs("a/b/c"); open("a/b/c/f", "w").write("x"); os.chmod("a/b", 0); os.chmod("a", 0)
        def main(job):
            return Reply()
        """,
    "a full disk": """
        n = 0
        while True:
            n += 1
            try: open(str(n), "wb").write(bytes(1 << 20))
            except OSError: pass
        """,
    "print without end": "while True: print('x' * 9999)",
    "all memory": "x = []\nwhile True: x.append(np.ones(1 << 20))",
    "a forged frame": "import os\nos.write(3, b'\\xff' * 64)\nos._exit(0)",
    "a vast reply": "def main(job):\n    return Reply(arrays={'x': np.zeros(1 << 20)})",
    "kill everything": "import os\nos.kill(-1, 9)",
    "stop itself": "import os, signal\nos.kill(0, signal.SIGSTOP)",
    "every descriptor": "import os\nwhile True:\n    try: os.pipe()\n    except OSError: break\nwhile True: pass",
    "patch the library": """
        import atexit, os, random, time, torch
        torch.manual_seed = torch.nn.Linear.forward = lambda *a, **k: None
        torch.set_default_dtype(torch.float64); torch.set_num_threads(3)
        time.monotonic = lambda: 0.0
        atexit.register(os.fork)
        raise SystemExit(0)
        """,
    "a crash": "import ctypes\nctypes.string_at(0)",
    "shared memory": "import mmap\nm = mmap.mmap(-1, 1 << 32)\nwhile True: m.write(b'x' * (1 << 20))",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the session holds after so many jobs."""

    jobs: int
    host_mib: float  # anonymous memory of this process
    host_descriptors: int
    host_threads: int
    server_mib: float  # of the fork server
    server_descriptors: int
    processes: int  # in the sandbox, the fork server's own included
    files: int  # in scratch directories and /dev/shm, inside and outside
    containers: int  # of this session


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    level: str
    seconds: float
    looks: tuple[Look, ...]
    workers: set[int]  # pids of fork servers seen
    hostile: Counter[str]  # how the hostile ones ended
    changed: int  # honest jobs that did not finish with the numbers of the first of their seed

    @property
    def grown(self) -> dict[str, float]:
        """By how much each thing has grown from the first look to the last."""
        first, last = self.looks[0], self.looks[-1]
        return {f.name: getattr(last, f.name) - getattr(first, f.name) for f in fields(Look) if f.name != "jobs"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--sandbox", action="append", choices=("docker", "process"), help="may be repeated")
    given = parser.parse_args()
    found = [soak(name, given.jobs) for name in given.sandbox or ("docker", "process")]
    if given.json:
        print(json.dumps([asdict(each) | {"workers": len(each.workers)} for each in found]))
    else:
        print("\n".join(line for each in found for line in table(each)))


def soak(name: str, jobs: int = JOBS) -> Soaked:
    """`name`: docker or process. Raises SandboxError for faults of ours."""
    sandbox, look = (in_docker if name == "docker" else in_process)(jobs)
    begun = time.monotonic()
    try:
        expected = [honest(sandbox, seed).arrays["w"].tobytes() for seed in range(SEEDS)]

        def one(number: int) -> str | None:
            if number % 5 == 4:
                return ended(hostile(sandbox, number // 5))
            found = honest(sandbox, number % SEEDS)
            same = found.outcome is Outcome.FINISHED and found.arrays["w"].tobytes() == expected[number % SEEDS]
            return None if same else "changed"

        ends: Counter[str | None] = Counter()
        looks: list[Look] = []
        workers: set[int] = set()
        done = 0
        for target in schedule(jobs):
            with ThreadPoolExecutor(AT_ONCE) as threads:
                ends.update(threads.map(one, range(done, target)))
            done = target
            looks.append(look(done))
            workers.add(look.server)
    finally:
        sandbox.close()
    told = {word: count for word, count in ends.items() if word not in (None, "changed")}
    return Soaked(
        level=str(sandbox.level),
        seconds=time.monotonic() - begun,
        looks=tuple(looks),
        workers=workers,
        hostile=Counter(told),
        changed=ends["changed"],
    )


def schedule(jobs: int) -> list[int]:
    warm = min(WARM_UP, jobs // 2)
    return [warm + (jobs - warm) * step // (LOOKS - 1) for step in range(LOOKS)]


def honest(sandbox: Sandbox, seed: int) -> Execution:
    expects = {"w": (2, 4)}
    return sandbox.run(task(HONEST, LIMITS, options={"seed": seed}, expects=expects))


def hostile(sandbox: Sandbox, number: int) -> Execution:
    return sandbox.run(task(list(HOSTILE.values())[number % len(HOSTILE)], TIGHT))


def task(source: str, limits: Limits, **more: Any) -> Task:
    text = PRELUDE + textwrap.dedent(source)
    return Task(action="script", kind="", source=text.encode(), limits=limits, **more)


def ended(found: Execution) -> str:
    return found.check or str(found.outcome)


# --- what is held


class Inspection:
    """Looks at a session from outside; `server` is the pid of the fork server that was seen last."""

    def __init__(self, root: Callable[[], int], files: Callable[[int], int], containers: Callable[[], int]) -> None:
        """root: the process below which the sandbox runs. files: how many it holds, given its fork server's pid."""
        self._root, self._files, self._containers = root, files, containers
        self.server = 0

    def __call__(self, jobs: int) -> Look:
        everything = below(self._root())
        server = max(everything, key=lambda entry: entry.memory_kib)
        self.server = server.pid
        own = process("self")
        assert own is not None
        return Look(
            jobs=jobs,
            host_mib=round(own.memory_kib / 1024, 1),
            host_descriptors=descriptors("self"),
            host_threads=threading.active_count(),
            server_mib=round(server.memory_kib / 1024, 1),
            server_descriptors=descriptors(server.pid),
            processes=len(everything),
            files=self._files(server.pid),
            containers=self._containers(),
        )


def descriptors(pid: int | str) -> int:
    """Of a server that is root in a container only root can see them; anybody else gets the size of their table."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("FDSize:"))


def in_process(jobs: int) -> tuple[Sandbox, Inspection]:
    sandbox = ProcessSandbox(parallel=AT_ONCE, actions="-", jobs_per_worker=2 * jobs + 100)

    def files(server: int) -> int:
        view = Path(f"/proc/{server}/root")
        seen = [view / "tmp", view / "dev/shm", sandbox._home]
        return sum(len(os.listdir(directory)) for directory in seen if directory.is_dir())

    return sandbox, Inspection(os.getpid, files, lambda: 0)


def in_docker(jobs: int) -> tuple[Sandbox, Inspection]:
    sandbox = DockerSandbox(parallel=AT_ONCE, owner=OWNER, actions="-", jobs_per_worker=2 * jobs + 100)
    slots = AT_ONCE * SLOTS_PER_JOB

    @contextmanager
    def containers() -> Iterator[list[Any]]:
        client = docker.from_env()
        chosen = {"label": f"{owners.OWNER}={OWNER}"}
        yield list(client.containers.list(filters=chosen, all=True, ignore_removed=True))
        client.close()

    def root() -> int:
        with containers() as found:
            return int(found[0].attrs["State"]["Pid"])

    def files(server: int) -> int:
        count = "import os; print(sum(len(d) + len(f) for at in ('/tmp', '/dev/shm') for _, d, f in os.walk(at)))"
        with containers() as found:
            return int(found[0].exec_run(["python3", "-c", count]).output) - slots

    def count() -> int:
        with containers() as found:
            return len(found)

    return sandbox, Inspection(root, files, count)


# --- what is told


def table(soaked: Soaked) -> Iterator[str]:
    yield f"\n{soaked.level}: {soaked.looks[-1].jobs:,} jobs in {soaked.seconds:.0f} s, "
    yield f"{soaked.changed} honest results changed, {len(soaked.workers)} worker(s)"
    ends = ", ".join(f"{count} {word}" for word, count in soaked.hostile.most_common())
    yield f"hostile jobs ended as: {ends}\n"
    yield from markdown(["after jobs", *titles()], [[look.jobs, *values(look)] for look in soaked.looks])


def titles() -> list[str]:
    return [f.name.replace("_", " ").replace(" mib", " MiB") for f in fields(Look) if f.name != "jobs"]


def values(look: Look) -> list[float]:
    return [getattr(look, f.name) for f in fields(Look) if f.name != "jobs"]


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"


if __name__ == "__main__":
    main()
