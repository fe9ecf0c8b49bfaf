"""Which kind of component a person's module is, when nobody said so. The module is read, never run.

What a kind's modules look like is learned from its published components and the catalogue: names of functions and their
arguments, of base classes, and of what is used. A new kind is recognised by its own.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Set
from functools import lru_cache
from math import log

from engine.llm.catalogue import entries
from engine.vocabulary import mentions_of
from engine.wording import words_of
from sandbox.guest.components.kind import Kind

UNSEEN = 0.1  # how often what was never seen is taken to occur, in components
USUAL = 0.5  # share of a kind's components from which on something is usual of it
EVIDENCE = 5  # features that other components have as well; with fewer there is nothing to go by
SURE = 6.0  # log odds over the next kind; tried on the catalogue, see tests/engine/test_guess.py


def examples_of(kind: Kind) -> tuple[str, ...]:
    """Modules that are known to be of a kind: its published components, and hypotheses of the catalogue."""
    return (*(known.code for known in kind.known), *(entry.code for entry in entries(kind.name)))


def guessed_kinds(
    source: bytes,
    name: str,
    kinds: Mapping[str, Kind],
    examples: Callable[[Kind], tuple[str, ...]] = examples_of,
) -> tuple[str, ...]:
    """Names of the kinds that a module may be, the likeliest first; one where there is no doubt.

    `name` is the file's. Without a `build` that can be read there is nothing to go by, and all kinds are possible.
    """
    tree = _parsed(source)
    build = next((node for node in tree.body if _is_build(node)), None) if tree else None
    if tree is None or build is None:
        return tuple(kinds)
    possible = _by_arguments(_arguments(build), kinds)
    named = {mention.kind for mention in mentions_of(words_of(re.sub(r"[^a-zA-Z]+", " ", name)), kinds)}
    by_name = [kind for kind in possible if kind.name in named]
    possible = by_name if len(by_name) == 1 else possible
    learned = {kind.name: _learned(examples(kind)) for kind in possible}
    found = {one for one in _features(tree) if any(one in counts for counts, _ in learned.values())}
    if len(possible) > 1 and len(found) < EVIDENCE:
        return tuple(learned)
    odds = sorted(((_log_likelihood(found, *learned[kind]), kind) for kind in learned), reverse=True)
    return tuple(name for likelihood, name in odds if likelihood > odds[0][0] - SURE)


def _parsed(source: bytes) -> ast.Module | None:
    try:
        return ast.parse(importlib.util.decode_source(source))
    except (SyntaxError, ValueError, UnicodeError, LookupError, RecursionError, MemoryError):
        return None


def _is_build(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name == "build"
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "build" for t in node.targets)


def _by_arguments(given: list[str] | None, kinds: Mapping[str, Kind]) -> list[Kind]:
    """The kinds whose entry point takes arguments of these names, or else as many. None: they cannot be seen."""
    entries = {name: _names_in(kind.entry) for name, kind in kinds.items()}
    alike = [kinds[name] for name, names in entries.items() if names == given]
    as_many = [kinds[name] for name, names in entries.items() if given is not None and len(names) == len(given)]
    return alike or as_many or [*kinds.values()]


def _arguments(build: ast.stmt) -> list[str] | None:
    """Names of the arguments that it needs."""
    if not isinstance(build, ast.FunctionDef):
        return None
    arguments = [argument.arg for argument in (*build.args.posonlyargs, *build.args.args)]
    return arguments[: len(arguments) - len(build.args.defaults)]


def _names_in(entry: str) -> list[str]:
    """`build(params, lr)` takes params and lr."""
    inside = entry.partition("(")[2].rpartition(")")[0]
    return [argument.strip() for argument in inside.split(",") if argument.strip()]


def _features(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args) if argument.arg != "self"]
            yield f"def {node.name}/{len(names)}"
            yield from (f"argument {number} of {node.name}: {name}" for number, name in enumerate(names))
            yield from (f"argument {name}" for name in names)
        elif isinstance(node, ast.ClassDef):
            yield from (f"base {ast.unparse(base).rpartition('.')[2]}" for base in node.bases)
            yield from (f"in a name: {part.lower()}" for part in re.findall(r"[A-Z][a-z]+", node.name))
        elif isinstance(node, ast.Attribute):
            yield f"uses {node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"says {word}" for word in re.findall(r"[a-z]{4,}", node.value.lower()))


@lru_cache(maxsize=64)
def _learned(components: tuple[str, ...]) -> tuple[Mapping[str, int], int]:
    """In how many of a kind's known components each feature is, and how many components there are."""
    counts: dict[str, int] = {}
    for code in components:
        for feature in frozenset(_features(ast.parse(code))):
            counts[feature] = counts.get(feature, 0) + 1
    return counts, len(components)


def _log_likelihood(found: Set[str], counts: Mapping[str, int], number: int) -> float:
    """Naive Bayes over what is there, and over what is missing of what most components of the kind have (`fit`)."""
    there = sum(log((counts.get(feature, 0) + UNSEEN) / (number + 1)) for feature in found)
    usual = [seen for feature, seen in counts.items() if seen >= USUAL * number and feature not in found]
    return there + sum(log((number - seen + UNSEEN) / (number + 1)) for seen in usual)
