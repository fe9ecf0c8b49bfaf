"""The plots of a ranking, as PNG. Each is None where there is nothing to show: no plot rather than an empty one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from engine.canvas import (
    BLUE,
    GREY,
    GRID,
    INK,
    NORMAL,
    SKY,
    SMALL,
    TOP,
    WIDTH,
    Label,
    bare,
    color_scale,
    figure,
    labels,
    panel,
    place_labels,
    png,
    shortened,
    write,
)
from engine.component_plot import drawings
from engine.novelty import similarity
from engine.ranking import Ranking
from engine.score import BaselineTrials
from engine.settings_plot import per_setting
from sandbox.guest.components.kind import Kind, Vector

CROSSES = 5  # how many of the best show their intervals in the scatter
NAMED = 12  # how many of the best are named in the scatter
LABELLED = 60  # of more points only those have their place written beside them
KEY_WIDTH = 3.3  # inches of the longest title in the scatter's key
KEY_TOP, KEY_STEP = 0.8, 0.033  # of the axes' height


def all_plots(ranking: Ranking, kind: Kind, baselines: Sequence[BaselineTrials]) -> dict[str, bytes]:
    """Every plot that has something to show, by file name, in the order to be shown."""
    made = {
        "scatter.png": scatter(ranking),
        "functions.png": drawings(ranking, kind),
        "similarity.png": similarity_heatmap(ranking, kind),
        "settings.png": per_setting(ranking, baselines),
    }
    return {name: content for name, content in made.items() if content is not None}


# --- BSOTA-WR over B-WR


def scatter(ranking: Ranking) -> bytes | None:
    """BSOTA-WR over B-WR of all that were measured, the baselines' reference rows beside. None: none was measured."""
    if not ranking.places:
        return None
    height = 6.6
    sets = len({trial.cell.partition("/")[0] for place in ranking.places for trial in place.score.trials})
    note = f"{len(ranking.places)} measured on {shortened(ranking.suite, 2)}; crosses: 90 % intervals over seeds, "
    note += f"not over data sets, of which there {'is' if sets == 1 else 'are'} only {sets}"
    made = figure(height, "Win rate against the best baseline, over win rate against all", note)
    axes = panel(made, 0.65, 0.55, WIDTH - 0.85, height - 1.2)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.03, 1.02)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_xlabel("B-WR: share of (baseline, trial) pairs won", fontsize=NORMAL, color=INK)
    axes.set_ylabel("BSOTA-WR: share of trials won against the best", fontsize=NORMAL, color=INK)
    _marks(axes, ranking)
    _names(axes, ranking)
    return png(made)


def _marks(axes: Axes, ranking: Ranking) -> None:
    for place in reversed(ranking.places[:CROSSES]):
        b_wr, bsota_wr = place.score.b_wr, place.score.bsota_wr
        axes.plot([b_wr.low, b_wr.high], [bsota_wr.value] * 2, color=SKY, linewidth=1.1, alpha=0.75, zorder=2)
        axes.plot([b_wr.value] * 2, [bsota_wr.low, bsota_wr.high], color=SKY, linewidth=1.1, alpha=0.75, zorder=2)
    for row in ranking.references:
        filled = GREY if row.best else "white"
        x, y = row.b_wr.value, row.bsota_wr.value
        axes.plot(x, y, "D", ms=5, mfc=filled, mec=GREY, mew=1, zorder=3, clip_on=False)
    for place in reversed(ranking.places):
        filled = BLUE if place.promising else "white"
        x, y = place.score.b_wr.value, place.score.bsota_wr.value
        axes.plot(x, y, "o", ms=5.5, mfc=filled, mec=BLUE, mew=1.2, zorder=4, clip_on=False)


