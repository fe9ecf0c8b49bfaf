"""Many jobs in one session, one in five hostile: nothing grows, nothing is left, honest numbers never change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.execution import Execution, Outcome, Sandbox, Task

MakeTask = Callable[..., Task]
JOBS = 600
HONEST = """
    import torch
    def main(job):
        torch.manual_seed(job.options["seed"])
        x = torch.randn(16, 4, requires_grad=True)
        torch.tanh(x).sum().backward()
        return Reply(arrays={"g": x.grad.numpy()})
    """
HOSTILE = (
    "import os\nos.fork(); os.setsid()\nwhile True: pass",
    "import os\nos._exit(0)",
    "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "import os\nos.makedirs('a/b'); os.chmod('a', 0)\ndef main(job):\n    return Reply()",
    "while True: print('x' * 9999)",
    "x = []\nwhile True: x.append(np.ones(1 << 20))",
    "import os\nos.write(3, b'\\xff' * 64)\nos._exit(0)",
    "import os\nos.kill(-1, 9)",
)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_long_session_with_hostile_jobs_leaves_no_trace(sandbox: Sandbox, task: MakeTask) -> None:
    def one(number: int) -> Execution:
        if number % 5 == 4:
            source = HOSTILE[(number // 5) % len(HOSTILE)]
            return sandbox.run(task(source, wall_seconds=0.4, memory_mib=256))
        return sandbox.run(task(HONEST, options={"seed": number % 7}, expects={"g": (16, 4)}))

    first = {seed: sandbox.run(task(HONEST, options={"seed": seed}, expects={"g": (16, 4)})) for seed in range(7)}
    [one(number) for number in range(40)]
    before = _held()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(one, range(JOBS)))
    for number, result in enumerate(results):
        if number % 5 == 4:
            assert result.outcome in (Outcome.FINISHED, Outcome.REJECTED, Outcome.KILLED)
        else:
            assert result.outcome is Outcome.FINISHED, result
            assert result.arrays["g"].tolist() == first[number % 7].arrays["g"].tolist()
    assert all(now <= then for now, then in zip(_held(), before, strict=True)), (_held(), before)


def _held() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
