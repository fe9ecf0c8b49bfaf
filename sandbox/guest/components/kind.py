"""What a kind of component is. One file a kind; `kinds.py` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

Vector = NDArray[np.float32]
Behaviour = Mapping[str, Vector]  # named arrays: how a component answers the public probe set of its kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A published component. `code` obeys the kind's contract, so a baseline takes the same path as a candidate."""

    name: str
    source: str  # authors and title of the paper
    year: int
    code: str
    baseline: bool = False  # hypotheses are compared with it
    best: bool = False  # one of the accepted best of its kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve: y over x, both one-dimensional and of the same length."""

    name: str
    x: Vector
    y: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What shows a component of this kind best."""

    x_label: str
    y_label: str
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything about a kind that is not the same for all kinds.

    check(build): the functional test on fresh builds; raises `Fault` with the name of the check that failed.
    behave(build): builds afresh and returns the behaviour on the public probe set, arrays of the shapes in `behaviour`.
    signature(behaviour): one vector of all in which duplicates agree: every array, without any invariance.
    canonical(behaviour): one vector of unit scale with the kind's invariances removed; N-score is a distance of these.
    drawing(behaviour): the plot of this kind.
    exercise(component): one typical use, forward and backward, to be timed against the reference; None: its cost is
        not worth measuring.
    """

    name: str  # "activation": the word in code and JSON
    title: str  # "activation function": the words in messages
    plural: str  # "activation functions"
    synonyms: tuple[str, ...]  # how people write it in a request, lower case, singular and plural
    slot: str  # where it goes in a net: "activation" or "penalty"
    entry: str  # "build()"
    contract: str  # in words: given to the model verbatim and shown by `help KIND`
    reference: str  # the known component that costs are relative to
    known: tuple[Known, ...]
    behaviour: Mapping[str, tuple[int, ...]]
    check: Callable[[Callable[[], Any]], None]
    behave: Callable[[Callable[[], Any]], Behaviour]
    signature: Callable[[Behaviour], Vector]
    canonical: Callable[[Behaviour], Vector]
    drawing: Callable[[Behaviour], Drawing]
    returns: type = nn.Module  # what the entry returns an instance of
    exercise: Callable[[Any], None] | None = None

    @property
    def baselines(self) -> tuple[Known, ...]:
        return tuple(known for known in self.known if known.baseline)
