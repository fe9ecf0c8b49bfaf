"""The plots of a ranking, uploaded and described."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.views.plots import Picture
from engine.plots import all_plots
from engine.ranking import Ranking
from engine.score import BaselineTrials
from sandbox.guest.components.kind import Kind

_WORDS = {
    "scatter.png": ("BSOTA-WR over B-WR", "Scatter plot: win rate against the best baseline over win rate against all"),
    "functions.png": ("The top ones drawn", "Each of the top ones drawn beside the reference"),
    "similarity.png": ("How alike the top ones are", "Heatmap of the similarity of the top ones to each other"),
    "settings.png": ("Win rate per setting, baselines beside", "Heatmap: win rate by data set and architecture"),
}


def pictures_of(
    ranked: Ranking, kind: Kind, baselines: Sequence[BaselineTrials], upload: Callable[[str, bytes, str], str]
) -> list[Picture]:
    """`upload(name, png, title)` answers the file's id."""
    pictures = []
    for name, png in all_plots(ranked, kind, baselines).items():
        title, alt = _WORDS[name]
        pictures.append(Picture(file_id=upload(f"{ranked.kind}-{name}", png, title), title=title, alt=alt))
    return pictures
