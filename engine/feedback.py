"""A person's vote on a hypothesis. A vote never changes a win rate; it changes what is tried and shown first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One per (person, hypothesis, blind): a later one replaces an earlier one."""

    person: str
    hypothesis_id: str
    thumbs_up: bool
    seen: Mapping[str, object] = field(default_factory=dict)  # what the person could see: rank, figures (JSON)
    at: datetime  # aware, UTC
    blind: bool = False  # cast before anything of it was measured: a prediction; stored and learned from apart
