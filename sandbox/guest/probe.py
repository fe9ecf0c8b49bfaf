"""The action `probe`: load a candidate, test it, and record how it behaves and what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from .blame import blamed
from .candidate import learnable_scalars, load
from .components.kind import Behaviour, Kind
from .components.kinds import KINDS
from .components.testing import seed
from .job import Array, Fault, Job, Reply

REPETITIONS = 15
LEAST_REPETITIONS = 4
COST_SECONDS = 0.03  # of processor time; a slow candidate is timed less often


def probe(job: Job) -> Reply:
    """Raises `Fault` with the check that failed (see `candidate` and the kind's own `check`).

    values: parameters (learnable scalars), cost_ratio (null for a kind without `exercise`), torch (version);
    arrays: the kind's behaviour.
    """
    kind = KINDS[job.kind]
    build = load(job.source, kind)
    kind.check(build)
    behaviour = kind.behave(build)
    seed(0)
    component = kind.use(build)
    cost_ratio = _cost_ratio(component, kind)
    values = {
        "parameters": learnable_scalars(component),  # after its first use, when lazy parameters have their shapes
        "cost_ratio": cost_ratio,
        "torch": str(torch.__version__),
    }
    return Reply(values=values, arrays=_finite(behaviour))


def _finite(behaviour: Behaviour) -> Mapping[str, Array]:
    for name, array in behaviour.items():
        if not np.isfinite(array).all():
            raise Fault("finite output", f"its {name} on the public probe set is not finite")
    return {name: np.ascontiguousarray(array, np.float32) for name, array in behaviour.items()}


def _cost_ratio(component: Any, kind: Kind) -> float | None:
    """Time of one use over that of the kind's reference: turns are taken, and each counts with its fastest.

    Processor time, since a busy machine takes the processor away for longer than one use lasts.
    """
    if kind.exercise is None:
        return None
    code = next(known.code for known in kind.known if known.name == kind.reference)
    reference = kind.use(load(code.encode(), kind, module="reference"))
    fastest = {"reference": float("inf"), "candidate": float("inf")}
    begin = time.process_time()
    for repetition in range(REPETITIONS + 1):
        times = {"reference": _seconds(kind.exercise, reference), "candidate": _seconds(kind.exercise, component)}
        if repetition:  # the first use allocates
            fastest = {name: min(fastest[name], times[name]) for name in fastest}
            if repetition >= LEAST_REPETITIONS and time.process_time() - begin > COST_SECONDS:
                break
    return fastest["candidate"] / max(fastest["reference"], 1e-9)


def _seconds(use: Callable[[Any], None], component: Any) -> float:
    begin = time.process_time()
    with blamed("forward", "a training step on a typical batch"):
        use(component)
    return time.process_time() - begin
