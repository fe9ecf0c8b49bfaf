"""Whether a team's model can be trained as declared, what goes into it, and what a request on it will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import OwnSuiteError
from engine.own.suite import OwnPack, OwnSuite
from engine.suite import GRID_SEEDS, SELECTION_SEEDS
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest.components.kind import Kind, Known
from sandbox.guest.own_net import PLACES

SHORT_STEPS = 8
SHORT_SECONDS = 60.0
LONGEST_SECONDS = 300.0  # of an arm's seeds: a slow candidate must end well below the limit of a training
RERUN_SEEDS, RERUN_TOP = 8, 2  # as in research.py
CHECKED_ON = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the trial trainings showed."""

    seconds: float  # of one training with the reference activation, on this machine
    parameters: int
    places: Mapping[str, int]  # how often make_model called component() and component(features)
    tried: tuple[str, ...]  # kinds that train on it
    refused: Mapping[str, str]  # the others, and why
    loss: float  # of that training
    constant_loss: float  # of the best answer that does not look at the inputs
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Wall seconds on the machine that it was checked on, when nothing else runs there."""

    hypothesis: float  # one of them
    request: float  # all of them, with what stands beside each request: the re-run of the best
    baselines: float  # once a kind, until something they depend on changes


def cost(suite: OwnSuite, checked: Checked, kind: Kind, count: int, parallel: int) -> Cost:
    """Of `count` hypotheses of a kind, from what one training took."""
    on = suite.for_kind(kind)
    grid = len(on.grid) * len(GRID_SEEDS) if len(on.grid) > 1 else 0
    baselines = len(kind.baselines)
    one = checked.seconds * (len(on.seeds) + grid)
    again = checked.seconds * (RERUN_SEEDS + grid) * (min(RERUN_TOP, count) + baselines)
    lasting = checked.seconds * baselines * (len(on.seeds) + len(SELECTION_SEEDS) + 2 * grid)
    return Cost(hypothesis=one, request=(count * one + again) / parallel, baselines=lasting / parallel)


def check(
    suite: OwnSuite,
    sandbox: Sandbox,
    secret: bytes,
    kinds: Mapping[str, Kind],
    *,
    device: str = "cpu",
    say: Callable[[str], None] = lambda line: None,
) -> Checked:
    """Train it briefly, then once in full with the reference activation, then briefly with every kind.

    Raises OwnSuiteError for what must be changed in the file, SandboxError for what is wrong with our own world.
    """
    trial = _Trial(suite=suite, sandbox=sandbox, pack=suite.pack(secret, CHECKED_ON), device=device)
    _require_every_class(trial.pack)
    plain = kinds.get("activation") or next(iter(kinds.values()))
    say("Building the model and training a few steps of it in the sandbox")
    first, again = (trial.run(plain, SHORT_STEPS) for _ in range(2))
    _require_finished(first)
    expected = first.seconds / SHORT_STEPS * suite.steps
    _require_speed(suite, expected)
    say(f"Training it once, {suite.steps:,} steps: about {max(1, round(expected))} s")
    full = trial.run(plain, suite.steps)
    _require_finished(full)
    _require_speed(suite, full.seconds)
    (outcome,) = trial.pack.score(full.arrays)
    if outcome.loss is None:
        raise OwnSuiteError(
            f"The model diverged within {suite.steps} steps with {_reference(plain).name}. Lower BUDGET's "
            f"learning_rate ({suite.budget.learning_rate:g}), or scale what goes in."
        )
    say("Trying one component of every kind in it")
    places, parameters = _told(first)
    equal = all(np.array_equal(first.arrays[n], again.arrays[n], equal_nan=True) for n in first.arrays)
    constant, refused = trial.pack.constant_loss(), trial.refused(kinds, places)
    return Checked(
        seconds=full.seconds,
        parameters=parameters,
        places=places,
        tried=tuple(kind for kind in kinds if kind not in refused),
        refused=refused,
        loss=outcome.loss,
        constant_loss=constant,
        warnings=tuple(_warnings(suite, places, equal=equal, loss=outcome.loss, constant=constant)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    suite: OwnSuite
    sandbox: Sandbox
    pack: OwnPack
    device: str

    def run(self, kind: Kind, steps: int) -> Execution:
        """One training with the kind's reference, read at its end, or as the suite reads it when it is a full one."""
        full = steps == self.suite.steps
        checkpoints = self.pack.options["checkpoints"] if full else [steps]
        (name, (_, *shape)), *_ = self.pack.expects((1.0,)).items()
        self.sandbox.shelve(self.pack.name, self.pack.arrays)
        return self.sandbox.run(
            Task(
                action=self.pack.action,
                kind=kind.name,
                source=_reference(kind).code.encode(),
                options={
                    **self.pack.options,
                    "steps": steps,
                    "checkpoints": checkpoints,
                    "device": self.device,
                    "factors": [1.0],
                },
                pack=self.pack.name,
                expects={name: (len(checkpoints), *shape)},
                limits=Limits(wall_seconds=LONGEST_SECONDS if full else SHORT_SECONDS),
                tag=f"suite/{self.suite.name}",
            )
        )

    def refused(self, kinds: Mapping[str, Kind], places: Mapping[str, int]) -> dict[str, str]:
        found = {}
        for kind in kinds.values():
            if places.get(kind.name) == 0:
                call = "component()" if kind.name == "activation" else "component(features)"
                found[kind.name] = f"make_model never calls {call}, so {kind.plural} have no place in the model"
            else:
                execution = self.run(kind, 2)
                if execution.outcome is not Outcome.FINISHED:
                    found[kind.name] = execution.reason or str(execution.check)
        return found


