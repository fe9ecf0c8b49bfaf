"""The answer to a request for one kind of component: who came out where, and what has no place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bot.views import figures
from bot.views.block_kit import (
    MESSAGE_BUDGET,
    actions,
    button,
    context,
    divider,
    header,
    message,
    section,
    table,
    weight,
)
from bot.views.conditions import Conditions, caveat, isolation, suite_words, tuned, warning
from bot.views.figures import NONE, count
from bot.views.hypothesis_card import STEP_SIZE_EFFECT, costlier
from bot.views.message import Block, Message, cut, escape, one_line
from engine.ranking import Inherited, Place, Ranking, Reference, Rejection
from sandbox.guest.components.kind import Kind

MEASURE_REST = "measure_rest"  # value: see `read_measure_rest`
MOST_ROWS = 20
MOST_LINES = 10
CELL = 60  # characters of one
_COLUMNS = ("#", "Component", "Effect", "B-WR", "BSOTA-WR", "N-score", "Cost", "Generator")
_COST = _COLUMNS.index("Cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """How it was decided which of the proposals to measure."""

    model_version: str | None  # of the reward model; None: too few outcomes, closeness to known functions decided
    outcomes: int  # measured so far, over all requests
    needed: int = 30  # from how many on the reward model decides
    at_random: int = 0  # measured although nothing spoke for them


def measure_rest_value(request_id: str, kind: str) -> str:
    return json.dumps({"request": request_id, "kind": kind})


def read_measure_rest(value: str) -> tuple[str, str]:
    """Request id and kind of a click on MEASURE_REST."""
    told = json.loads(value)
    return told["request"], told["kind"]


def needs_csv(ranking: Ranking) -> bool:
    """Whether the message shows less than there is, so that `ranking_csv` belongs beside it."""
    return len(ranking.places) > MOST_ROWS or len(_reasons(ranking.rejected)) > MOST_LINES or _titles_cut(ranking)


def ranking(
    ranked: Ranking, kind: Kind, *, conditions: Conditions, choosing: Choosing, spacing: float | None = None
) -> Message:
    """At most MOST_ROWS places, fewer when the message would grow too large for Slack.

    `spacing`: the typical distance between neighbouring published ones, for reading an N-score.
    """
    for rows in (MOST_ROWS, 15, 10, 5):
        blocks = _blocks(ranked, kind, conditions, choosing, spacing, rows)
        if weight(blocks) <= MESSAGE_BUDGET:
            break
    return message(*blocks, request_id=ranked.request_id)


def rank_labels(places: Sequence[Place]) -> list[str]:
    """`1=` where another one has the same rank, else `3`."""
    ranks = Counter(place.rank for place in places)
    return [f"{place.rank}=" if ranks[place.rank] > 1 else str(place.rank) for place in places]


def _blocks(
    ranked: Ranking, kind: Kind, conditions: Conditions, choosing: Choosing, spacing: float | None, rows: int
) -> list[Block]:
    blocks = [header(_headline(ranked, kind))]
    if ranked.places:
        shown = _rows(ranked, rows)
        last = len(shown[0]) - 1
        blocks.append(table(shown, right=range(2, last), wrapped=(1, last), cell=CELL))
        blocks.append(context(_legend(ranked, kind, conditions, spacing, rows)))
    else:
        blocks.append(section(f"None of the proposals became a working {escape(kind.title)}. The reasons are below."))
    told = [
        *_costlier(ranked, kind, conditions.measuring.own_model),
        *_diverged(ranked),
        *_rejected(ranked),
        *_faults(ranked),
        *_not_measured(ranked),
    ]
    blocks += [divider(), *told] if told else []
    blocks.append(context(_origin(ranked, conditions, choosing)))
    caution = warning(conditions.sandbox)
    return [*blocks, context(caution)] if caution else blocks


def _headline(ranked: Ranking, kind: Kind) -> str:
    number = len(ranked.places)
    if not number:
        return f"No {kind.title} could be measured"
    promising = sum(place.promising for place in ranked.places)
    found = f"{promising:,} promising" if promising else "none clearly better than the best baseline"
    early = " before it was stopped" if ranked.stopped else ""
    return f"{count(number, kind.title, kind.plural)} measured{early}, {found}"


def _rows(ranked: Ranking, most: int) -> list[list[str]]:
    rows = [list(_COLUMNS)]
    for label, place in list(zip(rank_labels(ranked.places), ranked.places, strict=True))[:most]:
        marks = " (step-size effect)" if place.step_size_effect else ""
        marks += " (not repeatable)" if place.repetition and place.repetition.repeated is False else ""
        title = ("★ " if place.promising else "") + one_line(place.hypothesis.title or "untitled")
        title = cut(title, CELL - len(marks)) + marks
        rows.append([label, title, figures.effect(place.effect), *_figures(place), place.hypothesis.generator])
        if place.rerun:
            again = place.rerun
            rates = [figures.win_rate(again.b_wr), figures.win_rate(again.bsota_wr)]
            name = f"again, {count(len(again.seeds), 'fresh seed')}"
            rows.append(["↳", name, figures.effect(again.effect), *rates, NONE, NONE, NONE])
    for known in shown_references(ranked):
        rates = [figures.win_rate(known.b_wr), figures.win_rate(known.bsota_wr)]
        rows.append(["ref", known.baseline, NONE, *rates, NONE, NONE, "published"])
    return rows if _timed(ranked) else [row[:_COST] + row[_COST + 1 :] for row in rows]


def _timed(ranked: Ranking) -> bool:
    """Some kinds cost nothing that is worth measuring."""
    return any(place.verdict.cost_ratio is not None for place in ranked.places)


def _figures(place: Place) -> list[str]:
    novelty = place.verdict.novelty
    rates = [figures.win_rate(place.score.b_wr), figures.win_rate(place.score.bsota_wr)]
    return [*rates, figures.n_score(novelty.n_score if novelty else None), figures.ratio(place.verdict.cost_ratio)]


def shown_references(ranked: Ranking) -> list[Reference]:
    """The three best of this suite, the one that effects are held against and the accepted best ones, best first."""
    return [known for i, known in enumerate(ranked.references) if i < 3 or known.best or known.baseline == ranked.best]


def _legend(ranked: Ranking, kind: Kind, conditions: Conditions, spacing: float | None, rows: int) -> str:
    """What the columns mean and what a candidate must be compared with."""
    measured = conditions.measuring
    baselines = len(ranked.references) or len(kind.baselines)
    chance = figures.share(1 / (baselines + 1))
    again = " (re-runs: as measured)" if any(place.rerun for place in ranked.places) else ""
    ties = (
        "“=”: places that cannot be told apart. "
        if any(label[-1] == "=" for label in rank_labels(ranked.places))
        else ""
    )
    usual = f" (published ones: typically {spacing:.2f} from each other)" if spacing is not None else ""
    cost = f" *Cost*: time relative to {escape(kind.reference)}." if _timed(ranked) else ""
    best = f"that of {escape(ranked.best)}, the best baseline" if ranked.best else "the best baseline's"
    lines = [
        f"*Effect*: how much better the {measured.metric} is than {best}, shrunk toward zero to discount "
        f"luck{again}. ★ promising: all of its interval is above zero.",
        f"*B-WR*: share of comparisons won against all {baselines:,} baselines; *BSOTA-WR*: against the best one of "
        f"each setting. A candidate exactly as good as the baselines scores about .50 / {chance}; compare with the "
        "“ref” rows, the best baselines.",
        f"{ties}*N-score*: distance from the nearest published one before training, 0 is the same there{usual}.{cost}",
        f"Intervals: 90 % over seeds, not over new data sets. Measured in {suite_words(measured)}{tuned(measured)}. "
        f"{caveat(measured)}",
    ]
    if any(place.step_size_effect for place in ranked.places):
        lines.append(f"*{STEP_SIZE_EFFECT[:1].upper()}{STEP_SIZE_EFFECT[1:].replace(':', '*:', 1)}.")
    if len(ranked.places) > rows:
        lines.insert(0, f"The best {rows} of {len(ranked.places):,}; the attached table has all of them.")
    return "\n".join(lines)


def _reasons(rejected: Sequence[Rejection]) -> dict[str, list[str]]:
    """Titles by reason, duplicates last."""
    groups: dict[str, list[str]] = {}
    for rejection in sorted(rejected, key=lambda r: r.check == "duplicate"):
        reason = rejection.reason + (f" ({_inherited(rejection.inherited)})" if rejection.inherited else "")
        groups.setdefault(reason, []).append(rejection.hypothesis.title or "untitled")
    return groups


def _inherited(original: Inherited) -> str:
    return f"B-WR {figures.win_rate(original.b_wr)}, BSOTA-WR {figures.win_rate(original.bsota_wr)}"


def _titles(titles: Sequence[str], most: int) -> str:
    shown = [escape(title, 60) for title in titles[:most]]
    more = len(titles) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _titles_cut(ranked: Ranking) -> bool:
    return len(ranked.not_measured) > MOST_LINES or any(len(group) > 3 for group in _reasons(ranked.rejected).values())


def _costlier(ranked: Ranking, kind: Kind, own_model: str) -> list[Block]:
    """What takes much longer than the reference, or learns parameters of its own: a win may have been bought."""
    told = [(place, words) for place in ranked.places if (words := costlier(place, kind, own_model))]
    heading = f"*Costlier than {escape(kind.reference)} ({len(told):,})*, so a win may have been bought"
    return _told_of(heading, told)


def _diverged(ranked: Ranking) -> list[Block]:
    """Whose training ended in no finite loss somewhere, and in how many settings: each of those is lost."""
    told = [(place, figures.diverged(place.score)) for place in ranked.places if place.score.diverged]
    return _told_of(f"*Diverged ({len(told):,})*: a setting without a finite loss is lost", told)


def _told_of(heading: str, told: Sequence[tuple[Place, str]]) -> list[Block]:
    """A heading, and a line for each of the places; nothing where there are none."""
    if not told:
        return []
    lines = [f"• {escape(place.hypothesis.title or 'untitled', 60)}: {words}" for place, words in told[:MOST_LINES]]
    more = len(told) - MOST_LINES
    return [section("\n".join([heading, *lines, *([f"• +{more:,} more"] if more > 0 else [])]))]


def _rejected(ranked: Ranking) -> list[Block]:
    groups = _reasons(ranked.rejected)
    if not groups:
        return []
    shown = list(groups.items())[:MOST_LINES]
    lines = [f"*Rejected ({len(ranked.rejected):,})*"]
    lines += [f"• {_titles(titles, 3)}: {escape(reason, 220)}" for reason, titles in shown]
    left = len(ranked.rejected) - sum(len(titles) for _, titles in shown)
    if left:
        lines.append(f"• +{left:,} more in the attached table")
    return [section("\n".join(lines))]


def _faults(ranked: Ranking) -> list[Block]:
    if not ranked.generator_faults:
        return []
    lines = [f"• {escape(fault, 160)}" for fault in ranked.generator_faults[:3]]
    left = len(ranked.generator_faults) - len(lines)
    if left:
        lines.append(f"• +{left:,} more")
    return [section("\n".join(["*From the generator*", *lines]))]


def _not_measured(ranked: Ranking) -> list[Block]:
    number = len(ranked.not_measured)
    if not number:
        return []
    titles = _titles([hypothesis.title or "untitled" for hypothesis in ranked.not_measured], MOST_LINES)
    value = measure_rest_value(ranked.request_id, ranked.kind)
    return [
        section(f"*Proposed but not measured ({number:,})*\n{titles}"),
        actions(button(f"Measure the rest ({number:,})", MEASURE_REST, value)),
    ]


def _origin(ranked: Ranking, conditions: Conditions, choosing: Choosing) -> str:
    suite, where = escape(ranked.suite), isolation(conditions.sandbox)
    return f"{_chosen(choosing)}\nRequest `{escape(ranked.request_id)}` · suite `{suite}` · run in {where}"


def _chosen(choosing: Choosing) -> str:
    outcomes = count(choosing.outcomes, "outcome")
    if choosing.model_version is None:
        how = (
            f"Chosen by closeness to known functions: {outcomes} and the votes are recorded, too few to change "
            f"the order yet ({choosing.needed} needed)."
        )
    else:
        model = f"the reward model `{escape(choosing.model_version)}`"
        how = f"Chosen by {model}, which learned from {outcomes} and the votes."
    if choosing.at_random:
        how += f" {count(choosing.at_random, 'was', 'were')} picked at random, to check the choice."
    return how
