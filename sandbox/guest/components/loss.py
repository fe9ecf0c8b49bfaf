"""Losses: the functional test, the behaviour and what follows from it, and their place in training."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..alone import Training, made
from ..blame import blamed
from ..groups import groups_of, slowest
from ..harness import Build, Frame, Harness, inputs
from ..job import Fault
from ..tiers import Arguments, Refuted, Tier
from .kind import Behaviour, Conditions, Drawing, Kind, Series, Vector
from .known_losses import KNOWN_LOSSES
from .testing import as_in_a_net, gradients, largest_difference, learnable, learning, require_finite, seed, words

CONTRACT = """\
A loss: what training makes smaller, in place of cross-entropy. Write one self-contained Python module with a
module-level function `build()`. It takes no arguments and returns a new `torch.nn.Module`; it is called once for every
net, and all data sets are classifications.

What comes in: `forward(logits, targets)` is called once per training step with the net's outputs, a float32 tensor of
shape [batch, classes], and the right classes, an int64 tensor of shape [batch] with values from 0 to classes - 1. The
number of classes is any from 2 to 10 and stays the same for an instance; the batch is any from 1 up, and some classes
may be missing from it. The logits are whatever the net puts out: no softmax was applied.

What must come out: one number as a float32 tensor without dimensions, the mean over the examples; negative is allowed.
It must depend on the targets, and differentiably on the logits. It and its gradients must be finite for logits up to
+-40 (use log_softmax and logsumexp, never the logarithm of a softmax), for examples that are already right with all
confidence, and for logits that are all equal.

How it is judged: by the predictions on held-out examples, never by its own value. The class with the largest logit is
predicted; probabilities are the softmax of the logits divided by a temperature that is chosen for each net, so the
scale of the logits does not matter but their order and proportions do. The learning rate is the best of three.

Allowed: learnable parameters (`nn.Parameter`, at most 1,000,000 scalars; they are trained along, to make the loss
smaller), state that depends on the step or on earlier batches, statistics of the batch, randomness drawn from torch.
Required: the same `torch.manual_seed` gives the same result; logits and targets are never modified; nothing that
carries a gradient is kept from one call to the next (detach it).
Cost: about as cheap as cross-entropy; time is reported relative to it.
Imports: `math` and `torch` only.
"""

CLASSES = (2, 3, 7, 10)
BATCH = 32
WIDE = 40.0  # logits this large happen in training at a high rate; a difference of 80 still has exp(-80) > 0 in float32
TIMES = 3  # first steps in which a loss may leave its targets aside


# --- the functional test


def check(build: Callable[[], Any]) -> None:
    """Raises `Fault` with one of the checks: forward, type, scalar, dtype, input modified, finite output, gradient,
    finite gradient, repeat, targets, classes, batch, seed.
    """
    component = _built(build)
    for number, (logits, targets, where) in enumerate(_steps()):
        _step(component, logits, targets, where, number)
    for classes in CLASSES:
        _call(_built(build), *_typical(BATCH, classes), "classes")
    for batch in (1, 5):
        _call(_built(build), *_typical(batch, 10), "batch")
    _require_targets(build)
    _require_seed(build)


def _built(build: Callable[[], Any]) -> nn.Module:
    seed(0)
    component: nn.Module = build()
    return component.train()


def _call(component: nn.Module, logits: Tensor, targets: Tensor, name: str = "forward") -> tuple[Tensor, Tensor]:
    """(logits as a leaf, loss without dimensions); working on the logits or targets in place is noticed."""
    with torch.enable_grad():
        leaf = logits.clone().requires_grad_()
        given, answers = as_in_a_net(leaf), targets.clone()
        with blamed(name, f"forward on logits of shape {list(logits.shape)}"):
            output = component(given, answers)
    if not isinstance(output, Tensor):
        raise Fault("type", f"forward returned {words(output)}; it must return one number, as a tensor")
    if output.numel() != 1:
        raise Fault("scalar", f"forward returned {words(output)}; reduce it to one number (the mean over the batch)")
    if output.dtype != torch.float32:
        raise Fault("dtype", f"forward returned a tensor of {output.dtype}; the loss must be a float32")
    if not torch.equal(given.detach(), logits):
        raise Fault("input modified", "forward changed the logits in place; work on a copy (logits.clone()) instead")
    if not torch.equal(answers, targets):
        raise Fault("input modified", "forward changed the targets in place; work on a copy (targets.clone()) instead")
    return leaf, output.reshape(())


def _step(component: nn.Module, logits: Tensor, targets: Tensor, where: str, number: int) -> None:
    """One training step's worth of use: forward, backward, all values finite."""
    name = "repeat" if number else "gradient"
    leaf, output = _call(component, logits, targets, "repeat" if number else "forward")
    require_finite(output.detach(), "finite output", "its loss", where)
    if not output.requires_grad:
        raise Fault("gradient", f"its loss does not depend differentiably on the logits {where} (were they detached?)")
    parameters = learnable(component)
    into, *rest = gradients(
        output, [leaf, *parameters.values()], torch.ones_like(output), name, f"its backward pass {where}"
    )
    require_finite(into, "finite gradient", "its gradient with respect to the logits", where)
    if number == 0 and not into.any():
        raise Fault("gradient", f"its gradient with respect to the logits is zero everywhere {where}")
    for parameter, found in zip(parameters, rest, strict=True):
        require_finite(found, "finite gradient", f"the gradient of its parameter `{parameter}`", where)


