"""One of the top hypotheses: what it claims, how it did, its code, and the buttons to vote on it."""

from __future__ import annotations

from bot.views import figures
from bot.views.block_kit import CODE_LIMIT, actions, code, context, feedback, header, message, section
from bot.views.conditions import few
from bot.views.figures import count
from bot.views.finding import evaluate_button
from bot.views.message import Block, Message, escape, one_line, size
from engine.budget import added_share
from engine.ranking import Matched, Place
from engine.score import Score
from sandbox.guest.components.kind import Kind

COSTLY = 2.0  # times the reference's time from which on it is called costlier; timings scatter by a quarter
STEP_SIZE_EFFECT = "step-size effect: the win vanishes when every arm has its best learning rate"
LARGER = 0.01  # share of the net's parameters from which on it is called costlier
VOTE = "vote"  # value: see `read_vote`


def read_vote(value: str) -> tuple[str, bool]:
    """Hypothesis id, and whether the thumb points up, of a click on VOTE."""
    thumb, _, hypothesis_id = value.partition(" ")
    return hypothesis_id, thumb == "up"


def code_is_cut(place: Place) -> bool:
    """Whether the card shows only the beginning, so that the module itself belongs beside it as a file."""
    return size(place.hypothesis.code) > CODE_LIMIT


def module_name(place: Place) -> str:
    """A file name for the hypothesis' module."""
    return f"{place.hypothesis.id}.py"


def hypothesis_card(place: Place, kind: Kind, *, rank: str | None = None, own_model: str = "") -> Message:
    """`rank` as the ranking prints it, see `rank_labels`. `own_model`: the team's model that it was measured on."""
    hypothesis = place.hypothesis
    star = "★ " if place.promising else ""
    blocks: list[Block] = [header(f"{rank or place.rank}  {star}{hypothesis.title or 'untitled'}")]
    told = [("Claim", hypothesis.claim, 900), ("Why it might hold", hypothesis.rationale, 1_400)]
    lines = [f"*{name}*: {escape(text, limit)}" for name, text, limit in told if one_line(text)]
    if lines:
        blocks.append(section("\n".join(lines)))
    blocks.append(section(_figures(place, kind, own_model)))
    blocks.append(code(hypothesis.code))
    if code_is_cut(place):
        blocks.append(
            context(f"The code is cut here; the whole module is in the attached `{escape(module_name(place))}`.")
        )
    blocks.append(context(_origin(place)))
    blocks.append(actions(evaluate_button(hypothesis.id)))
    blocks.append(feedback(VOTE, f"up {hypothesis.id}", f"down {hypothesis.id}"))
    return message(*blocks, request_id=hypothesis.request_id)


def _figures(place: Place, kind: Kind, own_model: str) -> str:
    score, verdict = place.score, place.verdict
    rates = f"B-WR *{figures.win_rate(score.b_wr)}* · BSOTA-WR *{figures.win_rate(score.bsota_wr)}*"
    lines = [f"Effect *{figures.effect(place.effect)}* · {rates}"]
    if place.rerun:
        again = place.rerun
        lines.append(
            f"Again on {count(len(again.seeds), 'fresh seed')}: B-WR *{figures.win_rate(again.b_wr)}* · "
            f"BSOTA-WR *{figures.win_rate(again.bsota_wr)}*"
        )
    if place.repetition and place.repetition.repeated is not None:
        repeated = escape(place.repetition.words, 300)
        lines.append(f"Trained once more with data, net and optimizer out of its reach: {repeated}.")
    if verdict.novelty:
        nearest, source = escape(verdict.novelty.nearest, 100), escape(verdict.novelty.nearest_source, 200)
        known = f"{nearest} ({source})" if source else nearest
        lines.append(f"Nearest published one: {known}, N-score *{figures.n_score(verdict.novelty.n_score)}*")
    lines += [f"In {_settings(score, own_model)}.", *_beside(place, kind)]
    lines += [f"At an equal budget it {_against(matched)}." for matched in place.matched]
    parts = [
        _time(place, kind),
        _added(place, kind, own_model),
        _factor(place, kind),
        STEP_SIZE_EFFECT if place.step_size_effect else "",
        f"{figures.diverged(score)}, and is lost there" if score.diverged else "",
    ]
    last = " · ".join(filter(None, parts))
    return "\n".join(filter(None, [*lines, last[:1].upper() + last[1:]]))


def _beside(place: Place, kind: Kind) -> list[str]:
    """`Beside, in the median against GELU: accuracy (R2 of regressions) −0.8 points, last loss −1.7 %.`"""
    if place.beside is None:
        return []
    found = place.beside
    last = f", last loss *{figures.signed(found.final)} %*" if found.final is not None else ""
    r2 = " (R2 of regressions)" if kind.conditions.regression else ""
    accuracy = f"accuracy{r2} *{figures.signed(found.accuracy)} points*"
    return [f"Beside, in the median against {escape(found.against)}: {accuracy}{last}."]


def _settings(score: Score, own_model: str) -> str:
    number = len(score.trials)
    if own_model:
        return f"{count(number, 'training')} (one a seed) of your own model *{escape(own_model)}* on one data set"
    return f"{count(number, 'setting')}. {few(len({trial.cell.partition('/')[0] for trial in score.trials}))}"


def costlier(place: Place, kind: Kind, own_model: str = "") -> str:
    """`3.2× the time, +2.1 % parameters over ReLU (96 an instance)`; empty for what costs about as much as it."""
    ratio = place.verdict.cost_ratio
    larger = not own_model and added_share(kind, place.verdict.parameters or 0) >= LARGER
    cost = [
        f"{figures.ratio(ratio)} the time" if ratio and ratio >= COSTLY else "",
        _added(place, kind, "") if larger else "",
    ]
    return ", ".join([*filter(None, cost), *map(_against, place.matched)])


def _against(matched: Matched) -> str:
    """`wins .48 [.40, .56] of the settings against ReLU, 1.3 x wider`"""
    return f"wins {figures.win_rate(matched.won)} of the settings against {escape(matched.words, 100)}"


def _time(place: Place, kind: Kind) -> str:
    ratio = place.verdict.cost_ratio
    return f"{figures.ratio(ratio)} the time of {escape(kind.reference)}" if ratio is not None else ""


def _added(place: Place, kind: Kind, own_model: str) -> str:
    """`+0.1 % parameters over ReLU (2 an instance)`: a net may hold several instances. The share is of our own nets."""
    number = place.verdict.parameters
    if number and own_model:
        return f"{count(number, 'parameter')} an instance"
    if not number:
        return ""
    share, of = added_share(kind, number), escape(kind.reference)
    over = f"{figures.signed(share)} % parameters over {of}" if share else f"as many parameters as {of}"
    return f"{over} ({number:,} an instance)"


def _factor(place: Place, kind: Kind) -> str:
    """`at 3× the learning rate`, where every arm takes its best."""
    if place.score.factor is None or len(kind.conditions.grid) < 2:
        return ""
    return f"at {place.score.factor:.3g}× the {escape(kind.conditions.grid_of)}"


def _origin(place: Place) -> str:
    hypothesis = place.hypothesis
    inspired = f" · inspired by {escape(hypothesis.inspiration, 150)}" if one_line(hypothesis.inspiration) else ""
    return (
        f"`{escape(hypothesis.id)}` · {escape(hypothesis.generator, 100)}, {hypothesis.strategy.value}{inspired} · "
        "Your vote never changes a figure; it helps to decide what is tried next."
    )
