"""What is known of a component before it is measured, as numbers for the reward model."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log1p, log10
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from engine.ensemble import one_thread
from engine.hypothesis import Hypothesis
from engine.request import Strategy
from engine.verdict import Verdict
from sandbox.guest.components.kind import Behaviour, Kind, Vector

COMPONENTS = 24  # principal components kept of each curve
TEXT_BUCKETS = 64
CODE_BUCKETS = 64
GENERATOR_BUCKETS = 8
BEHAVIOUR_GROUPS = 3  # of the encoder's columns are behaviour
PCA_ROWS = 1024  # at most so many examples determine the components: more change little and cost much

# How large each group is for the nets of votes and rejections, before ridge regularisation: a smaller one is trusted
# less. Gaussian processes find the scale of each group by themselves.
CURVE_SCALE = 2.0
NUMBER_SCALE = 0.5
MARK_SCALE = 0.3

STATISTICS = 12  # of each array of the behaviour
NODES: tuple[tuple[type[ast.AST], ...], ...] = (  # kinds of syntax that are counted
    (ast.FunctionDef, ast.Lambda),
    (ast.ClassDef,),
    (ast.For, ast.While, ast.comprehension),
    (ast.If, ast.IfExp),
    (ast.Call,),
    (ast.BinOp, ast.UnaryOp),
    (ast.Constant,),
    (ast.Import, ast.ImportFrom),
    (ast.Try, ast.Raise, ast.Assert),
    (ast.Subscript,),
)

CODE_MARKS = CODE_BUCKETS + 4 + len(NODES)  # tokens and structure: see `shape_of`

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One component, described. Lengths are the same for all components of a kind."""

    curves: tuple[Vector, Vector] | None  # canonical form, and signature on an arcsinh scale; None: no behaviour
    numbers: tuple[float | None, ...]  # statistics of the behaviour with its curvature, N-score, cost, parameters
    marks: Vector  # hashed words and tokens, the code's structure, strategy, generator: known before validation


def describe(kind: Kind, hypothesis: Hypothesis, verdict: Verdict) -> Facts:
    return facts(
        kind,
        verdict.behaviour,
        text=f"{hypothesis.title} {hypothesis.claim} {hypothesis.rationale}",
        code=hypothesis.code,
        strategy=hypothesis.strategy,
        generator=hypothesis.generator,
        n_score=verdict.novelty.n_score if verdict.novelty else None,
        cost_ratio=verdict.cost_ratio,
        parameters=verdict.parameters,
    )


def facts(
    kind: Kind,
    behaviour: Behaviour,
    *,
    text: str,
    code: str,
    strategy: Strategy | None = None,
    generator: str | None = None,
    n_score: float | None = None,
    cost_ratio: float | None = None,
    parameters: int | None = None,
) -> Facts:
    """Facts of anything that has a behaviour; a known component has neither strategy nor generator."""
    words = _hashed(_WORD.findall(text.lower()), TEXT_BUCKETS)
    tokens = _TOKEN.findall(code)
    structure = _hashed([*tokens, *map(" ".join, pairwise(tokens))], CODE_BUCKETS)
    prompted = [float(strategy == one) for one in Strategy]
    made_by = [0.0] * GENERATOR_BUCKETS
    if generator is not None:
        made_by[crc32(generator.encode()) % GENERATOR_BUCKETS] = 1.0
    return Facts(
        curves=(_finite(kind.canonical(behaviour)), np.arcsinh(_finite(kind.signature(behaviour))))
        if behaviour
        else None,
        numbers=(
            *_statistics(kind, behaviour),
            n_score,
            None if cost_ratio is None else log10(max(cost_ratio, 1e-3)),
            None if parameters is None else log1p(parameters),
        ),
        marks=np.concatenate([words, structure, shape_of(code), prompted, made_by]).astype(np.float32),
    )


def _hashed(tokens: Sequence[str], buckets: int) -> Vector:
    """Signed feature hashing (Weinberger et al., 2009) of dampened counts, of unit length."""
    counts = np.zeros(buckets, np.float32)
    for token in tokens:
        code = crc32(token.encode(errors="replace"))
        counts[code % buckets] += 1.0 if code >> 16 & 1 else -1.0
    damped = np.sign(counts) * np.log1p(np.abs(counts))
    return (damped / max(float(np.linalg.norm(damped)), 1e-6)).astype(np.float32)


