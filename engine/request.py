"""What a person asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Strategy(StrEnum):
    """The paper's two ways of prompting, and components that a person wrote."""

    INCREMENTAL = "incremental"
    NOVEL = "novel"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    id: str
    text: str  # as written
    kinds: tuple[str, ...]
    count: int  # how many to measure, over all kinds together
    strategies: tuple[Strategy, ...]
    purpose: str  # "small image classifiers"; empty when none was named
    asked_by: str
    created_at: datetime  # aware, UTC
    counts: tuple[int, ...] = ()  # how many of each kind, in the order of `kinds`; they add up to `count`
    suite: str = "screen"  # the name of the suite that they are measured on: see suite.py
