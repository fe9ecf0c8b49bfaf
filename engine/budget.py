"""Equal budget: the kind's best baseline with the parameters, or the training time, of one candidate.

A component may win because it makes the net larger or its training longer. Beside a candidate that adds parameters, the
best baseline is trained in nets that are just wide enough to have as many in all, summed over the architectures.
Beside one that costs more than DEARER times the kind's reference, it is trained for as many more steps as fit into the
candidate's training time: wall time of the same trials, but never more than the component alone costs, since how well
it can be batched says nothing about it. Initial parameters of wider nets are drawn anew; all else is paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.novelty import reference_parameters
from engine.rank import references
from engine.score import BaselineTrials, Score
from engine.suite import FULL, STANDARD, Suite
from engine.verdict import Verdict
from sandbox.guest.components.kind import Kind
from sandbox.guest.harness import HiddenLayers
from sandbox.guest.nets import ARCHITECTURES, Architecture

MATCHING = (STANDARD.name, FULL.name)  # the suites in which budgets are compared
DEARER = 1.1
LONGEST = 3.0  # times the steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A baseline on a suite of its own: wider nets, or more steps."""

    baseline: str
    words: str  # "ReLU, 1.3 x wider"
    suite: Suite


def budgets(
    kind: Kind,
    suite: Suite,
    scores: Sequence[Score],
    verdicts: Mapping[str, Verdict],
    baselines: Sequence[BaselineTrials],
) -> list[tuple[str, Budget]]:
    """What each candidate is to be compared with besides, by its id; `baselines` are what its score follows from."""
    rows = references(kind, baselines)
    if not rows or suite.name not in MATCHING:
        return []
    best = next(one for one in baselines if one.baseline == rows[0].baseline and one.seeds == suite.seeds)
    return [(s.hypothesis_id, own) for s in scores for own in _of_one(kind, suite, verdicts[s.hypothesis_id], s, best)]


def _of_one(kind: Kind, suite: Suite, verdict: Verdict, score: Score, best: BaselineTrials) -> list[Budget]:
    found = []
    over = verdict.parameters - reference_parameters(kind) if verdict.parameters else 0
    if over > 0:
        width = matching_width(kind, suite, over)
        found.append((replace(suite, width=width), width / suite.width, "wider"))
    cost = verdict.cost_ratio or 1.0
    times = round(min(score.seconds / max(best.seconds, 1e-9), cost, LONGEST), 1)
    if cost > DEARER and times >= DEARER:
        found.append((_longer(suite, times), times, "steps"))
    return [
        Budget(baseline=best.baseline, words=f"{best.baseline}, {times:.3g} x {what}", suite=other)
        for other, times, what in found
    ]


def matching_width(kind: Kind, suite: Suite, parameters: int) -> int:
    """The smallest width at which the suite's nets have as many parameters as with the component in them.

    `parameters` are what one instance has over the kind's reference; a component of hidden layers has one at each.
    """
    nets = [ARCHITECTURES[name] for name in suite.architectures]
    added = sum(parameters * instances(kind.harness, net, suite.width) for net in nets)
    wanted = sum(scalars(net, suite.width) for net in nets) + added
    width = suite.width
    while sum(scalars(net, width) for net in nets) < wanted:
        width += 1
    return width


def added_share(kind: Kind, parameters: int) -> float:
    """What a component of so many parameters has over the reference, as a share of the nets of the screening."""
    nets = [ARCHITECTURES[name] for name in kind.conditions.architectures]
    over = parameters - reference_parameters(kind)
    added = sum(over * instances(kind.harness, net, STANDARD.width) for net in nets)
    return added / sum(scalars(net, STANDARD.width) for net in nets)


def scalars(net: Architecture, width: int) -> int:
    """Weights and biases."""
    return sum((rows + 1) * columns for rows, columns in net.maps(width))


def instances(harness: Callable[..., object], net: Architecture, width: int) -> int:
    hidden = isinstance(harness, type) and issubclass(harness, HiddenLayers)
    return len(net.hidden(width)) if hidden else 1


def _longer(suite: Suite, times: float) -> Suite:
    steps = round(suite.steps * times)
    return replace(suite, steps=steps, checkpoints=tuple(round(c * steps / suite.steps) for c in suite.checkpoints))
