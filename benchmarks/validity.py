"""How far win rates of the screening suite can be trusted: the same again on other seeds, and against long training.

    python benchmarks/validity.py [--json] [--kind KIND]... [--sample N] [--full N] [--kept PATH]

Per kind, over the hypotheses of its catalogue (and mutants of them and of published components where there are fewer
than 40), Spearman's rank correlation of

retest_b_wr, retest_bsota_wr   the win rates on the suite's seeds and those on other seeds, for all arms, with the
                               factor of the grid chosen anew
light_vs_full                  B-WR on the suite's seeds and B-WR on the suite `full`, on yet other seeds; for a sample

with 90 % intervals from a bootstrap over hypotheses. Run it again after an interruption: what is in PATH (default
.conjecture/benchmarks/trials.jsonl) is not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import root  # noqa: F401
from mutants import mutants
from numpy.typing import NDArray
from scipy.stats import rankdata
from trials import Arms, Bench, rates

import engine
from engine.suite import GRID_SEEDS, Suite, suite_of
from engine.winrate import Losses, wins
from sandbox.choose import open_sandbox
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

KEPT = Path(".conjecture/benchmarks/trials.jsonl")
ENOUGH = 40  # hypotheses of a kind; mutants make up for what its catalogue lacks
ON_FULL = 16  # hypotheses of a kind that are trained on the suite `full` as well, which costs 20 times as much
OTHER, LONG = 4000, 8000  # how far the seeds of the second measurement and of the long one are from the suite's
RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    retest_b_wr: float
    retest_bsota_wr: float
    light_vs_full: float | None  # None: the full suite was not asked for
    n: int  # hypotheses measured
    n_full: int  # of these, on the full suite too
    interval: dict[str, tuple[float, float]]  # 90 %, of each figure
    mutants: tuple[str, ...]  # which of the hypotheses are
    seconds: float  # that this run took; next to nothing when all was kept


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--sample", type=int, help="at most so many hypotheses a kind")
    parser.add_argument("--full", type=int, default=ON_FULL, help="at most so many a kind on the suite `full`")
    parser.add_argument("--kept", type=Path, default=KEPT, help="file of what was measured before")
    given = parser.parse_args()
    sandbox = open_sandbox()
    found = {}
    try:
        bench = Bench(sandbox, given.kept, say)
        for name in given.kind or KINDS:
            found[name] = validity(bench, KINDS[name], given.sample, given.full)
            say(f"{name}: {words(found[name])}")
    finally:
        sandbox.close()
    if given.json:
        print(json.dumps({name: asdict(each) for name, each in found.items()}))
        return
    for name, each in found.items():
        print(f"{name:14} {words(each)}")
        if each.mutants:
            print(f"{'':14} of these {len(each.mutants)} mutants: {'; '.join(each.mutants)}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def words(found: Validity) -> str:
    def figure(name: str, label: str, n: int) -> str:
        value = getattr(found, name)
        if value is None:
            return f"{label} not measured"
        low, high = found.interval[name]
        return f"{label} {value:.3f} [{low:.3f}, {high:.3f}] (n = {n})"

    return ", ".join(
        (
            figure("retest_b_wr", "retest B-WR", found.n),
            figure("retest_bsota_wr", "BSOTA-WR", found.n),
            figure("light_vs_full", "light against full", found.n_full),
        )
    )


def validity(bench: Bench, kind: Kind, sample: int | None, on_full: int) -> Validity:
    """Raises ValueError when fewer than three hypotheses of the kind train."""
    begun = time.monotonic()
    suite = suite_of(kind)
    sources, changed = hypotheses(kind, sample)
    first, second = (both(bench, kind, suite, sources, where) for where in (0, OTHER))
    names = distinct(first, second)
    if len(names) < 3:
        raise ValueError(f"{len(names)} hypotheses of kind {kind.name} trained; a rank correlation needs 3 at least")
    one, other = (np.array([rates(arms[n], base) for n in names]) for arms, base in (first, second))
    series = {"retest_b_wr": (one[:, 0], other[:, 0]), "retest_bsota_wr": (one[:, 1], other[:, 1])}
    kept = spread(names, on_full)
    if len(kept) >= 3:
        full = suite_of(kind, "full")
        arms, base = both(bench, kind, full, {n: sources[n] for n in kept}, LONG)
        kept = [name for name in kept if name in arms]
        light = [one[names.index(name), 0] for name in kept]
        series["light_vs_full"] = (np.array(light), np.array([rates(arms[name], base)[0] for name in kept]))
    return Validity(
        retest_b_wr=spearman(*series["retest_b_wr"]),
        retest_bsota_wr=spearman(*series["retest_bsota_wr"]),
        light_vs_full=spearman(*series["light_vs_full"]) if "light_vs_full" in series else None,
        n=len(names),
        n_full=len(kept) if "light_vs_full" in series else 0,
        interval={name: interval(*pair) for name, pair in series.items()},
        mutants=tuple(name for name in names if name in changed),
        seconds=time.monotonic() - begun,
    )


def hypotheses(kind: Kind, sample: int | None) -> tuple[dict[str, bytes], set[str]]:
    """Sources by name, and which of them are mutants: the catalogue, and as many mutants as are missing to ENOUGH."""
    path = Path(engine.__file__).parent / "catalogue" / f"{kind.name}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    catalogue = {entry["title"]: entry["code"] for entry in map(json.loads, lines)}
    names = spread(list(catalogue), sample if sample is not None else len(catalogue))
    found = {name: catalogue[name].encode() for name in names}
    wanted = (ENOUGH if sample is None else min(ENOUGH, sample)) - len(found)
    parents = {**catalogue, **{known.name: known.code for known in kind.known}}
    made = {mutant.name: mutant.source for mutant in mutants(parents, max(0, wanted))}
    return {**found, **made}, set(made)


def both(bench: Bench, kind: Kind, suite: Suite, sources: dict[str, bytes], off: int) -> tuple[Arms, list[Losses]]:
    """(the hypotheses' losses, the baselines'), all tuned and trained on seeds that are `off` from the suite's."""
    seeds, tuned_on = (tuple(off + seed for seed in of) for of in (suite.seeds, GRID_SEEDS))
    say(f"{kind.name}: {len(sources)} hypotheses on {suite.name}, {len(suite.cells) * len(seeds)} trials each")
    known = {known.name: known.code.encode() for known in kind.baselines}
    baselines = bench.measure(kind, suite, known, seeds, tuned_on)
    if baselines.keys() != known.keys():
        raise ValueError(f"baselines of kind {kind.name} did not train: {sorted(known.keys() - baselines.keys())}")
    return bench.measure(kind, suite, sources, seeds, tuned_on), list(baselines.values())


