"""The offline catalogue's answers to the prompts about papers: quotations, and components that lie ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from engine.papers.extract import extracted
from engine.papers.shelf import terms

FEWEST_SHARED = 2  # words that an idea and a sentence of the paper have in common


def planned(brief: Mapping[str, Any]) -> dict[str, Any]:
    """Each component that is offered (see ideas.py), put into the nearest task."""
    quotes = [one["text"] for one in (*brief["gaps"], *brief["claims"])]
    made = []
    for one in brief["components"][: brief["count"]]:
        task = next((task for task in brief["tasks"] if _fits(one["kind"], task)), brief["tasks"][0])
        data = task["data"][0] if task["data"] else {"name": "", "title": task["title"]}
        part = "a preprocessor before the model" if one["kind"] == "preprocessor" else f"its {one['kind']}"
        made.append(
            {
                "title": one["title"],
                "hypothesis": (
                    f"On “{data['title']}”, a small network on the prototype's features with {one['title']} as {part} "
                    f"is better than the prototype by {task['metrics'][0]}. The catalogue's claim: {one['claim']}"
                ),
                "novelty": (
                    f"Nearest known: {one['from'] or 'nothing that the catalogue names'}. "
                    f"“{brief['title']}” does not put it to the test."
                ),
                "nearest": one["from"],
                "quote": _nearest(f"{one['title']} {one['claim']}", quotes),
                "component": one["id"],
                "plan": {
                    "task": task["name"],
                    "data": data["name"],
                    "model": f"a small network on the prototype's features, with {one['title']} as {part}",
                    "baseline": task["baseline"],
                    "variables": [one["kind"]],
                    "metric": task["metrics"][0],
                    "direction": "",
                    "seeds": 5,
                    "success": "mean improvement over the baseline > 0.0, with 90 % interval above 0.0",
                },
            }
        )
    return {"ideas": made}


def _fits(kind: str, task: Mapping[str, Any]) -> bool:
    """A loss function is one of classes."""
    return kind != "loss function" or "accuracy" in task["metrics"]


def _nearest(text: str, quotes: Sequence[str]) -> str:
    """The quotation that shares most words with a text; none when all share next to nothing."""
    asked = set(terms(text))
    shared = [len(asked & set(terms(quote))) for quote in quotes]
    return quotes[shared.index(max(shared))] if shared and max(shared) >= FEWEST_SHARED else ""


ANSWERS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {"reading": extracted, "ideas": planned}
