"""Do the 90 % intervals cover? Screenings on two seeds each, held against the value on 32 seeds of the same cells.

    python benchmarks/coverage.py [--json] [--kind KIND] [--seeds K] [--kept PATH]

Every hypothesis of the kind's catalogue is trained on K seeds (32). Each K / 2 (or so many seeds as the screening has)
of them are one screening of the whole catalogue, with intervals and shrinkage as the product makes them. Printed is how
often the interval of a screening holds the value on all K seeds: over all hypotheses, and over the ten that stand on
top of that screening, which luck has favoured. Beside it the A/A test: how often a baseline that was trained again, on
seeds other than those of what it is held against, comes out as promising; and its opposite: how often an accepted best
baseline and its like do (STRONG), withheld from the baselines and screened like any hypothesis.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import root  # noqa: F401
from trials import Arms, Bench, trials_of, yardstick
from validity import KEPT, hypotheses, say

from engine.score import Estimate
from engine.shrinkage import shrunken
from engine.suite import SELECTION_SEEDS, Suite, suite_of
from engine.winrate import Figures, Yardstick, figures
from sandbox.choose import open_sandbox
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

TOP = 10
STRONG = ("GELU", "SiLU", "Mish")  # much alike, so all are withheld while one is tried
RATES = ("b_wr", "bsota_wr", "effect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Shares of intervals that hold the value on all seeds; `shrunken` is that of the shrunken effect."""

    all: dict[str, float]
    top: dict[str, float]
    bias_of_top: dict[str, float]  # mean of what the top ten show minus what they have on all seeds
    placebos_promising: float  # share of the A/A tests
    withheld_promising: dict[str, float]  # share of the screenings, for each of STRONG; empty for other kinds
    hypotheses: int
    screenings: int
    placebos: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--kind", default="activation", choices=sorted(KINDS))
    parser.add_argument("--seeds", type=int, default=32, help="of the value that is to be covered")
    parser.add_argument("--kept", type=Path, default=KEPT, help="file of what was measured before")
    given = parser.parse_args()
    kind = KINDS[given.kind]
    suite, seeds = suite_of(kind), tuple(range(given.seeds))
    sandbox = open_sandbox()
    try:
        bench = Bench(sandbox, given.kept, say)
        known = {known.name: known.code.encode() for known in kind.baselines}
        selecting, baselines = (bench.measure(kind, suite, known, where) for where in (SELECTION_SEEDS, seeds))
        say(f"{kind.name}: {len(hypotheses(kind, None)[0])} hypotheses on {len(suite.cells) * len(seeds)} trials each")
        arms = bench.measure(kind, suite, hypotheses(kind, None)[0], seeds)
    finally:
        sandbox.close()
    found = coverage(suite, seeds, arms, baselines, selecting)
    print(json.dumps(asdict(found)) if given.json else words(kind, found))


def words(kind: Kind, found: Coverage) -> str:
    lines = [f"{kind.plural}: {found.hypotheses} hypotheses, {found.screenings} screenings of each"]
    for name in found.all:
        bias = f", bias {found.bias_of_top[name]:+.4f}"
        lines.append(f"{name:10} all {found.all[name]:.3f}   top ten {found.top[name]:.3f}{bias}")
    lines += [f"{name}, withheld: {share:.3f} promising" for name, share in found.withheld_promising.items()]
    return "\n".join([*lines, f"A/A: {found.placebos_promising:.3f} of {found.placebos} promising"])


def coverage(suite: Suite, seeds: Sequence[int], arms: Arms, baselines: Arms, selecting: Arms) -> Coverage:
    """Of the catalogue's losses [cells, seeds]; the seeds are divided into screenings of as many as the suite has."""
    each = len(suite.seeds)
    truth = read(suite, range(len(seeds)), arms, yardstick(suite, range(len(seeds)), baselines, selecting))
    hits: list[np.ndarray[tuple[int, int], np.dtype[np.bool_]]] = []
    errors, tops, placebos = [], [], []
    withheld: list[dict[str, bool]] = []
    starts = range(0, len(seeds) - each + 1, each)
    for start in starts:
        part = range(start, start + each)
        against = yardstick(suite, part, cut(baselines, part), selecting)
        seen = read(suite, part, cut(arms, part), against)
        shown = [*zip(*([getattr(f, name) for name in RATES] for f in seen), strict=True)]
        shown.append(tuple(shrunken(shown[-1])))
        real = np.array([[getattr(f, name).value for f in truth] for name in (*RATES, "effect")])
        hits.append(
            np.array(
                [[e.low <= t <= e.high for e, t in zip(*row, strict=True)] for row in zip(shown, real, strict=True)]
            )
        )
        errors.append(np.array([[e.value for e in row] for row in shown]) - real)
        tops.append(np.argsort([-e.value for e in shown[-1]], kind="stable")[:TOP])
        placebos += promising_placebos(suite, part, baselines, against, (start + each) % len(seeds))
        withheld.append(promising_strong(suite, part, baselines, selecting))
    names = (*RATES, "shrunken")
    of_top = [hit[:, top] for hit, top in zip(hits, tops, strict=True)]
    off_top = [error[:, top] for error, top in zip(errors, tops, strict=True)]
    return Coverage(
        all=dict(zip(names, np.mean(hits, (0, 2)).tolist(), strict=True)),
        top=dict(zip(names, np.mean(of_top, (0, 2)).tolist(), strict=True)),
        bias_of_top=dict(zip(names, np.mean(off_top, (0, 2)).tolist(), strict=True)),
        placebos_promising=float(np.mean(placebos)),
        withheld_promising={name: float(np.mean([found[name] for found in withheld])) for name in withheld[0]},
        hypotheses=len(arms),
        screenings=len(starts),
        placebos=len(placebos),
    )


def promising_placebos(
    suite: Suite, part: Sequence[int], baselines: Arms, against: Yardstick, start: int
) -> list[bool]:
    """A round of all baselines, each on the seeds from `start` on as if these were the yardstick's own."""
    others = range(start, start + len(part))
    again = {name: losses[:, others] for name, losses in baselines.items()}
    effects: list[Estimate] = [figures(trials_of(suite.cells, part, m), against).effect for m in again.values()]
    return [effect.low > 0 for effect in shrunken(effects)]


def promising_strong(suite: Suite, part: Sequence[int], baselines: Arms, selecting: Arms) -> dict[str, bool]:
    """Which of STRONG are promising against the other baselines on these seeds, each in a round of its own."""
    strong = [name for name in STRONG if name in baselines]
    others, chosen_on = ({n: arm for n, arm in arms.items() if n not in STRONG} for arms in (baselines, selecting))
    against = yardstick(suite, part, cut(others, part), chosen_on)
    found = read(suite, part, cut({name: baselines[name] for name in strong}, part), against)
    return {name: shrunken([each.effect])[0].low > 0 for name, each in zip(strong, found, strict=True)}


def read(suite: Suite, seeds: Sequence[int], arms: Arms, against: Yardstick) -> list[Figures]:
    return [figures(trials_of(suite.cells, seeds, losses), against) for losses in arms.values()]


def cut(arms: Arms, seeds: Sequence[int]) -> Arms:
    return {name: losses[:, list(seeds)] for name, losses in arms.items()}


if __name__ == "__main__":
    main()
