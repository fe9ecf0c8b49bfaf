"""Arms of which the answer is known: placebos that must not win, strong baselines that must, and planted effects.

Placebos    (a) A/A: a baseline on seeds of its own, read as if they were those that it is held against;
            (b) rewrites: a baseline's code, written differently, with the same function;
            (c) noise: a baseline with a ripple added that is too small to matter.
            None is better than the best baseline, so each that comes out as promising is a false positive.
Rescalings  of a baseline's output are no placebos: under Adam with one learning rate they change training. They are
            a class of their own, "scale confound".
Planted     A/A trials of the best baseline whose losses were multiplied by 1 - d: an effect of exactly d.
Controls    strong baselines, withheld from what they are compared with.

Duplicate detection is off for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from torch import nn

from engine.generate import hypothesis_id
from engine.hypothesis import Hypothesis
from engine.request import Strategy
from engine.score import Estimate, Trial
from engine.shrinkage import shrunken
from engine.winrate import Yardstick, figures
from sandbox.guest.components.kind import Kind, Known

UNPAIRED, REWRITTEN, NOISY, RESCALED = "A/A", "rewrite", "noise", "rescaled"
FAMILIES = (UNPAIRED, REWRITTEN, NOISY)
CONTROLS = {"activation": ("GELU", "SiLU", "Mish")}  # of other kinds: the accepted best ones
PLANTED = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
SCALES = (0.5, 0.7, 1.4, 2.0)
SCALED_KINDS = ("activation", "normalizer")  # whose output goes on through the net

RIPPLE = 1e-4  # of outputs of about 1; what float32 rounds away is 1e-7, and the next mutant is 1e-2 away
FACTOR = 1e-5  # on a learning rate, a multiplier or an initial weight

_SAME = (
    "output * 1.0",
    "output + 0.0",
    "-(-output)",
    "(output * 2.0) * 0.5",
    "torch.where(output == output, output, output)",
    "output.clone()",
    "torch.add(output, torch.zeros_like(output))",
)
_MODULE = """
_original = build


def build(*arguments):
    component = _original(*arguments)
    component.register_forward_hook(lambda module, inputs, output: {expression})
    return component
"""
_BY_ENTRY = {
    "optimizer": "def build(params, lr):\n    return _original(params, lr * {factor})",
    "schedule": (
        "def build(total_steps):\n    inner = _original(total_steps)\n    return lambda step: inner(step) * {factor}"
    ),
    "initializer": (
        "def build():\n    inner = _original()\n\n    def fill(weight):\n        inner(weight)\n"
        "        with torch.no_grad():\n            weight.mul_({factor})\n\n    return fill"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebo:
    family: str
    hypothesis: Hypothesis


def placebos(kind: Kind, request_id: str, count: int) -> list[Placebo]:
    """Rewrites and noisy baselines, half of each, and the rescalings on top; each with the name of its baseline."""
    rewritten, noisy = count - count // 2, count // 2
    written = [
        *zip([REWRITTEN] * rewritten, _several(kind, rewritten, _rewrite), strict=True),
        *zip([NOISY] * noisy, _several(kind, noisy, _with_noise), strict=True),
    ]
    if kind.name in SCALED_KINDS:
        scaled = [
            (f"{b.name} x {scale:g}", _hooked(b, f"output * {scale}")) for b in kind.baselines for scale in SCALES
        ]
        written += [(RESCALED, each) for each in scaled]
    return [
        Placebo(family=family, hypothesis=_hypothesis(kind, request_id, f"{family} {title}", code))
        for family, (title, code) in written
    ]


def _several(kind: Kind, count: int, make: Callable[[Kind, Known, int], str]) -> list[tuple[str, str]]:
    """Of the baselines in turn, each time another one of its variants."""
    places = islice(cycle(enumerate(kind.baselines)), count)
    return [
        (f"{known.name} {number // len(kind.baselines) + 1}", make(kind, known, number // len(kind.baselines)))
        for number, (_, known) in enumerate(places)
    ]


def _rewrite(kind: Kind, known: Known, number: int) -> str:
    if issubclass(kind.returns, nn.Module):
        return _hooked(known, _SAME[number % len(_SAME)], note=f"# spelling {number}\n")
    return _around(kind, known, "1.0", note=f"# spelling {number}\n")


def _with_noise(kind: Kind, known: Known, number: int) -> str:
    if issubclass(kind.returns, nn.Module):
        return _hooked(known, f"output + {RIPPLE} * torch.sin({7 + 3 * number}.0 * output + {number}.0)")
    return _around(kind, known, f"{1 + FACTOR * (number + 1):.8f}")


def _hooked(known: Known, expression: str, note: str = "") -> str:
    return f"{known.code}\nimport torch\n{note}{_MODULE.format(expression=expression)}"


def _around(kind: Kind, known: Known, factor: str, note: str = "") -> str:
    return f"{known.code}\nimport torch\n{note}_original = build\n\n\n{_BY_ENTRY[kind.name].format(factor=factor)}\n"


def _hypothesis(kind: Kind, request_id: str, title: str, code: str) -> Hypothesis:
    source = code.encode()
    return Hypothesis(
        id=hypothesis_id(request_id, kind.name, title, source),
        request_id=request_id,
        kind=kind.name,
        title=title,
        claim="",
        rationale="",
        inspiration="",
        source=source,
        strategy=Strategy.BY_HAND,
        generator="placebo",
    )


# --- what comes of them


def read_as(trials: Sequence[Trial], seeds: Sequence[int], as_seeds: Sequence[int]) -> tuple[Trial, ...]:
    """Trials on some seeds, as if they were on others: unpaired with whatever is on those."""
    named = dict(zip(seeds, as_seeds, strict=True))
    return tuple(replace(trial, seed=named[trial.seed]) for trial in trials)


def planted(trials: Sequence[Trial], effect: float) -> tuple[Trial, ...]:
    """The same with losses that are lower by a share of `effect`."""
    return tuple(replace(t, loss=None if t.loss is None else t.loss * (1 - effect)) for t in trials)


def promising(effects: Sequence[Estimate], company: Sequence[Estimate]) -> list[bool]:
    """Which come out as promising in a round with `company`, toward whose effects they are shrunken."""
    return [one.low > 0 for one in shrunken([*effects, *company])[: len(effects)]]


def effect_of(trials: Sequence[Trial], yardstick: Yardstick) -> Estimate:
    return figures(trials, yardstick).effect


def controls(kind: Kind) -> tuple[str, ...]:
    """Strong baselines that may be withheld: two others remain at least."""
    wanted = CONTROLS.get(kind.name) or tuple(known.name for known in kind.baselines if known.best)
    found = tuple(known.name for known in kind.baselines if known.name in wanted)
    return found[: max(0, len(kind.baselines) - 2)]
