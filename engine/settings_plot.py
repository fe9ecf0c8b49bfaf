"""Where a component wins and where it loses: its win rate in every cell, the baselines beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.canvas import (
    INK,
    LOSS_TO_WIN,
    SMALL,
    TOP,
    bare,
    color_scale,
    figure,
    inches,
    labels,
    panel,
    png,
    shortened,
    write,
    write_near,
)
from engine.ranking import Ranking
from engine.score import BaselineTrials, Trial
from engine.winrate import loss_of, wins
from sandbox.guest.components.kind import Vector

MOST_NUMBERED = 24  # columns up to which a number fits into each cell

Losses = Mapping[tuple[str, int], float | None]


def per_setting(ranking: Ranking, baselines: Sequence[BaselineTrials]) -> bytes | None:
    """B-WR in each cell (data set / architecture) of the best TOP, and of each baseline against the others.

    None: none was measured, or there are no baselines to compare with.
    """
    against = {one.baseline: losses_of(one.trials) for one in baselines}
    best = list(zip(labels(ranking.places), ranking.places, strict=True))[:TOP]
    rows = [
        (f"{shortened(p.hypothesis.title, 1.9)}  {name}", by_cell(losses_of(p.score.trials), list(against.values())))
        for name, p in best
    ]
    found = list(dict.fromkeys(cell for _, rates in rows for cell in rates))
    if not found:
        return None
    sets = list(dict.fromkeys(_data_set(cell) for cell in found))
    cells = sorted(found, key=lambda cell: sets.index(_data_set(cell)))
    for name in [row.baseline for row in ranking.references if row.baseline in against] or list(against):
        others = [losses for other, losses in against.items() if other != name]
        rows.append((shortened(name, 2.1), by_cell(against[name], others)))
    table = np.array([[rates.get(cell, np.nan) for cell in cells] for _, rates in rows])
    return png(_drawn([name for name, _ in rows], len(best), cells, table))


def losses_of(trials: Sequence[Trial]) -> Losses:
    return {(trial.cell, trial.seed): trial.loss for trial in trials}


def by_cell(own: Losses, others: Sequence[Losses]) -> dict[str, float]:
    """Share of paired trials won in each cell; a cell without a pair is absent."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for (cell, seed), loss in own.items():
        for other in others:
            if (cell, seed) in other:
                pairs.setdefault(cell, []).append((loss_of(loss), loss_of(other[cell, seed])))
    return {cell: float(wins(*np.array(each).T).mean()) for cell, each in pairs.items()}


def _data_set(cell: str) -> str:
    return cell.partition("/")[0]


def _drawn(names: Sequence[str], best: int, cells: Sequence[str], table: Vector) -> Figure:
    """The best above, the baselines below a gap, the mean over the cells in a column of its own."""
    left, bottom, wide, row = 2.45, 0.2, 4.6, 0.25
    side = 0.32
    column = (wide - side - 0.08) / len(cells)
    note = "Share of (baseline, seed) pairs won in each cell, in %. Below: each baseline against the others"
    shown = [shortened(cell.partition("/")[2] or cell, 0.75) for cell in cells]
    head = max(map(inches, shown))
    made = figure(bottom + row * len(names) + 1.15 + head, "Win rate per setting", note)
    ends = [(len(names), best), (best, 0)] if len(names) > best else [(best, 0)]
    gap = 0.12
    for to, start in ends:
        low = bottom + row * (len(names) - to) + (gap if start == 0 and len(names) > best else 0)
        height = row * (to - start)
        axes = panel(made, left, low, column * len(cells), height)
        image = axes.imshow(table[start:to], cmap=LOSS_TO_WIN, vmin=0, vmax=1, aspect="auto")
        _rows(axes, names[start:to], table[start:to], numbered=len(cells) <= MOST_NUMBERED)
        _separate(axes, cells)
        means = panel(made, left + wide - side, low, side, height)
        overall = np.nanmean(table[start:to], axis=1, keepdims=True)
        means.imshow(overall, cmap=LOSS_TO_WIN, vmin=0, vmax=1, aspect="auto")
        _rows(means, (), overall, numbered=True)
    _header(axes, cells, shown, means)
    color_scale(made, image, left + wide + 0.2, bottom, row * len(names) + gap).set_yticks(
        [0, 0.5, 1], ["0", "50", "100 %"]
    )
    return made


def _rows(axes: Axes, names: Sequence[str], table: Vector, *, numbered: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks(range(len(names)), names, fontsize=SMALL, parse_math=False)
    bare(axes)
    if not numbered:
        return
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            color = "white" if abs(value - 0.5) > 0.36 else INK
            write(axes, column, row, f"{100 * value:.0f}", size=SMALL - 1, color=color, ha="center", va="center")


def _separate(axes: Axes, cells: Sequence[str]) -> None:
    """White lines between data sets."""
    for index in range(1, len(cells)):
        if _data_set(cells[index]) != _data_set(cells[index - 1]):
            axes.axvline(index - 0.5, color="white", linewidth=3)


def _header(axes: Axes, cells: Sequence[str], names: Sequence[str], means: Axes) -> None:
    """Architectures upright above their columns, data sets above those."""
    for index, name in enumerate(names):
        write_near(axes, index, -0.5, 0, 3, name, rotation=90, ha="center", va="bottom")
    above = 10 + 72 * max(map(inches, names))
    start = 0
    for data_set, group in groupby(cells, _data_set):
        count = len(list(group))
        shown = shortened(data_set, axes.bbox.width / axes.figure.dpi * count / len(cells), bold=True)
        write_near(axes, start + (count - 1) / 2, -0.5, 0, above, shown, ha="center", weight="bold")
        start += count
    write_near(means, 0, -0.5, 0, 3, "all", ha="center", weight="bold")
