"""The benchmark of coverage, on simulated arms with a known truth and on a few that are trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coverage import Coverage, coverage
from trials import Arms, Bench
from validity import hypotheses, spread

from engine.suite import SCREEN, SELECTION_SEEDS, suite_of
from sandbox.choose import open_sandbox
from sandbox.guest.components.kinds import KINDS

SEEDS = tuple(range(16))


def simulated(noise: float) -> Coverage:
    """Arms whose losses differ from cell to cell; `noise` is the share of it that is new with each seed."""
    rng = np.random.default_rng(0)
    strength = rng.normal(0, 0.1, (40, len(SCREEN.cells)))

    def drawn(arms: range, seeds: int) -> Arms:
        return {
            f"arm {n}": 1 + strength[n][:, None] + noise * rng.normal(0, 0.1, (len(SCREEN.cells), seeds)) for n in arms
        }

    baselines, arms = drawn(range(10), len(SEEDS)), drawn(range(10, 40), len(SEEDS))
    return coverage(SCREEN, SEEDS, arms, baselines, drawn(range(10), len(SELECTION_SEEDS)))


def test_intervals_cover_what_is_simulated_and_so_do_those_of_the_top_ten() -> None:
    found = simulated(0.5)
    for share in (*found.all.values(), *found.top.values()):
        assert 0.8 <= share <= 0.99
    assert found.placebos_promising <= 0.05
    assert (found.hypotheses, found.screenings, found.placebos) == (30, 8, 80)


def test_where_seeds_make_no_difference_every_interval_covers() -> None:
    found = simulated(0.0)
    assert set(found.all.values()) | set(found.top.values()) == {1.0}
    assert set(found.bias_of_top.values()) != {0.0}  # the shrunken effect is nearer to zero
    assert abs(found.bias_of_top["b_wr"]) == 0


@pytest.mark.study
def test_intervals_cover_what_is_trained(tmp_path: Path) -> None:
    kind = KINDS["activation"]
    suite = suite_of(kind)
    sources = hypotheses(kind, None)[0]
    some = {name: sources[name] for name in spread(list(sources), 30)}
    sandbox = open_sandbox()
    try:
        bench = Bench(sandbox, tmp_path / "trials.jsonl")
        known = {known.name: known.code.encode() for known in kind.baselines}
        baselines, selecting = (bench.measure(kind, suite, known, seeds) for seeds in (SEEDS, SELECTION_SEEDS))
        arms = bench.measure(kind, suite, some, SEEDS)
    finally:
        sandbox.close()
    found = coverage(suite, SEEDS, arms, baselines, selecting)
    for share in (*found.all.values(), *found.top.values()):
        assert 0.82 <= share <= 0.97  # 90 % and what chance does to 80 to 240 intervals that are not independent
    assert found.placebos_promising <= 0.05
