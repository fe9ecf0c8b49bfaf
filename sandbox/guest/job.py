"""What the fork server hands to an action, and what the action hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bridge import Bridge

Array = NDArray[np.generic]


class Fault(Exception):
    """The candidate broke a check. `check` is its short name, `detail` one sentence a person understands."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(f"{check}: {detail}")
        self.check = check
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One task as it arrives inside. `pack` holds the shelved arrays, shared copy-on-write: never write to them.

    Of a split job both forks get one, joined by `bridge`; the guest's has no pack.
    """

    action: str
    kind: str
    source: bytes
    options: Mapping[str, Any] = field(default_factory=dict)
    pack: Mapping[str, Array] = field(default_factory=dict)
    bridge: Bridge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`values` is JSON of at most 64 KiB; `arrays` are float32, C-contiguous, of the shapes the host expects."""

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
