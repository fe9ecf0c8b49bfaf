"""Which of a component's own parts its gain comes from: the same with one part at a time made neutral.

Parts are read off the source: a term of a sum, a factor of a product, the divisor, an exponent, a function around its
only argument. Leaving one out is the neutral thing to do: x + 0, x * 1, x / 1, x ** 1, f(x) -> x. Whether a variant
still obeys the contract is for the sandbox to find out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from engine.blend import MIXED, mixed, share_of
from engine.evaluate import Evaluator
from engine.finding import Origin, Part, Round
from engine.hypothesis import Hypothesis
from engine.score import Score
from engine.suite import SCREENING
from engine.verdict import Verdict
from sandbox.guest.components.kind import Known

MOST = 6  # variants of one component
SEEDS = 4  # of the round's own: the screening has chosen nothing on them
BUILDERS = frozenset(
    {"__init__", "build"}
)  # what is in them sets shapes and starting values more often than it computes
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
LONGEST = 60  # characters of a part as it is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    without: str  # "* torch.sigmoid(x) (line 9)"
    source: bytes


def variants(source: bytes, most: int = MOST) -> list[Variant]:
    """In the order of the source, the outermost parts first; none where it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    seen = {ast.dump(tree)}
    found: list[Variant] = []
    for node, kept, words in _parts(tree):
        text = ast.unparse(_Left(node, kept).visit(ast.parse(source)))
        dumped = ast.dump(ast.parse(text))
        if dumped not in seen:
            seen.add(dumped)
            found.append(Variant(without=f"{words} (line {node.lineno})", source=text.encode()))
    return found[:most]


def _parts(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr, str]]:
    """An expression, what is left of it without one part, and that part in words."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in BUILDERS:
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
                sign = SIGNS[type(node.op)]
                yield node, node.left, f"{sign} {_shown(node.right)}"
                if isinstance(node.op, ast.Add | ast.Mult):
                    yield node, node.right, f"{_shown(node.left)} {sign}"
            elif isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
                yield node, node.args[0], f"{_shown(node.func)}(...)"


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class _Left(ast.NodeTransformer):
    """Puts what is left in the place of an expression, found again by where it stands in the source."""

    def __init__(self, node: ast.expr, kept: ast.expr) -> None:
        self._place, self._kept = _place(node), kept

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and _place(node) == self._place:
            return self._kept
        return super().visit(node)  # type: ignore[no-any-return]


def _place(node: ast.expr) -> tuple[str, int, int, int | None, int | None]:
    return type(node).__name__, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def credited(
    hypothesis: Hypothesis, planned: Round, best: Known, evaluator: Evaluator, stopped: Callable[[], bool]
) -> Origin:
    """Effects on the screening suite of a component as it is and of its variants, and the blend test with `best`.

    Raises SandboxError.
    """
    parts = variants(hypothesis.source)
    arms = [replace(hypothesis, id=f"{hypothesis.id}/{n}", source=part.source) for n, part in enumerate(parts)]
    suite, seeds = evaluator.suite(planned.kind, SCREENING, epoch=planned.epoch), planned.seeds[:SEEDS]
    results = evaluator.measure(
        [hypothesis, *arms],
        planned.kind,
        seeds,
        tag=planned.id,
        stopped=stopped,
        done=lambda result: None,
        suite=suite,
    )
    share = None
    if planned.kind in MIXED and not stopped():
        source = mixed(hypothesis.source, best.code.encode())
        gates = evaluator.first_learned(planned.kind, source, seeds, suite, tag=planned.id)
        share = share_of(gates, len(seeds))
    found = {result.hypothesis_id: result for result in results}
    whole = found.get(hypothesis.id)
    return Origin(
        hypothesis_id=hypothesis.id,
        whole=whole.effect if isinstance(whole, Score) else None,
        parts=tuple(
            _part(variant.without, found[arm.id]) for variant, arm in zip(parts, arms, strict=True) if arm.id in found
        ),
        share=share,
        mixed_with=best.name if share else "",
    )


def _part(without: str, result: Score | Verdict) -> Part:
    if isinstance(result, Score):
        return Part(without=without, effect=result.effect)
    return Part(without=without, effect=None, fault=result.reason or "")
