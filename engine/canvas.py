"""One restrained style for every plot, text that always renders, and labels that keep out of each other's way.

Figures are made without pyplot, so nothing is shared between threads but matplotlib's caches of fonts: drawing is
serialised by a lock, as its documentation asks for.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.image import AxesImage

from engine.ranking import Place

WIDTH = 8.0  # inches: 800 px at 100 dots per inch, twice that for screens with fine pixels
DOTS_PER_INCH = 200
SMALL, NORMAL, LARGE = 8.0, 9.0, 11.0  # points
TOP = 12  # how many of the best are drawn and compared

# The palette of Okabe and Ito, which people with any form of colour blindness can tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
INK, GREY, LIGHT, GRID = "#1f2328", "#6e7781", "#b6bdc5", "#e6e9ec"
LINES = (BLUE, ORANGE, GREEN, PURPLE, SKY)
LOSS_TO_WIN = LinearSegmentedColormap.from_list("loss to win", [ORANGE, "#f3c6a5", "#f7f7f5", "#a9cfe6", BLUE])

_DRAWING = threading.Lock()
_BREAKS = re.compile(r"(?= )|(?<=[^\W\d]{3}-)(?=[^\W\d]{3})")  # in front of a space, behind the hyphen of two words


def figure(height: float, title: str, note: str = "") -> Figure:
    """An empty white figure, WIDTH by `height` inches, with a heading and a note in small print below it."""
    made = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(made)
    left = 0.15 / WIDTH
    write(made, left, 1 - 0.14 / height, title, size=LARGE, color=INK, weight="bold", va="top")
    write(made, left, 1 - 0.38 / height, note, size=SMALL, color=GREY, va="top")
    return made


def panel(made: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the lower left corner."""
    inches_wide, inches_high = made.get_size_inches()
    axes = made.add_axes((left / inches_wide, bottom / inches_high, width / inches_wide, height / inches_high))
    axes.tick_params(labelsize=SMALL, colors=GREY, labelcolor=INK, length=2.5, width=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LIGHT)
        axes.spines[side].set_linewidth(0.8)
    axes.set_axisbelow(True)
    return axes


def write(on: Figure | Axes, x: float, y: float, text: str, *, size: float = SMALL, **style: Any) -> Any:
    """Text as it is: no mathematics between dollar signs."""
    return on.text(x, y, text, fontsize=size, parse_math=False, **style)


def write_near(axes: Axes, x: float, y: float, right: float, up: float, text: str, **style: Any) -> None:
    """Text `right` and `up` points from a place of the data; it may lie outside of the axes."""
    style = {"color": INK, "fontsize": SMALL, **style}
    axes.annotate(
        text, (x, y), (right, up), textcoords="offset points", annotation_clip=False, parse_math=False, **style
    )


def bare(axes: Axes) -> None:
    """A heatmap needs no frame."""
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def color_scale(made: Figure, image: AxesImage, left: float, bottom: float, height: float) -> Axes:
    """What the colours of a heatmap stand for, beside it; places in inches."""
    axes = panel(made, left, bottom, 0.12, height)
    scale = made.colorbar(image, cax=axes)
    scale.outline.set_visible(False)
    axes.tick_params(labelsize=SMALL, length=2, width=0.6, colors=GREY, labelcolor=INK)
    return axes


def png(made: Figure) -> bytes:
    file = io.BytesIO()
    with _DRAWING:
        made.savefig(file, format="png", dpi=DOTS_PER_INCH)
    return file.getvalue()


def readable(title: str) -> str:
    """One line without what the font cannot draw; "untitled" when nothing is left."""
    kept = "".join(c if c.isprintable() and ord(c) in _drawable() else " " for c in title)
    return " ".join(kept.split()) or "untitled"


def shortened(title: str, most: float, *, bold: bool = False) -> str:
    """What is readable of a title, in at most so many inches at the size SMALL."""
    line = readable(title)
    if inches(line, bold=bold) <= most:
        return line
    while line and inches(line + "…", bold=bold) > most:
        line = line[:-1]
    return line.rstrip(" ,;:-(") + "…"


def wrapped(title: str, most: float, lines: int) -> str:
    """The same in bold on several lines, broken between words and behind hyphens."""
    first, *rest = _BREAKS.split(readable(title))
    found = [first]
    for part in rest:
        if inches(f"{found[-1]}{part}", bold=True) <= most or len(found) == lines:
            found[-1] += part
        else:
            found.append(part.lstrip())
    return "\n".join(shortened(line, most, bold=True) for line in found)


def inches(line: str, *, bold: bool = False) -> float:
    """Width of a line at the size SMALL."""
    return sum(_em(character, bold) for character in line) * SMALL / 72