def _require_targets(build: Callable[[], Any]) -> None:
    found = []
    for shift in (0, 1):
        component = _built(build)
        for number in range(TIMES):
            logits, targets = _typical(BATCH, 10)
            seed(number)
            leaf, output = _call(component, logits, (targets + shift) % 10)
            found += gradients(output, [leaf], torch.ones_like(output), "gradient", "its backward pass")
    if torch.equal(torch.stack(found[:TIMES]), torch.stack(found[TIMES:])):
        raise Fault("targets", "its gradient is the same whatever the targets are, so nothing could be learnt")


def _require_seed(build: Callable[[], Any]) -> None:
    answers = []
    for _ in range(2):
        component = _built(build)
        seed(1)
        answers.append(_call(component, *_typical(BATCH, 10))[1].detach())
    difference = largest_difference(answers)
    if difference is not None:
        reason = f"under the same seed two fresh builds differ by up to {difference:g}"
        raise Fault("seed", f"{reason}; draw what is random from torch's own generator")


def _typical(batch: int, classes: int, number: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(97 * classes + number)
    targets = torch.randint(classes, (batch,), generator=generator)
    return torch.randn((batch, classes), generator=generator), targets


def _steps() -> Iterator[tuple[Tensor, Tensor, str]]:
    """Successive steps of one net: as it starts, when it went far, and the corners."""
    logits, targets = _typical(BATCH, 10)
    wide = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(2)) * 2 - 1) * WIDE
    right = torch.nn.functional.one_hot(targets, 10).float()
    yield logits, targets, "for logits around ±1"
    yield wide, targets, f"for logits around ±{WIDE:g}"
    yield (2 * right - 1) * WIDE, targets, f"for logits of {WIDE:g} for the right class and {-WIDE:g} for the others"
    yield (1 - 2 * right) * WIDE, targets, f"for logits of {-WIDE:g} for the right class and {WIDE:g} for the others"
    yield torch.zeros_like(logits), targets, "for logits that are all 0"
    yield logits, torch.zeros_like(targets), "where all examples are of one class"


# --- behaviour

TASKS = (2, 10)  # classes
AGES = (0, 48, 320)  # steps done before: what warms up is another loss at the end of a screening, or of a full training
SCALES = (0.3, 1.0, 4.0)  # of the logits: at the start, typical, and confident
EXAMPLES = 16
MARGINS = np.linspace(-6, 6, 49, dtype=np.float32)  # of the right class over all the others, which are 0

BEHAVIOUR = {
    "loss": (len(TASKS), len(AGES), len(SCALES)),
    "gradient": (len(AGES), len(SCALES), EXAMPLES * sum(TASKS)),
    "curve": (len(TASKS), len(MARGINS)),
    "slope": (len(TASKS), len(MARGINS)),
    "learning": (2,),
}


