"""The validator: what a probe in the sandbox came to, as a verdict in words. Nothing from inside is taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.errors import UnknownThing
from engine.hypothesis import Hypothesis
from engine.request import Strategy
from engine.validate import validate
from engine.verdict import Verdict
from sandbox.errors import SandboxBroken
from sandbox.execution import Array, Execution, Level, Outcome, Task
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job
from sandbox.guest.probe import probe

GOOD = "import torch\n\n\ndef build():\n    return torch.nn.SiLU()\n"
EXPLODES = (
    "import torch\nfrom torch import nn\n\nclass Mine(nn.Module):\n    def forward(self, x):\n"
    "        return torch.exp(x * x)\n\ndef build():\n    return Mine()\n"
)


class HereSandbox:
    """Runs probes in this process: for sources of our own. `after` may change what comes back."""

    level = Level.UNSAFE
    parallel = 1
    torch_version = "here"

    def __init__(self, after: Callable[[Execution], Execution] = lambda execution: execution) -> None:
        self._after = after
        self.tasks: list[Task] = []

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None: ...
    def kill(self, tag: str) -> None: ...
    def close(self) -> None: ...

    def run(self, task: Task) -> Execution:
        self.tasks.append(task)
        return self._after(self._run(task))

    def _run(self, task: Task) -> Execution:
        try:
            reply = probe(Job(action=task.action, kind=task.kind, source=task.source))
        except Fault as fault:
            return Execution(outcome=Outcome.REJECTED, check=fault.check, reason=fault.detail, level=self.level)
        return Execution(
            outcome=Outcome.FINISHED, values=reply.values, arrays=reply.arrays, level=self.level, seconds=0.5
        )


def hypothesis(source: str = GOOD, kind: str = "activation") -> Hypothesis:
    return Hypothesis(
        id="h1",
        request_id="r1",
        kind=kind,
        title="A title",
        claim="",
        rationale="",
        inspiration="",
        source=source.encode(),
        strategy=Strategy.NOVEL,
        generator="a person",
    )


def judged(source: str = GOOD, after: Callable[[Execution], Execution] = lambda execution: execution) -> Verdict:
    return validate(hypothesis(source), HereSandbox(after))


def test_a_sound_hypothesis_is_accepted_with_its_behaviour() -> None:
    verdict = judged()
    assert verdict.accepted
    assert verdict.hypothesis_id == "h1"
    assert {name: a.shape for name, a in verdict.behaviour.items()} == dict(KINDS["activation"].behaviour)
    assert verdict.parameters == 0
    assert verdict.cost_ratio is not None
    assert (verdict.seconds, verdict.sandbox) == (0.5, "unsafe")
    assert (verdict.check, verdict.reason, verdict.novelty) == (None, None, None)


def test_the_task_asks_for_what_the_kind_promises_and_carries_the_tag() -> None:
    sandbox = HereSandbox()
    validate(hypothesis(), sandbox, tag="request 7")
    (task,) = sandbox.tasks
    assert task.action == "probe"
    assert task.source == GOOD.encode()
    assert task.expects == dict(KINDS["activation"].behaviour)
    assert task.tag == "request 7"
    assert task.limits.wall_seconds == 20


def test_a_rejection_says_which_check_failed_and_on_what() -> None:
    verdict = judged(EXPLODES)
    assert verdict.outcome is Outcome.REJECTED
    assert verdict.check == "finite output"
    assert verdict.reason is not None
    assert verdict.reason.startswith("its output is not finite (inf) for inputs around ±20")
    assert verdict.reason.endswith("(check: finite output)")
    assert not verdict.behaviour


def test_a_limit_is_named_as_a_limit() -> None:
    def killed(execution: Execution) -> Execution:
        return Execution(outcome=Outcome.KILLED, check="wall clock", reason="it ran for 20 s.", level=Level.DOCKER)

    verdict = judged(after=killed)
    assert verdict.outcome is Outcome.KILLED
    assert verdict.reason == "it ran for 20 s (limit: wall clock)"
    assert verdict.sandbox == "docker"


def test_what_is_wrong_in_our_own_world_is_nobodys_verdict() -> None:
    def broken(execution: Execution) -> Execution:
        raise SandboxBroken("the daemon hangs")

    with pytest.raises(SandboxBroken):
        judged(after=broken)


def test_an_unknown_kind_is_an_error_of_ours_that_names_the_known_ones() -> None:
    with pytest.raises(UnknownThing, match=r"'poem'.*activation, augmentation"):
        validate(hypothesis(kind="poem"), HereSandbox())


def with_array(name: str, array: Any) -> Callable[[Execution], Execution]:
    return lambda execution: replace(execution, arrays={**execution.arrays, name: array})


def with_value(name: str, value: Any) -> Callable[[Execution], Execution]:
    return lambda execution: replace(execution, values={**execution.values, name: value})


@pytest.mark.parametrize(
    ("after", "check"),
    [
        (with_array("curve", np.zeros((2, 3), np.float32)), "reply"),
        (with_array("curve", np.full(KINDS["activation"].behaviour["curve"], np.nan, np.float32)), "finite output"),
        (with_array("slope", np.full(KINDS["activation"].behaviour["slope"], np.inf, np.float32)), "finite output"),
        (lambda execution: replace(execution, arrays={}), "reply"),
        (lambda execution: replace(execution, values={}), "reply"),
        (with_value("parameters", -1), "reply"),
        (with_value("parameters", 10**50), "reply"),
        (with_value("parameters", "many"), "reply"),
        (with_value("parameters", True), "reply"),
        (with_value("cost_ratio", float("nan")), "reply"),
        (with_value("cost_ratio", -1.0), "reply"),
        (with_value("cost_ratio", [1.0]), "reply"),
    ],
)
def test_a_reply_that_was_tampered_with_is_refused(after: Callable[[Execution], Execution], check: str) -> None:
    verdict = judged(after=after)
    assert verdict.outcome is Outcome.REJECTED
    assert verdict.check == check


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_baseline_is_accepted(kind: str) -> None:
    sandbox = HereSandbox()
    verdicts = [validate(hypothesis(known.code, kind), sandbox) for known in KINDS[kind].baselines]
    assert all(verdict.accepted for verdict in verdicts)
