"""The plots of a ranking, as PNG. Each is None where there is nothing to show: no plot rather than an empty one.

Nothing here knows a kind: what is drawn of a component is what its kind calls its drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from engine.canvas import (
    BLUE,
    GREY,
    GRID,
    INK,
    LIGHT,
    LINES,
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
    readable,
    shortened,
    wrapped,
    write,
    write_near,
)
from engine.novelty import known_behaviour, similarity
from engine.ranking import Place, Ranking
from engine.score import BaselineTrials
from engine.settings_plot import per_setting
from sandbox.guest.components.kind import Drawing, Kind, Vector

UNUSUAL = 2.5  # times smaller or larger than the median height of a drawing
CROSSES = 5  # how many of the best show their intervals in the scatter
NAMED = 12  # how many of the best are named in the scatter
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
    note = f"{len(ranking.places)} measured on {shortened(ranking.suite, 2)}; crosses: 90 % intervals over seeds"
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
    others = zip(names[NAMED:], points[NAMED:], strict=True)
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


# --- the top ones drawn


def drawings(ranking: Ranking, kind: Kind) -> bytes | None:
    """The best TOP drawn side by side, each over the faint reference. None: none of them has a behaviour."""
    shown = [(n, p) for n, p in zip(labels(ranking.places), ranking.places, strict=True) if p.verdict.behaviour][:TOP]
    if not shown:
        return None
    columns = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}.get(len(shown), 4)
    rows = ceil(len(shown) / columns)
    wide, high, top, left = (WIDTH - 0.3) / columns, {1: 3.6, 2: 2.9}.get(columns, 2.2), 0.65, 0.15
    drawn = [kind.drawing(place.verdict.behaviour) for _, place in shown]
    beside = reference_drawing(kind)
    height = top + rows * high + (0.35 if len(drawn[0].series) > 1 else 0.1)
    note = (
        f"grey: {kind.reference}; N: distance to the nearest known one"
        if beside
        else "N: distance to the nearest known one"
    )
    made = figure(height, f"The best {kind.plural}" if len(shown) > 1 else f"The {kind.title}", note)
    limits = _limits(drawn, beside)
    for index, ((name, place), drawing) in enumerate(zip(shown, drawn, strict=True)):
        row, column = divmod(index, columns)
        x, y = left + column * wide, height - top - (row + 1) * high
        axes = panel(made, x + 0.42, y + 0.42, wide - 0.55, high - 1.0)
        _curves(axes, drawing, beside, limits[index])
        _heading(axes, name, place, wide - 0.5)
        if row == rows - 1 or index + columns >= len(shown):
            axes.set_xlabel(drawing.x_label, fontsize=SMALL, color=GREY, labelpad=1, parse_math=False)
        if column == 0:
            axes.set_ylabel(drawing.y_label, fontsize=SMALL, color=GREY, labelpad=1, parse_math=False)
    _series_legend(made, drawn[0])
    return png(made)


def reference_drawing(kind: Kind) -> Drawing | None:
    behaviour = known_behaviour(kind, kind.reference)
    return kind.drawing(behaviour) if behaviour else None


def _limits(drawn: Sequence[Drawing], beside: Drawing | None) -> list[tuple[float, float]]:
    """The same for all of a usual scale, so that they can be compared; what is far larger or smaller has its own."""
    own = [_span([drawing], beside) for drawing in drawn]
    sizes = [high - low for low, high in own]
    usual = [1 / UNUSUAL < size / median(sizes) < UNUSUAL for size in sizes]
    shared = _span([drawing for drawing, is_usual in zip(drawn, usual, strict=True) if is_usual] or drawn, beside)
    return [shared if is_usual else limits for limits, is_usual in zip(own, usual, strict=True)]


def _span(drawn: Sequence[Drawing], beside: Drawing | None) -> tuple[float, float]:
    every = [series.y for drawing in (*drawn, *([beside] if beside else [])) for series in drawing.series]
    values = np.concatenate([y[np.isfinite(y)] for y in every] or [np.zeros(1, np.float32)])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _curves(axes: Axes, drawing: Drawing, beside: Drawing | None, limits: tuple[float, float]) -> None:
    axes.axhline(0, color=GRID, linewidth=0.8)
    axes.axvline(0, color=GRID, linewidth=0.8)
    for rank, series in enumerate(beside.series if beside else ()):
        axes.plot(series.x, series.y, color=LIGHT, linewidth=0.9 if rank else 1.4, zorder=2)
    for rank, (series, color) in enumerate(zip(drawing.series, LINES * len(drawing.series), strict=False)):
        axes.plot(series.x, series.y, color=color, linewidth=1.0 if rank else 1.6, zorder=3 if rank else 4)
    xs = np.concatenate([series.x for series in drawing.series])
    axes.set_xlim(float(xs.min()), float(xs.max()))
    axes.set_ylim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def _heading(axes: Axes, name: str, place: Place, inches: float) -> None:
    score = f"BSOTA-WR {place.score.bsota_wr.value:.2f}"
    if place.verdict.novelty is not None:
        score += f"   N {place.verdict.novelty.n_score:.2f}"
    low, high = axes.get_xlim()[0], axes.get_ylim()[1]
    write_near(axes, low, high, 0, 3, score, color=GREY, va="bottom")
    title = wrapped(f"{name} {readable(place.hypothesis.title)}", inches, 2)
    write_near(axes, low, high, 0, 14, title, weight="bold", va="bottom")


def _series_legend(made: Figure, drawing: Drawing) -> None:
    if len(drawing.series) < 2:
        return
    pairs = zip(drawing.series, LINES * len(drawing.series), strict=False)
    lines = [Line2D([], [], color=color, linewidth=1.7, label=shortened(series.name, 2.2)) for series, color in pairs]
    legend = made.legend(handles=lines, loc="lower center", ncols=4, fontsize=SMALL, frameon=False, labelcolor=INK)
    for text in legend.get_texts():
        text.set_parse_math(False)


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
