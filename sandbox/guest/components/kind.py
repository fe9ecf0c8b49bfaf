"""What a kind of component is. One file a kind; `kinds.py` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..alone import Training
from ..harness import Build, Frame, Harness

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
    """What shows a component of this kind best: curves, or pictures, or bars where `bars` says so (histograms)."""

    x_label: str
    y_label: str
    series: tuple[Series, ...] = ()
    images: tuple[Image, ...] = ()
    bars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture: rows x columns of grey values."""

    name: str
    pixels: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What components of a kind are tried on, and how they are judged."""

    architectures: tuple[str, ...] = ("mlp2", "mlp4", "res", "cnn")
    regression: bool = True  # False: only data sets with classes make sense
    metric: str = "loss"  # or "brier": after one temperature a trial, for kinds that change how sure nets are
    grid: tuple[float, ...] = (1.0,)  # every arm takes its best one, chosen on seeds of its own
    grid_of: str = "learning rate"  # what the grid's factors scale, in words
    rows: int | None = None  # training examples of each data set; None: as many as there are
    seeds: int = 2  # of the screening suite
    longer: int = 1  # times the steps of every suite, for kinds whose effect takes many passes through the rows
    rough: str | None = None  # where its win rates tell little: so, as a sentence that stands with every one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything about a kind that is not the same for all kinds.

    check(build): the functional test on fresh builds; raises `Fault` with the name of the check that failed.
    behave(build): builds afresh and returns the behaviour on the public probe set, arrays of the shapes in `behaviour`.
    signature(behaviour): one vector of all in which duplicates agree: every array, without any invariance.
    canonical(behaviour): one vector of unit scale with the kind's invariances removed; N-score is a distance of these.
    drawing(behaviour): the plot of this kind.
    harness(build, frame): puts the component into the training of a stack; the hooks of `Harness` are its places.
    alone(build, training): the same for one ordinary net (see sequential.py), the definition of right.
    prepare(build, tensors): changes the pack (see train.py) before any net is built; most kinds leave it as it is.
    use(build): an instance as `exercise` needs it, for kinds whose `build` takes arguments.
    exercise(component): one typical use, forward and backward, to be timed against the reference; None: its cost is
        not worth measuring.
    """

    name: str  # "activation": the word in code and JSON
    title: str  # "activation function": the words in messages
    plural: str  # "activation functions"
    synonyms: tuple[str, ...]  # how people write it in a request, lower case, singular and plural
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
    harness: Callable[[Build, Frame], Harness]
    alone: Callable[[Build, Training], Training]
    prepare: Callable[[Build, dict[str, Tensor]], dict[str, Tensor]] = lambda build, tensors: tensors
    conditions: Conditions = Conditions()
    returns: type = nn.Module  # what the entry returns an instance of
    use: Callable[[Build], Any] = lambda build: build()
    exercise: Callable[[Any], None] | None = None

    @property
    def baselines(self) -> tuple[Known, ...]:
        return tuple(known for known in self.known if known.baseline)
