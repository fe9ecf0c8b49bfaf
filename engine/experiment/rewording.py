"""A change of a plan that a person asks for in words: "idea 2: use 5 seeds, metric spearman"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.experiment.plan import Plan, read_plan

_IDEA = re.compile(r"\b(?:idea|plan)\s+#?(?P<n>\d{1,3})\b", re.I)
_APPROVE = re.compile(r"\bapprove(?:d)?\b(?:\s+#?(?P<n>\d{1,3})\b)?", re.I)
_AS_PLAN = re.compile(r"\b(?:plan|experiment|in full)\b", re.I)
_SUCCESS = re.compile(
    r"\b(?:success|succeeds|holds|criterion)\b\s*(?:only\s+)?(?:if|when|is|=|:|to)?\s*(?P<it>.+)$", re.I
)
_MODEL = re.compile(r"\bmodel\s*(?:to|is|=|:)\s*(?P<it>[^,;]+)", re.I)
_SEEDS = re.compile(
    r"\b(?P<a>\d+)\s+(?:fresh\s+|more\s+)?(?:seeds|repetitions|repeats)\b"
    r"|\b(?:seeds|repetitions|repeats)\s*(?:to|is|=|:)?\s*(?P<b>\d+)\b",
    re.I,
)
_METRIC = re.compile(r"\b(?:metric|judged by|judge it by)\s*(?:to|is|=|:)?\s*(?P<it>[a-z][\w-]*)", re.I)
_DATA = re.compile(r"\bdata(?:\s*set)?\s*(?:to|is|=|:)?\s*(?P<it>[a-z][\w-]*)", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewording:
    """number: of the idea that is meant; None: not said. told: parts of a plan as `read_plan` takes them."""

    number: int | None
    told: Mapping[str, Any] = field(default_factory=dict)
    approves: bool = False
    as_plan: bool = False  # approves, and said that the plan is to be run, not the component measured

    @property
    def words(self) -> list[str]:
        return [f"{name}: {_said(value)}" for name, value in self.told.items() if value or name == "variables"]


def _said(value: Any) -> str:
    return (", ".join(value) or "nothing") if isinstance(value, list) else str(value)


def read_rewording(text: str) -> Rewording | None:
    """None where a message neither names an idea nor changes or approves one."""
    said = " ".join(text.split())
    named, approved = _IDEA.search(said), _APPROVE.search(said)
    number = named["n"] if named else approved["n"] if approved else None
    rest = _IDEA.sub(" ", said)
    told: dict[str, Any] = {}
    for name, pattern in (("success", _SUCCESS), ("model", _MODEL), ("metric", _METRIC), ("data", _DATA)):
        found = pattern.search(rest)
        if found:
            told[name] = found["it"].strip(" .")
            rest = rest[: found.start()] + rest[found.end() :]
    seeds = _SEEDS.search(rest)
    if seeds:
        told["seeds"] = int(seeds["a"] or seeds["b"])
    if number is None and not told and not approved:
        return None
    return Rewording(
        number=int(number) if number else None,
        told=told,
        approves=approved is not None,
        as_plan=bool(approved and _AS_PLAN.search(_IDEA.sub(" ", said))),
    )


def reworded(plan: Plan, wanted: Rewording) -> Plan:
    """The plan with these parts changed, all of it checked anew. Raises PlanError with every fault, one a line.

    The estimate of the cost is left out: whoever shows the plan makes a new one.
    """
    before = {name: value for name, value in plan.as_json().items() if name not in ("direction", "cost")}
    after = read_plan(before | dict(wanted.told))
    return replace(after, hypothesis=_about(plan, after))


def _about(before: Plan, after: Plan) -> str:
    """The hypothesis with the data and the metric that it names, where it does, as they are now."""
    names = {
        before.template.source(before.data).title: after.template.source(after.data).title,
        f"by {before.judged_by.title}": f"by {after.judged_by.title}",
    }
    hypothesis = after.hypothesis
    for old, new in names.items():
        hypothesis = hypothesis.replace(old, new)
    return hypothesis
