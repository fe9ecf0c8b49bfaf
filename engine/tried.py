""" "Have we tried this?": the nearest past hypotheses with what came of them, and the nearest known functions.

By behaviour where there is code to run, since two spellings of one function share no words; else by words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from engine.journal import Past
from engine.novelty import cited, distances, known_behaviours, same
from sandbox.guest.components.kind import Behaviour, Kind, Known

SHOWN = 3  # past hypotheses
KNOWN_SHOWN = 2
LEAST_LIKENESS = 0.12  # cosine below which two descriptions share little more than the field's everyday words
NEAR = (
    0.35  # distance (as the N-score's) up to which a component is called alike; ReLU is 0.1 from GELU, 0.55 from tanh
)

# People describe in words what code says in names.
IN_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sin": "sine sinusoidal periodic",
        "cos": "cosine sinusoidal periodic",
        "exp": "exponential",
        "log": "logarithm",
        "log1p": "logarithm",
        "erf": "gaussian",
        "tanh": "hyperbolic tangent",
        "sigmoid": "sigmoid gate logistic",
        "abs": "absolute",
        "relu": "rectifier",
        "Parameter": "learnable trainable learned parameter",
        "dropout": "random noise",
        "svd": "singular spectral",
    }
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A past hypothesis that resembles what was asked for."""

    past: Past
    likeness: float  # in [0, 1]: cosine of the words, or 1 - the distance of the N-score
    same: bool = False  # a duplicate: the same function


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarKnown:
    kind: str
    name: str
    source: str  # paper and year
    likeness: float
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    by_behaviour: bool
    searched: int  # past hypotheses that were compared
    past: tuple[Similar, ...]  # most alike first; empty: nothing is alike
    known: tuple[SimilarKnown, ...]


def by_words(words: str, past: Sequence[Past], kinds: Sequence[Kind]) -> Found:
    """Cosine of TF-IDF vectors of whole words and of parts of words, over titles, claims, rationales and code."""
    known = [(kind, one) for kind in kinds for one in kind.known]
    texts = [*(_of_past(one) for one in past), *(_of_known(*one) for one in known)]
    likeness = _cosines(words, texts)
    tried, published = likeness[: len(past)], likeness[len(past) :]
    alike = tuple(
        Similar(past=past[i], likeness=float(tried[i])) for i in _best(tried, SHOWN) if tried[i] >= LEAST_LIKENESS
    )
    named = tuple(
        SimilarKnown(kind=kind.name, name=one.name, source=cited(one), likeness=float(published[i]))
        for i in _best(published, KNOWN_SHOWN)
        if published[i] >= LEAST_LIKENESS
        for kind, one in [known[i]]
    )
    return Found(by_behaviour=False, searched=len(past), past=alike, known=named or _nearest_of(alike))


def _nearest_of(alike: Sequence[Similar]) -> tuple[SimilarKnown, ...]:
    """The published function that the most alike hypothesis behaves like, where words name none."""
    ran = ((one.past.hypothesis.kind, one.past.verdict.novelty) for one in alike)
    kind, novelty = next(((kind, novelty) for kind, novelty in ran if novelty), ("", None))
    if novelty is None:
        return ()
    likeness = 1 - novelty.n_score
    return (SimilarKnown(kind=kind, name=novelty.nearest, source=novelty.nearest_source, likeness=likeness),)


def by_behaviour(kind: Kind, behaviour: Behaviour, past: Sequence[Past]) -> Found:
    """By the distance of the N-score, among those of the kind that could be run."""
    ran = [one for one in past if one.hypothesis.kind == kind.name and one.verdict.behaviour]
    published = {known.name: known for known in kind.known}
    seen = known_behaviours(kind)
    near = distances(kind, [behaviour], [one.verdict.behaviour for one in ran])[0]
    near_known = distances(kind, [behaviour], [seen[name] for name in published])[0]
    names = list(published)
    return Found(
        by_behaviour=True,
        searched=len(ran),
        past=tuple(
            Similar(
                past=ran[i],
                likeness=float(1 - near[i]),
                same=same(kind, behaviour, ran[i].verdict.behaviour),
            )
            for i in _best(-near, SHOWN)
            if near[i] <= NEAR
        ),
        known=tuple(
            SimilarKnown(
                kind=kind.name,
                name=names[i],
                source=cited(published[names[i]]),
                likeness=float(1 - near_known[i]),
                same=same(kind, behaviour, seen[names[i]]),
            )
            for i in _best(-near_known, KNOWN_SHOWN)
        ),
    )


def _best(likeness: NDArray[np.float64], count: int) -> list[int]:
    """Most alike first; of equals the newest, which stands last."""
    return sorted(range(len(likeness)), key=lambda i: (-round(float(likeness[i]), 9), -i))[:count]


def _cosines(words: str, texts: Sequence[str]) -> NDArray[np.float64]:
    if not texts or not words.strip():
        return np.zeros(len(texts))
    total = np.zeros(len(texts))
    whole = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=r"(?u)[^\W\d_]{2,}")
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    for vectorizer in (whole, parts):
        rows = vectorizer.fit_transform(texts)
        total += (rows @ vectorizer.transform([words]).T).toarray().ravel() / 2
    return total


def _of_past(one: Past) -> str:
    hypothesis = one.hypothesis
    written = f"{hypothesis.title} {hypothesis.title} {hypothesis.claim} {hypothesis.rationale}"
    return f"{written} {hypothesis.inspiration} {_read(hypothesis.code)}"


def _of_known(kind: Kind, known: Known) -> str:
    return f"{known.name} {known.name} {kind.title} {known.source} {_read(known.code)}"


def _read(code: str) -> str:
    """What the code does, in the words that people use for it."""
    return " ".join(IN_WORDS[name] for name in dict.fromkeys(_NAME.findall(code)) if name in IN_WORDS)
