"""More hypotheses of a kind than its catalogue has: published and catalogued components with other numbers in them.

A mutant changes one or two numeric constants of one parent. Only floats that set a strength are changed: not 0, 1, 0.5
or 2, which are mostly structure, nor what is below 1e-3, which mostly guards a division. What lies between 0.8 and 1 is
a decay or a momentum, and its distance from 1 is changed instead. What comes out is a function of the parents alone.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

FACTORS = (4.0, 0.25, 2.0, 0.5)
STRUCTURE = (0.0, 0.5, 1.0, 2.0)
LEAST = 1e-3
DECAYS = (0.8, 1.0)

Changes = tuple[tuple[int, float], ...]  # (which constant, factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    name: str  # "Lion: 0.9 -> 0.95"
    source: bytes


def mutants(parents: Mapping[str, str], count: int) -> list[Mutant]:
    """Up to `count`, from the parents in turn. Sources that equal a parent's or another mutant's are left out."""
    waiting = [_of_parent(name, code) for name, code in parents.items()]
    found: list[Mutant] = []
    seen = {ast.dump(ast.parse(code)) for code in parents.values()}
    while waiting and len(found) < count:
        mutant = next(waiting[0], None)
        if mutant is None:
            del waiting[0]
            continue
        waiting.append(waiting.pop(0))
        text = ast.dump(ast.parse(mutant.source))
        if text not in seen:
            seen.add(text)
            found.append(mutant)
    return found


def _of_parent(name: str, code: str) -> Iterator[Mutant]:
    """Every single change and every change of two constants, in an order that differs between parents."""
    constants = len(_constants(ast.parse(code)))
    single: list[Changes] = [((place, factor),) for factor in FACTORS for place in range(constants)]
    double: list[Changes] = [
        ((first, factor), (second, other))
        for first, second in combinations(range(constants), 2)
        for factor in FACTORS[:2]
        for other in FACTORS[:2]
    ]
    for changes in sorted(single, key=lambda c: _shuffling(name, c)) + sorted(
        double, key=lambda c: _shuffling(name, c)
    ):
        yield _mutant(name, code, changes)


def _shuffling(name: str, changes: tuple[tuple[int, float], ...]) -> bytes:
    return hashlib.sha256(f"{name}/{changes}".encode()).digest()


def _mutant(name: str, code: str, changes: Changes) -> Mutant:
    tree = ast.parse(code)
    constants = _constants(tree)
    words = []
    for place, factor in changes:
        before = float(constants[place].value)  # type: ignore[arg-type]
        after = float(f"{_changed(before, factor):.4g}")
        words.append(f"{before:g} -> {after:g}")
        constants[place].value = after
    return Mutant(name=f"{name}: {', '.join(words)}", source=ast.unparse(tree).encode())


def _changed(value: float, factor: float) -> float:
    if DECAYS[0] <= value < DECAYS[1]:
        return 1 - (1 - value) * min(factor, 2.0)
    return value * factor


def _constants(tree: ast.AST) -> list[ast.Constant]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, float)
        and abs(node.value) not in STRUCTURE
        and abs(node.value) >= LEAST
    ]
