"""The validator: does a hypothesis keep its kind's contract? Tried in the sandbox, told in words."""

from __future__ import annotations

import math

import numpy as np

from engine.errors import UnknownThing
from engine.hypothesis import Hypothesis
from engine.verdict import Verdict
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest.candidate import MAX_LEARNABLE_SCALARS
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

LIMITS = Limits(wall_seconds=20.0, reply_bytes=1 << 20)  # a probe takes 50 ms; a candidate that needs seconds is no use


def validate(hypothesis: Hypothesis, sandbox: Sandbox, *, tag: str = "") -> Verdict:
    """Probe it in a fork of its own. `novelty` is left to whoever knows what it is to be compared with.

    Raises UnknownThing when there is no such kind, and what `sandbox.run` raises; never for what the candidate does.
    """
    kind = KINDS.get(hypothesis.kind)
    if kind is None:
        raise UnknownThing(f"there is no kind of component named {hypothesis.kind!r}; there are: {', '.join(KINDS)}")
    task = Task(
        action="probe",
        kind=kind.name,
        source=hypothesis.source,
        expects=dict(kind.behaviour),
        limits=LIMITS,
        tag=tag,
    )
    return verdict(hypothesis, kind, sandbox.run(task))


def verdict(hypothesis: Hypothesis, kind: Kind, execution: Execution) -> Verdict:
    """What an execution of the probe says about the hypothesis. Nothing that came from inside is taken on trust."""
    if execution.outcome is not Outcome.FINISHED:
        check = execution.check or str(execution.outcome)
        return _refused(hypothesis, execution, execution.outcome, check, execution.reason or "it gave no reason")
    fault = _fault(kind, execution)
    if fault is not None:
        return _refused(hypothesis, execution, Outcome.REJECTED, *fault)
    return Verdict(
        hypothesis_id=hypothesis.id,
        outcome=Outcome.FINISHED,
        behaviour={name: np.asarray(execution.arrays[name], np.float32) for name in kind.behaviour},
        parameters=execution.values["parameters"],
        cost_ratio=execution.values["cost_ratio"],
        seconds=execution.seconds,
        sandbox=execution.level,
    )


def _refused(hypothesis: Hypothesis, execution: Execution, outcome: Outcome, check: str, reason: str) -> Verdict:
    named = f"({'limit' if outcome is Outcome.KILLED else 'check'}: {check})"
    return Verdict(
        hypothesis_id=hypothesis.id,
        outcome=outcome,
        check=check,
        reason=reason if reason.endswith(named) else f"{reason.rstrip('. ')} {named}",
        seconds=execution.seconds,
        sandbox=execution.level,
    )


def _fault(kind: Kind, execution: Execution) -> tuple[str, str] | None:
    """(check, reason) when the reply is not what the probe sends: a candidate that tampered with it."""
    for name, shape in kind.behaviour.items():
        array = execution.arrays.get(name)
        if array is None or array.shape != tuple(shape):
            return "reply", f"its reply lacks the array `{name}` of shape {list(shape)}"
        if not np.isfinite(np.asarray(array, np.float64)).all():
            return "finite output", f"its {name} on the public probe set is not finite"
    parameters, cost = execution.values.get("parameters"), execution.values.get("cost_ratio")
    if type(parameters) is not int or not 0 <= parameters <= MAX_LEARNABLE_SCALARS:
        return "reply", "its reply does not say how many parameters it has"
    timed = cost is None or (type(cost) is float and math.isfinite(cost) and cost >= 0)
    return None if timed else ("reply", "its reply does not say what it costs")
