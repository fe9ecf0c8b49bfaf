"""The best components of a ranking, each drawn as its kind draws it: curves, paths, bars or pictures.

Nothing here knows a kind. What a kind's `drawing` answers decides the form: x that goes back and forth is a path,
evenly spaced factors and values over several decades get a logarithmic axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from engine.canvas import (
    GREY,
    GRID,
    INK,
    LIGHT,
    LINES,
    SMALL,
    TOP,
    WIDTH,
    bare,
    figure,
    labels,
    panel,
    png,
    readable,
    shortened,
    wrapped,
    write_near,
)
from engine.novelty import known_behaviour
from engine.ranking import Place, Ranking
from sandbox.guest.components.kind import Drawing, Image, Kind, Series, Vector

LONG = 5.0  # times as wide as high: what is longer is stretched to be seen
DASHES: tuple[Any, ...] = ("-", "-", (0, (4, 2)), (0, (1.2, 1.4)), (0, (6, 1.5, 1, 1.5)))
UNUSUAL = 2.5  # times smaller or larger than the median size of a drawing
DECADES = 3.0  # positive values over more than this many are shown on a logarithmic axis
BESIDE, GAP = 0.5, 0.45  # pictures beside curves: share of the width; inches between them, for ticks and a name
FEW = 8  # points of a curve up to which each is marked


def drawings(ranking: Ranking, kind: Kind) -> bytes | None:
    """The best TOP drawn side by side, each with the reference beside. None: none of them has a behaviour."""
    made = drawn_figure(ranking, kind)
    return None if made is None else png(made)


def drawn_figure(ranking: Ranking, kind: Kind) -> Figure | None:
    shown = [(n, p) for n, p in zip(labels(ranking.places), ranking.places, strict=True) if p.verdict.behaviour][:TOP]
    if not shown:
        return None
    drawn = [kind.drawing(place.verdict.behaviour) for _, place in shown]
    beside = reference_drawing(kind)
    headings = [_heading_of(name, place) for name, place in shown]
    title = f"The best {kind.plural}" if len(shown) > 1 else f"The {kind.title}"
    if drawn[0].images and beside is not None:  # pictures cannot lie on top of each other
        drawn, headings = [beside, *drawn], [(kind.reference, "the reference"), *headings]
    return _figure(title, _note(kind, drawn, beside), drawn, headings, beside)


def reference_drawing(kind: Kind) -> Drawing | None:
    behaviour = known_behaviour(kind, kind.reference)
    return kind.drawing(behaviour) if behaviour else None


def _heading_of(name: str, place: Place) -> tuple[str, str]:
    score = f"BSOTA-WR {place.score.bsota_wr.value:.2f}"
    if place.verdict.novelty is not None:
        score += f"   N {place.verdict.novelty.n_score:.2f}"
    return f"{name} {readable(place.hypothesis.title)}", score


def _note(kind: Kind, drawn: Sequence[Drawing], beside: Drawing | None) -> str:
    drawing = drawn[0]
    parts = ["N: distance to the nearest known one"]
    if drawing.images:
        named = "each picture " if _pictures_differ(drawn) else f"{drawing.images[0].name}, "
        parts.insert(0, f"{named}from its lowest (black) to its highest value (white)")
        if drawing.series:
            parts.insert(1, f"beside it: {drawing.y_label} over {drawing.x_label}")
    if beside is not None and drawing.series:
        parts.insert(0, f"grey: {kind.reference}")
    if any(is_path(one) for one in drawing.series):
        parts.insert(0, "from the ring to the dot")
    return wrapped("; ".join(parts), WIDTH - 0.8, 2)


def _figure(
    title: str, note: str, drawn: Sequence[Drawing], headings: Sequence[tuple[str, str]], beside: Drawing | None
) -> Figure:
    columns = _columns(drawn)
    rows = ceil(len(drawn) / columns)
    wide, high, top, left = (WIDTH - 0.3) / columns, {1: 3.6, 2: 2.7}.get(columns, 2.1), 0.72, 0.15
    below = 0.45 if len(drawn[0].series) > 1 else 0.2
    made = figure(top + rows * high + below, title, note)
    frames = _frames(drawn, beside)
    named = _pictures_differ(drawn)
    for index, (drawing, heading) in enumerate(zip(drawn, headings, strict=True)):
        row, column = divmod(index, columns)
        x, y = left + column * wide, below + (rows - 1 - row) * high
        last = row == rows - 1 or index + columns >= len(drawn)
        place = (x + 0.5, y + 0.38, wide - 0.63, high - 0.97)
        axes = _part(made, place, drawing, beside, frames[index], names=(last, column == 0, named))
        _heading(axes, *heading, wide - 0.5)
    _series_legend(made, drawn[0])
    return made


def _pictures_differ(drawn: Sequence[Drawing]) -> bool:
    """Whether each picture needs its own name."""
    return len({image.name for drawing in drawn for image in drawing.images}) > 1


def _columns(drawn: Sequence[Drawing]) -> int:
    few = 2 if max(len(drawing.images) for drawing in drawn) > 2 else 3
    return {1: 1, 2: 2, 4: 2}.get(len(drawn), few)


def _part(
    made: Figure,
    place: tuple[float, float, float, float],
    drawing: Drawing,
    beside: Drawing | None,
    frame: _Frame,
    names: tuple[bool, bool, bool],  # whether x, y and pictures are named here
) -> Axes:
    """One component in its place (left, bottom, width, height in inches); pictures left of what there are of curves."""
    left, bottom, width, height = place
    axes = None
    if drawing.images:
        wide = min(BESIDE * width, height * len(drawing.images)) if drawing.series else width
        axes = _pictures(made, (left, bottom, wide, height), drawing.images, named=names[2])
        left, width = left + wide + GAP, width - wide - GAP
    if drawing.series:
        curves = panel(made, left, bottom, width, height - 0.1)
        _curves(curves, drawing, beside, frame)
        if names[0] and not drawing.images:  # beside pictures there is no room: the note says it
            name = wrapped(drawing.x_label, width + 0.2, 2)
            curves.set_xlabel(name, fontsize=SMALL, color=GREY, labelpad=1, linespacing=1, parse_math=False)
        if names[1] and not drawing.images:
            name = wrapped(drawing.y_label, height, 2)
            curves.set_ylabel(name, fontsize=SMALL, color=GREY, labelpad=1, linespacing=1, parse_math=False)
        axes = axes or curves
    return axes or panel(made, left, bottom, width, height)


# --- the ranges of the axes


@dataclass(frozen=True, slots=True)
class _Frame:
    x: tuple[float, float]
    y: tuple[float, float]
    x_log: bool
    y_log: bool


def _frames(drawn: Sequence[Drawing], beside: Drawing | None) -> list[_Frame]:
    every = [*drawn, *([beside] if beside else [])]
    y_log = not any(drawing.bars for drawing in every) and _spans_decades(_values(every, _ys))
    curves = [series for drawing in every for series in drawing.series]
    x_log = bool(curves) and all(_is_geometric(series.x) for series in curves)
    few = any(len(series.x) <= FEW for series in curves)
    xs = _limits(drawn, beside, _xs, log=x_log, room=0.03 if few else 0.0)
    ys = _limits(drawn, beside, _ys, log=y_log, room=0.06)
    return [_Frame(x, y, x_log, y_log) for x, y in zip(xs, ys, strict=True)]


def _xs(series: Series) -> Vector:
    return series.x


def _ys(series: Series) -> Vector:
    return series.y


def _values(drawn: Sequence[Drawing], of: Callable[[Series], Vector]) -> Vector:
    """Every finite value."""
    every = [of(series).astype(np.float64).ravel() for drawing in drawn for series in drawing.series]
    values = np.concatenate(every or [np.zeros(1)])
    return np.asarray(values[np.isfinite(values)])


def _limits(
    drawn: Sequence[Drawing], beside: Drawing | None, of: Callable[[Series], Vector], *, log: bool, room: float
) -> list[tuple[float, float]]:
    """The same for all of a usual size, so that they can be compared; what is far larger or smaller has its own."""
    own = [_span([drawing], beside, of, log, room) for drawing in drawn]
    sizes = [np.log(high / low) if log else high - low for low, high in own]
    usual = [1 / UNUSUAL < size / median(sizes) < UNUSUAL for size in sizes]
    few = [drawing for drawing, is_usual in zip(drawn, usual, strict=True) if is_usual]
    shared = _span(few or drawn, beside, of, log, room)
    return [shared if is_usual else limits for limits, is_usual in zip(own, usual, strict=True)]


def _span(
    drawn: Sequence[Drawing], beside: Drawing | None, of: Callable[[Series], Vector], log: bool, room: float
) -> tuple[float, float]:
    every = [*drawn, *([beside] if beside else [])]
    values = _values(every, of)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if any(drawing.bars for drawing in every) and of is _ys:
        low = min(low, 0.0)
    if log:
        factor = (high / low) ** room if high > low else 2.0
        return low / factor, high * factor
    around = room * (high - low) if high > low else 0.5
    if any(is_path(series) for drawing in every for series in drawing.series):
        around = max(around, 0.06 * (high - low))
    return low - around, high + around


def _spans_decades(values: Vector) -> bool:
    """Most of them, that is: what only ends near zero is better read on a plain axis."""
    if not values.size or values.min() <= 0:
        return False
    low, high = np.quantile(values, (0.05, 0.95))
    return bool(np.log10(high / low) > DECADES)


def _is_geometric(x: Vector) -> bool:
    """Factors, such as 1/4, 1/2, 1, 2, 4."""
    if len(x) < 3 or x.min() <= 0 or not np.isfinite(x).all():
        return False
    ratios = x[1:] / x[:-1]
    return bool(ratios[0] > 1.2 and np.allclose(ratios, ratios[0], rtol=1e-3))


def is_path(series: Series) -> bool:
    """Whether x goes back and forth, so that the points are to be followed in their order."""
    steps = np.diff(series.x[np.isfinite(series.x)])
    return bool((steps > 0).any() and (steps < 0).any())


# --- one component


def _curves(axes: Axes, drawing: Drawing, beside: Drawing | None, frame: _Frame) -> None:
    if frame.x_log:
        axes.set_xscale("log")
    else:
        axes.axvline(0, color=GRID, linewidth=0.8)
    if frame.y_log:
        axes.set_yscale("log")
    else:
        axes.axhline(0, color=GRID, linewidth=0.8)
    _ticks(axes, drawing, frame)
    for rank, series in enumerate(beside.series if beside else ()):
        if drawing.bars:
            axes.step(series.x, series.y, where="mid", color=GREY, linewidth=0.9, zorder=5)
        else:
            axes.plot(series.x, series.y, color=LIGHT, linewidth=0.9 if rank else 1.4, zorder=2)
    for rank, (series, color) in enumerate(zip(drawing.series, LINES * len(drawing.series), strict=False)):
        if drawing.bars:
            _bars(axes, series, color, outlined=rank > 0)
        else:
            _line(axes, series, color, rank)
    axes.set_xlim(*frame.x)
    axes.set_ylim(*frame.y)


def _line(axes: Axes, series: Series, color: str, rank: int) -> None:
    """The first is broad and at the bottom, later ones are thin and broken: where curves coincide all are seen."""
    zorder = 3 + 0.1 * rank
    style: dict[str, Any] = {"linewidth": 1.0 if rank else 1.8, "linestyle": DASHES[min(rank, len(DASHES) - 1)]}
    marker = "o" if len(series.x) <= FEW else ""
    axes.plot(series.x, series.y, color=color, marker=marker, ms=2.5, zorder=zorder, **style)
    if is_path(series):
        axes.plot(series.x[:1], series.y[:1], "o", color=color, ms=4.5, mfc="white", zorder=zorder + 2)
        axes.plot(series.x[-1:], series.y[-1:], "o", color=color, ms=4.5, zorder=zorder + 2)


def _bars(axes: Axes, series: Series, color: str, *, outlined: bool) -> None:
    width = float(np.median(np.diff(series.x))) if len(series.x) > 1 else 1.0
    if outlined:
        axes.step(series.x, series.y, where="mid", color=color, linewidth=1.0, zorder=4)
    else:
        axes.bar(series.x, series.y, width=width, color=color, alpha=0.75, linewidth=0, zorder=3)


def _ticks(axes: Axes, drawing: Drawing, frame: _Frame) -> None:
    steps = [1, 2, 5, 10]
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    if frame.x_log:
        points = drawing.series[0].x
        axes.xaxis.set_major_locator(FixedLocator(points.tolist()) if len(points) <= FEW else LogLocator(numticks=4))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(plain)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=steps))
        if max(map(abs, frame.x)) < 10_000:
            axes.xaxis.set_major_formatter(plain)
    if frame.y_log:
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=steps))
        if max(map(abs, frame.y)) < 100 and max(map(abs, frame.y)) >= 0.01:
            axes.yaxis.set_major_formatter(plain)


def _pictures(made: Figure, place: tuple[float, float, float, float], images: Sequence[Image], *, named: bool) -> Axes:
    """Side by side in at most two rows, each with its name below if `named`; answers the first one's axes."""
    left, bottom, width, height = place
    columns = len(images) if len(images) <= 4 else ceil(len(images) / 2)
    rows = ceil(len(images) / columns)
    wide, high = width / columns, height / rows
    first = None
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        axes = panel(made, left + column * wide, bottom + (rows - 1 - row) * high + 0.14, wide - 0.06, high - 0.2)
        rows_high, columns_wide = image.pixels.shape
        aspect: Literal["equal", "auto"] = "equal" if 1 / LONG < rows_high / columns_wide < LONG else "auto"
        axes.imshow(image.pixels, cmap="gray", aspect=aspect, interpolation="nearest")
        axes.set_anchor("NW")
        axes.set_xticks([])
        axes.set_yticks([])
        bare(axes)
        if named:
            name = wrapped(image.name, wide, 2)
            write_near(axes, *_lower_left(axes), 0, -2, name, color=GREY, va="top", linespacing=1)
        first = first or axes
    assert first is not None
    return first


def _lower_left(axes: Axes) -> tuple[float, float]:
    return axes.get_xlim()[0], axes.get_ylim()[0]


def _heading(axes: Axes, name: str, score: str, inches: float) -> None:
    low, high = axes.get_xlim()[0], axes.get_ylim()[1]
    write_near(axes, low, high, 0, 3, score, color=GREY, va="bottom")
    write_near(axes, low, high, 0, 14, wrapped(name, inches, 2), weight="bold", va="bottom")


def _series_legend(made: Figure, drawing: Drawing) -> None:
    if len(drawing.series) < 2:
        return
    pairs = zip(drawing.series, LINES * len(drawing.series), strict=False)
    lines = [
        Line2D(
            [],
            [],
            color=color,
            linewidth=1.7,
            linestyle=DASHES[min(rank, len(DASHES) - 1)],
            label=shortened(series.name, 2.2),
        )
        for rank, (series, color) in enumerate(pairs)
    ]
    legend = made.legend(handles=lines, loc="lower center", ncols=4, fontsize=SMALL, frameon=False, labelcolor=INK)
    for text in legend.get_texts():
        text.set_parse_math(False)
