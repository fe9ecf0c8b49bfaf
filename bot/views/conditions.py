"""Under which conditions something is measured: stated with every result."""

from __future__ import annotations

from dataclasses import dataclass

from bot.views.figures import count
from sandbox.execution import Level

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ISOLATION = {
    Level.DOCKER_GVISOR: "a sealed Docker container with gVisor",
    Level.DOCKER: "a sealed Docker container",
    Level.NAMESPACES: "Linux namespaces, without Docker",
    Level.LANDLOCK: "Landlock, without Docker",
    Level.UNSAFE: "no isolation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    suite: str  # name and version
    settings: int  # (data set, architecture, seed) triples in which a candidate is compared with every baseline
    data_sets: int
    sandbox: Level


def suite_words(conditions: Conditions) -> str:
    """`34 settings on five small data sets`"""
    number = _WORDS[conditions.data_sets] if conditions.data_sets < len(_WORDS) else str(conditions.data_sets)
    return (
        f"{count(conditions.settings, 'setting')} on {number} small data set{'' if conditions.data_sets == 1 else 's'}"
    )


def isolation(level: Level) -> str:
    return f"{_ISOLATION[level]} (`{level.value}`)"


def warning(level: Level) -> str | None:
    """What a person should know before trusting this machine with unreviewed code; None in a container."""
    if level in (Level.DOCKER, Level.DOCKER_GVISOR):
        return None
    if level is Level.UNSAFE:
        return "⚠️ *Code runs without isolation on this machine.* Use it for code that you trust only."
    return (
        f"⚠️ No Docker engine answers, so code runs under {isolation(level)}. That is weaker than a container; "
        "`conjecture doctor` says how to change it."
    )