def distinct(first: tuple[Arms, list[Losses]], second: tuple[Arms, list[Losses]]) -> list[str]:
    """What trained on both sets of seeds, without what ties in every trial with a baseline or an earlier one."""
    seen = [np.stack(pair) for pair in zip(first[1], second[1], strict=True)]
    names = []
    for name in first[0]:
        if name in second[0]:
            own = np.stack([first[0][name], second[0][name]])
            if not any((wins(own, other) == 0.5).all() for other in seen):
                seen.append(own)
                names.append(name)
    return names


def spread(names: list[str], count: int) -> list[str]:
    """At most `count` of them, evenly spaced."""
    if count >= len(names):
        return names
    return [names[number * len(names) // count] for number in range(count)]


Values = NDArray[np.float64]


def spearman(one: Values, other: Values) -> float:
    """Of ranks, equal values at their mean rank; 0 where all values of one side are equal."""
    a, b = rankdata(one), rankdata(other)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def interval(one: Values, other: Values, of: Callable[[Values, Values], float] = spearman) -> tuple[float, float]:
    """90 %: from the 5 % to the 95 % quantile over bootstrap samples of the hypotheses."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(len(one), size=len(one)) for _ in range(RESAMPLES))
    low, high = np.quantile([of(one[rows], other[rows]) for rows in drawn], (0.05, 0.95))
    return float(low), float(high)


if __name__ == "__main__":
    main()