def behave(build: Callable[[], Any]) -> Behaviour:
    """Losses and gradients on random logits, of an instance for each number of classes, as it ages through training.

    loss, gradient: on EXAMPLES examples, at each age and scale. curve, slope: the loss over the margin of the right
    class, and its derivative, once it is as old as it gets. learning [2]: see `testing.learning`. The logits that it
    sees in between turn from wrong to right, as in training; no parameter is trained.
    """
    seen = {name: np.zeros(shape, np.float32) for name, shape in BEHAVIOUR.items()}
    for task, classes in enumerate(TASKS):
        component, columns = _built(build), slice(EXAMPLES * sum(TASKS[:task]), EXAMPLES * sum(TASKS[: task + 1]))
        ages = zip((0, *AGES), AGES, strict=False) if _remembers(_built(build), classes) else ((0, 0),) * len(AGES)
        for age, (begin, end) in enumerate(ages):
            _use(component, classes, range(begin, end))
            for number, scale in enumerate(SCALES):
                seed(number)
                value, into, found = _answer(component, *_probe(classes, scale))
                seen["loss"][task, age, number] = value
                seen["gradient"][age, number, columns] = into.flatten()
                seen["learning"] = learning(component, found)
        for number, margin in enumerate(MARGINS):
            targets = torch.arange(EXAMPLES) % classes
            right = nn.functional.one_hot(targets, classes).float()
            seed(0)
            value, into, _ = _answer(component, right * float(margin), targets)
            seen["curve"][task, number], seen["slope"][task, number] = value, float((into * right).sum())
    return seen


def _use(component: nn.Module, classes: int, steps: range) -> None:
    with torch.no_grad():
        for step in steps:
            logits, targets = _young(classes)[step % len(_young(classes))]
            right = nn.functional.one_hot(targets, classes)
            seed(step)
            with blamed("repeat", f"step {step + 1} on logits of shape {list(logits.shape)}"):
                component(logits + right * (4.0 * step / AGES[-1]), targets)


def _remembers(component: nn.Module, classes: int) -> bool:
    """Whether a call leaves something behind in it."""
    before = _memory(component)
    _use(component, classes, range(2))
    return not before or _memory(component) != before


def _memory(component: nn.Module) -> bytes:
    """Everything that it holds; empty where that cannot be written down."""
    held = [{k: v for k, v in vars(module).items() if k != "_modules"} for module in component.modules()]
    try:
        return pickle.dumps(held)
    except Exception:  # noqa: BLE001 - a lambda, say: then it may remember anything
        return b""


@cache
def _young(classes: int) -> list[tuple[Tensor, Tensor]]:
    return [_typical(BATCH, classes, number) for number in range(1, 5)]


@cache
def _probe(classes: int, scale: float) -> tuple[Tensor, Tensor]:
    logits, targets = _typical(EXAMPLES, classes, 5)
    return logits * scale, targets


def _answer(component: nn.Module, logits: Tensor, targets: Tensor) -> tuple[float, Tensor, list[Tensor]]:
    """(loss, gradient with respect to the logits, gradients of the learnable parameters)."""
    leaf, output = _call(component, logits, targets, "repeat")
    if not output.requires_grad:
        raise Fault("gradient", "its loss stops depending differentiably on the logits after some steps")
    wanted = [leaf, *learnable(component).values()]
    into, *rest = gradients(output, wanted, torch.ones_like(output), "repeat", "its backward pass on the probe")
    return float(output.detach()), into, rest


def signature(behaviour: Behaviour) -> Vector:
    return np.concatenate([behaviour[name].ravel() for name in sorted(BEHAVIOUR)])


def canonical(behaviour: Behaviour) -> Vector:
    """Of unit norm and equal for l and a l + b with a > 0, which Adam trains alike. Zero for a constant.

    Only gradients: they are all that training sees. Each age counts alike, and each number of classes.
    """
    gradient = behaviour["gradient"].astype(np.float64)
    parts = np.split(gradient, np.cumsum(TASKS)[:-1] * EXAMPLES, axis=-1)
    whole = np.concatenate([(part / (np.linalg.norm(part) or 1.0)).ravel() for part in parts])
    norm = np.linalg.norm(whole)
    return (whole / norm if norm > 0 else whole).astype(np.float32)