def _names(axes: Axes, ranking: Ranking) -> None:
    """Legend and titles go to the upper left, where no point can be: who beats the best baseline beats all."""
    shapes = [
        Line2D([], [], marker="o", ls="", ms=5.5, mfc=BLUE, mec=BLUE, label="promising"),
        Line2D([], [], marker="o", ls="", ms=5.5, mfc="white", mec=BLUE, mew=1.2, label="measured"),
        Line2D([], [], marker="D", ls="", ms=5, mfc="white", mec=GREY, label="baseline against the others"),
        Line2D([], [], marker="D", ls="", ms=5, mfc=GREY, mec=GREY, label="accepted best baseline"),
    ]
    axes.legend(handles=shapes, loc="upper left", fontsize=SMALL, frameon=False, labelcolor=INK, borderaxespad=0.4)
    names = labels(ranking.places)
    best = list(zip(names, ranking.places, strict=True))[:NAMED]
    for row, (name, place) in enumerate(best):
        y = KEY_TOP - KEY_STEP * row
        write(axes, 0.045, y, name, ha="right", va="center", color=INK, weight="bold", transform=axes.transAxes)
        title = shortened(place.hypothesis.title, KEY_WIDTH - 0.1 * row)
        write(axes, 0.055, y, title, va="center", color=INK, transform=axes.transAxes)
    points = [(p.score.b_wr.value, p.score.bsota_wr.value) for p in ranking.places]
    rows = [(r.b_wr.value, r.bsota_wr.value) for r in ranking.references]
    wanted = [Label(text=n, at=at, color=INK, weight="bold") for n, at in zip(names[:NAMED], points, strict=False)]
    wanted += [Label(text=r.baseline, at=at, color=GREY) for r, at in zip(ranking.references, rows, strict=True)]
    others = zip(names[NAMED:], points[NAMED:], strict=True) if len(points) <= LABELLED else ()
    wanted += [Label(text=n, at=at, color=BLUE, needed=False) for n, at in others]
    place_labels(axes, wanted, [*points, *rows], [_key_box(axes, len(best)), *_cross_boxes(axes, ranking)])


def _key_box(axes: Axes, rows: int) -> Vector:
    """Room for the legend and the titles, without the grid; in points of the figure."""
    low, wide = KEY_TOP - KEY_STEP * (rows - 0.3), 0.46
    axes.fill([0.004, wide, wide, 0.004], [low, low, 1, 1], color="white", zorder=1.2, transform=axes.transAxes)
    return _in_points(axes, axes.transAxes.transform([[0, low], [wide, 1]]))


def _cross_boxes(axes: Axes, ranking: Ranking) -> list[Vector]:
    boxes = []
    for place in ranking.places[:CROSSES]:
        x, y = place.score.b_wr, place.score.bsota_wr
        boxes.append(_in_points(axes, axes.transData.transform([[x.low, y.value], [x.high, y.value]])))
        boxes.append(_in_points(axes, axes.transData.transform([[x.value, y.low], [x.value, y.high]])))
    return [box + np.array([-0.8, -0.8, 0.8, 0.8]) for box in boxes]


def _in_points(axes: Axes, pixels: Vector) -> Vector:
    return np.asarray(pixels).ravel() * 72 / axes.figure.dpi


# --- how alike the top ones are


def similarity_heatmap(ranking: Ranking, kind: Kind) -> bytes | None:
    """Similarity of behaviour between each two of the best TOP. None: fewer than two of them have a behaviour."""
    shown = [(n, p) for n, p in zip(labels(ranking.places), ranking.places, strict=True) if p.verdict.behaviour][:TOP]
    if len(shown) < 2:
        return None
    alike = np.asarray(similarity(kind, [place.verdict.behaviour for _, place in shown]), float)
    cell = min(0.62, 4.9 / len(shown))
    side = cell * len(shown)
    made = figure(side + 1.0, f"How alike the best {kind.plural} are", "1: the same behaviour on the probe set")
    axes = panel(made, 2.45, 0.3, side, side)
    least = min(0.9, np.floor(float(np.nanmin(alike)) * 10) / 10)
    image = axes.imshow(alike, cmap="cividis", vmin=least, vmax=1, aspect="auto")
    names = [name for name, _ in shown]
    axes.set_xticks(range(len(shown)), names, fontsize=SMALL)
    titles = [f"{shortened(place.hypothesis.title, 1.9)}  {name}" for name, place in shown]
    axes.set_yticks(range(len(shown)), titles, fontsize=SMALL, parse_math=False)
    bare(axes)
    for (row, column), value in np.ndenumerate(alike):
        color = "white" if value < 0.4 * least + 0.6 else INK
        write(axes, column, row, _short(value), size=SMALL - 0.5, color=color, ha="center", va="center")
    color_scale(made, image, 2.45 + side + 0.2, 0.3, side)
    return png(made)


def _short(value: float) -> str:
    """.97 rather than 0.97: three characters fit into a cell."""
    return f"{value:.2f}".replace("0.", ".", 1)
