"""Under which conditions something is measured: stated with every result."""

from __future__ import annotations

from dataclasses import dataclass

from bot.views.figures import count, listed, number_word
from bot.views.message import escape
from engine.own.suite import OwnSuite
from engine.suite import Suite
from sandbox.execution import Level
from sandbox.guest.components.kind import Kind

_ISOLATION = {
    Level.DOCKER_GVISOR: "a sealed Docker container with gVisor",
    Level.DOCKER: "a sealed Docker container",
    Level.NAMESPACES: "Linux namespaces, without Docker",
    Level.LANDLOCK: "Landlock, without Docker",
    Level.UNSAFE: "no isolation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """On what the components of a kind are tried, and how they are judged."""

    suite: str  # name and version
    settings: int  # (data set, architecture, seed) triples in which a candidate is compared with every baseline
    data_sets: int
    nets: tuple[str, ...] = ()  # names of the architectures
    sources: tuple[str, ...] = ()  # names of the data sets
    metric: str  # in words; lower is better
    grid: str = ""  # how every arm is tuned, in words; empty: it is not
    own_model: str = ""  # the name of a team's own model; empty: a suite of ours
    rough: str = ""  # what is known of how little win rates of this kind tell; empty: nothing of the sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    measuring: Measuring
    sandbox: Level


def measuring(kind: Kind, suite: Suite | OwnSuite, identity: str) -> Measuring:
    return Measuring(
        suite=identity,
        settings=len(suite.cells) * len(suite.seeds),
        data_sets=len(suite.datasets),
        nets=tuple(suite.architectures),
        sources=tuple(suite.datasets),
        metric=_metric(kind, suite),
        grid=_grid(kind, suite),
        own_model=suite.name if isinstance(suite, OwnSuite) else "",
        rough="" if isinstance(suite, OwnSuite) else kind.conditions.rough or "",
    )


def _metric(kind: Kind, suite: Suite | OwnSuite) -> str:
    if isinstance(suite, OwnSuite):
        return suite.metric.in_words
    if suite.metric == "brier":
        return "held-out Brier score after temperature scaling"
    return "held-out log-loss" + (" (squared error for regressions)" if kind.conditions.regression else "")


def _grid(kind: Kind, suite: Suite | OwnSuite) -> str:
    if len(suite.grid) < 2:
        return ""
    return f"each arm, baselines included, at its best of {number_word(len(suite.grid))} {kind.conditions.grid_of}s"


def suite_words(measured: Measuring) -> str:
    """`34 settings on five small data sets`, `8 trainings (one a seed) of your own model ranker on clicks`"""
    if measured.own_model:
        on = escape(listed(list(measured.sources)))
        trainings = f"{count(measured.settings, 'training')} (one a seed)"
        return f"{trainings} of your own model *{escape(measured.own_model)}* on {on}"
    sets = f"{number_word(measured.data_sets)} small data set{'' if measured.data_sets == 1 else 's'}"
    return f"{count(measured.settings, 'setting')} on {sets}"


def tuned(measured: Measuring) -> str:
    """`, each arm, baselines included, at its best of three strengths`, or nothing."""
    return f", {measured.grid}" if measured.grid else ""


def caveat(measured: Measuring) -> str:
    """What no interval covers, said wherever a win rate is."""
    if measured.own_model:
        return "One model and one data set say little beyond themselves."
    rough = f" {measured.rough}" if measured.rough else ""
    return f"{few(measured.data_sets)}, and small nets tell nothing about large models.{rough}"


def few(data_sets: int) -> str:
    """`Five data sets are few`"""
    number = number_word(data_sets)
    return f"{number[:1].upper()}{number[1:]} data set{' is' if data_sets == 1 else 's are'} few"


def isolation(level: Level) -> str:
    return f"{_ISOLATION[level]} (`{level.value}`)"


def warning(level: Level) -> str | None:
    """What a person should know before trusting this machine with unreviewed code; None in a container."""
    if level in (Level.DOCKER, Level.DOCKER_GVISOR):
        return None
    if level is Level.UNSAFE:
        return "⚠️ *Code runs without isolation on this machine.* Use it for code that you trust only."
    return (
        f"⚠️ Code runs under {isolation(level)}. That is weaker than a container; "
        "`conjecture doctor` says how to change it."
    )
