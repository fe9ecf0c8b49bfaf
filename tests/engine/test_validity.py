"""What the benchmark of validity is made of: mutants, trials that are kept, rank correlations."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import mutants
from scipy.stats import spearmanr
from trials import Bench
from validity import distinct, interval, spearman, spread

from engine.suite import SCREEN
from sandbox.execution import Array, Execution, Level, Outcome, Task
from sandbox.guest.components.kinds import KINDS

unhurried = settings(deadline=None)  # a busy machine is no failure

PARENT = "import torch\n\n\ndef build(lr=0.1):\n    return [0.9, 1e-8, 0.5, 2.0, 3, lr, 0.03]\n"
SUITE = replace(SCREEN, datasets=("spirals",), architectures={"mlp2": 1}, steps=4, checkpoints=(4,), examples=8)
SEEDS = tuple(range(11))  # more than one training takes
ACTIVATION = KINDS["activation"]


class EvenSandbox:
    """Answers every training with the same logit for every class, unless the source is `broken`."""

    level = Level.UNSAFE
    parallel = 2
    torch_version = "here"

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None: ...

    def kill(self, tag: str) -> None: ...

    def close(self) -> None: ...

    def run(self, task: Task) -> Execution:
        self.tasks.append(task)
        if task.source == b"broken":
            return Execution(outcome=Outcome.REJECTED, check="load", reason="it is broken", level=self.level)
        arrays = {name: np.zeros(shape, np.float32) for name, shape in task.expects.items()}
        return Execution(outcome=Outcome.FINISHED, arrays=arrays, level=self.level)


# --- mutants


def test_a_mutant_differs_from_its_parent_in_numbers_that_set_a_strength_and_in_nothing_else() -> None:
    original = ast.dump(ast.parse(PARENT))
    for mutant in mutants({"parent": PARENT}, 30):
        constants = [n.value for n in ast.walk(ast.parse(mutant.source)) if isinstance(n, ast.Constant)]
        assert {1e-8, 0.5, 2.0, 3} <= set(constants)
        assert not {0.1, 0.9, 0.03} <= set(constants)
        text = ast.dump(ast.parse(mutant.source))
        for before, after in (change.split(" -> ") for change in mutant.name.partition(": ")[2].split(", ")):
            text = text.replace(f"value={float(after)!r}", f"value={float(before)!r}")
        assert text == original


def test_a_decay_keeps_between_0_and_1() -> None:
    for mutant in mutants({"parent": "x = 0.999\n"}, 10):
        assert 0.99 < float(mutant.source.decode().partition("= ")[2]) < 1


def test_mutants_come_out_again_and_none_comes_twice() -> None:
    found = mutants({"one": PARENT, "other": PARENT + "# the same but for this line\n"}, 200)
    assert found == mutants({"one": PARENT, "other": PARENT + "# the same but for this line\n"}, 200)
    assert len({ast.dump(ast.parse(mutant.source)) for mutant in found}) == len(found)
    assert PARENT.encode() not in {mutant.source for mutant in found}


def test_all_parents_take_part_and_one_without_numbers_has_no_mutants() -> None:
    found = mutants({"one": PARENT, "none": "x = 1\n", "other": "y = 0.3\n"}, 4)
    assert [mutant.name.partition(":")[0] for mutant in found] == ["one", "other", "one", "other"]


# --- trials that are kept


def test_what_was_measured_is_not_measured_again_after_an_interruption(tmp_path: Path) -> None:
    first, second = EvenSandbox(), EvenSandbox()
    sources = {"a": b"a", "b": b"b"}
    once = Bench(first, tmp_path / "kept.jsonl").measure(ACTIVATION, SUITE, sources, SEEDS)
    kept = (tmp_path / "kept.jsonl").read_text(encoding="utf-8")
    (tmp_path / "kept.jsonl").write_text(kept[:-10], encoding="utf-8")  # killed while it wrote the last line
    again = Bench(second, tmp_path / "kept.jsonl").measure(ACTIVATION, SUITE, {**sources, "c": b"c"}, SEEDS)
    assert len(first.tasks) == 4  # two trainings each: 8 seeds and 3
    assert sorted(task.source for task in second.tasks)[-2:] == [b"c", b"c"]
    assert len(second.tasks) == 3
    assert np.array_equal(once["a"], again["a"])
    assert again["a"].shape == (1, len(SEEDS))


def test_another_suite_or_other_seeds_are_measured_afresh(tmp_path: Path) -> None:
    sandbox = EvenSandbox()
    bench = Bench(sandbox, tmp_path / "kept.jsonl")
    for suite, seeds in ((SUITE, (0,)), (replace(SUITE, learning_rate=0.1), (0,)), (SUITE, (1,)), (SUITE, (0,))):
        bench.measure(ACTIVATION, suite, {"a": b"a"}, seeds)
    assert len(sandbox.tasks) == 3


def test_each_arm_takes_its_best_factor_once_for_all_its_seeds(tmp_path: Path) -> None:
    sandbox = EvenSandbox()
    suite = replace(SUITE, grid=(1.0, 3.0))
    Bench(sandbox, tmp_path / "kept.jsonl").measure(ACTIVATION, suite, {"a": b"a"}, SEEDS)
    assert [task.options["factors"] for task in sandbox.tasks] == [[1.0, 3.0], [1.0], [1.0]]


def test_what_does_not_train_is_left_out_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    bench = Bench(EvenSandbox(), tmp_path / "kept.jsonl", said.append)
    assert list(bench.measure(ACTIVATION, SUITE, {"a": b"a", "broken": b"broken"}, (0,))) == ["a"]
    assert said == ["activation: left out, load: it is broken"]


# --- rank correlations

values = st.lists(st.integers(0, 5), min_size=4, max_size=20)


@unhurried
@given(values, st.randoms(use_true_random=False))
def test_the_rank_correlation_is_spearmans(one: list[int], random) -> None:  # type: ignore[no-untyped-def]
    other = [x + random.randint(0, 3) for x in one]
    found = spearman(np.array(one, float), np.array(other, float))
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert found == pytest.approx(spearmanr(one, other).statistic)
    else:
        assert found == 0


def test_an_interval_holds_its_figure_and_narrows_with_more_hypotheses() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=400)
    one, other = true + rng.normal(0, 0.3, 400), true + rng.normal(0, 0.3, 400)
    (low, high), (few_low, few_high) = interval(one, other), interval(one[:30], other[:30])
    assert low < spearman(one, other) < high
    assert high - low < few_high - few_low


def test_a_hypothesis_that_ties_with_another_or_with_a_baseline_everywhere_counts_once() -> None:
    a, b = np.array([[1.0, 2.0]]), np.array([[1.5, 1.0]])
    arms = {"a": a, "like a": a * (1 + 1e-5), "b": b, "like the baseline": a + 7}
    assert distinct((arms, [a + 7]), (arms, [a + 7])) == ["a", "b"]


def test_a_sample_is_spread_over_all() -> None:
    assert spread(list("abcdefgh"), 4) == list("aceg")
    assert spread(list("abc"), 9) == list("abc")
