"""Every refusal and every kill is one clear sentence that names one limit or check, fit to be shown to people."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bot.views.message import escape
from sandbox.execution import Execution, Limits, Outcome, Task
from sandbox.ruling import CLAIMABLE, OURS, clean, sentence

Run = Callable[..., Execution]

TASK = Task(action="script", kind="", source=b"", limits=Limits())
CHECKS = {
    "time limit": "60 seconds",
    "memory limit": "1024 MiB",
    "device memory limit": "the GPU's memory",
    "process limit": "32",
    "disk limit": "32 MiB",
    "output limit": "1,048,576 bytes",
    "reply limit": "67,108,864 bytes",
    "stopped": "on request",
}


@pytest.mark.parametrize("measured", [None, 2000.0])
@pytest.mark.parametrize("check", CHECKS)
def test_a_limit_is_told_in_one_sentence_with_its_amount(check: str, measured: float | None) -> None:
    said = sentence(check, measured, TASK, tasks=3)
    assert CHECKS[check] in said
    assert said.startswith(("it ", "its "))
    assert not re.search(r"[.!?]\s|\n", said)
    assert "out of memory" not in said


def test_what_a_job_may_claim_of_itself_has_a_sentence() -> None:
    assert set(CLAIMABLE) <= set(CHECKS)


KILLS = {
    "its own SIGKILL": "import os\nos.kill(os.getpid(), 9)",
    "a child's": "import os\nif not os.fork(): os.kill(os.getppid(), 9)\nimport time\ntime.sleep(5)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "an abort": "import os\nos.abort()",
}


@pytest.mark.parametrize("kill", KILLS)
def test_a_death_that_the_kernel_did_not_cause_is_never_called_out_of_memory(run: Run, kill: str) -> None:
    found = run(KILLS[kill], wall_seconds=5.0)
    assert found.outcome is not Outcome.FINISHED  # the first process of a namespace survives its own signals
    assert "memory" not in (found.reason or "")


@pytest.mark.parametrize("check", [*OURS, *CLAIMABLE])
def test_a_candidate_cannot_say_of_itself_what_only_we_measure(run: Run, check: str) -> None:
    """One that is not up to a repetition could otherwise claim that people had stopped it."""
    found = run(f"def main(job):\n    raise Fault({check!r}, 'so I say')")
    assert (found.outcome, found.check) == (Outcome.REJECTED, "reply")


def test_memory_that_is_refused_inside_is_a_limit_and_not_the_kernels_word(run: Run) -> None:
    found = run("raise MemoryError('out of memory')")
    assert (found.outcome, found.check) == (Outcome.KILLED, "memory limit")
    assert "out of memory" not in (found.reason or "")


LOUD = {
    "markup of Slack": "<!channel> <@U123> <https://evil.example|click> & *bold*",
    "a path of the machine": "could not open /usr/lib/python3/dist-packages/torch/secret.py",
    "a traceback": 'Traceback (most recent call last):\n  File "/opt/conjecture/site/torch/x.py", line 3, in forward',
    "escape sequences": "\x1b[31mred\x1b[0m\x07\u202e\u2028",
    "a novel": "x" * 100_000,
}


@pytest.mark.parametrize("words", LOUD)
def test_what_a_candidate_raises_cannot_shout_or_show_the_machine(run: Run, words: str) -> None:
    found = run(f"raise ValueError({LOUD[words]!r})")
    assert (found.outcome, found.check) == (Outcome.REJECTED, "error")
    reason = found.reason or ""
    assert len(reason) <= 300
    assert reason.isprintable()
    assert "\n" not in reason
    assert not re.search(r"/(usr|opt|root|home|tmp|work)/", reason)
    shown = escape(reason, 300)
    assert "<" not in shown
    assert ">" not in shown


def test_no_frame_of_ours_is_shown(run: Run) -> None:
    found = run("import torch\ndef main(job):\n    torch.ones(2, 3) @ torch.ones(2, 3)")
    assert (found.outcome, found.check) == (Outcome.REJECTED, "error")
    for trace in ("Traceback", "sandbox", "guest", "fork.py", "/"):
        assert trace not in (found.reason or ""), found.reason


PATHS = ["/usr/lib/x.py", "/srv/y/z", "(/tmp/a/b)", "/opt/conjecture", "file:///srv/y/z", "//srv//y/z", "/a~b/c=d/e"]


@pytest.mark.parametrize("path", PATHS)
def test_paths_are_cut_to_their_last_part(path: str) -> None:
    assert not re.search(r"/\w+/", clean(f"no such file: {path}"))
