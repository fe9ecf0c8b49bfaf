"""Learning-rate schedules: the functional test, the behaviour and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any, cast

import numpy as np
from torch import Tensor

from ..alone import Training
from ..blame import blamed
from ..harness import Build, Frame, Harness
from ..job import Fault
from .kind import Behaviour, Conditions, Drawing, Kind, Series, Vector
from .known_schedules import KNOWN_SCHEDULES
from .testing import seed, words

CONTRACT = """\
A learning-rate schedule. Write one self-contained Python module with a module-level function `build(total_steps)`. It
gets the number of steps that training will take (an int, from 1 up; a net of ours trains for 48 to 320) and returns a
function; it is called once for every training.

What comes in: that function is called as `multiplier(step)` with step = 0, 1, ..., total_steps - 1 (an int), once for
each step and in this order, before training begins: it does not see the net, its loss or its gradients.

What must come out: one number between 0 and 10 (a float, or a tensor without dimensions), finite, not 0 throughout.
The learning rate of that step is the base rate times this number. The base rate is one that is good when it stays
constant; every schedule is tried at 1/3, 1 and 3 times it and takes the best of the three, so only the shape matters:
let the largest value be about 1.

Allowed: state from one call to the next, randomness drawn from torch (it is seeded alike for every net, so all nets are
trained with the same schedule).
Required: it works for every total_steps, 1 and 2 among them (mind a division by total_steps - 1 or by the length of a
phase that is rounded to 0 steps); the same `torch.manual_seed` gives the same numbers; a new `build` starts afresh.
Cost: a few operations on Python numbers a step; it is not measured.
Imports: `math` and `torch` only.
"""

LARGEST = 10.0
ROUNDING = 1e-6  # how far outside the range a number may be: 1 - 10 * 0.1 is not exactly 0 in every spelling
LENGTHS = (1, 2, 3, 10, 48, 100, 320, 1000)  # what is tested, in steps
LONG = 10  # from so many steps on a schedule that never leaves 0 is a mistake and no warm-up
SCREENING, FULL = 48, 320  # the lengths on which the behaviour is recorded: those of our suites


def check(build: Callable[..., Any]) -> None:
    """Raises `Fault` with one of the checks: call, type, finite, range, zero, seed."""
    for total in LENGTHS:
        if not any(multipliers(build, total)) and total >= LONG:
            raise Fault("zero", f"its multiplier is 0 in all of {total} steps, so nothing would be trained")
    one, other = (multipliers(build, FULL) for _ in range(2))
    step, difference = max(enumerate(abs(a - b) for a, b in zip(one, other, strict=True)), key=lambda pair: pair[1])
    if difference > ROUNDING:
        reason = f"under the same seed two fresh builds differ by {difference:g} in step {step} of {FULL}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator and keep state in `build`")


def multipliers(build: Callable[..., Any], total: int) -> list[float]:
    """Those of steps 0 ... total - 1 of one fresh build, each within [0, 10]. Raises `Fault` as `check` does."""
    seed(0)
    schedule = build(total)
    return [_multiplier(schedule, step, total) for step in range(total)]


def _multiplier(schedule: Callable[[int], Any], step: int, total: int) -> float:
    where = f"in step {step} of {total}"
    with blamed("call", f"multiplier({step}) of build({total})"):
        found = schedule(step)
    if not (isinstance(found, Real) or (isinstance(found, Tensor) and found.numel() == 1 and not found.is_complex())):
        raise Fault("type", f"its multiplier {where} is {words(found)}; it must be one number")
    value = float(found)
    if not math.isfinite(value):
        raise Fault("finite", f"its multiplier is not finite ({value}) {where}")
    if not -ROUNDING <= value <= LARGEST * (1 + ROUNDING):
        raise Fault("range", f"its multiplier is {value:g} {where}; it must be between 0 and {LARGEST:g}")
    return min(max(value, 0.0), LARGEST)


# --- behaviour

BEHAVIOUR = {"screening": (SCREENING,), "full": (FULL,)}


def behave(build: Callable[..., Any]) -> Behaviour:
    """The multipliers of a training of 48 steps and of one of 320."""
    return {name: np.array(multipliers(build, total), np.float32) for name, (total,) in BEHAVIOUR.items()}


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name] for name in BEHAVIOUR])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for m and a m with a > 0: the base rate is chosen. Both lengths count the same."""
    both = np.concatenate([behaviour[name].astype(np.float64) / math.sqrt(n) for name, (n,) in BEHAVIOUR.items()])
    norm = np.linalg.norm(both)
    return (both / norm if norm > 0 else both).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    """Both lengths over the share of training that is done: phases of a fixed number of steps show as a difference."""
    series = tuple(
        Series(name=f"{total} steps", x=np.arange(total, dtype=np.float32) / np.float32(total), y=behaviour[name])
        for name, total in (("full", FULL), ("screening", SCREENING))
    )
    return Drawing(x_label="share of the steps done", y_label="times the learning rate", series=series)


# --- training


class ScheduleHarness(Harness):
    """The same numbers for every replica, so one call of the schedule serves the whole stack."""

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        self._multipliers = multipliers(build, frame.steps)

    def multiplier(self, step: int) -> float:
        return self._multipliers[step]


def alone(build: Build, training: Training) -> Training:
    return replace(training, multiplier=multipliers(build, training.steps).__getitem__)


KIND = Kind(
    name="schedule",
    title="learning rate schedule",
    plural="learning rate schedules",
    synonyms=(
        "schedules",
        "scheduler",
        "schedulers",
        "lr schedule",
        "lr schedules",
        "lr scheduler",
        "lr schedulers",
        "learning rate scheduler",
        "learning rate schedulers",
        "learning rate decay",
        "learning rate policy",
        "learning rate policies",
    ),
    entry="build(total_steps)",
    contract=CONTRACT,
    reference="Constant",
    known=KNOWN_SCHEDULES,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    harness=ScheduleHarness,
    alone=alone,
    conditions=Conditions(grid=(1 / 3, 1.0, 3.0)),
    returns=cast(type, Callable),
    use=lambda build: build(FULL),
)
