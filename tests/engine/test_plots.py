"""Every plot for every ranking: legible, within its edges, and none where there is nothing to show."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from engine.canvas import (
    DOTS_PER_INCH,
    SMALL,
    WIDTH,
    Label,
    figure,
    inches,
    labels,
    panel,
    place_labels,
    png,
    readable,
    shortened,
    wrapped,
    write,
)
from engine.component_plot import drawings, drawn_figure
from engine.journal import Past
from engine.plots import all_plots, scatter, similarity_heatmap
from engine.ranking import Place, Ranking, Reference
from engine.score import BaselineTrials, Estimate, Trial
from engine.settings_plot import by_cell, losses_of, per_setting
from sandbox.guest.components.kind import Drawing, Image, Kind, Series

CELLS = ["digits/mlp2", "digits/cnn", "spirals/mlp2", "spirals/residual", "friedman1/mlp2"]
NAMES = ["scatter.png", "functions.png", "similarity.png", "settings.png"]
MakePast = Callable[..., list[Past]]
MakeRanking = Callable[..., Ranking]


def trials(quality: float) -> tuple[Trial, ...]:
    return tuple(
        Trial(cell=cell, seed=seed, loss=1 - quality + 0.1 * np.sin(7 * i + 3 * seed + 20 * quality), accuracy=0.5)
        for i, cell in enumerate(CELLS)
        for seed in (0, 1)
    )


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=max(0.0, value - 0.06), high=min(1.0, value + 0.06))


@pytest.fixture(scope="module")
def baselines() -> list[BaselineTrials]:
    return [
        BaselineTrials(
            kind="curve",
            baseline=name,
            suite="screen-1",
            seeds=(0, 1),
            torch_version="2",
            device="cpu",
            trials=trials(0.2 + 0.1 * i),
            seconds=1.0,
            code_digest="",
        )
        for i, name in enumerate(["ramp", "leaky ramp", "line"])
    ]


@pytest.fixture(scope="module")
def make_ranking(make_past: MakePast) -> MakeRanking:
    def make(count: int, *, titles: Sequence[str] = (), tied: int = 0, **changes: Any) -> Ranking:
        places = []
        for index, past in enumerate(make_past(count, seed=4)):
            assert past.score is not None
            named = titles[index % len(titles)] if titles else past.hypothesis.title
            place = Place(
                rank=1 if index < tied else index + 1,
                hypothesis=replace(past.hypothesis, title=named),
                verdict=past.verdict,
                score=replace(past.score, trials=trials(past.score.b_wr.value)),
                effect=estimate(0.01),
                promising=index == 0,
            )
            places.append(replace(place, **changes))
        references = [
            Reference(baseline=name, source="A paper", b_wr=estimate(x), bsota_wr=estimate(x / 4), best=x > 0.6)
            for name, x in [("line", 0.7), ("leaky ramp", 0.5), ("ramp", 0.2)]
        ]
        return Ranking(
            request_id="r1",
            kind="curve",
            suite="screen-1",
            places=tuple(places),
            references=tuple(references),
            rejected=(),
            not_measured=(),
        )

    return make


def pixels(png: bytes) -> Any:
    return imread(io.BytesIO(png))[:, :, :3]


@pytest.mark.parametrize("count", [2, 13])
def test_every_plot_is_made_at_the_width_of_a_message(
    count: int, curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    made = all_plots(make_ranking(count), curves, baselines)
    assert list(made) == NAMES
    assert {pixels(content).shape[1] for content in made.values()} == {int(WIDTH * DOTS_PER_INCH)}


def test_hundreds_of_hypotheses_fit(curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]) -> None:
    assert list(all_plots(make_ranking(300, tied=40), curves, baselines)) == NAMES


def test_where_nothing_was_measured_there_is_no_plot(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    assert all_plots(make_ranking(0), curves, baselines) == {}


def test_one_hypothesis_is_not_compared_with_itself(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    assert list(all_plots(make_ranking(1), curves, baselines)) == ["scatter.png", "functions.png", "settings.png"]


def test_what_has_no_behaviour_is_not_drawn(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    ranking = make_ranking(3)
    blank = replace(ranking.places[0], verdict=replace(ranking.places[0].verdict, behaviour={}, novelty=None))
    some = replace(ranking, places=(blank, *ranking.places[1:]))
    none = replace(ranking, places=(blank,))
    assert list(all_plots(some, curves, baselines)) == NAMES
    assert list(all_plots(none, curves, baselines)) == ["scatter.png", "settings.png"]


def test_without_baselines_there_are_no_win_rates_per_setting(make_ranking: MakeRanking) -> None:
    assert per_setting(make_ranking(3), []) is None


def test_equal_hypotheses_are_no_obstacle(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    first = make_ranking(1).places[0]
    same = replace(make_ranking(1), places=(first,) * 8)
    assert list(all_plots(same, curves, baselines)) == NAMES


def test_constant_infinite_and_many_series_are_drawn(curves: Kind, make_ranking: MakeRanking) -> None:
    x = np.linspace(-1, 1, 9, dtype=np.float32)
    flat, gone = np.zeros(9, np.float32), np.full(9, np.inf, np.float32)
    series = [Series(name=f"$s_{i}$", x=x, y=y) for i, y in enumerate([flat, gone, x, -x, x**2, x**3, 1e9 * x])]
    strange = replace(curves, drawing=lambda _: Drawing(x_label="$x", y_label="_y_", series=tuple(series)))
    assert drawings(make_ranking(2), strange) is not None


def drawn_as(curves: Kind, drawing: Drawing) -> Kind:
    return replace(curves, drawing=lambda _: drawing)


def axes_of(ranking: Ranking, kind: Kind) -> list[Any]:
    """Those of the figure, looked at before they become a picture."""
    made = drawn_figure(ranking, kind)
    assert made is not None
    return list(made.axes)


def curve(x: Sequence[float], y: Sequence[float], name: str = "f") -> Series:
    return Series(name=name, x=np.array(x, np.float32), y=np.array(y, np.float32))


@pytest.mark.parametrize(
    ("x", "y", "scales"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], ("linear", "linear")),
        ([0.25, 0.5, 1, 2, 4], [0, 1, 2, 3, 4], ("log", "linear")),  # factors
        ([0, 1, 2, 3], [1, 1e-2, 1e-4, 1e-6], ("linear", "log")),
        (np.linspace(0, 1, 100), [*np.linspace(1, 0.1, 99), 1e-9], ("linear", "linear")),  # only ends near zero
    ],
)
def test_an_axis_is_logarithmic_where_its_values_ask_for_it(
    x: Sequence[float], y: Sequence[float], scales: tuple[str, str], curves: Kind, make_ranking: MakeRanking
) -> None:
    kind = drawn_as(curves, Drawing(x_label="x", y_label="y", series=(curve(x, y),)))
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in axes_of(make_ranking(2), kind)} == {scales}


def test_a_path_has_a_ring_where_it_starts_and_a_dot_where_it_ends(curves: Kind, make_ranking: MakeRanking) -> None:
    kind = drawn_as(curves, Drawing(x_label="a", y_label="b", series=(curve([0, 2, 1, 3], [0, 1, 2, 3]),)))
    marks = [
        line
        for line in axes_of(make_ranking(1), kind)[0].lines
        if line.get_marker() == "o" and len(line.get_xdata()) == 1
    ]
    assert [(mark.get_xdata()[0], mark.get_markerfacecolor() == "white") for mark in marks] == [(0, True), (3, False)]


def test_bars_stand_on_zero(curves: Kind, make_ranking: MakeRanking) -> None:
    kind = drawn_as(curves, Drawing(x_label="w", y_label="share", series=(curve([0, 1, 2], [5, 6, 7]),), bars=True))
    (axes,) = axes_of(make_ranking(1), kind)
    assert axes.get_ylim()[0] <= 0
    assert len(axes.patches) == 3


def test_pictures_stand_beside_those_of_the_reference(curves: Kind, make_ranking: MakeRanking) -> None:
    images = tuple(Image(name=f"a {i}", pixels=np.eye(4, dtype=np.float32) * i) for i in range(3))
    shown = axes_of(make_ranking(2), drawn_as(curves, Drawing(x_label="", y_label="", images=images)))
    assert [len(axes.images) for axes in shown] == [1] * 9  # three of the reference, three of each
    assert [axes.texts[0].get_text() for axes in shown[:3]] == ["a 0", "a 1", "a 2"]


def test_words_are_broken_at_spaces_and_hyphens_but_not_behind_a_number() -> None:
    assert wrapped("Warmup-stable-decay", 1.0, 2) == "Warmup-\nstable-decay"
    assert wrapped("decay with 1-sqrt", 1.0, 2) == "decay with\n1-sqrt"


ODD = [
    "$x^2$ and $\\frac{",
    "漢字 🚀 GELU",
    "🚀🚀",
    "",
    "W" * 300,
    "a gate that goes on and on " * 9,
    "tab\tnew\nline",
    "\x00\u202e",
]


@pytest.fixture
def strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("strict")
def test_any_title_is_drawn_without_a_warning_and_within_the_edges(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    for content in all_plots(make_ranking(8, titles=ODD), curves, baselines).values():
        image = pixels(content)
        edges = [image[:6], image[-6:], image[:, :6], image[:, -6:]]
        assert all((edge == 1).all() for edge in edges)


def test_dollar_signs_are_no_mathematics() -> None:
    made = figure(1, "$x_1$")
    text = write(panel(made, 1, 0.1, 1, 0.5), 0, 0, "$\\frac{")
    assert text.get_text() == "$\\frac{"
    assert not text.get_parse_math()
    assert png(made)


@given(st.text(max_size=80), st.floats(0.3, 4))
def test_a_shortened_title_fits(title: str, most: float) -> None:
    assert inches(shortened(title, most)) <= most
    assert inches(shortened(title, most, bold=True), bold=True) <= most


@given(st.text(max_size=80), st.floats(0.5, 4), st.integers(1, 3))
def test_a_wrapped_title_fits(title: str, most: float, count: int) -> None:
    lines = wrapped(title, most, count).split("\n")
    assert len(lines) <= count
    assert all(inches(line, bold=True) <= most for line in lines)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("GELU", "GELU"),
        ("  a\n b ", "a b"),
        ("漢字 GELU", "GELU"),
        ("🚀", "untitled"),
        ("", "untitled"),
        ("$x_i$", "$x_i$"),
    ],
)
def test_what_the_font_lacks_is_left_out_of_a_title(title: str, shown: str) -> None:
    assert readable(title) == shown


@pytest.mark.parametrize(
    ("ranks", "named"),
    [([1, 2, 3], ["1", "2", "3"]), ([1, 1, 3], ["1a", "1b", "3"]), ([1, 2, 2, 4, 4], ["1", "2a", "2b", "4a", "4b"])],
)
def test_equal_places_are_told_apart_by_letters(ranks: list[int], named: list[str], make_ranking: MakeRanking) -> None:
    places = [replace(place, rank=rank) for place, rank in zip(make_ranking(len(ranks)).places, ranks, strict=True)]
    assert labels(places) == named


def test_a_hundred_equal_places_have_a_hundred_names(make_ranking: MakeRanking) -> None:
    named = labels(make_ranking(100, tied=100).places)
    assert len(set(named)) == 100
    assert named[25:28] == ["1z", "1aa", "1ab"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)), min_size=2, max_size=12))
def test_labels_keep_out_of_each_others_way(points: list[tuple[float, float]]) -> None:
    made = figure(6, "")
    axes = panel(made, 0.5, 0.5, 7, 5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    place_labels(axes, [Label(text=f"name {i}", at=at, color="black") for i, at in enumerate(points)], points, [])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(points)
    room = 0.15 * SMALL * DOTS_PER_INCH / 72  # the font's line is taller than its letters
    for one, other in combinations(boxes, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(wide, high) <= room


def test_the_same_ranking_gives_the_same_picture_in_any_thread(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    def draw(_: int) -> list[bytes | None]:
        return [scatter(ranking), drawings(ranking, curves), per_setting(ranking, baselines)]

    ranking = make_ranking(3)
    alone = draw(0)
    with ThreadPoolExecutor(4) as threads:
        assert all(made == alone for made in threads.map(draw, range(4)))


def test_drawing_leaves_the_settings_of_matplotlib_alone(
    curves: Kind, make_ranking: MakeRanking, baselines: list[BaselineTrials]
) -> None:
    before = dict(mpl.rcParams)
    scatter(make_ranking(3))
    similarity_heatmap(make_ranking(3), curves)
    per_setting(make_ranking(3), baselines)
    assert dict(mpl.rcParams) == before


def measured(*losses: float | None) -> tuple[Trial, ...]:
    cells = ["a/mlp", "a/mlp", "b/mlp"]
    return tuple(
        Trial(cell=cell, seed=seed, loss=loss, accuracy=None)
        for cell, seed, loss in zip(cells, (0, 1, 0), losses, strict=True)
    )


def test_a_win_rate_per_cell_counts_pairs_ties_as_one_half_and_divergence_as_a_loss() -> None:
    own = losses_of(measured(1.0, None, 0.5))
    others = [losses_of(measured(1.00005, 3.0, 0.4)), losses_of(measured(2.0, None, 0.6))]
    # a: tie, win, diverged against 3.0, both diverged; b: loss, win
    assert by_cell(own, others) == {"a/mlp": (0.5 + 1 + 0 + 0.5) / 4, "b/mlp": 0.5}


def test_a_cell_without_a_pair_has_no_win_rate() -> None:
    own = losses_of(measured(1.0, 1.0, 1.0))
    assert by_cell(own, [{("b/mlp", 0): 2.0}]) == {"b/mlp": 1.0}