def _reference(kind: Kind) -> Known:
    return next(known for known in kind.known if known.name == kind.reference)


def _require_finished(execution: Execution) -> None:
    if execution.outcome is Outcome.FINISHED:
        return
    reason = execution.reason or ""
    if execution.outcome is Outcome.KILLED:
        raise OwnSuiteError(
            f"The model was ended in the sandbox by its {execution.check}: {reason}. Make it smaller, or lower "
            "BUDGET's batch or steps."
        )
    check = (execution.check or "").removeprefix("model ")
    raise OwnSuiteError(f"The model does not train ({check}): {reason}.")


def _told(execution: Execution) -> tuple[dict[str, int], int]:
    """How often the model asks for a component in each place, and its size: the word of what runs its code."""
    places = execution.values.get("places")
    numbers: list[Any] = [execution.values.get("parameters")]
    numbers += [places.get(place) for place in PLACES] if isinstance(places, dict) else [None]
    if not all(type(number) is int and 0 <= number < 1 << 53 for number in numbers):
        raise OwnSuiteError(
            "The model's reply does not say what it is made of: its module changes the training around it."
        )
    parameters, *counts = numbers
    return dict(zip(PLACES, counts, strict=True)), parameters


def _require_speed(suite: OwnSuite, seconds: float) -> None:
    seeds = max(len(suite.seeds), len(SELECTION_SEEDS))
    if seconds * seeds > LONGEST_SECONDS:
        raise OwnSuiteError(
            f"One training takes about {seconds:.0f} s ({suite.steps:,} steps), so {seeds} seeds of one hypothesis "
            f"take {seconds * seeds / 60:.0f} minutes; at most {LONGEST_SECONDS / 60:.0f} are allowed. Lower BUDGET's "
            "steps or batch, or make the model smaller."
        )


def _require_every_class(pack: OwnPack) -> None:
    classes = pack.options["classes"]
    for side, numbers in (("training", pack.arrays["targets"]), ("held-out", pack.targets)):
        if classes and len(np.unique(numbers)) < classes:
            raise OwnSuiteError(
                f"Some of the {classes} classes are missing among the {side} rows. Give every class rows in more "
                "groups, or leave GROUP out."
            )


def _warnings(suite: OwnSuite, places: Mapping[str, int], *, equal: bool, loss: float, constant: float) -> list[str]:
    found = []
    if not any(places.values()):
        found.append(
            "make_model never calls component(), so no activation or normalizer can be tried on it: all would tie."
        )
    if not equal:
        found.append(
            "Two trainings from the same seed differ, so comparisons will be noisy. Draw all that is random from torch."
        )
    if loss >= constant:
        found.append(
            f"After {suite.steps} steps it is no better than an answer that never looks at the inputs ({loss:.4g} "
            f"against {constant:.4g}, lower is better), so win rates would rank noise. Raise steps or learning_rate."
        )
    return found