def shape_of(code: str) -> Vector:
    """The structure of a module, each figure about within [-1, 1]; what cannot be parsed is all zero but the first."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return np.array([1.0, *[0.0] * (len(NODES) + 3)], np.float32)
    found = Counter(type(node) for node in nodes)
    counts = [sum(found[kind] for kind in kinds) for kinds in NODES]
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    builds = any(isinstance(node, ast.FunctionDef) and node.name == "build" for node in nodes)
    marks = [0.0, float(builds), float("Parameter" in attributes or "Parameter" in named), log1p(len(nodes)) / 8]
    return np.array([*marks, *(min(1.0, log1p(count) / 4) for count in counts)], np.float32)


def _finite(vector: Vector) -> Vector:
    return np.nan_to_num(np.asarray(vector, np.float32), posinf=1e6, neginf=-1e6).ravel()


def _statistics(kind: Kind, behaviour: Behaviour) -> Iterable[float | None]:
    for name in sorted(kind.behaviour):
        if name not in behaviour:
            yield from (None,) * STATISTICS
            continue
        values = np.arcsinh(_finite(behaviour[name]))
        rows = values.reshape(np.shape(behaviour[name])) if np.ndim(behaviour[name]) else values
        bent = np.abs(np.diff(rows, n=2, axis=-1)) if rows.shape[-1] > 2 else np.zeros(1)
        yield float(np.log(bent.mean() + 1e-4))
        yield float(np.log(bent.max() + 1e-4))
        yield from map(float, np.quantile(values, (0.1, 0.5, 0.9)))
        modes = len(rows) == 2 and rows.ndim > 1  # most behaviours hold train and eval mode
        yield float(np.log(np.abs(rows[0] - rows[1]).mean() + 1e-4)) if modes else 0.0
        magnitude = np.abs(values)
        yield float(values.mean())
        yield float(np.log(values.std() + 1e-3))
        yield float(np.log(magnitude.max() + 1e-3))
        yield float((magnitude < 1e-3).mean())
        yield float((values < 0).mean())
        yield float(np.abs(np.diff(values)).mean()) if values.size > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Facts -> inputs of one scale. Fitted on measured components only, so that a vote cannot move it."""

    centres: tuple[Vector, Vector]  # [length] of each curve
    bases: tuple[Vector, Vector]  # [length, components], scaled
    number_means: Vector
    number_scales: Vector

    @classmethod
    def fit(cls, described: Sequence[Facts]) -> Encoder:
        """Raises ValueError when no component has a behaviour."""
        curves = [one.curves for one in described if one.curves is not None]
        if not curves:
            raise ValueError(f"none of {len(described)} components has a behaviour; validate them first")
        first, second = (_principal(np.stack([pair[index] for pair in curves[:PCA_ROWS]])) for index in (0, 1))
        columns = [
            [value for value in column if value is not None]
            for column in zip(*(one.numbers for one in described), strict=True)
        ]
        means = [float(np.mean(column)) if column else 0.0 for column in columns]
        scales = [NUMBER_SCALE / (float(np.std(column)) + 1e-3) if column else 0.0 for column in columns]
        return cls(
            centres=(first[0], second[0]),
            bases=(first[1], second[1]),
            number_means=np.asarray(means, np.float32),
            number_scales=np.asarray(scales, np.float32),
        )

    def encode(self, described: Sequence[Facts]) -> torch.Tensor:
        """Inputs [n, width], float32, for n > 0. What is not known is taken to be as in the mean of those measured."""
        rows = []
        for one in described:
            curves: Sequence[Vector] = one.curves or self.centres
            projected = [(c - m) @ b for c, m, b in zip(curves, self.centres, self.bases, strict=True)]
            filled = [m if v is None else v for v, m in zip(one.numbers, self.number_means, strict=True)]
            numbers = (np.asarray(filled, np.float32) - self.number_means) * self.number_scales
            # Far outside of what was measured nothing can be said: the inputs stop there.
            curved = np.clip(np.concatenate(projected), -3 * CURVE_SCALE, 3 * CURVE_SCALE)
            numbered = np.clip(numbers, -4 * NUMBER_SCALE, 4 * NUMBER_SCALE)
            rows.append(np.concatenate([curved, numbered, MARK_SCALE * one.marks]))
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    def columns(self) -> tuple[tuple[int, int], ...]:
        """Where the groups start and end: both curves and the numbers, which are behaviour; text; code; origin."""
        behaviour = [self.bases[0].shape[1], self.bases[1].shape[1], len(self.number_means)]
        sizes = [*behaviour, TEXT_BUCKETS, CODE_MARKS, len(Strategy) + GENERATOR_BUCKETS]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return tuple(zip([0, *ends], ends, strict=False))

    def arrays(self) -> dict[str, Vector]:
        return {
            "canonical_centre": self.centres[0],
            "signature_centre": self.centres[1],
            "canonical_basis": self.bases[0],
            "signature_basis": self.bases[1],
            "number_means": self.number_means,
            "number_scales": self.number_scales,
        }

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]]) -> Encoder:
        return cls(
            centres=(arrays["canonical_centre"], arrays["signature_centre"]),
            bases=(arrays["canonical_basis"], arrays["signature_basis"]),
            number_means=arrays["number_means"],
            number_scales=arrays["number_scales"],
        )


@one_thread()
def _principal(rows: Vector) -> tuple[Vector, Vector]:
    """Centre, and a basis in which the widest direction has the standard deviation CURVE_SCALE."""
    matrix = torch.from_numpy(rows)
    centre = matrix.mean(0)
    _, values, directions = torch.linalg.svd(matrix - centre, full_matrices=False)
    widest = float(values[0]) / len(rows) ** 0.5
    basis = directions[:COMPONENTS].T * (CURVE_SCALE / widest if widest > 1e-9 else 0.0)
    return centre.numpy(), basis.contiguous().numpy()
