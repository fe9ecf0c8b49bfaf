"""What people are likely to think of an idea, learned from votes on earlier ones: the reward model's head for ideas.

A Gaussian process (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, ch. 2.2) whose covariance is
how alike two ideas are: in their words, in the kind of component they put to use, in the task of their plan. It is
learned afresh from the votes whenever ideas are ordered. Nothing that is measured enters it, and it enters nothing that
is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from engine.experiment.plan import Plan
from engine.learn import voice
from engine.papers.shelf import terms

WORDS, KIND, TASK = 0.6, 0.25, 0.15  # of the covariance; together 1
NOISE = 1.0  # variance of one vote beside that of what people think
PLACES = 8.0  # that an idea which everybody is certain to like moves up; the other way round down
MOST_VOTES = 500  # the newest: learning takes time with their cube
MOST_TOLD = 3


class Ideal(Protocol):
    """What is read of an idea."""

    @property
    def title(self) -> str: ...
    @property
    def hypothesis(self) -> str: ...
    @property
    def kind(self) -> str | None: ...
    @property
    def plan(self) -> Plan: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A person's vote on an idea."""

    idea: Ideal
    person: str
    thumbs_up: bool


def liking(ideas: Sequence[Ideal], opinions: Sequence[Opinion]) -> list[float]:
    """In (-1, 1): how people are expected to think of each idea; 0 where nothing is known.

    All votes of one person together weigh as those of a few people (see `engine.learn.voice`).
    """
    opinions = opinions[-MOST_VOTES:]
    if not opinions or not ideas:
        return [0.0] * len(ideas)
    alike = _alike([*(one.idea for one in opinions), *ideas])
    count = len(opinions)
    cast = Counter(one.person for one in opinions)
    noise = np.diag([NOISE / voice(cast[one.person]) for one in opinions])
    votes = np.array([1.0 if one.thumbs_up else -1.0 for one in opinions])
    return [float(value) for value in alike[count:, :count] @ np.linalg.solve(alike[:count, :count] + noise, votes)]


def order_by_liking(ideas: Sequence[Ideal], opinions: Sequence[Opinion]) -> list[int]:
    """Indices of ideas that are given best first: each moved by at most PLACES, as people are expected to like it.
    Without votes the order stays."""
    wanted = [place - PLACES * liked for place, liked in enumerate(liking(ideas, opinions))]
    return sorted(range(len(ideas)), key=lambda place: (round(wanted[place], 9), place))


def in_words(ideas: Sequence[Ideal], order: Sequence[int], votes: int) -> tuple[str, ...]:
    """For people: what votes did to the order; nothing where they did nothing."""
    risen = sorted(((before - after, before) for after, before in enumerate(order) if after < before), reverse=True)
    told = [f"“{ideas[before].title}” up {_count(places, 'place')}" for places, before in risen[:MOST_TOLD]]
    return (f"Your {_count(votes, 'vote')} on earlier ideas moved {' and '.join(told)}.",) if told else ()


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _alike(ideas: Sequence[Ideal]) -> NDArray[np.float64]:
    """[n, n], 1 on the diagonal."""
    kinds, tasks = np.array([one.kind or "" for one in ideas]), np.array([one.plan.task for one in ideas])
    same = KIND * (kinds[:, None] == kinds) + TASK * (tasks[:, None] == tasks)
    try:
        words = TfidfVectorizer(analyzer=terms, sublinear_tf=True).fit_transform(
            f"{one.title} {one.hypothesis}" for one in ideas
        )
    except ValueError:  # no words at all
        return np.asarray(same + WORDS * np.eye(len(ideas)))
    return np.asarray(same + WORDS * (words @ words.T).toarray())
