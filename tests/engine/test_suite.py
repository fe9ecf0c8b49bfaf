"""Suites and packs: paired by (cell, seed) alone, named by content, free of held-out labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.datasets import load
from engine.suite import FULL, GRID_SEEDS, SCREEN, SELECTION_SEEDS, STANDARD, SUITES, Pack, Suite, pack, suite_of
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.nets import ARCHITECTURES

SECRET = b"of these tests"
DRAWN_FROM = SCREEN.secret_of_epoch(SECRET)


@pytest.fixture(scope="module")
def screen() -> Pack:
    return pack(SCREEN, SECRET, SCREEN.seeds)


def test_the_screen_is_34_trials_on_17_cells() -> None:
    assert len(SCREEN.cells) == len(set(SCREEN.cells)) == 17
    assert len(SCREEN.cells) * len(SCREEN.seeds) == 34


def test_the_standard_suite_is_the_screen_with_twice_the_seeds() -> None:
    assert len(STANDARD.cells) * len(STANDARD.seeds) == 68
    for kind in KINDS.values():
        screen, standard = suite_of(kind), suite_of(kind, "standard")
        assert standard == replace(
            screen, name="standard", version=STANDARD.version, seeds=tuple(range(2 * len(screen.seeds)))
        )


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_the_full_suite_is_longer_on_fresh_seeds_and_more_data_with_a_grid_for_every_kind(kind: Kind) -> None:
    full = suite_of(kind, "full")
    lighter = [suite_of(kind), suite_of(kind, "standard")]
    assert all(full.steps > 4 * other.steps and not set(full.seeds) & set(other.seeds) for other in lighter)
    assert not set(full.seeds) & {*SELECTION_SEEDS, *GRID_SEEDS}
    assert {"breast_cancer", "wine", "photographs"} <= set(full.datasets) - set(lighter[0].datasets)
    assert len(full.grid) >= 3
    assert 1.0 in full.grid


def test_a_kind_without_a_grid_takes_the_best_of_three_learning_rates_in_the_full_suite_alone() -> None:
    grids = {name: suite_of(KINDS["activation"], name).grid for name in SUITES}
    assert grids == {"screen": (1.0,), "standard": (1.0,), "full": FULL.grid}
    assert suite_of(KINDS["regularizer"], "full").grid == KINDS["regularizer"].conditions.grid


def test_every_suite_can_be_stacked_for_every_kind() -> None:
    suites = [suite_of(kind, name) for kind in KINDS.values() for name in SUITES]
    for suite in {suite.identity(SECRET): suite for suite in suites}.values():
        small = pack(replace(suite, steps=2, checkpoints=(1, 2)), SECRET, (1,))
        assert sum(small.held_out.stacks.values()) == len(suite.cells)


def test_another_epoch_has_another_identity_and_draws_everything_anew(screen: Pack) -> None:
    later = replace(SCREEN, epoch=1)
    assert later.identity(SECRET).startswith(f"screen-{SCREEN.version}.1/")
    other = pack(later, SECRET, SCREEN.seeds)
    names = ("rows", "targets", "held_out", "order", "asked", "seeds", "mlp2.0")
    assert not any(np.array_equal(screen.arrays[name], other.arrays[name]) for name in names)
    assert len({replace(SCREEN, epoch=epoch).secret_of_epoch(SECRET) for epoch in range(3)} | {SECRET}) == 4


def test_a_suite_that_is_none_is_refused_with_the_names_of_those_that_are() -> None:
    with pytest.raises(ValueError, match="no suite 'huge'; expected one of screen, standard, full"):
        suite_of(KINDS["activation"], "huge")


def test_more_steps_begin_as_fewer_do_and_are_asked_the_same() -> None:
    """So that a baseline that is trained for longer is compared on the very same trials."""
    longer = replace(SCREEN, steps=60, checkpoints=(48, 50, 53, 55, 58, 60))
    one, other = pack(SCREEN, SECRET, (0,)), pack(longer, SECRET, (0,))
    assert np.array_equal(one.arrays["order"], other.arrays["order"][: SCREEN.steps])
    assert np.array_equal(one.held_out.targets, other.held_out.targets)
    assert np.array_equal(one.arrays["mlp2.0"], other.arrays["mlp2.0"])


@pytest.mark.parametrize("suite", SUITES.values(), ids=list(SUITES))
def test_predictions_are_read_in_the_last_quarter(suite: Suite) -> None:
    assert min(suite.checkpoints) > 0.75 * suite.steps
    assert max(suite.checkpoints) == suite.steps


def test_the_identity_changes_with_the_secret_and_with_the_definition() -> None:
    found = {
        SCREEN.identity(SECRET),
        SCREEN.identity(b"another"),
        replace(SCREEN, steps=47).identity(SECRET),
        replace(SCREEN, version=99).identity(SECRET),
    }
    assert len(found) == 4
    assert SCREEN.identity(SECRET).startswith(f"screen-{SCREEN.version}/")
    assert SECRET.hex() not in SCREEN.identity(SECRET)


def test_screening_and_selection_seeds_are_disjoint() -> None:
    assert not set(SCREEN.seeds) & set(SELECTION_SEEDS)


def test_a_pack_is_named_by_its_content(screen: Pack) -> None:
    assert pack(SCREEN, SECRET, SCREEN.seeds).name == screen.name
    assert pack(SCREEN, SECRET, (0, 2)).name != screen.name
    assert pack(SCREEN, b"another", SCREEN.seeds).name != screen.name


@pytest.mark.parametrize("seeds", [(1,), (1, 7), (3, 1, 0)])
def test_a_trial_is_the_same_whichever_seeds_are_beside_it(screen: Pack, seeds: tuple[int, ...]) -> None:
    other = pack(SCREEN, SECRET, seeds)
    for number, (dataset, seed, _) in enumerate(screen.held_out.replicas):
        if seed == 1:
            there = [key[:2] for key in other.held_out.replicas].index((dataset, seed))
            for name in ("order", "asked"):
                assert np.array_equal(screen.arrays[name][:, number], other.arrays[name][:, there])
            assert screen.arrays["seeds"][number] == other.arrays["seeds"][there]
            assert np.array_equal(screen.held_out.targets[:, number], other.held_out.targets[:, there])
            for name in SCREEN.architectures:
                if number < screen.held_out.stacks[name]:
                    assert np.array_equal(screen.arrays[f"{name}.0"][number], other.arrays[f"{name}.0"][there])


def test_trials_of_different_seeds_or_cells_start_differently(screen: Pack) -> None:
    for name in SCREEN.architectures:
        starts = screen.arrays[f"{name}.0"].reshape(screen.held_out.stacks[name], -1)
        assert len(np.unique(starts, axis=0)) == len(starts)


def test_no_array_holds_a_held_out_label(screen: Pack) -> None:
    """What is labelled inside are training rows only, and none of them is a held-out row."""
    arrays = screen.arrays
    assert (
        len(arrays["targets"]) == len(arrays["rows"]) == sum(len(load(n, DRAWN_FROM).training) for n in SCREEN.datasets)
    )
    labelled = {row.tobytes() for row in arrays["rows"]}
    held_out = {row.tobytes() for row in arrays["held_out"]}
    assert not labelled & held_out
    others = {
        "rows",
        "targets",
        "held_out",
        "order",
        "asked",
        "dataset",
        "inputs",
        "classes",
        "seeds",
        "rows_of",
        "held_out_of",
    }
    assert all(name in others or name.split(".")[0] in ARCHITECTURES for name in arrays)


def test_what_is_trained_on_and_asked_is_of_the_replicas_own_task(screen: Pack) -> None:
    data = {name: load(name, DRAWN_FROM) for name in SCREEN.datasets}
    for number, (dataset, _, classes) in enumerate(screen.held_out.replicas):
        own = data[dataset]
        rows = screen.arrays["rows"][screen.arrays["order"][:, number].ravel()]
        labels = screen.arrays["targets"][screen.arrays["order"][:, number].ravel()]
        known = {(x.tobytes(), float(y)) for x, y in zip(own.inputs[own.training], own.targets[own.training])}  # noqa: B905
        width = own.inputs.shape[1]
        assert {(row[:width].tobytes(), float(label)) for row, label in zip(rows, labels, strict=True)} <= known
        assert not rows[:, width:].any()
        asked = screen.arrays["held_out"][screen.arrays["asked"][:, number].ravel()]
        answers = dict(zip((x.tobytes() for x in own.inputs[own.held_out]), own.targets[own.held_out], strict=True))
        wanted = [answers[row[:width].tobytes()] for row in asked]
        assert np.array_equal(wanted, screen.held_out.targets[:, number].ravel())
        assert classes == own.classes


def test_every_example_comes_once_before_any_comes_again(screen: Pack) -> None:
    for number in range(len(screen.held_out.replicas)):
        order = screen.arrays["order"][:, number].ravel()
        available = len(load(screen.held_out.replicas[number][0], DRAWN_FROM).training)
        assert len(set(order[:available])) == min(available, len(order))


def test_padding_starts_at_zero(screen: Pack) -> None:
    for name in ("mlp2", "mlp4", "res"):
        maps = ARCHITECTURES[name].maps(SCREEN.width)
        for number, (dataset, _, classes) in enumerate(screen.held_out.replicas):
            width = load(dataset, DRAWN_FROM).inputs.shape[1]
            assert not screen.arrays[f"{name}.0"][number, width:].any()
            assert screen.arrays[f"{name}.0"][number, :width].all()
            assert not screen.arrays[f"{name}.{2 * len(maps) - 2}"][number, :, classes or 1 :].any()


def test_a_suite_that_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(ValueError, match="classifications must come before regressions"):
        pack(replace(SCREEN, datasets=("teacher", "digits", "mnist1d", "spirals", "friedman1")), SECRET, (0,))


def test_a_pack_stays_small(screen: Pack) -> None:
    assert sum(array.nbytes for array in screen.arrays.values()) < 8 << 20
    assert 4 * sum(np.prod(shape) for shape in screen.expects([1.0]).values()) < 1 << 20