@lru_cache(maxsize=1)
def _drawable() -> frozenset[int]:
    """Code points that both the regular and the bold face have."""
    return frozenset.intersection(
        *(frozenset(get_font(findfont(face)).get_charmap()) for face in ("DejaVu Sans", "DejaVu Sans:bold"))
    )


@lru_cache(maxsize=8192)
def _em(character: str, bold: bool) -> float:
    font = get_font(findfont("DejaVu Sans:bold" if bold else "DejaVu Sans"))
    font.set_size(100, 72)
    return float(font.load_char(ord(character)).linearHoriAdvance) / 65536 / 100


def labels(places: Sequence[Place]) -> list[str]:
    """A name for every place: its rank, with a letter where several cannot be told apart: 1a, 1b, 3."""
    ranks = [place.rank for place in places]
    seen: dict[int, int] = {}
    named = []
    for rank in ranks:
        named.append(f"{rank}{_letters(seen.get(rank, 0))}" if ranks.count(rank) > 1 else str(rank))
        seen[rank] = seen.get(rank, 0) + 1
    return named


def _letters(index: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    first, last = divmod(index, 26)
    return (_letters(first - 1) if first else "") + "abcdefghijklmnopqrstuvwxyz"[last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name beside a point of the data."""

    text: str
    at: tuple[float, float]
    color: str
    weight: str = "normal"
    needed: bool = True  # placed even if far away or overlapping; the others are left out where there is no room


_DIRECTIONS = [(1, 0), (0.7, 0.7), (0.7, -0.7), (0, 1), (0, -1), (-0.7, 0.7), (-0.7, -0.7), (-1, 0)]
_DISTANCES = (5.0, 9.0, 15.0, 22.0, 31.0, 42.0, 55.0, 70.0)  # points
_NEAR = 2  # of these distances need no line that leads to the point


def place_labels(
    axes: Axes, named: Sequence[Label], marks: Sequence[tuple[float, float]], taken: Sequence[Any]
) -> None:
    """Put each label at the free place nearest to its point, first come first served; a line leads to a far one.

    `marks` are the points that no label may cover, `taken` boxes (x0, y0, x1, y1) in points of the figure.
    """
    scale = 72 / axes.figure.dpi
    points = axes.transData.transform(np.asarray(marks, float)) * scale
    boxes = np.concatenate([np.hstack([points - 3.2, points + 3.2]), np.asarray(taken, float).reshape(-1, 4)])
    frame = axes.get_window_extent()
    inside = np.array([frame.x0, frame.y0, frame.x1, frame.y1]) * scale
    for label in named:
        point = axes.transData.transform(label.at) * scale
        size = _size(label)
        distances = _DISTANCES if label.needed else _DISTANCES[:_NEAR]
        candidates = [(_beside(point, size, way, far), far) for far in distances for way in _DIRECTIONS]
        costs = [_overlap(box, boxes, inside) for box, _ in candidates]
        best = next((i for i, cost in enumerate(costs) if cost == 0), None)
        if best is None and not label.needed:
            continue
        box, far = candidates[int(np.argmin(costs)) if best is None else best]
        boxes = np.vstack([boxes, box])
        _draw(axes, label, box, point, scale, leading=far > distances[_NEAR - 1])


def _size(label: Label) -> tuple[float, float]:
    """Width and height in points, with a hair of room around."""
    width = 72 * inches(label.text, bold=label.weight == "bold")
    return width + 1.5, SMALL + 0.8


def _beside(point: Any, size: tuple[float, float], way: tuple[float, float], far: float) -> Any:
    """The box of a label whose edge is `far` points from the point."""
    (width, height), (right, up) = size, way
    centre = point + np.array([right * (far + width / 2), up * (far + height / 2)])
    if right and up:  # on a diagonal the corner is nearest
        centre = point + np.array([np.sign(right) * width / 2, np.sign(up) * height / 2]) + far * np.array(way)
    half = np.array([width / 2, height / 2])
    return np.concatenate([centre - half, centre + half])


def _overlap(box: Any, boxes: Any, inside: Any) -> float:
    """Area shared with what is there already, in square points; much for what leaves the frame."""
    wide = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    high = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    outside = (box[:2] < inside[:2]).any() or (box[2:] > inside[2:]).any()
    return float((wide.clip(0) * high.clip(0)).sum()) + (1e6 if outside else 0.0)


def _draw(axes: Axes, label: Label, box: Any, point: Any, scale: float, *, leading: bool) -> None:
    back = axes.transData.inverted()
    centre = (box[:2] + box[2:]) / 2
    if leading:
        edge = np.clip(point, box[:2], box[2:])
        line = back.transform(np.stack([point, edge]) / scale)
        axes.plot(line[:, 0], line[:, 1], color=LIGHT, linewidth=0.6, zorder=1.5)
    x, y = back.transform(centre / scale)
    write(axes, x, y, label.text, color=label.color, weight=label.weight, ha="center", va="center", zorder=6)
