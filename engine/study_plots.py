"""The pictures of a study's report, as PNG; each is None where there is nothing to show."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from engine.canvas import (
    BLUE,
    GREEN,
    GREY,
    GRID,
    INK,
    LIGHT,
    LINES,
    NORMAL,
    ORANGE,
    SMALL,
    WIDTH,
    figure,
    panel,
    png,
    shortened,
    write,
)
from engine.component_plot import drawings
from engine.efficiency import EARLY_SHARE, RANDOM, Efficiency, Reals, best_of, best_of_n
from engine.plots import scatter, similarity_heatmap
from engine.request import Strategy
from engine.score import Estimate
from engine.study import Subject
from engine.study_order import merit
from engine.study_results import COLD, NEAREST, REWARD, Results, truth_of

DRAWN = 150  # functions of one strategy in the comparison of prompts
COLORS = {REWARD: BLUE, NEAREST: ORANGE, COLD: GREEN, RANDOM: GREY}
NAMES = {REWARD: "reward model", NEAREST: "nearest baseline", COLD: "cold start", RANDOM: "random"}
MOST_PARTS = 8
TITLES = 2.6  # inches for those of what was confirmed


def pictures(results: Results) -> dict[str, bytes]:
    """By file name, in the order of the report."""
    kind, ranking = results.plan.kind, results.ranking
    made = {
        "prompts.png": prompts(results),
        "scatter.png": scatter(ranking) if ranking else None,
        "efficiency.png": efficiency_curves(results),
        "crossed.png": crossed(results),
        "best-of-n.png": best_found(results),
        "top12.png": drawings(ranking, kind) if ranking else None,
        "similarity.png": similarity_heatmap(ranking, kind) if ranking else None,
        "retest.png": retest(results),
        "reliability.png": reliability(results),
        "power.png": power(results),
        "confirmed.png": confirmed(results),
    }
    return {name: content for name, content in made.items() if content is not None}


# --- Figure 2: what the prompts bring forth


def prompts(results: Results) -> bytes | None:
    """Every proposed function that works, one panel a strategy."""
    drawn: dict[Strategy, list[Subject]] = {}
    for subject in results.subjects:
        if subject.valid:
            drawn.setdefault(subject.hypothesis.strategy, []).append(subject)
    example = next((s for some in drawn.values() for s in some), None)
    if example is None or not results.plan.kind.drawing(example.verdict.behaviour).series:
        return None
    first = results.plan.kind.drawing(example.verdict.behaviour)
    made = figure(3.4, "What each way of prompting brings forth", "every valid proposal; one line each")
    wide = (WIDTH - 0.6) / len(drawn)
    for number, (strategy, some) in enumerate(drawn.items()):
        axes = panel(made, 0.55 + number * wide, 0.5, wide - 0.45, 2.1)
        shown = some[:DRAWN]
        for subject in shown:
            curve = results.plan.kind.drawing(subject.verdict.behaviour).series[0]
            axes.plot(
                curve.x,
                curve.y,
                color=LINES[number % len(LINES)],
                alpha=min(0.8, max(0.12, 6 / len(shown))),
                linewidth=0.9,
            )
        curves = [results.plan.kind.drawing(s.verdict.behaviour).series[0].y for s in shown]
        low, high = np.quantile(np.concatenate(curves), (0.02, 0.98))
        axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        axes.grid(color=GRID, linewidth=0.7)
        axes.set_xlabel(first.x_label, fontsize=SMALL, color=INK)
        axes.set_title(f"{strategy} (n = {len(some)})", fontsize=NORMAL, color=INK, loc="left")
    return png(made)


# --- Figure 4: efficiency


def efficiency_curves(results: Results) -> bytes | None:
    worth = results.efficiency
    if worth is None:
        return None
    note = f"n = {worth.n} with a truth ({results.plan.truth}), the best 5 % are {worth.top}; areas with 90 % intervals"
    made = figure(4.2, "How soon each order finds the best", note)
    axes = panel(made, 0.65, 0.55, 4.6, 3.0)
    _curves(axes, worth)
    axes.axvline(EARLY_SHARE, color=LIGHT, linewidth=0.8, linestyle=":")
    axes.set_xlabel("share evaluated", fontsize=NORMAL, color=INK)
    axes.set_ylabel("share of the best 5 % found", fontsize=NORMAL, color=INK)
    for row, (name, order) in enumerate(worth.orders.items()):
        y = 3.35 / 4.2 - row * 0.075
        write(made, 5.5 / WIDTH, y, NAMES[name], size=NORMAL, color=COLORS[name], weight="bold")
        write(made, 6.75 / WIDTH, y, _figure(order.area), size=SMALL, color=INK)
    write(made, 5.5 / WIDTH, 3.35 / 4.2 - len(worth.orders) * 0.075, "oracle", size=NORMAL, color=INK, weight="bold")
    write(made, 6.75 / WIDTH, 3.35 / 4.2 - len(worth.orders) * 0.075, "1", size=SMALL, color=INK)
    return png(made)


def _curves(axes: Axes, worth: Efficiency, thin: bool = False) -> None:
    share = np.arange(1, len(worth.oracle) + 1) / len(worth.oracle)
    axes.plot(_from_zero(share), _from_zero(worth.oracle), color=INK, linewidth=0.8, linestyle="--")
    for name, order in reversed(list(worth.orders.items())):
        if not thin or name in (REWARD, RANDOM):
            width = 1.8 if name == REWARD else 1.1
            axes.plot(_from_zero(share), _from_zero(order.curve), color=COLORS[name], linewidth=width)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    axes.grid(color=GRID, linewidth=0.7)


def _from_zero(values: Reals) -> Reals:
    return np.concatenate([[0.0], values])


def crossed(results: Results) -> bytes | None:
    """One small panel for every pair: learned from the row's, tested on the column's."""
    rows = list(dict.fromkeys(one for one, _ in results.pairs))[:MOST_PARTS]
    columns = list(dict.fromkeys(other for _, other in results.pairs))[:MOST_PARTS]
    if not rows or not columns:
        return None
    side = min(1.7, (WIDTH - 1.5) / len(columns) - 0.15)
    height = 1.35 + len(rows) * (side + 0.2)
    made = figure(
        height, "Learned from one source, tested on another", "rows: learned from; columns: tested on; normalised area"
    )
    for i, trained_on in enumerate(rows):
        bottom = height - 1.0 - (i + 1) * (side + 0.2)
        write(made, 0.15 / WIDTH, (bottom + side / 2) / height, trained_on.replace("/", "/\n"), color=INK, va="center")
        for j, tested_on in enumerate(columns):
            worth = results.pairs.get((trained_on, tested_on))
            if worth is None:
                continue
            axes = panel(made, 1.4 + j * (side + 0.15), bottom, side, side)
            _curves(axes, worth, thin=True)
            axes.set_xticks([0, 1] if i == len(rows) - 1 else [])
            axes.set_yticks([0, 1] if j == 0 else [])
            area = worth.orders[REWARD].area
            write(axes, 0.96, 0.06, _figure(area), size=SMALL - 1, color=BLUE, ha="right", transform=axes.transAxes)
            if i == 0:
                title = f"{shortened(tested_on, side)}\nn = {worth.n}"
                axes.set_title(title, fontsize=SMALL - 1, color=INK, loc="left", parse_math=False)
    return png(made)


def best_found(results: Results) -> bytes | None:
    """The best effect after so many evaluations: the reward model's order beside best-of-n."""
    truth = np.array([-np.inf if (value := truth_of(s)) is None else value for s in results.tested])
    if not np.isfinite(truth).any():
        return None
    scores = np.array([merit(results.predictions[s.id]) for s in results.tested])
    found = best_of(np.argsort(-scores, kind="stable"), truth)
    count = np.arange(1, len(truth) + 1)
    made = figure(
        3.6, "The best effect found, over the number evaluated", "best-of-n: n drawn at random; expected value"
    )
    axes = panel(made, 0.8, 0.55, WIDTH - 1.1, 2.4)
    for values, color, label in (
        (np.full(len(truth), truth.max()), INK, "best of all"),
        (best_of_n(truth), GREY, "best-of-n"),
        (np.where(np.isfinite(found), found, np.nan), BLUE, "reward model"),
    ):
        axes.plot(count, values, color=color, linewidth=1.6 if color == BLUE else 1.0, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    low = float(np.quantile(truth[np.isfinite(truth)], 0.25))
    axes.set_ylim(low, truth.max() + 0.08 * (truth.max() - low) + 1e-6)
    axes.grid(color=GRID, linewidth=0.7)
    axes.legend(fontsize=SMALL, frameon=False, labelcolor=INK, loc="lower right")
    axes.set_xlabel("hypotheses evaluated", fontsize=NORMAL, color=INK)
    axes.set_ylabel(f"best effect ({results.plan.truth})", fontsize=NORMAL, color=INK)
    return png(made)


# --- what can be trusted


def retest(results: Results) -> bytes | None:
    both = [(s.screened, s.again, s.truth) for s in results.tested if s.screened and s.again]
    if len(both) < 3:
        return None
    made = figure(3.9, "The same again on other seeds, and against the truth", "effects; one dot a hypothesis")
    first = [one.effect.value for one, _, _ in both]
    second = [two.effect.value for _, two, _ in both]
    _against(made_panel := panel(made, 0.75, 0.55, 2.9, 2.7), first, second)
    made_panel.set_ylabel("screening, other seeds", fontsize=NORMAL, color=INK)
    known = [(one.effect.value, true.effect.value) for one, _, true in both if true is not None]
    other = panel(made, 4.65, 0.55, 2.9, 2.7)
    _against(other, [one for one, _ in known], [true for _, true in known])
    other.set_ylabel(f"truth ({results.plan.truth})", fontsize=NORMAL, color=INK)
    return png(made)


def _against(axes: Axes, x: list[float], y: list[float]) -> None:
    both = [*x, *y]
    low, high = (float(q) for q in np.quantile(both, (0.02, 1.0))) if both else (-1.0, 1.0)
    axes.plot([low, high], [low, high], color=LIGHT, linewidth=0.8)
    axes.plot(x, y, "o", ms=3, mfc=BLUE, mec="none", alpha=0.5)
    axes.set_xlim(low, high + 0.02)
    axes.set_ylim(low, high + 0.02)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_xlabel("screening", fontsize=NORMAL, color=INK)


def reliability(results: Results) -> bytes | None:
    found = results.calibration
    if found is None:
        return None
    note = f"chance to be among the best quarter; n = {found.n}; calibration error {_figure(found.error)}"
    made = figure(3.9, "Is what is predicted as likely as it happens?", note)
    axes = panel(made, 0.75, 0.55, 2.9, 2.7)
    axes.plot([0, 1], [0, 1], color=LIGHT, linewidth=0.8)
    for one in found.bins:
        axes.plot([one.predicted] * 2, [one.happened.low, one.happened.high], color=BLUE, linewidth=1, alpha=0.6)
    axes.plot([b.predicted for b in found.bins], [b.happened.value for b in found.bins], "o-", color=BLUE, ms=4)
    top = found.bins[-1]
    axes.plot(top.predicted, top.happened.value, "o", color=ORANGE, ms=6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_xlabel("predicted chance", fontsize=NORMAL, color=INK)
    axes.set_ylabel("share that happened", fontsize=NORMAL, color=INK)
    rows = (
        ("top decile (orange)", f"{top.predicted:.2f} predicted, {top.happened.value:.2f} happened"),
        ("90 % intervals cover", _figure(found.coverage)),
        ("Brier skill", _figure(found.brier_skill) if found.brier_skill else "no event happened"),
        ("CRPS skill", _figure(found.crps_skill)),
    )
    for row, (name, value) in enumerate(rows):
        write(made, 4.2 / WIDTH, 0.72 - 0.09 * row, name, size=NORMAL, color=GREY)
        write(made, 5.75 / WIDTH, 0.72 - 0.09 * row, value, size=NORMAL, color=INK)
    return png(made)


def power(results: Results) -> bytes | None:
    planted = results.trust.power
    if not planted:
        return None
    made = figure(
        3.2, "How large an effect must be to be noticed", "share of planted effects that come out as promising"
    )
    axes = panel(made, 0.75, 0.55, WIDTH - 1.1, 2.0)
    sizes = [100 * size for size in planted]
    axes.plot(sizes, [won / count for won, count in planted.values()], "o-", color=BLUE, ms=4)
    axes.set_ylim(-0.03, 1.03)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_xlabel("planted effect: loss lower by so many per cent", fontsize=NORMAL, color=INK)
    axes.set_ylabel("promising", fontsize=NORMAL, color=INK)
    return png(made)


def confirmed(results: Results) -> bytes | None:
    """Screened beside confirmed: how much of what was seen first is left."""
    first = results.confirmed.first if results.confirmed else {}
    titles = {subject.id: subject.hypothesis.title for subject in results.subjects}
    rows = [(id, results.shrunken[id], one) for id, one in first.items() if id in titles and id in results.shrunken]
    pairs = [(titles[id], before, one, one.mean) for id, before, one in rows if one.mean is not None]
    if not pairs:
        return None
    height = 1.3 + 0.3 * len(pairs)
    made = figure(height, "Screened beside confirmed", "grey: screened effect; blue: confirmed; filled: a finding")
    axes = panel(made, TITLES, 0.5, WIDTH - TITLES - 0.3, height - 1.1)
    for row, (_, before, one, mean) in enumerate(pairs):
        axes.plot([before.low, before.high], [row + 0.15] * 2, color=LIGHT)
        axes.plot(before.value, row + 0.15, "o", color=GREY, ms=4)
        axes.plot([mean.low, mean.high], [row - 0.15] * 2, color=BLUE)
        axes.plot(mean.value, row - 0.15, "o", mec=BLUE, mfc=BLUE if one.finding else "white", ms=5)
    axes.axvline(0, color=LIGHT, linewidth=0.8)
    names = [shortened(title, TITLES - 0.3) for title, *_ in pairs]
    axes.set_yticks(range(len(pairs)), names, fontsize=SMALL, color=INK)
    axes.set_ylim(-0.5, len(pairs) - 0.5)
    axes.set_xlabel("relative loss difference against the best baseline", fontsize=NORMAL, color=INK)
    return png(made)


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
