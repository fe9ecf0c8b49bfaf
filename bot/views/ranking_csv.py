"""A whole ranking as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io

from bot.views.message import one_line
from bot.views.ranking import rank_labels
from engine.hypothesis import Hypothesis
from engine.ranking import Place, Ranking
from engine.score import Estimate, Score

_INTERVALS = [name + end for name in ("effect", "b_wr", "bsota_wr") for end in ("", "_low", "_high")]
_NAMES = ["row", "place", "title", "hypothesis_id", "generator", "strategy", "promising"]
_HEADER = [*_NAMES, *_INTERVALS, "n_score", "nearest", "cost_ratio", "seeds", "seconds", "reason"]


def ranking_csv(ranking: Ranking) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets expect it. `row` is measured, re-run, baseline, rejected or not
    measured; absent figures are empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _HEADER, restval="", lineterminator="\r\n")
    writer.writeheader()
    for label, place in zip(rank_labels(ranking.places), ranking.places, strict=True):
        writer.writerow(_measured(label, place))
        if place.rerun:
            again = _named("re-run", place.hypothesis) | _score(place.rerun)
            writer.writerow(again | _estimate("effect", place.rerun.effect))
    for known in ranking.references:
        rates = _estimate("b_wr", known.b_wr) | _estimate("bsota_wr", known.bsota_wr)
        writer.writerow({"row": "baseline", "title": _cell(known.baseline)} | rates)
    for rejection in ranking.rejected:
        writer.writerow(_named("rejected", rejection.hypothesis) | {"reason": _cell(rejection.reason)})
    for hypothesis in ranking.not_measured:
        writer.writerow(_named("not measured", hypothesis))
    return out.getvalue().encode("utf-8-sig")


def _measured(label: str, place: Place) -> dict[str, object]:
    row = _named("measured", place.hypothesis) | _score(place.score) | _estimate("effect", place.effect)
    row |= {"place": label, "promising": "yes" if place.promising else "no"}
    if place.verdict.cost_ratio is not None:
        row["cost_ratio"] = f"{place.verdict.cost_ratio:.3f}"
    if place.verdict.novelty:
        row |= {"n_score": f"{place.verdict.novelty.n_score:.4f}", "nearest": _cell(place.verdict.novelty.nearest)}
    return row


def _named(row: str, hypothesis: Hypothesis) -> dict[str, object]:
    return {
        "row": row,
        "title": _cell(hypothesis.title),
        "hypothesis_id": hypothesis.id,
        "generator": _cell(hypothesis.generator),
        "strategy": hypothesis.strategy.value,
    }


def _score(score: Score) -> dict[str, object]:
    rates = _estimate("b_wr", score.b_wr) | _estimate("bsota_wr", score.bsota_wr)
    return rates | {"seeds": " ".join(map(str, score.seeds)), "seconds": f"{score.seconds:.2f}"}


def _estimate(name: str, estimate: Estimate) -> dict[str, object]:
    return {
        name: f"{estimate.value:.4f}",
        f"{name}_low": f"{estimate.low:.4f}",
        f"{name}_high": f"{estimate.high:.4f}",
    }


def _cell(text: str) -> str:
    """Foreign text that a spreadsheet shows and does not run as a formula."""
    text = one_line(text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