def drawing(behaviour: Behaviour) -> Drawing:
    """The loss over the margin, 0 at its lowest, and its derivative."""
    series = []
    for task, classes in enumerate(TASKS):
        curve = behaviour["curve"][task]
        series.append(Series(name=f"{classes} classes", x=MARGINS, y=curve - curve.min()))
        series.append(Series(name=f"{classes} classes, slope", x=MARGINS, y=behaviour["slope"][task]))
    return Drawing(x_label="logit of the right class over the others", y_label="loss", series=tuple(series))


@cache
def _typical_batch() -> tuple[Tensor, Tensor]:
    return _typical(256, 10)


def exercise(component: nn.Module) -> None:
    logits, targets = _typical_batch()
    leaf = logits.clone().requires_grad_()
    output = component(leaf * 1.0, targets)
    torch.autograd.grad(output.sum(), [leaf, *learnable(component).values()], allow_unused=True)


# --- training


class LossHarness(Harness):
    """One instance a net, called once a step. A loss adds up its batch, so no instance serves several nets: no direct.

    What a loss does only after some steps cannot be probed before: a fast tier that fails by then is withdrawn.
    """

    def __init__(self, build: Build, frame: Frame) -> None:
        super().__init__(build, frame)
        classifying = [replica for replica, classes in enumerate(frame.classes) if classes]
        own = replace(frame, seeds=tuple(frame.seeds[replica] for replica in classifying))
        sizes = [frame.classes[replica] for replica in classifying]
        self._groups = groups_of(build, own, sizes, lambda size, n: _samples(frame, size, n), (Tier.VMAP, Tier.LOOP))
        self.tier = slowest(self._groups)
        self.learnable = [tensor for group in self._groups for tensor in group.placed.learnable]

    def classify(self, logits: Tensor, classes: Tensor) -> Tensor:
        total = logits.new_zeros(())
        for group in self._groups:
            try:
                losses = group.placed(logits[group.members, :, : group.size], classes[group.members])
            except Exception as error:
                if group.tier is Tier.LOOP:
                    raise
                raise Refuted from error
            if losses.numel() != len(group.members):
                raise Fault("training", f"the loss must be one number, not a tensor of shape {list(losses.shape[1:])}")
            total = total + losses.sum()
        return total

    def train(self, training: bool) -> None:
        for group in self._groups:
            group.placed.train(training)


def _samples(frame: Frame, classes: int, replicas: int) -> list[Arguments]:
    number = torch.arange(replicas, device=frame.device)[:, None] + torch.arange(frame.batch, device=frame.device)
    logits = inputs((frame.batch, classes), frame.device, replicas)
    return [(sample, (number * (turn + 1)) % classes) for turn, (sample,) in enumerate(logits)]


def alone(build: Build, training: Training) -> Training:
    if not training.classes:
        return training
    batch = len(training.hidden[0])
    sample = torch.zeros(batch, training.classes), torch.zeros(batch, dtype=torch.int64)
    component = made(build, training, 0, sample)
    return replace(training, classify=component, modules=[component], learnable=list(component.parameters()))


KIND = Kind(
    name="loss",
    title="loss function",
    plural="loss functions",
    synonyms=(
        "losses",
        "cost function",
        "cost functions",
        "objective",
        "objectives",
        "objective function",
        "objective functions",
        "training loss",
        "training losses",
        "classification loss",
        "classification losses",
        "loss term",
        "criterion",
    ),
    entry="build()",
    contract=CONTRACT,
    reference="Cross-entropy",
    known=KNOWN_LOSSES,
    behaviour=BEHAVIOUR,
    check=check,
    behave=behave,
    signature=signature,
    canonical=canonical,
    drawing=drawing,
    exercise=exercise,
    harness=LossHarness,
    alone=alone,
    conditions=Conditions(
        regression=False,
        metric="brier",
        grid=(1 / 3, 1.0, 3.0),
        seeds=3,
        rough="Win rates of losses are rough: most differ by less than other seeds do, so the order may change.",
    ),
)
