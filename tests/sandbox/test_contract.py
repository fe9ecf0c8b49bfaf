"""What every sandbox promises, on every sandbox."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sandbox.execution import Execution, Outcome, Sandbox, Task

Run = Callable[..., Execution]
MakeTask = Callable[..., Task]


def test_a_finished_job_brings_its_values_arrays_and_measurements(run: Run) -> None:
    result = run(
        """
        def main(job):
            print("seen")
            return Reply(values={"n": 3, "text": "ä"}, arrays={"x": np.arange(6, dtype=np.float32).reshape(2, 3)})
        """,
        expects={"x": (2, 3)},
    )
    assert (result.outcome, result.check, result.reason) == (Outcome.FINISHED, None, None)
    assert result.values == {"n": 3, "text": "ä"}
    assert result.arrays["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert result.output == "seen\n"
    assert result.seconds > 0
    assert result.cpu_seconds > 0


def test_a_job_sees_its_kind_options_and_source(sandbox: Sandbox, task: MakeTask) -> None:
    source = (
        "def main(job):\n    return Reply(values={'options': job.options, 'tail': job.source[-5:].decode()})\n# end"
    )
    result = sandbox.run(task(source, options={"a": [1, None, "x"]}))
    assert result.values == {"options": {"a": [1, None, "x"]}, "tail": "# end"}


def test_a_pack_is_the_same_for_every_job_whatever_a_job_writes_into_it(sandbox: Sandbox, task: MakeTask) -> None:
    name = f"pack-{id(task)}"
    pack = {"x": np.arange(5, dtype=np.float32), "labels": np.arange(4, dtype=np.int64)}
    sandbox.shelve(name, pack)
    sandbox.shelve(name, pack)
    spoil = """
        def main(job):
            before = job.pack["x"].copy()
            job.pack["x"][:] = -1
            job.pack["labels"][:] = -1
            return Reply(arrays={"x": before}, values={"labels": int(job.pack["labels"].sum())})
        """
    results = [sandbox.run(task(spoil, pack=name, expects={"x": (5,)})) for _ in range(2)]
    assert [r.arrays["x"].tolist() for r in results] == [[0, 1, 2, 3, 4]] * 2


def test_a_job_has_no_pack_but_its_own_in_its_memory(sandbox: Sandbox, task: MakeTask) -> None:
    """Another's may be a team's data and the source of its model."""
    for name in ("own", "other"):
        sandbox.shelve(f"{name}-{id(task)}", {name: np.full(100_000, 7.0, np.float32)})
    look = """
        import sys
        def main(job):
            frame = sys._getframe()
            while "packs" not in frame.f_locals:
                frame = frame.f_back
            packs = frame.f_locals["packs"]
            return Reply(values={name: float(array.sum()) for pack in packs.values()
                                 for name, array in pack.arrays.items() if name in ("own", "other")})
        """
    found = sandbox.run(task(look, pack=f"own-{id(task)}"))
    assert found.values == {"own": 700_000.0, "other": 0.0}, found


def test_a_pack_that_was_never_shelved_is_an_error_of_the_caller(sandbox: Sandbox, task: MakeTask) -> None:
    with pytest.raises(ValueError, match="no pack 'nowhere'"):
        sandbox.run(task("", pack="nowhere"))


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ("Reply(arrays={'x': np.zeros(3, np.float32)})", r"float32 of shape \(3,\); expected float32 of shape \(2,\)"),
        ("Reply(arrays={'x': np.zeros(2)})", r"float64 of shape \(2,\); expected float32"),
        ("Reply()", "it has 0 arrays; expected"),
        ("Reply(arrays={'x': np.zeros(2, np.float32), 'y': np.zeros(2, np.float32)})", "it has 2 arrays"),
        ("Reply(values={'x': 'y' * 70_000}, arrays={'x': np.zeros(2, np.float32)})", "its document has"),
        ("None", r"main\(job\) returned NoneType"),
    ],
)
def test_a_reply_of_another_form_is_rejected(run: Run, reply: str, says: str) -> None:
    result = run(f"def main(job):\n    return {reply}", expects={"x": (2,)})
    assert (result.outcome, result.check) == (Outcome.REJECTED, "reply")
    assert result.reason is not None
    assert re.search(says, result.reason)
    assert not result.arrays


def test_what_a_candidate_raises_is_told_with_its_line_and_without_paths(run: Run) -> None:
    result = run("def main(job):\n    raise ValueError('no such file: /usr/lib/python3/secret.py\\x00\\n\\x1b[31m')")
    assert (result.outcome, result.check) == (Outcome.REJECTED, "error")
    assert result.reason is not None
    assert result.reason.startswith("ValueError: no such file: secret.py")
    assert "(line 4)" in result.reason
    assert result.reason.isprintable()


def test_a_broken_contract_is_told_by_its_check(run: Run) -> None:
    result = run("def main(job):\n    raise Fault('gradient', 'it is zero ' + 'x' * 1000)")
    assert (result.outcome, result.check) == (Outcome.REJECTED, "gradient")
    assert result.reason is not None
    assert result.reason.startswith("it is zero x")
    assert len(result.reason) <= 300


LIMITS = {
    "time limit: sleep": ("import time\ndef main(job):\n    time.sleep(60)", {"wall_seconds": 0.5}),
    "time limit: loop": ("while True: pass", {"wall_seconds": 0.5}),
    "time limit: SIGTERM and friends ignored": (
        "import signal\nfor n in range(1, 32):\n    if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n"
        "while True: pass",
        {"wall_seconds": 0.5},
    ),
    "time limit: stopped by itself": (
        "import os, signal\nos.kill(0, signal.SIGSTOP)\nwhile 1: pass",
        {"wall_seconds": 0.5},
    ),
    "memory limit: one tensor": ("import torch\ntorch.empty(10**10)", {}),
    "memory limit: numpy": ("np.ones(10**10)", {}),
    "memory limit: growing": ("x = []\nwhile True: x.append(np.ones(1 << 20))", {"memory_mib": 200}),
    "memory limit: shared": (
        "import mmap\nm = mmap.mmap(-1, 4 << 30)\nwhile True: m.write(b'x' * (1 << 20))",
        {"memory_mib": 200},
    ),
    "memory limit: shared, and let go of": (
        "import mmap\nkept = []\nwhile True:\n    m = mmap.mmap(-1, 1 << 25)\n    m.write(bytes(1 << 25))\n"
        "    m.madvise(mmap.MADV_DONTNEED)\n    kept.append(m)",
        {"memory_mib": 200},
    ),
    "process limit: threads": (
        "import threading, time\nfor _ in range(200): threading.Thread(target=time.sleep, args=(60,)).start()\n",
        {"processes": 8},
    ),
    "process limit: few forks": (
        "import os, time\nfor _ in range(7):\n    if not os.fork(): time.sleep(60)\ntime.sleep(60)",
        {"processes": 4, "memory_mib": 4000},
    ),
    "disk limit: one file": ("f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 20))", {"disk_mib": 8}),
    "disk limit: many files": (
        "for n in range(10**6):\n    with open(str(n), 'wb') as f: f.write(bytes(1 << 20))\n",
        {"disk_mib": 8},
    ),
    "output limit: print": ("while True: print('x' * 1000)", {"output_bytes": 10_000}),
    "output limit: stderr": ("import os\nwhile True: os.write(2, b'x' * 1000)", {"output_bytes": 10_000}),
    "reply limit: array": (
        "def main(job):\n    return Reply(arrays={'x': np.zeros(10**6, np.float32)})",
        {"reply_bytes": 10_000},
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_a_limit_ends_the_job_under_its_own_name(run: Run, case: str) -> None:
    source, limits = LIMITS[case]
    result = run(source, **limits)
    assert (result.outcome, result.check) == (Outcome.KILLED, case.partition(":")[0]), result
    assert result.reason
    assert "out of memory" not in result.reason


DEATHS = {
    "exit status 0": ("import os\nos._exit(0)", "it ended before it answered"),
    "exit status 97": ("import os\nos._exit(97)", "it ended before it answered"),
    "a crash": ("import ctypes\nctypes.string_at(0)", "it died of SIGSEGV before it answered"),
    "half a reply": ("import os\nos.write(3, (1000).to_bytes(8, 'little') + b'x' * 10)\nos._exit(0)", "it ended"),
    "a closed channel": ("import os, time\nos.close(3)\ntime.sleep(0.1)\nos._exit(0)", "it ended"),
}


@pytest.mark.parametrize("case", DEATHS)
def test_a_death_without_a_complete_reply_is_killed_whatever_the_exit_code(run: Run, case: str) -> None:
    source, says = DEATHS[case]
    result = run(source)
    assert (result.outcome, result.check) == (Outcome.KILLED, "died")
    assert says in (result.reason or "")


def test_an_exit_of_the_interpreter_is_an_error_of_the_candidate(run: Run) -> None:
    result = run("raise SystemExit(0)")
    assert (result.outcome, result.check) == (Outcome.REJECTED, "error")


def test_a_source_that_is_too_long_is_rejected_without_being_run(run: Run) -> None:
    result = run("#" * (3 << 20))
    assert (result.outcome, result.check) == (Outcome.REJECTED, "source")


def test_two_jobs_run_at_the_same_time(sandbox: Sandbox, task: MakeTask) -> None:
    source = """
        import time
        def main(job):
            began = time.monotonic()
            time.sleep(0.5)
            return Reply(values={"began": began, "ended": time.monotonic()})
        """
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: sandbox.run(task(source)).values, range(2))
    assert max(one["began"], other["began"]) < min(one["ended"], other["ended"])


def test_more_callers_than_places_all_get_their_turn(sandbox: Sandbox, task: MakeTask) -> None:
    source = "def main(job):\n    return Reply(values={'n': job.options['n']})"
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: sandbox.run(task(source, options={"n": n})), range(24)))
    assert [r.values.get("n") for r in results] == list(range(24))


def test_kill_ends_the_jobs_of_a_tag_and_no_others(sandbox: Sandbox, task: MakeTask) -> None:
    sleeper = "import time\ndef main(job):\n    time.sleep(job.options['s'])\n    return Reply()"
    with ThreadPoolExecutor(2) as pool:
        doomed = pool.submit(sandbox.run, task(sleeper, options={"s": 60}, tag="doomed", wall_seconds=50.0))
        spared = pool.submit(sandbox.run, task(sleeper, options={"s": 1}, tag="spared"))
        while not doomed.done():
            sandbox.kill("doomed")
            threading.Event().wait(0.1)
    assert (doomed.result().outcome, doomed.result().check) == (Outcome.KILLED, "stopped")
    assert spared.result().outcome is Outcome.FINISHED


def test_a_large_reply_and_a_large_pack_arrive_unharmed(sandbox: Sandbox, task: MakeTask) -> None:
    values = np.random.default_rng(0).standard_normal(3_000_000).astype(np.float32)
    sandbox.shelve("large", {"x": values})
    result = sandbox.run(
        task("def main(job):\n    return Reply(arrays=dict(job.pack))", pack="large", expects={"x": (3_000_000,)})
    )
    assert np.array_equal(result.arrays["x"], values)


def test_honest_training_gives_the_same_numbers_every_time(run: Run) -> None:
    assert _train(run) == _train(run)


def _train(run: Run) -> list[float]:
    result = run(
        """
        import torch
        def main(job):
            torch.manual_seed(0)
            net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.GELU(), torch.nn.Linear(8, 1))
            x = torch.randn(64, 3); y = x.sum(1, keepdim=True)
            optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
            for _ in range(20):
                optimizer.zero_grad(); loss = ((net(x) - y) ** 2).mean(); loss.backward(); optimizer.step()
            return Reply(arrays={"loss": loss.detach().numpy()})
        """,
        expects={"loss": ()},
    )
    assert result.outcome is Outcome.FINISHED, result
    return [float(result.arrays["loss"])]
