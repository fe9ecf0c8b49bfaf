"""What the validator said, check by check."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.execution import Outcome
from sandbox.guest.components.kind import Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """How far a component's behaviour is from the nearest known one of its kind (see novelty.py)."""

    n_score: float
    nearest: str  # name of the nearest known function
    nearest_source: str  # its paper and year
    duplicate_of: str | None = None  # the known function or earlier hypothesis with the same outputs and gradients
    duplicate_id: str | None = None  # of that earlier hypothesis; None: it is a known function, or none


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    hypothesis_id: str
    outcome: Outcome
    check: str | None = None  # the check or limit that failed
    reason: str | None = None  # the same in words a person understands
    behaviour: Behaviour = field(default_factory=dict)  # empty unless finished
    novelty: Novelty | None = None  # None unless finished
    parameters: int | None = None  # learnable scalars that the component adds
    cost_ratio: float | None = None  # forward and backward time over the kind's reference (ReLU for activations)
    seconds: float = 0.0
    sandbox: str  # the level, see sandbox.execution.Level

    @property
    def accepted(self) -> bool:
        return self.outcome is Outcome.FINISHED
